"""JSON by compiled libraries means what Python's own `json` means, for whatever there is."""

from __future__ import annotations

import enum
import json
import math
import uuid
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from langchain_openrouter_o3._json import decode, encode


class Colour(enum.Enum):
    RED = "red"


def refuse(name: str) -> None:
    raise ValueError(name)


numbers = st.integers() | st.integers(-(2**70), 2**70) | st.floats()
texts = st.text(st.characters(codec=None), max_size=12)
scalars = st.none() | st.booleans() | numbers | texts
keys = texts | st.integers(-9, 9) | st.none() | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=12,
)
written_numbers = st.from_regex(r"\A-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?\Z")
documents = (
    values.map(json.dumps)  # NaN and surrogates, too
    | values.map(lambda value: json.dumps(value, indent=1))
    | written_numbers
    | st.text(alphabet='{}[]",:\\u0dDeE8+-.truefalsn \t\n\x00\x7f', max_size=16)
)


def outcome(function: Any, argument: Any) -> Any:
    """Return the value with its types written out, or the error's class."""
    try:
        return repr(function(argument))  # tells 1 from True, and 0.0 from -0.0
    except (ValueError, TypeError) as error:
        return UnicodeEncodeError if isinstance(error, UnicodeEncodeError) else type(error)


def read_slowly(text: str) -> Any:
    return json.loads(text, parse_constant=refuse, parse_float=read_finite)


def read_finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(number)
    return value


def write_slowly(value: Any) -> Any:
    compact = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return json.loads(compact.encode())


@given(text=documents)
@example(text="1e999")
@example(text="[null,-1e999]")
@example(text="[null,1e99]")
@example(text="-0")
@example(text="9" * 5_000)
@example(text='{"a":1,"a":2}')
@example(text="[" * 300 + "]" * 300)
@example(text='"\\ud83d"')
@example(text="")
def test_reading(text: str) -> None:
    slowly = outcome(read_slowly, text)
    if slowly is json.JSONDecodeError:
        slowly = ValueError
    for form in (text, text.encode(), bytearray(text.encode())):
        quickly = outcome(decode, form)
        assert (ValueError if quickly is json.JSONDecodeError else quickly) == slowly


@given(value=values)
@example(value=math.nan)
@example(value=[None, math.inf])
@example(value={"type": ["null"], "note": ":null"})
@example(value=2**64)
@example(value={1: None})
@example(value="\ud83d")
def test_writing(value: Any) -> None:
    assert outcome(lambda value: json.loads(encode(value)), value) == outcome(write_slowly, value)


@pytest.mark.parametrize("beside", [1, None])  # None takes the slow way
@pytest.mark.parametrize(
    ("value", "written"),
    [(Colour.RED, b'"red"'), (uuid.UUID(int=1), b'"00000000-0000-0000-0000-000000000001"')],
)
def test_enumerations_and_uuids_are_written_either_way(
    value: Any, written: bytes, beside: Any
) -> None:
    assert encode([value, beside]).startswith(b"[" + written)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j])
def test_what_json_has_no_form_for_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encode([value])


def test_a_byte_order_mark_is_let_pass() -> None:
    assert decode(b'\xef\xbb\xbf{"a": 1} ') == {"a": 1}
