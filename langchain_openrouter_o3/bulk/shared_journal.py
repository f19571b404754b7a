"""A journal that several processes write at once: a folder, with a file of lines for each of them.

SQLite's locks cannot be relied upon over network file systems, so no process writes a file of
another. Each appends to a file of its own, and before each run reads what the others have appended
to theirs. A temporary database of the process holds what was read, so that memory does not grow.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from langchain_core.runnables import Runnable
from typing_extensions import Self, override

from langchain_openrouter_o3._json import decode, encode
from langchain_openrouter_o3.bulk.errors import JournalError
from langchain_openrouter_o3.bulk.fingerprint import Chain, read_chain
from langchain_openrouter_o3.bulk.journal import IMPORT, Journal, Record, check_parts
from langchain_openrouter_o3.errors import OpenRouterInputError

_FORMAT = 1
_ENDING = ".jsonl"
_SYNC_SECONDS = 1.0
"""How often a file is written through to the disk: what a machine that dies can lose."""

_READ_BYTES = 4 * 1024 * 1024
_ROWS_AT_ONCE = 1000


class SharedJournal:
    """A folder that is the journal of many processes; `abulk` and `bulk` take it as `journal`.

    Each process needs its own rows: two that work on one row at the same time both pay for it. What
    a process has done, each other one finds there when it begins its next run.

    Attributes:
        folder: The journal.
        number: Of this process among those with the same `name`, from 0.
    """

    def __init__(self, folder: str | os.PathLike[str], name: str = "") -> None:
        """Make a file in it for this process.

        Args:
            folder: A path or a `file:` URI; it is made if it does not exist. All processes must see
                it, and what one appends to a file there.
            name: Of the files of one job, before their numbers; a random one by default.

        Raises:
            OpenRouterInputError: It is the URI of something else.
            JournalError: It cannot be written to.
        """
        self.folder = folder_of(folder)
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._copy: _Copy | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.number, self._file = _claim(self.folder, name or uuid4().hex)
        except OSError as error:
            raise _unusable(self.folder, error) from error

    def begin(self, runnable: Runnable[Any, Any], workers: int) -> Journal:
        """Begin a run, and read what other processes have done.

        Args:
            runnable: Whose journal it must be.
            workers: How many rows are worked on at once.

        Raises:
            JournalError: It is another chain's, cannot be read, or a run of this process works with
                it.
        """
        if self._process != os.getpid():
            raise JournalError(f"{self.folder}: it was opened before a fork; open it after.")
        if not self._lock.acquire(blocking=False):
            raise JournalError(f"{self.folder}: another run of this process works with it.")
        try:
            if self._copy is None:
                self._copy = _Copy(self.folder, self._file, self._lock, read_chain(runnable))
            self._copy.begin(runnable, workers)
        except BaseException:
            self._forget()
            self._lock.release()
            raise
        return self._copy

    def close(self) -> None:
        """Close the file; it can be called twice."""
        self._file.close()
        self._forget()

    def _forget(self) -> None:
        """Let the next run read everything anew."""
        if self._copy is not None:
            self._copy.shut()
            self._copy = None

    def __enter__(self) -> Self:
        """Use it in a `with` block, which closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """See `close`."""
        self.close()


def _claim(folder: Path, name: str) -> tuple[int, FileIO]:
    """Make a file under the first number that is free; no other process gets the same."""
    number = 0
    while True:
        with suppress(FileExistsError):
            return number, FileIO(folder / f"{name}-{number}{_ENDING}", "xb")
        number += 1


class _Copy(Journal):
    """What all files hold, in a temporary database; it outlives the runs of its process."""

    def __init__(self, folder: Path, file: FileIO, lock: threading.Lock, chain: Chain) -> None:
        super().__init__(None, chain, 0)
        self.is_kept = True
        self._folder, self._file, self._lock, self._chain = folder, file, lock, chain
        self._runnable: Any = None
        self._read: dict[str, int] = {}
        self._own = Path(str(file.name)).name
        self._synced = time.monotonic()

    def begin(self, runnable: Any, workers: int) -> None:
        """Begin the next run."""
        if runnable is not self._runnable:
            check_parts(str(self._folder), self._chain.parts, read_chain(runnable).parts)
            self._runnable = runnable
        try:
            self._import()
        except OSError as error:
            raise _unusable(self._folder, error) from error
        if not self._file.tell():  # the chain is that of all other files
            self._append(_line({"format": _FORMAT, "parts": self._chain.parts}))
        self.was_empty = not self._count()
        self.run = self._begin(workers)

    @override
    def write(self, records: list[Record], seen: list[tuple[int, int, str]]) -> None:
        """Append rows to the file, and to the copy."""
        if records:
            self._append(b"".join(_line_of(record) for record in records))
        super().write(records, seen)

    def _append(self, lines: bytes) -> None:
        start = self._file.tell()
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._file.fileno(), rest) :]
        except OSError as error:
            self._file.seek(start)  # half a line would spoil the next one
            self._file.truncate()
            raise _unusable(self._folder, error) from error
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self._sync()  # if it fails, the lines stay, and the next run reads them
        self._read[self._own] = self._file.tell()

    def _sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unusable(self._folder, error) from error
        self._synced = time.monotonic()

    @override
    def close(self) -> None:
        """End a run; what it has done survives the death of the machine now."""
        try:
            self._sync()
        finally:
            self._lock.release()

    def shut(self) -> None:
        """Close the database."""
        self._database.close()

    # --- What others have done ---

    def _import(self) -> None:
        for path in sorted(self._folder.glob(f"*{_ENDING}")):
            if path.stat().st_size > self._read.get(path.name, 0):
                self._import_file(path)

    def _import_file(self, path: Path) -> None:
        records = self._records_of(path)
        while some := [*itertools.islice(records, _ROWS_AT_ONCE)]:
            with self._database.writing():
                self._database.execute_many(IMPORT, some)

    def _records_of(self, path: Path) -> Iterator[Record]:
        """Read the lines that are new and whole: the last one may still be being written."""
        with path.open("rb") as file:
            file.seek(start := self._read.get(path.name, 0))
            rest = b""
            while piece := file.read(_READ_BYTES):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if (found := self._record(path, start, line)) is not None:
                        yield found
                    start += len(line) + 1
                    self._read[path.name] = start

    def _record(self, path: Path, start: int, line: bytes) -> Record | None:
        try:
            read = decode(line)
            if start:
                return _record_of(read)
            found = read["format"]
        except (ValueError, TypeError, KeyError) as error:
            raise JournalError(f"{path}, byte {start}: this is no line of a journal.") from error
        if found != _FORMAT:
            raise JournalError(f"{path}: its format is {found}; this version reads {_FORMAT}.")
        check_parts(str(path), read["parts"], self._chain.parts)
        return None


def _unusable(folder: Path, error: OSError) -> JournalError:
    return JournalError(f"{folder}: {error}. Choose a folder that can be written and has room.")


def folder_of(uri: str | os.PathLike[str]) -> Path:
    """Return the folder that a path or a `file:` URI names.

    Raises:
        OpenRouterInputError: It is the URI of something else.
    """
    text = os.fspath(uri)
    if "://" not in text:
        return Path(text)
    parts = urlsplit(text)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise OpenRouterInputError(
            f"journal={text!r}: a journal is a folder, because each row is appended to a file as "
            "soon as it is done, which object stores cannot do. Mount a shared folder (NFS, EFS, "
            "Lustre, Filestore) on all machines, and pass its path."
        )
    return Path(unquote(parts.path))


def _line(value: Any) -> bytes:
    return encode(value) + b"\n"


def _line_of(record: Record) -> bytes:
    """Write a row; its number and its run are those of one process and stay there."""
    texts = (record.value, record.unknown, record.usage, record.ids)
    return _line(
        [
            record.key,
            record.state,
            record.input.hex() if record.input is not None else None,
            *(text.decode() if text is not None else None for text in texts),
            record.cost,
            record.attempts,
            record.seconds,
        ]
    )


def _record_of(columns: list[Any]) -> Record:
    key, state, given, value, unknown, usage, ids, cost, attempts, seconds = columns
    return Record(
        key=key,
        number=0,
        run=0,
        state=state,
        input=None if given is None else bytes.fromhex(given),
        value=_bytes(value),
        cost=cost,
        unknown=_bytes(unknown),
        usage=_bytes(usage),
        ids=_bytes(ids),
        attempts=attempts,
        seconds=seconds,
    )


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
