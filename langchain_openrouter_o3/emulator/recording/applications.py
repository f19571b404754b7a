"""A proxy to OpenRouter that writes each exchange down, and a server that answers from them."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import ssl
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timezone
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

import httpx
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from langchain_openrouter_o3.emulator.json_value import encode
from langchain_openrouter_o3.emulator.recording.exchange import (
    Data,
    Exchange,
    Piece,
    RecordedRequest,
    RecordedResponse,
    RecordingFolder,
    changes,
    described,
    nearest,
    parsed,
    request_key,
    spelled,
)
from langchain_openrouter_o3.emulator.recording.scrubbing import (
    Scrubber,
    credentials_of,
    looks_like_key,
)
from langchain_openrouter_o3.emulator.wire.request_log import REQUEST, ReceivedRequest
from langchain_openrouter_o3.emulator.wire.responses import ApiError
from langchain_openrouter_o3.emulator.wire.sending import (
    HANG_UP,
    End,
    HangUp,
    Head,
    Step,
    Wait,
    Write,
    perform,
)

OPENROUTER = "https://openrouter.ai/api/v1"
LOGGER = logging.getLogger("langchain_openrouter_o3.emulator")

_PREFIX = "/api/v1"
_CONNECT_SECONDS = 30.0
# What belongs to one connection and not to the exchange (RFC 9110 section 7.6.1), or is said anew.
_CONNECTION_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "date",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_DECODED = frozenset({"", "identity", "gzip", "deflate"})


def recorded_request(scope: Scope) -> tuple[RecordedRequest, Scrubber]:
    """Return a request as it is written down, and what keeps its credentials out."""
    received: ReceivedRequest = scope[REQUEST]
    secrets = [*credentials_of(received.headers), os.environ.get("OPENROUTER_API_KEY", "")]
    scrubber = Scrubber(tuple(secrets))
    query = scope["query_string"].decode("latin-1")
    path = f"{received.path}?{query}" if query else received.path
    raw = scrubber.raw(received.raw)
    value = parsed(raw)
    request = RecordedRequest(
        method=received.method,
        path=scrubber.text(path),
        headers=scrubber.request_headers(received.headers),
        body=value,
        data=Data(**spelled(raw)) if raw and value is None else None,
    )
    return request, scrubber


async def send_error(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with an error of the emulator's own, which no client should try again."""
    headers = {"x-should-retry": "false"}
    scope[REQUEST].outcome = f"refused with {error.status}: {error.provider_message}"
    response = Response(encode(error.body()), error.status, headers, "application/json")
    await response(scope, receive, send)


class Recorder:
    """The ASGI application that passes requests on and writes the exchanges down."""

    def __init__(
        self,
        folder: RecordingFolder,
        *,
        upstream: str,
        clock: Callable[[], float],
        replaces: bool = True,
    ) -> None:
        """Read the folder.

        Args:
            folder: Where the files are.
            upstream: The base URL to pass requests on to.
            clock: Counts the seconds between the pieces of an answer.
            replaces: Whether a request that was recorded before is recorded anew in its file,
                the first repetition in the second of its files, and so on. Otherwise each
                exchange gets a file of its own.

        Raises:
            ValueError: A file in the folder is not a recording, or `upstream` is not a URL.
        """
        url = urlsplit(upstream)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f"upstream is a base URL such as {OPENROUTER}")
        self._folder = folder
        self._upstream = upstream.rstrip("/")
        self._clock = clock
        self._replaces = replaces
        self._known: dict[str, Exchange] = dict(folder.load())
        self._keys = {name: request_key(known.request) for name, known in self._known.items()}
        self._names = [*self._known]
        self._asked: Counter[bytes] = Counter()

    def rewind(self) -> None:
        """Count anew how often each request was asked."""
        self._asked.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        request, scrubber = recorded_request(scope)
        name = self._name_for(request)
        try:
            response = await self._answered(scope, send, scrubber)
        except ApiError as error:
            LOGGER.warning("not recorded: %s", error)
            await send_error(error, scope, receive, send)
            return
        except asyncio.CancelledError:
            LOGGER.warning("%s was not recorded: the client left before its end", name)
            raise
        # Written before the client sees the end: who has the answer finds the file.
        self._keep(name, request, response)
        scope[REQUEST].outcome = f"answered by the upstream with {response.status}"
        await send(HANG_UP if response.cut else {"type": "http.response.body", "body": b""})

    async def _answered(self, scope: Scope, send: Send, scrubber: Scrubber) -> RecordedResponse:
        started = self._clock()
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(_client())
            request = _upstream_request(client, self._upstream, scope)
            try:
                answer = await client.send(request, stream=True)
            except httpx.HTTPError as error:
                raise ApiError(502, self._unreachable(error), names_user=False) from error
            stack.push_async_callback(answer.aclose)
            _check_encoding(answer.headers.get("content-encoding", ""))
            return await self._passed_on(answer, started, send, scrubber)

    async def _passed_on(
        self, answer: httpx.Response, started: float, send: Send, scrubber: Scrubber
    ) -> RecordedResponse:
        """Give the client each piece as it comes, and return what was given."""
        times, pieces, is_cut = [started, self._clock()], list[bytes](), False
        await send(_head(answer))
        try:
            async for data in answer.aiter_bytes():
                times.append(self._clock())
                pieces.append(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
        except httpx.HTTPError:
            is_cut = True
        waits = [after - before for before, after in pairwise(times)]
        return RecordedResponse(
            status=answer.status_code,
            headers=scrubber.response_headers(answer.headers),
            seconds=round(waits[0], 6),
            cut=is_cut,
            body=_scrubbed(pieces, waits[1:], scrubber),
        )

    def _name_for(self, request: RecordedRequest) -> str:
        """Return the name of the file for a request, in the order of arrival."""
        key = request_key(request)
        files = sorted(name for name, known in self._keys.items() if known == key)
        place = self._asked[key]
        self._asked[key] += 1
        if self._replaces and place < len(files):
            return files[place]
        name = self._folder.new_name(self._names, request)
        self._names.append(name)
        return name

    def _keep(self, name: str, request: RecordedRequest, response: RecordedResponse) -> None:
        now = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
        exchange = Exchange(recorded=now, request=request, response=response)
        self._folder.save(name, exchange)
        before = self._known.get(name)
        if before is not None:
            changed = changes(before.response, response)
            level = logging.WARNING if changed else logging.INFO
            LOGGER.log(level, "%s was recorded anew: %s", name, described(changed) or "no change")
        elif LOGGER.isEnabledFor(logging.INFO):
            found = nearest(self._known, request)
            LOGGER.info("%s is new%s", name, f"; nearest is {found}" if found else "")
        self._known[name], self._keys[name] = exchange, request_key(request)

    def _unreachable(self, error: httpx.HTTPError) -> str:
        host = urlsplit(self._upstream).netloc.rpartition("@")[2]
        return f"The recorder got no answer from {host}: {type(error).__name__}"


@lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _client() -> httpx.AsyncClient:
    """Return a client that follows no redirects and waits as long as its own client does."""
    # Reading the certificates takes longer than a whole exchange on this machine, so it is shared.
    timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
    return httpx.AsyncClient(verify=_tls_context(), timeout=timeout)


def _upstream_request(client: httpx.AsyncClient, upstream: str, scope: Scope) -> httpx.Request:
    received: ReceivedRequest = scope[REQUEST]
    if not received.path.startswith(_PREFIX + "/"):
        raise ApiError(404, f"The recorder serves paths below {_PREFIX}/", names_user=False)
    headers = {
        name: value for name, value in received.headers.items() if name not in _CONNECTION_HEADERS
    }
    # Compressed bodies could be neither read nor searched for keys.
    headers |= {"accept-encoding": "identity"} | _authorization(received.headers)
    query = scope["query_string"].decode("latin-1")
    url = httpx.URL(upstream + received.path.removeprefix(_PREFIX)).copy_with(
        query=query.encode() if query else None
    )
    return client.build_request(received.method, url, headers=headers, content=received.raw)


def _authorization(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's key, or the environment's if the caller has only a placeholder."""
    given = headers.get("authorization", "")
    own = os.environ.get("OPENROUTER_API_KEY", "")
    if own and not looks_like_key(given.partition(" ")[2]):
        return {"authorization": f"Bearer {own}"}
    return {"authorization": given} if given else {}


def _check_encoding(encoding: str) -> None:
    if encoding.lower() not in _DECODED:
        raise ApiError(
            502,
            f"The upstream compressed its answer with {encoding!r} although it was asked not to; "
            "what cannot be read cannot be searched for keys, so it is not recorded",
            names_user=False,
        )


def _head(answer: httpx.Response) -> Message:
    headers = [
        (name.lower(), value)
        for name, value in answer.headers.raw
        if name.lower().decode("latin-1") not in _CONNECTION_HEADERS
    ]
    return {"type": "http.response.start", "status": answer.status_code, "headers": headers}


def _scrubbed(
    pieces: Sequence[bytes], waits: Sequence[float], scrubber: Scrubber
) -> tuple[Piece, ...]:
    """Scrub a body as a whole, because a key may be cut in two, and cut it in the same places."""
    raw = scrubber.raw(b"".join(pieces))
    ends = [0, *accumulate(len(piece) for piece in pieces)]
    cuts = zip(pairwise(ends), waits, strict=True)
    return tuple(Piece.of(raw[start:end], round(wait, 6)) for (start, end), wait in cuts)


# --- Which of the two it is, and replaying, byte for byte, with a scale of the timing ---


Miss = Literal["fail", "record"]


def recording_application(  # noqa: PLR0913 - each is a documented setting of the emulator
    *,
    record: str | Path | None,
    replay: str | Path | None,
    timing: float,
    miss: Miss,
    repeat_last: bool,
    upstream: str | None,
    clock: Callable[[], float],
) -> Recorder | Replayer | None:
    """Return what answers instead of the rules, if anything does.

    Raises:
        ValueError: A setting has no meaning, or one that needs another stands alone.
        FileNotFoundError: There is nothing to replay.
    """
    _check(record, replay, timing, miss, repeat_last=repeat_last)
    if upstream is not None and record is None and miss != "record":
        raise ValueError('upstream is asked only with record, or with replay and miss="record"')
    upstream = OPENROUTER if upstream is None else upstream
    if record is not None:
        return Recorder(RecordingFolder(Path(record)), upstream=upstream, clock=clock)
    if replay is None:
        return None
    folder = RecordingFolder(Path(replay))
    if miss == "record":
        recorder = Recorder(folder, upstream=upstream, clock=clock, replaces=False)
        return Replayer(folder, timing=timing, repeat_last=repeat_last, recorder=recorder)
    if not folder.load():
        raise FileNotFoundError(f"replay: there is no recording in {replay}; make some with record")
    return Replayer(folder, timing=timing, repeat_last=repeat_last, recorder=None)


class Replayer:
    """The ASGI application that answers from recordings.

    Each recording is used once, in the order of the files. What only labels a request is ignored
    when it is compared with them, as is the order of keys and of the query's pairs.
    """

    def __init__(
        self,
        folder: RecordingFolder,
        *,
        timing: float,
        repeat_last: bool,
        recorder: Recorder | None,
    ) -> None:
        """Read the folder.

        Args:
            folder: Where the files are.
            timing: What the seconds between two pieces are multiplied with.
            repeat_last: Whether the last recording of a request answers all further ones.
            recorder: What answers a request without a recording; None refuses it.

        Raises:
            ValueError: A file in the folder is not a recording.
        """
        self._folder = folder
        self._timing = timing
        self._repeat_last = repeat_last
        self._recorder = recorder
        self.rewind()

    def rewind(self) -> None:
        """Begin again with the first recording of each request."""
        self._recordings = dict(self._folder.load())
        self._left: dict[bytes, deque[Exchange]] = {}
        for exchange in self._recordings.values():
            self._left.setdefault(request_key(exchange.request), deque()).append(exchange)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request, _ = recorded_request(scope)
        exchange = self._take(request_key(request))
        if exchange is not None:
            scope[REQUEST].outcome = f"answered by a recording with {exchange.response.status}"
            await perform(_steps(exchange.response, self._timing), send)
        elif self._recorder is not None:
            await self._recorder(scope, receive, send)
        else:
            # Half a surrogate pair of a body could not be written.
            message = self._missing(request).encode("utf-8", "backslashreplace").decode()
            LOGGER.warning(message)
            await send_error(ApiError(404, message, names_user=False), scope, receive, send)

    def _take(self, key: bytes) -> Exchange | None:
        left = self._left.get(key)
        if not left:
            return None
        return left[0] if self._repeat_last and len(left) == 1 else left.popleft()

    def _missing(self, request: RecordedRequest) -> str:
        asked = f"{request.method} {request.path}"
        if request_key(request) in self._left:
            return (
                f"Every recording of this {asked} has been used; record one more, or let "
                "repeat_last give the last one again"
            )
        return f"No recording of {asked}; nearest is {nearest(self._recordings, request)}"


def _check(
    record: str | Path | None,
    replay: str | Path | None,
    timing: float,
    miss: str,
    *,
    repeat_last: bool,
) -> None:
    if record is not None and replay is not None:
        raise ValueError(
            'record and replay exclude each other; to do both, replay with miss="record"'
        )
    if miss not in get_args(Miss):
        raise ValueError(f"miss is one of {', '.join(get_args(Miss))}, not {miss!r}")
    if not (math.isfinite(timing) and timing >= 0):
        raise ValueError(
            f"timing is a factor of at least 0 (0: no waits, 1: as recorded), not {timing}"
        )
    if replay is None and (timing or repeat_last or miss != "fail"):
        raise ValueError("timing, miss and repeat_last say how to replay, so they need replay")


def _steps(response: RecordedResponse, timing: float) -> list[Step]:
    steps: list[Step] = [
        Wait(response.seconds * timing),
        Head(response.status, tuple(response.headers.items())),
    ]
    for piece in response.body:
        steps += [Wait(piece.seconds * timing), Write(piece.raw)]
    return [*steps, HangUp() if response.cut else End()]
