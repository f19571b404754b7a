"""An environment without terminals' habits, and a server for the command to talk to."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.commands import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from pathlib import Path

KEY = "sk-or-v1-test-key-that-must-never-show"
SCHEMA = """\
{"title": "person", "type": "object", "properties": {
  "name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}}}"""


class _WithoutModules:
    """Finds modules as usual, all but some that are not installed."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        missing = name.partition(".")[0] in self._names
        return None if missing else PathFinder.find_spec(name, path, target)


@pytest.fixture(autouse=True)
def _terminal_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS", "LINES", "PYTHONIOENCODING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("PYTHONUTF8", "1")
    monkeypatch.setattr(sys, "stdin", Screen())  # nothing is piped in


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator that the command takes for OpenRouter, by its environment."""
    with Emulator(api_key=KEY) as emulator:
        monkeypatch.setenv("OPENROUTER_API_BASE", emulator.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
        yield emulator


@pytest.fixture
def schema_file(tmp_path: Path) -> str:
    path = tmp_path / "person.json"
    path.write_text(SCHEMA, encoding="utf-8")
    return str(path)


@pytest.fixture
def uninstall(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make modules look as if they were not installed."""

    def hide(*names: str) -> None:
        finders = [
            _WithoutModules(*names) if each is PathFinder else each for each in sys.meta_path
        ]
        monkeypatch.setattr(sys, "meta_path", finders)
        for module in list(sys.modules):
            if module.partition(".")[0] in names:
                monkeypatch.delitem(sys.modules, module)

    return hide
