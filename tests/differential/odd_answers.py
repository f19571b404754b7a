"""`python -m tests.differential.odd_answers`: what odd fields cost, here and with ChatOpenAI."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import httpx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from langchain_openrouter_o3 import ChatOpenRouterO3
from tests.helpers import odd_fields

Counts = Counter[tuple[str, str]]
PLACES = ("top", "choice", "message", "usage")


def model_of(kind: str, answers: list[bytes]) -> BaseChatModel:
    """Make a model whose server gives the answer that stands last in a list."""

    def reply(_: httpx.Request) -> httpx.Response:
        body = answers[-1]
        form = "text/event-stream" if body.startswith(b"data:") else "application/json"
        return httpx.Response(200, headers={"content-type": form}, content=body)

    client = httpx.Client(transport=httpx.MockTransport(reply))
    if kind == "ours":
        return ChatOpenRouterO3(api_key="key", http_client=client, max_retries=0)
    key = SecretStr("key")
    return ChatOpenAI(
        api_key=key, base_url="http://odd.test", http_client=client, max_retries=0, model="m"
    )


def receive(model: BaseChatModel, *, streamed: bool) -> AIMessage:
    """Receive the answer, added up if it is streamed."""
    if not streamed:
        return model.invoke("Hello")
    total: AIMessageChunk | None = None
    for chunk in model.stream("Hello"):
        total = chunk if total is None else total + chunk
    assert total is not None
    return total


def count(kind: str, fields: Iterable[odd_fields.Field] = odd_fields.FIELDS) -> Counts:
    """Count tried and lost answers by the place of the field."""
    answers: list[bytes] = []
    model = model_of(kind, answers)
    counts: Counts = Counter()
    for field in fields:
        for value in odd_fields.VALUES:
            for streamed in (False, True):
                answers.append(odd_fields.answer(field, value, streamed=streamed))
                counts[field.place, "tried"] += 1
                counts[field.place, "lost"] += _is_lost(
                    partial(receive, model, streamed=streamed), field
                )
    return counts


def _is_lost(read: Callable[[], AIMessage], field: odd_fields.Field) -> bool:
    try:
        return bool(odd_fields.lost_from(read(), field))
    except Exception:  # noqa: BLE001 - whatever it raises, the answer is lost
        return True


def main() -> None:
    """Print the table."""
    sys.unraisablehook = lambda _: None  # langchain-core's streams that ChatOpenAI's errors leave
    warnings.simplefilter("ignore")
    counted: dict[str, Any] = {kind: count(kind) for kind in ("ours", "ChatOpenAI")}
    lines = ["| Field of the answer | Tried | ChatOpenRouterO3 lost | ChatOpenAI lost |"]
    lines.append("|---|--:|--:|--:|")
    for place in PLACES:
        lost = (str(counts[place, "lost"]) for counts in counted.values())
        lines.append(f"| {place} | {counted['ours'][place, 'tried']} | {' | '.join(lost)} |")
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
