"""Machines that hang up after a fixed time, and people who do not: how often one is counted as the other."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.model import Direction, EndedBy
from reputation.outcome import OutcomeRecord
from reputation.own.daily_counts import LEAST_CALLS, is_machine, machine_hang_ups
from reputation.store.database import open_store
from reputation.store.outcomes import record_outcomes
from reputation.store.own_health import own_health
from reputation.store.transaction import transaction
from tests.reputation.own_campaigns import MIDNIGHT, OWN, person
from tests.reputation.store_builders import DAY, make_outcome

TEN = MIDNIGHT + 2 * DAY + 10 * 3600  # a Monday
# A carrier's users took 8.67 s on average to answer (tawkon, April 2013: tawkon.com/blog/en/ring_time).
MEAN_ANSWER_SECONDS, SPREAD = 8.67, 0.6


def ended_there(number: int, talk: float, **others: Any) -> OutcomeRecord:
    about: dict[str, Any] = {"dialled": person(number), "own_number": OWN, "ended_by": EndedBy.CALLEE, **others}
    return make_outcome(f"c{number}", TEN + number, by="201", talk=talk, direction=Direction.OUTBOUND, **about)


def calls_of(times: list[float]) -> list[OutcomeRecord]:
    return [ended_there(n, talk) for n, talk in enumerate(times)]


def machine_calls(calls: list[OutcomeRecord]) -> set[str]:
    return {linkedid for heap in machine_hang_ups(calls) for linkedid in heap.linkedids}


Chance = random.Random


def hang_up(chance: Chance) -> float:
    """One in five hangs up within seconds. The others talk."""
    return 0.3 + chance.gammavariate(2.0, 1.6) if chance.random() < 0.2 else chance.lognormvariate(4.0, 0.9)


def hears_a_notice(chance: Chance) -> float:
    """Half of them hang up when they hear that the call is recorded, 4.8 s after the answer."""
    return 4.8 + chance.lognormvariate(0.0, 0.4) if chance.random() < 0.5 else hang_up(chance)


def hangs_up_at_once(chance: Chance) -> float:
    return 0.5 + chance.lognormvariate(0.3, 0.4)


@pytest.mark.parametrize("person_hangs_up", [hang_up, hears_a_notice, hangs_up_at_once])
@pytest.mark.parametrize("calls", [200, 2000, 10_000])
def test_hang_ups_of_people_are_not_counted_as_machines(
    person_hangs_up: Callable[[Chance], float], calls: int, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(16)
    rounds = 40_000 // calls
    wrongly = sum(len(machine_calls(calls_of([person_hangs_up(chance) for _ in range(calls)]))) for _ in range(rounds))
    share = wrongly / (calls * rounds)
    record_property("people taken for machines", share)
    assert share <= 0.001


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_machines_that_hang_up_on_time_are_found(share: float, record_property: Callable[[str, object], None]) -> None:
    """A call screener hangs up after 12.4 s and a mailbox after 7.1 s, among a thousand calls."""
    chance = random.Random(16)
    people = calls_of([hang_up(chance) for _ in range(1000)])
    count = round(1000 * share)
    machines = [
        ended_there(2000 + n, chance.choice([12.4, 7.1]) + chance.gauss(0.0, 0.03)) for n in range(max(count, 40))
    ]
    found = machine_calls([*people, *machines])
    of_machines = len(found & {machine.linkedid for machine in machines}) / len(machines)
    of_people = len(found & {person_.linkedid for person_ in people}) / len(people)
    record_property("machines found", of_machines)
    record_property("people taken for machines", of_people)
    assert of_machines >= 0.9
    assert of_people <= 0.01


def test_answers_of_people_are_not_counted_as_machines(record_property: Callable[[str, object], None]) -> None:
    """The ringing is counted from the 180. What a network sends before it changes nothing."""
    chance = random.Random(16)
    median = MEAN_ANSWER_SECONDS / 2.718281828 ** (SPREAD**2 / 2)
    answers = [ended_there(n, 60.5, ring=median * chance.lognormvariate(0.0, SPREAD)) for n in range(100_000)]
    share = sum(map(is_machine, answers)) / len(answers)
    record_property("people's answers taken for machines", share)
    assert share <= 0.01


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([ended_there(n, 7.0) for n in range(100)], id="whole-seconds-of-call-detail-records"),
        pytest.param([ended_there(n, 7.1, ended_by=EndedBy.CALLER) for n in range(100)], id="ended-by-the-caller"),
        pytest.param([ended_there(n, 7.1, complete=False) for n in range(100)], id="incomplete"),
        pytest.param([ended_there(n, 1800.1) for n in range(100)], id="after-half-an-hour"),
        pytest.param([ended_there(n, 7.1) for n in range(LEAST_CALLS - 1)], id="few"),
        pytest.param([ended_there(n, 7.1, ring=1.0) for n in range(100)], id="answered-at-once"),
    ],
)
def test_other_hang_ups_are_no_cluster(calls: list[OutcomeRecord]) -> None:
    assert machine_hang_ups(calls) == ()


@given(times=st.lists(st.integers(0, 400).map(lambda n: n / 40 + 0.001), max_size=80), seed=st.integers(0, 99))
def test_clusters_do_not_overlap_or_depend_on_order(times: list[float], seed: int) -> None:
    calls = calls_of(times)
    heaps = machine_hang_ups(calls)
    assert sum(len(heap.linkedids) for heap in heaps) == len(machine_calls(calls))
    assert all(len(heap.linkedids) >= LEAST_CALLS for heap in heaps)
    random.Random(seed).shuffle(calls)
    assert machine_hang_ups(calls) == heaps


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        yield opened


def test_machine_hang_ups_are_neither_answered_nor_short(db: sqlite3.Connection) -> None:
    """Forty mailboxes hang up after 4.3 s, and sixty people talk."""
    chance = random.Random(16)
    mailboxes = [ended_there(n, 4.3 + chance.uniform(-0.05, 0.05)) for n in range(40)]
    people = [ended_there(100 + n, chance.uniform(30.0, 300.0)) for n in range(60)]
    with transaction(db):
        record_outcomes(db, [*mailboxes, *people], TEN + 600)
    health = own_health(db, OWN, TEN + DAY)
    judged = health.judged
    assert (judged.attempts, judged.answered, judged.short, judged.machine) == (100, 60, 0, 40)
    assert "short" not in {reason.measure for reason in health.reasons}
    assert [(round(seconds, 1), calls) for seconds, calls in health.facts.hang_ups] == [(4.3, 40)]
    assert "40 calls were ended by the other side after 4.3 s" in str(health.notes[-1])
