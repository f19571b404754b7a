"""The measured file, and the page that is made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.pains.cases import CASES
from tests.pains.peers.clients import CLIENTS, OURS
from tests.pains.peers.texts import TEXTS, UNMEASURED

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "pains.md"
MEASURED = Path(__file__).with_name("measured.json")

Measured = dict[str, Any]
"""By client: the date, Python's version, the packages' versions, and the cases."""

INTRODUCTION = """\
# Pains of chat clients, measured

Failure modes that users of OpenRouter chat clients have met, each played as one case against three
clients: {clients}. The cases use LangChain's public API, the clients' defaults, and their
documented options where a pain is about an option; they were run on {date} with {python}. HTTP is
real, the server is the [emulator](emulator.md): what OpenRouter and its providers send or refuse is
its rendering of their documentation, not a live service. The list holds what somebody has suffered
from, so it is no sample of all that a client does.

"hurt" means that the case saw the pain, "safe" that it did not, "n.a." that the case says nothing
about the client. Each case in `tests/pains/cases` computes the word from what it saw. The suite
plays it against `ChatOpenRouterO3` in each of its modes
(`tests/pains/test_pains.py::test_no_pain_hurts_this_client`);
`pip install -e . --group peers` and `python -m tests.pains.peers` measure all three clients again.
"""


def load() -> Measured:
    """Read what was measured last."""
    measured: Measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    return measured


def save(measured: Measured) -> None:
    """Write what was measured, and the page."""
    text = json.dumps(measured, indent=1, ensure_ascii=False, sort_keys=True)
    MEASURED.write_text(f"{text}\n", encoding="utf-8")
    PAGE.write_text(render(measured), encoding="utf-8")


def render(measured: Measured) -> str:
    """Make the page."""
    titles = [CLIENTS[key].title for key in CLIENTS]
    head = ["", "Pain", "Our answer", *titles, "Case"]
    found = places()
    rows = [_row(pain, measured, found[pain]) for pain in TEXTS]
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{_introduction(measured)}\n{_totals(measured)}\n\n{table}\n"


def _introduction(measured: Measured) -> str:
    def described(key: str) -> str:
        versions = measured[key]["versions"].items()
        return (
            f"`{CLIENTS[key].title}` ({', '.join(f'{name} {number}' for name, number in versions)})"
        )

    dates = sorted({measured[key]["date"] for key in CLIENTS})
    pythons = sorted({f"Python {measured[key]['python']}" for key in CLIENTS})
    clients = [described(key) for key in CLIENTS]
    return INTRODUCTION.format(
        clients=f"{', '.join(clients[:-1])} and {clients[-1]}",
        date=" and ".join(dates),
        python=" and ".join(pythons),
    )


def _totals(measured: Measured) -> str:
    def count(key: str, verdict: str) -> int:
        return sum(seen["verdict"] == verdict for seen in measured[key]["cases"].values())

    hurt = ", ".join(f"{CLIENTS[key].title} {count(key, 'hurt')}" for key in CLIENTS)
    silent = ", ".join(f"{CLIENTS[key].title} {count(key, 'n.a.')}" for key in CLIENTS)
    cases = len(measured[OURS.key]["cases"])
    rest = ", ".join(UNMEASURED)
    return f"Of {cases} cases, hurt: {hurt}. Not applicable: {silent}. Without a case: {rest}."


def _row(pain: str, measured: Measured, place: str) -> list[str]:
    text = TEXTS[pain]
    cells = [_cell(measured[key]["cases"].get(pain), pain) for key in CLIENTS]
    return [pain, text.pain, text.answer, *cells, f"`{place}`"]


def _cell(seen: dict[str, str] | None, pain: str) -> str:
    if seen is None:
        return UNMEASURED[pain][1]
    words = seen["seen"]
    for special in "\\|<*`":
        words = words.replace(special, f"\\{special}")
    return f"{seen['verdict']}: {words}"


def places() -> dict[str, str]:
    """Return where the case of each pain stands, or the test of one that has no case."""
    functions = {pain: f"{play.__module__}.{play.__name__}" for pain, play in CASES.items()}
    names = {pain: name.rpartition(".") for pain, name in functions.items()}
    cases = {
        pain: f"{module.replace('.', '/')}.py::{name}" for pain, (module, _, name) in names.items()
    }
    return {**cases, **{pain: test for pain, (test, _) in UNMEASURED.items()}}
