"""Fixtures that every kind of test may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-or-v1-test-key-that-must-never-show"


@pytest.fixture(scope="session")
def _emulator_of_the_session() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator_of_the_session: Emulator) -> Emulator:
    """A running emulator that remembers nothing of other tests."""
    _emulator_of_the_session.reset()
    return _emulator_of_the_session


@pytest.fixture
def model(emulator: Emulator) -> ChatOpenRouterO3:
    """A model that talks to the emulator over a real socket."""
    return ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep a developer's own environment out of the tests, all but the live ones."""
    if request.node.get_closest_marker("live") is None:
        for name in ("OPENROUTER_API_KEY", "OPENROUTER_API_BASE", "LC_OUTPUT_VERSION"):
            monkeypatch.delenv(name, raising=False)
