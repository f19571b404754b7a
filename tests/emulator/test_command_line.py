"""`python -m langchain_openrouter_o3.emulator`."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers.emulator_client import user

COMMAND = [sys.executable, "-W", "error", "-m", "langchain_openrouter_o3.emulator"]


@contextlib.contextmanager
def started(*options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with started("--port", "0", "--api-key", "secret") as process:
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_until_it_is_interrupted(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    line, settings = settings_of(process)
    assert "no language model" in line
    assert process.stdout is not None
    assert "in a browser at http://127.0.0.1:" in process.stdout.readline()
    assert settings["OPENROUTER_API_KEY"] == "secret"
    body = {"model": "openai/o3-mini", "messages": [user("2+2")]}
    url = f"{settings['OPENROUTER_API_BASE']}/chat/completions"
    assert httpx.post(url, json=body, headers={"authorization": "Bearer x"}).status_code == 401
    answer = httpx.post(url, json=body, headers={"authorization": "Bearer secret"})
    assert "2+2 = 4" in answer.text
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr) == (0, "", "")


def settings_of(process: subprocess.Popen[str]) -> tuple[str, dict[str, str]]:
    assert process.stdout is not None
    line = process.stdout.readline()
    return line, dict(word.split("=") for word in line.split() if word.startswith("OPENROUTER_"))


def test_it_records_and_replays_and_tells_what_changed(tmp_path: Path) -> None:
    folder = str(tmp_path / "recordings")
    recording = ("--record", folder, "--upstream")
    replay = ("--replay", folder, "--timing", "0.1", "--miss", "fail", "--repeat-last")
    told: list[str] = []
    with Emulator() as upstream:
        for options, answers in (
            ((*recording, upstream.base_url), ["one"]),
            ((*recording, upstream.base_url), ["two"]),
            (replay, ["two", "two"]),
        ):
            with started(*options) as process:
                line, settings = settings_of(process)
                assert folder in line
                for answer in answers:
                    upstream.play(Canned(pieces=answer.encode()))
                    url = f"{settings['OPENROUTER_API_BASE']}/chat/completions"
                    assert httpx.post(url, json={"model": "m"}).text == answer
                process.terminate()
                stdout, stderr = process.communicate(timeout=60)
                assert (process.returncode, stderr) == (0, "")
                told.append(stdout)
    name = "00001-post-chat-completions-m.json"
    assert told == [
        f"{name} is new\n",
        f'{name} was recorded anew: body: "one" → "two"\n',
        "",
    ]


def test_it_says_why_it_cannot_start() -> None:
    with Emulator() as other:
        taken = other.base_url.removesuffix("/api/v1").rpartition(":")[2]
        for option, value, words in (
            ("--replay", "/nowhere", "error: replay: there is no recording in /nowhere"),
            ("--port", taken, f"error: cannot listen on 127.0.0.1, port {taken}: "),
        ):
            done = subprocess.run(
                [*COMMAND, option, value], capture_output=True, text=True, check=False
            )
            assert done.returncode == 2
            assert words in done.stderr


def test_it_explains_itself() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    for option in ("--port", "--host", "--api-key"):
        assert option in done.stdout
