"""Errors: any body gives an error of ours that travels, is short and tells no secret."""

from __future__ import annotations

import pickle
from typing import Any

from langchain_openrouter_o3._http.body import BodyDecoder
from langchain_openrouter_o3._http.driver import SyncDriver
from langchain_openrouter_o3._http.exchange import exchange
from langchain_openrouter_o3._http.request_headers import RequestHeaders
from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3._http.steps import Request
from langchain_openrouter_o3._wire.readers import MessageReader
from langchain_openrouter_o3.errors import OpenRouterError
from langchain_openrouter_o3.errors.from_payload import error_from_payload
from tests.fuzz.source import ByteSource
from tests.helpers.scripted import SOURCES, Response, ScriptedPerformer

_STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529, 200, 302)
_HEADER_NAMES = (
    "retry-after", "retry-after-ms", "x-ratelimit-limit", "x-ratelimit-reset", "x-generation-id",
    "content-type", "set-cookie",
)  # fmt: skip
_HEADER_VALUES = (
    "0", "3", "-1", "1e400", "nan", "inf", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "", "gen-1",
    "Wed, 21 Oct 99999 07:28:00 GMT", "1785000000000", "Wed, 21 Oct 2015 07:28:00 -0000",
)  # fmt: skip

_KEY = "0123456789abcdef-the-callers-own-key"
# What stands for a secret in an input. Ids and keys of others are known by their form, hence
# by where they begin; the caller's own key is known as it is, wherever it stands.
SECRETS = {
    b"%U": b"(user_2aBcDeFgHiJkLmNo)",
    b"%O": b"(org_2aBcDeFgHiJkLmNo)",
    b"%K": b"(sk-or-v1-0123456789abcdef)",
    b"%B": _KEY.encode(),
}
_MAX_TEXT = 4_000
_REQUEST = Request(
    "https://openrouter.test", RequestHeaders({"authorization": f"Bearer {_KEY}"}), b"{}"
)


def failure(data: bytes) -> None:
    """A status, headers, and any bytes as the body; `%U`, `%O`, `%K` and `%B` become secrets."""
    source = ByteSource(data)
    status = source.choice(_STATUSES)
    headers = {
        source.choice(_HEADER_NAMES): source.choice(_HEADER_VALUES) for _ in range(source.number(4))
    }
    body = source.rest()
    for placeholder, secret in SECRETS.items():
        body = body.replace(placeholder, secret)
    _check(error_from_payload(BodyDecoder.decode_error(body), status=status, headers=headers), {})
    link = ScriptedPerformer(Response((body,), status, headers))
    flow = exchange(
        _REQUEST,
        RetryPolicy(max_retries=0),
        lambda reply: MessageReader(reply.headers, ()),
        SOURCES,
    )
    try:
        list(SyncDriver(flow, link))
    except OpenRouterError as error:
        _check(error, SECRETS)


def _check(error: OpenRouterError, secrets: dict[bytes, bytes]) -> None:
    again = pickle.loads(pickle.dumps(error))
    for each in (error, again):
        assert isinstance(each, OpenRouterError)
        assert isinstance(each.is_retryable, bool)
        assert each.retry_after is None or 0 <= each.retry_after < float("inf")
        assert len(str(each)) < _MAX_TEXT
        assert (str(each), type(each)) == (str(error), type(error))
        assert repr(each.response) == repr(error.response)
    shown = f"{error} {_shown(error)}"
    for secret in secrets.values():
        assert secret.decode().strip("()") not in shown


def _shown(error: OpenRouterError) -> dict[str, Any]:
    """Everything that a log or a trace may show; the partial message is the caller's own."""
    return {name: value for name, value in vars(error).items() if name != "partial"}
