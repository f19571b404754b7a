"""The order of properties in unions: OpenAI tells the members of an `anyOf` by their first keys.

Source: the error "Objects provided via 'anyOf' must not share identical first keys", which names
both ways out: a discriminator in the first place, or another order of the properties.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import encode
from langchain_openrouter_o3._wire.schemas.json_schema import ABSENT, resolve_ref, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_openrouter_o3._wire.schemas.json_schema import Schema

_MAX_TRIES = 10_000
"""Of keys; where no choice is right, their number would grow with the factorial of members."""


def separate_first_keys(root: Schema) -> list[str]:
    """Reorder the properties of unions' members in place so that their first keys differ.

    A tag that is a constant, or has a default, is made required: null would untag its object.

    Args:
        root: A strict schema, with its marks.

    Returns:
        What could not be told apart, with paths.
    """
    unions = [(path, _members(node, root)) for path, node in walk(root) if "anyOf" in node]
    first_keys = _FirstKeys([members for _, members in unions], root)
    first_keys.move()
    return [
        f"{path}: members of a union begin with the same property, and none of their properties "
        "tells them apart; give each a property with a constant of its own"
        for path, members in unions
        if not first_keys.differ(members)
    ]


def _members(union: Schema, root: Schema, seen: tuple[str, ...] = ()) -> list[Schema]:
    """Return the objects of a union, those of inner unions too, references followed."""
    found: list[Schema] = []
    for option in union["anyOf"]:
        reference = option.get("$ref")
        if reference in seen:
            continue
        member = option if reference is None else resolve_ref(reference, root)
        if "anyOf" in member:
            found += _members(member, root, (*seen, *([reference] if reference else [])))
        elif member.get("properties"):
            found.append(member)
    return [member for place, member in enumerate(found) if not _is_among(member, found[:place])]


def _values(schema: Schema) -> Sequence[Any]:
    return [schema["const"]] if "const" in schema else schema.get("enum", ())


def _is_among(member: Schema, others: Sequence[Schema]) -> bool:
    return any(member is other for other in others)


class _FirstKeys:
    """Chooses first keys for all unions together: an object may be a member of several."""

    def __init__(self, unions: Sequence[list[Schema]], root: Schema) -> None:
        self._root = root
        self._chosen: dict[int, str] = {}  # by the identities of members
        self._rivals: dict[int, list[Schema]] = {}
        self._candidates: dict[int, list[str]] = {}
        self._tries = _MAX_TRIES
        for members in unions:
            for member in members:
                self._chosen[id(member)] = next(iter(member["properties"]))
                others = [other for other in members if other is not member]
                self._rivals.setdefault(id(member), []).extend(others)

    def differ(self, members: Sequence[Schema]) -> bool:
        """Whether the chosen keys tell members apart."""
        pairs = itertools.combinations(members, 2)
        return all(self._is_apart(one, self._first(one), other) for one, other in pairs)

    def move(self) -> None:
        """Choose keys and put them first."""
        for members in self._groups():
            if not self.differ_from_rivals(members):
                self._choose(members)
            for member in members:
                self._put_first(member)

    def differ_from_rivals(self, members: Sequence[Schema]) -> bool:
        """Whether the chosen keys tell each member from those with which it shares a union."""
        return all(
            self._is_apart(member, self._first(member), rival)
            for member in members
            for rival in self._rivals[id(member)]
        )

    def _groups(self) -> Iterator[list[Schema]]:
        """Give the members that depend on each other's keys."""
        seen: set[int] = set()
        for rivals in [*self._rivals.values()]:
            group: list[Schema] = []
            waiting = [*rivals]
            while waiting:
                member = waiting.pop(0)
                if id(member) not in seen:
                    seen.add(id(member))
                    group.append(member)
                    waiting += self._rivals[id(member)]
            yield group

    def _choose(self, members: list[Schema]) -> None:
        before = dict(self._chosen)
        for member in members:
            del self._chosen[id(member)]
        if not self._search(members):
            self._chosen = before

    def _search(self, members: list[Schema]) -> bool:
        if not members:
            return True
        member, *others = members
        if id(member) not in self._candidates:  # which the choices for others do not change
            self._candidates[id(member)] = self._ranked(member)
        for name in self._candidates[id(member)]:
            self._tries -= 1
            if self._tries < 0:
                break
            self._chosen[id(member)] = name
            if self.differ_from_rivals([member]) and self._search(others):
                return True
        self._chosen.pop(id(member), None)
        return False

    def _ranked(self, member: Schema) -> list[str]:
        """Order the keys of a member: those that few rivals have come first, then tags."""

        def rank(name: str) -> tuple[int, bool]:
            rivals = [each for each in self._rivals[id(member)] if name in each["properties"]]
            clashes = [each for each in rivals if not self._tells_apart(name, member, each)]
            return len(clashes), not self._tags(member, name)

        return sorted(member["properties"], key=rank)

    def _is_apart(self, member: Schema, name: str, rival: Schema) -> bool:
        """Whether a first key tells a member from a rival; one without a key does not mind."""
        other = self._chosen.get(id(rival))
        return other != name or self._tells_apart(name, member, rival)

    def _tells_apart(self, name: str, one: Schema, other: Schema) -> bool:
        """Whether two objects name all values of a property, and share none."""
        tags, others = self._tags(one, name), self._tags(other, name)
        return bool(tags and others and not tags & others)

    def _tags(self, member: Schema, name: str) -> set[bytes]:
        schema = self._unwrapped(member["properties"][name])
        return {encode(value) for value in _values(schema)}

    def _put_first(self, member: Schema) -> None:
        first = self._first(member)
        properties = {
            name: self._unwrapped(child) if self._is_tag(name, member) else child
            for name, child in member["properties"].items()
        }
        member["properties"] = {first: properties[first], **properties}
        member["required"] = list(member["properties"])

    def _unwrapped(self, schema: Schema) -> Schema:
        """Return a property without what hides its values: null for a default, references."""
        if ABSENT in schema:
            present = self._unwrapped(schema[ABSENT]["present"])
            is_known = "default" in schema[ABSENT] or len(_values(present)) == 1
            return present if is_known else schema
        while "$ref" in schema or len(schema.get("anyOf", ())) == 1:
            around = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf")}
            is_reference = "$ref" in schema
            inner = resolve_ref(schema["$ref"], self._root) if is_reference else schema["anyOf"][0]
            schema = {**inner, **around}
        return schema

    def _is_tag(self, name: str, member: Schema) -> bool:
        """Whether the values of a property tell an object from another of its unions."""
        rivals = [rival for rival in self._rivals[id(member)] if name in rival["properties"]]
        return any(self._tells_apart(name, member, rival) for rival in rivals)

    def _first(self, member: Schema) -> str:
        return self._chosen[id(member)]
