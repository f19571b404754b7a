"""Which model answers a request, and what OpenRouter tells of it if a header asks.

A preset is a table of parameters that an account keeps (https://openrouter.ai/docs/guides/features/presets).
`models` are fallbacks: when one fails, the next is tried
(https://openrouter.ai/docs/guides/routing/model-fallbacks).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3.emulator.json_value import JsonObject, list_at, text_at
from langchain_openrouter_o3.emulator.rules.parameters import MODEL_RULES
from langchain_openrouter_o3.emulator.wire.catalogue import find_model
from langchain_openrouter_o3.emulator.wire.chat_request import candidate_slugs
from langchain_openrouter_o3.emulator.wire.responses import ApiError, BadRequestError

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.json_value import Json

_LEVELS = {"enabled": True, "disabled": False}
_PRESET = "@preset/"
_SYSTEM_PROMPT = "system_prompt"
_FIRST_ERROR, _LAST_ERROR = 400, 599


@dataclass(frozen=True)
class Failure:
    """A model that was tried in vain."""

    model: str
    error: ApiError


@dataclass(frozen=True)
class Route:
    """The way of a request.

    Attributes:
        requested: The slug that was asked for first.
        body: The body that is answered: with the preset's parameters, and with one model.
        failures: The models that were tried before that one.
    """

    requested: str
    body: JsonObject
    failures: tuple[Failure, ...] = ()


class Router:
    """Finds the model that answers."""

    def __init__(
        self,
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        failing: Mapping[str, int] | None = None,
    ) -> None:
        """Keep an account's presets, by slug, and the statuses with which models fail.

        Raises:
            ValueError: A model is not in the catalogue, or a status is no error.
        """
        self._presets = presets
        self._failing = {
            _known(slug): _error(slug, status) for slug, status in (failing or {}).items()
        }

    def route(self, body: JsonObject) -> Route:
        """Apply the preset, and try the models in order.

        Raises:
            ApiError: There is no such preset, or the last of several models fails, too.
        """
        slugs = candidate_slugs(body)
        body = self._with_preset(body)
        tried = [
            {**body, "model": slug, "models": None}
            for slug in candidate_slugs(body)
            if find_model(slug)
        ]
        if not tried or (len(tried) == 1 and not self._failing):
            return Route(next(iter(slugs), ""), body)
        failures: list[Failure] = []
        for each in tried:
            error = self._outage(each) or (_refusal(each) if len(tried) > 1 else None)
            if error is None:
                return Route(slugs[0], each, tuple(failures))
            failures.append(Failure(text_at(each, "model"), error))
        raise _last(failures)

    def _with_preset(self, body: JsonObject) -> JsonObject:
        """Put the preset's parameters below those of the request."""
        model, _, in_model = text_at(body, "model").partition(_PRESET)
        name = in_model or text_at(body, "preset")
        if self._presets is None or not name:
            return body
        preset = self._presets.get(name)
        if preset is None:
            raise ApiError(404, f"Preset {name} not found")
        own: dict[str, Json] = {key: value for key, value in body.items() if key != "preset"}
        own = {key: value for key, value in own.items() if key != "model" or model}
        merged = {**preset, **own, **({"model": model} if model else {})}
        prompt = merged.pop(_SYSTEM_PROMPT, None)
        if prompt is not None:
            system: JsonObject = {"role": "system", "content": prompt}
            merged["messages"] = [system, *list_at(body, "messages")]
        return merged

    def _outage(self, body: JsonObject) -> ApiError | None:
        model = find_model(text_at(body, "model"))
        status = self._failing.get(model.slug) if model else None
        if status is None:
            return None
        return ApiError(status, "Provider returned error", {"provider_name": "OpenAI"})


def wants_routing_metadata(headers: Mapping[str, str]) -> bool:
    """Whether a request asks how it was routed.

    Raises:
        ApiError: The header has no value that OpenRouter knows.
    """
    level = headers.get("x-openrouter-metadata", "disabled")
    if level not in _LEVELS:
        raise BadRequestError("x-openrouter-metadata: Invalid input: expected enabled or disabled")
    return _LEVELS[level]


def routing(
    requested: str, model: str, status: int = 200, failures: Sequence[Failure] = ()
) -> JsonObject:
    """Return the `openrouter_metadata` of an answer, or of a refusal.

    Args:
        requested: The slug that was asked for.
        model: The slug of the model that answered; empty if none was found.
        status: Of the answer.
        failures: The models that were tried before.
    """
    endpoint: JsonObject = {"provider": "OpenAI", "model": model, "selected": True}
    found = 1 if model else 0
    attempts = [_attempt(each.model, each.error.status) for each in failures]
    attempts += [_attempt(model, status)] if model else []
    return {
        "requested": requested,
        "strategy": "direct",
        "region": None,
        "summary": f"available={found}" + (", selected=OpenAI" if model else ""),
        "attempt": len(attempts),
        "is_byok": False,
        "endpoints": {"total": found, "available": [endpoint] if model else []},
        "attempts": [*attempts],
    }


def _attempt(model: str, status: int) -> JsonObject:
    return {"provider": "OpenAI", "model": model, "status": status}


def _refusal(body: JsonObject) -> ApiError | None:
    """Return why a model cannot take a request that another one may."""
    try:
        for rule in MODEL_RULES:
            rule(body)
    except ApiError as error:
        return error
    return None


def _last(failures: Sequence[Failure]) -> ApiError:
    """Return the last error, which tells of those before it."""
    *others, last = [each.error for each in failures]
    before: list[Json] = [{"code": each.status, "message": each.message} for each in others]
    metadata: JsonObject = {**(last.metadata or {})}
    if before:
        metadata["previous_errors"] = before
    return ApiError(last.status, last.message, metadata)


def _known(slug: str) -> str:
    model = find_model(slug)
    if model is None:
        raise ValueError(f"failing: {slug!r} is not a model of the emulator")
    return model.slug


def _error(slug: str, status: int) -> int:
    if not _FIRST_ERROR <= status <= _LAST_ERROR:
        raise ValueError(f"failing: {slug!r} fails with a status from 400 to 599, not {status!r}")
    return status
