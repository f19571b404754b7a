"""`idle_timeout` and `total_timeout` over a real socket, in every mode."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterIdleTimeoutError,
    OpenRouterInputError,
    OpenRouterTimeoutError,
    OpenRouterTotalTimeoutError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import STREAM
from tests.helpers.modes import MODES, every_mode, streamed_modes

COMMENT = b": OPENROUTER PROCESSING\n\n"
A_LONG_TIME = 60.0


def build(emulator: Emulator, **arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, **arguments)


def words(*texts: str) -> list[bytes]:
    return [wire.sse(wire.chunk(text), done=False) for text in texts]


def kept_alive(mode: str, *texts: str) -> Canned:
    """Answer with these words and then with nothing but signs of life."""
    if "stream" in mode:
        return Canned(headers=STREAM, pieces=[*words(*texts), *[COMMENT] * 1_000], pause=0.05)
    return Canned(pieces=[wire.PADDING] * 1_000, pause=0.05)


@every_mode
def test_signs_of_life_do_not_outlast_idle_timeout(emulator: Emulator, mode: str) -> None:
    emulator.play(kept_alive(mode))
    with pytest.raises(OpenRouterIdleTimeoutError, match=r"idle_timeout=0\.3 s"):
        MODES[mode](build(emulator, idle_timeout=0.3))
    assert len(emulator.requests) <= 1  # the answer may be billed: not tried again
    assert all(request.wait_disconnected(30) for request in emulator.requests)


@streamed_modes
def test_idle_timeout_keeps_what_came_before_the_silence(emulator: Emulator, mode: str) -> None:
    emulator.play(kept_alive(mode, "Hel", "lo"))
    with pytest.raises(OpenRouterIdleTimeoutError) as caught:
        MODES[mode](build(emulator, idle_timeout=1.5))  # the words come long before
    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hello"
    assert caught.value.generation_id == wire.GENERATION


@every_mode
@pytest.mark.parametrize(
    ("limit", "kind"),
    [("idle_timeout", OpenRouterIdleTimeoutError), ("total_timeout", OpenRouterTotalTimeoutError)],
)
def test_a_silent_server_meets_idle_timeout_and_total_timeout(
    emulator: Emulator, mode: str, limit: str, kind: type[OpenRouterTimeoutError]
) -> None:
    emulator.play(Canned(delay=A_LONG_TIME))
    with pytest.raises(kind):
        MODES[mode](build(emulator, **{limit: 0.2}))
    assert len(emulator.requests) <= 1  # on a busy machine the limit may end while connecting


@streamed_modes
def test_a_silence_in_the_middle_of_an_event_meets_idle_timeout(
    emulator: Emulator, mode: str
) -> None:
    emulator.play(Canned(headers=STREAM, pieces=[b"data: {", b"}"], pause=A_LONG_TIME))
    with pytest.raises(OpenRouterIdleTimeoutError):
        MODES[mode](build(emulator, idle_timeout=0.2))


@streamed_modes
def test_a_busy_stream_meets_total_timeout(emulator: Emulator, mode: str) -> None:
    emulator.play(Canned(headers=STREAM, pieces=words(*["a "] * 1_000), pause=0.02))
    with pytest.raises(OpenRouterTotalTimeoutError, match=r"total_timeout=2 s") as caught:
        MODES[mode](build(emulator, total_timeout=2))
    assert caught.value.partial is not None
    assert caught.value.partial.text.startswith("a ")
    assert emulator.requests[0].wait_disconnected(30)


@every_mode
def test_total_timeout_spans_all_attempts(emulator: Emulator, mode: str) -> None:
    busy = Canned(
        status=503, headers={"retry-after-ms": "50"}, pieces=wire.to_json(wire.error(503, "Busy"))
    )
    MODES[mode](build(emulator))  # the first call of a process imports what later ones have
    emulator.play(*[busy] * 1_000)
    with pytest.raises(OpenRouterTotalTimeoutError) as caught:
        MODES[mode](build(emulator, total_timeout=2.0, max_retries=999))
    # Its status, not its words: the limit may end while the body of the last one is read.
    assert getattr(caught.value.__cause__, "status_code", None) == 503
    assert 2 < len(emulator.requests) < 100
    emulator.reset()


@every_mode
def test_a_call_within_idle_timeout_and_total_timeout_is_left_alone(
    emulator: Emulator, mode: str
) -> None:
    model = build(emulator, idle_timeout=30, total_timeout=60)
    assert MODES[mode](model).text
    assert MODES[mode](model).text


def test_a_slow_reader_is_not_taken_for_a_slow_server(emulator: Emulator) -> None:
    emulator.play(Canned(headers=STREAM, pieces=[*words("a", "b"), wire.sse(*wire.ending())]))
    stream = build(emulator, idle_timeout=1.0).stream("Hello")
    first = next(stream)
    emulator.requests[0].wait_disconnected(1.5)  # some time passes; the server is done by then
    assert first.text + "".join(chunk.text for chunk in stream) == "ab"


def test_a_call_brings_its_own_idle_timeout_and_total_timeout(emulator: Emulator) -> None:
    emulator.play(Canned(delay=A_LONG_TIME), Canned(delay=A_LONG_TIME))
    model = build(emulator, idle_timeout=50, total_timeout=50)
    with pytest.raises(OpenRouterIdleTimeoutError):
        model.invoke("Hello", idle_timeout=0.2)
    with pytest.raises(OpenRouterTotalTimeoutError):
        model.bind(total_timeout=0.2).invoke("Hello")
    assert model.invoke("Hello", idle_timeout=None).text


@streamed_modes
def test_a_stream_ends_with_done_even_if_the_server_holds_the_connection(
    emulator: Emulator, mode: str
) -> None:
    whole = wire.sse(wire.chunk("Hello"), *wire.ending())
    emulator.play(Canned(headers=STREAM, pieces=[whole, *[COMMENT] * 10_000], pause=0.05))
    assert MODES[mode](build(emulator)).content == "Hello"
    assert emulator.requests[0].wait_disconnected(30)
    assert MODES[mode](build(emulator)).text


def test_limits_are_checked_between_the_pieces_of_a_transport_without_sockets() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, headers=STREAM, content=wire.sse(wire.chunk("a"), *wire.ending())
        )

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        model = ChatOpenRouterO3(api_key=KEY, http_client=client, idle_timeout=5, total_timeout=5)
        assert MODES["stream"](model).content == "a"


@pytest.mark.parametrize("name", ["idle_timeout", "total_timeout"])
@pytest.mark.parametrize("value", [0, -1, True, "soon", float("inf")])
def test_idle_timeout_and_total_timeout_are_positive_seconds(
    emulator: Emulator, name: str, value: Any
) -> None:
    with pytest.raises(ValidationError, match=f"{name} is in seconds"):
        ChatOpenRouterO3(**{name: value})
    with pytest.raises(OpenRouterInputError, match=f"{name} is in seconds"):
        build(emulator).invoke("Hello", **{name: value})
