"""The code that the tour shows."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from langchain_openrouter_o3._cli import tour_command as steps
from langchain_openrouter_o3._cli.tour_command import model_source

if TYPE_CHECKING:
    from langchain_openrouter_o3._cli.tour_command import Step

ALL = (*steps.all_steps(), steps.Step("loop", "", steps.run_tool_loop))


@pytest.mark.parametrize("step", ALL, ids=lambda step: step.name)
def test_the_code_of_a_step_is_the_function_that_runs(step: Step) -> None:
    code = step.source()
    lines = [line for line in code.splitlines() if line]
    # Five lines teach; with its margin the widest fits into 60 columns.
    assert 2 <= len(lines) <= 5
    assert max(map(len, lines)) <= 56
    assert '"""' not in code
    compiled = compile(ast.parse(code), "tour", "exec")
    assert set(compiled.co_names) >= {"model", "show"}


def test_the_code_of_the_model_makes_it() -> None:
    assert model_source({}).endswith("model = ChatOpenRouterO3()")
    code = model_source({"model": "openai/o3", "max_tokens": 99})
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - what a reader of the tour does
    model = names["model"]
    assert isinstance(model, names["ChatOpenRouterO3"])  # type: ignore[arg-type]
    assert "max_tokens=99" in repr(model)
