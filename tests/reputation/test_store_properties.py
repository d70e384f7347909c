"""The properties of docs/contributing/model.md, through the store's file (1, 2 and 4 are in test_store_standing.py).

On the pure functions they are in test_model.py.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.families.counts import ONE_RING, SHOWN
from reputation.model import AuthClass, Direction, EndedBy, Level, Mark, MarkChannel, Reputation, Verdict
from reputation.outcome import OutcomeRecord
from reputation.store.evidence_rows import signals_of
from tests.reputation.histories import (
    LATER,
    NUMBERS,
    apply,
    calls,
    classes,
    empty_store,
    histories,
    known,
    people,
    said,
)
from tests.reputation.store_builders import DAY, NOW, make_outcome

numbers = st.sampled_from(NUMBERS)
NEWCOMER = "209"


def spam(number: str, reporter: str, auth_class: AuthClass, at: float) -> Mark:
    return Mark(number, auth_class, reporter, Verdict.SPAM, at, MarkChannel.EXTENSION)


def signal_log_odds(reputation: Reputation) -> dict[str, float]:
    """Return the log-odds of families that calls showed against a number."""
    return {family.name: family.log_odds for family in reputation.families if family.name in {*SHOWN, ONE_RING}}


def is_alarmed(reputation: Reputation) -> bool:
    return any("burst" in dict(family.counts) for family in reputation.families)


@st.composite
def crowds(draw: st.DrawFn) -> list[Mark]:
    """More people than an office has, each with evidence about a few numbers."""
    found = draw(st.lists(said(), max_size=40))
    return [replace(mark, reporter=f"{300 + n}") for n, mark in enumerate(found)]


@given(crowds())
def test_any_number_of_marks_stays_below_challenge(found: list[Mark]) -> None:
    with closing(empty_store()) as db:
        apply(db, found)
        levels = {known(db, number, auth_class).reputation.level for number in NUMBERS for auth_class in AuthClass}
        assert max(levels) <= Level.WARN


@st.composite
def snubs(draw: st.DrawFn, number: str, auth_class: AuthClass) -> OutcomeRecord:
    """A person hangs up on the number, or lets it ring."""
    who = draw(people)
    deed: dict[str, Any] = draw(
        st.sampled_from([{"by": who, "talk": 3.0, "ended_by": EndedBy.CALLEE}, {"rung": (who,), "ring": 20.0}])
    )
    name, at = f"snub{draw(st.integers(0, 1000))}", NOW + DAY * draw(st.integers(0, 3))
    return make_outcome(name, at, caller=number, auth_class=auth_class, source="cdr", **deed)


@given(histories, numbers, classes, st.data())
def test_people_who_marked_a_number_count_in_no_other_family(
    found: list[Any], number: str, auth_class: AuthClass, data: st.DataObject
) -> None:
    marked = [spam(number, who, auth_class, LATER - DAY) for who in ("201", "202", "203")]
    deeds = data.draw(st.lists(snubs(number, auth_class), max_size=6, unique_by=lambda snub: snub.linkedid))
    with closing(empty_store()) as db:
        apply(db, [*found, *marked])
        before = known(db, number, auth_class).reputation
        apply(db, deeds)
        assert signal_log_odds(known(db, number, auth_class).reputation) == pytest.approx(
            signal_log_odds(before), abs=1e-9
        )


@given(histories, numbers, classes)
def test_one_more_mark_never_lowers_log_odds(found: list[Any], number: str, auth_class: AuthClass) -> None:
    """Outside a burst alarm."""
    with closing(empty_store()) as db:
        apply(db, found)
        before = known(db, number, auth_class).reputation
        apply(db, [spam(number, NEWCOMER, auth_class, LATER)])
        after = known(db, number, auth_class).reputation
        assert after.log_odds >= before.log_odds - 1e-9 or is_alarmed(after)


@given(histories, numbers, classes, st.integers(0, 96))
def test_one_more_call_back_never_raises_log_odds(
    found: list[Any], number: str, auth_class: AuthClass, hours_before: int
) -> None:
    back = make_outcome(
        "back",
        LATER - 3600.0 * hours_before,
        by=NEWCOMER,
        talk=40.0,
        direction=Direction.OUTBOUND,
        dialled=number,
        source="cdr",
    )
    with closing(empty_store()) as db:
        apply(db, found)
        before = known(db, number, auth_class).reputation
        apply(db, [back])
        after = known(db, number, auth_class).reputation
        assert after.log_odds <= before.log_odds + 1e-9 or is_alarmed(before)


@given(calls())
def test_one_call_is_at_most_one_signal(outcome: OutcomeRecord) -> None:
    everybody = tuple(str(200 + n) for n in range(20))
    with closing(empty_store()) as db:
        apply(db, [outcome._replace(linkedid="c", rung=everybody, forked=20)])
        assert sum(len(signals_of(db, number)) for number in NUMBERS) <= 1
