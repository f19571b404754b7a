"""Tool calls: assembling a stream's deltas, and refusing to run what is not complete.

The one rule of this module: a call is executable only if its name is known and its arguments
are a whole JSON object. langchain-core completes partial JSON when it sums chunks, also at the
end of a stream, so an incomplete call must be made unmistakable before the last chunk.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from langchain_core.messages import tool as core_tool
from langchain_core.utils.json import parse_partial_json

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._wire.values import parse_list, parse_mapping, parse_text

if TYPE_CHECKING:
    from langchain_core.messages import InvalidToolCall, ToolCall
    from langchain_core.messages.tool import ToolCallChunk

ARGUMENTS_KEY = "tool_call_arguments"
"""Key of `additional_kwargs`: the model's own argument strings by call id.

Sending the same bytes back keeps the prompt cache warm and alters nothing.
"""

CUSTOM_KEY = "custom_tool_calls"
"""Key of `additional_kwargs`: the ids of calls of OpenAI's custom tools, which take one text.

LangChain's tools of one text have an argument of this name, and so have these calls:
"""
TEXT_ARGUMENT = "__arg1"
_TEXT_BEGIN = f'{{"{TEXT_ARGUMENT}":"'
_TEXT_END = '"}'

# Whatever state a cut leaves the JSON in (inside a string or after a backslash, inside an array
# or an object), one of these closes it so wrongly that parse_partial_json gives up.
_SPOILERS = ("]", "}", '"]', '"}', '""]', '""}')


class _Call:
    def __init__(self, position: int, index: Any, *, custom: bool) -> None:
        self.position = position
        self.index = index
        self.custom = custom
        self.ended = not custom  # whether the text of a custom call is whole
        self.id = ""
        self.wire_id = ""
        self.name = ""
        # Joining at each delta is quadratic.
        self.pieces: list[str] = [_TEXT_BEGIN] if custom else []
        self.named = False  # whether id and name have been sent on

    @property
    def arguments(self) -> str:
        self.pieces = ["".join(self.pieces)]
        return self.pieces[0]

    def add(self, text: str) -> str:
        """Take the next piece and return what it adds to the arguments."""
        piece = json.dumps(text, ensure_ascii=False)[1:-1] if self.custom else text
        if piece:
            self.pieces.append(piece)
        return piece if self.named or not self.custom else f"{_TEXT_BEGIN}{piece}"

    def end(self) -> str:
        """Take the end of a custom call's text and return what it adds to the arguments."""
        if self.ended:
            return ""
        self.ended = True
        self.pieces.append(_TEXT_END)
        return _TEXT_END


class ToolCalls:
    """Assembles the tool calls of one answer from deltas or from a whole message."""

    def __init__(self) -> None:
        """Start without calls."""
        self._calls: list[_Call] = []

    def __bool__(self) -> bool:
        """Whether there is any call."""
        return bool(self._calls)

    def feed(self, value: Any, *, whole: bool = False) -> list[ToolCallChunk]:
        """Take the `tool_calls` of one delta and return the chunks that they are worth.

        Index, id and name come once per call in what is returned, however often and in
        whatever order the provider repeats them, and each call has one chunk at most.

        Args:
            value: The field as it came.
            whole: Whether each item is a call of its own, as in a whole body.
        """
        chunks: dict[int, ToolCallChunk] = {}
        for item in parse_list(value, "tool_calls"):
            delta = parse_mapping(item, "tool_calls[]")
            custom = _is_custom(delta)
            kind, content = ("custom", "input") if custom else ("function", "arguments")
            function = parse_mapping(delta.get(kind), f"tool_calls[].{kind}")
            identity = parse_text(delta.get("id"), "tool_calls[].id")
            name = parse_text(function.get("name"), f"tool_calls[].{kind}.name")
            call = None if whole else self._find(delta.get("index"), identity, name)
            call = call or self._begin(delta.get("index"), custom=custom)
            arguments = call.add(_arguments(function.get(content)))
            new_id = self._adopt_id(call, identity)
            new_name = name if name and not call.name else None
            call.name = call.name or name
            if arguments or new_id or new_name or not call.named:
                call.named = True
                _join(chunks, _chunk(call, arguments, new_id, new_name))
        return list(chunks.values())

    def close(self, seed: str, *, truncated: bool) -> list[ToolCallChunk]:
        """Return the last chunks: missing ids, and what makes incomplete calls unmistakable.

        Args:
            seed: Something unique to the answer, from which missing ids are derived.
            truncated: Whether the answer was cut, so that its last call may be.
        """
        chunks: list[ToolCallChunk] = []
        for call in self._calls:
            new_id = None if call.id else self._adopt_id(call, _synthetic_id(seed, call.position))
            cut = truncated and call is self._calls[-1]
            suffix = ("" if cut else call.end()) + self._suffix(call, truncated=truncated)
            if new_id or suffix:
                chunks.append(_chunk(call, suffix, new_id, None))
        return chunks

    def parsed(self, *, truncated: bool) -> tuple[list[ToolCall], list[InvalidToolCall]]:
        """Return the complete calls and the others; the others keep their raw arguments."""
        valid: list[ToolCall] = []
        invalid: list[InvalidToolCall] = []
        for call in self._calls:
            args = self._complete_args(call, truncated=truncated)
            identity = call.id or None
            if args is None:
                invalid.append(
                    core_tool.invalid_tool_call(
                        name=call.name or None, args=call.arguments, id=identity, error=None
                    )
                )
            else:
                valid.append(core_tool.tool_call(name=call.name, args=args, id=identity))
        return valid, invalid

    def raw_arguments(self) -> dict[str, str]:
        """Return the model's own argument strings by call id."""
        return {call.id: call.arguments for call in self._calls if call.id}

    def custom_ids(self) -> list[str]:
        """Return the ids of the calls of custom tools."""
        return [call.id for call in self._calls if call.custom and call.id]

    def _complete_args(self, call: _Call, *, truncated: bool) -> dict[str, Any] | None:
        cut = truncated and call is self._calls[-1]
        if not call.name or (call.custom and cut):  # nothing tells half a text from a whole one
            return None
        return parse_arguments(call.arguments, cut=cut)

    def _suffix(self, call: _Call, *, truncated: bool) -> str:
        if self._complete_args(call, truncated=truncated) is None:
            return spoil(call.arguments)
        # Core reads "" as {}, but not white space.
        return "{}" if call.arguments and not call.arguments.strip() else ""

    def _find(self, index: Any, identity: str, name: str) -> _Call | None:
        """Find the call that a delta belongs to.

        A new id on an occupied index is a new call: one provider sent fifteen of them.
        """
        latest: _Call | None = None
        for call in reversed(self._calls):
            if index is not None and call.index != index:
                continue
            if identity and call.wire_id == identity:
                return call
            latest = latest or call
        continues = latest is not None and (not identity or not latest.wire_id)
        if index is None and name and latest is not None and latest.name:
            continues = False  # without index and id, a name begins the next call
        return latest if continues else None

    def _begin(self, index: Any, *, custom: bool) -> _Call:
        call = _Call(len(self._calls), index, custom=custom)
        self._calls.append(call)
        return call

    def _adopt_id(self, call: _Call, identity: str) -> str | None:
        if not identity or call.id:
            return None
        call.wire_id = identity
        taken = {other.id for other in self._calls}
        call.id = identity
        repetition = 1
        while call.id in taken:  # agents pair results by id, so ids are made unique
            repetition += 1
            call.id = f"{identity}_{repetition}"
        return call.id


def parse_arguments(arguments: str, *, cut: bool = False) -> dict[str, Any] | None:
    """Parse a whole argument string.

    Args:
        arguments: The string; empty and white space mean no arguments.
        cut: Whether more was to come, so that an empty string is not an answer.

    Returns:
        The object, or None when it is incomplete or something else.
    """
    if not arguments.strip():
        return None if cut else {}
    try:
        # Not strict, like core: a raw line break inside a string leaves the object whole.
        value = json.loads(arguments, strict=False, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if is_object(value) else None


def custom_input(arguments: str) -> str:
    """Return the text of a custom call from its arguments, also where they break off."""
    for end in ("", _TEXT_END):
        value = parse_arguments(f"{arguments}{end}") or {}
        if isinstance(text := value.get(TEXT_ARGUMENT), str):
            return text
    return arguments


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON and could not be sent back")


def spoil(arguments: str) -> str:
    """Find the shortest end that keeps langchain-core from completing these arguments.

    Source: `langchain_core.utils.json.parse_partial_json`, which gives up at a closing bracket
    that closes nothing.
    """
    if not _completable(arguments):
        return ""
    return next(end for end in _SPOILERS if not _completable(arguments + end))


def _completable(arguments: str) -> bool:
    try:
        return not arguments or is_object(parse_partial_json(arguments))
    except (ValueError, RecursionError):
        return False


def _is_custom(delta: dict[str, Any]) -> bool:
    function, custom = delta.get("function"), delta.get("custom")
    return custom is not None or (delta.get("type") == "custom" and function is None)


def _arguments(value: Any) -> str:
    if isinstance(value, str):
        return value
    # Some providers send the object itself instead of its JSON.
    if is_object(value):
        return json.dumps(value, ensure_ascii=False)
    return parse_text(value, "tool_calls[].function.arguments")


def _chunk(call: _Call, arguments: str, identity: str | None, name: str | None) -> ToolCallChunk:
    return core_tool.tool_call_chunk(name=name, args=arguments, id=identity, index=call.position)


def _join(chunks: dict[int, ToolCallChunk], chunk: ToolCallChunk) -> None:
    """Add a chunk; core does not merge the deltas of one call inside one message chunk."""
    index = chunk["index"] or 0
    known = chunks.setdefault(index, chunk)
    if known is not chunk:
        known["args"] = f"{known['args'] or ''}{chunk['args'] or ''}"
        known["id"] = known["id"] or chunk["id"]
        known["name"] = known["name"] or chunk["name"]


def _synthetic_id(seed: str, position: int) -> str:
    digest = hashlib.sha256(f"{seed}/{position}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"call_{digest[:24]}"
