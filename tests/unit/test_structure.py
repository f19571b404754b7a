"""The house is as docs/architecture.md draws it: its tables are read here."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import langchain_openrouter_o3

PACKAGE = "langchain_openrouter_o3"
ROOT = Path(langchain_openrouter_o3.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
HTTP_LIBRARIES = {"httpx", "httpcore", "h11", "anyio"}
ASYNCHRONOUS = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


@dataclass
class Module:
    """A module of the package: its path below it, and what it holds."""

    path: str
    tree: ast.Module

    @cached_property
    def name(self) -> str:
        """The dotted name."""
        parts = Path(self.path).with_suffix("").parts
        return ".".join((PACKAGE, *parts)).removesuffix(".__init__")

    @cached_property
    def room(self) -> str:
        """The module or folder of the package."""
        return Path(self.path).parts[0].removesuffix(".py")

    @cached_property
    def part(self) -> str:
        """The room of the emulator."""
        return Path(self.path).parts[1].removesuffix(".py")

    @cached_property
    def imports(self) -> set[str]:
        """All that it imports, also within functions and for type checkers only."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
        return found

    @cached_property
    def imported_modules(self) -> set[str]:
        """The modules of the package that it imports."""
        return {_module(each) for each in self.imports if each.startswith(PACKAGE)}


MODULES = [
    Module(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
    for path in sorted(ROOT.rglob("*.py"))
]
NAMES = {module.name: module for module in MODULES}
CLIENT = [module for module in MODULES if module.room != "emulator"]
EMULATOR = [module for module in MODULES if module.room == "emulator"]


def _module(imported: str) -> str:
    return imported if imported in NAMES else imported.rpartition(".")[0]


def table(heading: str) -> list[tuple[list[str], list[str]]]:
    """Return what is written as code in both columns of a table, row by row."""
    rows = PAGE.read_text(encoding="utf-8").split(f"| {heading} |")[1].split("\n\n")[0]
    cells = [line.strip("|").split("|") for line in rows.splitlines()[2:]]
    return [(re.findall(r"`(.+?)`", row[0]), re.findall(r"`(.+?)`", row[1])) for row in cells]


MAY_IMPORT = {room: set(below) for rooms, below in table("Room | May import") for room in rooms}
IN_EMULATOR = {
    room: set(below)
    for rooms, below in table("Room of the emulator | May import |")
    for room in rooms
}


def test_no_import_runs_in_a_circle() -> None:
    graph = {module.name: module.imported_modules - {PACKAGE} for module in MODULES}
    assert [*TopologicalSorter(graph).static_order()]  # raises CycleError, which names the circle


@pytest.mark.parametrize("rooms", [MAY_IMPORT, IN_EMULATOR], ids=["package", "emulator"])
def test_no_room_imports_in_a_circle(rooms: dict[str, set[str]]) -> None:
    assert [*TopologicalSorter(rooms).static_order()]


@pytest.mark.parametrize("room", sorted({module.room for module in MODULES}))
def test_a_room_imports_what_the_page_allows(room: str) -> None:
    inside = [module for module in MODULES if module.room == room]
    found = {NAMES[name].room for module in inside for name in module.imported_modules} - {room}
    if room == "__init__":
        found.discard("emulator")  # it only says how to install it
    assert found <= MAY_IMPORT[room], "docs/architecture.md says what each room may import"
    assert MAY_IMPORT[room] <= found, "docs/architecture.md allows more than is imported"


@pytest.mark.parametrize("room", sorted({module.part for module in EMULATOR}))
def test_a_room_of_the_emulator_imports_what_the_page_allows(room: str) -> None:
    inside = [module for module in EMULATOR if module.part == room]
    modules = [NAMES[name] for module in inside for name in module.imported_modules]
    assert {module.room for module in modules} <= {"emulator"}
    assert {module.part for module in modules} - {room} == IN_EMULATOR[room]


def test_every_module_of_the_client_is_on_the_page() -> None:
    lines = set(PAGE.read_text(encoding="utf-8").splitlines())
    missing = [
        line
        for module in CLIENT
        if "__" not in module.path
        for line in [
            f"| `{module.path}` | {(ast.get_docstring(module.tree) or '').split(chr(10))[0]} |"
        ]
        if line not in lines
    ]
    assert missing == []


def test_every_module_on_the_page_exists() -> None:
    paths = re.findall(r"`([\w/]+\.py)`", PAGE.read_text(encoding="utf-8"))
    known = {module.path for module in MODULES}
    assert [path for path in paths if path not in known and not (ROOT.parent / path).exists()] == []


def test_async_stands_where_the_page_says() -> None:
    found = {
        module.path
        for module in CLIENT
        if any(isinstance(node, ASYNCHRONOUS) for node in ast.walk(module.tree))
    }
    assert found == only_here("`async` stands")


def test_http_libraries_are_imported_where_the_page_says() -> None:
    found = {
        module.path
        for module in CLIENT
        if HTTP_LIBRARIES & {each.partition(".")[0] for each in module.imports}
    }
    assert found == only_here("httpx, httpcore, h11 and anyio are imported")


def test_the_transport_knows_no_messages() -> None:
    knowing = {
        module.path
        for module in CLIENT
        if module.room in ("_http", "_json")
        and any(each.startswith("langchain_core") for each in module.imports)
    }
    assert knowing == {"_http/meter.py"}


def only_here(what: str) -> set[str]:
    """Return the modules in a row of the table of what stands in few places."""
    page = PAGE.read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| {what} |"))
    return {name for name in re.findall(r"`(.+?)`", row) if name.endswith(".py")}


def test_names_and_modules_are_imported_on_first_use() -> None:
    first_use = langchain_openrouter_o3.__getattr__  # an import keeps what it found
    for name in (*langchain_openrouter_o3.__all__, "errors", "chat_models"):
        if name != "__version__":
            assert first_use(name) is getattr(langchain_openrouter_o3, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        first_use("nothing")
