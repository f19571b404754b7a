"""Many rows through one chain: resumable, within a budget, never paid twice.

`abulk` and `bulk` run a chain; a journal keeps what is done. `JournalCache` does the same for
single calls, `export` writes a journal for other programs, `settle` asks what lost answers cost.
"""

from langchain_openrouter_o3.bulk.cache import JournalCache
from langchain_openrouter_o3.bulk.errors import (
    BudgetError,
    BulkInterrupted,
    DuplicateKeyError,
    JournalError,
    RecordedError,
    StorageError,
)
from langchain_openrouter_o3.bulk.export import export
from langchain_openrouter_o3.bulk.rows import Progress, Row
from langchain_openrouter_o3.bulk.run import abulk, bulk
from langchain_openrouter_o3.bulk.settle import Settled, settle

__all__ = [
    "BudgetError",
    "BulkInterrupted",
    "DuplicateKeyError",
    "JournalCache",
    "JournalError",
    "Progress",
    "RecordedError",
    "Row",
    "Settled",
    "StorageError",
    "abulk",
    "bulk",
    "export",
    "settle",
]
