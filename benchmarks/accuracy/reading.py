"""Lets each method judge calls without screening, and counts the levels that it returns. No decision changes a call.

measure_office(office, methods) -> Counts                       all numbers, after the first days
measure_attacks(office, methods, attack, colluders) -> Counts   attacked numbers, after the attack
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from benchmarks.accuracy.attacks import attacked
from benchmarks.accuracy.call_outcomes import Reading
from benchmarks.accuracy.methods import Method
from benchmarks.accuracy.office import Office, Stream, established, new_number, plans, shadow_of
from benchmarks.accuracy.parameters import DAY_SECONDS, ESTABLISHED, START, Kind
from reputation.model import Level, Mark
from reputation.outcome import OutcomeRecord

NEW = Kind.NEW_PERSON.value


class Cell(NamedTuple):
    """The key of a count: method or policy, kind of calls, attack, and how many colluders (0 without an attack)."""

    method: str
    calls: str
    attack: str = ""
    colluders: int = 0


Counts = dict[Cell, list[int]]  # number of calls per level, lowest level first
Methods = Mapping[str, Callable[[], Method]]


def judge_calls(stream: Stream, method: Method, read_from: float) -> Iterator[Level]:
    """Yield the method's level at each incoming call from the time `read_from` on."""
    for at, event in stream:
        if isinstance(event, Reading):
            if at >= read_from:
                yield method.level(event.callee, at)
        elif isinstance(event, Mark):
            method.add_mark(event)
        elif isinstance(event, OutcomeRecord):
            method.learn(event)


def measure_office(office: Office, methods: Methods) -> Counts:
    """Count how often each method returns each level, for the calls of all numbers that call the office."""
    read_from = START + office.parameters.read_from_day * DAY_SECONDS
    counts: Counts = {}
    for plan in plans(office):
        stream = shadow_of(office, plan)
        for name, make in methods.items():
            _count(counts, Cell(name, plan.kind), judge_calls(stream, make(), read_from))
    return counts


def measure_attacks(office: Office, methods: Methods, attack: str, colluders: Iterable[int]) -> Counts:
    """Count how often each method returns each level for calls of attacked numbers, by count of colluders.

    New and established numbers are attacked.
    """
    counts: Counts = {}
    p = office.parameters
    planned = [
        (ESTABLISHED, established(office, n), n, p.established_read_every) for n in range(p.attacked_established)
    ]
    planned += [(NEW, new_number(office, Kind.NEW_PERSON, n), n, 1) for n in range(p.attacked_new)]
    for target, plan, place, every in planned:
        for count in colluders:
            after = thinned(shadow_of(office, attacked(office, plan, attack, count, place)), every)
            for name, make in methods.items():
                _count(counts, Cell(name, target, attack, count), judge_calls(after, make(), START))
    return counts


def thinned(stream: Stream, every: int) -> Stream:
    """Return the events with only every n-th event at which methods must judge a call.

    Methods still learn from all calls.
    """
    readings = [dated for dated in stream if isinstance(dated[1], Reading)]
    left_out = set(readings) - set(readings[::every])
    return [dated for dated in stream if dated not in left_out]


def _count(counts: Counts, cell: Cell, levels: Iterable[Level]) -> None:
    row = counts.setdefault(cell, [0] * len(Level))
    for level in levels:
        row[level] += 1
