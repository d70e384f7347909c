"""`python -m benchmarks.accuracy fit [--seeds 1-6] [--rounds 2]`: fit the weights of the seven EvidenceCounts.

The simulation runs with the current weights. Each decision about a number that enough people know gives a row: the
counts, and whether the number is unwanted. A logistic regression is fitted to these rows. The sign of each weight is
fixed. All offices have the same total weight. In an office, unwanted and wanted numbers have the same total weight. New
weights change the decisions and therefore the evidence, so the simulation is repeated with the new weights. Intervals
come from a bootstrap over seeds.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date
from itertools import pairwise, repeat
from math import exp, log, log1p
from random import Random
from typing import Any, NamedTuple

from msgspec.structs import replace as with_values
from rich.console import Console

from benchmarks.accuracy import offices
from benchmarks.accuracy.closed_loop import Site, tallies_of
from benchmarks.accuracy.office import make_office, plans
from benchmarks.accuracy.parameters import HONEST, START
from benchmarks.accuracy.running import seeds_of, weights_with, with_progress
from benchmarks.accuracy.screening import STRICT, Screening
from benchmarks.accuracy.tables import Sheet, terminal_table
from policies.decision import Decision
from reputation.families.counts import EvidenceCounts, counts_of
from reputation.weights import Weights

SIGNS = EvidenceCounts(marked=1, unmarked=-1, hung_up=1, missed=1, messages=-1, talks=-1, wanted=-1)
FITTED_ON = (
    offices.STANDARD_NAME,
    offices.COLD,
    offices.FEW_MARKS,
    offices.MANY_MARKS,
    offices.HARD,
    offices.MESSAGES,
    offices.IN_A_ROW,
    offices.ACCOMPLICES,
)
NOT_FITTED_ON = (
    offices.SMALL,
    offices.MESSAGES_90,
    offices.REDIALS,
    "people answer labelled calls less often, mark more of them and hang up on more",
)
# All offices have the same callers. Only the behaviour of callers and people differs.
CALLERS: Mapping[str, Any] = {**offices.NOBODY, "spammers": 40, "services": 12, "contacts": 20, "one_off_a_day": 2}
STEP = 0.25  # ln(1 + count) is rounded to multiples of this
RESAMPLES = 40  # leaving out the outermost on each side gives 95 %
PASSES = 200
RIDGE = 1e-5


class Fit(NamedTuple):
    """The result of a fit: the intercept, and the weights in the order of the counts."""

    intercept: float
    weights: tuple[float, ...]

    def score(self, row: Sequence[float]) -> float:
        """Return the log-odds of a row of counts according to the fit."""
        return self.intercept + sum(weight * value for weight, value in zip(self.weights, row, strict=True))


Row = tuple[float, ...]
Rows = Counter[tuple[Row, bool]]  # of an office and seed: counts, and whether the number is unwanted


def fitted(rows: Mapping[tuple[Row, bool], float], start: Fit | None = None) -> Fit:
    """Return the weights with the highest likelihood whose signs agree with SIGNS.

    The method is coordinate descent with Newton steps. `start`: the weights to begin with; None: zeros.
    """
    columns = [(1.0, *row) for row, _ in rows]
    labels = [float(unwanted) for _, unwanted in rows]
    each = list(rows.values())
    total = sum(each)
    beta = [start.intercept, *start.weights] if start else [0.0] * (1 + len(SIGNS))
    scores = [sum(b * x for b, x in zip(beta, row, strict=True)) for row in columns]
    for _ in range(PASSES):
        moved = 0.0
        for place, before in enumerate(beta):
            slope, curve = RIDGE * total * before, RIDGE * total
            for row, label, weight, score in zip(columns, labels, each, scores, strict=True):
                x = row[place]
                if x:
                    p = 1 / (1 + exp(-max(-30.0, min(30.0, score))))
                    slope += weight * (p - label) * x
                    curve += weight * p * (1 - p) * x * x
            after = before - max(-1.0, min(1.0, slope / curve))
            if place and after * SIGNS[place - 1] < 0:
                after = 0.0
            step = after - before
            if step:
                beta[place] = after
                scores = [score + step * row[place] for row, score in zip(columns, scores, strict=True)]
                moved = max(moved, abs(step))
        if moved < 1e-3:
            break
    return Fit(beta[0], tuple(beta[1:]))


def measure(name: str, seed: int, weights: Weights) -> Rows:
    """Simulate an office. Return the counts of evidence at each decision in which a label was possible."""
    office = make_office(replace(offices.OFFICES[name], **CALLERS), seed)
    rows: Rows = Counter()
    for plan in plans(office):
        screening = Screening(STRICT, office.parameters, weights)
        unwanted = plan.line.nature not in HONEST

        def keep(_site: int, at: float, decision: Decision, known: Screening = screening, bad: bool = unwanted) -> None:
            witnesses, standing = decision.reputation.witnesses, known.standing_at(at)
            if standing is not None and witnesses is not None and witnesses.seen >= witnesses.label:
                counts = counts_of(standing, weights, at)
                rows[tuple([STEP * round(log1p(count) / STEP) for count in counts]), bad] += 1

        tallies_of([Site(office, plan, screening)], START, keep)
    return rows


Measured = dict[tuple[str, int], Rows]  # by office and seed


def measure_all(seeds: Sequence[int], weights: Weights, workers: int | None) -> Measured:
    jobs = [(name, seed) for name in (*FITTED_ON, *NOT_FITTED_ON) for seed in seeds]
    with ProcessPoolExecutor(workers, initializer=os.nice, initargs=(10,)) as pool:
        names, each = zip(*jobs, strict=True)
        measured = pool.map(measure, names, each, repeat(weights))
        return dict(zip(jobs, with_progress(measured, "fit", len(jobs)), strict=True))


def pooled(measured: Measured, names: Iterable[str], seeds: Iterable[int]) -> dict[tuple[Row, bool], float]:
    """Return the rows of these offices and seeds with weights, such that all offices have the same total weight.

    In an office, wanted and unwanted numbers have the same total weight.
    """
    total: defaultdict[tuple[Row, bool], float] = defaultdict(float)
    drawn = list(seeds)
    for name in names:
        rows = sum((measured[name, seed] for seed in drawn), Counter[tuple[Row, bool]]())
        of_kind = {bad: sum(count for (_, item), count in rows.items() if item is bad) for bad in (False, True)}
        for (row, bad), count in rows.items():
            total[row, bad] += 1000 * count / of_kind[bad]
    return total


def weights_of(fit: Fit, weights: Weights) -> Weights:
    """Return a copy of `weights` with the fitted weights of the counts."""
    counts = with_values(weights.counts, **dict(zip(EvidenceCounts._fields, fit.weights, strict=True)))
    return with_values(weights, counts=counts)


def fit_sheet(fit: Fit, others: Sequence[Fit]) -> Sheet:
    """Return a table of the fitted weights.

    `others`: fits on resampled seeds, from which the intervals are computed.
    """
    rows = []
    for place, name in enumerate(("intercept", *EvidenceCounts._fields)):
        drawn = sorted((other.intercept, *other.weights)[place] for other in others)
        tail = len(drawn) // 40
        value = (fit.intercept, *fit.weights)[place]
        rows.append([name, f"{value:+.2f}", f"{drawn[tail]:+.2f} to {drawn[-1 - tail]:+.2f}"])
    return Sheet(
        "weights",
        "Fitted weights of ln(1 + count), with 95 % intervals of a bootstrap over seeds.",
        ("counted evidence", "weight", "interval"),
        rows,
    )


BINS = (-4, -2, 0, 2, 4)  # from one score to the next


def offices_sheet(fit: Fit, measured: Measured, seeds: Sequence[int]) -> Sheet:
    """Return a table with a row for each office: how well the fitted weights separate spam from wanted numbers there.

    The last columns show whether a score has the odds that it says.
    """
    rows = []
    for name in (*FITTED_ON, *NOT_FITTED_ON):
        scored = sorted((fit.score(row), bad, n) for (row, bad), n in pooled(measured, [name], seeds).items())
        odds = []
        for low, high in pairwise(BINS):
            bad, good = (
                sum(n for score, item, n in scored if item is kind and low <= score < high) for kind in (True, False)
            )
            odds.append(f"{log(bad / good):+.1f}" if bad and good else "-")
        rows.append([name, "yes" if name in FITTED_ON else "no", f"{_area(scored):.3f}", *odds])
    headings = (
        "office",
        "used for the fit",
        "area under the ROC curve",
        *(f"ln odds, score {a} to {b}" for a, b in pairwise(BINS)),
    )
    return Sheet(
        "fit",
        "How well the weights separate unwanted from wanted numbers, over calls for which a label was possible. Wanted"
        " and unwanted numbers count equally.",
        headings,
        rows,
    )


def _area(scored: Sequence[tuple[float, bool, float]]) -> float:
    """Return the area under the ROC curve: the probability that a wanted number scores below an unwanted number."""
    below, total, good = 0.0, 0.0, 0.0
    for _, bad, n in scored:
        below, total, good = (below + n * good, total + n, good) if bad else (below, total, good + n)
    return below / (total * good)


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy fit", description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default="1-6", metavar="A-B", help="the seeds (1-6)")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="rounds of simulation and fit (2)")
    parser.add_argument(
        "--set",
        type=weights_with,
        default="",
        metavar="TABLE.KEY=VALUE,...",
        help="changes to the default weights before the first round",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="number of processes (default: one per core)")
    arguments = parser.parse_args(words)
    seeds, weights = arguments.seeds, arguments.set
    console = Console(highlight=False, width=160)
    for _ in range(arguments.rounds):
        measured = measure_all(seeds, weights, arguments.workers)
        fit = fitted(pooled(measured, FITTED_ON, seeds))
        weights = weights_of(fit, weights)
        console.print(literal_of(fit))
    chance = Random(len(seeds))
    drawn = [fitted(pooled(measured, FITTED_ON, chance.choices(seeds, k=len(seeds))), fit) for _ in range(RESAMPLES)]
    console.print(terminal_table(fit_sheet(fit, drawn)), terminal_table(offices_sheet(fit, measured, seeds)))
    console.print(f"# {date.today()}: python -m benchmarks.accuracy fit {' '.join(words)}".rstrip())  # noqa: DTZ011
    console.print(literal_of(fit))


def literal_of(fit: Fit) -> str:
    """Return the Python literal of the fitted weights, for reputation/weights.py."""
    values = ", ".join(f"{name}={value:.2f}" for name, value in zip(EvidenceCounts._fields, fit.weights, strict=True))
    return f"CountWeights({values})  # intercept {fit.intercept:.2f}"
