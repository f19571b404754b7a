"""Errors of a bulk run, beside those of its calls."""

from __future__ import annotations

from typing import Any

from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterInputError


class BudgetError(OpenRouterError):
    """The budget is spent; rows that are not done have not been asked for."""


class DuplicateKeyError(OpenRouterInputError):
    """Two rows have one key; the text names both."""


class JournalError(OpenRouterInputError):
    """The journal cannot be used: another chain's, in use, or no journal at all."""


class JournalInUseError(JournalError):
    """Another process works with the journal, or with the file of a job."""


class StorageError(OpenRouterInputError):
    """A value cannot be written to the journal, or not be read from it."""


class RecordedError(OpenRouterError):
    """An error of an earlier run whose class cannot be made again.

    Attributes:
        class_name: Of the error as it was raised.
    """

    def __init__(self, message: str, *, class_name: str = "", **facts: Any) -> None:
        """Keep the name of the class beside the text.

        Args:
            message: The text of the error.
            class_name: Of the error as it was raised.
            facts: See `OpenRouterError`.
        """
        super().__init__(message, **facts)
        self.class_name = class_name


class BulkInterrupted(KeyboardInterrupt, SystemExit):
    """Ctrl-C ended a run after what was in flight had come; all of it is in the journal.

    A program that does not catch it ends with status 130 and without a traceback: what was done,
    and how to go on, has been printed.
    """

    def __init__(self) -> None:
        """Set the status that shells expect."""
        super().__init__(130)
        self.code = 130
