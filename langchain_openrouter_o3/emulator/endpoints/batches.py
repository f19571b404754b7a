"""OpenRouter's Batch API: batches that are stored, move on each time they are looked at, and end.

Facts of autumn 2026: https://openrouter.ai/docs/batch-quickstart and OpenRouter's SDK 1.3.84. What
a `BatchPlan` says happens to all batches; faults of single requests are played by
`Emulator.play_batches` and `Emulator.disturb_batches`.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from starlette.responses import Response
from starlette.routing import Route

from langchain_openrouter_o3.emulator import rules
from langchain_openrouter_o3.emulator.answers import answer
from langchain_openrouter_o3.emulator.json_value import (
    Json,
    JsonObject,
    encode,
    integer_at,
    list_at,
    object_at,
    objects_at,
    parse_object,
    text_at,
)
from langchain_openrouter_o3.emulator.wire.catalogue import find_model
from langchain_openrouter_o3.emulator.wire.chat_request import ChatRequest
from langchain_openrouter_o3.emulator.wire.completion import complete, reason
from langchain_openrouter_o3.emulator.wire.responses import (
    ApiError,
    BadRequestError,
    completion_body,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

BATCHES_PATH = "/api/v1/batches"
MAX_REQUESTS = 5_000
MAX_BYTES = 200_000_000
_BATCH = ":batch"
_FIRST = ("endpoint", "model", "callback_url")
_ENDPOINTS = ("/v1/chat/completions",)
_PROVIDER = {"only", "allow_fallbacks"}
_TEXT_PARTS = ("text", "file")
_ENDS = ("completed", "failed", "expired", "cancelled")
_PAGE, _LARGEST_PAGE, _LARGEST_LIST = 100, 1_000, 100


@dataclass
class BatchPlan:
    """What happens to batches.

    Attributes:
        statuses: Before the end; each look at a batch moves it on by one.
        end: How batches end.
        outcome: Returns the `response` and the `error` of a request, by its body; None for an
            answer by the rules.
        answered: The share of requests that are answered before a batch expires, 0 to 1.
        has_pages: Whether results have an endpoint of their own.
        has_list: Whether batches can be listed.
        tells_costs: Whether each result tells its own cost.
        slugs: Which form of a slug can be batched: "base", "batch" or "none".
        is_unpaid: Whether results are held back until the account has credits.
        is_gone: Whether the batches that are over were deleted after 30 days.
    """

    statuses: Sequence[str] = ("validating", "in_progress", "finalizing")
    end: Literal["completed", "failed", "expired", "cancelled"] = "completed"
    outcome: Callable[[JsonObject], JsonObject | None] = lambda _: None
    answered: float = 1.0
    has_pages: bool = True
    has_list: bool = True
    tells_costs: bool = False
    slugs: Literal["base", "batch", "none"] = "base"
    is_unpaid: bool = False
    is_gone: bool = False


@dataclass
class StoredBatch:
    """A batch as it was submitted, and what came of it.

    Attributes:
        id: Its name.
        body: Of the submission, with its requests.
        created: Seconds since the epoch.
        looks: How often it was looked at.
        results: Once it has ended, in an order of their own.
        cost: USD of the results.
        error: Why it has failed.
        is_deleted: Whether its submitter has deleted it.
    """

    body: JsonObject
    id: str = field(default_factory=lambda: f"batch_{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    looks: int = 0
    results: list[Json] | None = None
    cost: Decimal = Decimal(0)
    error: str | None = None
    is_deleted: bool = False

    @property
    def custom_ids(self) -> list[str]:
        """The names of its requests."""
        return [text_at(each, "custom_id") for each in objects_at(self.body, "requests")]


class Batches:
    """The endpoints, and all batches that were stored.

    Attributes:
        plan: What happens to them; a test may change it at any time.
        stored: All of them, in their order.
    """

    def __init__(self, authorize: Callable[[Request], None]) -> None:
        """Begin without any; `authorize` refuses requests without a key."""
        self.plan = BatchPlan()
        self.stored: list[StoredBatch] = []
        self._authorize = authorize

    def reset(self) -> None:
        """Forget everything."""
        self.plan = BatchPlan()
        self.stored = []

    @property
    def bill(self) -> Decimal:
        """USD that all batches have cost."""
        return sum((batch.cost for batch in self.stored), Decimal(0))

    @property
    def double(self) -> list[str]:
        """The names of requests that were stored more than once."""
        names = Counter(name for batch in self.stored for name in batch.custom_ids)
        return [name for name, count in names.items() if count > 1]

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        one = BATCHES_PATH + "/{id}"
        return [
            Route(BATCHES_PATH, self.submit, methods=["POST"]),
            Route(BATCHES_PATH, self.list, methods=["GET"]),
            Route(one, self.look_up, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/results", self.results, methods=["GET"]),
        ]

    async def submit(self, request: Request) -> Response:
        """`POST /batches`: store a batch; each request is checked later."""
        self._authorize(request)
        raw = await request.body()
        if len(raw) > MAX_BYTES:
            raise ApiError(413, f"The batch has more than {MAX_BYTES} bytes")
        body = parse_object(raw)
        if body is None:
            raise BadRequestError("The request body is not a JSON object")
        _check_envelope(body)
        _check_slug(text_at(body, "model"), self.plan.slugs)
        _check_requests(body)
        batch = StoredBatch(body)
        self.stored.append(batch)
        return _json(self._told(batch, "validating"), 202)

    async def list(self, request: Request) -> Response:
        """`GET /batches`: newest first, without results."""
        self._authorize(request)
        if not self.plan.has_list:
            raise ApiError(404, "Not Found", names_user=False)
        asked = request.query_params
        limit = _number(asked, "limit", _PAGE, least=1, most=_LARGEST_LIST)
        after, since = asked.get("after"), _seconds(asked.get("created_after"))
        batches = [each for each in reversed(self.stored) if each.created > since]
        if after:
            ids = [each.id for each in batches]
            if after not in ids:
                raise BadRequestError("after: no such batch")
            batches = batches[ids.index(after) + 1 :]
        batches = [each for each in batches if not each.is_deleted]
        page = batches[:limit]
        data: list[Json] = [self._told(each, self._look(each)) for each in page]
        ids_of_page: list[Json] = [each.id for each in page]
        has_more = len(batches) > limit
        ends: JsonObject = {
            "first_id": ids_of_page[0] if page else None,
            "last_id": ids_of_page[-1] if page else None,
        }
        return _json({"object": "list", "data": data, **ends, "has_more": has_more})

    async def look_up(self, request: Request) -> Response:
        """`GET /batches/{id}`: the batch, with its results once it is over."""
        batch = self._find(request)
        status = self._look(batch)
        told = self._told(batch, status)
        if status not in _ENDS:
            return _json(told)
        if (refusal := self._refusal(batch)) is not None:
            return _json({**told, **refusal.body()}, refusal.status)
        return _json({**told, "results": batch.results})

    async def results(self, request: Request) -> Response:
        """`GET /batches/{id}/results`: a page of results."""
        batch = self._find(request)
        if not self.plan.has_pages:
            raise ApiError(404, "Not Found", names_user=False)
        if self._status(batch) not in _ENDS:
            raise ApiError(409, f"Batch {batch.id} is not in a terminal status")
        if (refusal := self._refusal(batch)) is not None:
            raise refusal
        limit = _number(request.query_params, "limit", _PAGE, least=1, most=_LARGEST_PAGE)
        start = _number(request.query_params, "cursor", 0, least=0, most=MAX_REQUESTS)
        every = batch.results or []
        more = start + limit < len(every)
        following: Json = str(start + limit) if more else None
        page: JsonObject = {"object": "list", "data": every[start : start + limit]}
        return _json({**page, "has_more": more, "next_cursor": following})

    async def delete(self, request: Request) -> Response:
        """`DELETE /batches/{id}`: forget a batch that is over."""
        batch = self._find(request)
        if self._status(batch) not in _ENDS:
            raise ApiError(409, f"Batch {batch.id} is still in progress")
        batch.is_deleted = True
        upstream: JsonObject = {"provider": "OpenAI", "status": "deleted"}
        deletion: JsonObject = {"openrouter": "deleted", "upstream": upstream}
        return _json({"id": batch.id, "object": "batch", "deletion": deletion})

    # --- What becomes of a batch ---

    def _find(self, request: Request) -> StoredBatch:
        self._authorize(request)
        name = request.path_params["id"]
        for batch in self.stored:
            if batch.id == name and not batch.is_deleted:
                return batch
        raise ApiError(404, f"Batch {name} not found", names_user=False)

    def _refusal(self, batch: StoredBatch) -> ApiError | None:
        """Return why nobody can have the results, if that is so."""
        if self.plan.is_gone:
            return ApiError(410, f"The artifacts of batch {batch.id} have been deleted")
        if self.plan.is_unpaid:
            return ApiError(402, f"Batch {batch.id} is complete; add credits to get its results")
        return None

    def _status(self, batch: StoredBatch) -> str:
        if batch.looks < len(self.plan.statuses):
            return self.plan.statuses[batch.looks]
        return "failed" if batch.error is not None else self.plan.end

    def _look(self, batch: StoredBatch) -> str:
        """Return the status of a batch, and move it on."""
        status = self._status(batch)
        if status in _ENDS and batch.results is None:
            self._work(batch)
            status = self._status(batch)
        batch.looks += 1
        return status

    def _work(self, batch: StoredBatch) -> None:
        """Check every request, and answer as many as the plan says."""
        batch.results = []
        requests = objects_at(batch.body, "requests")
        batch.error = next(filter(None, (_problem(batch.body, each) for each in requests)), None)
        if batch.error is not None:
            return
        if self.plan.end == "failed":
            batch.error = "The provider refused the batch"
            return
        whole = self.plan.end == "completed"
        count = len(requests) if whole else int(len(requests) * self.plan.answered)
        # In an order of their own, which is the same in each run.
        for each in sorted(requests[:count], key=lambda each: text_at(each, "custom_id")[::-1]):
            batch.results.append(self._result(batch, each))

    def _result(self, batch: StoredBatch, request: JsonObject) -> JsonObject:
        named: JsonObject = {
            "id": f"batch_req_{secrets.token_hex(8)}",
            "custom_id": request["custom_id"],
        }
        planned = self.plan.outcome(object_at(request, "body"))
        if planned is not None:
            return {**named, **planned}
        body = self._answer(batch, object_at(request, "body"))
        identity = f"req_{secrets.token_hex(8)}"
        response: JsonObject = {"status_code": 200, "request_id": identity, "body": body}
        return {**named, "response": response, "error": None}

    def _answer(self, batch: StoredBatch, body: JsonObject) -> JsonObject:
        slug = text_at(batch.body, "model").removesuffix(_BATCH)
        chat = ChatRequest.from_body({**body, "model": f"{slug}{_BATCH}"})  # for its price
        said = complete(chat, answer(chat), cached_tokens=0, reasoning=reason(chat))
        completion = replace(said, slug=slug)
        batch.cost += completion.usage.cost
        told = completion_body(completion)
        usage = dict(object_at(told, "usage"))
        if not self.plan.tells_costs:
            del usage["cost"], usage["cost_details"]
        return {**told, "id": completion.id.replace("gen-", "gen-batch-"), "usage": usage}

    def _told(self, batch: StoredBatch, status: str) -> JsonObject:
        """Return the batch object."""
        body, is_over = batch.body, status in _ENDS
        error: Json = {"message": batch.error} if is_over and batch.error is not None else None
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": body["endpoint"],
            "model": body["model"],
            "provider": "OpenAI" if status != "validating" else None,
            "completion_window": "24h",
            "status": status,
            "created_at": batch.created,
            "expires_at": batch.created + 86_400,
            "finalized_at": int(time.time()) if is_over else None,
            "request_counts": _counts(batch, is_over=is_over),
            "usage": _usage(batch) if status == "completed" else None,
            "results": None,
            "error": error,
        }


def _counts(batch: StoredBatch, *, is_over: bool) -> JsonObject:
    results = [each for each in batch.results or [] if isinstance(each, dict) and is_over]
    failed = sum(each["error"] is not None for each in results)
    total = len(objects_at(batch.body, "requests"))
    return {"total": total, "completed": len(results) - failed, "failed": failed}


def _usage(batch: StoredBatch) -> JsonObject:
    """Return the usage of a whole batch."""
    sums: Counter[str] = Counter()
    for result in batch.results or []:
        assert isinstance(result, dict)  # noqa: S101 - made here
        usage = object_at(object_at(object_at(result, "response"), "body"), "usage")
        for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
            sums[name] += integer_at(usage, name) or 0
    counts: JsonObject = {
        name: sums[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    }
    return {**counts, "cost": float(batch.cost), "is_byok": False}


# --- What is refused ---


def _check_envelope(body: JsonObject) -> None:
    keys = [*body]
    late = [name for name in _FIRST if name in body and _is_behind(keys, name)]
    if late:
        raise BadRequestError(f"`requests` must come after {', '.join(late)}")
    if body.get("endpoint") not in _ENDPOINTS:
        raise BadRequestError("endpoint: Invalid input")
    if body.get("completion_window", "24h") != "24h":
        raise BadRequestError("completion_window: only 24h is supported")
    if "callback_url" in body and not text_at(body, "callback_url").startswith("https://"):
        raise BadRequestError("callback_url: must be an HTTPS URL")
    if object_at(body, "provider").keys() - _PROVIDER:
        raise BadRequestError("provider: only `only` and `allow_fallbacks` are supported")


def _is_behind(keys: list[str], name: str) -> bool:
    return "requests" in keys and keys.index("requests") < keys.index(name)


def _check_slug(slug: str, slugs: str) -> None:
    if ":online" in slug:
        raise ApiError(422, "Web search is not supported in batches")
    if find_model(slug) is None:
        raise ApiError(404, f"No endpoints found for {slug}.")
    is_batch = slug.endswith(_BATCH)
    if slugs == "none" or (is_batch and slugs == "base"):
        raise BadRequestError(f"{slug.removesuffix(_BATCH)} does not have a :batch endpoint")
    if slugs == "batch" and not is_batch:
        raise BadRequestError(f"Batches of {slug} are submitted as {slug}{_BATCH}")


def _check_requests(body: JsonObject) -> None:
    requests = list_at(body, "requests")
    if not requests:
        raise BadRequestError("requests: must have at least 1 item")
    if len(requests) > MAX_REQUESTS:
        raise BadRequestError(f"requests: at most {MAX_REQUESTS} items")
    names = Counter(text_at(each, "custom_id") for each in objects_at(body, "requests"))
    if "" in names or len(names) < len(requests):
        raise BadRequestError("requests: each has a custom_id of its own")


def _problem(batch: JsonObject, request: JsonObject) -> str | None:
    try:
        _check_request(batch, request)
    except ApiError as error:
        return f"Request {text_at(request, 'custom_id')}: {error.message}"
    return None


def _check_request(batch: JsonObject, request: JsonObject) -> None:
    body = object_at(request, "body")
    if body.get("model", batch["model"]) != batch["model"]:
        raise BadRequestError("model differs from the batch's")
    for name in ("stream", "models", "plugins", "provider"):
        if body.get(name):
            raise BadRequestError(f"{name} is not supported in batches")
    for message in objects_at(body, "messages"):
        for part in objects_at(message, "content"):
            if text_at(part, "type") not in _TEXT_PARTS:
                raise BadRequestError(f"{text_at(part, 'type')} is not supported in batches")
            if text_at(object_at(part, "file"), "file_data").startswith("data:"):
                raise BadRequestError("files in base64 are not supported in batches")
    rules.check({**body, "model": batch["model"]})


def _number(asked: Mapping[str, str], name: str, usual: int, *, least: int, most: int) -> int:
    text = asked.get(name, str(usual))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise BadRequestError(f"{name}: must be a whole number from {least} to {most}")
    return int(text)


def _seconds(moment: str | None) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp() if moment else 0.0


def _json(value: Json, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")
