"""Requests that are larger than any buffer arrive whole, whatever carries them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from langchain_core.messages import HumanMessage

from tests.helpers.connections import run_on
from tests.helpers.factories import build_once
from tests.helpers.modes import MODES
from tests.lifecycle.test_tls import encrypted

if TYPE_CHECKING:
    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.emulator import Emulator

PADDING = "0123456789 äöü " * 300_000  # about 5 MB


@pytest.fixture
def model(server: Emulator) -> ChatOpenRouterO3:
    return build_once(server, trace={"padding": PADDING})


def check(server: Emulator) -> None:
    body = server.requests[-1].body
    assert body is not None
    assert body["trace"] == {"padding": PADDING}


@pytest.mark.parametrize("mode", MODES)
def test_as_plain_text(server: Emulator, model: ChatOpenRouterO3, mode: str) -> None:
    MODES[mode](model)
    check(server)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("trusting")
def test_over_tls(server: Emulator, model: ChatOpenRouterO3, mode: str) -> None:
    with encrypted(server) as (base_url, _):
        with model.model_copy(update={"base_url": base_url}) as over_tls:
            MODES[mode](over_tls)
        check(server)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_on_any_loop(server: Emulator, model: ChatOpenRouterO3, loop: str) -> None:
    run_on(loop, model.ainvoke("Hello"))
    check(server)


def test_under_trio(server: Emulator, model: ChatOpenRouterO3) -> None:
    async def main() -> None:
        await model._agenerate([HumanMessage("Hello")])

    pytest.importorskip("trio").run(main)
    check(server)
