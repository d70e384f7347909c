"""Attacks do what they are described to do, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.accuracy.attacks import HANG_UPS, MARKS, RING_OUTS, SLOW, SLOW_HANG_UPS, SPLIT, attacked, colluders_of
from benchmarks.accuracy.methods import MODEL, Model
from benchmarks.accuracy.office import Reading, Stream, instant, make_office, new_service, service
from benchmarks.accuracy.parameters import DAY_SECONDS, STANDARD, Kind
from benchmarks.accuracy.reading import ESTABLISHED, NEW, Cell, levels_of, measure_attacks, thinned
from reputation.model import Disposition, Level, Mark, OutcomeRecord
from reputation.signals import was_hung_up_on

OFFICE = make_office(STANDARD, 5)
BEGIN = instant(STANDARD, 45.0)


def added(attack: str, count: int) -> tuple[list[Mark], list[OutcomeRecord]]:
    """The marks and calls that the attack brings to a number that never calls."""
    events = [event for _, event in attacked(OFFICE, Stream(Kind.SERVICE, []), attack, count, 0).events]
    return [e for e in events if isinstance(e, Mark)], [e for e in events if isinstance(e, OutcomeRecord)]


@pytest.mark.parametrize("count", STANDARD.colluders)
def test_colluders_come_from_four_groups(count: int) -> None:
    users = colluders_of(OFFICE, OFFICE.chance("x"), count)
    assert len({user.extension for user in users}) == count
    groups = Counter(user.group for user in users)
    assert len(groups) == min(4, count)
    assert max(groups.values()) - min(groups.values()) <= 1


def test_more_colluders_are_the_same_and_others() -> None:
    few = colluders_of(OFFICE, OFFICE.chance("x"), 5)
    assert colluders_of(OFFICE, OFFICE.chance("x"), 20)[:5] == few


@pytest.mark.parametrize("count", [1, 10, 40])
def test_each_marks_five_times_within_six_hours(count: int) -> None:
    marks, calls = added(MARKS, count)
    assert set(Counter(mark.reporter for mark in marks).values()) == {5}
    assert len(marks) == 5 * count
    assert all(BEGIN <= mark.at <= BEGIN + 6 * 3600 for mark in marks)
    assert calls == []


def test_each_also_hangs_up_once() -> None:
    marks, calls = added(HANG_UPS, 10)
    assert {call.answered_by for call in calls} == {mark.reporter for mark in marks}
    assert len(calls) == 10
    assert all(was_hung_up_on(call) and call.talk_seconds == 3.0 for call in calls)


def test_each_also_lets_one_call_ring() -> None:
    _, calls = added(RING_OUTS, 10)
    assert len({call.rung for call in calls}) == len(calls) == 10
    assert all(call.disposition is Disposition.NO_ANSWER for call in calls)


def test_in_the_fourth_nobody_does_both() -> None:
    marks, calls = added(SPLIT, 10)
    markers, callees = {mark.reporter for mark in marks}, {call.answered_by for call in calls}
    assert (len(markers), len(callees)) == (5, 5)
    assert not markers & callees
    assert all(was_hung_up_on(call) for call in calls)


@pytest.mark.parametrize(("attack", "calls"), [(SLOW, 0), (SLOW_HANG_UPS, 30)])
def test_a_slow_brigade_marks_once_a_day(attack: str, calls: int) -> None:
    marks, taken = added(attack, 30)
    assert [int((mark.at - BEGIN) // DAY_SECONDS) for mark in marks] == list(range(30))
    assert len({mark.reporter for mark in marks}) == 30
    assert len(taken) == calls


def test_all_calls_are_learnt_from_and_late_ones_are_read() -> None:
    stream = service(OFFICE, 0)
    after = attacked(OFFICE, stream, MARKS, 3, 0)
    read = [at for at, event in after.events if isinstance(event, Reading)]
    assert min(read) >= BEGIN + 6 * 3600
    learnt = [event for _, event in stream.events if not isinstance(event, Reading)]
    assert all(event in [e for _, e in after.events] for event in learnt[:20])
    assert sum(not isinstance(event, Reading) for _, event in after.events) == len(learnt) + 15


def test_a_new_number_is_a_day_old_and_calls_once_a_day() -> None:
    found = [new_service(OFFICE, n) for n in range(40)]
    calls = [at for stream in found for at, event in stream.events if isinstance(event, Reading)]
    assert min(calls) >= instant(STANDARD, 44.0)
    assert len(calls) / 40 / 46 == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("attack", [MARKS, HANG_UPS, RING_OUTS, SLOW_HANG_UPS])
def test_colluders_who_each_do_the_same_get_no_number_rejected(attack: str) -> None:
    for make in (service, new_service):
        stream = attacked(OFFICE, make(OFFICE, 1), attack, 40, 1)
        assert Level.REJECT not in set(levels_of(stream, Model(), BEGIN))


def test_every_attack_is_counted_by_its_size() -> None:
    office = make_office(replace(STANDARD, attacked_established=1, attacked_new=2), 5)
    counts = measure_attacks(office, {MODEL: Model}, MARKS, (1, 3))
    assert set(counts) == {Cell(MODEL, target, MARKS, k) for target in (ESTABLISHED, NEW) for k in (1, 3)}
    read = {sum(counts[Cell(MODEL, NEW, MARKS, k)]) for k in (1, 3)}
    assert len(read) == 1


def test_a_thinned_stream_is_learnt_from_whole() -> None:
    stream = new_service(OFFICE, 0)
    fewer = thinned(stream, 4)
    readings, kept = ([at for at, event in one.events if isinstance(event, Reading)] for one in (stream, fewer))
    assert kept == readings[::4]
    assert len(stream.events) - len(fewer.events) == len(readings) - len(kept)
    assert thinned(stream, 1) == stream
