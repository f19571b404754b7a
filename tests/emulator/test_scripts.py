"""Scripts: one list of steps, played whole and streamed, with and without a socket."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import BaseModel

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterConnectionError,
    OpenRouterError,
    OpenRouterInvalidRequestError,
    OpenRouterRateLimitError,
    OpenRouterRefusalError,
)
from langchain_openrouter_o3.emulator import (
    Canned,
    Emulator,
    Pace,
    ScriptError,
    call,
    calls,
    fail,
    faults,
    obj,
    refuse,
    say,
    think,
)
from tests.helpers.emulator_client import INTEGER, Chat, closed, deltas, strict, tool, user
from tests.helpers.modes import MODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_openrouter_o3.emulator import Reply

TIME = tool("get_time", zone={"type": "string"})


def get_time(zone: str) -> str:
    """Get the time."""
    return f"noon in {zone}"


class Person(BaseModel):
    name: str
    born: int | None = None


def model_of(emulator: Emulator, *, socket: bool = True, **settings: Any) -> ChatOpenRouterO3:
    """A model that asks an emulator, over its port or through its transport."""
    if socket:
        return ChatOpenRouterO3(base_url=emulator.base_url, api_key="k", max_retries=0, **settings)
    transport = emulator.transport()
    return ChatOpenRouterO3(
        api_key="k",
        max_retries=0,
        http_client=httpx.Client(transport=transport),
        http_async_client=httpx.AsyncClient(transport=transport),
        **settings,
    )


@contextlib.contextmanager
def chatting(script: list[Any], **settings: Any) -> Iterator[Chat]:
    """A plain client of an emulator that follows a script."""
    with Emulator(script=script, **settings) as emulator:
        chat = Chat(emulator)
        with chat.client:
            yield chat


@pytest.mark.parametrize("socket", [True, False], ids=["socket", "transport"])
@pytest.mark.parametrize("mode", MODES)
def test_every_step_is_the_same_whichever_way_it_is_asked_for(mode: str, socket: bool) -> None:  # noqa: FBT001 - a parameter of the test
    two = calls(call("get_time", zone="UTC"), call("get_time", {"zone": "CET"}))
    script: list[Any] = [
        say("Hello, wörld!", finish_reason="content_filter", id="gen-mine"),
        think("**Two zones**", then=say("One moment.", then=two)),
        refuse("No."),
        obj({"a": 1}),
        fail(429, retry_after=1, message="Slow"),
        lambda request: say(f"You said {request.text}."),
        Canned(status=418, pieces=b"{}"),
    ]
    with Emulator(script=script) as emulator:
        model = model_of(emulator, socket=socket)
        hello = MODES[mode](model)
        assert hello.text == "Hello, wörld!"
        assert hello.response_metadata["finish_reason"] == "content_filter"
        assert hello.response_metadata["id"] == "gen-mine"
        with_tools = model.bind_tools([get_time])
        asked = MODES[mode](with_tools)  # type: ignore[arg-type]
        assert asked.text == "One moment."
        assert [each["args"]["zone"] for each in asked.tool_calls] == ["UTC", "CET"]
        assert len({each["id"] for each in asked.tool_calls}) == 2
        assert asked.additional_kwargs["reasoning_content"] == "**Two zones**"
        summary, sealed = asked.additional_kwargs["reasoning_details"]
        assert (summary["index"], sealed["index"]) == (0, 1)
        assert asked.usage_metadata is not None
        assert asked.usage_metadata["output_token_details"]["reasoning"] == 192 + 4
        assert asked.response_metadata["cost"] > 0
        assert [MODES[mode](model).text for _ in range(2)] == ["No.", '{"a":1}']
        with pytest.raises(OpenRouterRateLimitError, match="Slow"):
            MODES[mode](model)
        assert MODES[mode](model).text == "You said Hello."
        with pytest.raises(OpenRouterError, match="418"):
            MODES[mode](model)


@dataclass
class Pet:
    name: str


OBJECTS: dict[str, Callable[[ChatOpenRouterO3], Any]] = {
    "text bound to a schema": lambda model: model.with_structured_output(Person),
    "a call": lambda model: model.with_structured_output(Person, method="function_calling"),
    "JSON": lambda model: model.with_structured_output(Person, method="json_mode"),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_is_what_the_request_asks_for(kind: str) -> None:
    with Emulator(script=[obj(Person(name="Ada", born=1815)), refuse("I won't.")]) as emulator:
        chain = OBJECTS[kind](model_of(emulator))
        assert chain.invoke("Ada, in JSON") == Person(name="Ada", born=1815)
        if kind == "text bound to a schema":
            with pytest.raises(OpenRouterRefusalError, match="I won't"):
                chain.invoke("Hello")
        else:
            emulator.reset()


CHOICE = {"type": "function", "function": {"name": "g"}}
STRICT = {"name": "s", "strict": True, "parameters": closed(a=INTEGER)}

IMPOSSIBLE: list[tuple[Reply, dict[str, Any], str]] = [
    (
        call("f"),
        {"tools": [TIME]},
        "step 1 of 1, call('f'), the request offers no tool 'f', but get_",
    ),
    (call("f"), {}, "the request offers no tool 'f', but none"),
    (call("get_time"), {"tools": [TIME], "tool_choice": "none"}, "forbids calls"),
    (
        say("Hi"),
        {"tools": [TIME], "tool_choice": "required"},
        "say('Hi'), the request demands a call",
    ),
    (
        calls(call("get_time"), call("get_time")),
        {"tools": [TIME], "parallel_tool_calls": False},
        "forbids parallel calls",
    ),
    (
        call("get_time"),
        {"tools": [TIME, tool("g")], "tool_choice": CHOICE},
        "demands a call of 'g'",
    ),
    (obj({"a": "x"}), {"response_format": strict(closed(a=INTEGER))}, "$.a: 'x' is not of type"),
    (obj(Pet("Rex")), {"tools": [tool("Pet", name=INTEGER)]}, "does not fit the parameters"),
    (obj(1), {"tools": [TIME, tool("g")], "tool_choice": "required"}, "offers no tool 'int'"),
    (
        call("s", a="x"),
        {"tools": [{"type": "function", "function": STRICT}]},
        "does not fit the strict parameters of 's'",
    ),
    (think("Hm", then=say("Hi")), {"model": "openai/gpt-4.1-mini"}, "does not reason"),
]


@pytest.mark.parametrize(("step", "parameters", "words"), IMPOSSIBLE)
def test_what_no_model_could_answer_is_a_mistake_in_the_script(
    step: Reply, parameters: dict[str, Any], words: str
) -> None:
    answered: list[Any] = []

    def ask() -> None:
        with chatting([step]) as chat:
            answered.append(chat.error("Hello", **parameters))

    with pytest.raises(ScriptError) as caught:
        ask()
    assert words in answered[0]["message"]
    assert answered[0]["code"] == 400
    assert words in str(caught.value)


def odd(request: object) -> Any:
    return request


FAILING: dict[str, tuple[list[Any], list[str], str]] = {
    "left over": (
        [say("a"), say("b", times=3)],
        ["x", "x"],
        "step 2 of 2, say('b'), (1 of 3 times) was never",
    ),
    "run out": ([say("a")], ["x", "x"], "all 1 were played"),
    "no match": ([say("a", when="tea")], ["coffee"], "answers this request; left are step 1 of 1"),
    "a function that fails": (
        [lambda _: say("a", times=0)],
        ["x"],
        "<lambda>, ValueError: times is",
    ),
    "a condition that fails": (
        [say("a", when=lambda _: 1 / 0 > 0)],
        ["x"],
        "say('a'), ZeroDivision",
    ),
    "a function with options": ([lambda _: say("a", times=None)], ["x"], "leave out when= and"),
    "a function without a reply": ([odd], ["x"], "the function odd, TypeError: a script has"),
    "one id twice": (
        [say("a", id="g"), lambda _: say("b", id="g")],
        ["x", "x"],
        "two answers have one id",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_script_that_does_not_fit_fails_the_test_and_shows_the_conversation(case: str) -> None:
    script, prompts, words = FAILING[case]

    def ask() -> None:
        with chatting(script) as chat:
            for prompt in prompts:
                chat.post(prompt)

    with pytest.raises(ScriptError) as caught:
        ask()
    assert words in str(caught.value)
    assert f"request 1: openai/o3-mini\n  user: {prompts[0]}" in str(caught.value)
    with pytest.raises(KeyError) as first, Emulator(script=script):
        raise KeyError  # what fails first is what is shown
    assert getattr(first.value, "__notes__", ["no request came"]) == ["no request came"]


def test_a_step_waits_for_its_request_and_may_come_again() -> None:
    script = [
        say("tea", when="tea", times=2),
        say("cup", when=re.compile(r"^A c[ou]p$")),
        say("seed", when=lambda request: (request.body or {}).get("seed") == 7),
        say("any", times=None),
    ]
    with chatting(script) as chat:
        prompts = ["x", "A cup", "some tea", "y", "tea", "tea"]
        assert [chat.text(each) for each in prompts] == ["any", "cup", "tea", "any", "tea", "any"]
        assert chat.text("z", seed=7) == "seed"


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: Emulator(script=[call("f", id="c"), call("g", id="c")]),
            ValueError,
            "one id, 'c'",
        ),
        (lambda: say("a", id="g", times=2), ValueError, "has an id of its own"),
        (lambda: say("a", times=0), ValueError, "times is a whole number, 1 or more"),
        (lambda: call("f", {"a": 1}, a=2), TypeError, "a is given twice"),
        (lambda: obj(object()), TypeError, "is no JSON"),
        (lambda: calls(say("a")), ValueError, "takes what call"),
        (calls, ValueError, "at least one"),
        (lambda: calls(think("a", then=call("f"))), ValueError, "takes what call"),
        (lambda: calls(say("a", then=call("f"))), ValueError, "takes what call"),
        (lambda: calls(call("f", times=2)), ValueError, "without options"),
        (lambda: say("a", then=say("b")), ValueError, "then= takes what call"),
        (lambda: say("a", then=call("f", when="b")), ValueError, "without options"),
        (lambda: say("a", then=refuse("b")), ValueError, "then= takes what call"),
        (lambda: think("a", then=fail(429)), ValueError, "make it a step of its own"),
        (lambda: think("a", then=think("b", then=say("c"))), ValueError, "a thought already"),
        (lambda: think("a", then=Canned()), TypeError, "think.. takes what say"),  # type: ignore[arg-type]
        (lambda: say("a", fault=faults.status(503)), ValueError, "make it a step of its own"),
        (lambda: say("a", fault="reset"), TypeError, "fault is of another"),  # type: ignore[arg-type]
        (lambda: say("a", when=5), TypeError, "when is of another"),  # type: ignore[arg-type]
        (lambda: say("a", pace=5), TypeError, "pace is of another"),  # type: ignore[arg-type]
        (lambda: say("a", finish_reason="done"), ValueError, "no finish_reason 'done'"),
        (lambda: say({"a": 1}), TypeError, "is a text, not"),  # type: ignore[arg-type]
        (lambda: call("f", x=float("nan")), TypeError, "is no JSON"),
        (lambda: Emulator().play("Hi"), TypeError, "not 'Hi'"),  # type: ignore[arg-type]
        (lambda: Emulator(script=["Hi"]), TypeError, "not 'Hi'"),  # type: ignore[list-item]
        (lambda: Emulator(script=[faults.reset()]), TypeError, "write say"),
        (lambda: Pace(ttft=-1), ValueError, "ttft"),
        (lambda: Pace(tps=0), ValueError, "tps"),
        (lambda: Pace(jitter=2), ValueError, "jitter"),
    ],
)
def test_a_mistake_is_named_where_it_is_written(
    make: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make()


def test_a_pace_is_the_same_for_the_same_seed_and_changes_no_text() -> None:
    pace = Pace(ttft=0.01, tps=1_000, jitter=0.5, seed=3)
    waits = [wait for wait, _ in zip(pace.waits(), range(50), strict=False)]
    assert waits == [wait for wait, _ in zip(pace.waits(), range(50), strict=False)]
    assert all(0.0005 <= wait <= 0.0015 for wait in waits[1:])
    assert 0.005 <= waits[0] <= 0.015
    steps = [say("a b c", pace=pace), say("a b c"), say("a b c")]
    with chatting(steps, pace=Pace(tps=5_000)) as chat:
        texts = ["".join(each["content"] for each in deltas(chat.stream("Hi"))) for _ in range(2)]
        assert [*texts, chat.text("Hi")] == ["a b c"] * 3


def test_faults_disturb_a_step_and_do_not_spend_one() -> None:
    script = [say("one two three", fault=faults.reset("mid-event", events=2)), say("Hi")]
    with Emulator(script=script) as emulator:
        model = model_of(emulator)
        with pytest.raises(OpenRouterConnectionError) as caught:
            list(model.stream("Hello"))
        assert caught.value.partial is not None
        assert caught.value.partial.text == "one two"
        emulator.play(faults.status(503), faults.together(faults.pace(0), faults.compress()))
        emulator.play(lambda _: say("there"))
        with pytest.raises(OpenRouterError, match="503"):
            model.invoke("Hello")
        assert model.invoke("Hello").text == "Hi"
        assert "".join(each.text for each in model.stream("Hello")) == "there"
        shown = emulator.conversation()
    assert "request 1 (stream): openai/o3-mini\n  user: Hello\n  ← step 1 of 2, say(" in shown
    assert 'says "one two three" with Break(' in shown
    assert "request 2: openai/o3-mini\n  (no new message)\n  ← no answer with Status(" in shown
    assert "Bearer" not in shown


def test_a_refused_request_spends_no_step_and_is_shown_with_its_reason() -> None:
    with chatting([say("Hi")]) as chat:
        emulator = chat.emulator
        orphan = {"role": "tool", "tool_call_id": "call_1", "content": "x" * 3_000}
        chat.upstream([user("Hello"), orphan])
        assert chat.text("Hello") == "Hi"
        assert "refused with 400: No tool call found for function call output" in (
            emulator.conversation()
        )
        assert "… (3,000 characters)" in emulator.conversation()
        assert Emulator().conversation() == "no request came"
        with pytest.raises(AssertionError, match="request 2: seed is None, not 4"):
            emulator.expect(seed=4, contains="Bye")
        with pytest.raises(AssertionError, match="tools are none, not get_time"):
            emulator.expect(tools="get_time")
        with pytest.raises(AssertionError, match="there was no chat request"):
            Emulator().expect()
        with pytest.raises(OpenRouterInvalidRequestError, match="script: no step"):
            model_of(emulator).invoke("Hello")
        emulator.reset()
        assert "42" in chat.text("What is 17 + 25?")
