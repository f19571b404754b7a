"""Many rows through one chain: resumable, within a budget, never paid twice.

`abulk` and `bulk` run a chain; a journal keeps what is done. A `SharedJournal` is that of several
processes, a `Budget` that of several runs. `JournalCache` does the same for single calls, `export`
writes a journal for other programs, `settle` asks what lost answers cost.
"""

from langchain_openrouter_o3.bulk.budget import Budget
from langchain_openrouter_o3.bulk.cache import JournalCache
from langchain_openrouter_o3.bulk.errors import (
    BudgetError,
    BulkInterrupted,
    DuplicateKeyError,
    JournalError,
    JournalInUseError,
    RecordedError,
    StorageError,
)
from langchain_openrouter_o3.bulk.export import export
from langchain_openrouter_o3.bulk.rows import Progress, Row
from langchain_openrouter_o3.bulk.run import abulk, bulk
from langchain_openrouter_o3.bulk.settle import Settled, settle
from langchain_openrouter_o3.bulk.shared_journal import SharedJournal

__all__ = [
    "Budget",
    "BudgetError",
    "BulkInterrupted",
    "DuplicateKeyError",
    "JournalCache",
    "JournalError",
    "JournalInUseError",
    "Progress",
    "RecordedError",
    "Row",
    "Settled",
    "SharedJournal",
    "StorageError",
    "abulk",
    "bulk",
    "export",
    "settle",
]
