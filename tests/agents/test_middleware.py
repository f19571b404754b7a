"""Each of LangChain's middleware, with tools and a response format, in each way of running."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent, middleware
from langchain.agents.middleware import (
    AgentMiddleware,
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    FilesystemFileSearchMiddleware,
    HumanInTheLoopMiddleware,
    LLMToolEmulator,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    PIIMiddleware,
    ShellToolMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
    ToolRetryMiddleware,
)
from langchain.agents.middleware.model_call_limit import ModelCallLimitExceededError
from langchain.agents.middleware.pii import PIIDetectionError
from langchain.agents.middleware.tool_call_limit import ToolCallLimitExceededError
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.exceptions import ModelRefusalError
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterPermissionError
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.agents import (
    FORMS,
    PAID,
    RUNS,
    WARNING,
    Order,
    Run,
    Turn,
    answer_by,
    bodies,
    call,
    identity_of,
    play,
    say,
    tool_names,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph"),
    pytest.mark.filterwarnings(WARNING),
]
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
ASK: dict[str, Any] = {"messages": [HumanMessage("Order what the weather asks for, as JSON.")]}
THREAD: dict[str, Any] = {"configurable": {"thread_id": "1"}}
WEATHER = call(("get_weather", {"city": "Rome"}))
WEATHER_ID = identity_of("get_weather", {"city": "Rome"})
Form = tuple[Any, Any, Any]


def get_weather(city: str, unit: str = "C", days: int | None = None) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}, 21 {unit}, {days}."


def get_time(city: str) -> str:
    """Get the time of a city."""
    return f"Noon in {city}."


@pytest.fixture
def build(model: ChatOpenRouterO3) -> Callable[..., Any]:
    """Make an agent that answers with an order."""

    def made(form: Form, *guards: Any, tools: Any = (get_weather,), **options: Any) -> Any:
        return create_agent(model, [*tools], middleware=guards, response_format=form[0], **options)

    return made


def check_order(run: Run, form: Form) -> None:
    assert run.object == form[2]
    assert type(run.object) is form[0]


def check_format(emulator: Emulator, form: Form) -> None:
    """Each request of the agent asks for the object, to the letter if that is possible."""
    for body in bodies(emulator):
        envelope = body["response_format"]["json_schema"]
        assert envelope["strict"] is (form[0] is Order)
        assert ("labels" in envelope["schema"]["properties"]) is (form[0] is not Order)


@every_form
@every_run
def test_a_list_of_tasks(emulator: Emulator, build: Any, run: Any, form: Form) -> None:
    tasks = [{"content": "Look", "status": "completed"}, {"content": "Buy", "status": "pending"}]
    play(emulator, call(("write_todos", {"todos": tasks})), WEATHER, say(form[1]))
    done = run(build(form, TodoListMiddleware()), ASK)
    check_order(done, form)
    check_format(emulator, form)
    assert done.state["todos"] == tasks
    assert {*tool_names(bodies(emulator)[0])} == {"get_weather", "write_todos"}
    assert [message["role"] for message in bodies(emulator)[-1]["messages"]] == [
        "system",
        "user",
        *("assistant", "tool") * 2,
    ]


@every_form
@every_run
def test_a_long_conversation_is_summed_up(
    emulator: Emulator, model: ChatOpenRouterO3, build: Any, run: Any, form: Form
) -> None:
    summarize = SummarizationMiddleware(model=model, trigger=("messages", 5), keep=("messages", 1))
    history = [
        kind(f"Old {kind.__name__}.") for _ in range(2) for kind in (HumanMessage, AIMessage)
    ]
    play(emulator, say("They spoke of Rome."), say(form[1]))
    done = run(build(form, summarize), {"messages": [*history, *ASK["messages"]]})
    check_order(done, form)
    first, second = bodies(emulator)
    assert "response_format" not in first
    assert "tools" not in first
    assert "They spoke of Rome." in str(second["messages"])
    assert "Old AIMessage." not in str(second["messages"])
    assert second["response_format"]


COUNTS = ["approximate", "model"]
APPROVE = {"type": "approve"}
EDIT = {"type": "edit", "edited_action": {"name": "get_weather", "args": {"city": "Oslo"}}}
REJECT = {"type": "reject", "message": "Not now."}


@pytest.mark.parametrize(
    "decision", [(APPROVE, "Sunny in Rome"), (EDIT, "Sunny in Oslo"), (REJECT, "Not now.")]
)
@every_form
@every_run
def test_a_human_decides(
    emulator: Emulator, build: Any, run: Any, form: Form, decision: Any
) -> None:
    if sys.version_info < (3, 11) and run in (RUNS["ainvoke"], RUNS["astream"]):
        pytest.skip("before Python 3.11, LangGraph cannot interrupt what runs in tasks")
    review = HumanInTheLoopMiddleware(interrupt_on={"get_weather": True})
    agent = build(form, review, checkpointer=InMemorySaver())
    play(emulator, WEATHER, say(form[1]))
    asked = run(agent, ASK, THREAD)
    assert [each["name"] for each in asked.interrupts[0].value["action_requests"]] == [
        "get_weather"
    ]
    assert asked.object is None
    done = run(agent, Command(resume={"decisions": [decision[0]]}), THREAD)
    check_order(done, form)
    check_format(emulator, form)
    sent = bodies(emulator)[-1]["messages"]
    assert decision[1] in sent[-1]["content"]
    assert sent[-1]["tool_call_id"] == sent[-2]["tool_calls"][0]["id"]


@pytest.mark.parametrize("limit", [1, 2])
@every_form
@every_run
def test_calls_of_the_model_are_limited(
    emulator: Emulator, build: Any, run: Any, form: Form, limit: int
) -> None:
    play(emulator, WEATHER, say(form[1]))
    done = run(build(form, ModelCallLimitMiddleware(run_limit=limit)), ASK)
    if limit > 1:
        check_order(done, form)
        return
    assert done.object is None
    assert len(emulator.requests) == 1
    strict = ModelCallLimitMiddleware(run_limit=limit, exit_behavior="error")
    play(emulator, WEATHER)
    with pytest.raises(ModelCallLimitExceededError):
        run(build(form, strict), ASK)


@every_form
@every_run
def test_calls_of_tools_are_limited(emulator: Emulator, build: Any, run: Any, form: Form) -> None:
    two = call(("get_weather", {"city": "Rome"}), ("get_weather", {"city": "Oslo"}))
    play(emulator, two, say(form[1]))
    limit = ToolCallLimitMiddleware(tool_name="get_weather", run_limit=1)
    done = run(build(form, limit), ASK)
    check_order(done, form)
    results = {message.tool_call_id: message for message in done.messages if message.type == "tool"}
    assert [results[each["id"]].status for each in two.calls] == ["success", "error"]
    sent = bodies(emulator)[-1]["messages"]
    assert {each["tool_call_id"] for each in sent if each["role"] == "tool"} == results.keys()
    strict = ToolCallLimitMiddleware(run_limit=1, exit_behavior="error")
    play(emulator, two)
    with pytest.raises(ToolCallLimitExceededError):
        run(build(form, strict), ASK)


@every_form
@every_run
def test_another_model_answers(emulator: Emulator, build: Any, run: Any, form: Form) -> None:
    other = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, model="openai/o4-mini")
    agent = build(form, ModelFallbackMiddleware(other))
    emulator.play(faults.status(402))
    play(emulator, WEATHER, say(form[1]))
    check_order(run(agent, ASK), form)
    check_format(emulator, form)
    names = [body["model"] for body in bodies(emulator)]
    assert names == ["openai/o3-mini", "openai/o4-mini", "openai/o3-mini"]


@every_form
@every_run
def test_a_model_is_called_again(emulator: Emulator, build: Any, run: Any, form: Form) -> None:
    retry = ModelRetryMiddleware(max_retries=1, initial_delay=0, on_failure="error")
    emulator.play(faults.status(503))
    play(emulator, WEATHER, say(form[1]))
    check_order(run(build(form, retry), ASK), form)
    check_format(emulator, form)
    assert len(emulator.requests) == 3
    emulator.play(faults.status(402))
    with pytest.raises(OpenRouterPermissionError):
        run(build(form, retry), ASK)


@every_form
@every_run
def test_a_tool_is_called_again(emulator: Emulator, build: Any, run: Any, form: Form) -> None:
    tried: list[str] = []

    def get_weather(city: str) -> str:
        """Get the weather of a city."""
        tried.append(city)
        if len(tried) == 1:
            raise ConnectionError("no wire")
        return "Sunny."

    retry = ToolRetryMiddleware(max_retries=1, initial_delay=0, jitter=False)
    play(emulator, WEATHER, say(form[1]))
    check_order(run(build(form, retry, tools=[get_weather]), ASK), form)
    assert tried == ["Rome", "Rome"]
    assert bodies(emulator)[-1]["messages"][-1]["content"] == "Sunny."


@pytest.mark.skipif(
    not hasattr(middleware, "ToolErrorMiddleware"), reason="needs a newer langchain"
)
@every_form
@every_run
def test_an_error_of_a_tool_goes_to_the_model(
    emulator: Emulator, build: Any, run: Any, form: Form
) -> None:
    def get_weather(city: str) -> str:
        """Get the weather of a city."""
        raise ValueError(city)

    guard: Any = getattr(middleware, "ToolErrorMiddleware")  # noqa: B009 - not in every release
    explain = guard(on_error=lambda error, _: f"No weather of {error}.")
    play(emulator, WEATHER, say(form[1]))
    check_order(run(build(form, explain, tools=[get_weather]), ASK), form)
    assert bodies(emulator)[-1]["messages"][-1]["content"] == "No weather of Rome."


@every_form
@every_run
def test_private_data_is_hidden_both_ways(
    emulator: Emulator, build: Any, run: Any, form: Form
) -> None:
    def get_weather(city: str) -> str:
        """Get the weather of a city."""
        return f"Ask bob@example.com in {city}."

    hide = PIIMiddleware(
        "email", apply_to_input=True, apply_to_output=True, apply_to_tool_results=True
    )
    asked = HumanMessage("Order for ann@example.com, as JSON.")
    spoken = Turn("I ask eve@example.com.", WEATHER.calls)
    play(emulator, spoken, say(form[1]))
    done = run(build(form, hide, tools=[get_weather]), {"messages": [asked]})
    assert done.object == form[2]
    sent = bodies(emulator)[-1]["messages"]
    assert "@example.com" not in str(sent)
    assert str(sent).count("[REDACTED_EMAIL]") == 3
    assert sent[-2]["tool_calls"][0]["id"] == sent[-1]["tool_call_id"] == WEATHER_ID


@every_run
def test_private_data_may_end_a_run(emulator: Emulator, build: Any, run: Any) -> None:
    block = PIIMiddleware("email", strategy="block")
    with pytest.raises(PIIDetectionError):
        run(build(FORMS["closed"], block), {"messages": [HumanMessage("To ann@example.com")]})
    assert emulator.requests == []


@pytest.mark.filterwarnings("ignore:o3-mini's encoding")
@pytest.mark.parametrize("edits", [(how, what) for how in COUNTS for what in (False, True)])
@every_form
@every_run
def test_old_results_are_cleared(
    emulator: Emulator, build: Any, run: Any, form: Form, edits: tuple[Any, bool]
) -> None:
    method, inputs = edits
    clear = ClearToolUsesEdit(trigger=1, keep=1, clear_tool_inputs=inputs)
    edit = ContextEditingMiddleware(edits=[clear], token_count_method=method)
    second = call(("get_time", {"city": "Rome"}))
    play(emulator, WEATHER, second, say(form[1]))
    done = run(build(form, edit, tools=[get_weather, get_time]), ASK)
    check_order(done, form)
    check_format(emulator, form)
    sent = bodies(emulator)[-1]["messages"]
    assert [each["content"] for each in sent if each["role"] == "tool"] == [
        "[cleared]",
        "Noon in Rome.",
    ]
    first = sent[1]["tool_calls"][0]["function"]["arguments"]
    assert first == ("{}" if inputs else '{"city": "Rome"}')


@every_form
@every_run
def test_a_model_selects_the_tools(
    emulator: Emulator, model: ChatOpenRouterO3, build: Any, run: Any, form: Form
) -> None:
    select = LLMToolSelectorMiddleware(model=model, max_tools=1)
    chosen = say({"tools": ["get_weather"]})
    play(emulator, chosen, WEATHER, chosen, say(form[1]))
    check_order(run(build(form, select, tools=[get_time, get_weather]), ASK), form)
    sent = bodies(emulator)
    assert [tool_names(body) for body in sent] == [[], ["get_weather"], [], ["get_weather"]]
    assert sent[0]["response_format"]["json_schema"]["strict"] is True
    names = [body["response_format"]["json_schema"]["name"] for body in sent]
    assert names == ["ToolSelectionResponse", form[0].__name__] * 2


@every_form
@every_run
def test_a_model_plays_a_tool(
    emulator: Emulator, model: ChatOpenRouterO3, build: Any, run: Any, form: Form
) -> None:
    def get_weather(city: str) -> str:
        """Get the weather of a city."""
        raise AssertionError(city)

    play(emulator, WEATHER, say("It rains."), say(form[1]))
    imitate = LLMToolEmulator(tools=["get_weather"], model=model)
    check_order(run(build(form, imitate, tools=[get_weather]), ASK), form)
    assert bodies(emulator)[-1]["messages"][-1]["content"] == "It rains."


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # langchain leaves the shell's pipes open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@every_form
@every_run
def test_a_shell(emulator: Emulator, build: Any, run: Any, form: Form, tmp_path: Path) -> None:
    play(emulator, call(("shell", {"command": "echo $((20 + 1))"})), say(form[1]))
    check_order(run(build(form, ShellToolMiddleware(tmp_path)), ASK), form)
    assert "21" in bodies(emulator)[-1]["messages"][-1]["content"]
    assert {*tool_names(bodies(emulator)[0])} == {"get_weather", "shell"}


@every_form
@every_run
def test_a_search_in_files(
    emulator: Emulator, build: Any, run: Any, form: Form, tmp_path: Path
) -> None:
    (tmp_path / "weather.txt").write_text("Sunny in Rome")
    search = FilesystemFileSearchMiddleware(root_path=str(tmp_path), use_ripgrep=False)
    find = call(("glob_search", {"pattern": "*.txt"}), ("grep_search", {"pattern": "Rome"}))
    play(emulator, find, say(form[1]))
    check_order(run(build(form, search), ASK), form)
    results = [each["content"] for each in bodies(emulator)[-1]["messages"][-2:]]
    assert results == ["/weather.txt", "/weather.txt"]


@pytest.mark.skipif(
    not hasattr(middleware, "ProviderToolSearchMiddleware"), reason="needs a newer langchain"
)
@every_run
def test_a_search_for_tools_is_refused_where_the_provider_has_none(
    emulator: Emulator, build: Any, run: Any
) -> None:
    guard: Any = getattr(middleware, "ProviderToolSearchMiddleware")  # noqa: B009 - see above
    form = FORMS["closed"]
    play(emulator, WEATHER, say(form[1]))
    check_order(run(build(form, guard()), ASK), form)
    with pytest.raises(ValueError, match="'openrouter'"):
        run(build(form, guard(searchable_tools=["get_weather"])), ASK)
    assert len(emulator.requests) == 2


@pytest.mark.skipif(
    not hasattr(middleware, "ModelRefusalMiddleware"), reason="needs langchain 1.5 or newer"
)
@every_form
@every_run
def test_a_refusal_is_an_error_or_another_models_turn(
    emulator: Emulator, build: Any, run: Any, form: Form
) -> None:
    guard: Any = getattr(middleware, "ModelRefusalMiddleware")  # noqa: B009 - see above
    refused = Turn("", said={"refusal": "I can not help."})
    play(emulator, WEATHER, refused)
    with pytest.raises(ModelRefusalError, match="I can not help"):
        run(build(form, guard()), ASK)
    other = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, model="openai/o4-mini")
    play(emulator, WEATHER, refused, say(form[1]))
    check_order(run(build(form, ModelFallbackMiddleware(other), guard()), ASK), form)


@pytest.mark.skipif(
    not hasattr(middleware, "ModelRouterMiddleware"), reason="needs langchain 1.5 or newer"
)
@pytest.mark.filterwarnings("ignore:.*beta")
@every_form
@every_run
def test_a_router_chooses_the_model(
    emulator: Emulator, model: ChatOpenRouterO3, build: Any, run: Any, form: Form
) -> None:
    new: Any = middleware
    other = model.model_copy(update={"model": "openai/o4-mini"})
    choices = {
        "quick": new.ModelChoice(model=model, criteria="Small tasks."),
        "thorough": new.ModelChoice(model=other, criteria="Large tasks."),
    }
    router = new.ModelRouterMiddleware(
        choices=choices, instructions="Choose.", classifier=classifier(model, kind="choice")
    )
    play(emulator, say({"choice": "thorough", "noul": 0}), WEATHER, say(form[1]))
    check_order(run(build(form, router), ASK), form)
    names = [body["model"] for body in bodies(emulator)]
    assert names == ["openai/o3-mini", "openai/o4-mini", "openai/o4-mini"]


@pytest.mark.skipif(
    not hasattr(middleware, "AutoModeMiddleware"), reason="needs langchain 1.5 or newer"
)
@pytest.mark.filterwarnings("ignore:.*beta")
@pytest.mark.parametrize("risk", [(0.1, "Sunny in Rome"), (0.9, "blocked")])
@every_form
@every_run
def test_a_risky_call_is_blocked(
    emulator: Emulator, build: Any, run: Any, form: Form, risk: tuple[float, str]
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY)
    new: Any = middleware
    guard = new.AutoModeMiddleware(tools=["get_weather"], classifier=classifier(model))
    play(emulator, WEATHER, say({"choice": "", "noul": risk[0]}), say(form[1]))
    check_order(run(build(form, guard), ASK), form)
    assert risk[1] in bodies(emulator)[-1]["messages"][-1]["content"]


def classifier(model: ChatOpenRouterO3, kind: str = "noul") -> Any:
    """Make a decision model of langchain-core's of a structured chain of ours."""
    decisions: Any = pytest.importorskip("langchain_core.decisions")
    types: Any = pytest.importorskip("langchain_core.decisions.types")
    judge: Any = model.with_structured_output(
        {
            "title": "judgement",
            "type": "object",
            "properties": {"choice": {"type": "string"}, "noul": {"type": "number"}},
            "required": ["choice", "noul"],
            "additionalProperties": False,
        }
    )

    class Judge(decisions.BaseDecisionModel):  # type: ignore[misc]
        @property
        def _provider(self) -> str:
            return "openrouter"

        def _classify(self, state: Any, questions: Any) -> Any:
            found = judge.invoke(f"Judge as JSON: {state} {[*questions]}")
            (name,) = questions
            answer = {"type": kind, kind: found[kind], "probabilities": {}, "confidence": 1}
            return types.ClassifierResponse(model=model.model, answers={name: answer})

    return Judge(model=model.model)


@every_form
@every_run
def test_functions_around_the_model_may_change_everything(
    emulator: Emulator, model: ChatOpenRouterO3, build: Any, run: Any, form: Form
) -> None:
    """Model, settings, prompt, tools and format: what the last one says is sent."""
    other = model.model_copy(update={"model": "openai/o4-mini"})

    class Change(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(changed(request))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(changed(request))

    def changed(request: Any) -> Any:
        return request.override(
            model=other,
            model_settings={"seed": 4, "max_tokens": 900, "reasoning_effort": "low"},
            tools=[tool for tool in request.tools if tool.name == "get_time"],
            response_format=ProviderStrategy(form[0]),
        )

    play(emulator, call(("get_time", {"city": "Rome"})), say(form[1]))
    done = run(build((None, None, None), Change(), tools=[get_weather, get_time]), ASK)
    assert done.object == form[2]
    check_format(emulator, form)
    for body in bodies(emulator):
        assert (body["model"], body["seed"], body["max_tokens"]) == ("openai/o4-mini", 4, 900)
        assert body["reasoning"] == {"effort": "low"}
        assert tool_names(body) == ["get_time"]


@every_form
@every_run
def test_a_prompt_may_depend_on_the_state(
    emulator: Emulator, build: Any, run: Any, form: Form
) -> None:
    class Prompt(AgentMiddleware[Any, Any, Any]):
        def before_model(self, state: Any, runtime: Any) -> Any:
            del runtime
            return {"jump_to": "end"} if len(state["messages"]) > 3 else None

    @middleware.dynamic_prompt
    def prompt(request: Any) -> str:
        return f"After {len(request.messages)} messages."

    play(emulator, WEATHER, say(form[1]))
    check_order(run(build(form, Prompt(), prompt), ASK), form)
    prompts = [body["messages"][0] for body in bodies(emulator)]
    assert [each["content"] for each in prompts] == ["After 1 messages.", "After 3 messages."]


@every_form
@every_run
def test_all_of_them_at_once(
    emulator: Emulator, model: ChatOpenRouterO3, build: Any, run: Any, form: Form
) -> None:
    guards = [
        TodoListMiddleware(),
        SummarizationMiddleware(model=model, trigger=("messages", 50)),
        ModelCallLimitMiddleware(run_limit=9),
        ToolCallLimitMiddleware(run_limit=9),
        ModelFallbackMiddleware(model),
        ModelRetryMiddleware(max_retries=1, initial_delay=0),
        ToolRetryMiddleware(max_retries=1, initial_delay=0),
        PIIMiddleware("email"),
        ContextEditingMiddleware(),
    ]
    two = call(("get_weather", {"city": "Rome"}), ("write_todos", {"todos": []}))
    emulator.play(faults.status(503))
    play(emulator, two, say(form[1]))
    check_order(run(build(form, *guards), ASK), form)
    check_format(emulator, form)


@every_form
@every_run
def test_a_thread_goes_on_after_an_object(
    emulator: Emulator, build: Any, run: Any, form: Form
) -> None:
    """The reasoning, the calls and the object of the first run go back in the second."""
    details = [wire.encrypted("gAAAAcipher", "rs_1", 0)]
    agent = build(form, TodoListMiddleware(), checkpointer=InMemorySaver())
    thinking = call(("get_weather", {"city": "Rome"}), reasoning_details=details)
    play(emulator, thinking, say(form[1]), WEATHER, say(PAID))
    check_order(run(agent, ASK, THREAD), form)
    again = run(agent, {"messages": [HumanMessage("Again, as JSON.")]}, THREAD)
    assert again.object == form[0](**PAID)
    sent = bodies(emulator)[-1]["messages"]
    assert sent[2]["reasoning_details"] == details
    assert sum(each["role"] == "assistant" for each in sent) == 3


@pytest.mark.parametrize("limit", [0, 1])
@every_run
def test_a_tool_strategy_asks_again_for_what_does_not_fit(
    emulator: Emulator, build: Any, run: Any, limit: int
) -> None:
    """LangChain's own repair: the model is told what was wrong, and calls again."""
    form = FORMS["open"]
    wrong = call(("OpenOrder", {"customer": 5}))
    right = call(("OpenOrder", form[1]))
    play(emulator, WEATHER, *[wrong] * limit, right)
    strategy = (ToolStrategy(form[0]), form[1], form[2])
    done = run(build(strategy, TodoListMiddleware()), ASK)
    assert done.object == form[2]
    assert all(body["tool_choice"] == "required" for body in bodies(emulator))
    results = [message for message in done.messages if isinstance(message, ToolMessage)]
    assert len(results) == 2 + limit


def test_an_answer_may_depend_on_what_was_sent(emulator: Emulator, build: Any) -> None:
    """With no middleware at all, as a check of the script itself."""
    form = FORMS["closed"]
    answer_by(emulator, lambda body: WEATHER if len(body["messages"]) == 1 else say(form[1]))
    check_order(RUNS["stream"](build(form), ASK), form)


def test_no_middleware_is_forgotten() -> None:
    written = Path(__file__).read_text(encoding="utf-8")
    offered: Any = middleware
    known = [
        name
        for name in offered.__all__
        if inspect.isclass(getattr(offered, name))
        and issubclass(getattr(offered, name), AgentMiddleware)
    ]
    forgotten = [name for name in known if name not in written]
    if forgotten:
        pytest.skip(f"this langchain has middleware that is not tested here: {forgotten}")
    assert len(known) > 15
