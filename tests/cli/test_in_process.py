"""The command inside this process, where every branch can be reached."""

from __future__ import annotations

import io
import json
import logging
import os
import runpy
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import langchain_openrouter_o3
from langchain_openrouter_o3 import __version__
from langchain_openrouter_o3._cli import main as entry
from langchain_openrouter_o3._cli.answer import CUT
from langchain_openrouter_o3._cli.connection import EMULATED
from langchain_openrouter_o3._cli.options import SUBCOMMANDS
from langchain_openrouter_o3.emulator import Canned, faults
from tests.cli.conftest import KEY
from tests.helpers.commands import Screen
from tests.helpers.raw_server import Peer, RawServer
from tests.helpers.wire import chunk, ending, error, sse, to_json, usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openrouter_o3.emulator import Emulator

REFUSAL = {"choices": [{"delta": {"refusal": "No."}}]}
UNKNOWN = "\N{EN DASH}"
STREAM = {"content-type": "text/event-stream"}
HINT = "add --emulator to try the command without one"


class Done(NamedTuple):
    code: object
    out: str
    err: str


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Done]:
    """Run the command, with a text piped in or not."""

    def run(*arguments: str, text: str | None = None) -> Done:
        if text is not None:
            monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        try:
            code: object = entry.main(arguments, command="o3")
        except SystemExit as end:
            code = end.code
        return Done(code, *capsys.readouterr())

    return run


Command = Any


def prompts(server: Emulator) -> list[Any]:
    """What the user said, request by request."""
    bodies = [request.body for request in server.requests]
    return [body["messages"][-1]["content"] for body in bodies if body is not None]


# --- Who answers ---


@pytest.mark.parametrize("key", [None, " "])
@pytest.mark.parametrize("base", [None, "http://127.0.0.1:9/v1"])
def test_a_prompt_needs_a_key_or_the_emulator(
    command: Command, monkeypatch: pytest.MonkeyPatch, key: str | None, base: str | None
) -> None:
    for name, value in (("OPENROUTER_API_KEY", key), ("OPENROUTER_API_BASE", base)):
        if value is not None:
            monkeypatch.setenv(name, value)
    before = dict(os.environ)
    for arguments in (["hi"], ["chat"]):
        refused = command(*arguments)
        assert (refused.code, refused.out) == (2, "")
        assert refused.err.startswith("error: no OPENROUTER_API_KEY")
        assert HINT in refused.err
    done = command("--emulator", "2+2")
    assert (done.code, done.out.partition(".")[0], done.err) == (0, "2+2 = 4", f"{EMULATED}\n")
    assert dict(os.environ) == before


def test_the_emulator_answers_although_there_is_a_key(server: Emulator, command: Command) -> None:
    assert command("--emulator", "hi").err == f"{EMULATED}\n"
    assert not server.requests


@pytest.mark.parametrize("arguments", [("--emulator", "hi"), ("tour",)])
def test_without_the_emulators_packages_it_says_what_to_install(
    uninstall: Callable[..., None], command: Command, arguments: tuple[str, ...]
) -> None:
    uninstall("uvicorn")
    done = command(*arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert 'pip install "langchain-openrouter-o3[emulator]"' in done.err


# --- What is asked ---


@pytest.mark.parametrize(
    ("words", "text", "asked"),
    [
        (["Why", "so?"], None, "Why so?"),
        (["Review:"], " a\n  b\n", "Review:\n\n a\n  b"),
        (["Say", "-", "twice"], "hello\n", "Say hello twice"),
        ([], "hello\n", "hello"),
        (["hi"], "", "hi"),
        (["-"], "hello", "hello"),
        (["explain", "--", "--usage", "-x"], None, "explain --usage -x"),
        (["--", "chat"], None, "chat"),
        (["-f", "a.txt", "Fix:"], "why\n", 'Fix:\n\n<file name="a.txt">\n  one\n</file>\n\nwhy'),
        (
            ["-f", "a.txt", "--file", "b.txt"],
            None,
            '<file name="a.txt">\n  one\n</file>\n\n<file name="b.txt">\nzwölf\n</file>',
        ),
    ],
)
def test_words_files_and_what_is_piped_in_are_one_prompt(  # noqa: PLR0913, PLR0917 - fixtures
    server: Emulator,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    text: str | None,
    asked: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("  one\n")
    (tmp_path / "b.txt").write_text("\ufeffzwölf", encoding="utf-8")
    assert command(*words, text=text).code == 0
    assert prompts(server) == [asked]


def test_options_reach_the_request(server: Emulator, command: Command) -> None:
    done = command(
        "-e", "low", "--max-tokens", "900", "-s", "Be brief.", "What", "--usage", "is 2+2?",
        "-m", "openai/o4-mini",
    )  # fmt: skip
    assert (done.code, done.out.partition(".")[0]) == (0, "2+2 = 4")
    body: Any = server.requests[0].body
    assert (body["model"], body["max_tokens"]) == ("openai/o4-mini", 900)
    assert body["reasoning"] == {"effort": "low"}
    assert [each["content"] for each in body["messages"]] == ["Be brief.", "What is 2+2?"]
    head, row = done.err.splitlines()
    assert head.split() == ["input", "cached", "output", "reasoning", "seconds", "USD"]
    assert row.split()[0] == "answer"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["-e", "huge", "hi"], "this model has no other reasoning_effort"),
        (["--max-tokens", "many", "hi"], "invalid int value: 'many'"),
        (["--max-tokens", "-3", "hi"], "max_tokens: Input should be greater"),
        (["--max-tokens", "15", "hi"], "max_tokens=15 is below 16"),
        (["-m", "", "hi"], "model: String should have at least 1 character"),
        (["-m", "openai/o3-mini-high", "-e", "low", "hi"], "accepts high"),
        (["-s", "Be brief."], "--system needs a prompt"),
        (["--json"], "--json needs a prompt"),
        (["--schema", "/nowhere/s.json", "hi"], "--schema /nowhere/s.json: No such file"),
        (["--schema", "name colour", "hi"], "'name colour' is no field"),
        (["--schema", "{", "hi"], "--schema: not JSON"),
        (["--schema", '{"a": NaN}', "hi"], "NaN is not JSON"),
        (["-f", "/nowhere/a.txt", "hi"], "--file /nowhere/a.txt: No such file"),
        (["-f", sys.executable, "hi"], "no text in UTF-8"),
        ([""], "the prompt is empty"),
        (["-", "-"], "the standard input (-) can be read only once"),
        (["chat", "-c", "a.jsonl", "-s", "x"], "keeps its instructions"),
        (["models", "--emulator", "no-such"], "no slug of 7 models has no-such in it"),
    ],
)
def test_bad_arguments_are_explained(
    server: Emulator, command: Command, arguments: list[str], reason: str
) -> None:
    done = command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert reason in done.err.splitlines()[-1]
    assert not server.requests


@pytest.mark.parametrize("content", ["[1]", "{", "\udcff"])
def test_a_schema_that_is_none(command: Command, tmp_path: Path, content: str) -> None:
    path = tmp_path / "schema.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    done = command("--schema", str(path), "hi")
    assert done.code == 2
    assert f"--schema {path}: " in done.err


def test_empty_and_broken_pipes_are_no_prompt(
    server: Emulator, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "the prompt is empty" in command(text="").err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), "utf-8"))
    assert "is no text" in command("hi").err
    assert not server.requests


@pytest.mark.parametrize("has_input", [True, False])
def test_a_program_without_an_input_is_asked_by_its_words(
    server: Emulator, command: Command, monkeypatch: pytest.MonkeyPatch, *, has_input: bool
) -> None:
    with open(os.devnull, encoding="utf-8") as nothing:  # noqa: PTH123 - a device
        monkeypatch.setattr(sys, "stdin", nothing if has_input else None)
        assert command("hi").code == 0
        assert "a tour in 4 steps" in command().out
    assert prompts(server)[0] == "hi"


# --- What comes ---


def test_a_call_that_is_repeated_has_a_line(server: Emulator, command: Command) -> None:
    server.play(faults.status(503, retry_after=0.01))
    logger = logging.getLogger("langchain_openrouter_o3")
    before = logger.level, list(logger.handlers)
    done = command("2+2")
    assert done.code == 0
    assert done.err.count("\n") == 1
    assert "Attempt 1 failed" in done.err
    assert "status 503" in done.err
    assert "trying again in" in done.err
    assert (logger.level, logger.handlers) == before


@pytest.mark.parametrize("given", ["file", "json", "fields"])
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_an_object_is_one_json_document(
    server: Emulator, command: Command, schema_file: str, given: str, more: tuple[str, ...]
) -> None:
    text = Path(schema_file).read_text(encoding="utf-8")
    schemas = {"file": schema_file, "json": text, "fields": "name, tags list"}
    done = command("--schema", schemas[given], *more, "Ada Löv, tags: red, green and blue")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert (found["object"] if more else found) == {
        "name": "Ada Löv",
        "tags": ["red", "green", "blue"],
    }
    assert "Löv" in done.out
    assert len(server.requests) == 1


@pytest.mark.usefixtures("server")
def test_json_tells_everything_of_an_answer(command: Command) -> None:
    done = json.loads(command("--json", "What is 2+2?").out)
    assert list(done) == ["id", "model", "text", "object", "finish_reason", "usage", "cost"]
    assert done["text"].startswith("2+2 = 4")
    assert done["id"].startswith("gen-")
    assert (done["model"], done["object"], done["finish_reason"]) == (
        "openai/o3-mini",
        None,
        "stop",
    )
    assert done["usage"]["output_tokens"] > 0
    assert done["cost"] > 0


def test_a_price_that_is_not_reported_is_not_invented(server: Emulator, command: Command) -> None:
    counts = {key: value for key, value in usage().items() if key != "cost"}
    server.play(Canned(headers=STREAM, pieces=sse(chunk("Hi"), *ending(counts=counts))))
    done = command("--usage", "hi")
    assert done.out == "Hi\n"
    cells = done.err.splitlines()[-1].split()
    assert (cells[1:5], cells[6]) == (["20", "0", "40", "30"], UNKNOWN)


@pytest.mark.parametrize(
    ("answer", "options", "ended"),
    [
        (
            Canned(headers=STREAM, pieces=sse(chunk("Hel"), *ending("length"))),
            [],
            (0, "Hel\n", CUT),
        ),
        (
            Canned(headers=STREAM, pieces=sse(REFUSAL, *ending())),
            [],
            (0, "", "The model refused: No."),
        ),
        (
            Canned(402, pieces=to_json(error(402, f"No\ncredits for {KEY}"))),
            [],
            (1, "", "error: No credits for [redacted] (HTTP 402)"),
        ),
        (
            Canned(headers=STREAM, pieces=sse(chunk("Half an"), error(502, "Gone")), cut=True),
            [],
            (1, "Half an\n", "error: Gone"),
        ),
        (
            Canned(headers=STREAM, pieces=sse(chunk('{"name": "A'), *ending("length"))),
            ["--schema", "name"],
            (1, "", "error: The answer was cut by a token limit"),
        ),
        (
            Canned(headers=STREAM, pieces=sse(chunk('{"name": 5}'), *ending())),
            ["--schema", "name"],
            (1, "", "error: "),
        ),
    ],
    ids=["cut", "refused", "402", "half", "cut object", "wrong object"],
)
def test_how_an_answer_ended_is_one_line(
    server: Emulator,
    command: Command,
    answer: Canned,
    options: list[str],
    ended: tuple[int, str, str],
) -> None:
    server.play(answer)
    done = command(*options, "hi")
    assert (done.code, done.out) == ended[:2]
    assert done.err.startswith(ended[2])
    assert done.err.count("\n") == 1
    assert KEY not in done.err


def test_a_broken_key_is_not_repeated(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", f"{KEY} {KEY}")
    done = command("hi")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: api_key is empty or has characters")
    assert "test-key" not in done.err


# --- Conversations ---


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where conversations are kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "openrouter-o3" / "chats"


def test_a_conversation_remembers_and_goes_on(
    server: Emulator, command: Command, state: Path
) -> None:
    first = command("chat", "-s", "Be brief.", "--usage", text="repeat 2 words\n\nWhat is 2+2?\n")
    assert first.code == 0
    assert first.out.startswith("word1 word2\n2+2 = 4")
    assert "answer 2" in first.err
    (file,) = state.iterdir()
    assert (file.stat().st_mode & 0o777, state.stat().st_mode & 0o777) == (0o600, 0o700)
    typed = shlex.split(first.err.splitlines()[-1].partition("To go on: o3 ")[2])
    assert typed == ["chat", "--continue", str(file)]
    assert command("chat", "--continue", text="repeat 1 words\n").code == 0
    assert command(*typed, text="repeat 3 words").code == 0
    bodies: list[Any] = [request.body for request in server.requests]
    roles = [[each["role"] for each in body["messages"]] for body in bodies]
    pair = ["user", "assistant"]
    assert roles == [["system", *pair * n, "user"] for n in range(4)]
    said = bodies[-1]["messages"][2]
    assert said["content"] == "word1 word2"
    assert said["reasoning_details"]  # goes back as it came


def test_a_question_that_failed_is_not_kept(
    server: Emulator, command: Command, state: Path
) -> None:
    server.play(Canned(402, pieces=to_json(error(402, "Poor"))))
    failed = command("chat", text="one\ntwo\n")
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.startswith("error: Poor")
    assert command("chat", "--emulator", text="").err == f"{EMULATED}\n"
    assert not [*state.iterdir()]
    assert prompts(server) == ["one"]


def test_a_conversation_before_a_person_goes_on_after_a_failure(
    server: Emulator, command: Command, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.play(Canned(402, pieces=to_json(error(402, "Poor"))))
    stdin, stdout, stderr = Screen(), Screen(), Screen()
    stdin.write("one\nrepeat 2 words\n")
    stdin.seek(0)
    for name, stream in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
        monkeypatch.setattr(sys, name, stream)
    assert command("chat").code == 0
    assert "> " in stdout.getvalue()
    assert "error: Poor" in stderr.getvalue()
    assert "answer 1" in stderr.getvalue()
    assert prompts(server) == ["one", "repeat 2 words"]
    (file,) = state.iterdir()
    assert file.read_text().count("\n") == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), ("{}", "no conversation"), ("x", "no conversation")],
)
def test_what_cannot_be_continued(
    server: Emulator, command: Command, state: Path, content: str | None, reason: str
) -> None:
    assert f"there is no conversation in {state}" in command("chat", "-c").err
    file = state.parent / "chat.jsonl"
    if content is not None:
        file.parent.mkdir(parents=True)
        file.write_text(content)
    assert reason in command("chat", "-c", str(file)).err
    state.parent.mkdir(parents=True, exist_ok=True)
    state.touch()
    assert f"{state}: File exists. Conversations are kept there" in command("chat").err
    assert not server.requests


def test_conversations_are_kept_at_home(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(tmp_path / ".local" / "state") in command("chat", "-c").err


# --- Models ---


def test_the_models_that_the_package_knows(command: Command) -> None:
    done = command("models")
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()[1:]}
    assert rows["openai/o3-mini"] == ["200,000", "100,000", "1.1", "0.55", "4.4"]
    assert rows["openai/o3-pro"][3] == UNKNOWN


def test_the_models_that_openrouter_offers(server: Emulator, command: Command) -> None:
    offered = json.loads(command("models", "--json", "OpenAI", "mini").out)
    assert [each["id"] for each in offered if "gpt" in each["id"]] == ["openai/gpt-4.1-mini"]
    mini = next(each for each in offered if each["id"] == "openai/o3-mini")
    assert mini == {
        "id": "openai/o3-mini",
        "name": "OpenAI: o3 Mini",
        "context_length": 200_000,
        "max_output_tokens": 100_000,
        "input": 1.1,
        "cached_input": 0.55,
        "output": 4.4,
    }
    (request,) = server.requests
    assert "authorization" not in {name.lower() for name in request.headers}


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        ("200 OK", b'{"data": [{"id": "a/b", "pricing": {"prompt": "-1"}}]}', "a/b"),
        ("200 OK", b'{"data": 1}', "GET /models gave no list"),
        ("200 OK", b"no JSON", "GET /models gave no list"),
        ("503 Gone", b'{"error": {"code": 503, "message": "Later"}}', "error: Later"),
    ],
)
def test_odd_lists_of_models(
    command: Command, monkeypatch: pytest.MonkeyPatch, status: str, body: bytes, told: str
) -> None:
    def answer(peer: Peer) -> None:
        peer.read_head()
        peer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode(), body)

    with RawServer(answer) as raw:
        monkeypatch.setenv("OPENROUTER_API_BASE", raw.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
        done = command("models")
    assert told in (done.err or done.out)
    assert done.code == ("no list" in told or "error" in told)
    if done.out:
        assert done.out.split()[-6:] == ["a/b", *[UNKNOWN] * 5]


# --- Terminals, the tour, and how it ends ---


def test_an_answer_before_a_person(
    server: Emulator, monkeypatch: pytest.MonkeyPatch, schema_file: str, command: Command
) -> None:
    stdout, stderr = Screen(), Screen()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert command("2+2").code == 0
    assert "2+2 = 4" in stdout.getvalue()
    assert "Thinking" in stderr.getvalue()
    assert "Reading" in stderr.getvalue()
    assert "USD" in stderr.getvalue()
    assert command("--schema", schema_file, "Ada").code == 0
    assert command().code == 0
    assert "Asking openai/o3-mini" in stdout.getvalue()
    assert len(server.requests) == 7


def test_the_tour_falls_back_to_the_emulator_and_says_what_to_paste(command: Command) -> None:
    before = dict(os.environ)
    done = command("tour", "-e", "low")
    assert (done.code, done.err) == (0, "")
    assert f"No OPENROUTER_API_KEY. {EMULATED}" in done.out
    assert "langchain.agents.create_agent" in done.out
    assert "model = ChatOpenRouterO3(reasoning_effort='low')" in done.out
    assert dict(os.environ) == before
    name, *arguments = shlex.split(done.out.splitlines()[-1])
    assert name == "o3"
    assert command(*arguments).code == 0


def test_the_tour_says_whom_it_asks(server: Emulator, command: Command) -> None:
    done = command()
    assert f"Asking openai/o3-mini at {server.base_url}.\n" in done.out
    assert "charged" not in done.out
    assert "--emulator" not in done.out
    assert KEY not in done.out
    assert f"\n{EMULATED}\n" in command("--emulator").out


def test_the_tour_without_langchain(uninstall: Callable[..., None], command: Command) -> None:
    uninstall("langchain")
    output = command().out
    assert "langchain is not installed" in output
    assert "caller = model.bind_tools([get_weather, add])" in output
    for line in ("→ add(a=17, b=25)", "← add: 42", "The tool add says: 42"):
        assert line in output


def test_it_explains_itself(command: Command) -> None:
    for name in ("", *SUBCOMMANDS):
        helped = command(*name.split(), "--help")
        assert (helped.code, helped.err) == (0, "")
        assert f"usage: o3 {name}".rstrip() in helped.out
        assert "examples:" in helped.out
        assert f"\n  {name}" in command("--help").out
    assert command("--version").out == f"langchain-openrouter-o3 {__version__}\n"


def test_what_was_typed_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["python3", "-m", "langchain_openrouter_o3"]
    assert entry.typed_command([*typed, "a b"], ["/x/__main__.py", "a b"]) == " ".join(typed)
    script = tmp_path / "a b" / entry.NAME
    script.parent.mkdir()
    script.touch(mode=0o755)
    original = ["/usr/bin/python", str(script)]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert entry.typed_command(original, [str(script)]) == shlex.quote(str(script))
    monkeypatch.setenv("PATH", str(script.parent))
    assert entry.typed_command(original, [str(script)]) == entry.NAME


def test_a_terminal_that_cannot_write_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    assert entry.main(["--emulator", "say “hi”"]) == 0
    output.seek(0)
    assert "You said: \\u201csay" in output.read()


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(io.StringIO):
        def read(self, size: int | None = -1, /) -> str:
            raise KeyboardInterrupt(size)

    monkeypatch.setattr(sys, "stdin", Impatient())
    assert entry.main(["-"]) == 130


def test_a_broken_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stdout:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdout", stdout)
        assert entry.main(["--emulator", "2+2"]) == 141


def test_streams_of_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Screen(terminal=False)
    monkeypatch.setattr(sys, "stdout", output)
    assert entry.main(["--emulator", "2+2"]) == 0
    assert output.getvalue().startswith("2+2 = 4")


def test_the_module_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["o3", "--emulator", "2+2"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(langchain_openrouter_o3.__path__[0] + "/__main__.py", run_name="__main__")
    assert capsys.readouterr().out.startswith("2+2 = 4")
