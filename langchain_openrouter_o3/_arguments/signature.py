"""The constructor's signature for type checkers and editors.

A field's type is what it becomes; this is what may be passed: strings for secrets, dictionaries
for settings, and every alias. It exists only while types are checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from httpx import AsyncClient, Client, Timeout
    from langchain_core.caches import BaseCache
    from langchain_core.callbacks import Callbacks
    from langchain_core.language_models import ModelProfile
    from langchain_core.rate_limiters import BaseRateLimiter
    from pydantic import SecretStr
    from typing_extensions import TypedDict

    from langchain_openrouter_o3.settings import Effort, ProviderPreferences, Reasoning

    class Arguments(TypedDict, total=False):
        """Every argument of `ChatOpenRouterO3`, under all its names."""

        model: str
        model_name: str
        api_key: SecretStr | str | None
        openrouter_api_key: SecretStr | str | None
        base_url: str | None
        openrouter_api_base: str | None
        timeout: float | Timeout | Mapping[str, float | None] | None
        idle_timeout: float | None
        total_timeout: float | None
        max_retries: int
        rate_gate: bool
        http_client: Client | None
        http_async_client: AsyncClient | None
        reasoning: Reasoning | Mapping[str, Any] | None
        reasoning_effort: Effort | None
        include_reasoning: bool | None
        max_tokens: int | None
        max_completion_tokens: int | None
        seed: int | None
        response_format: Any
        structured_outputs: bool | None
        stop: str | list[str] | None
        stop_sequences: str | list[str] | None
        n: Literal[1] | None
        temperature: float | None
        top_p: float | None
        top_k: int | None
        top_a: float | None
        min_p: float | None
        frequency_penalty: float | None
        presence_penalty: float | None
        repetition_penalty: float | None
        logit_bias: dict[str, float] | None
        logprobs: bool | None
        top_logprobs: int | None
        parallel_tool_calls: bool | None
        verbosity: str | None
        models: list[str] | None
        provider: ProviderPreferences | Mapping[str, Any] | None
        openrouter_provider: ProviderPreferences | Mapping[str, Any] | None
        route: str | None
        plugins: list[dict[str, Any]] | None
        session_id: str | None
        trace: dict[str, Any] | None
        user: str | None
        service_tier: str | None
        app_url: str | None
        app_title: str | None
        app_categories: list[str] | None
        default_headers: dict[str, str] | None
        extra_headers: dict[str, str] | None
        extra_body: dict[str, Any] | None
        model_kwargs: dict[str, Any] | None
        streaming: bool | None
        name: str | None
        cache: BaseCache | bool | None
        verbose: bool
        callbacks: Callbacks
        tags: list[str] | None
        metadata: dict[str, Any] | None
        custom_get_token_ids: Callable[[str], list[int]] | None
        rate_limiter: BaseRateLimiter | None
        disable_streaming: bool | Literal["tool_calling"]
        output_version: str | None
        profile: ModelProfile | None
