"""Tools on the way out, calls on the way in, and both in histories."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call

from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.factories import answer, get_weather, hello, streamed
from tests.pains.harness import EVERY_MODE, STREAMED, Harness, Observation, Outcome, case, safe_if


def called(harness: Harness, *calls: wire.Json) -> Canned:
    """Answer with whole tool calls, in one event or in a body."""
    body = wire.body(None, finish="tool_calls", tool_calls=list(calls))
    return answer(harness.mode, body)


def called_in_deltas(*deltas: wire.Json) -> Canned:
    """Answer with a stream of pieces of tool calls."""
    return streamed(*map(wire.tool_chunk, deltas), *wire.ending("tool_calls"))


def calls_of(outcome: Outcome) -> list[tuple[str, Any]] | None:
    """Return the name and the arguments of each call, or None after an error."""
    if not outcome.succeeded:
        return None
    return [(call["name"], call["args"]) for call in outcome.value.tool_calls]


def heard(outcome: Outcome) -> str:
    """Tell the calls."""
    return str(outcome) if (calls := calls_of(outcome)) is None else f"calls {calls}"


def history(call: str | None, result: str) -> list[Any]:
    """Make a history of a call and its result, by the ids on either side."""
    made = tool_call(name="get_weather", args={"city": "Paris"}, id=call)
    return [
        HumanMessage("Hi"),
        AIMessage("", tool_calls=[made]),
        ToolMessage("Sunny", tool_call_id=result),
    ]


def ids_sent(harness: Harness) -> tuple[list[Any], list[Any]]:
    """Return the ids of calls and of results in the last request."""
    messages = harness.sent()["messages"]
    calls = [call["id"] for message in messages for call in message.get("tool_calls") or ()]
    return calls, [message["tool_call_id"] for message in messages if message["role"] == "tool"]


@case("P16", EVERY_MODE)
def arguments_are_no_object(harness: Harness) -> Observation:
    good = wire.tool_call("get_weather", '{"city":"Paris"}', "call_2", 1)
    harness.play(called(harness, wire.tool_call("get_weather", "[1]"), good))
    outcome = harness.ask()
    return safe_if(calls_of(outcome) == [("get_weather", {"city": "Paris"})], heard(outcome))


@case("P17", EVERY_MODE)
def there_are_no_arguments(harness: Harness) -> Observation:
    shapes: dict[str, wire.Json] = {
        "null": {"arguments": None},
        "missing": {},
        "empty": {"arguments": ""},
    }
    lost = []
    for name, function in shapes.items():
        harness.play(
            called(harness, {**wire.tool_call("now", ""), "function": {"name": "now", **function}})
        )
        outcome = harness.ask()
        if calls_of(outcome) != [("now", {})]:
            lost.append(f"{name}: {heard(outcome) if outcome.succeeded else outcome.kind}")
    return safe_if(not lost, "; ".join(lost) or "an empty object in 3 of 3 shapes")


@case("P23")
def tools_have_bare_schemas(harness: Harness) -> Observation:
    array = {"type": "object", "properties": {"ids": {"type": "array"}}}
    tools = [
        {"name": "now", "description": "Time", "parameters": {"type": "object"}},
        {"name": "show", "description": "Show", "parameters": array},
    ]
    outcome = harness.attempt(lambda: harness.model().bind_tools(tools).invoke("Hello"))
    return safe_if(outcome.succeeded, outcome.refusal if outcome.error else "schemas accepted")


@case("P24", STREAMED)
def every_delta_repeats_the_name(harness: Harness) -> Observation:
    deltas = [wire.tool_call("f", piece) for piece in ('{"a"', ": 1", "}")]
    harness.play(called_in_deltas(*deltas))
    outcome = harness.ask()
    return safe_if(calls_of(outcome) == [("f", {"a": 1})], heard(outcome))


@case("P25", STREAMED)
def deltas_have_no_index(harness: Harness) -> Observation:
    deltas = wire.tool_deltas("f", ['{"a"', ": 1}"])
    for delta in deltas:
        del delta["index"]
    harness.play(called_in_deltas(*deltas))
    outcome = harness.ask()
    return safe_if(calls_of(outcome) == [("f", {"a": 1})], heard(outcome))


@case("P27")
def a_call_of_the_history_has_no_id(harness: Harness) -> Observation:
    outcome = harness.attempt(lambda: harness.model().invoke(history(None, "")).text)
    if not harness.requests:
        return safe_if(condition=False, seen=outcome)
    calls, results = ids_sent(harness)
    good = calls == results and all(calls)
    return safe_if(good, "one made-up id on both" if good else f"sent ids {calls} and {results}")


@case("P28", EVERY_MODE)
def two_calls_have_one_id(harness: Harness) -> Observation:
    harness.play(
        called(harness, *[wire.tool_call(name, "{}", "call_1", n) for n, name in enumerate("fg")])
    )
    ids = [call["id"] for call in harness.hear(harness.model()).tool_calls]
    return safe_if(len(set(ids)) == 2, "made unique" if len(set(ids)) == 2 else f"ids {ids}")


@case("P29")
def an_id_is_too_long(harness: Harness) -> Observation:
    outcome = harness.attempt(lambda: harness.model().invoke(history("x" * 83, "x" * 83)).text)
    if not harness.requests:
        return safe_if(condition=False, seen=outcome)
    calls, results = ids_sent(harness)
    lengths = f"sent ids of {len(calls[0])} and {len(results[0])} characters"
    return safe_if(calls == results and len(calls[0]) <= 40, lengths)


@case("P30")
def a_result_is_missing(harness: Harness) -> Observation:
    asked = [*history("call_7", "call_7")[:2], HumanMessage("And?")]
    outcome = harness.attempt(lambda: harness.model().invoke(asked).text)
    named = "call_7" in str(outcome.error)
    told = outcome.refusal if harness.requests else outcome.kind
    return safe_if(named and not harness.requests, f"{told}, {harness.count}")


@case("P49", EVERY_MODE)
def arguments_go_back(harness: Harness) -> Observation:
    harness.play(called(harness, wire.tool_call("get_weather", '{"city":"Paris"}')), hello())
    model = harness.model()
    said = harness.hear(model)
    model.invoke([HumanMessage("Hi"), said, ToolMessage("Sunny", tool_call_id="call_1")])
    arguments = harness.sent()["messages"][1]["tool_calls"][0]["function"]["arguments"]
    return safe_if(arguments == '{"city":"Paris"}', f"sent back {arguments}")


@case("P56")
def a_server_tool_is_bound(harness: Harness) -> Observation:
    search = {"type": "openrouter:web_search", "parameters": {"max_results": 3}}
    harness.play(hello())
    outcome = harness.attempt(lambda: harness.model().bind_tools([search]).invoke("Hello").text)
    arrived = bool(harness.requests) and harness.sent().get("tools") == [search]
    return safe_if(arrived, "sent verbatim" if arrived else said_or_sent(harness, outcome))


def said_or_sent(harness: Harness, outcome: Outcome) -> str:
    """Tell the error, or else the tools that were sent."""
    return f"sent {harness.sent().get('tools')}" if outcome.succeeded else str(outcome)


@case("P69")
def a_tool_choice_is_unusual(harness: Harness) -> Observation:
    model = harness.model()
    harness.play(hello(), hello())
    never = harness.attempt(lambda: model.bind_tools([get_weather], tool_choice=False).invoke("Hi"))
    choice = harness.sent().get("tool_choice", "nothing") if never.succeeded else never.kind
    unknown = harness.attempt(lambda: model.bind_tools([get_weather], tool_choice="wether"))
    before = len(harness.requests)
    empty = harness.attempt(lambda: model.bind_tools([]).invoke("Hi"))
    arrived = len(harness.requests) > before
    tools = harness.sent().get("tools", "no list") if arrived else empty.kind
    told = (
        f"tool_choice=False: sent {choice!r}; an unknown name: "
        f"{'accepted' if unknown.succeeded else unknown.kind}; bind_tools([]): sent {tools}"
    )
    good = choice == "none" and not unknown.succeeded and tools == "no list"
    return safe_if(good, told)
