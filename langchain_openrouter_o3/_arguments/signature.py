"""The constructor's signature for type checkers and editors.

A field's type is what it becomes; this is what may be passed: strings for secrets, dictionaries
for settings, and every alias. It exists only while types are checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx
    import httpx2
    from langchain_core.caches import BaseCache
    from langchain_core.callbacks import Callbacks
    from langchain_core.language_models import ModelProfile
    from langchain_core.rate_limiters import BaseRateLimiter
    from pydantic import SecretStr
    from typing_extensions import TypedDict

    from langchain_openrouter_o3._arguments.settings import (
        Effort,
        ProviderPreferences,
        Reasoning,
        ServiceTier,
    )

    # Of both libraries; where httpx2 is not installed, type checkers see Any in its place.
    Client = httpx.Client | httpx2.Client
    AsyncClient = httpx.AsyncClient | httpx2.AsyncClient
    Timeout = httpx.Timeout | httpx2.Timeout

    class Arguments(TypedDict, total=False):
        """Every argument of `ChatOpenRouterO3`, under all its names."""

        api_key: SecretStr | str | None
        """OpenRouter's key. Also `openrouter_api_key`. Environment: `OPENROUTER_API_KEY`."""

        openrouter_api_key: SecretStr | str | None
        """See `api_key`."""

        http_client: Client | None
        """Your own `httpx.Client` (proxy, TLS, transport); this package never closes it."""

        http_async_client: AsyncClient | None
        """Your own `httpx.AsyncClient`; this package never closes it."""

        default_headers: dict[str, str] | None
        """Headers of every request, verbatim; they win over this package's. Also `extra_headers`.
        """

        extra_headers: dict[str, str] | None
        """See `default_headers`."""

        model: str
        """Slug of the model; `openai/o3-mini@preset/slug` uses a preset. Also `model_name`."""

        model_name: str
        """See `model`."""

        base_url: str | None
        """Where OpenRouter is. Also `openrouter_api_base`. Environment: `OPENROUTER_API_BASE`."""

        openrouter_api_base: str | None
        """See `base_url`."""

        timeout: float | Timeout | Mapping[str, float | None] | None
        """Seconds that each phase of a request may take, an `httpx.Timeout`, or None for no limit.
        By default that of your own HTTP client, or 10 s to connect and 600 s to read.
        """

        idle_timeout: float | None
        """Longest wait for data, in seconds; keep-alive comments are no data. None: no limit."""

        total_timeout: float | None
        """Longest duration of a call with its retries, in seconds. None: no limit."""

        max_retries: int
        """Attempts beyond the first; 0 means exactly one request."""

        rate_gate: bool
        """Whether calls with the same key, model and routing wait for each other after a 429 or
        503.
        """

        reasoning: Reasoning | Mapping[str, Any] | None
        """The reasoning map: effort, max_tokens, exclude, enabled, summary."""

        reasoning_effort: Effort | None
        """Shorthand for `reasoning.effort`; o3-mini accepts low, medium and high."""

        include_reasoning: bool | None
        """Older spelling of `not reasoning.exclude`."""

        max_tokens: int | None
        """Longest answer in tokens, hidden reasoning included; OpenRouter takes 16 and more. Also
        `max_completion_tokens`.
        """

        max_completion_tokens: int | None
        """See `max_tokens`."""

        seed: int | None
        """Asks for a repeatable answer; any whole number."""

        response_format: Any
        """Class, TypedDict, dataclass, JSON schema or envelope that every answer must fit."""

        structured_outputs: bool | None
        """Tells OpenRouter to route to providers with structured output."""

        stop: str | list[str] | None
        """The text ends before the first of these; the client enforces it. Also `stop_sequences`.
        """

        stop_sequences: str | list[str] | None
        """See `stop`."""

        n: Literal[1] | None
        """Number of answers; OpenRouter gives one, so only 1 is accepted."""

        modalities: list[Literal["text", "image", "audio"]] | None
        """Forms of the answer; o-series models write text."""

        temperature: float | None
        """Randomness, from 0 (least) to 2. o-series models lack it: it is not sent to them, and one
        warning says so.
        """

        top_p: float | None
        """Share of probability that tokens are drawn from, from 0 to 1. o-series models lack it: it
        is not sent to them, and one warning says so.
        """

        top_k: int | None
        """Number of tokens that each is drawn from. o-series models lack it: it is not sent to
        them, and one warning says so.
        """

        top_a: float | None
        """Least probability of a token, from 0 to 1, by the most probable one's square. o-series
        models lack it: it is not sent to them, and one warning says so.
        """

        min_p: float | None
        """Least probability of a token, from 0 to 1, as a share of the most probable one's.
        o-series models lack it: it is not sent to them, and one warning says so.
        """

        frequency_penalty: float | None
        """Penalty on a token for each time it was used, from -2 to 2. o-series models lack it: it
        is not sent to them, and one warning says so.
        """

        presence_penalty: float | None
        """Penalty on a token that was used at all, from -2 to 2. o-series models lack it: it is not
        sent to them, and one warning says so.
        """

        repetition_penalty: float | None
        """Penalty on repetition, from 0 to 2; 1 is no penalty. o-series models lack it: it is not
        sent to them, and one warning says so.
        """

        logit_bias: dict[str, float] | None
        """Bias by token id, from -100 to 100. o-series models lack it: it is not sent to them, and
        one warning says so.
        """

        logprobs: bool | None
        """Whether the answer tells the log probabilities of its tokens. o-series models lack it: it
        is not sent to them, and one warning says so.
        """

        top_logprobs: int | None
        """Number of tokens, from 0 to 20, whose log probabilities are told. o-series models lack
        it: it is not sent to them, and one warning says so.
        """

        parallel_tool_calls: bool | None
        """Whether one answer may call several tools. o-series models lack it: it is not sent to
        them, and one warning says so.
        """

        verbosity: str | None
        """Length of the answer: "low", "medium" or "high". o-series models lack it: it is not sent
        to them, and one warning says so.
        """

        prediction: dict[str, Any] | None
        """Text that is expected to come: `{"type": "content", "content": "…"}`. o-series models
        lack it: it is not sent to them, and one warning says so.
        """

        image_config: dict[str, Any] | None
        """Settings of models that make images. o-series models lack it: it is not sent to them, and
        one warning says so.
        """

        models: list[str] | None
        """Slugs of fallback models, in order."""

        provider: ProviderPreferences | Mapping[str, Any] | None
        """Which providers may serve the request. Also `openrouter_provider`."""

        openrouter_provider: ProviderPreferences | Mapping[str, Any] | None
        """See `provider`."""

        preset: str | None
        """Slug of a preset of your account; what the request says itself wins over it."""

        route: str | None
        """OpenRouter's older switch for fallbacks."""

        service_tier: ServiceTier | None
        """Price and speed: "flex" is cheap and slow, "priority" (also "fast") and "ultrafast" are
        the reverse.
        """

        router_metadata: bool | None
        """Whether the answer tells how it was routed, in
        `response_metadata['openrouter_metadata']`.
        """

        plugins: list[dict[str, Any]] | None
        """OpenRouter's plugins, such as `{"id": "web"}`."""

        stop_server_tools_when: list[dict[str, Any]] | None
        """Conditions that end the loop of OpenRouter's own tools, such as `{"type": "max_cost",
        "max_cost_in_dollars": 0.1}`.
        """

        deferred_tools: Any
        """Tools that a model has to look for, as OpenRouter documents them."""

        response_cache: bool | int | None
        """Whether OpenRouter keeps the answer and gives it to equal requests for nothing: True (300
        seconds), seconds from 1 to 86400, or False.
        """

        response_cache_clear: bool | None
        """True asks anew, and the new answer is kept."""

        prompt_cache_key: str | None
        """Requests with one key share the provider's cache of prompts."""

        prompt_cache_options: dict[str, Any] | None
        """How prompts are cached, such as `{"mode": "explicit"}`; for newer models of OpenAI."""

        cache_control: dict[str, Any] | None
        """Where prompts are cached: `{"type": "ephemeral", "ttl": "5m"}` (or "1h")."""

        session_id: str | None
        """Groups requests, which stay with one provider and its warm cache; at most 256 characters.
        """

        request_metadata: dict[str, str] | None
        """Sent as `metadata`, which is LangChain's own name for something else: at most 16 pairs,
        keys of 64 and values of 512 characters.
        """

        trace: dict[str, Any] | None
        """Metadata for OpenRouter's broadcast destinations."""

        user: str | None
        """A stable pseudonym of the end user."""

        debug: dict[str, Any] | None
        """What a stream tells of the request that the provider got, such as
        `{"echo_upstream_body": True}`.
        """

        app_url: str | None
        """The app's URL, sent as `HTTP-Referer` if it is set. Environment: `OPENROUTER_APP_URL`."""

        app_title: str | None
        """The app's name, sent as `X-OpenRouter-Title` and `X-Title` if it is set. Environment:
        `OPENROUTER_APP_TITLE`.
        """

        app_categories: list[str] | None
        """The app's categories, sent as `X-OpenRouter-Categories` if they are set."""

        extra_body: dict[str, Any] | None
        """Keys of the body, verbatim; they win over everything. Also `model_kwargs`."""

        model_kwargs: dict[str, Any] | None
        """See `extra_body`."""

        streaming: bool | None
        """Whether `invoke` streams under the hood."""

        name: str | None
        """LangChain's: name of the model in traces."""

        cache: BaseCache | bool | None
        """LangChain's: a cache of answers, True for the global one, False for none."""

        verbose: bool
        """LangChain's: whether runs are printed."""

        callbacks: Callbacks
        """LangChain's: handlers that hear of every run."""

        tags: list[str] | None
        """LangChain's: tags of every run."""

        metadata: dict[str, Any] | None
        """LangChain's: metadata of every run in traces; OpenRouter's is `request_metadata`."""

        custom_get_token_ids: Callable[[str], list[int]] | None
        """LangChain's: counts tokens instead of o3-mini's tokenizer."""

        rate_limiter: BaseRateLimiter | None
        """LangChain's: delays requests."""

        disable_streaming: bool | Literal["tool_calling"]
        """LangChain's: True never streams, `tool_calling` does not with tools."""

        output_version: str | None
        """LangChain's: form of `content`; `v1` is a list of standard blocks."""

        profile: ModelProfile | None
        """LangChain's: what the model can do; known for o-series models."""
