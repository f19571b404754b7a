"""Structured output of a stream: the object whenever it has grown, and the whole one at the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.runnables.utils import AddableDict
from pydantic_core import from_json

from langchain_openrouter_o3._json import encode, is_object
from langchain_openrouter_o3._wire.output_schema import OutputSchema
from langchain_openrouter_o3.errors import OpenRouterOutputError

_READINGS = 64
"""How often each character may be read: every reading of a growing text starts at its front."""

_LONG = 2_000
"""Characters; in a longer text an instance is looked for only where a part of it has ended."""

_NUMBER_CHARACTERS = "0123456789+-.eE"
OPENING_FENCE = re.compile(r"\s*(```+|~~~+)(?![`~])[ \t]*[\w+./-]*\s*")
_QUOTE_OR_ESCAPE = re.compile(r'"|\\.?', re.DOTALL)


class Outcome(AddableDict):
    """A piece of `raw`, `parsed` and `parsing_error`; in a sum the last object counts."""

    def __add__(self, other: AddableDict) -> Outcome:
        """Add the messages up and take the rest from the later piece."""
        total = Outcome({**self, **other})
        if "raw" in self and "raw" in other:
            total["raw"] = self["raw"] + other["raw"]
        return total


class PartialObjectStream:
    """Reads one stream and shows its object whenever that has grown.

    The chunks are added up once, at the end: a sum after each one would copy all before it.
    """

    def __init__(
        self,
        output_schema: OutputSchema,
        parse: Callable[[BaseMessage], Any],
        *,
        call: str | None,
        include_raw: bool,
    ) -> None:
        """Prepare for the first chunk.

        Args:
            output_schema: What to make.
            parse: Makes the final object of the whole message.
            call: The name of the tool call that holds the object; None if the text does.
            include_raw: Whether the raw message is wanted besides.
        """
        self._output_schema = output_schema
        self._parse = parse
        self._call = call
        self._include_raw = include_raw
        self._chunks: list[BaseMessage] = []
        self._json = _PartialJSON(every_state=output_schema.is_dictionary)
        self._index: int | str | None = None  # of the tool call that holds the object
        self._shown: Any = None

    def feed(self, chunk: str | BaseMessage) -> Iterator[Any]:
        """Take a chunk and give the object if it has grown, with its raw message if wanted."""
        message = AIMessageChunk(content=chunk) if isinstance(chunk, str) else chunk
        self._chunks.append(message)
        if self._include_raw:
            yield Outcome(raw=message)
        added = str(message.text) if self._call is None else self._called(message)
        value = self._json.feed(added) if added else None
        if value is not None:
            grown = self._output_schema.make_partial(value)
            if self._include_raw or not _adds_up(grown):
                yield from self._show(grown)

    def finish(self) -> Iterator[Any]:
        """Take the end of the stream and give the final object, or its error.

        Raises:
            OpenRouterOutputError: As `StructuredOutputParser.parse_message`, unless the raw
                message is wanted besides.
        """
        if not self._chunks:
            return
        first, *others = self._chunks
        total: Any = first + others if others else first
        if not self._include_raw:
            yield from self._show_last(self._parse(total))
            return
        try:
            yield from self._show_last(self._parse(total))
        except OpenRouterOutputError as error:
            yield Outcome(parsed=None, parsing_error=error)
        else:
            yield Outcome(parsing_error=None)

    def _called(self, message: BaseMessage) -> str:
        """Return what a chunk adds to the arguments of the first call of the wanted name."""
        added = ""
        for call in message.tool_call_chunks if isinstance(message, AIMessageChunk) else ():
            if self._index is None and call["name"] == self._call:
                self._index = call["index"]
            if self._index is not None and call["index"] == self._index:
                added += call["args"] or ""
        return added

    def _show(self, value: Any) -> Iterator[Any]:
        if value is not None and not _is_same(value, self._shown):
            self._shown = value
            yield Outcome(parsed=value) if self._include_raw else value

    def _show_last(self, value: Any) -> Iterator[Any]:
        # Only now a TypedDict's values have their types: 1 may have become True or Decimal(1).
        if not _is_same(value, self._shown, seen_as=repr):
            self._shown = None
        yield from self._show(value)


class _PartialJSON:
    """JSON text that is still growing."""

    def __init__(self, *, every_state: bool) -> None:
        self._every_state = every_state
        self._pieces: list[str] = []
        self._length = 0
        self._characters_read = 0
        self._read: Any = None
        self._is_in_string = False
        self._is_escaped = False  # the text ends with a backslash

    def feed(self, piece: str) -> dict[str, Any] | None:
        """Take a piece of text and return the object so far, if it is worth a look."""
        self._pieces.append(piece)
        self._length += len(piece)
        self._follow_strings(piece)
        if not self._is_worth_reading(piece):
            return None
        self._characters_read += self._length
        value = self._parse()
        if not is_object(value) or value == self._read:
            return None
        self._read = value
        return value

    def _is_worth_reading(self, piece: str) -> bool:
        if self._characters_read > _READINGS * self._length:
            return False
        return self._every_state or self._length < _LONG or "}" in piece

    def _follow_strings(self, piece: str) -> None:
        start = 1 if self._is_escaped else 0
        self._is_escaped = False
        for mark in _QUOTE_OR_ESCAPE.finditer(piece, start):
            self._is_escaped = mark[0] == "\\"
            if mark[0] == '"':
                self._is_in_string = not self._is_in_string

    def _parse(self) -> Any:
        text = "".join(self._pieces)
        self._pieces = [text]
        if fence := OPENING_FENCE.match(text):
            text = text[fence.end() :]
        if not self._is_in_string:
            # A number is shown when something follows it: more digits may come.
            text = text.rstrip(_NUMBER_CHARACTERS)
        try:
            value = from_json(text, allow_inf_nan=False, allow_partial="trailing-strings")
            encode(value)  # refuses what 1e999 is read as
        except ValueError:
            return None  # not JSON yet; the end says whether it has become some
        return value


def _is_same(one: Any, other: Any, *, seen_as: Callable[[Any], Any] = lambda value: value) -> bool:
    """Compare objects, whose classes are the caller's and may compare and print as they like."""
    try:
        return other is not None and bool(seen_as(one) == seen_as(other))
    except Exception:  # noqa: BLE001 - that it cannot be told costs at most one more state
        return False


def _adds_up(value: object) -> bool:
    """Whether the next step of a chain gets sums of such values; that of states is no object."""
    return hasattr(type(value), "__add__")
