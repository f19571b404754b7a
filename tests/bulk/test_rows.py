"""What a run reads and gives."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAuthenticationError,
    OpenRouterCreditsError,
    OpenRouterError,
    OpenRouterInputError,
    OpenRouterInvalidRequestError,
)
from langchain_openrouter_o3.bulk import DuplicateKeyError, abulk, bulk
from langchain_openrouter_o3.emulator import Emulator, ReceivedRequest, faults
from langchain_openrouter_o3.emulator.faults import Fault
from tests.conftest import KEY
from tests.helpers.bulk import WAYS, Person, people


@pytest.fixture(params=[*WAYS.values()], ids=[*WAYS])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_each_row_has_its_value_and_what_it_took(
    run: Any, model: ChatOpenRouterO3, emulator: Emulator
) -> None:
    texts = [f"Ada-{number} was born in {1800 + number}" for number in range(20)]
    rows = run(people(model), texts, max_concurrency=4)
    assert sorted(row.number for row in rows) == [*range(1, 21)]
    for row in rows:
        assert row.ok
        assert row.input == texts[row.number - 1]
        assert row.value == Person(name=f"Ada-{row.number - 1}", born=1799 + row.number)
        assert row.attempts == 1
        assert row.cost is not None
        assert row.cost == row.known_cost > 0
        assert row.usage is not None
        assert len(row.generation_ids) == 1
        assert not row.from_journal
        assert row.seconds > 0
    assert len(emulator.requests) == 20


def test_rows_can_come_in_the_order_of_the_input(run: Any, model: ChatOpenRouterO3) -> None:
    async def late(number: int) -> int:
        await asyncio.sleep(0.02 if number % 5 == 0 else 0)
        return number

    def fail(number: int) -> int:
        raise ValueError(number)

    del model
    chain = RunnableLambda(fail, afunc=late)
    rows = run(chain, range(200), max_concurrency=7, ordered=True)
    assert [row.value for row in rows] == [*range(200)]
    assert all(row.cost == 0 for row in rows)


def test_an_error_is_in_its_row(run: Any, model: ChatOpenRouterO3, emulator: Emulator) -> None:
    def disturb(request: ReceivedRequest) -> Fault | None:
        return faults.status(400) if b"row-3" in request.raw else None

    emulator.disturb(disturb)
    rows = run(model, [f"echo row-{number}" for number in range(6)], ordered=True)
    assert [row.ok for row in rows] == [True, True, True, False, True, True]
    assert isinstance(rows[3].error, OpenRouterInvalidRequestError)
    assert rows[3].value is None
    assert rows[3].cost == 0


def test_an_error_can_end_the_run(run: Any, model: ChatOpenRouterO3, emulator: Emulator) -> None:
    emulator.disturb(lambda request: faults.status(400) if b"row-30" in request.raw else None)
    with pytest.raises(OpenRouterInvalidRequestError):
        run(
            model,
            (f"echo row-{number}" for number in range(1000)),
            on_error="raise",
            max_concurrency=3,
        )
    assert len(emulator.requests) < 60


@pytest.mark.parametrize(
    ("status", "error"), [(401, OpenRouterAuthenticationError), (402, OpenRouterCreditsError)]
)
def test_want_of_credit_or_a_key_ends_the_run(
    run: Any, model: ChatOpenRouterO3, emulator: Emulator, status: int, error: type[OpenRouterError]
) -> None:
    emulator.disturb(lambda _: faults.status(status))
    with pytest.raises(error):
        run(model, (f"echo row-{number}" for number in range(1000)), max_concurrency=3)
    assert len(emulator.requests) < 40


def test_the_input_is_read_lazily_and_a_slow_consumer_stops_the_workers(
    model: ChatOpenRouterO3, emulator: Emulator
) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield f"echo row-{read}"

    async def consume() -> None:
        rows = abulk(model, endless(), max_concurrency=4)
        for _ in range(3):
            await anext(rows)
        for _ in range(50):  # nobody takes a row, and the loop is idle
            before = read
            await asyncio.sleep(0.05)
            if read == before:
                break
        await rows.aclose()

    asyncio.run(consume())
    assert read < 40
    assert len(emulator.requests) <= read


def test_no_more_tasks_than_workers_need(model: ChatOpenRouterO3) -> None:
    ours: set[int] = set()
    all_tasks = [0]

    async def consume() -> None:
        chain = people(model)
        texts = (f"Ada-{number} was born in 1815" for number in range(200))
        async for _ in abulk(chain, texts, max_concurrency=10):
            tasks = asyncio.all_tasks()
            all_tasks.append(len(tasks))
            ours.add(sum(task.get_name().startswith("openrouter-bulk") for task in tasks))

    asyncio.run(consume())
    assert max(ours) == 10
    # A worker, and two of langchain-core's; its callbacks are tasks, too, for a moment.
    assert sum(all_tasks) / len(all_tasks) <= 3 * 10 + 1


async def _rows() -> AsyncIterator[str]:
    for number in range(25):
        await asyncio.sleep(0)
        yield f"echo row-{number}"


def test_the_input_may_be_asynchronous(run: Any, model: ChatOpenRouterO3) -> None:
    rows = run(model, _rows(), max_concurrency=4, ordered=True)
    assert [row.value.text for row in rows] == [f"row-{number}" for number in range(25)]


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_a_frame_is_refused_whose_columns_would_be_the_rows(run: Any, package: str) -> None:
    module = pytest.importorskip(package, reason=f"{package} is not installed")
    make: Any = {"pandas": "DataFrame", "pyarrow": "table"}[package]
    frame = getattr(module, make)({"text": ["a", "b"], "id": [1, 2]})
    with pytest.raises(OpenRouterInputError, match=r'pass its rows: to_dict\("records"\)'):
        run(RunnableLambda(str), frame)
    rows = frame.to_dict("records") if package == "pandas" else frame.to_pylist()
    assert len(run(RunnableLambda(str), rows, key="id")) == 2


def test_what_a_caller_has_opened_stays_open(run: Any, tmp_path: Path) -> None:
    closed: list[str] = []

    def generate() -> Iterator[str]:
        try:
            yield from ("a", "b", "c", "ö")
        finally:
            closed.append("generator")

    with pytest.raises(ValueError, match="no"):
        run(RunnableLambda(_refuse), generate(), on_error="raise", max_concurrency=1)
    assert closed == ["generator"]
    (tmp_path / "lines").write_text("a\nb\n")
    with (tmp_path / "lines").open() as file:
        assert len(run(RunnableLambda(str.strip), file, key=str.strip)) == 2
        assert not file.closed


def _refuse(text: str) -> str:
    raise ValueError(f"no {text}")


def test_an_input_that_fails_ends_the_run_after_the_rows_in_flight(
    run: Any, model: ChatOpenRouterO3, emulator: Emulator
) -> None:
    def broken() -> Iterator[str]:
        yield from (f"echo row-{number}" for number in range(9))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        run(model, broken(), max_concurrency=3)
    assert len(emulator.requests) == 9


def test_rows_before_an_error_come_in_order(run: Any) -> None:
    def check(number: int) -> int:
        if number == 5:
            raise ValueError("five")
        return number

    with pytest.raises(ValueError, match="five"):
        run(RunnableLambda(check), range(100), on_error="raise", ordered=True, max_concurrency=3)


def test_tasks_that_a_chain_leaves_behind_are_ended(model: ChatOpenRouterO3) -> None:
    ended: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            ended.append("task")

    tasks: list[asyncio.Task[None]] = []

    async def leave(text: str) -> str:
        tasks.append(asyncio.create_task(linger()))
        await asyncio.sleep(0)
        return text

    del model
    chain: RunnableLambda[str, str] = RunnableLambda(str, afunc=leave)
    assert len(list(bulk(chain, ["a", "b"]))) == 2
    assert ended == ["task", "task"]


def test_rows_without_their_inputs(run: Any, model: ChatOpenRouterO3) -> None:
    rows = run(model, ["echo a", "echo b"], keep_input=False)
    assert [row.input for row in rows] == [None, None]


def test_no_rows(run: Any, model: ChatOpenRouterO3) -> None:
    assert run(model, []) == []


def test_a_run_works_within_a_running_loop(model: ChatOpenRouterO3) -> None:
    async def notebook() -> list[Any]:
        return list(bulk(model, ["echo a", "echo b"], ordered=True))

    assert [row.value.text for row in asyncio.run(notebook())] == ["a", "b"]


def test_two_runs_at_once_mix_nothing_up(model: ChatOpenRouterO3) -> None:
    async def one(word: str) -> list[str]:
        texts = [f"echo {word}-{number}" for number in range(30)]
        rows = [row async for row in abulk(model, texts, ordered=True)]
        return [row.value.text for row in rows if row.value is not None]

    async def both() -> tuple[list[str], list[str]]:
        return await asyncio.gather(one("a"), one("b"))

    first, second = asyncio.run(both())
    assert first == [f"a-{number}" for number in range(30)]
    assert second == [f"b-{number}" for number in range(30)]


@dataclasses.dataclass
class Question:
    id: int
    text: str


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ([{"id": "a"}, {"id": "b"}, {"id": "a"}], "id"),
        ([{"id": 1}, {"id": 2}, {"id": 1}], lambda row: row["id"]),
        ([{"id": 1}, {"id": 2}, {"id": "1"}], "id"),
        ([Question(1, "x"), Question(2, "x"), Question(1, "y")], lambda row: row.id),
    ],
    ids=["field", "function", "the same as text", "attribute"],
)
def test_duplicates_in_a_list_are_refused_before_anything_is_sent(
    run: Any, rows: list[Any], key: Any
) -> None:
    asked: list[Any] = []
    chain = RunnableLambda(asked.append)
    with pytest.raises(DuplicateKeyError, match="rows 1 and 3 have the same key"):
        run(chain, rows, key=key)
    assert asked == []


@pytest.mark.parametrize("distance", [1, 5, 300])
def test_duplicates_in_a_stream_are_refused_before_they_are_sent(run: Any, distance: int) -> None:
    asked: list[int] = []

    def ask(row: dict[str, int]) -> None:
        asked.append(row["number"])

    numbers = [*range(distance), 0]
    rows = ({"id": identity, "number": place} for place, identity in enumerate(numbers))
    with pytest.raises(DuplicateKeyError, match=f"rows 1 and {distance + 1} have the same key '0'"):
        run(RunnableLambda(ask), rows, key="id", max_concurrency=4)
    assert distance not in asked


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_concurrency": 0}, "max_concurrency=0"),
        ({"max_concurrency": "many"}, "max_concurrency='many'"),
        ({"max_concurrency": True}, "max_concurrency=True"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"budget": "much"}, "budget='much'"),
        ({"budget": -1}, "budget=-1"),
        ({"budget": True}, "budget=True"),
        ({"budget": float("nan")}, "budget=nan"),
        ({"budget": [1]}, r"budget=\[1\]"),
        ({"progress": 3}, "progress=3"),
        ({"key": "id"}, "key='id': row 1 has none"),
        ({"key": lambda row: [row]}, "the key of row 1 is a list"),
        ({"key": lambda _: "\ud800"}, "the key of row 1 holds half a surrogate pair"),
    ],
)
def test_arguments_that_cannot_work_are_named(run: Any, options: Any, text: str) -> None:
    with pytest.raises(OpenRouterInputError, match=text):
        run(RunnableLambda(str), ["a"], **options)


@pytest.mark.parametrize("rows", ["text", b"bytes", {"a": 1}, 5, None])
def test_what_is_no_rows_is_refused(run: Any, rows: Any) -> None:
    with pytest.raises(OpenRouterInputError, match="rows: "):
        run(RunnableLambda(str), rows)


def test_attempts_of_retries_are_counted(run: Any, emulator: Emulator) -> None:
    patient = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=2)
    emulator.play(faults.status(500, retry_after=0), faults.status(503, retry_after=0))
    (row,) = run(patient, ["echo a"])
    assert row.value.text == "a"
    assert row.attempts == 3
    assert row.cost is not None
    assert row.cost > Decimal(0)


def test_a_chain_of_several_calls_has_the_sum_of_their_costs(
    run: Any, model: ChatOpenRouterO3
) -> None:
    def twice(text: str) -> str:
        return model.invoke(text).text + "".join(chunk.text for chunk in model.stream(text))

    (row,) = run(RunnableLambda(twice), ["echo a"])
    assert row.value == "aa"
    assert row.attempts == 2
    assert len(row.generation_ids) == 2
    assert row.usage is not None
    single = run(model, ["echo a"])[0]
    assert row.cost is not None
    assert single.usage is not None
    assert row.cost > single.known_cost
    assert row.usage["output_tokens"] == 2 * single.usage["output_tokens"]


def test_a_chain_that_cancels_itself_ends_the_run_with_a_word(run: Any) -> None:
    async def cancel(_: str) -> str:
        raise asyncio.CancelledError

    chain: RunnableLambda[str, str] = RunnableLambda(str, afunc=cancel)
    with pytest.raises(OpenRouterError, match="was cancelled"):
        run(chain, ["a", "b"], max_concurrency=1)


def test_a_run_that_is_given_up_leaves_nothing_behind() -> None:
    async def begin(model: ChatOpenRouterO3) -> int:
        async for row in abulk(model, (f"echo {number}" for number in range(1000))):
            assert row.ok
            break
        for _ in range(100):
            if len(asyncio.all_tasks()) == 1:
                break
            await asyncio.sleep(0.02)
        return len(asyncio.all_tasks())

    with Emulator() as own:  # what was sent may come to it late, when another test counts requests
        model = ChatOpenRouterO3(api_key=KEY, base_url=own.base_url, max_retries=0)
        assert asyncio.run(begin(model)) == 1
        for row in bulk(model, (f"echo {number}" for number in range(1000))):
            assert row.ok
            break
