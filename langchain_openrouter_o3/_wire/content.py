"""Content blocks to content parts, for every role.

OpenRouter's own parts (text, image_url, input_audio, file with "file", video_url) go as they are.
LangChain's data blocks (image, audio, video, file, text-plain) are mapped key by key, in the
spelling of both of its versions; what has no place in the part is refused by its name. What
LangChain keeps in a block for itself (`id`, `index`) is not sent.

Source: https://openrouter.ai/docs/api-reference/chat-completion (ChatContentItems)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._wire.conversation import MessageContext
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_core.messages import BaseMessage


_OF_ANY_PART = ("cache_control", "prompt_cache_breakpoint")
_SOURCES = ("url", "base64", "file_id")
# MIME subtypes whose format has another name on the wire.
_AUDIO_FORMATS = {
    "mpeg": "mp3",
    "mp4": "m4a",
    "vnd.wave": "wav",
    "wave": "wav",
    "x-aiff": "aiff",
    "x-flac": "flac",
    "x-m4a": "m4a",
    "x-wav": "wav",
}
_DATA_URI = re.compile(r"data:([^;,]+);base64,(.+)", re.DOTALL)


def content_to_wire(
    content: str | Sequence[str | dict[Any, Any]], context: MessageContext
) -> str | list[dict[str, Any]]:
    """Map a message's content; a string stays a string, and no blocks are no text.

    Raises:
        OpenRouterInputError: A block has no place on the wire.
    """
    if isinstance(content, str):
        return content
    return [part_to_wire(block, context) for block in content] or ""  # some servers refuse []


def part_to_wire(block: str | dict[str, Any], context: MessageContext) -> dict[str, Any]:
    """Map one content block; a bare string becomes a text part.

    Raises:
        OpenRouterInputError: It has no place on the wire.
    """
    if isinstance(block, str):
        return {"type": "text", "text": block}
    convert = _PARTS.get(str(block.get("type")))
    if convert is None:
        raise OpenRouterInputError(
            f"{context.name}: a content block of type {block.get('type')!r} cannot be sent; "
            "remove it or convert it to text."
        )
    return convert(block, context)


def protect_blocks(messages: Sequence[BaseMessage]) -> list[BaseMessage] | None:
    """Rewrite the blocks that langchain-core would alter before a chat model sees them.

    Core takes every file in OpenAI's form for a PDF, and fails at some blocks of LangChain's
    first version. Both are brought into the second version here, which core leaves alone.

    Returns:
        The messages; None if there is nothing to rewrite.

    Raises:
        OpenRouterInputError: An image cannot be sent; core would fail while it traces it.
    """
    if all(isinstance(message.content, str) for message in messages):
        return None
    context = MessageContext(image_inputs=True)
    protected: list[BaseMessage] = []
    for index, message in enumerate(messages):
        context.index, context.message = index, message
        protected.append(_protect_message(message, context))
    pairs = zip(protected, messages, strict=True)
    return None if all(message is before for message, before in pairs) else protected


def _protect_message(message: BaseMessage, context: MessageContext) -> BaseMessage:
    if isinstance(message.content, str):
        return message
    blocks = [_protect(block) if is_object(block) else block for block in message.content]
    for block in blocks:
        if is_object(block) and block.get("type") == "image":
            _data(block, context)
    pairs = zip(blocks, message.content, strict=True)
    if all(block is before for block, before in pairs):
        return message
    return message.model_copy(update={"content": blocks})


def _protect(block: dict[str, Any]) -> dict[str, Any]:
    kind = block.get("type")
    if kind in ("image", "audio", "file") and "source_type" in block:
        keys = _second_version(block)
        return {**keys, "type": "text-plain"} if "text" in keys else keys
    inner = block.get(str(kind))
    if not is_object(inner):
        return block
    more = _keys_of({key: value for key, value in block.items() if key != kind})
    if kind == "input_audio":
        return _protect_audio(block, inner, more)
    return _protect_file(block, inner, more) if kind == "file" else block


def _protect_audio(
    block: dict[str, Any], inner: dict[str, Any], more: dict[str, Any]
) -> dict[str, Any]:
    data, form = inner.get("data"), inner.get("format")
    if not (isinstance(data, str) and isinstance(form, str)):
        return block
    rest = {f"audio_{key}": value for key, value in inner.items() if key not in ("data", "format")}
    extras = {**more, **rest, "format": form}
    return {"type": "audio", "base64": data, "mime_type": f"audio/{form}", "extras": extras}


def _protect_file(
    block: dict[str, Any], inner: dict[str, Any], more: dict[str, Any]
) -> dict[str, Any]:
    found = _DATA_URI.fullmatch(str(inner.get("file_data")))
    if found is None or "file_id" in inner:
        return block
    rest = {f"file_{key}": value for key, value in inner.items() if key != "file_data"}
    mime_type, data = found.groups()
    return {"type": "file", "base64": data, "mime_type": mime_type, "extras": {**more, **rest}}


def _second_version(block: dict[str, Any]) -> dict[str, Any]:
    """Bring a data block into the spelling of LangChain's second version."""
    keys = {key: value for key, value in block.items() if key != "source_type"}
    names = {"id": {"id": "file_id"}, "base64": {"data": "base64"}, "text": {"url": "text"}}
    renamed = names.get(str(block.get("source_type")), {})
    return {renamed.get(key, key): value for key, value in keys.items()}


def _text(block: dict[str, Any], context: MessageContext) -> dict[str, Any]:
    _check_text(block.get("text"), context)
    keys: dict[str, Any] = {"type": "text", "text": ""}
    for layer in _layers(block, ("extras",)):
        keys |= layer
    if isinstance(context.message, AIMessage):
        # What else a text of an answer has (citations, signatures) was made by its provider.
        keys = {key: keys[key] for key in ("type", "text", *_OF_ANY_PART) if key in keys}
    return {key: value for key, value in keys.items() if not _is_no_word(key, value, ("extras",))}


def _check_text(text: Any, context: MessageContext) -> None:
    if not isinstance(text, str):
        raise OpenRouterInputError(f"{context.name}: a text block needs its text under 'text'.")


def _document(block: dict[str, Any], context: MessageContext) -> dict[str, Any]:
    """Map LangChain's plain-text document, which may also be a file."""
    keys = _keys_of(block)
    if any(source in keys for source in _SOURCES):
        return _data({"mime_type": "text/plain", **keys, "type": "file"}, context)
    text = keys.pop("text", None)
    _check_text(text, context)
    keys.pop("mime_type", None)  # what goes as text has no other type
    # Its title and its context are text for the model, too.
    above = [str(keys.pop(key)) for key in ("title", "context") if key in keys]
    part = {"type": "text", "text": "\n\n".join([*filter(None, above), text])}
    return _finish(part, keys, block, context)


def _image(block: dict[str, Any], context: MessageContext) -> dict[str, Any]:
    if not context.image_inputs:
        raise OpenRouterInputError(
            f"{context.name}: the model has no image input; remove the {block['type']} block or "
            "choose a model that sees images, such as openai/o4-mini. An agent whose thread keeps "
            "the image needs a middleware that replaces it before each call: "
            "UnsupportedContentMiddleware of deepagents, or your own with wrap_model_call."
        )
    return _verbatim(block, context) if block["type"] == "image_url" else _data(block, context)


def _file(block: dict[str, Any], context: MessageContext) -> dict[str, Any]:
    return _verbatim(block, context) if "file" in block else _data(block, context)


def _data(block: dict[str, Any], context: MessageContext) -> dict[str, Any]:
    """Map a data block of LangChain; every key has its place or is refused."""
    kind = str(block["type"])
    name, inner_keys, prefix, sources = _WIRE[kind]
    keys = _keys_of(_second_version(block))
    inner = _source_to_wire(kind, keys, sources, context)
    for key in list(keys):
        if key in inner_keys or key.startswith(prefix):
            inner[key.removeprefix(prefix)] = keys.pop(key)
    return _finish({"type": name, name: inner}, keys, block, context)


def _source_to_wire(
    kind: str, keys: dict[str, Any], sources: dict[str, str], context: MessageContext
) -> dict[str, Any]:
    """Take the one source of a data block, and the type that belongs to it."""
    found = [key for key in _SOURCES if key in keys]
    source = found[0] if len(found) == 1 and found[0] in sources else None
    value = keys.pop(source) if source is not None else None
    if source is None or not isinstance(value, str):
        raise OpenRouterInputError(
            f"{context.name}: the {kind} block needs exactly one of {', '.join(sources)} as text; "
            f"it has {', '.join(found) or 'none'}."
        )
    # The server behind a URL, and the one that keeps a file, say themselves what type it has.
    mime_type = keys.pop("mime_type", None)
    if source != "base64":
        return {sources[source]: value}
    if kind == "audio":
        return {
            "data": value,
            "format": keys.pop("format", None) or _audio_format(mime_type, context),
        }
    _check_mime_type(kind, mime_type, context)
    return {sources[source]: f"data:{mime_type};base64,{value}"}


def _audio_format(mime_type: Any, context: MessageContext) -> str:
    _check_mime_type("audio", mime_type, context)
    subtype = str(mime_type).partition(";")[0].rpartition("/")[2].strip().lower()
    return _AUDIO_FORMATS.get(subtype, subtype)


def _check_mime_type(kind: str, mime_type: Any, context: MessageContext) -> None:
    if not isinstance(mime_type, str) or not mime_type:
        raise OpenRouterInputError(
            f"{context.name}: the {kind} block needs its mime_type beside base64 data."
        )


def _finish(
    part: dict[str, Any], keys: dict[str, Any], block: dict[str, Any], context: MessageContext
) -> dict[str, Any]:
    """Add what any part may have, and refuse the rest."""
    part |= {key: keys.pop(key) for key in _OF_ANY_PART if key in keys}
    if keys:
        raise OpenRouterInputError(
            f"{context.name}: {', '.join(sorted(keys))} of the {block['type']} block cannot be "
            "sent; remove it, or write the part as OpenRouter has it."
        )
    return part


def _keys_of(block: dict[str, Any]) -> dict[str, Any]:
    """Return what a block says, also in `extras` and `metadata`; None says nothing."""
    unpacked = ("metadata", "extras")
    keys: dict[str, Any] = {}
    for layer in _layers(block, unpacked):
        keys |= {
            key: value
            for key, value in layer.items()
            if not _is_no_word(key, value, unpacked) and key != "type"
        }
    return keys


def _layers(block: dict[str, Any], unpacked: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Give what a block holds under these keys, however deep, and then the block itself.

    langchain-core's `create_image_block(url=…, extras={…})` puts extras into extras.
    """
    for key in unpacked:
        inner = block.get(key)
        if is_object(inner):
            yield from _layers(inner, unpacked)
    yield block


def _is_no_word(key: str, value: Any, unpacked: Sequence[str]) -> bool:
    """Whether a key is LangChain's own (its names and numbers of blocks), or says nothing."""
    return value is None or key in ("id", "index") or (key in unpacked and is_object(value))


def _verbatim(block: dict[str, Any], context: MessageContext) -> dict[str, Any]:
    del context
    return {
        key: value
        for key, value in block.items()
        if value is not None
        and key != "index"
        and not (key == "id" and str(value).startswith("lc_"))
    }


# The part that a data block becomes, further keys inside it, the beginning that langchain-core
# gives to the names of others when it rewrites a part, and where its source goes.
_WIRE: dict[str, tuple[str, tuple[str, ...], str, dict[str, str]]] = {
    "image": ("image_url", ("detail",), "image_url_", {"url": "url", "base64": "url"}),
    "audio": ("input_audio", (), "audio_", {"base64": "data"}),
    "video": ("video_url", (), "video_url_", {"url": "url", "base64": "url"}),
    "file": (
        "file",
        ("filename",),
        "file_",
        {"url": "file_data", "base64": "file_data", "file_id": "file_id"},
    ),
}
_PARTS: dict[str, Callable[[dict[str, Any], MessageContext], dict[str, Any]]] = {
    "text": _text,
    "text-plain": _document,
    "image_url": _image,
    "image": _image,
    "file": _file,
    "audio": _data,
    "video": _data,
    "input_audio": _verbatim,
    "input_video": _verbatim,
    "video_url": _verbatim,
}
