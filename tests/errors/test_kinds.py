"""Which class an error has, and that its advice fits the cause."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAPIError,
    OpenRouterAuthenticationError,
    OpenRouterContextOverflowError,
    OpenRouterCreditsError,
    OpenRouterError,
    OpenRouterInvalidRequestError,
    OpenRouterModerationError,
    OpenRouterNotFoundError,
    OpenRouterPermissionError,
    OpenRouterRateLimitError,
    OpenRouterRefusalError,
    OpenRouterTimeoutError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from langchain_openrouter_o3.errors import kinds, remedies
from langchain_openrouter_o3.errors.redaction import redact
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import JSON, error_answer, failure, hello, streamed
from tests.helpers.modes import MODES, every_mode


def unavailable(code: str, number: int | None, **more: Any) -> wire.Json:
    payload = wire.error(number, "Not to be had")
    payload["error"]["availability"] = {"code": code, **more}
    return payload


AVAILABILITY: dict[str, tuple[type[OpenRouterError], int]] = {
    "model_not_found": (OpenRouterNotFoundError, 400),
    "wrong_endpoint": (OpenRouterInvalidRequestError, 400),
    "no_endpoints": (OpenRouterNotFoundError, 404),
    "model_deprecated": (OpenRouterNotFoundError, 404),
    "model_unavailable_upstream": (OpenRouterNotFoundError, 404),
    "capacity_exhausted": (OpenRouterRateLimitError, 429),
    "temporarily_unavailable": (OpenRouterAPIError, 503),
    "region_restricted": (OpenRouterPermissionError, 403),
    "privacy_restricted": (OpenRouterNotFoundError, 404),
    "constraint_filtered": (OpenRouterNotFoundError, 404),
    "free_variant_ended": (OpenRouterNotFoundError, 404),
}


@every_mode
@pytest.mark.parametrize("status", [None, 400, 404, 503])
@pytest.mark.parametrize("code", AVAILABILITY)
def test_the_code_of_an_availability_decides_and_not_the_status(
    emulator: Emulator, code: str, status: int | None, mode: str
) -> None:
    kind, own = AVAILABILITY[code]
    payload = unavailable(code, status or own)
    payload["error"]["metadata"] = {"error_type": "invalid_request"}
    error = failure(emulator, mode, error_answer(status or own, payload))
    assert type(error) is kind
    assert error.status_code == (status or own)


@every_mode
def test_a_passing_shortage_is_tried_again_and_a_lasting_one_is_not(
    emulator: Emulator, mode: str
) -> None:
    for code in ("capacity_exhausted", "temporarily_unavailable"):
        emulator.requests.clear()
        emulator.play(error_answer(400, unavailable(code, 400, retry_after=0.001)), hello())
        with ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY) as model:
            assert MODES[mode](model).text == "Hello"
        assert len(emulator.requests) == 2
    for code in ("model_deprecated", "no_endpoints", "region_restricted"):
        emulator.requests.clear()
        error = failure(emulator, mode, error_answer(503, unavailable(code, 503)), max_retries=2)
        assert not error.is_retryable
        assert len(emulator.requests) == 1


TYPES: dict[str, tuple[type[OpenRouterError], int]] = {
    "context_length_exceeded": (OpenRouterContextOverflowError, 400),
    "token_limit_exceeded": (OpenRouterCreditsError, 400),
    "max_tokens_exceeded": (OpenRouterInvalidRequestError, 400),
    "authentication": (OpenRouterAuthenticationError, 401),
    "permission_denied": (OpenRouterPermissionError, 403),
    "payment_required": (OpenRouterCreditsError, 402),
    "rate_limit_exceeded": (OpenRouterRateLimitError, 429),
    "provider_overloaded": (OpenRouterAPIError, 503),
    "content_policy_violation": (OpenRouterModerationError, 400),
    "refusal": (OpenRouterRefusalError, 400),
    "timeout": (OpenRouterTimeoutError, 504),
    "not_found": (OpenRouterNotFoundError, 404),
}


@every_mode
@pytest.mark.parametrize("error_type", TYPES)
def test_the_error_type_beats_words_and_status(
    emulator: Emulator, error_type: str, mode: str
) -> None:
    kind, status = TYPES[error_type]
    words = "maximum context length, rate limit, content_filter"
    payload = wire.error(status, words, error_type=error_type)
    assert type(failure(emulator, mode, error_answer(status, payload))) is kind
    del payload["error"]["code"]
    assert type(failure(emulator, mode, error_answer(200, payload))) is kind


@every_mode
def test_a_cap_on_credits_is_no_overflow(emulator: Emulator, mode: str) -> None:
    payload = wire.error(400, "Token limit exceeded", error_type="token_limit_exceeded")
    error = failure(emulator, mode, error_answer(400, payload))
    assert "credits" in str(error)
    assert "Shorten" not in str(error)


OVERFLOWS = [
    "This endpoint's maximum context length is 200000 tokens. However, you requested 250000.",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Input length 131073 exceeds the maximum allowed length",
    "too many tokens: 300000",
    "Too many input tokens",
    "Prompt contains too many tokens",
    "The request exceeds the available context size",
    "Please reduce the length of the messages",
    "prompt is too long: 300000 tokens > 200000 maximum",
    "Your messages are too long",
    "Number of tokens exceeded the maximum of 200000",
    "The prompt exceeds the model's limit of 200000 tokens",
    "This model supports at most 200,000 tokens",
    "The input token count is 2097153 but model only supports up to 1048576.",
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
    "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
    "`inputs` must have less than 1024 tokens. Given: 2000",
    "Range of input length should be [1, 30720]",
    "Your request exceeded model token limit: 8192",
    "Prompt exceeds max length",
    "The total number of tokens (300000) exceeds the limit (200000)",
    "context_window_exceeded",
    "prompt_too_long",
    'OpenAIException - {"error": {"code": "context_length_exceeded"}',
]


@every_mode
@pytest.mark.parametrize("words", OVERFLOWS)
def test_overflows_are_known_by_their_words(emulator: Emulator, words: str, mode: str) -> None:
    for body in (
        wire.error(400, words),
        wire.error(400, raw=json.dumps({"error": {"message": words}})),
        {"message": words},
    ):
        error = failure(emulator, mode, error_answer(400, body))
        assert type(error) is OpenRouterContextOverflowError
        assert "Shorten the conversation" in str(error)


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens is too large: 500000. This model supports at most 100000 completion tokens",
        "max_tokens exceeds the maximum number of tokens",
        "Input must have at least 1 token.",
        "Invalid token",
        "Too many output tokens asked for",
    ],
)
def test_other_words_about_tokens_are_no_overflow(emulator: Emulator, words: str) -> None:
    error = failure(emulator, "invoke", error_answer(400, wire.error(400, words)))
    assert type(error) is OpenRouterInvalidRequestError


def test_a_limit_on_tokens_per_minute_is_a_rate_limit(emulator: Emulator) -> None:
    words = "Too many tokens, please wait before trying again."
    for canned in (
        error_answer(429, wire.error(429, words)),
        error_answer(200, {"message": words}),
    ):
        assert type(failure(emulator, "invoke", canned)) is OpenRouterRateLimitError


AZURE = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content "
        "management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"hate": {"filtered": True, "severity": "high"}},
        },
    }
}


@every_mode
@pytest.mark.parametrize(
    ("status", "payload"),
    [
        (400, AZURE),
        (400, wire.error(400, raw=json.dumps(AZURE), provider_name="Azure")),
        (400, {"error": {"message": "No", "code": "content_filter"}}),
        (400, {"error": {"message": "No", "innererror": AZURE["error"]["innererror"]}}),
        (400, wire.error(400, "Your request was rejected as a result of our safety system")),
        (403, wire.error(403, raw='{"error": "Content violates usage guidelines."}')),
        (403, wire.error(403, "Blocked by a guardrail", patterns=["[0-9]{16}"])),
        (403, wire.error(403, "Your input was flagged", reasons=["violence"], flagged_input="…")),
    ],
)
def test_what_a_filter_blocks_is_moderation(
    emulator: Emulator, status: int, payload: Any, mode: str
) -> None:
    error = failure(emulator, mode, error_answer(status, payload))
    assert type(error) is OpenRouterModerationError
    assert error.status_code == status
    assert "Change the flagged text" in str(error)


@every_mode
@pytest.mark.parametrize(
    "words",
    [
        "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys",
        "Key limit exceeded (daily limit).",
        "You have reached the limit of this key",
        "API key has reached its monthly limit",
        "This request would exceed the key's budget",
        "The spending quota for your key is used up",
    ],
)
def test_a_key_that_is_used_up_is_not_called_valid(
    emulator: Emulator, words: str, mode: str
) -> None:
    error = failure(emulator, mode, error_answer(403, wire.error(403, words)))
    assert isinstance(error, OpenRouterPermissionError)
    assert "valid" not in str(error)
    assert "https://openrouter.ai/settings/keys" in str(error)


@every_mode
@pytest.mark.parametrize(
    "words",
    [
        "Invalid schema for function 'context_length_exceeded_checker': a type is missing",
        "Unknown function: context_length_exceeded_checker",
        "Invalid schema for response_format 'Moderation': In context=('properties', 'flagged')",
        'Tool "content_filter" is not declared',
        "`key_limit_exceeded` and `prompt_too_long` are not of type `string`",
        "The key name exceeds the limit of 64 characters",
    ],
)
def test_the_name_of_a_tool_or_a_schema_decides_nothing(
    emulator: Emulator, words: str, mode: str
) -> None:
    for payload in (wire.error(400, words), wire.error(400, raw=json.dumps({"error": words}))):
        error = failure(emulator, mode, error_answer(400, payload))
        assert type(error) is OpenRouterInvalidRequestError
        assert words in str(error)


@every_mode
@pytest.mark.parametrize("code", [429, 429.0, "429", "429.0", " 429 "])
def test_a_status_may_be_written_as_any_kind_of_number(
    emulator: Emulator, code: Any, mode: str
) -> None:
    error = failure(emulator, mode, error_answer(200, {"error": {"message": "No", "code": code}}))
    assert (type(error), error.status_code) == (OpenRouterRateLimitError, 429)
    assert error.code == code


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Provider did not return a first token in 30 s", OpenRouterAPIError),
        ("Upstream produced no token for 60 seconds", OpenRouterAPIError),
        ("Cannot decode token 128009", OpenRouterAPIError),
        ("Nothing came before the first token", OpenRouterAPIError),
        ("Unknown token id 5", OpenRouterAPIError),
        ("The stream belongs to another author", OpenRouterAPIError),
        ("Separate limits apply here", OpenRouterAPIError),
        ("Moderation service unavailable", OpenRouterAPIError),
        ("The authentication service is overloaded", OpenRouterAPIError),
        ("Blocked by the moderation service", OpenRouterModerationError),
        ("No auth credentials found", OpenRouterAuthenticationError),
        ("No cookie auth credentials found", OpenRouterAuthenticationError),
        ("Invalid API key", OpenRouterAuthenticationError),
        ("Missing Authentication header", OpenRouterAuthenticationError),
        ("Expired access token", OpenRouterAuthenticationError),
        ("invalid token (request id: 5)", OpenRouterAuthenticationError),
        ("No token provided", OpenRouterAuthenticationError),
        ("Authentication failed", OpenRouterAuthenticationError),
        ("x_rate_limit_exceeded", OpenRouterRateLimitError),
        ("AccountRateLimitExceeded", OpenRouterRateLimitError),
        ("model returned no tokens", OpenRouterAPIError),
        ("invalid_token", OpenRouterAuthenticationError),
        ("missing_api_key", OpenRouterAuthenticationError),
        ("no_api_key", OpenRouterAuthenticationError),
        ("InvalidAuthenticationToken", OpenRouterAuthenticationError),
        ("ExpiredToken", OpenRouterAuthenticationError),
        ("Invalid/Expired JWT token", OpenRouterAuthenticationError),
        ("Invalid token: signature verification failed", OpenRouterAuthenticationError),
        ("No token found", OpenRouterAuthenticationError),
        ("Missing token in header", OpenRouterAuthenticationError),
        ("litellm.AuthenticationError: wrong", OpenRouterAuthenticationError),
        ("Authentication system error: unknown api user", OpenRouterAuthenticationError),
        ("The moderation service failed your input", OpenRouterModerationError),
        ("Content blocked by moderation system (error code 1026)", OpenRouterModerationError),
    ],
)
def test_words_are_not_found_within_other_words(
    emulator: Emulator, words: str, kind: type[OpenRouterError]
) -> None:
    for body in ({"error": {"message": words}}, {"error": {"code": words, "message": "No"}}):
        error = failure(emulator, "invoke", error_answer(200, body))
        assert type(error) is kind
    assert error.is_retryable == kind.is_retryable


def test_a_code_says_more_than_words(emulator: Emulator) -> None:
    payload = wire.error(400, "The maximum context length was flagged")
    payload["error"]["code"] = "content_filter"
    assert (
        type(failure(emulator, "invoke", error_answer(400, payload))) is OpenRouterModerationError
    )


ADVICE = {
    400: "Change the request",
    401: "Check api_key or OPENROUTER_API_KEY",
    402: "lower max_tokens",
    403: "choose other providers with provider=",
    404: "https://openrouter.ai/models",
    408: "models=",
    413: "Change the request",
    422: "Change the request",
    429: "Ask less often",
    500: "Try again",
    502: "Try again",
    503: "Try again",
    504: "Try again",
}


def test_every_class_that_can_be_selected_has_advice() -> None:
    tables: Any = kinds
    by_words = [wording.meaning for wording in tables._WORDINGS]
    meanings = [*tables._BY_AVAILABILITY.values(), *tables._BY_ERROR_TYPE.values(), *by_words]
    advice: Any = remedies
    selected = {each.kind for each in meanings} | {*tables._BY_STATUS.values()}
    assert selected - advice._BY_CLASS.keys() == set()


@every_mode
@pytest.mark.parametrize("status", ADVICE)
def test_every_status_has_advice_that_fits(emulator: Emulator, status: int, mode: str) -> None:
    error = failure(emulator, mode, error_answer(status, wire.error(status, "No")))
    assert ADVICE[status] in str(error)
    assert "key is valid" not in str(error)


@every_mode
@pytest.mark.parametrize(
    ("body", "address"),
    [
        (wire.error(404, "No endpoints found for openai/o3-mini."), False),
        ({"detail": "Not Found"}, True),
        ({"message": "no Route matched with those values"}, True),
        (b"404 page not found", True),
        (b"", True),
    ],
)
def test_a_404_of_somebody_else_leads_to_the_address(
    emulator: Emulator, body: Any, *, address: bool, mode: str
) -> None:
    error = failure(emulator, mode, error_answer(404, body))
    assert ("Check base_url" in str(error)) is address
    assert (f"({emulator.base_url}/chat/completions)" in str(error)) is address


@every_mode
@pytest.mark.parametrize(
    ("slug", "meant"),
    [
        ("o3-mini", "openai/o3-mini"),
        ("o3-mini:online", "openai/o3-mini:online"),
        ("o3-mini-2025-01-31", "openai/o3-mini-2025-01-31"),
        ("o4-mini", "openai/o4-mini"),
        ("opnai/o3-mini", "openai/o3-mini"),
        ("openai/o3mini", "openai/o3-mini"),
    ],
)
@pytest.mark.parametrize("status", [400, 404])
def test_the_slug_that_is_meant_is_named(
    emulator: Emulator, slug: str, meant: str, status: int, mode: str
) -> None:
    canned = error_answer(status, wire.error(status, f"{slug} is not a valid model ID"))
    error = failure(emulator, mode, canned, model=slug)
    assert f"Did you mean {meant}?" in str(error)


@pytest.mark.parametrize("slug", ["openai/o3-mini", "anthropic/claude-opus-4", "nobody/nothing"])
def test_nothing_is_suggested_that_is_not_near(emulator: Emulator, slug: str) -> None:
    canned = error_answer(404, wire.error(404, f"No endpoints found for {slug}."))
    assert "Did you mean" not in str(failure(emulator, "invoke", canned, model=slug))


def test_the_emulator_and_the_package_agree_on_a_slug_without_author(emulator: Emulator) -> None:
    with (
        ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, model="o3-mini") as model,
        pytest.raises(OpenRouterError, match=r"Did you mean openai/o3-mini\?"),
    ):
        model.invoke("Hello")


@every_mode
@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/chat/completions/"])
def test_the_path_of_completions_is_not_doubled(emulator: Emulator, end: str, mode: str) -> None:
    with ChatOpenRouterO3(base_url=emulator.base_url + end, api_key=KEY) as model:
        assert MODES[mode](model).text
        model.base_url = emulator.base_url + end
        assert MODES[mode](model).text
    assert {request.path for request in emulator.requests} == {"/api/v1/chat/completions"}


# --- Ids and keys ---

IDS = [
    "user_2abcDEFghi",
    "org_2abcDEFghi",
    "proj_2abcDEFghi",
    "proj_abcdefgh",
    "org-AbCdEfGhIjKlMnOpQrStUvWx",
    "org-abc123def456",
    "user-AbCdEf123456",
    "user-abcdefghijklmnopqrstuvwx",
    "proj-a1b2c3d4e5f6",
    "user-8f14e45f-ceea-467a",
    "sk-ant-api03-AbCdEfGhIj_KlMn",
    "sk-proj-********************wxYz",
    "sk-abcdefghijklmnopqrstuvwx",
    "sk-...wxYz",
    "AIzaSyA1bCdEfGhIjKlMnOpQrStUvWxYz0123456",
    "gsk_AbCdEfGhIj0123456789",
    "xai-AbCdEfGhIj0123456789",
    "hf_AbCdEfGhIjKlMnOp0123",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.AbCdEfGhIjKl",
]


@every_mode
@pytest.mark.parametrize("secret", IDS)
def test_ids_of_accounts_are_shown_nowhere(emulator: Emulator, secret: str, mode: str) -> None:
    quoted = f"Rate limit reached for o3-mini in organization {secret} on requests"
    raw = json.dumps(
        {"error": {"message": quoted, "organization": secret, "x": {secret: [secret]}}}
    )
    headers = {"openai-organization": secret, "X-Note": [secret]}
    payload = wire.error(429, quoted, raw=raw, headers=headers, userId=secret)
    for canned in (
        error_answer(429, payload),
        error_answer(429, {"detail": [{"msg": quoted, "org_id": secret}]}),
        error_answer(429, quoted.encode()),
        Canned(headers=JSON, pieces=wire.to_json(payload)),
        Canned(headers=JSON, pieces=quoted.encode()),
    ):
        error = failure(emulator, mode, canned)
        assert secret not in f"{error} {error.body} {error.response} {vars(error)}"


@every_mode
@pytest.mark.parametrize("secret", IDS)
def test_what_came_of_an_answer_shows_no_ids_either(
    emulator: Emulator, secret: str, mode: str
) -> None:
    said = {"note": f"of {secret}", "organization": secret}
    events = [{**wire.chunk("Half"), **said}, wire.chunk(error={"message": secret, "code": 502})]
    error = failure(emulator, mode, streamed(*events))
    assert error.partial is not None
    assert (error.partial.text, error.partial.response_metadata["note"]) == (
        "Half",
        "of [redacted]",
    )
    assert secret not in f"{error} {error.partial!r} {vars(error)}"


prefixes = st.sampled_from(
    ["", "sk-", "user_", "user-", "org_", "Bearer ", "bearer ", "hf_", "gsk_"]
)
words_alone = st.from_regex(r"\A[a-z]{1,14}(-[a-z]{1,14})?\Z")


@given(words=st.lists(st.tuples(prefixes, words_alone).map("".join), max_size=8).map(" ".join))
def test_ordinary_words_are_never_taken_for_ids(words: str) -> None:
    assert redact(words) == words


@pytest.mark.parametrize("beginning", ["sk-", "sk-a-", "xai-", "eyJ-", "org-", "user_", "Bearer "])
def test_a_hostile_text_costs_no_more_than_its_length(beginning: str) -> None:
    text = beginning * 30_000  # which took minutes where each beginning looked at all others
    assert redact(text) == text


@pytest.mark.parametrize(
    "words", ["user-provided", "org-specific", "user-friendly", "project-level", "user_id"]
)
def test_words_that_look_like_ids_stay(emulator: Emulator, words: str) -> None:
    error = failure(
        emulator, "invoke", error_answer(400, wire.error(400, f"The {words} value is odd"))
    )
    assert words in str(error)
