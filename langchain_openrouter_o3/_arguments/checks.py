"""Single values: checked, and brought into one form."""

from __future__ import annotations

import difflib
import os
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

from pydantic import SecretStr

from langchain_openrouter_o3._arguments.settings import ServiceTier
from langchain_openrouter_o3._http.time_limits import check_limit, check_timeout, plain_timeout
from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.errors.warn import warn_caller

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_openrouter_o3.profiles import ModelFacts

HOUR = 3_600
MAX_HOST_LABEL = 63
"""Characters between two dots of a host name (RFC 1035, section 2.3.4)."""

MAX_CACHE_SECONDS = 86_400
MAX_METADATA_PAIRS = 16
MAX_METADATA_KEY = 64
MAX_METADATA_TEXT = 512
"""Limits of OpenRouter: a day for cached answers, and characters of `request_metadata`."""

DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
COMPLETIONS_PATH = "/chat/completions"


def key_from_environment() -> SecretStr | None:
    """Read the key from `OPENROUTER_API_KEY`; a blank one counts as absent."""
    key = os.environ.get("OPENROUTER_API_KEY", "").strip()
    return SecretStr(key) if key else None


def base_url_from_environment() -> str:
    """Read the base URL from `OPENROUTER_API_BASE`; OpenRouter's own if that is blank."""
    return os.environ.get("OPENROUTER_API_BASE", "").strip() or DEFAULT_BASE_URL


def check_api_key(key: Any) -> SecretStr | None:
    """Strip a key and refuse one that no header can carry, without repeating it.

    Raises:
        ValueError: It is no `SecretStr`, is empty, or has white space or other than printable
            ASCII inside.
    """
    if key is None:
        return None
    if not isinstance(key, SecretStr):  # the constructor has made one of a text
        raise ValueError(  # noqa: TRY004 - pydantic reports only ValueError
            f"api_key: a {type(key).__name__} was assigned; assign a pydantic.SecretStr(…), which "
            "is shown nowhere"
        )
    value = key.get_secret_value().strip()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(
            "api_key is empty or has characters that an HTTP header cannot carry (white space "
            "inside, control or non-ASCII characters); copy it again from openrouter.ai/keys"
        )
    return SecretStr(value)


@lru_cache(maxsize=64)
def check_base_url(url: str) -> str:
    """Check a base URL, and return it without the slash at its end.

    The path of chat completions, which people copy from curl examples, is left out, too: it is
    added to each request.

    Raises:
        ValueError: It has no http(s) scheme or no host, or carries credentials or a query.
    """
    parts = urlsplit(url.strip())
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url must not carry credentials; pass api_key or default_headers")
    _ = parts.port  # raises ValueError itself when it is no number below 65536
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url must be an http(s) URL such as https://openrouter.ai/api/v1")
    labels = parts.hostname.removesuffix(".").split(".")
    if not all(0 < len(label) <= MAX_HOST_LABEL for label in labels):
        raise ValueError(
            "base_url: a part of its host name is empty, or longer than "
            f"{MAX_HOST_LABEL} characters"
        )
    if parts.query or parts.fragment:
        raise ValueError("base_url must not have a query or fragment")
    return url.strip().rstrip("/").removesuffix(COMPLETIONS_PATH).rstrip("/")


def check_client(value: Any, field: str) -> Any:
    """Check that one's own client is httpx's or httpx2's, and of the right kind.

    Raises:
        ValueError: It is something else.
    """
    if value is None:
        return None
    name = "Client" if field == "http_client" else "AsyncClient"
    loaded = (sys.modules.get(each) for each in ("httpx", "httpx2"))
    libraries = [library for library in loaded if library is not None]
    if not isinstance(value, tuple(getattr(library, name) for library in libraries)):
        module = type(value).__module__
        raise ValueError(  # noqa: TRY004 - pydantic reports only ValueError
            f"{field} must be an httpx.{name} or httpx2.{name}, not {module}.{type(value).__name__}"
        )
    return value


def check_stop(value: Any) -> list[str] | None:
    """Bring stop sequences into a list.

    Raises:
        OpenRouterInputError: One is not a string, or is empty and would stop everything.
    """
    if value is None:
        return None
    sequences: list[Any] | None = [value] if isinstance(value, str) else value
    if not isinstance(sequences, (list, tuple)) or not all(
        isinstance(sequence, str) and sequence for sequence in sequences
    ):
        raise OpenRouterInputError("stop takes non-empty strings.")
    return [str(sequence) for sequence in sequences]


def check_n(value: int | None) -> int | None:
    """Refuse more than one answer: OpenRouter ignores `n` and gives one.

    Raises:
        OpenRouterInputError: It is not 1.
    """
    if value not in (None, 1):
        raise OpenRouterInputError(
            f"n={value}: OpenRouter gives one answer a request; use batch() for more."
        )
    return value


def check_retries(value: Any) -> int:
    """Check a number of repetitions.

    Raises:
        OpenRouterInputError: It is not a whole number from 0.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OpenRouterInputError(f"max_retries={value!r} is not a number of attempts from 0.")
    return value


def check_phases(value: Any) -> Any:
    """Check a time-out (see `check_timeout`), and warn of hours."""
    timeout = check_timeout(value)
    warn_of_hours("timeout", timeout)
    return timeout


def check_seconds(value: Any, name: str) -> float | None:
    """Check a time limit (see `check_limit`), and warn of hours."""
    limit = check_limit(value, name)
    warn_of_hours(name, limit)
    return limit


def warn_of_hours(name: str, value: Any) -> None:
    """Warn of a time limit above an hour, which was probably meant in milliseconds.

    Args:
        name: Of the argument.
        value: Seconds, an `httpx.Timeout` or None.
    """
    plain = plain_timeout(value)
    parts: dict[str, Any] = plain if is_object(plain) else {name: plain}
    longest = max((part for part in parts.values() if part is not None), default=0)
    if longest > HOUR:
        warn_caller(
            f"{name} is in seconds, and {longest:.10g} are {longest / HOUR:.1f} hours. If "
            f"milliseconds were meant, as in ChatOpenRouter, write {name}={longest / 1_000:.10g}; "
            "None is no limit."
        )


def warn_withheld(model: str, names: Sequence[str]) -> None:
    """Name the parameters that are not sent because the model does not have them."""
    warn_caller(
        f"{model} does not support {', '.join(names)}; not sent. (extra_body sends anything.)"
    )


def check_service_tier(value: Any) -> Any:
    """Refuse a tier that OpenRouter does not know, with the nearest that it does.

    Raises:
        ValueError: OpenRouter does not know it.
    """
    tiers = get_args(ServiceTier)
    if value is None or value in tiers:
        return value
    near = difflib.get_close_matches(str(value).lower(), tiers, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"no such service tier: {hint}OpenRouter knows {', '.join(tiers)}")


def check_preset(value: str | None) -> str | None:
    """Refuse what is more than a preset's slug.

    Raises:
        ValueError: It is empty, or has an "@", a "/" or white space in it.
    """
    if value is None or re.fullmatch(r"[^\s@/]+", value):
        return value
    raise ValueError(
        "a preset is given by its slug alone, such as 'my-preset'; the form "
        "'openai/o3-mini@preset/my-preset' is for model"
    )


def check_response_cache(value: bool | int | None) -> bool | int | None:  # noqa: FBT001 - what it is
    """Refuse seconds that OpenRouter does not keep an answer for.

    Raises:
        ValueError: They are not from 1 to 86400.
    """
    if value is None or isinstance(value, bool) or 1 <= value <= MAX_CACHE_SECONDS:
        return value
    raise ValueError(
        f"{value} is not a time to keep answers: seconds from 1 to {MAX_CACHE_SECONDS}; True is "
        "300 seconds, and False keeps none"
    )


def check_request_metadata(value: dict[str, str] | None) -> dict[str, str] | None:
    """Refuse more than OpenRouter takes.

    Raises:
        ValueError: There are more than 16 pairs, or one is too long.
    """
    pairs = value or {}
    if len(pairs) > MAX_METADATA_PAIRS:
        raise ValueError(f"{len(pairs)} pairs are more than the {MAX_METADATA_PAIRS} it may have")
    for key, text in pairs.items():
        if len(key) > MAX_METADATA_KEY or len(text) > MAX_METADATA_TEXT:
            raise ValueError(
                f"a key of {len(key)} and a value of {len(text)} characters: a key may have "
                f"{MAX_METADATA_KEY}, and its value {MAX_METADATA_TEXT}"
            )
    return value


def check_parameters(parameters: Mapping[str, Any], facts: ModelFacts | None) -> None:
    """Refuse what OpenRouter would refuse, with the remedy.

    Raises:
        OpenRouterInputError: A parameter's value cannot be accepted by the model.
    """
    limit = parameters.get("max_tokens")
    if facts is not None and limit is not None and limit < facts.min_max_tokens:
        raise OpenRouterInputError(
            f"max_tokens={limit} is below {facts.min_max_tokens}, the least that OpenRouter "
            f"accepts for {facts.name}; it counts hidden reasoning too, so leave room for it."
        )
    if "tool_choice" in parameters and not parameters.get("tools"):
        raise OpenRouterInputError("tool_choice was given without tools; bind tools or drop it.")
    functions = [tool.get("function") for tool in parameters.get("tools", ())]
    names = [str(function.get("name")) for function in functions if is_object(function)]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise OpenRouterInputError(f"tools: {doubled} are bound more than once; keep one of each.")
    check_reasoning(parameters.get("reasoning"), facts)


def check_reasoning(reasoning: Mapping[str, Any] | None, facts: ModelFacts | None) -> None:
    """Refuse an effort that the model does not have.

    Raises:
        OpenRouterInputError: It would be an error upstream, or be ignored in silence.
    """
    if not reasoning or facts is None:
        return
    effort = reasoning.get("effort")
    if effort is not None and effort not in facts.efforts:
        raise OpenRouterInputError(
            f"reasoning effort {effort!r}: {facts.name} accepts {', '.join(facts.efforts)}."
        )
    if reasoning.get("enabled") is False:
        raise OpenRouterInputError(
            f"reasoning.enabled=False: {facts.name} always reasons; use effort='low', or "
            "exclude=True to leave the thoughts out of the answer."
        )
