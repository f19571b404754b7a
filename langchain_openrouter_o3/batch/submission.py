"""What a job has to do with the server: submit batches, find lost ones, fetch results.

Nothing is sent twice by itself. What was sent and not answered is looked for among the recent
batches, and the one that carries the job's id is adopted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from langchain_openrouter_o3._http.steps import TransportFailure
from langchain_openrouter_o3._json import is_object, is_text
from langchain_openrouter_o3.batch import requests, responses
from langchain_openrouter_o3.batch.client import Answer, BatchClient, wait_after_refusal
from langchain_openrouter_o3.batch.errors import BatchLostError, BatchUnpaidError
from langchain_openrouter_o3.batch.ledger import Batch, Ledger
from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterMalformedResponseError

LOOKS: Sequence[float] = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each look for a batch whose submission was not answered, or for answers that are
counted and not told: the list and the results may lag."""

GRACE: float = 15.0
"""Seconds after a submission in which its batch may come to be listed, and is not lost."""

_CLOCKS_DIFFER = 86_400.0
"""Seconds by which the clocks of server and client may differ: a clock that is set to the time of
another zone must not hide a batch that is paid."""

_UNPAID, _UNKNOWN, _TOO_EARLY, _GONE, _NO_LIST = 402, 404, 409, 410, (404, 405)
_CANNOT_BE = (400, 404, 422)  # perhaps the model cannot be batched today
_PAYS_FULL = "bulk() asks for the same rows without a batch, at the full price."

logger = logging.getLogger("langchain_openrouter_o3")


class Sender:
    """Submits batches: each once, as far as it is in anybody's power."""

    def __init__(self, ledger: Ledger, client: BatchClient) -> None:
        """Take the open file of a job, and what asks its server."""
        self._ledger = ledger
        self._client = client
        self._finder = Finder(ledger, client)
        facts = ledger.facts()
        self._job = facts["id"]
        self._callback_url = facts.get("callback_url") or None

    async def send(self, batch: Batch) -> None:
        """Submit a batch; only what is certainly not stored is sent again."""
        attempt, model = 0, batch.model
        while True:
            attempt += 1
            sent = time.time()
            self._ledger.update(batch.number, state="sending", sent=sent, model=model)
            answer = await self._submit(batch, model)
            remote = _stored(answer)
            # A name that another batch has does not say where this one is.
            if remote is not None and remote.id not in self._ledger.known_ids():
                self._finder.adopt(batch, remote)
                return
            error = self._client.error_of(answer)
            if not _is_not_stored(answer):
                await self._look(batch._replace(sent=sent), error)
                return
            self._ledger.update(batch.number, state="planned")
            if model == batch.model and _wants_other_form(answer):
                model = requests.other_form(model)
                continue
            wait = wait_after_refusal(attempt, error)
            if wait is None:
                raise _with_advice(error, batch)
            await asyncio.sleep(wait)

    async def _submit(self, batch: Batch, model: str) -> Answer | TransportFailure:
        head = requests.head_of(model, batch.provider, self._callback_url)
        size = len(head) + batch.size - 1 + len(requests.TAIL)  # no comma before the first request
        return await self._client.submit(requests.in_pieces(head, self._lines(batch)), size)

    def _lines(self, batch: Batch) -> Iterator[bytes]:
        """Read the requests of a batch, and note when the last one goes.

        Before its end nothing is stored, and 200 MB can take longer than the time of grace.
        """
        yield from self._ledger.lines(self._job, batch)
        self._ledger.update(batch.number, sent=time.time())

    async def _look(self, batch: Batch, error: OpenRouterError) -> None:
        """Look for a batch whose submission was not answered."""
        for seconds in LOOKS:
            await asyncio.sleep(seconds)
            if await self._finder.find(batch):
                return
        raise _lost(batch) from error

    async def find_earlier(self, batch: Batch) -> None:
        """Look for a batch that an earlier run has submitted; send it again if it is not there."""
        while not await self._finder.find(batch):
            if _is_overdue(batch):
                self._ledger.update(batch.number, state="planned")
                return
            await asyncio.sleep(min(GRACE, 1.0))


def _is_overdue(batch: Batch) -> bool:
    return time.time() > (batch.sent or 0) + GRACE


def _stored(answer: Answer | TransportFailure) -> responses.Remote | None:
    """Read the batch that an answer to a submission tells of."""
    if isinstance(answer, TransportFailure) or not answer.is_good:
        return None
    try:
        return responses.read_batch(answer.payload)
    except OpenRouterMalformedResponseError:
        return None  # it may be stored all the same, and is looked for


def _is_not_stored(answer: Answer | TransportFailure) -> bool:
    if isinstance(answer, TransportFailure):
        return answer.unsent
    return answer.status in responses.NOT_STORED


def _wants_other_form(answer: Answer | TransportFailure) -> bool:
    return not isinstance(answer, TransportFailure) and requests.asks_for_other_form(
        answer.status, answer.payload
    )


def _with_advice(error: OpenRouterError, batch: Batch) -> OpenRouterError:
    advice = f"Nothing of batch {batch.number} ({batch.total:,} requests) was stored."
    instead = f" {_PAYS_FULL}" if error.status_code in _CANNOT_BE else ""
    error.args = (f"{error} {advice}{instead}",)
    return error


def _lost(batch: Batch) -> BatchLostError:
    return BatchLostError(
        f"The answer to the submission of batch {batch.number} ({batch.total:,} requests) was "
        "lost, and no batch of this size carries the job's id. It was not sent again. Call "
        "submit_batch again with the same store=: it looks again, and sends what is not there."
    )


def _cannot_be_found(batch: Batch) -> BatchLostError:
    return BatchLostError(
        f"The answer to the submission of batch {batch.number} ({batch.total:,} requests) was "
        "lost, and this server does not list batches, so that nobody can tell whether it is there. "
        "It was not sent again. resubmit(lost=True) does so, and it may be paid twice.",
        status_code=_UNKNOWN,
    )


def _withheld(count: int) -> str:
    answers = "1 answer" if count == 1 else f"{count:,} answers"
    return (
        f"OpenRouter counts {answers} of it that it does not tell, so that what is sent again may "
        "be paid twice"
    )


def _unknown(batch: Batch) -> BatchLostError:
    return BatchLostError(
        f"OpenRouter does not know batch {batch.number} ({batch.id}). Check that the key is that "
        "of the account which has submitted it. If somebody has deleted it, resubmit(lost=True) "
        "sends its requests again, and they are paid twice.",
        status_code=_UNKNOWN,
    )


class Finder:
    """Finds batches whose submission was not answered, by the ids that they carry."""

    def __init__(self, ledger: Ledger, client: BatchClient) -> None:
        """Take the open file of a job, and what asks its server."""
        self._ledger = ledger
        self._client = client
        self._job = ledger.facts()["id"]

    def adopt(self, batch: Batch, remote: responses.Remote) -> None:
        """Note which of OpenRouter's batches it is."""
        told = {"id": remote.id, "created": remote.created_at, **_told_of(remote)}
        self._ledger.update(batch.number, state="sent", **told)

    async def find(self, batch: Batch) -> bool:
        """Look for a batch, and adopt the one that carries its requests.

        Returns:
            Whether it was found, or may be one that is still under way: its requests are told
            with its results.

        Raises:
            BatchLostError: This server does not list batches.
        """
        try:
            return await self._find(batch)
        except OpenRouterError as error:
            if error.status_code in _NO_LIST:
                raise _cannot_be_found(batch) from error
            raise

    async def _find(self, batch: Batch) -> bool:
        known, may_be = self._ledger.known_ids(), False
        async with aclosing(self._client.batches((batch.sent or 0) - _CLOCKS_DIFFER)) as remotes:
            async for remote in remotes:
                if remote.id in known or remote.total not in (batch.total, 0):
                    continue
                names = await self._first_names(remote)
                if names is None:
                    may_be = True
                elif any(self._ledger.holds(batch, self._call(name)) for name in names):
                    self.adopt(batch, remote)
                    return True
                elif names and not any(map(self._call, names)):
                    self._ledger.note_stranger(remote.id)
        return may_be

    async def _first_names(self, remote: responses.Remote) -> list[str] | None:
        """Return the names of the first results: [] if they are gone, None if they are to come.

        Answers that are counted are to come, also if there is nothing to be seen of them yet.
        """
        if not remote.is_over:
            return None
        try:
            results = await self._client.first_results(remote.id)
        except OpenRouterError as error:
            if error.status_code in (_UNPAID, _TOO_EARLY):
                return None
            if error.status_code in (_UNKNOWN, _GONE):  # deleted since it was listed
                return []
            raise
        names = [each["custom_id"] for each in results if _has_name(each)]
        return names or (None if remote.completed else [])

    def _call(self, name: str) -> tuple[int, int] | None:
        return requests.read_custom_id(self._job, name)


def _has_name(result: Any) -> bool:
    return is_object(result) and is_text(result.get("custom_id"))


def _told_of(remote: responses.Remote) -> dict[str, Any]:
    """Return what OpenRouter tells of a batch, by the names of columns."""
    return {
        "status": remote.status,
        "completed": remote.completed,
        "failed": remote.failed,
        "expires": remote.expires_at,
        "cost": None if remote.cost is None else str(remote.cost),
        "error": remote.error,
    }


class Reader:
    """Asks for batches, and fetches their results."""

    def __init__(self, ledger: Ledger, client: BatchClient) -> None:
        """Take the open file of a job, and what asks its server."""
        self._ledger = ledger
        self._client = client

    async def poll(self) -> None:
        """Ask for all batches at once, and for those that are not on the list one by one."""
        finder = Finder(self._ledger, self._client)
        for batch in self._ledger.batches("sending"):
            # One that another thread is submitting now is not lost.
            if self._ledger.is_submitting or await finder.find(batch):
                continue
            if _is_overdue(batch):
                raise _lost(batch)
        open_batches = self._ledger.batches("sent")
        listed = await self._listed(open_batches)
        told: dict[int, dict[str, Any]] = {}
        for batch in open_batches:
            remote = listed.get(str(batch.id)) or await self._look_up(batch)
            if remote is not None:
                told[batch.number] = _told_of(remote)
        self._ledger.update_all(told)

    async def _listed(self, batches: list[Batch]) -> dict[str, responses.Remote]:
        wanted, found = {str(batch.id) for batch in batches}, dict[str, responses.Remote]()
        if not wanted:
            return found
        since = min(batch.created or (batch.sent or 0) - _CLOCKS_DIFFER for batch in batches)
        try:
            async with aclosing(self._client.batches(since - 2)) as remotes:
                async for remote in remotes:
                    found[remote.id] = remote
                    if wanted <= found.keys():
                        break
        except OpenRouterMalformedResponseError:
            pass  # another's batch may be odd; ours are looked up
        except OpenRouterError as error:
            if error.status_code not in _NO_LIST:
                raise
        return found

    async def _look_up(self, batch: Batch) -> responses.Remote | None:
        try:
            return await self._client.batch(str(batch.id))
        except OpenRouterError as error:
            self._end(batch, error)
            return None

    async def fetch(self) -> None:
        """Fetch the results of all batches that are over."""
        for batch in self._ledger.batches("sent"):
            if batch.status in responses.TERMINAL:
                await self._fetch(batch)

    async def _fetch(self, batch: Batch) -> None:
        withheld = 0
        try:
            for seconds in LOOKS:
                await asyncio.sleep(seconds)
                await self._keep_results(batch)
                withheld = self._ledger.count_withheld(batch)
                if not withheld:
                    break
        except OpenRouterError as error:
            self._end(batch, error)
            return
        said = [batch.error, _withheld(withheld) if withheld else None]
        self._ledger.close_batch(batch, str(batch.status), ". ".join(filter(None, said)))

    async def _keep_results(self, batch: Batch) -> None:
        job = self._ledger.facts()["id"]
        async for results in self._client.results(str(batch.id)):
            if foreign := self._ledger.keep(job, batch, results):
                logger.warning("Batch %s has results of others: %s", batch.id, foreign[:3])

    async def give_up_lost(self) -> None:
        """Close the batches that OpenRouter does not know, after a last look for each."""
        finder = Finder(self._ledger, self._client)
        for batch in self._ledger.batches("sending"):
            if not await _is_there(finder.find(batch)):
                self._ledger.close_batch(batch, "lost")
        for batch in self._ledger.batches("sent"):
            if not await _is_there(self._is_known(batch)):
                self._ledger.close_batch(batch, "lost")

    async def _is_known(self, batch: Batch) -> bool:
        await self._look_up(batch)
        return True

    def _end(self, batch: Batch, error: OpenRouterError) -> None:
        """Take in that a batch is gone or not quite done; raise what else its endpoint says."""
        if error.status_code == _TOO_EARLY:
            return  # its results are to come
        if error.status_code == _GONE:
            self._ledger.close_batch(batch, "gone")
            return
        if error.status_code == _UNKNOWN:
            raise _unknown(batch) from error
        if error.status_code == _UNPAID:
            raise BatchUnpaidError(
                f"Batch {batch.number} ({batch.id}) is ready, and OpenRouter holds its results "
                "back: add credits at https://openrouter.ai/settings/credits, and come back. "
                "Nothing is lost.",
                status_code=_UNPAID,
                body=error.body,
            ) from error
        raise error


async def _is_there(look: Awaitable[bool]) -> bool:
    try:
        return await look
    except BatchLostError:
        return False
