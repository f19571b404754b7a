"""An exception out of a signal's handler may end a call anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.connections import PATIENCE, needs_signals
from tests.helpers.factories import JSON, endless

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator
    from tests.helpers.processes import Scripts

pytestmark = needs_signals

BODY = wire.to_json(wire.body("Somebody else's answer"))
SLOW = {
    "before the headers": Canned(pieces=BODY, delay=60),
    "inside the padding": Canned(headers=JSON, pieces=[wire.PADDING, BODY], pause=60),
    "inside the body": Canned(headers=JSON, pieces=[BODY[:40], BODY[40:]], pause=60),
    # Not 429 or 503: those that follow would wait for the named time, too.
    "between two attempts": Canned(500, {**JSON, "retry-after": "30"}, b"{}"),
}


@pytest.mark.parametrize("signal", ["SIGINT", "SIGALRM"])
@pytest.mark.parametrize("moment", SLOW)
def test_a_signal_ends_a_call_and_its_connection(
    server: Emulator, scripts: Scripts, moment: str, signal: str
) -> None:
    script = """
    class Alarm(BaseException):
        pass

    def ring(*_):
        raise KeyboardInterrupt if sys.argv[2] == "SIGINT" else Alarm

    number = getattr(signal, sys.argv[2])
    signal.signal(number, ring)
    model = ChatOpenRouterO3(base_url=sys.argv[1], max_retries=1)
    main = threading.main_thread().ident

    def interrupt():
        # As soon as the call has waited for the same bytes, or slept, for a while.
        since = seen = None
        while seen is None or time.monotonic() - since < 0.2:
            frame = sys._current_frames()[main]
            waits = frame.f_code.co_name in ("read", "perform")
            now = (id(frame), frame.f_lasti) if waits else None
            if now is None or now != seen:
                since, seen = time.monotonic(), now
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    try:
        model.invoke("Hi")
    except (KeyboardInterrupt, Alarm):
        pass
    else:
        raise AssertionError("not interrupted")
    signal.signal(number, signal.SIG_IGN)
    for each in range(5):
        ask(each)
    """
    server.play(SLOW[moment])
    scripts.run(script, server, signal)
    if moment == "between two attempts":
        assert len(server.requests) == 6
    else:
        assert server.requests[0].wait_disconnected(PATIENCE)


def test_signals_in_streams_leave_no_connection_behind(server: Emulator, scripts: Scripts) -> None:
    script = """
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    signal.signal(signal.SIGALRM, ring)
    for number in range(4):
        try:
            for place, _ in enumerate(model.stream("Hi")):
                if place == number:
                    signal.setitimer(signal.ITIMER_REAL, 0.02)
        except Alarm:
            continue
        raise AssertionError("not interrupted")
    ask(1)
    """
    server.play(*[endless()] * 4)
    scripts.run(script, server)
    assert all(request.wait_disconnected(PATIENCE) for request in server.requests[:4])
