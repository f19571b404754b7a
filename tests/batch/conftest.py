"""What all tests of batches use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langchain_openrouter_o3.batch import ledger

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "job.db"


@pytest.fixture(autouse=True)
def _no_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commits of tests survive their process alone, which is faster."""
    monkeypatch.setattr(ledger, "JOB", ledger.JOB._replace(survives="OFF"))
