"""Answers bound to a schema, and the values in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers.emulator_client import INTEGER, STRING, Chat, closed, tool, user

NUMBER = {"type": "number"}
BOOLEAN = {"type": "boolean"}
OPTIONAL = {"anyOf": [STRING, {"type": "null"}]}
PERSON = closed(name=STRING, born=INTEGER, city=STRING, profession=OPTIONAL)
ADA = {"name": "Ada Lovelace", "born": 1815, "city": "London", "profession": "mathematician"}


def array(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def loose(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "Loose", "schema": schema}}


def test_a_person_is_extracted(chat: Chat) -> None:
    assert chat.extract(PERSON, "Ada Lovelace, born 1815 in London, mathematician") == ADA


@pytest.mark.parametrize(
    "prompt",
    [
        "People: Ada Lovelace, born 1815 in London; Alan Turing, born 1912 in Maida Vale",
        "Ada Lovelace was born 1815 in London and Alan Turing was born 1912 in Maida Vale.",
        "People:\n- Ada Lovelace (born 1815 in London)\n- Alan Turing (born 1912 in Maida Vale)",
    ],
)
def test_several_persons_are_extracted(chat: Chat, prompt: str) -> None:
    schema = closed(people=array({"$ref": "#/$defs/Person"})) | {"$defs": {"Person": PERSON}}
    people = chat.extract(schema, prompt)["people"]
    assert [(each["name"], each["born"], each["city"]) for each in people] == [
        ("Ada Lovelace", 1815, "London"),
        ("Alan Turing", 1912, "Maida Vale"),
    ]


def test_the_answer_is_compact_json_alone(chat: Chat) -> None:
    text = chat.text("Tell me a joke about cats.", response_format=loose(closed(setup=STRING)))
    assert text == '{"setup":"an emulated setup about cats"}'


@pytest.mark.parametrize(
    ("prompt", "is_given"),
    [
        ("Give me the setup to a joke about cats, no punchline.", False),
        ("Give me a joke about cats, include the punchline.", True),
        ("Tell me a joke about cats.", False),
    ],
)
def test_an_optional_value_is_null_unless_the_prompt_wants_it(
    chat: Chat,
    prompt: str,
    is_given: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    joke = chat.extract(closed(setup=STRING, punchline=OPTIONAL), prompt)
    assert joke["setup"]
    assert (joke["punchline"] is not None) is is_given


@pytest.mark.parametrize(
    ("schema", "prompt", "value"),
    [
        (INTEGER, "There are 1,234 of them.", 1234),
        (INTEGER, "None at all", 1),
        (INTEGER | {"minimum": 10}, "3", 10),
        (INTEGER | {"exclusiveMinimum": 3, "maximum": 9}, "3", 4),
        (INTEGER | {"maximum": 9}, "12", 9),
        (NUMBER | {"exclusiveMaximum": 1}, "7", 0),
        (NUMBER, "It is -2.5 outside", -2.5),
        (INTEGER, "It was 2.9", 2),
        (BOOLEAN, "Yes", True),
        (BOOLEAN, "It has no value", False),
        (BOOLEAN, "value: false", False),
        (STRING | {"enum": ["red", "dark_green"]}, "A dark green one", "dark_green"),
        (STRING | {"enum": ["red", "green"]}, "A blue one", "red"),
        ({"type": ["string", "null"], "enum": ["red", None]}, "A blue one", None),
        ({"const": "fixed"}, "Anything", "fixed"),
        (STRING, "The value is 'as quoted'.", "as quoted"),
        (STRING, "value: as labelled, not more", "as labelled"),
        (STRING, "value = 3.5 or so. Really.", "3.5 or so"),
        (STRING, "A trip for Marie Curie", "Marie Curie"),
        (STRING | {"maxLength": 3}, "'abcdef'", "abc"),
        (STRING | {"minLength": 5}, "'abc'", "abc.."),
        (STRING | {"pattern": "("}, "'abc'", "abc"),
        (STRING | {"pattern": "(", "maxLength": 0}, "'abc'", ""),
        (STRING | {"format": "date"}, "On 2026-02-03.", "2026-02-03"),
        (STRING | {"format": "date"}, "Some day", "2025-01-31"),
        (STRING | {"format": "date-time"}, "At 2026-02-03T04:05:06Z", "2026-02-03T04:05:06Z"),
        (STRING | {"format": "time"}, "Now", "12:00:00Z"),
        (STRING | {"format": "email"}, "Write to ada@love.lace!", "ada@love.lace"),
        (STRING | {"format": "email"}, "Write!", "ada@example.com"),
        (STRING | {"format": "uri"}, "See https://a.example/b?c", "https://a.example/b?c"),
        ({"type": "null"}, "Anything", None),
        ({"type": ["integer", "null"]}, "Nothing", None),
        ({"type": ["integer", "null"]}, "Just 4", 4),
        ({"oneOf": [INTEGER, STRING]}, "7", 7),
        ({"allOf": [STRING, {"description": "A text."}]}, "'x'", "x"),
        (
            {"allOf": [closed(a=INTEGER), closed(b=INTEGER)], "description": "Both."},
            "1 and 2",
            {"a": 1, "b": 2},
        ),
        (array(STRING), "'a', 'b' and 'c'", ["a", "b", "c"]),
        (array(STRING), "Paris, Rome and Berlin", ["Paris", "Rome", "Berlin"]),
        (array(STRING), "Paris or Rome, but mostly Oslo", ["Paris", "Rome"]),
        (array(array(INTEGER)), "1, 2", [[1, 2]]),
        (array(STRING), "value: red, green and blue", ["red", "green", "blue"]),
        (array(INTEGER), "1, 2 and 3", [1, 2, 3]),
        (array(INTEGER, maxItems=2), "1, 2 and 3", [1, 2]),
        (array(INTEGER, minItems=2), "Just 7", [7, 1]),
        (array(STRING | {"enum": ["a1", "b2"]}), "b2 and a1", ["a1", "b2"]),
        ({"type": "object"}, "Anything", {}),
        ({"properties": {"n": INTEGER}, "required": ["n"]}, "5", {"n": 5}),
    ],
)
def test_a_value_fits_its_schema(
    chat: Chat, schema: dict[str, Any], prompt: str, value: Any
) -> None:
    whole = {"type": "object", "properties": {"value": schema}, "required": ["value"]}
    assert json.loads(chat.text(prompt, response_format=loose(whole))) == {"value": value}


def test_properties_share_the_evidence(chat: Chat) -> None:
    trip = closed(
        origin=STRING,
        destination=STRING,
        departure_date=STRING | {"format": "date"},
        passengers=INTEGER,
        price=NUMBER,
    )
    prompt = "Fly to New York from Berlin on 2026-03-04: price 99.5, 2 passengers."
    assert chat.extract(trip, prompt) == {
        "origin": "Berlin",
        "destination": "New York",
        "departure_date": "2026-03-04",
        "passengers": 2,
        "price": 99.5,
    }
    name = closed(first_name=STRING, last_name=STRING, topic=STRING, email=OPTIONAL)
    assert chat.extract(name, "Write to Grace Hopper (g@navy.mil) about compilers.") == {
        "first_name": "Grace",
        "last_name": "Hopper",
        "topic": "compilers",
        "email": "g@navy.mil",
    }


def test_optional_keys_are_left_out_when_nothing_is_known(chat: Chat) -> None:
    search = tool("search", "Search.", query=STRING, limit=INTEGER, filter=STRING)
    search["function"]["parameters"]["required"] = ["query"]
    assert chat.calls("Search for 'cats'", tools=[search]) == [("search", {"query": "cats"})]
    assert chat.calls("Search for cats, limit 5", tools=[search]) == [
        ("search", {"query": "Search for cats, limit 5", "limit": 5})
    ]


def test_a_name_of_no_words_and_an_absent_link_do_no_harm(chat: Chat) -> None:
    assert chat.extract(closed(_=INTEGER, url=OPTIONAL), "Take 5") == {"_": 5, "url": None}


def test_recursion_comes_to_an_end(chat: Chat) -> None:
    node = closed(name=STRING, children=array({"$ref": "#/$defs/Node"}))
    node["properties"]["parent"] = {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}
    node["required"].append("parent")
    schema = closed(root={"$ref": "#/$defs/Node"}) | {"$defs": {"Node": node}}
    assert chat.extract(schema, "A tree named 'Oak'") == {
        "root": {"name": "Oak", "children": [], "parent": None}
    }
    own = closed(value=STRING, next={"anyOf": [{"$ref": "#"}, {"type": "null"}]})
    assert chat.extract(own, "next: 'a'")["next"]["next"] is None


def test_a_union_takes_the_branch_that_the_prompt_names(chat: Chat) -> None:
    pets = [closed(meow=STRING) | {"title": "Cat"}, closed(bark=STRING) | {"title": "Dog"}]
    schema = closed(pet={"anyOf": pets})
    assert list(chat.extract(schema, "I have a dog.")["pet"]) == ["bark"]
    assert list(chat.extract(schema, "I have one.")["pet"]) == ["meow"]


def test_tool_results_are_evidence_too(chat: Chat) -> None:
    function = {"name": "get_weather", "arguments": "{}"}
    messages = [
        user("How is Oslo?"),
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "conditions: snow, degrees: -4"},
    ]
    schema = closed(conditions=STRING, degrees=INTEGER)
    text = chat.text(messages, response_format=loose(schema))
    assert json.loads(text) == {"conditions": "snow", "degrees": -4}


JSON_MODE = {"type": "json_object"}


def test_json_mode_has_the_keys_that_the_prompt_names(chat: Chat) -> None:
    prompt = (
        "Tell me a joke about cats. Return the result as a JSON with 'setup' and 'punchline' keys."
    )
    assert json.loads(chat.text(prompt, response_format=JSON_MODE)) == {
        "setup": "an emulated setup about cats",
        "punchline": "an emulated punchline about cats",
    }


def test_json_mode_follows_the_last_schema_in_the_messages(chat: Chat) -> None:
    example = json.dumps({"properties": {"foo": STRING}})
    schema = json.dumps(closed(n=INTEGER))
    system = f"Answer in JSON by a schema like {example}; braces {{ do no harm. Yours: {schema}"
    messages = [{"role": "system", "content": system}, user("Take 12.")]
    assert json.loads(chat.text(messages, response_format=JSON_MODE)) == {"n": 12}


def test_json_mode_without_any_hint_has_one_key(chat: Chat) -> None:
    assert list(json.loads(chat.text("JSON, please", response_format=JSON_MODE))) == ["answer"]
