"""One emulator per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.emulator_client import Chat


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def chat() -> Iterator[Chat]:
    """A client of one emulator for the tests of a module that do not mind each other."""
    with Emulator() as emulator:
        chat = Chat(emulator)
        with chat.client:
            yield chat
