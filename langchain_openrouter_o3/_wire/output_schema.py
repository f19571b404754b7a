"""What an answer is to become: any schema that LangChain users write, read once.

Source: https://openrouter.ai/docs/features/structured-outputs
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, get_origin

from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import is_typeddict

from langchain_openrouter_o3._json import (
    decode,
    encode,
    has_odd_number,
    is_object,
    memoize_json,
)
from langchain_openrouter_o3._wire.schemas.classes import adapt_class, no_schema
from langchain_openrouter_o3._wire.schemas.dialects import read_schema
from langchain_openrouter_o3._wire.schemas.json_schema import (
    JSON_TYPES,
    Schema,
    clean_name,
    without_invented_words,
)
from langchain_openrouter_o3._wire.schemas.optionals import (
    OptionalsRestorer,
    has_optionals,
    require_unseen_defaults,
)
from langchain_openrouter_o3._wire.schemas.shown import ShownSchema, flat, without_openness
from langchain_openrouter_o3._wire.schemas.strict_schema import (
    StrictSchema,
    compile_strict,
    schema_to_wire,
)
from langchain_openrouter_o3._wire.schemas.typed_dicts import explain
from langchain_openrouter_o3._wire.schemas.values import validators
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.errors.warn import warn_not_strict

_MAX_QUOTE = 300
_WRAPPERS = ("schema", "parameters", "input_schema", "inputSchema")
"""Where envelopes, functions of OpenAI and Anthropic, and MCP tools hold their schema."""

_MARKS_OF_A_SCHEMA = frozenset({"type", "properties", "$ref", "anyOf", "oneOf", "allOf", "$defs"})

_KINDS_READ = ("json_schema", "object", "function", *JSON_TYPES)


class SchemaMismatchError(ValueError):
    """An answer does not fit its schema; the cause says why."""


@dataclass(frozen=True)
class OutputSchema:
    """What an answer is to become.

    Attributes:
        name: As OpenAI accepts it.
        description: For the model.
        schema: The JSON schema as the caller means it, before it is made strict.
        validate: Turns JSON text into the caller's object; it may raise anything.
        output_type: Of that object.
        is_dictionary: Whether a stream shows a dictionary while it grows, however little of it
            is there; instances appear once they are valid.
        strict: What the caller's own envelope or function says; None if nothing.
        source: What it was read from.
    """

    name: str
    description: str | None
    schema: Schema
    validate: Callable[[str | bytes], Any]
    output_type: Any
    is_dictionary: bool = False
    strict: bool | None = None
    source: Any = field(default=None, repr=False)

    def __reduce__(self) -> tuple[Callable[[Any], OutputSchema], tuple[Any]]:
        """Pickle what it was read from, which can be read again."""
        return build_output_schema, (self.source,)

    def make(self, text: str | bytes) -> Any:
        """Make the caller's object of JSON text.

        Raises:
            SchemaMismatchError: It does not fit; the cause says why.
        """
        try:
            if isinstance(text, str) and not has_odd_number(text) and not self._has_nulls(text):
                return self.validate(text)
            return self._make(decode(text), text)  # which refuses what pydantic takes: NaN, 1e999
        except Exception as error:  # the caller's own validators may raise anything; all is kept
            raise SchemaMismatchError from error

    def make_of_value(self, value: Any) -> Any:
        """Make the caller's object of parsed JSON; see `make`."""
        try:
            return self._make(value, encode(value))  # which refuses half a surrogate pair
        except Exception as error:  # as in `make`
            raise SchemaMismatchError from error

    def _make(self, value: Any, text: str | bytes) -> Any:
        return self.validate(encode(self.restore(value)) if self._has_nulls(text) else text)

    def make_partial(self, value: Any) -> Any:
        """Make of JSON that is still growing what a stream can show; None if there is nothing."""
        if self.is_dictionary:
            return self.restore(value)
        try:
            return self.make_of_value(value)
        except SchemaMismatchError:
            return None  # not valid yet

    def restore(self, value: Any) -> Any:
        """Take out the nulls that stand for absent properties."""
        return self._restorer.restore(value) if self._restorer is not None else value

    def _has_nulls(self, text: str | bytes) -> bool:
        word = "null" if isinstance(text, str) else b"null"
        return self._restorer is not None and word in text  # type: ignore[operator] # of one type with it

    @cached_property
    def _restorer(self) -> OptionalsRestorer | None:
        schema = self._compiled.schema
        if not has_optionals(schema):
            return None
        return OptionalsRestorer(schema, is_for_class=not self.is_dictionary)

    @cached_property
    def _compiled(self) -> StrictSchema:
        return compile_strict(self.schema, parsed_here=True)

    def response_format(
        self, *, strict: bool | None, parsed_here: bool
    ) -> tuple[dict[str, Any], str | None]:
        """Return the `json_schema` envelope, and why it is not strict although it might have been.

        Args:
            strict: True, False, or None: strict if the schema can be.
            parsed_here: See `compile_strict`.

        Raises:
            OpenRouterInputError: It must be strict and cannot be; the text names the path.
        """
        is_strict, schema, problem = self._to_wire(strict=strict, parsed_here=parsed_here)
        envelope: dict[str, Any] = {"name": self.name, "strict": is_strict, "schema": schema}
        if self.description:
            envelope["description"] = self.description
        return {"type": "json_schema", "json_schema": envelope}, problem

    def tool(self, *, strict: bool | None) -> tuple[dict[str, Any], str | None]:
        """Return the function whose arguments are the object; see `response_format`."""
        is_strict, schema, problem = self._to_wire(strict=strict, parsed_here=True)
        function: dict[str, Any] = {"name": self.name, "strict": is_strict, "parameters": schema}
        if self.description:
            function["description"] = self.description
        return {"type": "function", "function": function}, problem

    def _to_wire(
        self, *, strict: bool | None, parsed_here: bool
    ) -> tuple[bool, Schema, str | None]:
        strict = self.strict if strict is None else strict
        compiled = self._compiled if parsed_here else compile_strict(self.schema, parsed_here=False)
        is_strict, schema = schema_to_wire(self.schema, compiled, strict, f"schema {self.name!r}")
        return is_strict, schema, compiled.problem if strict is None else None

    def traced(self, schema: Any) -> dict[str, Any]:
        """Return the schema in the form that LangChain puts into traces.

        It is made of what was read here: LangChain's own conversion of a TypedDict changes the
        dataclasses within it for the whole process.

        Args:
            schema: What the caller gave. A JSON schema is shown as it is, a class without
                references and titles, as LangChain shows it.
        """
        told = {"description": self.description} if self.description else {}
        shown = self.schema if is_object(schema) else flat(self.schema)
        if is_typeddict(schema):
            shown = without_openness(shown)
        return {"title": self.schema.get("title", self.name), **told, **shown}


def build_output_schema(schema: Any) -> OutputSchema:
    """Read a schema in any of the forms that LangChain users write.

    Args:
        schema: A Pydantic class (v2 or v1), dataclass, TypedDict, JSON schema with or without
            title, OpenAI function or tool, or a `json_schema` envelope.

    Raises:
        OpenRouterInputError: It is something else.
    """
    if is_object(schema):
        return _read_dictionary(schema)
    if not isinstance(schema, type) or get_origin(schema) is not None:
        raise no_schema(schema)  # on Python 3.10 list[int] calls itself a type
    return _read_class(schema)


def response_format_to_wire(value: Any, *, warn: bool = True) -> dict[str, Any]:
    """Convert `response_format`, whose answer somebody else parses.

    Args:
        value: Any schema that `build_output_schema` takes, `{"type": "json_object"}`, or another
            dictionary that OpenRouter knows by its `type`.
        warn: Whether a warning says that it cannot be strict.

    Raises:
        OpenRouterInputError: It is something else, or its own `strict` cannot be had.
    """
    wire: dict[str, Any]
    if is_object(value):
        read = _read_format(value)
        wire, problem = read["wire"], read["problem"]
    else:
        wire, problem = build_output_schema(value).response_format(strict=None, parsed_here=False)
    if problem and warn:
        warn_not_strict(f"schema {wire['json_schema']['name']!r}", problem)
    return wire


@memoize_json
def _read_format(value: dict[str, Any]) -> dict[str, Any]:
    kind = value.get("type")
    if isinstance(kind, str) and kind not in _KINDS_READ:
        return {"wire": dict(value), "problem": None}
    read = _read_dictionary(value)
    wire, problem = read.response_format(strict=None, parsed_here=False)
    return {"wire": wire, "problem": problem}


def _read_class(schema: Any) -> OutputSchema:
    name = clean_name(schema.__name__)
    try:
        readable, show, validate = adapt_class(schema)
        shown = show()  # each time: a class may tell another schema than before
    except OpenRouterInputError:
        raise
    except Exception as error:  # reading a class runs the caller's code
        raise OpenRouterInputError(f"schema {name!r}: {explain(error, schema)}") from error
    # pydantic warns of a class of its first version inside one of its second.
    is_old = issubclass(schema, BaseModelV1)
    read = _read_shown(shown, f"schema {name!r}", is_old)
    return OutputSchema(
        name,
        read.get("description"),
        read,
        validate,
        Annotated[Any, ShownSchema(read)] if is_old else readable,
        is_typeddict(schema),
        source=schema,
    )


@memoize_json
def _read_shown(shown: Schema, what: str, is_old: bool) -> Schema:  # noqa: FBT001 - positions are memoized
    read = read_schema(without_invented_words(shown), what)
    if not is_old:  # whose schemas do not show None either
        require_unseen_defaults(read)
    return read


def _read_dictionary(schema: dict[str, Any]) -> OutputSchema:
    inner = schema.get("json_schema", schema.get("function", schema))
    if not is_object(inner):
        raise OpenRouterInputError("schema: 'json_schema' or 'function' must be a dictionary.")
    wrapped = (inner[key] for key in _WRAPPERS if key in inner)
    body = next(wrapped, inner if inner is schema else None)
    if not is_object(body) or not body.keys() & _MARKS_OF_A_SCHEMA:
        raise OpenRouterInputError(
            "schema: the dictionary is neither a JSON schema nor an OpenAI function."
        )
    name = clean_name(str(inner.get("name") or body.get("title") or "output"))
    read = _read_as_written(body, f"schema {name!r}")
    strict = inner.get("strict")
    return OutputSchema(
        name,
        inner.get("description") or read.get("description"),
        read,
        _dictionary_validator(read),
        Annotated[dict[str, Any], ShownSchema(read)],
        is_dictionary=True,
        strict=strict if isinstance(strict, bool) else None,
        source=schema,
    )


_read_as_written = memoize_json(read_schema)  # answers hold no enumerations and no tuples


def _dictionary_validator(schema: Schema) -> Callable[[str | bytes], Any]:
    import jsonschema  # noqa: PLC0415 - takes 45 ms

    checks: Any = jsonschema
    validator = validators()(schema)

    def validate(text: str | bytes) -> Any:
        value = decode(text)
        error = checks.exceptions.best_match(validator.iter_errors(value))
        if error is not None:
            raise ValueError(f"{error.json_path}: {error.message[:_MAX_QUOTE]}")
        return value

    return validate
