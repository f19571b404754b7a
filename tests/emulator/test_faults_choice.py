"""Which request meets which fault, tags that come back, and arguments that are refused."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from langchain_openrouter_o3.emulator import (
    Canned,
    Emulator,
    Fault,
    ReceivedRequest,
    ScriptError,
    faults,
)
from langchain_openrouter_o3.emulator.wire.sending import Step, Write
from tests.helpers.emulator_client import STRING, Chat, ask, tool, user


def test_faults_and_canned_answers_are_played_in_order_then_the_rules_apply(
    emulator: Emulator,
) -> None:
    failure = faults.status(503)
    emulator.play(failure, Canned(418))
    emulator.play(faults.end("after-events", events=1))
    assert [ask(emulator).status for _ in range(2)] == [503, 418]
    assert [ask(emulator).words for _ in range(2)] == [["a"], ["a", "b", "c", "d"]]
    played = [request.fault for request in emulator.requests]
    assert played[:2] == [failure, Canned(418)]
    assert played[3] is None


def test_the_queue_comes_before_the_chooser(emulator: Emulator) -> None:
    emulator.disturb(lambda _: faults.status(500))
    emulator.play(faults.status(429))
    assert [ask(emulator).status for _ in range(3)] == [429, 500, 500]
    emulator.disturb(None)
    assert ask(emulator).status == 200


def test_a_chooser_sees_the_request(emulator: Emulator) -> None:
    def only_b(request: ReceivedRequest) -> Fault | None:
        assert request.body is not None
        return faults.reset() if request.body["messages"][0]["content"] == "echo b" else None

    emulator.disturb(only_b)
    assert [ask(emulator, f"echo {tag}").is_reset for tag in "abc"] == [False, True, False]


@pytest.mark.parametrize(
    ("chooser", "words"),
    [(lambda _: 1 / 0, "ZeroDivisionError: div"), (lambda _: "reset", "TypeError: a fault is")],
)
def test_a_chooser_that_fails_fails_the_test(chooser: Any, words: str) -> None:
    def run() -> None:
        with Emulator() as emulator:
            emulator.disturb(chooser)
            assert ask(emulator).status == 400
            emulator.reset()
            emulator.check_script()
            emulator.disturb(chooser)
            assert ask(emulator).status == 400
            with pytest.raises(TypeError, match="a fault is Canned"):
                emulator.play_batches(chooser)

    with pytest.raises(ScriptError, match=f"the chooser of faults, {words}"):
        run()


def test_other_endpoints_are_left_alone(emulator: Emulator) -> None:
    emulator.disturb(lambda _: faults.status(500))
    assert httpx.get(f"{emulator.base_url}/models", timeout=30).status_code == 200
    assert emulator.requests[0].fault is None


def test_a_reset_emulator_disturbs_nothing(emulator: Emulator) -> None:
    emulator.disturb(lambda _: faults.status(500))
    emulator.play(faults.status(429))
    emulator.reset()
    assert ask(emulator).status == 200


def test_a_disturbed_refusal_stays_one(emulator: Emulator) -> None:
    emulator.play(faults.comments(0.001, count=2))
    url = f"{emulator.base_url}/chat/completions"
    answer = httpx.post(url, content=b"{}", timeout=30)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 401


def choices(seed: int, rate: float) -> list[Fault | None]:
    chooser = faults.at_random(faults.status(500), faults.reset(), rate=rate, seed=seed)
    return [chooser(None) for _ in range(1000)]  # type: ignore[arg-type]


def test_the_same_seed_makes_the_same_choices() -> None:
    assert choices(7, 0.3) == choices(7, 0.3)
    assert choices(7, 0.3) != choices(8, 0.3)
    counted = Counter(choices(7, 0.3))
    assert 600 < counted[None] < 800
    assert min(counted.values()) > 100
    assert set(choices(7, 0)) == {None}
    assert None not in choices(7, 1)


def test_a_higher_rate_disturbs_the_same_requests_and_more() -> None:
    few, many = choices(7, 0.1), choices(7, 0.2)
    assert all(more == fault for fault, more in zip(few, many, strict=True) if fault is not None)


MANY = [
    faults.status(503, retry_after=0),
    faults.reset("before-headers"),
    faults.reset("mid-event", events=2),
    faults.close("mid-character"),
    faults.end("before-finish"),
    faults.error_in_stream("alone", events=1),
    faults.stall(0.01, at="after-events"),
    faults.compress("gzip"),
]


async def test_many_requests_are_counted_once_each_and_do_not_mix() -> None:
    with Emulator() as emulator:
        emulator.disturb(faults.at_random(*MANY, rate=0.5, seed=1))
        url = f"{emulator.base_url}/chat/completions"
        limits = httpx.Limits(max_connections=100)
        headers = {"authorization": "Bearer k"}
        async with httpx.AsyncClient(timeout=60, limits=limits, headers=headers) as client:

            async def ask_for(tag: str) -> str:
                body: dict[str, Any] = {
                    "model": "openai/o3-mini",
                    "messages": [user(f"echo {tag} {tag}")],
                }
                body |= {"stream": True, "reasoning_effort": "low"}
                text = ""
                try:
                    async with client.stream("POST", url, json=body) as answer:
                        async for piece in answer.aiter_text():
                            text += piece
                except httpx.TransportError:
                    pass  # that is what some of the faults do; the rest of the text counts
                return text

            tags = [f"tag-{number}-" for number in range(300)]
            texts = await asyncio.gather(*map(ask_for, tags))
        asked = Counter(
            request.body["messages"][0]["content"] for request in emulator.requests if request.body
        )
        assert asked == Counter(f"echo {tag} {tag}" for tag in tags)
        met = Counter(request.fault for request in emulator.requests)
    assert len(met) == len(MANY) + 1
    others = set(tags)
    for tag, text in zip(tags, texts, strict=True):
        assert not any(word in others - {tag} for word in text.split('"'))
    assert sum(f'"{tag}"' in text for tag, text in zip(tags, texts, strict=True)) > 200


def test_a_prompt_is_echoed_word_by_word(chat: Chat) -> None:
    assert chat.text("echo tag-7 Grüße  from\nhere") == "tag-7 Grüße  from\nhere"
    assert chat.text("Echo x") == "x"
    assert '"content":"tag-7"' in chat.stream("echo tag-7 a b")
    assert "“echo" in chat.text("echo")


def test_a_quoted_tag_is_an_argument_of_a_tool_call(chat: Chat) -> None:
    note = tool("save_note", "Save a note.", text=STRING)
    assert chat.calls('Call save_note with "tag-7"', tools=[note]) == [
        ("save_note", {"text": "tag-7"})
    ]


class Shout(Fault):
    """A fault that a test wrote itself."""

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        return [Write(step.data.upper()) if isinstance(step, Write) else step for step in answer]


def test_a_fault_can_be_written_by_hand(emulator: Emulator) -> None:
    emulator.play(Shout())
    assert b'"CONTENT":"A B C D"' in ask(emulator, stream=False).body


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (faults.status, {"code": 99}, "from 200 to 599, not 99"),
    (faults.status, {"code": "503"}, "whole number"),
    (faults.status, {"code": True}, "whole number"),
    (faults.status, {"code": 204, "body": "x"}, "204 has no body"),
    (faults.status, {"code": 429, "retry_after": 1, "retry_after_date": 1}, "same header"),
    (faults.status, {"code": 429, "headers": {"a": "b\r\nc: d"}}, "printable"),
    (faults.html, {"code": 100}, "from 200 to 599"),
    (faults.reset, {"at": "middle"}, "one of before-headers, .*not 'middle'"),
    (faults.reset, {"events": -1}, "events is a whole number, 0 or more"),
    (faults.close, {"after_bytes": 1.5}, "after_bytes is a whole number"),
    (faults.end, {"at": "before-headers"}, "cannot end before the headers"),
    (faults.refuse, {"seconds": -1}, "seconds is a number of seconds, 0 or more"),
    (faults.stall, {"seconds": float("nan")}, "number of seconds"),
    (faults.stall, {"seconds": float("inf")}, "number of seconds"),
    (faults.stall, {"seconds": "1"}, "number of seconds"),
    (faults.pace, {"seconds": None}, "number of seconds"),
    (faults.comments, {"every": 0}, "more than 0"),
    (faults.comments, {"every": 1, "count": 0}, "count is a whole number, 1 or more"),
    (faults.comments, {"every": 1, "at": "mid-event"}, "after-headers or after-events"),
    (faults.trickle, {"size": 0}, "size is a whole number, 1 or more"),
    (faults.compress, {"encoding": "br"}, "one of gzip, deflate, raw-deflate"),
    (faults.compress, {"damage": "total"}, "one of none, cut, corrupt"),
    (faults.content_type, {"value": "a\r\nb"}, "printable"),
    (faults.huge_event, {"size": -5}, "size is a whole number"),
    (faults.error_in_body, {"where": "middle"}, "one of top, choice"),
    (faults.error_in_stream, {"shape": "odd"}, "one of with-usage"),
    (faults.at_random, {"rate": 0.5}, "no fault to choose from"),
    (faults.together, {}, "needs a fault"),
]


@pytest.mark.parametrize(("maker", "arguments", "complaint"), REFUSED)
def test_an_argument_that_makes_no_sense_is_refused(
    maker: Any, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        maker(**arguments)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_is_a_share(rate: float) -> None:
    with pytest.raises(ValueError, match="share from 0 to 1"):
        faults.at_random(faults.reset(), rate=rate)


def test_faults_are_values() -> None:
    assert faults.reset(events=2) == faults.reset(events=2) != faults.reset(events=3)
    assert len({faults.status(503), faults.status(503), faults.status(500)}) == 2
