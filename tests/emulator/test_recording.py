"""Exchanges with an upstream are recorded as they stream by, and replayed to the byte."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import logging
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Canned, Emulator, faults, say
from tests.helpers.emulator_client import user
from tests.helpers.modes import MODES
from tests.helpers.raw_server import LAST_CHUNK, RawServer, chunk_of, response, stream_head

if TYPE_CHECKING:
    from tests.helpers.raw_server import Peer

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
USER = "user_2fAbCdEfGhIjKlMnOpQrStUvWxY"
HELLO: dict[str, Any] = {"model": "openai/o3-mini", "messages": [user("Hello")]}
JSON = "content-type: application/json"


def http() -> httpx.Client:
    """Return a client that does not read the certificates of the system, which takes a while."""
    return httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), timeout=30)


def send(method: str, url: str, **options: Any) -> httpx.Response:
    with http() as client:
        return client.request(method, url, **options)


def ask(emulator: Emulator, body: Any = HELLO, path: str = "/chat/completions") -> httpx.Response:
    headers = {"authorization": f"Bearer {KEY}", "x-title": "T", "cookie": "c=1", "user-agent": "u"}
    return send("POST", emulator.base_url + path, json=body, headers=headers)


def upstream(*answers: bytes) -> RawServer:
    """Return a server that gives these answers one after the other, each on its connection."""
    left = iter(answers)

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(next(left))
        peer.close()

    return RawServer(handle)


def record(folder: Path, *answers: bytes, bodies: Any = (HELLO,)) -> list[httpx.Response]:
    """Record answers to requests."""
    with upstream(*answers) as server, Emulator(record=folder, upstream=server.base_url) as proxy:
        return [ask(proxy, body) for body in bodies]


def files(folder: Path) -> list[Any]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def text(content: str) -> bytes:
    body = {"id": "gen-1", "choices": [{"message": {"content": content}}]}
    return response(json.dumps(body).encode(), JSON)


def test_a_stream_passes_piece_by_piece_while_it_is_recorded(tmp_path: Path) -> None:
    pieces = [b"data: 1\n\n", b"data: \xe2\x82", b"\xac\n\n"]
    seen = [threading.Event() for _ in pieces]

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(stream_head("x-generation-id: gen-1", "set-cookie: a=b"))
        for piece, event in zip(pieces, seen, strict=True):
            peer.write(chunk_of(piece))
            assert event.wait(30)
        peer.write(LAST_CHUNK)

    with (
        RawServer(handle) as server,
        Emulator(
            record=tmp_path, upstream=server.base_url, clock=itertools.count().__next__
        ) as proxy,
        http() as client,
        client.stream("POST", f"{proxy.base_url}/chat/completions?a=1", json=HELLO) as answer,
    ):
        for piece, event in zip(answer.iter_raw(), seen, strict=True):
            assert piece in pieces
            event.set()
    assert b"host: 127.0.0.1" in server.peers[0].heads[0].lower()
    (path,) = tmp_path.iterdir()
    assert path.name == "00001-post-chat-completions-openai-o3-mini.json"
    recording = json.loads(path.read_text())
    assert recording.pop("recorded").endswith("Z")
    assert recording == {
        "request": {
            "method": "POST",
            "path": "/api/v1/chat/completions?a=1",
            "headers": {"accept": "*/*", "content-type": "application/json"},
            "body": HELLO,
        },
        "response": {
            "status": 200,
            "headers": {"content-type": "text/event-stream", "x-generation-id": "gen-1"},
            "seconds": 1,
            "body": [
                {"text": "data: 1\n\n", "seconds": 1},
                {"base64": base64.b64encode(pieces[1]).decode(), "seconds": 1},
                {"base64": base64.b64encode(pieces[2]).decode(), "seconds": 1},
            ],
        },
    }


@pytest.mark.parametrize("mode", MODES)
def test_a_model_gets_the_same_message_from_the_replay(tmp_path: Path, mode: str) -> None:
    def answered(emulator: Emulator) -> Any:
        with emulator:
            model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)
            return MODES[mode](model).model_dump()

    with Emulator() as rules:
        first = answered(Emulator(record=tmp_path, upstream=rules.base_url))
    second = answered(Emulator(replay=tmp_path))
    assert first.pop("id")
    assert second.pop("id")
    assert second == first


SECRETS = {
    "an error that echoes it": response(
        json.dumps({"error": {"message": f"Incorrect key: {KEY}\n{KEY}", "code": 401}}).encode(),
        JSON,
        status="401 Unauthorized",
    ),
    "a key with its middle left out": response(b'{"error":"sk-or-v1-0e6f...9c1d"}', JSON),
    "its random part alone": response(KEY.rpartition("-")[2].encode(), JSON),
    "an escaped one": response(json.dumps({"raw": json.dumps({"a": f"\n{KEY}"})}).encode(), JSON),
    "another provider's": response(b'{"a":"key sk-proj-Abc_123-x9 or xai-%s"}' % (b"A1" * 20)),
    "a bearer token": response(b"authorization: Bearer abcdefghijklm0p"),
    "basic authorization": response(b"Basic " + base64.b64encode(KEY.encode())),
    "capitals": response(KEY.upper().encode()),
    "account ids": response(f'{{"user_id":"{USER}","o":"org_{USER[5:]}"}}'.encode(), JSON),
    "a header": response(b"{}", f"x-openrouter-note: {KEY}", f"x-key: {KEY}", f"set-cookie: {KEY}"),
    "a compressed one": response(gzip.compress(KEY.encode()), "content-encoding: gzip"),
    "one cut in two": stream_head()
    + b"".join(chunk_of(KEY[i : i + 7].encode()) for i in range(0, len(KEY), 7))
    + LAST_CHUNK,
    "binary data": response(b"\xff\xfe" + KEY.encode() + b"\xff"),
    "a break": stream_head() + chunk_of(KEY.encode()),
}


@pytest.mark.parametrize("answer", SECRETS.values(), ids=SECRETS)
def test_no_recording_has_a_key(
    tmp_path: Path, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "langchain_openrouter_o3.emulator")
    body = {**HELLO, "user": USER, KEY: [f"a {KEY}"]}
    with (
        upstream(answer) as server,
        Emulator(record=tmp_path, upstream=server.base_url) as proxy,
    ):
        try:
            received = ask(proxy, body, f"/chat/completions?key={KEY}").content
        except httpx.RemoteProtocolError:
            received = b""
    written = b"".join(path.name.encode() + path.read_bytes() for path in tmp_path.iterdir())
    whole = b"".join(
        piece.get("text", "").encode() + base64.b64decode(piece.get("base64", ""))
        for recording in files(tmp_path)
        for piece in recording["response"]["body"]
    )
    assert not received or len(whole) == len(received)
    found = (written + whole).lower()
    encoded = base64.b64encode(KEY.encode()).decode()
    for secret in (KEY, KEY[9:], encoded, USER[5:], "9c1d", "abcdefghijklm0p", "Abc_123", "A1A1"):
        assert secret.lower().encode() not in found
        assert secret not in caplog.text
    with Emulator(replay=tmp_path) as replay:
        try:
            again = ask(replay, body, f"/chat/completions?key={KEY}").content
        except httpx.RemoteProtocolError:
            again = b""
    assert again == (whole if received else b"")


def test_words_that_resemble_secrets_stay(tmp_path: Path) -> None:
    words = b"task-specific user_preferences org-chart sk-learn bearer responsibilities"
    words += b" Basic Self-Attention"
    record(tmp_path, response(words))
    assert files(tmp_path)[0]["response"]["body"][0]["text"].encode() == words


@pytest.mark.parametrize(
    ("key", "passed"), [("any", "sk-or-v1-from-the-environment"), (KEY, KEY), (None, "sk-or-v1-f")]
)
def test_the_callers_key_is_passed_on_or_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None, passed: str
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-from-the-environment")
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    with (
        upstream(text("a")) as server,
        Emulator(record=tmp_path, upstream=server.base_url) as proxy,
    ):
        send("POST", f"{proxy.base_url}/chat/completions", json=HELLO, headers=headers)
    assert f"authorization: Bearer {passed}".encode() in server.peers[0].heads[0]


def test_each_recording_is_used_once_in_order(tmp_path: Path) -> None:
    other = {**HELLO, "messages": [user("Other")]}
    record(tmp_path, text("1"), text("x"), text("2"), bodies=[HELLO, other, HELLO])
    turned = {"session_id": "s", **dict(reversed(HELLO.items()))}

    def said(emulator: Emulator, count: int) -> list[Any]:
        answers = [ask(emulator, turned) for _ in range(count)]
        assert {each.headers["content-type"] for each in answers} == {"application/json"}
        bodies = [each.json() for each in answers]
        return [body.get("choices", [body.get("error")])[0] for body in bodies]

    with Emulator(replay=tmp_path) as replay:
        *good, miss = said(replay, 3)
        assert [each["message"]["content"] for each in good] == ["1", "2"]
        assert "repeat_last" in miss["message"]
        told = replay.conversation()
        assert told.count("← answered by a recording with 200") == 2
        assert "← refused with 404: Every recording of this POST" in told
        with pytest.raises(ValueError, match="not for recorded answers"):
            replay.play(say("a"))
        replay.reset()
        assert said(replay, 1) == good[:1]
    with Emulator(replay=tmp_path, repeat_last=True) as replay:
        assert said(replay, 4) == [*good, good[1], good[1]]


def test_a_miss_names_the_nearest_recording_and_what_differs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    far = {**HELLO, "messages": [user("Far"), user("away")], "seed": 1}
    record(tmp_path, text("1"), text("2"), bodies=[far, HELLO])
    asked = {**HELLO, "messages": [user("Hell"), user("x" * 300)]}
    with Emulator(replay=tmp_path) as replay:
        answer = ask(replay, asked)
        number = ask(replay, {**far, "seed": 1.0})
        elsewhere = ask(replay, HELLO, "/batches")
    assert (answer.status_code, answer.headers["x-should-retry"]) == (404, "false")
    message = answer.json()["error"]["message"]
    assert "nearest is 00002-post-chat-completions-openai-o3-mini.json" in message
    assert 'body.messages[0].content: "Hello" → "Hell"' in message
    assert "body.messages[1]: absent → {" in message
    assert len(message) < 400
    assert "(body.seed: 1 → 1.0)" in number.json()["error"]["message"]
    assert message in caplog.text
    assert "path: " in elsewhere.json()["error"]["message"]


def test_a_miss_can_be_recorded(tmp_path: Path) -> None:
    record(tmp_path, text("1"))
    with (
        upstream(text("2"), text("3")) as server,
        Emulator(replay=tmp_path, miss="record", upstream=server.base_url) as replay,
    ):
        answers = [ask(replay) for _ in range(3)]
        assert server.requests == 2
        replay.reset()
        assert [ask(replay).content for _ in range(3)] == [each.content for each in answers]
    assert len(files(tmp_path)) == 3


STREAMED = (
    b'data: {"id":"gen-%d","choices":[{"index":0,"delta":{"content":"a","tool_calls":'
    b'[{"index":0,"type":"function","function":{"arguments":"{"}}]}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"content":"%b","tool_calls":'
    b'[{"index":0,"function":{"arguments":"}"}},{"index":1}]}}],"usage":{"cost":%d}}\n\n'
    b"data: [DONE]\n\n"
)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (text("same"), text("same"), "no change"),
        (text("old"), text("new"), 'body.choices[0].message.content: "old" → "new"'),
        (text("old"), response(b"gone", status="410 Gone"), "status: 200 → 410"),
        (response(b"[1, true]", JSON), response(b"[1, 1]", JSON), "body[1]: true → 1"),
        *(
            (
                response(STREAMED % (1, b"b", 1), "content-type: text/event-stream"),
                response(STREAMED % (2, said, cost), "content-type: text/event-stream"),
                told,
            )
            for said, cost, told in (
                (b"b", 1, "no change"),
                (b"c", 1, 'body.choices[0].delta.content: "ab" → "ac"'),
                (b"b", 2, "body.usage.cost: 1 → 2"),
            )
        ),
    ],
)
def test_what_changed_since_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, before: bytes, after: bytes, told: str
) -> None:
    caplog.set_level(logging.INFO, "langchain_openrouter_o3.emulator")
    record(tmp_path, before, text("second"), bodies=[HELLO, HELLO])
    record(tmp_path, after, text("second"), text("third"), bodies=[HELLO] * 3)
    assert [path.name[:5] for path in sorted(tmp_path.iterdir())] == ["00001", "00002", "00003"]
    *_, first, second, third = [each.getMessage() for each in caplog.records]
    assert f"00001-post-chat-completions-openai-o3-mini.json was recorded anew: {told}" in first
    assert second.endswith("no change")
    assert "00003" in third
    assert "nearest is 00001" in third


def test_a_broken_answer_breaks_again_in_the_replay(tmp_path: Path) -> None:
    for emulator in (lambda url: Emulator(record=tmp_path, upstream=url), None):
        with upstream(stream_head() + chunk_of(b"data: 1\n\n")) as server:
            source = emulator(server.base_url) if emulator else Emulator(replay=tmp_path)
            with source, pytest.raises(httpx.RemoteProtocolError):
                ask(source)
    with Emulator(replay=tmp_path) as replay:
        replay.play(faults.pace(0.0))
        with pytest.raises(httpx.RemoteProtocolError):
            ask(replay)


def test_the_timing_is_the_original_a_scale_of_it_or_none(tmp_path: Path) -> None:
    record(tmp_path, text("slow"))
    (path,) = tmp_path.iterdir()
    recording = json.loads(path.read_text())
    recording["response"]["seconds"] = recording["response"]["body"][0]["seconds"] = 7200.0
    path.write_text(json.dumps(recording))
    for pace in (0.0, 1e-9):
        with Emulator(replay=tmp_path, timing=pace) as replay:
            assert "slow" in ask(replay).text
    with Emulator(replay=tmp_path, timing=1) as replay, pytest.raises(httpx.ReadTimeout):
        send("POST", f"{replay.base_url}/chat/completions", json=HELLO, timeout=0.1)


@pytest.mark.parametrize(
    ("answer", "path", "status", "match"),
    [
        (None, "/api/v1/chat/completions", 502, "no answer from 127.0.0.1"),
        (b"", "/api/v1/chat/completions", 502, "RemoteProtocolError"),
        (response(b"x", "content-encoding: br"), "/api/v1/chat/completions", 502, "'br'"),
        (b"", "/v1/chat/completions", 404, "below /api/v1/"),
    ],
)
def test_what_cannot_be_recorded_is_said(
    tmp_path: Path, answer: bytes | None, path: str, status: int, match: str
) -> None:
    with upstream(b"" if answer is None else answer) as server:
        url = server.base_url if answer is not None else "http://me:pass@127.0.0.1:9"
        with Emulator(record=tmp_path, upstream=url) as proxy:
            origin = proxy.base_url.removesuffix("/api/v1")
            refusal = send("POST", origin + path, json=HELLO)
    assert refusal.status_code == status
    assert match in refusal.json()["error"]["message"]
    assert "pass" not in refusal.text
    assert [*tmp_path.iterdir()] == []


def test_an_answer_that_its_client_leaves_is_not_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Emulator() as slow, Emulator(record=tmp_path, upstream=slow.base_url) as proxy:
        slow.play(Canned(pieces=[b"a", b"b"], pause=3600))
        with (
            http() as client,
            client.stream("POST", f"{proxy.base_url}/chat/completions", json=HELLO) as answer,
        ):
            assert next(answer.iter_raw()) == b"a"
        assert slow.requests[0].wait_disconnected(30)
    assert [*tmp_path.iterdir()] == []
    assert "the client left" in caplog.text


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"text", b"\xff", b'"\\ud800"'],
    ids=["empty", "null", "text", "not UTF-8", "half a pair"],
)
def test_any_request_body_is_recorded_and_matched(
    tmp_path: Path, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    def asked(emulator: Emulator, content: bytes) -> int:
        return send("PUT", f"{emulator.base_url}/files", content=content).status_code

    with (
        upstream(response(b"\xff", status="201 Created")) as server,
        Emulator(record=tmp_path, upstream=server.base_url) as proxy,
    ):
        assert asked(proxy, raw) == 201
        assert server.peers[0].bodies == [raw]
    with Emulator(replay=tmp_path) as replay:
        assert [asked(replay, raw + b" x"), asked(replay, raw)] == [404, 201]
    assert caplog.text.encode()  # a log must be writable


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"record": "d", "replay": "d"}, "exclude each other"),
        ({"replay": "d", "miss": "maybe"}, "miss is one of fail, record"),
        ({"replay": "d", "timing": -1.0}, "timing is a factor"),
        ({"replay": "d", "timing": float("nan")}, "timing is a factor"),
        ({"timing": 1.0}, "need replay"),
        ({"record": "d", "miss": "record"}, "need replay"),
        ({"upstream": "http://127.0.0.1"}, "upstream is asked only"),
        ({"replay": "d", "upstream": "http://127.0.0.1"}, "upstream is asked only"),
        ({"record": "d", "upstream": "127.0.0.1"}, "upstream is a base URL"),
        ({"record": "d", "script": [], "presets": {}}, "script, presets: not for recorded"),
        ({"port": 65_536}, "port is a number from 0 to 65535"),
        ({"think_time": -1}, "think_time is a number of seconds"),
        ({"record": "d", "api_key": "k"}, "api_key: not for recorded answers"),
        ({"record": "d", "think_time": 1.0, "script": [say("a")]}, "think_time, script: not for"),
    ],
)
def test_a_setting_without_meaning_is_refused(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Emulator(**settings)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "Expecting value"),
        ('{"request": {}}', "request.method: Field required"),
        (
            (
                '{"request": {"method": "GET", "path": "/"}, "response": {"status": 200, "body": '
                '[{"seconds": 0, "text": "a"}, {"seconds": 0}, {"seconds": 0, "base64": "?"}]}}'
            ),
            r"response.body.1: Value error, needs either text or base64; response.body.2.base64",
        ),
    ],
)
def test_a_file_that_is_no_recording_is_named(tmp_path: Path, content: str, match: str) -> None:
    (tmp_path / "a.json").write_text(content)
    for name in ("replay", "record"):
        settings: dict[str, Any] = {name: tmp_path}
        with pytest.raises(ValueError, match=rf"a.json is not a recording: .*{match}"):
            Emulator(**settings)


def test_nothing_to_replay_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no recording in"):
        Emulator(replay=tmp_path / "nowhere")
