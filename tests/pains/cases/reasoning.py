"""Reasoning that is read, kept and given back; its effort."""

from __future__ import annotations

import copy
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage

from tests.helpers import wire
from tests.helpers.factories import hello, streamed
from tests.pains.harness import (
    EVERY_MODE,
    STREAMED,
    Harness,
    Observation,
    case,
    not_applicable,
    safe_if,
    said,
)

SUMMARY = ["First ", "this, ", "then that."]
CIPHER = wire.encrypted("gAAAB=", index=0)
WHOLE = [wire.summary("".join(SUMMARY)), CIPHER]
FUTURE = {"type": "reasoning.future", "index": 0, "new": {"deep": [1, None]}}
DROPPED = "sends no reasoning_details at all (P13)"


def changes(before: list[wire.Json], after: list[wire.Json]) -> str:
    """Tell what happened to entries on their way."""
    if before == after:
        return "unaltered"
    if len(before) != len(after):
        return f"sent back {len(after)} of {len(before)} entries"
    pairs = zip(before, after, strict=True)
    told = [
        f"{old['type']}: {', '.join(wrong)} lost or changed"
        for old, new in pairs
        if (wrong := [key for key in old if old[key] != new.get(key)])
    ]
    return "; ".join(told)


def sent_back(harness: Harness, model: Any, answer: AIMessage) -> Any:
    """Send an answer as history and return its reasoning in the request."""
    harness.play(hello())
    harness.attempt(lambda: model.invoke([HumanMessage("Hi"), answer, HumanMessage("Go on")]))
    return harness.sent()["messages"][1].get("reasoning_details")


@case("P12", STREAMED)
def ciphertext_is_streamed(harness: Harness) -> Observation:
    deltas = [[wire.summary(piece)] for piece in SUMMARY] + [[CIPHER]]
    events = [wire.chunk(reasoning_details=delta) for delta in deltas]
    harness.play(streamed(*events, wire.chunk("Done"), *wire.ending()))
    model = harness.model()
    details = sent_back(harness, model, harness.hear(model))
    if details is None:
        return not_applicable(DROPPED)
    return safe_if(details == WHOLE, changes(WHOLE, details))


@case("P13", EVERY_MODE)
def reasoning_goes_back(harness: Harness) -> Observation:
    harness.reply(wire.body("Done", reasoning_details=WHOLE))
    model = harness.model()
    details = sent_back(harness, model, harness.hear(model))
    return safe_if(
        details == WHOLE, "sent none back" if details is None else changes(WHOLE, details)
    )


@case("P14")
def an_id_has_lost_its_ciphertext(harness: Harness) -> Observation:
    dangling = {**wire.summary("Thought"), "id": "rs_dangling"}
    paired = [{**wire.summary("More"), "id": "rs_1"}, wire.encrypted("gAAAB=", "rs_1")]
    kept = copy.deepcopy([dangling, *paired])
    answer = AIMessage("Done", additional_kwargs={"reasoning_details": kept})
    details = sent_back(harness, harness.model(), answer)
    if details is None:
        return not_applicable(DROPPED)
    lost = str(details).count("'rs_1'") != 2
    dangles = "rs_dangling" in str(details)
    told = (
        f"dangling id {'sent' if dangles else 'left out'}, paired ids {'lost' if lost else 'kept'}"
    )
    return safe_if(not dangles and not lost, told)


@case("P15", EVERY_MODE)
def reasoning_is_of_an_unknown_kind(harness: Harness) -> Observation:
    model = harness.model()
    details: Any = [FUTURE]
    for _ in range(3):
        harness.reply(wire.body("Done", reasoning_details=details))
        details = sent_back(harness, model, harness.hear(model))
        if details is None:
            return not_applicable(DROPPED)
    wrapped = f"wrapped {str(details).count('UNKNOWN')} times after 3 turns"
    told = "unaltered" if details == [FUTURE] else wrapped
    return safe_if(details == [FUTURE], told)


@case("P34")
def the_effort_is_given_twice(harness: Harness) -> Observation:
    model = harness.model(**harness.client.effort("low"))
    outcome = harness.attempt(
        lambda: model.invoke("Hello", **harness.client.other_effort("high")).text
    )
    if not harness.requests:
        return safe_if(condition=True, seen=outcome)
    efforts = {
        key: harness.sent()[key]
        for key in ("reasoning", "reasoning_effort")
        if key in harness.sent()
    }
    return safe_if(
        outcome.succeeded and len(efforts) == 1,
        f"sent {efforts}, {outcome.refusal if outcome.error else 'answered'}",
    )


@case("P35")
def reasoning_is_a_dictionary(harness: Harness) -> Observation:
    harness.play(hello())
    outcome = harness.ask(reasoning={"effort": "high"})
    path = harness.requests[0].path.removeprefix("/api/v1") if harness.requests else "nowhere"
    return safe_if(
        path == "/chat/completions" and outcome.succeeded, f"POST {path}, {said(outcome)}"
    )


@case("P37")
def the_effort_is_misspelt(harness: Harness) -> Observation:
    outcome = harness.ask(**harness.client.effort("xlow"))
    if not harness.requests:
        return safe_if(not outcome.succeeded, f"{outcome.kind}, 0 requests")
    arrived = b"xlow" in harness.requests[0].raw
    told = "sent it for the server to judge" if arrived else "left it out in silence"
    return safe_if(arrived, f"{told}, {outcome.kind}")
