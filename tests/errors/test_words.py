"""Whose words an error carries: every shape of a body, with a status, in a 200, in a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from langchain_openrouter_o3 import (
    OpenRouterAPIError,
    OpenRouterAuthenticationError,
    OpenRouterCreditsError,
    OpenRouterInvalidRequestError,
    OpenRouterMalformedResponseError,
    OpenRouterNotFoundError,
    OpenRouterRateLimitError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers import wire
from tests.helpers.factories import HTML, STREAM, error_answer, failure
from tests.helpers.modes import every_mode

WORDS = "The flock is too large"

SHAPES: dict[str, Any] = {
    "openrouter": {"error": {"message": WORDS, "code": 400}},
    "text under error": {"error": WORDS},
    "list under error": {"error": [{"code": 400, "message": WORDS}]},
    "errors": {"errors": [{"message": WORDS}]},
    "errors that are texts": {"errors": [WORDS]},
    "errors by field": {"errors": {"detail": WORDS}},
    "message": {"message": WORDS},
    "Message": {"Message": WORDS},
    "errorMessage": {"errorMessage": WORDS},
    "error_message": {"error_message": WORDS},
    "error-message": {"error-message": WORDS},
    "msg": {"code": 1302, "msg": WORDS, "data": None},
    "title": {"type": "about:blank", "title": WORDS, "status": 400},
    "title and detail": {"title": "Bad Request", "detail": WORDS},
    "reason": {"error": {"reason": WORDS}},
    "detail": {"detail": WORDS},
    "detail as list": {"detail": [{"loc": ["body", "n"], "msg": WORDS, "type": "value_error"}]},
    "detail as object": {"detail": {"error": {"message": WORDS}}},
    "error in error": {"error": {"error": {"message": WORDS}}},
    "innererror": {"error": {"code": "BadRequest", "innererror": {"message": WORDS}}},
    "inner_error": {"error": {"message": None, "inner_error": {"message": WORDS}}},
    "oauth": {"error": "invalid_request", "error_description": WORDS},
    "fault": {"fault": {"faultstring": WORDS}},
    "cause": {"error": {"message": "", "cause": {"message": WORDS}}},
    "text": WORDS,
    "JSON in a text": json.dumps({"error": {"message": WORDS}}),
    "list of texts": [WORDS],
    "list of errors": [{"error": {"code": 400, "message": WORDS}}],
    "raw": {"error": {"message": "Provider returned error", "metadata": {"raw": WORDS}}},
    "JSON in raw": {"error": {"metadata": {"raw": json.dumps({"errors": [{"title": WORDS}]})}}},
    "JSON in JSON in raw": {
        "error": {"metadata": {"raw": json.dumps({"error": json.dumps({"message": WORDS})})}}
    },
    "an event in raw": {
        "error": {"metadata": {"raw": f'event: x\ndata: {{"error": "{WORDS}"}}\n\n'}}
    },
    "previous_errors": {
        "error": {
            "message": "Provider returned error",
            "code": 400,
            "metadata": {"previous_errors": [{"code": 429, "message": WORDS}]},
        }
    },
    "an object in raw": {"error": {"message": None, "metadata": {"raw": {"error": WORDS}}}},
    "JSON behind a mark in raw": {"error": {"metadata": {"raw": f'\ufeff{{"detail": "{WORDS}"}}'}}},
    "errors by any field": {"errors": {"messages.0": {"_errors": [WORDS]}}},
    "provider_error": {"error": {"code": 400, "metadata": {"provider_error": {"message": WORDS}}}},
    "err": {"err": {"statusMessage": WORDS}},
    "response": {"type": "response.failed", "response": {"error": {"message": WORDS}}},
    "data": {"data": {"error": WORDS}},
    "JSON in body": {"error": {"code": 400, "body": json.dumps({"message": WORDS})}},
    "plain": WORDS.encode(),
    "JSON behind a mark": b"\xef\xbb\xbf" + json.dumps({"message": WORDS}).encode(),
    "an event": b"data: " + json.dumps({"error": {"message": WORDS}}).encode() + b"\n\n",
    "an error event": b"event: error\ndata: " + WORDS.encode() + b"\n\n",
    "XML": f"<?xml version='1.0'?><Error><Message>{WORDS}</Message></Error>".encode(),
}


@every_mode
@pytest.mark.parametrize("shape", SHAPES)
def test_the_words_of_every_shape_are_in_the_text_and_the_status_decides(
    emulator: Emulator, shape: str, mode: str
) -> None:
    error = failure(emulator, mode, error_answer(400, SHAPES[shape]))
    assert WORDS in str(error)
    assert str(error).count(WORDS) == 1
    assert type(error) is OpenRouterInvalidRequestError
    assert error.status_code == 400


@pytest.mark.parametrize("status", [404, 429, 503])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_status_decides_whatever_the_shape(emulator: Emulator, shape: str, status: int) -> None:
    kinds: dict[int, type] = {
        404: OpenRouterNotFoundError,
        429: OpenRouterRateLimitError,
        503: OpenRouterAPIError,
    }
    error = failure(emulator, "invoke", error_answer(status, SHAPES[shape]))
    assert WORDS in str(error)
    assert (type(error), error.status_code) == (kinds[status], status)


OBJECTS = [name for name, body in SHAPES.items() if isinstance(body, dict)]


@every_mode
@pytest.mark.parametrize("shape", OBJECTS)
def test_a_200_without_choices_carries_its_words(emulator: Emulator, shape: str, mode: str) -> None:
    error = failure(emulator, mode, error_answer(200, SHAPES[shape]))
    assert WORDS in str(error)
    assert not isinstance(error, OpenRouterMalformedResponseError)


@every_mode
@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ({"message": "Rate limit exceeded"}, OpenRouterRateLimitError, 429),
        ({"message": "Slow down", "code": 429}, OpenRouterRateLimitError, 429),
        ({"message": "Slow down", "statusCode": "429"}, OpenRouterRateLimitError, 429),
        ({"object": "error", "message": "No", "code": 404}, OpenRouterNotFoundError, 404),
        (
            {"object": "error", "message": "Odd", "type": "BadRequestError"},
            OpenRouterInvalidRequestError,
            400,
        ),
        ({"message": "Invalid API key"}, OpenRouterAuthenticationError, 401),
        ({"success": False, "error": "Unauthorized"}, OpenRouterAuthenticationError, 401),
        ({"detail": "The service is overloaded"}, OpenRouterAPIError, 503),
        (
            {"error": {"message": "Quota", "status": "RESOURCE_EXHAUSTED"}},
            OpenRouterRateLimitError,
            429,
        ),
        ({"message": "Something odd"}, OpenRouterAPIError, None),
        ({"message": "Something odd", "choices": None}, OpenRouterAPIError, None),
        ({"message": "Something odd", "choices": []}, OpenRouterAPIError, None),
    ],
)
def test_a_200_without_choices_is_what_its_words_and_codes_mean(
    emulator: Emulator, body: Any, kind: type, status: int | None, mode: str
) -> None:
    error = failure(emulator, mode, error_answer(200, body))
    assert (type(error), error.status_code) == (kind, status)


@every_mode
@pytest.mark.parametrize("framing", ["body", "event"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([{"error": {"code": 429, "message": WORDS, "details": [{"retryDelay": "90s"}]}}], 429),
        ({"choices": None, "base_resp": {"status_code": 1008, "status_msg": WORDS}}, None),
    ],
    ids=["Gemini's list", "MiniMax"],
)
def test_an_error_is_read_in_a_body_and_in_an_event_alike(
    emulator: Emulator, body: Any, status: int | None, framing: str, mode: str
) -> None:
    event = Canned(headers=STREAM, pieces=wire.sse(body))
    error = failure(emulator, mode, error_answer(200, body) if framing == "body" else event)
    assert WORDS in str(error)
    assert (error.status_code, error.retry_after) == (status, 90 if status else None)


@every_mode
@pytest.mark.parametrize(
    ("chunk", "status"),
    [
        ({"code": 402, "message": WORDS}, 402),
        ({"base_resp": {"status_code": 1008, "status_msg": WORDS}}, None),
        ({"message": WORDS, "code": "rate_limit_error"}, 429),
        ({"message": WORDS}, None),
    ],
)
@pytest.mark.parametrize("name", ["chat.completion.chunk", None])
def test_the_words_of_a_chunk_explain_why_there_is_no_answer(
    emulator: Emulator, chunk: Any, status: int | None, name: str | None, mode: str
) -> None:
    pieces = wire.sse({**wire.envelope(choices=[]), "object": name, **chunk}, done=False)
    error = failure(emulator, mode, Canned(headers=STREAM, pieces=pieces))
    assert (WORDS in str(error), error.status_code) == (True, status)


@every_mode
@pytest.mark.parametrize("rest", [b"data: {broken\n\n", b'data: {"cut'], ids=["broken", "cut"])
@pytest.mark.parametrize("beside", [{"choices": []}, {"usage": wire.usage()}])
def test_the_words_of_a_chunk_explain_whatever_ends_the_answer(
    emulator: Emulator, rest: bytes, beside: Any, mode: str
) -> None:
    begun = wire.sse({**beside, "message": "Insufficient balance"}, done=False)
    error = failure(emulator, mode, Canned(headers=STREAM, pieces=begun + rest))
    assert type(error) is OpenRouterCreditsError


@every_mode
def test_words_that_mean_nothing_in_particular_hide_no_other_error(
    emulator: Emulator, mode: str
) -> None:
    begun = wire.sse({"choices": [], "message": "Enqueued"}, done=False)
    error = failure(emulator, mode, Canned(headers=STREAM, pieces=begun + b"data: {broken\n\n"))
    assert type(error) is OpenRouterMalformedResponseError


EVENTS = {
    "event: error": b'event: error\ndata: {"code": 429, "message": "%s"}\n\n',
    "event: error, CRLF": b'event: error\r\ndata: {"code": 429, "message": "%s"}\r\n\r\n',
    "event: error after the data": b'data: {"code": 429, "message": "%s"}\nevent: error\n\n',
    "event: error with an error": b'event: error\ndata: {"error": {"message": "%s"}}\n\n',
    "event: error with a text": b"event: error\ndata: %s\n\n",
    "event: stream_error": b"event: stream_error\ndata: %s\n\n",
    "event: response.failed": b'event: response.failed\ndata: {"message": "%s"}\n\n',
    "event: error with a JSON text": b'event: error\ndata: "%s"\n\n',
    "event: error in two lines": b'event: error\ndata: {"message":\ndata: "%s"}\n\n',
    "type error": b'data: {"type": "error", "code": "rate_limit_exceeded", "message": "%s"}\n\n',
    "type error with an error": (
        b'data: {"type": "error", "error": {"type": "overloaded_error", "message": "%s"}}\n\n'
    ),
    "object error": b'data: {"object": "error", "message": "%s", "code": 429}\n\n',
    "failed response": b'data: {"type": "response.failed", "response": {"error": "%s"}}\n\n',
    "error in a delta": b'data: {"choices": [{"delta": {"error": {"message": "%s"}}}]}\n\n',
    "words alone": b'data: {"message": "%s"}\n\n',
    "detail": b'data: {"detail": [{"msg": "%s"}]}\n\n',
    "field error": b'error: {"code": 429, "message": "%s"}\n\n',
    "field error, text": b"error: %s\n\n",
    "field error without space": b'error:{"code": 429, "message": "%s"}\n\n',
}
TEXT = wire.sse(wire.chunk("Half an answer"), done=False)
FINISHED = TEXT + wire.sse(wire.chunk(finish="stop"), done=False)


@every_mode
@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"], ids=["cut", "done"])
@pytest.mark.parametrize(
    ("before", "partial"),
    [(b"", None), (TEXT, "Half an answer"), (FINISHED, "Half an answer")],
    ids=["first", "after text", "after the finish"],
)
@pytest.mark.parametrize("event", EVENTS)
def test_an_error_in_a_stream_carries_its_words(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    emulator: Emulator, event: str, before: bytes, partial: str | None, end: bytes, mode: str
) -> None:
    pieces = [each for each in (before, EVENTS[event] % WORDS.encode(), end) if each]
    error = failure(emulator, mode, Canned(headers=STREAM, pieces=pieces))
    assert WORDS in str(error)
    assert not isinstance(error, OpenRouterMalformedResponseError)
    assert (error.partial.text if error.partial else None) == partial
    if b"429" in EVENTS[event]:
        assert type(error) is OpenRouterRateLimitError


@every_mode
@pytest.mark.parametrize("size", [1, 3, 7])
def test_an_error_event_may_come_in_any_pieces(emulator: Emulator, size: int, mode: str) -> None:
    raw = TEXT + EVENTS["event: error"] % WORDS.encode()
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    error = failure(emulator, mode, Canned(headers=STREAM, pieces=pieces))
    assert type(error) is OpenRouterRateLimitError
    assert WORDS in str(error)


@every_mode
def test_an_error_event_without_data_is_an_error_all_the_same(
    emulator: Emulator, mode: str
) -> None:
    error = failure(emulator, mode, Canned(headers=STREAM, pieces=TEXT + b"event: error\n\n"))
    assert type(error) is OpenRouterAPIError
    assert "error event without data" in str(error)


@every_mode
@pytest.mark.parametrize(
    "event",
    [
        b'event: ping\ndata: {"type": "ping", "message": "still here"}\n\n',
        b'event: Status\ndata: {"message": "Working on it", "detail": "Step 3 has failed"}\n\n',
        b"event: status\ndata: Working on it, no error\ndata: so far\n\n",
        b'event: status\ndata: "Working on it"\n\n',
        b'data: {"status": "queued", "message": "You are number 3"}\n\n',
        b"event: message\n\n",
        b"errors: none\n\n",
    ],
)
def test_words_that_are_no_error_end_no_stream(
    emulator: Emulator, model: Any, event: bytes, mode: str
) -> None:
    from tests.helpers.modes import MODES

    body = event + wire.sse(wire.chunk("Hello"), *wire.ending())
    emulator.play(Canned(headers=STREAM, pieces=b": hello\n\n" + body))
    assert MODES[mode](model).text == "Hello"


@every_mode
@pytest.mark.parametrize("status", [400, 503])
def test_without_a_message_the_body_is_the_message(
    emulator: Emulator, status: int, mode: str
) -> None:
    error = failure(emulator, mode, error_answer(status, {"odd": {"number": 7}, "user_id": "abc"}))
    assert '{"odd": {"number": 7}}' in str(error)
    assert "abc" not in str(error)


@every_mode
def test_a_200_without_choices_and_without_words_is_shown(emulator: Emulator, mode: str) -> None:
    error = failure(emulator, mode, error_answer(200, {"odd": {"number": 7}, "user_id": "abc"}))
    assert type(error) is OpenRouterMalformedResponseError
    assert '{"odd": {"number": 7}}' in str(error)


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[]", b'""'])
def test_an_empty_body_says_that_there_is_no_message(emulator: Emulator, body: bytes) -> None:
    assert "without a message" in str(failure(emulator, "invoke", error_answer(400, body)))


def test_a_long_body_is_clipped(emulator: Emulator) -> None:
    error = failure(emulator, "invoke", error_answer(400, {"odd": "x" * 50_000}))
    assert len(str(error)) < 1_500
    assert "characters)" in str(error)


@every_mode
@pytest.mark.parametrize("code", [1302, 0, -1, 200, 99, 600, "1302", "0", "-1", "200"])
def test_a_code_that_is_no_http_status_is_never_called_one(
    emulator: Emulator, code: Any, mode: str
) -> None:
    error = failure(emulator, mode, error_answer(200, {"error": {"message": "Odd", "code": code}}))
    assert "HTTP" not in str(error)
    assert f"code {code}" in str(error)
    assert (error.code, error.status_code) == (code, None)


# --- Web pages ---

PAGE = (
    b"<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><title>\n 404 &ndash; Not "
    b"Found </title><script>var a = '<b>';</script></head><body><h1>Oh</h1></body></html>"
)
PAGES = {
    "page": PAGE,
    "page behind a mark": b"\xef\xbb\xbf" + PAGE,
    "upper case": PAGE.upper(),
    "no title": b"<html><body>" + b"<p>nothing</p>" * 5_000,
    "heading": b"<html><body><center><h1>502 Bad <b>Gateway</b></h1></center></body></html>",
    "empty": b"<html><head><script>var a = '<b>c</b>';</script></head></html>",
    "fragment": b"<h1>Forbidden</h1><p>Ray ID 7</p>",
    "comment": b"\xef\xbb\xbf\r\n <!-- <proxy> 7 -->\n<!-- -->"
    + PAGE
    + b"\n<!-- 8 --><script>x</script>",
    "only comments": b"<!-- 7 --> <!-- never closed",
    "section": b"<section class=a>\n<p>Nobody is here</p></section><script>x</script>",
    "words in bold": b"<b>Fatal error</b>: no memory in <b>a.php</b><br />",
    "XHTML": b"<?xml version='1.0'?>\n<!DOCTYPE html><html xmlns='x'><title>Oh</title></html>",
    "XML": b"<soap:Envelope a='b'><faultstring>Oh</faultstring></soap:Envelope>\n",
}


@every_mode
@pytest.mark.parametrize("status", [200, 401, 403, 404, 502])
@pytest.mark.parametrize("page", PAGES)
def test_of_a_page_only_the_title_is_shown_and_the_address_is_named(
    emulator: Emulator, page: str, status: int, mode: str
) -> None:
    canned = Canned(status=status, headers=HTML, pieces=PAGES[page])
    error = failure(emulator, mode, canned)
    assert "<" not in str(error) + json.dumps(error.body)
    assert "check base_url and proxy" in str(error)
    assert f"{emulator.base_url}/chat/completions" in str(error)
    assert len(str(error)) < 500
    for wrong in ("slug", "key is valid", "OPENROUTER_API_KEY", "settings"):
        assert wrong not in str(error)
    titles = {
        "no title": '"nothing nothing',
        "heading": '"502 Bad Gateway"',
        "empty": "without a title",
        "comment": '"404 \N{EN DASH} Not Found"',
        "only comments": "without a title",
        "section": '"Nobody is here"',
        "words in bold": '"Fatal error : no memory in a.php"',
        "XML": '"Oh"',
    }
    assert titles.get(page, '"') in str(error)


@pytest.mark.parametrize("size", [1, 5])
def test_a_page_may_come_in_any_pieces(emulator: Emulator, size: int) -> None:
    pieces = [PAGE[start : start + size] for start in range(0, len(PAGE), size)]
    error = failure(emulator, "stream", Canned(headers=HTML, pieces=pieces))
    assert '"404 \N{EN DASH} Not Found"' in str(error)


def test_a_page_without_end_is_left(emulator: Emulator) -> None:
    pieces = [PAGE, *[b"<p>more</p>" * 1_000] * 40]
    error = failure(emulator, "invoke", Canned(headers=HTML, pieces=pieces, cut=True))
    assert type(error) is OpenRouterMalformedResponseError


@every_mode
@pytest.mark.parametrize(
    "quoted",
    [
        {"message": f"502: {PAGE.decode()}", "code": 502},
        {"message": "Provider returned error", "code": 502, "metadata": {"raw": PAGE.decode()}},
    ],
)
def test_a_page_that_a_provider_sent_is_shown_by_its_title(
    emulator: Emulator, quoted: Any, mode: str
) -> None:
    error = failure(emulator, mode, error_answer(502, {"error": quoted}))
    assert '"404 \N{EN DASH} Not Found"' in str(error)
    assert "<" not in str(error) + json.dumps(error.body)
    assert "base_url" not in str(error)  # it is not the caller's mistake


@pytest.mark.parametrize(
    "words",
    [
        "<model> is odd, a<b",
        "<b> is open, <!-- is not",
        "<x>1</x> is no number",
        "is <div>a</div> one",
    ],
)
def test_words_in_angle_brackets_are_words(emulator: Emulator, words: str) -> None:
    error = failure(emulator, "invoke", error_answer(400, {"error": {"message": words}}))
    assert words in str(error)
