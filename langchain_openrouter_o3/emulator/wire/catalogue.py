"""The models that the emulator serves, as `GET /api/v1/models` lists them.

Facts and prices are OpenRouter's of August 2026; prices are strings, in USD per token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.json_value import JsonObject

WEB_SEARCH_PRICE = "0.01"
# Variants choose a route or a price, not another model
# (https://openrouter.ai/docs/guides/routing/model-variants).
_VARIANTS = frozenset({"batch", "floor", "nitro", "online"})
# What OpenRouter measures of its endpoints, and nobody of this one.
_UNMEASURED = (
    "latency_last_30m",
    "throughput_last_30m",
    "uptime_last_1d",
    "uptime_last_30m",
    "uptime_last_5m",
)


@dataclass(frozen=True)
class Price:
    """USD per token. Without a price for cached input, cached input costs as much as any."""

    prompt: str
    completion: str
    input_cache_read: str | None = None

    def halved(self) -> Price:
        """Return the price of the `:batch` variant."""
        return Price(
            prompt=_half(self.prompt),
            completion=_half(self.completion),
            input_cache_read=None
            if self.input_cache_read is None
            else _half(self.input_cache_read),
        )

    def listing(self) -> JsonObject:
        """Return the `pricing` object."""
        listing: JsonObject = {
            "prompt": self.prompt,
            "completion": self.completion,
            "web_search": WEB_SEARCH_PRICE,
        }
        if self.input_cache_read is not None:
            listing["input_cache_read"] = self.input_cache_read
        return listing


@dataclass(frozen=True)
class Model:
    """One model: what it is called, what it takes, and what it costs."""

    slug: str
    snapshot: str  # the date that OpenAI gives it, the end of the canonical slug
    name: str
    created: int
    description: str
    price: Price
    knowledge_cutoff: str = "2024-06-30"
    inputs: tuple[str, ...] = ("image", "text", "file")
    context_length: int = 200_000
    max_completion_tokens: int = 100_000
    reasons: bool = True
    fixed_effort: str | None = None

    @property
    def canonical_slug(self) -> str:
        """Return the dated slug, a synonym of the plain one."""
        return f"{self.slug}-{self.snapshot}"

    def listing(self) -> JsonObject:
        """Return the model's entry in the list of models."""
        listing: JsonObject = {
            "id": self.slug,
            "canonical_slug": self.canonical_slug,
            "hugging_face_id": "",
            "name": self.name,
            "created": self.created,
            "description": self.description,
            "context_length": self.context_length,
            "architecture": self._architecture(),
            "pricing": self.price.listing(),
            "top_provider": {
                "context_length": self.context_length,
                "max_completion_tokens": self.max_completion_tokens,
                "is_moderated": True,
            },
            "per_request_limits": None,
            "supported_parameters": list(self._supported_parameters()),
            "default_parameters": {"temperature": None, "top_p": None, "frequency_penalty": None},
            "supported_voices": None,
            "knowledge_cutoff": self.knowledge_cutoff,
            "expiration_date": None,
            "links": {"details": f"/api/v1/models/{self.canonical_slug}/endpoints"},
        }
        if self.reasons:
            listing["reasoning"] = self._reasoning()
        return listing

    def endpoints(self) -> JsonObject:
        """Return the model's entry with its one endpoint, whose speed nobody has measured."""
        endpoint: JsonObject = {
            "name": f"OpenAI | {self.canonical_slug}",
            "model_id": self.slug,
            "model_name": self.name,
            "context_length": self.context_length,
            "pricing": self.price.listing(),
            "provider_name": "OpenAI",
            "tag": "openai",
            "quantization": None,
            "max_completion_tokens": self.max_completion_tokens,
            "max_prompt_tokens": None,
            "supported_parameters": list(self._supported_parameters()),
            "status": 0,
            "supports_implicit_caching": self.price.input_cache_read is not None,
            "supports_tool_choice": {
                "auto": True,
                "function": True,
                "none": True,
                "required": True,
            },
            "supports_diarization": False,
            "native_tools": {},
            "service_tier": None,
            **dict.fromkeys(_UNMEASURED),
        }
        return {
            "id": self.slug,
            "name": self.name,
            "created": self.created,
            "description": self.description,
            "architecture": self._architecture(),
            "endpoints": [endpoint],
        }

    def _architecture(self) -> JsonObject:
        shape = "+".join(kind for kind in ("text", "image", "file") if kind in self.inputs)
        return {
            "modality": f"{shape}->text",
            "input_modalities": list(self.inputs),
            "output_modalities": ["text"],
            "tokenizer": "GPT",
            "instruct_type": None,
        }

    def _reasoning(self) -> JsonObject:
        if self.fixed_effort is None:
            # OpenRouter says so although OpenAI refuses to switch the reasoning off.
            return {"mandatory": False}
        return {
            "mandatory": True,
            "default_effort": self.fixed_effort,
            "supported_efforts": [self.fixed_effort],
        }

    def _supported_parameters(self) -> tuple[str, ...]:
        always = "max_tokens", "response_format", "seed", "structured_outputs"
        tools = "tool_choice", "tools"
        if not self.reasons:
            return ("max_completion_tokens", *always, "temperature", *tools, "top_p")
        effort = () if self.fixed_effort is None else ("reasoning_effort",)
        return ("include_reasoning", *always[:1], "reasoning", *effort, *always[1:], *tools)


def _half(price: str) -> str:
    return format((Decimal(price) / 2).normalize(), "f")


_O3_MINI = Model(
    slug="openai/o3-mini",
    snapshot="2025-01-31",
    name="OpenAI: o3 Mini",
    created=1738351721,
    description="A small, cheap reasoning model for science, mathematics and code.",
    price=Price("0.0000011", "0.0000044", "0.00000055"),
    knowledge_cutoff="2023-10-31",
    inputs=("text", "file"),
)
_O4_MINI = Model(
    slug="openai/o4-mini",
    snapshot="2025-04-16",
    name="OpenAI: o4 Mini",
    created=1744820942,
    description="The successor of o3-mini, which also looks at images.",
    price=Price("0.0000011", "0.0000044", "0.000000275"),
)

CATALOGUE: tuple[Model, ...] = (
    _O3_MINI,
    replace(
        _O3_MINI,
        slug="openai/o3-mini-high",
        name="OpenAI: o3 Mini High",
        created=1739372611,
        description="o3-mini with its effort fixed to high.",
        fixed_effort="high",
    ),
    Model(
        slug="openai/o3",
        snapshot="2025-04-16",
        name="OpenAI: o3",
        created=1744823457,
        description="A large reasoning model for text, code and images.",
        price=Price("0.000002", "0.000008", "0.0000005"),
    ),
    Model(
        slug="openai/o3-pro",
        snapshot="2025-06-10",
        name="OpenAI: o3 Pro",
        created=1749598352,
        description="o3 with more compute for each answer.",
        price=Price("0.00002", "0.00008"),
    ),
    _O4_MINI,
    replace(
        _O4_MINI,
        slug="openai/o4-mini-high",
        name="OpenAI: o4 Mini High",
        created=1744824212,
        description="o4-mini with its effort fixed to high.",
        fixed_effort="high",
    ),
    Model(
        slug="openai/gpt-4.1-mini",
        snapshot="2025-04-14",
        name="OpenAI: GPT-4.1 Mini",
        created=1744651381,
        description="A fast model with a long context that does not reason.",
        price=Price("0.0000004", "0.0000016", "0.0000001"),
        context_length=1_047_576,
        max_completion_tokens=32_768,
        reasons=False,
    ),
)

_BY_SLUG = {slug: model for model in CATALOGUE for slug in (model.slug, model.canonical_slug)}


# What every preset answers with when no model stands in front of it.
_PRESETS_MODEL = _O3_MINI.slug


def without_preset(slug: str) -> str:
    """Return the slug of the model that answers: presets are kept by an account, not here."""
    name, at, preset = slug.partition("@preset/")
    return (name or _PRESETS_MODEL) if at and preset else slug


def find_model(slug: str) -> Model | None:
    """Return the model that a slug, dated, with a variant or with a preset, stands for."""
    name, _, variant = without_preset(slug).partition(":")
    model = _BY_SLUG.get(name)
    if model is None or (variant and variant not in _VARIANTS):
        return None
    return replace(model, price=model.price.halved()) if variant == "batch" else model
