"""Conversions that are remembered: once per content, and each caller's result is its own."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_openrouter_o3 import OpenRouterInputError
from langchain_openrouter_o3._json import memoize_json
from langchain_openrouter_o3._wire.tools import tools_to_wire

seen: list[Any] = []


@memoize_json
def wrap(value: Any, strict: bool | None = None) -> dict[str, Any]:  # noqa: FBT001 - by position
    seen.append(value)
    return {"value": value, "strict": strict}


@pytest.fixture(autouse=True)
def _forget() -> None:
    seen.clear()


def test_the_same_content_is_converted_once() -> None:
    assert [wrap({"once": [1]}) for _ in range(3)] == [{"value": {"once": [1]}, "strict": None}] * 3
    assert len(seen) == 1


def test_a_change_inside_is_seen() -> None:
    given = {"inside": {"n": 1}}
    wrap(given)
    given["inside"]["n"] = 2
    assert wrap(given)["value"] == {"inside": {"n": 2}}


def test_what_one_caller_changes_nobody_else_sees() -> None:
    wrap({"mine": 1})["value"]["mine"] = 2
    assert wrap({"mine": 1})["value"] == {"mine": 1}


def test_numbers_truth_and_further_arguments_are_told_apart() -> None:
    given: list[tuple[Any, bool | None]] = [(1, None), (True, None), (1.0, None), (1, True)]
    results = [wrap(value, strict) for value, strict in given]
    assert [repr(result["value"]) for result in results] == ["1", "True", "1.0", "1"]
    assert [result["strict"] for result in results] == [None, None, None, True]


def test_what_is_no_json_is_left_to_the_conversion() -> None:
    odd = {"default": {1, 2}}
    assert wrap(odd)["value"] is odd


def test_bound_tools_do_not_share_what_is_sent() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    first, second = tools_to_wire([tool]), tools_to_wire([tool])
    first[0]["function"]["name"] = "g"
    assert second[0]["function"]["name"] == "f"


def test_a_tool_that_is_no_json_is_named_as_before() -> None:
    broken = {"type": "function", "function": {"name": "not a name", "parameters": {"x": {1}}}}
    with pytest.raises(OpenRouterInputError, match="not a name"):
        tools_to_wire([broken])
