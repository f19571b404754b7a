"""The command inside this process, where every branch can be reached."""

from __future__ import annotations

import ast
import importlib
import io
import json
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from langchain_openrouter_o3._cli import steps
from langchain_openrouter_o3._cli.connection import model_source
from langchain_openrouter_o3._cli.tour import Step
from langchain_openrouter_o3._cli.usage import Meter, Usage, table_rows
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers.commands import Screen
from tests.helpers.factories import STREAM
from tests.helpers.wire import chunk, ending, error, sse, to_json


def command(*arguments: str) -> int:
    """Run the command."""
    main: Callable[[Sequence[str]], int] = importlib.import_module(
        "langchain_openrouter_o3.__main__"
    ).main
    return main(arguments)


def test_the_tour(capsys: pytest.CaptureFixture[str]) -> None:
    before = dict(os.environ)
    assert command() == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    assert "langchain.agents.create_agent" in output
    assert dict(os.environ) == before


def test_the_tour_leaves_the_key_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", " ")
    assert command("2+2") == 0
    assert os.environ["OPENROUTER_API_KEY"] == " "
    assert "2+2 = 4" in capsys.readouterr().out


def test_the_tour_without_langchain(
    uninstall: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    uninstall("langchain")
    assert command() == 0
    output = capsys.readouterr().out
    assert "langchain is not installed" in output
    assert "caller = model.bind_tools([get_weather, add])" in output
    for line in ("→ add(a=17, b=25)", "← add: 42", "The tool add says: 42"):
        assert line in output


def test_an_answer(server: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--usage", "--system", "Be brief.", "2+2") == 0
    output, errors = capsys.readouterr()
    assert output.startswith("2+2 = 4")
    assert errors.splitlines()[1].startswith("answer")
    assert len(server.requests) == 1


def test_an_object(capsys: pytest.CaptureFixture[str], schema_file: str) -> None:
    assert command("--schema", schema_file, "Ada Lovelace") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "Ada Lovelace"


def test_an_answer_before_a_person(
    server: Emulator, monkeypatch: pytest.MonkeyPatch, schema_file: str
) -> None:
    output, aside = Screen(), Screen()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", aside)
    assert command("2+2") == 0
    assert output.getvalue().startswith("2+2 = 4")
    assert "Thinking" in aside.getvalue()
    assert "Reading" in aside.getvalue()
    assert "USD" in aside.getvalue()
    assert command("--schema", schema_file, "Ada") == 0
    assert command() == 0
    assert "Asking openai/o3-mini" in output.getvalue()
    assert len(server.requests) == 7


def test_an_error(server: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    server.play(Canned(402, pieces=to_json(error(402, "Poor"))))
    assert command("hi") == 1
    assert capsys.readouterr().err.startswith("error: Poor")


def test_a_cut_answer(server: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    server.play(Canned(headers=STREAM, pieces=sse(chunk("Hi\n"), *ending("length"))))
    assert command("hi") == 0
    output, errors = capsys.readouterr()
    assert output == "Hi\n"
    assert "--max-tokens" in errors


def test_no_emulator(uninstall: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    uninstall("uvicorn")
    assert command("hi") == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert 'pip install "langchain-openrouter-o3[emulator]"' in errors


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--effort", "huge", "hi"], "invalid choice: 'huge'"),
        (["--max-tokens", "many", "hi"], "invalid int value: 'many'"),
        (["--max-tokens", "-3", "hi"], "max_tokens: Input should be greater"),
        (["--model", "", "hi"], "model: String should have at least 1 character"),
        (["--model", "openai/o3-mini-high", "--effort", "low", "hi"], "accepts high"),
        (["--system", "Be brief."], "--system needs a prompt"),
        (["--schema", "/nowhere/s.json", "hi"], "--schema /nowhere/s.json: No such file"),
        ([""], "the prompt is empty"),
        (["-", "-"], "the standard input (-) can be read only once"),
    ],
)
def test_bad_arguments(
    server: Emulator, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    try:
        code: object = command(*arguments)
    except SystemExit as error:
        code = error.code
    assert code == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert reason in errors.splitlines()[-1]
    assert not server.requests


def test_a_terminal_that_cannot_write_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    assert command("say “hi”") == 0
    output.seek(0)
    assert "You said: \\u201csay" in output.read()


@pytest.mark.parametrize("content", ["[1]", "{", "\udcff"])
def test_a_schema_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "schema.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SystemExit, match="2"):
        command("--schema", str(path), "hi")
    assert f"--schema {path}: " in capsys.readouterr().err


def test_an_input_that_is_no_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), "utf-8"))
    with pytest.raises(SystemExit, match="2"):
        command("-")
    assert "is no text" in capsys.readouterr().err


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(io.StringIO):
        def read(self, size: int | None = -1, /) -> str:
            raise KeyboardInterrupt(size)

    monkeypatch.setattr(sys, "stdin", Impatient())
    assert command("-") == 130


def test_a_broken_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stdout:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdout", stdout)
        assert command("2+2") == 141


def test_streams_of_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Screen(terminal=False)
    monkeypatch.setattr(sys, "stdout", output)
    assert command("2+2") == 0
    assert output.getvalue().startswith("2+2 = 4")


def test_the_module_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["o3", "2+2"])
    monkeypatch.delitem(sys.modules, "langchain_openrouter_o3.__main__", raising=False)
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("langchain_openrouter_o3", run_name="__main__")
    assert capsys.readouterr().out.startswith("2+2 = 4")


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


UNKNOWN = "\N{EN DASH}"


def answer(cost: float | None = None) -> AIMessage:
    metadata = {} if cost is None else {"cost": cost}
    usage = {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}
    return AIMessage("", response_metadata=metadata, usage_metadata=usage)


def listened(*answers: AIMessage) -> Usage:
    meter = Meter()
    for each in answers:
        meter.on_chat_model_start({}, [])
        meter.on_llm_end(LLMResult(generations=[[ChatGeneration(message=each)]]))
    return meter.read("step")


def test_answers_add_up() -> None:
    usage = listened(answer(0.25), answer(0.5))
    assert (usage.input, usage.output, usage.cost) == (4, 6, 0.75)
    assert usage.cells()[:2] == ["step", "4"]
    assert usage.cells()[6] == "0.750000"


def test_what_is_not_reported_is_unknown() -> None:
    assert listened().cells() == ["step", *[UNKNOWN] * 6]
    assert listened(answer(), AIMessage("")).cells()[1:5] == [UNKNOWN] * 4
    usage = listened(answer(0.25), answer())
    assert (usage.input, usage.cached, usage.reasoning, usage.cost) == (4, None, None, None)


def test_only_messages_of_models_count() -> None:
    meter = Meter()
    human = ChatGeneration(message=HumanMessage("hi"))
    meter.on_llm_end(LLMResult(generations=[[human, Generation(text="hi")]]))
    assert meter.read("step").seconds is None


def test_a_total_with_an_unknown_part_is_unknown() -> None:
    known, unknown = listened(answer(0.25)), listened(answer())
    assert len(table_rows([known])) == 2
    assert table_rows([known, known])[-1][6] == "0.500000"
    assert table_rows([known, unknown])[-1][6] == UNKNOWN
