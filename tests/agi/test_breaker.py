"""The breaker: five failures in a row open it, and every two seconds one call tries again."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reputation.backoff import FAILURES_TO_OPEN, REST_SECONDS, Breaker

T = 1000.0


def opened(now: float = T) -> Breaker:
    breaker = Breaker()
    for _ in range(5):
        breaker.failed(now)
    return breaker


def test_the_fifth_failure_opens_the_breaker() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.failed(T)
        assert breaker.allows(T)
    breaker.failed(T)
    assert breaker.is_open
    assert not breaker.allows(T)


def test_one_success_resets_the_failures() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.failed(T)
    breaker.succeeded()
    for _ in range(4):
        breaker.failed(T)
    assert not breaker.is_open


def test_after_two_seconds_a_single_call_tries_again() -> None:
    breaker = opened()
    assert not breaker.allows(T + 1.999)
    assert breaker.allows(T + 2)
    assert not breaker.allows(T + 2)
    assert not breaker.allows(T + 3.999)


def test_a_failed_try_waits_two_more_seconds() -> None:
    breaker = opened()
    assert breaker.allows(T + 2)
    breaker.failed(T + 2.4)
    assert not breaker.allows(T + 3.9)
    assert breaker.allows(T + 4)


def test_a_successful_try_closes_the_breaker() -> None:
    breaker = opened()
    assert breaker.allows(T + 2)
    breaker.succeeded()
    assert not breaker.is_open
    assert all(breaker.allows(T + 2) for _ in range(100))


def test_calls_in_flight_when_it_opened_do_not_delay_the_try() -> None:
    breaker = opened()
    for _ in range(100):
        breaker.failed(T + 1.9)
    assert breaker.allows(T + 2)


@given(st.lists(st.tuples(st.sampled_from(["asks", "fails", "answers"]), st.floats(0, 1)), max_size=60))
def test_an_open_breaker_allows_one_try_in_two_seconds(events: list[tuple[str, float]]) -> None:
    breaker, now, failures = Breaker(), T, 0
    asked: list[float] = []
    for what, seconds in events:
        now += seconds
        if what == "fails":
            breaker.failed(now)
            failures += 1
            asked = [] if failures <= FAILURES_TO_OPEN else asked
        elif what == "answers":
            breaker.succeeded()
            failures, asked = 0, []
        elif breaker.allows(now) and breaker.is_open:
            asked.append(now)
        assert breaker.is_open is (failures >= FAILURES_TO_OPEN)
    assert all(later - earlier >= REST_SECONDS - 1e-9 for earlier, later in pairwise(asked))
