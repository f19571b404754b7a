"""Optional properties in answers: the null that stands for an absent one is taken out again."""

from __future__ import annotations

from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.schemas.json_schema import (
    ABSENT,
    POSITIONS,
    accepts_null,
    resolve_ref,
    walk,
)
from langchain_openrouter_o3._wire.schemas.values import validators

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from langchain_openrouter_o3._wire.schemas.json_schema import Schema


TYPED_DICT = "x-typed-dict"
"""Marks the object of a TypedDict, whose absent keys stay absent. It is never sent."""


def require_unseen_defaults(root: Schema) -> None:
    """Require the properties of unions' members whose default JSON does not show.

    Such a default (of a factory, an infinity) cannot be put where null stood, and without the
    property pydantic would take the object for an earlier member. So the model has to give it.

    Args:
        root: The schema of a class, which is changed.
    """
    for _, node in walk(root):
        options = [
            resolve_ref(each["$ref"], root) if "$ref" in each else each for each in _union(node)
        ]
        members = [each for each in options if each.get("properties")]
        for place, member in enumerate(members):
            unseen = [name for name in member["properties"] if _is_unseen(name, member, root)]
            told = member["properties"].keys() - set(unseen)
            if unseen and any(_takes(each, told) for each in members[:place]):
                member["required"] = [*member.get("required", ()), *unseen]
    for _, node in walk(root):
        node.pop(TYPED_DICT, None)


def _union(schema: Schema) -> list[Schema]:
    return [each for key in ("anyOf", "oneOf") for each in schema.get(key, ()) if is_object(each)]


def _is_unseen(name: str, member: Schema, root: Schema) -> bool:
    schema = member["properties"][name]
    if TYPED_DICT in member or name in member.get("required", ()) or not is_object(schema):
        return False
    return schema.get("default") is None and not accepts_null(schema, root)


def _takes(member: Schema, told: AbstractSet[str]) -> bool:
    """Whether an object with these properties is as much this member as any other."""
    return told >= set(member.get("required", ())) and told <= set(member["properties"])


def has_optionals(schema: Schema) -> bool:
    """Whether null may stand for an absent property anywhere in a schema made strict."""
    return any(ABSENT in node for _, node in walk(schema))


class _Memo:
    """What was found of the parts of one answer, by identity: both outlive it.

    A part of a recursive union is looked at once for each member at every level above it; without
    this the time doubles with each level.
    """

    def __init__(self) -> None:
        self.restored: dict[tuple[int, int], Any] = {}
        self._fits: dict[tuple[Any, int, int], bool] = {}

    def fits(self, validator: Any, value: Any, schema: Schema) -> bool:
        """Whether a value fits a schema."""
        key = (validator.__class__, id(value), id(schema))
        if key not in self._fits:
            self._fits[key] = validator.evolve(schema=schema).is_valid(value)
        return self._fits[key]


_MEMO: ContextVar[_Memo] = ContextVar("openrouter_restored")
"""Of the answer that is being restored; jsonschema hands its keywords nothing of ours."""


class OptionalsRestorer:
    """Turns what strict mode had to return into what the caller's schema says."""

    def __init__(self, schema: Schema, *, is_for_class: bool = False) -> None:
        """Take a schema made strict, with its marks.

        Args:
            schema: With the marks.
            is_for_class: Whether a class takes what is restored, and chooses the members of
                unions itself: where it might choose others, it is given defaults.
        """
        self._root = schema
        self._is_for_class = is_for_class

    def restore(self, value: Any) -> Any:
        """Take out each null that stands for an absent property."""
        token = _MEMO.set(_Memo())
        try:
            return self._restore(value, self._root)
        finally:
            _MEMO.reset(token)

    def _restore(self, value: Any, schema: Schema) -> Any:
        if not is_object(value) and not is_array(value):
            return value
        known, key = _MEMO.get().restored, (id(value), id(schema))
        if key not in known:
            known[key] = self._restored(value, schema)
        return known[key]

    def _restored(self, value: Any, schema: Schema) -> Any:
        options = list(self._options(schema, ()))
        if len(options) < 2:  # noqa: PLR2004 - no choice
            return self._inside(value, (options or [{}])[0], {})
        # Null may be a value for one member and absence for another: a value is taken first.
        for option in (fitting := self._fitting(value, options)):
            if self._inside(value, option, {}) == value:
                return value
        if not fitting:
            return value
        chosen = fitting[0]
        restored = self._inside(value, chosen, {})
        # Its own validators are not meant for defaults, so a class is given those it needs alone.
        if any(self._takes(other, value, restored) for other in options if other is not chosen):
            return self._inside(value, chosen, self._defaults(fitting))
        return restored

    def _takes(self, member: Schema, value: Any, restored: Any) -> bool:
        """Whether a class may take an object for this member.

        It leaves out other keys, and what it needs cannot be told: a default may not be shown.
        """
        if not is_object(restored) or "properties" not in member:
            return False
        properties = member["properties"]
        return all(
            _MEMO.get().fits(self._partial, value[name], properties[name])
            for name in restored.keys() & properties.keys()
        )

    def _inside(self, value: Any, shape: Schema, defaults: Mapping[str, Any]) -> Any:
        if is_array(value):
            places, others = shape.get(POSITIONS, ()), shape.get("items", {})
            return [
                self._restore(item, places[place] if place < len(places) else others)
                for place, item in enumerate(value)
            ]
        properties, others = shape.get("properties", {}), shape.get("additionalProperties")
        restored: dict[str, Any] = {}
        for name, item in value.items():
            child = properties.get(name, others if is_object(others) else {})
            if item is not None or ABSENT not in child:
                restored[name] = self._restore(item, child)
            elif name in defaults:
                restored[name] = defaults[name]
        return restored

    def _defaults(self, fitting: Sequence[Schema]) -> dict[str, Any]:
        """Return the defaults that a class would take whichever of these members it chooses."""
        first, *others = map(self._defaults_of, fitting)
        return {
            name: default
            for name, default in first.items()
            if all(name in other and other[name] == default for other in others)
        }

    def _defaults_of(self, shape: Schema) -> dict[str, Any]:
        marked = {
            name: child
            for name, child in shape.get("properties", {}).items()
            if self._is_for_class and "default" in child.get(ABSENT, ())
        }
        return {
            name: child[ABSENT]["default"]
            for name, child in marked.items()
            if self._whole.evolve(schema=child).is_valid(child[ABSENT]["default"])
        }

    def _fitting(self, value: Any, options: list[Schema]) -> list[Schema]:
        """Choose the members of a union that a value fits as a whole."""
        fits = _MEMO.get().fits
        fitting = [each for each in options if fits(self._whole, value, each)]
        # An answer that is still growing, or was not held to the schema, lacks properties.
        fitting = fitting or [each for each in options if fits(self._partial, value, each)]
        # Where one value is wrong the keys tell the member, so that its class judges that value
        # alone: one of pydantic's first version would take another member for a null elsewhere.
        return fitting or [each for each in options if _names_all_keys(each, value)]

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
        return _validator(self._root, {})

    @cached_property
    def _partial(self) -> Any:
        return _validator(self._root, {"required": _let_pass})


def _validator(root: Schema, keywords: dict[str, Any]) -> Any:
    import jsonschema  # noqa: PLC0415 - takes 45 ms

    checks: Any = jsonschema
    keywords = {"anyOf": _fit_one, **keywords}
    return checks.validators.extend(validators(), keywords)(root)


def _fit_one(validator: Any, options: Any, value: Any, _: Any) -> Iterator[Any]:
    """Do what jsonschema does for `anyOf`, once for each value and member."""
    from jsonschema import ValidationError  # noqa: PLC0415 - same

    if not any(_MEMO.get().fits(validator, value, option) for option in options):
        yield ValidationError("no member fits")


def _let_pass(*_: Any) -> tuple[()]:
    """Find no errors. A keyword without a function would be called all the same."""
    return ()


def _names_all_keys(schema: Schema, value: Any) -> bool:
    return is_object(value) and value.keys() <= schema.get("properties", {}).keys()
