"""What type checkers know of structured output: `mypy` and `pyright` read this file, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import Runnable
from pydantic import BaseModel
from typing_extensions import TypedDict, assert_type

from langchain_openrouter_o3 import ChatOpenRouterO3


class Model(BaseModel):
    name: str


@dataclass
class Data:
    name: str


class Dictionary(TypedDict):
    name: str


def test_structured_output_is_of_the_type_that_was_asked_for() -> None:
    model = ChatOpenRouterO3(api_key="any")
    assert_type(model.with_structured_output(Model), Runnable[LanguageModelInput, Model])
    assert_type(model.with_structured_output(Data), Runnable[LanguageModelInput, Data])
    assert_type(model.with_structured_output(Dictionary), Runnable[LanguageModelInput, Dictionary])
    chain = model.with_structured_output(Model, method="json_mode", strict=False)
    assert_type(chain, Runnable[LanguageModelInput, Model])
    raw = model.with_structured_output(Model, include_raw=True)
    assert_type(raw, Runnable[LanguageModelInput, dict[str, Any]])
    from_schema = model.with_structured_output(Model.model_json_schema())
    assert_type(from_schema, Runnable[LanguageModelInput, dict[str, Any]])
    assert chain.get_output_schema() is Model
