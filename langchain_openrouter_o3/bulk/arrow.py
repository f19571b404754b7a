"""Values as Arrow's types: a struct where the schema tells its fields, JSON text elsewhere."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3.bulk.rows import Row
from langchain_openrouter_o3.bulk.values import class_name, dump, plain
from langchain_openrouter_o3.errors import OpenRouterInputError

_NULL = {"type": "null"}
_LEAST, _WIDE = Decimal("1e-18"), Context(prec=38)
"""Of a column of money, which is `decimal128(38, 18)`."""


def load_extra(name: str = "pyarrow") -> Any:
    """Import a package of the extra `ray` where it is needed.

    Raises:
        OpenRouterInputError: It cannot be imported.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OpenRouterInputError(
            f"{name} is missing ({error}): pip install 'langchain-openrouter-o3[ray]'."
        ) from error


class Column(NamedTuple):
    """How values become a column.

    Attributes:
        type: Arrow's.
        fit: Turns plain data into what the type takes.
    """

    type: Any
    fit: Callable[[Any], Any]


def column_of(schema: Any) -> Column:
    """Choose a column for the values of a schema.

    Args:
        schema: A Pydantic class, a TypedDict, a dataclass, a type or a JSON schema; None for any
            value, as JSON text.

    Raises:
        OpenRouterInputError: It is no schema.
    """
    if schema is None:
        return _column({}, {}, ())
    try:
        described = schema if is_object(schema) else _describe(schema)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise OpenRouterInputError(f"schema={schema!r} has no JSON schema: {error}") from error
    return _column(described, described.get("$defs", {}), ())


def _describe(schema: Any) -> Any:
    return TypeAdapter(schema).json_schema(by_alias=False, mode="serialization")


def _column(schema: Any, definitions: dict[str, Any], above: tuple[str, ...]) -> Column:
    reference = schema.get("$ref")
    if reference is not None:
        name = reference.rpartition("/")[2]
        if name in above or name not in definitions:  # Arrow has no recursive types
            return _as_text()
        return _column(definitions[name], definitions, (*above, name))
    members = schema.get("anyOf")
    if is_array(members):
        rest = [member for member in members if member != _NULL]
        return _column(rest[0], definitions, above) if len(rest) == 1 else _as_text()
    kind = _kind_of(schema)
    if kind == "object" and schema.get("properties") and not schema.get("additionalProperties"):
        return _struct(schema["properties"], definitions, above)
    if kind == "array" and is_object(schema.get("items")):
        return _list(_column(schema["items"], definitions, above))
    return _scalar(kind)


def _kind_of(schema: dict[str, Any]) -> Any:
    kind = schema.get("type")
    rest = [each for each in kind if each != "null"] if is_array(kind) else [kind]
    return rest[0] if len(rest) == 1 else None


def _scalar(kind: Any) -> Column:
    arrow = load_extra()
    types: dict[Any, Callable[[], Any]] = {
        "string": arrow.string,
        "integer": arrow.int64,
        "number": arrow.float64,
        "boolean": arrow.bool_,
    }
    known = types.get(kind) if isinstance(kind, str) else None
    return Column(known(), _same) if known is not None else _as_text()


def _struct(properties: dict[str, Any], definitions: dict[str, Any], above: Any) -> Column:
    columns = {name: _column(part, definitions, above) for name, part in properties.items()}

    def fit(value: Any) -> Any:
        if value is None:
            return None
        return {name: each.fit(value.get(name)) for name, each in columns.items()}

    kinds = [(name, each.type) for name, each in columns.items()]
    return Column(load_extra().struct(kinds), fit)


def _list(items: Column) -> Column:
    def fit(value: Any) -> Any:
        if value is not None and not is_array(value):  # a text would become its characters
            raise TypeError(f"a {type(value).__name__} is no list")
        return None if value is None else [items.fit(item) for item in value]

    return Column(load_extra().list_(items.type), fit)


def _as_text() -> Column:
    return Column(load_extra().string(), _to_json)


def _same(value: Any) -> Any:
    return value


def _to_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def read_table(batch: Any) -> Any:
    """Return rows as a table of pyarrow.

    Args:
        batch: One, or a data frame of pandas, whose index is left out.

    Raises:
        OpenRouterInputError: It is something else.
    """
    arrow = load_extra()
    if isinstance(batch, arrow.Table):
        return batch
    if not hasattr(batch, "iloc"):
        raise OpenRouterInputError(
            f'batch: a {type(batch).__name__}; pass batch_format="pyarrow", or a data frame.'
        )
    return arrow.Table.from_pandas(batch, preserve_index=False)


def to_money(amount: Decimal | None) -> Decimal | None:
    """Round an amount to the decimals of its column; costs that were floats may have more."""
    return None if amount is None else amount.quantize(_LEAST, context=_WIDE)


def schema_of(schema: Any) -> Any:
    """Return pyarrow's schema of finished rows.

    Args:
        schema: Of their values, see `column_of`.

    Raises:
        OpenRouterInputError: It is no schema, or pyarrow is missing.
    """
    return _schema(column_of(schema))


def _schema(column: Column) -> Any:
    arrow = load_extra()
    text, money = arrow.string(), arrow.decimal128(38, 18)
    return arrow.schema(
        {
            "key": text,
            "value": column.type,
            "error_class": text,
            "error": text,
            "cost": money,
            "known_cost": money,
            "input_tokens": arrow.int64(),
            "output_tokens": arrow.int64(),
            "generation_ids": arrow.list_(text),
            "attempts": arrow.int64(),
            "seconds": arrow.float64(),
            "from_journal": arrow.bool_(),
        }
    )


def table_of(rows: list[Row[Any]], column: Column) -> Any:
    """Return finished rows as a table of pyarrow.

    Raises:
        OpenRouterInputError: A value does not fit its column.
    """
    arrow = load_extra()
    try:
        flat = [_flat(row, column) for row in rows]
        return arrow.Table.from_pylist(flat, schema=_schema(column))
    except (arrow.ArrowInvalid, TypeError, OverflowError, AttributeError) as error:
        raise OpenRouterInputError(
            f"schema: a value is not of this schema ({error}). It is in the journal; leave schema "
            "out, and it becomes JSON text."
        ) from error


def _flat(row: Row[Any], column: Column) -> dict[str, Any]:
    error, usage = row.error, row.usage
    return {
        "key": row.key,
        "value": column.fit(plain(dump(row.value))) if error is None else None,
        "error_class": None if error is None else class_name(dump(error)),
        "error": None if error is None else str(error),
        "cost": to_money(row.cost),
        "known_cost": to_money(row.known_cost),
        "input_tokens": None if usage is None else usage["input_tokens"],
        "output_tokens": None if usage is None else usage["output_tokens"],
        "generation_ids": row.generation_ids,
        "attempts": row.attempts,
        "seconds": row.seconds,
        "from_journal": row.from_journal,
    }
