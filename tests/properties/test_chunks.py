"""Chunks that are built directly equal chunks that langchain-core validates."""

from __future__ import annotations

from typing import Any

import langchain_core
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages.tool import tool_call_chunk

from langchain_openrouter_o3._wire.chunks import (
    build_delta,
    choose_builder,
    direct_delta,
    state_of,
    validated_delta,
)

texts = st.text(max_size=20)
json_like = st.text(alphabet='{}[]",:\\ \n\tabn0123456789.eE+-truefalsnu\u00a0\ufeff', max_size=25)
fragments = st.one_of(st.none(), texts, json_like, json_like.map(lambda text: "{" + text))
tool_chunks = st.builds(
    tool_call_chunk,
    name=st.none() | texts,
    args=fragments,
    id=st.none() | texts,
    index=st.none() | st.integers(),
)
kwargs = st.dictionaries(st.sampled_from(["reasoning_content", "refusal"]), texts)
deltas = st.tuples(texts, kwargs, st.lists(tool_chunks, max_size=3))


def build(builder: Any, delta: tuple[Any, ...]) -> Any:
    text, additional, calls = delta
    metadata = {"model_provider": "openrouter"}
    fresh = [call.copy() for call in calls]
    return builder(text, dict(additional), metadata, fresh)


@given(delta=deltas)
def test_both_ways_build_the_same_chunk(delta: tuple[Any, ...]) -> None:
    direct, validated = build(direct_delta, delta), build(validated_delta, delta)
    assert direct == validated
    assert state_of(direct) == state_of(validated)
    assert direct.model_dump_json() == validated.model_dump_json()
    assert repr(direct) == repr(validated)


@given(left=deltas, right=deltas)
def test_both_ways_add_up_to_the_same_message(
    left: tuple[Any, ...], right: tuple[Any, ...]
) -> None:
    sums = []
    for builder in (direct_delta, validated_delta):
        total = build(builder, left) + build(builder, right)
        sums.append(state_of(total.message))
    assert sums[0] == sums[1]


def test_chunks_share_nothing() -> None:
    one, other = (build(build_delta, ("a", {}, [])) for _ in range(2))
    one.message.additional_kwargs["x"] = 1
    one.message.response_metadata["x"] = 1
    one.message.tool_calls.append({"name": "f", "args": {}, "id": "1"})
    assert state_of(other) == state_of(build(validated_delta, ("a", {}, [])))


def test_the_direct_way_is_taken_with_the_installed_langchain_core() -> None:
    assert choose_builder() is direct_delta


def test_a_changed_langchain_core_is_noticed_aloud() -> None:
    def outdated(*delta: Any) -> Any:
        chunk = direct_delta(*delta)
        chunk.message.__dict__.pop("chunk_position")
        return chunk

    with pytest.warns(RuntimeWarning, match=f"langchain-core {langchain_core.__version__}"):
        assert choose_builder(outdated) is validated_delta
