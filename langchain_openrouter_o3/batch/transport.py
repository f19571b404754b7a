"""What stands in for the network while a chain runs for a batch.

A pass is one run of a chain for one row. A call whose answer is known gets it, through the flow of
`exchange`, so that mapping, parsers, stop sequences and errors are those of `ainvoke`. The request
of any other call is collected, and the chain stops there.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import BaseOutputParser
from langchain_core.prompts import BasePromptTemplate
from langchain_core.runnables import RunnableLambda

from langchain_openrouter_o3._arguments.fields import ModelFields
from langchain_openrouter_o3._arguments.parameters import read_call
from langchain_openrouter_o3._http.driver import RequestDeferred
from langchain_openrouter_o3._http.steps import (
    IOStep,
    Reply,
    Request,
    Send,
    StepResult,
    TransportFailure,
)
from langchain_openrouter_o3._json import decode_leniently, is_array, is_object, is_text
from langchain_openrouter_o3.batch import requests, responses
from langchain_openrouter_o3.batch.errors import (
    BatchExpiredError,
    BatchFailedError,
    BatchGoneError,
    BatchRequestError,
    BatchRoundsError,
)
from langchain_openrouter_o3.bulk.fingerprint import objects_of
from langchain_openrouter_o3.errors import OpenRouterError
from langchain_openrouter_o3.errors.failure import says_something
from langchain_openrouter_o3.errors.from_payload import error_from_payload

_HEADERS = {"content-type": "application/json"}
_TURNS = 50
"""How many turns of the loop branches get that run beside a call, to reach theirs. Who comes later
comes in another round."""

_MISSING = {
    "expired": (BatchExpiredError, "its batch expired before it was answered"),
    "cancelled": (BatchExpiredError, "its batch was cancelled before it was answered"),
    "failed": (BatchFailedError, "OpenRouter refused its batch"),
    "completed": (BatchFailedError, "its batch was completed without a result for it"),
    "gone": (BatchGoneError, "OpenRouter has deleted its batch, as it does after 30 days"),
    "lost": (BatchFailedError, "its batch cannot be found, and was given up"),
}


class Known(NamedTuple):
    """A call that an earlier pass has collected.

    Attributes:
        round: In which it was sent, from 1.
        digest: Of its request.
        frame: Of its request without the messages.
        outcome: JSON of its result, or of what is missing.
        cost: USD, if it tells its cost itself.
        share: USD: its part of the batch's cost; None if it tells its cost itself, or nobody does.
    """

    round: int
    digest: bytes
    frame: bytes
    outcome: bytes
    cost: str | None
    share: str | None


class Collected(NamedTuple):
    """A call that this pass has collected."""

    request: Request
    part: requests.Part
    digest: bytes
    frame: bytes


class RowTransport:
    """One run of a chain for one row; it is the substitute for the network in its context.

    Attributes:
        collected: The calls that have no answer yet.
        has_shares: Whether an answer got its share of a batch's cost.
    """

    def __init__(
        self,
        key: str,
        known: Sequence[Known] = (),
        *,
        has_branches: bool = True,
        is_last: bool = False,
    ) -> None:
        """Begin.

        Args:
            key: Of the row.
            known: Its calls in their order, all of them with an outcome.
            has_branches: Whether other calls may be made beside one.
            is_last: Whether a call without an answer is an error.
        """
        self.collected: list[Collected] = []
        self.has_shares = False
        self._key = key
        self._unused = [*known]
        self._has_branches = has_branches
        self._is_last = is_last
        self._lock = threading.Lock()

    def performer(self, request: Request) -> _Performer:
        """Return what performs one blocking call."""
        del request
        return _Performer(self)

    def async_performer(self, request: Request) -> _AsyncPerformer:
        """Return what performs one call on the running event loop."""
        del request
        return _AsyncPerformer(self)

    def answer(self, request: Request) -> tuple[StepResult, bytes]:
        """Return the head and the body of an answer, or a failure.

        Raises:
            RequestDeferred: There is none yet; the request was collected.
        """
        try:
            part = requests.part_of(request, self._key)
        except BatchRequestError as error:
            return TransportFailure(error, unsent=True), b""
        call = Collected(request, part, _digest(request.body), _digest(part.frame))
        with self._lock:
            known = self._find(call)
            if known is None and not self._is_last:
                self.collected.append(call)
                raise RequestDeferred
        if known is None:
            return TransportFailure(self._one_too_many(), unsent=True), b""
        self.has_shares = self.has_shares or known.share is not None
        return _outcome_of(known, self._key)

    async def let_others_collect(self) -> None:
        """Let branches that run side by side reach their calls in the same round."""
        before = -1 if self._has_branches else len(self.collected)
        while before != len(self.collected):
            before = len(self.collected)
            for _ in range(_TURNS):
                await asyncio.sleep(0)

    def _find(self, call: Collected) -> Known | None:
        same = next((each for each in self._unused if each.digest == call.digest), None)
        found = same or self._sent_in_its_place(call)
        if found is not None:
            self._unused.remove(found)
        return found

    def _sent_in_its_place(self, call: Collected) -> Known | None:
        """Find the request that an earlier pass has sent at this point of the chain.

        A step before the call may say something else each time, such as the hour. Only in a chain
        without branches can a call be told by its place.
        """
        first = next(iter(self._unused), None)
        is_same = first is not None and first.frame == call.frame
        return first if is_same and not self._has_branches else None

    def _one_too_many(self) -> BatchRoundsError:
        return BatchRoundsError(
            f"row {self._key!r}: the chain makes a call now that it did not make before. A step "
            "before it gives something else each time, or the chain may not go on: give "
            "submit_batch more rounds=, and steps that repeat themselves."
        )


class _Performer:
    """Performs the steps of a call with an answer that is there."""

    def __init__(self, row: RowTransport) -> None:
        self.row = row
        self._body = b""

    def perform(self, step: IOStep) -> StepResult:
        """Give the head of the answer, then its body, then its end.

        Raises:
            RequestDeferred: See `RowTransport.answer`.
        """
        if isinstance(step, Send):
            head, self._body = self.row.answer(step.request)
            return head
        piece, self._body = self._body, b""
        return piece

    def close(self) -> None:
        """Hold nothing."""


class _AsyncPerformer:
    """The same on the running event loop."""

    def __init__(self, row: RowTransport) -> None:
        self._performer = _Performer(row)

    async def perform(self, step: IOStep) -> StepResult:
        """See `_Performer`.

        Raises:
            RequestDeferred: See `RowTransport.answer`.
        """
        try:
            return self._performer.perform(step)
        except RequestDeferred:
            await self._performer.row.let_others_collect()
            raise

    async def close(self) -> None:
        """Hold nothing."""


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def missing(status: str, message: str | None) -> bytes:
    """Write the outcome of a request whose batch has no result for it."""
    return responses.write_json({"missing": status, "message": message})


def _outcome_of(known: Known, key: str) -> tuple[StepResult, bytes]:
    result: dict[str, Any] = decode_leniently(known.outcome)
    if "custom_id" not in result:  # see `missing`
        kind, what = _MISSING[result["missing"]]
        said = f": {result['message']}" if result["message"] else ""
        error = kind(f"row {key!r}: {what}{said}. resubmit() sends it again.")
        return TransportFailure(error, unsent=True), b""
    response = result.get("response")
    if not is_object(response):
        return TransportFailure(_error_of(result), unsent=True), b""
    body: Any = response.get("body")
    if known.share is not None:
        body["usage"] |= {"cost": float(known.share), "cost_is_share": True}
    elif known.cost is not None:  # it may be written as a text
        body["usage"]["cost"] = float(known.cost)
    return Reply(responses.status_of(response), _headers_of(body)), responses.write_json(body)


def _headers_of(body: Any) -> dict[str, str]:
    """Return the headers that the answer would have had."""
    name = body.get("id") if is_object(body) else None
    return {**_HEADERS, "x-generation-id": name} if is_text(name) else _HEADERS


def _error_of(result: dict[str, Any]) -> OpenRouterError:
    """Read the error of a request, in whatever shape it is told."""
    told = result.get("error")
    nothing = {"message": "a result without an answer"}
    return error_from_payload({"error": told if says_something(told) else nothing})


# --- Chains ---


def is_plain(chain: Any) -> bool:
    """Whether a chain certainly makes one call: prompts, one model, parsers, and nothing else."""
    steps: list[Any] = getattr(chain, "steps", [chain])
    models = [step for step in steps if _is_model(step)]
    rest = [step for step in steps if not _is_model(step)]
    return len(models) == 1 and all(
        isinstance(step, (BasePromptTemplate, BaseOutputParser)) for step in rest
    )


def _is_model(step: Any) -> bool:
    while not isinstance(step, BaseChatModel) and hasattr(step, "bound"):
        if hasattr(step, "max_attempt_number"):  # with_retry asks again after an error
            return False
        step = step.bound
    return isinstance(step, BaseChatModel)


def is_straight(chain: Any) -> bool:
    """Whether calls of a chain come one after the other: it consists of steps without branches."""
    steps: list[Any] = getattr(chain, "steps", [chain])
    return all(_is_model(step) or _is_simple(step) for step in steps)


def _is_simple(step: Any) -> bool:
    kinds: Any = RunnableLambda
    if isinstance(step, kinds):
        return not any(isinstance(each, ModelFields) for each in objects_of(step))
    return isinstance(step, (BasePromptTemplate, BaseOutputParser))


def find_model(chain: Any) -> tuple[Any, dict[str, Any]]:
    """Return the first model of this package in a chain, and the arguments that are bound to it.

    Returns:
        None and nothing if none is to be seen.
    """
    seen = objects_of(chain)
    model = next((each for each in seen if isinstance(each, ModelFields)), None)
    if model is None:
        return None, {}
    bound = [each.kwargs for each in seen if getattr(each, "bound", None) is model]
    return model, read_call(bound[0]) if bound else {}


def answers(call: Collected, known: list[Known]) -> bool:
    """Whether a call brings the results of tools that an earlier answer has called."""
    return any(name.encode() in call.part.body for each in known for name in _called(each))


def _called(known: Known) -> Iterator[str]:
    found: list[Any] = [decode_leniently(known.outcome)]
    for name in ("response", "body", "choices", "message", "tool_calls", "id"):
        found = [each for value in found for each in _values_at(value, name)]
    yield from (each for each in found if is_text(each) and each)


def _values_at(value: Any, name: str) -> list[Any]:
    """Return what stands under a name, as a list; nothing where there is none."""
    found = value.get(name) if is_object(value) else None
    return found if is_array(found) else [found]
