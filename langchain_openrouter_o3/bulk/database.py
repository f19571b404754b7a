"""One SQLite file, opened once in a process and by one process at a time.

A journal and caches share the connection. SQLite's own lock keeps other processes out, and the
operating system gives it back however the process ends.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from langchain_openrouter_o3.bulk.errors import JournalError

_APPLICATION = 0x4F33424B
_FORMAT = 1
_SETTINGS = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
)
_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_FORMAT};
CREATE TABLE parts(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE runs(
    id INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, workers INTEGER NOT NULL
);
CREATE TABLE rows(
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, number INTEGER NOT NULL,
    run INTEGER NOT NULL, state TEXT NOT NULL, input BLOB, value BLOB, cost TEXT NOT NULL,
    unknown BLOB, usage BLOB, ids BLOB, attempts INTEGER NOT NULL, seconds REAL NOT NULL
);
CREATE TABLE answers(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


class Database:
    """A connection that its users share; they close it together."""

    def __init__(self, path: str) -> None:
        """Open a file, or make it.

        Args:
            path: Of the file; empty for a temporary one.

        Raises:
            JournalError: It cannot be opened, or is something else, or in use.
        """
        self.path = path
        self.users = 0
        self.has_run = False
        self.process = os.getpid()
        self.lock = threading.RLock()
        self._connection = _connect(path)
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise JournalError(_problem(path, error)) from error
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        for setting in _SETTINGS:
            self.execute(setting)
        application = self.execute("PRAGMA application_id").fetchone()[0]
        tables = self.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application != _APPLICATION and tables:
            raise JournalError(f"{self.path}: this is another program's database, not a journal.")
        if not tables:
            self._connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
            return
        found = self.execute("PRAGMA user_version").fetchone()[0]
        if found != _FORMAT:
            raise JournalError(
                f"{self.path}: its format is {found}, and this version reads {_FORMAT}. Use the "
                "version that wrote it, or another file."
            )
        self.execute("BEGIN IMMEDIATE")  # takes the lock, and keeps it
        self.execute("COMMIT")

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(statement, values)

    def execute_many(self, statement: str, values: list[Any]) -> None:
        """Run one statement for each of several tuples of values."""
        self._connection.executemany(statement, values)

    @contextlib.contextmanager
    def writing(self) -> Generator[None]:
        """Write everything within the block, or nothing.

        Raises:
            JournalError: The file cannot be written.
        """
        with self.lock:
            try:
                self.execute("BEGIN IMMEDIATE")
                yield
                self.execute("COMMIT")
            except BaseException as error:
                with contextlib.suppress(sqlite3.Error):
                    self.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise JournalError(_problem(self.path, error)) from error
                raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _connect(path: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise JournalError(_problem(path, error)) from error


def _problem(path: str, error: sqlite3.Error) -> str:
    if "locked" in str(error):
        return f"{path}: another process works with this journal. Wait for its end, or stop it."
    return f"{path}: {error}. Choose a file in a folder that exists and can be written."


_LOCK = threading.Lock()
_OPEN: dict[str, Database] = {}


def open_database(path: str | os.PathLike[str]) -> Database:
    """Open a file, or share it with those in this process who have; `close_database` gives it back.

    Raises:
        JournalError: It cannot be opened, or is something else, or in use.
    """
    name = str(Path(path).resolve())
    with _LOCK:
        database = _OPEN.get(name)
        if database is not None and database.process != os.getpid():
            raise JournalError(f"{name}: it was opened before a fork, by the parent process.")
        if database is None:
            database = _OPEN[name] = Database(name)
        database.users += 1
        return database


def close_database(database: Database) -> None:
    """Give a file back; the last one closes it."""
    with _LOCK:
        database.users -= 1
        if database.users == 0 and database.process == os.getpid():
            _OPEN.pop(database.path, None)
            database.close()
