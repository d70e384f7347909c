"""Each simulated attack does what its description says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.accuracy.attacks import (
    HANG_UPS,
    MARKS,
    NOTHING,
    OWN_LIST,
    RELENTLESS,
    SLOW,
    SPLIT,
    SPOOFED,
    SPOOFED_BURSTS,
    attacked,
    colluders_of,
)
from benchmarks.accuracy.call_outcomes import Listing, Reading
from benchmarks.accuracy.callers import Attempt, Conduct
from benchmarks.accuracy.methods import MODEL, Model
from benchmarks.accuracy.office import Plan, Stream, instant, make_office, new_number, service, shadow_of
from benchmarks.accuracy.parameters import DAY_SECONDS, ESTABLISHED, STANDARD, Kind, Nature
from benchmarks.accuracy.reading import NEW, Cell, judge_calls, measure_attacks, thinned
from reputation.model import Level, Mark
from reputation.outcome import OutcomeRecord
from reputation.signals import was_hung_up_on

OFFICE = make_office(STANDARD, 5)
BEGIN = instant(STANDARD, 45.0)


def attack_on_silent_number(attack: str, count: int) -> tuple[list[Mark], list[OutcomeRecord]]:
    """Return the marks and calls of an attack on a number that never calls."""
    never_calls = Plan(Kind.SERVICE, service(OFFICE, 1).line, [])
    events = [event for _, event in shadow_of(OFFICE, attacked(OFFICE, never_calls, attack, count, 0))]
    return [e for e in events if isinstance(e, Mark)], [e for e in events if isinstance(e, OutcomeRecord)]


def attack_calls(attack: str, count: int, kind: Kind = Kind.NEW_PERSON) -> list[tuple[float, Attempt]]:
    """Return the calls that an attack adds to those of a new number."""
    events = attacked(OFFICE, new_number(OFFICE, kind, 0), attack, count, 0).events
    return [(at, e) for at, e in events if isinstance(e, Attempt) and not e.counted and at >= BEGIN + 6 * 3600]


@pytest.mark.parametrize("count", STANDARD.colluders)
def test_colluders_come_from_four_groups_or_more(count: int) -> None:
    users = colluders_of(OFFICE, "x", count)
    assert len({user.extension for user in users}) == count
    groups = Counter(user.group for user in users)
    assert len(groups) == {100: 5}.get(count, min(4, count))
    assert max(groups.values()) - min(groups.values()) <= 1


def test_more_colluders_include_the_fewer_ones() -> None:
    few = colluders_of(OFFICE, "x", 5)
    assert colluders_of(OFFICE, "x", 20)[:5] == few


@pytest.mark.parametrize("count", [1, 10, 40])
def test_each_colluder_marks_five_times_within_six_hours(count: int) -> None:
    marks, calls = attack_on_silent_number(MARKS, count)
    assert set(Counter(mark.reporter for mark in marks).values()) == {5}
    assert len(marks) == 5 * count
    assert all(BEGIN <= mark.at <= BEGIN + 6 * 3600 for mark in marks)
    assert calls == []


def test_each_colluder_also_hangs_up_once() -> None:
    marks, calls = attack_on_silent_number(HANG_UPS, 10)
    assert {call.answered_by for call in calls} == {mark.reporter for mark in marks}
    assert len(calls) == 10
    assert all(was_hung_up_on(call) and call.talk_seconds == 3.0 for call in calls)


def test_split_colluders_either_mark_or_hang_up() -> None:
    marks, calls = attack_on_silent_number(SPLIT, 10)
    markers, callees = {mark.reporter for mark in marks}, {call.answered_by for call in calls}
    assert (len(markers), len(callees)) == (5, 5)
    assert not markers & callees
    assert all(was_hung_up_on(call) for call in calls)


def test_split_colluders_hang_up_before_others_mark() -> None:
    marks, calls = attack_on_silent_number(SPLIT, 40)
    assert max(call.at for call in calls) < min(mark.at for mark in marks)


def test_a_slow_brigade_acts_once_a_day() -> None:
    marks, calls = attack_on_silent_number(SLOW, 10)
    days = [
        int((at - instant(STANDARD, 1.0)) // DAY_SECONDS) for at in [*(m.at for m in marks), *(c.at for c in calls)]
    ]
    assert sorted(days) == list(range(89))
    assert len({mark.reporter for mark in marks} | {call.answered_by for call in calls}) == 10


def test_relentless_colluders_hang_up_on_every_call() -> None:
    plan = attacked(OFFICE, new_number(OFFICE, Kind.NEW_PERSON, 0), RELENTLESS, 40, 0)
    colluders = {user.extension for user in colluders_of(OFFICE, 0, 40)}
    calls = [e for at, e in plan.events if isinstance(e, Attempt) and at >= BEGIN]
    assert all((e.conduct is Conduct.HANG_UP) == (e.user.extension in colluders) for e in calls)
    assert len(attack_calls(RELENTLESS, 40)) == 20 * 22


def test_colluders_with_an_own_list_entry_do_not_mark() -> None:
    plan = attacked(OFFICE, new_number(OFFICE, Kind.NEW_PERSON, 0), OWN_LIST, 10, 0)
    listed = {event.extension for _, event in plan.events if isinstance(event, Listing)}
    marked = {event.reporter for _, event in plan.events if isinstance(event, Mark)}
    assert len(listed) == len(marked) == 5
    assert not listed & marked


@pytest.mark.parametrize(("attack", "calls"), [(SPOOFED, 200), (SPOOFED_BURSTS, 400)])
def test_a_spoofed_number_is_shown_for_ten_days(attack: str, calls: int) -> None:
    found = [at for at, e in attack_calls(attack, 0) if e.line.nature in (Nature.ROBOT, Nature.ONE_RING)]
    assert len(found) == pytest.approx(calls, rel=0.2)
    assert max(found) < BEGIN + 10.5 * DAY_SECONDS
    probes = [
        at
        for at, event in attacked(OFFICE, new_number(OFFICE, Kind.NEW_PERSON, 0), attack, 2, 0).events
        if isinstance(event, Reading)
    ]
    assert len(probes) == 35


def readings(stream: Stream) -> list[float]:
    """Return the times at which calls are judged."""
    return [at for at, event in stream if isinstance(event, Reading)]


def test_all_calls_are_learnt_and_late_ones_are_judged() -> None:
    plan = service(OFFICE, 1)
    after, before = (shadow_of(OFFICE, attacked(OFFICE, plan, attack, 3, 0)) for attack in (MARKS, NOTHING))
    assert readings(after) == readings(before)
    assert min(readings(after)) >= BEGIN + 6 * 3600
    learnt, anyway = ([e for _, e in item if not isinstance(e, Reading)] for item in (after, before))
    assert len(learnt) == len(anyway) + 15


def test_a_new_number_is_a_day_old_and_calls_once_a_day() -> None:
    found = [new_number(OFFICE, Kind.NEW_MACHINE, n) for n in range(40)]
    calls = [at for plan in found for at, _ in plan.events]
    assert min(calls) >= instant(STANDARD, 44.0)
    assert len(calls) / 40 / 46 == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("attack", [MARKS, HANG_UPS])
def test_colluders_alone_get_no_number_rejected(attack: str) -> None:
    for plan in (service(OFFICE, 1), new_number(OFFICE, Kind.NEW_PERSON, 1)):
        stream = shadow_of(OFFICE, attacked(OFFICE, plan, attack, 40, 1))
        assert Level.REJECT not in set(judge_calls(stream, Model(), BEGIN))


def test_every_attack_is_counted_by_its_size() -> None:
    office = make_office(replace(STANDARD, attacked_established=1, attacked_new=2), 5)
    counts = measure_attacks(office, {MODEL: Model}, MARKS, (1, 3))
    assert set(counts) == {Cell(MODEL, target, MARKS, k) for target in (ESTABLISHED, NEW) for k in (1, 3)}
    read = {sum(counts[Cell(MODEL, NEW, MARKS, k)]) for k in (1, 3)}
    assert len(read) == 1


def test_a_thinned_stream_keeps_all_learnt_calls() -> None:
    stream = shadow_of(OFFICE, new_number(OFFICE, Kind.NEW_PERSON, 0))
    fewer = thinned(stream, 4)
    assert readings(fewer) == readings(stream)[::4]
    assert len(stream) - len(fewer) == len(readings(stream)) - len(readings(fewer))
    assert thinned(stream, 1) == stream
