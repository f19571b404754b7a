"""An exchange as JSON for the page: a summary for the list, and everything for the one opened.

No key gets out: of the request's headers only those that are known to be harmless have a value,
and whatever looks like a key, or is this request's, is hidden in the finished text.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from langchain_openrouter_o3.emulator.json_value import compact, object_at, objects_at, text_at
from langchain_openrouter_o3.emulator.page.reading import Answer, BodyReader, Event, read_object

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject
    from langchain_openrouter_o3.emulator.page.exchanges import Exchange
    from langchain_openrouter_o3.emulator.wire.sending import Fault

_HARMLESS = {
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "http-referer",
    "transfer-encoding",
    "user-agent",
    "x-title",
}
_HARMLESS_PREFIXES = ("x-openrouter-", "x-stainless-")
_HIDDEN = "…key hidden…"
_KEY = re.compile(r"\bsk-[\w-]{12,}")
# A shorter one ("any", "test") is no secret, and would hide words.
_LENGTH_OF_A_KEY = 8
_SHORT = 160
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|"')
_OUTPUT = {"reasoning", "text", "tool call", "refusal"}
_ENDINGS = {
    "waiting": "waiting",
    "answering": "answering",
    "closed": "connection closed",
    "reset": "connection reset",
    "left": "client left",
    "failed": "error in the emulator",
}
_ERROR_STATUS = 400


class View:
    """Shows exchanges. What it has read of one is kept as long as the exchange itself is."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._readers: WeakKeyDictionary[Exchange, BodyReader] = WeakKeyDictionary()

    def summary(self, exchange: Exchange) -> str:
        """Return what the list shows, as JSON."""
        return _without_keys(exchange, self._summary(exchange))

    def details(self, exchange: Exchange) -> str:
        """Return everything of an exchange, as JSON."""
        reader = self._reader(exchange)
        shown = self._summary(exchange)
        shown["request"] = _request(exchange)
        shown["response"] = _response(exchange, reader)
        shown["events"] = [_event(each) for each in reader.all_events()]
        shown["answer"] = _answer(reader.answer)
        return _without_keys(exchange, shown)

    def _reader(self, exchange: Exchange) -> BodyReader:
        reader = self._readers.get(exchange)
        if reader is None:
            reader = BodyReader(exchange)
            if exchange.status is not None:
                self._readers[exchange] = reader
        reader.read_on()
        return reader

    def _summary(self, exchange: Exchange) -> dict[str, Any]:
        reader, body = self._reader(exchange), _body(exchange)
        outcome, level = _outcome(exchange, reader)
        return {
            "number": exchange.number,
            "started": exchange.started,
            "method": exchange.request.method,
            "path": exchange.request.path + (exchange.query and f"?{exchange.query}"),
            "model": text_at(body, "model"),
            "stream": body.get("stream") is True,
            "prompt": _shortened(_prompt(body)),
            "reply": _shortened(_reply(reader.answer)),
            "status": exchange.status,
            "state": exchange.state,
            "outcome": outcome,
            "level": level,
            "fault": fault_label(exchange.request.fault),
            "sent": exchange.sent,
            "usage": _usage(reader.answer),
            **_times(exchange, reader.events),
        }


def fault_label(fault: Fault | None) -> str:
    """Return a fault with its simple settings; empty without one."""
    if fault is None:
        return ""
    settings = ", ".join(f"{name} {value}" for name, value in _settings(fault))
    name = _words(type(fault).__name__)
    return f"{name} ({settings})" if settings else name


def indented(text: str) -> str:
    """Return JSON with a line for each value, every number and text as it was written."""
    out: list[str] = []
    depth, before = 0, ""
    for word in _WORD.findall(text):
        closes = word in ("}", "]")
        depth -= closes
        if before in ("{", "[", ",") if not closes else before not in ("{", "["):
            out.append("\n" + "  " * depth)
        depth += word in ("{", "[")
        out += [word, " "] if word == ":" else [word]
        before = word
    return "".join(out)


def _without_keys(exchange: Exchange, shown: dict[str, Any]) -> str:
    text = _KEY.sub(_HIDDEN, json.dumps(shown, ensure_ascii=False, separators=(",", ":")))
    key = exchange.request.headers.get("authorization", "").partition(" ")[2].strip()
    if len(key) >= _LENGTH_OF_A_KEY:
        text = text.replace(json.dumps(key, ensure_ascii=False)[1:-1], _HIDDEN)
    return text


def _body(exchange: Exchange) -> JsonObject:
    return exchange.request.body or {}


def _shortened(text: str) -> str:
    line = " ".join(text[: 4 * _SHORT].split())
    return line if len(line) <= _SHORT else line[: _SHORT - 1] + "…"


def _prompt(body: JsonObject) -> str:
    messages = objects_at(body, "messages")
    if not messages:
        return ""
    role, text = text_at(messages[-1], "role"), _text_of(messages[-1])
    return text if role == "user" else f"{role}: {text}"


def _reply(answer: Answer) -> str:
    calls = [f"{call['name']}({call['arguments']})" for call in answer.tool_calls.values()]
    return answer.text or answer.refusal or ", ".join(calls) or answer.error


def _outcome(exchange: Exchange, reader: BodyReader) -> tuple[str, str]:
    """Return how an exchange ended, in words, and whether that is good, bad or still open."""
    answer = reader.answer
    if exchange.state in ("waiting", "answering"):
        return _ENDINGS[exchange.state], "open"
    if exchange.state != "complete":
        seconds = exchange.port_closed
        closed = "" if seconds is None else f", port closed for {seconds:g} s"
        return _ENDINGS[exchange.state] + closed, "bad"
    if (exchange.status or 0) >= _ERROR_STATUS or answer.error:
        return answer.error or "no error in the body", "bad"
    if reader.damage:
        return reader.damage, "bad"
    if reader.is_stream and not reader.has_ended and exchange.sent == _kept_bytes(exchange):
        return "ended without [DONE]", "bad"
    return "refusal" if answer.refusal else answer.finish_reason or "complete", "good"


def _times(exchange: Exchange, events: list[Event]) -> dict[str, float | None]:
    """Return times in milliseconds since the request; None for what has not happened."""
    first = next((event.at for event in events if event.kind in _OUTPUT), None)
    return {
        "first_byte": _milliseconds(exchange.pieces[0][0]) if exchange.pieces else None,
        "first_token": None if first is None else _milliseconds(first),
        "last": _milliseconds(exchange.changed) if exchange.status or exchange.is_over else None,
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _usage(answer: Answer) -> dict[str, Json]:
    """Return the figures that people ask for; those that the usage lacks are absent."""
    usage = answer.usage
    details = object_at(usage, "completion_tokens_details")
    cached = object_at(usage, "prompt_tokens_details")
    figures: dict[str, Json] = {
        "prompt": usage.get("prompt_tokens"),
        "cached": cached.get("cached_tokens"),
        "completion": usage.get("completion_tokens"),
        "reasoning": details.get("reasoning_tokens"),
        "cost": usage.get("cost"),
    }
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}


def _request(exchange: Exchange) -> dict[str, Any]:
    text = exchange.request.raw.decode("utf-8", "replace")
    headers = exchange.request.headers.items()
    body = read_object(text)
    shown = text if body is None else indented(text)
    body = body or {}
    leaves_out = {"messages", "tools", "model"}
    return {
        "headers": [[name, _shown(name, value)] for name, value in headers],
        "text": shown,
        "messages": [_message(each) for each in objects_at(body, "messages")],
        "tools": [_tool(each) for each in objects_at(body, "tools")],
        "parameters": [
            [name, compact(value)] for name, value in body.items() if name not in leaves_out
        ],
    }


def _shown(name: str, value: str) -> str | None:
    is_harmless = name in _HARMLESS or name.startswith(_HARMLESS_PREFIXES)
    return value if is_harmless else None


def _message(message: JsonObject) -> dict[str, Any]:
    return {
        "role": text_at(message, "role"),
        "text": _text_of(message),
        "reasoning": text_at(message, "reasoning"),
        "calls": [_call(each) for each in objects_at(message, "tool_calls")],
        "call_id": text_at(message, "tool_call_id"),
    }


def _call(call: JsonObject) -> dict[str, str]:
    function = object_at(call, "function")
    name, arguments = text_at(function, "name"), text_at(function, "arguments")
    return {"id": text_at(call, "id"), "name": name, "arguments": arguments}


def _tool(tool: JsonObject) -> str:
    return text_at(object_at(tool, "function"), "name") or text_at(tool, "type")


def _text_of(message: JsonObject) -> str:
    """Return the content as text; a part that is no text is shown by its type."""
    parts = [
        text_at(part, "text") or f"[{text_at(part, 'type')}]"
        for part in objects_at(message, "content")
    ]
    return text_at(message, "content") or "\n".join(parts)


def _response(exchange: Exchange, reader: BodyReader) -> dict[str, Any]:
    is_json = not reader.is_stream and read_object(reader.text) is not None
    return {
        "headers": [[name, value] for name, value in exchange.headers],
        "text": indented(reader.text) if is_json else reader.text,
        "stream": reader.is_stream,
        "damage": reader.damage,
        "kept": _kept_bytes(exchange),
    }


def _kept_bytes(exchange: Exchange) -> int:
    return sum(len(data) for _, data in exchange.pieces)


def _event(event: Event) -> dict[str, Any]:
    return {**asdict(event), "at": _milliseconds(event.at)}


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.id,
        "provider": answer.provider,
        "reasoning": answer.reasoning,
        "encrypted": answer.encrypted,
        "text": answer.text,
        "refusal": answer.refusal,
        "calls": [*answer.tool_calls.values()],
        "annotations": answer.annotations,
        "finish_reason": answer.finish_reason,
        "error": answer.error,
    }


def _settings(value: Any) -> list[tuple[str, str]]:
    """Return the plain settings of a fault, those of its parts too; no bodies, no headers."""
    settings: list[tuple[str, str]] = []
    for each in fields(value) if is_dataclass(value) else ():
        settings += _setting(each.name, getattr(value, each.name))
    return settings


def _setting(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, bool | int | float | str):
        return [(name, _shortened(str(value)))]
    parts: tuple[Any, ...] = value
    if isinstance(value, tuple):
        return [each for part in parts if is_dataclass(part) for each in _part(part)]
    return _settings(value)


def _part(part: Any) -> list[tuple[str, str]]:
    return [("then", _words(type(part).__name__)), *_settings(part)]


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
