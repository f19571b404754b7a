"""Small frozen value objects for OpenRouter's own settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""Every effort that OpenRouter knows; a model's own list is checked on top of it."""

ServiceTier = Literal["auto", "default", "fast", "flex", "priority", "scale", "ultrafast"]
"""Every service tier that OpenRouter knows; "fast" is another name of "priority"."""


class _Setting(BaseModel):
    # An unknown key is an error: OpenRouter ignores it in silence, and a typo would cost money.
    # Validators are built on first use; the chat model's own contains them anyway.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object; what is None is left out, at any depth."""
        return self.model_dump(exclude_none=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show what is set."""
        return ((name, value) for name, value in super().__repr_args__() if value is not None)


class Reasoning(_Setting):
    """The `reasoning` map of a request.

    Source: https://openrouter.ai/docs/use-cases/reasoning-tokens

    Attributes:
        effort: How hard the model thinks.
        max_tokens: Budget for thinking, in tokens; excludes `effort`.
        exclude: Think, but do not return the thoughts. They are billed all the same.
        enabled: Switch reasoning on with the model's defaults.
        summary: How much of a summary to return.
    """

    effort: Effort | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    exclude: bool | None = None
    enabled: bool | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.effort is not None and self.max_tokens is not None:
            raise ValueError("reasoning takes effort or max_tokens, not both; drop one of them")
        return self


class SortConfig(_Setting):
    """How providers are sorted, in the long form.

    Attributes:
        by: What counts.
        partition: Whether each fallback model is sorted by itself ("model") or all together.
    """

    by: Literal["price", "throughput", "latency", "exacto"] | None = None
    partition: Literal["model", "none"] | None = None


class Percentiles(_Setting):
    """Cut-offs by percentile: seconds for latency, tokens per second for throughput."""

    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p99: float | None = None


class MaxPrice(_Setting):
    """The most that a request may cost: USD per million tokens, per image, per request."""

    prompt: float | str | None = None
    completion: float | str | None = None
    image: float | str | None = None
    audio: float | str | None = None
    request: float | str | None = None


class ProviderPreferences(_Setting):
    """Which providers may serve a request.

    Source: https://openrouter.ai/docs/features/provider-routing

    Attributes:
        order: Providers to try first, in this order.
        only: Providers that may serve it.
        ignore: Providers that may not.
        allow_fallbacks: Whether others may step in; OpenRouter's default is yes.
        require_parameters: Only providers that support every parameter of the request.
        data_collection: "deny" keeps to providers that do not store data.
        zdr: Only endpoints with zero data retention.
        enforce_distillable_text: Only models whose author allows distillation.
        sort: By price, throughput or latency instead of load balancing.
        max_price: See `MaxPrice`.
        quantizations: Accepted weight formats.
        preferred_min_throughput: Tokens per second, or by percentile.
        preferred_max_latency: Seconds, or by percentile.
    """

    order: list[str] | None = None
    only: list[str] | None = None
    ignore: list[str] | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None
    enforce_distillable_text: bool | None = None
    sort: Literal["price", "throughput", "latency", "exacto"] | SortConfig | None = None
    max_price: MaxPrice | None = None
    quantizations: (
        list[
            Literal[
                "int4",
                "int8",
                "fp4",
                "mxfp4",
                "nvfp4",
                "fp6",
                "fp8",
                "mxfp8",
                "fp16",
                "bf16",
                "fp32",
                "unknown",
            ]
        ]
        | None
    ) = None
    preferred_min_throughput: float | Percentiles | None = None
    preferred_max_latency: float | Percentiles | None = None
