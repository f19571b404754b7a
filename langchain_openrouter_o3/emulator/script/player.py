"""Playing a script: which step answers a request, what becomes of it, and what is left over."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3.emulator.conversation import ScriptError
from langchain_openrouter_o3.emulator.json_value import Json, compact
from langchain_openrouter_o3.emulator.script import NATIVE_REASONS, as_reply
from langchain_openrouter_o3.emulator.wire.chat_request import ToolCall
from langchain_openrouter_o3.emulator.wire.completion import (
    Answer,
    call_id,
    complete,
    scripted_reasoning,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_openrouter_o3.emulator.json_value import JsonObject
    from langchain_openrouter_o3.emulator.script import Reply, ScriptedCall, ScriptItem
    from langchain_openrouter_o3.emulator.wire.chat_request import ChatRequest, Function
    from langchain_openrouter_o3.emulator.wire.completion import Completion
    from langchain_openrouter_o3.emulator.wire.request_log import ReceivedRequest


class ImpossibleStepError(ValueError):
    """A step that no model could give as an answer to this request."""


class Script:
    """The steps of a script, and how often each was played.

    Steps are played in the emulator's thread, for one request after the other.
    """

    def __init__(self, items: Iterable[ScriptItem]) -> None:
        """Take the steps.

        Raises:
            ValueError: Two answers have one id.
            TypeError: An item is nothing that a script can have.
        """
        self.complaints: list[str] = []
        self._steps: list[Reply] = []
        self._played: list[int] = []
        self._ids: set[str] = set()
        self._minted = 0
        self.add(items)

    def add(self, items: Iterable[ScriptItem]) -> None:
        """Add steps at the end; see the constructor."""
        for reply in map(as_reply, items):
            self._claim(reply)
            self._played.append(0)
            self._steps.append(reply)

    def next_reply(self, request: ReceivedRequest) -> Reply:
        """Return the first step that is left and answers a request, labelled with its place.

        Raises:
            ScriptError: No step does, or a function of the script failed or gave no reply.
        """
        for index, step in enumerate(self._steps):
            is_left = step.times is None or self._played[index] < step.times
            try:
                if not is_left or not step.matches(request):
                    continue
                self._played[index] += 1
                return replace(self._chosen(step, request), label=self._name(index))
            except Exception as error:
                raise ScriptError(f"{self._name(index)} {type(error).__name__}: {error}") from error
        left = [*self._left()]
        raise ScriptError(
            f"no step of the script is left for this request: all {len(self._steps)} were played"
            if not left
            else f"no step of the script answers this request; left are {'; '.join(left)}"
        )

    def check(self) -> list[str]:
        """Return what is wrong with the run so far: complaints, and steps that are left."""
        left = [f"{name} was never asked for" for name in self._left()]
        return [*self.complaints, *left]

    def complete(self, reply: Reply, chat: ChatRequest, *, cached_tokens: int) -> Completion:
        """Make the completion of a step.

        Raises:
            ScriptError: No model could answer this request so.
        """
        try:
            answer = self._answer(reply, chat)
            reasoning = scripted_reasoning(chat, reply.thought, seed=self._seed(chat))
        except ImpossibleStepError as error:
            raise ScriptError(f"{reply.label} {error}") from error
        made = complete(chat, answer, cached_tokens=cached_tokens, reasoning=reasoning)
        if reply.finish_reason is not None:
            native = NATIVE_REASONS.get(reply.finish_reason, "completed")
            made = replace(made, finish_reason=reply.finish_reason, native_finish_reason=native)
        return made if reply.id is None else replace(made, chosen_id=reply.id)

    def _chosen(self, step: Reply, request: ReceivedRequest) -> Reply:
        if step.choose is None:
            return step
        reply = as_reply(step.choose(request), functions=False)
        if reply.when is not None or reply.times != 1:
            raise ValueError("a function answers one request: leave out when= and times=")
        self._claim(reply)
        return reply

    def _claim(self, reply: Reply) -> None:
        for each in reply.ids:
            if each in self._ids:
                raise ValueError(f"two answers have one id, {each!r}; leave it out to mint one")
            self._ids.add(each)

    def _left(self) -> Iterator[str]:
        for index, step in enumerate(self._steps):
            if step.times is not None and self._played[index] < step.times:
                often = "" if step.times == 1 else f" ({self._played[index]} of {step.times} times)"
                yield self._name(index) + often

    def _name(self, index: int) -> str:
        return f"step {index + 1} of {len(self._steps)}, {self._steps[index].label},"

    def _seed(self, chat: ChatRequest) -> str:
        """Return a seed that no other answer has, the same in every run."""
        self._minted += 1
        prompt = "\0".join(chat.prompt).encode("utf-8", "replace")
        return f"{hashlib.sha256(prompt).hexdigest()}\0{self._minted}"

    def _answer(self, reply: Reply, chat: ChatRequest) -> Answer:
        if reply.thought is not None and chat.reasoning is None:
            raise ImpossibleStepError(f"{chat.slug} does not reason")
        if reply.object is not None:
            return self._object(reply.object.name, reply.object.value, chat)
        if reply.refusal is not None:
            is_bound = chat.schema is not None
            return Answer(refusal=reply.refusal) if is_bound else Answer(text=reply.refusal)
        if chat.tool_choice.forces and not reply.calls:
            raise ImpossibleStepError("the request demands a call, and this is none")
        return Answer(text=reply.text, tool_calls=self._calls(reply.calls, chat))

    def _object(self, name: str, value: Json, chat: ChatRequest) -> Answer:
        function = _function_for(name, chat)
        if function is not None:
            _check_fit(value, function.parameters, f"the parameters of {function.name!r}")
            seed = self._seed(chat)
            return Answer(tool_calls=(ToolCall(call_id(seed), function.name, compact(value)),))
        if chat.schema is not None:
            _check_fit(value, chat.schema, "the schema of the request")
        return Answer(text=compact(value))

    def _calls(self, calls: tuple[ScriptedCall, ...], chat: ChatRequest) -> tuple[ToolCall, ...]:
        if not calls:
            return ()
        _check_permitted(calls, chat)
        seed = self._seed(chat)
        return tuple(
            ToolCall(each.id or call_id(f"{seed}\0{number}"), each.name, compact(each.arguments))
            for number, each in enumerate(calls)
        )


def _check_permitted(calls: tuple[ScriptedCall, ...], chat: ChatRequest) -> None:
    offered = {function.name: function for function in chat.functions}
    for each in calls:
        if each.name not in offered:
            names = ", ".join(offered) or "none"
            raise ImpossibleStepError(f"the request offers no tool {each.name!r}, but {names}")
        if offered[each.name].strict:
            where = f"the strict parameters of {each.name!r}"
            _check_fit(each.arguments, offered[each.name].parameters, where)
    if chat.tool_choice.mode == "none":
        raise ImpossibleStepError("the request forbids calls (tool_choice is none)")
    if chat.tool_choice.name not in {None, *(each.name for each in calls)}:
        raise ImpossibleStepError(f"the request demands a call of {chat.tool_choice.name!r}")
    if len(calls) > 1 and not chat.parallel_tool_calls:
        raise ImpossibleStepError("the request forbids parallel calls")


def _function_for(name: str, chat: ChatRequest) -> Function | None:
    """Return the function that stands for an object's class; none if it is to be text."""
    wanted = chat.tool_choice.name or name
    named = [each for each in chat.functions if each.name == wanted]
    if chat.tool_choice.mode == "required" and len(chat.functions) == 1:
        named = named or [*chat.functions]
    if not named and chat.tool_choice.forces:
        raise ImpossibleStepError(f"the request demands a call, but offers no tool {wanted!r}")
    return named[0] if named and chat.schema is None else None


def _check_fit(value: Json, schema: JsonObject, where: str) -> None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - it is slow to import

    validator: Any = Draft202012Validator(schema)
    fault = next(validator.iter_errors(value), None)
    if fault is not None:
        raise ImpossibleStepError(f"it does not fit {where}: {fault.json_path}: {fault.message}")
