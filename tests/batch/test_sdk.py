"""OpenRouter's own Python SDK takes what is sent, and what the emulator answers.

It is no test dependency; CONTRIBUTING.md says how to run this. Without it, this skips visibly.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from langchain_openrouter_o3.batch import submit_batch
from tests.batch.ways import FAST, people, rows_of
from tests.conftest import KEY

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.emulator import Emulator

sdk: Any = pytest.importorskip("openrouter")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_submissions_are_what_the_sdk_takes(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path
) -> None:
    chain = people(model.model_copy(update={"provider": {"only": ["openai"]}}))
    submit_batch(chain, rows_of(3), store=store, callback_url="https://example.org/done")
    raw = next(each.raw for each in emulator.requests if each.method == "POST")
    body = sdk.components.BatchSubmitBody.model_validate_json(raw)
    assert [each.custom_id for each in body.requests] == emulator.batches.stored[0].custom_ids
    written = body.model_dump(mode="json", by_alias=True)
    assert {**json.loads(raw), "requests": written["requests"]} == written


@pytest.mark.parametrize("tells_costs", [False, True])
def test_the_sdk_takes_the_emulators_answers(
    emulator: Emulator, model: ChatOpenRouterO3, store: Path, *, tells_costs: bool
) -> None:
    emulator.batches.plan.tells_costs = tells_costs
    error = {"type": "x", "message": "no", "param": None, "error_type": "server"}
    emulator.batches.plan.outcome = lambda body: (
        {"response": None, "error": {**error}} if "Ada-1 " in str(body) else None
    )
    job = submit_batch(people(model), rows_of(3), store=store)
    with sdk.OpenRouter(api_key=KEY, server_url=emulator.base_url) as client:
        listed = client.batch.list().result.data[0]
        assert (listed.id, listed.status) == (emulator.batches.stored[0].id, "validating")
        job.wait(poll=FAST)
        batch = client.batch.get_batches(id=listed.id)
        kinds = sorted(type(each.response).__name__ for each in batch.results)
        assert kinds == ["BatchObjectResponse", "BatchObjectResponse", "NoneType"]
        bodies = [each.response.body for each in batch.results if each.response]
        assert all(type(body).__name__ == "BodyChatCompletion" for body in bodies)
        emulator.batches.plan.is_unpaid = True
        with pytest.raises(sdk.errors.OpenRouterError) as caught:
            client.batch.get_batches(id=listed.id)
        assert caught.value.status_code == 402
        assert client.batch.delete(id=listed.id).deletion.openrouter == "deleted"


def test_what_the_sdk_submits_is_taken_by_the_emulator(emulator: Emulator) -> None:
    request = {"custom_id": "a", "body": {"messages": [{"role": "user", "content": "echo a"}]}}
    with sdk.OpenRouter(api_key=KEY, server_url=emulator.base_url) as client:
        batch = client.batch.create_batches(
            endpoint="/v1/chat/completions", model="openai/o3-mini", requests=[request]
        )
    assert batch.status == "validating"
    assert emulator.batches.stored[0].custom_ids == ["a"]
