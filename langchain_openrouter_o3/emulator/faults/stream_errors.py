"""Errors in the middle of a stream, in the four shapes that have been recorded of OpenRouter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from langchain_openrouter_o3.emulator.errors import USER_ID
from langchain_openrouter_o3.emulator.fault import Fault
from langchain_openrouter_o3.emulator.faults.checks import check_count, check_one_of
from langchain_openrouter_o3.emulator.faults.errors import ErrorObject
from langchain_openrouter_o3.emulator.faults.payloads import DONE, RealAnswer, event, is_stream
from langchain_openrouter_o3.emulator.faults.place import Place
from langchain_openrouter_o3.emulator.json_value import JsonObject, encode
from langchain_openrouter_o3.emulator.steps import End, Step, Write

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = Literal["with-usage", "alone", "in-choice-and-top", "no-choices"]


@dataclass(frozen=True)
class ErrorInStream(Fault):
    """An error event after some of the real ones."""

    shape: Shape
    place: Place
    error: ErrorObject

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Send the beginning of the answer and then the error."""
        payload = self._payload(RealAnswer.read(answer))
        if not is_stream(answer):
            head, _ = Place("after-events", 0).split(answer)
            return [*head, Write(encode(payload)), End()]
        before, _ = self.place.split(answer)
        done = [Write(DONE + b"\n\n")] if self.shape == "with-usage" else []
        return [*before, Write(event(payload)), *done, End()]

    def _payload(self, real: RealAnswer) -> JsonObject:
        error = self.error.to_json()
        if self.shape == "alone":
            return {"error": error, "user_id": USER_ID}
        if self.shape == "no-choices":
            return {**real.head, "choices": [], "error": error}
        choice: JsonObject = {
            "index": 0,
            "delta": {"content": "", "role": "assistant"},
            "finish_reason": None,
            "native_finish_reason": None,
        }
        if self.shape == "with-usage":
            return {**real.head, "error": error, "choices": [choice], "usage": real.usage}
        choice |= {"finish_reason": "error", "error": error}
        return {**real.head, "choices": [choice], "error": error}


def error_in_stream(  # noqa: PLR0913 - what an error consists of, by name
    shape: Shape = "no-choices",
    *,
    events: int = 1,
    code: int = 502,
    message: str | None = None,
    error_type: str | None = "provider_unavailable",
    retry_after: float | str | None = None,
) -> Fault:
    """An error in the stream; a request without a stream gets the same object as its body.

    Args:
        shape: with-usage (in the last chunk, beside the usage, then [DONE]), alone (nothing but
            the error and a user id), in-choice-and-top, or no-choices (an empty list of them).
            Only the first is followed by [DONE].
        events: Events with content before the error; 0 makes it the first event.
        code: The error's code.
        message: The error's text.
        error_type: OpenRouter's canonical type.
        retry_after: `error.availability.retry_after`: seconds, or any text.

    Raises:
        ValueError: An argument makes no sense.
    """
    check_one_of("shape", shape, Shape)
    check_count("code", code, 0)
    error = ErrorObject(code, message, error_type, retry_after)
    return ErrorInStream(shape, Place("after-events", events), error)
