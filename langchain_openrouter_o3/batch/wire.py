"""The wire of OpenRouter's Batch API: limits, errors, requests, batch objects. Pure.

Sources: https://openrouter.ai/docs/batch-quickstart (read in autumn 2026) and the shapes that
OpenRouter's Python SDK 1.3.84 takes (November 2026). Where they differ, both are served here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, NamedTuple

from langchain_openrouter_o3._http.steps import Request
from langchain_openrouter_o3._json import decode, encode, is_array, is_object, is_text
from langchain_openrouter_o3.errors import (
    OpenRouterCreditsError,
    OpenRouterError,
    OpenRouterInputError,
    OpenRouterMalformedResponseError,
)
from langchain_openrouter_o3.errors.failure import read_failure, says_failure, says_something
from langchain_openrouter_o3.errors.redaction import redact

PATH = "/batches"
"""Below the base URL of chat completions. Until about September 2026 it was `/api/beta/batches`."""

ENDPOINT = "/v1/chat/completions"
WINDOW = "24h"  # the only one (SDK 1.3.84)
MAX_REQUESTS = 5_000  # a batch (documentation, autumn 2026)
MAX_BYTES = 200_000_000  # a batch, its envelope included (same; "200 MB", read as the smaller one)
PAGE_OF_BATCHES = 100  # the most that the list gives at once (same)
PAGE_OF_RESULTS = 500  # of at most 1,000 (same); answers may be long

SUFFIX = ":batch"
"""Of slugs in OpenRouter's price list. The documentation (autumn 2026) submits the slug without it;
others have needed it in August and September 2026. So the form without it goes first, and the other
one if a 400 speaks of it."""

TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})
"""Statuses that do not change any more (SDK 1.3.84). Unknown ones are waited on."""

NOT_STORED = frozenset({400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 429})
"""Answers to a submission that say that there is no batch. After all others there may be one:
OpenRouter's own SDK repeats a submission after 429 alone."""

_LARGEST = 10**15
"""No count, amount or time is larger; decimals are exact up to it, and SQLite holds it."""
_LAST_SECOND = 253_402_300_799  # of the year 9999, the last that `datetime` knows
_OK = 200
_NO = (False, "", "false", "False")  # 0 is False
_MAX_WORDS = 1_000  # characters of what a batch says of its failure

_ENVELOPE = 4_096  # bytes at most around the requests; a callback URL has at most 2,000
_MAX_CALLBACK = 2_000
_PROVIDER = frozenset({"only", "allow_fallbacks"})
_MEDIA = frozenset({"image_url", "input_image", "input_audio", "audio", "video_url", "input_video"})
_REFUSED = {
    "stream": "a batch is not streamed; leave out streaming=True",
    "models": "a batch has one model; leave out the fallback models",
    "plugins": "plugins need a live answer; leave them out",
    "web_search_options": "a batch does not search the web; leave it out",
    "route": "a batch has one model; leave it out",
}
_REFUSED_HEADERS = {
    "x-openrouter-cache": "response_cache",
    "x-openrouter-cache-clear": "response_cache_clear",
    "x-openrouter-metadata": "router_metadata",
}
_INSTEAD = "Run this row with bulk(), at the full price, if it needs that."
_CUSTOM_ID = re.compile(r"lc-([0-9a-f]{16})-([0-9]{1,15})-([0-9]{1,15})")


class BatchError(OpenRouterError):
    """Base of the errors of batches."""


class BatchRequestError(BatchError, OpenRouterInputError):
    """A batch cannot carry a request; the text names the row, the parameter and the remedy."""


class BatchPendingError(BatchError):
    """There are no results yet; `wait()` waits for them."""

    is_retryable = True


class BatchLostError(BatchError):
    """OpenRouter does not know a batch of the job, or cannot say whether it does.

    The answer to its submission was lost, or somebody has deleted it. Nothing is sent again by
    itself. The same `submit_batch` looks again, and sends what is not there; where that cannot be
    known, `resubmit(lost=True)` sends it again, and it may be paid twice.
    """


class BatchUnpaidError(BatchError, OpenRouterCreditsError):
    """The answers are there, and OpenRouter holds them back until the account has credits."""


class BatchFailedError(BatchError):
    """A batch was refused as a whole, or has ended without an answer to this request.

    `resubmit()` sends the request again.
    """


class BatchExpiredError(BatchFailedError):
    """The batch has ended (expired or cancelled) before this request was answered."""


class BatchGoneError(BatchFailedError):
    """OpenRouter has deleted the batch and its answers, as it does after 30 days."""


class BatchRoundsError(BatchError, OpenRouterInputError):
    """A chain makes another call than it may: an agent, or more rounds than are allowed."""


# --- Requests ---


class Part(NamedTuple):
    """A request as a batch carries it.

    Attributes:
        model: The slug, which the batch has.
        provider: JSON of the provider preferences, which the batch has; empty without any.
        body: JSON of all the rest.
        frame: JSON of what must not differ when a chain runs again: all but the messages.
    """

    model: str
    provider: str
    body: bytes
    frame: bytes


def part_of(request: Request, key: str) -> Part:
    """Read a request of a chain, and check that a batch can carry it.

    Args:
        request: As it would be sent.
        key: Of the row.

    Raises:
        BatchRequestError: A batch cannot carry it.
    """
    body: dict[str, Any] = decode(request.body)
    problem = _problem(body) or _problem_of_headers(request)
    if problem is not None:
        raise BatchRequestError(f"row {key!r}: {problem}. {_INSTEAD}")
    model = str(body.pop("model"))
    provider: dict[str, Any] = body.pop("provider", None) or {}
    written = encode(body)
    if len(written) > MAX_BYTES - _ENVELOPE:
        raise BatchRequestError(
            f"row {key!r}: its request has {len(written):,} bytes, and a batch takes "
            f"{MAX_BYTES:,}. Make the prompt shorter."
        )
    del body["messages"]
    route = encode(provider).decode() if provider else ""
    return Part(model, route, written, encode([model, route, body]))


def _problem(body: dict[str, Any]) -> str | None:
    """Say what of a body a batch cannot do, and what to do instead."""
    for name, remedy in _REFUSED.items():
        if body.get(name):
            return f"{name}: {remedy}"
    if ":online" in str(body["model"]):
        return f"model={body['model']!r}: a batch does not search the web; leave out :online"
    provider: dict[str, Any] = body.get("provider") or {}
    beyond = sorted(provider.keys() - _PROVIDER)
    if beyond:
        return f"provider: a batch takes only and allow_fallbacks; leave out {', '.join(beyond)}"
    for tool in body.get("tools", ()):
        if str(tool.get("type")).startswith("openrouter:"):
            return f"tools: {tool['type']} is a tool of the server, which a batch has not"
    return next(filter(None, map(_problem_of_message, body["messages"])), None)


def _problem_of_message(message: dict[str, Any]) -> str | None:
    content = message.get("content")
    for part in content if is_array(content) else ():
        kind = str(part.get("type"))
        file = part.get("file")
        is_inline = is_object(file) and str(file.get("file_data", "")).startswith("data:")
        if kind in _MEDIA or is_inline:
            what = "a file in base64" if is_inline else kind
            return f"messages: {what} cannot be in a batch, which takes texts; leave it out"
    return None


def _problem_of_headers(request: Request) -> str | None:
    for header, argument in _REFUSED_HEADERS.items():
        if request.headers.get(header) not in ("", "false"):
            return f"{argument}: a batch has one answer to its headers, not one for each request"
    return None


def check_callback(url: str | None) -> None:
    """Refuse what OpenRouter could not call.

    Raises:
        BatchRequestError: It is not a URL of HTTPS, or too long.
    """
    if url is not None and not (url.startswith("https://") and len(url) <= _MAX_CALLBACK):
        raise BatchRequestError(
            f"callback_url={url!r}: OpenRouter calls https:// URLs of at most {_MAX_CALLBACK:,} "
            "characters."
        )


# --- Ids ---


def custom_id(job: str, call: int, attempt: int) -> str:
    """Name a request so that its job can be told from its batch's results."""
    return f"lc-{job}-{call}-{attempt}"


def read_custom_id(job: str, name: Any) -> tuple[int, int] | None:
    """Return the call and the attempt of a job's request; None for somebody else's."""
    found = _CUSTOM_ID.fullmatch(name) if is_text(name) else None
    return (int(found[2]), int(found[3])) if found is not None and found[1] == job else None


# --- Submitting ---


def head_of(model: str, provider: str, callback_url: str | None) -> bytes:
    """Write the JSON of a submission up to its requests, which must come last."""
    named: dict[str, Any] = {"endpoint": ENDPOINT, "model": model, "completion_window": WINDOW}
    if callback_url is not None:
        named["callback_url"] = callback_url
    if provider:
        named["provider"] = decode(provider)
    return encode(named)[:-1] + b',"requests":['


TAIL = b"]}"


def request_line(name: str, body: bytes) -> bytes:
    """Write one request of a submission."""
    return b'{"custom_id":"%s","body":%s}' % (name.encode(), body)


def size_of(name: str, body_size: int) -> int:
    """Return how many bytes a request takes in a submission, with the comma before it."""
    return len(request_line(name, b"")) + body_size + 1


def in_pieces(head: bytes, lines: Iterable[bytes], size: int = 65_536) -> Iterator[bytes]:
    """Join a submission to pieces that a socket likes."""
    piece = bytearray(head)
    for number, line in enumerate(lines):
        if number:
            piece += b","
        piece += line
        if len(piece) >= size:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + TAIL)


def has_room(requests: int, size: int, more: int, limit: int) -> bool:
    """Whether a batch of so many requests and bytes takes one more of so many bytes."""
    return requests < limit and size + more <= MAX_BYTES - _ENVELOPE


def other_form(model: str) -> str:
    """Return a slug in the other of its two forms: with the suffix, or without."""
    return model.removesuffix(SUFFIX) if model.endswith(SUFFIX) else f"{model}{SUFFIX}"


def asks_for_other_form(status: int, payload: Any) -> bool:
    """Whether a refusal speaks of the suffix; what it says may be in any shape."""
    return status in (400, 404) and SUFFIX in encode(payload).decode()


# --- Values ---


def read_number(value: Any) -> Decimal | None:
    """Read a number from 0, also one that is written as a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number.is_finite() and 0 <= number <= _LARGEST else None


def read_count(value: Any) -> int | None:
    """Read a number of requests or tokens, which may be written as `12.0`; None if it is none."""
    number = read_number(value)
    return None if number is None or number % 1 else int(number)


def read_time(value: Any) -> float | None:
    """Read seconds since the epoch; None for what no calendar knows, such as milliseconds."""
    number = read_number(value)
    return None if number is None or number > _LAST_SECOND else float(number)


def read_text(value: Any) -> str | None:
    """Read a text that is not empty; half a surrogate pair in it cannot be written down."""
    if not is_text(value) or not value:
        return None
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _read_words(error: Any) -> str | None:
    """Read why a batch has failed, in whatever shape that is told; None if it has not."""
    if not says_something(error):
        return None
    return read_text(read_failure(redact({"error": error})).message[:_MAX_WORDS])


# --- Reading ---


class Remote(NamedTuple):
    """A batch as OpenRouter tells of it.

    Attributes:
        id: OpenRouter's.
        status: As told, in lower case; new ones may come. None if none is told.
        total: How many requests it has.
        completed: How many are answered.
        failed: How many have failed.
        created_at: Seconds since the epoch, if it is known.
        expires_at: Seconds since the epoch, if it is known.
        cost: USD, once it is completed.
        error: Why it has failed.
        results: All results, if they are told with it.
    """

    id: str
    status: str | None
    total: int
    completed: int
    failed: int
    created_at: float | None
    expires_at: float | None
    cost: Decimal | None
    error: str | None
    results: list[Any] | None

    @property
    def is_over(self) -> bool:
        """Whether it does not change any more."""
        return self.status in TERMINAL


def read_batch(payload: Any) -> Remote:
    """Read a batch object.

    Raises:
        OpenRouterMalformedResponseError: It is not one.
    """
    identity = read_text(payload.get("id")) if is_object(payload) else None
    if identity is None:
        raise _malformed("it is not a batch with an id")
    counts, usage = _object_at(payload, "request_counts"), _object_at(payload, "usage")
    results = payload.get("results")
    return Remote(
        id=identity,
        status=(read_text(payload.get("status")) or "").lower() or None,
        total=read_count(counts.get("total")) or 0,
        completed=read_count(counts.get("completed")) or 0,
        failed=read_count(counts.get("failed")) or 0,
        created_at=read_time(payload.get("created_at")),
        expires_at=read_time(payload.get("expires_at")),
        cost=read_number(usage.get("cost")),
        error=_read_words(payload.get("error")),
        results=results if is_array(results) else None,
    )


def _object_at(payload: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = payload.get(name)
    return found if is_object(found) else {}


def is_error(payload: Any) -> bool:
    """Whether a body is an error and nothing else, whatever its status says."""
    is_other = not is_object(payload) or "id" in payload or "data" in payload
    return not is_other and "code" in _object_at(payload, "error")


def all_results(remote: Remote) -> list[Any]:
    """Return the results that a batch which is over tells with it.

    Raises:
        OpenRouterMalformedResponseError: It is completed, and tells none.
    """
    if remote.results is None and remote.status == "completed":
        raise _malformed("a completed batch is without its results")
    return remote.results or []


def read_list(payload: Any, read: set[str]) -> tuple[list[Any], str | None]:
    """Read a page of batches or of results.

    Args:
        payload: The page.
        read: Where the pages before it have said that the next one begins; it is added to.

    Returns:
        What is on it, and where the next one begins; None on the last page.

    Raises:
        OpenRouterMalformedResponseError: It is not a page, or there is more and it does not say
            where: what was left out would count as not answered, and be paid again.
    """
    data = payload.get("data") if is_object(payload) else None
    if not is_array(data):
        raise _malformed("it is not a list")
    if not _has_more(payload):
        return data, None
    following = payload.get("next_cursor") or payload.get("last_id")
    if not is_text(following):
        raise _malformed("it has more, and does not say where")
    if following in read:
        raise _malformed("its pages begin anew, and would never end")
    read.add(following)
    return data, following


def _has_more(page: Mapping[str, Any]) -> bool:
    """Whether a page is not the last; where it does not say so, a cursor does."""
    said = page.get("has_more")
    return page.get("next_cursor") is not None if said is None else said not in _NO


def timestamp(seconds: float) -> str:
    """Write a time as the list takes it."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Usage(NamedTuple):
    """What a result tells of its price; None for what it does not, or in no form that is known.

    Attributes:
        cost: USD.
        input_tokens: Of the prompt.
        output_tokens: Of the answer.
    """

    cost: Decimal | None
    input_tokens: int | None
    output_tokens: int | None


def usage_of(result: Mapping[str, Any]) -> Usage:
    """Read the tokens and the cost that a result tells."""
    usage = _object_at(_object_at(_object_at(result, "response"), "body"), "usage")
    return Usage(
        read_number(usage.get("cost")),
        read_count(usage.get("prompt_tokens")),
        read_count(usage.get("completion_tokens")),
    )


def status_of(response: Mapping[str, Any]) -> int:
    """Read the status of a response; where none is told, its body says what it is."""
    return read_count(response.get("status_code")) or _OK


def is_answered(result: Mapping[str, Any]) -> bool:
    """Whether a result is an answer, and not an error, which a good status may carry, too."""
    response = _object_at(result, "response")
    body = _object_at(response, "body")
    is_good = status_of(response) in range(_OK, 300)
    return is_good and bool(body.get("choices")) and not says_failure(body, whole=True)


def write_json(value: Any) -> bytes:
    """Write what came, as JSON; it may hold half a surrogate pair, which has no UTF-8 form."""
    try:
        return encode(value)
    except ValueError:
        return json.dumps(value).encode()


def _malformed(what: str) -> OpenRouterMalformedResponseError:
    return OpenRouterMalformedResponseError(
        f"Malformed answer of the Batch API: {what}. Ask again; if it goes on, check base_url."
    )
