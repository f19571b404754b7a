"""The page for people: what it is told of each exchange, what it keeps, what it never shows."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx
import pytest

from langchain_openrouter_o3.emulator import Canned, Emulator, Fault, faults
from tests.helpers.emulator_client import INTEGER, STRING, closed, strict, tool, user

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-or-v1-test-key-that-must-never-show"
OWN_KEY = "letmein-2026"
SSE = {"content-type": "text/event-stream"}
WEATHER = tool("get_weather", city=STRING, days=INTEGER)


def ask(emulator: Emulator, prompt: str = "echo a b c d", **parameters: Any) -> None:
    """Send a chat request, whatever comes of it."""
    body = {"model": "openai/o3-mini", "messages": [user(prompt)], **parameters}
    url, headers = f"{emulator.base_url}/chat/completions", {"authorization": f"Bearer {KEY}"}
    with contextlib.suppress(httpx.RequestError):
        httpx.post(url, json=body, headers=headers, timeout=30)


def get(emulator: Emulator, path: str) -> httpx.Response:
    return httpx.get(urljoin(emulator.page_url, path), timeout=30)


def details(emulator: Emulator, number: int = 1) -> dict[str, Any]:
    response = get(emulator, f"_emulator/exchanges/{number}")
    assert response.status_code == 200
    shown: dict[str, Any] = response.json()
    return shown


@contextlib.contextmanager
def news(emulator: Emulator) -> Iterator[Iterator[tuple[str, Any]]]:
    """Open the page's feed: names of events, and their data."""
    with httpx.stream("GET", f"{emulator.page_url}_emulator/events", timeout=30) as response:
        yield _events(response)


def _events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def outcomes(feed: Iterator[tuple[str, Any]], last: str) -> list[str]:
    """Return the outcomes that the feed tells, up to the last one."""
    told: list[str] = []
    while last not in told:
        name, data = next(feed)
        told += [data["outcome"]] if name == "exchange" else []
    return told


def test_the_page_loads_nothing_from_elsewhere_and_is_no_request(emulator: Emulator) -> None:
    page = get(emulator, "")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    loaded = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert loaded == ["/_emulator/page.css", "/_emulator/page.js"]
    assert [get(emulator, path).status_code for path in loaded] == [200, 200]
    assert get(emulator, "_emulator/page.py").status_code == 404
    assert get(emulator, "_emulator/exchanges/1").status_code == 404
    assert emulator.requests == []
    assert httpx.post(emulator.page_url).json()["error"]["code"] == 404
    assert [request.path for request in emulator.requests] == ["/"]


@pytest.mark.parametrize(
    ("fault", "status", "outcome"),
    [
        (None, 200, "stop"),
        (faults.status(503, retry_after=1), 503, "An injected error 503"),
        (faults.reset("mid-event", events=2), 200, "connection reset"),
        (faults.close("before-headers"), None, "connection closed"),
        (faults.end("before-done"), 200, "ended without [DONE]"),
        (faults.refuse(0.01), None, "connection reset, port closed for 0.01 s"),
        (faults.error_in_stream(message="Gone"), 200, "Gone"),
        (faults.compress("gzip"), 200, "stop"),
        (faults.compress("deflate"), 200, "stop"),
        (faults.together(faults.pace(0), faults.compress("raw-deflate")), 200, "stop"),
        (faults.compress("gzip", damage="corrupt"), 200, "the rest cannot be decompressed"),
        (faults.trickle(9), 200, "stop"),
        (Canned(status=500, pieces=b"<html>"), 500, "no error in the body"),
        (Canned(headers=SSE, pieces=[b"data: {\n\n", b": x"], cut=True), 200, "connection closed"),
        (Canned(pieces=b'{"choices":[{"error":{"message":"Inside"}}]}'), 200, "Inside"),
    ],
)
def test_a_fault_is_shown_as_what_it_is(
    emulator: Emulator, fault: Fault | None, status: int | None, outcome: str
) -> None:
    emulator.play(*[fault] if fault else [])
    ask(emulator, stream=True)
    shown = details(emulator)
    assert shown["status"] == status
    assert shown["outcome"].startswith(outcome)
    assert shown["level"] == ("good" if outcome == "stop" else "bad")
    assert bool(shown["fault"]) == (fault is not None)
    if outcome == "stop":
        assert shown["answer"]["text"] == "a b c d"
        assert shown["usage"]["cost"] > 0
        assert shown["first_byte"] <= shown["first_token"] <= shown["last"]


def test_half_an_event_is_shown_as_broken(emulator: Emulator) -> None:
    emulator.play(faults.reset("mid-event", events=2), Canned(status=204, headers={}))
    ask(emulator, stream=True)
    shown = details(emulator)
    assert shown["answer"]["text"] == "a b"
    assert [event["kind"] for event in shown["events"]][-1] == "broken"
    assert shown["fault"] == ("break (where mid-event, events 2, then hang up, reset True)")
    ask(emulator)
    assert (details(emulator, 2)["outcome"], details(emulator, 2)["events"]) == ("complete", [])


@pytest.mark.parametrize(
    ("prompt", "parameters"),
    [
        ("What is 17 + 25?", {"reasoning": {"effort": "high"}}),
        ("What is the weather in Paris for 3 days?", {"tools": [WEATHER]}),
        ("please refuse", {"response_format": strict(closed(city=STRING))}),
    ],
)
def test_a_stream_and_a_body_make_the_same_answer(
    emulator: Emulator, prompt: str, parameters: dict[str, Any]
) -> None:
    ask(emulator, prompt, **parameters)
    ask(emulator, prompt, stream=True, **parameters)
    whole, streamed = details(emulator, 1), details(emulator, 2)
    for shown in (whole["answer"], streamed["answer"]):
        shown["id"] = ""
        for call in shown["calls"]:
            call["id"] = bool(call["id"])
    assert whole["answer"] == streamed["answer"]
    assert (
        bool(whole["answer"]["refusal"]) == (whole["outcome"] == "refusal") == ("refuse" in prompt)
    )
    assert whole["usage"].keys() == {"prompt", "cached", "completion", "reasoning", "cost"}
    assert whole["request"]["tools"] == (["get_weather"] if "tools" in parameters else [])
    kinds = [event["kind"] for event in streamed["events"]]
    assert kinds[0] == "comment"
    assert kinds[-3:] == ["finish", "usage", "done"]
    assert [event["kind"] for event in whole["events"]] == ["padding", "body"]


def test_a_request_is_shown_to_the_digit(emulator: Emulator) -> None:
    url = f"{emulator.base_url}/chat/completions"
    body = '{"seed": 9007199254740993, "top_p": 1.10, "user": NaN, "stop": [], "x": "{\\u00e9"}'
    httpx.post(url, content=body)
    httpx.post(url, content=b"no { JSON")
    shown = details(emulator)["request"]
    assert shown["text"] == (
        '{\n  "seed": 9007199254740993,\n  "top_p": 1.10,\n  "user": NaN,\n  "stop": [],\n'
        '  "x": "{\\u00e9"\n}'
    )
    assert ["user", '"NaN"'] in shown["parameters"]
    assert details(emulator, 2)["request"]["text"] == "no { JSON"


def test_no_key_is_shown_wherever_it_stands(emulator: Emulator) -> None:
    emulator.play(faults.status(401, message=f"No user has {OWN_KEY}"))
    headers = {
        "authorization": f"Bearer {OWN_KEY}",
        "x-api-key": KEY,
        "cookie": KEY,
        "x-title": KEY,
    }
    messages = [user(f"echo {OWN_KEY} {KEY}")]
    body = {"model": KEY, "messages": messages, "metadata": {"key": KEY}, "user": OWN_KEY}
    for url in ("chat/completions", f"chat/completions?key={KEY}"):
        httpx.post(f"{emulator.base_url}/{url}", json=body, headers=headers)
    ask(emulator, f"echo {KEY}", stream=True)
    with news(emulator) as feed:
        told = [str(next(feed)) for _ in range(5)]
    told += [get(emulator, f"_emulator/exchanges/{number}").text for number in (1, 2, 3)]
    assert "No user has …key hidden…" in told[-3]
    assert "echo …key hidden…" in told[-1]
    assert not [text for text in told if KEY in text or OWN_KEY in text]


def test_an_exchange_is_told_of_while_it_happens(emulator: Emulator) -> None:
    with news(emulator) as feed:
        assert next(feed)[0] == "run"
        emulator.play(faults.comments(0.01))
        url, headers = f"{emulator.base_url}/chat/completions", {"authorization": f"Bearer {KEY}"}
        body = {"model": "openai/o3-mini", "messages": [user("Hi")], "stream": True}
        with httpx.stream("POST", url, json=body, headers=headers):
            outcomes(feed, "answering")
            assert details(emulator)["level"] == "open"
        outcomes(feed, "client left")
        ask(emulator)
        assert outcomes(feed, "stop")


def test_an_exception_in_a_fault_is_shown(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Fault):
        def script(self, answer: object) -> Any:
            raise LookupError(f"no fault for {answer!r}")

    emulator.play(Broken())
    ask(emulator)
    assert details(emulator)["outcome"] == "error in the emulator"
    assert "no fault" in caplog.text


def test_the_last_exchanges_are_kept_and_no_more(emulator: Emulator) -> None:
    with httpx.Client(base_url=emulator.base_url) as client:
        for _ in range(203):
            client.get("/models")
    with news(emulator) as feed:
        assert [next(feed) for _ in range(2)][1] == ("oldest", 4)
        told = [next(feed)[1]["number"] for _ in range(200)]
        assert told == [*range(4, 204)]
        emulator.reset()
        assert next(feed) == ("oldest", 204)
    assert get(emulator, "_emulator/exchanges/203").status_code == 404


def test_memory_is_bounded_by_bytes_too(emulator: Emulator) -> None:
    large, long = Canned(pieces=b"x" * (1900 << 10)), Canned(pieces=[b"y" * 999] * 2048)
    emulator.play(*[large] * 5, long)
    for _ in range(6):
        ask(emulator)
    assert get(emulator, "_emulator/exchanges/1").status_code == 404
    shown = details(emulator, 6)
    assert shown["sent"] == 999 * 2048
    assert shown["sent"] > shown["response"]["kept"] > 1 << 20
    assert shown["outcome"] == "complete"


def test_stopping_ends_open_pages() -> None:
    before = {thread.ident for thread in threading.enumerate()}
    emulator = Emulator()
    emulator.start()
    with news(emulator) as feed:
        next(feed)
        emulator.stop()
        with pytest.raises(httpx.TransportError):
            list(feed)
    after = {thread.ident for thread in threading.enumerate() if "emulator" in thread.name}
    assert after <= before
