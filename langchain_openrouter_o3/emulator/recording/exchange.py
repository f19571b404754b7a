"""One recorded exchange: a readable JSON file, and the folder of such files.

A body is a list of the pieces in which it came, each with the seconds since the one before. A piece
is a text, or base64 where it is not UTF-8 by itself, because a character may be cut in two.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from langchain_openrouter_o3.emulator.json_value import Json, JsonObject, text_at

_FOLDED = '"pieces"'
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[A-Za-z0-9._]+")
_LONGEST_NAME = 60


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"is not base64: {error}") from error
    return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Part):
    """Some bytes: as text, or as base64.

    Attributes:
        text: The bytes as UTF-8.
        base64: The bytes as base64; exactly one of the two is there.
    """

    text: str | None = None
    base64: Annotated[str, AfterValidator(_base64)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Data:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("needs either text or base64")
        return self

    @property
    def raw(self) -> bytes:
        """The bytes."""
        if self.base64 is not None:
            return base64.b64decode(self.base64)
        return (self.text or "").encode("utf-8", "surrogatepass")


def spelled(raw: bytes) -> dict[str, str]:
    """Return bytes as the fields of `Data`."""
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


class Piece(Data):
    """A piece of a body.

    Attributes:
        seconds: How long after the piece before it came, the first one after the headers.
    """

    seconds: float = Field(ge=0, allow_inf_nan=False)

    @classmethod
    def of(cls, raw: bytes, seconds: float) -> Piece:
        """Return a piece of some bytes."""
        return cls(seconds=seconds, **spelled(raw))


class RecordedRequest(_Part):
    """What was asked.

    Attributes:
        method: The HTTP method.
        path: The path with its query, such as `/api/v1/chat/completions`.
        headers: The headers that were kept, names in lower case.
        body: The body as JSON; None if there was none, or none that is JSON.
        data: The body if it was not JSON.
    """

    method: str
    path: str
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    data: Data | None = None

    @property
    def json_object(self) -> JsonObject:
        """The body if it is a JSON object, otherwise an empty one."""
        body: Json = self.body
        return body if isinstance(body, dict) else {}


class RecordedResponse(_Part):
    """What was answered.

    Attributes:
        status: The HTTP status.
        headers: The headers that were kept, names in lower case.
        seconds: How long after the request the headers came.
        cut: Whether the connection broke with the body unfinished.
        body: The pieces of the body.
    """

    status: int = Field(ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    cut: bool = False
    body: tuple[Piece, ...] = ()

    @property
    def raw(self) -> bytes:
        """The whole body."""
        return b"".join(piece.raw for piece in self.body)


class Exchange(_Part):
    """A request and its answer.

    Attributes:
        recorded: When, in UTC; None for one that was written by hand.
        request: What was asked.
        response: What was answered.
    """

    recorded: str | None = None
    request: RecordedRequest
    response: RecordedResponse

    @classmethod
    def from_file(cls, path: Path) -> Exchange:
        """Read a file.

        Raises:
            ValueError: It is no recording; the message names the file and the places in it.
        """
        try:
            return cls.model_validate(json.loads(path.read_bytes()))
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            places = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found]
            raise ValueError(f"{path} is not a recording: {'; '.join(places)}") from None
        except ValueError as error:
            raise ValueError(f"{path} is not a recording: {error}") from error

    def to_text(self) -> str:
        """Write the file's text: indented, but each piece of the body on a line of its own."""
        value = self.model_dump(exclude_defaults=True)
        value["response"]["body"] = "pieces"  # the last key of all, so the last match below
        before, _, after = json.dumps(value, ensure_ascii=False, indent=2).rpartition(_FOLDED)
        pieces = [
            json.dumps(each.model_dump(exclude_none=True), ensure_ascii=False)
            for each in self.response.body
        ]
        body = "[" + ",".join(f"\n      {piece}" for piece in pieces) + "\n    ]"
        return before + (body if pieces else "[]") + after + "\n"


class RecordingFolder:
    """The files of recorded exchanges, in the order of their names."""

    def __init__(self, path: Path) -> None:
        """Name the folder; it is made when the first file is written."""
        self.path = path

    def load(self) -> list[tuple[str, Exchange]]:
        """Return every exchange with the name of its file.

        Raises:
            ValueError: A file is no recording.
        """
        paths = sorted(self.path.glob("*.json"))
        return [(path.name, Exchange.from_file(path)) for path in paths]

    def new_name(self, taken: Iterable[str], request: RecordedRequest) -> str:
        """Return a name that comes after all others and tells what was asked."""
        numbers = [int(found[0]) for found in map(_NUMBER.match, taken) if found]
        path = request.path.partition("?")[0].removeprefix("/api/v1")
        model = text_at(request.json_object, "model")
        words = "-".join(_WORD.findall(f"{request.method.lower()} {path} {model}"))
        return f"{max(numbers, default=0) + 1:05}-{words[:_LONGEST_NAME]}.json"

    def save(self, name: str, exchange: Exchange) -> None:
        """Write a file, whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        # JSON allows lone surrogates, UTF-8 does not: they are escaped as JSON has it.
        data = exchange.to_text().encode("utf-8", "backslashreplace")
        unfinished = self.path / f".{name}.unfinished"
        unfinished.write_bytes(data)
        unfinished.replace(self.path / name)


def parsed(raw: bytes) -> Json:
    """Return bytes as JSON; None if they are something else."""
    try:
        value: Json = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value
