"""`ChatOpenRouterO3`: LangChain's hooks, which only delegate; its fields are in `_arguments`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.prompt_values import ChatPromptValue, PromptValue, StringPromptValue
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.utils import AnyConfigurableField, ConfigurableField
from pydantic import ConfigDict, PrivateAttr
from typing_extensions import override

from langchain_openrouter_o3._arguments.call import build_call
from langchain_openrouter_o3._arguments.declarations import describe
from langchain_openrouter_o3._arguments.fields import ModelFields
from langchain_openrouter_o3._arguments.headers import (
    headers_digest,
    masked_headers,
    without_headers,
)
from langchain_openrouter_o3._arguments.parameters import (
    as_sent,
    default_parameters,
    first_name,
    read_call,
    serializable_attributes,
)
from langchain_openrouter_o3._http.driver import AsyncDriver, SyncDriver
from langchain_openrouter_o3._wire import content_blocks
from langchain_openrouter_o3._wire.content import protect_blocks
from langchain_openrouter_o3._wire.readers import ChunkReader, MessageReader
from langchain_openrouter_o3._wire.results import (
    combine_llm_outputs,
    finish_result,
    message_to_result,
    run_id_of,
)
from langchain_openrouter_o3._wire.tokens import (
    count_message_tokens,
    count_text_tokens,
    encode_text,
)
from langchain_openrouter_o3._wire.tools import tool_choice_to_wire, tools_to_wire
from langchain_openrouter_o3.chat_models.bound_model import Bindable, BoundModel, keep_open
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.errors.warn import warn_not_strict

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from typing_extensions import Unpack

    from langchain_openrouter_o3._arguments.signature import Arguments
else:
    BaseTool = Any  # annotations must resolve at run time, and whoever binds tools imports them


content_blocks.register()

T = TypeVar("T")
Method = Literal["json_schema", "function_calling", "json_mode"]


class ChatOpenRouterO3(Bindable, ModelFields):
    """OpenAI's o3-mini through OpenRouter.

    Every parameter of the request can also be given per call or with `.bind(…)`, under any of
    its names; the call wins. `None` is never sent.

    Raises:
        pydantic.ValidationError: An argument is unknown (the text says what to write instead)
            or has a value that cannot work. Values are not echoed.

    Source: https://openrouter.ai/docs/api-reference/parameters

    Example:
        ```python
        from langchain_openrouter_o3 import ChatOpenRouterO3

        model = ChatOpenRouterO3(reasoning_effort="high", max_tokens=4_000)
        print(model.invoke("How many sheep are left?").text)
        ```
    """

    model_config = ConfigDict(defer_build=False)

    if TYPE_CHECKING:

        def __init__(self, **arguments: Unpack[Arguments]) -> None:
            """See the class."""

    # --- Identity ---

    @property
    def model_name(self) -> str:
        """The slug, under LangChain's other name for it."""
        return self.model

    @property
    @override
    def _llm_type(self) -> str:
        return "openrouter-o3"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        named = {"base_url": self.base_url, "stop": self.stop, "extra_body": self.extra_body}
        parameters = {**default_parameters(self), **named}
        return {name: value for name, value in parameters.items() if value is not None}

    @override
    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        # Callbacks and tracers see these.
        return super()._get_invocation_params(stop=stop, **masked_headers(kwargs))

    @override
    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # The key of LangChain's cache is what goes out: a class may change and keep its name. Two
        # tenants behind a gateway may differ in headers only.
        key = super()._get_llm_string(stop=stop, **as_sent(without_headers(kwargs)))
        digest = headers_digest(self.default_headers, kwargs)
        return key if digest is None else f"{key}---headers:{digest}"

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        call = {"stop": stop or self.stop}
        call |= {first_name(name): value for name, value in kwargs.items()}
        params = super()._get_ls_params(**call)
        params["ls_provider"] = "openrouter"
        return params

    @classmethod
    @override
    def is_lc_serializable(cls) -> bool:
        """Yes: traces and caches see the parameters, never the key."""
        return True

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        """The key is written as the name of its environment variable."""
        return {"api_key": "OPENROUTER_API_KEY"}

    @property
    @override
    def lc_attributes(self) -> dict[str, Any]:
        """Fields whose values need another form to be written."""
        return serializable_attributes(self)

    # --- Calls ---

    @override
    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        prompt = super()._convert_input(model_input)
        if isinstance(prompt, StringPromptValue):
            return prompt
        protected = protect_blocks(prompt.to_messages())
        return prompt if protected is None else ChatPromptValue(messages=protected)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call = build_call(self, messages, stop, kwargs, own=self.http_client, stream=False)
        flow = call.flow(MessageReader, self._sources)
        performer = call.performer(self.http_client, self._pools)
        with closing(SyncDriver(flow, performer)) as received:
            (message,) = [message for messages in received for message in messages]
        return message_to_result(message)

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call = build_call(self, messages, stop, kwargs, own=self.http_async_client, stream=False)
        flow = call.flow(MessageReader, self._sources)
        performer = await call.async_performer(self.http_async_client, self._pools)
        async with aclosing(AsyncDriver(flow, performer)) as received:
            (message,) = [message async for messages in received for message in messages]
        return message_to_result(message)

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        call = build_call(self, messages, stop, kwargs, own=self.http_client, stream=True)
        flow = call.flow(ChunkReader, self._sources)
        performer = call.performer(self.http_client, self._pools)
        with closing(SyncDriver(flow, performer)) as received:
            for chunks in received:
                for chunk in chunks:
                    if run_manager is not None:
                        chunk.message.id = run_id_of(run_manager.run_id)
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        call = build_call(self, messages, stop, kwargs, own=self.http_async_client, stream=True)
        flow = call.flow(ChunkReader, self._sources)
        performer = await call.async_performer(self.http_async_client, self._pools)
        async with aclosing(AsyncDriver(flow, performer)) as received:
            async for chunks in received:
                for chunk in chunks:
                    if run_manager is not None:
                        chunk.message.id = run_id_of(run_manager.run_id)
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk

    @override
    def _generate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        result = super()._generate_with_cache(messages, stop, run_manager, **kwargs)
        return finish_result(result, run_manager.run_id if run_manager is not None else None)

    @override
    async def _agenerate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        result = await super()._agenerate_with_cache(messages, stop, run_manager, **kwargs)
        return finish_result(result, run_manager.run_id if run_manager is not None else None)

    @override
    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None], /) -> dict[str, Any]:
        return combine_llm_outputs(llm_outputs)

    # --- Arguments, tools and structured output that are bound ---

    _bind_instead: Callable[..., BoundModel] | None = PrivateAttr(default=None)
    """Binds to the binding that this model stands in for."""

    @override
    def bind(self, **kwargs: Any) -> BoundModel:
        """Bind arguments of a call; binding more keeps them, and a later one wins."""
        return (self._bind_instead or super().bind)(**kwargs)

    @override
    def with_config(
        self, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind a configuration; binding tools or a schema after that keeps it."""
        return self.bind().with_config(config, **kwargs)

    @override
    def configurable_fields(
        self, **kwargs: AnyConfigurableField
    ) -> RunnableSerializable[LanguageModelInput, AIMessage]:
        """Let a call's configuration set fields; binding tools or a schema keeps that open."""
        return keep_open(super().configurable_fields(**kwargs))

    @override
    def configurable_alternatives(
        self, which: ConfigurableField, **options: Any
    ) -> RunnableSerializable[LanguageModelInput, AIMessage]:
        """Let a call's configuration choose among models; binding keeps the choice open."""
        return keep_open(super().configurable_alternatives(which, **options))

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools, converted and checked now.

        Args:
            tools: Everything that `convert_to_openai_tool` takes; dictionaries whose `type` is
                not "function" (OpenRouter's server tools) verbatim.
            tool_choice: A tool's name, "any", "required", "auto", "none", True, False, or
                OpenAI's dictionary.
            strict: Whether the arguments must keep to the schema exactly.
            kwargs: Any other parameter of a call, such as `response_format`.

        Raises:
            OpenRouterInputError: A tool cannot be sent or `tool_choice` names none of them.

        Source: https://openrouter.ai/docs/features/tool-calling
        """
        bound = read_call(kwargs)
        wire = tools_to_wire(tools, strict=strict)
        choice = tool_choice_to_wire(tool_choice, wire)
        if wire:
            bound["tools"] = wire
            if choice is not None:
                bound["tool_choice"] = choice
        elif choice not in (None, "none", "auto"):
            raise OpenRouterInputError(f"tool_choice={tool_choice!r} needs tools; none are bound.")
        return self.bind(**bound)

    @overload
    def with_structured_output(  # pyright: ignore[reportOverlappingOverload] - the first that fits
        self,
        schema: type[T],
        *,
        method: Method = ...,
        strict: bool | None = ...,
        include_raw: Literal[False] = False,
        tools: Sequence[Any] = ...,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, T]: ...

    @overload
    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Method = ...,
        strict: bool | None = ...,
        include_raw: bool = ...,
        tools: Sequence[Any] = ...,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any]]: ...

    @override
    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Method = "json_schema",
        strict: bool | None = None,
        include_raw: bool = False,
        tools: Sequence[Any] = (),
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Make the answer an object of a schema.

        Args:
            schema: A Pydantic class (v2 or v1), dataclass, TypedDict or JSON schema.
            method: "json_schema" (the model is held to the schema), "function_calling" (a
                forced tool call) or "json_mode" (some JSON; say in the prompt which).
            strict: Whether the schema is enforced to the letter. True refuses one that cannot
                be; None enforces it if that is possible, and warns if it is not. It has no
                meaning for "json_mode", which enforces nothing.
            include_raw: Return `{"raw", "parsed", "parsing_error"}` instead of raising.
            tools: Tools that the model may call besides (only with "json_schema").
            kwargs: Any other parameter of a call.

        Returns:
            A runnable that gives the object; its stream gives the object as it grows.

        Raises:
            OpenRouterInputError: It is not a schema, or must be strict and cannot be (the text
                names the path); or tools are given with another method.

        The runnable raises `OpenRouterRefusalError`, `OpenRouterTruncatedError` and
        `OpenRouterOutputError`; with `include_raw` they are in `parsing_error`.

        Source: https://openrouter.ai/docs/features/structured-outputs
        """
        from langchain_openrouter_o3._wire.output_schema import build_output_schema  # noqa: PLC0415 - not every use needs it
        from langchain_openrouter_o3.chat_models import structured_output  # noqa: PLC0415 - when it is needed

        if tools and method != "json_schema":
            raise OpenRouterInputError(
                f"tools: with method={method!r} the answer is a forced call, or any JSON; use "
                'method="json_schema" to let the model call tools besides.'
            )
        target = build_output_schema(schema)
        parser = structured_output.build_parser(target, method, include_raw=include_raw)
        traced = {
            "kwargs": {"method": method, "strict": strict},
            "schema": target.traced(schema),
        }
        bound: dict[str, Any] = {**kwargs, "ls_structured_output_format": traced}
        problem = None
        if method == "function_calling":
            # Another format, bound before or the model's own, would be a second schema.
            bound["response_format"] = None
            tool, problem = target.tool(strict=strict)
            llm = self.bind_tools([tool], tool_choice=target.name, **bound)
        elif method == "json_schema":
            bound["response_format"], problem = target.response_format(
                strict=strict, parsed_here=True
            )
            beside = tools_to_wire(tools, strict=strict, prefer_strict=True)
            llm = self.bind_tools(beside, **bound)
        else:
            bound["response_format"] = {"type": "json_object"}
            llm = self.bind_tools([], **bound)
        if problem:
            warn_not_strict(f"schema {target.name!r}", problem)
        return llm | parser

    # --- Tokens ---

    @override
    def get_token_ids(self, text: str) -> list[int]:
        """Return o3-mini's token ids of a text."""
        return (self.custom_get_token_ids or encode_text)(text)

    @override
    def get_num_tokens(self, text: str) -> int:
        """Count a text's tokens, exactly and without a network."""
        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        return count_text_tokens(text)

    @override
    def get_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Count a conversation's tokens: its texts exactly, what surrounds them as documented."""
        if self.custom_get_token_ids is not None:
            return super().get_num_tokens_from_messages(list(messages))
        return count_message_tokens(messages, tools)


ChatOpenRouterO3.__doc__ = f"{ChatOpenRouterO3.__doc__}\n{describe(ChatOpenRouterO3.model_fields)}"
