"""The flow of one request: send, retry, decode, deliver. It does no I/O itself.

`exchange` is a generator that yields what should happen next and is told what came of it, so
that one implementation serves the blocking and the asynchronous side; the drivers of `driver.py`
are all that differs. The same idea as `httpx.Auth.auth_flow`.
"""

from __future__ import annotations

import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from langchain_openrouter_o3._http.body import BodyDecoder, Framing
from langchain_openrouter_o3._http.gate import NO_GATE, THROTTLES, Gate, Permit
from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3._http.steps import (
    Deliver,
    Pause,
    Receive,
    Reply,
    Request,
    Send,
    Sleep,
    Step,
    StepResult,
    TransportFailure,
)
from langchain_openrouter_o3._http.time_limits import NO_LIMITS, Deadlines, TimeLimits
from langchain_openrouter_o3.errors import (
    OpenRouterError,
    OpenRouterMalformedResponseError,
    OpenRouterRateLimitError,
    OpenRouterTotalTimeoutError,
)
from langchain_openrouter_o3.errors.from_payload import error_from_payload
from langchain_openrouter_o3.errors.redaction import without_frames
from langchain_openrouter_o3.errors.remedies import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from langchain_openrouter_o3._http.steps import IOStep


T = TypeVar("T")

_REDIRECTS = (301, 302, 303, 307, 308)
MAX_ERROR_BODY = 1024 * 1024
DRAIN_SECONDS = 1.0
"""How long the end of a body may follow `[DONE]`, so that the connection can be used again."""


class Reader(Protocol[T]):
    """The mapping side: turns the JSON payloads of one answer into what the caller receives."""

    @property
    def closed(self) -> bool:
        """Whether nothing more is wanted, because a stop sequence was met."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether the server has said that the answer is whole."""
        ...

    def feed(self, payload: dict[str, Any], framing: Framing) -> list[T]:
        """Take a whole body ("json") or the next chunk of a stream ("events")."""
        ...

    def finish(self, *, done: bool) -> list[T]:
        """Take the regular end of the answer; `done` if the server said so by `[DONE]`."""
        ...

    def truncated_error(self, reason: str) -> OpenRouterError:
        """Build the error of an answer that broke off."""
        ...

    def with_context(self, error: OpenRouterError) -> OpenRouterError:
        """Add to an error what is known of the answer: partial message, generation id."""
        ...

    def note_attempts(self, attempts: int, seconds_waited: float) -> None:
        """Take how often the request was sent, if more than once, and the waits in between."""
        ...


class Sources(NamedTuple):
    """Where chance and time come from; tests substitute them.

    Attributes:
        jitter: Random numbers in [0, 1).
        clock: Seconds since the epoch.
        timer: A monotonic clock, in seconds.
    """

    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.time
    timer: Callable[[], float] = time.monotonic


REAL_SOURCES = Sources()


class _Progress:
    """How far a call has come.

    Attributes:
        attempts: Begun so far.
        seconds_waited: Between them.
        delivered: Whether the attempt under way has delivered anything.
        unsent: Whether its request certainly never left.
    """

    attempts = 0
    seconds_waited = 0.0
    delivered = False
    unsent = False
    allowed = NO_GATE

    def start_attempt(self) -> None:
        self.attempts += 1
        self.delivered = self.unsent = False

    def note_in(self, error: OpenRouterError) -> OpenRouterError:
        error.attempts = self.attempts
        error.seconds_waited = round(self.seconds_waited, 3)
        return error


def exchange(  # noqa: PLR0913 - everything that a call has of its own
    request: Request,
    policy: RetryPolicy,
    new_reader: Callable[[Reply], Reader[T]],
    sources: Sources,
    limits: TimeLimits = NO_LIMITS,
    *,
    gate: Gate | None = None,
) -> Generator[Step[T], StepResult, None]:
    """Carry a request to its answer, trying again while nothing has been delivered.

    Args:
        request: What to send.
        policy: When to try again.
        new_reader: Makes the reader of one attempt's answer.
        sources: Chance and time.
        limits: How long to wait for data, and for everything.
        gate: Says when a request may be sent; None without a gate.

    Yields:
        The steps that a driver carries out.

    Raises:
        OpenRouterError: The error of the last attempt.
    """
    deadlines = Deadlines(limits, sources.timer)
    progress = _Progress()
    before: OpenRouterError | None = None
    while True:
        progress.start_attempt()
        try:
            if gate is not None:
                progress.allowed = yield from _enter(gate, policy, progress.attempts, deadlines)
            yield from _attempt(request, new_reader, sources, deadlines, progress)
        except OpenRouterError as error:
            if error.status_code in THROTTLES:
                progress.allowed.throttle(error.retry_after)
            request.headers.conceal_in(without_frames(progress.note_in(error)))
            if isinstance(error, OpenRouterTotalTimeoutError):
                raise error from before or error.__cause__  # what the time went into
            wait = _wait(policy, progress, error, sources.jitter())
            if progress.delivered or wait is None:
                raise without_frames(error)  # noqa: B904 - the same error
            if late := deadlines.no_time_to_wait(wait, error):
                raise late from error
            before = error
            progress.seconds_waited += wait
            yield Sleep(wait, progress.attempts, error)
        else:
            return


def _wait(
    policy: RetryPolicy, progress: _Progress, error: OpenRouterError, jitter: float
) -> float | None:
    """Say how long to wait before another attempt; None to give up."""
    return policy.delay(
        progress.attempts,
        status=error.status_code,
        retry_after=error.retry_after,
        retryable=True if progress.unsent and error.retryable is None else error.retryable,
        jitter=jitter,
    )


def _enter(
    gate: Gate, policy: RetryPolicy, attempt: int, deadlines: Deadlines
) -> Generator[Step[T], StepResult, Permit]:
    """Wait until the gate lets a request go.

    Raises:
        OpenRouterRateLimitError: The server asked for a longer wait than the policy allows.
        OpenRouterTotalTimeoutError: The wait would take longer than what is left.
    """
    retries_left = policy.max_retries - attempt + 1
    answer = gate.enter(retries_left=retries_left)
    if isinstance(answer, Permit):
        return answer
    with gate.waiting(retries_left=retries_left):
        while not isinstance(answer, Permit):
            closed = OpenRouterRateLimitError(
                "The server asked to wait, and calls with the same key, model, models, provider, "
                f"service_tier and default_headers wait together; {answer:.3g} s are left, and "
                "nothing was sent.",
                status_code=429,
                retry_after=answer,
                retryable=True,
            )
            if answer > policy.max_retry_after:
                raise closed
            if late := deadlines.no_time_to_wait(answer, closed):
                raise late
            yield Pause(answer)
            answer = gate.enter(retries_left=retries_left)
    return answer


def _attempt(
    request: Request,
    new_reader: Callable[[Reply], Reader[T]],
    sources: Sources,
    deadlines: Deadlines,
    progress: _Progress,
) -> Generator[Step[T], StepResult, None]:
    deadlines.start_attempt()
    try:
        reply = yield from _ask(deadlines, partial(Send, request))
    finally:
        progress.allowed.leave()
    if isinstance(reply, TransportFailure):
        progress.unsent = reply.unsent
        raise reply.error
    assert isinstance(reply, Reply)  # noqa: S101 - the drivers' contract
    if not 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP's own numbers
        raise (yield from _read_error(request, reply, sources, deadlines))
    progress.allowed.accept()
    reader = new_reader(reply)
    if progress.attempts > 1:
        reader.note_attempts(progress.attempts, round(progress.seconds_waited, 3))
    try:
        yield from _read_answer(reader, BodyDecoder(request.url), sources, deadlines, progress)
    except OpenRouterError as error:
        raise reader.with_context(error) from error.__cause__


def _ask(
    deadlines: Deadlines, step: Callable[[float | None], IOStep]
) -> Generator[Step[T], StepResult, StepResult]:
    """Let a step be carried out within what is left of the time limits."""
    if deadlines.unlimited:
        return (yield step(None))
    limit = deadlines.start_waiting()
    if (deadlines.is_late or (limit is not None and limit <= 0)) and (
        error := deadlines.exceeded()
    ):
        return TransportFailure(error)
    answer = yield step(limit)
    deadlines.stop_waiting()
    if isinstance(answer, TransportFailure) and (error := deadlines.exceeded()):
        return TransportFailure(error)
    return answer


def _read_answer(
    reader: Reader[T],
    decoder: BodyDecoder,
    sources: Sources,
    deadlines: Deadlines,
    progress: _Progress,
) -> Generator[Step[T], StepResult, None]:
    """Read an answer up to its end: `[DONE]`, a stop sequence, or the end of the body."""
    while piece := (yield from _ask(deadlines, Receive)):
        if isinstance(piece, TransportFailure):
            _read_rest(reader, decoder)
            raise piece.error
        assert isinstance(piece, bytes)  # noqa: S101 - the drivers' contract
        held = 0 if deadlines.unlimited else decoder.held
        yield from _read_payloads(reader, decoder.feed(piece), decoder, deadlines, progress)
        if not deadlines.unlimited and _has_data(piece, decoder, held):
            deadlines.note_data()
        if decoder.done or reader.closed:
            yield from _deliver(reader.finish(done=decoder.done), progress)
            if not reader.closed:  # otherwise the driver hangs up, which ends the billing
                yield from _drain(sources)
            return
    try:
        yield from _read_payloads(reader, decoder.finish(), decoder, deadlines, progress)
    except EOFError:
        raise reader.truncated_error("in the middle of an event") from None
    yield from _deliver(reader.finish(done=decoder.done), progress)


def _read_rest(reader: Reader[T], decoder: BodyDecoder) -> None:
    """Read what had come before the connection broke, for the partial message of the error.

    Raises:
        OpenRouterError: What had come is an error, which tells more than a lost connection.
    """
    try:
        for payload in decoder.finish():
            reader.feed(payload, decoder.framing)
    except (OpenRouterMalformedResponseError, EOFError):
        return  # a part of a body, or of an event, tells nothing


def _read_payloads(
    reader: Reader[T],
    payloads: Iterable[dict[str, Any]],
    decoder: BodyDecoder,
    deadlines: Deadlines,
    progress: _Progress,
) -> Generator[Step[T], StepResult, None]:
    """Read what a piece completes and deliver it at once; what precedes a failure, too."""
    items: list[T] = []
    failure: OpenRouterError | EOFError | None = None
    try:
        for payload in payloads:
            deadlines.note_data()
            items += reader.feed(payload, decoder.framing)
            decoder.is_answer_whole = reader.is_whole
            if items and not progress.delivered:  # the first token waits for nothing behind it
                yield from _deliver(items, progress)
                items = []
            if reader.closed:
                break
    except (OpenRouterError, EOFError) as error:
        failure = error
    yield from _deliver(items, progress)
    if failure is not None:
        raise failure


def _drain(sources: Sources) -> Generator[Step[T], StepResult, None]:
    """Read on to the end of the body, without which a connection cannot be used again."""
    deadlines = Deadlines(TimeLimits(total=DRAIN_SECONDS), sources.timer)
    while piece := (yield from _ask(deadlines, Receive)):
        if isinstance(piece, TransportFailure):
            return  # the answer is complete; only the connection is lost


def _deliver(items: list[T], progress: _Progress) -> Generator[Step[T], StepResult, None]:
    if items:
        progress.delivered = True
        yield Deliver(items)


def _has_data(piece: bytes, decoder: BodyDecoder, held: int) -> bool:
    """Whether a piece brought more than comments and white space, after so many bytes of data."""
    return decoder.held > held if decoder.framing == "events" else not piece.isspace()


def _read_error(
    request: Request, reply: Reply, sources: Sources, deadlines: Deadlines
) -> Generator[Step[T], StepResult, OpenRouterError]:
    body = bytearray()
    while len(body) < MAX_ERROR_BODY and (piece := (yield from _ask(deadlines, Receive))):
        if not isinstance(piece, bytes):
            break  # the status alone is the message; how its body ended adds nothing
        if not piece.isspace():
            deadlines.note_data()
        body += piece[: MAX_ERROR_BODY - len(body)]  # one that was compressed may be huge
    if reply.status in _REDIRECTS:
        return OpenRouterMalformedResponseError(
            f"Unexpected redirect (HTTP {reply.status}): redirects are not followed, because "
            "they would carry the key to another host. Check base_url.",
            status_code=reply.status,
            retryable=False,
        )
    if reply.status < 400:  # noqa: PLR2004 - HTTP's own numbers
        return OpenRouterMalformedResponseError(
            f"HTTP {reply.status} is neither an answer nor an error. Check what stands between "
            "here and OpenRouter.",
            status_code=reply.status,
            retryable=False,
        )
    return error_from_payload(
        BodyDecoder.decode_error(bytes(body)),
        status=reply.status,
        headers=reply.headers,
        asked=Asked(request.url, request.model),
        now=sources.clock(),
    )
