"""The arguments of other packages' chat models, beside those of every model of LangChain."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from langchain_core.language_models import BaseChatModel

CLASSES = {
    "ChatOpenAI": "langchain_openai",
    "ChatOpenRouter": "langchain_openrouter",
}

# langchain-openrouter 0.2.9, which the tests do not need: of its extra `peers`.
CHAT_OPENROUTER = frozenset(
    """
    api_key app_categories app_title app_url base_url client default_headers frequency_penalty
    max_completion_tokens max_retries max_tokens model model_kwargs model_name n
    openrouter_api_base openrouter_api_key openrouter_provider plugins presence_penalty reasoning
    request_timeout route seed session_id stop stop_sequences stream_usage streaming temperature
    timeout top_p trace
    """.split()  # noqa: SIM905 - thirty words on as many lines
)


def is_installed(name: str) -> bool:
    """Whether the package of a class is here."""
    return find_spec(CLASSES[name]) is not None


def installed_fields(name: str) -> set[str]:
    """Read the names and aliases of a class."""
    fields = getattr(import_module(CLASSES[name]), name).model_fields
    own = {field: info for field, info in fields.items() if field not in BaseChatModel.model_fields}
    return {*own, *(info.alias for info in own.values() if info.alias)}
