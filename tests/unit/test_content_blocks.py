"""Standard content blocks of messages and chunks."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_openrouter_o3._wire import content_blocks
from langchain_openrouter_o3._wire.content_blocks import message_to_blocks
from tests.scripted import add_up, read_chunks
from tests.wire import chunk, ending, sse, summary, tool_chunk, tool_deltas

content_blocks.register()

CITED = {
    "type": "url_citation",
    "url_citation": {
        "url": "https://e.org", "title": "E", "start_index": 0, "end_index": 2, "content": "quote",
    },
}  # fmt: skip
CITATION = {
    "type": "citation", "url": "https://e.org", "title": "E", "start_index": 0, "end_index": 2,
    "cited_text": "quote",
}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "blocks"),
    [
        (AIMessage(""), []),
        (AIMessage("hi"), [{"type": "text", "text": "hi"}]),
        (
            AIMessage("hi", additional_kwargs={"reasoning_content": "hm", "annotations": [CITED]}),
            [
                {"type": "reasoning", "reasoning": "hm"},
                {"type": "text", "text": "hi", "annotations": [CITATION]},
            ],
        ),
        (
            AIMessage("", additional_kwargs={"annotations": [{"type": "file", "file": {}}]}),
            [
                {
                    "type": "text",
                    "text": "",
                    "annotations": [
                        {
                            "type": "non_standard_annotation",
                            "value": {"annotation": {"type": "file", "file": {}}},
                        }
                    ],
                }
            ],
        ),
        (
            AIMessage(["", "hi"], additional_kwargs={"annotations": [{"url_citation": {}}]}),
            [{"type": "text", "text": "hi", "annotations": [{"type": "citation"}]}],
        ),
        (
            AIMessage("", tool_calls=[{"name": "f", "args": {"a": 1}, "id": "1"}]),
            [{"type": "tool_call", "name": "f", "args": {"a": 1}, "id": "1"}],
        ),
        (
            AIMessage(["a", {"type": "text", "text": "b"}, {"type": "odd"}]),
            [
                {"type": "text", "text": "a"},
                {"type": "text", "text": "b"},
                {"type": "non_standard", "value": {"type": "odd"}},
            ],
        ),
    ],
)
def test_a_message_is_translated_block_by_block(message: AIMessage, blocks: list[Any]) -> None:
    assert message_to_blocks(message) == blocks


def test_langchain_uses_the_translation_for_our_messages() -> None:
    message = AIMessage(
        "hi",
        additional_kwargs={"reasoning_content": "hm"},
        response_metadata={"model_provider": "openrouter"},
    )

    assert [block["type"] for block in message.content_blocks] == ["reasoning", "text"]


def test_chunks_show_their_deltas_and_the_sum_shows_the_whole() -> None:
    events = [
        chunk(reasoning="hm", reasoning_details=[summary("hm")]),
        chunk("hi"),
        *map(tool_chunk, tool_deltas("f", ['{"a":', "1}"])),
        *ending("tool_calls"),
    ]
    chunks = read_chunks(sse(*events))
    kinds = [[block["type"] for block in part.content_blocks] for part in chunks]

    assert kinds == [["reasoning"], ["text"], *[["tool_call_chunk"]] * 3, []]
    total: list[Any] = add_up(chunks).content_blocks
    assert total == [
        {"type": "reasoning", "reasoning": "hm", "index": "lc_reasoning"},
        {"type": "text", "text": "hi", "index": "lc_text"},
        {"type": "tool_call", "name": "f", "args": {"a": 1}, "id": "call_1"},
    ]
