"""Counting tokens: with the tokenizer where it can be had, with a stated estimate elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tiktoken
import tiktoken.registry
from langchain_core.messages import AIMessage, HumanMessage, trim_messages

from langchain_openrouter_o3 import ChatOpenRouterO3, tokens
from tests.conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _fresh_counter() -> Iterator[None]:
    tokens._counter.cache_clear()
    yield
    tokens._counter.cache_clear()


@pytest.fixture
def model() -> ChatOpenRouterO3:
    return ChatOpenRouterO3(api_key=KEY)


@pytest.fixture
def _tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tokenizer of single bytes under the real one's name, so that no download is needed."""
    encoding = tiktoken.Encoding(
        "o200k_base",
        pat_str=r"[\s\S]+",
        mergeable_ranks={bytes([value]): value for value in range(256)},
        special_tokens={},
    )
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {"o200k_base": encoding})


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")


def add(first: int, second: int) -> int:
    """Add two numbers."""
    return first + second


@pytest.mark.usefixtures("_tokenizer")
def test_the_tokenizer_counts_exactly(model: ChatOpenRouterO3) -> None:
    assert model.get_token_ids("Hi") == [72, 105]
    assert model.get_num_tokens("Grüße") == 7
    # Three tokens of frame for the message and for the reply, role and text byte by byte.
    assert model.get_num_tokens_from_messages([HumanMessage("Hi")]) == 3 + len("user") + 2 + 3


@pytest.mark.usefixtures("_offline")
def test_offline_the_count_is_an_estimate_and_says_so_once(model: ChatOpenRouterO3) -> None:
    with pytest.warns(UserWarning, match="estimates of four characters"):
        assert model.get_num_tokens("twelve chars") == 3
    plain = model.get_num_tokens_from_messages([HumanMessage("Hello")])  # a warning would raise
    with_tools = model.get_num_tokens_from_messages([HumanMessage("Hello")], tools=[add])
    assert 0 < plain < with_tools
    with pytest.raises(NotImplementedError, match="custom_get_token_ids"):
        model.get_token_ids("Hello")


@pytest.mark.usefixtures("_offline")
def test_ones_own_tokenizer_is_used_everywhere() -> None:
    model = ChatOpenRouterO3(api_key=KEY, custom_get_token_ids=lambda text: [ord(c) for c in text])
    assert model.get_token_ids("Hi") == [72, 105]
    assert model.get_num_tokens("Hi") == 2
    assert model.get_num_tokens_from_messages([HumanMessage("Hi")]) == len("Human: Hi")


@pytest.mark.usefixtures("_tokenizer")
def test_a_model_can_be_the_token_counter_of_trim_messages(model: ChatOpenRouterO3) -> None:
    history = [HumanMessage("one " * 50), AIMessage("two"), HumanMessage("three")]
    kept = trim_messages(history, token_counter=model, max_tokens=60, strategy="last")
    assert [message.text for message in kept] == ["two", "three"]
