"""The Batch API of the emulator: what is stored, refused, and told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_openrouter_o3.emulator.endpoints import batches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_openrouter_o3.emulator import Emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[httpx.Client]:
    headers = {"authorization": "Bearer k"}
    with httpx.Client(base_url=emulator.base_url, headers=headers) as client:
        yield client


def asked(prompt: Any = "echo a", name: str = "a", **body: Any) -> dict[str, Any]:
    return {
        "custom_id": name,
        "body": {"messages": [{"role": "user", "content": prompt}], **body},
    }


def batch(*requests: dict[str, Any], **changed: Any) -> dict[str, Any]:
    whole = {"endpoint": "/v1/chat/completions", "model": "openai/o3-mini", **changed}
    return {**whole, "requests": [*requests]}


LATE = {"endpoint": "/v1/chat/completions", "requests": [asked()], "model": "openai/o3-mini"}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (LATE, 400, "`requests` must come after model"),
        ([1], 400, "not a JSON object"),
        (batch(asked(), endpoint="/v1/other"), 400, "endpoint"),
        (batch(asked(), completion_window="1h"), 400, "completion_window"),
        (batch(asked(), callback_url="http://a"), 400, "callback_url"),
        (batch(asked(), provider={"order": ["a"]}), 400, "provider"),
        (batch(asked(), model="openai/o3-mini:online"), 422, "Web search"),
        (batch(asked(), model="openai/none"), 404, "No endpoints"),
        (batch(asked(), model="openai/o3-mini:batch"), 400, "does not have a :batch endpoint"),
        (batch(), 400, "at least 1"),
        (batch(asked(), asked()), 400, "custom_id of its own"),
        (batch(*[asked(name=str(n)) for n in range(5_001)]), 400, "at most 5000"),
    ],
)
def test_what_cannot_be_stored_is_refused(
    emulator: Emulator, client: httpx.Client, body: Any, status: int, text: str
) -> None:
    answer = client.post("/batches", content=json.dumps(body))
    assert answer.status_code == status
    assert text in answer.json()["error"]["message"]
    assert emulator.batches.stored == []


def test_a_batch_has_a_size_and_a_key(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/batches", headers={"authorization": ""}).status_code == 401
    monkeypatch.setattr(batches, "MAX_BYTES", 100)
    assert client.post("/batches", json=batch(asked())).status_code == 413
    assert client.get("/batches/batch_none").status_code == 404


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (asked(stream=True), "stream is not supported"),
        (asked(model="openai/o3"), "model differs"),
        (asked([{"type": "image_url", "image_url": {"url": "https://a"}}]), "image_url"),
        (asked([{"type": "file", "file": {"file_data": "data:a/b;base64,AA"}}]), "base64"),
        (asked(max_tokens=1), "max_output_tokens"),
    ],
)
def test_one_bad_request_makes_the_whole_batch_fail(
    emulator: Emulator, client: httpx.Client, request_: dict[str, Any], text: str
) -> None:
    emulator.batches.plan.statuses = ("validating",)
    name = client.post("/batches", json=batch(request_, asked(name="b"))).json()["id"]
    assert client.get(f"/batches/{name}").json()["status"] == "validating"
    told = client.get(f"/batches/{name}").json()
    assert told["status"] == "failed"
    assert told["error"]["message"].startswith("Request a: ")
    assert text in json.dumps(told["error"]) or text == "max_output_tokens"
    assert told["request_counts"] == {"total": 2, "completed": 0, "failed": 0}


def test_pages_that_there_cannot_be_are_refused(emulator: Emulator, client: httpx.Client) -> None:
    emulator.batches.plan.statuses = ()
    for _ in range(2):
        client.post("/batches", json=batch(asked()))
    deleted, last = emulator.batches.stored
    for query in ("limit=0", "limit=101", "limit=x", "after=batch_none"):
        answer = client.get(f"/batches?{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)
    assert client.get(f"/batches/{last.id}/results?cursor=x").status_code == 400
    assert client.get(f"/batches/{last.id}/results?limit=1001").status_code == 400
    deleted.is_deleted = True
    assert client.get("/batches?limit=1").json()["has_more"] is False


def test_a_batch_moves_on_is_paged_listed_and_deleted(
    emulator: Emulator, client: httpx.Client
) -> None:
    many = [asked(f"echo {n}", name=f"r{n}") for n in range(12)]
    names = [client.post("/batches", json=batch(*many)).json()["id"] for _ in range(3)]
    name = names[0]
    assert client.get(f"/batches/{name}/results").status_code == 409
    assert client.delete(f"/batches/{name}").status_code == 409
    seen = [client.get(f"/batches/{name}").json()["status"] for _ in range(4)]
    assert seen == ["validating", "in_progress", "finalizing", "completed"]
    first = client.get(f"/batches/{name}/results", params={"limit": 5}).json()
    assert first["has_more"]
    again = client.get(f"/batches/{name}/results", params={"limit": 5}).json()
    assert again == first  # pages are stable
    rest = client.get(
        f"/batches/{name}/results", params={"limit": 1000, "cursor": first["next_cursor"]}
    ).json()
    assert (rest["has_more"], rest["next_cursor"]) == (False, None)
    results = first["data"] + rest["data"]
    assert [each["custom_id"] for each in results] != [each["custom_id"] for each in many]
    said = {
        each["custom_id"]: each["response"]["body"]["choices"][0]["message"]["content"]
        for each in results
    }
    assert said == {f"r{n}": str(n) for n in range(12)}
    page = client.get("/batches", params={"limit": 2}).json()
    assert [each["id"] for each in page["data"]] == names[:0:-1]
    after = {"limit": 2, "after": page["last_id"], "created_after": "2020-01-01T00:00:00Z"}
    assert [each["id"] for each in client.get("/batches", params=after).json()["data"]] == [name]
    late = {"created_after": "2100-01-01T00:00:00Z"}
    assert client.get("/batches", params=late).json()["data"] == []
    told = client.get(f"/batches/{name}").json()
    assert told["usage"]["cost"] == float(emulator.batches.bill) > 0
    assert client.delete(f"/batches/{name}").json()["deletion"]["openrouter"] == "deleted"
    assert client.get(f"/batches/{name}").status_code == 404
    assert emulator.batches.double == [f"r{n}" for n in range(12)]
