"""Strict schemas and tools against independent builders, over generated Pydantic models.

The oracle for what is strict is the `openai` package's public `pydantic_function_tool`, for tools
langchain-core's converter. Where a model has defaults the oracle keeps them and does not make
properties nullable, so it is compared on models without any.
"""

from __future__ import annotations

from typing import Any, Literal

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field, create_model

from langchain_openrouter_o3._wire.output_schema import build_output_schema
from langchain_openrouter_o3._wire.tools import tools_to_wire
from langchain_openrouter_o3.errors import OpenRouterInputError
from tests.helpers.schemas import strict_schema

names = st.sampled_from(["alpha", "beta", "gamma", "delta", "omega"])
scalars: Any = st.sampled_from([int, str, float, bool, Literal["a", "b"], int | None])


def models(children: Any) -> Any:
    @st.composite
    def build(draw: st.DrawFn) -> type[BaseModel]:
        fields: dict[str, Any] = {
            name: (draw(children), Field(description=f"The {name}"))
            for name in draw(st.lists(names, min_size=1, max_size=4, unique=True))
        }
        return create_model(draw(st.sampled_from(["Box", "Crate"])), **fields)

    return build()


types: Any = st.recursive(
    scalars, lambda inner: inner.map(list.__class_getitem__) | models(inner), max_leaves=6
)


def plain(schema: Any) -> Any:
    """Reduce a schema to what binds the model: no titles, references followed."""

    def walk(node: Any, defs: dict[str, Any]) -> Any:
        if isinstance(node, list):
            return [walk(item, defs) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            target = defs[node["$ref"].rsplit("/", 1)[1]]
            node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
        options = node.get("anyOf")
        if options and len(options) == 1:
            node = {**{k: v for k, v in node.items() if k != "anyOf"}, **options[0]}
            return walk(node, defs)
        kept = {k: v for k, v in node.items() if k not in ("title", "$defs", "description")}
        return {key: walk(value, defs) for key, value in kept.items()}

    return walk(schema, schema.get("$defs", {}))


@given(model=models(types))
def test_a_strict_schema_binds_the_model_as_openais_own_does(model: type[BaseModel]) -> None:
    ours = strict_schema(model.model_json_schema(), model.__name__)
    theirs: Any = openai.pydantic_function_tool(model)["function"]["parameters"]
    assert plain(ours) == plain(theirs)
    Draft202012Validator.check_schema(ours)


@given(model=models(types))
def test_tools_are_langchain_cores_with_what_openai_needs_added(model: type[BaseModel]) -> None:
    (ours,) = tools_to_wire([model])
    assert ours == convert_to_openai_tool(model)


@st.composite
def optional_models(draw: st.DrawFn) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        kind, default = draw(
            st.sampled_from(
                [(int, 5), (str, "x"), (int | None, None), (str | None, "y"), (list[int], [1])]
            )
        )
        fields[name] = (kind, default) if draw(st.booleans()) else (kind, ...)
    if draw(st.booleans()):
        fields["inner"] = (create_model("Inner", deep=(int, 7)), ...)
    return create_model("Optionals", **fields)


@given(model=optional_models(), data=st.data())
def test_an_answer_with_null_for_every_optional_is_the_model_with_its_defaults(
    model: type[BaseModel], data: st.DataObject
) -> None:
    schema = model.model_json_schema()
    strict = strict_schema(schema, "Optionals")
    assert set(strict["required"]) == set(model.model_fields)
    answer: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if not field.is_required():
            answer[name] = None
        elif name == "inner":
            answer[name] = {"deep": None}
        else:
            answer[name] = data.draw(st.sampled_from(GIVEN[str(field.annotation)]))
    Draft202012Validator(strict).validate(answer)
    parsed = build_output_schema(model).make_of_value(answer)
    given_fields = {k: v for k, v in answer.items() if model.model_fields[k].is_required()}
    nullable = {
        k: None
        for k, field in model.model_fields.items()
        if not field.is_required() and str(field.annotation) in NULLABLE
    }
    if "inner" in given_fields:
        given_fields["inner"] = {}
    assert parsed == model(**{**given_fields, **nullable})


NULLABLE = {"int | None", "str | None"}
GIVEN: dict[str, list[Any]] = {
    "<class 'int'>": [1, -2],
    "<class 'str'>": ["s", ""],
    "int | None": [None, 3],
    "str | None": [None, "t"],
    "list[int]": [[], [1, 2]],
}


@pytest.mark.parametrize(
    ("kind", "path"),
    [(dict[str, int], "alpha"), (Any, "alpha"), (list[Any], "alpha.items"), (object, "alpha")],
)
def test_what_openai_would_refuse_later_is_refused_when_binding(kind: Any, path: str) -> None:
    model: type[BaseModel] = create_model("Open", alpha=(kind, ...))
    with pytest.raises(OpenRouterInputError, match=rf"\$\.properties\.{path}"):
        strict_schema(model.model_json_schema(), "Open")
