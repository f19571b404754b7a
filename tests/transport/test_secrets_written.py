"""A model that is printed, dumped, pickled or traced shows neither its key nor its headers."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, dumps

from langchain_openrouter_o3 import OpenRouterError
from langchain_openrouter_o3.emulator import faults
from tests.helpers.modes import MODES
from tests.helpers.secrets import HELICONE, build, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.emulator import Emulator

URL = "http://openrouter.invalid/api/v1"
FORMS: dict[str, Callable[[ChatOpenRouterO3], object]] = {
    "repr": repr,
    "str": str,
    "model_dump": lambda model: model.model_dump(),
    "model_dump_json": lambda model: model.model_dump_json(),
    "asdict": lambda model: model.asdict(),
    "dumps": dumps,
    "dumpd": dumpd,
    "name in a cache": lambda model: model._get_llm_string(),
    "identifying parameters": lambda model: model._identifying_params,
    "parameters in a trace": lambda model: model._get_ls_params(),
    "configuration": lambda model: model.config_specs,
    "copy": copy.deepcopy,
    "a part of a chain": lambda model: dumps(model.with_retry() | str),
    "with tools": lambda model: dumps(model.bind_tools([])),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_model_shows_a_secret(form: str) -> None:
    assert shown(f"{FORMS[form](build(URL))}") == []


@pytest.mark.parametrize(
    "name",
    [
        "Helicone-Auth",
        "api-key",
        "cf-aig-authorization",
        "x-portkey-api-key",
        "x-anything",
        "User-Agent",
    ],
)
@pytest.mark.parametrize("part", [lambda model: model, lambda model: model.bind(stop=["x"])])
def test_a_model_with_a_header_of_the_caller_is_not_pickled(
    part: Callable[[ChatOpenRouterO3], object], name: str
) -> None:
    with pytest.raises(TypeError, match="default_headers") as caught:
        pickle.dumps(part(build(URL, default_headers={name: HELICONE})))
    assert shown(str(caught.value)) == []


@pytest.mark.parametrize("headers", [None, {}])
def test_a_model_without_headers_is_pickled_without_its_key(headers: dict[str, str] | None) -> None:
    pickled = pickle.dumps(build(URL, default_headers=headers, seed=7))
    assert shown(repr(pickled)) == []
    assert pickle.loads(pickled).seed == 7


class Everything(BaseCallbackHandler):
    """Keeps all that a model tells its callbacks."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def _hear(self, *arguments: Any, **named: Any) -> None:
        self.heard.append(f"{arguments} {named}")

    on_chat_model_start = on_llm_new_token = on_llm_end = on_llm_error = _hear


@pytest.mark.parametrize("mode", MODES)
def test_callbacks_hear_of_no_secret(emulator: Emulator, mode: str) -> None:
    everything = Everything()
    model = build(emulator.base_url, callbacks=[everything])
    assert MODES[mode](model).text
    emulator.play(faults.status(500))
    with pytest.raises(OpenRouterError):
        MODES[mode](model)
    assert len(everything.heard) >= 4
    assert shown("".join(everything.heard)) == []
