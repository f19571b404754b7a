"""Structured output: from any schema to `response_format`, and from the answer to an object.

Source: https://openrouter.ai/docs/features/structured-outputs
"""

from __future__ import annotations

import json
import re
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterator,
)
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import BaseTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, TypeAdapter
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic.v1.typing import is_typeddict
from typing_extensions import TypeIs

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._wire.absent import drop_absent, has_optionals
from langchain_openrouter_o3._wire.answer import is_truncated
from langchain_openrouter_o3._wire.remembered import remembered
from langchain_openrouter_o3._wire.schema import (
    repair_schema,
    strict_schema,
    without_invented_words,
)
from langchain_openrouter_o3._wire.schema_shape import (
    Schema,
)
from langchain_openrouter_o3.errors import (
    OpenRouterInputError,
    OpenRouterOutputError,
    OpenRouterRefusalError,
    OpenRouterTruncatedError,
)
from langchain_openrouter_o3.object_stream import ObjectStream

Method = Literal["json_schema", "function_calling", "json_mode"]

_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_MAX_NAME = 64
_MAX_QUOTE = 300


class MisfitError(ValueError):
    """An answer does not fit what it is to become; the cause says why."""


@dataclass(frozen=True)
class Target:
    """What an answer is to become.

    Attributes:
        name: As OpenAI accepts it.
        description: For the model.
        schema: The JSON schema as the caller means it, before it is made strict.
        validate: Turns the parsed JSON into the caller's object.
        growing: Whether a stream shows the object while it grows (dictionaries do; instances
            appear once they are valid).
        validate_json: The same from JSON text in one step, where the class can do that.
    """

    name: str
    description: str | None
    schema: Schema
    validate: Callable[[Any], Any]
    growing: bool = False
    validate_json: Callable[[str], Any] | None = None

    @cached_property
    def has_optionals(self) -> bool:
        """Whether strict mode may bring nulls that have to be taken out again."""
        return has_optionals(self.schema)

    def make(self, value: Any) -> Any:
        """Make the caller's object of parsed JSON.

        Raises:
            MisfitError: It does not fit; the cause says why.
        """
        meant = drop_absent(value, self.schema) if self.has_optionals else value
        return _fit(self.validate, meant)

    def make_partial(self, value: Any) -> Any:
        """Make of JSON that is still growing what a stream can show; None if there is nothing."""
        if self.growing:
            return value
        try:
            return self.make(value)
        except MisfitError:
            return None  # not valid yet

    def response_format(self, *, strict: bool) -> dict[str, Any]:
        """Return the `json_schema` envelope.

        Raises:
            OpenRouterInputError: The schema cannot be strict; the text names the path.
        """
        what = f"schema {self.name!r}"
        schema = strict_schema(self.schema, what) if strict else repair_schema(self.schema, what)
        envelope: dict[str, Any] = {"name": self.name, "strict": strict, "schema": schema}
        if self.description:
            envelope["description"] = self.description
        return {"type": "json_schema", "json_schema": envelope}

    def traced(self, schema: Any) -> Any:
        """Return the schema in the form that LangChain can put into traces.

        Converted once: LangChain would do it anew for each call.
        """
        untitled = is_object(schema) and "title" not in schema and "name" not in schema
        shown = {"title": self.name, **self.schema} if untitled or is_dataclass(schema) else schema
        try:
            converted = convert_to_json_schema(shown)
            return converted if convert_to_json_schema(converted) == converted else shown
        except (TypeError, ValueError, RecursionError):
            return shown  # LangChain leaves out of traces what it cannot convert

    def tool(self) -> dict[str, Any]:
        """Return the function whose arguments are the object."""
        function: dict[str, Any] = {"name": self.name, "parameters": self.schema}
        if self.description:
            function["description"] = self.description
        return {"type": "function", "function": function}


def build_target(schema: Any) -> Target:
    """Read a schema in any of the forms that LangChain users write.

    Args:
        schema: A Pydantic class (v2 or v1), dataclass, TypedDict, JSON schema with or without
            title, OpenAI function or tool, or a `json_schema` envelope.

    Raises:
        OpenRouterInputError: It is none of these.
    """
    if is_object(schema):
        return _dict_target(schema)
    if not _is_class(schema):
        raise OpenRouterInputError(
            f"schema: {schema!r} is no schema; pass a Pydantic class, dataclass, TypedDict or a "
            "JSON schema."
        )
    name = _clean_name(schema.__name__)
    if issubclass(schema, BaseModel):
        json_schema = schema.model_json_schema()
        return Target(
            name,
            _description(json_schema),
            json_schema,
            schema.model_validate,
            validate_json=schema.model_validate_json,
        )
    if issubclass(schema, BaseModelV1):
        json_schema = schema.schema()
        return Target(name, _description(json_schema), json_schema, schema.parse_obj)
    if is_dataclass(schema):
        adapter: TypeAdapter[Any] = TypeAdapter(schema)
        json_schema = adapter.json_schema()
        return Target(name, _description(json_schema), json_schema, adapter.validate_python)
    json_schema = without_invented_words(_typed_dict_schema(schema))
    return Target(name, _description(json_schema), json_schema, _as_is, growing=True)


def response_format_to_wire(value: Any) -> dict[str, Any]:
    """Convert `response_format`, strict unless an envelope says otherwise.

    Args:
        value: Any schema that `build_target` takes, `{"type": "json_object"}`, or another
            dictionary that OpenRouter knows by its `type`.

    Raises:
        OpenRouterInputError: The schema cannot be strict; the text names the path.
    """
    if is_object(value):
        return _dictionary_to_wire(value)
    return build_target(value).response_format(strict=True)


@remembered
def _dictionary_to_wire(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("type") == "json_schema":
        target = build_target(value)
        return target.response_format(strict=value["json_schema"].get("strict") is not False)
    if _is_schema(value):
        return build_target(value).response_format(strict=True)
    if isinstance(value.get("type"), str):
        return dict(value)
    raise OpenRouterInputError(
        "response_format needs a 'type' ('json_schema', 'json_object') or must be a schema."
    )


class StructuredOutputParser(BaseTransformOutputParser[Any]):
    """Turns an AI message into the wanted object, or says why that is impossible.

    Attributes:
        target: What to make.
        method: Where in the message it is.
        include_raw: Whether to return `raw`, `parsed` and `parsing_error` instead.
    """

    target: Target
    method: Method
    include_raw: bool = False

    def parse(self, text: str) -> Any:
        """Parse bare text as the final answer."""
        return self.parse_message(AIMessage(content=text))

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Parse a model's result."""
        del partial
        generation = result[0]
        if not isinstance(generation, ChatGeneration):
            return self.parse(generation.text)
        message = generation.message
        if not self.include_raw:
            return self.parse_message(message)
        outcome: dict[str, Any] = {"raw": message, "parsed": None, "parsing_error": None}
        try:
            outcome["parsed"] = self.parse_message(message)
        except OpenRouterOutputError as error:
            outcome["parsing_error"] = error
        return outcome

    def parse_message(self, message: BaseMessage) -> Any:
        """Parse a whole message. Half an object is never repaired.

        Raises:
            OpenRouterRefusalError: The model refused.
            OpenRouterTruncatedError: A token limit cut the answer.
            OpenRouterOutputError: The object is missing, doubled or invalid.
        """
        _refuse_unfinished(message)
        if (parsed := self._parse_at_once(message)) is not None:
            return parsed
        value = self._call_arguments(message) if self.by_call else _parse_json(message)
        if not is_object(value):
            raise _error(message, f"The answer is no object, as {self.target.name} needs.")
        return self.validate_object(value, message)

    def validate_object(self, value: Any, message: BaseMessage) -> Any:
        """Make the caller's object of parsed JSON.

        Raises:
            OpenRouterOutputError: It does not fit.
        """
        try:
            return self.target.make(value)
        except MisfitError as misfit:
            cause = misfit.__cause__
            raise _error(message, f"The answer does not fit {self.target.name}: {cause}") from cause

    def _parse_at_once(self, message: BaseMessage) -> Any:
        """Parse and validate in one step, or leave to the careful way what may need it."""
        validate, text = self.target.validate_json, _text(message)
        if self.by_call or validate is None or not text.lstrip().startswith("{"):
            return None
        if self.target.has_optionals and "null" in text:
            return None
        try:
            return _fit(validate, text)
        except MisfitError:
            return None  # the careful way says what is wrong

    @property
    def by_call(self) -> bool:
        """Whether the object is the arguments of a tool call."""
        return self.method == "function_calling"

    def _call_arguments(self, message: BaseMessage) -> Any:
        name = self.target.name
        if not isinstance(message, AIMessage):
            raise _error(message, f"A {type(message).__name__} makes no tool calls.")
        broken = [call for call in message.invalid_tool_calls if call["name"] == name]
        if broken:
            raise _error(message, f"The arguments of {name} are not valid: {broken[0]['args']}")
        calls = [call for call in message.tool_calls if call["name"] == name]
        if len(calls) != 1:
            found = f"{len(calls)} calls of" if calls else "no call of"
            raise _error(message, f"The answer has {found} {name} where one was wanted.")
        return calls[0]["args"]

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:  # noqa: A002 - core's name
        stream = ObjectStream(self)
        for chunk in input:
            yield from stream.feed(chunk)
        yield from stream.finish()

    async def _atransform(
        self,
        input: AsyncIterator[str | BaseMessage],  # noqa: A002 - core's name
    ) -> AsyncIterator[Any]:
        stream = ObjectStream(self)
        async for chunk in input:
            for item in stream.feed(chunk):
                yield item
        for item in stream.finish():
            yield item


def build_parser(target: Target, method: Method, *, include_raw: bool) -> StructuredOutputParser:
    """Build the parser of a structured answer.

    Raises:
        OpenRouterInputError: There is no such method.
    """
    if method not in get_args(Method):
        raise OpenRouterInputError(f"method={method!r} is none of {get_args(Method)}.")
    return StructuredOutputParser(target=target, method=method, include_raw=include_raw)


def _fit(validate: Callable[[Any], Any], value: Any) -> Any:
    try:
        return validate(value)
    except Exception as error:  # the caller's own validators may raise anything; all of it is kept
        raise MisfitError from error


def _refuse_unfinished(message: BaseMessage) -> None:
    refusal = message.additional_kwargs.get("refusal")
    if refusal:
        raise OpenRouterRefusalError(
            f"The model refused: {refusal}", partial=_as_ai(message), **_ids(message)
        )
    metadata = message.response_metadata
    if is_truncated(metadata.get("finish_reason"), metadata.get("native_finish_reason")):
        usage: dict[str, Any] = getattr(message, "usage_metadata", None) or {}
        reasoning = usage.get("output_token_details", {}).get("reasoning")
        spent = f" after {usage['output_tokens']} tokens" if usage else ""
        spent += f", {reasoning} of them hidden reasoning" if reasoning else ""
        raise OpenRouterTruncatedError(
            f"The answer was cut by a token limit{spent}. Raise max_tokens or lower "
            "reasoning_effort.",
            partial=_as_ai(message),
            **_ids(message),
        )


def _parse_json(message: BaseMessage) -> Any:
    text = _text(message)
    called = [call["name"] for call in getattr(message, "tool_calls", [])]
    if called and not text:
        raise _error(
            message,
            f"The model called {', '.join(called)} instead of answering; run the call from the "
            "message (include_raw=True) and ask again.",
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _error(message, f"The answer is not JSON ({error}).") from error


def _text(message: BaseMessage) -> str:
    return message.content if isinstance(message.content, str) else str(message.text)


def _error(message: BaseMessage, text: str) -> OpenRouterOutputError:
    content = _text(message)
    if content:
        text = f"{text} Content: {_quote(content)}"
    error = OpenRouterOutputError(text, partial=_as_ai(message), **_ids(message))
    error.llm_output = content
    return error


def _as_ai(message: BaseMessage) -> AIMessage | None:
    return message if isinstance(message, AIMessage) else None


def _ids(message: BaseMessage) -> dict[str, Any]:
    return {
        "generation_id": message.response_metadata.get("id"),
        "provider_name": message.response_metadata.get("provider"),
    }


def _quote(text: str) -> str:
    return repr(text if len(text) <= _MAX_QUOTE else f"{text[:_MAX_QUOTE]}…")


def _as_is(value: Any) -> Any:
    return value


def _dict_target(schema: dict[str, Any]) -> Target:
    inner = schema.get("json_schema", schema.get("function", schema))
    if not is_object(inner):
        raise OpenRouterInputError("schema: 'json_schema' or 'function' must be a dictionary.")
    body = inner.get("schema", inner.get("parameters", inner if inner is schema else None))
    if not is_object(body) or not _is_schema(body):
        raise OpenRouterInputError(
            "schema: the dictionary is neither a JSON schema nor an OpenAI function."
        )
    name = inner.get("name") or body.get("title") or "output"
    description = inner.get("description") or body.get("description")
    return Target(_clean_name(str(name)), description, body, _as_is, growing=True)


def _is_schema(value: dict[str, Any]) -> bool:
    """Tell a JSON schema (or an OpenAI function) from an envelope by what only it has."""
    return value.get("type") == "object" or bool(
        value.keys() & {"properties", "$ref", "parameters", "function", "anyOf", "$defs"}
    )


def _typed_dict_schema(schema: type[Any]) -> Schema:
    if not is_typeddict(schema):
        raise OpenRouterInputError(
            f"schema: {schema!r} is no schema; pass a Pydantic class, dataclass, TypedDict or a "
            "JSON schema."
        )
    try:
        return convert_to_json_schema(schema)
    except (TypeError, ValueError, RecursionError):
        # langchain-core knows its own annotations, but neither NotRequired nor recursion.
        adapter: TypeAdapter[Any] = TypeAdapter(schema)
        return adapter.json_schema()


def _is_class(value: Any) -> TypeIs[type[Any]]:
    # On Python 3.10 list[int] calls itself a type.
    return isinstance(value, type) and get_origin(value) is None


def _description(schema: Schema) -> str | None:
    description = schema.get("description")
    return description if isinstance(description, str) else None


def _clean_name(name: str) -> str:
    return _NAME.sub("_", name).strip("_")[:_MAX_NAME] or "output"
