"""The house: no import runs in a circle, and each side knows what docs/architecture.md says."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import langchain_openrouter_o3

PACKAGE = "langchain_openrouter_o3"
ROOT = Path(langchain_openrouter_o3.__file__).parent
NAMES = {
    ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in ROOT.rglob("*.py")
}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, also within functions and for type checkers only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (below & NAMES.keys()) or {node.module}
    return found


IMPORTS = {name: imports(path) for name, path in NAMES.items()}


def importers(*modules: str) -> set[str]:
    """The modules that import one of these, or anything in them."""
    return {
        name
        for name, imported in IMPORTS.items()
        if any(
            each == module or each.startswith(f"{module}.")
            for each in imported
            for module in modules
        )
    }


def test_no_import_runs_in_a_circle() -> None:
    graph = {name: found & NAMES.keys() - {PACKAGE} for name, found in IMPORTS.items()}
    order = TopologicalSorter(graph).static_order()  # raises CycleError, which names the circle
    assert len([*order]) >= len(NAMES) - 1


def test_the_mapping_knows_no_transport_and_the_transport_no_mapping() -> None:
    mapping = {name for name in NAMES if name.startswith(f"{PACKAGE}._wire")}
    transport = {name for name in NAMES if name.startswith(f"{PACKAGE}._http")}
    assert not mapping & importers("httpx", "httpcore", f"{PACKAGE}._http")
    assert transport & importers(f"{PACKAGE}._wire") == {f"{PACKAGE}._http.exchange"}
    assert not transport & importers("langchain_core")


def test_the_command_line_alone_knows_the_emulator() -> None:
    outside = {
        name
        for name in importers(f"{PACKAGE}.emulator")
        if not name.startswith((f"{PACKAGE}.emulator", f"{PACKAGE}._cli", f"{PACKAGE}.__main__"))
    }
    assert outside <= {PACKAGE}


def test_the_emulator_knows_nothing_of_the_client() -> None:
    inside = {name for name in NAMES if name.startswith(f"{PACKAGE}.emulator")}
    foreign = {each for name in inside for each in IMPORTS[name] & NAMES.keys()} - inside
    assert foreign == set()


def test_names_and_modules_are_imported_on_first_use() -> None:
    first_use = langchain_openrouter_o3.__getattr__  # an import keeps what it found
    for name in (*langchain_openrouter_o3.__all__, "errors", "settings"):
        if name != "__version__":
            assert first_use(name) is getattr(langchain_openrouter_o3, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        first_use("nothing")


def test_nothing_below_the_command_line_knows_it() -> None:
    above = {f"{PACKAGE}.__main__", f"{PACKAGE}._cli"}
    outside = {name for name in importers(f"{PACKAGE}._cli") if not name.startswith(tuple(above))}
    assert outside == set()
