"""A long conversation with tool calls and results, as messages and as the wire has it."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.checks import expect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

_QUESTION = "Look up order {n} and tell me when it arrives, please. " * 3
_THOUGHT = "I will look up order {n} for you. " * 2
_RESULT = json.dumps({"status": "sent", "lines": [{"item": "wool", "count": 3}] * 12})
_ANSWER = "Order {n} has been sent and arrives on Thursday. It holds twelve lines of wool. " * 3


def wire_history(turns: int, padding: int = 0) -> list[dict[str, Any]]:
    """Return four messages a turn, as they go out.

    Args:
        turns: How often somebody asks.
        padding: Characters that make each tool result longer.
    """
    messages: list[dict[str, Any]] = []
    for n in range(turns):
        arguments = json.dumps({"order": n, "details": True})
        function = {"name": "look_up", "arguments": arguments}
        call = {"id": f"call_{n:06d}", "type": "function", "function": function}
        messages += [
            {"role": "user", "content": _QUESTION.format(n=n)},
            {"role": "assistant", "content": _THOUGHT.format(n=n), "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": _RESULT + "x" * padding},
            {"role": "assistant", "content": _ANSWER.format(n=n)},
        ]
    return messages


def langchain_history(turns: int, padding: int = 0) -> Sequence[BaseMessage]:
    """Return the same as LangChain's messages."""
    from langchain_core.messages import (
        AIMessage,
        HumanMessage,
        ToolMessage,
    )

    messages: list[BaseMessage] = []
    for n in range(turns):
        call = {"id": f"call_{n:06d}", "name": "look_up", "args": {"order": n, "details": True}}
        messages += [
            HumanMessage(_QUESTION.format(n=n)),
            AIMessage(_THOUGHT.format(n=n), tool_calls=[call]),
            ToolMessage(_RESULT + "x" * padding, tool_call_id=f"call_{n:06d}"),
            AIMessage(_ANSWER.format(n=n)),
        ]
    return messages


def check_received(origin: str, wire: list[dict[str, Any]]) -> None:
    """Check that the server's last request held the whole conversation.

    Raises:
        WrongAnswerError: Something is missing or altered.
    """
    received = json.loads(get(origin, "/-/last"))["messages"]
    expect("history", _essence(received), _essence(wire))


def get(origin: str, path: str) -> bytes:
    """Ask the server about itself."""
    connection = http.client.HTTPConnection(urlsplit(origin).netloc, timeout=10)
    connection.request("GET", path)
    body = connection.getresponse().read()
    connection.close()
    return body


def _essence(messages: list[dict[str, Any]]) -> list[Any]:
    """Reduce messages to what must not differ; an absent text and a null one mean the same."""
    return [
        (
            message["role"],
            message.get("content") or "",
            message.get("tool_call_id"),
            [
                (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
                for call in message.get("tool_calls") or ()
            ],
        )
        for message in messages
    ]
