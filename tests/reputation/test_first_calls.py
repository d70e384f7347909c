"""First calls of strangers: what earlier ones tell about the next, in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.first_calls import KEPT_OF_BLOCK, MAX_IN_A_ROW, FirstCalls
from reputation.model import NOTHING_BEFORE, FirstCall
from reputation.numbers import stored_number
from reputation.weights import DEFAULT

NOW = 1_000_000.0
BLOCK, OTHER = "+44161555", "+44113555"  # of 10,000: the first digit behind is that of the block of 1000
Call = tuple[str, int, float]  # number, which of our DIDs, how many seconds ago


def did(place: int) -> str:
    return f"+4420718387{place:02d}"


def before(*calls: Call, number: str = f"{BLOCK}0001", place: int = 50) -> FirstCall:
    """Return what earlier calls tell about a call to our fiftieth number."""
    first_calls = FirstCalls()
    for who, where, ago in calls:
        first_calls.add(stored_number(who), did(where), NOW - ago)
    return first_calls.before(stored_number(number), did(place), NOW)


def near(last: int, place: int, ago: float = 60.0) -> Call:
    """Make a call of a neighbour."""
    return f"{BLOCK}{last:04d}", place, ago


def far(place: int, ago: float = 60.0, last: int = 0) -> Call:
    """Make a call of a number in another block."""
    return f"{OTHER}{1000 * place + last:04d}"[:13], place, ago


MANY = [far(n, 3000.0) for n in range(100, 160)]  # so many of our numbers were called within the hour


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        pytest.param([], 0, id="no-calls"),
        pytest.param([near(2, 10)], 1, id="a-neighbour-at-another-number"),
        pytest.param([near(2, 10), near(2, 11), near(3, 10)], 2, id="numbers-count-and-not-calls"),
        pytest.param([near(2, 50)], 0, id="at-the-same-number"),
        pytest.param([near(1, 10)], 0, id="the-number-itself"),
        pytest.param([near(2, 10, 3600.0)], 1, id="an-hour-ago"),
        pytest.param([near(2, 10, 3601.0)], 0, id="more-than-an-hour-ago"),
        pytest.param([near(2, 10, -1.0)], 0, id="later"),
        pytest.param([near(1002, 10)], 0, id="another-block"),
        pytest.param([near(n, n) for n in range(2, 40)], KEPT_OF_BLOCK, id="as-many-as-are-kept"),
    ],
)
def test_first_calls_of_neighbours_are_counted(calls: list[Call], found: int) -> None:
    assert before(*calls).neighbours == found


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        pytest.param([far(49)], 2, id="the-number-below"),
        pytest.param([far(51)], 2, id="the-number-above"),
        pytest.param([far(48)], 1, id="not-beside-it"),
        pytest.param([far(49, 600.0)], 2, id="ten-minutes-ago"),
        pytest.param([far(49, 601.0)], 1, id="longer-ago"),
        pytest.param([*MANY, far(44, 60.0), far(46, 40.0), far(48, 20.0)], 3, id="every-second-and-one-less"),
        pytest.param([far(44, 60.0), far(46, 40.0), far(48, 20.0)], 1, id="every-second-of-few"),
        pytest.param([far(47, 600.0), far(48, 400.0), far(49, 200.0)], 4, id="slowly"),
        pytest.param([far(49, 50.0), far(52, 40.0), far(51, 30.0)], 4, id="in-any-order"),
        pytest.param([*MANY, far(43, 9.0), far(47, 6.0), far(48, 3.0)], 2, id="not-beyond-a-gap"),
        pytest.param([(f"{BLOCK}0001", 49, 60.0)], 1, id="by-the-number-itself"),
        pytest.param([far(50, 900.0), far(49)], 2, id="called-once-before"),
        pytest.param([far(50, 900.0), far(50, 300.0, 1), far(49)], 1, id="a-known-number"),
        pytest.param([far(49, 900.0), far(49, 600.0, 1), far(49, 60.0, 2)], 1, id="beside-a-known-number"),
        pytest.param([far(49, 90.0), *(far(n, 60.0) for n in range(10, 30))], 1, id="among-many-others"),
        pytest.param([far(n, 60.0) for n in range(30, 50)], MAX_IN_A_ROW, id="more-than-are-counted"),
    ],
)
def test_first_calls_in_a_row_are_counted(calls: list[Call], found: int) -> None:
    assert before(*calls).in_a_row == found


@pytest.mark.parametrize(
    ("seen", "is_storm"),
    [
        (FirstCall(), False),
        (FirstCall(2), False),
        (FirstCall(2, is_burst=True), True),
        (FirstCall(3), True),
        (FirstCall(1, 2), False),
        (FirstCall(0, 3), True),
    ],
)
def test_a_storm_needs_enough_first_calls(seen: FirstCall, is_storm: bool) -> None:
    assert seen.is_storm(DEFAULT.outside.storm) is is_storm
    assert not seen.is_storm(0)


def test_twelve_first_calls_within_ten_minutes_are_a_burst() -> None:
    calls = [far(n, 40.0 * n) for n in range(1, 13)][::-1]
    assert before(near(2, 10, 500.0), *calls).is_burst
    assert not before(near(2, 10, 700.0), *calls[2:]).is_burst


def test_service_numbers_have_no_neighbours() -> None:
    first_calls = FirstCalls()
    first_calls.add(stored_number("+8695588"), did(1), NOW)
    assert first_calls.before(stored_number("+8695566"), did(10), NOW) == NOTHING_BEFORE


@pytest.mark.parametrize("where", ["", None])
def test_a_call_to_an_unknown_did_is_not_counted(where: str | None) -> None:
    first_calls = FirstCalls()
    first_calls.add(stored_number(f"{BLOCK}0002"), where, NOW)
    assert len(first_calls) == 0
    first_calls.add(stored_number(f"{BLOCK}0002"), did(1), NOW)
    assert first_calls.before(stored_number(f"{BLOCK}0001"), where, NOW) == NOTHING_BEFORE


@pytest.mark.parametrize("where", ["s", "200", "", None])
def test_a_did_that_is_no_number_has_no_neighbours(where: str | None) -> None:
    first_calls = FirstCalls()
    for item in ("201", "199", where, did(1)):
        first_calls.add(stored_number(f"{OTHER}0001"), item, NOW)
    assert first_calls.before(stored_number(f"{BLOCK}0001"), where, NOW).in_a_row == 1


numbers = st.sampled_from([f"{start}{last:04d}" for start in (BLOCK, OTHER) for last in (1, 2, 3, 1001)])
calls = st.lists(st.tuples(numbers, st.integers(1, 5), st.integers(0, 9000)), max_size=40)


@given(calls, st.integers(1, 12))
def test_first_calls_are_kept_in_bounded_memory(made: list[tuple[str, int, int]], most: int) -> None:
    first_calls = FirstCalls(most)
    for who, place, ago in made:
        first_calls.add(stored_number(who), did(place), NOW - ago)
    assert len(first_calls) <= most
    kept = [*first_calls._by_block.values(), *first_calls._by_place.values()]
    assert {call for found in kept for call in found} <= set(first_calls._calls)


@given(calls, numbers, st.integers(1, 5))
def test_neighbours_do_not_depend_on_the_order_of_calls(made: list[tuple[str, int, int]], who: str, place: int) -> None:
    """At a start, earlier calls are read from the journal while new ones arrive."""
    made = [(number, where, ago) for number, where, ago in made if ago <= 3600]
    found = [before(*some, number=who, place=place).neighbours for some in (made, made[::-1])]
    told = {number for number, where, _ in made if number[:-3] == who[:-3] and number != who and where != place}
    assert len(made) > KEPT_OF_BLOCK or found == [len(told)] * 2
