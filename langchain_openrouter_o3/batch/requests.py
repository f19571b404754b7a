"""What goes to OpenRouter's Batch API: the limits, a row's request, a submission. Pure.

Sources: https://openrouter.ai/docs/batch-quickstart (read in autumn 2026) and the shapes that
OpenRouter's Python SDK 1.3.84 takes (November 2026). Where they differ, both are served here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from langchain_openrouter_o3._http.steps import Request
from langchain_openrouter_o3._json import decode, encode, is_array, is_object, is_text
from langchain_openrouter_o3.batch.errors import BatchRequestError

ENDPOINT = "/v1/chat/completions"
WINDOW = "24h"  # the only one (SDK 1.3.84)
MAX_REQUESTS = 5_000  # a batch (documentation, autumn 2026)
MAX_BYTES = 200_000_000  # a batch, its envelope included (same; "200 MB", read as the smaller one)

SUFFIX = ":batch"
"""Of slugs in OpenRouter's price list. The documentation (autumn 2026) submits the slug without it;
others have needed it in August and September 2026. So the form without it goes first, and the other
one if a 400 speaks of it."""

_ENVELOPE = 4_096  # bytes at most around the requests; a callback URL has at most 2,000
_MAX_CALLBACK = 2_000
_PROVIDER = frozenset({"only", "allow_fallbacks"})
_MEDIA = frozenset({"image_url", "input_image", "input_audio", "audio", "video_url", "input_video"})
_REFUSED = {
    "stream": "a batch is not streamed; leave out streaming=True",
    "models": "a batch has one model; leave out the fallback models",
    "plugins": "plugins need a live answer; leave them out",
    "web_search_options": "a batch does not search the web; leave it out",
    "route": "a batch has one model; leave it out",
}
_REFUSED_HEADERS = {
    "x-openrouter-cache": "response_cache",
    "x-openrouter-cache-clear": "response_cache_clear",
    "x-openrouter-metadata": "router_metadata",
}
_INSTEAD = "Run this row with bulk(), at the full price, if it needs that."
_CUSTOM_ID = re.compile(r"lc-([0-9a-f]{16})-([0-9]{1,15})-([0-9]{1,15})")


class Part(NamedTuple):
    """A request as a batch carries it.

    Attributes:
        model: The slug, which the batch has.
        provider: JSON of the provider preferences, which the batch has; empty without any.
        body: JSON of all the rest.
        frame: JSON of what must not differ when a chain runs again: all but the messages.
    """

    model: str
    provider: str
    body: bytes
    frame: bytes


def part_of(request: Request, key: str) -> Part:
    """Read a request of a chain, and check that a batch can carry it.

    Args:
        request: As it would be sent.
        key: Of the row.

    Raises:
        BatchRequestError: A batch cannot carry it.
    """
    body: dict[str, Any] = decode(request.body)
    problem = _problem(body) or _problem_of_headers(request)
    if problem is not None:
        raise BatchRequestError(f"row {key!r}: {problem}. {_INSTEAD}")
    model = str(body.pop("model"))
    provider: dict[str, Any] = body.pop("provider", None) or {}
    written = encode(body)
    if len(written) > MAX_BYTES - _ENVELOPE:
        raise BatchRequestError(
            f"row {key!r}: its request has {len(written):,} bytes, and a batch takes "
            f"{MAX_BYTES:,}. Make the prompt shorter."
        )
    del body["messages"]
    route = encode(provider).decode() if provider else ""
    return Part(model, route, written, encode([model, route, body]))


def _problem(body: dict[str, Any]) -> str | None:
    """Say what of a body a batch cannot do, and what to do instead."""
    for name, remedy in _REFUSED.items():
        if body.get(name):
            return f"{name}: {remedy}"
    if ":online" in str(body["model"]):
        return f"model={body['model']!r}: a batch does not search the web; leave out :online"
    provider: dict[str, Any] = body.get("provider") or {}
    beyond = sorted(provider.keys() - _PROVIDER)
    if beyond:
        return f"provider: a batch takes only and allow_fallbacks; leave out {', '.join(beyond)}"
    for tool in body.get("tools", ()):
        if str(tool.get("type")).startswith("openrouter:"):
            return f"tools: {tool['type']} is a tool of the server, which a batch has not"
    return next(filter(None, map(_problem_of_message, body["messages"])), None)


def _problem_of_message(message: dict[str, Any]) -> str | None:
    content = message.get("content")
    for part in content if is_array(content) else ():
        kind = str(part.get("type"))
        file = part.get("file")
        is_inline = is_object(file) and str(file.get("file_data", "")).startswith("data:")
        if kind in _MEDIA or is_inline:
            what = "a file in base64" if is_inline else kind
            return f"messages: {what} cannot be in a batch, which takes texts; leave it out"
    return None


def _problem_of_headers(request: Request) -> str | None:
    for header, argument in _REFUSED_HEADERS.items():
        if request.headers.get(header) not in ("", "false"):
            return f"{argument}: a batch has one answer to its headers, not one for each request"
    return None


def check_callback(url: str | None) -> None:
    """Refuse what OpenRouter could not call.

    Raises:
        BatchRequestError: It is not a URL of HTTPS, or too long.
    """
    if url is not None and not (url.startswith("https://") and len(url) <= _MAX_CALLBACK):
        raise BatchRequestError(
            f"callback_url={url!r}: OpenRouter calls https:// URLs of at most {_MAX_CALLBACK:,} "
            "characters."
        )


def custom_id(job: str, call: int, attempt: int) -> str:
    """Name a request so that its job can be told from its batch's results."""
    return f"lc-{job}-{call}-{attempt}"


def read_custom_id(job: str, name: Any) -> tuple[int, int] | None:
    """Return the call and the attempt of a job's request; None for somebody else's."""
    found = _CUSTOM_ID.fullmatch(name) if is_text(name) else None
    return (int(found[2]), int(found[3])) if found is not None and found[1] == job else None


def head_of(model: str, provider: str, callback_url: str | None) -> bytes:
    """Write the JSON of a submission up to its requests, which must come last."""
    named: dict[str, Any] = {"endpoint": ENDPOINT, "model": model, "completion_window": WINDOW}
    if callback_url is not None:
        named["callback_url"] = callback_url
    if provider:
        named["provider"] = decode(provider)
    return encode(named)[:-1] + b',"requests":['


TAIL = b"]}"


def request_line(name: str, body: bytes) -> bytes:
    """Write one request of a submission."""
    return b'{"custom_id":"%s","body":%s}' % (name.encode(), body)


def size_of(name: str, body_size: int) -> int:
    """Return how many bytes a request takes in a submission, with the comma before it."""
    return len(request_line(name, b"")) + body_size + 1


def in_pieces(head: bytes, lines: Iterable[bytes], size: int = 65_536) -> Iterator[bytes]:
    """Join a submission to pieces that a socket likes."""
    piece = bytearray(head)
    for number, line in enumerate(lines):
        if number:
            piece += b","
        piece += line
        if len(piece) >= size:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + TAIL)


def has_room(requests: int, size: int, more: int, limit: int) -> bool:
    """Whether a batch of so many requests and bytes takes one more of so many bytes."""
    return requests < limit and size + more <= MAX_BYTES - _ENVELOPE


def other_form(model: str) -> str:
    """Return a slug in the other of its two forms: with the suffix, or without."""
    return model.removesuffix(SUFFIX) if model.endswith(SUFFIX) else f"{model}{SUFFIX}"


def asks_for_other_form(status: int, payload: Any) -> bool:
    """Whether a refusal speaks of the suffix; what it says may be in any shape."""
    return status in (400, 404) and SUFFIX in encode(payload).decode()
