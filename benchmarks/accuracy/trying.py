"""`python -m benchmarks.accuracy.trying [--write]`: other weights, one change at a time, on the seeds for tuning.

What each would give in the standard office and under attack, and what it would cost a service line in a harder one. So
whoever asks "why not ..." finds the answer; the weights that are published are those of reputation/weights.py.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from msgspec.structs import replace as with_changes
from rich.console import Console
from rich.progress import track

from benchmarks.accuracy.__main__ import PAGE
from benchmarks.accuracy.attacks import HANG_UPS
from benchmarks.accuracy.estimates import of, shown
from benchmarks.accuracy.methods import Model
from benchmarks.accuracy.office import make_office
from benchmarks.accuracy.parameters import STANDARD, Kind, Parameters
from benchmarks.accuracy.reading import NEW, Cell, Counts, Methods, measure_attacks, measure_office
from benchmarks.accuracy.running import STRESS
from benchmarks.accuracy.tables import BLOCKS, STOPPED, Sheet, markdown, terminal_table
from benchmarks.tables import write_page
from reputation.model import Level
from reputation.weights import DEFAULT, Weights

SEEDS = range(1, 7)
COLLUDERS = (10,)
HARDER = "service is answered by 30 %, leaves few messages, is hardly called back"
# Fewer honest callers than the office has: none of them was ever wrongly stopped, and each takes time.
FEWER: Mapping[str, Any] = {
    "services": 10,
    "attacked_established": 1,
    "attacked_new": 10,
}
FEW: Mapping[str, Any] = {"contacts": 200, "one_off_a_day": 10}
# Of the harder office only the lines are asked about.
LINES_ONLY: Mapping[str, Any] = {"contacts": 10, "one_off_a_day": 1, "spammers": 1, "single_use_a_day": 1}


def _changed(table: str, **changes: Any) -> Weights:
    return with_changes(DEFAULT, **{table: with_changes(getattr(DEFAULT, table), **changes)})


NARROW = with_changes(
    DEFAULT,
    marks=with_changes(DEFAULT.marks, contamination=0.035),
    behaviour=with_changes(DEFAULT.behaviour, contamination=0.035),
)
TRIED: Mapping[str, Weights] = {
    "as they are": DEFAULT,
    "marks as designed (contamination 0.02, wanted 0.0067)": _changed(
        "marks", contamination=0.02, marked_if_wanted=0.0067
    ),
    "marks: wanted 0.003": _changed("marks", marked_if_wanted=0.003),
    "marks: unwanted 0.15": _changed("marks", marked_if_unwanted=0.15),
    "marks: half-life 60 days": _changed("marks", half_life_days=60.0),
    "marks: half-life 20 days": _changed("marks", half_life_days=20.0),
    "behaviour: half-life 21 days": _changed("behaviour", half_life_days=21.0),
    "behaviour: half-life 10 days": _changed("behaviour", half_life_days=10.0),
    "unanswered +0.25": _changed("behaviour", unanswered=0.25),
    "unanswered +0.3": _changed("behaviour", unanswered=0.3),
    "hung up on +1.5": _changed("behaviour", hung_up_on=1.5),
    "message -0.5": _changed("behaviour", voicemail=-0.5),
    "long talk -0.5": _changed("behaviour", long_talk=-0.5),
    "called back -2.5": _changed("behaviour", called_back=-2.5),
    "reject: 3 reporters of 3 groups, marks 2.5": _changed(
        "levels", reject_reporters=3, reject_groups=3, reject_marks=2.5
    ),
    "contamination 0.035 of both: they never reject": NARROW,
}
METHODS: Methods = {name: partial(Model, weights) for name, weights in TRIED.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.trying", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the table in docs/accuracy.md")
    arguments = parser.parse_args()
    sheet = sheet_of(*measure_all())
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(terminal_table(sheet))
    if arguments.write:
        write_page(PAGE, {sheet.name: markdown(sheet)}, BLOCKS)


def measure_all() -> tuple[list[Counts], list[Counts]]:
    """Each seed of the standard office, and of the harder one. The progress is on stderr."""
    jobs = [(parameters, seed) for parameters in (STANDARD, STRESS[HARDER]) for seed in SEEDS]
    found: dict[bool, list[Counts]] = defaultdict(list)
    with ProcessPoolExecutor(initializer=os.nice, initargs=(10,)) as pool:
        done = pool.map(measure, *zip(*jobs, strict=True))
        for (parameters, _), counts in zip(
            jobs, track(done, "trying", len(jobs), console=Console(stderr=True), transient=True), strict=True
        ):
            found[parameters == STANDARD].append(counts)
    return found[True], found[False]


def measure(parameters: Parameters, seed: int) -> Counts:
    """One seed of one office, by all weights."""
    is_standard = parameters == STANDARD
    office = make_office(replace(parameters, **FEWER, **(FEW if is_standard else LINES_ONLY)), seed)
    return {**measure_office(office, METHODS), **measure_attacks(office, METHODS, HANG_UPS, COLLUDERS)}


def sheet_of(standard: Sequence[Counts], harder: Sequence[Counts]) -> Sheet:
    """The table."""
    rows = []
    for name in TRIED:
        spam, service = Cell(name, Kind.SPAM), Cell(name, Kind.SERVICE)
        attacked = Cell(name, NEW, HANG_UPS, *COLLUDERS)
        asked = (
            *((standard, level, spam) for level in (Level.WARN, STOPPED, Level.REJECT)),
            (standard, STOPPED, attacked),
            *((harder, level, service) for level in (Level.WARN, STOPPED)),
            (harder, STOPPED, attacked),
        )
        rows.append([name, *(shown(of(seeds, level, cell).mean) for seeds, level, cell in asked)])
    headings = (
        "weights",
        "spam: warn",
        "challenge",
        "reject",
        "new number attacked by 10: challenge",
        "harder office, service: warn",
        "challenge",
        "attacked by 10: challenge",
    )
    seeds = f"Seeds {SEEDS[0]} to {SEEDS[-1]}, which are for tuning"
    return Sheet("tried", f"{seeds}: % of calls at least at each level, the mean.", headings, rows)


if __name__ == "__main__":
    main()
