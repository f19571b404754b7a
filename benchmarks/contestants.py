"""Who is measured, and how each is built so that the comparison is fair."""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from benchmarks.machine import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel

    from benchmarks.answers import Answer

    Build = Callable[..., BaseChatModel]

Name = Literal["httpx", "core", "raw", "ours", "ChatOpenAI", "ChatOpenRouter"]
T = TypeVar("T")

FLOOR: tuple[Name, ...] = ("httpx", "core")
"""Bare httpx with json, and a minimal chat model; their costs are added."""

CLIENTS: dict[Name, str] = {
    "ours": "langchain_openrouter_o3",
    "ChatOpenAI": "langchain_openai",
    "ChatOpenRouter": "langchain_openrouter",
}
"""The columns of the table, and the package that each needs."""

TRUSTED: frozenset[Name] = frozenset({"httpx", "core", "raw", "ours"})
"""A wrong answer of these ends the run; a peer's is a result."""


def installed(name: Name) -> bool:
    """Say whether a contestant can take part."""
    return name not in CLIENTS or importlib.util.find_spec(CLIENTS[name]) is not None


def load(name: Name) -> Build:
    """Import a contestant and return what builds it; `base_url` and others are passed on."""
    return {
        "ours": _ours,
        "ChatOpenAI": _chat_openai,
        "ChatOpenRouter": _chat_openrouter,
        "core": _core,
    }[name]()


def _ours() -> Build:
    from langchain_openrouter_o3 import ChatOpenRouterO3

    return partial(ChatOpenRouterO3, api_key=KEY, max_retries=0)


def _chat_openai() -> Build:
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    return partial(
        ChatOpenAI,
        model="openai/o3-mini",
        api_key=SecretStr(KEY),
        max_retries=0,
        timeout=600,
        stream_usage=True,
    )


def _chat_openrouter() -> Build:
    from langchain_openrouter import ChatOpenRouter
    from pydantic import SecretStr

    # Its time-out is in milliseconds, and its retries would hide a failure for minutes.
    options: dict[str, Any] = {"model": "openai/o3-mini", "max_retries": 0, "timeout": 600_000}
    return partial(ChatOpenRouter, api_key=SecretStr(KEY), **options)


def _core() -> Build:
    from benchmarks.core_model import CoreModel

    def build(*, base_url: str, **options: Any) -> BaseChatModel:
        return CoreModel(answer=base_url.split("/")[3], **options)

    return build


class Subject:
    """What one worker measures: a contestant, and where the server is."""

    def __init__(self, name: Name, origin: str) -> None:
        """Take the name; the contestant is imported by the first `model`."""
        self.name = name
        self.origin = origin
        self._build: Build | None = None

    def base_url(self, answer: Answer) -> str:
        """Return the base URL under which the server gives this answer."""
        return f"{self.origin}/{answer.name}/v1"

    def builder(self, answer: Answer) -> Build:
        """Return what builds a model that gets this answer."""
        self._build = self._build or load(self.name)
        return partial(self._build, base_url=self.base_url(answer))

    def model(self, answer: Answer, **options: Any) -> BaseChatModel:
        """Build a model that gets this answer."""
        return self.builder(answer)(**options)


def refill(model: Any, count: int) -> None:
    """Let the minimal model make its results before the clock starts; others have nothing."""
    if hasattr(model, "refill"):
        model.refill(count)
