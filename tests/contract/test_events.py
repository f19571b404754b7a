"""What tracers and callbacks see of a call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk, GenerationChunk, LLMResult
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3._wire.messages import messages_to_wire
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode

ANSWER = wire.sse(
    wire.chunk(reasoning="Think", reasoning_details=[wire.summary("Think")]),
    wire.chunk(reasoning="ing.", reasoning_details=[wire.summary("ing.")]),
    wire.chunk(reasoning_details=[wire.encrypted("gAAA")]),
    wire.chunk("Hel"),
    wire.chunk("lo."),
    *(wire.tool_chunk(delta) for delta in wire.tool_deltas("add", ['{"a":', "1}"])),
    *wire.ending("tool_calls"),
)


def canned_stream(body: bytes = ANSWER) -> Canned:
    return Canned(headers={"content-type": "text/event-stream"}, pieces=body)


def collect(model: Any, prompt: str = "Hello") -> tuple[list[AIMessageChunk], AIMessageChunk]:
    chunks = list(model.stream(prompt))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return chunks, total


def test_scalar_metadata_and_usage_come_once_on_the_last_chunk(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(canned_stream())
    chunks, total = collect(model)
    assert [chunk.chunk_position for chunk in chunks] == [None] * (len(chunks) - 1) + ["last"]
    assert all(chunk.response_metadata == {"model_provider": "openrouter"} for chunk in chunks[:-1])
    assert all(chunk.usage_metadata is None for chunk in chunks[:-1])
    assert not any(chunk.content and chunk.tool_call_chunks for chunk in chunks)
    assert total.response_metadata["model_name"] == wire.MODEL
    assert total.response_metadata["id"] == wire.GENERATION


def test_reasoning_details_survive_the_sum_and_the_way_back(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(canned_stream())
    _, total = collect(model)
    details = [wire.summary("Thinking."), wire.encrypted("gAAA")]
    assert total.additional_kwargs["reasoning_details"] == details
    history = [HumanMessage("Hello"), total, ToolMessage("2", tool_call_id="call_1")]
    assert messages_to_wire(history)[1] == {
        "role": "assistant",
        "content": "Hello.",
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "add", "arguments": '{"a":1}'},
            }
        ],
        "reasoning_details": details,
    }


BLOCKS = [
    {"type": "reasoning", "reasoning": "Thinking."},
    {"type": "text", "text": "Hello."},
    {"type": "tool_call", "name": "add", "args": {"a": 1}, "id": "call_1"},
]


def without_index(blocks: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in b.items() if key != "index"} for b in blocks]


def test_content_blocks_are_standard_in_every_mode(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(canned_stream(), canned_stream())
    assert model.invoke("Hello").content_blocks == BLOCKS
    _, total = collect(model)
    assert without_index(total.content_blocks) == BLOCKS


def test_output_version_v1_stores_the_blocks_in_every_mode(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    v1 = model.model_copy(update={"output_version": "v1"})
    emulator.play(canned_stream(), canned_stream())
    message = v1.invoke("Hello")
    assert message.content == BLOCKS
    _, total = collect(v1)
    assert without_index(total.content) == BLOCKS
    for answer in (message, total):
        history = [HumanMessage("Hello"), answer, ToolMessage("2", tool_call_id="call_1")]
        sent = messages_to_wire(history)[1]
        assert sent["content"] == [{"type": "text", "text": "Hello."}]
        assert sent["reasoning_details"] == [wire.summary("Thinking."), wire.encrypted("gAAA")]
        assert sent["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
        assert "reasoning" not in sent


def test_citations_ride_on_the_text(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    cited = {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5}
    annotation = {"type": "url_citation", "url_citation": {**cited, "content": "excerpt"}}
    emulator.play(
        canned_stream(
            wire.sse(wire.chunk(annotations=[annotation]), wire.chunk("Hello"), *wire.ending())
        ),
        Canned(pieces=wire.to_json(wire.body("Hello", annotations=[annotation]))),
    )
    _, total = collect(model)
    message = model.invoke("Hello")
    block = {
        "type": "text",
        "text": "Hello",
        "annotations": [{"type": "citation", **cited, "cited_text": "excerpt"}],
    }
    assert without_index(total.content_blocks) == message.content_blocks == [block]


@pytest.mark.parametrize("output_version", [None, "v1"])
def test_protocol_events_are_valid_and_give_the_same_message(
    emulator: Emulator, model: ChatOpenRouterO3, output_version: str | None
) -> None:
    emulator.play(canned_stream(), canned_stream())
    chosen = model.model_copy(update={"output_version": output_version})
    stream = chosen.stream_events("Hello", version="v3")
    events = list(stream)
    assert_valid_event_stream(events)
    assert without_index(stream.output.content) == BLOCKS
    whole = model.invoke("Hello")
    assert stream.output.tool_calls == whole.tool_calls
    assert stream.output.usage_metadata == whole.usage_metadata
    assert stream.output.additional_kwargs == whole.additional_kwargs
    metadata = {**whole.response_metadata, "output_version": "v1"}
    assert stream.output.response_metadata == metadata


@pytest.mark.filterwarnings("ignore:.*_achat_model_stream_v3. is in beta")
async def test_asynchronous_protocol_events_are_valid(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(canned_stream())
    stream = await model.astream_events("Hello", version="v3")
    events = [event async for event in stream]
    assert_valid_event_stream(events)
    assert without_index((await stream.output).content) == BLOCKS


@pytest.mark.filterwarnings("ignore:.*_achat_model_stream_v3. is in beta")
@pytest.mark.parametrize("arguments", ["null", "true", "5", '"x"', "[]", '[{"a": 1}]', " true\n"])
@pytest.mark.parametrize("streamed", [True, False], ids=["events", "body"])
async def test_arguments_that_are_no_object_cost_no_protocol_stream(
    emulator: Emulator, model: ChatOpenRouterO3, arguments: str, *, streamed: bool
) -> None:
    call = wire.tool_call("f", arguments)
    chunks = [wire.chunk("Hi"), wire.tool_chunk(call), *wire.ending("tool_calls")]
    answer = (
        canned_stream(wire.sse(*chunks))
        if streamed
        else Canned(pieces=wire.to_json(wire.body("Hi", finish="tool_calls", tool_calls=[call])))
    )
    emulator.play(answer, answer)
    for message in (
        model.stream_events("Hello", version="v3").output,
        await (await model.astream_events("Hello", version="v3")).output,
    ):
        assert message.text == "Hi"
        assert message.tool_calls == []
        assert [each["name"] for each in message.invalid_tool_calls] == ["f"]
        assert message.additional_kwargs["tool_call_arguments"] == {call["id"]: arguments}


class Tokens(BaseCallbackHandler):
    def __init__(self) -> None:
        self.chunks: list[Any] = []

    def on_llm_new_token(
        self,
        token: str | list[str | dict[str, Any]],  # noqa: ARG002 - core's signature
        *,
        chunk: GenerationChunk | ChatGenerationChunk | None = None,
        **kwargs: Any,  # noqa: ARG002 - core's signature
    ) -> None:
        self.chunks.append(chunk)


def test_every_chunk_reaches_the_callbacks_once(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(canned_stream(), canned_stream())
    tokens = Tokens()
    chunks = list(model.stream("Hello", config={"callbacks": [tokens]}))
    assert [item.message for item in tokens.chunks] == chunks
    protocol = Tokens()
    list(model.stream_events("Hello", version="v3", config={"callbacks": [protocol]}))
    assert len(protocol.chunks) == len(chunks)


def test_langchains_usage_callback_counts_by_model(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(canned_stream(), canned_stream())
    usage = UsageMetadataCallbackHandler()
    model.invoke("Hello", config={"callbacks": [usage]})
    list(model.stream("Hello", config={"callbacks": [usage]}))
    assert usage.usage_metadata[wire.MODEL]["input_tokens"] == 40


@pytest.mark.parametrize("disable", [True, "tool_calling"])
def test_disable_streaming_is_honoured(
    emulator: Emulator, model: ChatOpenRouterO3, disable: Any
) -> None:
    quiet = model.model_copy(update={"disable_streaming": disable})

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    chunks = list(quiet.bind_tools([add]).stream("add 1 and 2"))
    assert len(chunks) == 1
    assert isinstance(chunks[0], AIMessage)
    assert "stream" not in (emulator.requests[-1].body or {})


def test_streaming_true_streams_under_invoke(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    emulator.play(canned_stream())
    eager = type(model)(base_url=model.base_url, api_key=model.api_key, streaming=True)
    message = eager.invoke("Hello")
    assert emulator.requests[-1].body is not None
    assert emulator.requests[-1].body["stream"] is True
    assert type(message) is AIMessage
    assert message.content_blocks == BLOCKS


INFO = {"finish_reason": "stop", "model_name": wire.MODEL, "id": wire.GENERATION}
TOKENS = {
    "prompt_tokens": 20,
    "completion_tokens": 40,
    "total_tokens": 60,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 30},
}
OUTPUT = {"model_name": wire.MODEL, "id": wire.GENERATION, "token_usage": TOKENS}


class Ends(BaseCallbackHandler):
    """Keeps every result that ends a call."""

    def __init__(self) -> None:
        self.results: list[Any] = []

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:  # noqa: ARG002 - the interface's
        self.results.append(response)

    @property
    def generation(self) -> Any:
        return self.results[-1].generations[0][0]


def played(streamed: bool = True, **how: Any) -> Canned:  # noqa: FBT001, FBT002 - a switch of the helper
    if streamed:
        body = wire.sse(wire.chunk("Hel"), wire.chunk("lo"), *wire.ending(**how))
        return Canned(headers={"content-type": "text/event-stream"}, pieces=body)
    return Canned(pieces=wire.to_json(wire.body("Hello", **how)))


def watched(model: ChatOpenRouterO3, **changes: Any) -> tuple[ChatOpenRouterO3, Ends]:
    ends = Ends()
    return model.model_copy(update={"callbacks": [ends], **changes}), ends


@every_mode
@pytest.mark.parametrize("streamed", [True, False], ids=["events", "body"])
@pytest.mark.parametrize("version", [None, "v1"])
def test_tracers_find_the_finish_reason_and_the_ids(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, *, streamed: bool, version: str | None
) -> None:
    spied, ends = watched(model, output_version=version)
    emulator.play(played(streamed))
    message = MODES[mode](spied)
    assert ends.generation.generation_info == INFO
    assert message.response_metadata["finish_reason"] == "stop"
    assert "token_usage" not in message.response_metadata
    if "stream" not in mode:  # core makes the result of a stream itself
        assert ends.results[-1].llm_output == OUTPUT


@every_mode
def test_the_metadata_is_the_same_in_every_mode(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    emulator.play(played(), played())
    assert MODES[mode](model).response_metadata == model.invoke("Hello").response_metadata


def test_streaming_under_invoke_tells_as_much(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    spied, ends = watched(model)
    emulator.play(played())
    spied.invoke("Hello", stream=True)
    assert ends.generation.generation_info == INFO
    assert ends.results[-1].llm_output == OUTPUT


def test_what_is_not_known_is_left_out(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": "Hello"}}]}
    spied, ends = watched(model)
    emulator.play(Canned(pieces=wire.to_json(body)), Canned(pieces=wire.to_json(body)))
    spied.invoke("Hello")
    assert ends.generation.generation_info is None
    assert ends.results[-1].llm_output == {}
    list(spied.stream("Hello"))
    assert ends.generation.generation_info is None


def test_an_answer_from_the_cache_counts_no_tokens(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    spied, ends = watched(model, cache=InMemoryCache())
    emulator.play(played())
    spied.invoke("Hello")
    spied.invoke("Hello")
    assert ends.generation.generation_info == INFO
    assert [result.llm_output for result in ends.results] == [OUTPUT, None]


def test_generate_adds_up_the_counts(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    bare = wire.usage()
    del bare["completion_tokens_details"]
    emulator.play(played(), played(streamed=False), played(counts=bare))
    questions: Any = [[HumanMessage("a")], [HumanMessage("b")], [HumanMessage("c")]]
    result = model.generate(questions)
    assert result.llm_output == {
        "model_name": wire.MODEL,
        "token_usage": {
            "prompt_tokens": 60,
            "completion_tokens": 120,
            "total_tokens": 180,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 60},
        },
    }
    emulator.play(played(), played())
    result = asyncio.run(model.agenerate(questions[:2]))
    assert result.llm_output is not None
    assert result.llm_output["token_usage"]["total_tokens"] == 120


def test_generate_adds_nothing_for_answers_without_counts(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": "Hello"}}]}
    cached = model.model_copy(update={"cache": InMemoryCache()})
    emulator.play(Canned(pieces=wire.to_json(body)))
    question: Any = [[HumanMessage("Hello")], [HumanMessage("Hello")]]
    assert cached.generate(question).llm_output == {}
