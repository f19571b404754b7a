"""Which functions are called, and with what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers.emulator_client import INTEGER, STRING, Chat, tool, user

WEATHER = tool("get_weather", "Get the weather at a location.", location=STRING)
TIME = tool("getLocalTime", "Tell the time.", city=STRING)
MAGIC = tool("magic_function", "Apply a magic function to an input.", input=INTEGER)
MAGIC_ALONE = tool("magic_function_no_args", "Calculate a magic function.")
GREETING = tool(
    "greeting_generator",
    "Generate a greeting in a particular style of speaking.",
    answer_style=STRING,
)
CUSTOMER = tool(
    "unicode_customer",
    "Create a customer with a Unicode name.",
    customer_name=STRING,
    description=STRING,
)
ADD = tool("add", "Add two numbers.", a=INTEGER, b=INTEGER)
MULTIPLY = tool("multiply", "Multiply two numbers.", a=INTEGER, b=INTEGER)
REPORT = tool("WeatherReport", "The final report.", conditions=STRING)


def force(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


CALLS: list[tuple[str, list[dict[str, Any]], list[tuple[str, Any]]]] = [
    (
        "What is the value of magic_function(3)? Use the tool.",
        [MAGIC, MAGIC_ALONE],
        [("magic_function", {"input": 3})],
    ),
    (
        "What is the value of magic_function_no_args()? Use the tool.",
        [MAGIC, MAGIC_ALONE],
        [("magic_function_no_args", {})],
    ),
    (
        "Using the tool, generate a Pirate greeting.",
        [GREETING],
        [("greeting_generator", {"answer_style": "Pirate"})],
    ),
    (
        "What is the weather in San Francisco, CA?",
        [WEATHER],
        [("get_weather", {"location": "San Francisco, CA"})],
    ),
    ("weather in paris tomorrow", [WEATHER], [("get_weather", {"location": "paris"})]),
    (
        "What's the weather and local time in Berlin?",
        [WEATHER, TIME],
        [("get_weather", {"location": "Berlin"}), ("getLocalTime", {"city": "Berlin"})],
    ),
    (
        "How is the weather in Paris, Rome and Berlin?",
        [WEATHER],
        [("get_weather", {"location": city}) for city in ("Paris", "Rome", "Berlin")],
    ),
    (
        "Compare the weather in Paris, France and Rome, Italy.",
        [WEATHER],
        [("get_weather", {"location": city}) for city in ("Paris, France", "Rome, Italy")],
    ),
    (
        "Weather for 'Bad Ischl' and \"St. Gilgen\"",
        [WEATHER],
        [("get_weather", {"location": city}) for city in ("Bad Ischl", "St. Gilgen")],
    ),
    (
        "Add 2 and 3, and multiply 4 and -5.",
        [ADD, MULTIPLY],
        [("add", {"a": 2, "b": 3}), ("multiply", {"a": 4, "b": -5})],
    ),
    ("Add b=3 to a=10", [ADD], [("add", {"a": 10, "b": 3})]),
    ("Hello!", [WEATHER, MAGIC], []),
    ("Tell me about magic", [WEATHER, ADD], []),
]


@pytest.mark.parametrize(("prompt", "tools", "calls"), CALLS)
def test_the_prompt_says_what_is_called(
    chat: Chat, prompt: str, tools: list[dict[str, Any]], calls: list[tuple[str, Any]]
) -> None:
    assert chat.calls(prompt, tools=tools) == calls


@pytest.mark.parametrize("name", ["你好啊集团", "こんにちは株式会社"])
def test_quotations_arrive_as_they_are(chat: Chat, name: str) -> None:
    prompt = f"Create a customer named '{name}' (Hello Group) - a technology company"
    message = chat.message(prompt, tools=[CUSTOMER])
    arguments = message["tool_calls"][0]["function"]["arguments"]
    assert f'"customer_name":"{name}"' in arguments


def test_parallel_calls_can_be_forbidden(chat: Chat) -> None:
    prompt = "Weather in Paris and Rome"
    calls = chat.calls(prompt, tools=[WEATHER], parallel_tool_calls=False)
    assert calls == [("get_weather", {"location": "Paris"})]


def test_the_tool_choice_rules(chat: Chat) -> None:
    tools = [WEATHER, MAGIC]
    assert chat.calls("Weather in Oslo", tools=tools, tool_choice="none") == []
    assert len(chat.calls("Hello!", tools=tools, tool_choice="required")) == 1
    (call,) = chat.calls("Hello!", tools=tools, tool_choice=force("magic_function"))
    assert call == ("magic_function", {"input": 1})
    (call,) = chat.calls("magic 7", tools=tools, tool_choice="required")
    assert call == ("magic_function", {"input": 7})


def turn(prompt: str, *calls: tuple[str, dict[str, Any], str]) -> list[dict[str, Any]]:
    """Return a conversation in which functions were called for a prompt."""
    messages = [user(prompt)]
    for number, (name, arguments, result) in enumerate(calls):
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"id": f"c{number}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": result})
    return messages


def test_results_are_repeated_in_the_final_text(chat: Chat) -> None:
    messages = turn("Weather in Oslo", ("get_weather", {"location": "Oslo"}, "snow"))
    assert chat.text(messages, tools=[WEATHER]) == "The tool get_weather says: snow"
    messages[-1]["content"] = [{"type": "text", "text": "sun"}]
    assert chat.text(messages) == "The tool get_weather says: sun"


def test_what_is_left_to_do_is_done_before_the_final_text(chat: Chat) -> None:
    done = ("get_weather", {"location": "Paris"}, "sun")
    messages = turn("Weather in Paris and Rome", done)
    assert chat.calls(messages, tools=[WEATHER]) == [("get_weather", {"location": "Rome"})]
    messages = turn("Weather and local time in Paris", done)
    assert chat.calls(messages, tools=[WEATHER, TIME]) == [("getLocalTime", {"city": "Paris"})]


def test_an_earlier_turn_is_over(chat: Chat) -> None:
    messages = turn("Weather in Oslo", ("get_weather", {"location": "Oslo"}, "snow"))
    messages += [{"role": "assistant", "content": "Snow."}, user("And the weather in Rome?")]
    assert chat.calls(messages, tools=[WEATHER]) == [("get_weather", {"location": "Rome"})]
    messages[-1] = user("Thanks!")
    assert chat.calls(messages, tools=[WEATHER]) == []


def test_a_forced_model_goes_on_calling_and_prefers_what_it_has_not_called(chat: Chat) -> None:
    done = ("get_weather", {"location": "Oslo"}, "conditions: snow")
    messages = turn("Weather in Oslo", done)
    tools = [WEATHER, REPORT]
    calls = chat.calls(messages, tools=tools, tool_choice="required")
    assert calls == [("WeatherReport", {"conditions": "snow"})]
    calls = chat.calls(messages, tools=[WEATHER], tool_choice="required")
    assert calls == [("get_weather", {"location": "Oslo"})]


def test_the_same_request_is_answered_the_same(chat: Chat) -> None:
    first, second = (chat.message("Weather in Rome", tools=[WEATHER]) for _ in range(2))
    assert first == second
    other = chat.message("Weather in Oslo", tools=[WEATHER])
    assert other["tool_calls"][0]["id"] != first["tool_calls"][0]["id"]


def test_arguments_that_a_client_broke_are_no_hindrance(chat: Chat) -> None:
    messages = turn("Weather in Paris and Rome", ("get_weather", {}, "?"))
    messages[1]["tool_calls"][0]["function"]["arguments"] = '{"loc'
    assert len(chat.calls(messages, tools=[WEATHER])) == 2
