"""What the site promises, checked without the packages that build it (`.ci/site.py` does that)."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel

from langchain_openrouter_o3 import ChatOpenRouterO3

from . import generated
from .generated import PUBLIC, ROOT

DOCS = ROOT / "docs"
ERRORS = (DOCS / "errors.md").read_text("utf-8")
REFERENCE = (DOCS / "reference.md").read_text("utf-8")
SETTINGS = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
FILES_OF_OURS = f"{SETTINGS['extra']['social'][0]['link']}/blob/main/"
TEXTS = [*sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("*.md"))]


def exported(module: str) -> list[tuple[str, Any]]:
    names = importlib.import_module(module).__all__
    values = [(name, getattr(importlib.import_module(module), name)) for name in names]
    return [(name, value) for name, value in values if not name.startswith("__")]


def paths(nav: Any) -> list[str]:
    """The pages of the navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, dict) else nav
    return [path for entry in entries for path in paths(entry)]


def test_the_generated_parts_are_as_the_code_says() -> None:
    fresh = generated.fresh()
    stale = [page.name for page, text in fresh if not generated.is_written(page, text)]
    assert stale == [], "run `python -m tests.docs.generated`"


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_has_an_entry_in_the_reference_and_a_docstring(module: str) -> None:
    names = [name for name, _ in exported(module)]
    entries = re.findall(rf"(?m)^::: {re.escape(module)}\.(\w+)$", REFERENCE)
    assert sorted(entries) == sorted(names)
    mute = [name for name, value in exported(module) if not inspect.getdoc(value)]
    assert mute == []


def test_every_public_field_has_an_entry_with_its_meaning() -> None:
    classes = [
        value for module in PUBLIC for _, value in exported(module) if inspect.isclass(value)
    ]
    models = [value for value in classes if issubclass(value, BaseModel)]
    rows = re.findall(r"(?m)^\| `(\w+)` \| `.+` \| .+ \| .{10,} \|$", REFERENCE)
    assert ChatOpenRouterO3 in models
    assert sorted(rows) == sorted(name for model in models for name in model.model_fields)


def test_every_error_has_an_entry_with_condition_and_advice() -> None:
    rows = re.findall(r"(?m)^\| [↳ ]*`(OpenRouter\w+)` \| .+ \| .+\. \| \w+ \| (.*) \|$", ERRORS)
    assert sorted(name for name, _ in rows) == sorted(generated.ERRORS)
    assert [name for name, advice in rows if not advice] == ["OpenRouterError"]


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(paths(SETTINGS["nav"])) == sorted(page.name for page in DOCS.glob("*.md"))


def anchors(text: str) -> set[str]:
    """What a link to a page may name behind `#`: its headings, as GitHub and the site do."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_to_a_page_of_ours_names_a_heading_that_it_has() -> None:
    for page in TEXTS:
        for path, anchor in re.findall(r"\]\(([^):#]*)#([^)]+)\)", page.read_text("utf-8")):
            target = page.parent / path if path else page
            assert anchor in anchors(target.read_text("utf-8")), f"{page.name}: {path}#{anchor}"


def test_every_address_of_ours_leads_to_a_file_or_a_page() -> None:
    pages = {path.removesuffix(".md") + "/" for path in paths(SETTINGS["nav"])} | {""}
    for text in (page.read_text("utf-8") for page in TEXTS):
        for path in re.findall(rf"{re.escape(FILES_OF_OURS)}([^)#`\s\"]+)", text):
            assert (ROOT / path).exists(), path
        for path in re.findall(rf"{re.escape(SETTINGS['site_url'])}([^)#`\s\"]*)", text):
            assert path in pages or (DOCS / path).is_file(), path
