"""The ASGI layer that plays faults instead of the rules' answers, or upon them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langchain_openrouter_o3.emulator.endpoints.application import CHAT_PATH
from langchain_openrouter_o3.emulator.endpoints.batches import BATCHES_PATH
from langchain_openrouter_o3.emulator.json_value import encode
from langchain_openrouter_o3.emulator.wire.request_log import REQUEST, ReceivedRequest
from langchain_openrouter_o3.emulator.wire.responses import ApiError
from langchain_openrouter_o3.emulator.wire.sending import (
    Canned,
    ClosePort,
    End,
    Fault,
    HangUp,
    Head,
    Step,
    Write,
    perform,
)

_OWN_STEPS: dict[str, Callable[[Message], Step]] = {
    "emulator.hang_up": lambda message: HangUp(message["reset"]),
    "emulator.close_port": lambda message: ClosePort(message["seconds"]),
}
Chooser = Callable[[ReceivedRequest], Fault | None]


def is_chat(request: ReceivedRequest) -> bool:
    """Whether a request asks for a completion."""
    return (request.method, request.path) == ("POST", CHAT_PATH)


def is_of_batches(request: ReceivedRequest) -> bool:
    """Whether a request is of the Batch API."""
    return request.path.startswith(BATCHES_PATH)


class FaultLayer:
    """Plays the queued faults to requests of one kind, then those that a chooser picks.

    It runs in the server's event loop alone, one request at a time, so neither the queue nor the
    chooser needs a lock.
    """

    def __init__(self, app: ASGIApp, concerns: Callable[[ReceivedRequest], bool]) -> None:
        """Wrap an application; `concerns` says which requests faults are for."""
        self.queue: deque[Fault] = deque()
        self.chooser: Chooser | None = None
        self.complaints: list[str] = []
        self._app = app
        self._concerns = concerns

    def add(self, *faults: object) -> None:
        """Queue faults.

        Raises:
            TypeError: One is none.
        """
        for fault in faults:
            self.queue.append(_as_fault(fault))

    def reset(self) -> None:
        """Forget the queue, the chooser, and what was wrong with it."""
        self.queue.clear()
        self.complaints.clear()
        self.chooser = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Play the fault that is meant for this request, if there is one."""
        request: ReceivedRequest = scope[REQUEST]
        fault = self._fault_for(request) if self._concerns(request) else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        request.fault = fault
        answer: list[Step] = []
        if fault.needs_answer:
            await self._app(scope, receive, _Recorder(answer).send)
        await perform(fault.script(answer), send)

    def _fault_for(self, request: ReceivedRequest) -> Fault | None:
        try:
            return self.queue.popleft()
        except IndexError:
            # Not asked before: another thread may clear the queue in between.
            return None if self.chooser is None else self._chosen(self.chooser, request)

    def _chosen(self, chooser: Chooser, request: ReceivedRequest) -> Fault | None:
        """Ask the chooser; if it fails, refuse the request so that no client tries again."""
        try:
            fault = chooser(request)
            return None if fault is None else _as_fault(fault)
        except Exception as error:  # noqa: BLE001 - it is told to the test
            self.complaints.append(f"the chooser of faults, {type(error).__name__}: {error}")
            refusal = ApiError(400, f"The emulator: {self.complaints[-1]}", names_user=False)
            return Canned(400, pieces=encode(refusal.body()))


def _as_fault(value: object) -> Fault:
    if not isinstance(value, Fault):
        raise TypeError(f"a fault is Canned() or what emulator.faults returns, not {value!r}")
    return value


class _Recorder:
    """Takes an answer down as steps instead of sending it."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            pairs = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
            ]
            # A disturbed body may have any length, so it is always chunked.
            headers = tuple(pair for pair in pairs if pair[0] != "content-length")
            self._steps.append(Head(message["status"], headers))
            return
        if message["type"] in _OWN_STEPS:
            self._steps.append(_OWN_STEPS[message["type"]](message))
            return
        if message["body"]:
            self._steps.append(Write(message["body"]))
        if not message.get("more_body"):
            self._steps.append(End())
