"""OpenRouter's routing: what the answer tells of it, and presets."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAPIError,
    OpenRouterError,
    OpenRouterInputError,
    OpenRouterInvalidRequestError,
    OpenRouterPermissionError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from langchain_openrouter_o3.profiles import langchain_profile, model_facts
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import STREAM
from tests.helpers.modes import MODES, every_mode

ROUTED = {
    "requested": "openai/o3-mini",
    "strategy": "direct",
    "region": None,
    "summary": "available=1, selected=OpenAI",
    "attempt": 1,
    "is_byok": False,
    "endpoints": {
        "total": 1,
        "available": [{"provider": "OpenAI", "model": "openai/o3-mini", "selected": True}],
    },
    "attempts": [{"provider": "OpenAI", "model": "openai/o3-mini", "status": 200}],
}


def built(emulator: Emulator, **arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(
        **{"base_url": emulator.base_url, "api_key": KEY, "max_retries": 0, **arguments}
    )


@every_mode
def test_an_answer_tells_how_it_was_routed_if_it_is_asked_to(emulator: Emulator, mode: str) -> None:
    message = MODES[mode](built(emulator, router_metadata=True))
    assert message.response_metadata["openrouter_metadata"] == ROUTED
    quiet = MODES[mode](built(emulator))
    assert "openrouter_metadata" not in quiet.response_metadata


@every_mode
def test_an_error_tells_how_the_request_was_routed(emulator: Emulator, mode: str) -> None:
    model = built(emulator, router_metadata=True, model="openai/no-such-model")
    with pytest.raises(OpenRouterInvalidRequestError) as caught:
        MODES[mode](model)
    assert caught.value.body["openrouter_metadata"]["requested"] == "openai/no-such-model"


@every_mode
def test_a_guardrail_that_blocks_tells_of_its_pipeline(emulator: Emulator, mode: str) -> None:
    told = {**ROUTED, "pipeline": [{"type": "guardrail", "name": "no-secrets"}]}
    refusal = {**wire.error(403, "Blocked", patterns=["key"]), "openrouter_metadata": told}
    emulator.play(Canned(status=403, pieces=wire.to_json(refusal)))
    with pytest.raises(OpenRouterPermissionError) as caught:
        MODES[mode](built(emulator))
    assert caught.value.body["openrouter_metadata"] == told


@pytest.mark.parametrize("mode", ["stream", "astream"])
def test_an_error_inside_a_stream_tells_it_too(emulator: Emulator, mode: str) -> None:
    failed = {**wire.chunk(), **wire.error(502, "Broken"), "openrouter_metadata": ROUTED}
    emulator.play(Canned(headers=STREAM, pieces=wire.sse(wire.chunk("Hel"), failed)))
    with pytest.raises(OpenRouterAPIError) as caught:
        MODES[mode](built(emulator))
    assert caught.value.body["openrouter_metadata"] == ROUTED
    assert caught.value.partial is not None
    assert caught.value.partial.response_metadata["openrouter_metadata"] == ROUTED


@pytest.mark.parametrize("mode", ["stream", "astream"])
@pytest.mark.parametrize("choices", [True, False])
def test_the_last_chunk_may_bring_it_with_or_without_a_choice(
    emulator: Emulator, mode: str, *, choices: bool
) -> None:
    *first, last = wire.ending()
    last = {**last, "openrouter_metadata": ROUTED}
    if not choices:
        last["choices"] = []
    emulator.play(Canned(headers=STREAM, pieces=wire.sse(wire.chunk("Hi"), *first, last)))
    message = MODES[mode](built(emulator))
    assert message.response_metadata["openrouter_metadata"] == ROUTED


# --- Presets ---


@pytest.mark.parametrize(
    "slug",
    [
        "openai/o3-mini@preset/mine",
        "openai/o3-mini:nitro@preset/mine",
        "openai/o3-mini-2025-01-31@preset/mine",
        "openai/o3-mini@preset/other:x",
    ],
)
def test_the_facts_of_a_slug_with_a_preset_are_the_models(slug: str) -> None:
    assert model_facts(slug) is model_facts("openai/o3-mini")
    assert langchain_profile(slug) == langchain_profile("openai/o3-mini")


@pytest.mark.parametrize("slug", ["@preset/mine", "acme/new@preset/mine", "openai/o3-mini@mine"])
def test_a_preset_alone_has_no_facts(slug: str) -> None:
    assert model_facts(slug) is None
    assert ChatOpenRouterO3(model=slug, api_key=KEY).profile is None


@every_mode
@pytest.mark.parametrize("slug", ["openai/o3-mini@preset/mine", "@preset/mine"])
def test_a_slug_with_a_preset_is_sent_as_it_is(emulator: Emulator, mode: str, slug: str) -> None:
    message = MODES[mode](built(emulator, model=slug))
    body = emulator.requests[-1].body
    assert body is not None
    assert body["model"] == slug
    assert message.response_metadata["model_name"] == "openai/o3-mini"


@every_mode
def test_a_preset_is_named_beside_the_model(emulator: Emulator, mode: str) -> None:
    MODES[mode](built(emulator, preset="mine"))
    body = emulator.requests[-1].body
    assert body is not None
    assert (body["model"], body["preset"]) == ("openai/o3-mini", "mine")


def test_what_the_model_in_front_lacks_is_withheld(emulator: Emulator) -> None:
    model = built(emulator, model="openai/o3-mini@preset/mine")
    with pytest.warns(UserWarning, match="does not support temperature"):
        model.invoke("Hello", temperature=0)
    with pytest.raises(OpenRouterInputError, match="below 16"):
        model.invoke("Hello", max_tokens=5)
    built(emulator, model="@preset/mine", temperature=0.0).invoke("Hello")
    body = emulator.requests[-1].body
    assert body is not None
    assert body["temperature"] == 0


def test_errors_name_the_slug_that_was_asked(emulator: Emulator) -> None:
    with pytest.raises(OpenRouterError, match="acme/new@preset/mine"):
        built(emulator, model="acme/new@preset/mine").invoke("Hello")
