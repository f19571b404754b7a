"""Generated answers, and their two renderings: a stream and a JSON body."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.helpers import wire

TEXTS = st.text(
    st.one_of(st.sampled_from("\u2028 \n\"\\{}[]😀é'"), st.characters(exclude_categories=["Cs"])),
    max_size=8,
)
PIECES = st.lists(TEXTS.filter(bool), max_size=4)
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXTS
JSON_VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(TEXTS, JSON_VALUES, max_size=3)
DUMPS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")])
CUTS = st.lists(st.integers(min_value=0, max_value=20_000), max_size=8)


@st.composite
def argument_texts(draw: st.DrawFn) -> str:
    """The JSON text of an object, in any spacing, escaped or not."""
    value = draw(ARGUMENTS)
    return json.dumps(value, separators=draw(DUMPS), ensure_ascii=draw(st.booleans()))


@st.composite
def cut_up(draw: st.DrawFn, text: str) -> list[str]:
    """A text in pieces, some of them empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=5)))
    edges = [0, *cuts, len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


@dataclass
class Call:
    """One tool call: what it is, and the deltas that bring it."""

    name: str
    arguments: str
    identity: str
    deltas: list[wire.Json]

    def whole(self, index: int) -> wire.Json:
        return wire.tool_call(self.name, self.arguments, self.identity, index)


@dataclass
class GeneratedAnswer:
    """An answer as the two modes render it."""

    events: list[wire.Json]
    body: wire.Json
    comments: list[int] = field(default_factory=list)

    def stream(self, *, done: bool = True) -> bytes:
        payloads: list[wire.Json | str] = list(self.events)
        for position in self.comments:
            payloads.insert(position % (len(payloads) + 1), wire.PROCESSING)
        return wire.sse(*payloads, done=done)


STYLES = ["today", "repeating", "at once", "no arguments", "empty", "bare"]


@st.composite
def calls(draw: st.DrawFn, position: int, first_index: int = 0) -> Call:
    """A call in one of the shapes that providers have sent."""
    name = draw(st.sampled_from(["get_weather", "delete", "f"]))
    identity = f"call_{position}"
    arguments = draw(st.one_of(argument_texts(), st.just(""), st.just("{}")))
    index = first_index + position
    pieces = draw(cut_up(arguments))
    style = draw(
        st.sampled_from(["today", "repeating", "at once", "no arguments", "empty", "bare"])
    )
    deltas = wire.tool_deltas(name, pieces, identity, index)
    if style == "repeating":
        deltas = [wire.tool_call(name, piece, identity, index) for piece in pieces]
    elif style == "at once":
        deltas = [wire.tool_call(name, arguments, identity, index)]
    elif style == "no arguments":
        del deltas[0]["function"]["arguments"]
    elif style == "empty":
        head, *rest = wire.tool_deltas(name, pieces, identity, index)
        blank = {"id": "", "type": "function"}
        deltas = [head, *({**d, **blank, "function": {**d["function"], "name": ""}} for d in rest)]
    elif style == "bare":
        deltas = [{key: d[key] for key in d if key != "index"} for d in deltas]
    return Call(name, arguments, identity, deltas)


@st.composite
def usages(draw: st.DrawFn) -> wire.Json:
    counts = wire.usage(draw(st.integers(0, 10**6)), draw(st.integers(1, 10**6)))
    shape = draw(st.sampled_from(["full", "bare", "null", "float", "byok", "search", "odd"]))
    if shape == "bare":
        return {key: counts[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")}
    if shape == "null":
        return {**counts, "prompt_tokens_details": None, "completion_tokens_details": None}
    if shape == "float":
        return {**counts, "prompt_tokens": float(counts["prompt_tokens"])}
    if shape == "byok":
        return {**counts, "is_byok": True, "cost": 0}
    if shape == "search":
        return {**counts, "server_tool_use_details": {"web_search_requests": 1}}
    return {**counts, "completion_tokens_details": {"reasoning_tokens": None, "new_tokens": 3}}


@st.composite
def endings(draw: st.DrawFn, finish: str, counts: wire.Json) -> list[wire.Json]:
    """The finish and usage chunks of all the epochs."""
    shape = draw(st.sampled_from(["today", "march", "old", "every", "three"]))
    if shape == "march":
        return [wire.chunk(finish=finish), {**wire.envelope(choices=[]), "usage": counts}]
    if shape == "old":
        return [wire.chunk(finish=finish), {**wire.chunk(), "usage": counts}]
    if shape == "every":
        return [{**chunk, "usage": counts} for chunk in wire.ending(finish, counts)]
    return [
        *([wire.chunk(finish=finish)] if shape == "three" else []),
        *wire.ending(finish, counts),
    ]


@st.composite
def generated_answers(draw: st.DrawFn) -> GeneratedAnswer:
    """A whole answer: reasoning, then text or a refusal with annotations, then tool calls."""
    thoughts = draw(PIECES)
    shared = draw(st.booleans())  # whether summary and ciphertext have one index, as in 2025
    secret = draw(st.none() | TEXTS.filter(bool))
    texts, refusals = draw(PIECES), draw(st.one_of(st.just([]), PIECES))
    cited = draw(st.lists(st.builds(citation, TEXTS), max_size=2))
    count = draw(st.integers(0, 3))
    first_index = draw(st.integers(0, 1))
    made = [draw(calls(position, first_index)) for position in range(count)]
    finish = draw(st.sampled_from(["tool_calls"] if made else ["stop", "content_filter"]))
    counts = draw(usages())

    events = [
        wire.chunk(reasoning=t, reasoning_details=[wire.summary(t)]) for t in thoughts
    ]  # fmt: skip
    details: list[wire.Json] = [wire.summary("".join(thoughts))] if thoughts else []
    if secret is not None:
        entry = wire.encrypted(secret, index=0 if shared or not thoughts else 1)
        events.append(wire.chunk(reasoning=None, reasoning_details=[entry]))
        details.append(entry)
    events += [wire.chunk(annotations=[item]) for item in cited]
    events += [wire.chunk(t) for t in texts]
    events += [wire.chunk(refusal=t) for t in refusals]
    events += draw(tool_events(made))
    message: dict[str, Any] = {
        "refusal": "".join(refusals) or None,
        "reasoning": "".join(thoughts) or None,
    }
    if details:
        message["reasoning_details"] = details
    if cited:
        message["annotations"] = cited
    if made:
        message["tool_calls"] = [call.whole(first_index + i) for i, call in enumerate(made)]
    tier = {"service_tier": "default"}
    events += [{**chunk, **tier} for chunk in draw(endings(finish, counts))]
    body = {**wire.body("".join(texts) or None, finish=finish, counts=counts, **message), **tier}
    return GeneratedAnswer(events, body, draw(st.lists(st.integers(0, 50), max_size=4)))


def citation(title: str) -> wire.Json:
    cited = {"url": "https://example.org", "title": title, "start_index": 0, "end_index": 3}
    return {"type": "url_citation", "url_citation": cited}


@st.composite
def tool_events(draw: st.DrawFn, made: list[Call]) -> list[wire.Json]:
    """One delta an event, or all the calls at once, as some providers send them."""
    if draw(st.booleans()) and all(len(call.deltas) == 1 for call in made):
        return [wire.tool_chunk(*(call.deltas[0] for call in made))] if made else []
    return [wire.tool_chunk(delta) for call in made for delta in call.deltas]
