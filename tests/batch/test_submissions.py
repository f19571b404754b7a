"""Submissions that are refused, lost or killed: nothing is sent twice, and nothing is lost."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterConnectionError, OpenRouterError
from langchain_openrouter_o3.batch import BatchJob, BatchLostError, ledger, submission, submit_batch
from langchain_openrouter_o3.emulator import Canned, Fault, faults
from langchain_openrouter_o3.emulator.wire.sending import End, Head, Write
from tests.batch.ways import FAST, WAYS, Way, every_way, people, rows_of
from tests.conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from langchain_openrouter_o3.emulator import Emulator, ReceivedRequest
    from langchain_openrouter_o3.emulator.wire.sending import Step


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "LOOKS", (0.0, 0.0))
    monkeypatch.setattr(submission, "GRACE", 0.0)


@dataclass(frozen=True)
class Replaced(Fault):
    """Another answer than the real one, which has been given."""

    status: int
    body: bytes

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        assert answer
        return [Head(self.status, (("content-type", "application/json"),)), Write(self.body), End()]


def posts(emulator: Emulator) -> int:
    return sum(each.method == "POST" for each in emulator.requests)


LOST = {
    "closed": faults.close(),
    "reset": faults.reset(),
    "half": faults.close("after-headers"),
    "500": Replaced(500, b'{"error": {"code": 500, "message": "x"}}'),
    "a page": Replaced(502, b"<html>Bad gateway</html>"),
    "no JSON": Replaced(202, b"{half"),
    "an error": Replaced(202, b'{"error": {"code": 429, "message": "x"}}'),
    "no id": Replaced(202, b'{"status": "validating"}'),
}


@pytest.mark.parametrize(
    ("fault", "way"),
    [*((fault, WAYS["blocking"]) for fault in LOST.values()), (LOST["closed"], WAYS["async"])],
    ids=[*LOST, "closed, async"],
)
def test_a_batch_whose_answer_is_lost_is_adopted(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way, fault: Fault
) -> None:
    other = submit_batch(people(model), rows_of(2), store=store.with_name("other.db"))
    emulator.play_batches(fault)
    job = way.submit(people(model), rows_of(5), store=store, batch_size=2)
    assert way.status(job).batches[0].state == "sending"
    way.wait(job)
    assert all(row.ok for row in way.results(job))
    assert emulator.batches.double == []
    assert posts(emulator) == 1 + 3
    other.wait(poll=FAST)
    assert all(row.ok for row in other.results())


def test_a_batch_that_is_told_the_name_of_another_one_is_looked_for(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    def same(request: ReceivedRequest) -> Fault | None:
        stored = emulator.batches.stored
        is_second = request.method == "POST" and stored
        return Replaced(202, b'{"id": "%s"}' % stored[0].id.encode()) if is_second else None

    emulator.batches.plan.statuses = ()
    emulator.disturb_batches(same)
    job = submit_batch(model, ["echo a", "echo b"], store=store, batch_size=1)
    job.wait(poll=FAST)
    rows: list[Any] = list(job.results())
    assert [row.value.text for row in rows] == ["a", "b"]
    assert posts(emulator) == 2


def test_a_name_with_marks_of_addresses_is_asked_for_as_it_is(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    emulator.play_batches(Replaced(202, b'{"id": "a b?c#d%2F"}'))
    job = submit_batch(model, ["echo a"], store=store)
    emulator.batches.stored[0].id = "a b?c#d%2F"
    emulator.batches.plan.has_list = False
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    job.delete()
    assert emulator.batches.stored[0].is_deleted


def test_several_lost_batches_of_one_size_are_told_apart(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    emulator.disturb_batches(lambda each: faults.close() if each.method == "POST" else None)
    job = submit_batch(people(model), rows_of(6), store=store, batch_size=2)
    other = submit_batch(people(model), rows_of(2), store=store.with_name("other.db"))
    emulator.batches.plan.statuses = ()  # all are over when the first one is looked for
    for each in (job, other):
        each.wait(poll=FAST)
        assert all(row.ok for row in each.results())
    assert posts(emulator) == 4
    assert emulator.batches.double == []


def test_a_list_that_lags_is_looked_at_again_before_anything_is_sent(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = people(model)
    nothing = Canned(pieces=b'{"object": "list", "data": [], "has_more": false}')
    emulator.play_batches(faults.close(), *[nothing] * 3)
    with pytest.raises(BatchLostError):
        submit_batch(chain, rows_of(2), store=store)
    monkeypatch.setattr(submission, "GRACE", 60.0)
    job = submit_batch(chain, rows_of(2), store=store)
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    assert posts(emulator) == 1


def test_a_list_that_lags_is_waited_for_when_a_job_is_found_again(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Canned(pieces=b'{"object": "list", "data": [], "has_more": false}')
    emulator.play_batches(faults.close(), *[nothing] * 4)
    with pytest.raises(BatchLostError):
        submit_batch(model, ["echo a"], store=store)
    monkeypatch.setattr(submission, "GRACE", 60.0)
    job = BatchJob(store, model)
    assert job.status().batches[0].state == "sending"
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    assert posts(emulator) == 1


def test_a_lost_batch_of_a_server_without_a_list_is_sent_again_on_demand(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    emulator.batches.plan.has_list = False
    emulator.play_batches(faults.status(500))
    for _ in range(2):
        with pytest.raises(BatchLostError, match=r"does not list batches.*resubmit\(lost=True\)"):
            submit_batch(people(model), rows_of(2), store=store)
    assert emulator.batches.stored == []
    job = BatchJob(store, people(model))
    with pytest.raises(BatchLostError):
        job.status()
    assert job.resubmit(lost=True) == 2
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    assert [len(each.custom_ids) for each in emulator.batches.stored] == [2]
    job.delete()
    assert job.status().is_over


def test_a_lost_batch_that_is_found_after_all_is_not_sent_again(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    nothing = Canned(pieces=b'{"object": "list", "data": [], "has_more": false}')
    emulator.play_batches(faults.close(), *[nothing] * 2)
    with pytest.raises(BatchLostError):
        submit_batch(model, ["echo a"], store=store)
    emulator.batches.plan.statuses = ()
    job = BatchJob(store, model)
    assert job.resubmit(lost=True) == 0
    row: Any
    (row,) = job.results()
    assert row.value.text == "a"
    assert emulator.batches.double == []


def test_the_time_of_grace_begins_when_the_last_byte_of_a_submission_goes(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.time()
    clock = itertools.chain([began], itertools.repeat(began + 600.0))  # an upload of ten minutes
    monkeypatch.setattr(submission, "time", SimpleNamespace(time=lambda: next(clock)))
    nothing = Canned(pieces=b'{"object": "list", "data": [], "has_more": false}')
    emulator.play_batches(faults.close(), *[nothing] * 2)
    with pytest.raises(BatchLostError):
        submit_batch(people(model), rows_of(2), store=store)
    with ledger.opened(store) as file:
        assert [batch.sent for batch in file.batches("sending")] == [began + 600.0]


def test_a_lost_batch_is_found_although_a_clock_is_set_to_another_zone(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    def ten_hours_ago(request: ReceivedRequest) -> Fault | None:
        for batch in emulator.batches.stored:
            batch.created = int(time.time()) - 36_000
        return faults.close() if request.method == "POST" else None

    emulator.disturb_batches(ten_hours_ago)
    job = submit_batch(people(model), rows_of(2), store=store)
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    assert posts(emulator) == 1


@every_way
def test_a_batch_that_is_not_there_is_sent_again_by_its_caller_alone(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    chain = people(model)
    emulator.play_batches(Canned(status=None))
    with pytest.raises(BatchLostError, match="It was not sent again") as caught:
        way.submit(chain, rows_of(2), store=store)
    assert isinstance(caught.value.__cause__, OpenRouterConnectionError)
    for look in (way.status, way.wait, way.results, way.resubmit):
        with pytest.raises(BatchLostError):
            look(BatchJob(store, chain))
    assert posts(emulator) == 1
    job = way.submit(chain, rows_of(2), store=store)
    assert posts(emulator) == 2
    way.wait(job)
    assert all(row.ok for row in way.results(job))


@pytest.mark.parametrize("plan", [{"is_unpaid": True}, {"is_gone": True}, {"end": "failed"}])
def test_a_batch_without_results_is_adopted_once_they_can_be_seen(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, plan: dict[str, Any]
) -> None:
    chain = people(model)
    emulator.batches.plan.statuses = ()
    for name, value in plan.items():
        setattr(emulator.batches.plan, name, value)
    emulator.play_batches(faults.close())
    if not emulator.batches.plan.is_unpaid:  # nothing of it will ever be seen, or paid
        with pytest.raises(BatchLostError):
            submit_batch(chain, rows_of(2), store=store)
        return
    job = submit_batch(chain, rows_of(2), store=store)
    assert job.status().batches[0].state == "sending"
    emulator.batches.plan.is_unpaid = False
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    assert posts(emulator) == 1


def test_a_list_of_many_batches_is_read_to_the_end_and_errors_of_looks_are_raised(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chain = people(model)
    submit_batch(chain, rows_of(2), store=store)
    oldest = emulator.batches.stored[0].body
    for _ in range(150):
        emulator.batches.stored.append(type(emulator.batches.stored[0])(oldest))
    emulator.batches.stored.append(emulator.batches.stored.pop(0))
    assert BatchJob(store, chain).wait(poll=FAST).is_over
    second = store.with_name("second.db")

    def disturbed(request: ReceivedRequest) -> Fault | None:
        if request.method == "POST":
            return faults.close()
        return faults.status(403) if request.path.endswith("results") else None

    emulator.batches.plan.statuses = ()
    emulator.disturb_batches(disturbed)
    with pytest.raises(OpenRouterError) as caught:
        submit_batch(chain, rows_of(2), store=second)
    assert caught.value.status_code == 403


@pytest.mark.parametrize(
    ("status", "way"),
    [(400, WAYS["blocking"]), (402, WAYS["async"]), (404, WAYS["async"]), (413, WAYS["blocking"])],
    ids=["400", "402", "404", "413"],
)
def test_a_refused_batch_is_not_stored_and_goes_on_later(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way, status: int
) -> None:
    chain = people(model)
    emulator.play_batches(faults.status(status, message=f"no: {KEY}"))
    with pytest.raises(OpenRouterError, match=r"Nothing of batch 1 .* was stored") as got:
        way.submit(chain, rows_of(2), store=store)
    assert got.value.status_code == status
    assert KEY not in str(got.value)
    job: BatchJob[Any] = BatchJob(store, chain)
    way.wait(job)  # which submits it
    assert all(row.ok for row in way.results(job))
    assert emulator.batches.double == []


@every_way
def test_a_limit_of_submissions_is_waited_for(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    emulator.play_batches(*[faults.status(429, retry_after=0.01)] * 2)
    job = way.submit(people(model), rows_of(2), store=store)
    emulator.play_batches(faults.status(500, retry_after=0.01), faults.close())  # of looks, too
    way.wait(job)
    assert all(row.ok for row in way.results(job))
    assert posts(emulator) == 3
    assert emulator.batches.double == []


@pytest.mark.parametrize("slug", ["openai/o3-mini", "openai/o3-mini:batch"])
@every_way
def test_both_forms_of_a_slug_are_tried(
    emulator: Emulator, store: Path, way: Way, slug: str
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, model=slug)
    emulator.batches.plan.slugs = "batch" if slug == "openai/o3-mini" else "base"
    rows = way.run(people(model), rows_of(2), store)
    assert all(row.ok for row in rows)
    assert posts(emulator) == 2
    emulator.batches.plan.slugs = "none"
    with pytest.raises(OpenRouterError, match="does not have a :batch endpoint"):
        way.submit(people(model), rows_of(4), store=store)
    assert posts(emulator) == 4


@every_way
def test_a_batch_that_is_too_large_is_cut_anew_and_a_callback_can_be_set_anew(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, way: Way
) -> None:
    chain = people(model)

    def too_large(request: ReceivedRequest) -> Fault | None:
        body: Any = request.body
        is_large = request.method == "POST" and len(body["requests"]) > 2
        return faults.status(413) if is_large else None

    emulator.disturb_batches(too_large)
    with pytest.raises(OpenRouterError, match="Nothing of batch 1"):
        way.submit(chain, rows_of(4), store=store, callback_url="https://example.org/old")
    renewed: dict[str, Any] = {"callback_url": "https://example.org/new", "metadata": {"a": 1}}
    job = way.submit(chain, rows_of(4), store=store, batch_size=2, **renewed)
    assert job.metadata == {"a": 1}
    stored = emulator.batches.stored
    assert [each.body["callback_url"] for each in stored] == ["https://example.org/new"] * 2
    way.wait(job)
    assert all(row.ok for row in way.results(job))
    assert emulator.batches.double == []


class Unreachable(httpx.HTTPTransport):
    """A network whose first connection fails."""

    calls = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.calls == 1:
            raise httpx.ConnectError("unreachable", request=request)
        return super().handle_request(request)


def test_what_was_never_sent_is_sent_again_through_the_callers_own_client(
    emulator: Emulator, store: Path
) -> None:
    transport = Unreachable()
    refused = iter([faults.status(503)])
    emulator.disturb_batches(lambda each: next(refused, None) if each.method == "GET" else None)
    hooks: Any = {"response": [httpx.Response.raise_for_status]}
    with httpx.Client(transport=transport, event_hooks=hooks) as client:
        model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, http_client=client)
        job = submit_batch(people(model), rows_of(2), store=store)
        job.wait(poll=FAST)
        assert all(row.ok for row in job.results())
    assert posts(emulator) == 1
    assert transport.calls == len(emulator.requests) + 1


@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")
def test_twenty_kills_lose_nothing_and_submit_nothing_twice(
    emulator: Emulator, store: Path
) -> None:
    count, size = 100, 10
    chance = random.Random(3)  # noqa: S311 - it repeats itself
    child, moments = 0, [chance.randrange(2) for _ in range(12)]

    def kill(request: ReceivedRequest) -> Fault | None:
        if request.method != "POST" or not moments:
            return None
        os.kill(child, signal.SIGKILL)  # before it is stored, or after
        return faults.close() if moments.pop() else Canned(status=None)

    emulator.disturb_batches(kill)
    command = [sys.executable, "-m", "tests.batch.script", emulator.base_url, str(store)]
    with subprocess.Popen(
        [*command, str(count), str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        kills = 0
        for number in range(40):
            process.stdin.write(f"{chance.randrange(1, count) if number < 8 else 0}\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            ended = int(process.stdout.readline())
            kills += ended == -signal.SIGKILL
            if ended == 0:
                break
        process.stdin.close()
    assert kills == 20
    emulator.disturb_batches(None)
    chain = people(ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=0))
    job = BatchJob(store, chain)
    job.wait(poll=FAST)
    rows = list(job.results())
    assert [row.key for row in rows] == [f"k{number}" for number in range(count)]
    assert all(row.ok for row in rows)
    assert [len(each.custom_ids) for each in emulator.batches.stored] == [size] * 10
    assert emulator.batches.double == []
