"""The faults of the soak test, and what the documentation says about each.

A row knows what goes over the wire and how the failure must look to a caller. What is tried again
is not written here: `promises` works it out from these facts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from langchain_openrouter_o3 import errors
from langchain_openrouter_o3.emulator import faults
from langchain_openrouter_o3.emulator.faults import Fault

Arrived = int | Literal["all", "half", "some"]
"""How much of an answer came before it failed: so many events with content; all; the first half
of the text, in the same JSON body as the error; or a part that depends on where bytes were cut."""

TRIED_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, *range(520, 525), 529)
REFUSED = (400, 401, 402, 403, 404, 413, 422, 501, 505)
_SHAPES: tuple[Literal["with-usage", "alone", "in-choice-and-top", "no-choices"], ...] = (
    "with-usage",
    "alone",
    "in-choice-and-top",
    "no-choices",
)
_BY_STATUS: dict[int, type[errors.OpenRouterError]] = {
    401: errors.OpenRouterAuthenticationError,
    402: errors.OpenRouterCreditsError,
    403: errors.OpenRouterPermissionError,
    404: errors.OpenRouterNotFoundError,
    408: errors.OpenRouterTimeoutError,
    429: errors.OpenRouterRateLimitError,
    504: errors.OpenRouterTimeoutError,
}
_MOMENT = 0.001
_LONG = 600.0
"""Seconds: longer than any caller stays."""


@dataclass(frozen=True)
class Failure:
    """How one attempt fails.

    Attributes:
        raises: The class of the error; `OpenRouterError` itself stands for any.
        status: The HTTP status, or the code of an error inside a 200 body.
        word: `availability.retryable`, if the server says it.
        wait: Seconds that the server asks to wait.
        arrived: What `partial` must hold.
    """

    raises: type[errors.OpenRouterError]
    status: int | None = None
    word: bool | None = None
    wait: float = 0.0
    arrived: Arrived = 0


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes:
        fault: What the emulator plays.
        stream: How it fails a request of a stream; None if the answer comes all the same.
        whole: The same for a request of one JSON body.
        endless: How it never ends: "comments" keep the connection busy, in "silence" nothing
            comes. Only callers that give up by themselves meet it.
        usage: Whether the answer of a stream that comes all the same has its usage.
    """

    fault: Fault
    stream: Failure | None = None
    whole: Failure | None = None
    endless: Literal["comments", "silence"] | None = None
    usage: bool = True


def _class_of(status: int) -> type[errors.OpenRouterError]:
    other = errors.OpenRouterInvalidRequestError if status < 500 else errors.OpenRouterAPIError
    return _BY_STATUS.get(status, other)


def _same(fault: Fault, failure: Failure) -> Kind:
    return Kind(fault, failure, failure)


def _with_status(code: int) -> Kind:
    fault = faults.status(code, retry_after_ms=1)
    return _same(fault, Failure(_class_of(code), status=code))


def _with_word(code: int, *, word: bool) -> Kind:
    body = {"error": {"message": "So", "code": code, "availability": {"retryable": word}}}
    fault = faults.status(code, body=json.dumps(body), retry_after_ms=1)
    return _same(fault, Failure(_class_of(code), status=code, word=word))


def _statuses() -> dict[str, Kind]:
    limited, busy = Failure(_class_of(429), status=429), Failure(_class_of(503), status=503)
    late = Failure(_class_of(429), status=429, wait=61)
    malformed = errors.OpenRouterMalformedResponseError
    moved = {"location": "http://127.0.0.1:9/"}
    return {
        **{f"status-{code}": _with_status(code) for code in (*TRIED_AGAIN, *REFUSED)},
        "status-307": _same(faults.status(307, headers=moved), Failure(malformed, status=307)),
        "retryable-400": _with_word(400, word=True),
        "hopeless-503": _with_word(503, word=False),
        "retry-after-seconds": _same(faults.status(503, retry_after=0.01), busy),
        "retry-after-date": _same(faults.status(429, retry_after_date=0), limited),
        "retry-after-nonsense": _same(faults.status(503, retry_after="soon"), busy),
        "retry-after-in-body": _same(faults.status(503, retry_after_body=_MOMENT), busy),
        "retry-after-61-s": _same(faults.status(429, retry_after=61), late),
        "retry-after-61-s-in-body": _same(faults.status(429, retry_after_body=61), late),
        "html-502": _same(faults.html(502), Failure(_class_of(502), status=502)),
        "html-200": _same(faults.html(200), Failure(malformed)),
        "empty-200": _same(faults.status(200, body=b""), Failure(malformed, word=True)),
    }


def _errors_inside() -> dict[str, Kind]:
    """Errors in a 200 body and in a stream; the code is what an HTTP status would be."""
    api, invalid = errors.OpenRouterAPIError, errors.OpenRouterInvalidRequestError
    first = Failure(api, status=502)
    refused = faults.error_in_body(400, error_type="invalid_request")
    in_choice = faults.error_in_body(502, where="choice", retry_after=_MOMENT)
    return {
        "error-in-body-502": _same(faults.error_in_body(502, retry_after=_MOMENT), first),
        "error-in-body-400": _same(refused, Failure(invalid, status=400)),
        "error-in-choice": _same(in_choice, Failure(api, status=502, arrived="half")),
        **{
            f"error-first-{shape}": _same(
                faults.error_in_stream(shape, events=0, retry_after=_MOMENT), first
            )
            for shape in _SHAPES
        },
        **{
            f"error-later-{shape}": Kind(
                faults.error_in_stream(shape, events=2, retry_after=_MOMENT),
                Failure(api, status=502, arrived=2),
                first,
            )
            for shape in _SHAPES
        },
    }


def _breaks() -> dict[str, Kind]:
    """Lost connections, and bodies that end too early as if nothing had happened."""
    lost, cut = errors.OpenRouterConnectionError, errors.OpenRouterStreamCutError
    malformed = Failure(errors.OpenRouterMalformedResponseError)
    kinds: dict[str, Kind] = {}
    for name, fault in (("reset", faults.reset), ("close", faults.close)):
        kinds |= {
            f"{name}-before-headers": _same(fault("before-headers"), Failure(lost)),
            f"{name}-after-headers": _same(fault("after-headers"), Failure(lost)),
            # A whole body is one event, so it had come when the connection was lost.
            f"{name}-after-events": Kind(
                fault("after-events", events=3),
                Failure(lost, arrived=3),
                Failure(lost, arrived="all"),
            ),
            f"{name}-mid-event": _broken(fault("mid-event", events=1), lost, 1),
            f"{name}-mid-character": _broken(fault("mid-character"), lost, "some"),
            f"{name}-before-finish": _broken(fault("before-finish"), lost, "all"),
            f"{name}-before-usage": _broken(fault("before-usage"), lost, "all"),
            f"{name}-before-done": _broken(fault("before-done"), lost, "all"),
        }
    return {
        **kinds,
        "end-after-headers": _same(
            faults.end("after-headers"),
            # Nothing came, so it is asked for again.
            Failure(errors.OpenRouterMalformedResponseError, word=True),
        ),
        # A whole body is one event, so it ends behind it.
        "end-after-events": Kind(
            faults.end("after-events", events=3), Failure(cut, arrived=3), None
        ),
        "end-mid-event": Kind(
            faults.end("mid-event", events=1), Failure(cut, arrived=1), malformed
        ),
        "end-mid-character": Kind(
            faults.end("mid-character"), Failure(cut, arrived="some"), malformed
        ),
        "end-before-finish": Kind(
            faults.end("before-finish"), Failure(cut, arrived="all"), malformed
        ),
        "end-before-usage": Kind(faults.end("before-usage"), None, malformed, usage=False),
        "end-before-done": Kind(faults.end("before-done"), None, malformed),
    }


def _broken(fault: Fault, raises: type[errors.OpenRouterError], arrived: Arrived) -> Kind:
    """A connection that is lost in the middle: nothing can be read of half a JSON body."""
    return Kind(fault, Failure(raises, arrived=arrived), Failure(raises))


def _odd_bodies() -> dict[str, Kind]:
    """Answers that are whole but look or come oddly; only damaged ones fail."""
    anyhow = errors.OpenRouterError
    damaged = Failure(anyhow, arrived="some")
    return {
        "gzip": Kind(faults.compress("gzip")),
        "deflate": Kind(faults.compress("deflate")),
        "raw-deflate": Kind(faults.compress("raw-deflate")),
        "gzip-cut": Kind(faults.compress("gzip", damage="cut"), damaged, Failure(anyhow)),
        "gzip-corrupt": Kind(faults.compress("gzip", damage="corrupt"), damaged, Failure(anyhow)),
        "paced-gzip": Kind(faults.together(faults.pace(_MOMENT), faults.compress("gzip"))),
        "called-html": Kind(faults.content_type("text/html")),
        "called-json": Kind(faults.content_type("application/json")),
        "huge-event": Kind(faults.huge_event(100_000, events=1)),
        "trickle": Kind(faults.trickle(5)),
        "pace": Kind(faults.pace(0.002)),
        "comments": Kind(faults.comments(0.005, count=3, at="after-events")),
        "stall-before-headers": Kind(faults.stall(0.05)),
        "stall-mid-event": Kind(faults.stall(0.05, at="mid-event")),
    }


def _endless() -> dict[str, Kind]:
    """Answers that never end. What had come when the caller gave up depends on the machine."""
    late = Failure(errors.OpenRouterTimeoutError, arrived="some")
    nothing = Failure(errors.OpenRouterTimeoutError)
    comments = faults.comments(0.01)
    comments_later = faults.comments(0.01, at="after-events", events=2)
    silence, silence_later = faults.stall(_LONG), faults.stall(_LONG, at="mid-event", events=2)
    return {
        "comments-for-ever": Kind(comments, nothing, nothing, endless="comments"),
        # A whole body is one event: it may have come when its comments were given up.
        "comments-for-ever-later": Kind(comments_later, late, late, endless="comments"),
        "silence-for-ever": Kind(silence, nothing, nothing, endless="silence"),
        "silence-for-ever-later": Kind(silence_later, late, nothing, endless="silence"),
    }


KINDS: dict[str, Kind] = {
    **_statuses(),
    **_errors_inside(),
    **_breaks(),
    **_odd_bodies(),
    **_endless(),
}
PASSING = tuple(name for name, kind in KINDS.items() if kind.endless is None)
"""The kinds that any caller may meet."""

REFUSING = "port-refuses"
"""The connection is reset and the port closed for a while."""
CLOSED = "port-closed"
"""The port is still closed; nothing of this arrives at the server."""
TLS = "tls-handshake"
"""The handshake fails; nothing of this arrives at the server."""
DOOR_KINDS = (REFUSING, CLOSED, TLS)
"""What only one caller meets, on a port of its own: it would disturb all others."""

CLOSED_SECONDS = 0.05
DOOR = Failure(errors.OpenRouterConnectionError)
