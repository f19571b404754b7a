"""Objects that grow: whatever is shown is a part of the end, however the text is cut."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk

from langchain_openrouter_o3._wire.output_schema import build_output_schema
from langchain_openrouter_o3.chat_models.structured_output import build_parser

SCHEMA = {"title": "found", "type": "object", "properties": {"another": {"type": "array"}}}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=16,
)
objects = st.dictionaries(texts, values, max_size=4)
cuts = st.lists(st.integers(0, 400), max_size=30)


def cut(text: str, positions: list[int]) -> list[str]:
    ends = sorted({0, len(text), *(position % (len(text) + 1) for position in positions)})
    return [text[start:end] for start, end in itertools.pairwise(ends)]


def is_part(shown: Any, end: Any) -> bool:
    if isinstance(shown, dict):
        return isinstance(end, dict) and all(
            name in end and is_part(item, end[name]) for name, item in shown.items()
        )
    if isinstance(shown, list):
        return isinstance(end, list) and all(map(is_part, shown, end)) and len(shown) <= len(end)
    if isinstance(shown, str):
        return isinstance(end, str) and end.startswith(shown)
    if isinstance(shown, bool) or shown is None:
        return shown is end
    return str(end).startswith(str(shown))  # the first digits of a number


def check(shown: list[Any], value: dict[str, Any]) -> None:
    assert shown[-1] == value
    assert [part for part in shown if not is_part(part, value)] == []
    assert all(before != after for before, after in itertools.pairwise(shown))


@given(value=objects, positions=cuts, ascii_only=st.booleans())
def test_text(value: dict[str, Any], positions: list[int], *, ascii_only: bool) -> None:
    parser = build_parser(build_output_schema(SCHEMA), "json_mode", include_raw=False)
    pieces = cut(json.dumps(value, ensure_ascii=ascii_only), positions)
    check(list(parser.transform(iter(pieces))), value)


@given(value=objects, positions=cuts)
def test_arguments_of_a_call(value: dict[str, Any], positions: list[int]) -> None:
    parser = build_parser(build_output_schema(SCHEMA), "function_calling", include_raw=False)
    start = AIMessageChunk(
        content="",
        tool_call_chunks=[
            {"name": "found", "args": "", "id": "1", "index": 0, "type": "tool_call_chunk"}
        ],
    )
    deltas = [
        AIMessageChunk(
            content="",
            tool_call_chunks=[
                {"name": None, "args": piece, "id": None, "index": 0, "type": "tool_call_chunk"}
            ],
        )
        for piece in cut(json.dumps(value), positions)
    ]
    check(list(parser.transform(iter([start, *deltas]))), value)
