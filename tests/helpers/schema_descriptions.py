"""Descriptions of objects, from which every kind of schema is written, and values that fit them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Union

from hypothesis import strategies as st

Json = Any
Type = Union["Leaf", "Choice", "ListOf", "Nullable", "UnionOf", "Ref"]
Presence = Literal["required", "default", "factory", "optional"]

MAX_FIELDS = 4
MAX_DEPTH = 2
MAX_RECORDS = 8

VALUES: dict[str, tuple[Json, ...]] = {
    "text": ("", "x", "null", 'a "quoted" é\n', "5", "true", "2026-01-01"),
    "integer": (0, -1, 7, 2**40),
    "number": (0.5, -1.25, 3, 1e30),
    "boolean": (True, False),
    "date": ("2026-01-01", "1999-12-31"),
    "datetime": ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5+02:00"),
    "uuid": ("12345678-1234-5678-1234-567812345678",),
    "decimal": (1.5, 12, 0.25),
    "code": ("ab", "zz"),
    "looking_around": ("ab", "abc"),
    "short": ("a", "abc"),
    "percent": (0, 42, 100),
    "link": ("https://example.org/a",),
    "set": ([], [3], [1, 2]),
    "pair": ([1, "a"], [-5, "null"]),
    "duration": ("P1D", "PT1H30M"),
    "null": (None,),
}
"""What each kind of leaf may be."""

NAMES = (
    *("type", "items", "properties", "required", "default", "title", "description", "const"),
    *("enum", "format", "anyOf", "name", "value", "ref"),
)
"""Of fields: those of JSON Schema's own keywords are the ones that a compiler may mistake."""

TAG = "kind"
CHOICES: tuple[tuple[Json, ...], ...] = (("red", "blue"), ("null",), (1, 2, 3), ("b", "a", "null"))


@dataclass(frozen=True)
class Leaf:
    """A value without parts, by its name in `VALUES`."""

    kind: str


@dataclass(frozen=True)
class Choice:
    """One of a few values, written as a Literal or as an Enum."""

    values: tuple[Json, ...]
    is_enum: bool = False

    @property
    def name(self) -> str:
        """Of the Enum."""
        return "Enum" + "".join(str(value).capitalize() for value in self.values)


@dataclass(frozen=True)
class ListOf:
    item: Type


@dataclass(frozen=True)
class Nullable:
    inner: Type


@dataclass(frozen=True)
class UnionOf:
    """A union; `is_tagged` says that the class names the tag itself."""

    members: tuple[Type, ...]
    is_tagged: bool = False


@dataclass(frozen=True)
class Ref:
    """An object, by its name."""

    name: str


@dataclass(frozen=True)
class Field:
    """A property; a default or what a factory gives is JSON here."""

    name: str
    type: Type
    presence: Presence = "required"
    default: Json = None


@dataclass(frozen=True)
class Record:
    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Description:
    """Objects by their names, inner ones first; the last is the root."""

    records: dict[str, Record]

    @property
    def root(self) -> Record:
        return self.records[[*self.records][-1]]


def types_within(type_: Type) -> Iterator[Type]:
    """Give a type and those that it is made of; references are not followed."""
    yield type_
    inner: tuple[Type, ...] = ()
    if isinstance(type_, UnionOf):
        inner = type_.members
    elif isinstance(type_, (ListOf, Nullable)):
        inner = (type_.item if isinstance(type_, ListOf) else type_.inner,)
    for each in inner:
        yield from types_within(each)


def all_types(description: Description) -> Iterator[Type]:
    """Give every type in a description."""
    for record in description.records.values():
        for field in record.fields:
            yield from types_within(field.type)


def accepts_null(type_: Type) -> bool:
    """Whether null is a value of its own."""
    if isinstance(type_, UnionOf):
        return any(map(accepts_null, type_.members))
    return isinstance(type_, Nullable) or type_ == Leaf("null")


def may_be_absent(field: Field) -> bool:
    """Whether a null in the answer can only mean that the property is absent."""
    is_constant = isinstance(field.type, Choice) and len(field.type.values) == 1
    return field.presence != "required" and not accepts_null(field.type) and not is_constant


def is_empty_list(field: Field) -> bool:
    """Whether a factory is a type, which makes the same empty value each time."""
    return field.default == [] and (isinstance(field.type, ListOf) or field.type == Leaf("set"))


# --- Values ---


@dataclass(frozen=True)
class Absent:
    """Stands where an object has no value for an optional property.

    Attributes:
        record: The object's name.
        name: The property's.
        default: What the property is then.
        is_known: Whether a schema can tell it.
    """

    record: str
    name: str
    default: Json
    is_known: bool


@st.composite
def values(draw: st.DrawFn, type_: Type, description: Description, depth: int = 3) -> Json:
    """Draw a value of a type; an `Absent` stands for each absent property."""
    if isinstance(type_, Leaf):
        return draw(st.sampled_from(VALUES[type_.kind]))
    if isinstance(type_, Choice):
        return draw(st.sampled_from(type_.values))
    if isinstance(type_, ListOf):
        item = values(type_.item, description, depth - 1)
        return draw(st.lists(item, max_size=2 if depth > 0 else 0))
    if isinstance(type_, Nullable):
        is_null = depth <= 0 or draw(st.booleans())
        return None if is_null else draw(values(type_.inner, description, depth - 1))
    if isinstance(type_, UnionOf):
        # The last members of a union may hold the object around it.
        members = type_.members if depth > 0 else type_.members[:1]
        return draw(values(draw(st.sampled_from(members)), description, depth - 1))
    return draw(objects(description.records[type_.name], description, depth))


@st.composite
def objects(draw: st.DrawFn, record: Record, description: Description, depth: int = 3) -> Json:
    """Draw an object of a record."""
    made: dict[str, Json] = {}
    for field in record.fields:
        if may_be_absent(field) and (depth <= 0 or draw(st.booleans())):
            is_known = field.presence != "factory" or is_empty_list(field)
            made[field.name] = Absent(record.name, field.name, field.default, is_known)
        else:
            made[field.name] = draw(values(field.type, description, depth))
    return made


# --- Descriptions ---

SELECTIONS = st.builds(Choice, st.sampled_from(CHOICES), st.booleans())
PRESENCES: st.SearchStrategy[Presence] = st.sampled_from(
    ["required", "default", "factory", "optional"]
)


class Builder:
    """Draws one description; names of objects are given in turn.

    pydantic's first version knows no required property that may be null, and its schemas tell of
    no null at all: `has_nulls` is False for it. TypedDicts have no defaults.
    """

    def __init__(
        self, draw: st.DrawFn, leaves: Sequence[str], *, has_nulls: bool, has_defaults: bool
    ) -> None:
        self._draw = draw
        self._has_defaults = has_defaults
        self._leaves = st.sampled_from(leaves).map(Leaf)
        self._has_nulls = has_nulls
        self._numbers = itertools.count()
        self.records: dict[str, Record] = {}

    def record(self, depth: int, *extra: Field) -> Ref:
        """Draw a record with some more fields, at any place, and what it is made of."""
        name = f"Record{next(self._numbers)}"
        names = self._draw(st.lists(st.sampled_from(NAMES), max_size=MAX_FIELDS, unique=True))
        fields = [self._field(each, depth, name) for each in names or ([] if extra else NAMES[:1])]
        for field in extra:
            fields.insert(self._draw(st.integers(0, len(fields))), field)
        self.records[name] = Record(name, tuple(fields))
        return Ref(name)

    def _field(self, name: str, depth: int, around: str) -> Field:
        type_ = self._type(depth, around)
        presence = self._draw(PRESENCES)
        field = Field(name, type_, presence)
        if presence in ("required", "optional") or self._holds(type_, around):
            return replace(field, presence="required" if presence == "required" else "optional")
        value = with_tags(self._draw(values(type_, Description(self.records))))
        return replace(field, default=without_absent(value))

    def _holds(self, type_: Type, name: str) -> bool:
        return Ref(name) in types_within(type_)

    def _ways(self, depth: int) -> list[str]:
        if len(self.records) > MAX_RECORDS:
            return ["leaf", "choice", "again"]
        below = ["list", "nullable", "record", "again", "scalars", "tagged", "members", "itself"]
        return ["leaf", "choice", *(below if depth else [])]

    def _type(self, depth: int, around: str) -> Type:  # noqa: PLR0911 - one way each
        match self._draw(st.sampled_from(self._ways(depth))):
            case "leaf":
                return self._draw(self._leaves)
            case "choice":
                return self._draw(SELECTIONS)
            case "list":
                return ListOf(self._type(depth - 1, around))
            case "nullable":
                inner = self._type(depth - 1, around)
                return Nullable(inner) if self._has_nulls and not accepts_null(inner) else inner
            case "record":
                return self.record(depth - 1)
            case "again":
                known: list[Type] = [Leaf("text"), *map(Ref, self.records)]
                return self._draw(st.sampled_from(known))
            case "scalars":
                return self._union_of_scalars(depth)
            case "itself":
                return self._recursion(around)
            case way:
                return self._union_of_records(depth - 1, is_tagged=way == "tagged")

    def _union_of_scalars(self, depth: int) -> UnionOf:
        leaves = self._draw(st.lists(self._leaves, min_size=2, max_size=3, unique=True))
        return UnionOf((*leaves, *([self.record(depth - 1)] if self._draw(st.booleans()) else [])))

    def _recursion(self, around: str) -> Type:
        itself = Ref(around)
        forms: list[Type] = [
            ListOf(itself),
            UnionOf((Leaf("text"), itself)),
            ListOf(UnionOf((Leaf("integer"), itself))),
        ]
        if self._has_nulls:
            forms += [Nullable(itself), Nullable(ListOf(itself))]
        return self._draw(st.sampled_from(forms))

    def _union_of_records(self, depth: int, *, is_tagged: bool) -> UnionOf:
        count = self._draw(st.integers(2, 3))
        if is_tagged:
            is_default = self._has_defaults and self._draw(st.booleans())
            presence: Presence = "default" if is_default else "required"
            return self._tagged(depth, count, presence)
        members = [self.record(depth) for _ in range(count)]
        known = [*map(Ref, self.records)]
        if self._draw(st.booleans()):  # an object of another place, too
            members.append(self._draw(st.sampled_from(known)))
        return UnionOf(tuple(dict.fromkeys(members)))

    def _tagged(self, depth: int, count: int, presence: Presence) -> UnionOf:
        several = self._draw(st.booleans())
        members = []
        for number in range(count):
            values_ = (f"tag{number}", f"word{number}")[: 2 if several else 1]
            members.append(self.record(depth, Field(TAG, Choice(values_), presence, values_[0])))
        return UnionOf(tuple(members), is_tagged=self._draw(st.booleans()))


@st.composite
def descriptions(
    draw: st.DrawFn, leaves: Sequence[str], *, has_nulls: bool, has_defaults: bool
) -> Description:
    """Draw a description of these leaves."""
    builder = Builder(draw, leaves, has_nulls=has_nulls, has_defaults=has_defaults)
    builder.record(MAX_DEPTH)
    return Description(builder.records)


def without_absent(value: Json) -> Json:
    """Leave absent properties out."""
    if isinstance(value, dict):
        present = {key: item for key, item in value.items() if not isinstance(item, Absent)}
        return {key: without_absent(item) for key, item in present.items()}
    return [*map(without_absent, value)] if isinstance(value, list) else value


def with_tags(value: Json) -> Json:
    """Write the default of absent tags: no class takes an object without its tag."""
    return replaced(value, lambda absent: absent.default if absent.name == TAG else absent)


def with_nulls(value: Json) -> Json:
    """Write null for absent properties, as strict mode has to."""
    return replaced(value, lambda _: None)


def with_defaults(value: Json) -> Json:
    """Write the default of absent properties where a schema can tell it.

    A factory that may make anything is not run for a schema.
    """
    return replaced(value, lambda absent: absent.default if absent.is_known else absent)


def replaced(value: Json, replacement: Callable[[Absent], Json]) -> Json:
    """Write something else for absent properties."""
    if isinstance(value, Absent):
        return replacement(value)
    if isinstance(value, dict):
        return {key: replaced(item, replacement) for key, item in value.items()}
    return [replaced(item, replacement) for item in value] if isinstance(value, list) else value
