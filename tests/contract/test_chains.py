"""Structured chains on LangChain's paths: histories, caches, trimming, parallel runs, batches."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import RETURN_VAL_TYPE, BaseCache, InMemoryCache
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.load import dumps, loads
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    filter_messages,
    merge_message_runs,
    trim_messages,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import (
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnableWithMessageHistory,
)

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterOutputError
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.agents import (
    FORMS,
    PAID,
    WARNING,
    Order,
    Turn,
    answer_by,
    bodies,
    call,
    play,
    say,
)

pytestmark = [
    pytest.mark.filterwarnings(WARNING),
    pytest.mark.filterwarnings("ignore:.*MessageHistory"),
    pytest.mark.filterwarnings("ignore:.*`load"),
]
METHODS: list[Any] = ["json_schema", "function_calling", "json_mode"]
every_method = pytest.mark.parametrize("method", METHODS)
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


async def gather(chunks: Any) -> list[Any]:
    return [chunk async for chunk in chunks]


MODES: dict[str, Callable[..., Any]] = {
    "invoke": lambda chain, asked, config=None: chain.invoke(asked, config),
    "ainvoke": lambda chain, asked, config=None: asyncio.run(chain.ainvoke(asked, config)),
    "stream": lambda chain, asked, config=None: [*chain.stream(asked, config)][-1],
    "astream": lambda chain, asked, config=None: asyncio.run(gather(chain.astream(asked, config)))[
        -1
    ],
}
STREAMS = (MODES["stream"], MODES["astream"])
every_mode = pytest.mark.parametrize("run", MODES.values(), ids=MODES)


def turn(form: Any, method: Any) -> Turn:
    return call((form[0].__name__, form[1])) if method == "function_calling" else say(form[1])


def sent(emulator: Emulator) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = bodies(emulator)[-1]["messages"]
    return messages


# --- A history around the chain ---


@every_mode
@every_method
@every_form
def test_a_chain_with_a_history(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any, method: Any, form: Any
) -> None:
    """The raw message is what the history keeps; the object is what the caller gets."""
    kept = InMemoryChatMessageHistory()
    prompt = ChatPromptTemplate.from_messages(
        [("system", "Answer as JSON."), MessagesPlaceholder("past"), ("human", "{asked}")]
    )
    chain = RunnableWithMessageHistory(
        prompt | model.with_structured_output(form[0], method=method, include_raw=True),
        lambda session_id: kept if session_id == "s" else InMemoryChatMessageHistory(),
        input_messages_key="asked",
        history_messages_key="past",
        output_messages_key="raw",
    )
    details = [wire.encrypted("gAAAAcipher", "rs_1", 0)]
    first = turn(form, method)
    play(emulator, Turn(first.text, first.calls, {"reasoning_details": details}), first)
    config = {"configurable": {"session_id": "s"}}
    assert found_in(run(chain, {"asked": "An order"}, config)) in (form[2], None)
    assert [isinstance(message, AIMessage) for message in kept.messages] == [False, True]
    if method == "function_calling":
        # A call wants its result before the next question.
        kept.add_message(ToolMessage("taken", tool_call_id=first.calls[0]["id"]))
    run(chain, {"asked": "Again"}, config)
    messages = [message for message in sent(emulator) if message["role"] != "tool"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[2]["reasoning_details"] == details
    assert messages[-1]["content"] == "Again"


def found_in(outcome: dict[str, Any]) -> Any:
    """A streamed dictionary comes key by key: the last piece may be another key."""
    return outcome.get("parsed")


@every_mode
def test_a_model_with_a_history(emulator: Emulator, model: ChatOpenRouterO3, run: Any) -> None:
    kept = InMemoryChatMessageHistory()
    chain = RunnableWithMessageHistory(model.bind(seed=4), lambda: kept, history_factory_config=[])
    play(emulator, say("One."), say("Two."))
    run(chain, [HumanMessage("First")])
    run(chain, [HumanMessage("Second")])
    assert [message["content"] for message in sent(emulator)] == ["First", "One.", "Second"]
    assert [message.text for message in kept.messages] == ["First", "One.", "Second", "Two."]


# --- Caches ---


class SqliteCache(BaseCache):
    """A cache in a file, written with LangChain's own JSON."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as connection:
            connection.execute("create table answers (prompt text, model text, value text)")

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        query = "select value from answers where prompt = ? and model = ?"
        with self._open() as connection:
            row = connection.execute(query, (prompt, llm_string)).fetchone()
        kinds: Any = [ChatGeneration, ChatGenerationChunk, AIMessage, AIMessageChunk]
        return None if row is None else list(loads(row[0], allowed_objects=kinds))

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        with self._open() as connection:
            connection.execute(
                "insert into answers values (?, ?, ?)", (prompt, llm_string, dumps(return_val))
            )

    def clear(self, **kwargs: Any) -> None:
        del kwargs
        with self._open() as connection:
            connection.execute("delete from answers")


@pytest.fixture(params=["memory", "sqlite"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> BaseCache:
    return InMemoryCache() if request.param == "memory" else SqliteCache(tmp_path / "cache.sqlite")


def cached(emulator: Emulator, cache: BaseCache, **arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(
        base_url=emulator.base_url, api_key=KEY, max_retries=0, cache=cache, **arguments
    )


@every_mode
@every_method
@every_form
def test_an_object_comes_from_the_cache(
    emulator: Emulator, cache: BaseCache, run: Any, method: Any, form: Any
) -> None:
    chain = cached(emulator, cache).with_structured_output(form[0], method=method)
    play(emulator, turn(form, method))
    assert run(chain, "As JSON") == form[2]
    again = cached(emulator, cache).with_structured_output(form[0], method=method)
    is_streamed = run in STREAMS
    if is_streamed:
        # langchain-core's cache serves whole answers only.
        play(emulator, turn(form, method))
    assert run(again, "As JSON") == form[2]
    assert len(emulator.requests) == (2 if is_streamed else 1)
    assert MODES["invoke"](prime(emulator, again, form, method), "As JSON") == form[2]


def prime(emulator: Emulator, chain: Any, form: Any, method: Any) -> Any:
    """After any mode, one whole answer is served by the cache from then on."""
    play(emulator, turn(form, method))
    chain.invoke("As JSON")
    before = len(emulator.requests)
    chain.invoke("As JSON")
    assert len(emulator.requests) == before
    return chain


@every_form
def test_schemas_and_methods_share_no_answer(
    emulator: Emulator, cache: BaseCache, form: Any
) -> None:
    for method in METHODS:
        chain = cached(emulator, cache).with_structured_output(form[0], method=method)
        play(emulator, turn(form, method))
        assert chain.invoke("As JSON") == form[2]
    other = cached(emulator, cache).with_structured_output({**Order.model_json_schema()})
    play(emulator, say(PAID))
    assert other.invoke("As JSON")["customer"] == "Ann"
    assert len(emulator.requests) == len(METHODS) + 1


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_the_cache_gives_goes_back_whole(
    emulator: Emulator, cache: BaseCache, *, asynchronous: bool
) -> None:
    """Tool calls, their own argument strings and the reasoning survive the cache."""
    details = [wire.summary("Hm.", 0), wire.encrypted("gAAAAcipher", "rs_1", 1)]
    thinking = call(("Order", {"customer": "Ann"}), reasoning_details=details)
    play(emulator, thinking, say("Done."))
    bound = cached(emulator, cache).bind_tools([Order])
    ask = HumanMessage("Order")
    answers = [
        asyncio.run(bound.ainvoke([ask])) if asynchronous else bound.invoke([ask]) for _ in range(2)
    ]
    assert len(emulator.requests) == 1
    result = ToolMessage("taken", tool_call_id=answers[1].tool_calls[0]["id"])
    bound.invoke([ask, answers[1], result])
    assistant = sent(emulator)[1]
    assert assistant["reasoning_details"] == details
    assert assistant["tool_calls"][0]["function"]["arguments"] == '{"customer": "Ann"}'


def test_a_failure_is_not_cached(emulator: Emulator, cache: BaseCache) -> None:
    chain = cached(emulator, cache).with_structured_output(Order)
    emulator.play(faults.status(402))
    with contextlib.suppress(Exception):
        chain.invoke("As JSON")
    play(emulator, say(PAID))
    assert chain.invoke("As JSON") == Order(**PAID)


# --- Messages that are cut, merged, filtered ---


def conversation() -> list[Any]:
    calls: Any = [{"name": "get_weather", "args": {"city": "Rome"}, "id": "call_1"}]
    return [
        SystemMessage("Answer as JSON."),
        HumanMessage("Old question.", name="old"),
        AIMessage("Old answer.", name="old"),
        HumanMessage("Weather?"),
        AIMessage("", tool_calls=calls),
        ToolMessage("Sunny", tool_call_id="call_1"),
        AIMessage("It is sunny."),
        HumanMessage("An order,"),
        HumanMessage("please."),
    ]


TRIMS: dict[str, tuple[Any, list[str]]] = {
    "trimmed by count": (
        trim_messages(max_tokens=4, token_counter=len, include_system=True, start_on="human"),
        ["system", "user", "user"],
    ),
    "trimmed from the end": (
        trim_messages(max_tokens=6, token_counter=len, strategy="first", end_on=["human", "tool"]),
        ["system", "user", "assistant", "user", "assistant", "tool"],
    ),
    "merged": (
        merge_message_runs(),
        ["system", "user", "assistant", "user", "assistant", "tool", "assistant", "user"],
    ),
    "filtered by name": (
        filter_messages(exclude_names=["old"]),
        ["system", "user", "assistant", "tool", "assistant", "user", "user"],
    ),
    "filtered by calls": (
        filter_messages(exclude_tool_calls=True),
        ["system", "user", "assistant", "user", "assistant", "user", "user"],
    ),
    "one after the other": (
        trim_messages(max_tokens=4, token_counter=len, include_system=True, start_on="human")
        | merge_message_runs(),
        ["system", "user"],
    ),
}


@pytest.mark.parametrize("case", [(way, method) for way in TRIMS for method in METHODS])
@every_mode
@every_form
def test_messages_are_cut_before_a_structured_chain(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any, form: Any, case: tuple[str, Any]
) -> None:
    way, method = case
    change, roles = TRIMS[way]
    chain = change | model.with_structured_output(form[0], method=method)
    play(emulator, turn(form, method))
    assert run(chain, conversation()) == form[2]
    assert [message["role"] for message in sent(emulator)] == roles


@pytest.mark.filterwarnings("ignore:o3-mini's encoding")
@every_mode
def test_messages_are_cut_by_the_models_own_count(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any
) -> None:
    form = FORMS["closed"]
    keep = trim_messages(
        max_tokens=60, token_counter=model, include_system=True, start_on="human", strategy="last"
    )
    history = [SystemMessage("JSON."), *[HumanMessage(f"Word {n} " * 9) for n in range(20)]]
    play(emulator, say(form[1]))
    assert run(keep | model.with_structured_output(form[0]), history) == form[2]
    assert [message["role"] for message in sent(emulator)] == ["system", "user"]


# --- Fallbacks and retries ---


@every_mode
@every_method
@every_form
def test_fallbacks_and_retries_around_model_and_chain(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any, method: Any, form: Any
) -> None:
    structured = model.with_structured_output(form[0], method=method)
    again: Any = {"stop_after_attempt": 2, "wait_exponential_jitter": False}
    careful: Any = model.with_fallbacks([model])
    for chain in (
        careful.with_structured_output(form[0], method=method),
        structured.with_fallbacks([structured]),
        *(
            ()
            if run in STREAMS
            else (
                structured.with_retry(**again),
                model.with_retry(**again).with_structured_output(form[0], method=method),  # type: ignore[attr-defined]
            )
        ),
    ):
        emulator.play(faults.status(503))
        play(emulator, turn(form, method))
        assert run(chain, "As JSON") == form[2]


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])  # a stream that has begun cannot fall back
@every_form
def test_a_fallback_sees_what_did_not_fit(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, form: Any
) -> None:
    structured = model.with_structured_output(form[0])
    told: Any = RunnableLambda(lambda given: f"{given['asked']} Not: {given['error']}")
    chain = RunnableLambda(itemgetter("asked")) | structured
    repair = chain.with_fallbacks(
        [told | structured], exceptions_to_handle=(OpenRouterOutputError,), exception_key="error"
    )
    play(emulator, say({"customer": 5}), say(form[1]))
    assert MODES[mode](repair, {"asked": "As JSON."}) == form[2]
    assert "Not: " in sent(emulator)[0]["content"]


# --- Several at once ---


def by_question(form: Any, method: Any) -> Callable[[dict[str, Any]], Turn]:
    """Answer with the customer that the question names, whichever request comes first."""

    def choose(body: dict[str, Any]) -> Turn:
        name = str(body["messages"][-1]["content"]).split()[-1]
        made = {**form[1], "customer": name}
        return turn((form[0], made, None), method)

    return choose


@every_mode
@every_method
@every_form
def test_chains_run_beside_each_other(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any, method: Any, form: Any
) -> None:
    structured = model.with_structured_output(form[0], method=method)
    answer_by(emulator, by_question(form, method))
    both: Any = RunnableParallel(
        ann=RunnableLambda(lambda _: "JSON of Ann") | structured,
        ben=RunnableLambda(lambda _: "JSON of Ben") | structured,
    )
    found = MODES["invoke"](both, "x") if run in STREAMS else run(both, "x")
    assert [found[name].customer for name in ("ann", "ben")] == ["Ann", "Ben"]
    pieces = collected(run, both, "x")
    assert [pieces[name].customer for name in ("ann", "ben")] == ["Ann", "Ben"]


def collected(run: Any, chain: Any, asked: Any) -> dict[str, Any]:
    """The last value of each key of a dictionary, which a stream gives key by key."""
    if run not in STREAMS:
        found: dict[str, Any] = run(chain, asked)
        return found
    pieces = (
        asyncio.run(gather(chain.astream(asked)))
        if run is MODES["astream"]
        else [*chain.stream(asked)]
    )
    return {key: value for piece in pieces for key, value in piece.items()}


@every_mode
@every_method
@every_form
def test_an_object_is_assigned_and_picked(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any, method: Any, form: Any
) -> None:
    structured = RunnableLambda(itemgetter("asked")) | model.with_structured_output(
        form[0], method=method
    )
    answer_by(emulator, by_question(form, method))
    chain = RunnablePassthrough.assign(order=structured)
    found = collected(run, chain, {"asked": "JSON of Ann"})
    assert found["order"].customer == "Ann"
    assert found["asked"] == "JSON of Ann"
    assert run(chain.pick("order"), {"asked": "JSON of Ann"}).customer == "Ann"
    then = chain | RunnableLambda(lambda given: given["order"].customer)
    assert run(then, {"asked": "JSON of Ann"}) == "Ann"
    branch = RunnableBranch((lambda given: "asked" in given, structured), RunnableLambda(str))
    assert run(branch, {"asked": "JSON of Ann"}).customer == "Ann"


NAMES = ["Ann", "Ben", "Cem", "Dan", "Eve"]


@every_method
@every_form
def test_a_batch_of_objects(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any, form: Any
) -> None:
    chain = model.with_structured_output(form[0], method=method)
    answer_by(emulator, by_question(form, method))
    asked = [f"JSON of {name}" for name in NAMES]
    config: Any = {"max_concurrency": 2}

    async def as_completed() -> dict[int, Any]:
        return {place: each async for place, each in chain.abatch_as_completed(asked, config)}

    ways = (
        chain.batch(asked, config),
        asyncio.run(chain.abatch(asked, config)),
        [each for _, each in sorted(chain.batch_as_completed(asked, config), key=itemgetter(0))],
        [each for _, each in sorted(asyncio.run(as_completed()).items())],
    )
    for found in ways:
        assert [each.customer for each in found] == NAMES
        assert {type(each) for each in found} == {form[0]}
    assert len(emulator.requests) == len(NAMES) * len(ways)


@every_method
@every_form
def test_one_failure_of_a_batch_leaves_the_others(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any, form: Any
) -> None:
    chain = model.with_structured_output(form[0], method=method)
    good = by_question(form, method)

    def choose(body: dict[str, Any]) -> Turn:
        bad = "Ben" in str(body["messages"])
        return turn((form[0], {"customer": 5}, None), method) if bad else good(body)

    answer_by(emulator, choose)
    asked = [f"JSON of {name}" for name in NAMES]

    async def as_completed() -> list[Any]:
        found = chain.abatch_as_completed(asked, return_exceptions=True)
        return [each async for each in found]

    ways: list[list[Any]] = [
        chain.batch(asked, return_exceptions=True),
        asyncio.run(chain.abatch(asked, return_exceptions=True)),
        [
            each
            for _, each in sorted(
                chain.batch_as_completed(asked, return_exceptions=True), key=itemgetter(0)
            )
        ],
        [each for _, each in sorted(asyncio.run(as_completed()), key=itemgetter(0))],
    ]
    for found in ways:
        assert isinstance(found[1], OpenRouterOutputError)
        assert [each.customer for each in found if isinstance(each, form[0])] == [
            name for name in NAMES if name != "Ben"
        ]
    with pytest.raises(OpenRouterOutputError):
        chain.batch(asked)
