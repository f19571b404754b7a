"""Headers, of which any may be a credential: merged, checked, and hidden."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import TypeIs

from langchain_openrouter_o3._arguments.fields import ARGUMENTS, HEADER_FIELDS
from langchain_openrouter_o3._arguments.foreign_names import is_no_body_key
from langchain_openrouter_o3._arguments.parameters import first_name
from langchain_openrouter_o3._http.request_headers import (
    HARMLESS,
    RequestHeaders,
    build_headers,
    check_headers,
)
from langchain_openrouter_o3.errors import (
    OpenRouterAuthenticationError,
    OpenRouterError,
    OpenRouterInputError,
)

if TYPE_CHECKING:
    from langchain_openrouter_o3._arguments.fields import ModelFields

HIDDEN = "**********"
"""Stands for a hidden value."""

_SHOWN = HARMLESS.union(key for name in HEADER_FIELDS for key in ARGUMENTS[name].keys)
"""Headers that hold no credential, by their declarations."""


def is_header_argument(name: str) -> bool:
    """Whether an argument holds headers, any of which may be a credential."""
    argument = ARGUMENTS.get(first_name(name))
    return argument is not None and argument.secret


def masked_headers(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as others may see them: the names of headers without their values."""
    return {name: _shown(name, value) if value else value for name, value in kwargs.items()}


def without_headers(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are not headers."""
    return {name: value for name, value in kwargs.items() if not is_header_argument(name)}


def headers_digest(defaults: Any, kwargs: Mapping[str, Any]) -> str | None:
    """Return what keeps calls with different headers apart and tells nothing of them.

    Args:
        defaults: The model's own headers.
        kwargs: The call's arguments, among which may be more headers.

    Returns:
        A hash of all headers; None if there are none.
    """
    given = (defaults, *(value for name, value in kwargs.items() if is_header_argument(name)))
    headers: dict[str, Any] = {}
    for each in given:
        # What is not a mapping is refused when it is sent.
        pairs = each if _is_mapping(each) else {"": each}
        headers |= {str(name).lower(): value for name, value in pairs.items()} if each else {}
    if not headers:
        return None
    written = json.dumps(sorted(headers.items()), default=repr)
    return hashlib.sha256(written.encode()).hexdigest()


def request_headers(
    model: ModelFields, arguments: Mapping[str, Any], own: object | None, *, stream: bool
) -> RequestHeaders:
    """Build the headers of a request.

    Args:
        model: Whose key, app and headers are the defaults.
        arguments: The call's own, by their first names, which win.
        own: The caller's HTTP client, which may carry credentials itself.
        stream: Whether the answer is to be streamed.

    Raises:
        OpenRouterAuthenticationError: There is no key.
        OpenRouterInputError: A header cannot be sent.
    """
    try:
        return _merge_headers(model, arguments, own, stream=stream)
    except OpenRouterError as error:
        raise error.with_traceback(None)  # noqa: B904 - the same, without frames that hold secrets


def _merge_headers(
    model: ModelFields, arguments: Mapping[str, Any], own: object | None, *, stream: bool
) -> RequestHeaders:
    callers = _callers_headers(model, arguments.get("default_headers"))
    key = _key(model, callers, own)
    declared = _declared_headers(model, arguments)
    return RequestHeaders(build_headers(key, declared, callers, stream=stream), _SHOWN)


def _callers_headers(model: ModelFields, extra: Any) -> dict[str, Any]:
    if extra and not _is_mapping(extra):
        raise OpenRouterInputError(
            "extra_headers is a dictionary of headers; those of a model that was written down are "
            "not written, bind them again."
        )
    own_headers = model.default_headers or {}
    check_headers(own_headers, "default_headers")
    check_headers(extra or {}, "extra_headers")
    return {**own_headers, **(extra or {})}


def _key(model: ModelFields, callers: Mapping[str, str], own: object | None) -> str | None:
    key = model.api_key
    if key is None and own is None and not _carries_credentials(callers):
        raise OpenRouterAuthenticationError(
            "No API key: set OPENROUTER_API_KEY or pass api_key=. Keys are made at "
            "https://openrouter.ai/keys."
        )
    return None if key is None else key.get_secret_value()


def _declared_headers(model: ModelFields, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Write the arguments that are declared as headers; a call's wins, and None takes it out."""
    headers: dict[str, str] = {}
    for name in HEADER_FIELDS:
        value = arguments[name] if name in arguments else getattr(model, name)
        if value is not None:
            headers |= ARGUMENTS[name].headers(value)
    return headers


def _carries_credentials(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "authorization" for name in headers)


def _shown(name: str, value: Any) -> Any:
    if is_header_argument(name):
        return _masked(value)
    if first_name(name) == "extra_body" and _is_mapping(value):
        # What is not of a body is refused when it is sent; tracers see it before.
        return {key: HIDDEN if is_no_body_key(key) else item for key, item in value.items()}
    return value


def _masked(headers: Any) -> Any:
    return dict.fromkeys(headers, HIDDEN) if _is_mapping(headers) else HIDDEN


def _is_mapping(value: Any) -> TypeIs[Mapping[Any, Any]]:
    return isinstance(value, Mapping)
