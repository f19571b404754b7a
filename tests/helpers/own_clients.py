"""Models with clients of httpx2, as a caller makes them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError
from tests.conftest import KEY
from tests.helpers.modes import MODES

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def model_with_clients(
    base_url: str = "http://mock.invalid/api/v1", *, client: Any = None, **arguments: Any
) -> Iterator[ChatOpenRouterO3]:
    """Build a model with clients of httpx2, which keep no connection beyond its event loop."""
    options: dict[str, Any] = {
        "limits": httpx2.Limits(max_keepalive_connections=0),
        **(client or {}),
    }
    arguments = {"max_retries": 0, "timeout": 10, **arguments}
    with httpx2.Client(**options) as blocking:
        other: Any = httpx2.AsyncClient(**options)
        yield ChatOpenRouterO3(
            base_url=base_url,
            api_key=KEY,
            http_client=blocking,
            http_async_client=other,
            **arguments,
        )
        assert not blocking.is_closed
        assert not other.is_closed
        asyncio.run(other.aclose())


def failure(mode: str, base_url: str, **arguments: Any) -> OpenRouterError:
    with (
        model_with_clients(base_url, **arguments) as model,
        pytest.raises(OpenRouterError) as caught,
    ):
        MODES[mode](model)
    return caught.value
