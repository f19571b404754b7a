"""Standard content blocks of messages and chunks."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk

from langchain_openrouter_o3._wire import content_blocks
from langchain_openrouter_o3._wire.content_blocks import message_to_blocks
from tests.helpers.scripted import add_up, read_chunks
from tests.helpers.wire import chunk, ending, sse, summary, tool_chunk, tool_deltas

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


# --- Messages of other packages that say "openrouter", too ---

FOREIGN: list[Any] = [
    {"type": "image", "url": "https://e.org/a.png", "extras": {"detail": "low"}},
    {"type": "image", "base64": "AAAA", "mime_type": "image/png", "id": "lc_1"},
    {"type": "image", "source_type": "url", "url": "https://e.org/a.png"},
    {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"},
    {"type": "file", "file_id": "file-1"},
    {"type": "video", "url": "https://e.org/a.mp4"},
    {"type": "text-plain", "text": "x", "mime_type": "text/plain"},
    {"type": "text", "text": "x", "annotations": [{"type": "citation", "url": "https://e.org"}]},
    {"type": "text", "text": "x", "extras": {"cache_control": {}}},
    {"type": "reasoning", "reasoning": "hm", "extras": {"signature": "s"}},
    {"type": "refusal", "refusal": "no"},
    {"type": "tool_call", "name": "f", "args": {}, "id": "1"},
    {"type": "invalid_tool_call", "name": "f", "args": "{", "id": "1", "error": None},
    {"type": "server_tool_call", "name": "web_search", "args": {}, "id": "1"},
    {"type": "server_tool_call_chunk", "name": "web_search", "args": "{", "id": "1"},
    {"type": "server_tool_result", "tool_call_id": "1", "status": "success"},
    {"type": "non_standard", "value": {"type": "odd"}},
    {"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "low"}},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a"}},
    {"type": "document", "source": {"type": "url", "url": "https://e.org/a.pdf"}},
    {"type": "tool_use", "id": "1", "name": "f", "input": {}},
    {"text": "without a type"},
    {"type": "odd", "x": 1},
    "plain",
]
OPENROUTER = {"model_provider": "openrouter"}


def comparable(blocks: Any) -> list[dict[str, Any]]:
    """Leave out ids that core makes up."""
    return [
        {k: v for k, v in block.items() if k != "id" or not str(v).startswith("lc_")}
        for block in blocks
    ]


@pytest.mark.parametrize("kind", [AIMessage, AIMessageChunk])
@pytest.mark.parametrize("position", range(len(FOREIGN)))
@pytest.mark.parametrize("beside", [{}, {"reasoning_content": "Hm."}])
def test_a_block_of_another_package_is_read_as_core_reads_it(
    kind: type[AIMessage], position: int, beside: dict[str, Any]
) -> None:
    content = [FOREIGN[position], {"type": "text", "text": "end"}]
    ours = kind(content, additional_kwargs=beside, response_metadata=OPENROUTER)
    core = kind(content, additional_kwargs=beside, response_metadata={})
    assert comparable(ours.content_blocks) == comparable(core.content_blocks)
    assert ours.content == content


@pytest.mark.parametrize("kind", [AIMessage, AIMessageChunk])
def test_all_blocks_and_calls_of_another_package_are_read_as_core_reads_them(
    kind: type[AIMessage],
) -> None:
    calls = [{"name": "f", "args": {"a": 1}, "id": identity} for identity in ("1", "2")]
    ours = kind(FOREIGN, tool_calls=calls, response_metadata=OPENROUTER)
    core = kind(FOREIGN, tool_calls=calls)
    assert comparable(ours.content_blocks) == comparable(core.content_blocks)


def test_fragments_of_calls_beside_blocks_are_read_as_core_reads_them() -> None:
    fragments: list[Any] = [
        {"name": "f", "args": '{"a":', "id": "1", "index": 0},
        {"name": None, "args": "1}", "id": None, "index": 1},
    ]
    blocks: Any = [{"type": "text", "text": "x"}]
    ours = AIMessageChunk(content=blocks, tool_call_chunks=fragments, response_metadata=OPENROUTER)
    core = AIMessageChunk(content=blocks, tool_call_chunks=fragments)
    assert ours.content_blocks == core.content_blocks
    bare = AIMessageChunk(content=[], tool_call_chunks=fragments, response_metadata=OPENROUTER)
    assert [block["type"] for block in bare.content_blocks] == ["tool_call_chunk"] * 2


def test_a_texts_own_citations_are_not_replaced() -> None:
    own = {"type": "text", "text": "x", "annotations": [CITATION]}
    message = AIMessage([own], additional_kwargs={"annotations": [CITED, CITED]})
    assert message_to_blocks(message) == [own]
