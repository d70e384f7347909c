"""Velocity counts calls of the last hour in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.numbers import stored_number
from reputation.velocity import KEPT_CALLS, WINDOW_SECONDS, Velocity

NUMBER = stored_number("+12015550123")
NEIGHBOUR = stored_number("+12015550199")


def test_a_stranger_has_no_calls() -> None:
    velocity = Velocity()
    assert velocity.calls(NUMBER, 0.0) == ()
    assert velocity.block_calls(NUMBER, 0.0) == ()


def test_calls_are_counted_per_number_and_per_block_of_1000() -> None:
    velocity = Velocity()
    velocity.add(NUMBER, 1.0)
    velocity.add(NEIGHBOUR, 2.0)
    velocity.add(stored_number("+12015551123"), 3.0)
    assert velocity.calls(NUMBER, 3.0) == (1.0,)
    assert velocity.block_calls(NUMBER, 3.0) == (1.0, 2.0)


def test_a_service_number_is_a_block_of_its_own() -> None:
    velocity = Velocity()
    velocity.add(stored_number("+8695588"), 1.0)
    velocity.add(stored_number("+8695566"), 2.0)
    assert (
        velocity.calls(stored_number("+8695588"), 3.0) == velocity.block_calls(stored_number("+8695588"), 3.0) == (1.0,)
    )


@pytest.mark.parametrize(
    ("now", "calls"),
    [
        pytest.param(999.0, (), id="before-it"),
        pytest.param(1000.0, (1000.0,), id="at-its-instant"),
        pytest.param(1000.0 + WINDOW_SECONDS, (1000.0,), id="an-hour-later"),
        pytest.param(1001.0 + WINDOW_SECONDS, (), id="forgotten"),
    ],
)
def test_a_call_counts_for_an_hour(now: float, calls: tuple[float, ...]) -> None:
    velocity = Velocity()
    velocity.add(NUMBER, 1000.0)
    assert velocity.calls(NUMBER, now) == calls


def test_only_the_latest_64_calls_are_kept() -> None:
    velocity = Velocity()
    for at in range(100):
        velocity.add(NUMBER, float(at))
    assert velocity.calls(NUMBER, 100.0) == tuple(float(at) for at in range(100 - KEPT_CALLS, 100))


def test_the_longest_silent_number_is_forgotten_first() -> None:
    velocity = Velocity(max_numbers=2)
    velocity.add(stored_number("+1000"), 1.0)
    velocity.add(stored_number("+2000"), 2.0)
    velocity.add(stored_number("+1000"), 3.0)
    velocity.add(stored_number("+3000"), 4.0)
    assert len(velocity) == 2
    assert velocity.calls(stored_number("+2000"), 5.0) == ()
    assert velocity.calls(stored_number("+1000"), 5.0) == (1.0, 3.0)


def test_an_erased_number_is_forgotten() -> None:
    velocity = Velocity()
    velocity.add(NUMBER, 1.0)
    velocity.forget(NUMBER.key or "")
    velocity.forget(NUMBER.key or "")
    assert velocity.calls(NUMBER, 1.0) == ()


calls = st.tuples(st.sampled_from([f"+120155501{n:02d}" for n in range(8)]), st.floats(0, 10_000))


@given(st.lists(calls), st.floats(0, WINDOW_SECONDS))
def test_all_calls_of_the_hour_are_counted(added: list[tuple[str, float]], late: float) -> None:
    """At any time up to an hour before the latest call. Calls two hours older than the latest are dropped."""
    velocity = Velocity()
    for number, at in added:
        velocity.add(stored_number(number), at)
    now = max([at for _, at in added], default=0.0) - late
    for number in {number for number, _ in added}:
        kept = sorted(at for other, at in added if other == number)[-KEPT_CALLS:]
        assert velocity.calls(stored_number(number), now) == tuple(
            at for at in kept if now - WINDOW_SECONDS <= at <= now
        )


@given(st.lists(calls), st.integers(1, 4))
def test_little_memory_keeps_the_latest_calls(added: list[tuple[str, float]], max_numbers: int) -> None:
    velocity = Velocity(max_numbers)
    added.sort(key=lambda call: call[1])
    for number, at in added:
        velocity.add(stored_number(number), at)
    assert len(velocity) <= max_numbers
    for number in {number for number, _ in added}:
        in_order = tuple(at for other, at in added if other == number)
        counted = velocity.calls(stored_number(number), 10_000)
        recent = tuple(at for at in in_order[-KEPT_CALLS:] if at >= 10_000 - WINDOW_SECONDS)
        assert recent[len(recent) - len(counted) :] == counted
