"""Runs the simulation for one seed, or for many seeds on all cores at low priority."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from itertools import product, repeat
from math import inf
from typing import Any, TypeVar

from msgspec import convert, to_builtins
from rich.console import Console
from rich.progress import track

from benchmarks.accuracy.attacks import HANG_UPS, MARKS, OWN_LIST, RELENTLESS, SLOW, SPLIT, SPOOFING, attacked
from benchmarks.accuracy.call_outcomes import NUMBER
from benchmarks.accuracy.closed_loop import Tally, tally_of
from benchmarks.accuracy.methods import BASELINES, MODEL, Model
from benchmarks.accuracy.office import Office, Plan, established, established_machine, make_office, new_number, plans
from benchmarks.accuracy.offices import ATTACKS, OFFICES
from benchmarks.accuracy.parameters import (
    DAY_SECONDS,
    ESTABLISHED,
    ESTABLISHED_MACHINE,
    SPAM_NATURES,
    STANDARD,
    START,
    Kind,
)
from benchmarks.accuracy.reading import Cell, Counts, Methods, measure_attacks, measure_office
from benchmarks.accuracy.screening import STRICT, Screening
from reputation.model import Identity
from reputation.weights import DEFAULT, Weights

FIRST_SEED = 2001  # the first published seed; 1 to 999 are for fitting, 1001 to 1999 for development
COLLUDERS = STANDARD.colluders
OURS: Methods = {MODEL: Model}
Tallies = dict[Cell, Tally]
Closed = dict[str, list[Tallies]]  # by the name of the office, one per seed
LONG = SPOOFING | {RELENTLESS, OWN_LIST, SLOW}
ESTABLISHED_LINES = {ESTABLISHED: established, ESTABLISHED_MACHINE: established_machine}


def weights_with(changes: str) -> Weights:
    """Return the weights after changes such as `levels.challenge=4.2,sample.every=8`. Raise KeyError or ValueError."""
    values: dict[str, Any] = to_builtins(DEFAULT)
    for change in filter(None, changes.split(",")):
        path, _, value = change.partition("=")
        *tables, key = path.split(".")
        table = reduce(lambda level, name: level[name], tables, values)
        table[key] = type(table[key])(value)
    return convert(values, Weights, strict=False)


def seeds_of(text: str) -> Sequence[int]:
    """Return the seeds in a text such as `7` or `1-6`. Raise ValueError if the text is invalid."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def measure_shadow(seed: int) -> Counts:
    """Count the levels that CallSieve's model and the simple methods return if no call is screened."""
    office = make_office(STANDARD, seed)
    methods = {**BASELINES, **OURS}
    return {
        **measure_office(office, methods),
        **measure_attacks(office, methods, MARKS, COLLUDERS),
        **measure_attacks(office, OURS, HANG_UPS, COLLUDERS),
        **measure_attacks(office, OURS, SPLIT, COLLUDERS),
    }


def measure_closed(name: str, seed: int, weights: Weights = DEFAULT) -> Tallies:
    """Simulate an office with the policy `strict`, and attacks on numbers that call it.

    Decisions change later calls.
    """
    office = make_office(OFFICES[name], seed)
    tallies: Tallies = {}
    for plan in plans(office):
        tally = play(office, plan, weights)
        for calls in (plan.kind.value, nature_of(plan)):
            tallies.setdefault(Cell(STRICT, calls), Tally()).update(tally)
    return tallies | attacks_of(office, name, weights)


def play(office: Office, plan: Plan, weights: Weights, read_from: float | None = None) -> Tally:
    """Simulate the calls of a number, and count how they ended."""
    p, line = office.parameters, plan.line
    proven = p.spam_identity if line.nature in SPAM_NATURES else 0
    identity = Identity(NUMBER, "Invented", proven, inf) if proven else None
    if read_from is None:
        read_from = START + p.read_from_day * DAY_SECONDS
    return tally_of(office, plan, Screening(STRICT, p, weights, identity, line.listed), read_from)


def nature_of(plan: Plan) -> str:
    """Return the kind and nature of a number, such as `spam: robot`."""
    return f"{plan.kind}: {plan.line.nature}"


def attacks_of(office: Office, name: str, weights: Weights) -> Tallies:
    """Simulate every attack on each kind of number that calls this office."""
    tallies: Tallies = {}
    for attack, counts, targets in ATTACKS.get(name, ()):
        for target in targets:
            for place, plan in enumerate(victims(office, target, attack)):
                for count in counts:
                    tally = play(office, attacked(office, plan, attack, count, place), weights, START)
                    tallies.setdefault(Cell(STRICT, target, attack, count), Tally()).update(tally)
    return tallies


def victims(office: Office, target: str, attack: str) -> Iterator[Plan]:
    """Yield the plans of the numbers that an attack targets."""
    p = office.parameters
    if target in ESTABLISHED_LINES:
        return (ESTABLISHED_LINES[target](office, n) for n in range(p.attacked_established))
    numbers = p.attacked_again if attack in LONG else p.attacked_new
    first_day = 0.0 if attack == SLOW else None
    return (new_number(office, Kind(target), n, first_day) for n in range(numbers))


def measure_all(
    seeds: Sequence[int], names: Iterable[str] = OFFICES, weights: Weights = DEFAULT, workers: int | None = None
) -> Closed:
    """Simulate these offices with each seed, and show progress on stderr. Decisions change later calls."""
    jobs = list(product(seeds, names))
    each, offices = [seed for seed, _ in jobs], [name for _, name in jobs]
    closed: Closed = {}
    with ProcessPoolExecutor(workers, initializer=os.nice, initargs=(10,)) as pool:
        measured = pool.map(measure_closed, offices, each, repeat(weights))
        for name, tallies in zip(offices, with_progress(measured, "closed loop", len(jobs)), strict=True):
            closed.setdefault(name, []).append(tallies)
    return closed


def measure_shadows(seeds: Sequence[int], workers: int | None = None) -> list[Counts]:
    with ProcessPoolExecutor(workers, initializer=os.nice, initargs=(10,)) as pool:
        return list(with_progress(pool.map(measure_shadow, seeds), "shadow", len(seeds)))


T = TypeVar("T")


def with_progress(results: Iterable[T], what: str, count: int) -> Iterable[T]:
    """Yield the results, and show a progress bar on stderr. `what`: its label.

    `count`: how many results there will be.
    """
    return track(results, what, count, console=Console(stderr=True), transient=True)
