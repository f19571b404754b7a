"""Content blocks on the wire: every key has its place or is refused by name, nothing is made up."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.content import (
    create_audio_block,
    create_file_block,
    create_image_block,
    create_plaintext_block,
    create_text_block,
    create_video_block,
)
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES

CACHED: Any = {"cache_control": {"type": "ephemeral"}}
PDF = "data:application/pdf;base64,AAAA"
URL = "https://e.org/a"


def image(**inner: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": inner}


def file(**inner: Any) -> dict[str, Any]:
    return {"type": "file", "file": inner}


def audio(**inner: Any) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": inner}


def video(url: str) -> dict[str, Any]:
    return {"type": "video_url", "video_url": {"url": url}}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


# Blocks by LangChain's own helpers, by hand, in the first version, and in OpenRouter's own form.
SENT: dict[str, tuple[Any, dict[str, Any]]] = {
    "text helper": (create_text_block("x"), text("x")),
    "text with extras": (create_text_block("x", **CACHED), text("x", **CACHED)),
    "text with extras in extras": (create_text_block("x", extras=CACHED), text("x", **CACHED)),
    "text with its own keys": (
        {**text("x", future={"a": 1}, metadata={"b": 2}), "id": "1", "index": "lc_txt_0"},
        text("x", future={"a": 1}, metadata={"b": 2}),
    ),
    "text with nothing": (text("x", extras=None, annotations=None), text("x")),
    "text with odd extras": (text("x", extras="odd"), text("x", extras="odd")),
    "text with a citation": (text("x", annotations=[{"a": 1}]), text("x", annotations=[{"a": 1}])),
    "image url": (create_image_block(url=URL, mime_type="image/png"), image(url=URL)),
    "image url with detail": (
        create_image_block(url=URL, detail="low"),
        image(url=URL, detail="low"),
    ),
    "image with detail by hand": (
        {"type": "image", "url": URL, "detail": "high", **CACHED},
        {**image(url=URL, detail="high"), **CACHED},
    ),
    "image data": (
        create_image_block(base64="AAAA", mime_type="image/png", detail="low", **CACHED),
        {**image(url="data:image/png;base64,AAAA", detail="low"), **CACHED},
    ),
    "image, first version": (
        {"type": "image", "source_type": "base64", "data": "AAAA", "mime_type": "image/png"},
        image(url="data:image/png;base64,AAAA"),
    ),
    "image url, first version": (
        {"type": "image", "source_type": "url", "url": URL, "metadata": {"detail": "low"}},
        image(url=URL, detail="low"),
    ),
    "image with an id, first version": (
        {"type": "image", "source_type": "url", "url": URL, "id": "mine"},
        image(url=URL),
    ),
    "image_url": (
        {**image(url=URL, detail="low"), "id": "lc_1", "index": 0, **CACHED},
        {**image(url=URL, detail="low"), **CACHED},
    ),
    "file url": (
        create_file_block(url=URL, filename="a.pdf"),
        file(file_data=URL, filename="a.pdf"),
    ),
    "file url without a name": (
        create_file_block(url=URL, mime_type="application/pdf"),
        file(file_data=URL),
    ),
    "file data": (
        create_file_block(base64="AAAA", mime_type="application/pdf", filename="a.pdf", **CACHED),
        {**file(file_data=PDF, filename="a.pdf"), **CACHED},
    ),
    "file data without a name": (
        create_file_block(base64="AAAA", mime_type="application/pdf"),
        file(file_data=PDF),
    ),
    "file with a name in extras of extras": (
        create_file_block(url=URL, extras={"filename": "a.pdf", **CACHED}),
        {**file(file_data=URL, filename="a.pdf"), **CACHED},
    ),
    "file id": (create_file_block(file_id="file-1"), file(file_id="file-1")),
    "file with a name by hand": (
        {"type": "file", "base64": "AAAA", "mime_type": "application/pdf", "filename": "a.pdf"},
        file(file_data=PDF, filename="a.pdf"),
    ),
    "file with a name in metadata": (
        {
            "type": "file",
            "source_type": "base64",
            "data": "AAAA",
            "mime_type": "application/pdf",
            "metadata": {"filename": "a.pdf"},
        },
        file(file_data=PDF, filename="a.pdf"),
    ),
    "file with a name in extras of metadata": (
        {"type": "file", "url": URL, "extras": {"metadata": {"filename": "a.pdf"}}},
        file(file_data=URL, filename="a.pdf"),
    ),
    "file, first version": (
        {
            "type": "file",
            "source_type": "base64",
            "data": "AAAA",
            "mime_type": "application/pdf",
            "id": "mine",
            "filename": "a.pdf",
        },
        file(file_data=PDF, filename="a.pdf"),
    ),
    "file id, first version": (
        {"type": "file", "source_type": "id", "id": "file-1"},
        file(file_id="file-1"),
    ),
    "text file, first version": ({"type": "file", "source_type": "text", "text": "x"}, text("x")),
    "text file by its url, first version": (
        {"type": "file", "source_type": "text", "url": "x"},
        text("x"),
    ),
    "file in OpenAI's form": (
        {**file(file_data=PDF, filename="a.pdf"), **CACHED},
        {**file(file_data=PDF, filename="a.pdf"), **CACHED},
    ),
    "file of any type in OpenAI's form": (
        file(file_data="data:text/csv;base64,AAAA"),
        file(file_data="data:text/csv;base64,AAAA"),
    ),
    "file of a plain URI in OpenAI's form": (
        file(file_data="data:text/csv,a", filename="a"),
        file(file_data="data:text/csv,a", filename="a"),
    ),
    "file by id in OpenAI's form": (
        file(file_id="file-1", filename="a.pdf"),
        file(file_id="file-1", filename="a.pdf"),
    ),
    "file with more in OpenAI's form": (
        file(file_data=PDF, future=1),
        file(file_data=PDF, future=1),
    ),
    "audio": (
        create_audio_block(base64="AAAA", mime_type="audio/wav", **CACHED),
        {**audio(data="AAAA", format="wav"), **CACHED},
    ),
    "mp3": (
        create_audio_block(base64="AAAA", mime_type="audio/mpeg"),
        audio(data="AAAA", format="mp3"),
    ),
    "audio with parameters": (
        create_audio_block(base64="AAAA", mime_type="audio/ogg; codecs=opus"),
        audio(data="AAAA", format="ogg"),
    ),
    "audio with its format": (
        create_audio_block(base64="AAAA", mime_type="audio/mpeg", format="pcm16"),
        audio(data="AAAA", format="pcm16"),
    ),
    "audio, first version": (
        {"type": "audio", "source_type": "base64", "data": "AAAA", "mime_type": "audio/wav"},
        audio(data="AAAA", format="wav"),
    ),
    "audio in OpenAI's form": (
        {**audio(data="AAAA", format="mp4", rate=8), **CACHED},
        {**audio(data="AAAA", format="mp4", rate=8), **CACHED},
    ),
    "file in OpenAI's form with extras": (
        {**file(file_data=PDF), "id": "1", "extras": CACHED, "metadata": {"filename": "a.pdf"}},
        {**file(file_data=PDF, filename="a.pdf"), **CACHED},
    ),
    "audio in OpenAI's form with extras": (
        {**audio(data="AAAA", format="wav"), "extras": CACHED},
        {**audio(data="AAAA", format="wav"), **CACHED},
    ),
    "odd audio in OpenAI's form": (audio(data="AAAA"), audio(data="AAAA")),
    "video url": (create_video_block(url=URL), video(URL)),
    "video data": (
        create_video_block(base64="AAAA", mime_type="video/mp4"),
        video("data:video/mp4;base64,AAAA"),
    ),
    "video_url": (video(URL), video(URL)),
    "document": (create_plaintext_block("x", **CACHED), text("x", **CACHED)),
    "empty document": (create_plaintext_block(""), text("")),
    "document with a title": (
        create_plaintext_block("x", title="T", context="C"),
        text("T\n\nC\n\nx"),
    ),
    "document by url": (
        {"type": "text-plain", "url": URL, "mime_type": "text/plain"},
        file(file_data=URL),
    ),
    "document data": (
        {"type": "text-plain", "base64": "AAAA", "extras": {"filename": "a.txt"}},
        file(file_data="data:text/plain;base64,AAAA", filename="a.txt"),
    ),
    "document by id": ({"type": "text-plain", "file_id": "file-1"}, file(file_id="file-1")),
}


@pytest.fixture
def seeing(emulator: Emulator) -> ChatOpenRouterO3:
    """A model that takes anything, as far as this package knows."""
    emulator.play(*(Canned(pieces=wire.to_json(wire.body("Hi"))) for _ in range(3)))
    return ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, model="google/gemini-any")


def sent(emulator: Emulator, position: int = 0) -> Any:
    body = emulator.requests[-1].body
    assert body is not None
    return body["messages"][position]["content"]


@pytest.mark.parametrize("name", SENT)
def test_a_block_is_sent_whole(emulator: Emulator, seeing: ChatOpenRouterO3, name: str) -> None:
    block, part = SENT[name]
    message = HumanMessage([block])
    before = repr(message)
    seeing.invoke([message])
    assert sent(emulator) == [part]
    assert repr(message) == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["image data", "file of any type in OpenAI's form"])
def test_every_mode_sends_the_same(
    emulator: Emulator, seeing: ChatOpenRouterO3, name: str, mode: str
) -> None:
    block, part = SENT[name]
    chain: Any = RunnableLambda(lambda _: [HumanMessage([block, "and text"])]) | seeing
    MODES[mode](chain)
    assert sent(emulator) == [part, text("and text")]


def test_a_prompts_blocks_are_sent_whole(emulator: Emulator, seeing: ChatOpenRouterO3) -> None:
    block, part = SENT["file of any type in OpenAI's form"]
    prompt = ChatPromptTemplate.from_messages([HumanMessage([block])])
    (prompt | seeing).invoke({})
    assert sent(emulator) == [part]


def result_of(block: Any) -> list[Any]:
    calls: Any = [{"name": "f", "args": {}, "id": "1"}]
    return [AIMessage("", tool_calls=calls), ToolMessage([block], tool_call_id="1")]


@pytest.mark.parametrize("name", ["text with its own keys", "image data", "file data", "document"])
def test_every_role_sends_the_same(emulator: Emulator, seeing: ChatOpenRouterO3, name: str) -> None:
    block, part = SENT[name]
    seeing.invoke([SystemMessage([block]), *result_of(block)])
    assert sent(emulator, 0) == [part]
    assert sent(emulator, 2) == [part]


def test_an_answers_own_marks_on_its_text_do_not_go_back(
    emulator: Emulator, seeing: ChatOpenRouterO3
) -> None:
    block: Any = {
        **text("x", annotations=[{"type": "citation"}], citations=[1], **CACHED),
        "id": "msg_1",
        "index": "lc_text",
        "extras": {"signature": "s"},
    }
    seeing.invoke([HumanMessage("Hi"), AIMessage([block]), HumanMessage("More")])
    assert sent(emulator, 1) == [text("x", **CACHED)]


REFUSED: dict[str, tuple[Any, str]] = {
    "unknown key of an image": (create_image_block(url=URL, colour="red"), "colour"),
    "unknown key of a file": (create_file_block(url=URL, title="T"), "title"),
    "unknown key of an audio": (
        create_audio_block(base64="AAAA", mime_type="audio/wav", transcript="x"),
        "transcript",
    ),
    "unknown key of a video": (create_video_block(url=URL, fps=1), "fps"),
    "unknown key of a document": (create_plaintext_block("x", author="A"), "author"),
    "odd extras": ({"type": "image", "url": URL, "extras": "odd"}, "extras"),
    "odd metadata": ({"type": "image", "url": URL, "metadata": 5}, "metadata"),
    "another package's image": (
        {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
        "exactly one of url, base64",
    ),
    "image by id": (create_image_block(file_id="1"), "exactly one of url, base64"),
    "image of two sources": ({"type": "image", "url": URL, "base64": "AAAA"}, "it has url, base64"),
    "image of no source": ({"type": "image"}, "it has none"),
    "image of no text": ({"type": "image", "url": {"x": 1}}, "as text"),
    "image without a type": ({"type": "image", "base64": "AAAA"}, "mime_type"),
    "file without a type": ({"type": "file", "base64": "AAAA"}, "mime_type"),
    "audio without a type": ({"type": "audio", "base64": "AAAA", "mime_type": 5}, "mime_type"),
    "audio by url": (create_audio_block(url=URL), "exactly one of base64"),
    "video by id": (create_video_block(file_id="1"), "exactly one of url, base64"),
    "document of no text": ({"type": "text-plain", "mime_type": "text/plain"}, "needs its text"),
    "document of two kinds": ({"type": "text-plain", "text": "x", "url": URL}, "text"),
    "document of a title and a url": ({"type": "text-plain", "title": "T", "url": URL}, "title"),
    "text of no text": ({"type": "text", "text": 5}, "needs its text"),
    "unknown block": ({"type": "hologram"}, "hologram"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_place_is_refused_by_name(
    emulator: Emulator, seeing: ChatOpenRouterO3, name: str
) -> None:
    block, words = REFUSED[name]
    with pytest.raises(OpenRouterInputError, match=rf"messages\[0\] \(human\).*{words}"):
        seeing.invoke([HumanMessage([block])])
    assert emulator.requests == []


@pytest.mark.filterwarnings("error")
def test_no_name_of_a_file_is_made_up(emulator: Emulator, seeing: ChatOpenRouterO3) -> None:
    seeing.invoke([HumanMessage([{**create_file_block(base64="AAAA", mime_type="text/csv")}])])
    assert sent(emulator) == [file(file_data="data:text/csv;base64,AAAA")]
