"""LangChain's integration suite against OpenRouter itself; costs a few cents."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.contract.test_standard import StandardIntegration

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not os.environ.get("OPENROUTER_API_KEY"), reason="no OPENROUTER_API_KEY"),
]


class TestOpenRouter(StandardIntegration):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "openai/o3-mini", "reasoning_effort": "low"}
