"""What goes in comes out: metadata, names, blocks, options and the words of an error."""

from __future__ import annotations

import json
import traceback
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_openrouter_o3.emulator import Canned
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import JSON, failed, hello, streamed, whole
from tests.pains.peers.stage import Observation, Stage, case, safe_if

PICTURE = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}  # LangChain's own block
CITATION = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}


@case("P51")
def who_served_what(stage: Stage) -> Observation:
    stage.play(
        whole(wire.body("Hello", annotations=[CITATION])),
        streamed(wire.chunk("Hello", annotations=[CITATION]), *wire.ending()),
    )
    facts = {
        "provider": f"'{wire.PROVIDER}'",
        "native finish reason": "'completed'",
        "generation id": wire.GENERATION,
        "citations": "a.example",
    }
    lacking = []
    for mode, streaming in (("invoke", False), ("stream", True)):
        shown = str(stage.ask(streaming=streaming).value.model_dump())
        missing = [name for name, word in facts.items() if word not in shown]
        if missing:
            lacking.append(f"{mode} lacks {', '.join(missing)}")
    return safe_if(not lacking, "; ".join(lacking) or "all kept in both modes")


@case("P52")
def an_assistants_text_has_parts(stage: Stage) -> Observation:
    stage.play(hello())
    said = AIMessage(["part1 ", "part2"])
    outcome = stage.attempt(lambda: stage.model().invoke([HumanMessage("Hi"), said]))
    if not stage.requests:
        return safe_if(condition=False, seen=outcome)
    content = stage.sent()["messages"][1]["content"]
    valid = [[{"type": "text", "text": text} for text in ("part1 ", "part2")], "part1 part2"]
    return safe_if(content in valid, f"sent {content!r}")


@case("P53")
def speakers_have_names(stage: Stage) -> Observation:
    stage.play(hello())
    history = [HumanMessage("Hi", name="Ada"), AIMessage("Hello", name="planner")]
    stage.attempt(lambda: stage.model().invoke([*history, HumanMessage("Go on")]))
    names = [message.get("name") for message in stage.sent()["messages"][:2]]
    return safe_if(names == ["Ada", "planner"], f"sent names {names}")


@case("P54")
def a_tools_result_has_a_picture(stage: Stage) -> Observation:
    call: Any = {"name": "look", "args": {}, "id": "call_1", "type": "tool_call"}
    blocks: list[Any] = [{"type": "text", "text": "a sheep"}, PICTURE]
    history = [AIMessage("", tool_calls=[call]), ToolMessage(blocks, tool_call_id="call_1")]
    stage.play(hello())
    outcome = stage.attempt(lambda: stage.model().invoke([HumanMessage("Hi"), *history]))
    if not stage.requests:
        return safe_if(condition=True, seen=f"refused locally: {outcome.kind}")
    content = stage.sent()["messages"][2]["content"]
    kinds = [part["type"] for part in content]
    return safe_if(kinds == ["text", "image_url"], f"sent parts of type {' and '.join(kinds)}")


@case("P55")
def options_are_new(stage: Stage) -> Observation:
    preferences, body = {"new_pref": {"a": 1}}, {"new_option": ["b"]}
    stage.play(hello())
    outcome = stage.ask(**stage.client.unknown(preferences, body))
    if not stage.requests:
        return safe_if(condition=False, seen=outcome)
    sent = {key: stage.sent().get(key) for key in ("provider", "new_option")}
    good = sent == {"provider": preferences, **body}
    return safe_if(good, "both sent" if good else f"sent {sent}")


@case("P57")
def the_provider_has_its_own_words(stage: Stage) -> Observation:
    raw = json.dumps({"error": {"message": "Unsupported parameter: 'temperature'"}})
    error = wire.error(400, raw=raw, provider_name="OpenAI")
    stage.play(failed(400, error, x_generation_id=wire.GENERATION))
    outcome = stage.ask()
    return safe_if("temperature" in str(outcome.error), outcome)


@case("P61")
def the_key_ends_with_a_line_break(stage: Stage) -> Observation:
    stage.play(Canned(headers=JSON, pieces=wire.to_json(wire.body("Hello"))))
    outcome = stage.ask(api_key=f"{KEY}\n", limit=5)
    shown = traceback.format_exception(outcome.error) if outcome.error else []
    leaked = KEY in "".join(shown)
    where = "its message" if KEY in str(outcome.error) else "its traceback"
    told = f"{outcome.kind}, the key is in {where}" if leaked else outcome.kind
    return safe_if(outcome.finished and not leaked, "worked" if outcome.succeeded else told)
