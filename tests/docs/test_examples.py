"""Every example in the README and in docs/ runs, in order, page by page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from langchain_openrouter_o3.emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
RELIABILITY = ROOT / "docs" / "reliability.md"
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


def by_name(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", [p for p in PAGES if FENCE.search(p.read_text())], ids=by_name)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
def test_examples_run(page: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "any")
    monkeypatch.setenv("OPENROUTER_API_BASE", emulator.base_url)
    namespace: dict[str, Any] = {"__name__": "example"}
    text = page.read_text()
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start(1))
        code = compile("\n" * line + match.group(1), str(page), "exec")
        exec(code, namespace)  # noqa: S102 - our own examples


def test_every_test_that_a_page_names_exists() -> None:
    named = {pair for page in PAGES for pair in TEST.findall(page.read_text())}
    missing = [
        f"{path}::{name}"
        for path, name in sorted(named)
        if f"def {name}(" not in (ROOT / path).read_text()
    ]
    assert len(named) > 50
    assert missing == []


def test_every_promise_of_the_readme_is_shown_by_a_test() -> None:
    readme = (ROOT / "README.md").read_text()
    introduction, _, rest = readme.partition("\n## ")
    bullets = re.findall(r"^- (.*(?:\n  .*)*)", introduction, re.MULTILINE)
    others = re.findall(r"^Extract an object;[^:]*:", rest, re.MULTILINE)
    promises = [" ".join(each.split()) for each in [*bullets, *others]]
    sentences = [each for promise in promises for each in re.split(r"(?<=\.) ", promise)]
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", RELIABILITY.read_text(), re.MULTILINE)
    shown = {sentence for sentence, tests in rows if TEST.search(tests)}
    assert len(sentences) > 8
    assert [sentence for sentence in sentences if sentence not in shown] == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
