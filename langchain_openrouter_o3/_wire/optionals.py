"""Optional properties in answers: the null that stands for an absent one is taken out again."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.schema import resolve_ref, walk
from langchain_openrouter_o3._wire.strict_schema import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_openrouter_o3._wire.schema import Schema


def has_optionals(schema: Schema) -> bool:
    """Whether null may stand for an absent property anywhere in a schema made strict."""
    return any(ABSENT in node for _, node in walk(schema))


class OptionalsRestorer:
    """Turns what strict mode had to return into what the caller's schema says."""

    def __init__(self, schema: Schema) -> None:
        """Take a schema made strict, with its marks."""
        self._root = schema

    def restore(self, value: Any) -> Any:
        """Take out each null that stands for an absent property."""
        return self._restore(value, self._root)

    def _restore(self, value: Any, schema: Schema) -> Any:
        if not is_object(value) and not is_array(value):
            return value
        options = list(self._options(schema, ()))
        if len(options) > 1:
            options = self._fitting(value, options)
        # Null may be a value for one member and absence for another: a value is taken first.
        restored = [self._inside(value, option) for option in options]
        return next((each for each in restored if each == value), (restored or [value])[0])

    def _inside(self, value: Any, shape: Schema) -> Any:
        if is_array(value):
            items = shape.get("items", {})
            return [self._restore(item, items) for item in value]
        properties = shape.get("properties", {})
        return {
            name: self._restore(item, properties.get(name, {}))
            for name, item in value.items()
            if item is not None or ABSENT not in properties.get(name, {})
        }

    def _fitting(self, value: Any, options: list[Schema]) -> list[Schema]:
        """Choose the members of a union that a value fits as a whole."""
        fitting = [each for each in options if self._whole.evolve(schema=each).is_valid(value)]
        # An answer that is still growing, or was not held to the schema, lacks properties.
        return fitting or [
            each for each in options if self._partial.evolve(schema=each).is_valid(value)
        ]

    def _options(self, schema: Schema, seen: tuple[str, ...]) -> Iterator[Schema]:
        """Give a schema, or the members of its unions, references followed."""
        reference = schema.get("$ref")
        if reference is not None:
            if reference not in seen:
                target = resolve_ref(reference, self._root)
                yield from self._options(target, (*seen, reference))
        elif "anyOf" in schema:
            for option in schema["anyOf"]:
                yield from self._options(option, seen)
        elif schema.get("type") != "null":
            yield schema

    @cached_property
    def _whole(self) -> Any:
        from jsonschema import Draft202012Validator  # noqa: PLC0415 - takes 45 ms

        return Draft202012Validator(self._root)

    @cached_property
    def _partial(self) -> Any:
        from jsonschema import validators  # noqa: PLC0415 - same

        lenient: Any = validators.extend(type(self._whole), {"required": None})  # type: ignore[no-untyped-call]
        return lenient(self._root)
