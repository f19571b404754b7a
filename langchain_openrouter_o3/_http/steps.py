"""Steps: what the flow of a request asks for, and what it is told. Plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_openrouter_o3._http.request_headers import RequestHeaders
    from langchain_openrouter_o3.errors import OpenRouterError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Request:
    """What goes out; `body` is encoded once and used by every attempt.

    Attributes:
        url: Where to.
        headers: In an object that shows none of their values.
        body: JSON.
        model: The slug that is asked, for the log.
    """

    __slots__ = ("body", "headers", "model", "url")

    def __init__(self, url: str, headers: RequestHeaders, body: bytes, model: str = "") -> None:
        self.url = url
        self.headers = headers
        self.body = body
        self.model = model

    def __repr__(self) -> str:
        """Leave out the headers, which hold the key, and the body."""
        return f"Request({self.url!r})"


class Reply(NamedTuple):
    """The head of a response, header names in lower case."""

    status: int
    headers: Mapping[str, str]


class TransportFailure(NamedTuple):
    """What went wrong below HTTP; `unsent` when the request certainly never left."""

    error: OpenRouterError
    unsent: bool = False


class Send(NamedTuple):
    """Step: send the request. Answered by a `Reply` or a `TransportFailure`.

    Attributes:
        request: What to send.
        limit: Seconds that it may take; None for the request's own time-outs alone.
    """

    request: Request
    limit: float | None = None


class Receive(NamedTuple):
    """Step: read on. Answered by bytes, empty at the end of the body, or a `TransportFailure`.

    Attributes:
        limit: As in `Send`.
    """

    limit: float | None = None


class Sleep(NamedTuple):
    """Step: give the connection back and wait before another attempt.

    Attributes:
        seconds: To wait.
        attempt: Number of the attempt that failed, from 1.
        error: How it failed.
    """

    seconds: float
    attempt: int
    error: OpenRouterError


class Pause(NamedTuple):
    """Step: wait before a request may be sent; nothing has failed.

    Attributes:
        seconds: To wait.
    """

    seconds: float


class Deliver(Generic[T_co]):
    """Step: hand these to the caller."""

    def __init__(self, items: list[T_co]) -> None:
        """Take them in their order."""
        self.items = items


StepResult = Reply | bytes | TransportFailure | None
IOStep = Send | Receive | Sleep | Pause
Step = IOStep | Deliver[T]
