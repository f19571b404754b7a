"""Recorded exchanges with OpenRouter, and what an answer must be according to them.

The recordings are third-party test data and are not part of this repository; tests that need
them skip visibly where they are absent. `expected_*` reads them in the plainest way, on purpose
without any of the package's code.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Canned

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "recordings"
DIRECTORY = Path(os.environ.get("OPENROUTER_RECORDINGS", _DEFAULT))


@dataclass(frozen=True)
class Recording:
    name: str
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def payloads(self) -> list[dict[str, Any]]:
        if not self.is_stream:
            return [json.loads(self.raw)]
        lines = self.raw.decode().split("\n")
        data = [line[6:] for line in lines if line.startswith("data: ")]
        return [json.loads(item) for item in data if item != "[DONE]"]

    @property
    def deltas(self) -> list[dict[str, Any]]:
        choices = [choice for payload in self.payloads for choice in payload.get("choices") or []]
        return [choice.get("delta") or choice.get("message") or {} for choice in choices]

    @property
    def fails(self) -> bool:
        """Whether the exchange is an error, in whichever of its shapes, or no answer at all."""
        if self.status != 200:
            return True
        choices = [choice for payload in self.payloads for choice in payload.get("choices") or []]
        if any(item.get("error") for item in [*self.payloads, *choices]):
            return True
        finished = any(choice.get("finish_reason") for choice in choices)
        return self.is_stream and not finished

    def expected_text(self, field: str) -> str:
        return "".join(delta.get(field) or "" for delta in self.deltas)

    def expected_last(self, key: str) -> Any:
        values = [payload.get(key) for payload in self.payloads]
        return next((value for value in reversed(values) if value is not None), None)

    def expected_finish(self, key: str) -> str | None:
        choices = [choice for payload in self.payloads for choice in payload.get("choices") or []]
        values = [choice.get(key) for choice in choices]
        return next((value for value in reversed(values) if value), None)

    def expected_calls(self) -> list[tuple[str, str, str]]:
        """Id, name and argument string of each call, told apart by index and id."""
        calls: list[dict[str, Any]] = []
        for delta in self.deltas:
            for item in delta.get("tool_calls") or []:
                function = item.get("function") or {}
                known = [call for call in calls if call["index"] == item.get("index")]
                known = [c for c in known if not item.get("id") or c["id"] in ("", item["id"])]
                if not known or not self.is_stream:
                    known = [{"index": item.get("index"), "id": "", "name": "", "arguments": ""}]
                    calls += known
                call = known[-1]
                call["id"] = call["id"] or item.get("id") or ""
                call["name"] = call["name"] or function.get("name") or ""
                call["arguments"] += function.get("arguments") or ""
        return [(call["id"], call["name"], call["arguments"]) for call in calls]

    def expected_encrypted(self) -> list[dict[str, Any]]:
        """The encrypted reasoning entries, which always come whole."""
        entries = [entry for delta in self.deltas for entry in delta.get("reasoning_details") or []]
        return [entry for entry in entries if entry.get("type") == "reasoning.encrypted"]


def load() -> list[Recording]:
    """Read every recorded chat exchange; an empty list where there are none."""
    recordings: list[Recording] = []
    for path in sorted(DIRECTORY.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        if not data["request"]["path"].endswith("/chat/completions"):
            continue
        response = data["response"]
        raw = response["body_text"].encode()
        recordings.append(Recording(path.stem, response["status"], response["headers"], raw))
    return recordings


def canned(recording: Recording) -> Canned:
    """Make the emulator's answer of a recording."""
    return Canned(status=recording.status, headers=recording.headers, pieces=recording.raw)


def split_model(recording: Recording, size: int) -> ChatOpenRouterO3:
    """Build a model whose transport delivers the recording in pieces of a size."""
    pieces = [recording.raw[i : i + size] for i in range(0, len(recording.raw), size)]

    class Split(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return iter(pieces)

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

    def answer(request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(recording.status, headers=recording.headers, stream=Split())

    transport = httpx.MockTransport(answer)
    return ChatOpenRouterO3(
        api_key="k",
        max_retries=0,
        http_client=httpx.Client(transport=transport),
        http_async_client=httpx.AsyncClient(transport=transport),
    )
