"""How a schema is shown that goes to nobody's model: in traces, and by pydantic."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import CoreRef, GenerateJsonSchema
from pydantic_core import CoreSchema

from langchain_openrouter_o3._wire.schemas.json_schema import (
    Schema,
    clean_name,
    is_recursive,
    resolve_ref,
    walk,
    without_titles,
)


def flat(schema: Schema) -> Schema:
    """Put definitions in the place of the references to them, if that comes to an end."""
    bare = deepcopy(without_titles(schema))
    if is_recursive(bare):
        return bare
    expanded = _without_definitions(bare)
    for _, node in walk(expanded):
        while "$ref" in node:
            target = deepcopy(resolve_ref(node.pop("$ref"), bare))
            node.update({**target, **node})
    return expanded


def without_openness(schema: Schema) -> Schema:
    """Leave out that other keys are let pass: without the keyword it means the same."""
    shown = deepcopy(schema)
    for _, node in walk(shown):
        if node.get("additionalProperties") is True:
            del node["additionalProperties"]
    return shown


def _without_definitions(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}


@dataclass(frozen=True, eq=False)  # of a dictionary, which has no hash
class ShownSchema:
    """Lets pydantic show a JSON schema, as `WithJsonSchema` does, but with its references."""

    schema: Schema

    def __get_pydantic_json_schema__(self, of_type: CoreSchema, handler: Any) -> Schema:
        del of_type
        return self._show(self.schema, handler.generate_json_schema)

    def _show(self, schema: Schema, generator: GenerateJsonSchema) -> Schema:
        shown = deepcopy(_without_definitions(schema))
        references = {id(node): node for _, node in walk(shown) if "$ref" in node}
        for node in references.values():
            node["$ref"] = self._define(node["$ref"], generator)
        return shown

    def _define(self, reference: str, generator: GenerateJsonSchema) -> str:
        """Give pydantic what a reference points to, and return pydantic's reference to it."""
        last = self.schema.get("title", "") if reference == "#" else reference.rsplit("/", 1)[-1]
        # pydantic shows what is before the colon; the rest tells it from others of that name.
        identity = f"{clean_name(str(last))}:{id(self)}{reference.encode().hex()}"
        key, pointer = generator.get_cache_defs_ref_schema(CoreRef(identity))
        if key not in generator.definitions:
            generator.definitions[key] = {}  # it may hold itself
            target = resolve_ref(reference, self.schema)
            generator.definitions[key] = self._show(target, generator)
        found: str = pointer["$ref"]
        return found
