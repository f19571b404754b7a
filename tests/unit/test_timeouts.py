"""Time-outs in seconds, in every form."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from langchain_openrouter_o3._http.time_limits import check_timeout, default_timeout, to_timeout


def test_reading_is_patient_and_connecting_is_not() -> None:
    assert default_timeout() == httpx.Timeout(600.0, connect=10.0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, httpx.Timeout(2.0)),
        (0.5, httpx.Timeout(0.5)),
        (None, httpx.Timeout(None)),
        (httpx.Timeout(3.0, connect=1.0), httpx.Timeout(3.0, connect=1.0)),
        ({"timeout": 3.0, "connect": 1.0}, httpx.Timeout(3.0, connect=1.0)),
    ],
)
def test_every_form_becomes_the_time_out_of_a_request(value: Any, expected: httpx.Timeout) -> None:
    assert to_timeout(value) == expected


@pytest.mark.parametrize("value", [0, -1, True, "30", float("nan"), [1], {"seconds": 3}])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="timeout"):
        check_timeout(value)
