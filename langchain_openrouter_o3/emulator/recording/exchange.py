"""Recorded exchanges: a readable JSON file each, their folder, and what two of them do not share.

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
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from langchain_openrouter_o3.emulator.json_value import Json, JsonObject, compact, text_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


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


# --- What two exchanges do not have in common ---


VOLATILE_PARAMETERS = ("metadata", "prompt_cache_key", "session_id", "trace", "user")
"""Parameters that label a request and do not decide its answer."""

# What is new in every completion: ids of it and in it, and ciphertexts.
_VOLATILE_ANSWER = frozenset({"id", "created", "system_fingerprint", "data"})
_VOLATILE_HEADERS = ("x-generation-id", "x-ratelimit-remaining", "x-ratelimit-reset")
# What a stream gives piece by piece.
_GROWING = frozenset({"arguments", "content", "reasoning", "refusal", "summary", "text"})
_SHOWN = 5
_WIDTH = 60
_BEFORE = 15


class Absent:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        """Return the word that differences show."""
        return "absent"


ABSENT = Absent()


class Difference(NamedTuple):
    """One place where two values differ.

    Attributes:
        path: The place as a JSON path without its `$.`, such as `messages[1].content`.
        before: What the recording has.
        after: What there is now.
    """

    path: str
    before: Json | Absent
    after: Json | Absent

    def __str__(self) -> str:
        """Show both, cut to the part where they begin to differ."""
        return f"{self.path}: {' → '.join(_shortened(self.before, self.after))}"


def described(differences: Sequence[Difference]) -> str:
    """Return the first differences in words."""
    more = len(differences) - _SHOWN
    shown = [str(each) for each in differences[:_SHOWN]]
    return "; ".join([*shown, f"and {more} more"] if more > 0 else shown)


def differences(before: Json | Absent, after: Json | Absent, path: str = "") -> list[Difference]:
    """Return the places where two values differ; the order of keys does not matter."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = [*before, *(name for name in after if name not in before)]
        pairs = [
            (_below(path, name), before.get(name, ABSENT), after.get(name, ABSENT))
            for name in names
        ]
        return [each for place, one, other in pairs for each in differences(one, other, place)]
    if isinstance(before, list) and isinstance(after, list):
        return [*_in_lists(before, after, path)]
    is_same = before == after and type(before) is type(after)
    return [] if is_same else [Difference(path or "the value", before, after)]


def request_key(request: RecordedRequest) -> bytes:
    """Return the same bytes for all requests that have the same answer."""
    return json.dumps(comparable_request(request), sort_keys=True).encode()


def changes(before: RecordedResponse, after: RecordedResponse) -> list[Difference]:
    """Return what an answer says differently from the one before it."""
    return differences(comparable_response(before), comparable_response(after))


def nearest(recordings: Mapping[str, Exchange], request: RecordedRequest) -> str | None:
    """Return the recording with the fewest differences from a request, and those, in words."""
    asked = comparable_request(request)
    found = [
        (name, differences(comparable_request(known.request), asked))
        for name, known in recordings.items()
    ]
    if not found:
        return None
    # Another method or path outweighs whatever the bodies have in common.
    name, least = min(found, key=lambda each: (_is_elsewhere(each[1]), len(each[1])))
    return f"{name} ({described(least) or 'the same request'})"


def comparable_request(request: RecordedRequest) -> JsonObject:
    """Return what decides the answer to a request: method, path, query and body."""
    path, _, query = request.path.partition("?")
    named = request.json_object
    kept: JsonObject = {name: named[name] for name in named if name not in VOLATILE_PARAMETERS}
    body: Json = kept if named else request.body
    if request.data is not None:
        body = request.data.raw.decode("latin-1")
    pairs: list[Json] = [*sorted(query.split("&"))]
    return {"method": request.method, "path": path, "query": pairs, "body": body}


def comparable_response(response: RecordedResponse) -> JsonObject:
    """Return what an answer says, without what is new in every answer.

    The chunks of a stream are put together, because a model cuts the same text anew each time.
    """
    headers: JsonObject = {
        name: value for name, value in response.headers.items() if name not in _VOLATILE_HEADERS
    }
    body = _said(response)
    if isinstance(body, dict) and "choices" in body:
        body = _without_volatile(body)
    return {"status": response.status, "headers": headers, "cut": response.cut, "body": body}


def _is_elsewhere(found: list[Difference]) -> bool:
    return any(each.path in {"method", "path"} for each in found)


def _said(response: RecordedResponse) -> Json:
    text = response.raw.decode("utf-8", "replace")
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        value = parsed(response.raw)
        return text if value is None else value
    total: Json = {}
    for line in text.splitlines():
        chunk = parsed(line.removeprefix("data:").encode()) if line.startswith("data:") else None
        total = total if chunk is None else _joined(total, chunk)
    return total


def _without_volatile(value: Json) -> Json:
    if isinstance(value, list):
        return [_without_volatile(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: item for name, item in value.items() if name not in _VOLATILE_ANSWER}
    return {name: _without_volatile(item) for name, item in kept.items()}


def _joined(total: Json, chunk: Json, name: str = "") -> Json:
    """Join a chunk to those before it: texts grow, of other values the last one counts."""
    if isinstance(total, dict) and isinstance(chunk, dict):
        return {**total, **{each: _joined(total.get(each), chunk[each], each) for each in chunk}}
    if isinstance(total, list) and isinstance(chunk, list):
        return _joined_lists(total, chunk)
    if isinstance(total, str) and isinstance(chunk, str) and name in _GROWING:
        return total + chunk
    return total if chunk is None else chunk


def _joined_lists(total: list[Json], chunk: list[Json]) -> list[Json]:
    """Join choices, calls and reasoning details by their index; anything else is added."""
    joined = [*total]
    for item in chunk:
        found = [place for place, known in enumerate(joined) if _is_continued(known, item)]
        if found:
            joined[found[0]] = _joined(joined[found[0]], item)
        else:
            joined.append(item)
    return joined


def _is_continued(known: Json, item: Json) -> bool:
    if not isinstance(known, dict) or not isinstance(item, dict) or "index" not in item:
        return False
    kind = known.get("type")
    return known.get("index") == item["index"] and item.get("type", kind) == kind


def _in_lists(before: list[Json], after: list[Json], path: str) -> Iterator[Difference]:
    for place in range(max(len(before), len(after))):
        one = before[place] if place < len(before) else ABSENT
        other = after[place] if place < len(after) else ABSENT
        yield from differences(one, other, f"{path}[{place}]")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shortened(before: Json | Absent, after: Json | Absent) -> list[str]:
    texts = [repr(each) if isinstance(each, Absent) else compact(each) for each in (before, after)]
    start = max(_common(*texts) - _BEFORE, 0)
    return [_window(text, start) for text in texts]


def _common(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _window(text: str, start: int) -> str:
    if len(text) <= _WIDTH:
        return text
    end = start + _WIDTH
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
