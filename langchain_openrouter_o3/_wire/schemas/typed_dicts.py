"""TypedDicts as pydantic can read them on every Python, with LangChain's annotations.

pydantic refuses `typing.TypedDict` before Python 3.12, and knows neither descriptions in
docstrings nor LangChain's `Annotated[type, default, "description"]`.

Source: https://docs.langchain.com/oss/python/langchain/models#structured-output
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, Union, get_args, get_origin

from langchain_core.utils.function_calling import convert_to_openai_function
from pydantic import ConfigDict, Field, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema
from pydantic_core.core_schema import any_schema
from typing_extensions import (
    Never,
    NoExtraItems,
    NotRequired,
    ReadOnly,
    Required,
    TypedDict,
    get_type_hints,
    is_typeddict,
)

_make_typed_dict: Any = TypedDict  # of names known at run time, which no type checker follows


class _Words(NamedTuple):
    description: str | None
    of_keys: dict[str, str]


class _ExtraItems:
    """Tells pydantic the type of the keys that a TypedDict does not name (PEP 728).

    pydantic reads it only in its later versions.
    """

    kind: Any = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        made = handler(source)
        try:
            of_class: Any = handler.resolve_ref_schema(made)
        except LookupError:  # it holds itself; the outermost one is told
            return made
        if "extras_schema" not in of_class:
            of_class["extra_behavior"] = "allow"
            of_class["extras_schema"] = any_schema()  # their type may be the class itself
            of_class["extras_schema"] = handler.generate_schema(self.kind)
        return made


def rebuild_typed_dict(typed_dict: type[Any]) -> Any:
    """Rebuild a TypedDict, and those within its annotations, so that pydantic can read it.

    A key is required unless it is `NotRequired`, or has a default. Keys that it does not name are
    let pass, unless it is closed or names their type (PEP 728), or has a pydantic configuration.

    Raises:
        NameError: An annotation names nothing.
    """
    return _Rebuilder().rebuild(typed_dict)


def explain(error: Exception, schema: Any) -> str:
    """Return the text of an error about a schema, with what pydantic's text does not name.

    Within a dataclass, a named tuple, an alias or a function a TypedDict cannot be rebuilt.
    """
    if isinstance(error, NameError):
        return f"{error} in the module that names it, at run time; define or import it there."
    code = getattr(error, "code", None)
    if code == "class-not-fully-defined" and is_dataclass(schema):
        try:
            get_type_hints(schema)
        except NameError as missing:  # pydantic names an adapter, which is not the caller's
            return explain(missing, schema)
    if code != "typed-dict-version":
        return str(error)
    names = ", ".join(each.__qualname__ for each in _typing_dicts(schema))
    return (
        f"pydantic refuses TypedDicts of `typing` before Python 3.12: {names}. Import TypedDict "
        "from typing_extensions where they are written."
    )


def _typing_dicts(schema: Any) -> list[Any]:
    """Return the TypedDicts of `typing` within a type or a function."""
    found: list[Any] = []
    seen: list[Any] = []
    left = [schema]
    while left:
        hint = left.pop()
        if any(hint is each for each in seen):
            continue
        seen.append(hint)
        if is_typeddict(hint) and type(hint).__module__ == "typing":
            found.append(hint)
        left += [get_origin(hint), getattr(hint, "__value__", None), *get_args(hint)]
        if isinstance(hint, type) or inspect.isroutine(hint):
            left += get_type_hints(hint, include_extras=True).values()
    return found


class _Rebuilder:
    def __init__(self) -> None:
        self._rebuilt: dict[type[Any], Any] = {}

    def rebuild(self, typed_dict: type[Any]) -> Any:
        if typed_dict in self._rebuilt:
            return self._rebuilt[typed_dict]
        rebuilt: Any = _make_typed_dict(typed_dict.__name__, {})  # filled below
        closed, extra_items = _read_extras(typed_dict)
        marker = None if extra_items is NoExtraItems else _ExtraItems()
        named = rebuilt if marker is None else Annotated[rebuilt, marker]
        self._rebuilt[typed_dict] = named  # before its fields: it may hold itself
        if marker is not None:
            marker.kind = self._rewrite(extra_items, typed_dict)
        self._fill(rebuilt, typed_dict, closed=closed)
        return named

    def _fill(self, rebuilt: Any, typed_dict: type[Any], *, closed: bool) -> None:
        hints = get_type_hints(typed_dict, include_extras=True)
        words = _read_docstring(typed_dict, hints)
        keys = {
            name: self._key(typed_dict, name, hint, words.of_keys.get(name))
            for name, hint in hints.items()
        }
        rebuilt.__annotations__ = keys
        rebuilt.__required_keys__ = frozenset(
            name for name, hint in keys.items() if get_origin(hint) is Required
        )
        rebuilt.__optional_keys__ = keys.keys() - rebuilt.__required_keys__
        rebuilt.__doc__ = words.description
        rebuilt.__module__, rebuilt.__qualname__ = typed_dict.__module__, typed_dict.__qualname__
        rebuilt.__pydantic_config__ = getattr(
            typed_dict, "__pydantic_config__", ConfigDict(extra="forbid" if closed else "allow")
        )

    def _key(self, owner: type[Any], name: str, hint: Any, description: str | None) -> Any:
        """Return the annotation of a key, wrapped in Required or NotRequired."""
        required = name in owner.__required_keys__
        metadata: tuple[Any, ...] = ()
        while (origin := get_origin(hint)) in (Annotated, Required, NotRequired, ReadOnly):
            if origin is Annotated:
                metadata = (*metadata, *hint.__metadata__)
                hint = hint.__origin__
            else:
                required = required if origin is ReadOnly else origin is Required
                (hint,) = get_args(hint)
        default, metadata, own = _read_metadata(metadata, hint)
        extra = {"default": default} if default not in (..., None) else None
        field = Field(description=description or own, json_schema_extra=extra)
        annotated = _annotate(self._rewrite(hint, owner), (*metadata, field))
        return Required[annotated] if required and default is ... else NotRequired[annotated]

    def _rewrite(self, hint: Any, owner: type[Any]) -> Any:
        """Put rebuilt TypedDicts in the place of those within an annotation of one."""
        if sys.version_info < (3, 11) and isinstance(hint, str):  # as in list["Name"]
            hint = _resolve(hint, owner)
        if is_typeddict(hint):
            return self.rebuild(hint)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (None, Literal):
            return hint
        if origin is Annotated:
            return _annotate(self._rewrite(hint.__origin__, owner), hint.__metadata__)
        rewritten = tuple(self._rewrite(each, owner) for each in arguments)
        if rewritten == arguments:
            return hint
        generic: Any = Union if origin is UnionType else origin
        return generic[rewritten]


def _read_extras(typed_dict: type[Any]) -> tuple[bool, Any]:
    """Return whether a TypedDict is closed, and the type of its further keys (PEP 728).

    Either may be said by a class that it was derived from.
    """
    own = vars(typed_dict)
    closed, extra_items = own.get("__closed__"), own.get("__extra_items__", NoExtraItems)
    if closed is None and extra_items is NoExtraItems:
        bases = [get_origin(base) or base for base in own.get("__orig_bases__", ())]
        inherited = [_read_extras(base) for base in bases if is_typeddict(base)]
        said = (each for each in inherited if each != (False, NoExtraItems))
        return next(said, (False, NoExtraItems))
    kind = _resolve(extra_items, typed_dict)
    if get_origin(kind) is ReadOnly:
        (kind,) = get_args(kind)
    return (True, NoExtraItems) if kind in (Never, NoReturn) else (bool(closed), kind)


def _resolve(hint: Any, typed_dict: type[Any]) -> Any:
    """Evaluate an annotation where a TypedDict is written."""
    holder = type("Holder", (), {"__annotations__": {"hint": hint}})
    holder.__module__ = typed_dict.__module__
    return get_type_hints(holder, include_extras=True)["hint"]


def _annotate(hint: Any, metadata: tuple[Any, ...]) -> Any:
    annotated: Any = Annotated
    parts = (hint, *metadata)
    return annotated[parts]


def _read_metadata(metadata: tuple[Any, ...], hint: Any) -> tuple[Any, tuple[Any, ...], str | None]:
    """Tell LangChain's default and description from pydantic's metadata; `...` is no default."""
    of_pydantic = tuple(each for each in metadata if _is_of_pydantic(each, hint))
    is_described = any(getattr(each, "description", None) for each in of_pydantic)
    match [each for each in metadata if not _is_of_pydantic(each, hint)]:
        case [default, str(description)] if not is_described:
            return default, of_pydantic, description
        case [str(description)] if not is_described:
            return ..., of_pydantic, description
        case _:
            return ..., tuple(each for each in metadata if each is not ...), None


def _is_of_pydantic(each: Any, hint: Any) -> bool:
    """Whether a part of an annotation says what a value must be, and is no value itself."""
    if isinstance(hint, type) and isinstance(each, hint):
        return False
    # pydantic's own limits and those that it takes from annotated_types have no such method.
    modules = {base.__module__ for base in type(each).__mro__}
    return (
        isinstance(each, FieldInfo)
        or "annotated_types" in modules
        or hasattr(each, "__get_pydantic_core_schema__")
    )


def _read_docstring(typed_dict: type[Any], hints: dict[str, Any]) -> _Words:
    """Read a docstring as langchain-core does, with its description of each key."""
    if not typed_dict.__doc__:
        return _Words(None, {})
    plain: Any = _make_typed_dict(typed_dict.__name__, dict.fromkeys(hints, str))
    plain.__doc__ = typed_dict.__doc__
    function = convert_to_openai_function(plain)
    properties = function.get("parameters", {}).get("properties", {})
    described = {name: item.get("description") for name, item in properties.items()}
    return _Words(function.get("description") or None, {k: v for k, v in described.items() if v})
