"""When to try again, and how long to wait."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_openrouter_o3._http.retry import RETRIED_STATUSES, RetryPolicy, retry_after_seconds

NOW = 1_785_000_000.0


def delay(  # noqa: PLR0913 - the arguments of what it calls
    attempt: int = 1,
    *,
    status: int | None = 503,
    retry_after: float | None = None,
    retryable: bool | None = None,
    jitter: float = 0.0,
    policy: RetryPolicy | None = None,
) -> float | None:
    return (policy or RetryPolicy()).delay(
        attempt, status=status, retry_after=retry_after, retryable=retryable, jitter=jitter
    )


@pytest.mark.parametrize(
    "status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529]
)
def test_a_passing_failure_is_tried_again(status: int) -> None:
    assert delay(status=status) == 0.5
    assert status in RETRIED_STATUSES


@pytest.mark.parametrize("status", [None, 200, 400, 401, 402, 403, 404, 413, 422, 501, 525, 530])
def test_a_lasting_failure_is_not_tried_again(status: int | None) -> None:
    assert delay(status=status) is None


@pytest.mark.parametrize(
    ("status", "retryable", "expected"), [(400, True, 0.5), (None, True, 0.5), (503, False, None)]
)
def test_the_servers_verdict_beats_the_status(
    status: int | None, expected: float | None, *, retryable: bool
) -> None:
    assert delay(status=status, retryable=retryable) == expected


@pytest.mark.parametrize(
    ("retries", "waits"),
    [(0, [None]), (1, [0.5, None]), (6, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, None])],
)
def test_waits_double_up_to_a_bound_and_end_with_the_retries(
    retries: int, waits: list[float | None]
) -> None:
    policy = RetryPolicy(max_retries=retries)

    assert [delay(n, policy=policy) for n in range(1, retries + 2)] == waits


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, 0.5), (0.5, 0.4375), (1.0, 0.375)])
def test_jitter_takes_up_to_a_quarter_away(jitter: float, expected: float) -> None:
    assert delay(jitter=jitter) == expected


@pytest.mark.parametrize(
    ("asked", "expected"), [(0.0, 0.0), (3.0, 3.0), (60.0, 60.0), (60.1, None), (7_200.0, None)]
)
def test_what_the_server_asks_is_kept_to_or_given_up_never_shortened(
    asked: float, expected: float | None
) -> None:
    assert delay(retry_after=asked) == expected


def test_an_attempt_beyond_any_float_still_waits_no_longer_than_the_bound() -> None:
    assert delay(2_000, policy=RetryPolicy(max_retries=5_000)) == 8.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "-1"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 +2359"}, 0.0),
    ],
)
def test_the_wait_is_read_from_the_headers(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == expected


@pytest.mark.parametrize("zone", ["", " -0000"])
def test_a_date_without_zone_is_greenwich_time_wherever_the_client_is(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(time, "tzset"):
        pytest.skip("this platform cannot change its time zone")
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    try:
        date = formatdate(NOW + 30, usegmt=True).removesuffix(" GMT")
        assert retry_after_seconds({"retry-after": date + zone}, NOW) == 30.0
    finally:
        monkeypatch.undo()
        time.tzset()


@settings(deadline=None)
@given(value=st.text() | st.text("0123456789 ,:-+GMTaJn.()", max_size=30), ms=st.booleans())
def test_any_header_gives_seconds_or_nothing(value: str, *, ms: bool) -> None:
    found = retry_after_seconds({"retry-after-ms" if ms else "retry-after": value}, NOW)

    assert found is None or found >= 0.0
