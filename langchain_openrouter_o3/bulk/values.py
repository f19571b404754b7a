"""Values as JSON and back, so that each comes back as what it was.

An object of a class is written as the name of its class and its state. Reading makes the object of
its state again, without calling anything of the class; the class must be one of data (Pydantic's,
a dataclass, a message, an enumeration, an error). It is found in the chain, or imported by its
name: read only journals that you trust as you trust the modules that they name. Nothing is pickled.
"""

from __future__ import annotations

import base64
import datetime as dt
import importlib
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic.v1 import BaseModel as BaseModelV1

from langchain_openrouter_o3._json import decode, encode, is_array, is_object
from langchain_openrouter_o3.bulk.errors import RecordedError, StorageError

_TAG = "$"
_PLAIN = (str, int, bool, type(None))
_LOCAL: dict[str, type] = {}
"""Classes that were written here and cannot be imported, because a function holds them."""


def dump(value: Any) -> bytes:
    """Write a value as JSON.

    Raises:
        StorageError: It holds something that is not data.
    """
    packed = pack(value)
    try:
        return encode(packed)
    except ValueError:  # half a surrogate pair
        return json.dumps(packed).encode()


def load(text: bytes, classes: Mapping[str, type]) -> Any:
    """Read a value.

    Args:
        text: What `dump` returned.
        classes: Those of the chain, by their names.

    Raises:
        StorageError: A class cannot be found, or is another one now.
    """
    return _Reader(classes).unpack(decode(text))


def plain(text: bytes) -> Any:
    """Read a value for other programs: as JSON without classes, which need not be there."""
    return _plain(decode(text))


def class_name(text: bytes) -> str:
    """Return the name of a written object's class, without its module."""
    return str(decode(text)["c"]).rpartition(":")[2].rpartition(".")[2]


def name_of(cls: type) -> str:
    """Return the name by which a class is found again."""
    return f"{cls.__module__}:{cls.__qualname__}"


def pack(value: Any) -> Any:
    """Return a value as what JSON can hold."""
    kind = _class_of(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return [pack(item) for item in value]
    if kind is dict:
        return _pack_dict(value)
    packer = _PACKERS.get(kind)
    return packer(value) if packer is not None else _pack_object(value)


def _pack_dict(value: dict[Any, Any]) -> Any:
    if _TAG not in value and all(type(key) is str for key in value):
        return {key: pack(item) for key, item in value.items()}
    return {_TAG: "dict", "v": [[pack(key), pack(item)] for key, item in value.items()]}


def _pack_float(value: float) -> Any:
    return value if math.isfinite(value) else {_TAG: "float", "v": repr(value)}


def _pack_tuple(value: tuple[Any, ...]) -> Any:
    return {_TAG: "tuple", "v": [pack(item) for item in value]}


def _pack_set(tag: str) -> Callable[[Any], Any]:
    """Write a set in an order that is the same in every process."""
    return lambda value: {_TAG: tag, "v": sorted((pack(item) for item in value), key=repr)}


def _pack_text(tag: str, write: Callable[[Any], str] = str) -> Callable[[Any], Any]:
    return lambda value: {_TAG: tag, "v": write(value)}


def _pack_bytes(value: bytes) -> Any:
    return {_TAG: "bytes", "v": base64.b64encode(value).decode()}


def _isoformat(value: Any) -> str:
    text: str = value.isoformat()
    return text


def _pack_duration(value: dt.timedelta) -> Any:
    return {_TAG: "timedelta", "v": [value.days, value.seconds, value.microseconds]}


_PACKERS: dict[type, Callable[[Any], Any]] = {
    float: _pack_float,
    tuple: _pack_tuple,
    set: _pack_set("set"),
    frozenset: _pack_set("frozenset"),
    bytes: _pack_bytes,
    Decimal: _pack_text("Decimal"),
    UUID: _pack_text("UUID"),
    dt.datetime: _pack_text("datetime", _isoformat),
    dt.date: _pack_text("date", _isoformat),
    dt.time: _pack_text("time", _isoformat),
    dt.timedelta: _pack_duration,
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "bytes": base64.b64decode,
    "Decimal": Decimal,
    "UUID": UUID,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "timedelta": lambda parts: dt.timedelta(*parts),
    "Path": Path,
}


def _pack_object(value: Any) -> Any:
    for base, packer in _BASES:
        if isinstance(value, base):
            return packer(value)
    if not is_dataclass(value) or isinstance(value, type):
        raise _no_data(value)
    state = {each.name: pack(getattr(value, each.name)) for each in fields(value)}
    return _tagged("data", value, v=state)


def _no_data(value: Any) -> StorageError:
    return StorageError(
        f"A value of class {name_of(_class_of(value))} cannot be written to a journal. Let the "
        "chain end with data: text, JSON, messages, Pydantic objects or dataclasses."
    )


def _class_of(value: Any) -> Any:
    return type(value)  # pyright: ignore[reportUnknownVariableType] # any class


def _tagged(tag: str, value: Any, **state: Any) -> dict[str, Any]:
    cls = _class_of(value)
    name = name_of(cls)
    if "<locals>" in name:
        _LOCAL[name] = cls
    return {_TAG: tag, "c": name, **state}


def _pack_model(value: BaseModel) -> Any:
    known = type(value).__pydantic_fields__
    state = {name: pack(item) for name, item in value.__dict__.items() if name in known}
    rest: dict[str, Any] = {}
    if value.model_fields_set != state.keys():
        rest["s"] = sorted(value.model_fields_set)
    if value.__pydantic_extra__:
        rest["e"] = pack(value.__pydantic_extra__)
    if value.__pydantic_private__:
        rest["p"] = pack(value.__pydantic_private__)
    return _tagged("model", value, v=state, **rest)


def _pack_named(value: Any) -> Any:
    if not hasattr(value, "_fields"):
        raise _no_data(value)
    return _tagged("named", value, v=[pack(item) for item in value])


def _pack_old_model(value: BaseModelV1) -> Any:
    return _tagged("model1", value, v=pack(value.__dict__), s=sorted(value.__fields_set__))


def _pack_error(error: Exception) -> Any:
    """Write an error; what of it is no data is left to its text."""
    written = _tagged("error", error, t=str(error))
    try:
        return {**written, "a": pack([*_arguments(error)]), "s": pack({**error.__dict__})}
    except (StorageError, RecursionError):
        return written


def _arguments(error: Exception) -> tuple[Any, ...]:
    """Return what makes an error again; the file that an `OSError` names is not in its `args`."""
    reduced: Any = OSError.__reduce__(error) if isinstance(error, OSError) else (None, error.args)
    return tuple(reduced[1])


_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (BaseModel, _pack_model),
    (Enum, lambda value: _tagged("enum", value, v=pack(value.value))),
    (BaseModelV1, _pack_old_model),
    (tuple, _pack_named),
    (Exception, _pack_error),
    (Path, _pack_text("Path")),
    (str, str.__str__),  # `message.text` is of a class of its own
)


class _Reader:
    """Reads what `pack` has written."""

    def __init__(self, classes: Mapping[str, type]) -> None:
        self._classes = classes

    def unpack(self, packed: Any) -> Any:
        if is_array(packed):
            return [self.unpack(item) for item in packed]
        if not is_object(packed):
            return packed
        if _TAG not in packed:
            return {key: self.unpack(item) for key, item in packed.items()}
        return self._object(packed[_TAG], packed)

    def _object(self, tag: str, packed: dict[str, Any]) -> Any:
        if tag in _READERS:
            return _READERS[tag](self.unpack(packed["v"]))
        if tag == "dict":
            return {self.unpack(key): self.unpack(item) for key, item in packed["v"]}
        if tag == "error":
            return self._error(packed)
        make = {
            "enum": self._enum,
            "model": self._model,
            "model1": self._old_model,
            "named": self._named,
            "data": self._data,
        }[tag]
        return make(packed)

    def _class(self, packed: dict[str, Any], base: type | tuple[type, ...] = object) -> Any:
        name: str = packed["c"]
        found: Any = self._classes.get(name) or _LOCAL.get(name) or _import(name)
        if isinstance(found, type) and issubclass(found, base):
            return found
        raise StorageError(
            f"The journal holds a value of class {name}, which cannot be found. Define it at the "
            "top level of a module, under the same name, or use another journal."
        )

    def _enum(self, packed: dict[str, Any]) -> Any:
        return self._class(packed, Enum)(self.unpack(packed["v"]))

    def _model(self, packed: dict[str, Any]) -> Any:
        cls: type[BaseModel] = self._class(packed, BaseModel)
        state = self.unpack(packed["v"])
        made = cls.__new__(cls)
        set_ = object.__setattr__
        set_(made, "__pydantic_fields_set__", set(packed.get("s", state)))
        set_(made, "__dict__", {**_defaults(cls, state), **state})
        extra = cls.model_config.get("extra") == "allow"
        set_(made, "__pydantic_extra__", self.unpack(packed.get("e", {})) if extra else None)
        set_(made, "__pydantic_private__", self.unpack(packed.get("p")))
        return made

    def _old_model(self, packed: dict[str, Any]) -> Any:
        cls: Any = self._class(packed, BaseModelV1)
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", self.unpack(packed["v"]))
        object.__setattr__(made, "__fields_set__", set(packed["s"]))
        return made

    def _named(self, packed: dict[str, Any]) -> Any:
        return self._class(packed, tuple)._make(self.unpack(packed["v"]))

    def _data(self, packed: dict[str, Any]) -> Any:
        cls: type[Any] = self._class(packed)
        if not is_dataclass(cls):
            raise StorageError(f"The class {packed['c']} is no dataclass any more.")
        made: Any = object.__new__(cls)
        for name, value in self.unpack(packed["v"]).items():
            object.__setattr__(made, name, value)
        return made

    def _error(self, packed: dict[str, Any]) -> Exception:
        if "a" in packed:
            try:
                made = _make_error(self._class(packed, Exception), self.unpack(packed["a"]))
                made.__dict__.update(self.unpack(packed["s"]))
            except (StorageError, TypeError):
                pass  # what is told of it stays
            else:
                return made
        return RecordedError(packed["t"], class_name=packed["c"])


def _make_error(cls: type[Exception], arguments: list[Any]) -> Exception:
    """Make an error as Python makes the built-in one that it is; its own class is not called."""
    base: Any = next(each for each in cls.__mro__ if each.__module__ == "builtins")
    made: Exception = base.__new__(cls, *arguments)
    base.__init__(made, *arguments)
    return made


def _defaults(cls: type[BaseModel], state: dict[str, Any]) -> dict[str, Any]:
    """Return what a later version of a class has added."""
    missing = {name: field for name, field in cls.__pydantic_fields__.items() if name not in state}
    required = [name for name, field in missing.items() if field.is_required()]
    if required:
        raise StorageError(
            f"The class {name_of(cls)} has got the required fields {', '.join(required)} since the "
            "journal was written. Use another journal."
        )
    return {name: field.get_default(call_default_factory=True) for name, field in missing.items()}


def _import(name: str) -> Any:
    module, _, path = name.partition(":")
    try:
        found: Any = sys.modules.get(module) or importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError):
        return None  # the caller says so, with the name
    return found


def _plain(packed: Any) -> Any:
    if is_array(packed):
        return [_plain(item) for item in packed]
    if not is_object(packed):
        return packed
    tag = packed.get(_TAG)
    if tag is None:
        return {key: _plain(item) for key, item in packed.items()}
    if tag in _PLAIN_FORMS:
        return _PLAIN_FORMS[tag](packed)
    state = _plain(packed["v"])
    return {**state, **_plain(packed["e"])} if "e" in packed else state


_PLAIN_FORMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "error": lambda packed: packed["t"],
    "timedelta": lambda packed: dt.timedelta(*packed["v"]).total_seconds(),
    "dict": lambda packed: {str(_plain(key)): _plain(item) for key, item in packed["v"]},
}
