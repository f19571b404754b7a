"""The request: which parameters go out, under which name, and which do not."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_openrouter_o3._arguments.constructor import canonical_names
from langchain_openrouter_o3._arguments.conversions import read_reasoning
from langchain_openrouter_o3._arguments.fields import ALIASES
from langchain_openrouter_o3._arguments.parameters import merge_parameters, withheld_from
from langchain_openrouter_o3._http.request_headers import build_headers, check_headers
from langchain_openrouter_o3._wire.request import build_body, encode_body
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.profiles import model_facts

ASK = [HumanMessage("Reply as JSON.")]
KNOWN = {"max_tokens", "model", "provider", "seed", "stop", "temperature"}


def build(**parameters: Any) -> dict[str, Any]:
    asked = {"model": "openai/o3-mini", **parameters}
    return build_body(asked, ASK, model_facts(asked["model"]), stream=False)


def first_names(arguments: dict[str, Any]) -> dict[str, Any]:
    return canonical_names(arguments, KNOWN, ALIASES, {"metadata": "request_metadata"})


@pytest.mark.parametrize(
    ("alias", "first"),
    [("model_name", "model"), ("max_completion_tokens", "max_tokens"), ("seed", "seed"),
     ("openrouter_provider", "provider"), ("stop_sequences", "stop")],
)  # fmt: skip
def test_every_spelling_has_one_first_name(alias: str, first: str) -> None:
    assert first_names({alias: 1}) == {first: 1}


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(OpenRouterInputError, match=r"'temprature'.*'temperature'.*extra_body"):
        first_names({"temprature": 1})


def test_a_key_that_has_another_name_here_is_refused_with_it() -> None:
    with pytest.raises(OpenRouterInputError, match=r"'metadata' is not.*request_metadata=…"):
        first_names({"metadata": 1})


def test_a_name_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(OpenRouterInputError) as caught:
        first_names({"zzzzzzzz": 1})

    assert "Did you mean" not in str(caught.value)


def test_one_parameter_under_two_names_is_refused() -> None:
    with pytest.raises(OpenRouterInputError, match="given twice"):
        first_names({"max_tokens": 20, "max_completion_tokens": 30})


@pytest.mark.parametrize(
    ("defaults", "call", "expected"),
    [
        ({"seed": 1}, {"seed": 2}, {"seed": 2}),
        ({"seed": 1}, {"seed": None}, {}),
        ({"seed": 0}, {}, {"seed": 0}),
        ({"reasoning_effort": "low"}, {}, {"reasoning": {"effort": "low"}}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "high"},
         {"reasoning": {"effort": "high"}}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "high"},
         {"reasoning": {"effort": "high", "summary": "auto"}}),
        ({"reasoning": {"max_tokens": 50, "summary": "auto"}}, {"reasoning_effort": "high"},
         {"reasoning": {"effort": "high", "summary": "auto"}}),
        ({"reasoning": {"effort": "low"}}, {"reasoning": {"summary": "auto"}},
         {"reasoning": {"summary": "auto"}}),
        ({"reasoning": {"effort": "low"}}, {"reasoning": None}, {}),
        ({"reasoning": {"effort": "low"}}, {"include_reasoning": False},
         {"reasoning": {"effort": "low", "exclude": True}}),
        ({"include_reasoning": True}, {}, {"reasoning": {"exclude": False}}),
        ({"reasoning": {"effort": "low"}, "reasoning_effort": "low"}, {},
         {"reasoning": {"effort": "low"}}),
    ],
)  # fmt: skip
def test_the_call_wins_and_the_effort_goes_out_once(
    defaults: dict[str, Any], call: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert merge_parameters(defaults, call) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {"reasoning": {"effort": "low"}, "reasoning_effort": "high"},
        {"reasoning": {"max_tokens": 50}, "reasoning_effort": "high"},
        {"reasoning": {"exclude": True}, "include_reasoning": True},
        {"reasoning": {"exclude": False}, "include_reasoning": False},
    ],
)
def test_contradictions_about_reasoning_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(OpenRouterInputError, match="on the model"):
        read_reasoning(arguments, "the model")


def test_a_callers_reasoning_map_is_not_changed() -> None:
    reasoning = {"summary": "auto"}
    merge_parameters({"reasoning": reasoning}, {"reasoning_effort": "high"})

    assert reasoning == {"summary": "auto"}


def test_what_the_model_does_not_have_is_withheld_and_named() -> None:
    parameters = {"temperature": 0, "top_p": 1, "seed": 3}
    assert withheld_from(parameters, known=True) == ["temperature", "top_p"]
    assert withheld_from(parameters, known=False) == []


def test_empty_lists_are_not_sent() -> None:
    assert build(seed=3, tools=[], stop=[]).keys() == {"model", "messages", "seed"}


def test_an_unknown_model_gets_everything() -> None:
    body = build(model="acme/new", temperature=0, max_tokens=1)

    assert (body["temperature"], body["max_tokens"]) == (0, 1)


def test_only_a_stream_is_asked_for_as_one() -> None:
    body = build_body({"model": "openai/o3-mini"}, ASK, None, stream=True)

    assert body["stream"] is True
    assert "stream" not in build()


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"max_tokens": 15}, "below 16.*hidden reasoning"),
        ({"tool_choice": "auto"}, "without tools"),
        ({"reasoning": {"effort": "none"}}, "accepts low, medium, high"),
        ({"reasoning": {"enabled": False}}, "always reasons"),
        ({"model": "openai/o3-mini-high", "reasoning": {"effort": "low"}}, "accepts high"),
    ],
)
def test_what_openrouter_would_refuse_is_refused_with_the_remedy(
    parameters: dict[str, Any], match: str
) -> None:
    with pytest.raises(OpenRouterInputError, match=match):
        build(**parameters)


def test_one_tool_bound_twice_is_refused() -> None:
    ping = {"type": "function", "function": {"name": "ping"}}
    with pytest.raises(OpenRouterInputError, match=r"\['ping'\] are bound more than once"):
        build(tools=[ping, {"type": "openrouter:web_search"}, ping])


def test_json_mode_needs_the_word_json_in_a_message() -> None:
    wanted = {"model": "openai/o3-mini", "response_format": {"type": "json_object"}}

    body = build_body(wanted, ASK, None, stream=False)
    assert body["response_format"] == {"type": "json_object"}
    with pytest.raises(OpenRouterInputError, match="word 'json'"):
        build_body(wanted, [HumanMessage("hi")], None, stream=False)


def test_the_body_is_compact_raw_utf8() -> None:
    assert encode_body({"messages": [{"content": "é😀\u2028"}]}) == (
        '{"messages":[{"content":"é😀\u2028"}]}'.encode()
    )


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ({"messages": [{"content": "ok"}, {"content": "\ud83d"}]}, r"messages\[1\]"),
        ({"messages": [], "user": "\ud83d"}, "user"),
        ({"messages": [{"\ud83d": 1}]}, r"messages\[0\]"),
        ({"messages": [], "seed": float("nan")}, "cannot be written as JSON"),
        ({"messages": [], "trace": {"a": object()}}, "cannot be written as JSON"),
    ],
)
def test_what_is_not_json_is_refused_by_its_place(body: dict[str, Any], match: str) -> None:
    with pytest.raises(OpenRouterInputError, match=match):
        encode_body(body)


def test_keys_that_are_no_texts_are_put_in_order_too() -> None:
    turned: Any = {2: "b", "10": "a", "model": "m"}
    assert encode_body(turned) == b'{"model":"m","10":"a","2":"b"}'


def test_a_body_nested_beyond_reason_is_refused_like_any_other() -> None:
    nested: Any = 1
    for _ in range(50_000):
        nested = [nested]
    with pytest.raises(OpenRouterInputError):
        encode_body({"messages": [], "trace": {"a": nested}})


def test_the_callers_headers_win_whatever_their_case() -> None:
    declared = {"http-referer": "https://a.example"}
    headers = build_headers("sk-1", declared, {"User-Agent": "mine", "ACCEPT": "x"}, stream=True)

    assert headers == {
        "content-type": "application/json",
        "accept": "x",
        "accept-encoding": "gzip, deflate",
        "user-agent": "mine",
        "authorization": "Bearer sk-1",
        "http-referer": "https://a.example",
    }


def test_without_a_key_there_is_no_authorization() -> None:
    headers = build_headers(None, {}, {}, stream=False)

    assert "authorization" not in headers
    assert headers["accept"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-a": "one\r\nx-injected: two"},
        {"x-a": "ends in a line break\n"},
        {"x-a": "\x00"},
        {"x-a": "snow ☃"},
        {"x-a": 5},
        {"x-a": None},
    ],
)
def test_a_value_that_http_cannot_carry_is_refused_and_not_repeated(headers: Any) -> None:
    with pytest.raises(OpenRouterInputError) as caught:
        check_headers(headers, "default_headers")

    assert str(headers["x-a"]) not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\n", "é"])
def test_a_name_that_http_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(OpenRouterInputError, match="is not a header name"):
        check_headers({name: "x"}, "default_headers")


def test_usual_headers_pass() -> None:
    headers = {"X-Title": "Café", "x_custom!": "", "authorization": "Bearer a.b-c"}
    check_headers(headers, "default_headers")

    assert build_headers(None, {}, headers, stream=False)["x-title"] == "Café"
