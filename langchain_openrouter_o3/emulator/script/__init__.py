"""A script: the answers of a model, written by a test, one for each chat request; and their pace.

    Emulator(script=[call("get_weather", city="Paris"), say("It is sunny.")])

A scripted answer passes the same rules, limits, prices and streams as any other; only what the
model says is the test's. So one script serves a whole answer and a stream.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_openrouter_o3.emulator import faults
from langchain_openrouter_o3.emulator.faults.position import check_count, check_seconds
from langchain_openrouter_o3.emulator.wire.request_log import ReceivedRequest
from langchain_openrouter_o3.emulator.wire.sending import Fault

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.json_value import Json

When: TypeAlias = str | re.Pattern[str] | Callable[[ReceivedRequest], bool]

_SHOWN_CHARACTERS = 60
_FINISH_REASONS = (None, "content_filter", "error", "length", "stop", "tool_calls")


@dataclass(frozen=True)
class Pace:
    """How fast an answer comes.

    Attributes:
        ttft: Seconds to the first event with content.
        tps: Tokens per second after it, each event being one; None is as fast as possible.
        jitter: The share, 0 to 1, by which each wait is longer or shorter at random.
        seed: Of that choice.

    Raises:
        ValueError: A value is out of its bounds.
    """

    ttft: float = 0.0
    tps: float | None = None
    jitter: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values out of bounds."""
        check_seconds("ttft", self.ttft)
        check_count("seed", self.seed, 0)
        if self.tps is not None and not self.tps > 0:
            raise ValueError(f"tps is a number of tokens per second, more than 0, not {self.tps!r}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is a share from 0 to 1, not {self.jitter!r}")

    def waits(self) -> Iterator[float]:
        """Return the seconds before each event, without an end; the same for the same seed."""
        chance = random.Random(self.seed)  # noqa: S311 - repeatable is what is wanted
        wait = self.ttft
        while True:
            yield wait * (1 + self.jitter * chance.uniform(-1, 1))
            wait = 0.0 if self.tps is None else 1 / self.tps


NATIVE_REASONS = {
    "content_filter": "content_filter",
    "error": "failed",
    "length": "max_output_tokens",
}
_OPTIONS: dict[str, Any] = {"fault": Fault, "pace": Pace, "when": (str, re.Pattern, Callable)}


@dataclass(frozen=True)
class ScriptedCall:
    """A call of a function, as a script has it; without an id it gets one when it is sent."""

    name: str
    arguments: Json
    id: str | None = None


@dataclass(frozen=True)
class ScriptedObject:
    """An object, to be sent as text or as a call, whichever the request asks for."""

    name: str
    value: Json


@dataclass(frozen=True)
class Reply:
    """One step of a script. Make it with `say`, `call`, `calls`, `obj`, `think`, `refuse`, `fail`.

    Attributes:
        label: The step as the script has it, for messages about it.
        text: What the model says.
        calls: The functions that it calls.
        object: The object that it extracts.
        refusal: Its refusal.
        thought: The summary of its reasoning; with None there is the encrypted entry alone.
        id: The generation's id; None mints one.
        finish_reason: Instead of the computed one.
        fault: What replaces or disturbs the answer.
        choose: Makes the reply when the request is there.
        when: Which requests it answers; None answers any.
        times: How many requests it answers; None answers any number, even none.
        pace: How fast it comes; None is the emulator's own pace.
    """

    label: str
    text: str | None = None
    calls: tuple[ScriptedCall, ...] = ()
    object: ScriptedObject | None = None
    refusal: str | None = None
    thought: str | None = None
    id: str | None = None
    finish_reason: str | None = None
    fault: Fault | None = None
    choose: Callable[[ReceivedRequest], Reply | Fault] | None = None
    when: When | None = None
    times: int | None = 1
    pace: Pace | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        for name, kind in _OPTIONS.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{self.label}: {name} is of another type than {value!r}")
        said = (self.text, self.object, self.refusal, self.thought, *self.calls)
        if self.fault and not self.fault.needs_answer and any(each is not None for each in said):
            raise ValueError(f"{self.label}: {self.fault!r} replaces it; make it a step of its own")
        if self.finish_reason not in _FINISH_REASONS:
            raise ValueError(
                f"{self.label}: OpenRouter has no finish_reason {self.finish_reason!r}"
            )
        if self.times is not None:
            check_count("times", self.times, 1)
        if self.times != 1 and any(self.ids):
            raise ValueError(f"{self.label} has an id of its own, so it cannot be repeated")

    @property
    def ids(self) -> list[str]:
        """The ids that the test chose."""
        named = [self.id, *(each.id for each in self.calls)]
        return [each for each in named if each is not None]

    def matches(self, request: ReceivedRequest) -> bool:
        """Whether this answers a request."""
        if self.when is None:
            return True
        if isinstance(self.when, str):
            return self.when in request.text
        if isinstance(self.when, re.Pattern):
            return self.when.search(request.text) is not None
        return self.when(request)


ScriptItem: TypeAlias = Reply | Fault | Callable[[ReceivedRequest], Reply | Fault]


def say(  # noqa: PLR0913 - options of a step, by name
    text: str,
    *,
    then: Reply | None = None,
    when: When | None = None,
    times: int | None = 1,
    pace: Pace | None = None,
    fault: Fault | None = None,
    id: str | None = None,  # noqa: A002 - the wire's word
    finish_reason: str | None = None,
) -> Reply:
    """Answer with a text.

    Args:
        text: The text.
        then: What `call` or `calls` returns: calls that come with the text.
        when: Answer only requests whose last message has this text or matches this pattern, or
            for which this function returns true. Other steps may come first.
        times: How many requests it answers; None answers any number, even none.
        pace: How fast it comes.
        fault: Disturbs the answer, such as `faults.reset("mid-event")`.
        id: The generation's id, which no other answer may have.
        finish_reason: Instead of the computed one, such as "content_filter".

    Raises:
        ValueError: `times` is less than 1, an answer with an id is to be repeated, `fault` replaces
            the answer, OpenRouter has no such `finish_reason`, or `then` has more than calls.
        TypeError: The text is none, or an option is of another type.
    """
    label = f"say({_shown(text)})" if then is None else f"say({_shown(text)}, then={then.label})"
    return Reply(
        label,
        text,
        calls=() if then is None else _calls_of((then,), "then="),
        id=id,
        finish_reason=finish_reason,
        fault=fault,
        when=when,
        times=times,
        pace=pace,
    )


def call(  # noqa: PLR0913 - options of a step, by name
    name: str,
    arguments: Mapping[str, Any] | None = None,
    /,
    *,
    when: When | None = None,
    times: int | None = 1,
    pace: Pace | None = None,
    fault: Fault | None = None,
    id: str | None = None,  # noqa: A002 - the wire's word
    **named: Any,
) -> Reply:
    """Answer with a call of a function.

    Args:
        name: The function's name.
        arguments: Its arguments; those that are called like an option here have to stand there.
        when: Which requests it answers, as for `say`.
        times: How many requests it answers; None answers any number, even none.
        pace: How fast it comes.
        fault: Disturbs the answer.
        id: The call's id, which no other call may have.
        **named: Arguments of the function.

    Raises:
        ValueError: `times` is less than 1, or a call with an id is to be repeated.
        TypeError: An argument is given twice, or is no JSON.
    """
    twice = [each for each in arguments or {} if each in named]
    if twice:
        raise TypeError(f"call({name!r}): {', '.join(twice)} is given twice")
    value = _as_json({**(arguments or {}), **named}, f"call({name!r})")
    shown = ", ".join(f"{key}={each!r}" for key, each in {**(arguments or {}), **named}.items())
    label = f"call({name!r}{', ' if shown else ''}{_clipped(shown)})"
    asked = ScriptedCall(name, value, id)
    return Reply(label, calls=(asked,), fault=fault, when=when, times=times, pace=pace)


def calls(
    *replies: Reply,
    when: When | None = None,
    times: int | None = 1,
    pace: Pace | None = None,
    fault: Fault | None = None,
) -> Reply:
    """Answer with several calls at once.

    Args:
        replies: What `call` returns, without options of their own.
        when: Which requests it answers, as for `say`.
        times: How many requests it answers; None answers any number, even none.
        pace: How fast it comes.
        fault: Disturbs the answer.

    Raises:
        ValueError: There is none, or one is more or less than a call.
    """
    found = _calls_of(replies, "calls()")
    label = f"calls({', '.join(reply.label for reply in replies)})"
    return Reply(label, calls=found, fault=fault, when=when, times=times, pace=pace)


def obj(
    value: Any,
    *,
    when: When | None = None,
    times: int | None = 1,
    pace: Pace | None = None,
    fault: Fault | None = None,
) -> Reply:
    """Answer with an object: as JSON text, or as a call of the tool that stands for its class.

    The object has to fit the request's schema. To send one that does not, use `say` and `call`.

    Args:
        value: A pydantic model, a dataclass, or anything that JSON has.
        when: Which requests it answers, as for `say`.
        times: How many requests it answers; None answers any number, even none.
        pace: How fast it comes.
        fault: Disturbs the answer.

    Raises:
        TypeError: The value is no JSON.
    """
    label = f"obj({_clipped(repr(value))})"
    made = ScriptedObject(type(value).__name__, _as_json(value, label))
    return Reply(label, object=made, fault=fault, when=when, times=times, pace=pace)


def _calls_of(replies: tuple[object, ...], taker: str) -> tuple[ScriptedCall, ...]:
    found: list[ScriptedCall] = []
    for each in replies:
        if not isinstance(each, Reply) or each != Reply(each.label, calls=each.calls):
            raise ValueError(f"{taker} takes what call() returns, without options, not {each!r}")
        found += each.calls
    if not found:
        raise ValueError(f"{taker} takes what call() returns, at least one")
    return tuple(found)


def think(summary: str, *, then: Reply) -> Reply:
    """Show a summary of the reasoning before another reply, whose options count.

    Args:
        summary: The text.
        then: What the model answers: any step but another thought, a fault or a function.

    Raises:
        ValueError: The step is a fault, or has a thought.
        TypeError: It is no step.
    """
    _check_thought_of(then)
    return replace(then, label=f"think({_shown(summary)}, then={then.label})", thought=summary)


def _check_thought_of(step: object) -> None:
    if not isinstance(step, Reply):
        raise TypeError(
            f"think() takes what say(), call(), obj() or refuse() returns, not {step!r}"
        )
    if step.thought is not None:
        raise ValueError(f"{step.label} has a thought already")


def refuse(
    text: str,
    *,
    when: When | None = None,
    times: int | None = 1,
    pace: Pace | None = None,
    fault: Fault | None = None,
) -> Reply:
    """Refuse: in the field of its own if the answer is bound to a schema, else as a text.

    Args:
        text: The refusal.
        when: Which requests it answers, as for `say`.
        times: How many requests it answers; None answers any number, even none.
        pace: How fast it comes.
        fault: Disturbs the answer.
    """
    label = f"refuse({_shown(text)})"
    return Reply(label, refusal=text, fault=fault, when=when, times=times, pace=pace)


def fail(
    status: int = 502,
    *,
    when: When | None = None,
    times: int | None = 1,
    **more: Any,
) -> Reply:
    """Answer with an error.

    Args:
        status: The HTTP status.
        when: Which requests it answers, as for `say`.
        times: How many requests it answers; None answers any number, even none.
        **more: The arguments of `faults.status`: message, error_type, retry_after, …

    Raises:
        ValueError: An argument makes no sense.
    """
    options = "".join(f", {key}={value!r}" for key, value in more.items())
    fault = faults.status(status, **more)
    return Reply(f"fail({status}{_clipped(options)})", fault=fault, when=when, times=times)


def as_reply(item: ScriptItem, *, functions: bool = True) -> Reply:
    """Return a script's item as a reply.

    Args:
        item: The item.
        functions: Whether it may be a function of the request.

    Raises:
        TypeError: It is nothing that a script can have.
    """
    if isinstance(item, Reply):
        return item
    if isinstance(item, Fault):
        if item.needs_answer:
            raise TypeError(
                f"{item!r} disturbs an answer: write say(…, fault=…), or queue it with play()"
            )
        return Reply(_clipped(repr(item)), fault=item)
    if functions and callable(item):
        return Reply(f"the function {getattr(item, '__name__', repr(item))}", choose=item)
    raise TypeError(
        f"a script has say(), call(), calls(), obj(), think(), refuse(), fail(), faults and "
        f"functions of a request, not {item!r}"
    )


def _as_json(value: Any, label: str) -> Json:
    """Return a value as JSON has it, models and dataclasses included."""
    from pydantic_core import (  # noqa: PLC0415 - only scripts with objects need it
        PydanticSerializationError,
        to_jsonable_python,
    )

    try:
        pure = to_jsonable_python(value, by_alias=True)
        made: Json = json.loads(json.dumps(pure, allow_nan=False))
    except (PydanticSerializationError, ValueError) as error:
        raise TypeError(f"{label} is no JSON: {error}") from error
    return made


def _shown(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"what a model says is a text, not {text!r}; an object is obj()")
    return repr(_clipped(text))


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
