"""LangChain's cache in a journal: whatever path a call takes, it is paid once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

from langchain_core.caches import BaseCache
from langchain_core.outputs import Generation
from typing_extensions import override

from langchain_openrouter_o3._json import decode, is_array, is_object
from langchain_openrouter_o3.bulk import values
from langchain_openrouter_o3.bulk.database import close_database, open_database

_NOT_SENT = ("id", "response_metadata", "usage_metadata")


class JournalCache(BaseCache):
    """Keeps the answers of calls in a file, which may be the journal of a run.

    Give it to a model (`cache=`) or to all (`set_llm_cache`). Agents, LangGraph and `abatch` then
    start again without paying for what was answered: at most the calls in flight are lost.
    Streaming is not cached by LangChain.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a file, or make it.

        Args:
            path: Of the file.

        Raises:
            JournalError: It cannot be opened, or another process works with it.
        """
        self._database = open_database(path)
        self._is_open = True

    @override
    def lookup(self, prompt: str, llm_string: str) -> Sequence[Generation] | None:
        """Return the answer of the same call, if it is there."""
        with self._database.lock:
            found = self._database.execute(
                "SELECT value FROM answers WHERE key = ?", (_key(prompt, llm_string),)
            ).fetchone()
        return None if found is None else values.load(found[0], {})

    @override
    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Keep an answer; it is in the file when this returns."""
        row = (_key(prompt, llm_string), values.dump([*return_val]))
        with self._database.writing():
            self._database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", row)

    @override
    def clear(self, **kwargs: Any) -> None:
        """Forget all answers; the rows of runs stay."""
        with self._database.writing():
            self._database.execute("DELETE FROM answers")

    # The file is local and fast: a thread for each call would cost more than it saves.

    @override
    async def alookup(self, prompt: str, llm_string: str) -> Sequence[Generation] | None:
        """See `lookup`."""
        return self.lookup(prompt, llm_string)

    @override
    async def aupdate(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """See `update`."""
        self.update(prompt, llm_string, return_val)

    @override
    async def aclear(self, **kwargs: Any) -> None:
        """See `clear`."""
        self.clear(**kwargs)

    def close(self) -> None:
        """Give the file back; it can be called twice."""
        if self._is_open:
            self._is_open = False
            close_database(self._database)


def _key(prompt: str, llm_string: str) -> bytes:
    digest = hashlib.blake2b(_what_is_sent(prompt), digest_size=20)
    digest.update(b"\0" + llm_string.encode("utf-8", "surrogatepass"))
    return digest.digest()


def _what_is_sent(prompt: str) -> bytes:
    """Leave out what differs between equal conversations.

    Ids are new in each run, and langchain-core marks the tokens of a message from a cache: an agent
    that starts again would miss the answer to its second call.
    """
    written = prompt.encode("utf-8", "surrogatepass")
    try:
        messages = decode(written)
    except ValueError:  # the prompt of a model without messages is a text
        messages = None
    if not is_array(messages):
        return written
    for message in messages:
        if is_object(message) and is_object(fields := message.get("kwargs")):
            for name in _NOT_SENT:
                fields.pop(name, None)
    return json.dumps(messages).encode()
