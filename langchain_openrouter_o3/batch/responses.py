"""What comes from OpenRouter's Batch API: batches, lists of them, results. Pure.

Sources: https://openrouter.ai/docs/batch-quickstart (read in autumn 2026) and the shapes that
OpenRouter's Python SDK 1.3.84 takes (November 2026). Where they differ, both are served here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from langchain_openrouter_o3._json import encode, is_array, is_object, is_text
from langchain_openrouter_o3.errors import OpenRouterMalformedResponseError
from langchain_openrouter_o3.errors.failure import read_failure, says_failure, says_something
from langchain_openrouter_o3.errors.redaction import redact

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


# --- Batches ---


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


# --- Results ---


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


def _malformed(what: str) -> OpenRouterMalformedResponseError:
    return OpenRouterMalformedResponseError(
        f"Malformed answer of the Batch API: {what}. Ask again; if it goes on, check base_url."
    )
