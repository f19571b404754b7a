"""Content blocks to content parts, for every role.

Source: https://openrouter.ai/docs/api-reference/chat-completion (ChatContentItems)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages.block_translators.openai import convert_to_openai_data_block

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_openrouter_o3._wire.place import Place


def content_to_wire(
    content: str | Sequence[str | dict[Any, Any]], place: Place
) -> str | list[dict[str, Any]]:
    """Map a message's content; a string stays a string.

    Raises:
        OpenRouterInputError: A block has no place on the wire.
    """
    if isinstance(content, str):
        return content
    return [part_to_wire(block, place) for block in content]


def part_to_wire(block: str | dict[str, Any], place: Place) -> dict[str, Any]:
    """Map one content block; a bare string becomes a text part.

    Raises:
        OpenRouterInputError: It has no place on the wire.
    """
    if isinstance(block, str):
        return {"type": "text", "text": block}
    convert = _PARTS.get(str(block.get("type")))
    if convert is None:
        raise OpenRouterInputError(
            f"{place.name}: a content block of type {block.get('type')!r} cannot be sent; "
            "remove it or convert it to text."
        )
    return convert(block, place)


def _text(block: dict[str, Any], place: Place) -> dict[str, Any]:
    text = block.get("text")
    if not isinstance(text, str):
        raise OpenRouterInputError(f"{place.name}: a text block needs its text under 'text'.")
    part: dict[str, Any] = {"type": "text", "text": text}
    extras = block.get("extras")
    for key in ("cache_control", "prompt_cache_breakpoint"):
        value = block.get(key, extras.get(key) if is_object(extras) else None)
        if value is not None:
            part[key] = value
    return part


def _document(block: dict[str, Any], place: Place) -> dict[str, Any]:
    # LangChain's plain-text document; its title and context are text for the model, too.
    texts = [block[key] for key in ("title", "context") if block.get(key)]
    part = _text(block, place)
    return {**part, "text": "\n\n".join(map(str, [*texts, part["text"]]))}


def _image(block: dict[str, Any], place: Place) -> dict[str, Any]:
    if not place.image_inputs:
        raise OpenRouterInputError(
            f"{place.name}: the model has no image input; remove the {block['type']} block or "
            "choose a model that sees images, such as openai/o4-mini."
        )
    return _verbatim(block, place) if block["type"] == "image_url" else _data(block, place)


def _data(block: dict[str, Any], place: Place) -> dict[str, Any]:
    # A file by URL is OpenRouter's own extension; core only knows OpenAI's limits.
    if block["type"] == "file" and isinstance(block.get("url"), str):
        name = block.get("filename")
        file = {"file_data": block["url"], **({"filename": name} if name else {})}
        return {"type": "file", "file": file}
    if block["type"] == "file" and "file" in block:
        return _verbatim(block, place)
    try:
        return convert_to_openai_data_block(block)
    except (KeyError, TypeError, ValueError) as error:
        raise OpenRouterInputError(
            f"{place.name}: the {block['type']} block cannot be sent: {error}"
        ) from error


def _verbatim(block: dict[str, Any], place: Place) -> dict[str, Any]:
    del place
    return {key: value for key, value in block.items() if key != "index" and value is not None}


_PARTS: dict[str, Callable[[dict[str, Any], Place], dict[str, Any]]] = {
    "text": _text,
    "text-plain": _document,
    "image_url": _image,
    "image": _image,
    "file": _data,
    "audio": _data,
    "input_audio": _verbatim,
    "input_video": _verbatim,
    "video_url": _verbatim,
}
