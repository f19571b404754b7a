"""Every example in the README and in docs/ runs, in order, page by page.

A block `text` right behind an example is what it prints; "..." in it stands for anything. Pages
that begin with `<!-- needs: package -->` are left out where the package is not installed.
"""

from __future__ import annotations

import doctest
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from langchain_openrouter_o3.emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
RELIABILITY = ROOT / "docs" / "reliability.md"
FENCE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
NEEDS = re.compile(r"\A<!-- needs: ([\w, ]+) -->")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ELSEWHERE = {"distributed.md"}  # its blocks are programs, run by tests/distributed
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
CHECKED = 0.8
"""Of all examples, those that show what comes out: as a block `text`, or by `assert`."""


def by_name(page: Path) -> str:
    return page.name


def examples(page: Path) -> list[tuple[str, str]]:
    """The examples of a page, each at its line, with what it prints."""
    text = page.read_text("utf-8")
    lines = [text.count("\n", 0, match.start(1)) for match in FENCE.finditer(text)]
    found: list[tuple[str, str]] = FENCE.findall(text)
    return [("\n" * line + code, said) for line, (code, said) in zip(lines, found, strict=True)]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in ELSEWHERE and examples(page)], ids=by_name
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
def test_examples_run(page: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    if needs := NEEDS.search(page.read_text("utf-8")):
        for name in needs.group(1).split(", "):
            pytest.importorskip(name)
    monkeypatch.setenv("OPENROUTER_API_KEY", "any")
    monkeypatch.setenv("OPENROUTER_API_BASE", emulator.base_url)
    namespace: dict[str, Any] = {"__name__": "example"}
    for code, expected in examples(page):
        printed = StringIO()
        with redirect_stdout(printed):
            program = compile(code, str(page), "exec", dont_inherit=True)
            exec(program, namespace)  # noqa: S102 - our own examples
        if expected:
            assert doctest.OutputChecker().check_output(
                expected, printed.getvalue(), doctest.ELLIPSIS
            ), f"{code.strip()}\n\nprints\n\n{printed.getvalue()}"


def test_most_examples_show_what_comes_out() -> None:
    every = [example for page in PAGES for example in examples(page)]
    checked = [code for code, said in every if said or re.search(r"(?m)^\s*assert ", code)]
    assert len(checked) >= CHECKED * len(every)


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
