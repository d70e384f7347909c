"""Measures the preset `strangers`, in which an unknown caller must press a digit.

    python -m benchmarks.accuracy.strangers [--seeds 2001-2010] [--write]

The results are its cost to honest callers, and the spam that it stops. Decisions change later calls. The policy is the
product's file `policies/presets/strangers.toml` with other hours. Calls to the simulated office are uniform from 9 to
18 h, so 2 h 15 min of a day contain a quarter of the calls. A number that the office called within 30 days is not a
stranger. The office has no saved contacts. No number is withheld, which the real preset challenges each time. No call
is from a range of banks, government or services, which the real preset does not challenge as strangers.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple

from rich.console import Console

from benchmarks.accuracy.call_outcomes import NUMBER, Dated, Listing
from benchmarks.accuracy.closed_loop import Counted, Site, Tally, tallies_of
from benchmarks.accuracy.estimates import share_of, share_of_numbers
from benchmarks.accuracy.front import FRONT, FRONT_BLOCKS
from benchmarks.accuracy.office import Office, Plan, in_order, make_office, new_number, plans
from benchmarks.accuracy.parameters import DAY_SECONDS, STANDARD, START, Kind, Nature, Parameters
from benchmarks.accuracy.reading import Cell
from benchmarks.accuracy.running import FIRST_SEED, nature_of, seeds_of, with_progress
from benchmarks.accuracy.screening import Screening
from benchmarks.accuracy.tables import Sheet, markdown, terminal_table
from benchmarks.tables import write_page
from callsieve.replay.false_positives import DecidedCall, KnownCallers, Stops
from policies.decision import Decision
from policies.loader import load_policy, parse_policy, policy_text
from policies.policy import Policy

BALANCED, QUARTER, HALF, ALL = "never (`balanced`)", "in a quarter of the hours", "in half of the hours", "in all hours"
HOURS = {QUARTER: ("09:00", "11:15"), HALF: ("09:00", "13:30"), ALL: None}
ASKED = (BALANCED, *HOURS)
HOURS_OF_PRESET = re.compile(r"^any = \[\n.*?^\]\n", re.DOTALL | re.MULTILINE)
RULES = 2  # the preset's rules: for callers with a number, and for callers who withhold it
SEEDS = 10
# Fewer numbers of each kind than in the standard office, to save time. Shares do not depend on the count.
FEWER = replace(
    STANDARD,
    contacts=60,
    services=10,
    one_off_a_day=30,
    spammers=50,
    single_use_a_day=30,
    storms=0,
    wangiri_bursts=0,
)
NEW_MACHINES = 20  # per seed; each begins to call on some day of the first half
DIGEST_SECONDS = 7 * 3600.0  # after midnight
WITH_DIGEST = "an administrator allows the numbers that the digest lists"
RANG = (Counted.PLAIN, Counted.TAGGED, Counted.WARNED)
Tallies = Mapping[Cell, Tally]


@cache
def policy_of(asked: str) -> Policy:
    """Return the product's preset `strangers` with the hours that `asked` names, or the preset `balanced`."""
    if asked == BALANCED:
        return load_policy("balanced")
    hours = HOURS[asked]
    condition = f'hours = {{ from = "{hours[0]}", to = "{hours[1]}", zone = "UTC" }}\n' if hours else ""
    text, replaced = HOURS_OF_PRESET.subn(condition, policy_text("strangers"))
    assert replaced == RULES, "the preset has no `hours` line of the expected form"
    return parse_policy(text, "strangers-here", "strangers-here.toml", load_policy)


@dataclass(slots=True)
class Digests:
    """The daily digests for an administrator, as far as they are about one number.

    `listed_at`: when a digest first listed the number as probably wanted; None if none did.
    """

    screening: Screening
    listed_at: float | None = None
    _day: float = 0.0
    _stops: Stops = field(default_factory=Stops)

    def see(self, _site: int, at: float, decision: Decision) -> None:
        """Count a call. Before the first call of a day, make the digest of the last day that had calls."""
        if at >= self._day + DAY_SECONDS:
            self.read()
            self._day, self._stops = at // DAY_SECONDS * DAY_SECONDS, Stops()
        action, level = decision.action.word, decision.level.word
        self._stops.add_call(DecidedCall(NUMBER, at, action, decision.rule, None, level))

    def read(self) -> None:
        rows = self.screening.rows()
        if self.listed_at is None and self._stops.mistakes(lambda _: 0, lambda _: KnownCallers(), lambda _: rows):
            self.listed_at = self._day + DAY_SECONDS + DIGEST_SECONDS


def play(office: Office, plan: Plan, policy: Policy) -> tuple[Tally, float | None]:
    """Simulate a number. Return the counts, and when a digest first listed the number as wanted; None if never."""
    screening = Screening(policy, office.parameters)
    digests = Digests(screening)
    (tally,) = tallies_of([Site(office, plan, screening)], START, digests.see)
    digests.read()
    tally[Counted.EVER_LISTED] = int(digests.listed_at is not None)
    return tally, digests.listed_at


def measure(seed: int, p: Parameters = FEWER) -> Tallies:
    """Simulate an office with each policy.

    Simulate wanted machines once more with an administrator who allows the numbers that the digest lists.
    """
    tallies: dict[Cell, Tally] = {}
    office = make_office(p, seed)
    for plan in _plans(office):
        kinds = (plan.kind.value, nature_of(plan))
        for asked in ASKED:
            tally, listed_at = play(office, plan, policy_of(asked))
            for calls in kinds:
                tallies.setdefault(Cell(asked, calls), Tally()).update(tally)
            if plan.line.nature is Nature.MACHINE:
                if listed_at is not None:
                    tally, _ = play(office, allowed(office, plan, listed_at), policy_of(asked))
                for calls in kinds:
                    tallies.setdefault(Cell(asked, calls, WITH_DIGEST), Tally()).update(tally)
    return tallies


def allowed(office: Office, plan: Plan, at: float) -> Plan:
    """Return a copy of this plan in which everybody puts the number on the allowlist at the time `at`."""
    listings: list[Dated] = [(at, Listing(user.extension)) for user in office.users]
    return plan._replace(events=in_order([*plan.events, *listings]))


def _plans(office: Office) -> Iterator[Plan]:
    yield from plans(office)
    for n in range(NEW_MACHINES):
        first_day = office.chance(Kind.NEW_MACHINE, n, "first day").uniform(0, office.parameters.days / 2)
        yield new_number(office, Kind.NEW_MACHINE, n, first_day)


def measure_all(seeds: Sequence[int], workers: int | None = None) -> list[Tallies]:
    with ProcessPoolExecutor(workers, initializer=os.nice, initargs=(15,)) as pool:
        return list(with_progress(pool.map(measure, seeds), "strangers", len(seeds)))


class Row(NamedTuple):
    """A row of the table. `calls`: the kind of callers.

    `what`: what is counted; with `EVER_...`, numbers instead of calls.

    `how`: empty, or WITH_DIGEST if an administrator allows the numbers that the digest lists.
    """

    caption: str
    calls: str
    what: tuple[Counted, ...]
    how: str = ""


ONE_OFF, MACHINE, SERVICE_MACHINE = Kind.ONE_OFF.value, Kind.NEW_MACHINE.value, f"{Kind.SERVICE}: {Nature.MACHINE}"
LOST, LISTED = (Counted.STOPPED,), (Counted.EVER_LISTED,)
ROWS = (
    Row("people who call once or twice: asked for a digit", ONE_OFF, (Counted.EVER_ASKED,)),
    Row("**people who call once or twice: lost**", ONE_OFF, (Counted.EVER_LOST,)),
    Row("customer services with people: calls lost", f"{Kind.SERVICE}: {Nature.STAFF}", LOST),
    Row(
        "callers that the office also calls, but that are in no address book: asked for a digit",
        Kind.CONTACT.value,
        (Counted.EVER_ASKED,),
    ),
    Row("**wanted machines with a new number: calls lost**", MACHINE, LOST),
    Row(f"the same machines, where {WITH_DIGEST}", MACHINE, LOST, WITH_DIGEST),
    Row("wanted machines that call several times a day: calls lost", SERVICE_MACHINE, LOST),
    Row(f"the same machines, where {WITH_DIGEST}", SERVICE_MACHINE, LOST, WITH_DIGEST),
    Row("**persistent spam: calls that ring**", Kind.SPAM.value, RANG),
    Row("persistent spam: calls that ring without a label", Kind.SPAM.value, (Counted.PLAIN,)),
    Row("**single-use spam: calls that ring**", Kind.SINGLE_USE.value, RANG),
    Row("wanted machines with a new number: listed as wanted by the daily digest", MACHINE, LISTED),
    Row("persistent spam: listed as wanted by the daily digest", Kind.SPAM.value, LISTED),
    Row("single-use spam: listed as wanted by the daily digest", Kind.SINGLE_USE.value, LISTED),
)
EVER = frozenset({Counted.EVER_ASKED, Counted.EVER_LOST, Counted.EVER_LISTED})


def strangers_sheet(seeds: Sequence[Tallies]) -> Sheet:
    """Return the table of calls lost and of spam stopped, by the share of hours in which strangers are challenged."""
    lines = []
    for row in ROWS:
        cells = [Cell(asked, row.calls, row.how) for asked in ASKED]
        of_numbers = row.what[0] in EVER
        shares = [
            share_of_numbers(seeds, row.what[0], cell) if of_numbers else share_of(seeds, row.what, cell)
            for cell in cells
        ]
        lines.append([row.caption, *(share.text for share in shares)])
    caption = (
        "With the policy `strangers` an unknown caller presses a digit before the phone rings. The columns "
        "show its price if it asks in none, a quarter, half or all of the hours. By default it asks outside "
        "office hours. Figures are % of calls. Three kinds of row count numbers instead: people who call once "
        "or twice, `asked for a digit`, and `listed as wanted`. *Lost*: the caller never got through. Assumed: 92 % of "
        "people, 60 % of human spammers and 5 % of robots press the right digit. Wanted machines never do, and one "
        "person in 25 never can. Three of ten people who fail call again within three minutes. 30 % of wanted machines "
        "and 8 % of spam leave a message when they fail."
    )
    return Sheet("strangers press a digit", caption, ("when strangers are asked for a digit", *ASKED), lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.strangers", description=__doc__)
    default = f"{FIRST_SEED}-{FIRST_SEED + SEEDS - 1}"
    parser.add_argument("--seeds", type=seeds_of, default=default, metavar="A-B", help=f"the seeds ({default})")
    parser.add_argument("--workers", type=int, metavar="N", help="number of processes (default: one per core)")
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/accuracy/SUMMARY.md")
    arguments = parser.parse_args()
    seeds: Sequence[int] = arguments.seeds
    sheet = strangers_sheet(measure_all(seeds, arguments.workers))
    sheet = sheet._replace(caption=f"{sheet.caption} Seeds {seeds[0]} to {seeds[-1]}; 95 % intervals in brackets.")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(terminal_table(sheet))
    console.print(f"{sum(os.times()[:4]):.0f} s of CPU time")
    if arguments.write:
        write_page(FRONT, {sheet.name: markdown(sheet)}, FRONT_BLOCKS)


if __name__ == "__main__":
    main()
