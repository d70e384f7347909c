"""Run the methods over the streams of one seed, and count the levels. In shadow: what is decided changes nothing.

measure_office(office, methods) -> Counts          every number, after the first days
measure_attacks(office, methods, plan) -> Counts   attacked service numbers, after the attack
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from benchmarks.accuracy.attacks import attacked
from benchmarks.accuracy.methods import Method
from benchmarks.accuracy.office import Office, Reading, Stream, new_service, service, streams
from benchmarks.accuracy.parameters import DAY_SECONDS, START
from reputation.model import Level, Mark

ESTABLISHED, NEW = "established", "new"


class Cell(NamedTuple):
    """One thing counted: a method, and the calls it was read on. `colluders` is 0 where nobody attacked."""

    method: str
    calls: str
    attack: str = ""
    colluders: int = 0


Counts = dict[Cell, list[int]]  # how many calls had each level, weakest first
Methods = Mapping[str, Callable[[], Method]]


def levels_of(stream: Stream, method: Method, read_from: float) -> Iterator[Level]:
    """The level at each inbound call from an instant on."""
    for at, event in stream.events:
        if isinstance(event, Reading):
            if at >= read_from:
                yield method.level(event.callee, at)
        elif isinstance(event, Mark):
            method.add_mark(event)
        else:
            method.learn(event)


def measure_office(office: Office, methods: Methods) -> Counts:
    """Every number of the office."""
    read_from = START + office.parameters.read_from_day * DAY_SECONDS
    counts: Counts = {}
    for stream in streams(office):
        for name, make in methods.items():
            _count(counts, Cell(name, stream.kind), levels_of(stream, make(), read_from))
    return counts


def measure_attacks(office: Office, methods: Methods, attack: str, colluders: Iterable[int]) -> Counts:
    """Established and new service numbers, each attacked by so many in turn."""
    counts: Counts = {}
    p = office.parameters
    for target, make_stream, numbers, every in (
        (ESTABLISHED, service, p.attacked_established, p.established_read_every),
        (NEW, new_service, p.attacked_new, 1),
    ):
        for place in range(numbers):
            stream = make_stream(office, place)
            for count in colluders:
                after = thinned(attacked(office, stream, attack, count, place), every)
                for name, make in methods.items():
                    _count(counts, Cell(name, target, attack, count), levels_of(after, make(), START))
    return counts


def thinned(stream: Stream, every: int) -> Stream:
    """Only every so-manyth call is read, and all are learnt from."""
    readings = [dated for dated in stream.events if isinstance(dated[1], Reading)]
    left_out = set(readings) - set(readings[::every])
    return stream._replace(events=[dated for dated in stream.events if dated not in left_out])


def _count(counts: Counts, cell: Cell, levels: Iterable[Level]) -> None:
    row = counts.setdefault(cell, [0] * len(Level))
    for level in levels:
        row[level] += 1
