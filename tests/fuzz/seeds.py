"""The first inputs of each target, in the shapes that OpenRouter sends; all made up.

The targets that build their data from single decisions need none: they start from no bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.helpers import wire

_NO_CUTS = b"\x00"
_TWO_CUTS = b"\x02\x00\x1f\x01\x03"


def seeds() -> dict[str, list[bytes]]:
    """Return inputs by target."""
    answers = [*_streams(), *_bodies()]
    failures = list(_failures())
    return {
        "sse": [_TWO_CUTS + data for data in [*_streams(), *_odd_streams()]],
        "body": [_TWO_CUTS + data for data in [*answers, *_odd_streams()]],
        "joiner": [_TWO_CUTS + data for data in _http_answers()],
        "answer": [
            bytes([position % 2, position % 3]) + _TWO_CUTS + data
            for position, data in enumerate([*answers, *failures])
        ],
        "failure": [
            bytes([position % 17, 1, position % 7, position % 13]) + data
            for position, data in enumerate(failures)
        ],
        "stop": [
            _NO_CUTS + b"END|ab\nHello EN END",
            _TWO_CUTS + b"aab|ab|b\nxaabab",
            _TWO_CUTS + "é😀\nno match é".encode(),
        ],
    }


def _http_answers() -> Iterator[bytes]:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = b"5\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n"
    yield chunked + chunks + b"0\r\n\r\n"
    yield b"HTTP/1.1 103 Early Hints\r\n\r\n" + chunked + chunks
    yield chunked + b"5;x=1\r\nhello\r\n0\r\nx: y\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n"
    yield b"HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n" + chunks


def _streams() -> Iterator[bytes]:
    ending = wire.ending()
    yield wire.sse(wire.PROCESSING, wire.chunk("Hel"), wire.chunk("lo"), *ending)
    yield wire.sse(
        wire.chunk(reasoning="Think", reasoning_details=[wire.summary("Think")]),
        wire.chunk(reasoning=None, reasoning_details=[wire.encrypted("gAAAA")]),
        wire.PROCESSING,
        wire.chunk("😀 done\u2028"),
        *ending,
    )
    deltas = wire.tool_deltas("get_weather", ['{"city":', '"Oslo"}'])
    yield wire.sse(*map(wire.tool_chunk, deltas), *wire.ending("tool_calls"))
    yield wire.sse(*map(wire.tool_chunk, deltas[:-1]), *wire.ending("length"))
    whole_calls = [wire.tool_call("f", "{}"), wire.tool_call("f", '{"a":1}', "call_2")]
    yield wire.sse(wire.tool_chunk(*whole_calls), *wire.ending("tool_calls"))
    yield wire.sse(wire.chunk(refusal="I can not."), *ending)
    yield wire.sse(wire.chunk(annotations=[_CITATION]), wire.chunk("a"), *ending)
    march = {**wire.envelope(choices=[]), "usage": wire.usage()}
    yield wire.sse(wire.chunk("a"), wire.chunk(finish="stop"), march)
    yield wire.sse(wire.chunk("Hel"), done=False)
    yield wire.sse(wire.chunk("Hel"))
    yield wire.sse(wire.chunk("Hel"), {**wire.chunk(), **wire.error(502)}, done=False)
    yield wire.sse(wire.error(429, raw="slow down"), done=False)


def _odd_streams() -> Iterator[bytes]:
    yield b"\xef\xbb\xbfdata: {}\r\n\r\ndata:{}\r\rdata\ndata\n\n"
    yield b"event: x\nid: 1\nretry: 5\ndata: {\ndata: }\n\n: comment\n\ndata: [DONE]\n\n{"
    yield b"data: {}\n\ndata: [1]\n\n"
    yield b"data: {\n\ndata: \xff\n\n"


def _bodies() -> Iterator[bytes]:
    details = [wire.summary("Think", 0), wire.encrypted("gAAAA")]
    yield wire.PADDING * 3 + wire.to_json(wire.body("Hello", reasoning_details=details))
    calls = [wire.tool_call("f", "{}"), wire.tool_call("f", '{"a":', "call_2", 1)]
    yield wire.to_json(wire.body(None, finish="tool_calls", tool_calls=calls))
    yield wire.to_json(wire.body(None, finish="length", counts=wire.usage(reasoning=40)))
    yield wire.to_json(wire.body(refusal="I can not.", annotations=[_CITATION]))
    broken: dict[str, Any] = wire.body("Hel")
    broken["choices"][0]["error"] = wire.error(502)["error"]
    yield wire.to_json(broken)
    yield b'{"choices":[{"message":{"content":NaN}}]}'
    yield b"<html>502 Bad Gateway</html>"


def _failures() -> Iterator[bytes]:
    yield wire.to_json({**wire.error(400, "Bad key %K"), "user_id": "%U"})
    yield wire.to_json(
        wire.error(429, raw='{"error":{"message":"slow %U"}}', retry_after_seconds=3)
    )
    yield wire.to_json(wire.error("502", provider_name="Azure", previous_errors=[{"code": 1}]))
    yield wire.to_json(wire.error(403, "Flagged", reasons=["violence", "%B"], flagged_input="x"))
    yield wire.to_json(wire.error(404, "No endpoints", error_type="not_found", remedy_hint="Wait"))
    yield wire.to_json({"error": "text %O", "detail": [{"msg": "wrong"}]})
    available = {"retryable": False, "retry_after": 5, "fallback_models": ["openai/o4-mini"]}
    yield wire.to_json({"error": {"message": "x", "availability": available, "excluded_by": ["a"]}})
    yield b"<html>Bearer %K</html>"


_CITATION = {"type": "url_citation", "url_citation": {"url": "https://example.org", "title": "T"}}
