"""One caller's model: it carries out a call and keeps what it heard."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from langchain_openrouter_o3 import ChatOpenRouterO3
from tests.conftest import KEY
from tests.soak.plan import Call, Shape

Ended = Literal["answer", "error", "closed", "cancelled"]

PATIENT = 120.0
"""Seconds. With hundreds of callers in one process an event loop may not come round in time for
the 10 seconds that connecting may take by default."""


class Note(BaseModel):
    """A note."""

    note: str


def save_note(note: str) -> None:
    """Keep a note."""


_TOOL = convert_to_openai_tool(save_note)
"""Converted once: thousands of callers bind it."""


@dataclass
class Heard:
    """What came of a call.

    Attributes:
        ended: How it ended.
        text: The content so far, as the caller got it.
        arguments: The arguments of tool calls so far.
        messages: How many messages or chunks came.
        lasts: How many of them said that they are the last; of whole messages, all.
        ids: The generation ids that they told.
        usage: Whether one of them had token counts.
        calls: The parsed arguments of the tool calls of a whole message.
        object: The parsed object.
        error: What was raised.
    """

    ended: Ended = "answer"
    text: str = ""
    arguments: str = ""
    messages: int = 0
    lasts: int = 0
    ids: set[str | None] = field(default_factory=set)
    usage: bool = False
    calls: list[dict[str, Any]] = field(default_factory=list)
    object: Any = None
    error: BaseException | None = None

    def take(self, received: Any) -> None:
        """Take what `invoke` returned, or the next chunk."""
        message = received
        if isinstance(received, dict):  # of structured output
            message, self.object = received["raw"], received["parsed"]
        assert isinstance(message, AIMessage)
        self.messages += 1
        self.text += message.text
        if (identity := message.response_metadata.get("id")) is not None:
            self.ids.add(identity)
        self.usage = self.usage or message.usage_metadata is not None
        if isinstance(message, AIMessageChunk):
            self.arguments += "".join(each["args"] or "" for each in message.tool_call_chunks)
            self.lasts += message.chunk_position == "last"
        else:
            self.arguments = raw_arguments(message)
            self.calls = [each["args"] for each in message.tool_calls]
            self.lasts += 1

    def fail(self, error: BaseException) -> None:
        """Take what was raised."""
        self.ended = "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
        self.error = error


class Asker:
    """A caller with a model of its own; all share the connections."""

    def __init__(self, base_url: str) -> None:
        """Build the model."""
        # Each call is judged alone: behind the gate it would wait for what others have met.
        self.model = ChatOpenRouterO3(
            base_url=base_url, api_key=KEY, timeout=PATIENT, rate_gate=False
        )
        self._runnables: dict[Shape, Any] = {"text": self.model}

    def ask(self, call: Call) -> Heard:
        """Carry out a call of a thread."""
        heard = Heard()
        runnable, options = self._runnable(call.shape), _options(call)
        try:
            if not call.stream:
                heard.take(runnable.invoke(call.prompt, **options))
                return heard
            with closing(runnable.stream(call.prompt, **options)) as chunks:
                for chunk in chunks:
                    heard.take(chunk)
                    if _is_enough(call, heard):
                        break
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is judged
            heard.fail(error)
        return heard

    async def aask(self, call: Call, heard: Heard) -> None:
        """Carry out a call of a task, which may be cancelled."""
        runnable, options = self._runnable(call.shape), _options(call)
        try:
            if not call.stream:
                heard.take(await runnable.ainvoke(call.prompt, **options))
                return
            async with aclosing(runnable.astream(call.prompt, **options)) as chunks:
                async for chunk in chunks:
                    heard.take(chunk)
                    if _is_enough(call, heard):
                        break
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is judged
            heard.fail(error)

    def _runnable(self, shape: Shape) -> Any:
        if shape not in self._runnables:
            self._runnables[shape] = (
                self.model.bind_tools([_TOOL])
                if shape == "tool"
                else self.model.with_structured_output(Note, include_raw=True)
            )
        return self._runnables[shape]


async def cancel_after(task: asyncio.Task[None], seconds: float, *, twice: bool) -> None:
    """Cancel a task at some moment, and maybe again while it is clearing up; wait for its end."""
    await asyncio.wait({task}, timeout=seconds)
    task.cancel()
    if twice:
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.wait({task})


def raw_arguments(message: AIMessage) -> str:
    """Return the arguments of a message's tool calls as the model wrote them."""
    return "".join(message.additional_kwargs.get("tool_call_arguments", {}).values())


def _options(call: Call) -> dict[str, Any]:
    return {"max_retries": call.max_retries, **call.limits}


def _is_enough(call: Call, heard: Heard) -> bool:
    if call.ending == "close" and heard.messages >= call.moment:
        heard.ended = "closed"
    return heard.ended == "closed"
