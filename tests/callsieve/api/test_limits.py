"""Rate limits and cursors."""

from __future__ import annotations

import re
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.changes.operation import Refused
from callsieve.changes.paging import cursor_of, place_of
from callsieve.web.throttle import MOST_TOKENS_KEPT, RateLimits
from tests.callsieve.asking import ENABLED, ApiOffice
from tests.callsieve.browsing import SETTINGS


@given(st.integers(1, 2000), st.lists(st.floats(0, 30), max_size=300))
def test_no_minute_has_more_than_twice_the_limit(per_minute: int, pauses: list[float]) -> None:
    """A full burst, then one request for each refill."""
    limits, now, taken = RateLimits(), 1000.0, []
    for pause in pauses:
        now += pause
        quota = limits.ask(1, per_minute, now)
        assert 0 <= quota.remaining < per_minute
        if quota.wait_seconds:
            assert limits.ask(1, per_minute, now + quota.wait_seconds).wait_seconds == 0
            now += quota.wait_seconds
        taken.append(now)
    assert all(sum(at <= item < at + 60 for item in taken) <= 2 * per_minute + 1 for at in taken)


@pytest.mark.parametrize("per_minute", [1, 7, 60, 600, 100_000])
def test_burst_up_to_the_limit_then_one_at_a_time(per_minute: int) -> None:
    limits = RateLimits()
    left = [limits.ask(1, per_minute, 5.0).remaining for _ in range(per_minute)]
    assert left == list(range(per_minute - 1, -1, -1))
    refused = limits.ask(1, per_minute, 5.0)
    assert (refused.remaining, refused.wait_seconds) == (0, max(1, ceil(60 / per_minute)))
    assert limits.ask(2, per_minute, 5.0).wait_seconds == 0
    assert limits.ask(1, per_minute, 5.0 + 60.0 / per_minute).wait_seconds == 0


def test_number_of_tracked_tokens_is_bounded() -> None:
    limits = RateLimits()
    for token_id in range(MOST_TOKENS_KEPT * 3):
        limits.ask(token_id, 1, 5.0)
    assert len(limits) == MOST_TOKENS_KEPT


def test_too_many_requests_get_429_with_retry_after(tmp_path: Path) -> None:
    with ApiOffice(tmp_path, f"{SETTINGS}{ENABLED}per_minute = 3\n").api() as api:
        program, other = api.program(), api.program(per_minute=10)
        for left in (2, 1, 0):
            answer = program.ask("GET", "/lists/block/entries")
            assert answer.headers["ratelimit-policy"] == '"token";q=3;w=60'
            assert re.match(rf'"token";r={left};t=\d+', answer.headers["ratelimit"])
        answer = program.ask("GET", "/lists/block/entries")
        assert (answer.status, answer.code) == (429, "too-many-requests")
        assert 0 < int(answer.headers["retry-after"]) <= 20
        assert other.ask("GET", "/lists/block/entries").headers["ratelimit"].startswith('"token";r=9;')


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20).filter(str.isprintable))
def test_cursor_round_trips(at: float, text: str) -> None:
    cursor = cursor_of((at, text))
    assert re.fullmatch(r"[A-Za-z0-9_-]*", cursor)
    assert place_of(cursor, tuple[float, str]) == (at, text)


@given(st.text(alphabet="ABCxyz019_-", min_size=1, max_size=60))
def test_invalid_cursor_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        place_of(text, tuple[float, str])
    assert refused.value.code == "bad-cursor"
