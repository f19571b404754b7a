"""What came of an answer, in every mode of receiving it, and when two outcomes are the same."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    ToolMessage,
    message_chunk_to_message,
)

from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3._wire.messages import messages_to_wire
from langchain_openrouter_o3._wire.readers import ChunkReader, MessageReader
from langchain_openrouter_o3._wire.tool_calls import ARGUMENTS_KEY
from langchain_openrouter_o3.errors import (
    OpenRouterError,
    OpenRouterInputError,
    OpenRouterMalformedResponseError,
)
from tests.helpers.scripted import (
    AsyncScriptedPerformer,
    Response,
    add_up,
    aplay,
    read_chunks,
    read_message,
)
from tests.helpers.wire import split

T = TypeVar("T")
Outcome = AIMessage | OpenRouterError

_ONCE = RetryPolicy(max_retries=0)
_MAX_OPENED = 150
"""Comparing is recursive, so deeper data are read and not compared."""


def check_answer(
    whole: bytes, cuts: Sequence[int], stop: Sequence[str], headers: dict[str, str]
) -> None:
    """Read one answer in all modes and cuts: one outcome, and one that can be used further."""
    expected = _outcome(lambda: read_message(whole, stop=stop, headers=headers))
    _check_use(expected)
    if whole.count(b"[") + whole.count(b"{") > _MAX_OPENED:
        return
    wanted = comparable(expected)
    for pieces in ([whole], split(whole, *cuts)):
        for mode, outcome in _modes(pieces, stop, headers).items():
            found = comparable(outcome)
            assert found == wanted, f"{mode}, {len(pieces)} pieces:\n{found}\nnot\n{wanted}"


def comparable(outcome: Outcome) -> str:
    """Write an outcome down without what may depend on how it was received.

    That are two things. langchain-core repairs cut JSON when it sums chunks, so a stream ends the
    arguments of an incomplete call with a bracket too many. The text of a malformed answer quotes
    the bytes that had come. The result is text, because NaN is unlike itself and True equals 1.
    """
    return json.dumps(_facts(outcome), sort_keys=True)


def _facts(outcome: Outcome | None) -> Any:
    if outcome is None:
        return None
    if isinstance(outcome, OpenRouterError):
        facts = {key: value for key, value in vars(outcome).items() if key != "partial"}
        text = None if isinstance(outcome, OpenRouterMalformedResponseError) else str(outcome)
        return [type(outcome).__name__, text, facts, _facts(outcome.partial)]
    facts = {name: getattr(outcome, name) for name in type(outcome).model_fields}
    raw = outcome.additional_kwargs.get(ARGUMENTS_KEY, {})
    facts["invalid_tool_calls"] = [
        {**call, "args": _unspoiled(str(call["args"]), raw[str(call["id"])])}
        for call in outcome.invalid_tool_calls
    ]
    return facts


def _unspoiled(args: str, raw: str) -> str:
    assert args.startswith(raw)
    assert len(args) <= len(raw) + 3
    return raw


def _modes(
    pieces: Sequence[bytes], stop: Sequence[str], headers: dict[str, str]
) -> dict[str, Outcome]:
    """Receive an answer as a message and as chunks, blocking and asynchronously."""

    async def message() -> AIMessage:
        link = AsyncScriptedPerformer(Response(pieces, headers=headers))
        reading = aplay(lambda reply: MessageReader(reply.headers, stop), link, _ONCE)
        (received,) = [item async for item in reading]
        return received

    async def chunks() -> AIMessage:
        link = AsyncScriptedPerformer(Response(pieces, headers=headers))
        reading = aplay(lambda reply: ChunkReader(reply.headers, stop), link, _ONCE)
        received: list[Any] = [item.message async for item in reading]
        return _sum(received)

    return {
        "invoke": _outcome(lambda: read_message(*pieces, stop=stop, headers=headers)),
        "stream": _outcome(lambda: _sum(read_chunks(*pieces, stop=stop, headers=headers))),
        "ainvoke": _outcome(lambda: _finish(message())),
        "astream": _outcome(lambda: _finish(chunks())),
    }


def _outcome(read: Callable[[], AIMessage]) -> Outcome:
    try:
        return read()
    except OpenRouterError as error:
        return error


def _sum(chunks: Sequence[AIMessageChunk]) -> AIMessage:
    assert [chunk.chunk_position for chunk in chunks].index("last") == len(chunks) - 1
    message = message_chunk_to_message(add_up(chunks))
    assert isinstance(message, AIMessage)
    return message


def _finish(reading: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, as over a scripted link; a loop would cost a millisecond.

    Raises:
        AssertionError: It waits.
    """
    try:
        reading.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("the driver waits for something that no link has given it")


def _check_use(outcome: Outcome) -> None:
    """An error survives a pickle; a message goes back as history, or is refused by our error."""
    if isinstance(outcome, OpenRouterError):
        again = pickle.loads(pickle.dumps(outcome))
        assert (type(again), str(again)) == (type(outcome), str(outcome))
        return
    calls = [*outcome.tool_calls, *outcome.invalid_tool_calls]
    assert len({call["id"] for call in calls}) == len(calls)
    results = [ToolMessage("done", tool_call_id=str(call["id"])) for call in calls]
    try:
        sent = messages_to_wire([HumanMessage("Hello"), outcome, *results])[1]
    except OpenRouterInputError:
        return
    assert len(sent.get("tool_calls", ())) == len(calls)
