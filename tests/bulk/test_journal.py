"""What is done is kept, and comes back as it was."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import sqlite3
import subprocess
import sys
from collections import namedtuple
from contextlib import closing
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, Field, ValidationError
from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import Self

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAPIError,
    OpenRouterInputError,
    OpenRouterInvalidRequestError,
)
from langchain_openrouter_o3.bulk import (
    JournalCache,
    JournalError,
    RecordedError,
    Row,
    StorageError,
    bulk,
    export,
)
from langchain_openrouter_o3.bulk.values import dump, load, plain
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.helpers.bulk import WAYS, Person, people


@pytest.fixture(params=[*WAYS.values()], ids=[*WAYS])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def texts(count: int) -> list[str]:
    return [f"Ada-{number} was born in {1800 + number}" for number in range(count)]


def values_of(rows: list[Row[Any]]) -> list[Any]:
    return [row.value for row in sorted(rows, key=lambda row: row.number)]


def test_a_run_goes_on_where_it_was_left(
    run: Any, model: ChatOpenRouterO3, emulator: Emulator, file: Path
) -> None:
    first = run(people(model), texts(10), journal=file)
    second = run(people(model), texts(25), journal=file)
    assert len(emulator.requests) == 25
    assert sum(row.from_journal for row in second) == 10
    assert values_of(second)[:10] == values_of(first)
    costs = {row.number: row.cost for row in first}
    assert all(row.cost == costs[row.number] for row in second if row.from_journal)


def test_a_consumer_that_stops_loses_nothing_that_was_done(
    model: ChatOpenRouterO3, emulator: Emulator, file: Path
) -> None:
    for row in bulk(model, texts(100), journal=file, max_concurrency=5):
        if row.number >= 20:
            break
    with closing(sqlite3.connect(file)) as other:
        (before,) = other.execute("SELECT count(*) FROM rows WHERE state = 'value'").fetchone()
    sent = len(emulator.requests)
    rows = list(bulk(model, texts(100), journal=file, max_concurrency=5))
    assert len(rows) == 100
    assert before >= 20
    assert sum(row.from_journal for row in rows) == before
    assert len(emulator.requests) - sent == 100 - before


def test_failed_rows_are_tried_again_or_not(
    run: Any, model: ChatOpenRouterO3, emulator: Emulator, file: Path
) -> None:
    emulator.disturb(lambda request: faults.status(400) if b"Ada-3" in request.raw else None)
    first = run(model, texts(5), journal=file, ordered=True)
    assert [row.ok for row in first] == [True, True, True, False, True]
    emulator.reset()
    same = run(model, texts(5), journal=file, ordered=True, retry_failed=False)
    assert emulator.requests == []
    error, again = first[3].error, same[3].error
    assert isinstance(error, OpenRouterInvalidRequestError)
    assert isinstance(again, OpenRouterInvalidRequestError)
    assert str(again) == str(error)
    assert again.status_code == 400
    assert again.body == error.body
    better = run(model, texts(5), journal=file, ordered=True)
    assert all(row.ok for row in better)
    assert [row.from_journal for row in better] == [True, True, True, False, True]
    assert better[3].attempts == 2
    assert len(emulator.requests) == 1


def test_costs_of_failed_tries_are_not_forgotten(model: ChatOpenRouterO3, file: Path) -> None:
    moods = iter(["bad", "good"])

    def check(message: AIMessage) -> str:
        if next(moods) == "bad":
            raise ValueError("not today")
        return message.content if isinstance(message.content, str) else ""

    chain = model | RunnableLambda(check)
    (failed,) = bulk(chain, ["echo a"], journal=file)
    assert str(failed.error) == "not today"
    assert failed.cost is not None
    assert failed.usage is not None
    (row,) = bulk(chain, ["echo a"], journal=file)
    assert row.value == "a"
    assert row.cost is not None
    assert row.cost > failed.cost > 0
    assert row.attempts == 2
    assert row.generation_ids[:1] == failed.generation_ids
    assert row.usage is not None
    assert row.usage["output_tokens"] == 2 * failed.usage["output_tokens"]


def test_keys_may_come_in_another_order(
    run: Any, model: ChatOpenRouterO3, emulator: Emulator, file: Path
) -> None:
    rows = [{"id": number, "text": f"echo word-{number}"} for number in range(10)]
    chain = RunnableLambda(lambda row: row["text"]) | model
    run(chain, rows, key="id", journal=file)
    sent = len(emulator.requests)
    again = run(chain, [*reversed(rows)], key="id", journal=file, ordered=True)
    assert len(emulator.requests) == sent
    assert [row.value.text for row in again] == [f"word-{number}" for number in range(9, -1, -1)]
    assert [row.number for row in again] == [*range(1, 11)]


def test_an_input_that_has_changed_is_named(run: Any, file: Path) -> None:
    chain = RunnableLambda(len)
    run(chain, ["a", "b"], journal=file)
    with pytest.raises(JournalError, match=r"the input of row 2 \(key '2'\) is not what"):
        run(chain, ["a", "c"], journal=file)


def test_duplicates_are_found_among_rows_of_the_journal(run: Any, file: Path) -> None:
    chain = RunnableLambda(len)
    rows = [{"id": number} for number in range(3)]
    run(chain, rows, key="id", journal=file)
    with pytest.raises(OpenRouterInputError, match="rows 1 and 4 have the same key"):
        run(chain, iter([*rows, rows[0]]), key="id", journal=file)


class Other(BaseModel):
    name: str
    died: int


def test_another_chain_is_refused_by_the_part_that_differs(
    run: Any, emulator: Emulator, file: Path
) -> None:
    def build(words: str = "Extract.", tokens: int = 1000, schema: type = Person) -> Any:
        model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_tokens=tokens)
        prompt = ChatPromptTemplate.from_messages([("system", words), ("user", "{text}")])
        return prompt | model.with_structured_output(schema)

    rows = [{"text": "Ada was born in 1815"}]
    run(build(), rows, journal=file)
    cases = {
        "template: 'Extract.' in the journal, 'Do.' now": build(words="Do."),
        "max_tokens: 1000 in the journal, 2000 now": build(tokens=2000),
        r"output_type: Person \(\w+\) in the journal, Other \(\w+\) now": build(schema=Other),
        "steps": build() | RunnableLambda(str),
    }
    for text, chain in cases.items():
        with pytest.raises(JournalError, match=text):
            run(chain, rows, journal=file)
    assert run(build(), rows, journal=file)[0].from_journal


def test_what_changes_no_answer_changes_no_chain(run: Any, emulator: Emulator, file: Path) -> None:
    def build(**options: Any) -> Any:
        return people(ChatOpenRouterO3(base_url=emulator.base_url, **options))

    run(build(api_key="a"), texts(1), journal=file)
    later = build(api_key="b", timeout=5, max_retries=0, rate_gate=False, tags=["x"])
    assert run(later, texts(1), journal=file)[0].from_journal


def test_a_second_run_of_this_process_is_refused(model: ChatOpenRouterO3, file: Path) -> None:
    rows = bulk(model, texts(5), journal=file)
    next(rows)
    with pytest.raises(JournalError, match="another run of this process"):
        list(bulk(model, texts(5), journal=file))
    rows.close()
    assert len(list(bulk(model, texts(5), journal=file))) == 5


def test_another_process_is_refused(model: ChatOpenRouterO3, file: Path) -> None:
    script = (
        "import sys; from langchain_openrouter_o3.bulk import JournalCache, JournalError\n"
        "try: JournalCache(sys.argv[1])\n"
        "except JournalError as error: print(error)"
    )
    rows = bulk(model, texts(5), journal=file)
    next(rows)
    told = subprocess.run(
        [sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True
    )
    assert "another process works with this journal" in told.stdout
    rows.close()


def test_what_is_no_journal_is_refused(run: Any, tmp_path: Path) -> None:
    chain = RunnableLambda(len)
    text = tmp_path / "text.db"
    text.write_text("no database" * 1000)
    with pytest.raises(JournalError, match="not a database"):
        run(chain, ["a"], journal=text)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE t(a)")
    connection.close()
    with pytest.raises(JournalError, match="another program's database"):
        run(chain, ["a"], journal=foreign)
    with pytest.raises(JournalError, match="Choose a file in a folder that exists"):
        run(chain, ["a"], journal=tmp_path / "missing" / "run.db")
    with pytest.raises(JournalError, match="Choose a file"):
        run(chain, ["a"], journal=tmp_path)


def test_a_journal_of_another_format_is_refused(run: Any, file: Path) -> None:
    chain = RunnableLambda(len)
    run(chain, ["a"], journal=file)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="its format is 99"):
        run(chain, ["a"], journal=file)


def test_a_journal_that_cannot_be_written_ends_the_run(
    model: ChatOpenRouterO3, file: Path, emulator: Emulator
) -> None:
    cache = JournalCache(file)
    rows = bulk(model, (f"echo {number}" for number in range(10_000)), journal=file)
    next(rows)
    cache._database.execute("PRAGMA max_page_count = 1")
    with pytest.raises(JournalError, match="full"):
        list(rows)
    assert len(emulator.requests) < 2_000
    cache._database.execute("PRAGMA max_page_count = 100000")
    cache.close()
    cache.close()


# --- Values ---


class Colour(Enum):
    RED = "red"


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the untyped one, too


@dataclasses.dataclass(frozen=True)
class Place:
    name: str
    at: Any = None


class Inner(BaseModel):
    model_config = {"extra": "allow"}
    when: dt.date
    alias: int = Field(default=3, alias="other", exclude=True)
    colour: Colour = Colour.RED
    _secret: int = 7


class Old(BaseModelV1):
    a: int
    b: list[int] = []


def _inner() -> Inner:
    made = Inner.model_validate({"when": "2026-11-28", "other": 5, "more": [1]})
    made._secret = 8
    return made


VALUES: list[Any] = [
    None,
    "text",
    "half a pair \ud800",
    2**80,
    1.5,
    float("inf"),
    True,
    [1, [2, {"a": None}]],
    {"$": "a dollar"},
    {1: "a", (2, 3): "b"},
    (1, "a"),
    {1, 2},
    frozenset({3}),
    b"\x00\xff",
    Decimal("0.10"),
    UUID(int=5),
    dt.datetime(2026, 11, 28, 12, tzinfo=dt.timezone.utc),
    dt.date(2026, 11, 28),
    dt.time(12, 30),
    dt.timedelta(days=1, microseconds=5),
    Path("a") / "b",
    Colour.RED,
    Point(1, 2),
    Place("Rome", Place("Italy")),
    Person(name="Ada", born=1815),
    _inner(),
    Old(a=1),
    AIMessage("hi", additional_kwargs={"a": [1]}, response_metadata={"cost": 0.1}),
    {"messages": [HumanMessage("a", id="1"), AIMessage("b")], "structured_response": _inner()},
    Document("text", metadata={"page": 1}),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_what_it_was(value: Any) -> None:
    back = load(dump(value), {})
    assert back == value
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_an_object_comes_back_with_what_equality_does_not_see() -> None:
    back = load(dump(_inner()), {})
    assert back.model_fields_set == {"when", "alias", "more"}
    assert back._secret == 8
    assert back.alias == 5
    assert back.more == [1]
    assert load(dump(Old(a=1)), {}).__fields_set__ == {"a"}


class StrictError(OSError):
    """An error that cannot be made of its arguments alone."""

    why: str

    def __new__(cls, code: int, *, why: str) -> Self:
        made = super().__new__(cls, code)
        made.why = why
        return made

    def __init__(self, code: int, *, why: str) -> None:
        super().__init__(code, why, "/strict")


def _errors() -> list[Exception]:
    try:
        Person.model_validate({})
    except ValidationError as error:
        invalid = error
    return [
        OpenRouterAPIError("broken", status_code=502, body={"a": 1}, partial=AIMessage("half")),
        ValueError("no", 3),
        KeyError("x"),
        FileNotFoundError(2, "No such file", "/x"),
        OSError(18, "Cross-device link", "/x", None, "/y"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        StrictError(4, why="strict"),
        invalid,
    ]


@pytest.mark.parametrize("error", _errors(), ids=lambda error: type(error).__name__)
def test_an_error_comes_back_with_its_text(error: Exception) -> None:
    back = load(dump(error), {})
    assert str(back) == str(error)
    if isinstance(error, ValidationError):  # it cannot be made but by pydantic
        assert isinstance(back, RecordedError)
        assert back.class_name.endswith(":ValidationError")
    else:
        assert type(back) is type(error)
        assert back.args == error.args
    for name in ("filename", "filename2"):
        assert getattr(back, name, None) == getattr(error, name, None)
    assert getattr(back, "__dict__", {}).keys() >= vars(error).keys()


def test_an_error_that_holds_no_data_keeps_its_text() -> None:
    back = load(dump(ValueError("no", object)), {})
    assert isinstance(back, RecordedError)
    assert "no" in str(back)


def test_a_class_of_a_function_is_found_in_the_chain(
    run: Any, model: ChatOpenRouterO3, file: Path
) -> None:
    class Person(BaseModel):
        name: str
        born: int | None

    chain = model.with_structured_output(Person, include_raw=True)
    (first,) = run(chain, ["Ada was born in 1815"], journal=file)
    (again,) = run(chain, ["Ada was born in 1815"], journal=file)
    assert again.from_journal
    assert type(again.value["parsed"]) is Person
    assert again.value == first.value


@pytest.mark.parametrize(
    "name",
    [
        "no.such.module:Person",
        f"{__name__}:NoSuch",
        "os:system",
        f"{__name__}:Place",
        "builtins:int",
    ],
)
def test_a_class_that_is_not_there_or_holds_no_data_is_refused(name: str) -> None:
    with pytest.raises(StorageError, match="which cannot be found"):
        load(json.dumps({"$": "model", "c": name, "v": {}}).encode(), {})


def test_a_class_that_has_changed_is_refused_or_completed() -> None:
    written = json.dumps({"$": "model", "c": f"{__name__}:Inner", "v": {}}).encode()
    with pytest.raises(StorageError, match="the required fields when"):
        load(written, {})
    state = {"when": {"$": "date", "v": "2026-11-28"}}
    written = json.dumps({"$": "model", "c": f"{__name__}:Inner", "v": state}).encode()
    assert load(written, {}).colour is Colour.RED
    with pytest.raises(StorageError, match="is no dataclass"):
        load(json.dumps({"$": "data", "c": f"{__name__}:Inner", "v": {}}).encode(), {})


def test_a_value_that_is_no_data_ends_the_run_at_once(
    run: Any, model: ChatOpenRouterO3, emulator: Emulator, file: Path
) -> None:
    chain = model | RunnableLambda(lambda message: iter(message.text))
    with pytest.raises(StorageError, match="iterator cannot be written"):
        run(chain, texts(500), journal=file, max_concurrency=2)
    assert len(emulator.requests) < 20
    assert len(run(chain, texts(5))) == 5  # without a journal it may be anything


class Pair(tuple[int, int]):
    """Neither a tuple nor a named one."""

    __slots__ = ()


def test_an_input_that_is_no_data_is_not_compared(run: Any, file: Path) -> None:
    chain: Any = RunnableLambda(lambda given: type(given).__name__)
    for _ in range(2):
        rows = run(chain, [object(), Pair((1, 2))], journal=file, ordered=True)
        assert [row.value for row in rows] == ["object", "Pair"]
    assert all(row.from_journal for row in rows)


def test_a_chain_may_change_its_input(run: Any, file: Path) -> None:
    chain: Any = RunnableLambda(lambda given: given.pop("text").strip())
    for count in (2, 3):
        rows = run(chain, [{"text": f" {n} "} for n in range(count)], journal=file, ordered=True)
        assert [row.value for row in rows] == [str(n) for n in range(count)]
    assert sum(row.from_journal for row in rows) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_does_not_use_its_parents_connection(file: Path) -> None:
    cache = JournalCache(file)
    child = os.fork()
    if child == 0:
        try:
            JournalCache(file)
        except JournalError as error:
            os._exit(0 if "before a fork" in str(error) else 1)
        except BaseException:  # noqa: BLE001 - the parent's test must not go on here
            os._exit(2)
        os._exit(3)
    assert os.waitpid(child, 0)[1] == 0
    cache.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of files")
def test_a_full_disk_is_told_and_the_journal_given_back(run: Any, file: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def fill(number: int) -> int:
        if number == 60 and not file.with_suffix(".full").exists():
            file.with_suffix(".full").touch()
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        return number

    chain: Any = RunnableLambda(int, afunc=fill)
    try:
        with pytest.raises(JournalError, match="can be written"):
            run(chain, range(100), journal=file, max_concurrency=5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    rows = run(chain, range(100), journal=file)
    assert len(rows) == 100
    assert any(row.from_journal for row in rows)


# --- Export ---


def test_a_journal_is_exported_as_lines(
    model: ChatOpenRouterO3, emulator: Emulator, file: Path, tmp_path: Path
) -> None:
    emulator.disturb(lambda request: faults.status(400) if b"Ada-1 " in request.raw else None)
    rows = list(bulk(people(model), texts(3), journal=file, ordered=True))
    out = tmp_path / "people.jsonl"
    assert export(file, out) == 3
    lines = [json.loads(line, parse_float=Decimal) for line in out.read_text().splitlines()]
    assert [line["value"] for line in lines] == [
        {"name": "Ada-0", "born": 1800},
        None,
        {"name": "Ada-2", "born": 1802},
    ]
    assert lines[1]["error_class"] == "OpenRouterInvalidRequestError"
    assert [line["cost"] for line in lines] == [row.cost for row in rows]
    assert [line["key"] for line in lines] == ["1", "2", "3"]


def test_messages_are_exported_as_plain_json(
    model: ChatOpenRouterO3, file: Path, tmp_path: Path
) -> None:
    list(bulk(model, ["echo a"], journal=file))
    export(file, tmp_path / "out.jsonl")
    value = json.loads((tmp_path / "out.jsonl").read_text())["value"]
    assert value["content"] == "a"
    assert value["type"] == "ai"


def test_a_text_with_escapes_or_nul_is_exported_as_it_is(file: Path, tmp_path: Path) -> None:
    given = ["refused: \\u0000", "\0begins", "ends\0", 'quoted "\\u0000', "\u2028", "fine"]
    list(bulk(RunnableLambda(str), given, journal=file, ordered=True))
    export(file, tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().split("\n")[:-1]
    assert [json.loads(line)["value"] for line in lines] == given


def test_an_export_that_fails_leaves_the_file_that_was_there(file: Path, tmp_path: Path) -> None:
    list(bulk(RunnableLambda(str), range(3), journal=file))
    out = tmp_path / "out.jsonl"
    export(file, out)
    before = out.read_text()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE rows SET value = 'no JSON' WHERE key = '2'")
    with pytest.raises(ValueError, match=r"JSON|char"):
        export(file, out)
    assert out.read_text() == before
    assert [each.name for each in tmp_path.glob("out*")] == ["out.jsonl"]


def test_every_value_is_exported_without_its_class() -> None:
    everything = plain(dump(VALUES))
    assert json.loads(json.dumps(everything)) == everything
    by_value = dict(zip(map(repr, VALUES), everything, strict=True))
    assert by_value["Decimal('0.10')"] == "0.10"
    assert by_value[repr(_inner())] == {
        "when": "2026-11-28",
        "alias": 5,
        "colour": "red",
        "more": [1],
    }
    assert by_value["Point(x=1, y=2)"] == [1, 2]
    assert by_value[repr({1: "a", (2, 3): "b"})] == {"1": "a", "[2, 3]": "b"}
    assert by_value[repr(dt.timedelta(days=1, microseconds=5))] == 86400.000005


def test_export_names_what_is_missing(file: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no such journal"):
        export(file, tmp_path / "out.jsonl")
    with pytest.raises(OpenRouterInputError, match=r"\.jsonl or \.parquet"):
        export(file, tmp_path / "out.csv")


# --- JournalCache ---


def test_a_cache_answers_a_second_time(emulator: Emulator, file: Path) -> None:
    for _ in range(2):
        cache = JournalCache(file)
        model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", cache=cache)
        assert model.invoke("echo a").text == "a"
        assert [each.text for each in model.batch(["echo a", "echo b"])] == ["a", "b"]
        cache.close()
    assert len(emulator.requests) == 2
    cache = JournalCache(file)
    cache.clear()
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", cache=cache)
    model.invoke("echo a")
    assert len(emulator.requests) == 3
    cache.close()


async def test_a_cache_answers_on_an_event_loop(emulator: Emulator, file: Path) -> None:
    cache = JournalCache(file)
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", cache=cache)
    first = await model.ainvoke("echo a")
    again = await model.ainvoke("echo a")
    assert len(emulator.requests) == 1
    assert (first.content, first.tool_calls) == (again.content, again.tool_calls)
    await cache.aclear()
    await model.ainvoke("echo a")
    assert len(emulator.requests) == 2
    cache.close()
