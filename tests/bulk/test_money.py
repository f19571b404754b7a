"""What many rows cost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from benchmarks import bulk as benchmark
from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAuthenticationError,
    OpenRouterConnectionError,
    OpenRouterInputError,
    OpenRouterMalformedResponseError,
)
from langchain_openrouter_o3.bulk import BudgetError, JournalError, Row, bulk, settle
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.helpers import wire
from tests.helpers.bulk import WAYS, by_prompt, model_of, paid, people, prompts
from tests.helpers.bulk_server import Plan, Server
from tests.helpers.raw_server import Peer, RawServer, response


@pytest.fixture(params=[*WAYS.values()], ids=[*WAYS])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def rough() -> Iterator[Server]:
    with Server(Plan(fault_rate=0.4, seed=5)) as server:
        yield server


def check(rows: list[Row[Any]], server: Server) -> None:
    """Known costs and the charges of rows marked unknown are the server's bill."""
    bill = server.bill()
    for row in rows:
        charged = bill.of(by_prompt(row.input))
        assert row.known_cost <= charged
        assert row.cost in (None, charged)
    unknown = [by_prompt(row.input) for row in rows if row.cost is None]
    known = [row for row in rows if row.cost is not None]
    assert paid(known) + bill.of(*unknown) == bill.of(*(by_prompt(row.input) for row in rows))


def test_the_costs_are_the_servers_bill_whatever_fails(run: Any, rough: Server) -> None:
    first = 0 if run is WAYS["bulk"] else 1000
    rows = run(people(model_of(rough)), prompts(400, first), max_concurrency=20)
    assert sorted(row.number for row in rows) == [*range(1, 401)]
    assert any(row.cost is None for row in rows)
    assert any(not row.ok for row in rows)
    check(rows, rough)


def test_the_costs_of_several_runs_add_up(rough: Server, tmp_path: Path) -> None:
    chain, texts = people(model_of(rough, max_retries=0)), prompts(200, 5000)
    for _ in range(6):
        rows = list(bulk(chain, texts, journal=tmp_path / "run.db", max_concurrency=20))
        check(rows, rough)
    assert sum(row.ok for row in rows) > 190
    assert max(row.attempts for row in rows) > 1


def test_streams_within_a_chain_are_counted_too(run: Any, emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=0)

    def stream(text: str) -> str:
        return "".join(chunk.text for chunk in model.stream(text))

    def begin(text: str) -> str:
        return next(chunk.text for chunk in model.stream(text) if chunk.text)

    (whole,) = run(RunnableLambda(stream), ["echo a b c"])
    assert whole.cost is not None
    assert whole.cost > 0
    (given_up,) = run(RunnableLambda(begin), ["echo a b c"])
    assert given_up.cost is None
    assert given_up.known_cost == 0
    assert len(given_up.generation_ids) == 1
    emulator.play(faults.reset("before-done"))
    (cut,) = run(RunnableLambda(stream), ["echo a b c"])
    emulator.play(faults.reset("mid-event", events=1))
    (lost,) = run(RunnableLambda(stream), ["echo a b c"])
    assert (cut.cost, lost.cost) == (whole.cost, None)
    assert len(lost.generation_ids) == 1


def test_nothing_is_unknown_of_a_request_that_never_left(run: Any, emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=0)
    with emulator.refusing_connections():
        (row,) = run(model, ["echo a"])
    assert isinstance(row.error, OpenRouterConnectionError)
    assert row.cost == 0
    assert row.attempts == 1


def test_answers_of_a_cache_cost_nothing(run: Any, emulator: Emulator) -> None:
    from langchain_core.caches import InMemoryCache

    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", cache=InMemoryCache())
    first, second = run(model, ["echo a", "echo a"], max_concurrency=1)
    assert first.cost > 0
    assert second.cost == 0
    assert second.attempts == 0


# --- The budget ---


def test_a_budget_is_not_exceeded_and_a_higher_one_goes_on(run: Any, tmp_path: Path) -> None:
    with Server() as server:
        model = model_of(server, max_tokens=100)
        options = {"journal": tmp_path / "run.db", "max_concurrency": 8}
        rows: list[Row[Any]] = []
        with pytest.raises(BudgetError, match=r"budget=0.01 USD: .* are spent") as caught:
            rows = run(model, prompts(500), budget=Decimal("0.01"), **options)
        bill = server.bill()
        assert "Raise budget or lower max_tokens" in str(caught.value)
        assert not caught.value.is_retryable
        assert Decimal("0.009") < bill.total <= Decimal("0.01")
        rows = run(model, prompts(500), budget=5, **options)
        assert len(rows) == 500
        assert sum(row.from_journal for row in rows) == bill.requests
        assert server.bill().requests == 500


def test_rows_that_are_done_are_given_before_the_budget_ends_a_run() -> None:
    with Server() as server:
        got: list[Row[Any]] = []
        rows = bulk(model_of(server, max_tokens=100), prompts(500), budget="0.01")
        with pytest.raises(BudgetError):
            got.extend(rows)  # what came before the error stays
        assert paid(got) == server.bill().total
        assert len(got) == server.bill().requests


def test_a_budget_below_the_first_call_sends_nothing(run: Any, emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any")
    with pytest.raises(BudgetError, match=r"the next call could cost 0\.44"):
        run(model, ["echo a"], budget="0.1")
    assert emulator.requests == []


def test_lost_answers_count_at_their_highest_price(run: Any, emulator: Emulator) -> None:
    emulator.disturb(lambda _: faults.reset("before-headers"))
    model = ChatOpenRouterO3(
        base_url=emulator.base_url, api_key="any", max_retries=0, max_tokens=1000
    )
    with pytest.raises(BudgetError):
        run(model, prompts(100), budget="0.05")
    assert 5 < len(emulator.requests) <= 11


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"model": "some/model"}, "the price of 'some/model' is not known"),
        ({"model": "openai/o3-mini:online"}, "searching the web is priced apart"),
        ({"plugins": [{"id": "web"}]}, "plugins is priced apart"),
        ({"models": ["some/model"]}, "the price of 'some/model' is not known"),
    ],
)
def test_a_price_that_cannot_be_told_ends_the_run(
    run: Any, emulator: Emulator, options: Any, text: str
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", **options)
    with pytest.raises(OpenRouterInputError, match=text):
        run(model, ["echo a"] * 50, budget=1, max_concurrency=1)
    assert emulator.requests == []


def test_a_chain_cannot_hide_that_the_budget_is_spent(run: Any, emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_tokens=1000)

    def ask(text: str) -> str:
        try:
            return str(model.invoke(text).text)
        except Exception as error:
            raise ValueError("something") from error

    def swallow(text: str) -> str:
        try:
            return ask(text)
        except ValueError:
            return "nothing"

    for function in (ask, swallow):
        with pytest.raises(BudgetError):
            run(RunnableLambda(function), ["echo a"] * 50, budget="0.01")


def test_agreed_prices_bound_a_model_that_is_not_known(run: Any) -> None:
    prices = {"max_price": {"prompt": 1, "completion": 2}}
    with Server() as server:
        model = model_of(server, model="some/model", max_tokens=100, provider=prices)
        (row,) = run(model, prompts(1), budget=1)
    assert row.ok


# --- settle ---


def test_what_lost_answers_cost_can_be_asked_for(rough: Server, tmp_path: Path) -> None:
    file = tmp_path / "run.db"
    model = model_of(rough)
    rows = list(bulk(people(model), prompts(300, 9000), journal=file, max_concurrency=20))
    settled = settle(file, model)
    assert settled.found > 0
    assert settled.unknown > 0  # a connection that was reset told no id
    again = list(bulk(people(model), prompts(300, 9000), journal=file, retry_failed=False))
    assert all(row.from_journal for row in again)
    assert paid(again) == paid(rows) + settled.cost
    check(again, rough)
    assert settle(file, model) == (0, Decimal(0), settled.unknown)


def _lost(file: Path, emulator: Emulator) -> None:
    emulator.play(faults.reset("after-headers"))
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=0)
    (row,) = bulk(model, ["echo a"], journal=file)
    assert row.cost is None


def test_a_generation_that_is_not_known_yet_stays_unknown(
    model: ChatOpenRouterO3, emulator: Emulator, tmp_path: Path
) -> None:
    _lost(tmp_path / "run.db", emulator)
    emulator.reset()  # which forgets its generations
    assert settle(tmp_path / "run.db", model) == (0, Decimal(0), 1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (response(wire.to_json(wire.error(401)), status="401 No"), OpenRouterAuthenticationError),
        (response(b"nothing", status="401 No"), OpenRouterAuthenticationError),
        (response(b'{"data":{}}'), OpenRouterMalformedResponseError),
        (response(b"nothing"), OpenRouterMalformedResponseError),
        (b"", OpenRouterConnectionError),
    ],
)
def test_what_prevents_settling_is_told(
    emulator: Emulator, tmp_path: Path, answer: bytes, error: type[Exception]
) -> None:
    _lost(tmp_path / "run.db", emulator)

    def handle(peer: Peer) -> None:
        peer.read_head()
        peer.write(answer)
        peer.close()

    with RawServer(handle) as server:
        model = ChatOpenRouterO3(base_url=server.base_url, api_key="any")
        with pytest.raises(error):
            settle(tmp_path / "run.db", model)


def test_settling_goes_through_the_callers_own_client(rough: Server, tmp_path: Path) -> None:
    import httpx

    with httpx.Client() as client, pytest.raises(JournalError, match="no such journal"):
        settle(tmp_path / "run.db", model_of(rough, http_client=client))
    file = tmp_path / "own.db"
    list(bulk(people(model_of(rough)), prompts(100, 20_000), journal=file))
    refusing: Any = {"response": [httpx.Response.raise_for_status]}
    with httpx.Client(event_hooks=refusing) as client:
        first = settle(file, model_of(rough, http_client=client))
        assert first.found > 0
        assert first.unknown > 0  # a 404 each
        assert not client.is_closed


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_keys_and_money_of_five_thousand_rows() -> None:
    missed = [figure for figure in benchmark.memory(5000) if not figure.is_met]
    assert [figure for figure in missed if not figure.name.startswith("tasks")] == []
