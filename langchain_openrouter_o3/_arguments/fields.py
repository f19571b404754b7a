"""Every field of `ChatOpenRouterO3`: declared once, with its default and its validation."""

# Without `from __future__ import annotations`: pydantic would have to evaluate each one twice.

import os
from collections.abc import Collection, Iterator, Mapping
from functools import cache, partial
from operator import is_
from typing import TYPE_CHECKING, Annotated, Any, Literal

from langchain_core.language_models import BaseChatModel, ModelProfile
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_serializer,
    model_validator,
)
from typing_extensions import Self, override

from langchain_openrouter_o3._arguments import checks, constructor, conversions
from langchain_openrouter_o3._arguments.conversions import read_reasoning
from langchain_openrouter_o3._arguments.declarations import (
    Argument,
    Body,
    Header,
    Local,
    Verbatim,
    take_declarations,
)
from langchain_openrouter_o3._arguments.foreign_names import check_body_keys
from langchain_openrouter_o3._arguments.life_cycle import SharedConnections
from langchain_openrouter_o3._arguments.settings import ProviderPreferences, Reasoning, ServiceTier
from langchain_openrouter_o3._http.exchange import REAL_SOURCES, Sources
from langchain_openrouter_o3._http.request_headers import check_headers
from langchain_openrouter_o3._http.time_limits import default_timeout, plain_timeout
from langchain_openrouter_o3._version import __version__
from langchain_openrouter_o3._wire.tools import tools_to_wire
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.profiles import is_builtin_profile, langchain_profile, model_facts

if TYPE_CHECKING:
    from langchain_openrouter_o3._arguments.signature import AsyncClient, Client, Timeout
else:
    # Annotations must resolve at run time (`typing.get_type_hints`), and importing httpx takes
    # time: it is imported on first use. `checks` looks at what comes.
    Timeout = Client = AsyncClient = Any


Withheld = partial(Body, withheld=True)


class ModelFields(BaseChatModel, SharedConnections):
    """The fields of a chat model; LangChain's hooks are in the class below it."""

    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,  # `_first_names` has brought all under their names
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        defer_build=True,  # the subclass is built instead
    )

    # --- Model and connection ---

    model: Annotated[
        str,
        Body(
            "Slug of the model; `openai/o3-mini@preset/slug` uses a preset.",
            aliases=("model_name",),
        ),
    ] = Field(default="openai/o3-mini", min_length=1)
    api_key: Annotated[
        SecretStr | None,
        BeforeValidator(checks.check_api_key),
        Header(
            "OpenRouter's key.",
            aliases=("openrouter_api_key",),
            environment="OPENROUTER_API_KEY",
            keys=("authorization",),
            per_call=False,
            secret=True,
        ),
    ] = Field(default_factory=checks.key_from_environment, validate_default=True)
    base_url: Annotated[
        str,
        AfterValidator(checks.check_base_url),
        Local(
            "Where OpenRouter is.",
            aliases=("openrouter_api_base",),
            environment="OPENROUTER_API_BASE",
            per_call=False,
        ),
    ] = Field(default_factory=checks.base_url_from_environment, validate_default=True)
    timeout: Annotated[
        float | Timeout | None,
        BeforeValidator(checks.check_phases),
        Local(
            "Seconds that each phase of a request may take, an `httpx.Timeout`, or None for no "
            "limit. By default that of your own HTTP client, or 10 s to connect and 600 s to read."
        ),
    ] = Field(default_factory=default_timeout)
    idle_timeout: Annotated[
        float | None,
        BeforeValidator(partial(checks.check_seconds, name="idle_timeout")),
        Local(
            "Longest wait for data, in seconds; keep-alive comments are no data. None: no limit."
        ),
    ] = None
    total_timeout: Annotated[
        float | None,
        BeforeValidator(partial(checks.check_seconds, name="total_timeout")),
        Local("Longest duration of a call with its retries, in seconds. None: no limit."),
    ] = None
    max_retries: Annotated[
        int, Local("Attempts beyond the first; 0 means exactly one request.")
    ] = Field(default=2, ge=0)
    rate_gate: Annotated[
        bool,
        Local(
            "Whether calls with the same key, model and routing wait for each other after a 429 or "
            "503.",
            per_call=False,
        ),
    ] = True
    http_client: Annotated[
        Client | None,
        BeforeValidator(partial(checks.check_client, field="http_client")),
        Local(
            "Your own `httpx.Client` (proxy, TLS, transport); this package never closes it.",
            per_call=False,
        ),
    ] = Field(default=None, exclude=True)
    http_async_client: Annotated[
        AsyncClient | None,
        BeforeValidator(partial(checks.check_client, field="http_async_client")),
        Local("Your own `httpx.AsyncClient`; this package never closes it.", per_call=False),
    ] = Field(default=None, exclude=True)

    # --- What the model does ---

    reasoning: Annotated[
        Reasoning | None,
        Body(
            "The reasoning map: effort, max_tokens, exclude, enabled, summary.",
            to_wire=conversions.setting_to_wire,
        ),
    ] = None
    reasoning_effort: Annotated[
        Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None,
        Body("Shorthand for `reasoning.effort`; o3-mini accepts low, medium and high."),
    ] = None
    include_reasoning: Annotated[
        bool | None, Body("Older spelling of `not reasoning.exclude`.")
    ] = None
    max_tokens: Annotated[
        int | None,
        Body(
            "Longest answer in tokens, hidden reasoning included; OpenRouter takes 16 and more.",
            aliases=("max_completion_tokens",),
        ),
    ] = Field(default=None, ge=1)
    seed: Annotated[int | None, Body("Asks for a repeatable answer; any whole number.")] = None
    response_format: Annotated[
        Any,
        Body(
            "Class, TypedDict, dataclass, JSON schema or envelope that every answer must fit.",
            to_wire=conversions.response_format_to_wire,
            field_to_wire=conversions.response_format_without_warning,
        ),
    ] = None
    structured_outputs: Annotated[
        bool | None, Body("Tells OpenRouter to route to providers with structured output.")
    ] = None
    stop: Annotated[
        list[str] | None,
        BeforeValidator(checks.check_stop),
        Local(
            "The text ends before the first of these; the client enforces it.",
            aliases=("stop_sequences",),
        ),
    ] = None
    n: Annotated[
        int | None,
        AfterValidator(checks.check_n),
        Local("Number of answers; OpenRouter gives one, so only 1 is accepted."),
    ] = None
    modalities: Annotated[
        list[Literal["text", "image", "audio"]] | None,
        Body("Forms of the answer; o-series models write text."),
    ] = None

    # --- Parameters that o-series models do not have: accepted, withheld, named in a warning ---

    temperature: Annotated[float | None, Withheld("Randomness, from 0 (least) to 2.")] = None
    top_p: Annotated[
        float | None, Withheld("Share of probability that tokens are drawn from, from 0 to 1.")
    ] = None
    top_k: Annotated[int | None, Withheld("Number of tokens that each is drawn from.")] = None
    top_a: Annotated[
        float | None,
        Withheld("Least probability of a token, from 0 to 1, by the most probable one's square."),
    ] = None
    min_p: Annotated[
        float | None,
        Withheld(
            "Least probability of a token, from 0 to 1, as a share of the most probable one's."
        ),
    ] = None
    frequency_penalty: Annotated[
        float | None, Withheld("Penalty on a token for each time it was used, from -2 to 2.")
    ] = None
    presence_penalty: Annotated[
        float | None, Withheld("Penalty on a token that was used at all, from -2 to 2.")
    ] = None
    repetition_penalty: Annotated[
        float | None, Withheld("Penalty on repetition, from 0 to 2; 1 is no penalty.")
    ] = None
    logit_bias: Annotated[
        dict[str, float] | None, Withheld("Bias by token id, from -100 to 100.")
    ] = None
    logprobs: Annotated[
        bool | None, Withheld("Whether the answer tells the log probabilities of its tokens.")
    ] = None
    top_logprobs: Annotated[
        int | None, Withheld("Number of tokens, from 0 to 20, whose log probabilities are told.")
    ] = None
    parallel_tool_calls: Annotated[
        bool | None, Withheld("Whether one answer may call several tools.")
    ] = None
    verbosity: Annotated[
        str | None, Withheld('Length of the answer: "low", "medium" or "high".')
    ] = None
    prediction: Annotated[
        dict[str, Any] | None,
        Withheld('Text that is expected to come: `{"type": "content", "content": "…"}`.'),
    ] = None
    image_config: Annotated[
        dict[str, Any] | None, Withheld("Settings of models that make images.")
    ] = None

    # --- Routing ---

    models: Annotated[list[str] | None, Body("Slugs of fallback models, in order.")] = None
    provider: Annotated[
        ProviderPreferences | None,
        Body(
            "Which providers may serve the request.",
            aliases=("openrouter_provider",),
            to_wire=conversions.setting_to_wire,
        ),
    ] = None
    preset: Annotated[
        str | None,
        AfterValidator(checks.check_preset),
        Body("Slug of a preset of your account; what the request says itself wins over it."),
    ] = None
    route: Annotated[str | None, Body("OpenRouter's older switch for fallbacks.")] = None
    service_tier: Annotated[
        ServiceTier | None,
        BeforeValidator(checks.check_service_tier),
        Body(
            'Price and speed: "flex" is cheap and slow, "priority" (also "fast") and "ultrafast" '
            "are the reverse."
        ),
    ] = None
    router_metadata: Annotated[
        bool | None,
        Header(
            "Whether the answer tells how it was routed, in "
            "`response_metadata['openrouter_metadata']`.",
            keys=("x-openrouter-metadata",),
            to_wire=conversions.router_metadata_to_text,
        ),
    ] = None
    plugins: Annotated[
        list[dict[str, Any]] | None, Body('OpenRouter\'s plugins, such as `{"id": "web"}`.')
    ] = None
    stop_server_tools_when: Annotated[
        list[dict[str, Any]] | None,
        Body(
            "Conditions that end the loop of OpenRouter's own tools, such as "
            '`{"type": "max_cost", "max_cost_in_dollars": 0.1}`.'
        ),
    ] = None
    deferred_tools: Annotated[
        Any, Body("Tools that a model has to look for, as OpenRouter documents them.")
    ] = None

    # --- Caching ---

    response_cache: Annotated[
        bool | int | None,
        AfterValidator(checks.check_response_cache),
        Header(
            "Whether OpenRouter keeps the answer and gives it to equal requests for nothing: True "
            "(300 seconds), seconds from 1 to 86400, or False.",
            keys=("x-openrouter-cache", "x-openrouter-cache-ttl"),
            to_wire=conversions.response_cache_to_headers,
        ),
    ] = None
    response_cache_clear: Annotated[
        bool | None,
        Header(
            "True asks anew, and the new answer is kept.",
            keys=("x-openrouter-cache-clear",),
            to_wire=conversions.clear_to_text,
        ),
    ] = None
    prompt_cache_key: Annotated[
        str | None, Body("Requests with one key share the provider's cache of prompts.")
    ] = None
    prompt_cache_options: Annotated[
        dict[str, Any] | None,
        Body('How prompts are cached, such as `{"mode": "explicit"}`; for newer models of OpenAI.'),
    ] = None
    cache_control: Annotated[
        dict[str, Any] | None,
        Body('Where prompts are cached: `{"type": "ephemeral", "ttl": "5m"}` (or "1h").'),
    ] = None

    # --- Bookkeeping ---

    session_id: Annotated[
        str | None,
        Body(
            "Groups requests, which stay with one provider and its warm cache; at most 256 "
            "characters."
        ),
    ] = Field(default=None, max_length=256)
    request_metadata: Annotated[
        dict[str, str] | None,
        AfterValidator(checks.check_request_metadata),
        Body(
            "Sent as `metadata`, which is LangChain's own name for something else: at most 16 "
            "pairs, keys of 64 and values of 512 characters.",
            keys=("metadata",),
        ),
    ] = None
    trace: Annotated[
        dict[str, Any] | None, Body("Metadata for OpenRouter's broadcast destinations.")
    ] = None
    user: Annotated[str | None, Body("A stable pseudonym of the end user.")] = None
    debug: Annotated[
        dict[str, Any] | None,
        Body(
            "What a stream tells of the request that the provider got, such as "
            '`{"echo_upstream_body": True}`.'
        ),
    ] = None
    app_url: Annotated[
        str | None,
        Header(
            "The app's URL, sent as `HTTP-Referer` if it is set.",
            environment="OPENROUTER_APP_URL",
            keys=("http-referer",),
        ),
    ] = Field(default_factory=partial(os.environ.get, "OPENROUTER_APP_URL"))
    app_title: Annotated[
        str | None,
        Header(
            "The app's name, sent as `X-OpenRouter-Title` and `X-Title` if it is set.",
            environment="OPENROUTER_APP_TITLE",
            keys=("x-openrouter-title", "x-title"),
        ),
    ] = Field(default_factory=partial(os.environ.get, "OPENROUTER_APP_TITLE"))
    app_categories: Annotated[
        list[str] | None,
        Header(
            "The app's categories, sent as `X-OpenRouter-Categories` if they are set.",
            keys=("x-openrouter-categories",),
            to_wire=conversions.categories_to_text,
        ),
    ] = None

    # --- Escape hatches ---

    default_headers: Annotated[
        dict[str, str] | None,
        Verbatim(
            "Headers of every request, verbatim; they win over this package's.",
            aliases=("extra_headers",),
            secret=True,
        ),
    ] = Field(default=None, exclude=True, repr=False)
    extra_body: Annotated[
        dict[str, Any] | None,
        Verbatim(
            "Keys of the body, verbatim; they win over everything.", aliases=("model_kwargs",)
        ),
    ] = None

    # --- LangChain ---

    # Not False by default: core takes an explicit False, which `configurable_fields` would
    # make of the default, as an order never to stream.
    streaming: Annotated[
        bool | None, Local("Whether `invoke` streams under the hood.", per_call=False)
    ] = None

    _sources: Sources = PrivateAttr(default_factory=lambda: REAL_SOURCES)

    # --- Validation ---

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        # A model that another pydantic class takes is checked already.
        if not (self.__pydantic_private__ or {}).get("_fields_checked"):
            self._check_together(ModelFields.model_fields)
        return self

    def check_assigned(self) -> None:
        """Check what was assigned since the last time, as the constructor does.

        What came by `model_copy` and `model_construct`, which do not check either, is checked
        alike. Where nothing is new, this takes a call about two microseconds.

        Raises:
            OpenRouterInputError: A value cannot work; the text names the field.
        """
        # Not by its name: pydantic takes longer to find a private attribute than this to compare.
        # Not in a variable: a traceback would show the headers.
        if _are_same(self.__dict__, (self.__pydantic_private__ or {}).get("_fields_checked", {})):
            return
        # Of a list: another thread's call may set `_serialized` meanwhile.
        new = [name for name in list(self.__dict__) if self._is_new(name)]
        # LangChain takes anything as `verbose`.
        names = [name for name in new if name in ModelFields.model_fields and name != "verbose"]
        problems = [problem for name in names if (problem := self._check_field(name))]
        if problems:
            raise OpenRouterInputError("; ".join(problems))
        try:
            self._check_together(names)
        except OpenRouterInputError as error:
            raise error.with_traceback(None)  # noqa: B904 - the same, without frames that hold secrets
        # Core has made it of the values before. If it alone is new, a call has made it of these.
        if new != ["_serialized"]:
            vars(self).pop("_serialized", None)
        self._fields_checked = dict(self.__dict__)

    def _is_new(self, name: str) -> bool:
        checked = self._fields_checked
        return name not in checked or self.__dict__[name] is not checked[name]

    def _check_field(self, name: str) -> str | None:
        """Bring a field into its form; return what is wrong if that fails.

        The caller's own object stays where it has that form: it may be changed later.
        """
        given = vars(self)[name]
        try:
            formed = validator_of(name).validate_python(given)
        except ValidationError as error:
            facts = model_facts(str(self.model))
            return constructor.refusal_text(name, error, facts and facts.efforts)
        if type(formed) is not type(given) or (name in ARGUMENTS and formed != given):
            vars(self)[name] = formed
        return None

    def _check_together(self, names: Collection[str]) -> None:
        """Check what pydantic does not, in fields that hold values of their types.

        Args:
            names: Of the fields that are new; what there is to warn of, is said of them alone.
        """
        defaults = {
            "reasoning": self.reasoning.to_wire() if self.reasoning else None,
            "reasoning_effort": self.reasoning_effort,
            "include_reasoning": self.include_reasoning,
        }
        checks.check_reasoning(read_reasoning(defaults, "the model"), model_facts(self.model))
        check_headers(self.default_headers or {}, "default_headers")
        check_body_keys(self.extra_body)
        for name in HEADER_FIELDS:
            if (value := getattr(self, name)) is not None:
                check_headers(ARGUMENTS[name].headers(value), name)
        if self.response_format is not None and "response_format" in names:
            conversions.response_format_to_wire(self.response_format)
        self._renew_profile()
        self._warn_withheld(WITHHELD if "model" in names else WITHHELD.intersection(names))

    @override
    def _resolve_model_profile(self) -> ModelProfile | None:
        return langchain_profile(self.model)

    def _renew_profile(self) -> None:
        """Replace the profile of another model, which `configurable_fields` hands on."""
        if self.profile is None:
            return
        facts = model_facts(self.model)
        own = facts is not None and self.profile.get("name") == facts.name
        if not own and is_builtin_profile(self.profile):
            self.profile = langchain_profile(self.model)

    def _warn_withheld(self, new: Collection[str]) -> None:
        names = sorted(name for name in new if getattr(self, name) is not None)
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
            model = handler(constructor.read_constructor(data, cls.model_fields, ALIASES))
        except ValidationError as error:
            slug = constructor.slug_of(data, cls.model_fields["model"].default)
            raise constructor.without_inputs(cls.__name__, error, slug) from None
        except OpenRouterInputError as error:
            raise constructor.refused(cls.__name__, str(error)) from None
        if model is not data:
            model._fields_checked = dict(model.__dict__)  # noqa: SLF001 - its own class
        return model

    @field_serializer("response_format", when_used="json-unless-none")
    def _wire_format(self, value: Any) -> dict[str, Any]:
        return conversions.response_format_without_warning(value)

    @field_serializer("timeout")
    def _plain_timeout(self, value: Any) -> Any:
        return plain_timeout(value)

    # --- Shown to people ---

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show the model's name first, and then what is not as it is by default.

        Frames are shown, too, in which a model that is refused has no fields yet.
        """
        known = vars(self)
        if "model" in known:
            yield "model", self.model
        for name, field in type(self).model_fields.items():
            if name in known and field.repr and name not in HIDDEN_FIELDS:
                value = constructor.own_value(name, known[name])
                if value != field.get_default(call_default_factory=True):
                    yield name, value


_INHERITED = {
    "name": "LangChain's: name of the model in traces.",
    "cache": "LangChain's: a cache of answers, True for the global one, False for none.",
    "verbose": "LangChain's: whether runs are printed.",
    "callbacks": "LangChain's: handlers that hear of every run.",
    "tags": "LangChain's: tags of every run.",
    "metadata": "LangChain's: metadata of every run in traces; OpenRouter's is `request_metadata`.",
    "custom_get_token_ids": "LangChain's: counts tokens instead of o3-mini's tokenizer.",
    "rate_limiter": "LangChain's: delays requests.",
    "disable_streaming": "LangChain's: True never streams, `tool_calling` does not with tools.",
    "output_version": "LangChain's: form of `content`; `v1` is a list of standard blocks.",
    "profile": "LangChain's: what the model can do; known for o-series models.",
}

ARGUMENTS: dict[str, Argument] = {
    **take_declarations(ModelFields.model_fields, _INHERITED),
    "tools": Body("Tools that the model may call.", to_wire=tools_to_wire),
    "tool_choice": Body("Which of the tools the model may or must call."),
}
"""Every argument of a model and of a call; what LangChain declares itself is not among them."""

ALIASES = {alias: name for name, argument in ARGUMENTS.items() for alias in argument.aliases}
"""Other names of arguments, as LangChain's other packages spell them."""

BODY_FIELDS = tuple(
    sorted(
        name
        for name, argument in ARGUMENTS.items()
        if argument.place == "body" and name in ModelFields.model_fields
    )
)
HEADER_FIELDS = tuple(
    name
    for name, argument in ARGUMENTS.items()
    if argument.place == "header" and not argument.secret
)
WITHHELD = frozenset(name for name, argument in ARGUMENTS.items() if argument.withheld)
"""Request parameters that other models have and no o-series model supports.

Providers refuse or ignore them, depending on the route, so they are withheld openly.
"""

HIDDEN_FIELDS = frozenset({"model", *(name for name, each in ARGUMENTS.items() if each.secret)})
"""Fields that a representation does not show among the others."""


def _are_same(these: Mapping[str, Any], those: Mapping[str, Any]) -> bool:
    """Whether two dictionaries hold the same objects; equality may be anything (of arrays)."""
    return len(these) == len(those) and all(map(is_, these.values(), those.values()))


@cache
def validator_of(name: str) -> Any:
    """Build pydantic's validator of a field, when one is first needed beside the constructor's."""
    field = ModelFields.model_fields[name]
    declared = (field.annotation, name, *field.metadata)
    annotated: Any = Annotated
    kind = TypeAdapter(annotated[declared], config=ConfigDict(arbitrary_types_allowed=True))
    return kind.validator
