"""OpenRouter's endpoints, as a Starlette application."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from langchain_openrouter_o3.emulator import rules
from langchain_openrouter_o3.emulator.answers import answer
from langchain_openrouter_o3.emulator.batches import Batches
from langchain_openrouter_o3.emulator.body import PADDING, completion_body
from langchain_openrouter_o3.emulator.catalogue import find_model
from langchain_openrouter_o3.emulator.chat_request import ChatRequest, candidate_slugs
from langchain_openrouter_o3.emulator.completion import complete
from langchain_openrouter_o3.emulator.errors import ApiError, BadRequestError
from langchain_openrouter_o3.emulator.json_value import encode, parse_object
from langchain_openrouter_o3.emulator.prompt_cache import PromptCache
from langchain_openrouter_o3.emulator.resources import Resources, json_response, no_such_endpoint
from langchain_openrouter_o3.emulator.response_cache import CacheWish, ResponseCache
from langchain_openrouter_o3.emulator.routing import Router, is_told, routing
from langchain_openrouter_o3.emulator.stream import COMMENT, events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from langchain_openrouter_o3.emulator.completion import Completion

CHAT_PATH = "/api/v1/chat/completions"
_EXPOSED = {"access-control-expose-headers": "X-Generation-Id,X-Provider-Name,cf-ray"}


class Endpoints:
    """The endpoints, and what they remember: prompts and answers."""

    def __init__(
        self,
        *,
        api_key: str | None,
        think_time: float,
        clock: Callable[[], float],
        router: Router,
    ) -> None:
        """Open for one key, or for any; `think_time` is the wait before each answer."""
        self._api_key = api_key
        self._think_time = think_time
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
        """`POST /chat/completions`: answer by the rules, whole or as a stream."""
        self._authorize(request)
        raw = await request.body()
        body = parse_object(raw)
        if body is None:
            raise BadRequestError("The request body is not a JSON object")
        route = self._router.route(body)
        rules.check(route.body)
        wish = CacheWish.of_request(request.headers, raw)
        chat = ChatRequest.from_body(route.body)
        kept = self._responses.find(wish) if wish else None
        completion = kept.completion.repeated() if kept else self._complete(chat)
        source = kept.completion.id if kept else None
        self._resources.note(request.headers, body, completion, source)
        told = routing(route.requested, chat.model.slug, failures=route.failures)
        sent = replace(completion, routing=told) if is_told(request.headers) else completion
        headers = {"x-generation-id": completion.id, **_EXPOSED}
        headers |= self._responses.headers(wish, kept) if wish else {}
        if chat.stream:
            headers |= {"content-type": "text/event-stream", "cache-control": "no-cache"}
            pieces = self._streamed(sent)
        else:
            headers["content-type"] = "application/json"
            pieces = self._whole(sent)
        if wish and not kept:
            pieces = self._kept(pieces, wish, completion)
        return StreamingResponse(pieces, headers=headers)

    def forget_answers(self) -> None:
        """Empty OpenRouter's cache of answers, and what is told of them later."""
        self._responses.clear()
        self._resources.forget()

    def _complete(self, chat: ChatRequest) -> Completion:
        cached = self._cache.cached_tokens(chat.model.slug, chat.prompt)
        return complete(chat, answer(chat), cached_tokens=cached)

    async def _kept(
        self, pieces: AsyncIterator[bytes], wish: CacheWish, completion: Completion
    ) -> AsyncIterator[bytes]:
        """Give the pieces of an answer, and keep it when they are all given."""
        async for piece in pieces:
            yield piece
        self._responses.keep(wish, completion)

    def _authorize(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise ApiError(401, "Missing Authentication header", names_user=False)
        if self._api_key is not None and key.strip() != self._api_key:
            raise ApiError(401, "User not found.", names_user=False)

    async def _whole(self, completion: Completion) -> AsyncIterator[bytes]:
        yield PADDING
        await asyncio.sleep(self._think_time)
        yield encode(completion_body(completion))

    async def _streamed(self, completion: Completion) -> AsyncIterator[bytes]:
        yield COMMENT
        await asyncio.sleep(self._think_time)
        for event in events(completion):
            yield event
            # Other streams get their turn, and a client that left is noticed.
            await asyncio.sleep(0)


async def _refusal(request: Request, error: Exception) -> Response:
    refusal = cast("ApiError", error)
    body = refusal.body()
    if request.headers.get("x-openrouter-metadata") == "enabled":
        asked = candidate_slugs(parse_object(await request.body()) or {})
        slug = next(iter(asked), "")
        model = find_model(slug)
        body["openrouter_metadata"] = routing(slug, model.slug if model else "", refusal.status)
    return json_response(body, refusal.status)
