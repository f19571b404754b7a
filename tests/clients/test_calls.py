"""Other clients call the emulator, as far as they are installed beside the tests.

`.ci/clients.py` runs all of them, in the versions that it names, in environments of their own.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from .calls import CLIENTS

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

PACKAGES = {
    "openai": "openai",
    "chat_openai": "langchain_openai",
    "chat_openrouter": "langchain_openrouter",
    "openrouter": "openrouter",
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_gets_an_answer_to_every_call(client: str, emulator: Emulator) -> None:
    pytest.importorskip(PACKAGES[client])
    calls = CLIENTS[client](emulator.base_url)
    assert {"chat", "streamed chat", "tools", "structured output", "errors", "async"} <= {*calls}
    for call in calls.values():
        call()


def test_every_answer_validates_against_the_models_of_openrouters_sdk(emulator: Emulator) -> None:
    """The SDK reads each answer with its pydantic models; what it does not read is looked for."""
    pytest.importorskip("openrouter")
    if int(version("openrouter").partition(".")[0]) < 1:
        pytest.skip("needs openrouter 1.3, which does not install beside langchain-openrouter")
    for call in CLIENTS["openrouter"](emulator.base_url).values():
        call()
    paths = {request.path.removeprefix("/api/v1") for request in emulator.requests}
    assert paths >= {
        "/chat/completions",
        "/credits",
        "/generation",
        "/key",
        "/models",
        "/models/openai/o3-mini/endpoints",
    }
