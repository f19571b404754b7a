"""What a chain is, part by part, so that a journal can tell one that has changed, and where.

Names of parts are paths: `steps[1].max_tokens`. What cannot change an answer (time limits, retries,
callbacks) is left out, and so is the key.
"""

from __future__ import annotations

import dis
import hashlib
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import partial
from typing import Any, cast, get_args

from langchain_core.runnables import Runnable
from pydantic import BaseModel, PydanticUserError, SecretStr
from pydantic.v1 import BaseModel as BaseModelV1

from langchain_openrouter_o3._arguments.fields import ModelFields
from langchain_openrouter_o3._json import encode
from langchain_openrouter_o3.bulk.values import name_of

_DEPTH = 16
_SHOWN = 60
_IRRELEVANT = frozenset(
    {
        "api_key",
        "base_url",
        "cache",
        "callbacks",
        "config",
        "config_factories",
        "custom_get_token_ids",
        "custom_input_type",
        "custom_output_type",
        "default_headers",
        "disable_streaming",
        "http_async_client",
        "http_client",
        "idle_timeout",
        "ls_structured_output_format",
        "max_retries",
        "metadata",
        "profile",
        "rate_gate",
        "rate_limiter",
        "streaming",
        "tags",
        "timeout",
        "total_timeout",
        "trace",
        "verbose",
    }
)
_LIBRARIES = ("langchain", "langchain_core", "langgraph", "langchain_openrouter_o3", "pydantic")
_HELD = ("func", "afunc", "bound", "runnable", "default", "branches")
_FUNCTIONS = (types.FunctionType, types.MethodType)


@dataclass
class Chain:
    """A chain as a journal knows it.

    Attributes:
        parts: What it consists of, by path.
        classes: Those that its values may have, by name.
    """

    parts: dict[str, str] = field(default_factory=dict[str, str])
    classes: dict[str, type] = field(default_factory=dict[str, type])


def read_chain(runnable: Runnable[Any, Any]) -> Chain:
    """Look at every part of a runnable."""
    chain = Chain()
    _Walker(chain).walk("", runnable, 0)
    return chain


def objects_of(runnable: Runnable[Any, Any]) -> list[Any]:
    """Return every object in a runnable that is seen, also within functions."""
    walker = _Walker(Chain())
    walker.walk("", runnable, 0)
    return [*walker.seen.values()]


def differences(
    before: Mapping[str, str], now: Mapping[str, str], *, file: str = "journal"
) -> list[str]:
    """Name the parts that differ, and how; those that say most come first."""
    return [
        f"{path or 'chain'}: {before.get(path, 'nothing')} in the {file}, "
        f"{now.get(path, 'nothing')} now"
        for path in sorted(before.keys() | now.keys(), key=lambda path: (path.count("."), path))
        if before.get(path) != now.get(path)
    ]


class _Walker:
    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.seen: dict[int, Any] = {}  # kept alive, so that no id is used twice

    def walk(self, path: str, value: Any, depth: int) -> None:
        if isinstance(value, SecretStr) or depth > _DEPTH:
            return
        if value is None or isinstance(value, (str, int, float, Enum, bytes)):
            self._note(path, value)
        elif isinstance(value, type) or get_args(value):
            self._type(path, value)
        elif isinstance(value, Mapping):
            self._mapping(path, value, depth)
        elif isinstance(value, (list, tuple, set, frozenset)):
            self._list(path, value, depth)
        elif id(value) not in self.seen:
            self.seen[id(value)] = value
            self._object(path, value, depth)

    def _mapping(self, path: str, value: Any, depth: int) -> None:
        for key, item in value.items():
            # Of a schema every property counts, of bound arguments not.
            if not path.endswith("kwargs") or key not in _IRRELEVANT:
                self.walk(f"{path}.{key}" if path else str(key), item, depth + 1)

    def _list(self, path: str, value: Any, depth: int) -> None:
        # A set has another order in each process.
        for number, item in enumerate(value if _is_ordered(value) else sorted(value, key=repr)):
            self.walk(f"{path}[{number}]", item, depth + 1)

    def _note(self, path: str, value: Any) -> None:
        text = repr(value)
        if len(text) > _SHOWN:
            text = f"{text[:_SHOWN]}… ({_digest(text.encode('utf-8', 'surrogatepass'))})"
        self._chain.parts[path] = text

    def _object(self, path: str, value: Any, depth: int) -> None:
        if isinstance(value, types.BuiltinFunctionType):
            self._chain.parts[path] = f"{value.__module__}.{value.__qualname__}"
            return
        if isinstance(value, _FUNCTIONS):
            self._function(path, value, depth)
            return
        self._chain.parts[path] = type(value).__qualname__
        state = _state(value)
        # A bound model is the model with arguments: what it is bound to has no step of its own.
        for name, item in state.items():
            if name not in _IRRELEVANT and item is not None:
                inner = path if name == "bound" else f"{path}.{name}" if path else name
                self.walk(inner, item, depth + 1)

    def _type(self, path: str, cls: Any) -> None:
        self._chain.parts[path] = _describe_type(cls)
        self._collect(cls, 0)

    def _collect(self, cls: Any, depth: int) -> None:
        """Remember a class and those of its fields."""
        for argument in get_args(cls):
            self._collect(argument, depth + 1)
        # In Python 3.10 `list[int]` is a type, too.
        if get_args(cls) or not isinstance(cls, type) or depth > _DEPTH:
            return
        if name_of(cls) in self._chain.classes:
            return
        self._chain.classes[name_of(cls)] = cls
        for annotation in _annotations(cls):
            self._collect(annotation, depth + 1)

    def _function(self, path: str, function: Any, depth: int) -> None:
        if (bound_to := getattr(function, "__self__", None)) is not None:
            self.walk(f"{path}.self", bound_to, depth + 1)
        function = inspect.unwrap(getattr(function, "__func__", function))
        name = f"{function.__module__}.{function.__qualname__}"
        library = str(function.__module__).partition(".")[0] in _LIBRARIES
        self._chain.parts[path] = name if library else f"{name} ({_digest(_source(function))})"
        if not library:
            self._constants(path, function, depth)
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            try:
                held = cell.cell_contents
            except ValueError:
                continue  # not set yet
            self.walk(f"{path}.{name}", held, depth + 1)

    def _constants(self, path: str, function: Any, depth: int) -> None:
        """Note defaults, and the data of its module that a function names.

        Of the latter only digests are kept: a key may be among them.
        """
        for parameter in inspect.signature(function).parameters.values():
            if parameter.default is not parameter.empty:
                self.walk(f"{path}.{parameter.name}", parameter.default, depth + 1)
        for name in sorted(_named_globals(function.__code__)):
            value = function.__globals__.get(name)
            if _is_constant(value):
                digest = _digest(repr(value).encode("utf-8", "surrogatepass"))
                self._chain.parts[f"{path}.{name}"] = f"{type(value).__qualname__} ({digest})"


def _named_globals(code: types.CodeType) -> set[str]:
    """Return the globals that a function reads; what it sets itself is no constant."""
    steps = [step for each in _codes(code) for step in dis.get_instructions(each)]
    read, written = (
        {str(step.argval) for step in steps if step.opname == name}
        for name in ("LOAD_GLOBAL", "STORE_GLOBAL")
    )
    return {name for name in read - written if not name.startswith("__")}


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Give the code of a function and of those within it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _codes(each)


def _is_constant(value: Any) -> bool:
    """Whether a value is data that cannot change; what can may be a tally, not a part."""
    if isinstance(value, tuple):
        return all(map(_is_constant, cast("Iterable[Any]", value)))
    return isinstance(value, (str, int, float, bytes, Enum))


def _state(value: Any) -> dict[str, Any]:
    """Return what an object consists of, as far as it is data, runnables or tools."""
    if _is_runnable(value):
        steps = getattr(value, "steps", None) or getattr(value, "steps__", None)
        if steps is not None:
            return {"steps": steps}
        nodes = getattr(value, "nodes", None)
        if isinstance(nodes, Mapping):  # a graph of LangGraph
            bound = {name: getattr(node, "bound", None) for name, node in _items(nodes)}
            return {"nodes": bound}
    return _fields(value)


def _fields(value: Any) -> dict[str, Any]:
    if isinstance(value, ModelFields):
        value.check_assigned()  # the next call would bring what was assigned into another form
    if isinstance(value, BaseModel):
        known = type(value).__pydantic_fields__
        return {name: item for name, item in value.__dict__.items() if name in known}
    if isinstance(value, BaseModelV1):
        return dict(value.__dict__)
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, partial):
        return {"func": value.func, "args": value.args, "keywords": value.keywords}
    if _is_runnable(value):
        return {name: getattr(value, name, None) for name in _HELD}
    return {}


def _is_runnable(value: Any) -> bool:
    return isinstance(value, Runnable)


def _is_ordered(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _items(mapping: Any) -> list[tuple[Any, Any]]:
    return [*mapping.items()]


def _describe_type(cls: Any) -> str:
    name = getattr(cls, "__qualname__", str(cls))
    # Asked in this order: to Python 3.10 `list[int]` is a type, of which nothing is a subclass.
    if not hasattr(cls, "model_json_schema") or not isinstance(cls, type):
        return name
    model: Any = cls
    try:
        described = model.model_json_schema()
    except PydanticUserError:  # a field has no JSON schema; its types tell the class, too
        kinds = {field: each.annotation for field, each in model.__pydantic_fields__.items()}
        described = {field: inspect.formatannotation(kind) for field, kind in kinds.items()}
    return f"{name} ({_digest(encode(described))})"


def _annotations(cls: type[Any]) -> list[Any]:
    if issubclass(cls, BaseModel):
        return [each.annotation for each in cls.__pydantic_fields__.values()]
    if issubclass(cls, BaseModelV1):
        return [each.outer_type_ for each in cls.__fields__.values()]
    described: Any = cls
    return [each.type for each in fields(described)] if is_dataclass(described) else []


def _source(function: Any) -> bytes:
    code: types.CodeType = function.__code__
    # All that is executed from a text is called so, and from Python 3.13 on the text of `python -c`
    # would be taken for its source.
    if code.co_filename != "<string>":
        with suppress(OSError, TypeError):  # typed into a shell
            return inspect.getsource(function).encode()
    return b"".join(map(_compiled, _codes(code)))


def _compiled(code: types.CodeType) -> bytes:
    """Write code down; that within it has a place of its own, and sets an order of their own."""
    constants = [
        sorted(map(repr, cast("Iterable[Any]", each))) if isinstance(each, frozenset) else each
        for each in code.co_consts
        if not isinstance(each, types.CodeType)
    ]
    return code.co_code + repr((code.co_names, constants)).encode("utf-8", "surrogatepass")


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=6).hexdigest()
