"""OpenRouter's endpoints, as a Starlette application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice, repeat
from typing import TYPE_CHECKING, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from langchain_openrouter_o3.emulator import rules
from langchain_openrouter_o3.emulator.answers import answer
from langchain_openrouter_o3.emulator.conversation import ScriptError, outcome_of
from langchain_openrouter_o3.emulator.endpoints.batches import Batches
from langchain_openrouter_o3.emulator.endpoints.caches import (
    CacheOptions,
    PromptCache,
    ResponseCache,
)
from langchain_openrouter_o3.emulator.endpoints.resources import (
    Resources,
    json_response,
    no_such_endpoint,
)
from langchain_openrouter_o3.emulator.endpoints.routing import (
    Router,
    routing,
    wants_routing_metadata,
)
from langchain_openrouter_o3.emulator.json_value import encode, parse_object
from langchain_openrouter_o3.emulator.script import Pace
from langchain_openrouter_o3.emulator.wire.catalogue import find_model
from langchain_openrouter_o3.emulator.wire.chat_request import ChatRequest, candidate_slugs
from langchain_openrouter_o3.emulator.wire.completion import complete, reason
from langchain_openrouter_o3.emulator.wire.request_log import REQUEST, ReceivedRequest
from langchain_openrouter_o3.emulator.wire.responses import (
    COMMENT,
    PADDING,
    ApiError,
    BadRequestError,
    completion_body,
    events,
)
from langchain_openrouter_o3.emulator.wire.sending import (
    End,
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

    from langchain_openrouter_o3.emulator.script import Reply
    from langchain_openrouter_o3.emulator.script.player import Script
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
        options = CacheOptions.of_request(request.headers, raw)
        chat = ChatRequest.from_body(route.body)
        received: ReceivedRequest = request.scope[REQUEST]
        kept = self._responses.find(options) if options else None
        reply = None if kept or self.script is None else self._reply(self.script, received)
        if reply is not None and reply.fault is not None and not reply.fault.needs_answer:
            return _Performance(reply.fault.script([]))
        completion = kept.completion.repeated() if kept else self._complete(chat, reply)
        disturbance = reply.fault if reply else None
        received.outcome += _outcome(completion)
        source = kept.completion.id if kept else None
        self._resources.note(request.headers, body, completion, source)
        told = routing(route.requested, chat.model.slug, failures=route.failures)
        tells = wants_routing_metadata(request.headers)
        sent = replace(completion, routing=told) if tells else completion
        headers = {"x-generation-id": completion.id, **_EXPOSED}
        headers |= self._responses.headers(options, kept) if options else {}
        pace = (reply.pace if reply else None) or self._pace
        steps: Iterable[Step] = self._steps(sent, chat, headers, pace)
        if options and not kept:
            steps = self._kept(steps, options, completion)
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
        self, steps: Iterable[Step], options: CacheOptions, completion: Completion
    ) -> Iterator[Step]:
        """Give the steps of an answer; keep it before its end, when it may be asked again."""
        for step in steps:
            if isinstance(step, End):
                self._responses.keep(options, completion)
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
    received.outcome = f"refused with {refusal.status}: {refusal.provider_message}"
    if request.headers.get("x-openrouter-metadata") == "enabled":
        asked = candidate_slugs(parse_object(await request.body()) or {})
        slug = next(iter(asked), "")
        model = find_model(slug)
        body["openrouter_metadata"] = routing(slug, model.slug if model else "", refusal.status)
    return json_response(body, refusal.status)
