"""Tool calls: assembling a stream's deltas, and refusing to run what is not complete.

The one rule of this module: a call is executable only if its name is known and its arguments
are a whole JSON object. langchain-core completes partial JSON when it sums chunks, also at the
end of a stream, so an incomplete call must be made unmistakable before the last chunk.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.messages import tool as core_tool
from langchain_core.utils.json import parse_partial_json

from langchain_openrouter_o3._json import is_array, is_object, is_text
from langchain_openrouter_o3._wire.text import printable
from langchain_openrouter_o3._wire.tool_arguments import (
    ArgumentPieces,
    CustomInput,
    parse_arguments,
)

if TYPE_CHECKING:
    from langchain_core.messages import InvalidToolCall, ToolCall
    from langchain_core.messages.tool import ToolCallChunk

    from langchain_openrouter_o3._wire.parsing import LenientParser

ARGUMENTS_KEY = "tool_call_arguments"
"""Key of `additional_kwargs`: the model's own argument strings by call id.

Sending the same bytes back keeps the prompt cache warm and alters nothing.
"""

CUSTOM_KEY = "custom_tool_calls"
"""Key of `additional_kwargs`: the ids of calls of OpenAI's custom tools, which take one text."""

LEGACY_INDEX = "function_call"
"""Stands for the index of a call that came as `function_call`, OpenAI's older field for one."""

_FLAT = frozenset({"name", "arguments", "input"})
_ITEM = frozenset({"index", "id", "type", "function", "custom", "name"})

_BESIDE = frozenset(
    {
        *("annotations", "call_id", "description", "extra_content", "namespace", "object", "rank"),
        *("provider_specific_fields", "response_item_id", "signature", "status", "strict"),
        *("thought_signature", "thoughtSignature", "title"),
    }
)
"""Keys of other servers that hold no arguments."""

# Whatever state a cut leaves the JSON in (inside a string or after a backslash, inside an array
# or an object), one of these closes it so wrongly that parse_partial_json gives up.
_UNPARSEABLE_ENDS = ("]", "}", '"]', '"}', '""]', '""}')


class _Call:
    def __init__(self, position: int, index: Any, *, custom: bool) -> None:
        self.position = position
        self.index = index
        self.custom = custom
        self.id = ""
        self.wire_id = ""
        self.name = ""
        self.arguments = CustomInput() if custom else ArgumentPieces()
        self.is_readable = True
        """Whether all of it had the right types."""
        self.has_extras = False
        """Whether something came under keys that are not known, and may hold its arguments."""
        self.is_named = False
        """Whether id and name have been sent on."""


class ToolCalls:
    """Assembles the tool calls of one answer from deltas or from a whole message."""

    def __init__(self, parser: LenientParser) -> None:
        """Start without calls; `parser` keeps what is not a call."""
        self._parser = parser
        self._calls: list[_Call] = []
        # The latest call by index; the call by index and id, and by id alone. Looking through all
        # calls at each delta is quadratic.
        self._latest: dict[Any, _Call] = {}
        self._by_id: dict[tuple[Any, str], _Call] = {}
        self._repetitions: dict[str, int] = {}  # of ids
        self._is_streamed = False
        self._has_fragment = False
        """Whether something came that belongs to no named call, and may hold arguments of one."""

    def __bool__(self) -> bool:
        """Whether there is any call."""
        return bool(self._calls)

    @property
    def lack_arguments(self) -> bool:
        """Whether there are calls, and no arguments for any of them."""
        return bool(self._calls) and not any(each.arguments.text for each in self._calls)

    def note_unplaced(self) -> None:
        """Let no call without arguments run: what came may hold them."""
        self._has_fragment = True

    @property
    def has_modern(self) -> bool:
        """Whether calls came in `tool_calls`, not in the older `function_call`."""
        return bool(self._calls) and self._calls[0].index != LEGACY_INDEX

    def feed(self, value: Any, *, whole: bool = False) -> list[ToolCallChunk]:
        """Take the `tool_calls` of one delta and return the chunks that they are worth.

        Index, id and name come once per call in what is returned, however often and in
        whatever order the provider repeats them, and each call has one chunk at most.

        Args:
            value: The field as it came.
            whole: Whether each item is a call of its own, as in a whole body.
        """
        # One call alone, which some servers do not put into a list, is read as one.
        items = [value] if is_object(value) and value else value
        if items and not is_array(items):
            self.note_unplaced()
        chunks: dict[int, ToolCallChunk] = {}
        self._is_streamed = self._is_streamed or not whole
        items = self._parser.items(items, "tool_calls")
        for item in _without_repeated(items) if whole else items:
            call = None if whole else self._continued(item)
            if call is None:
                chunk = self._feed_item(item, whole=whole)
            else:
                arguments = call.arguments.feed(item["function"]["arguments"])
                chunk = _chunk(call, arguments, None, None) if arguments else None
            if chunk is not None:
                _join(chunks, chunk)
        return list(chunks.values())

    def _continued(self, item: Any) -> _Call | None:
        """Return the call of a delta that brings nothing but arguments, as nearly all do.

        They take this short way to what `_feed_item` does, too: it is the hot path.
        """
        if not is_object(item) or item.get("id") not in ("", None):
            return None
        if type(item.get("index")) is not int or not item.keys() <= _ITEM:
            return None
        function: Any = item.get("function")
        if not is_object(function) or len(function) != 1:
            return None
        return self._latest.get(item["index"]) if is_text(function.get("arguments")) else None

    def _feed_item(self, item: Any, *, whole: bool) -> ToolCallChunk | None:
        """Take one delta, or one whole call; what has a wrong type makes the call invalid."""
        piece = _read_piece(item)
        if not piece.is_readable:
            self._parser.keep("tool_calls", item)
        elif piece.extras:
            self._parser.keep("tool_calls", {"index": piece.index, **piece.extras})
        call = None if whole or not is_object(item) else self._find(piece)
        call = call or self._begin(piece)
        other_name = bool(piece.name and call.name) and piece.name != call.name
        if other_name:  # the rest of a name, or another call: nobody knows which tool was meant
            self._parser.keep("tool_calls", item)
        call.is_readable = call.is_readable and piece.is_readable and not other_name
        call.has_extras = call.has_extras or not piece.extras.keys() <= _BESIDE
        arguments = call.arguments.feed(piece.content)
        new_id = self._adopt_id(call, piece)
        new_name = piece.name if piece.name and not call.name else None
        call.name = call.name or piece.name
        if not (arguments or new_id or new_name) and call.is_named:
            return None
        call.is_named = True
        return _chunk(call, arguments, new_id, new_name)

    def distrust(self) -> None:
        """Make no call executable: they may be those of alternatives."""
        for call in self._calls:
            call.is_readable = False

    def close(self, seed: str, *, truncated: bool) -> list[ToolCallChunk]:
        """Return the last chunks: missing ids, and what makes incomplete calls unmistakable.

        Args:
            seed: Something unique to the answer, from which missing ids are derived.
            truncated: Whether the answer was cut, so that its last call may be.
        """
        self._has_fragment = self._has_fragment or (
            self._is_streamed
            and any(
                not call.name and (call.arguments.text.strip() or not call.is_readable)
                for call in self._calls
            )
        )
        chunks: list[ToolCallChunk] = []
        for call in self._calls:
            synthetic = None if call.id else _synthetic_id(seed, call.position)
            if synthetic:
                call.id = self._unique(synthetic)
            is_cut = call.custom and self._is_cut(call, truncated=truncated)
            suffix = "" if is_cut else call.arguments.close()
            suffix += self._suffix(call, truncated=truncated)
            if synthetic or suffix:
                chunks.append(_chunk(call, suffix, call.id if synthetic else None, None))
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
                        name=call.name or None, args=call.arguments.text, id=identity, error=None
                    )
                )
            else:
                valid.append(core_tool.tool_call(name=call.name, args=args, id=identity))
        return valid, invalid

    def raw_arguments(self) -> dict[str, str]:
        """Return the model's own argument strings by call id."""
        return {call.id: call.arguments.text for call in self._calls if call.id}

    def custom_ids(self) -> list[str]:
        """Return the ids of the calls of custom tools."""
        return [call.id for call in self._calls if call.custom and call.id]

    def _is_cut(self, call: _Call, *, truncated: bool) -> bool:
        return truncated and call is self._calls[-1]

    def _complete_args(self, call: _Call, *, truncated: bool) -> dict[str, Any] | None:
        is_cut = self._is_cut(call, truncated=truncated)
        if not (call.name and call.is_readable) or (call.custom and is_cut):
            return None  # of a custom call nothing tells half a text from a whole one
        arguments = call.arguments.text
        # A fragment without a name holds arguments of some call, perhaps of one without any.
        is_doubtful = is_cut or self._has_fragment or call.has_extras
        return parse_arguments(arguments, cut=is_doubtful)

    def _suffix(self, call: _Call, *, truncated: bool) -> str:
        arguments = call.arguments.text
        if self._complete_args(call, truncated=truncated) is None:
            return make_unparseable(arguments)
        # Core reads "" as {}, but not white space.
        return "{}" if arguments and not arguments.strip() else ""

    def _find(self, piece: _Piece) -> _Call | None:
        """Find the call that a delta belongs to; None if it begins one.

        A new id with a name on an occupied index is a new call: one provider sent fifteen of them.
        Without a name it can only go on with the call that is there.
        """
        index, identity = piece.index, piece.id
        if identity and (known := self._by_id.get((index, identity))):
            return known
        latest = self._latest.get(index)
        if latest is None:
            return None
        goes_on = not identity or not latest.wire_id
        if index is None:
            # Without index and id, a name begins the next call.
            return latest if goes_on and not (piece.name and latest.name) else None
        return latest if goes_on or not piece.name else None

    def _begin(self, piece: _Piece) -> _Call:
        call = _Call(len(self._calls), piece.index, custom=piece.is_custom)
        self._calls.append(call)
        self._latest[piece.index] = self._latest[None] = call
        return call

    def _adopt_id(self, call: _Call, piece: _Piece) -> str | None:
        identity = piece.id
        if not identity:
            return None
        if not call.wire_id:
            call.wire_id = identity
            self._by_id[call.index, identity] = self._by_id[None, identity] = call
        if call.id:
            return None
        call.id = self._unique(identity)
        return call.id

    def _unique(self, identity: str) -> str:
        """Make an id unique: agents pair results by id."""
        unique = identity
        while unique in self._repetitions:
            self._repetitions[identity] += 1
            unique = f"{identity}_{self._repetitions[identity]}"
        self._repetitions[unique] = 1
        return unique


class _Piece(NamedTuple):
    """One item of `tool_calls`: a delta, or a whole call."""

    index: Any
    id: str
    name: str
    content: str
    is_custom: bool
    is_readable: bool
    extras: dict[str, Any]
    """What stands under keys that are not known, of the item and of its function."""


def _read_piece(item: Any) -> _Piece:
    """Read an item; what has a wrong type is left out, and said."""
    if not is_object(item):
        return _Piece(None, "", "", _written(item), False, False, {})  # noqa: FBT003 - by name it is slower
    custom = _is_custom(item)
    kind, content = ("custom", "input") if custom else ("function", "arguments")
    function = item.get(kind)
    if function is None and item.keys() & _FLAT:  # some servers leave the object out
        function = item
    named: dict[str, Any] = function if is_object(function) else {}
    is_strange = bool(item) and (_ITEM | _FLAT).isdisjoint(item)
    known = _ITEM | {content} if function is item else _ITEM
    extras = {**_unknown(item, known), **_unknown(named, _ITEM | {content})}
    index, text = item.get("index"), _arguments(named.get(content))
    identity, name = _name(item.get("id")), _name(named.get("name"))
    return _Piece(
        index if isinstance(index, (int, float, str)) else None,
        identity or "",
        name or "",
        _written(named[content]) if text is None else text,
        custom,
        None not in (identity, name, text)
        and (function is None or is_object(function))
        and not is_strange,
        extras,
    )


def _unknown(fields: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value and key not in known}


def _name(value: Any) -> str | None:
    """Read an id or a name; null is an empty one, None one of a wrong type."""
    if isinstance(value, str):
        return printable(value)
    return "" if value is None else None


def make_unparseable(arguments: str) -> str:
    """Find the shortest end that keeps langchain-core from reading these arguments.

    Sources: `langchain_core.utils.json.parse_partial_json`, which gives up at a closing bracket
    that closes nothing; and `langchain_core.language_models._compat_bridge`, which takes any JSON
    for the arguments of a call, and then fails at what is no object.
    """
    if not _is_read_by_core(arguments):
        return ""
    return next(end for end in _UNPARSEABLE_ENDS if not _is_read_by_core(arguments + end))


def _is_read_by_core(arguments: str) -> bool:
    return not arguments or _is_json(arguments) or _is_completed_to_object(arguments)


def _is_json(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True


def _is_completed_to_object(arguments: str) -> bool:
    try:
        return is_object(parse_partial_json(arguments))
    except (ValueError, RecursionError):
        return False


def _is_custom(delta: dict[str, Any]) -> bool:
    function, custom = delta.get("function"), delta.get("custom")
    return custom is not None or (delta.get("type") == "custom" and function is None)


def _arguments(value: Any) -> str | None:
    """Read the arguments: a text, its parts, or the object itself; None if it is something else."""
    if value is None or isinstance(value, str):
        return value or ""
    if is_object(value):
        return _written(value)
    if not is_array(value):
        return None
    texts = [part.get("text") if is_object(part) else None for part in value]
    return "".join(map(str, texts)) if all(isinstance(text, str) for text in texts) else None


def _written(value: Any) -> str:
    return printable(json.dumps(value, ensure_ascii=False))


def _chunk(call: _Call, arguments: str, identity: str | None, name: str | None) -> ToolCallChunk:
    return core_tool.tool_call_chunk(name=name, args=arguments, id=identity, index=call.position)


def _without_repeated(items: list[Any]) -> list[Any]:
    """Leave out whole calls that repeat an earlier one, id and all: each was made once."""
    first: dict[Any, Any] = {}
    for position, item in enumerate(items):
        # By what is written: to Python, 1 and True are equal.
        written = repr(item) if is_object(item) and item.get("id") else position
        first.setdefault(written, item)
    return list(first.values())


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
