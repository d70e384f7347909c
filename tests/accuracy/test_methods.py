"""The simple methods work as described, and the tested model is the product's."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.accuracy.call_outcomes import answered_call, call_back, marking, unanswered_call
from benchmarks.accuracy.callers import Attempt, User, fate_of, line_of
from benchmarks.accuracy.methods import (
    BASELINES,
    Method,
    Model,
    Simple,
    any_mark,
    beta,
    three_marks,
    three_reporters,
    wilson,
    wilson_bound,
)
from benchmarks.accuracy.parameters import DAY_SECONDS, HABITS, STANDARD, START, Kind, Nature
from reputation.model import EndedBy, Level, Mark

DAYS = DAY_SECONDS


def user(number: int, group: str = "sales") -> User:
    return User(str(200 + number), f"+4420718{38000 + number}", group, 1.0)


def attempt(number: int, at: float) -> Attempt:
    """Make a call for a person."""
    chance, habits = Random(1), HABITS[Kind.SPAM]
    line = line_of(STANDARD, chance, habits, Nature.ROBOT)
    return Attempt(f"in-{at}", at, user(number), line, fate_of(STANDARD, chance, habits))


def mark(number: int, day: float, group: str = "sales") -> Mark:
    """Make a mark by a person on that day."""
    _, event = marking(user(number, group), START + day * DAYS)
    assert isinstance(event, Mark)
    return event


THREE_BY_ONE = [(1, 0.0), (1, 1.0), (1, 2.0)]
THREE_BY_THREE = [(1, 0.0), (2, 1.0), (3, 2.0)]
FOUR_BY_FOUR = [*THREE_BY_THREE, (4, 2.0)]


@pytest.mark.parametrize(
    ("rule", "marks", "day", "stopped"),
    [
        pytest.param(any_mark, [], 3, False, id="no-mark"),
        pytest.param(any_mark, [(1, 0.0)], 900, True, id="one-mark-for-ever"),
        pytest.param(three_marks, THREE_BY_ONE[:2], 3, False, id="two-marks"),
        pytest.param(three_marks, THREE_BY_ONE, 900, True, id="three-marks-by-one-person-for-ever"),
        pytest.param(three_reporters, THREE_BY_ONE, 3, False, id="one-reporter-three-times"),
        pytest.param(three_reporters, THREE_BY_THREE, 3, True, id="three-reporters"),
        pytest.param(three_reporters, THREE_BY_THREE, 14.5, False, id="three-reporters-the-first-15-days-ago"),
        pytest.param(beta, THREE_BY_ONE[:2], 3, False, id="beta-of-two-is-0.75"),
        pytest.param(beta, THREE_BY_ONE, 3, True, id="beta-of-three-is-0.8"),
        pytest.param(wilson, THREE_BY_THREE, 3, False, id="wilson-of-three"),
        pytest.param(wilson, FOUR_BY_FOUR, 3, True, id="wilson-of-four"),
        pytest.param(wilson, FOUR_BY_FOUR, 126, False, id="wilson-after-125-days"),
        pytest.param(wilson, [*THREE_BY_THREE, (3, 2.5)], 3, False, id="wilson-counts-people"),
    ],
)
def test_a_simple_rule_stops_after_enough_marks(
    rule: object, marks: list[tuple[int, float]], day: float, stopped: bool
) -> None:
    method = Simple(rule)  # type: ignore[arg-type]
    for number, at in marks:
        method.add_mark(mark(number, at))
    assert (method.level("201", START + day * DAYS) >= Level.CHALLENGE) is stopped


def test_a_long_talk_lowers_the_beta_level() -> None:
    method = Simple(beta)
    for number, at in THREE_BY_ONE:
        method.add_mark(mark(number, at))
    method.learn(answered_call(attempt(5, START), 9.0, 61.0, EndedBy.CALLER))
    assert method.level("201", START + 3 * DAYS) is Level.NONE


@pytest.mark.parametrize(
    ("bad", "good", "low"),
    [
        pytest.param(0, 0, 0.0, id="nothing"),
        pytest.param(4, 0, 0.5101, id="four-of-four"),
        pytest.param(10, 10, 0.2993, id="half-of-twenty"),
    ],
)
def test_wilson_bound_has_its_value(bad: int, good: int, low: float) -> None:
    assert wilson_bound(bad, good) == pytest.approx(low, abs=1e-4)


def test_each_of_five_baselines_starts_empty() -> None:
    assert len(BASELINES) == 5
    for make in BASELINES.values():
        make().add_mark(mark(1, 0.0))
        assert make().level("201", START) is Level.NONE


def spam_known_to(method: Method) -> None:
    """Twelve people are called in vain, four others hang up, and three of two groups hang up and mark."""
    for n in range(4):
        method.learn(answered_call(attempt(20 + n, START + 50 + n), 9.0, 3.0, EndedBy.CALLEE))
    for n in range(12):
        method.learn(unanswered_call(attempt(50 + n, START + n), 20.0, voicemail_left=False))
    for n in range(3):
        method.learn(answered_call(attempt(n, START + 100 + n), 9.0, 3.0, EndedBy.CALLEE))
        method.add_mark(mark(n, 0.1, f"group-{n % 2}"))


def test_the_tested_model_is_the_product_model() -> None:
    method = Model()
    assert method.level("250", START) is Level.NONE
    spam_known_to(method)
    assert method.level("250", START + DAYS) >= Level.CHALLENGE


def test_a_person_who_talked_with_the_number_gets_no_level() -> None:
    method = Model()
    spam_known_to(method)
    method.learn(call_back(user(50), START + 2000, 9.0, 31.0))
    assert method.level("250", START + DAYS) is Level.NONE
    assert method.level("251", START + DAYS) > Level.NONE
