"""One SQLite file, opened once in a process and by one process at a time.

A journal and caches share the connection; other kinds of files have layouts of their own. SQLite's
own lock keeps other processes out, and the operating system gives it back however the process ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sqlite3
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakSet

from langchain_openrouter_o3.bulk.errors import JournalError, JournalInUseError


class Layout(NamedTuple):
    """A kind of file.

    Attributes:
        name: What a person calls it.
        application: The number that SQLite keeps for whose file it is.
        format: The version of its tables.
        tables: The statements that make them.
        survives: What a commit survives: NORMAL the death of the process, FULL a loss of power.
    """

    name: str
    application: int
    format: int
    tables: str
    survives: str = "NORMAL"


_TABLES = """
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
JOURNAL = Layout("journal", 0x4F33424B, 1, _TABLES)


class Database:
    """A connection that its users share; they close it together."""

    def __init__(self, path: str, layout: Layout = JOURNAL) -> None:
        """Open a file, or make it.

        Args:
            path: Of the file; empty for a temporary one.
            layout: What kind of file it is.

        Raises:
            JournalInUseError: Another process works with it.
            JournalError: It cannot be opened, or is something else.
        """
        self.path = path
        self.layout = layout
        self.users = 0
        self.has_run = False
        self.process = os.getpid()
        self._lock = threading.RLock()
        self._connection = _connect(path, layout)
        _CONNECTED.add(self)
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise _problem(path, layout, error) from error
        except BaseException:  # an interrupt, too, must not leave the file locked
            self._connection.close()
            raise

    def _prepare(self) -> None:
        layout = self.layout
        self.execute("PRAGMA locking_mode = EXCLUSIVE")
        self.execute("PRAGMA journal_mode = WAL")
        self.execute(f"PRAGMA synchronous = {layout.survives}")
        application = self.execute("PRAGMA application_id").fetchone()[0]
        tables = self.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application != layout.application and tables:
            raise JournalError(
                f"{self.path}: this is another program's database, not a {layout.name}."
            )
        if not tables:
            marks = (
                f"PRAGMA application_id = {layout.application};"
                f"PRAGMA user_version = {layout.format};"
            )
            self._connection.executescript(f"BEGIN IMMEDIATE;{marks}{layout.tables}COMMIT;")
            # Whose file it is stands in its head even if the process is killed, for `is_job`.
            self.execute("PRAGMA wal_checkpoint")
            return
        found = self.execute("PRAGMA user_version").fetchone()[0]
        if found != layout.format:
            raise JournalError(
                f"{self.path}: its format is {found}, and this version reads {layout.format}. Use "
                "the version that wrote it, or another file."
            )
        self.execute("BEGIN IMMEDIATE")  # takes the lock, and keeps it
        self.execute("COMMIT")

    @property
    def lock(self) -> threading.RLock:
        """Keeps other threads out.

        Raises:
            JournalError: See `execute`.
        """
        self.check_process()
        return self._lock

    def check_process(self) -> None:
        """Refuse a file that the parent process has opened.

        Raises:
            JournalError: It has.
        """
        if self.process != os.getpid():
            raise JournalError(
                f"{self.path}: it was opened before a fork, by the parent process. Open it after "
                "the fork, in the process that works with it."
            )

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        """Run one statement.

        Raises:
            JournalError: The file was opened before a fork.
        """
        self.check_process()
        return self._connection.execute(statement, values)

    def execute_many(self, statement: str, values: list[Any]) -> None:
        """Run one statement for each of several tuples of values.

        Raises:
            JournalError: See `execute`.
        """
        self.check_process()
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
            except BaseException as error:  # an interrupt, too: half a transaction is none
                with contextlib.suppress(sqlite3.Error):
                    self.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise _problem(self.path, self.layout, error) from error
                raise

    def close(self) -> None:
        """Close the connection; a child leaves its parent's alone."""
        if self.process == os.getpid():
            self._connection.close()

    def keep(self) -> None:
        """Never close the connection, not even when the interpreter ends.

        SQLite would write its log into the file and delete it, under the parent that goes on.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))


def _connect(path: str, layout: Layout) -> sqlite3.Connection:
    try:  # without SQLite's own waiting, which would hold up the event loop
        return sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise _problem(path, layout, error) from error


def _problem(path: str, layout: Layout, error: sqlite3.Error) -> JournalError:
    if "locked" in str(error):
        return JournalInUseError(
            f"{path}: another process works with this {layout.name}. Wait for its end, or stop it."
        )
    return JournalError(
        f"{path}: {error}. Choose a file in a folder that exists and can be written."
    )


_opening = threading.Lock()
_OPEN: dict[str, Database] = {}
_CONNECTED: WeakSet[Database] = WeakSet()


def _begin_anew() -> None:
    """After a fork: the lock may have been held, and all connections are the parent's."""
    global _opening  # noqa: PLW0603 - there is one
    _opening = threading.Lock()
    for database in [*_CONNECTED]:
        database.keep()


with contextlib.suppress(AttributeError):  # Windows has no fork
    os.register_at_fork(after_in_child=_begin_anew)


def open_database(path: str | os.PathLike[str], layout: Layout = JOURNAL) -> Database:
    """Open a file, or share it with those in this process who have; `close_database` gives it back.

    Args:
        path: Of the file.
        layout: What kind of file it is.

    Raises:
        JournalInUseError: Another process works with it.
        JournalError: It cannot be opened, or is something else.
    """
    name = str(Path(path).resolve())
    with _opening:
        database = _OPEN.get(name)
        if database is None:
            database = _OPEN[name] = Database(name, layout)
        database.check_process()
        if database.layout != layout:
            raise JournalError(f"{name}: this is a {database.layout.name}, not a {layout.name}.")
        database.users += 1
        return database


def application_of(path: Path) -> int | None:
    """Read whose file it is, without a lock; None if it is no database of SQLite.

    Raises:
        OSError: It cannot be read.
    """
    uri = f"{path.resolve().as_uri()}?immutable=1&mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            return int(connection.execute("PRAGMA application_id").fetchone()[0])
    except sqlite3.OperationalError as error:
        raise OSError(f"{path}: {error}.") from error
    except sqlite3.DatabaseError:
        return None


def close_database(database: Database) -> None:
    """Give a file back; the last one closes it."""
    with _opening:
        database.users -= 1
        if database.users == 0 and database.process == os.getpid():
            _OPEN.pop(database.path, None)
            database.close()
