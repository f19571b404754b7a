"""The pytest plugin: the fixture and the marker `openrouter`.

    @pytest.mark.openrouter(script=[call("get_weather", city="Paris"), say("It is sunny.")])
    def test_agent(openrouter):
        assert my_agent().run("Weather in Paris?") == "It is sunny."
        openrouter.expect(tools={"get_weather"}, contains="Paris")

pytest imports this module in every run, so it imports the emulator when a test wants it, and
nothing else but pytest and the standard library.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

_MARKER = "openrouter"
_KEY = "sk-or-v1-emulator"
_KEYS = ("OPENROUTER_API_KEY", "OPENAI_API_KEY")
# Read by ChatOpenRouterO3 and ChatOpenRouter, by other tools, by openai, by ChatOpenAI.
_URLS = ("OPENROUTER_API_BASE", "OPENROUTER_BASE_URL", "OPENAI_BASE_URL", "OPENAI_API_BASE")
_HERE = "127.0.0.1,localhost,::1"
_EMULATOR = pytest.StashKey["Emulator"]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(script=[...], faults=[...], **settings): what the fixture {_MARKER} answers; "
        "settings are those of Emulator",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every marked test the fixture."""
    if item.get_closest_marker(_MARKER) and isinstance(item, pytest.Function):
        names = item.fixturenames
        names[:0] = [] if _MARKER in names else [_MARKER]


@pytest.fixture
def openrouter(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Generator[Emulator]:
    """An emulator of OpenRouter, and the environment that leads every client to it.

    While the test runs, no connection of this process leaves the machine.
    """
    from langchain_openrouter_o3.emulator.network_guard import guarded  # noqa: PLC0415 - not every use needs it

    emulator = _make_emulator(request.node)
    emulator.start()
    try:
        _lead_clients(monkeypatch, emulator.base_url)
        request.node.stash[_EMULATOR] = emulator
        with guarded(f"the fixture {_MARKER!r}"):
            yield emulator
    finally:
        emulator.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test whose script does not fit."""
    result = yield
    if emulator := item.stash.get(_EMULATOR, None):
        emulator.check_script()
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Show the exchange of every test that fails, its fixtures included."""
    emulator = item.stash.get(_EMULATOR, None)
    if emulator is not None and call.excinfo is not None:
        item.add_report_section(call.when, _MARKER, emulator.conversation())


def _make_emulator(item: pytest.Item) -> Emulator:
    from langchain_openrouter_o3.emulator import Emulator  # noqa: PLC0415 - see above

    marker = item.get_closest_marker(_MARKER)
    if marker is not None and marker.args:
        raise pytest.UsageError(
            f"{item.nodeid}: write @pytest.mark.{_MARKER}(script=[…]), with names"
        )
    settings = {} if marker is None else {**marker.kwargs}
    faults = settings.pop("faults", ())
    emulator = Emulator(**settings)
    emulator.play(*faults)
    return emulator


def _lead_clients(monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    for name in _KEYS:
        monkeypatch.setenv(name, _KEY)
    for name in _URLS:
        monkeypatch.setenv(name, base_url)
    for name in ("NO_PROXY", "no_proxy"):
        # A proxy of the environment would take the requests elsewhere.
        others = os.environ.get(name, "")
        monkeypatch.setenv(name, f"{_HERE},{others}" if others else _HERE)
