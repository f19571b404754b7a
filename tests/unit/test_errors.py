"""The error tree: which class an error becomes, what it tells, and that it travels."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest
from langchain_core import exceptions as core
from langchain_core.messages import AIMessage

from langchain_openrouter_o3 import errors
from langchain_openrouter_o3.errors import (
    ErrorResponse,
    OpenRouterAPIError,
    OpenRouterAuthenticationError,
    OpenRouterError,
    OpenRouterInputError,
    OpenRouterInvalidRequestError,
    OpenRouterModerationError,
    OpenRouterNotFoundError,
    OpenRouterPermissionError,
    OpenRouterRateLimitError,
)
from langchain_openrouter_o3.errors.from_payload import MAX_MESSAGE_CHARS, error_from_payload
from tests.helpers.wire import error

LEAVES = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


def _pickled(value: OpenRouterError) -> Any:
    return pickle.loads(pickle.dumps(value))


def test_the_table_of_leaves_is_the_whole_tree() -> None:
    assert len(LEAVES) == 21
    assert all(issubclass(leaf, OpenRouterError) for leaf in LEAVES)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
@pytest.mark.parametrize("clone", [_pickled, copy.copy, copy.deepcopy])
def test_every_error_travels_with_all_its_attributes(
    leaf: type[OpenRouterError], clone: Any
) -> None:
    original = leaf(
        "It failed.",
        status_code=429,
        code="rate_limit_exceeded",
        error_type="rate_limit_exceeded",
        provider_name="OpenAI",
        generation_id="gen-1",
        retry_after=2.5,
        retryable=True,
        body={"error": {"message": "slow down"}},
        partial=AIMessage("so far"),
        headers={"retry-after": "2.5"},
    )
    again = clone(original)
    assert type(again) is leaf
    assert str(again) == str(original)
    assert vars(again) == vars(original)
    assert again.is_retryable is True


CORE_CLASSES = {
    400: core.ModelInvalidRequestError,
    413: core.ModelInvalidRequestError,
    422: core.ModelInvalidRequestError,
    409: core.ModelInvalidRequestError,
    401: core.ModelAuthenticationError,
    402: core.ModelPermissionDeniedError,
    403: core.ModelPermissionDeniedError,
    404: core.ModelNotFoundError,
    408: core.ModelTimeoutError,
    504: core.ModelTimeoutError,
    429: core.ModelRateLimitError,
    500: core.ModelAPIError,
    502: core.ModelAPIError,
    503: core.ModelAPIError,
    529: core.ModelAPIError,
}


@pytest.mark.parametrize(("status", "expected"), CORE_CLASSES.items())
def test_a_status_and_the_same_code_in_a_200_body_give_one_class(
    status: int, expected: type[Exception]
) -> None:
    by_status = error_from_payload(error(status, "No."), status=status)
    by_code = error_from_payload(error(status, "No."), status=200)
    assert isinstance(by_status, expected)
    assert type(by_code) is type(by_status)
    assert (by_code.status_code, by_code.code) == (status, status)
    assert by_code.is_retryable == by_status.is_retryable


@pytest.mark.parametrize(
    ("word", "status", "expected"),
    [
        ("rate_limit_exceeded", 429, OpenRouterRateLimitError),
        ("server_error", 500, OpenRouterAPIError),
        ("invalid_api_key", 401, OpenRouterAuthenticationError),
        ("404", 404, OpenRouterNotFoundError),
        ("some_new_word", None, OpenRouterAPIError),
        ("12345", None, OpenRouterAPIError),
    ],
)
def test_a_code_that_is_a_word_keeps_its_meaning(
    word: str, status: int | None, expected: type[OpenRouterError]
) -> None:
    found = error_from_payload(error(word, "No."))
    assert type(found) is expected
    assert (found.status_code, found.code) == (status, word)


@pytest.mark.parametrize(
    ("status", "metadata", "expected"),
    [
        (403, {"reasons": ["violence"], "flagged_input": "…"}, OpenRouterModerationError),
        (403, {"flagged_input": "…"}, OpenRouterModerationError),
        (403, {"provider_name": "OpenAI"}, OpenRouterPermissionError),
        (502, {"reasons": ["violence"]}, OpenRouterAPIError),
    ],
)
def test_only_a_flagged_403_is_moderation(
    status: int, metadata: dict[str, Any], expected: type[OpenRouterError]
) -> None:
    assert type(error_from_payload(error(status, "No.", **metadata), status=status)) is expected


@pytest.mark.parametrize(
    "raw",
    [
        '{\n  "error": {"message": "Unsupported parameter: \'temperature\'"}\n}\n',
        {"error": {"message": "Unsupported parameter: 'temperature'"}},
        [{"error": {"message": "Unsupported parameter: 'temperature'"}}],
        '{"detail": "Unsupported parameter: \'temperature\'"}',
        '{"error": "Unsupported parameter: \'temperature\'"}',
        " Unsupported parameter: 'temperature' ",
    ],
)
def test_the_providers_own_words_are_the_message(raw: Any) -> None:
    found = error_from_payload(
        error(400, raw=raw, provider_name="Azure"), status=400, generation_id="gen-1"
    )
    assert str(found) == "[Azure] Unsupported parameter: 'temperature' (HTTP 400, gen-1)"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"error": "plain"}, "plain"),
        ({"error": {"message": "Outer", "metadata": {"raw": "Inner"}}}, "Outer: Inner"),
        ({"error": {"message": "Both", "metadata": {"raw": "Both"}}}, "Both"),
        ({"error": {"metadata": {"raw": {"odd": 1}}}}, '{"odd": 1}'),
        ({"error": {"metadata": {"raw": "[1]"}}}, '{"raw": "[1]"}'),
        ({"error": {"metadata": {"raw": []}}}, '{"raw": []}'),
        ({"error": {"message": "No", "metadata": {"reasons": ["a", "b"]}}}, "No (reasons: a, b)"),
        ({"message": "inner object alone"}, "inner object alone"),
        ("text", "text."),
        ([], "without a message"),
        (None, "without a message"),
        ({}, "without a message"),
    ],
)
def test_whatever_the_payload_some_words_are_found(payload: Any, words: str) -> None:
    assert words in str(error_from_payload(payload))


def test_a_long_message_is_clipped() -> None:
    found = error_from_payload({"error": {"message": "ab " * 5_000}}, status=502)
    assert len(str(found)) < MAX_MESSAGE_CHARS + 150
    assert "(14999 characters)" in str(found)


SECRETS = ["user_2abcDEFghi", "org_2abcDEFghi", "sk-or-v1-0123456789abcdef", "Bearer abc.def-123"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "build",
    [
        lambda s: {"error": {"message": f"Key {s} is limited", "code": 429}, "user_id": s},
        lambda s: error(400, raw=f'{{"error":{{"message":"no {s}"}},"user_id":"{s}"}}'),
        lambda s: error(400, raw={"error": {"message": f"({s})"}}),
        lambda s: error(400, raw=f"for {s}.", headers={"authorization": s, "X-Note": [s]}),
        lambda s: error(400, raw={"user_id": s}),
        lambda s: error(403, "flagged", reasons=[s], flagged_input=s),
    ],
)
def test_ids_and_keys_are_nowhere_in_an_error(build: Any, secret: str) -> None:
    found = error_from_payload(build(secret), status=400, headers={"Set-Cookie": secret})
    assert secret not in str(found)
    assert secret not in repr(found.body)
    assert secret not in repr(found.response)


def test_a_user_id_of_any_form_is_not_quoted_from_an_upstream_object() -> None:
    found = error_from_payload(error(400, raw={"user_id": "7f3c-77", "code": 1}), status=400)
    assert "7f3c-77" not in str(found)


def test_only_harmless_headers_are_kept_in_lower_case() -> None:
    headers = {
        "Retry-After": "3",
        "X-RateLimit-Reset": "1785000000000",
        "X-Generation-Id": "gen-9",
        "Set-Cookie": "secret",
        "CF-Ray": "abc",
    }
    found = error_from_payload(error(429), status=429, headers=headers)
    assert found.headers == {
        "retry-after": "3",
        "x-ratelimit-reset": "1785000000000",
        "x-generation-id": "gen-9",
    }
    assert found.request_id == found.generation_id == "gen-9"
    assert found.response == ErrorResponse(429, found.headers, found.body)
    assert found.response.json() == error(429)


@pytest.mark.parametrize(
    ("availability", "expected"),
    [
        ({"retryable": False}, (False, None)),
        ({"retryable": True, "retry_after": 3}, (True, 3.0)),
        ({"retryable": "yes", "retry_after": "3"}, (None, 3.0)),
        ({"retry_after": "20s"}, (None, 20.0)),
        ({"retry_after": "-3"}, (None, None)),
        (None, (None, None)),
    ],
)
def test_the_servers_own_word_on_retrying_is_kept(
    availability: Any, expected: tuple[bool | None, float | None]
) -> None:
    payload = error(503)
    payload["error"]["availability"] = availability
    found = error_from_payload(payload, status=503)
    assert (found.retryable, found.retry_after) == expected
    assert found.is_retryable is (expected[0] is not False)


@pytest.mark.parametrize("nonsense", [-5, -1e400, True, 10**400], ids="abcd")
def test_a_nonsensical_retry_after_in_the_body_is_no_wait(nonsense: Any) -> None:
    payload = error(503)
    payload["error"]["availability"] = {"retryable": True, "retry_after": nonsense}
    assert error_from_payload(payload, status=503).retry_after in (None, 0.0)


def test_the_headers_retry_after_beats_the_bodys() -> None:
    payload = error(503)
    payload["error"]["availability"] = {"retry_after": 9}
    assert error_from_payload(payload, status=503, retry_after=2.0).retry_after == 2.0


@pytest.mark.parametrize("bracket", ["[", "{"])
def test_a_deeply_nested_payload_is_an_error_like_any_other(bracket: str) -> None:
    nested: Any = 1
    for _ in range(1_200):
        nested = [nested] if bracket == "[" else {"error": nested}
    assert "No." in str(error_from_payload(error(400, "No.", raw=nested), status=400))


def test_an_input_error_is_also_a_value_error_and_not_retryable() -> None:
    found = OpenRouterInputError("No.")
    assert isinstance(found, (OpenRouterInvalidRequestError, ValueError))
    assert found.is_retryable is False


def test_an_error_that_says_nothing_is_not_retryable() -> None:
    assert OpenRouterError("No.").is_retryable is False


@pytest.mark.parametrize("key", ["reason", "error_type"])
@pytest.mark.parametrize("word", ["no_endpoints", "constraint_filtered"])
def test_no_endpoint_for_the_constraints_is_not_retried(key: str, word: str) -> None:
    payload = {"error": {"message": "No.", "code": 503, "availability": {key: word}}}
    assert error_from_payload(payload).is_retryable is False


def test_a_routing_error_names_the_wishes_that_left_no_endpoint() -> None:
    metadata = {"excluded_by": ["zdr"], "constraint": "tool_choice"}
    found = error_from_payload(error(404, "No endpoints found.", **metadata), status=404)
    assert "excluded_by: ['zdr'], constraint: tool_choice" in str(found)


def test_a_secret_is_concealed_at_any_depth() -> None:
    key = "plain-key-0123"
    found = error_from_payload(error(401, f"Bad {key}", raw={"a": [key, 1]}), status=401)
    found.conceal(key)
    assert key not in f"{found} {found.body}"
    assert "[redacted]" in str(found)


@pytest.mark.parametrize("stand_in", ["", "k", "test", "any"])
def test_a_stand_in_for_a_key_garbles_no_words(stand_in: str) -> None:
    found = error_from_payload(error(402, "Too many tokens tested; check"), status=402)
    before = str(found)
    found.conceal(stand_in)
    assert str(found) == before


@pytest.mark.parametrize(
    ("payload", "status", "advice"),
    [
        (error(402, "Insufficient credits"), 402, "settings/credits, or lower max_tokens"),
        (error(400, "maximum context length is 200000"), 400, "Shorten the conversation"),
        (error(401, "User not found."), 401, "Check api_key or OPENROUTER_API_KEY"),
        (error(403, "Flagged", reasons=["violence"]), 403, "Change the flagged text"),
        (
            error(403, raw="Country, region, or territory not supported"),
            403,
            "Country, region.*does not serve the country.*provider=",
        ),
        (error(403, "Terms of service"), 403, "settings/privacy"),
        (error(404, "No endpoints found"), 404, "openrouter.ai/models"),
        (error(402, "No", remedy_hint="Buy some."), 402, r"Buy some\.$"),
        (error(429, "Slow", retry_after_seconds=90), 429, "asks to wait 90 s"),
    ],
)
def test_an_error_says_what_to_do(payload: Any, status: int, advice: str) -> None:
    assert re.search(advice, str(error_from_payload(payload, status=status)))


@pytest.mark.parametrize(
    "offered",
    [
        ["openai/o4-mini", "openai/o3"],
        [{"id": "openai/o4-mini"}, {"id": "openai/o3"}, {"name": "?"}, 7, " "],
    ],
)
def test_models_that_are_offered_instead_are_named(offered: Any) -> None:
    availability = {"retryable": False, "reason": "no_endpoints", "fallback_models": offered}
    failed = error_from_payload({"error": {"message": "Down", "availability": availability}})
    assert failed.fallback_models == ["openai/o4-mini", "openai/o3"]
    assert "OpenRouter offers openai/o4-mini, openai/o3 instead" in str(failed)
    assert not failed.is_retryable


@pytest.mark.parametrize("odd", [None, "openai/o3", 3, {"a": 1}])
def test_odd_offers_are_none(odd: Any) -> None:
    failed = error_from_payload({"error": {"availability": {"fallback_models": odd}}})
    assert failed.fallback_models == []


def test_upstream_words_that_are_nested_without_end_exhaust_nothing() -> None:
    raw = '{"error":' * 500 + '"deep"' + "}" * 500
    failed = error_from_payload(error(502, raw=raw), status=502)
    assert isinstance(failed, OpenRouterAPIError)
