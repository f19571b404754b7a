"""Fixtures of the life cycle."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.processes import Scripts


@pytest.fixture
def server() -> Iterator[Emulator]:
    """An emulator of its own, so that its connections belong to one test."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def silence(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is left to asyncio's log: no task's unseen error, no failed closing.

    What Python itself complains of (coroutines never awaited, sockets left open) are warnings,
    and those are errors in every test.
    """
    yield
    gc.collect()
    logged = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [record.getMessage() for record in logged if record.name == "asyncio"] == []


@pytest.fixture(scope="session")
def scripts() -> Iterator[Scripts]:
    """Fresh processes for scripts; where there is no fork, these tests are skipped."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    with Scripts() as scripts:
        yield scripts
