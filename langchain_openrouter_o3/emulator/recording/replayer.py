"""Answers from recordings, byte for byte, with the original timing, a scale of it, or none."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from starlette.types import Receive, Scope, Send

from langchain_openrouter_o3.emulator.errors import ApiError
from langchain_openrouter_o3.emulator.fault import End, HangUp, Head, Step, Wait, Write, perform
from langchain_openrouter_o3.emulator.recording.differences import nearest, request_key
from langchain_openrouter_o3.emulator.recording.exchange import (
    Exchange,
    RecordedRequest,
    RecordedResponse,
    RecordingFolder,
)
from langchain_openrouter_o3.emulator.recording.recorder import (
    LOGGER,
    OPENROUTER,
    Recorder,
    recorded_request,
    refuse,
)

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
            await perform(_steps(exchange.response, self._timing), send)
        elif self._recorder is not None:
            await self._recorder(scope, receive, send)
        else:
            # Half a surrogate pair of a body could not be written.
            message = self._missing(request).encode("utf-8", "backslashreplace").decode()
            LOGGER.warning(message)
            await refuse(ApiError(404, message, names_user=False), scope, receive, send)

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
