"""Answers of the Batch API that are odd, and moments that are rare."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.runnables import RunnableLambda

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterConnectionError,
    OpenRouterError,
    OpenRouterInputError,
    OpenRouterMalformedResponseError,
    OpenRouterRateLimitError,
)
from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3.batch import (
    BatchFailedError,
    BatchJob,
    BatchLostError,
    BatchPendingError,
    asubmit_batch,
    client,
    ledger,
    submission,
    submit_batch,
)
from langchain_openrouter_o3.batch.engine import Engine
from langchain_openrouter_o3.bulk import JournalError, JournalInUseError
from langchain_openrouter_o3.emulator import Canned, faults
from tests.batch.ways import FAST, Way, every_way, people, rows_of
from tests.conftest import KEY
from tests.helpers import wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_openrouter_o3.emulator import Emulator, Fault, ReceivedRequest


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_READING", RetryPolicy(max_retries=1, initial_delay=0.0))
    monkeypatch.setattr(submission, "LOOKS", (0.0, 0.0))


def canned(value: Any) -> Canned:
    return Canned(pieces=json.dumps(value).encode())


def test_odd_results_are_errors_of_their_rows_and_take_nothing_from_others(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    store: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = submit_batch(model, ["a", "b", "c", "d"], store=store)
    first, second, third, _ = emulator.batches.stored[0].custom_ids
    half = {"status_code": 200, "body": wire.body("half \ud83d a pair")}
    results: list[Any] = [
        {"custom_id": first, "response": half},
        {"custom_id": second, "response": None, "error": None},
        {"custom_id": third, "response": {"status_code": 200, "body": "no object"}},
        {"custom_id": "of-somebody-else", "response": half},
        "nothing",
    ]
    page = canned({"data": results, "has_more": False})
    emulator.disturb_batches(lambda each: page if each.path.endswith("results") else None)
    job.wait(poll=FAST)
    rows: list[Any] = list(job.results())
    assert rows[0].value.text == "half \ufffd a pair"  # as live
    assert "a result without an answer" in str(rows[1].error)
    assert isinstance(rows[2].error, OpenRouterMalformedResponseError)
    assert isinstance(rows[3].error, BatchFailedError)
    assert "completed without a result" in str(rows[3].error)
    assert "of-somebody-else" in caplog.text


def answered(name: str, **usage: Any) -> dict[str, Any]:
    """A result with an answer whose usage has other values; None takes one out."""
    body = wire.body("good")
    counts = {**body["usage"], **usage}
    body["usage"] = {key: value for key, value in counts.items() if value is not None}
    return {"custom_id": name, "response": {"status_code": 200, "body": body}, "error": None}


def play_batch(emulator: Emulator, *results: Any, **told: Any) -> None:
    """Let the only batch be over, with other values, and have these results."""
    stored = emulator.batches.stored[0]
    counts = {"total": len(stored.custom_ids), "completed": len(results), "failed": 0}
    known = {"id": stored.id, "status": "completed", "request_counts": counts}
    batch = canned({"data": [{**known, **told}], "has_more": False})
    page = canned({"data": results, "has_more": False})
    emulator.disturb_batches(lambda each: page if each.path.endswith("results") else batch)


def test_what_is_odd_in_results_beside_their_answers_costs_none(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    job = submit_batch(model, ["a", "b"], store=store)
    first, second = emulator.batches.stored[0].custom_ids
    no_number = answered(first, cost_details={"upstream_inference_cost": float("nan")})
    results = no_number, {**answered(second), "missing": "x"}, answered(f"{first}{'1' * 5_000}")
    play_batch(emulator, *results, id=emulator.batches.stored[0].id, status="COMPLETED")
    assert job.wait(poll=FAST).batches[0].status == "completed"
    assert [row.ok for row in job.results()] == [True, True]


@pytest.mark.parametrize(
    "calls", ["none", {"id": "call"}, [None, {"id": None}, {"id": 7}]], ids=repr
)
def test_odd_tool_calls_of_an_answer_do_not_end_its_chain(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, calls: Any
) -> None:
    def odd(_: Any) -> Any:
        body = wire.body("echo None 7")
        body["choices"][0]["message"]["tool_calls"] = calls
        return {"response": {"status_code": 200, "body": body}, "error": None}

    chain: Any = model | (lambda message: message.text) | model
    emulator.batches.plan.outcome = odd
    job = submit_batch(chain, ["a"], store=store)
    job.wait(poll=FAST)
    row: Any
    (row,) = job.results()
    assert row.attempts == 2


def failed(name: str, error: Any) -> dict[str, Any]:
    return {"custom_id": name, "response": None, "error": error}


@pytest.mark.parametrize("first", ["answer", "error"])
def test_of_two_results_of_one_request_an_answer_counts_more_than_an_error(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, first: str
) -> None:
    job = submit_batch(model, ["a"], store=store)
    (name,) = emulator.batches.stored[0].custom_ids
    pair = [answered(name, cost=0.001), failed(name, {"message": "boom"})]
    play_batch(emulator, *(pair if first == "answer" else reversed(pair)))
    job.wait(poll=FAST)
    row: Any
    (row,) = job.results()
    assert (row.value.text, row.cost) == ("good", Decimal("0.001"))
    assert job.resubmit() == 0


@pytest.mark.parametrize("status", ["200", 200.0, "200.0", None, True, "OK", 0], ids=repr)
def test_a_status_that_is_written_oddly_or_not_at_all_costs_no_answer(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, status: Any
) -> None:
    job = submit_batch(model, ["a", "b"], store=store)
    first, second = emulator.batches.stored[0].custom_ids
    answer = answered(first)
    answer["response"]["status_code"] = status
    error = {"error": {"code": 429, "message": "slow down"}}
    refused = {"custom_id": second, "response": {"status_code": "429", "body": error}}
    play_batch(emulator, answer, refused)
    job.wait(poll=FAST)
    rows: list[Any] = list(job.results())
    assert rows[0].value.text == "good"
    assert isinstance(rows[1].error, OpenRouterRateLimitError)


def test_an_error_under_a_good_status_is_sent_again(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    job = submit_batch(model, ["a"], store=store)
    (name,) = emulator.batches.stored[0].custom_ids
    error = {"error": {"code": 502, "message": "no provider"}}
    play_batch(emulator, {"custom_id": name, "response": {"status_code": 200, "body": error}})
    job.wait(poll=FAST)
    (row,) = job.results()
    assert "no provider" in str(row.error)
    emulator.disturb_batches(None)
    assert job.resubmit() == 1


WORDS = (
    "line 3 is bad",
    ["line 3 is bad"],
    {"message": "line 3 is bad"},
    {"errors": [{"message": "line 3 is bad"}]},
    {"message": None, "code": "line 3 is bad"},
    {"message": {"text": "line 3 is bad"}},
)


@pytest.mark.parametrize("error", WORDS, ids=repr)
def test_the_words_of_an_error_are_told_in_whatever_shape_they_come(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, error: Any
) -> None:
    job = submit_batch(model, ["a", "b"], store=store)
    first, _ = emulator.batches.stored[0].custom_ids
    play_batch(emulator, failed(first, error), status="failed", error=error)
    (batch,) = job.wait(poll=FAST).batches
    assert "line 3 is bad" in str(batch.error)
    request, other = job.results()
    assert "line 3 is bad" in str(request.error)
    assert isinstance(other.error, BatchFailedError)
    assert "OpenRouter refused its batch: " in str(other.error)
    assert "line 3 is bad" in str(other.error)


@pytest.mark.parametrize("error", [None, {}, [], "", {"message": None}, {"code": 0}], ids=repr)
def test_an_error_without_words_is_none(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, error: Any
) -> None:
    job = submit_batch(model, ["a"], store=store)
    (name,) = emulator.batches.stored[0].custom_ids
    play_batch(emulator, answered(name), error=error)
    assert job.wait(poll=FAST).batches[0].error is None


def test_answers_that_are_counted_and_not_told_are_looked_for_again(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    job = submit_batch(model, ["echo a", "echo b"], store=store)
    late = iter([canned({"data": [], "has_more": False})])
    emulator.disturb_batches(lambda each: next(late, None) if "/results" in each.path else None)
    job.wait(poll=FAST)
    rows: list[Any] = list(job.results())
    assert [row.value.text for row in rows] == ["a", "b"]


@pytest.mark.parametrize("completed", [2, 3])  # with the failed ones, or without
def test_answers_that_are_counted_and_never_told_are_named(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, completed: int
) -> None:
    job = submit_batch(model, ["a", "b", "c"], store=store)
    first, second, _ = emulator.batches.stored[0].custom_ids
    results = answered(first), failed(second, {"message": "boom"})
    counts = {"total": 3, "completed": completed, "failed": 1}
    play_batch(emulator, *results, request_counts=counts)
    job.wait(poll=FAST)
    rows: list[Any] = list(job.results())
    assert rows[0].value.text == "good"
    assert "boom" in str(rows[1].error)
    assert "counts 1 answer of it that it does not tell" in str(rows[2].error)
    assert "may be paid twice. resubmit() sends it again" in str(rows[2].error)
    looks = [each for each in emulator.requests if each.path.endswith("results")]
    assert len(looks) == len(submission.LOOKS)


def test_what_has_failed_or_expired_is_not_looked_for_again(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    job = submit_batch(model, ["a", "b"], store=store)
    first, _ = emulator.batches.stored[0].custom_ids
    counts = {"total": 2, "completed": 1, "failed": 1}
    play_batch(emulator, answered(first), status="expired", request_counts=counts)
    job.wait(poll=FAST)
    assert [row.ok for row in job.results()] == [True, False]
    assert sum(each.path.endswith("results") for each in emulator.requests) == 1


NO_AMOUNTS: tuple[Any, ...] = ("n/a", "", "NaN", True, {"total": 1}, [], -1, 1e300, 10**400)


@pytest.mark.parametrize("odd", NO_AMOUNTS, ids=lambda odd: repr(odd)[:20])
def test_a_cost_that_is_no_amount_is_not_told_and_costs_no_answer(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, odd: Any
) -> None:
    job = submit_batch(model, ["a", "b"], store=store)
    first, second = emulator.batches.stored[0].custom_ids
    results = answered(first, cost=odd), answered(second, cost=0.0001)
    play_batch(emulator, *results, usage={"cost": 0.0005})
    assert job.wait(poll=FAST).cost == Decimal("0.0005")
    rows: list[Any] = list(job.results())
    assert [row.value.text for row in rows] == ["good", "good"]
    assert [row.cost for row in rows] == [Decimal("0.0004"), Decimal("0.0001")]
    assert [row.cost_is_share for row in rows] == [True, False]


@pytest.mark.parametrize("odd", NO_AMOUNTS, ids=lambda odd: repr(odd)[:20])
def test_a_batchs_cost_that_is_no_amount_is_not_told(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, odd: Any
) -> None:
    job = submit_batch(model, ["a"], store=store)
    (name,) = emulator.batches.stored[0].custom_ids
    play_batch(emulator, answered(name, cost=None), usage={"cost": odd})
    assert job.wait(poll=FAST).batches[0].cost is None
    row: Any
    (row,) = job.results()
    assert (row.value.text, row.cost) == ("good", None)


def test_costs_and_counts_that_are_written_as_texts_are_read(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    job = submit_batch(model, ["a", "b", "c"], store=store)
    first, second, third = emulator.batches.stored[0].custom_ids
    results = (
        answered(first, cost="0.001"),
        answered(second, cost=None, prompt_tokens="12", completion_tokens=4.0),
        answered(third, cost=None, prompt_tokens=12, completion_tokens=4),
    )
    play_batch(emulator, *results, usage={"cost": "0.003"})
    job.wait(poll=FAST)
    assert [row.cost for row in job.results()] == [Decimal("0.001")] * 3


@pytest.mark.parametrize("odd", ["x", {"a": 1}, [1], True, -5, 1.5, 10**20], ids=repr)
def test_tokens_that_are_no_count_take_no_share_of_a_batchs_cost(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, odd: Any
) -> None:
    job = submit_batch(model, ["a", "b"], store=store)
    first, second = emulator.batches.stored[0].custom_ids
    results = answered(first, cost=None, prompt_tokens=odd), answered(second, cost=None)
    play_batch(emulator, *results, usage={"cost": 0.0005})
    job.wait(poll=FAST)
    rows: list[Any] = list(job.results())
    assert [row.value.text for row in rows] == ["good", "good"]
    assert [row.cost for row in rows] == [None, Decimal("0.0005")]


@pytest.mark.parametrize("odd", ["soon", {}, True, -1, 1_785_086_400_000, 1e30], ids=repr)
def test_times_that_no_calendar_knows_are_not_known(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, odd: Any
) -> None:
    stored = canned({"id": "batch_1", "status": "validating", "created_at": odd})
    emulator.play_batches(stored)
    job = submit_batch(model, ["echo a"], store=store)
    told = {"id": "batch_1", "status": "in_progress", "expires_at": odd}
    emulator.play_batches(canned({"data": [told], "has_more": False}))
    (batch,) = job.status().batches
    assert (batch.status, batch.expires_at) == ("in_progress", None)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.status(500), OpenRouterError),
        (faults.close("before-headers"), OpenRouterConnectionError),
        (faults.status(302), OpenRouterMalformedResponseError),
        (canned({"data": 1}), OpenRouterMalformedResponseError),
        (canned({"data": [{"status": "completed"}]}), OpenRouterMalformedResponseError),
        (faults.status(403), OpenRouterError),
    ],
)
def test_looks_that_fail_are_raised_and_the_job_stays(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    store: Path,
    fault: Fault,
    kind: type[OpenRouterError],
) -> None:
    job = submit_batch(model, ["echo a"], store=store)
    emulator.disturb_batches(lambda _: fault)
    with pytest.raises(kind):
        job.wait(poll=FAST)
    emulator.disturb_batches(None)
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    assert emulator.batches.double == []


@pytest.mark.parametrize(
    ("at", "answer", "words"),
    [
        (
            "results",
            {"data": [], "has_more": True, "next_cursor": None},
            "does not say where",
        ),
        ("", {"status": "completed", "results": None}, "without its results"),
    ],
    ids=["a page without the next one's place", "a completed batch without results"],
)
def test_results_that_are_not_all_there_do_not_count_as_unanswered(  # noqa: PLR0913, PLR0917 - fixtures
    emulator: Emulator,
    model: ChatOpenRouterO3,
    store: Path,
    at: str,
    answer: dict[str, Any],
    words: str,
) -> None:
    job = submit_batch(model, ["echo a", "echo b"], store=store)
    name = emulator.batches.stored[0].id
    emulator.batches.plan.has_pages = bool(at)
    odd = canned({"id": name, **answer})
    emulator.disturb_batches(lambda each: odd if each.path.endswith(at or name) else None)
    with pytest.raises(OpenRouterMalformedResponseError, match=words):
        job.wait(poll=FAST)
    emulator.disturb_batches(None)
    job.wait(poll=FAST)
    assert [row.ok for row in job.results()] == [True, True]


def test_results_whose_pages_begin_anew_are_malformed(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    job = submit_batch(model, ["echo a"], store=store)
    emulator.batches.plan.statuses = ()
    odd = canned({"data": [], "has_more": True, "next_cursor": "same"})
    emulator.disturb_batches(lambda each: odd if each.path.endswith("/results") else None)
    with pytest.raises(OpenRouterMalformedResponseError, match="begin anew"):
        job.wait(poll=FAST)
    assert sum(each.path.endswith("/results") for each in emulator.requests) == 2
    emulator.disturb_batches(None)
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())


ODD_LISTS = (
    {"data": [], "has_more": True, "last_id": "same"},
    {"data": [{"status": "completed"}], "has_more": False},
    {"data": None},
    {"error": {"message": "no list today"}},
)


@pytest.mark.parametrize("page", ODD_LISTS, ids=str)
def test_batches_are_looked_up_where_the_list_is_odd_and_lost_ones_are_not_sent_again(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, page: dict[str, Any]
) -> None:
    job = submit_batch(model, ["echo a"], store=store)
    emulator.batches.plan.statuses = ()
    lose, odd = faults.close(), canned(page)

    def disturbed(request: ReceivedRequest) -> Fault | None:
        if request.method == "POST":
            return lose
        return odd if request.path.endswith("/batches") else None

    emulator.disturb_batches(disturbed)
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    for _ in range(2):
        with pytest.raises(OpenRouterMalformedResponseError):
            submit_batch(model, ["echo b"], store=store.with_name("lost.db"))
    assert len(emulator.batches.stored) == 2


@pytest.mark.parametrize("at", ["/results", "/batches"])
def test_an_error_with_a_code_in_a_good_answer_is_that_error(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, at: str
) -> None:
    job = submit_batch(model, ["echo a"], store=store)
    emulator.batches.plan.statuses = ()
    odd = canned({"error": {"code": 429, "message": f"slow down: {KEY}"}})
    emulator.disturb_batches(lambda each: odd if each.path.endswith(at) else None)
    with pytest.raises(OpenRouterRateLimitError, match="slow down") as caught:
        job.wait(poll=FAST)
    assert KEY not in str(caught.value)


EMPTY = canned({"data": [], "has_more": False})
NAMELESS = canned({"data": [None, {"custom_id": None}], "has_more": False})


@pytest.mark.parametrize("early", [EMPTY, NAMELESS, faults.status(409)], ids=["none", "odd", "409"])
def test_a_lost_batch_whose_results_lag_is_adopted_when_they_are_there(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, early: Fault
) -> None:
    emulator.batches.plan.statuses = ()
    lost, lagging = iter([faults.close()]), iter([early] * 2)

    def disturbed(request: ReceivedRequest) -> Fault | None:
        if request.method == "POST":
            return next(lost, None)
        return next(lagging, None) if request.path.endswith("/results") else None

    emulator.disturb_batches(disturbed)
    job = submit_batch(model, ["echo a"], store=store)
    assert job.status().batches[0].state == "sending"
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    assert len(emulator.batches.stored) == 1


@pytest.mark.parametrize("said", [{}, {"has_more": None}, {"has_more": "true"}], ids=str)
@pytest.mark.parametrize("end", [{}, {"has_more": "false"}, {"has_more": 0}], ids=str)
def test_a_page_with_a_cursor_is_not_the_last_unless_it_says_so(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    store: Path,
    said: dict[str, Any],
    end: dict[str, Any],
) -> None:
    job = submit_batch(model, ["a", "b"], store=store)
    first, second = emulator.batches.stored[0].custom_ids
    emulator.batches.plan.statuses = ()
    pages = iter(
        [
            canned({"data": [answered(first)], "next_cursor": "2", **said}),
            canned({"data": [answered(second)], "next_cursor": "3" if end else None, **end}),
        ]
    )
    emulator.disturb_batches(lambda each: next(pages) if "/results" in each.path else None)
    job.wait(poll=FAST)
    assert [row.ok for row in job.results()] == [True, True]


def test_a_wait_with_a_timeout_looks_a_last_time_at_its_end(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    job = submit_batch(model, ["echo a"], store=store)
    emulator.batches.plan.statuses = ("in_progress",)
    assert job.wait(timeout=0.1, poll=(60.0, 60.0)).is_over


def test_a_batch_that_nobody_knows_is_an_error_and_deleting_it_is_none(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    job = submit_batch(model, ["echo a"], store=store)
    emulator.batches.stored[0].is_deleted = True
    with pytest.raises(
        BatchLostError, match=r"does not know batch 1 \(batch_.*resubmit\(lost=True"
    ) as caught:
        job.wait(poll=FAST)
    assert caught.value.status_code == 404
    emulator.batches.stored[0].is_deleted = False
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    emulator.play_batches(faults.status(403))
    with pytest.raises(OpenRouterError):
        job.delete()
    emulator.batches.stored[0].is_deleted = True
    job.delete()


@every_way
def test_a_batch_that_somebody_has_deleted_is_sent_again_on_demand(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    job = way.submit(people(model), rows_of(4), store=store, batch_size=2)
    emulator.batches.stored[0].is_deleted = True
    with pytest.raises(BatchPendingError):  # the other one is under way
        way.resubmit(job, lost=True)
    way.wait(job)
    assert way.resubmit(job) == 2
    way.wait(job)
    assert [row.value.born for row in way.results(job)] == [1800, 1801, 1802, 1803]
    assert [len(each.custom_ids) for each in emulator.batches.stored] == [2, 2, 2]
    way.delete(job)


def test_results_that_are_not_quite_there_are_waited_for(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    job = submit_batch(model, ["echo a"], store=store)
    emulator.batches.plan.statuses = ()
    early = iter([faults.status(409)] * 2)

    def not_yet(request: ReceivedRequest) -> Fault | None:
        return next(early, None) if request.path.endswith("/results") else None

    emulator.disturb_batches(not_yet)
    assert job.wait(poll=FAST).is_over
    assert all(row.ok for row in job.results())


def test_what_is_sent_again_while_results_are_read_is_not_taken_for_a_call_too_many(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    emulator.batches.plan.end = "expired"
    emulator.batches.plan.answered = 0.0
    job = submit_batch(model, [f"echo {number}" for number in range(70)], store=store)
    job.wait(poll=FAST)
    results = job.results()
    assert not next(results).ok
    emulator.batches.plan.end = "completed"
    assert job.resubmit() == 70
    with pytest.raises(BatchPendingError, match="sent again while"):
        list(results)
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())


@pytest.mark.parametrize(
    "options",
    [
        {"poll": 10},
        {"poll": (1.0,)},
        {"poll": (-1.0, 1.0)},
        {"poll": (2.0, 1.0)},
        {"poll": (1.0, float("inf"))},
        {"poll": ("1", "2")},
        {"timeout": -1},
        {"timeout": True},
        {"timeout": float("nan")},
    ],
    ids=str,
)
def test_times_that_cannot_be_waited_are_refused(
    model: ChatOpenRouterO3, store: Path, options: dict[str, Any]
) -> None:
    job = submit_batch(model, ["echo a"], store=store)
    (name,) = options
    with pytest.raises(OpenRouterInputError, match=f"^{name}="):
        job.wait(**options)


_HOLDER = """
import sys
from langchain_openrouter_o3.batch import ledger
with ledger.opened(sys.argv[1]):
    print("here", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(store: Path, model: ChatOpenRouterO3) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the file of a job until its input is closed."""
    submit_batch(model, ["echo a"], store=store)
    command = [sys.executable, "-c", _HOLDER, str(store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        yield process


def test_another_process_that_has_the_file_is_waited_for(
    store: Path, holder: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr(ledger, "PATIENCE", 0.0)
        with pytest.raises(JournalInUseError, match="another process works with this job"):
            BatchJob(store)
    assert holder.stdin is not None
    threading.Timer(0.2, holder.stdin.close).start()
    assert BatchJob(store).id


def test_the_event_loop_runs_while_another_process_has_the_file(
    model: ChatOpenRouterO3, store: Path, holder: subprocess.Popen[bytes]
) -> None:
    async def main() -> str | None:
        engine = Engine(str(store), None, model, is_blocking=False)
        batches = asyncio.create_task(engine.poll())
        for _ in range(3):  # which needs a loop that runs
            await asyncio.sleep(0.05)
            assert not batches.done()
        assert holder.stdin is not None
        holder.stdin.close()
        return (await batches)[0].status

    assert asyncio.run(main()) == "validating"


def test_a_long_request_goes_in_several_pieces(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    job = submit_batch(model, ["echo " + "long " * 30_000, "echo b"], store=store)
    assert len(emulator.batches.stored[0].custom_ids) == 2
    job.wait(poll=FAST)
    assert [row.ok for row in job.results()] == [True, True]


def test_a_job_that_was_not_collected_to_the_end_says_so(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chain = people(model)
    with pytest.raises(ZeroDivisionError):
        submit_batch(chain, (1 // 0 for _ in range(2)), store=store)
    job: BatchJob[Any] = BatchJob(store, chain)
    with pytest.raises(BatchPendingError, match="Call submit_batch again"):
        job.wait(poll=FAST)
    assert emulator.requests == []


def test_another_thread_cannot_submit_the_same_job(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    caught: list[Exception] = []

    def again(request: ReceivedRequest) -> Fault | None:
        def submit() -> None:
            try:
                submit_batch(people(model), rows_of(2), store=store)
            except JournalError as error:
                caught.append(error)

        if request.method == "POST":
            thread = threading.Thread(target=submit)
            thread.start()
            thread.join()
        return None

    emulator.disturb_batches(again)
    submit_batch(people(model), rows_of(2), store=store)
    assert "another thread" in str(caught[0])
    assert emulator.batches.double == []


def test_a_batch_that_another_thread_is_submitting_is_not_told_to_be_lost(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    told: list[str] = []

    def look(request: ReceivedRequest) -> Fault | None:
        def status() -> None:
            told.extend(batch.state for batch in BatchJob(store, model).status().batches)

        if request.method == "POST":
            thread = threading.Thread(target=status)
            thread.start()
            thread.join(5.0)  # the emulator waits for it
        return None

    emulator.disturb_batches(look)
    submit_batch(model, ["echo a"], store=store)
    assert told == ["sending"]


def test_a_chain_of_unseen_steps_without_a_call_has_no_batch(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chain: Any = RunnableLambda(lambda number: -number)
    rows = range(1_000)  # more than are written at once
    job = submit_batch(chain, rows, store=store, model=model)
    assert job.wait(poll=FAST).batches == ()
    assert [row.value for row in job.results()] == [-number for number in rows]
    assert emulator.requests == []


class Interruption:
    """Which row is interrupted; a class, because the values of objects are the chain's."""

    row = ""


def again(message: Any) -> str:
    if message.text == Interruption.row:
        Interruption.row = ""
        raise KeyboardInterrupt
    return f"echo {message.text} again"


def test_rows_that_an_interrupted_round_has_gone_on_with_are_not_sent_twice(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chain: Any = model | RunnableLambda(again) | model
    rows = [f"echo k{number}" for number in range(70)]  # more than are gone on with at once
    job = submit_batch(chain, rows, store=store)
    Interruption.row = "k69"
    with pytest.raises(KeyboardInterrupt):
        job.wait(poll=FAST)
    job.wait(poll=FAST)
    results: list[Any] = list(job.results())
    assert [row.value.text for row in results] == [f"k{n} again" for n in range(70)]
    assert sum(len(each.custom_ids) for each in emulator.batches.stored) == 2 * len(rows)


def test_two_who_wait_for_one_job_do_not_pay_twice_for_its_next_round(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    async def step(message: Any) -> str:
        await asyncio.sleep(0.01)  # the other one gets to it, too
        return f"echo {message.text} again"

    async def main() -> list[Any]:
        job = await asubmit_batch(model | RunnableLambda(step) | model, ["echo a"], store=store)
        waits = [job.await_(poll=FAST) for _ in range(2)]
        told = await asyncio.gather(*waits, return_exceptions=True)
        await job.await_(poll=FAST)
        assert all("another thread" in str(each) for each in told if isinstance(each, Exception))
        return [row async for row in job.aresults()]

    assert [row.value.text for row in asyncio.run(main())] == ["a again"]
    assert [len(each.custom_ids) for each in emulator.batches.stored] == [1, 1]


def test_requests_that_were_to_be_sent_again_are_when_that_was_interrupted(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    emulator.batches.plan.end = "expired"
    emulator.batches.plan.answered = 0.0
    job = submit_batch(model, ["echo a"], store=store)
    job.wait(poll=FAST)
    emulator.batches.plan.end = "completed"
    with ledger.opened(store) as file:
        file.send_again(failed=True)  # and here the process dies
    job.wait(poll=FAST)
    row: Any
    (row,) = job.results()
    assert row.value.text == "a"
