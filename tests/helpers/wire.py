"""Builders of what OpenRouter sends, in today's shapes.

Each returns plain JSON objects or bytes, so that a test can bend them before it renders them:
`sse(chunk("Hel"), chunk("lo"), *ending())` is a whole stream, `body("Hello")` a whole answer.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

GENERATION = "gen-1785000000-A1b2C3d4E5f6G7h8I9j0"
CREATED = 1_785_000_000
MODEL = "openai/o3-mini"
PROVIDER = "OpenAI"
PROCESSING = ": OPENROUTER PROCESSING"
DONE = "[DONE]"
PADDING = b"\n         \n"

Json = dict[str, Any]


def usage(prompt: int = 20, completion: int = 40, *, reasoning: int = 30, **extra: Any) -> Json:
    """The usage object of one answer; `extra` adds or replaces top-level keys."""
    counts: Json = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "cost": 0.000198,
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "audio_tokens": 0,
            "video_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": 0.000198,
            "upstream_inference_prompt_cost": 0.000022,
            "upstream_inference_completions_cost": 0.000176,
        },
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "image_tokens": 0,
            "audio_tokens": 0,
        },
    }
    return {**counts, **extra}


def summary(text: str, index: int | None = 0) -> Json:
    """A piece of a reasoning summary."""
    entry: Json = {"type": "reasoning.summary", "summary": text, "format": "openai-responses-v1"}
    return entry if index is None else {**entry, "index": index}


def encrypted(data: str, identity: str = "rs_0a1b2c3d4e5f", index: int | None = 1) -> Json:
    """An encrypted reasoning item, always whole."""
    entry: Json = {
        "type": "reasoning.encrypted",
        "data": data,
        "id": identity,
        "format": "openai-responses-v1",
    }
    return entry if index is None else {**entry, "index": index}


def tool_call(name: str, arguments: str, identity: str = "call_1", index: int = 0) -> Json:
    """A whole tool call, as a JSON body holds it."""
    return {
        "index": index,
        "id": identity,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def tool_deltas(
    name: str, pieces: list[str], identity: str = "call_1", index: int = 0
) -> list[Json]:
    """A tool call as today's stream sends it: first the head, then bare arguments."""
    head = tool_call(name, "", identity, index)
    return [head, *({"index": index, "function": {"arguments": piece}} for piece in ("", *pieces))]


def envelope(kind: str = "chat.completion.chunk", **extra: Any) -> Json:
    """The keys that every chunk and every body carries, in the order of the wire."""
    known = {
        "id": GENERATION,
        "object": kind,
        "created": CREATED,
        "model": MODEL,
        "provider": PROVIDER,
    }
    return {**known, **extra}


def chunk(content: str | None = "", *, finish: str | None = None, **delta: Any) -> Json:
    """A chunk of a stream; `delta` adds keys such as `reasoning`, `tool_calls`, `refusal`.

    A finish reason brings its native twin with it, as o-series models name it.
    """
    native = {"stop": "completed", "tool_calls": "completed", "length": "max_output_tokens"}
    choice: Json = {
        "index": 0,
        "delta": {"content": content, "role": "assistant", **delta},
        "finish_reason": finish,
        "native_finish_reason": native.get(finish, finish) if finish else None,
    }
    return envelope(choices=[choice])


def tool_chunk(*deltas: Json) -> Json:
    """A chunk with pieces of tool calls; its content is null."""
    return chunk(None, tool_calls=list(deltas))


def ending(finish: str = "stop", counts: Json | None = None) -> list[Json]:
    """The two last chunks: the finish, then the usage, which repeats the finish."""
    last = {**chunk(finish=finish), "service_tier": "default"}
    return [chunk(finish=finish), {**last, "usage": usage() if counts is None else counts}]


def body(
    content: str | None = "",
    *,
    finish: str | None = "stop",
    counts: Json | None = None,
    **message: Any,
) -> Json:
    """A whole answer; `message` adds keys such as `reasoning_details` and `tool_calls`."""
    choice = chunk(finish=finish)["choices"][0]
    del choice["delta"]
    said = {"role": "assistant", "content": content, "refusal": None, "reasoning": None}
    return envelope(
        "chat.completion",
        system_fingerprint=None,
        service_tier="default",
        choices=[{**choice, "logprobs": None, "message": {**said, **message}}],
        usage=usage() if counts is None else counts,
    )


def error(
    code: int | str | None, message: str = "Provider returned error", **metadata: Any
) -> Json:
    """An error body as a status, a 200 body and a stream carry it."""
    inner: Json = {"message": message, "code": code}
    return {"error": {**inner, "metadata": metadata} if metadata else inner}


def sse(*payloads: Json | str, done: bool = True) -> bytes:
    """A stream. A JSON object is one event; a string that begins with ":" is a comment."""
    events = [
        payload
        if isinstance(payload, str) and payload.startswith(":")
        else f"data: {payload if isinstance(payload, str) else to_json(payload).decode()}"
        for payload in (*payloads, *([DONE] if done else []))
    ]
    return "".join(f"{event}\n\n" for event in events).encode()


def to_json(payload: Any) -> bytes:
    """A JSON body as OpenRouter writes it: compact, raw UTF-8."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def split(data: bytes, *positions: int) -> list[bytes]:
    """Cut bytes at these positions, as the network does; empty pieces are left out."""
    cuts = sorted({0, len(data), *(position % (len(data) + 1) for position in positions)})
    return [data[start:end] for start, end in itertools.pairwise(cuts)]
