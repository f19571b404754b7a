"""OpenRouter's endpoints, as a Starlette application."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import islice, repeat
from typing import TYPE_CHECKING, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langchain_openrouter_o3.emulator import rules
from langchain_openrouter_o3.emulator.answers import answer
from langchain_openrouter_o3.emulator.endpoints.batches import BATCHES_PATH, Batches
from langchain_openrouter_o3.emulator.endpoints.caches import CacheWish, PromptCache, ResponseCache
from langchain_openrouter_o3.emulator.endpoints.resources import (
    Resources,
    json_response,
    no_such_endpoint,
)
from langchain_openrouter_o3.emulator.endpoints.routing import Router, is_told, routing
from langchain_openrouter_o3.emulator.json_value import encode, parse_object
from langchain_openrouter_o3.emulator.script import Pace
from langchain_openrouter_o3.emulator.wire.catalogue import find_model
from langchain_openrouter_o3.emulator.wire.chat_request import ChatRequest, candidate_slugs
from langchain_openrouter_o3.emulator.wire.completion import complete, reason
from langchain_openrouter_o3.emulator.wire.request_log import (
    REQUEST,
    ReceivedRequest,
    ScriptError,
    outcome_of,
)
from langchain_openrouter_o3.emulator.wire.responses import (
    COMMENT,
    PADDING,
    ApiError,
    BadRequestError,
    completion_body,
    events,
)
from langchain_openrouter_o3.emulator.wire.steps import (
    Canned,
    ClosePort,
    End,
    Fault,
    HangUp,
    Head,
    Step,
    Wait,
    Write,
    joined,
    perform,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from starlette.requests import Request

    from langchain_openrouter_o3.emulator.script import Reply, Script
    from langchain_openrouter_o3.emulator.wire.completion import Completion

CHAT_PATH = "/api/v1/chat/completions"
# What comes at once is written together, as it comes from OpenRouter; it costs a fifth.
_EVENTS_PER_WRITE = 5
_JSON_HEADERS = (("content-type", "application/json"),)
_STREAM_HEADERS = (("content-type", "text/event-stream"), ("cache-control", "no-cache"))
_EXPOSED = {"access-control-expose-headers": "X-Generation-Id,X-Provider-Name,cf-ray"}


class Endpoints:
    """The endpoints, and what they remember: prompts and answers.

    Attributes:
        script: What answers instead of the rules; None if there is no script.
        batches: The batches that were submitted.
    """

    def __init__(
        self,
        *,
        api_key: str | None,
        think_time: float,
        pace: Pace,
        clock: Callable[[], float],
        router: Router,
    ) -> None:
        """Open for one key, or for any; `think_time` is the wait before each answer."""
        self.script: Script | None = None
        self._api_key = api_key
        self._think_time = think_time
        self._pace = pace
        self._cache = PromptCache()
        self._responses = ResponseCache(clock)
        self.batches = Batches(self._authorize)
        self._router = router
        self._resources = Resources(self._authorize)

    def application(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route(CHAT_PATH, self.chat_completions, methods=["POST"]),
                *self.batches.routes(),
                *self._resources.routes(),
            ],
            exception_handlers={ApiError: _refusal, HTTPException: no_such_endpoint},
        )

    async def chat_completions(self, request: Request) -> Response:
        """`POST /chat/completions`: answer by the script or the rules, whole or as a stream."""
        self._authorize(request)
        raw = await request.body()
        body = parse_object(raw)
        if body is None:
            raise BadRequestError("The request body is not a JSON object")
        route = self._router.route(body)
        rules.check(route.body)
        wish = CacheWish.of_request(request.headers, raw)
        chat = ChatRequest.from_body(route.body)
        received: ReceivedRequest = request.scope[REQUEST]
        kept = self._responses.find(wish) if wish else None
        reply = None if kept or self.script is None else self._reply(self.script, received)
        if reply is not None and reply.fault is not None and not reply.fault.needs_answer:
            return _Performance(reply.fault.script([]))
        completion = kept.completion.repeated() if kept else self._complete(chat, reply)
        disturbance = reply.fault if reply else None
        received.outcome += _outcome(completion)
        source = kept.completion.id if kept else None
        self._resources.note(request.headers, body, completion, source)
        told = routing(route.requested, chat.model.slug, failures=route.failures)
        sent = replace(completion, routing=told) if is_told(request.headers) else completion
        headers = {"x-generation-id": completion.id, **_EXPOSED}
        headers |= self._responses.headers(wish, kept) if wish else {}
        pace = (reply.pace if reply else None) or self._pace
        steps: Iterable[Step] = self._steps(sent, chat, headers, pace)
        if wish and not kept:
            steps = self._kept(steps, wish, completion)
        if disturbance is not None:
            steps = disturbance.script([*steps])
        # Faults of the layer above look at the events one by one.
        return _Performance(joined(steps, _EVENTS_PER_WRITE) if received.fault is None else steps)

    def forget_answers(self) -> None:
        """Empty OpenRouter's cache of answers, and what is told of them later."""
        self._responses.clear()
        self._resources.forget()

    def _reply(self, script: Script, request: ReceivedRequest) -> Reply:
        try:
            reply = script.next_reply(request)
        except ScriptError as error:
            raise self._complaint(script, error) from error
        request.outcome = f"{reply.label} "
        request.fault = request.fault or reply.fault
        return reply

    def _complete(self, chat: ChatRequest, reply: Reply | None) -> Completion:
        cached = self._cache.cached_tokens(chat.model.slug, chat.prompt)
        if reply is None or self.script is None:
            said = answer(chat)
            completion = complete(chat, said, cached_tokens=cached, reasoning=reason(chat))
        else:
            try:
                completion = self.script.complete(reply, chat, cached_tokens=cached)
            except ScriptError as error:
                raise self._complaint(self.script, error) from error
        return completion

    def _complaint(self, script: Script, error: ScriptError) -> ApiError:
        """Note what is wrong with the script, and refuse the request with the same words.

        The status is one that no client tries again.
        """
        script.complaints.append(str(error))
        return ApiError(400, f"The emulator's script: {error}", names_user=False)

    def _kept(
        self, steps: Iterable[Step], wish: CacheWish, completion: Completion
    ) -> Iterator[Step]:
        """Give the steps of an answer; keep it before its end, when it may be asked again."""
        for step in steps:
            if isinstance(step, End):
                self._responses.keep(wish, completion)
            yield step

    def _authorize(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise ApiError(401, "Missing Authentication header", names_user=False)
        if self._api_key is not None and key.strip() != self._api_key:
            raise ApiError(401, "User not found.", names_user=False)

    def _steps(
        self, completion: Completion, chat: ChatRequest, headers: Mapping[str, str], pace: Pace
    ) -> Iterator[Step]:
        """Return what an answer does on the wire; each event is made when its turn comes."""
        kind = _STREAM_HEADERS if chat.stream else _JSON_HEADERS
        yield Head(200, (*headers.items(), *kind))
        yield Write(COMMENT if chat.stream else PADDING)
        yield from _wait(self._think_time)
        waits = repeat(0.0) if pace == Pace() else pace.waits()
        if not chat.stream:
            # A whole body takes as long as its stream would.
            count = 0 if pace == Pace() else sum(1 for _ in events(completion))
            yield from _wait(sum(islice(waits, count)))
            yield Write(encode(completion_body(completion)))
        else:
            for wait, event in zip(waits, events(completion), strict=False):
                yield from _wait(wait)
                yield Write(event)
        yield End()


class _Performance(Response):
    """A response that does the steps of an answer."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = steps
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do them."""
        del scope, receive
        await perform(self._steps, send)


def _wait(seconds: float) -> Iterator[Step]:
    if seconds:
        yield Wait(seconds)


def _outcome(completion: Completion) -> str:
    said = completion.answer
    return outcome_of(said.text, said.refusal, said.tool_calls)


async def _refusal(request: Request, error: Exception) -> Response:
    refusal = cast("ApiError", error)
    body = refusal.body()
    received: ReceivedRequest = request.scope[REQUEST]
    received.outcome = f"refused with {refusal.status}: {refusal.said}"
    if request.headers.get("x-openrouter-metadata") == "enabled":
        asked = candidate_slugs(parse_object(await request.body()) or {})
        slug = next(iter(asked), "")
        model = find_model(slug)
        body["openrouter_metadata"] = routing(slug, model.slug if model else "", refusal.status)
    return json_response(body, refusal.status)


# --- The layer that plays faults ---


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
