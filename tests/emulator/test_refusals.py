"""What the emulator refuses, and what it lets through."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.emulator_client import INTEGER, STRING, Chat, closed, strict, tool, user

WEATHER = tool("get_weather", "Get the weather.", city=STRING)
OPEN = "'additionalProperties' is required to be supplied and to be false."
INCOMPLETE = (
    "'required' is required to be supplied and to be an array including every key in properties."
)
ORPHAN = "No tool call found for function call output with call_id {}."
OPEN_CALL = "No tool output found for function call call_1."
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def call(name: str = "call_1", arguments: str = "{}") -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": name, "type": "function", "function": function}],
    }


def result(name: str = "call_1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": "sunny"}


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic abc", "sk-or-1"])
def test_a_missing_key_is_refused(chat: Chat, authorization: str) -> None:
    response = chat.client.post("/chat/completions", headers={"authorization": authorization})
    assert response.status_code == 401
    assert response.json() == {"error": {"message": "Missing Authentication header", "code": 401}}


def test_a_wrong_key_is_refused() -> None:
    with Emulator(api_key="right") as emulator:
        url = f"{emulator.base_url}/chat/completions"
        body = {"model": "openai/o3-mini", "messages": [user("Hello")]}
        answers = [
            httpx.post(url, json=body, headers={"authorization": f"Bearer {key}"})
            for key in ("wrong", "right")
        ]
    assert [answer.status_code for answer in answers] == [401, 200]
    assert set(answers[0].json()) == {"error"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(chat: Chat, content: bytes) -> None:
    response = chat.client.post("/chat/completions", content=content)
    assert response.status_code == 400
    assert response.json()["user_id"].startswith("user_")


@pytest.mark.parametrize(
    "slug",
    [
        "openai/o3-mini",
        "openai/o3-mini:nitro",
        "openai/o3-mini:floor",
        "openai/o3-mini:online",
        "openai/o3-mini:batch",
        "openai/o3-mini-2025-01-31",
        "openai/o4-mini-high",
    ],
)
def test_known_models_echo_the_slug_as_asked(chat: Chat, slug: str) -> None:
    assert chat.answer("Hello", model=slug)["model"] == slug


@pytest.mark.parametrize("slug", ["openai/o3-maxi", "o3-mini", "openai/o3-mini:cheap"])
def test_unknown_models_are_refused(chat: Chat, slug: str) -> None:
    error = chat.error("Hello", model=slug)
    assert error == {"message": f"{slug} is not a valid model ID", "code": 400}


def test_the_first_known_fallback_answers(chat: Chat) -> None:
    models = ["nobody/nothing", "openai/o4-mini", "openai/o3"]
    assert chat.answer("Hello", model=None, models=models)["model"] == "openai/o4-mini"
    assert chat.answer("Hello", model="openai/o3", models=models)["model"] == "openai/o3"
    error = chat.error("Hello", model=None, models=["a/b", "c/d"])
    assert error["message"] == "a/b is not a valid model ID"
    assert chat.error("Hello", model=None)["code"] == 400


@pytest.mark.parametrize("messages", [None, [], "Hello", ["Hello"]])
def test_missing_messages_are_refused(chat: Chat, messages: object) -> None:
    assert chat.error("", messages=messages)["code"] == 400


BROKEN_MESSAGES: list[dict[str, Any]] = [
    {"content": "Hello"},
    {"role": "pirate", "content": "Hello"},
    {"role": ["user"], "content": "Hello"},
    {"role": "user"},
    {"role": "user", "content": None},
    {"role": "system", "content": 1},
    {"role": "user", "content": ["Hello"]},
    {"role": "user", "content": [{"type": "thought", "thought": "?"}]},
    {"role": "user", "content": [{"type": {}}]},
    {"role": "user", "content": [{"type": "text", "text": None}]},
    {"role": "tool", "content": "sunny"},
    {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f"}}]},
    {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
    {"role": "assistant", "tool_calls": {"id": "a"}},
    {"role": "assistant", "tool_calls": ["a"]},
    {"role": "assistant", "reasoning_details": {"type": "reasoning.text"}},
    {"role": "assistant", "reasoning_details": ["a"]},
]


@pytest.mark.parametrize("message", BROKEN_MESSAGES)
def test_broken_messages_are_refused(chat: Chat, message: dict[str, Any]) -> None:
    error = chat.error([message])
    assert error["code"] == 400
    assert error["message"].startswith("messages.0")


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant"},
        {"role": "assistant", "content": []},
        {"role": "developer", "content": "Be brief.", "name": None},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}], "name": "ada"},
        {"role": "user", "content": [{"type": "file", "file": {"file_data": "data:,"}}]},
    ],
)
def test_unusual_messages_are_let_through(chat: Chat, message: dict[str, Any]) -> None:
    chat.answer([message, user("Hello")])


def test_images_need_a_model_that_sees(chat: Chat) -> None:
    prompt = [{"role": "user", "content": [IMAGE, {"type": "text", "text": "What is this?"}]}]
    error = chat.error(prompt)
    assert error == {"message": "No endpoints found that support image input", "code": 404}
    chat.answer(prompt, model="openai/o4-mini")
    audio = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    error = chat.error([{"role": "user", "content": [audio]}], model="openai/o4-mini")
    assert error["message"] == "No endpoints found that support input audio input"


def test_a_prompt_longer_than_the_context_is_refused(chat: Chat) -> None:
    prompt = "x" * 4 * 200_000
    error = chat.error(prompt)
    assert error["metadata"]["error_type"] == "context_length_exceeded"
    assert "maximum context length is 200000 tokens" in error["message"]
    chat.answer(prompt, model="openai/gpt-4.1-mini")


@pytest.mark.parametrize(
    "reasoning",
    [{"effort": "none"}, {"enabled": False}, {"effort": "minimal"}, {"effort": "xhigh"}],
)
def test_o_series_models_cannot_be_told_not_to_reason(
    chat: Chat, reasoning: dict[str, Any]
) -> None:
    said = chat.upstream("Hello", reasoning=reasoning)
    assert (said["param"], said["code"]) == ("reasoning.effort", "unsupported_value")
    assert "'o3-mini-2025-01-31' model" in said["message"]
    chat.answer("Hello", reasoning=reasoning, model="openai/gpt-4.1-mini")


@pytest.mark.parametrize(
    "parameters",
    [
        {"reasoning": {"effort": "xlow"}},
        {"reasoning_effort": "xlow"},
        {"reasoning_effort": ["low"]},
    ],
)
def test_unknown_efforts_are_refused(chat: Chat, parameters: dict[str, Any]) -> None:
    assert "expected one of" in chat.error("Hello", **parameters)["message"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"reasoning": {"effort": "low", "max_tokens": 2000}},
        {"reasoning": {"effort": "low"}, "reasoning_effort": "high"},
    ],
)
def test_reasoning_is_asked_for_once(chat: Chat, parameters: dict[str, Any]) -> None:
    message = chat.error("Hello", **parameters)["message"]
    assert message.startswith('Only one of "reasoning.effort" and "')


def test_the_same_effort_twice_and_a_budget_alone_are_let_through(chat: Chat) -> None:
    chat.answer("Hello", reasoning={"effort": "low"}, reasoning_effort="low")
    chat.answer("Hello", reasoning={"max_tokens": 2000})


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("limit", [-1, 0, 15])
def test_a_small_token_limit_is_refused(chat: Chat, name: str, limit: int) -> None:
    said = chat.upstream("Hello", **{name: limit})
    assert said["message"] == (
        "Invalid 'max_output_tokens': integer below minimum value. "
        f"Expected a value >= 16, but got {limit} instead."
    )


@pytest.mark.parametrize(
    "parameters",
    [
        *({"max_tokens": limit} for limit in ("100", True, 20.0)),
        *({"temperature": value} for value in ("hot", True, [0.5])),
        {"stream": "yes"},
        {"parallel_tool_calls": 1},
        {"seed": 1.5},
        {"stop": 5},
        {"tools": {}},
        {"logit_bias": [1]},
        {"stream_options": "usage"},
        {"response_format": "json"},
        {"reasoning": "high"},
        {"provider": "azure"},
    ],
)
def test_parameters_of_the_wrong_type_are_refused(chat: Chat, parameters: dict[str, Any]) -> None:
    (name,) = parameters
    assert f"{name}: Invalid input: expected" in chat.error("Hello", **parameters)["message"]


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [("reasoning", "exclude", "yes"), ("reasoning", "max_tokens", "9"), ("provider", "only", "a")],
)
def test_types_are_checked_within_an_option(chat: Chat, name: str, key: str, value: str) -> None:
    assert f"{name}.{key}: Invalid" in chat.error("Hello", **{name: {key: value}})["message"]


def test_sampling_parameters_and_nulls_are_ignored(chat: Chat) -> None:
    absent = dict.fromkeys(
        [
            "include_reasoning",
            "max_completion_tokens",
            "max_tokens",
            "models",
            "parallel_tool_calls",
            "plugins",
            "provider",
            "reasoning",
            "reasoning_effort",
            "response_format",
            "stop",
            "stream",
            "tool_choice",
            "tools",
        ]
    )
    chat.answer("Hello", temperature=0.5, top_p=0.9, seed=7, n=2, logit_bias={}, **absent)


def test_an_overlong_tool_call_id_is_refused(chat: Chat) -> None:
    name = "c" * 65
    said = chat.upstream([user("Hi"), call(name), result(name)])
    assert said["code"] == "string_above_max_length"
    assert "length 65" in said["message"]
    chat.answer([user("Hi"), call(name[:64]), result(name[:64])])


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([user("Hi"), result()], ORPHAN.format("call_1")),
        ([user("Hi"), call(), result("call_2")], ORPHAN.format("call_2")),
        ([user("Hi"), call(), result(), result()], ORPHAN.format("call_1")),
        ([user("Hi"), call(), user("?"), result()], OPEN_CALL),
        ([user("Hi"), call()], OPEN_CALL),
        ([user("Hi"), call(), call("call_2"), result("call_2")], OPEN_CALL),
    ],
)
def test_calls_and_results_have_to_pair(
    chat: Chat, messages: list[dict[str, Any]], words: str
) -> None:
    said = chat.upstream(messages)
    assert (said["message"], said["param"]) == (words, "input")


def test_encrypted_reasoning_has_to_come_back_unaltered(chat: Chat) -> None:
    entries = chat.message("Hello")["reasoning_details"]
    other = chat.message("Goodbye")["reasoning_details"]

    def replayed(*details: dict[str, Any]) -> list[dict[str, Any]]:
        answer = {"role": "assistant", "content": "Hi.", "reasoning_details": list(details)}
        return [user("Hello"), answer, user("And now?")]

    chat.answer(replayed(*entries))
    chat.answer(replayed())
    chat.answer(replayed(entries[1] | {"format": None}))
    chat.answer(replayed({"type": "reasoning.encrypted", "data": "of another", "id": "rs_1"}))
    for altered in (
        entries[1] | {"data": entries[1]["data"] * 2},
        entries[1] | {"data": other[1]["data"]},
        entries[1] | {"id": "rs_1"},
        {key: value for key, value in entries[1].items() if key != "data"},
    ):
        assert chat.upstream(replayed(altered))["code"] == "invalid_encrypted_content"
    changed = chat.upstream(replayed(entries[0] | {"summary": "Something else."}, entries[1]))
    assert changed["message"].endswith("Encrypted content could not be decrypted or parsed.")


def test_reasoning_has_to_come_back_once_and_in_its_place(chat: Chat) -> None:
    messages = [user("Hello"), chat.message("Hello")]
    thought = messages[1]["reasoning_details"]
    name = thought[1]["id"]
    doubled = chat.upstream([*messages, user("Go on."), messages[1], user("And now?")])
    assert doubled["message"] == (
        f"Duplicate item found with id {name}. Remove duplicate items from your input and try "
        "again."
    )
    called = chat.message("Use get_weather for Paris.", tools=[WEATHER])
    results = [{"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "sunny"}]
    chat.answer([*messages, user("Paris?"), called, *results])
    for broken, item in (
        ([user("Hello"), messages[1] | {"reasoning_details": thought[::-1]}, user("?")], name),
        (
            [
                *(user("Hello"), messages[1] | {"reasoning_details": called["reasoning_details"]}),
                *(user("Paris?"), called | {"reasoning_details": thought}, *results),
            ],
            called["reasoning_details"][1]["id"],
        ),
    ):
        assert chat.upstream(broken)["message"] == (
            f"Item '{item}' of type 'reasoning' was provided without its required following item."
        )


ODD_FUNCTIONS: list[dict[str, Any]] = [{"strict": "yes"}, {"parameters": "{}"}, {"description": 5}]


@pytest.mark.parametrize(
    "tools",
    [
        ["get_weather"],
        [{"function": {"name": "f"}}],
        [{"type": "function"}],
        [{"type": 1}],
        *([{"type": "function", "function": {"name": "f", **odd}}] for odd in ODD_FUNCTIONS),
    ],
)
def test_broken_tools_are_refused(chat: Chat, tools: list[Any]) -> None:
    assert chat.error("Hello", tools=tools)["message"].startswith("tools.0")


def test_tools_are_few_and_calls_have_their_names(chat: Chat) -> None:
    tools = [tool(f"f{number}") for number in range(129)]
    chat.answer("Hello", tools=tools[:128])
    assert "maximum length 128, but got" in chat.upstream("Hello", tools=tools)["message"]
    function = {"name": "multi_tool_use.parallel", "arguments": "{}"}
    called = {"role": "assistant", "tool_calls": [{"id": "a", "function": function}]}
    said = chat.upstream(
        [user("Hello"), called, {"role": "tool", "tool_call_id": "a", "content": ""}]
    )
    assert said["param"] == "messages[1].tool_calls[0].function.name"


@pytest.mark.parametrize(
    ("provider", "is_served"),
    [
        ({"only": ["OpenAI"], "ignore": ["azure"]}, True),
        ({"order": ["nobody"]}, True),
        ({"only": ["azure/eu"], "order": ["nobody", "azure"], "allow_fallbacks": False}, True),
        ({"only": ["nobody"]}, False),
        ({"order": ["nobody"], "allow_fallbacks": False}, False),
        ({"only": ["openai"], "ignore": ["openai"]}, False),
    ],
)
def test_one_of_the_models_providers_is_allowed(
    chat: Chat,
    provider: dict[str, Any],
    is_served: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    if is_served:
        chat.answer("Hello", provider=provider)
    else:
        assert chat.error("Hello", provider=provider)["message"].startswith("No allowed providers")


@pytest.mark.parametrize("name", ["", "get weather", "f" * 65, "größe", None])
def test_function_names_have_few_characters(chat: Chat, name: str | None) -> None:
    said = chat.upstream("Hello", tools=[{"type": "function", "function": {"name": name}}])
    assert said["param"] == "tools[0].name"


def test_function_names_are_unique(chat: Chat) -> None:
    assert "'get_weather'" in chat.upstream("Hello", tools=[WEATHER, WEATHER])["message"]


def parametrised(parameters: Any, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": parameters, **more}}


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (parametrised({"type": "object"}), "In context=(), object schema missing properties."),
        (
            parametrised({"type": "string"}),
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"string\"'.",
        ),
        (
            parametrised({"type": "object", "properties": {"xs": {"type": "array"}}}),
            "In context=('properties', 'xs'), array schema missing items.",
        ),
        (
            parametrised({"type": "object", "properties": {"x": STRING}}, strict=True),
            f"In context=(), {OPEN}",
        ),
    ],
)
def test_incomplete_function_parameters_are_refused(
    chat: Chat, function: dict[str, Any], fault: str
) -> None:
    said = chat.upstream("Hello", tools=[function])
    assert said["message"] == f"Invalid schema for function 'f': {fault}"
    assert (said["param"], said["code"]) == ("tools[0].function.parameters", "invalid_json_schema")


@pytest.mark.parametrize(
    "function",
    [
        {"type": "function", "function": {"name": "f"}},
        parametrised(None),
        parametrised({}),
        parametrised({"type": "object", "properties": {}}),
        parametrised({"type": "object", "properties": {"x": {"type": "object"}}}),
        parametrised({"type": "object", "properties": {"x": {"default": 1}, "y": True}}),
        parametrised(closed(x=STRING), strict=True),
        {"type": "openrouter:web_search"},
    ],
)
def test_loose_and_absent_parameters_are_let_through(chat: Chat, function: dict[str, Any]) -> None:
    chat.answer("Hello", tools=[function])


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def test_a_tool_choice_needs_tools_that_it_can_choose(chat: Chat) -> None:
    unknown = chat.upstream("Hello", tools=[WEATHER], tool_choice=named("fly"))
    assert unknown["message"] == "Tool choice 'fly' not found in 'tools' parameter."
    for choice in ("auto", "required", named("get_weather")):
        assert chat.upstream("Hello", tool_choice=choice)["param"] == "tool_choice"
    impossible: list[Any] = ["any", {"type": "any"}, 1]
    for choice in impossible:
        error = chat.error("Hello", tools=[WEATHER], tool_choice=choice)
        assert error["message"].startswith("tool_choice")


def test_json_mode_needs_a_prompt_that_says_json(chat: Chat) -> None:
    json_mode = {"type": "json_object"}
    assert "'json'" in chat.upstream("Hello", response_format=json_mode)["message"]
    chat.answer("Hello in JSON", response_format=json_mode)
    assert chat.error("Hello", response_format={"type": "yaml"})["code"] == 400
    chat.answer("Hello", response_format={"type": "text"})


@pytest.mark.parametrize("name", [None, "", "my answer", "Answer.v1", "a" * 65, 1])
def test_a_schema_needs_a_name_of_few_characters(chat: Chat, name: Any) -> None:
    response_format = strict(closed(x=STRING))
    response_format["json_schema"]["name"] = name
    assert chat.upstream("Hello", response_format=response_format)["param"] == "text.format.name"


CLOSED_BUT = {"type": "object", "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        (
            {"type": "object", "properties": {"x": STRING}, "required": ["x"]},
            f"In context=(), {OPEN}",
        ),
        (closed(x={"type": "object", "properties": {}}), f"In context=('properties', 'x'), {OPEN}"),
        (
            closed(x={"type": "object", "additionalProperties": INTEGER}),
            f"In context=('properties', 'x'), {OPEN}",
        ),
        (
            closed(x={"type": ["object", "null"], "additionalProperties": False}),
            "In context=('properties', 'x'), object schema missing properties.",
        ),
        (
            CLOSED_BUT | {"properties": {"x": STRING, "y": STRING}, "required": ["x"]},
            f"In context=(), {INCOMPLETE} Missing 'y'.",
        ),
        (
            CLOSED_BUT | {"properties": {"x": STRING}, "required": ["x", "y"]},
            "In context=(), Extra required key 'y' supplied.",
        ),
        (
            closed(xs={"type": "array"}),
            "In context=('properties', 'xs'), array schema missing items.",
        ),
        (
            closed(x=STRING | {"default": "a"}),
            "In context=('properties', 'x'), 'default' is not permitted.",
        ),
        (
            closed(x={"oneOf": [STRING, INTEGER]}),
            "In context=('properties', 'x'), 'oneOf' is not permitted.",
        ),
        (
            closed(x={"$ref": "#/$defs/X", "description": "An X."}) | {"$defs": {"X": STRING}},
            "In context=('properties', 'x'), $ref cannot have keywords {'description'}.",
        ),
        (closed(x={}), "In context=('properties', 'x'), schema must have a 'type' key."),
        (
            closed(x={"anyOf": [{"type": "array"}, {"type": "null"}]}),
            "In context=('properties', 'x', 'anyOf', '0'), array schema missing items.",
        ),
        (
            closed(xs={"type": "array", "items": {"type": "object", "properties": {}}}),
            f"In context=('properties', 'xs', 'items'), {OPEN}",
        ),
        (
            closed() | {"$defs": {"X": {"type": "array"}}},
            "In context=('$defs', 'X'), array schema missing items.",
        ),
        (
            {"type": "array", "items": STRING},
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
        ),
    ],
)
def test_a_strict_schema_keeps_to_the_subset(
    chat: Chat, schema: dict[str, Any], fault: str
) -> None:
    said = chat.upstream("Hello", response_format=strict(schema))
    assert said["message"] == f"Invalid schema for response_format 'Answer': {fault}"
    assert (said["param"], said["code"]) == ("response_format", "invalid_json_schema")


def test_good_and_loose_schemas_are_let_through(chat: Chat) -> None:
    nested = closed(
        xs={"type": "array", "items": {"$ref": "#/$defs/X"}},
        y={"anyOf": [STRING, {"type": "null"}]},
        z={"type": "string", "enum": ["a", "b"], "description": "One of two."},
    ) | {"$defs": {"X": closed(n=INTEGER)}}
    chat.answer("Hello", response_format=strict(nested))
    loose = strict({"type": "object"})
    loose["json_schema"]["strict"] = False
    chat.answer("Hello", response_format=loose)
    del loose["json_schema"]["schema"]
    assert chat.upstream("Hello", response_format=loose)["param"] == "text.format.schema"


def test_refusals_name_the_user_as_openrouter_does(chat: Chat) -> None:
    body = chat.post("Hello", max_tokens=1).json()
    assert list(body) == ["error", "user_id"]
    assert list(body["error"]) == ["message", "code", "metadata"]
    assert list(body["error"]["metadata"]) == ["raw", "provider_name", "is_byok"]
    assert body["error"]["metadata"]["raw"].startswith('{\n  "error": {\n    "message"')
