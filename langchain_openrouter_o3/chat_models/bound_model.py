"""A chat model with arguments bound to it, which binding more does not forget.

langchain-core's own binding hands `bind_tools` and `with_structured_output` on to the bare model,
so that everything bound before is lost. It also joins bound and later arguments by name, so that
one parameter under two names is there twice. Here the later one wins, whatever its name. Choices
that a call's configuration makes (`configurable_fields`, `configurable_alternatives`) stay open:
core would bind to the default, and a later configuration would change nothing, without a word.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from copy import copy
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import (
    ConfigurableField,
    Runnable,
    RunnableBinding,
    RunnableConfig,
    RunnableSerializable,
)
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import (
    RunnableConfigurableAlternatives,
    RunnableConfigurableFields,
)
from langchain_core.runnables.utils import AnyConfigurableField
from typing_extensions import Self, override

from langchain_openrouter_o3._arguments.headers import (
    HIDDEN,
    is_header_argument,
    masked_headers,
)
from langchain_openrouter_o3._arguments.parameters import later_wins
from langchain_openrouter_o3._wire.tools import tool_name, tools_to_wire

if TYPE_CHECKING:
    # It only narrows the types of protocol events.
    from langchain_core.language_models.chat_models import (
        _ChatModelBinding as Binding,  # pyright: ignore[reportPrivateUsage] # no public name
    )
    from langchain_core.tools import BaseTool
else:
    Binding = RunnableBinding[LanguageModelInput, AIMessage]
    BaseTool = Any  # importing it takes time; whoever binds tools has done so

T = TypeVar("T")
_BINDINGS: tuple[type[Any], ...] = (RunnableBindingBase,)  # core's retries are such, too


def _calling(name: str) -> Callable[..., Any]:
    """Make a method that binds the arguments of a call before it makes the call."""
    method = getattr(Binding, name)
    own = inspect.signature(method).parameters.keys()

    @wraps(method)
    def call(self: BoundModel, *args: Any, **kwargs: Any) -> Any:
        options = {key: kwargs.pop(key) for key in own & kwargs.keys()}
        return method(self.bind(**kwargs) if kwargs else self, *args, **options)

    return call


class Bindable:
    """Lets each way of a model to bind give a binding of ours, which binding more keeps."""

    def bind(self, **kwargs: Any) -> BoundModel:
        """Bind arguments of a call; binding more keeps them, and a later one wins."""
        model: Any = self
        return BoundModel(bound=model, kwargs=later_wins({}, kwargs), config={})

    def with_retry(self, **options: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Repeat a failed call; binding tools or a schema after that keeps it."""
        return self.bind().with_retry(**options)

    def with_listeners(self, **listeners: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Call listeners around a run; binding tools or a schema after that keeps them."""
        return self.bind().with_listeners(**listeners)

    def with_alisteners(self, **listeners: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Await listeners around a run; binding tools or a schema after that keeps them."""
        return self.bind().with_alisteners(**listeners)

    def with_types(
        self, *, input_type: Any = None, output_type: Any = None
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Tell the types of input and output; binding tools after that keeps them."""
        return self.bind().with_types(input_type=input_type, output_type=output_type)


_UNDER_WAY: ContextVar[frozenset[tuple[Any, str]]] = ContextVar(
    "openrouter_binding", default=frozenset()
)
"""Methods of subclasses that run now; those that bind first and go on from there come back here."""


def _call_own(name: str, model: Any, first: Any, options: dict[str, Any]) -> Any:
    """Call the method of a model's own class, or where that has led back here, of ours."""
    own: Any = model.__class__
    *_, ours = (each for each in own.__mro__ if issubclass(each, Bindable) and name in vars(each))
    under_way = _UNDER_WAY.get()
    owner = ours if (own, name) in under_way else own
    token = _UNDER_WAY.set(under_way | {(own, name)})
    try:
        return getattr(owner, name)(model, first, **options)
    finally:
        _UNDER_WAY.reset(token)


class BoundModel(Binding):
    """What `bind`, `bind_tools` and each `with_…` of a chat model return."""

    @override
    def bind(self, **kwargs: Any) -> Self:
        """Bind more arguments; a later one wins, under any of its names."""
        return self._with(later_wins(self.kwargs, kwargs))

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        **options: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools beside what is bound; they replace tools that were bound before.

        Args:
            tools: See `ChatOpenRouterO3.bind_tools`; an empty list changes no tools.
            options: See there.

        Raises:
            OpenRouterInputError: A tool cannot be sent or `tool_choice` names none of them.
        """
        before = tools_to_wire(self.kwargs.get("tools") or ())
        # The choice that came with the tools goes with them.
        gone = ("tool_choice",) if tools and before else ()
        kept = {name: value for name, value in self.kwargs.items() if name not in gone}
        model = self._stand_in(self._with(kept).bind)
        bound: Runnable[LanguageModelInput, AIMessage]
        bound = _call_own("bind_tools", model, tools or before, options)
        return bound

    @overload
    def with_structured_output(  # pyright: ignore[reportOverlappingOverload] - the first that fits
        self, schema: type[T], *, include_raw: Literal[False] = False, **options: Any
    ) -> Runnable[LanguageModelInput, T]: ...

    @overload
    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **options: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any]]: ...

    def with_structured_output(
        self, schema: dict[str, Any] | type, **options: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Make the answer an object of a schema; what is bound, tools too, stays bound.

        Args:
            schema: See `ChatOpenRouterO3.with_structured_output`.
            options: See there.

        Raises:
            OpenRouterInputError: The schema cannot be strict (the text names the path).
        """
        model = self._stand_in(self._add_tools)
        structured: Runnable[LanguageModelInput, Any]
        structured = _call_own("with_structured_output", model, schema, options)
        return structured

    @override
    def with_retry(self, **options: Any) -> Self:
        """Repeat a failed call; core's own would forget listeners and types."""
        # Not the model's own, which would give a binding again.
        plain: Any = Runnable
        return self.model_copy(update={"bound": plain.with_retry(self.bound, **options)})

    @override
    def with_alisteners(self, **listeners: Any) -> Self:
        """Await listeners around a run; core's own would put a binding around this one."""
        added: Any = super().with_alisteners(**listeners)
        factories = [*added.config_factories, *self.config_factories]
        return self.model_copy(update={"config_factories": factories})

    @override
    def configurable_fields(
        self, **kwargs: AnyConfigurableField
    ) -> RunnableSerializable[LanguageModelInput, AIMessage]:
        """Let a call's configuration set what is bound; binding more keeps that open."""
        return keep_open(super().configurable_fields(**kwargs))

    @override
    def configurable_alternatives(
        self, which: ConfigurableField, **options: Any
    ) -> RunnableSerializable[LanguageModelInput, AIMessage]:
        """Let a call's configuration choose among models; binding keeps the choice open."""
        return keep_open(super().configurable_alternatives(which, **options))

    @classmethod
    @override
    def lc_id(cls) -> list[str]:
        """Be written as core's own binding, which every program can read."""
        return RunnableBinding.lc_id()

    @property
    @override
    def lc_attributes(self) -> dict[str, Any]:
        """Headers are written as a text that no call takes: any of them may be a credential."""
        hidden = {name: HIDDEN for name in self.kwargs if is_header_argument(name)}
        return {"kwargs": {**self.kwargs, **hidden}} if hidden else {}

    @override
    def __repr_args__(self) -> Any:
        """Show the names of headers, never their values."""
        shown = {"kwargs": masked_headers(self.kwargs)}
        return [(name, shown.get(name, value)) for name, value in super().__repr_args__()]

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle without headers.

        Raises:
            TypeError: Headers are bound: any of them may carry credentials.
        """
        if any(value for name, value in self.kwargs.items() if is_header_argument(name)):
            raise TypeError(
                "extra_headers may carry credentials, which do not travel in a pickle; bind them "
                "where the model is used."
            )
        return super().__getstate__()

    @override
    def __getattr__(self, name: str) -> Any:
        # Core's retries hide what they are around; core's other wrappers do not.
        below: Any = self.bound
        while isinstance(below, _BINDINGS):
            below = below.bound
        return getattr(below, name) if below is not self.bound else super().__getattr__(name)

    def _stand_in(self, bind: Callable[..., BoundModel]) -> Any:
        """Copy the chat model; what is bound to the copy is bound here.

        The copy's own methods are those of its class, which may be anybody's.
        """
        below: Any = self.bound
        while not isinstance(below, BaseChatModel):
            below = below.bound if isinstance(below, _BINDINGS) else below.default
        model: Any = copy(below)
        model._bind_instead = bind  # noqa: SLF001 - the two are one
        return model

    def _add_tools(self, **arguments: Any) -> Self:
        """Bind tools beside those that are bound; of two that are one the later one stays."""
        before = tools_to_wire(self.kwargs.get("tools") or ())
        added = tools_to_wire(arguments.get("tools") or ())
        names = {tool_name(tool) for tool in added} - {None}
        if before or added:
            kept = [each for each in before if each not in added and tool_name(each) not in names]
            arguments["tools"] = [*kept, *added]
        return self.bind(**arguments)

    def _with(self, kwargs: Mapping[str, Any]) -> Self:
        return self.__class__(
            bound=self.bound,
            kwargs=kwargs,
            config=self.config,
            config_factories=self.config_factories,
            custom_input_type=self.custom_input_type,
            custom_output_type=self.custom_output_type,
        )


for _name in (
    "invoke",
    "ainvoke",
    "batch",
    "abatch",
    "batch_as_completed",
    "abatch_as_completed",
    "stream",
    "astream",
    "stream_events",
    "astream_events",
    "transform",
    "atransform",
):
    setattr(BoundModel, _name, _calling(_name))

if TYPE_CHECKING:
    Fields = RunnableConfigurableFields[LanguageModelInput, AIMessage]
    Alternatives = RunnableConfigurableAlternatives[LanguageModelInput, AIMessage]
else:
    # With types, pydantic would take no model whose own types are not the very same.
    Fields, Alternatives = RunnableConfigurableFields, RunnableConfigurableAlternatives


class Chosen:
    """Lets the model that a configuration chooses give its events; core's own classes give none."""

    # No annotation says here what `prepare` is: pydantic would make a field of it.

    def stream_events(
        self: Any,
        input: Any,  # noqa: A002 - core's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Stream the events of the model that is chosen."""
        model, config = self.prepare(config)
        return model.stream_events(input, config, **kwargs)

    def astream_events(
        self: Any,
        input: Any,  # noqa: A002 - core's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Stream the events of the model that is chosen, asynchronously."""
        model, config = self.prepare(config)
        return model.astream_events(input, config, **kwargs)


class ConfigurableModel(Bindable, Chosen, Fields):
    """What `configurable_fields` of a chat model returns."""

    def bind_tools(
        self, tools: Sequence[Any], **options: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools, see `ChatOpenRouterO3.bind_tools`; the fields stay configurable."""
        return self.bind().bind_tools(tools, **options)

    def with_structured_output(
        self, schema: dict[str, Any] | type, **options: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Make the answer an object of a schema; the fields stay configurable."""
        return self.bind().with_structured_output(schema, **options)

    @override
    def configurable_alternatives(
        self, which: ConfigurableField, **options: Any
    ) -> RunnableSerializable[LanguageModelInput, AIMessage]:
        """Let a call's configuration choose among models; binding keeps the choice open."""
        return keep_open(super().configurable_alternatives(which, **options))

    @classmethod
    @override
    def lc_id(cls) -> list[str]:
        """Be written as core's own class, which every program can read."""
        return RunnableConfigurableFields.lc_id()


class AlternativeModels(Chosen, Alternatives):
    """What `configurable_alternatives` of a chat model returns: each method serves them all."""

    @override
    def bind(self, **kwargs: Any) -> Self:
        """Bind arguments of a call to every alternative."""
        return self._each("bind", **kwargs)

    def bind_tools(
        self, tools: Sequence[Any], **options: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools to every alternative."""
        return self._each("bind_tools", tools, **options)

    def with_structured_output(
        self, schema: dict[str, Any] | type, **options: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Make the answer of every alternative an object of a schema."""
        return self._each("with_structured_output", schema, **options)

    @override
    def with_retry(self, **options: Any) -> Self:
        """Repeat a failed call of every alternative."""
        return self._each("with_retry", **options)

    @override
    def with_listeners(self, **listeners: Any) -> Self:
        """Let listeners hear of every alternative."""
        return self._each("with_listeners", **listeners)

    @override
    def with_alisteners(self, **listeners: Any) -> Self:
        """Let asynchronous listeners hear of every alternative."""
        return self._each("with_alisteners", **listeners)

    @override
    def with_types(self, *, input_type: Any = None, output_type: Any = None) -> Self:
        """Tell the types of every alternative."""
        return self._each("with_types", input_type=input_type, output_type=output_type)

    @classmethod
    @override
    def lc_id(cls) -> list[str]:
        """Be written as core's own class, which every program can read."""
        return RunnableConfigurableAlternatives.lc_id()

    def _each(self, name: str, *args: Any, **kwargs: Any) -> Self:
        """Call a method of every alternative, of one that is not built yet when it is."""
        alternatives = {
            key: _call(alternative, name, args, kwargs)
            if isinstance(alternative, Runnable)
            else partial(_build_and_call, alternative, name, args, kwargs)
            for key, alternative in self.alternatives.items()
        }
        default = _call(self.default, name, args, kwargs)
        return self.model_copy(update={"default": default, "alternatives": alternatives})


def keep_open(
    configurable: RunnableSerializable[LanguageModelInput, AIMessage],
) -> ConfigurableModel | AlternativeModels:
    """Turn core's configurable model into one whose choices survive binding."""
    if isinstance(configurable, RunnableConfigurableFields):
        return ConfigurableModel(**configurable.__dict__)
    return AlternativeModels(**configurable.__dict__)


def _call(model: Any, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    return getattr(model, name)(*args, **kwargs)


def _build_and_call(
    build: Callable[[], Any], name: str, args: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    return _call(build(), name, args, kwargs)
