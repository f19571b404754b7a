"""Jobs from their rows to their results, in both worlds."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.runnables import RunnableLambda, RunnableParallel

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    track_costs,
)
from langchain_openrouter_o3.batch import (
    BatchError,
    BatchExpiredError,
    BatchFailedError,
    BatchGoneError,
    BatchJob,
    BatchPendingError,
    BatchRoundsError,
    BatchUnpaidError,
    client,
    submit_batch,
)
from langchain_openrouter_o3.bulk import JournalError, bulk
from tests.batch.ways import FAST, Way, every_way, people, rows_of
from tests.conftest import KEY

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_openrouter_o3.emulator import Emulator, ReceivedRequest
    from langchain_openrouter_o3.emulator.json_value import JsonObject


def posts(emulator: Emulator) -> list[ReceivedRequest]:
    return [each for each in emulator.requests if each.method == "POST"]


def no_luck_for_ada_1(body: JsonObject) -> JsonObject | None:
    error: JsonObject = {"type": "x", "message": "no luck", "param": None, "error_type": "server"}
    return {"response": None, "error": error} if "Ada-1 " in str(body) else None


@every_way
def test_a_chain_is_split_submitted_found_again_and_gone_on_with(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    store: Path,
    way: Way,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "PAGE_OF_RESULTS", 2)
    chain = people(model)
    emulator.batches.plan.statuses = ("validating", "warming_up", "in_progress")  # a new one, too
    submitted = way.submit(
        chain,
        iter(rows_of(7)),
        store=store,
        key="id",
        batch_size=3,
        callback_url="https://example.org/done",
        metadata={"why": "test"},
    )
    assert [len(each.custom_ids) for each in emulator.batches.stored] == [3, 3, 1]
    assert all(each.raw.endswith(b"]}") for each in posts(emulator))  # `requests` comes last
    sent: Any = posts(emulator)[0].body
    assert (sent["model"], sent["callback_url"]) == ("openai/o3-mini", "https://example.org/done")
    assert submitted.id in emulator.batches.stored[0].custom_ids[0]
    with pytest.raises(BatchPendingError, match="wait"):
        way.results(submitted)
    with pytest.raises(BatchPendingError, match="wait"):
        way.resubmit(submitted)
    with pytest.raises(BatchError, match="not all results were read"):
        way.delete(submitted)
    found: BatchJob[Any] = BatchJob(store, chain)
    assert (found.id, found.metadata) == (submitted.id, {"why": "test"})
    assert way.status(found).requests == 7
    over = way.wait(found)
    assert over.is_over
    assert (over.completed, over.failed) == (7, 0)
    with track_costs() as costs:
        rows = way.results(found)
    assert [row.value.born for row in rows] == [1800 + n for n in range(7)]
    assert [(row.number, row.key) for row in rows] == [(n + 1, f"k{n}") for n in range(7)]
    # What the batches have cost was shared out, and nothing was lost.
    paid = sum((row.cost for row in rows), Decimal(0))
    assert paid == emulator.batches.bill == over.cost
    assert costs.cost == float(paid)
    assert all(row.cost_is_share and row.attempts == 1 for row in rows)
    assert all(row.generation_ids[0].startswith("gen-batch-") for row in rows)
    # What is read again is not paid again.
    with track_costs() as costs:
        again = way.results(found)
    assert [row.value for row in again] == [row.value for row in rows]
    assert all(row.from_journal for row in again)
    assert costs.cost == 0
    way.delete(found)
    assert all(each.is_deleted for each in emulator.batches.stored)
    assert way.status(found).batches[0].state == "deleted"
    assert emulator.batches.double == []


@every_way
def test_the_same_call_goes_on_and_adds_rows(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    chain = people(model)
    for count in (3, 3, 5):
        way.submit(chain, rows_of(count), store=store, key="id", progress=True)
    assert [len(each.custom_ids) for each in emulator.batches.stored] == [3, 2]
    changed = rows_of(5)
    changed[2]["text"] = "Bob was born in 1900"
    with pytest.raises(JournalError, match=r"row 3.*is not what the job has"):
        way.submit(chain, changed, store=store, key="id")
    other = people(ChatOpenRouterO3(api_key="k", max_tokens=999))
    with pytest.raises(JournalError, match="max_tokens: nothing in the job, 999 now"):
        BatchJob(store, other)
    with pytest.raises(JournalError, match=r"this is a job, not a journal|another program"):
        list(bulk(chain, rows_of(1), journal=store))
    assert len(way.run(chain, rows_of(5), store, key="id")) == 5


@every_way
def test_costs_that_results_tell_are_taken_and_the_rest_is_shared(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    emulator.batches.plan.tells_costs = True
    emulator.batches.plan.outcome = no_luck_for_ada_1
    rows = way.run(people(model), rows_of(3), store, key="id")
    assert [row.ok for row in rows] == [True, False, True]
    assert "no luck" in str(rows[1].error)
    assert rows[1].cost == 0
    assert not any(row.cost_is_share for row in rows)
    assert sum(row.cost for row in rows) == emulator.batches.bill


@every_way
def test_failed_requests_are_sent_again_under_new_names(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    emulator.batches.plan.outcome = no_luck_for_ada_1
    chain = people(model)
    assert [row.ok for row in way.run(chain, rows_of(3), store, key="id")] == [True, False, True]
    emulator.batches.plan.outcome = lambda _: None
    job: BatchJob[Any] = BatchJob(store, chain)
    assert way.resubmit(job, failed=False) == 0  # it was answered, with an error
    assert way.resubmit(job) == 1
    way.wait(job)
    rows = way.results(job)
    assert [row.value.born for row in rows] == [1800, 1801, 1802]
    assert [row.from_journal for row in rows] == [True, False, True]
    first, second = emulator.batches.stored
    assert second.custom_ids[0].removesuffix("-2") == first.custom_ids[1].removesuffix("-1")


@pytest.mark.parametrize(
    ("plan", "kind", "answered"),
    [
        ({"end": "expired", "answered": 0.5}, BatchExpiredError, 2),
        ({"end": "cancelled", "answered": 0.0, "has_pages": False}, BatchExpiredError, 0),
        ({"end": "failed"}, BatchFailedError, 0),
        ({"is_gone": True}, BatchGoneError, 0),
        ({"is_gone": True, "has_list": False}, BatchGoneError, 0),
    ],
)
@every_way
def test_what_a_batch_has_not_answered_is_a_typed_error_and_can_be_sent_again(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    emulator: Emulator,
    model: ChatOpenRouterO3,
    store: Path,
    way: Way,
    plan: dict[str, Any],
    kind: type[Exception],
    answered: int,
) -> None:
    for name, value in plan.items():
        setattr(emulator.batches.plan, name, value)
    chain = people(model)
    rows = way.run(chain, rows_of(4), store, key="id")
    assert sum(row.ok for row in rows) == answered  # what was done in time is kept
    errors = [row.error for row in rows if not row.ok]
    assert all(type(error) is kind for error in errors)
    assert "resubmit() sends it again" in str(errors[0])
    assert all(row.cost == 0 for row in rows if not row.ok)
    emulator.batches.plan = type(emulator.batches.plan)()
    job: BatchJob[Any] = BatchJob(store, chain)
    assert way.resubmit(job, failed=False) == len(errors)
    way.wait(job)
    assert all(row.ok for row in way.results(job))


@every_way
def test_results_that_are_held_back_wait_for_credits(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    emulator.batches.plan.is_unpaid = True
    chain = people(model)
    job = way.submit(chain, rows_of(2), store=store)
    with pytest.raises(BatchUnpaidError, match="add credits"):
        way.wait(job)
    assert way.status(job).is_over
    identity = way.status(job).batches[0].id
    url, key = f"{emulator.base_url}/batches/{identity}", {"Authorization": f"Bearer {KEY}"}
    held_back = httpx.get(url, headers=key)
    assert held_back.status_code == 402
    assert held_back.json()["request_counts"]["completed"] == 2
    emulator.batches.plan.is_unpaid = False
    way.wait(job)
    assert all(row.ok for row in way.results(job))


@every_way
def test_results_without_pages_or_a_list_come_with_their_batch(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    emulator.batches.plan.has_pages = emulator.batches.plan.has_list = False
    assert all(row.ok for row in way.run(people(model), rows_of(3), store, batch_size=2))


@every_way
def test_chains_of_several_calls_run_in_rounds(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    texts: Any = RunnableParallel(
        first=model | (lambda message: message.text), second=lambda text: f"echo {text} too"
    )
    chain = texts | (lambda both: f"echo {both['first']} and {both['second']}") | model
    with track_costs() as costs:
        rows = way.run(chain, ["echo a", "echo b"], store)
    assert [row.value.text for row in rows] == [
        f"{letter} and echo echo {letter} too" for letter in "ab"
    ]
    assert [len(each.custom_ids) for each in emulator.batches.stored] == [2, 2]
    assert [row.attempts for row in rows] == [2, 2]
    paid = sum((row.cost for row in rows), Decimal(0))
    assert paid == emulator.batches.bill
    assert costs.cost == float(paid)


@every_way
def test_calls_side_by_side_are_of_one_round(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    chain: Any = RunnableParallel(
        one=RunnableLambda(lambda row: f"echo {row['id']}") | model, other=people(model)
    )
    (row,) = way.run(chain, rows_of(1), store)
    assert row.value["one"].text == "k0"
    assert row.value["other"].born == 1800
    assert len(emulator.batches.stored) == 1
    assert row.attempts == 2


def test_a_loop_of_tools_is_refused_unless_rounds_are_allowed(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    def get_weather(city: str) -> str:
        """Get the weather of a city."""
        return f"Sunny in {city}."

    agent: Any = create_agent(model, [get_weather])
    row = {"messages": [("user", "What is the weather in Paris?")]}
    with pytest.raises(BatchRoundsError, match="rounds="):
        submit_batch(agent, [row], store=store)
    assert posts(emulator) == []
    job = submit_batch(agent, [row], store=store, rounds=2)
    job.wait(poll=FAST)
    result: Any
    (result,) = job.results()
    assert len(emulator.batches.stored) == 2
    assert "Sunny in Paris" in result.value["messages"][-1].text

    async def loop(text: str) -> str:
        bound = model.bind_tools([get_weather])
        answer = await bound.ainvoke(text)
        result = ToolMessage("Sunny", tool_call_id=str(answer.tool_calls[0]["id"]))
        return (await bound.ainvoke([HumanMessage(text), answer, result])).text

    hidden = RunnableLambda(loop)
    question = "What is the weather in Paris?"
    job = submit_batch(hidden, [question], store=store.with_name("b.db"), model=model)
    job.wait(poll=FAST)
    (result,) = job.results()
    assert isinstance(result.error, BatchRoundsError)
    assert len(emulator.batches.stored) == 3


@every_way
def test_a_step_that_fails_once_between_two_calls_does_not_end_its_row(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    failed = store.with_name("failed")

    def shout(message: Any) -> str:
        if not failed.exists():
            failed.touch()
            raise OSError(f"a moment's failure after {message.text}")
        return "echo b"

    chain = model | RunnableLambda(shout) | model
    job = way.submit(chain, ["echo a"], store=store, rounds=2)
    way.wait(job)
    assert failed.exists()
    with pytest.raises(BatchPendingError):
        way.results(job)
    way.wait(job)
    (row,) = way.results(job)
    assert (row.ok, len(emulator.batches.stored), emulator.batches.double) == (True, 2, [])
