"""Requests that a batch carries, and what it refuses, by the row and with the remedy."""

from __future__ import annotations

import itertools
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField, RunnableLambda, RunnableParallel

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    CostTracker,
    OpenRouterInputError,
    OpenRouterTimeoutError,
)
from langchain_openrouter_o3.batch import (
    BatchJob,
    BatchRequestError,
    BatchRoundsError,
    find_jobs,
    ledger,
    requests,
    submit_batch,
)
from langchain_openrouter_o3.bulk import (
    DuplicateKeyError,
    JournalError,
    JournalInUseError,
    StorageError,
)
from langchain_openrouter_o3.bulk.database import Database, open_database
from tests.batch.ways import FAST, WAYS, people, rows_of
from tests.conftest import KEY
from tests.helpers.modes import comparable, outcome
from tests.helpers.recordings import Recording, load, split_model

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_openrouter_o3.emulator import Emulator
    from langchain_openrouter_o3.emulator.json_value import JsonObject

PICTURE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,A"}}


def of_parts(*parts: Any) -> list[HumanMessage]:
    return [HumanMessage([{"type": "text", "text": "Look."}, *parts])]


@pytest.mark.parametrize(
    ("settings", "given", "text"),
    [
        ({"model": "openai/o3"}, of_parts(PICTURE), "messages: image_url"),
        ({}, of_parts(FILE), "messages: a file in base64"),
        ({"streaming": True}, "Hi", "stream: .*streaming=True"),
        ({"models": ["openai/o3"]}, "Hi", "models: a batch has one model"),
        ({"plugins": [{"id": "web"}]}, "Hi", "plugins: "),
        ({"model": "openai/o3-mini:online"}, "Hi", "model=.*leave out :online"),
        ({"provider": {"order": ["a"], "zdr": True}}, "Hi", "provider: .*leave out order, zdr"),
        ({"extra_body": {"tools": [{"type": "openrouter:web_search"}]}}, "Hi", "tools: openrouter"),
        ({"response_cache": True}, "Hi", "response_cache: "),
        ({"router_metadata": True}, "Hi", "router_metadata: "),
    ],
)
def test_what_a_batch_cannot_do_is_refused_by_the_rows_key(
    emulator: Emulator, store: Path, settings: dict[str, Any], given: Any, text: str
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, **settings)
    with pytest.raises(BatchRequestError, match=rf"row '1': {text}.*bulk\(\)"):
        submit_batch(model, [given], store=store)
    assert emulator.requests == []


def test_a_request_beyond_a_batchs_size_is_refused(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MAX_BYTES", 6_000)
    with pytest.raises(BatchRequestError, match=r"row '2': its request has .* bytes"):
        submit_batch(model, ["short", "x" * 3_000], store=store)
    # Three of 900 bytes do not go together.
    job = submit_batch(model, ["echo " + "y" * 800] * 3, store=store.with_name("b.db"))
    assert [len(each.custom_ids) for each in emulator.batches.stored] == [2, 1]
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())


def test_the_longest_request_has_a_batch_of_its_own(
    model: ChatOpenRouterO3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MAX_BYTES", 6_000)
    for length in itertools.count(1_900, -1):
        try:
            job = submit_batch(model, ["x" * length], store=tmp_path / f"{length}.db")
        except BatchRequestError:
            continue
        assert [batch.total for batch in job.status().batches] == [1]
        return


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"callback_url": "http://example.org"}, "callback_url="),
        ({"batch_size": 5_001}, "batch_size=5001"),
        ({"rounds": 0}, "rounds=0"),
        ({"max_concurrency": True}, "max_concurrency=True"),
        ({"on_error": "skip"}, "on_error='skip'"),
        ({"key": "nothing"}, "row 1 has none"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(
    model: ChatOpenRouterO3, store: Path, options: dict[str, Any], text: str
) -> None:
    for way in WAYS.values():
        with pytest.raises(OpenRouterInputError, match=text):
            way.submit(people(model), rows_of(1), store=store, **options)


def test_rows_with_one_key_are_refused_wherever_they_stand(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chain = people(model)
    for number, between in enumerate((0, 300)):
        first = rows_of(2 + between)
        given = iter([*first, {**first[0], "text": "again"}])
        with pytest.raises(DuplicateKeyError, match=rf"rows 1 and {3 + between} have the same"):
            submit_batch(chain, given, key="id", store=store.with_name(f"{number}.db"))
    assert emulator.requests == []


def test_rows_that_are_no_data_are_refused(model: ChatOpenRouterO3, store: Path) -> None:
    chain = RunnableLambda(str) | model
    with pytest.raises(StorageError, match="row '1': its input cannot be written down"):
        submit_batch(chain, [object()], store=store)


def test_all_rows_have_one_key_and_one_address(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chain: Any = RunnableLambda(
        lambda text: model.bind(extra_headers={"x-tenant": text}).invoke(text)
    )
    with pytest.raises(OpenRouterInputError, match="another key, address or headers"):
        submit_batch(chain, ["echo a", "echo b"], store=store, model=model, max_concurrency=1)
    assert emulator.requests == []
    store.unlink()
    submit_batch(model, ["echo a"], store=store)
    elsewhere = ChatOpenRouterO3(base_url="http://127.0.0.1:9/api/v1", api_key=KEY)
    with pytest.raises(OpenRouterInputError, match="the job's batches are at"):
        BatchJob(store, model=elsewhere).status()


def test_headers_that_are_bound_go_with_every_request_of_a_job(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chain: Any = model.bind(extra_headers={"x-tenant": "a"})
    job = submit_batch(chain, ["echo a"], store=store)
    job.wait(poll=FAST)
    assert all(row.ok for row in job.results())
    assert {each.headers["x-tenant"] for each in emulator.requests} == {"a"}
    assert KEY.encode() not in store.read_bytes()


def test_models_and_providers_have_batches_of_their_own(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chosen = model.configurable_fields(model=ConfigurableField("slug"))
    only = model.bind(provider={"only": ["openai"], "allow_fallbacks": False})
    chain: Any = RunnableParallel(
        plain=model, other=chosen.with_config(configurable={"slug": "openai/o4-mini"}), only=only
    )
    job = submit_batch(chain, ["echo a", "echo b"], store=store)
    assert [
        (each.body["model"], each.body.get("provider")) for each in emulator.batches.stored
    ] == [
        ("openai/o3-mini", None),
        ("openai/o4-mini", None),
        ("openai/o3-mini", {"only": ["openai"], "allow_fallbacks": False}),
    ]
    job.wait(poll=FAST)
    values: list[Any] = [row.value for row in job.results()]
    assert [value["only"].text for value in values] == ["a", "b"]


def test_stop_sequences_end_the_text_when_it_is_collected(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chain: Any = model.bind(stop=["c"])
    job = submit_batch(chain, ["echo a b c d"], store=store)
    assert "stop" not in str(emulator.batches.stored[0].body)
    job.wait(poll=FAST)
    row: Any
    (row,) = job.results()
    assert row.value.text == "a b "


def test_an_answer_belongs_to_the_request_that_was_sent(
    model: ChatOpenRouterO3, store: Path
) -> None:
    hours = itertools.count()
    chain: Any = RunnableLambda(lambda text: f"{text} at {next(hours)}") | model
    job = submit_batch(chain, ["echo a"], store=store)
    job.wait(poll=FAST)
    row: Any
    (row,) = job.results()
    assert row.value.text == "a at 0"  # not what it would say now
    # Two calls side by side cannot be told apart by their place.
    both: Any = RunnableParallel(one=chain, other=chain)
    job = submit_batch(both, ["echo a"], store=store.with_name("b.db"), rounds=1)
    job.wait(poll=FAST)
    (row,) = job.results()
    assert isinstance(row.error, BatchRoundsError)
    assert row.cost == 0


def test_a_chain_that_fails_before_its_call_is_raised_or_kept(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    def check(text: str) -> str:
        if text == "bad":
            raise RuntimeError("a step of the chain")
        return text

    chain: Any = RunnableLambda(check) | model
    with pytest.raises(RuntimeError, match="a step"):
        submit_batch(chain, ["echo a", "bad"], store=store)
    assert emulator.requests == []
    job = submit_batch(chain, ["echo a", "bad"], store=store, on_error="row")
    job.wait(poll=FAST)
    good: Any
    bad: Any
    good, bad = job.results()
    assert good.value.text == "a"
    assert isinstance(bad.error, RuntimeError)
    assert bad.cost == 0


def test_retries_and_fallbacks_of_a_chain_do_not_hear_of_collecting(
    emulator: Emulator, store: Path
) -> None:
    costs = CostTracker()
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, callbacks=[costs])
    retried: Any = model.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    chain = retried.with_fallbacks([RunnableLambda(str)])
    job = submit_batch(chain, ["echo a"], store=store)
    assert (costs.by_model, costs.unfinished) == ({}, 0)
    emulator.batches.plan.outcome = lambda _: {
        "response": {"status_code": 400, "body": {"error": {"code": 400, "message": "bad"}}},
        "error": None,
    }
    job.wait(poll=FAST)
    row: Any
    (row,) = job.results()
    assert row.value == "echo a"  # the fallback of a request that was refused


def test_blocking_steps_are_collected_too(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chain: Any = RunnableLambda(lambda text: model.invoke(text).text.upper())
    job = submit_batch(chain, ["echo a"], store=store)
    job.wait(poll=FAST)
    assert [row.value for row in job.results()] == ["A"]
    assert [each.path for each in emulator.requests if "chat" in each.path] == []


def test_jobs_are_found_in_a_folder_and_other_files_are_told_apart(
    emulator: Emulator, model: ChatOpenRouterO3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = submit_batch(model, ["echo a"], store=tmp_path / "a.db")
    second = submit_batch(model, ["echo b"], store=tmp_path / "b.db")
    Database(str(tmp_path / "journal.db")).close()
    (tmp_path / "text.db").write_text("SQLite format 3")
    (tmp_path / "folder.db").mkdir()
    found = find_jobs(tmp_path)
    assert [job.id for job in found] == [second.id, first.id]
    assert repr(found[1]) == f"BatchJob({str(tmp_path / 'a.db')!r}, id={first.id!r})"
    with pytest.raises(JournalError, match="there is no such job") as caught:
        BatchJob(tmp_path / "c.db")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert f"self = BatchJob({str(tmp_path / 'c.db')!r}, id=None)" in "".join(shown.format())
    Database(str(tmp_path / "d.db"), ledger.JOB).close()
    with pytest.raises(JournalError, match="no job was begun"):
        BatchJob(tmp_path / "d.db")
    with (
        ledger.opened(tmp_path / "a.db"),
        pytest.raises(JournalError, match="this is a job, not a journal"),
    ):
        open_database(tmp_path / "a.db")
    with pytest.raises(OpenRouterInputError, match=r"BatchJob\(store, chain\)"):
        list(found[0].results())
    # Without a chain the environment says with which key and where.
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_API_BASE", emulator.base_url)
    assert found[0].status().requests == 1
    with pytest.raises(OpenRouterTimeoutError, match="wait again"):
        found[0].wait(timeout=0)
    assert found[0].wait(poll=FAST, progress=True).is_over


def test_jobs_are_found_beside_files_that_have_none(
    emulator: Emulator,  # noqa: ARG001 - the model's
    model: ChatOpenRouterO3,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = submit_batch(model, ["echo a"], store=tmp_path / "good.db")
    Database(str(tmp_path / "early.db"), ledger.JOB).close()  # killed before its first row
    Database(str(tmp_path / "newer.db"), ledger.JOB._replace(format=2)).close()
    assert [found.id for found in find_jobs(tmp_path)] == [job.id]
    assert "early.db: no job was begun" in caplog.text
    assert "newer.db: its format is 2" in caplog.text
    monkeypatch.setattr(ledger, "PATIENCE", 0.0)
    holder = "import sys; from langchain_openrouter_o3.batch import ledger\n"
    holder += "with ledger.opened(sys.argv[1]): print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holder, str(tmp_path / "good.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(JournalInUseError):
            find_jobs(tmp_path)
        process.communicate()


def test_a_job_that_was_not_closed_is_found_and_stays_locked(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    other = (
        "import sys; from langchain_openrouter_o3.batch import ledger\n"
        "ledger.PATIENCE = 0.0\n"
        "with ledger.opened(sys.argv[1]): pass"
    )
    with ledger.opened(store, must_exist=False) as file:
        file.begin({}, {"id": "open", "created": "0", "metadata": "null"})
        assert [job.id for job in find_jobs(tmp_path)] == ["open"]
        ended = subprocess.run(
            [sys.executable, "-c", other, str(store)], capture_output=True, text=True, check=False
        )
    assert "another process works with this job" in ended.stderr
    with pytest.raises(OSError, match="unable to open"):
        ledger.is_job(tmp_path / "nothing.db")


RECORDINGS = [recording for recording in load() if not recording.is_stream]


@pytest.mark.skipif(not RECORDINGS, reason="no recordings here; set OPENROUTER_RECORDINGS")
def test_every_recording_gives_what_ainvoke_gives(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    def recorded(body: JsonObject) -> JsonObject:
        text: Any = body["messages"]
        recording = RECORDINGS[int(text[0]["content"])]
        answer: JsonObject = {"status_code": recording.status, "body": recording.payloads[0]}
        return {"response": answer, "error": None}

    emulator.batches.plan.outcome = recorded
    emulator.batches.plan.end = "expired"  # all in time, but no cost is told of the batch
    rows = WAYS["async"].run(model, [str(number) for number in range(len(RECORDINGS))], store)
    assert len(rows) == len(RECORDINGS) > 50
    for recording, row in zip(RECORDINGS, rows, strict=True):
        assert said_of(row.value or row.error) == said_of(live(recording)), recording.name


def live(recording: Recording) -> Any:
    return outcome("ainvoke", split_model(recording, max(len(recording.raw), 1)))


def said_of(result: Any) -> Any:
    """Leave out of an error what its headers had told."""
    said = comparable(result)
    return said if isinstance(said, dict) else (said[0], *said[2:])
