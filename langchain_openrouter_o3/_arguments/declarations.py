"""How an argument is declared: once, on its field, with all that follows from it.

`Body`, `Header`, `Verbatim` and `Local` say where an argument goes. Its other names, what calls
take, what a model lacks, which headers may be shown and what `help()` tells are read from there
when the class is made.
"""

from __future__ import annotations

from functools import partial
from inspect import formatannotation
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from langchain_openrouter_o3._json import is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic.fields import FieldInfo

Place = Literal["body", "header", "verbatim", "local"]


class Argument(NamedTuple):
    """One argument of a model or of a call.

    Attributes:
        place: Where it goes: into the body, into headers, into one of them verbatim, or nowhere.
        description: What it means, in which unit.
        aliases: Its other names.
        environment: The variable that is its default.
        per_call: Whether calls and bindings take it, too.
        keys: Its names on the wire; its own name in the body if there are none.
        to_wire: Writes a value for the body, or as headers: one text for all keys, or by name.
        field_to_wire: The same for the value of a field, if that differs.
        withheld: Whether o-series models lack it, so that it is not sent to them.
        secret: Whether it may hold a credential, so that its value is never shown.
    """

    place: Place
    description: str
    aliases: tuple[str, ...] = ()
    environment: str | None = None
    per_call: bool = True
    keys: tuple[str, ...] = ()
    to_wire: Callable[[Any], Any] | None = None
    field_to_wire: Callable[[Any], Any] | None = None
    withheld: bool = False
    secret: bool = False

    @property
    def help(self) -> str:
        """What a person reads about it."""
        withheld = "o-series models lack it: it is not sent to them, and one warning says so."
        aliases = " and ".join(f"`{alias}`" for alias in self.aliases)
        parts = (
            self.description,
            withheld if self.withheld else "",
            f"Also {aliases}." if aliases else "",
            f"Environment: `{self.environment}`." if self.environment else "",
        )
        return " ".join(part for part in parts if part)

    def body_value(self, value: Any) -> Any:
        """Write a call's value for the body."""
        return value if self.to_wire is None else self.to_wire(value)

    def field_value(self, value: Any) -> Any:
        """Write a field's value for the body."""
        return self.body_value(value) if self.field_to_wire is None else self.field_to_wire(value)

    def headers(self, value: Any) -> dict[str, str]:
        """Write a value as headers; an empty value writes no header."""
        written: Any = self.body_value(value)
        if is_object(written):
            return written
        return dict.fromkeys(self.keys, str(written)) if written else {}


Body = partial(Argument, "body")
Header = partial(Argument, "header")
Verbatim = partial(Argument, "verbatim")
Local = partial(Argument, "local")


def take_declarations(
    fields: Mapping[str, FieldInfo], inherited: Mapping[str, str]
) -> dict[str, Argument]:
    """Take the declarations out of fields, which keep the descriptions.

    pydantic looks at everything that stands beside a type whenever it builds a class; what it
    does not know only takes time.

    Args:
        fields: Of the model.
        inherited: Descriptions of the fields that LangChain declares.
    """
    declared: dict[str, Argument] = {}
    for name, field in fields.items():
        for each in field.metadata:
            if isinstance(each, Argument):
                declared[name] = each
        field.metadata = [each for each in field.metadata if not isinstance(each, Argument)]
        field.description = declared[name].help if name in declared else inherited.get(name)
    return declared


def describe(fields: Mapping[str, FieldInfo]) -> str:
    """Describe fields for `help()`: type, default and meaning of each."""
    lines = (f"    {name} ({_kind(field)}): {field.description}" for name, field in fields.items())
    return "\n".join(["Arguments:", *lines, ""])


def _kind(field: FieldInfo) -> str:
    """Write the type of a field, and its default, which may have to be looked up."""
    kind = formatannotation(field.annotation).replace("typing.", "")
    kind = kind.replace("langchain_openrouter_o3._arguments.settings.", "")
    return kind if field.default_factory else f"{kind}, default {field.default!r}"
