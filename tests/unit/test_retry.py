"""When to try again, and how long to wait."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_openrouter_o3._http.retry import RETRIED_STATUSES, RetryPolicy
from langchain_openrouter_o3.errors.retry_after import (
    reset_seconds,
    retry_after_seconds,
    wait_in_words,
)

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
    ("retries", "waits"), [(0, [None]), (1, [0.5, None]), (6, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, None])]
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
    ("asked", "expected"), [(0.0, 0.5), (3.0, 3.0), (60.0, 60.0), (60.1, None), (7_200.0, None)]
)
def test_what_the_server_asks_is_kept_to_or_given_up_never_shortened(
    asked: float, expected: float | None
) -> None:
    assert delay(retry_after=asked) == expected


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, 20.0), (0.5, 22.5), (1.0, 25.0)])
def test_jitter_makes_a_named_wait_longer(jitter: float, expected: float) -> None:
    assert delay(retry_after=20.0, jitter=jitter) == expected


def test_a_wait_that_is_nothing_backs_off_more_and_more() -> None:
    assert [delay(attempt, retry_after=0.0) for attempt in (1, 2)] == [0.5, 1.0]


def test_an_attempt_beyond_any_float_still_waits_no_longer_than_the_bound() -> None:
    assert delay(2_000, policy=RetryPolicy(max_retries=5_000)) == 8.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "20, 20"}, 20.0),
        ({"retry-after": "20,7,soon"}, 20.0),
        ({"retry-after": "20s, 20s"}, 20.0),
        ({"retry-after": "1h, 2m"}, 3_720.0),
        ({"retry-after": ", ".join([formatdate(NOW + 30, usegmt=True)] * 2)}, 30.0),
        ({"retry-after": f"{formatdate(NOW + 30, usegmt=True)}, 7"}, 30.0),
        ({"retry-after-ms": "1500, 1500"}, 1.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "-1"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after-ms": "0", "retry-after": "90"}, 90.0),
        ({"retry-after": '"90"'}, 90.0),
        ({"retry-after": "2026-07-25T17:20:30Z"}, 30.0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"retry-after": str(int(NOW + 30))}, 30.0),  # a date that was written as a number
        ({"retry-after": "99999999999999"}, None),
        ({"retry-after": "1e300"}, None),
        ({"retry-after-ms": "1e300"}, None),
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


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (str(int((NOW + 30) * 1000)), 30.0),
        (str(int(NOW + 30)), 30.0),
        (str(int(NOW - 30)), 0.0),
        ("30", 30.0),
        ("30, 30", 30.0),
        ("2026-07-25T17:20:30Z, 2026-07-25T17:20:30Z", 30.0),
        ("-30", 0.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("2026-07-25T17:20:30Z", 30.0),
        ("2026-07-25T17:20:30", 30.0),
        ("2026-07-25T17:19:30+00:00", 0.0),
        ("soon", None),
        ("", None),
        ("inf", None),
        ("1e30", None),
    ],
)
def test_the_end_of_a_limit_is_read_in_every_form(value: str, expected: float | None) -> None:
    assert reset_seconds({"x-ratelimit-reset": value}, NOW) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Please try again in 20s.", 20.0),
        ("Please try again in 1m2.5s. Visit", 62.5),
        ("try again in 350ms", 0.35),
        ("Try Again In 2 Minutes", 120.0),
        ("retry after 1 hour, 2 minutes and 3 seconds", 3_723.0),
        ("Retry in 5.2 seconds", 5.2),
        ("Please wait 30 sec before the next request", 30.0),
        ("Limit resets in 2 days", 172_800.0),
        ("available again in 7 mins", 420.0),
        ("please retry your request after 30 seconds", 30.0),
        ("retry-after: 30s", 30.0),
        ("Wait at least another ~30s", 30.0),
        ("Please try again (in 20s)", 20.0),
        ("Please try your request again in about 20 seconds", 20.0),
        ("Retrying in 5 s", 5.0),
        ("Your quota will reset after 3h20m50s", 12_050.0),
        ("Limit resets: 30s", 30.0),
        ("Quota reset time: 120s", 120.0),
        ("Please retry the operation after 30 seconds", 30.0),
        ("Retry delay: 20s", 20.0),
        ("Rate limited: wait 3.5s over quota", 3.5),
        ("The estimated wait time is 45 seconds", 45.0),
        ("Please wait up to 30 seconds", 30.0),
        ("Try again 20 seconds later", 20.0),
        ("available after 20s", 20.0),
        ("Try again after 1 minute 30 seconds have passed", 90.0),
        ("try again in 12s limit=3 remaining=0", 12.0),
        ("wait for 20 seconds and ask again", 20.0),
        ("No instances available (30 s)", None),
        ("No workers available for 90 seconds", None),
        ("Model not available after waiting 300 seconds", None),
        ("Queue wait exceeded 120 seconds", None),
        ("The longest wait of 30 seconds has passed", None),
        ("The wait for 30 seconds was exceeded", None),
        ("Gave up after 60 seconds", None),
        ("20 requests available per 60 s", None),
        ("try again later", None),
        ("try again in a few seconds", None),
        ("20 requests per 60 seconds", None),
        ("waited 20s", None),
        ("retry 3 models", None),
        ("retry after 2026-01-01", None),
        ("wait 999999999 days", None),
    ],
)
def test_a_wait_is_found_in_words(words: str, expected: float | None) -> None:
    assert wait_in_words(words) == (None if expected is None else pytest.approx(expected))


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


@given(value=st.text() | st.text("0123456789 ,:-+GMTaJn.()", max_size=30), ms=st.booleans())
def test_any_header_gives_seconds_or_nothing(value: str, *, ms: bool) -> None:
    found = retry_after_seconds({"retry-after-ms" if ms else "retry-after": value}, NOW)
    assert found is None or found >= 0.0
