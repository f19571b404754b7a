"""Tools on the way out, calls on the way in, and both in histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call

from tests.helpers import wire
from tests.helpers.factories import get_weather, hello, streamed, whole
from tests.pains.peers.stage import Observation, Outcome, Stage, case, hear, safe_if

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Canned


def called(*calls: wire.Json) -> Canned:
    """Answer with whole tool calls."""
    return whole(wire.body(None, finish="tool_calls", tool_calls=list(calls)))


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


def ids_sent(stage: Stage) -> tuple[list[Any], list[Any]]:
    """Return the ids of calls and of results in the last request."""
    messages = stage.sent()["messages"]
    calls = [call["id"] for message in messages for call in message.get("tool_calls") or ()]
    return calls, [message["tool_call_id"] for message in messages if message["role"] == "tool"]


@case("P16")
def arguments_are_no_object(stage: Stage) -> Observation:
    good = wire.tool_call("get_weather", '{"city":"Paris"}', "call_2", 1)
    stage.play(called(wire.tool_call("get_weather", "[1]"), good))
    outcome = stage.ask()
    return safe_if(calls_of(outcome) == [("get_weather", {"city": "Paris"})], heard(outcome))


@case("P17")
def there_are_no_arguments(stage: Stage) -> Observation:
    shapes: dict[str, wire.Json] = {
        "null": {"arguments": None},
        "missing": {},
        "empty": {"arguments": ""},
    }
    lost = []
    for name, function in shapes.items():
        stage.play(called({**wire.tool_call("now", ""), "function": {"name": "now", **function}}))
        outcome = stage.ask()
        if calls_of(outcome) != [("now", {})]:
            lost.append(f"{name}: {heard(outcome) if outcome.succeeded else outcome.kind}")
    return safe_if(not lost, "; ".join(lost) or "an empty object in 3 of 3 shapes")


@case("P23")
def tools_have_bare_schemas(stage: Stage) -> Observation:
    array = {"type": "object", "properties": {"ids": {"type": "array"}}}
    tools = [
        {"name": "now", "description": "Time", "parameters": {"type": "object"}},
        {"name": "show", "description": "Show", "parameters": array},
    ]
    outcome = stage.attempt(lambda: stage.model().bind_tools(tools).invoke("Hello"))
    return safe_if(outcome.succeeded, outcome.refusal if outcome.error else "schemas accepted")


@case("P24")
def every_delta_repeats_the_name(stage: Stage) -> Observation:
    deltas = [wire.tool_call("f", piece) for piece in ('{"a"', ": 1", "}")]
    stage.play(called_in_deltas(*deltas))
    outcome = stage.ask(streaming=True)
    return safe_if(calls_of(outcome) == [("f", {"a": 1})], heard(outcome))


@case("P25")
def deltas_have_no_index(stage: Stage) -> Observation:
    deltas = wire.tool_deltas("f", ['{"a"', ": 1}"])
    for delta in deltas:
        del delta["index"]
    stage.play(called_in_deltas(*deltas))
    outcome = stage.ask(streaming=True)
    return safe_if(calls_of(outcome) == [("f", {"a": 1})], heard(outcome))


@case("P27")
def a_call_of_the_history_has_no_id(stage: Stage) -> Observation:
    outcome = stage.attempt(lambda: stage.model().invoke(history(None, "")).text)
    if not stage.requests:
        return safe_if(condition=False, seen=outcome)
    calls, results = ids_sent(stage)
    good = calls == results and all(calls)
    return safe_if(good, "one made-up id on both" if good else f"sent ids {calls} and {results}")


@case("P28")
def two_calls_have_one_id(stage: Stage) -> Observation:
    stage.play(called(*[wire.tool_call(name, "{}", "call_1", n) for n, name in enumerate("fg")]))
    ids = [call["id"] for call in hear(stage.model()).tool_calls]
    return safe_if(len(set(ids)) == 2, "made unique" if len(set(ids)) == 2 else f"ids {ids}")


@case("P29")
def an_id_is_too_long(stage: Stage) -> Observation:
    outcome = stage.attempt(lambda: stage.model().invoke(history("x" * 83, "x" * 83)).text)
    if not stage.requests:
        return safe_if(condition=False, seen=outcome)
    calls, results = ids_sent(stage)
    lengths = f"sent ids of {len(calls[0])} and {len(results[0])} characters"
    return safe_if(calls == results and len(calls[0]) <= 40, lengths)


@case("P30")
def a_result_is_missing(stage: Stage) -> Observation:
    asked = [*history("call_7", "call_7")[:2], HumanMessage("And?")]
    outcome = stage.attempt(lambda: stage.model().invoke(asked).text)
    named = "call_7" in str(outcome.error)
    told = outcome.refusal if stage.requests else outcome.kind
    return safe_if(named and not stage.requests, f"{told}, {stage.count}")


@case("P49")
def arguments_go_back(stage: Stage) -> Observation:
    stage.play(called(wire.tool_call("get_weather", '{"city":"Paris"}')), hello())
    model = stage.model()
    answer = hear(model)
    model.invoke([HumanMessage("Hi"), answer, ToolMessage("Sunny", tool_call_id="call_1")])
    arguments = stage.sent()["messages"][1]["tool_calls"][0]["function"]["arguments"]
    return safe_if(arguments == '{"city":"Paris"}', f"sent back {arguments}")


@case("P56")
def a_server_tool_is_bound(stage: Stage) -> Observation:
    search = {"type": "openrouter:web_search", "parameters": {"max_results": 3}}
    stage.play(hello())
    outcome = stage.attempt(lambda: stage.model().bind_tools([search]).invoke("Hello").text)
    arrived = bool(stage.requests) and stage.sent().get("tools") == [search]
    return safe_if(arrived, "sent verbatim" if arrived else said_or_sent(stage, outcome))


def said_or_sent(stage: Stage, outcome: Outcome) -> str:
    """Tell the error, or else the tools that were sent."""
    return f"sent {stage.sent().get('tools')}" if outcome.succeeded else str(outcome)


@case("P69")
def a_tool_choice_is_unusual(stage: Stage) -> Observation:
    model = stage.model()
    stage.play(hello(), hello())
    never = stage.attempt(lambda: model.bind_tools([get_weather], tool_choice=False).invoke("Hi"))
    choice = stage.sent().get("tool_choice", "nothing") if never.succeeded else never.kind
    unknown = stage.attempt(lambda: model.bind_tools([get_weather], tool_choice="wether"))
    before = len(stage.requests)
    empty = stage.attempt(lambda: model.bind_tools([]).invoke("Hi"))
    arrived = len(stage.requests) > before
    tools = stage.sent().get("tools", "no list") if arrived else empty.kind
    told = (
        f"tool_choice=False: sent {choice!r}; an unknown name: "
        f"{'accepted' if unknown.succeeded else unknown.kind}; bind_tools([]): sent {tools}"
    )
    good = choice == "none" and not unknown.succeeded and tools == "no list"
    return safe_if(good, told)
