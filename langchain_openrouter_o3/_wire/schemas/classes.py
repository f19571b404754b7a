"""Which JSON schema a class has, and what makes one of its objects: pydantic is asked for both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from functools import lru_cache, partial
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic_core import core_schema
from typing_extensions import is_typeddict, override

from langchain_openrouter_o3._json import decode, is_array
from langchain_openrouter_o3._wire.schemas.json_schema import Schema
from langchain_openrouter_o3._wire.schemas.optionals import TYPED_DICT
from langchain_openrouter_o3._wire.schemas.typed_dicts import rebuild_typed_dict
from langchain_openrouter_o3.errors import OpenRouterInputError

_EMPTY_FACTORIES = (list, dict, set, frozenset, tuple, str, int, float, bool)
_MODEL_JSON_SCHEMA: Any = BaseModel.model_json_schema


@lru_cache(maxsize=256)  # an adapter takes long to build
def adapt_class(
    schema: type[Any],
) -> tuple[Any, Callable[[], Schema], Callable[[str | bytes], Any]]:
    """Return what pydantic reads for a class, its JSON schema, and what makes an object of text."""
    if issubclass(schema, BaseModelV1):
        return schema, schema.schema, lambda text: schema.parse_obj(decode(text))
    if issubclass(schema, BaseModel):
        return schema, partial(_read_model, schema), schema.model_validate_json
    if not is_dataclass(schema) and not is_typeddict(schema):
        raise no_schema(schema)
    # pydantic refuses typing.TypedDict before Python 3.12.
    readable = rebuild_typed_dict(schema) if is_typeddict(schema) else schema
    adapter: TypeAdapter[Any] = TypeAdapter(readable)
    show = partial(adapter.json_schema, schema_generator=_SchemaGenerator)
    return readable, show, adapter.validate_json


def _read_model(schema: type[BaseModel]) -> Schema:
    theirs: Any = schema.model_json_schema
    if theirs.__func__ is not _MODEL_JSON_SCHEMA.__func__:
        read: Schema = theirs()  # the caller's own method, which may take no arguments
        return read
    return schema.model_json_schema(schema_generator=_SchemaGenerator)


class _SchemaGenerator(GenerateJsonSchema):
    """Shows what a class takes, whatever pydantic would show instead."""

    @property
    @override
    def mode(self) -> Literal["validation"]:
        """What goes in, also for a class that is configured to show what it writes."""
        return "validation"

    @override
    def field_is_present(self, field: Any) -> bool:
        """Leave out what a dataclass sets itself."""
        if self._is_by_path_alone(field.get("validation_alias")):
            raise ValueError(
                f"a field is read from the path {field['validation_alias']} alone, which its JSON "
                "schema does not show; give it a name, too: AliasChoices(AliasPath(...), 'name')."
            )
        return field.get("init") is not False and super().field_is_present(field)

    def _is_by_path_alone(self, alias: Any) -> bool:
        """Whether pydantic shows the name of a field that its class takes by no name."""
        is_by_name = self._config.validate_by_name or self._config.populate_by_name
        return is_array(alias) and not is_by_name and not any(map(_is_name, alias))

    @override
    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        """Tell the default of a factory that can make one thing only, such as `list`.

        The model needs it where null is not invited, and a union's member is chosen by it.
        """
        factory: Any = schema.get("default_factory")
        if any(factory is each for each in _EMPTY_FACTORIES):
            return factory()
        return super().get_default_value(schema)

    @override
    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> Schema:
        made = {**super().typed_dict_schema(schema), TYPED_DICT: True}
        if "extras_schema" in schema:  # which earlier versions of pydantic do not tell
            made["additionalProperties"] = self.generate_inner(schema["extras_schema"])
        return made


def _is_name(path: Any) -> bool:
    """Whether one of several aliases is a name, and no path."""
    return is_array(path) and len(path) == 1 and isinstance(path[0], str)


def no_schema(schema: Any) -> OpenRouterInputError:
    return OpenRouterInputError(
        f"schema: {schema!r} is not a schema; pass a Pydantic class, dataclass, TypedDict or a "
        "JSON schema."
    )
