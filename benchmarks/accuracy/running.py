"""What is measured for a seed, and all seeds on all cores, politely."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from math import inf
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.progress import track

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
)
from benchmarks.accuracy.closed_loop import Tally, tally_of
from benchmarks.accuracy.happening import NUMBER
from benchmarks.accuracy.methods import BASELINES, MODEL, Model
from benchmarks.accuracy.office import Office, Plan, established, make_office, new_number, plans
from benchmarks.accuracy.offices import COLD, OFFICES, STANDARD_NAME, reduced
from benchmarks.accuracy.parameters import DAY_SECONDS, NEW_KINDS, SPAM_NATURES, STANDARD, START, Kind
from benchmarks.accuracy.reading import ESTABLISHED, Cell, Counts, Methods, measure_attacks, measure_office
from benchmarks.accuracy.screening import BALANCED, STRICT, Screening
from reputation.model import Identity
from reputation.weights import DEFAULT, Weights

FIRST_SEED = 1001  # seeds below are for tuning, and are never published
A_FIFTH = 5  # one seed in so many is also measured in the offices that differ, but for the cold one
COLLUDERS = STANDARD.colluders
SOME = (2, 10, 40, 100)
SPOOFERS = (0, 2)  # the outsider alone, and with two insiders

OURS: Methods = {MODEL: Model}
Tallies = dict[Cell, Tally]
# The attacks of the closed loop, by how many, on whom.
AttackPlan = Sequence[tuple[str, Sequence[int], Sequence[str]]]
ON_ALL = (*NEW_KINDS, ESTABLISHED)
ATTACK_PLAN: AttackPlan = (
    (NOTHING, (0,), NEW_KINDS),
    (MARKS, COLLUDERS, NEW_KINDS),
    (SPLIT, COLLUDERS, NEW_KINDS),
    (RELENTLESS, COLLUDERS, NEW_KINDS),
    (OWN_LIST, SOME, NEW_KINDS),
    (SLOW, SOME, NEW_KINDS),
    (MARKS, SOME, (ESTABLISHED,)),
    (SPLIT, SOME, (ESTABLISHED,)),
    (RELENTLESS, SOME, (ESTABLISHED,)),
    (SPOOFED, SPOOFERS, ON_ALL),
    (SPOOFED_BURSTS, SPOOFERS, ON_ALL),
)
FEW_ATTACKS: AttackPlan = ((NOTHING, (0,), NEW_KINDS), (SPLIT, (5, 10, 40), NEW_KINDS))
LONG = frozenset({RELENTLESS, OWN_LIST, SLOW, SPOOFED, SPOOFED_BURSTS})


class Results(NamedTuple):
    """The standard office in shadow, and the closed loop by the name of the office: one a seed."""

    shadow: list[Counts]
    closed: dict[str, list[Tallies]]


def measure_shadow(seed: int) -> Counts:
    """The simple methods and the model, judged where nobody screens."""
    office = make_office(STANDARD, seed)
    methods = {**BASELINES, **OURS}
    return {
        **measure_office(office, methods),
        **measure_attacks(office, methods, MARKS, COLLUDERS),
        **measure_attacks(office, OURS, HANG_UPS, COLLUDERS),
        **measure_attacks(office, OURS, SPLIT, COLLUDERS),
    }


def measure_closed(name: str, seed: int, weights: Weights = DEFAULT) -> Tallies:
    """One office with `strict`, which does most; of the standard one what `balanced` does with spam besides."""
    is_whole = name in (STANDARD_NAME, COLD)
    office = make_office(OFFICES[name] if is_whole else reduced(OFFICES[name]), seed)
    tallies: Tallies = {}
    for plan in plans(office):
        add(tallies, STRICT, plan, play(office, plan, STRICT, weights))
        if name == STANDARD_NAME and plan.kind is Kind.SPAM:
            add(tallies, BALANCED, plan, play(office, plan, BALANCED, weights))
    return tallies | attacks_of(office, ATTACK_PLAN if name == STANDARD_NAME else FEW_ATTACKS, weights)


def play(office: Office, plan: Plan, preset: str, weights: Weights, read_from: float | None = None) -> Tally:
    """One number's calls."""
    p = office.parameters
    proven = p.spam_identity if plan.line.nature in SPAM_NATURES else 0
    identity = Identity(NUMBER, "Invented", proven, inf) if proven else None
    if read_from is None:
        read_from = START + p.read_from_day * DAY_SECONDS
    return tally_of(office, plan, Screening(preset, p, weights, identity), read_from)


def add(tallies: Tallies, method: str, plan: Plan, tally: Tally) -> None:
    """To the sums of its kind, and of what it is."""
    for calls in (plan.kind.value, nature_of(plan)):
        tallies.setdefault(Cell(method, calls), Tally()).update(tally)


def nature_of(plan: Plan) -> str:
    """`spam: robot`."""
    return f"{plan.kind}: {plan.line.nature}"


def attacks_of(office: Office, attack_plan: AttackPlan, weights: Weights) -> Tallies:
    """Every attack on so many numbers of each kind."""
    tallies: Tallies = {}
    for attack, counts, targets in attack_plan:
        for target in targets:
            for place, plan in enumerate(victims(office, target, attack)):
                for count in counts:
                    after = attacked(office, plan, attack, count, place)
                    tally = play(office, after, STRICT, weights, START)
                    tallies.setdefault(Cell(STRICT, target, attack, count), Tally()).update(tally)
    return tallies


def victims(office: Office, target: str, attack: str) -> Iterator[Plan]:
    """The numbers that are attacked."""
    p = office.parameters
    if target == ESTABLISHED:
        return (established(office, n) for n in range(p.attacked_established))
    numbers = p.attacked_again if attack in LONG else p.attacked_new
    first_day = 0.0 if attack == SLOW else None
    return (new_number(office, Kind(target), n, first_day) for n in range(numbers))


def measure_all(seeds: Sequence[int], workers: int | None = None) -> Results:
    """All offices and seeds. The progress is on stderr."""
    few = seeds[: max(1, len(seeds) // A_FIFTH)]
    jobs = [(name, seed) for name in (STANDARD_NAME, COLD) for seed in seeds]
    jobs += [(name, seed) for name in OFFICES if name not in (STANDARD_NAME, COLD) for seed in few]
    closed: dict[str, list[Tallies]] = {}
    with ProcessPoolExecutor(workers, initializer=os.nice, initargs=(10,)) as pool:
        measured = pool.map(measure_closed, *zip(*jobs, strict=True))
        in_shadow = pool.map(measure_shadow, seeds)
        for (name, _), tallies in zip(jobs, _shown(measured, "closed loop", len(jobs)), strict=True):
            closed.setdefault(name, []).append(tallies)
        return Results(list(_shown(in_shadow, "shadow", len(seeds))), closed)


T = TypeVar("T")


def _shown(results: Iterable[T], what: str, count: int) -> Iterable[T]:
    return track(results, what, count, console=Console(stderr=True), transient=True)
