"""The rows that go in: read one by one, each with its number, its key and a digest."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sized,
)
from typing import Any, NamedTuple
from uuid import UUID

from langchain_openrouter_o3.bulk import values
from langchain_openrouter_o3.bulk.errors import DuplicateKeyError, StorageError
from langchain_openrouter_o3.errors import OpenRouterInputError

_END = object()
Key = str | Callable[[Any], Any] | None


class Item(NamedTuple):
    """One row before it is worked on.

    Attributes:
        number: In the input, from 1.
        key: As text.
        input: For the chain, which may change it.
        digest: Of the input as it was read; None if nobody needs it, or it is no data.
    """

    number: int
    key: str
    input: Any
    digest: bytes | None = None


class Source:
    """Reads rows; several workers may ask at once.

    Attributes:
        total: How many there are; None if the input does not tell.
        has_keys: Whether keys come from the rows, so that two may be the same.
    """

    def __init__(self, rows: Any, key: Key) -> None:
        """Read nothing yet, but check the keys of a list.

        Args:
            rows: Any iterable.
            key: The name of a row's field, or a function of the row; None for its number.

        Raises:
            OpenRouterInputError: It cannot be iterated over, or a row has no key.
            DuplicateKeyError: Two rows of a list have the same key.
        """
        is_list = _is_a(rows, (list, tuple))
        self.total: int | None = len(rows) if _is_a(rows, Sized) else None
        self.has_keys = key is not None
        self._key = key
        self._number = 0
        self._iterator: Iterator[Any] = iter(())
        self._async_iterator: AsyncIterator[Any] | None = None
        self._lock = asyncio.Lock()
        if _is_a(rows, (str, bytes, Mapping)):
            raise OpenRouterInputError(f"rows: a {type(rows).__name__} is one row; pass a list.")
        if hasattr(rows, "__dataframe__"):  # of pandas, polars, pyarrow: the interchange protocol
            raise OpenRouterInputError(
                f"rows: a {type(rows).__name__} would give its columns; pass its rows: "
                'to_dict("records") of pandas, to_dicts() of polars, to_pylist() of pyarrow.'
            )
        if _is_a(rows, AsyncIterable):
            self._async_iterator = aiter(rows)
        elif _is_a(rows, Iterable):
            if is_list and key is not None:
                self._check_keys(rows)
            self._iterator = iter(rows)
        else:
            raise OpenRouterInputError(f"rows: a {type(rows).__name__} cannot be iterated over.")

    def _check_keys(self, rows: Iterable[Any]) -> None:
        numbers: dict[str, int] = {}
        for number, row in enumerate(rows, start=1):
            key = self._key_of(number, row)
            if key in numbers:
                raise duplicate(key, numbers[key], number)
            numbers[key] = number

    async def next(self) -> Item | None:
        """Return the next row, or None at the end.

        Raises:
            OpenRouterInputError: The row has no key. The iterator may raise anything besides.
        """
        async with self._lock:
            given = await self._next()
        return None if given is _END else self._item(given)

    async def _next(self) -> Any:
        if self._async_iterator is not None:
            return await anext(self._async_iterator, _END)
        return next(self._iterator, _END)

    async def close(self) -> None:
        """End a generator that was not read to its end."""
        if inspect.isasyncgen(self._async_iterator):
            await self._async_iterator.aclose()
        if inspect.isgenerator(self._iterator):
            self._iterator.close()

    def _item(self, given: Any) -> Item:
        self._number += 1
        return Item(self._number, self._key_of(self._number, given), given)

    def _key_of(self, number: int, row: Any) -> str:
        if self._key is None:
            return str(number)
        try:
            key = row[self._key] if isinstance(self._key, str) else self._key(row)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise OpenRouterInputError(
                f"key={self._key!r}: row {number} has none ({type(error).__name__}: {error})."
            ) from error
        if isinstance(key, bool) or not isinstance(key, (str, int, UUID)):
            raise OpenRouterInputError(
                f"key={self._key!r}: the key of row {number} is a {type(key).__name__}; it must be "
                "a text or a whole number."
            )
        text = str(key)
        if not text.isascii() and text.encode("utf-8", "replace").decode() != text:
            raise OpenRouterInputError(
                f"key={self._key!r}: the key of row {number} holds half a surrogate pair."
            )
        return text


def duplicate(key: str, first: int, second: int) -> DuplicateKeyError:
    """Build the error of two rows with one key."""
    return DuplicateKeyError(
        f"key: rows {first} and {second} have the same key {key!r}. Each row needs its own; leave "
        "one out, or choose another key."
    )


def digest(given: Any) -> bytes | None:
    """Return what tells an input that has changed; None for one that is no data."""
    try:
        written = values.dump(given)
    except (StorageError, RecursionError):
        return None
    return hashlib.blake2b(written, digest_size=12).digest()


def _is_a(value: Any, kinds: Any) -> bool:
    return isinstance(value, kinds)
