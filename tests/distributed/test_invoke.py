"""What a worker does with its batches, without a framework: it needs pyarrow alone."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import threading
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel, ConfigDict

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError, ray
from langchain_openrouter_o3.bulk import BudgetError, Row
from langchain_openrouter_o3.bulk.arrow import column_of, load_extra, table_of
from langchain_openrouter_o3.emulator import faults
from langchain_openrouter_o3.ray import Invoke, InvokeActor, schema_of
from tests.helpers.bulk import Person

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openrouter_o3.emulator import Emulator

pa: Any = pytest.importorskip("pyarrow", reason="the extra `ray` is not installed")
SECRET = "sk-or-v1-0123456789abcdef"


@pytest.fixture
def make_chain(model: ChatOpenRouterO3) -> Callable[[], Runnable[Any, Any]]:
    return lambda: itemgetter("text") | model.with_structured_output(Person)


def rows(count: int, first: int = 0) -> Any:
    numbers = range(first, first + count)
    texts = [f"Ada-{number} was born in {1800 + number}" for number in numbers]
    return pa.table({"id": [*numbers], "text": texts})


def test_batches_become_tables_of_one_schema(
    make_chain: Any, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.disturb(lambda request: faults.status(400) if b"Ada-2" in request.raw else None)
    invoke = Invoke(make_chain, key="id", journal=tmp_path.as_uri(), schema=Person)
    table = invoke(rows(3))
    assert table.schema == schema_of(Person)
    good, _, bad = table.to_pylist()
    assert (good["key"], good["value"]) == ("0", {"name": "Ada-0", "born": 1800})
    assert good["cost"] == good["known_cost"] > Decimal(0)
    assert good["input_tokens"] > 0 < good["output_tokens"]
    assert (good["error"], good["attempts"], good["from_journal"]) == (None, 1, False)
    assert bad["value"] is None
    assert bad["error_class"] == "OpenRouterInvalidRequestError"
    assert "400" in bad["error"]
    assert bad["input_tokens"] is None
    emulator.reset()
    other = Invoke(make_chain, key="id", journal=tmp_path)  # another run, of a later day
    again = InvokeActor(other)(rows(4))
    assert again.schema == schema_of(None)
    assert again["from_journal"].to_pylist() == [True, True, False, False]
    assert all(other(rows(4))["from_journal"].to_pylist())
    assert json.loads(again["value"][0].as_py()) == good["value"]
    assert len(emulator.requests) == 2


def test_data_frames_give_data_frames(make_chain: Any, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    invoke = Invoke(make_chain, key="id", journal=tmp_path)
    frame = rows(3).to_pandas().set_index("id", drop=False)[1:]
    assert [*invoke(frame)["key"]] == ["1", "2"]
    with pytest.raises(OpenRouterInputError, match="batch_format"):
        invoke({"id": [1]})


class Strange(BaseModel):
    """Fields for which Arrow has a type, and fields for which it has none."""

    model_config = ConfigDict(extra="forbid")
    name: str | None
    sizes: list[float]
    kind: Literal["a", "b"]
    one_or_other: int | str
    extra: dict[str, int]
    person: Person | None = None
    under: "Strange | None" = None


def test_a_schema_becomes_a_struct_and_json_text_where_arrow_has_no_type() -> None:
    column = column_of(Strange)
    person = pa.struct([("name", pa.string()), ("born", pa.int64())])
    kinds = {field.name: field.type for field in column.type}
    assert kinds["person"] == person
    assert kinds["sizes"] == pa.list_(pa.float64())
    assert {kinds[name] for name in ("kind", "name", "one_or_other", "extra", "under")} == {
        pa.string()
    }
    value = {"name": None, "sizes": [1, 2], "kind": "a", "one_or_other": 1, "extra": {"b": 2}}
    nulls = {"person": None, "under": None}
    read = pa.array([column.fit(value), column.fit(None)], type=column.type).to_pylist()
    assert read == [{**value, "one_or_other": "1", "extra": '{"b": 2}', **nulls}, None]
    dictionary = {"type": "object", "properties": {"a": {"type": ["array", "null"]}, "b": {}}}
    assert column_of(dictionary).fit({"a": [1], "b": "c"}) == {"a": "[1]", "b": '"c"'}
    listed = column_of(list[bool])
    assert (listed.type, listed.fit(None)) == (pa.list_(pa.bool_()), None)
    for odd in (5, "text"):
        wrong = Row(number=1, key="1", input=None, value=odd)
        with pytest.raises(OpenRouterInputError, match="is no list"):
            table_of([wrong], listed)
    with pytest.raises(OpenRouterInputError, match="has no JSON schema"):
        column_of(object())
    with pytest.raises(OpenRouterInputError, match="pip install"):
        load_extra("pyarrow.of_another_world")


def test_a_value_of_another_schema_is_told_and_is_in_the_journal(
    make_chain: Any, emulator: Emulator, tmp_path: Path
) -> None:
    wrong = {"type": "object", "properties": {"name": {"type": "integer"}}}
    with pytest.raises(OpenRouterInputError, match="leave schema out"):
        Invoke(make_chain, key="id", journal=tmp_path, schema=wrong)(rows(1))
    assert Invoke(make_chain, key="id", journal=tmp_path)(rows(1))["from_journal"][0].as_py()
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"make_chain": 7}, "make_chain"),
        ({"key": None}, "key"),
        ({"journal": "gs://bucket/x"}, "Mount a shared folder"),
        ({"actors": 0}, "actors"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"budget": "much"}, "budget"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(options: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"make_chain": make_model, "key": "id", "journal": "x", **options}
    with pytest.raises(OpenRouterInputError, match=words):
        Invoke(**given)


def make_model() -> Runnable[Any, Any]:
    return ChatOpenRouterO3(api_key=SECRET)


def test_a_key_does_not_travel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    monkeypatch.setenv("OPENROUTER_API_KEY", "a-key-of-a-gateway")
    secret, model = "a-key-of-a-gateway", ChatOpenRouterO3(api_key=SECRET)
    held: list[Any] = [lambda: ChatOpenRouterO3(api_key=SECRET[:] + secret), lambda: secret]
    held.append(lambda: ChatOpenRouterO3(api_key="sk-or-v1-0123456789abcdef"))
    for make in held:
        with pytest.raises(OpenRouterInputError, match="it holds a key"):
            cloudpickle.dumps(Invoke(make, key="id", journal=tmp_path))
    with pytest.raises(OpenRouterInputError, match="it holds a key"):
        cloudpickle.dumps(Invoke(make_model, key=lambda row: row[secret], journal=tmp_path))
    # A model leaves its key behind by itself; and a function of a module is sent as a name.
    for make in (lambda: itemgetter("text") | model, make_model):
        written = cloudpickle.dumps(Invoke(make, key="id", journal=tmp_path))
        assert SECRET.encode() not in written
        assert pickle.loads(written).key == "id"


def test_each_worker_has_its_share_and_a_replaced_one_has_none(
    model: ChatOpenRouterO3, tmp_path: Path
) -> None:
    chain = itemgetter("text") | model.bind(max_tokens=1000)
    invoke = Invoke(lambda: chain, key="id", journal=tmp_path, actors=2, budget="0.02")
    with pytest.raises(BudgetError, match=r"budget=0\.01 USD"):
        list(map(invoke, (rows(20, first) for first in range(0, 1000, 20))))
    replaced = Invoke(lambda: chain, key="id", journal=tmp_path, actors=2, budget="0.02")
    for number in range(2):
        (tmp_path / f"{replaced.name}-{number}.jsonl").touch()  # of the first two workers
    with pytest.raises(BudgetError, match="all shares"):
        replaced(rows(1, 999))


def test_a_chain_that_cannot_be_made_takes_no_share(tmp_path: Path) -> None:
    def fails() -> Runnable[Any, Any]:
        raise LookupError("no key in the store of secrets")

    invoke = Invoke(fails, key="id", journal=tmp_path, budget=1)
    with pytest.raises(LookupError):
        invoke(rows(1))
    assert [*tmp_path.iterdir()] == []


def test_ray_is_given_actors(make_chain: Any, tmp_path: Path) -> None:
    data = pytest.importorskip("ray.data")
    invoke = Invoke(make_chain, key="id", journal=tmp_path, actors=3)
    options = invoke.for_ray(batch_size=7)
    assert options["compute"] == data.ActorPoolStrategy(size=3)
    assert (options["num_cpus"], options["batch_size"]) == (0.1, 7)


def test_without_ray_its_extra_is_named(
    make_chain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    invoke = Invoke(make_chain, key="id", journal=str(tmp_path / "runs"))
    with pytest.raises(OpenRouterInputError, match=r"ray.data is missing.*\[ray\]"):
        invoke.for_ray()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_does_not_wait_for_the_chain_that_its_parent_makes(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()
    parent = os.getpid()

    def make_chain() -> Runnable[Any, Any]:
        if os.getpid() == parent:
            begun.set()
            go.wait()
        return RunnableLambda(itemgetter("text"))

    invoke = Invoke(make_chain, key="id", journal=tmp_path)
    first, second = rows(1), rows(1, 1)
    thread = threading.Thread(target=invoke, args=(first,))
    thread.start()
    begun.wait()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(20)
            os._exit(0 if invoke(second).num_rows == 1 else 1)
        except BaseException:  # noqa: BLE001 - the parent's test must not go on here
            os._exit(2)
    ended = os.waitpid(child, 0)[1]
    go.set()
    thread.join()
    assert ended == 0


def test_a_worker_begins_with_a_lock_of_its_own(tmp_path: Path, make_chain: Any) -> None:
    ray._begin_anew()  # as in a child
    assert Invoke(make_chain, key="id", journal=tmp_path)(rows(1)).num_rows == 1
