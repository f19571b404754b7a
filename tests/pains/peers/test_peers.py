"""No case hurts this package's client, and the page tells what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.pains.peers import page
from tests.pains.peers.cases import CASES
from tests.pains.peers.clients import CLIENTS, OURS, PEERS, Client
from tests.pains.peers.stage import Theatre
from tests.pains.peers.texts import TEXTS, UNMEASURED

if TYPE_CHECKING:
    from collections.abc import Iterator

PAINS = [f"P{number:02}" for number in range(1, 79)]


@pytest.fixture(scope="module")
def theatre() -> Iterator[Theatre]:
    with Theatre() as theatre:
        yield theatre


@pytest.mark.parametrize("pain", sorted(CASES))
def test_no_pain_hurts_this_client(theatre: Theatre, pain: str) -> None:
    observation = theatre.play(pain, OURS)
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
