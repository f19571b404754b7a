"""The conversation that a test had with the emulator: as text, and what the test expects of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from langchain_openrouter_o3.emulator.json_value import compact
from langchain_openrouter_o3.emulator.wire import chat_request
from langchain_openrouter_o3.emulator.wire.request_log import ReceivedRequest

_MOST_CHARACTERS = 2_000
_INDENT = "\n      "


class ScriptError(AssertionError):
    """A script and the requests did not fit: the test has failed."""


def conversation(requests: Sequence[ReceivedRequest]) -> str:
    """Return the requests and their answers as text: of each request what is new in it."""
    lines: list[str] = []
    before: tuple[chat_request.Message, ...] = ()
    for number, request in enumerate(requests, start=1):
        told = f", tools: {', '.join(request.tools)}" if request.tools else ""
        kind = " (stream)" if request.is_stream else ""
        lines.append(f"request {number}{kind}: {request.model or request.path}{told}")
        common = _common(before, request.messages)
        new = [f"  {_message(each)}" for each in request.messages[common:]]
        lines += new or ["  (no new message)"]
        lines.append(f"  ← {_answer(request)}")
        before = request.messages
    return "\n".join(lines) if lines else "no request came"


def find_expected(
    requests: Sequence[ReceivedRequest],
    *,
    tools: Collection[str] | None,
    calls: Collection[str] | None,
    contains: str | None,
    parameters: Mapping[str, Any],
) -> ReceivedRequest:
    """Return the first request that meets all expectations.

    Raises:
        AssertionError: None does; the text tells what each lacks, and the conversation.
    """
    lacks: list[str] = []
    for number, request in enumerate(requests, start=1):
        missing = [
            *_wrong_names("tools", tools, {*request.tools}),
            *_wrong_names("calls", calls, _called(request)),
            *_wrong_parameters(parameters, {**(request.body or {}), "stream": request.is_stream}),
            *_missing_text(contains, request),
        ]
        if not missing:
            return request
        lacks.append(f"request {number}: {'; '.join(missing)}")
    told = "\n".join(lacks) or "there was no chat request"
    raise AssertionError(f"no request is as expected\n{told}\n\n{conversation(requests)}")


def _called(request: ReceivedRequest) -> set[str]:
    return {call.name for message in request.messages for call in message.tool_calls}


def _wrong_names(what: str, expected: Collection[str] | None, got: set[str]) -> list[str]:
    names = {expected} if isinstance(expected, str) else expected
    if names is None or {*names} == got:
        return []
    return [f"{what} are {_listed(got)}, not {_listed(names)}"]


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _wrong_parameters(parameters: Mapping[str, Any], body: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} is {body.get(name)!r}, not {value!r}"
        for name, value in parameters.items()
        if body.get(name) != value
    ]


def _missing_text(contains: str | None, request: ReceivedRequest) -> list[str]:
    texts = [message.text for message in request.messages]
    is_there = contains is None or any(contains in text for text in texts)
    return [] if is_there else [f"no message contains {contains!r}"]


def _answer(request: ReceivedRequest) -> str:
    fault = "" if request.fault is None else f" with {request.fault!r}"
    return _clipped((request.outcome or "no answer") + fault)


def _common(before: Sequence[chat_request.Message], after: Sequence[chat_request.Message]) -> int:
    """Return how many messages two conversations begin with in common."""
    pairs = zip(before, after, strict=False)
    return next(
        (i for i, (one, two) in enumerate(pairs) if one != two), min(len(before), len(after))
    )


def _message(message: chat_request.Message) -> str:
    calls = [f"{call.name}({call.arguments})" for call in message.tool_calls]
    origin = f" ({message.tool_call_id})" if message.tool_call_id else ""
    said = [_clipped(message.text)] if message.text else []
    return f"{message.role}{origin}: {'; '.join([*said, *calls])}"


def outcome_of(text: str | None, refusal: str | None, calls: Sequence[Any]) -> str:
    """Return in words what an answer says."""
    said = [] if text is None else [f"says {compact(text)}"]
    refused = [] if refusal is None else [f"refuses {compact(refusal)}"]
    called = [f"calls {call.name}({call.arguments}) as {call.id}" for call in calls]
    return "; ".join([*said, *refused, *called]) or "says nothing"


def _clipped(text: str) -> str:
    whole = text.replace("\n", _INDENT)
    if len(whole) <= _MOST_CHARACTERS:
        return whole
    return f"{whole[:_MOST_CHARACTERS]}… ({len(text):,} characters)"
