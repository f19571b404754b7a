"""Drivers: run the flow of `exchange` and have its steps performed, blocking or on a loop."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from langchain_openrouter_o3._http.steps import Deliver

if TYPE_CHECKING:
    from collections.abc import Generator

    from typing_extensions import Self

    from langchain_openrouter_o3._http.steps import IOStep, Request, Step, StepResult

T = TypeVar("T")


class Performer(Protocol):
    """Performs steps with blocking I/O."""

    def perform(self, step: IOStep) -> StepResult:
        """Do what the step says; transport errors are returned, not raised."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class AsyncPerformer(Protocol):
    """Performs steps on the running event loop."""

    async def perform(self, step: IOStep) -> StepResult:
        """Do what the step says; transport errors are returned, not raised."""
        ...

    async def close(self) -> None:
        """Give the connection back."""
        ...


class RequestDeferred(BaseException):
    """A substitute has taken a request and has no answer yet: the chain stops at its call.

    It is no `Exception`, so that no fallback or retry of a chain takes it for a failure.

    Attributes:
        generations: None. langchain-core reads it of what is no `Exception`.
        llm_output: The same.
    """

    def __init__(self) -> None:
        """Say what has happened, for tracers."""
        super().__init__("The request was collected and is not answered yet.")
        self.generations: list[Any] = []
        self.llm_output: dict[str, Any] | None = None


class TransportOverride(Protocol):
    """Stands in for the network: makes what performs the steps of each call in a context."""

    def performer(self, request: Request) -> Performer:
        """Return what performs one blocking call."""
        ...

    def async_performer(self, request: Request) -> AsyncPerformer:
        """Return what performs one call on the running event loop."""
        ...


TRANSPORT_OVERRIDE: ContextVar[TransportOverride | None] = ContextVar(
    "openrouter_transport", default=None
)
"""Set by who collects requests or gives answers; there are no retries and no gate then."""


class SyncDriver(Generic[T]):
    """Drives a flow with blocking I/O; iterating gives what each piece of the body brought.

    Close it at the end, and also when it has raised: that gives the connection back.
    """

    def __init__(self, flow: Generator[Step[T], StepResult, None], performer: Performer) -> None:
        """Take what `exchange` returned and what performs its steps."""
        self._flow = flow
        self._performer = performer

    def __iter__(self) -> Self:
        """Iterate over the lists of what the flow delivers."""
        return self

    def __next__(self) -> list[T]:
        """Perform steps up to the next delivery.

        Raises:
            OpenRouterError: As `exchange`.
        """
        step = next(self._flow)
        while not isinstance(step, Deliver):
            step = self._flow.send(self._performer.perform(step))
        return step.items

    def close(self) -> None:
        """End the flow and give the connection back."""
        self._flow.close()
        self._performer.close()


class AsyncDriver(Generic[T]):
    """The same on the running event loop.

    No generator: a loop that ends closes all asynchronous generators at once, and one that is
    being closed by another would be closed twice at the same time.
    """

    def __init__(
        self, flow: Generator[Step[T], StepResult, None], performer: AsyncPerformer
    ) -> None:
        self._flow = flow
        self._performer = performer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[T]:
        try:
            step = next(self._flow)
            while not isinstance(step, Deliver):
                step = self._flow.send(await self._performer.perform(step))
        except StopIteration:
            raise StopAsyncIteration from None
        return step.items

    async def aclose(self) -> None:
        self._flow.close()
        await self._performer.close()
