"""A chat request in the words that the rest of the emulator uses, and the parts of its body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import (
    Json,
    JsonObject,
    compact,
    integer_at,
    object_at,
    objects_at,
    text_at,
)
from langchain_openrouter_o3.emulator.wire.catalogue import Model, find_model, without_preset

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEFAULT_EFFORT = "medium"


@dataclass(frozen=True)
class ToolCall:
    """A call of a function; the arguments are the JSON text that the model wrote."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Message:
    """A message of the conversation, its text parts joined."""

    role: str
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True)
class Function:
    """A function that the model may call."""

    name: str
    description: str
    parameters: JsonObject
    strict: bool = False


@dataclass(frozen=True)
class ToolChoice:
    """Whether functions may or must be called, and which."""

    mode: str = "auto"
    name: str | None = None

    @property
    def forces(self) -> bool:
        """Whether the answer has to be a call."""
        return self.mode == "required" or self.name is not None


@dataclass(frozen=True)
class ReasoningWish:
    """What the request asks of the model's reasoning."""

    effort: str
    summary: bool
    exclude: bool


@dataclass(frozen=True)
class ChatRequest:
    """Everything that an answer depends on."""

    slug: str
    model: Model
    messages: tuple[Message, ...]
    functions: tuple[Function, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    parallel_tool_calls: bool = True
    searches_web: bool = False
    format: str = "text"
    schema: JsonObject | None = None
    reasoning: ReasoningWish | None = None
    max_tokens: int | None = None
    stream: bool = False
    prompt: tuple[str, ...] = ()

    @classmethod
    def from_body(cls, body: JsonObject) -> ChatRequest:
        """Read a body that passed the rules."""
        slug, model = answering_model(body)
        response_format = object_at(body, "response_format")
        schema = object_at(response_format, "json_schema").get("schema")
        return cls(
            slug=slug,
            model=model,
            messages=messages_of(body),
            functions=tuple(_function(item) for item in function_tools(body)),
            tool_choice=_tool_choice(body.get("tool_choice")),
            parallel_tool_calls=body.get("parallel_tool_calls") is not False,
            searches_web=_searches_web(body, slug),
            format=text_at(response_format, "type") or "text",
            schema=schema if isinstance(schema, dict) else None,
            reasoning=_reasoning_wish(body, model) if model.reasons else None,
            max_tokens=token_limit(body),
            stream=body.get("stream") is True,
            prompt=tuple(prompt_texts(body)),
        )


def messages_of(body: JsonObject) -> tuple[Message, ...]:
    """Return the messages of a body."""
    return tuple(_message(item) for item in objects_at(body, "messages"))


def candidate_slugs(body: JsonObject) -> list[str]:
    """Return the models to try, in order: `model`, the fallbacks in `models`, the preset's."""
    models = body.get("models")
    preset = [f"@preset/{body['preset']}"] if body.get("preset") else []
    named = [body.get("model"), *(models if isinstance(models, list) else []), *preset]
    return [slug for slug in named if isinstance(slug, str) and slug]


def answering_model(body: JsonObject) -> tuple[str, Model]:
    """Return the first known model and the slug it was asked for by.

    Raises:
        LookupError: There is none.
    """
    for slug in candidate_slugs(body):
        model = find_model(slug)
        if model is not None:
            return without_preset(slug), model
    raise LookupError("no known model")


def function_tools(body: JsonObject) -> list[JsonObject]:
    """Return the function definitions among the tools."""
    tools = objects_at(body, "tools")
    return [object_at(tool, "function") for tool in tools if tool.get("type") == "function"]


def token_limit(body: JsonObject) -> int | None:
    """Return the smaller of the two spellings of the limit on output tokens."""
    named = (integer_at(body, "max_tokens"), integer_at(body, "max_completion_tokens"))
    return min((limit for limit in named if limit is not None), default=None)


def text_content(content: Json) -> str:
    """Return the text of a message's content, a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = (
        [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    )
    return "\n".join(text_at(part, "text") for part in parts if part.get("type") == "text")


def prompt_texts(body: JsonObject) -> list[str]:
    """Return the prompt as the tokenizer sees it: the tools and the schema, then each message."""
    texts = [compact(body[key]) for key in ("tools", "response_format") if body.get(key)]
    for message in objects_at(body, "messages"):
        calls = _tool_calls(message)
        spoken = [text_content(message.get("content")), *(call.name for call in calls)]
        texts.append("\n".join([*spoken, *(call.arguments for call in calls)]).strip())
    return texts


def _tool_calls(message: JsonObject) -> Sequence[ToolCall]:
    calls: list[ToolCall] = []
    for item in objects_at(message, "tool_calls"):
        function = object_at(item, "function")
        call = ToolCall(
            text_at(item, "id"), text_at(function, "name"), text_at(function, "arguments")
        )
        calls.append(call)
    return calls


def _message(item: JsonObject) -> Message:
    return Message(
        role=text_at(item, "role"),
        text=text_content(item.get("content")),
        tool_calls=tuple(_tool_calls(item)),
        tool_call_id=text_at(item, "tool_call_id"),
    )


def _function(item: JsonObject) -> Function:
    return Function(
        name=text_at(item, "name"),
        description=text_at(item, "description"),
        parameters=object_at(item, "parameters"),
        strict=item.get("strict") is True,
    )


def _tool_choice(value: Json) -> ToolChoice:
    if isinstance(value, str):
        return ToolChoice(mode=value)
    if isinstance(value, dict):
        return ToolChoice(mode="required", name=text_at(object_at(value, "function"), "name"))
    return ToolChoice()


def _searches_web(body: JsonObject, slug: str) -> bool:
    """A server tool, the web plugin and the `:online` variant are three names of one thing."""
    server_tools = [tool for tool in objects_at(body, "tools") if tool.get("type") != "function"]
    plugins = [text_at(plugin, "id") for plugin in objects_at(body, "plugins")]
    return bool(server_tools) or "web" in plugins or slug.endswith(":online")


def _reasoning_wish(body: JsonObject, model: Model) -> ReasoningWish:
    asked = object_at(body, "reasoning")
    named = text_at(asked, "effort") or text_at(body, "reasoning_effort")
    effort = model.fixed_effort or named or _DEFAULT_EFFORT
    return ReasoningWish(
        effort=effort,
        summary=effort != "low" or bool(asked.get("summary")),
        exclude=asked.get("exclude") is True or body.get("include_reasoning") is False,
    )
