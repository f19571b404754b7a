"""What goes in comes out: metadata, names, blocks, options and the words of an error."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import ValidationError

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAuthenticationError,
    OpenRouterInputError,
    OpenRouterInvalidRequestError,
)
from langchain_openrouter_o3.emulator import Canned
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import JSON, STREAM, build, failed, sent
from tests.helpers.modes import MODES, every_mode

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
CITATION = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}


@every_mode
def test_p51_who_served_what_is_in_the_metadata(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    told: Any = {"annotations": [CITATION], "images": [PICTURE]}
    headers = {"x-generation-id": wire.GENERATION}
    if "stream" in mode:
        body = wire.sse(wire.chunk("Hello", **told), *wire.ending())
        emulator.play(Canned(headers={**STREAM, **headers}, pieces=body))
    else:
        pieces = wire.to_json(wire.body("Hello", **told))
        emulator.play(Canned(headers={**JSON, **headers}, pieces=pieces))
    emulator.play(failed(400, x_generation_id=wire.GENERATION))
    answer = MODES[mode](model)
    metadata = answer.response_metadata
    served = [metadata[key] for key in ("provider", "native_finish_reason", "id")]
    assert served == [wire.PROVIDER, "completed", wire.GENERATION]
    assert {key: answer.additional_kwargs[key] for key in told} == told
    with pytest.raises(OpenRouterInvalidRequestError) as caught:
        MODES[mode](model)
    assert caught.value.generation_id == wire.GENERATION


def test_p52_every_part_of_an_assistants_text_goes_back(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    said = AIMessage(["part1 ", "part2", {"type": "text", "text": "part3"}])
    model.invoke([HumanMessage("Hi"), said, HumanMessage("Go on")])
    parts = [{"type": "text", "text": text} for text in ("part1 ", "part2", "part3")]
    assert sent(emulator)["messages"][1]["content"] == parts
    odd = AIMessage([{"type": "hologram", "data": "x"}])
    with pytest.raises(OpenRouterInputError, match=r"messages\[1\].*hologram"):
        model.invoke([HumanMessage("Hi"), odd, HumanMessage("Go on")])
    assert len(emulator.requests) == 1


def test_p53_the_speakers_names_are_sent(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    model.invoke(
        [
            HumanMessage("Hi", name="Ada"),
            AIMessage("Hello", name="planner"),
            HumanMessage("Go on", name="Ada Lovelace (née Byron)"),
        ]
    )
    names = [message["name"] for message in sent(emulator)["messages"]]
    assert names[:2] == ["Ada", "planner"]
    assert names[2].isascii()
    assert names[2].startswith("Ada_Lovelace")


def test_p54_a_tools_blocks_are_sent_or_refused_here(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    call: Any = {"name": "look", "args": {}, "id": "call_1", "type": "tool_call"}
    before = [HumanMessage("Hi"), AIMessage("", tool_calls=[call])]
    text = {"type": "text", "text": "a sheep"}
    model.invoke([*before, ToolMessage(["two: ", text], tool_call_id="call_1")])
    assert sent(emulator)["messages"][2] == {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": [{"type": "text", "text": "two: "}, text],
    }
    with pytest.raises(OpenRouterInputError, match="no image input"):
        model.invoke([*before, ToolMessage([text, PICTURE], tool_call_id="call_1")])
    assert len(emulator.requests) == 1


def test_p55_options_that_nobody_here_knows_are_sent_verbatim(emulator: Emulator) -> None:
    wanted: Any = {"provider": {"new_pref": {"a": [None, 1]}}, "transforms": [], "usage": None}
    model = build(emulator, extra_body=wanted, default_headers={"X-New": "1"})
    model.invoke("Hi", extra_body={"newer": {"b": None}}, extra_headers={"X-Newer": "2"})
    body = sent(emulator)
    assert {key: body[key] for key in wanted} == wanted
    assert body["newer"] == {"b": None}
    assert (emulator.requests[0].headers["x-new"], emulator.requests[0].headers["x-newer"]) == (
        "1",
        "2",
    )


UPSTREAM = {"error": {"message": "Unsupported parameter: 'temperature'", "type": "invalid"}}


@every_mode
@pytest.mark.parametrize(
    "raw", [UPSTREAM, json.dumps(UPSTREAM, indent=2), UPSTREAM["error"]["message"]]
)
def test_p57_the_providers_own_words_are_in_the_error(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, raw: Any
) -> None:
    error = wire.error(400, raw=raw, provider_name="OpenAI", error_type="invalid_request")
    emulator.play(failed(400, {**error, "user_id": "user_2abcdefgh"}, x_generation_id="gen-7"))
    with pytest.raises(OpenRouterInvalidRequestError) as caught:
        MODES[mode](model)
    assert str(caught.value) == (
        "[OpenAI] Unsupported parameter: 'temperature' (HTTP 400, invalid_request, gen-7)"
    )
    assert caught.value.body["error"]["metadata"]["raw"] == raw
    assert "user_2abc" not in repr(caught.value.body)
    emulator.play(failed(400, wire.error(400, "x" * 99_999)))
    with pytest.raises(OpenRouterInvalidRequestError) as caught:
        MODES[mode](model)
    assert len(str(caught.value)) < 2_000


def test_p61_white_space_around_a_key_is_stripped(emulator: Emulator) -> None:
    ChatOpenRouterO3(base_url=emulator.base_url, api_key=f"\n {KEY}\r\n").invoke("Hi")
    assert emulator.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("inside", ["\n", " ", "\x00", "ö", "\u2028"])
def test_p61_an_unusable_key_is_refused_without_showing_it(inside: str) -> None:
    with pytest.raises(ValidationError, match="api_key") as caught:
        ChatOpenRouterO3(api_key=f"{KEY}{inside}tail")
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.errors())
    assert KEY not in shown
    assert "tail" not in str(caught.value)


@every_mode
def test_p61_the_key_shows_nowhere(emulator: Emulator, model: ChatOpenRouterO3, mode: str) -> None:
    seen: list[Any] = []

    class Tracer(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            seen.extend((args, kwargs))

        def on_llm_error(self, *args: Any, **kwargs: Any) -> None:
            seen.extend((args, kwargs))

    emulator.play(failed(401, wire.error(401, f"Bad key {KEY}", raw=f"Bearer {KEY}")))
    traced = model.model_copy(update={"callbacks": [Tracer()]})
    with pytest.raises(OpenRouterAuthenticationError) as caught:
        MODES[mode](traced)
    assert len(seen) == 4
    shown = [*map(repr, seen), *traceback.format_exception(caught.value), repr(caught.value.body)]
    shown += [repr(model), str(model), dumps(model), repr(model.model_dump())]
    assert KEY not in " ".join(shown)
