"""The order of properties in unions: OpenAI tells the members of an `anyOf` by their first keys.

Source: the error "Objects provided via 'anyOf' must not share identical first keys", which names
both ways out: a discriminator in the first place, or another order of the properties.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import encode
from langchain_openrouter_o3._wire.schema import resolve_ref, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_openrouter_o3._wire.schema import Schema


def separate_first_keys(root: Schema) -> list[str]:
    """Reorder the properties of unions' members in place so that their first keys differ.

    Args:
        root: A strict schema.

    Returns:
        What could not be told apart, with paths.
    """
    unions = [(path, _members(node, root)) for path, node in walk(root) if "anyOf" in node]
    for _, members in unions:
        _separate(members, root)
    # Only now: a definition may stand in several unions, and each orders it.
    return [
        f"{path}: members of a union begin with the same property, and none of their properties "
        "tells them apart; give each a property with a constant of its own"
        for path, members in unions
        if not _differ([(member, _first(member)) for member in members], root)
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


def _is_among(member: Schema, others: Sequence[Schema]) -> bool:
    return any(member is other for other in others)


def _separate(members: list[Schema], root: Schema) -> None:
    if _differ([(member, _first(member)) for member in members], root):
        return
    for name in members[0]["properties"]:
        tagged = [(member, name) for member in members if name in member["properties"]]
        if len(tagged) == len(members) and _differ(tagged, root):
            break
    else:
        nothing: list[tuple[Schema, str]] = []
        tagged = next(_choices(members, [], root), nothing)
    for member, name in tagged:
        properties = member["properties"]
        member["properties"] = {name: properties[name], **properties}
        member["required"] = list(member["properties"])


def _choices(
    members: list[Schema], chosen: list[tuple[Schema, str]], root: Schema
) -> Iterator[list[tuple[Schema, str]]]:
    """Give a first property to each member so that all differ, by trying."""
    if len(chosen) == len(members):
        yield chosen
        return
    member = members[len(chosen)]
    for name in member["properties"]:
        pair = (member, name)
        if all(_differ([other, pair], root) for other in chosen):
            yield from _choices(members, [*chosen, pair], root)


def _differ(firsts: list[tuple[Schema, str]], root: Schema) -> bool:
    """Whether first properties differ by name, or by the constants that they may have."""
    return all(
        one[1] != other[1] or not (_tags(*one, root) & _tags(*other, root) or _untagged(one, root))
        for one, other in itertools.combinations(firsts, 2)
    )


def _untagged(first: tuple[Schema, str], root: Schema) -> bool:
    return not _tags(*first, root)


def _tags(member: Schema, name: str, root: Schema) -> set[bytes]:
    schema: Any = member["properties"][name]
    while "$ref" in schema or len(schema.get("anyOf", ())) == 1:
        schema = resolve_ref(schema["$ref"], root) if "$ref" in schema else schema["anyOf"][0]
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    return {encode(value) for value in values}


def _first(member: Schema) -> str:
    return str(next(iter(member["properties"])))
