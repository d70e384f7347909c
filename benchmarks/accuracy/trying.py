"""`python -m benchmarks.accuracy.trying [--write] [--set TABLE.KEY=VALUE,... ...]`: other weights, on tuning seeds.

Without `--set` each change of TRIED in turn; with it those, beside the weights as they are. What each would
give in the closed loop of the standard office, under attack, and of a cold office. So whoever asks "why not ..." finds
the answer; the weights that are published are those of reputation/weights.py.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import reduce
from typing import Any

from msgspec import convert, to_builtins
from rich.console import Console
from rich.progress import track

from benchmarks.accuracy.attacks import MARKS, NOTHING, RELENTLESS, SPLIT
from benchmarks.accuracy.closed_loop import What
from benchmarks.accuracy.closed_tables import HONEST, LABELLED, MACHINE, MACHINES, PERSON, ROBOTS, SPAM, cell
from benchmarks.accuracy.estimates import share_of, shown
from benchmarks.accuracy.office import make_office, plans
from benchmarks.accuracy.offices import COLD, OFFICES, STANDARD_NAME
from benchmarks.accuracy.parameters import NEW_KINDS, Kind
from benchmarks.accuracy.running import AttackPlan, Tallies, add, attacks_of, play
from benchmarks.accuracy.screening import STRICT
from benchmarks.accuracy.tables import BLOCKS, PAGE, Sheet, markdown, terminal_table
from benchmarks.tables import write_page
from reputation.weights import DEFAULT, Weights

SEEDS = range(1, 7)
# Fewer callers than the office has: each takes time, and most meet nothing.
FEWER: Mapping[str, Any] = {
    "contacts": 60,
    "services": 20,
    "one_off_a_day": 5,
    "single_use_a_day": 0,
    "storms": 0,
    "attacked_new": 8,
    "attacked_again": 4,
}
ATTACKS: AttackPlan = (
    (NOTHING, (0,), NEW_KINDS),
    (MARKS, (3,), (Kind.NEW_PERSON,)),
    (SPLIT, (10, 40), (Kind.NEW_PERSON,)),
    (SPLIT, (5, 10), (Kind.NEW_MACHINE,)),
    (RELENTLESS, (10,), (Kind.NEW_PERSON,)),
)


AS_THEY_ARE = "as they are"
TRIED: Mapping[str, str] = {
    AS_THEY_ARE: "",
    "as designed: warn 2.9, challenge 3.6 and 6 %, 3 one-ring calls an hour": (
        "levels.warn=2.9,levels.challenge=3.6,witnesses.challenge_share=0.06,behaviour.one_ring_an_hour=3"
    ),
    "warn 2.0, one of 6 in the sample": "levels.warn=2.0,sample.every=6",
    "warn 2.9": "levels.warn=2.9",
    "challenge 3.6": "levels.challenge=3.6",
    "challenge at 6 % of the people": "witnesses.challenge_share=0.06",
    "no control sample": "sample.every=0",
    "one of 2 in the sample": "sample.every=2",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.trying", description=__doc__)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE,...", help="this instead")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), metavar="N", help=f"the first N of {len(SEEDS)}")
    parser.add_argument("--workers", type=int, metavar="N", help="how many processes (one a core)")
    parser.add_argument("--write", action="store_true", help="keep the table in docs/accuracy.md")
    arguments = parser.parse_args()
    named = {AS_THEY_ARE: "", **{changes: changes for changes in arguments.set}} if arguments.set else TRIED
    tried = {name: weights_with(changes) for name, changes in named.items()}
    sheet = sheet_of(measure_all(tried, SEEDS[: arguments.seeds], arguments.workers))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(terminal_table(sheet))
    if arguments.write:
        write_page(PAGE, {sheet.name: markdown(sheet)}, BLOCKS)


def weights_with(changes: str) -> Weights:
    """The weights with `levels.challenge=4.2,sample.every=8`. KeyError, ValueError: there is no such key or value."""
    values: dict[str, Any] = to_builtins(DEFAULT)
    for change in filter(None, changes.split(",")):
        path, _, value = change.partition("=")
        *tables, key = path.split(".")
        table = reduce(lambda found, name: found[name], tables, values)
        table[key] = type(table[key])(value)
    return convert(values, Weights, strict=False)


Tried = Mapping[str, list[tuple[Tallies, Tallies]]]  # by the weights, for each seed: the standard office and the cold


def measure_all(tried: Mapping[str, Weights], seeds: Iterable[int], workers: int | None) -> Tried:
    """Each seed by all weights. The progress is on stderr."""
    jobs = [(name, weights, seed) for name, weights in tried.items() for seed in seeds]
    found: dict[str, list[tuple[Tallies, Tallies]]] = {}
    with ProcessPoolExecutor(workers, initializer=os.nice, initargs=(10,)) as pool:
        done = pool.map(measure, *zip(*((weights, seed) for _, weights, seed in jobs), strict=True))
        shown_done = track(done, "trying", len(jobs), console=Console(stderr=True), transient=True)
        for (name, _, _), tallies in zip(jobs, shown_done, strict=True):
            found.setdefault(name, []).append(tallies)
    return found


def measure(weights: Weights, seed: int) -> tuple[Tallies, Tallies]:
    """One seed: spam, honest callers and attacks; and the honest callers of a cold office."""
    standard = make_office(replace(OFFICES[STANDARD_NAME], **FEWER), seed)
    cold = make_office(replace(OFFICES[COLD], **FEWER, spammers=0, wangiri_bursts=0), seed)
    found: list[Tallies] = []
    for office in (standard, cold):
        tallies: Tallies = {}
        for plan in plans(office):
            add(tallies, STRICT, plan, play(office, plan, STRICT, weights))
        found.append(tallies)
    return found[0] | attacks_of(standard, ATTACKS, weights), found[1]


def sheet_of(tried: Tried) -> Sheet:
    """The table."""
    rows = []
    for name, seeds in tried.items():
        standard, cold = zip(*seeds, strict=True)
        stopped, plain, asked = (What.STOPPED,), (What.PLAIN,), (What.ASKED,)
        asked_of = (
            (standard, stopped, 1, (SPAM,)),
            (standard, stopped, 1, (ROBOTS,)),
            (standard, plain, 1, (SPAM,)),
            (standard, (What.SAMPLED,), 1, (SPAM,)),
            (standard, (What.WARNED, What.STOPPED), 1, (Kind.WANGIRI.value,)),
            (standard, LABELLED, 10, HONEST),
            (cold, LABELLED, 10, HONEST),
            (cold, asked, 10, HONEST),
            (cold, stopped, 1, (MACHINES,)),
        )
        attacks = (
            (LABELLED, cell(PERSON, MARKS, 3)),
            *((stopped, cell(PERSON, SPLIT, k)) for k in (10, 40)),
            (stopped, cell(PERSON, RELENTLESS, 10)),
            *((stopped, cell(MACHINE, SPLIT, k)) for k in (5, 10)),
        )
        rows.append(
            [
                name,
                *(shown(unit * share_of(of, whats, *map(cell, who)).mean) for of, whats, unit, who in asked_of),
                *(shown(share_of(standard, whats, one).mean) for whats, one in attacks),
            ]
        )
    headings = (
        *("weights", "spam stopped", "robots", "without a label", "of these on purpose", "one-ring warned"),
        *("labels per 1,000 honest", "cold", "challenges, cold", "cold machines stopped"),
        *("marked by 3: labelled", "person lost to 10", "to 40", "to 10 again and again", "machine lost to 5", "to 10"),
    )
    seeds_text = f"Seeds {SEEDS[0]} to {SEEDS[-1]}, which are for tuning, with fewer honest callers"
    return Sheet("tried", f"{seeds_text}: % of calls in the closed loop with `strict`, the mean.", headings, rows)


if __name__ == "__main__":
    main()
