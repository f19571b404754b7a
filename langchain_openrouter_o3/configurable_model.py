"""A chat model with choices that a call's configuration makes; binding keeps them open.

langchain-core's own classes hand `bind_tools` and `with_structured_output` on to the default. What
comes back knows the default only, so that a later configuration changes nothing, without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import ConfigurableField, Runnable, RunnableConfig
from langchain_core.runnables.base import RunnableSerializable
from langchain_core.runnables.configurable import (
    RunnableConfigurableAlternatives,
    RunnableConfigurableFields,
)
from typing_extensions import Self, override

from langchain_openrouter_o3.bound_model import Bindable, BoundModel

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

    @override
    def bind(self, **kwargs: Any) -> BoundModel:
        """Bind arguments of a call; the fields stay configurable."""
        return BoundModel(bound=self, kwargs=kwargs, config={})

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
