"""The kept suspects of a block always equal a scan of the whole block."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from reputation.families.block import is_bad, may_be_bad
from reputation.memory_store import MemoryStore, Neighbours
from reputation.model import AuthClass, Direction, Mark, MarkChannel, Verdict
from reputation.numbers import block_of
from reputation.outcome import OutcomeRecord
from reputation.weights import Weights
from tests.reputation.histories import HOUR, KEEN, LATER, NUMBERS, classes, histories
from tests.reputation.store_builders import CALLER, DAY, NOW, make_outcome

UNKNOWN = AuthClass.UNKNOWN


def apply_item(ledger: MemoryStore, one: OutcomeRecord | Mark) -> None:
    ledger.add_mark(one) if isinstance(one, Mark) else ledger.learn(one)


def bad_in_block(ledger: MemoryStore, number: str, auth_class: AuthClass, now: float, weights: Weights) -> int:
    """Count the bad neighbours by a scan of the whole block."""
    neighbours = [
        number_ for number_ in ledger.numbers() if block_of(number_) == block_of(number) and number_ != number
    ]
    return sum(is_bad(ledger.standing(neighbour, auth_class), weights, now) for neighbour in neighbours)


@given(histories, st.lists(st.tuples(st.sampled_from(NUMBERS), classes), max_size=14), st.sampled_from([0.0, 40 * DAY]))
def test_bad_neighbours_equal_a_scan_of_the_block(
    history: Sequence[OutcomeRecord | Mark], asked: Sequence[tuple[str, AuthClass]], later: float
) -> None:
    """However often and in which class they are queried meanwhile."""
    ledger = MemoryStore(KEEN)
    for index, one in enumerate(history):
        apply_item(ledger, one)
        for number, auth_class in [asked[index]] if index < len(asked) else []:
            for now in (NOW + HOUR, LATER + later):
                found = ledger.evidence(number, auth_class, now).bad_neighbours
                assert found == min(bad_in_block(ledger, number, auth_class, now, KEEN), KEEN.block.many)
    for number in NUMBERS:
        for auth_class in AuthClass:
            found = ledger.evidence(number, auth_class, LATER + later).bad_neighbours
            assert found == min(bad_in_block(ledger, number, auth_class, LATER + later, KEEN), KEEN.block.many)


@given(histories, classes)
def test_a_number_left_out_is_never_bad(history: Sequence[OutcomeRecord | Mark], auth_class: AuthClass) -> None:
    ledger = MemoryStore(KEEN)
    for item in history:
        apply_item(ledger, item)
    for number in ledger.numbers():
        standing = ledger.standing(number, auth_class)
        if standing is not None and not may_be_bad(standing, KEEN):
            assert not any(is_bad(standing, KEEN, standing.at + days * DAY) for days in (0, 1, 10, 59))


def test_only_changed_numbers_are_checked_again() -> None:
    looked_at: list[str] = []

    def may_be_bad(number: str, _auth_class: AuthClass) -> bool:
        looked_at.append(number)
        return number.endswith("1")

    neighbours = Neighbours(may_be_bad)
    block = CALLER[:-3]
    for number in (f"{block}001", f"{block}002", f"{block}011"):
        neighbours.move(number)
    assert looked_at == []
    assert sorted(neighbours.suspects(block, UNKNOWN)) == [f"{block}001", f"{block}011"]
    neighbours.move(f"{block}002")
    looked_at.clear()
    assert sorted(neighbours.suspects(block, UNKNOWN)) == [f"{block}001", f"{block}011"]
    assert looked_at == [f"{block}002"]


def test_a_retracted_mark_clears_a_suspect() -> None:
    ledger = MemoryStore(KEEN)
    spam = [Mark(number, UNKNOWN, "201", Verdict.SPAM, NOW, MarkChannel.EXTENSION) for number in NUMBERS[:2]]
    for mark in spam:
        ledger.add_mark(mark)
    assert ledger.evidence(NUMBERS[2], UNKNOWN, NOW).bad_neighbours == 2
    ledger.add_mark(Mark(NUMBERS[0], UNKNOWN, "201", Verdict.RETRACTED, NOW + 1, MarkChannel.EXTENSION))
    assert ledger.evidence(NUMBERS[2], UNKNOWN, NOW + 1).bad_neighbours == 1


def test_a_late_one_ring_call_cancels_the_call_back() -> None:
    """In every class, and also for numbers that were queried before."""
    ledger = MemoryStore(KEEN)
    ledger.learn(make_outcome("c1", NOW + 60, talk=90.0, by="201", direction=Direction.OUTBOUND))
    before = [ledger.standing(CALLER, auth_class) for auth_class in AuthClass]
    ledger.learn(make_outcome("c2", NOW, ring=1.0))
    fresh = MemoryStore(KEEN)
    for outcome in (
        make_outcome("c2", NOW, ring=1.0),
        make_outcome("c1", NOW + 60, talk=90.0, by="201", direction=Direction.OUTBOUND),
    ):
        fresh.learn(outcome)
    after = [ledger.standing(CALLER, auth_class) for auth_class in AuthClass]
    assert after == [fresh.standing(CALLER, auth_class) for auth_class in AuthClass] != before
