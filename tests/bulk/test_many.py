"""Five thousand rows with faults; `python -m benchmarks.bulk --rows 100000` is the long form."""

from __future__ import annotations

import sys

import pytest

from benchmarks import bulk


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_keys_and_money_of_five_thousand_rows() -> None:
    missed = [figure for figure in bulk.memory(5000) if not figure.is_met]
    assert [figure for figure in missed if not figure.name.startswith("tasks")] == []
