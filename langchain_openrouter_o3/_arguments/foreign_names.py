"""Names of other packages, and what to write here instead.

Such a name is refused rather than taken for a similar one: it may have another unit, belong to
another server, or mean something that OpenRouter does not have. docs/moving.md shows the table to
readers.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_BASE_URL = "write base_url=…, or leave it out: OpenRouter's own is the default"
_CLIENT = (
    "write http_client=httpx.Client(…) or http_async_client=httpx.AsyncClient(…); there is no SDK "
    "in between"
)
_HEADERS = "write default_headers=…, per call extra_headers=…"
_KEY = "write api_key=… with a key of OpenRouter, or set OPENROUTER_API_KEY"
_LIMIT = "write max_tokens=…"
_QUERY = (
    "write http_client=httpx.Client(params=…), for asynchronous calls "
    "http_async_client=httpx.AsyncClient(params=…)"
)
_RESPONSES = "leave it out; it belongs to OpenAI's Responses API; here the history is sent whole"
_SCHEMA = "write response_format=…, or call with_structured_output(…)"
_SYSTEM = "send a SystemMessage"
_TOOLS = "call bind_tools(…)"
_SECONDS = "write timeout=… in seconds"
_USAGE = "leave it out; usage and cost always come, streamed or not"

FOREIGN_NAMES = {
    # The connection
    "api_base": _BASE_URL,
    "async_client": _CLIENT,
    "async_http_client": _CLIENT,
    "authorization": _KEY,
    "client": _CLIENT,
    "cookie": _HEADERS,
    "default_query": _QUERY,
    "extra_query": _QUERY,
    "headers": _HEADERS,
    "http_headers": _HEADERS,
    "http_options": _HEADERS,
    "max_retry": "write max_retries=…",
    "http_socket_options": (
        "write http_client=httpx.Client(transport=httpx.HTTPTransport(socket_options=…))"
    ),
    "num_retries": "write max_retries=…",
    "openai_api_base": _BASE_URL,
    "openai_api_key": f"{_KEY}; OpenRouter takes none of OpenAI",
    "openai_organization": "leave it out; a key of OpenRouter names its account",
    "openai_proxy": "write http_client=httpx.Client(proxy=…), or set HTTPS_PROXY",
    "organization": "leave it out; a key of OpenRouter names its account",
    "proxies": "write http_client=httpx.Client(proxy=…), or set HTTPS_PROXY",
    "proxy": "write http_client=httpx.Client(proxy=…), or set HTTPS_PROXY",
    "request_timeout": (
        f"{_SECONDS}; ChatOpenAI's is in seconds, too, ChatOpenRouter's in milliseconds"
    ),
    "retries": "write max_retries=…",
    "root_async_client": _CLIENT,
    "root_client": _CLIENT,
    "stream_chunk_timeout": "write idle_timeout=…, the seconds that may pass without data",
    "timeout_ms": _SECONDS,
    "timeout_seconds": _SECONDS,
    "user_agent": _HEADERS,
    # Who asks
    "app_name": "write app_title=…",
    "http_referer": "write app_url=…",
    "referer": "write app_url=…",
    "site_name": "write app_title=…",
    "site_url": "write app_url=…",
    "x_title": "write app_title=…",
    # What comes
    "include": "leave it out; encrypted reasoning always comes",
    "include_response_headers": (
        "leave it out; the generation id is response_metadata['id'], and a hook of your own "
        "http_client sees all headers"
    ),
    "include_usage": _USAGE,
    "stream": "write streaming=True, or call stream(…)",
    "stream_options": _USAGE,
    "stream_usage": _USAGE,
    "usage": _USAGE,
    # The model
    "allow_fallbacks": "write provider={'allow_fallbacks': …}",
    "data_collection": "write provider={'data_collection': …}",
    "disabled_params": "leave it out; what the model lacks is withheld, with a warning",
    "effort": "write reasoning_effort=…",
    "fallback_models": "write models=[…]",
    "fallbacks": "write models=[…], or call with_fallbacks(…)",
    "max_price": "write provider={'max_price': {…}}",
    "openrouter_reasoning": "write reasoning={…}",
    "provider_order": "write provider={'order': […]}",
    "provider_preferences": "write provider={…}",
    "providers": "write provider={'only': […]}",
    "reasoning_format": "write reasoning={'exclude': True} to get no thoughts",
    "reasoning_max_tokens": "write reasoning={'max_tokens': …}",
    "reasoning_summary": "write reasoning={'summary': …}",
    "require_parameters": "write provider={'require_parameters': …}",
    "thinking": "write reasoning_effort=… or reasoning={…}",
    "thinking_budget": "write reasoning={'max_tokens': …}",
    "tiktoken_model_name": (
        "leave it out; o3-mini's encoding is used, and custom_get_token_ids=… is for another"
    ),
    "zdr": "write provider={'zdr': …}",
    # The request
    "context_management": (
        "leave it out; trim_messages and SummarizationMiddleware shorten histories"
    ),
    "function_call": f"{_TOOLS} with tool_choice=…",
    "functions": _TOOLS,
    "instructions": _SYSTEM,
    "json_mode": _SCHEMA,
    "json_schema": _SCHEMA,
    "max_new_tokens": _LIMIT,
    "max_output_tokens": _LIMIT,
    "max_tokens_to_sample": _LIMIT,
    "previous_response_id": _RESPONSES,
    "response_schema": _SCHEMA,
    "store": _RESPONSES,
    "strict": "pass it to bind_tools(…) or with_structured_output(…)",
    "system": _SYSTEM,
    "system_instruction": _SYSTEM,
    "system_prompt": _SYSTEM,
    "tool_choice": f"{_TOOLS} with tool_choice=…",
    "tools": _TOOLS,
    "truncation": _RESPONSES,
    "use_previous_response_id": _RESPONSES,
    "use_responses_api": _RESPONSES,
}
"""What to do instead, by the name that somebody wrote."""

MODEL_ARGUMENTS = frozenset(
    {
        "api_key",
        "base_url",
        "cache",
        "callbacks",
        "custom_get_token_ids",
        "disable_streaming",
        "http_async_client",
        "http_client",
        "metadata",
        "name",
        "output_version",
        "profile",
        "rate_gate",
        "rate_limiter",
        "streaming",
        "tags",
        "verbose",
    }
)
"""Arguments of the constructor that a call does not take."""

# OpenRouter would take no notice of them in a body. Names that a body might have one day, such as
# "cache", are not among them: `extra_body` is for what comes.
_NO_BODY_KEYS = frozenset(
    {
        "api_base",
        "api_key",
        "app_categories",
        "app_title",
        "app_url",
        "async_client",
        "authorization",
        "base_url",
        "callbacks",
        "client",
        "cookie",
        "custom_get_token_ids",
        "default_headers",
        "default_query",
        "disable_streaming",
        "extra_body",
        "extra_headers",
        "extra_query",
        "headers",
        "http_async_client",
        "http_client",
        "http_headers",
        "http_options",
        "http_referer",
        "http_socket_options",
        "idle_timeout",
        "max_retries",
        "model_kwargs",
        "model_name",
        "num_retries",
        "openai_api_base",
        "openai_api_key",
        "openai_organization",
        "openai_proxy",
        "openrouter_api_base",
        "openrouter_api_key",
        "openrouter_provider",
        "organization",
        "output_version",
        "proxies",
        "proxy",
        "rate_limiter",
        "referer",
        "request_timeout",
        "retries",
        "root_async_client",
        "root_client",
        "stop_sequences",
        "stream_chunk_timeout",
        "streaming",
        "timeout",
        "total_timeout",
        "user_agent",
    }
)
_HEADER_PREFIX = "x_"
_LIKE_ENOUGH = 0.82  # a slip of the fingers; below that, names of other things look alike
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def unknown_argument(
    name: str,
    known: Collection[str],
    aliases: Mapping[str, str],
    keys: Mapping[str, str],
) -> OpenRouterInputError:
    """Make the error of an argument that is not known, with what to write instead.

    Args:
        name: As it came.
        known: First names that exist there.
        aliases: Other names, with the first name of each.
        keys: Keys of the body that have another name here, with that name.
    """
    own = aliases.get(name, name)
    if name in keys:
        remedy = f"write {keys[name]}=…"
    elif own in MODEL_ARGUMENTS and own not in known:
        remedy = f"it belongs to the model: write ChatOpenRouterO3({own}=…)"
    elif (foreign := FOREIGN_NAMES.get(_plain(name))) is not None:
        remedy = foreign
    else:
        return _misspelt(name, [*known, *(each for each in aliases if aliases[each] in known)])
    return OpenRouterInputError(f"{name!r} is not an argument; {remedy}.")


def check_body_keys(body: object) -> None:
    """Refuse what was meant for this package and would reach the body, traces and logs instead.

    Args:
        body: `extra_body`; what is no mapping is refused elsewhere.

    Raises:
        OpenRouterInputError: A key is an option or a header; its value is not repeated.
    """
    for key in body if is_object(body) else ():
        if is_no_body_key(key):
            remedy = FOREIGN_NAMES.get(_plain(key)) or _beside(key)
            raise OpenRouterInputError(
                f"extra_body (model_kwargs): {key!r} is no key of the body; {remedy}."
            )


def check_bodies(arguments: Mapping[str, Any], aliases: Mapping[str, str]) -> None:
    """Check `extra_body` among arguments, under any of its names; see `check_body_keys`."""
    for name, value in arguments.items():
        if aliases.get(name, name) == "extra_body":
            check_body_keys(value)


def is_no_body_key(key: object) -> bool:
    """Whether a key of `extra_body` is an option of this package or a header."""
    plain = _plain(str(key))
    return plain in _NO_BODY_KEYS or plain.startswith(_HEADER_PREFIX)


def _beside(key: str) -> str:
    is_header = _plain(key).startswith(_HEADER_PREFIX)
    return _HEADERS if is_header else f"pass {_plain(key)}=… beside extra_body"


def _misspelt(name: str, names: Iterable[str]) -> OpenRouterInputError:
    near = difflib.get_close_matches(_plain(name), names, n=1, cutoff=_LIKE_ENOUGH)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return OpenRouterInputError(
        f"{name!r} is not an argument.{hint} What OpenRouter knows and this package does not can "
        "be sent through extra_body."
    )


def _plain(name: str) -> str:
    """Write a name as Python does: `baseURL` and `Base-Url` are base_url."""
    return _HUMP.sub("_", name).replace("-", "_").lower()
