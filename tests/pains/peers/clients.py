"""The three clients, and how each spells what the cases ask for."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.conftest import KEY

MODEL = "openai/o3-mini"

Options = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """A chat model class and its own names for options that all three have.

    Attributes:
        key: Name on the command line and in the measured file.
        title: The class.
        module: Where the class is imported from.
        distributions: What its behaviour depends on; their versions are noted.
        effort: Options for a reasoning effort.
        unknown: Options that send keys the client does not know: of the provider
            preferences, and of the body.
    """

    key: str
    title: str
    module: str
    distributions: tuple[str, ...]
    effort: Callable[[str], Options]
    other_effort: Callable[[str], Options]
    unknown: Callable[[Options, Options], Options]

    @property
    def is_installed(self) -> bool:
        """Whether the class can be imported."""
        return importlib.util.find_spec(self.module) is not None

    def versions(self) -> dict[str, str]:
        """Return the installed versions that matter to this client."""
        return {name: importlib.metadata.version(name) for name in self.distributions}

    def build(self, base_url: str, **options: Any) -> Any:
        """Make a model with its defaults, but for the options."""
        kind = getattr(importlib.import_module(self.module), self.title)
        return kind(**{"model": MODEL, "base_url": base_url, "api_key": KEY, **options})


OURS = Client(
    key="ours",
    title="ChatOpenRouterO3",
    module="langchain_openrouter_o3",
    distributions=("langchain-openrouter-o3",),
    effort=lambda level: {"reasoning_effort": level},
    other_effort=lambda level: {"reasoning": {"effort": level}},
    unknown=lambda provider, body: {"extra_body": {"provider": provider, **body}},
)
OPENROUTER = Client(
    key="langchain_openrouter",
    title="ChatOpenRouter",
    module="langchain_openrouter",
    distributions=("langchain-openrouter", "openrouter"),
    effort=lambda level: {"reasoning": {"effort": level}},
    other_effort=lambda level: {"reasoning_effort": level},
    unknown=lambda provider, body: {"openrouter_provider": provider, "model_kwargs": body},
)
OPENAI = Client(
    key="langchain_openai",
    title="ChatOpenAI",
    module="langchain_openai",
    distributions=("langchain-openai", "openai"),
    effort=lambda level: {"reasoning_effort": level},
    other_effort=lambda level: {"extra_body": {"reasoning": {"effort": level}}},
    unknown=lambda provider, body: {"extra_body": {"provider": provider, **body}},
)
CLIENTS = {client.key: client for client in (OURS, OPENROUTER, OPENAI)}
PEERS = (OPENROUTER, OPENAI)
