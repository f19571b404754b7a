"""One description as each kind of schema that people write: Python's classes and JSON schemas."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from jsonschema import Draft202012Validator
from pydantic import ConfigDict, TypeAdapter

from tests.helpers.schema_descriptions import (
    TAG,
    VALUES,
    Choice,
    Description,
    Field,
    Json,
    Leaf,
    ListOf,
    Nullable,
    Record,
    Ref,
    Type,
    UnionOf,
    all_types,
)

_HEADER = """\
from __future__ import annotations
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal, Optional, Union
from uuid import UUID
"""
_NUMBERS = itertools.count()


@dataclass
class Made:
    """A schema for the client, and what its owner makes of JSON text without the client.

    Attributes:
        target: A class or a dictionary.
        own: Makes the object, or raises whatever it raises.
        text: As it would stand in somebody's program.
    """

    target: Any
    own: Callable[[str], Any]
    text: str


class PythonKind:
    """Classes, written as a module's text and imported."""

    header: ClassVar[str]
    leaves: ClassVar[dict[str, str]] = {
        "text": "str",
        "integer": "int",
        "number": "float",
        "boolean": "bool",
        "date": "date",
        "datetime": "datetime",
        "uuid": "UUID",
        "decimal": "Decimal",
        "code": "Annotated[str, Field(pattern='^[a-z]{2}$')]",
        "looking_around": "Annotated[str, Field(json_schema_extra={'pattern': '^(?=a)'})]",
        "short": "Annotated[str, Field(min_length=1, max_length=3)]",
        "percent": "Annotated[int, Field(ge=0, le=100)]",
        "link": "AnyUrl",
        "set": "set[int]",
        "pair": "tuple[int, str]",
        "duration": "timedelta",
        "null": "None",
    }
    has_nulls: ClassVar[bool] = True
    has_defaults: ClassVar[bool] = True
    is_dictionary: ClassVar[bool] = False

    @contextlib.contextmanager
    def make(self, description: Description, choice: int) -> Iterator[Made]:
        """Import the classes of a description; `choice` chooses among spellings."""
        text = "\n\n".join([_HEADER + self.header, *self._body(description, choice)])
        module = ModuleType(f"written_{next(_NUMBERS)}")
        sys.modules[module.__name__] = module
        try:
            exec(text, module.__dict__)  # noqa: S102 - written by this module
            target = module.__dict__[description.root.name]
            yield Made(target, self.own(target), text)
        finally:
            del sys.modules[module.__name__]

    def own(self, target: Any) -> Callable[[str], Any]:
        adapter: TypeAdapter[Any] = TypeAdapter(target)
        return adapter.validate_json

    def _body(self, description: Description, choice: int) -> Iterator[str]:
        choices = (each for each in all_types(description) if isinstance(each, Choice))
        for each in dict.fromkeys(choice for choice in choices if choice.is_enum):
            yield _write_enum(each)
        for record in description.records.values():
            lines = [*self.config(choice), *map(self.field, record.fields)]
            yield "\n    ".join([self.head(record), *lines])

    def head(self, record: Record) -> str:
        return f"class {record.name}(BaseModel):"

    def config(self, choice: int) -> list[str]:
        del choice
        return []

    def field(self, field: Field) -> str:
        annotation = self.annotation(field.type)
        if field.presence == "optional":
            return f"{field.name}: Optional[{annotation}] = None"
        written = f"of({annotation}, {json.dumps(field.default)!r})"
        match field.presence:
            case "default":
                return f"{field.name}: {annotation} = {self.default(written, field)}"
            case "factory":
                return f"{field.name}: {annotation} = {self.factory(written, field)}"
            case _:
                return f"{field.name}: {annotation}"

    def default(self, written: str, field: Field) -> str:
        del field
        return written

    def factory(self, written: str, field: Field) -> str:
        kind = self.annotation(field.type).partition("[")[0]
        is_empty = field.default == [] and kind in ("list", "set")
        made = kind if is_empty else f"lambda: {written}"
        return f"Field(default_factory={made})"

    def annotation(self, type_: Type) -> str:
        match type_:
            case Leaf(kind):
                return self.leaves[kind]
            case Choice(chosen, is_enum):
                literals = ", ".join(map(repr, chosen))
                return type_.name if is_enum else f"Literal[{literals}]"
            case ListOf(item):
                return f"list[{self.annotation(item)}]"
            case Nullable(inner):
                return f"Optional[{self.annotation(inner)}]"
            case UnionOf(members, is_tagged):
                union = f"Union[{', '.join(map(self.annotation, members))}]"
                return f"Annotated[{union}, Field(discriminator={TAG!r})]" if is_tagged else union
            case Ref(name):
                return name


class Pydantic(PythonKind):
    header = (
        "from pydantic import AnyUrl, BaseModel, ConfigDict, Field, TypeAdapter\n"
        "def of(type, text): return TypeAdapter(type).validate_json(text)"
    )

    def config(self, choice: int) -> list[str]:
        config = ["", "extra='forbid'", "strict=True"][choice % 3]
        return [f"model_config = ConfigDict({config})"] if config else []

    def own(self, target: Any) -> Callable[[str], Any]:
        validate: Callable[[str], Any] = target.model_validate_json
        return validate


class OldPydantic(PythonKind):
    header = (
        "import json\n"
        "from pydantic.v1 import AnyUrl, BaseModel, Field, conint, constr, parse_obj_as\n"
        "def of(type, text): return parse_obj_as(type, json.loads(text))"
    )
    leaves: ClassVar[dict[str, str]] = {
        **PythonKind.leaves,
        "code": "constr(regex='^[a-z]{2}$')",
        "looking_around": "constr(regex='^(?=a)')",
        "short": "constr(min_length=1, max_length=3)",
        "percent": "conint(ge=0, le=100)",
    }
    for _unknown in ("duration", "null"):  # a number and nothing, in its schemas
        del leaves[_unknown]
    has_nulls = False

    def factory(self, written: str, field: Field) -> str:
        # One field may not have both an annotation of a tag and a factory.
        is_tagged = isinstance(field.type, UnionOf) and field.type.is_tagged
        return written if is_tagged else super().factory(written, field)

    def own(self, target: Any) -> Callable[[str], Any]:
        return lambda text: target.parse_obj(json.loads(text))


class Dataclass(PythonKind):
    header = (
        "from pydantic import AnyUrl, Field, TypeAdapter\n"
        "def of(type, text): return TypeAdapter(type).validate_json(text)"
    )

    def head(self, record: Record) -> str:
        return f"@dataclass(kw_only=True)\nclass {record.name}:"

    def default(self, written: str, field: Field) -> str:
        # A dataclass takes no default that may change.
        is_simple = not isinstance(field.default, (dict, list))
        return written if is_simple else self.factory(written, field)

    def factory(self, written: str, field: Field) -> str:
        return super().factory(written, field).replace("Field", "field", 1)


class Typed(PythonKind):
    header = (
        "from pydantic import AnyUrl, Field\nfrom typing_extensions import NotRequired, TypedDict"
    )
    has_defaults = False
    is_dictionary = True

    def own(self, target: Any) -> Callable[[str], Any]:
        # A TypedDict says nothing of other keys; the client lets them pass.
        adapter = TypeAdapter(list[target], config=ConfigDict(extra="allow"))
        return lambda text: adapter.validate_json(f"[{text}]")[0]

    def head(self, record: Record) -> str:
        return f"class {record.name}(TypedDict):"

    def field(self, field: Field) -> str:
        annotation = self.annotation(field.type)
        is_required = field.presence == "required"
        return f"{field.name}: {annotation if is_required else f'NotRequired[{annotation}]'}"


def _write_enum(choice: Choice) -> str:
    members = (f"    V{place} = {value!r}" for place, value in enumerate(choice.values))
    return "\n".join([f"class {choice.name}(Enum):", *members])


# --- JSON schemas ---


@dataclass(frozen=True)
class Spelling:
    """How somebody writes JSON schemas: each number chooses one of two ways."""

    nullable: bool = False
    union: bool = False
    closed: bool = False
    definitions: bool = False
    tuples: bool = False
    constants: bool = False
    root: bool = False

    @classmethod
    def chosen(cls, choice: int) -> Spelling:
        return cls(*(bool(choice >> bit & 1) for bit in range(7)))


_LEAVES: dict[str, Json] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "uuid": {"type": "string", "format": "uuid"},
    "decimal": {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^(?!x)\d+$"}]},
    "code": {"type": "string", "pattern": "^[a-z]{2}$"},
    "looking_around": {"type": "string", "pattern": "^(?=a)"},
    "short": {"type": "string", "minLength": 1, "maxLength": 3},
    "percent": {"type": "integer", "minimum": 0, "maximum": 100},
    "link": {"type": "string", "format": "uri"},
    "set": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
    "duration": {"type": "string", "format": "duration"},
    "null": {"type": "null"},
}
_PAIR: tuple[Json, Json] = ({"type": "integer"}, {"type": "string"})


class SchemaWriter:
    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        self._definitions = "definitions" if spelling.definitions else "$defs"

    def write(self, description: Description) -> Json:
        written = {name: self._record(each) for name, each in description.records.items()}
        root = description.root.name
        if self._spelling.root:
            return {"title": root, "$ref": self._reference(root), self._definitions: written}
        return {"title": root, **written[root], self._definitions: written}

    def _reference(self, name: str) -> str:
        return f"#/{self._definitions}/{name}"

    def _record(self, record: Record) -> Json:
        required = [field.name for field in record.fields if field.presence == "required"]
        return {
            "type": "object",
            "properties": {field.name: self._field(field) for field in record.fields},
            **({"required": required} if required else {}),
            **({"additionalProperties": False} if self._spelling.closed else {}),
        }

    def _field(self, field: Field) -> Json:
        default = {"default": field.default} if field.presence == "default" else {}
        return {**self._type(field.type), **default}

    def _type(self, type_: Type) -> Json:  # noqa: PLR0911 - one form each
        match type_:
            case Leaf("pair"):
                return self._pair()
            case Leaf(kind):
                return dict(_LEAVES[kind])
            case Choice(chosen):
                return self._choice(chosen)
            case ListOf(item):
                return {"type": "array", "items": self._type(item)}
            case Nullable(inner):
                return self._nullable(self._type(inner))
            case UnionOf(members):
                return {self._union(type_): [*map(self._type, members)]}
            case Ref(name):
                return {"$ref": self._reference(name)}

    def _choice(self, chosen: tuple[Json, ...]) -> Json:
        if self._spelling.constants and len(chosen) == 1:
            return {"const": chosen[0]}
        kind = "string" if isinstance(chosen[0], str) else "integer"
        return {"type": kind, "enum": [*chosen]}

    def _union(self, union: UnionOf) -> str:
        # Members that are not told apart by a tag may both fit, which oneOf forbids.
        return "oneOf" if self._spelling.union and union.is_tagged else "anyOf"

    def _nullable(self, schema: Json) -> Json:
        if self._spelling.nullable and "type" in schema:
            return {**schema, "nullable": True}
        return {"anyOf": [schema, {"type": "null"}]}

    def _pair(self) -> Json:
        if self._spelling.tuples:
            return {"type": "array", "items": [*_PAIR], "additionalItems": False, "minItems": 2}
        return {"type": "array", "prefixItems": [*_PAIR], "items": False, "minItems": 2}


class JSONSchema:
    leaves: ClassVar[dict[str, str]] = dict.fromkeys(VALUES, "")
    has_nulls: ClassVar[bool] = True
    has_defaults: ClassVar[bool] = True
    is_dictionary: ClassVar[bool] = True

    @contextlib.contextmanager
    def make(self, description: Description, choice: int) -> Iterator[Made]:
        """Write a schema in one of many spellings; its owner reads a plain one."""
        written = SchemaWriter(Spelling.chosen(choice)).write(description)
        closed = Spelling(closed=Spelling.chosen(choice).closed)
        validator = Draft202012Validator(SchemaWriter(closed).write(description))
        target = self.wrap(written, description.root.name, choice)

        def own(text: str) -> Any:
            value = json.loads(text)
            validator.validate(value)
            return value

        yield Made(target, own, json.dumps(target, indent=1))

    def wrap(self, schema: Json, name: str, choice: int) -> Json:
        del name, choice
        return schema


class Envelope(JSONSchema):
    def wrap(self, schema: Json, name: str, choice: int) -> Json:
        """Put a schema where OpenAI's envelopes, functions, Anthropic's and MCP's tools have it."""
        forms: list[Json] = [
            {"name": name, "schema": schema},
            {"type": "json_schema", "json_schema": {"name": name, "schema": schema}},
            {"name": name, "parameters": schema},
            {"type": "function", "function": {"name": name, "parameters": schema}},
            {"name": name, "input_schema": schema},
            {"name": name, "inputSchema": schema},
        ]
        form: Json = forms[choice % len(forms)]
        return form


KINDS: dict[str, PythonKind | JSONSchema] = {
    "pydantic": Pydantic(),
    "pydantic v1": OldPydantic(),
    "dataclass": Dataclass(),
    "typed dict": Typed(),
    "json schema": JSONSchema(),
    "envelope": Envelope(),
}
