"""What goes in comes out: metadata, names, blocks, options and the words of an error."""

from __future__ import annotations

import json
import traceback
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import failed, hello, streamed, whole
from tests.pains.harness import EVERY_MODE, WHOLE, Harness, Observation, case, safe_if

PICTURE = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}  # LangChain's own block
CITATION = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}


@case("P51", WHOLE)
def who_served_what(harness: Harness) -> Observation:
    harness.play(
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
        shown = str(harness.ask(streaming=streaming).value.model_dump())
        missing = [name for name, word in facts.items() if word not in shown]
        if missing:
            lacking.append(f"{mode} lacks {', '.join(missing)}")
    return safe_if(not lacking, "; ".join(lacking) or "all kept in both modes")


@case("P52")
def an_assistants_text_has_parts(harness: Harness) -> Observation:
    harness.play(hello())
    said = AIMessage(["part1 ", "part2"])
    outcome = harness.attempt(lambda: harness.model().invoke([HumanMessage("Hi"), said]))
    if not harness.requests:
        return safe_if(condition=False, seen=outcome)
    content = harness.sent()["messages"][1]["content"]
    valid = [[{"type": "text", "text": text} for text in ("part1 ", "part2")], "part1 part2"]
    return safe_if(content in valid, f"sent {content!r}")


@case("P53")
def speakers_have_names(harness: Harness) -> Observation:
    harness.play(hello())
    history = [HumanMessage("Hi", name="Ada"), AIMessage("Hello", name="planner")]
    harness.attempt(lambda: harness.model().invoke([*history, HumanMessage("Go on")]))
    names = [message.get("name") for message in harness.sent()["messages"][:2]]
    return safe_if(names == ["Ada", "planner"], f"sent names {names}")


@case("P54")
def a_tools_result_has_a_picture(harness: Harness) -> Observation:
    call: Any = {"name": "look", "args": {}, "id": "call_1", "type": "tool_call"}
    blocks: list[Any] = [{"type": "text", "text": "a sheep"}, PICTURE]
    history = [AIMessage("", tool_calls=[call]), ToolMessage(blocks, tool_call_id="call_1")]
    harness.play(hello())
    outcome = harness.attempt(lambda: harness.model().invoke([HumanMessage("Hi"), *history]))
    if not harness.requests:
        return safe_if(condition=True, seen=f"refused locally: {outcome.kind}")
    content = harness.sent()["messages"][2]["content"]
    kinds = [part["type"] for part in content]
    return safe_if(kinds == ["text", "image_url"], f"sent parts of type {' and '.join(kinds)}")


@case("P55")
def options_are_new(harness: Harness) -> Observation:
    preferences, body = {"new_pref": {"a": 1}}, {"new_option": ["b"]}
    harness.play(hello())
    outcome = harness.ask(**harness.client.unknown(preferences, body))
    if not harness.requests:
        return safe_if(condition=False, seen=outcome)
    sent = {key: harness.sent().get(key) for key in ("provider", "new_option")}
    good = sent == {"provider": preferences, **body}
    return safe_if(good, "both sent" if good else f"sent {sent}")


@case("P57", EVERY_MODE)
def the_provider_has_its_own_words(harness: Harness) -> Observation:
    raw = json.dumps({"error": {"message": "Unsupported parameter: 'temperature'"}})
    error = wire.error(400, raw=raw, provider_name="OpenAI")
    harness.play(failed(400, error, x_generation_id=wire.GENERATION))
    outcome = harness.ask()
    return safe_if("temperature" in str(outcome.error), outcome)


@case("P61", EVERY_MODE)
def the_key_ends_with_a_line_break(harness: Harness) -> Observation:
    harness.play(hello(harness.mode))
    outcome = harness.ask(api_key=f"{KEY}\n", limit=5)
    shown = traceback.format_exception(outcome.error) if outcome.error else []
    leaked = KEY in "".join(shown)
    where = "its message" if KEY in str(outcome.error) else "its traceback"
    told = f"{outcome.kind}, the key is in {where}" if leaked else outcome.kind
    return safe_if(outcome.finished and not leaked, "worked" if outcome.succeeded else told)
