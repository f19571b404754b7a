"""What a journal knows of a chain."""

from __future__ import annotations

import dataclasses
import linecache
import re
import subprocess
import sys
from functools import partial
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableBranch, RunnableLambda, RunnableParallel
from pydantic import BaseModel, SecretStr, create_model
from pydantic.v1 import BaseModel as BaseModelV1

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.bulk.fingerprint import differences, read_chain


class Unwritable(BaseModel):
    """It has no JSON schema."""

    model_config = {"arbitrary_types_allowed": True}
    thing: Runnable[Any, Any]


class Old(BaseModelV1):
    a: int
    b: list[int] = []


@dataclasses.dataclass
class Settings:
    words: frozenset[str]
    key: SecretStr
    schema: type
    unknown: object
    deep: Any = None
    name: str = "x" * 100


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else "bottom"


def chain_with(settings: Any, factor: int = 2) -> Runnable[Any, Any]:
    def double(value: int) -> int:
        return recurse(value) * factor + len(settings.words)

    def recurse(value: int) -> int:
        return later(value) if value else 0

    if factor:  # never called: its cell stays empty
        return RunnableLambda(double)

    def later(value: int) -> int:
        return value

    return RunnableLambda(double)


def settings(**changed: Any) -> Settings:
    values: dict[str, Any] = {
        "words": frozenset({"b", "a"}),
        "key": SecretStr("secret-of-the-test"),
        "schema": Unwritable,
        "unknown": object(),
        "deep": deep(40),
    }
    return Settings(**{**values, **changed})


def test_parts_are_named_by_their_paths_and_hold_no_secret() -> None:
    parts = read_chain(chain_with(settings())).parts
    assert parts["func.settings.words[0]"] == "'a'"
    assert parts["func.settings.unknown"] == "object"
    assert re.fullmatch(r"Unwritable \([0-9a-f]{12}\)", parts["func.settings.schema"])
    assert parts["func.factor"] == "2"
    assert "x" * 50 in parts["func.settings.name"]
    assert "secret-of-the-test" not in str(parts)
    assert "bottom" not in str(parts)


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"words": frozenset({"a"})}, "func.settings.words[1]"),
        ({"schema": Old}, "func.settings.schema"),
        ({"name": "x" * 101}, "func.settings.name"),
    ],
)
def test_a_changed_part_is_named(changed: Any, path: str) -> None:
    before = read_chain(chain_with(settings())).parts
    now = read_chain(chain_with(settings(**changed))).parts
    assert [text.partition(":")[0] for text in differences(before, now)] == [path]


def test_what_was_assigned_is_the_same_part_before_and_after_a_call() -> None:
    model = ChatOpenRouterO3(api_key="any").model_copy(update={"provider": {"only": ["openai"]}})
    before = read_chain(model).parts
    model.asdict()  # which checks it, as every call does
    assert before == read_chain(model).parts
    built = ChatOpenRouterO3(api_key="any", provider={"only": ["openai"]})
    assert before == read_chain(built).parts


def test_a_changed_function_is_named() -> None:
    one: Any = RunnableLambda(lambda value: value + 1)
    two: Any = RunnableLambda(lambda value: value + 2)
    (text,) = differences(read_chain(one).parts, read_chain(two).parts)
    assert text.startswith("func: ")
    spoken: dict[str, Any] = {}
    exec("one = lambda value: value + 1\ntwo = lambda value: value * 2", spoken)  # noqa: S102 - code as a caller writes it
    chains = (RunnableLambda(spoken["one"]), RunnableLambda(spoken["two"]))
    assert differences(*(read_chain(chain).parts for chain in chains))


def function_of(source: str, file: str = "<string>", **module: Any) -> Any:
    """What was typed into a shell: it has no source that anybody could read again."""
    exec(compile(source, file, "exec"), module)  # noqa: S102 - our own
    return module["step"]


@pytest.mark.parametrize(
    ("source", "before", "now", "path"),
    [
        ("def step(x): return 'French' + x", {}, {}, None),
        ("def step(x): return P + x", {"P": "French"}, {"P": "German"}, "func.P"),
        ("def step(x): return [P + y for y in x]", {"P": "a"}, {"P": "b"}, "func.P"),
        ("def step(x): return (lambda: P)()", {"P": ("a", 1)}, {"P": ("a", 2)}, "func.P"),
        ("def step(x, p=P): return p + x", {"P": "French"}, {"P": "German"}, "func.p"),
        ("def step(x, *, p=P): return p + x", {"P": [1]}, {"P": [2]}, "func.p[0]"),
        # A tally, what the function sets itself, and an attribute are no parts.
        ("def step(x): P.append(x)", {"P": []}, {"P": [1]}, None),
        ("def step(x):\n global P\n P = P + 1", {"P": 1}, {"P": 2}, None),
        ("def step(x): return x.P", {"P": 1}, {"P": 2}, None),
        ("def step(x): return __name__", {"__name__": "a"}, {"__name__": "a"}, None),
    ],
)
def test_constants_that_a_function_names_are_parts(
    source: str, before: dict[str, Any], now: dict[str, Any], path: str | None
) -> None:
    one, two = (read_chain(RunnableLambda(function_of(source, **each))) for each in (before, now))
    changed = [text.partition(":")[0] for text in differences(one.parts, two.parts)]
    assert changed == ([] if path is None else [path])
    assert "French" not in str([one.parts.get("func"), one.parts.get("func.P")])


@pytest.mark.parametrize("file", ["<string>", "<a shell>"])
def test_constants_of_a_function_without_source_are_parts(
    monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    # As Python 3.13 does with the text of `python -c`: it is not that of these functions.
    lines = ["def step(x): return x\n"]
    monkeypatch.setitem(linecache.cache, "<string>", (0, None, lines, "<string>"))
    sources = (
        "def step(x): return 'French' + x",
        "def step(x): return 'German' + x",
        "def step(x): return x in {'a', 'b', 'c'}",
        "def step(x): return [y in {'a', 'b'} for y in x]",
        "def step(x): return [y in {'a', 'c'} for y in x]",
    )
    parts = [
        read_chain(RunnableLambda(function_of(source, file))).parts["func"] for source in sources
    ]
    assert len({*parts}) == len(sources)


def test_built_in_and_partial_functions_are_told_apart() -> None:
    chains: list[Any] = [
        RunnableLambda(len),
        RunnableLambda(max),
        RunnableLambda(partial(max, 5)),
        RunnableLambda(partial(max, 6)),
        RunnableLambda("abc".count),
        RunnableLambda(ChatOpenRouterO3(api_key="any").invoke),
        RunnableLambda(ChatOpenRouterO3(api_key="any", max_tokens=50).invoke),
    ]
    assert len({str(read_chain(chain).parts) for chain in chains}) == len(chains)


def test_classes_of_fields_are_known() -> None:
    model = ChatOpenRouterO3(api_key="any")
    classes = read_chain(model.with_structured_output(Old)).classes
    assert f"{__name__}:Old" in classes
    chain = chain_with(settings(schema=Settings))
    assert f"{__name__}:Settings" in read_chain(chain).classes
    old = chain_with(settings(schema=Old))
    assert f"{__name__}:Old" in read_chain(old).classes
    assert (
        read_chain(chain_with(settings(unknown=Old(a=1)))).parts["func.settings.unknown.a"] == "1"
    )


def test_branches_and_parallel_steps_are_parts() -> None:
    def chain(word: str) -> Runnable[Any, Any]:
        prompt = ChatPromptTemplate.from_messages([("user", word)])
        both: Any = RunnableParallel(a=prompt, b=RunnableLambda(str))
        other: Any = RunnableLambda(lambda _: word)
        branch: Any = RunnableBranch((bool, RunnableLambda(len)), other)
        joined: Runnable[Any, Any] = both | branch
        return joined

    found = differences(read_chain(chain("x")).parts, read_chain(chain("y")).parts)
    assert len(found) == 2
    assert any(text.startswith("steps[0].steps.a") for text in found)
    assert any("word" in text for text in found), found


def test_another_process_sees_the_same() -> None:
    script = (
        "from tests.bulk.test_fingerprint import *\n"
        "print(sorted(read_chain(chain_with(settings())).parts.items()))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": ":".join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_a_class_without_a_json_schema_is_told_by_the_types_of_its_fields() -> None:
    def model(kind: Any) -> type[BaseModel]:
        config: Any = {"arbitrary_types_allowed": True}
        made = create_model(
            "Thing", __config__=config, thing=(Runnable[Any, Any], ...), a=(kind, 1)
        )
        made.__qualname__ = "Thing"
        return made

    def parts(kind: Any) -> dict[str, str]:
        return read_chain(RunnableLambda(str).bind(schema=model(kind))).parts

    assert differences(parts(int), parts(int)) == []
    assert len(differences(parts(int), parts(str))) == 1
