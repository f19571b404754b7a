"""The fuzzer's targets without the fuzzer: every input ever kept, and some random ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import CORPUS, NAMES, REGRESSIONS
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

INPUTS = sorted(CORPUS.glob("*/*"))
MENDED = sorted(REGRESSIONS.glob("*/*"))
MAX_FILES, MAX_KILOBYTES = 200, 300

every_target = pytest.mark.parametrize("name", NAMES)


def by_target_and_name(path: Path) -> str:
    return f"{path.parent.name}-{path.name}"


@pytest.mark.parametrize("path", INPUTS, ids=by_target_and_name)
def test_every_input_of_the_corpus_keeps_the_promises(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("path", MENDED, ids=by_target_and_name)
def test_what_once_broke_a_promise_keeps_it(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@every_target
def test_every_seed_keeps_the_promises(name: str) -> None:
    for data in seeds().get(name, [b""]):
        TARGETS[name](data)


@every_target
@settings(derandomize=True, database=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_keep_the_promises(name: str, data: bytes) -> None:
    TARGETS[name](data)


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert sorted(TARGETS) == NAMES


def test_the_corpus_stays_small() -> None:
    files = [*INPUTS, *MENDED]
    assert len(files) < MAX_FILES
    assert sum(path.stat().st_size for path in files) < MAX_KILOBYTES * 1024
