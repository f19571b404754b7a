"""`python -m langchain_openrouter_o3.emulator`."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.helpers.emulator_client import user

COMMAND = [sys.executable, "-W", "error", "-m", "langchain_openrouter_o3.emulator"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--api-key", "secret"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_until_it_is_interrupted(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "no language model" in line
    settings = dict(word.split("=") for word in line.split() if word.startswith("OPENROUTER_"))
    assert settings["OPENROUTER_API_KEY"] == "secret"
    body = {"model": "openai/o3-mini", "messages": [user("2+2")]}
    url = f"{settings['OPENROUTER_API_BASE']}/chat/completions"
    assert httpx.post(url, json=body, headers={"authorization": "Bearer x"}).status_code == 401
    answer = httpx.post(url, json=body, headers={"authorization": "Bearer secret"})
    assert "2+2 = 4" in answer.text
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr) == (0, "", "")


def test_it_explains_itself() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    for option in ("--port", "--host", "--api-key"):
        assert option in done.stdout
