"""Equal calls are equal bytes, wherever and in whichever order their arguments are said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator
from tests.conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text("abß", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text("abcxyz", min_size=1, max_size=3), JSON, max_size=4)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "debug": OBJECTS,
    "extra_body": OBJECTS.map(lambda body: {f"new_{key}": value for key, value in body.items()}),
    "max_tokens": st.integers(16, 99),
    "plugins": st.lists(OBJECTS.map(lambda plugin: {"id": "p", **plugin}), min_size=1, max_size=2),
    "provider": st.just({"order": ["OpenAI"], "max_price": {"prompt": 1, "request": 2}}),
    "reasoning": st.just({"summary": "auto", "effort": "low"}),
    "request_metadata": st.dictionaries(st.text("abc", max_size=3), st.just("x"), max_size=4),
    "seed": st.integers(0, 9),
    "session_id": st.just("s"),
    "trace": OBJECTS,
    "user": st.just("u"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@st.composite
def shuffled(draw: st.DrawFn, value: Any) -> Any:
    """The same JSON with the keys of all objects in some order."""
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        return {key: draw(shuffled(value[key])) for key in keys}
    return [draw(shuffled(item)) for item in value] if isinstance(value, list) else value


@st.composite
def said_twice(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """One set of arguments, twice spread over the model, a binding and a call."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True))
    said = {name: draw(VALUES[name]) for name in names}
    spread = []
    for _ in range(2):
        places: list[dict[str, Any]] = [{}, {}, {}]
        for name in draw(st.permutations(names)):
            places[draw(st.integers(0, 2))][name] = draw(shuffled(said[name]))
        spread.append(places)
    return spread


@settings(suppress_health_check=[*HealthCheck])
@given(spread=said_twice())
def test_equal_calls_are_equal_bytes(server: Emulator, spread: list[list[dict[str, Any]]]) -> None:
    server.reset()
    for model, bound, call in spread:
        asked = ChatOpenRouterO3(base_url=server.base_url, api_key=KEY, **model).bind(**bound)
        asked.invoke("Hello", **call)
    first, second = (request.raw for request in server.requests)
    assert first == second
    values = {name: value for place in spread[0] for name, value in place.items()}
    body = json.loads(first)
    for key, value in values.get("extra_body", {}).items():
        assert body[key] == value
