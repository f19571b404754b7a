"""The gate that calls with one key, model and routing share: alone, and in front of a server."""

from __future__ import annotations

import asyncio
import gc
import heapq
import os
import random
import threading
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterRateLimitError,
    OpenRouterTotalTimeoutError,
    gate_figures,
)
from langchain_openrouter_o3._http.gate import GATES, LONGEST_HOLD, NO_GATE, Gate, Gates, Permit
from langchain_openrouter_o3.bulk import bulk
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.helpers.bulk import model_of, prompts
from tests.helpers.bulk_server import Plan, Server
from tests.helpers.modes import MODES


@pytest.fixture(params=[*MODES.values()], ids=[*MODES])
def call(request: pytest.FixtureRequest) -> Any:
    return request.param


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate("https://host/api/v1", "model", timer=clock, chance=lambda: 0.5)


def enter(gate: Gate, *, retries_left: int = 2) -> Permit:
    answer = gate.enter(retries_left=retries_left)
    assert isinstance(answer, Permit)
    return answer


def refuse(gate: Gate, count: int, retry_after: float | None = None) -> None:
    """Let so many requests that are in flight together be refused."""
    passes = [enter(gate) for _ in range(count)]
    for each in passes:
        each.leave()
        each.throttle(retry_after)


def take(gate: Gate, clock: Clock, seconds: float = 0.1) -> None:
    """Let one request be taken."""
    each = enter(gate)
    clock.now += seconds
    each.leave()
    each.accept()


def wait_for(gate: Gate, clock: Clock) -> Permit:
    while not isinstance(answer := gate.enter(retries_left=2), Permit):
        clock.now += answer
    return answer


# --- The decisions ---


def test_an_open_gate_lets_everything_go(gate: Gate, clock: Clock) -> None:
    passes = [enter(gate) for _ in range(1000)]
    figures = gate.figures()
    assert (figures.in_flight, figures.sent, figures.limit) == (1000, 1000, None)
    for each in passes:
        each.leave()
        each.accept()
    assert gate.figures().in_flight == 0
    assert gate.is_idle
    clock.now += 1
    assert (figures.base_url, figures.model) == ("https://host/api/v1", "model")


def test_a_named_time_closes_the_gate_for_everybody(gate: Gate, clock: Clock) -> None:
    refuse(gate, 1, retry_after=30)
    answer = gate.enter(retries_left=2)
    assert isinstance(answer, float)
    assert 30 <= answer < 31
    assert gate.figures().opens_in == 30
    assert not gate.is_idle
    clock.now += 29.9
    assert not isinstance(gate.enter(retries_left=2), Permit)
    clock.now += 0.2
    enter(gate)
    assert gate.figures().limit is None  # one refusal is no limit


def test_a_longer_time_wins(gate: Gate, clock: Clock) -> None:
    first, second = enter(gate), enter(gate)
    for each, seconds in ((first, 30.0), (second, 5.0)):
        each.leave()
        each.throttle(seconds)
    clock.now += 10
    assert not isinstance(gate.enter(retries_left=2), Permit)


def test_single_refusals_are_no_limit(gate: Gate, clock: Clock) -> None:
    for _ in range(50):
        refuse(gate, 1)
        take(gate, clock, 0.001)
        take(gate, clock, 0.001)
        take(gate, clock, 0.001)
        take(gate, clock, 0.001)
    assert gate.figures().limit is None
    assert gate.figures().throttled == 50


@pytest.mark.parametrize("in_a_row", [True, False])
def test_several_refusals_are_a_limit(gate: Gate, clock: Clock, *, in_a_row: bool) -> None:
    if in_a_row:
        refuse(gate, 3)
    else:
        for _ in range(9):
            refuse(gate, 1)
            take(gate, clock, 0.001)
        refuse(gate, 2)
    assert gate.figures().limit is not None


def test_one_request_tries_longer_and_longer_apart(gate: Gate, clock: Clock) -> None:
    take(gate, clock)
    refuse(gate, 200)
    holds = []
    for _ in range(12):
        holds.append(gate.figures().opens_in)
        each = wait_for(gate, clock)
        others = gate.enter(retries_left=2)
        assert not isinstance(others, Permit)  # while one tries
        clock.now += 0.1
        each.leave()
        each.throttle(None)
    assert holds == sorted(holds)
    assert holds[0] < 0.1
    assert holds[-1] == LONGEST_HOLD


def test_the_limit_starts_slowly_and_grows(gate: Gate, clock: Clock) -> None:
    for _ in range(50):
        take(gate, clock, 0.02)
    refuse(gate, 10)
    limits = []
    with gate.waiting(retries_left=2):  # somebody always does
        for _ in range(2000):
            each = wait_for(gate, clock)
            clock.now += 0.02
            each.leave()
            each.accept()
            limits.append(gate.figures().rate or 0)
    assert limits[0] < 60
    assert limits[:20] == sorted(limits[:20])
    assert limits[40] >= 40  # nine tenths of what was taken in the last second
    assert limits[-1] > 200


def test_a_gate_that_nobody_waits_at_forgets_its_limit(gate: Gate, clock: Clock) -> None:
    refuse(gate, 3)
    each = wait_for(gate, clock)
    each.leave()
    each.accept()
    assert gate.figures().limit is not None
    clock.now += 60
    enter(gate).leave()
    assert gate.figures().limit is None


def test_requests_that_were_sent_before_a_cut_do_not_cut_again(gate: Gate, clock: Clock) -> None:
    take(gate, clock)
    refuse(gate, 500)
    assert gate.figures().opens_in < 0.1
    late = gate.figures()
    assert late.throttled == 500


def test_the_last_attempt_of_a_call_is_not_risked_while_others_can_try(
    gate: Gate, clock: Clock
) -> None:
    refuse(gate, 3)
    clock.now += 1
    with gate.waiting(retries_left=1):
        assert not isinstance(gate.enter(retries_left=0), Permit)
    enter(gate, retries_left=0).leave()  # nobody else waits


def test_a_slow_server_holds_requests_back(gate: Gate, clock: Clock) -> None:
    for _ in range(30):
        take(gate, clock, 0.02)
    refuse(gate, 3)
    wait_for(gate, clock).leave()
    passes = []
    each = wait_for(gate, clock)
    each.leave()
    each.accept()
    for _ in range(100):
        answer = gate.enter(retries_left=2)
        if isinstance(answer, Permit):
            passes.append(answer)
        clock.now += 0.01
    assert len(passes) < 20


def test_a_server_that_takes_so_many_a_second_is_used_and_not_flooded(clock: Clock) -> None:
    """200 callers, a latency of 50 ms, and 200 requests in each second: in virtual time."""
    chance = random.Random(3)  # noqa: S311 - it repeats itself
    gate = Gate(timer=clock, chance=chance.random)
    limit, rows, latency = 200, 4000, 0.05
    events: list[tuple[float, int, Permit | None]] = [
        (100.0, caller, None) for caller in range(200)
    ]
    waits, queue = [ExitStack() for _ in range(200)], set[int]()
    done = refused = window = taken = asked = 0
    while done < rows:
        clock.now, caller, holding = heapq.heappop(events)
        if holding is None:
            asked += 1
            answer = gate.enter(retries_left=2)
            if isinstance(answer, Permit):
                waits[caller].close()
                heapq.heappush(events, (clock.now + latency, caller, answer))
            else:
                if caller not in queue:
                    queue.add(caller)
                    waits[caller].enter_context(gate.waiting(retries_left=2))
                    waits[caller].callback(queue.remove, caller)
                heapq.heappush(events, (clock.now + answer, caller, None))
            continue
        holding.leave()
        if int(clock.now) != window:
            window, taken = int(clock.now), 0
        taken += 1
        if taken > limit:
            refused += 1
            holding.throttle(None)
            heapq.heappush(events, (clock.now + 0.5, caller, None))
        else:
            done += 1
            holding.accept()
            heapq.heappush(events, (clock.now, caller, None))
    assert refused <= rows * 0.1
    assert clock.now - 100.0 <= 1.3 * rows / limit
    assert asked <= 10 * rows, asked


def test_rate_gate_false_does_nothing() -> None:
    NO_GATE.leave()
    NO_GATE.accept()
    NO_GATE.throttle(5)


def test_gates_are_apart_by_server_key_and_model_and_do_not_pile_up() -> None:
    gates = Gates()
    one = gates.of("a", "key", "m")
    assert gates.of("a", "key", "m") is one
    others = [gates.of("b", "key", "m"), gates.of("a", "other", "m"), gates.of("a", "key", "n")]
    assert one not in others
    busy = gates.of("a", "busy", "m")
    enter(busy)
    for number in range(3000):
        gates.of("a", f"key-{number}", "m")
    assert len(gates.figures()) <= 1025
    assert gates.of("a", "busy", "m") is busy


# --- In front of a server ---


@pytest.mark.parametrize(
    "alike",
    [{}, {"provider": {"only": ["openai"]}, "default_headers": {"x-tenant": "a", "X-Team": "b"}}],
)
def test_nobody_sends_before_a_named_time(
    call: Callable[[ChatOpenRouterO3], AIMessage], emulator: Emulator, alike: Any
) -> None:
    emulator.play(faults.status(429, retry_after=7200))
    alike = {"base_url": emulator.base_url, "api_key": "any", **alike}
    with pytest.raises(OpenRouterRateLimitError):
        call(ChatOpenRouterO3(**alike))
    headers = alike.get("default_headers", {})  # neither their order nor their case means anything
    alike["default_headers"] = {name.upper(): headers[name] for name in reversed(headers)}
    other: Any = ChatOpenRouterO3(**alike, max_tokens=100).bind(extra_headers={"x-request": "7"})
    with pytest.raises(OpenRouterRateLimitError, match="nothing was sent") as caught:
        call(other)
    assert len(emulator.requests) == 1
    assert caught.value.status_code == 429
    assert caught.value.is_retryable
    assert caught.value.retry_after is not None
    assert 7000 < caught.value.retry_after <= 7201
    (figures,) = gate_figures()
    assert figures.throttled == 1
    assert figures.opens_in > 7000


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": "other"},
        {"model": "openai/o3"},
        {"models": ["openai/o4-mini"]},
        {"provider": {"only": ["azure"]}},
        {"extra_body": {"provider": {"order": ["azure"]}}},
        {"service_tier": "flex"},
        {"default_headers": {"x-tenant": "b"}},
        {"rate_gate": False},
    ],
)
def test_others_send(
    call: Callable[[ChatOpenRouterO3], AIMessage], emulator: Emulator, options: Any
) -> None:
    emulator.play(faults.status(429, retry_after=7200))
    with pytest.raises(OpenRouterRateLimitError):
        call(ChatOpenRouterO3(base_url=emulator.base_url, api_key="any"))
    arguments = {"base_url": emulator.base_url, "api_key": "any", **options}
    assert call(ChatOpenRouterO3(**arguments)).text
    assert len(emulator.requests) == 2


def test_a_short_time_is_waited_for(
    call: Callable[[ChatOpenRouterO3], AIMessage], emulator: Emulator
) -> None:
    emulator.play(faults.status(503, retry_after=0.2), faults.status(429))
    hasty = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=0)
    with pytest.raises(Exception, match="503"):
        call(hasty)
    patient = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any")
    assert call(patient).text
    assert len(emulator.requests) == 3


def test_waiting_counts_towards_the_total_timeout(
    call: Callable[[ChatOpenRouterO3], AIMessage], emulator: Emulator
) -> None:
    emulator.play(faults.status(429, retry_after=30))
    hasty = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=0)
    with pytest.raises(OpenRouterRateLimitError):
        call(hasty)
    limited = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", total_timeout=5)
    with pytest.raises(OpenRouterTotalTimeoutError, match="total_timeout=5 s") as caught:
        call(limited)
    assert str(caught.value).count("total_timeout") == 1
    assert len(emulator.requests) == 1


async def test_calls_that_are_given_up_leave_the_gate(emulator: Emulator) -> None:
    emulator.disturb(lambda _: faults.stall(5))
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any")
    tasks = [asyncio.create_task(model.ainvoke("Hello")) for _ in range(20)]
    while gate_figures() == [] or gate_figures()[0].in_flight < 20:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert gate_figures()[0].in_flight == 0
    emulator.disturb(lambda _: faults.status(429, retry_after=30))
    with pytest.raises(OpenRouterRateLimitError):
        await model.ainvoke("Hello", max_retries=0)
    waiting = [asyncio.create_task(model.ainvoke("Hello")) for _ in range(20)]
    while gate_figures()[0].waiting < 20:  # noqa: ASYNC110 - same
        await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert gate_figures()[0].waiting == 0


async def test_a_call_within_a_stream_is_not_held_up_by_it(emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=0)
    gate = GATES.of(emulator.base_url, "Bearer any", model.model)
    refuse(gate, 3)
    stream = model.astream("echo a b c d e f")
    async with aclosing(stream) as chunks:  # type: ignore[type-var]
        await anext(chunks)
        assert (await model.ainvoke("echo inner")).text == "inner"
        assert [chunk.text for chunk in model.stream("echo x") if chunk.text] == ["x"]
    dropped = model.stream("echo a b c")
    next(dropped)
    del dropped
    gc.collect()
    assert (await model.ainvoke("echo inner")).text == "inner"
    assert gate.figures().in_flight == 0


def test_threads_and_loops_share_a_rate_gate(emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any")
    gate = GATES.of(emulator.base_url, "Bearer any", model.model)
    refuse(gate, 5)
    texts: list[str] = []

    async def ask() -> None:
        answers = await asyncio.gather(*(model.ainvoke("echo a") for _ in range(10)))
        texts.extend(answer.text for answer in answers)

    def block() -> None:
        texts.extend(model.invoke("echo a").text for _ in range(5))

    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(3)]
    threads += [threading.Thread(target=block) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["a"] * 45
    assert gate.figures().in_flight == gate.figures().waiting == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_begins_with_open_gates(emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any")
    refuse(GATES.of(emulator.base_url, "Bearer any", model.model), 1, retry_after=3600)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if model.invoke("echo a").text == "a" and gate_figures()[0].sent == 1 else 1)
        except BaseException:  # noqa: BLE001 - the parent's test must not go on here
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


def test_no_row_is_lost_in_a_storm_and_few_requests_are() -> None:
    with Server(Plan(storm_after=300, storm_seconds=3, think=0.02)) as server:
        rows = list(bulk(model_of(server), prompts(1500), max_concurrency=60))
        bill = server.bill()
    assert [row for row in rows if not row.ok] == []
    assert len(rows) == 1500
    assert bill.refused <= 60 + 20  # those in flight, and those that tried


def test_a_run_waits_as_long_as_the_server_asks_for(emulator: Emulator) -> None:
    def count(limit: int) -> Any:
        seen = iter(range(limit))
        return lambda _: faults.status(429, retry_after=1) if next(seen, None) is not None else None

    emulator.disturb(count(3))
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=1)
    rows = list(bulk(model, [f"echo {number}" for number in range(20)], max_concurrency=3))
    assert all(row.ok for row in rows)
