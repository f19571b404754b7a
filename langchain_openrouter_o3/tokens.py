"""Counting tokens: exactly with o3-mini's own tokenizer, or a stated estimate offline.

The tokenizer is reached through `langchain-openai`'s public `ChatOpenAI`, imported on first
use: the import alone takes seconds, and the encoding is a download.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.messages.utils import count_tokens_approximately

from langchain_openrouter_o3.tools import tools_to_wire

_TOKENIZER_MODEL = "o3-mini"  # all o-series models share its encoding, o200k_base


def count_message_tokens(messages: Sequence[BaseMessage], tools: Sequence[Any] | None) -> int:
    """Count the tokens of a conversation with its tools, as OpenAI's cookbook does.

    Warns:
        UserWarning: The encoding cannot be loaded, so the number is an estimate.
    """
    counter = _counter()
    wire: list[Any] | None = list(tools_to_wire(tools or ())) or None
    if counter is None:
        return count_tokens_approximately(messages, tools=wire)
    return int(
        counter.get_num_tokens_from_messages(
            list(messages), tools=wire, allow_fetching_images=False
        )
    )


def count_text_tokens(text: str) -> int:
    """Count the tokens of a text.

    Warns:
        UserWarning: The encoding cannot be loaded, so the number is an estimate.
    """
    counter = _counter()
    if counter is None:
        return -(-len(text) // 4)  # four characters a token, rounded up, like langchain-core
    return len(counter.get_token_ids(text))


def encode_text(text: str) -> list[int]:
    """Return the token ids of a text.

    Raises:
        NotImplementedError: The encoding cannot be loaded; ids cannot be estimated.
    """
    counter = _counter()
    if counter is None:
        raise NotImplementedError(
            "Token ids need o3-mini's encoding, which could not be loaded. Connect once so that "
            "tiktoken can store it, or set custom_get_token_ids."
        )
    return list(counter.get_token_ids(text))


@lru_cache(maxsize=1)
def _counter() -> Any:
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - slow, and rarely needed

    counter = ChatOpenAI(model=_TOKENIZER_MODEL, api_key="unused: nothing is sent")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - a str is coerced
    try:
        counter.get_token_ids("")
    except OSError as error:  # requests' errors, when the encoding is not stored and offline
        warnings.warn(
            f"o3-mini's encoding could not be loaded ({type(error).__name__}); token counts are "
            "estimates of four characters a token.",
            stacklevel=4,
        )
        return None
    return counter
