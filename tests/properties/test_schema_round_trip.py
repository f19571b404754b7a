"""Generated schemas of all kinds: what goes out is strict, what comes back is what was meant."""

from __future__ import annotations

import itertools
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterOutputError
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.schema_descriptions import (
    Absent,
    Choice,
    Description,
    Json,
    Ref,
    UnionOf,
    all_types,
    descriptions,
    objects,
    replaced,
    with_defaults,
    with_nulls,
    with_tags,
    without_absent,
)
from tests.helpers.schema_kinds import KINDS, JSONSchema, PythonKind
from tests.helpers.strict_rules import Schema, broken_rules, in_order

Kind = PythonKind | JSONSchema
Method = Literal["json_schema", "function_calling"]
PROMPT = "Answer as JSON."
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "40"))
WRONG: list[Json] = [
    *(None, True, 7, -0.5, "?", [], {}, [None], {"?": None}),
    *("tag0", "tag1", "word1"),  # of other members
]
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
EVENTS = {"content-type": "text/event-stream"}


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    """An emulator for all examples of this module."""
    with Emulator() as emulator:
        yield emulator


@dataclass
class Case:
    """A description, an object with its absent properties, and how they are written and asked."""

    description: Description
    value: Json
    choice: int
    method: Method
    cuts: list[int]


@st.composite
def cases(draw: st.DrawFn, kind: Kind) -> Case:
    """Draw a case of a kind."""
    drawn = descriptions([*kind.leaves], has_nulls=kind.has_nulls, has_defaults=kind.has_defaults)
    description = draw(drawn)
    return Case(
        description,
        draw(objects(description.root, description)),
        draw(st.integers(0, 127)),
        draw(st.sampled_from(["json_schema", "function_calling"])),
        draw(st.lists(st.integers(0, 500), max_size=3)),
    )


class Conversation:
    """One structured chain, and answers that a test gives it."""

    def __init__(self, server: Emulator, case: Case, target: Any) -> None:
        server.reset()
        self._server = server
        self._case = case
        self._name = case.description.root.name
        model = ChatOpenRouterO3(base_url=server.base_url, api_key=KEY, max_retries=0)
        with warnings.catch_warnings(record=True) as self.warnings:
            warnings.simplefilter("always")
            self._chain = model.with_structured_output(target, method=case.method)

    @property
    def sent(self) -> dict[str, Any]:
        """The envelope or the function of the last request."""
        body = self._server.requests[-1].body
        assert body is not None
        if self._case.method == "function_calling":
            function: dict[str, Any] = body["tools"][0]["function"]
            return {**function, "schema": function["parameters"]}
        envelope: dict[str, Any] = body["response_format"]["json_schema"]
        return envelope

    def look(self) -> None:
        """Send something, for its schema."""
        with pytest.raises(OpenRouterOutputError):
            self.ask("{")

    def ask(self, text: str) -> Any:
        """Invoke the chain and let the server answer with a text."""
        if self._case.method == "function_calling":
            calls = [wire.tool_call(self._name, text)]
            body = wire.body(None, finish="tool_calls", tool_calls=calls)
        else:
            body = wire.body(text)
        self._server.play(Canned(pieces=wire.to_json(body)))
        return self._chain.invoke(PROMPT)

    def stream(self, text: str) -> Any:
        """Stream the chain, let the server answer with pieces of a text, and take the last."""
        pieces = [piece.decode(errors="replace") for piece in self._split(text)]
        if self._case.method == "function_calling":
            deltas = wire.tool_deltas(self._name, pieces)
            chunks = [*map(wire.tool_chunk, deltas), *wire.ending("tool_calls")]
        else:
            chunks = [*map(wire.chunk, pieces), *wire.ending()]
        self._server.play(Canned(headers=EVENTS, pieces=wire.sse(*chunks)))
        *_, last = self._chain.stream(PROMPT)
        return last

    def _split(self, text: str) -> list[bytes]:
        assert text.isascii()
        return wire.split(text.encode(), *self._case.cuts)


def seen(value: Any) -> str:
    """Show everything of a value but the order of keys in dictionaries."""
    return json.dumps(value, sort_keys=True, default=repr)


def told(value: Json, schema: Schema) -> Json:
    """Write the default of absent properties where the schema invites no null: it tells it."""

    def write(absent: Absent) -> Json:
        properties = schema.get("$defs", {}).get(absent.record, schema)["properties"]
        invites = Draft202012Validator(schema).evolve(schema=properties[absent.name])
        return absent if invites.is_valid(None) else absent.default

    return replaced(value, write)


class FirstKeys:
    """Tries all first keys of unions' members, to see whether some tell them apart."""

    def __init__(self, description: Description, *, has_defaults: bool) -> None:
        self._records = description.records
        self._has_defaults = has_defaults
        unions = [each for each in all_types(description) if isinstance(each, UnionOf)]
        self._unions = [[m.name for m in each.members if isinstance(m, Ref)] for each in unions]
        members = itertools.chain(*(union for union in self._unions if len(union) > 1))
        self._members = [*dict.fromkeys(members)]

    def exist(self, chosen: Mapping[str, str] = MappingProxyType({})) -> bool:
        """Whether keys can be chosen for the members that have none yet."""
        if len(chosen) == len(self._members):
            return True
        record = self._records[self._members[len(chosen)]]
        choices = ({**chosen, record.name: field.name} for field in record.fields)
        return any(self._differ(each) and self.exist(each) for each in choices)

    def _differ(self, chosen: Mapping[str, str]) -> bool:
        unions = [[name for name in union if name in chosen] for union in self._unions]
        pairs = itertools.chain(*(itertools.combinations(union, 2) for union in unions))
        return all(
            chosen[one] != chosen[other]
            or self._are_apart(self._constants(one, chosen), self._constants(other, chosen))
            for one, other in pairs
        )

    def _are_apart(self, one: set[Json], other: set[Json]) -> bool:
        return bool(one and other and not one & other)

    def _constants(self, record: str, chosen: Mapping[str, str]) -> set[Json]:
        (field,) = (each for each in self._records[record].fields if each.name == chosen[record])
        if not isinstance(field.type, Choice):
            return set()
        is_known = field.presence == "default" and self._has_defaults
        is_given = is_known or field.presence == "required" or len(field.type.values) == 1
        return {*field.type.values} if is_given else set()


@dataclass
class Damage:
    """Something else at one place of a JSON value.

    Attributes:
        path: Where.
        wrong: What is written there; None drops the key or the item.
    """

    path: tuple[str | int, ...]
    wrong: tuple[Json] | None

    def done(self, value: Json) -> Json:
        """Return a damaged copy of a value."""
        if not self.path:
            return self.wrong[0] if self.wrong else None
        whole = json.loads(json.dumps(value))
        part = whole
        for step in self.path[:-1]:
            part = part[step]
        if self.wrong is None:
            del part[self.path[-1]]
        else:
            part[self.path[-1]] = self.wrong[0]
        return whole


def places(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Give the paths of all parts of a JSON value."""
    yield path
    parts: list[tuple[str | int, Json]] = []
    if isinstance(value, (dict, list)):
        parts = [*(value.items() if isinstance(value, dict) else enumerate(value))]
    for key, part in parts:
        yield from places(part, (*path, key))


@st.composite
def damages(draw: st.DrawFn, value: Json) -> Damage:
    """Draw some damage of a value."""
    path = draw(st.sampled_from([*places(value)]))
    return Damage(path, draw(st.none() | st.sampled_from(WRONG).map(lambda wrong: (wrong,))))


def refused(case: Case, made: Any, meant: dict[str, Json]) -> Iterator[str]:
    """Give the keys without which the caller's own class refuses an object."""
    for field in case.description.root.fields:
        rest = {key: value for key, value in meant.items() if key != field.name}
        try:
            made.own(json.dumps(rest))
        except (ValueError, ValidationError):
            yield field.name


class Exchange:
    """What a case sends, and the right answer to it.

    Attributes:
        schema: As it was sent.
        is_strict: Whether it was sent as strict.
        meant: The object without its absent properties.
        answer: The same as the server writes it.
    """

    def __init__(self, case: Case, kind: Kind, conversation: Conversation) -> None:
        conversation.look()
        self.schema: Schema = conversation.sent["schema"]
        self.is_strict = conversation.sent["strict"]
        if not self.is_strict:
            self.meant = self.answer = without_absent(with_tags(case.value))
            return
        value = told(case.value, self.schema)
        self.answer = in_order(with_nulls(value), self.schema, self.schema)
        # A class chooses a union's member by what is there: it is asked with all of it.
        self.meant = without_absent(value if kind.is_dictionary else with_defaults(value))

    def fits(self, answer: Json) -> bool:
        """Whether an answer is valid under what was sent."""
        return Draft202012Validator(self.schema).is_valid(answer)


@every_kind
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_what_goes_out_is_strict_and_what_comes_back_is_what_was_meant(
    server: Emulator, kind: Kind, data: st.DataObject
) -> None:
    case = data.draw(cases(kind))
    with kind.make(case.description, case.choice) as made:
        conversation = Conversation(server, case, made.target)
        exchange = Exchange(case, kind, conversation)
        text = json.dumps(exchange.answer)
        note(f"{made.text}\n{json.dumps(exchange.schema)}\n{text}")
        can_be_strict = FirstKeys(case.description, has_defaults=kind.has_defaults).exist()
        assert exchange.is_strict or not can_be_strict
        assert exchange.is_strict == (not conversation.warnings)
        if exchange.is_strict:
            assert broken_rules(exchange.schema) == []
            assert exchange.fits(exchange.answer)
        else:
            # Not held to the schema, a null may be the value of one member of a union and stand
            # for an absent property of another: docs/tools-and-structured-output.md.
            assume(": null" not in json.dumps(exchange.meant))
        expected = made.own(json.dumps(exchange.meant))
        assert seen(conversation.ask(text)) == seen(expected)
        assert seen(conversation.stream(text)) == seen(expected)
        for name in refused(case, made, exchange.meant):
            broken = {key: value for key, value in exchange.answer.items() if key != name}
            with pytest.raises(OpenRouterOutputError, match="does not fit"):
                conversation.ask(json.dumps(broken))


@every_kind
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_an_answer_that_does_not_fit_is_an_error_and_never_another_object(
    server: Emulator, kind: Kind, data: st.DataObject
) -> None:
    case = data.draw(cases(kind))
    with kind.make(case.description, case.choice) as made:
        conversation = Conversation(server, case, made.target)
        exchange = Exchange(case, kind, conversation)
        damage = data.draw(damages(without_absent(case.value)))
        answer, meant = damage.done(exchange.answer), damage.done(exchange.meant)
        assume(not exchange.fits(answer))
        # Models write null for optional properties even where nothing invites it.
        assume(exchange.is_strict or damage.wrong != (None,))
        text = json.dumps(answer)
        note(f"{made.text}\n{json.dumps(exchange.schema)}\n{text}")
        for ask in (conversation.ask, conversation.stream):
            try:
                found = seen(ask(text))
            except OpenRouterOutputError:
                continue
            # The caller's own class may take what OpenAI's mode would not have written.
            assert found == seen(made.own(json.dumps(meant)))
