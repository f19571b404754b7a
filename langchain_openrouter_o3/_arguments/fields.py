"""Every field of `ChatOpenRouterO3`, with its default and its validation."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.language_models import BaseChatModel
from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)
from typing_extensions import Self

from langchain_openrouter_o3._arguments import checks, constructor
from langchain_openrouter_o3._arguments.conversions import response_format_to_wire
from langchain_openrouter_o3._arguments.life_cycle import SharedConnections
from langchain_openrouter_o3._http.exchange import REAL_SOURCES, Sources
from langchain_openrouter_o3._http.timeouts import (
    check_limit,
    check_timeout,
    default_timeout,
    plain_timeout,
)
from langchain_openrouter_o3._version import __version__
from langchain_openrouter_o3._wire.request import check_headers, check_reasoning, read_reasoning
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.profiles import (
    MODEL_PARAMETERS,
    is_builtin_profile,
    langchain_profile,
    model_facts,
)
from langchain_openrouter_o3.settings import ProviderPreferences, Reasoning

if TYPE_CHECKING:
    from httpx import AsyncClient, Client, Timeout
else:
    # Annotations must resolve at run time (`typing.get_type_hints`), and importing httpx takes
    # time: it is imported on first use. `checks` looks at what comes.
    Timeout = Client = AsyncClient = Any


class ModelFields(BaseChatModel, SharedConnections):
    """The fields of a chat model; LangChain's hooks are in the class below it."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        defer_build=True,  # nobody makes one; the model below is built whole
    )

    # --- Model and connection ---

    model: str = Field(default="openai/o3-mini", min_length=1)
    """Slug of the model. Also `model_name`."""

    api_key: SecretStr | None = Field(
        default_factory=checks.key_from_environment, validate_default=True
    )
    """OpenRouter's key. Also `openrouter_api_key`; environment: `OPENROUTER_API_KEY`."""

    base_url: str = Field(default_factory=checks.base_url_from_environment, validate_default=True)
    """Where OpenRouter is. Also `openrouter_api_base`; environment: `OPENROUTER_API_BASE`."""

    timeout: float | Timeout | None = Field(default_factory=default_timeout)
    """Seconds, an `httpx.Timeout`, or None for no limit. Default: connect 10 s, read 600 s."""

    idle_timeout: float | None = None
    """Longest wait for data, in seconds; keep-alive comments are not data. None: no limit."""

    total_timeout: float | None = None
    """Longest duration of a call in seconds, with its retries. None: no limit."""

    max_retries: int = Field(default=2, ge=0)
    """Attempts beyond the first; 0 means exactly one request."""

    rate_gate: bool = True
    """Whether calls with the same key and model wait for each other after a 429 or 503."""

    http_client: Client | None = Field(default=None, exclude=True)
    """Your own `httpx.Client` (proxy, TLS, transport); never closed by this package."""

    http_async_client: AsyncClient | None = Field(default=None, exclude=True)
    """Your own `httpx.AsyncClient`; never closed by this package."""

    # --- What the model does ---

    reasoning: Reasoning | None = None
    """The reasoning map: effort, max_tokens, exclude, enabled, summary."""

    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        None
    )
    """Shorthand for `reasoning.effort`; o3-mini accepts low, medium and high."""

    include_reasoning: bool | None = None
    """Older spelling of `not reasoning.exclude`."""

    max_tokens: int | None = Field(default=None, ge=1)
    """Longest answer in tokens, hidden reasoning included. Also `max_completion_tokens`."""

    seed: int | None = None
    """Asks for a repeatable answer."""

    response_format: Any = None
    """Class, TypedDict, dataclass, JSON schema or envelope that every answer must fit."""

    structured_outputs: bool | None = None
    """Tells OpenRouter to route to providers with structured output."""

    stop: list[str] | None = None
    """Text ends before the first of these. Also `stop_sequences`; enforced by the client."""

    n: int | None = None
    """Number of answers; OpenRouter gives one, so only 1 is accepted."""

    # --- Parameters that o-series models do not have: accepted, withheld, named in a warning ---

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    top_a: float | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    parallel_tool_calls: bool | None = None
    verbosity: str | None = None

    # --- Routing and bookkeeping of OpenRouter ---

    models: list[str] | None = None
    """Fallback models, in order."""

    provider: ProviderPreferences | None = None
    """Which providers may serve the request. Also `openrouter_provider`."""

    route: str | None = None
    """OpenRouter's older switch for fallbacks."""

    plugins: list[dict[str, Any]] | None = None
    """OpenRouter's plugins, such as `{"id": "web"}`."""

    session_id: str | None = Field(default=None, max_length=256)
    """Groups requests; at most 256 characters."""

    trace: dict[str, Any] | None = None
    """Metadata for OpenRouter's broadcast destinations."""

    user: str | None = None
    """A stable pseudonym of the end user."""

    service_tier: str | None = None
    """Service tier to ask for, such as "flex"."""

    app_url: str | None = Field(default_factory=partial(os.environ.get, "OPENROUTER_APP_URL"))
    """Sent as `HTTP-Referer`; nothing is sent unless set."""

    app_title: str | None = Field(default_factory=partial(os.environ.get, "OPENROUTER_APP_TITLE"))
    """Sent as `X-Title`; nothing is sent unless set."""

    app_categories: list[str] | None = None
    """Sent as `X-OpenRouter-Categories`; nothing is sent unless set."""

    # --- Escape hatches ---

    default_headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)
    """Headers of every request; they win over this package's. Per call: `extra_headers`."""

    extra_body: dict[str, Any] | None = None
    """Keys of the body, verbatim; they win over everything. Also `model_kwargs`."""

    # --- LangChain ---

    # Not False by default: core takes an explicit False, which `configurable_fields` would
    # make of the default, as an order never to stream.
    streaming: bool | None = None
    """Whether `invoke` streams under the hood."""

    _sources: Sources = PrivateAttr(default_factory=lambda: REAL_SOURCES)

    # --- Validation ---

    @field_validator("api_key")
    @classmethod
    def _usable_key(cls, key: SecretStr | None) -> SecretStr | None:
        return checks.check_api_key(key)

    @field_validator("base_url")
    @classmethod
    def _usable_base_url(cls, url: str) -> str:
        return checks.check_base_url(url)

    @field_validator("http_client", "http_async_client", mode="before")
    @classmethod
    def _right_kind_of_client(cls, value: Any, info: ValidationInfo) -> Any:
        return checks.check_client(value, str(info.field_name))

    @field_validator("timeout", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return check_timeout(value)

    @field_validator("idle_timeout", "total_timeout", mode="before")
    @classmethod
    def _limit(cls, value: Any, info: ValidationInfo) -> Any:
        return check_limit(value, str(info.field_name))

    @field_validator("stop", mode="before")
    @classmethod
    def _stop_list(cls, value: Any) -> Any:
        return checks.check_stop(value)

    @field_validator("n")
    @classmethod
    def _one_answer(cls, value: int | None) -> int | None:
        return checks.check_n(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        defaults = {
            "reasoning": self.reasoning.to_wire() if self.reasoning else None,
            "reasoning_effort": self.reasoning_effort,
            "include_reasoning": self.include_reasoning,
        }
        check_reasoning(read_reasoning(defaults, "the model"), model_facts(self.model))
        check_headers(self.default_headers or {}, "default_headers")
        attribution = checks.attribution(self.app_url, self.app_title, self.app_categories)
        check_headers(attribution, "app_url, app_title or app_categories")
        if self.response_format is not None:
            response_format_to_wire(self.response_format)
        self._renew_profile()
        self._warn_withheld()
        return self

    def _renew_profile(self) -> None:
        """Replace the profile of another model, which `configurable_fields` hands on."""
        if self.profile is None:
            return
        facts = model_facts(self.model)
        own = facts is not None and self.profile.get("name") == facts.name
        if not own and is_builtin_profile(self.profile):
            self.profile = langchain_profile(self.model)

    def _warn_withheld(self) -> None:
        given = MODEL_PARAMETERS & self.model_fields_set
        names = sorted(name for name in given if getattr(self, name) is not None)
        if names and model_facts(self.model) is not None:
            checks.warn_withheld(self.model, names)

    @model_validator(mode="after")
    def _check_profile_keys(self) -> Self:
        # Core reads its own annotations here, which takes longer than all the rest; the keys of
        # our own profiles are checked by a test.
        if self.profile is not None and not is_builtin_profile(self.profile):
            super()._check_profile_keys()  # type: ignore[operator] # pydantic makes it a method
        return self

    @model_validator(mode="after")
    def _set_openrouter_o3_version(self) -> Self:
        self._add_version("langchain-openrouter-o3", __version__)
        return self

    # Defined last, so that it surrounds all other validators.
    @model_validator(mode="wrap")
    @classmethod
    def _first_names(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(constructor.read_constructor(data, cls.model_fields))
        except ValidationError as error:
            raise constructor.without_inputs(cls.__name__, error) from None
        except OpenRouterInputError as error:
            raise constructor.refused(cls.__name__, str(error)) from None

    @field_serializer("timeout")
    def _plain_timeout(self, value: Any) -> Any:
        return plain_timeout(value)
