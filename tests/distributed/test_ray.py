"""Ray Data: workers and programs that are killed lose nothing, and little is paid twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import KEY
from tests.distributed.job import ACTORS
from tests.helpers.bulk_server import Plan, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("ray.data", reason="needs tests/constraints-distributed.txt")

ROWS = int(os.environ.get("DISTRIBUTED_ROWS", "5000"))
CONCURRENCY = 20


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: Ray's sockets are below it."""
    path = Path(tempfile.mkdtemp(prefix="o3-"))
    (path / "workers").mkdir()
    yield path
    shutil.rmtree(path)


def begin(server: Server, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.distributed.job", server.base_url, str(folder)]
    with (folder / "output").open("ab") as output:
        return subprocess.Popen(
            [*command, str(ROWS), str(CONCURRENCY)],
            env={**os.environ, "OPENROUTER_API_KEY": KEY},
            stdout=output,
            stderr=output,
        )


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path) -> None:
    while not holds():
        assert process.poll() is None, (folder / "output").read_text()
        time.sleep(0.05)


def workers(folder: Path) -> list[int]:
    """The processes of workers that run."""
    found = [int(path.name) for path in (folder / "workers").iterdir()]
    return [pid for pid in found if Path(f"/proc/{pid}/cmdline").exists()]


def files_with_the_key(folder: Path) -> list[Path]:
    regular = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in regular if KEY.encode() in path.read_bytes()]


def results(folder: Path) -> list[dict[str, Any]]:
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    rows: list[dict[str, Any]] = parquet.read_table(folder / "people").to_pylist()
    return rows


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_worker_and_a_killed_program_lose_nothing(folder: Path) -> None:
    with Server(Plan(fault_rate=0.02, seed=3, think=0.02)) as server:
        first = begin(server, folder)
        wait_until(lambda: server.bill().requests > ROWS // 5, first, folder)
        os.kill(workers(folder)[0], signal.SIGKILL)
        seen = len([*(folder / "workers").iterdir()])
        wait_until(lambda: len([*(folder / "workers").iterdir()]) > seen, first, folder)
        wait_until(lambda: server.bill().requests > ROWS // 2, first, folder)
        first.kill()
        first.wait()
        while workers(folder):  # Ray ends them when it notices
            time.sleep(0.1)
        second = begin(server, folder)
        assert second.wait() == 0, (folder / "output").read_text()
        bill = server.bill()
    rows = results(folder)
    assert sorted(int(row["key"]) for row in rows) == [*range(ROWS)]
    assert any(row["from_journal"] for row in rows)
    lost = bill.requests - sum(row["attempts"] for row in rows)
    sys.stderr.write(f"requests that are in no journal: {lost}\n")
    assert 0 <= lost <= CONCURRENCY * (1 + ACTORS)
    assert (folder / "statistics").stat().st_size > 0
    assert files_with_the_key(folder) == []
