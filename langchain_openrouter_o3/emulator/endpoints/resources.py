"""The endpoints beside the chat (models, the key, credits, generations), and what is none."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from starlette.responses import Response
from starlette.routing import Route

from langchain_openrouter_o3.emulator.json_value import Json, JsonObject, encode, text_at
from langchain_openrouter_o3.emulator.wire.catalogue import CATALOGUE, find_model
from langchain_openrouter_o3.emulator.wire.responses import ApiError, BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.exceptions import HTTPException
    from starlette.requests import Request

    from langchain_openrouter_o3.emulator.wire.completion import Completion

_PREFIX = "/api/v1/"
# Where OpenRouter's other endpoints are.
_OPENROUTERS = re.compile(
    "activity|analytics|audio|auth|batches|byok|completions|datasets|embeddings|endpoints|files|"
    "generation|guardrails|images|keys|messages|models?|organization|presets|providers|rerank|"
    "responses|videos|workspaces"
)
# What OpenRouter tells of a generation and nobody knows here.
_UNKNOWN = (
    "app_id",
    "cache_discount",
    "generation_time",
    "latency",
    "moderation_latency",
    "native_tokens_completion_images",
    "num_fetches",
    "num_input_audio_prompt",
    "num_media_completion",
    "num_media_prompt",
    "preset_id",
    "provider_responses",
    "router",
    "upstream_id",
    "workspace_id",
)
_CREDITS = 100.0
_MOST = 1000
_PERIODS = ("", "_daily", "_weekly", "_monthly")


@dataclass(frozen=True)
class _Generation:
    """An answer, and who asked for it."""

    completion: Completion
    body: JsonObject
    headers: Mapping[str, str]
    source: str | None


class Resources:
    """The endpoints that answer without a model, and what they remember of each answer.

    Every answer is there as soon as it is given; on OpenRouter that takes a few seconds.
    """

    def __init__(self, authorize: Callable[[Request], None]) -> None:
        """Take what refuses a request without a key."""
        self._authorize = authorize
        self._generations: dict[str, _Generation] = {}
        self._spent: defaultdict[str, float] = defaultdict(float)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/v1/models", self.models),
            Route("/api/v1/models/{author}/{slug}/endpoints", self.endpoints),
            Route("/api/v1/key", self.key),
            Route("/api/v1/credits", self.credits),
            Route("/api/v1/generation", self.generation),
        ]

    def note(
        self,
        headers: Mapping[str, str],
        body: JsonObject,
        completion: Completion,
        source: str | None = None,
    ) -> None:
        """Remember an answer.

        Args:
            headers: Of its request.
            body: Of its request.
            completion: The answer.
            source: The id of the answer that was repeated from the cache, if one was.
        """
        self._spent[headers["authorization"]] += float(completion.usage.cost)
        self._generations[completion.id] = _Generation(completion, body, headers, source)

    def forget(self) -> None:
        """Forget every answer, and what it has cost."""
        self._generations.clear()
        self._spent.clear()

    async def models(self, request: Request) -> Response:
        """`GET /models`: the catalogue, open to everyone."""
        start = _number(request, "offset", 0, None)
        end = (
            start + _number(request, "limit", 1, _MOST) if "limit" in request.query_params else None
        )
        data: list[Json] = [model.listing() for model in CATALOGUE[start:end]]
        following = None if end is None or end >= len(CATALOGUE) else _next_page(end, end - start)
        total = len(CATALOGUE)
        return json_response({"data": data, "links": {"next": following}, "total_count": total})

    async def endpoints(self, request: Request) -> Response:
        """`GET /models/{author}/{slug}/endpoints`: one model's, open to everyone."""
        slug = "{author}/{slug}".format(**request.path_params)
        model = find_model(slug)
        if model is None:
            raise ApiError(404, f"Model {slug} not found", names_user=False)
        return json_response({"data": model.endpoints()})

    async def key(self, request: Request) -> Response:
        """`GET /key`: what was spent with the key; it has no limit."""
        self._authorize(request)
        spent = self._spent[request.headers["authorization"]]
        data: JsonObject = {
            "label": "emulator",
            "limit": None,
            "limit_remaining": None,
            "limit_reset": None,
            **{f"usage{period}": spent for period in _PERIODS},
            **{f"byok_usage{period}": 0.0 for period in _PERIODS},
            "include_byok_in_limit": False,
            "is_free_tier": False,
            "is_management_key": False,
            "is_provisioning_key": False,
            "rate_limit": {"requests": -1, "interval": "10s", "note": "This field is deprecated."},
            "free_model_daily_requests": {"limit": 0, "remaining": 0, "used": 0},
            "allowed_data_regions": ["global"],
            "budgets": [],
            "effective_budget": None,
            "creator_user_id": None,
            "organization_id": None,
            "workspace_id": None,
            "expires_at": None,
        }
        return json_response({"data": data})

    async def credits(self, request: Request) -> Response:
        """`GET /credits`: 100 USD were bought; what was spent with all keys."""
        self._authorize(request)
        spent = sum(self._spent.values())
        return json_response({"data": {"total_credits": _CREDITS, "total_usage": spent}})

    async def generation(self, request: Request) -> Response:
        """`GET /generation`: what is known of an answer that was given here."""
        self._authorize(request)
        name = request.query_params.get("id")
        if not name:
            raise BadRequestError("id: Invalid input: expected string")
        known = self._generations.get(name)
        if known is None:
            raise ApiError(404, f"Generation {name} not found", names_user=False)
        return json_response({"data": _described(known)})


def json_response(value: Json, status: int = 200) -> Response:
    """Return JSON as a response."""
    return Response(encode(value), status, media_type="application/json")


async def no_such_endpoint(request: Request, error: Exception) -> Response:
    """Refuse a path or a method in OpenRouter's shape, and say what there is instead."""
    status = cast("HTTPException", error).status_code
    message = f"{HTTPStatus(status).phrase}. {_hint(request)}"
    return json_response(ApiError(status, message, names_user=False).body(), status)


def _hint(request: Request) -> str:
    path = request.url.path
    if not path.startswith(_PREFIX):
        return f"Every path of the API begins with {_PREFIX}: is it missing in the base URL?"
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    spoken = [
        f"{method} /{route.path.removeprefix(_PREFIX)}"
        for route in routes
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]
    name = path.removeprefix(_PREFIX).partition("/")[0]
    has = "OpenRouter has more, the emulator" if _OPENROUTERS.fullmatch(name) else "The emulator"
    return f"{has} has {', '.join(spoken)}. Record and replay what else you need"


def _described(known: _Generation) -> JsonObject:
    completion, usage = known.completion, known.completion.usage
    created = datetime.fromtimestamp(completion.created, timezone.utc)
    return {
        "id": completion.id,
        "created_at": created.isoformat(),
        "model": completion.slug,
        "provider_name": "OpenAI",
        "api_type": "completions",
        "streamed": known.body.get("stream") is True,
        "cancelled": False,
        "finish_reason": completion.finish_reason,
        "native_finish_reason": completion.native_finish_reason,
        "tokens_prompt": usage.prompt_tokens,
        "tokens_completion": usage.completion_tokens,
        "native_tokens_prompt": usage.prompt_tokens,
        "native_tokens_completion": usage.completion_tokens,
        "native_tokens_reasoning": usage.reasoning_tokens,
        "native_tokens_cached": usage.cached_tokens,
        "num_search_results": usage.web_searches or None,
        "web_search_engine": "native" if usage.web_searches else None,
        "usage": float(usage.cost),
        "total_cost": float(usage.cost),
        "upstream_inference_cost": float(usage.cost),
        "is_byok": False,
        "service_tier": "default",
        "data_region": "global",
        "origin": known.headers.get("http-referer", ""),
        "http_referer": known.headers.get("http-referer"),
        "user_agent": known.headers.get("user-agent"),
        "external_user": text_at(known.body, "user") or None,
        "session_id": text_at(known.body, "session_id") or None,
        "response_cache_source_id": known.source,
        **dict.fromkeys(_UNKNOWN),
    }


def _number(request: Request, name: str, least: int, most: int | None) -> int:
    text = request.query_params.get(name, "0")
    number = int(text) if text.isdecimal() else -1
    if number < least or (most is not None and number > most):
        raise BadRequestError(f"{name}: Invalid input: expected a number")
    return number


def _next_page(offset: int, limit: int) -> str:
    return f"/api/v1/models?offset={offset}&limit={limit}"
