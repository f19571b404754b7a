"""The growing object of a stream of structured output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessageChunk
from langchain_core.runnables.utils import AddableDict
from pydantic_core import from_json

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3.errors import OpenRouterOutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import BaseMessage

    from langchain_openrouter_o3.structured_output import StructuredOutputParser


class Outcome(AddableDict):
    """A piece of `raw`, `parsed` and `parsing_error`; in a sum the last object counts."""

    def __add__(self, other: AddableDict) -> Outcome:
        """Add the messages up and take the rest from the later piece."""
        total = Outcome({**self, **other})
        if "raw" in self and "raw" in other:
            total["raw"] = self["raw"] + other["raw"]
        return total


class ObjectStream:
    """Reads one stream and shows its object whenever that has grown.

    The chunks are added up once, at the end: a sum after each one would copy all before it.
    """

    def __init__(self, parser: StructuredOutputParser) -> None:
        """Start before the first chunk; the parser says what to make."""
        self._parser = parser
        self._chunks: list[BaseMessage] = []
        self._json: list[str] = []
        self._call: int | str | None = None  # index of the tool call that holds the object
        self._read: Any = None
        self._shown: Any = None

    def feed(self, chunk: str | BaseMessage) -> Iterator[Any]:
        """Take a chunk and give the object if it has grown, with its raw message if wanted."""
        message = AIMessageChunk(content=chunk) if isinstance(chunk, str) else chunk
        self._chunks.append(message)
        if self._parser.include_raw:
            yield Outcome(raw=message)
        added = self._called(message) if self._parser.by_call else str(message.text)
        if added:
            self._json.append(added)
            yield from self._show(self._partial())

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
        if not self._parser.include_raw:
            yield from self._show(self._parser.parse_message(total))
            return
        try:
            yield from self._show(self._parser.parse_message(total))
        except OpenRouterOutputError as error:
            yield Outcome(parsed=None, parsing_error=error)
        else:
            yield Outcome(parsing_error=None)

    def _called(self, message: BaseMessage) -> str:
        """Return what a chunk adds to the arguments of the first call of the wanted name."""
        added = ""
        for call in message.tool_call_chunks if isinstance(message, AIMessageChunk) else ():
            if self._call is None and call["name"] == self._parser.target.name:
                self._call = call["index"]
            if self._call is not None and call["index"] == self._call:
                added += call["args"] or ""
        return added

    def _partial(self) -> Any:
        try:
            value = from_json(
                "".join(self._json), allow_inf_nan=False, allow_partial="trailing-strings"
            )
        except ValueError:
            return None  # not JSON yet; the end says whether it has become some
        if not is_object(value) or value == self._read:
            return None
        self._read = value
        return self._parser.target.make_partial(value)

    def _show(self, value: Any) -> Iterator[Any]:
        if value is not None and value != self._shown:
            self._shown = value
            yield Outcome(parsed=value) if self._parser.include_raw else value
