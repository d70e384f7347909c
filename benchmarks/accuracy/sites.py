"""`python -m benchmarks.accuracy.sites [--seeds N] [--write]`: simulate several sites that share evidence.

The other benchmarks of accuracy simulate one office. Here five offices have their own people, evidence and decisions.
Each office receives the evidence of the other offices at once. The real code computes how much of this evidence counts.
In an attack, colluders are at one site or at all sites, or a whole site lies: it invents people who complain every day.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from math import floor
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.progress import track

from benchmarks.accuracy.attacks import NOTHING, SPLIT, attacked
from benchmarks.accuracy.call_outcomes import NUMBER
from benchmarks.accuracy.closed_loop import Counted, Site, Tally, tallies_of
from benchmarks.accuracy.estimates import estimate, share_of, shown
from benchmarks.accuracy.office import Caller, Office, Plan, established, instant, make_office, new_number, service
from benchmarks.accuracy.offices import OFFICES, SMALL, STANDARD_NAME
from benchmarks.accuracy.parameters import DAY_SECONDS, ESTABLISHED, STANDARD, START, Kind, Nature, Parameters
from benchmarks.accuracy.reading import Cell
from benchmarks.accuracy.running import FIRST_SEED, Tallies, weights_with
from benchmarks.accuracy.screening import OWN_BLOCK, STRICT, OtherSite, Screening
from benchmarks.accuracy.tables import BLOCKS, PAGE, Sheet, markdown, terminal_table
from benchmarks.accuracy.targets import CALLER_WORDS, LABELLED, MACHINE, MACHINES, PERSON, ROBOTS, SPAM, SPAMMERS, STAFF
from benchmarks.tables import write_page
from policies.decision import Decision
from reputation.model import AuthClass, Level, Mark, MarkChannel, SignalCategory, Verdict
from reputation.outcome import Signal
from reputation.standing import Rows, Standing, standing_of_people
from reputation.weights import DEFAULT, Weights

SEEDS = 30
SITES = 5
HOME = 0  # the site at which the victim's calls are counted
MARKED_AT = 3  # number of other sites
FEWER: Mapping[str, int] = {"attacked_new": 4, "attacked_established": 1, "services": 2, "spammers": 12}
A_FIFTH = "the calls of one site, spread over five"


class LyingSite:
    """A site that invents the most harmful evidence about a number, and shares it anew every day from `begin` on.

    `people`: how many people it invents.
    """

    def __init__(self, people: int, begin: float, weights: Weights) -> None:
        self._people, self._begin, self._weights = people, begin, weights
        self._day = -1
        self._last_standing: Standing | None = None

    def standing_at(self, now: float) -> Standing | None:
        """Return the sum of the invented evidence; None before `begin`.

        Half of the people marked the number, and the others hung up on its calls.
        """
        day = floor((now - self._begin) / DAY_SECONDS)
        if day < 0:
            return None
        if day != self._day:
            self._day, self._last_standing = day, self._say(self._begin + day * DAY_SECONDS)
        return self._last_standing

    def _say(self, at: float) -> Standing | None:
        marks = [
            Mark(NUMBER, AuthClass.UNKNOWN, f"m{n}", Verdict.SPAM, at - 3600 * n, MarkChannel.EXTENSION)
            for n in range(self._people // 2)
        ]
        signals = [
            Signal(NUMBER, AuthClass.UNKNOWN, f"h{n}", SignalCategory.HUNG_UP_ON, at, f"h{n}")
            for n in range(self._people - len(marks))
        ]
        return standing_of_people(Rows(marks, signals), AuthClass.UNKNOWN, self._weights)


@dataclass(frozen=True, slots=True)
class Gang:
    """A group of attackers.

    `here`: how many are people of the site HOME. `elsewhere`: how many are people of each other site. `lying`: a number
    for each lying site, which says how many people it invents.
    """

    name: str
    here: int = 0
    elsewhere: int = 0
    lying: tuple[int, ...] = ()


GANGS = (
    Gang("nobody"),
    Gang("1 at this site", 1),
    Gang("3 at this site", 3),
    Gang("10 at this site", 10),
    Gang("40 at this site", 40),
    Gang("40 people, 8 at each of five sites", 8, 8),
    Gang("100 people, 20 at each of five sites", 20, 20),
    Gang("a lying site with 5 invented people", lying=(5,)),
    Gang("a lying site with 50 invented people", lying=(50,)),
    Gang("a lying site with 500 invented people", lying=(500,)),
    Gang("two lying sites, each with 500 invented people", lying=(500,) * 2),
    Gang("four lying sites, each with 500 invented people", lying=(500,) * 4),
    Gang("3 at this site, and a lying site with 500 invented people", 3, lying=(500,)),
    Gang("10 at this site, and a lying site with 500 invented people", 10, lying=(500,)),
)
TARGETS = (PERSON, MACHINE, ESTABLISHED)
HONEST = (STAFF, MACHINES, PERSON, MACHINE)


class Warned(NamedTuple):
    """How soon a spam number was labelled at a site.

    Attributes:
        calls: How many calls the number made to the site.
        before: How many calls came before the first call that would be labelled; all calls if none would be.
        minutes: Minutes from the first call to the first call that would be labelled; None if none would be.
    """

    calls: int
    before: int
    minutes: float | None


class Measured(NamedTuple):
    """The results of a seed.

    `attacks`: how attacked numbers were treated at HOME. `honest`: how calls ended when no site lies. `warned`: how
    soon spam was labelled, by office and by the evidence that sites use.
    """

    attacks: Tallies
    honest: Tallies
    warned: dict[tuple[str, str], list[Warned]]


ALONE, SHARED, AFTER_THREE, AFTER_THREE_ALONE = (
    "its own evidence",
    "evidence of all five sites",
    "evidence of all five sites, only calls after marks at three other sites",
    "its own evidence, only calls after marks at three other sites",
)


def measure(seed: int, weights: Weights = DEFAULT) -> Measured:
    """Simulate five sites with 200 people each, and then five sites with 20 people each."""
    attacks: Tallies = {}
    honest: Tallies = {}
    warned: dict[tuple[str, str], list[Warned]] = {}
    for name in (STANDARD_NAME, SMALL):
        offices = _offices(OFFICES[name], seed)
        attacks |= _attacks(name, offices, weights)
        _honest(name, offices, weights, honest, warned)
    return Measured(attacks, honest, warned)


def _offices(parameters: Parameters, seed: int) -> list[Office]:
    fewer = replace(parameters, **{name: min(most, getattr(parameters, name)) for name, most in FEWER.items()})
    return [make_office(fewer, seed + 100_000 * place) for place in range(SITES)]


# Collusion. ------------------------------------------------------------------------------------------


def _attacks(name: str, offices: Sequence[Office], weights: Weights) -> Tallies:
    results: Tallies = {}
    for target in TARGETS:
        for place in range(_victims(offices[HOME], target)):
            for gang in GANGS:
                if max(gang.here, gang.elsewhere) <= len(offices[HOME].users):
                    tally = _attack(offices, target, place, gang, weights)
                    results.setdefault(Cell(name, target, gang.name), Tally()).update(tally)
    return results


def _victims(office: Office, target: str) -> int:
    p = office.parameters
    return p.attacked_established if target == ESTABLISHED else p.attacked_new


def _attack(offices: Sequence[Office], target: str, place: int, gang: Gang, weights: Weights) -> Tally:
    """Simulate an attack, and count the calls of the attacked number to the site HOME.

    An established number calls all five sites; a new number calls only HOME.
    """
    sites = []
    for at, office in enumerate(offices if gang.elsewhere else offices[:1]):
        plan = established(office, place) if target == ESTABLISHED else new_number(office, Kind(target), place)
        if at != HOME and target != ESTABLISHED:
            plan = plan._replace(events=[])
        count = gang.here if at == HOME else gang.elsewhere
        plan = attacked(office, plan, SPLIT if count else NOTHING, count, place)
        sites.append(Site(office, plan, Screening(STRICT, office.parameters, weights)))
    begin = instant(STANDARD, STANDARD.attack_day)
    liars = [LyingSite(people, begin, weights) for people in gang.lying]
    _share(sites, liars)
    return tallies_of(sites, START)[HOME]


def _share(sites: Sequence[Site], liars: Sequence[OtherSite] = ()) -> None:
    for site in sites:
        site.screening.others = [*(other.screening for other in sites if other is not site), *liars]


# Honest sharing. ----------------------------------------------------------------------------------------------


def _honest(
    name: str,
    offices: Sequence[Office],
    weights: Weights,
    tallies: Tallies,
    warned: dict[tuple[str, str], list[Warned]],
) -> None:
    p = offices[HOME].parameters
    read_from = START + p.read_from_day * DAY_SECONDS
    for plans in _numbers_that_call_all(offices):
        for shared in (False, True):
            sites = _sites(offices, plans, weights, shared=shared)
            first = _FirstLabelled()
            results = tallies_of(sites, read_from if plans[HOME].kind is not Kind.SPAM else START, first.watch)
            how = SHARED if shared else ALONE
            for calls in (plans[HOME].kind.value, f"{plans[HOME].kind}: {plans[HOME].line.nature}"):
                tallies.setdefault(Cell(name, calls, how), Tally()).update(sum(results, Tally()))
            if plans[HOME].kind is Kind.SPAM:
                warned.setdefault((name, how), []).extend(first.of_all())
    for place in range(p.spammers):
        later = _after_three(offices, _spam(offices, place, 1.0), weights)
        if later is not None:
            for how, shared in ((AFTER_THREE, True), (AFTER_THREE_ALONE, False)):
                first = _FirstLabelled()
                tallies_of(_sites(offices, later, weights, shared=shared), START, first.watch)
                warned.setdefault((name, how), []).extend(first.of(HOME))
        for how, shared in ((f"{A_FIFTH}: {ALONE}", False), (f"{A_FIFTH}: {SHARED}", True)):
            first = _FirstLabelled()
            spread = _spam(offices, place, 1 / SITES)
            results = tallies_of(_sites(offices, spread, weights, shared=shared), START, first.watch)
            tallies.setdefault(Cell(name, Kind.SPAM.value, how), Tally()).update(sum(results, Tally()))
            warned.setdefault((name, how), []).extend(first.of_all())


def _numbers_that_call_all(offices: Sequence[Office]) -> Iterator[list[Plan]]:
    p = offices[HOME].parameters
    for place in range(p.services):
        yield [service(office, place) for office in offices]
    for kind in (Kind.NEW_PERSON, Kind.NEW_MACHINE):
        for place in range(p.attacked_new):
            yield [new_number(office, kind, place) for office in offices]
    for place in range(p.spammers):
        yield _spam(offices, place, 1.0)


def _spam(offices: Sequence[Office], place: int, share: float) -> list[Plan]:
    """Return the plans of a spam number that calls all sites on the same days.

    `share`: how often the number calls each site, compared with a number that calls only one site.
    """
    p, chance = offices[HOME].parameters, offices[HOME].chance("spam that calls all sites", place)
    nature = Nature.ROBOT if chance.random() < p.robots else Nature.SPAMMER
    rate = share * min(p.spam_rate.draw(chance), p.spam_rate_most)
    born = chance.uniform(0, p.days)
    end = min(p.days, born + chance.expovariate(1 / p.spam_life_days))
    callers = [Caller(office, Kind.SPAM, f"all sites/{place}/{share}", nature) for office in offices]
    for caller in callers:
        caller.line = callers[HOME].line
    return [caller.plan(caller.steady(rate, born, end)) for caller in callers]


def _after_three(offices: Sequence[Office], plans: Sequence[Plan], weights: Weights) -> list[Plan] | None:
    """Return the plans, but HOME gets only the calls that come after three other sites have a mark about the number.

    Return None if three other sites never have a mark.
    """
    elsewhere = [plan if place != HOME else plan._replace(events=[]) for place, plan in enumerate(plans)]
    sites = _sites(offices, elsewhere, weights, shared=True)
    marked_at: list[float] = []

    def watch(_site: int, at: float, _decision: Decision) -> None:
        if not marked_at and sum(site.screening.has_mark() for site in sites) >= MARKED_AT:
            marked_at.append(at)

    tallies_of(sites, START, watch)
    if not marked_at:
        return None
    later = [dated for dated in plans[HOME].events if dated[0] > marked_at[0]]
    return [plan if place != HOME else plan._replace(events=later) for place, plan in enumerate(plans)]


def _sites(offices: Sequence[Office], plans: Sequence[Plan], weights: Weights, *, shared: bool) -> list[Site]:
    sites = [
        Site(office, plan, Screening(STRICT, office.parameters, weights))
        for office, plan in zip(offices, plans, strict=True)
    ]
    if shared:
        _share(sites)
    return sites


class _FirstLabelled:
    """Finds the first call at each site that would be labelled. Ignores calls that the callee's blocklist stops."""

    def __init__(self) -> None:
        self._calls: Counter[int] = Counter()
        self._before: dict[int, int] = {}
        self._began: dict[int, float] = {}
        self._minutes: dict[int, float] = {}

    def watch(self, site: int, at: float, decision: Decision) -> None:
        if decision.rule == OWN_BLOCK:
            return
        self._began.setdefault(site, at)
        if decision.level >= Level.WARN and site not in self._before:
            self._before[site] = self._calls[site]
            self._minutes[site] = (at - self._began[site]) / 60
        self._calls[site] += 1

    def of(self, site: int) -> list[Warned]:
        """Return the result for a site in a list, which is empty if the number did not call the site."""
        calls = self._calls[site]
        return [Warned(calls, self._before.get(site, calls), self._minutes.get(site))] if calls else []

    def of_all(self) -> list[Warned]:
        return [item for site in sorted(self._calls) for item in self.of(site)]


# Tables. ------------------------------------------------------------------------------------------------------


def collusion_sheet(seeds: Sequence[Measured]) -> Sheet:
    """Return a table that shows how attackers affect a number's calls at an honest site."""
    attacks = [seed.attacks for seed in seeds]
    rows = []
    for office, people in ((STANDARD_NAME, 200), (SMALL, 20)):
        for gang in GANGS:
            cells = [Cell(office, target, gang.name) for target in TARGETS]
            if not any(cell in attacks[0] for cell in cells):
                continue
            rows.append(
                [
                    f"site of {people} people; attackers: {gang.name}",
                    *(_pair(attacks, cell) for cell in cells),
                    _asked(attacks, cells),
                    share_of(attacks, (Counted.REJECTED,), *cells).text,
                ]
            )
    headings = (
        *(
            "attacked number's site, and attackers",
            "calls of a new person: labelled / lost",
            "calls of a new machine: labelled / lost",
            "calls of an established number: labelled / lost",
        ),
        *("challenges per 1,000 calls", "calls rejected without a challenge"),
    )
    caption = (
        "With `strict`, in % of the attacked number's calls to the site after the attack. Calls to people who blocked"
        " the number do not count."
    )
    return Sheet("collusion across sites", caption, headings, rows)


def _pair(seeds: Sequence[Tallies], cell: Cell) -> str:
    return f"{share_of(seeds, LABELLED, cell).text} / {share_of(seeds, (Counted.STOPPED,), cell).text}"


def _asked(seeds: Sequence[Tallies], cells: Sequence[Cell]) -> str:
    value = share_of(seeds, (Counted.ASKED,), *cells)
    return type(value)(*(10 * part for part in value)).text


def sharing_sheet(seeds: Sequence[Measured]) -> Sheet:
    """Return a table of the calls of honest callers and of spam at five honest sites, with and without sharing."""
    rows = []
    for office, people in ((STANDARD_NAME, 200), (SMALL, 20)):
        for calls in (*HONEST, SPAM, ROBOTS, SPAMMERS):
            for how in (ALONE, SHARED):
                rows.append(
                    [
                        f"five sites of {people} people: {CALLER_WORDS.get(calls, calls)}",
                        how,
                        *_of_calls(seeds, Cell(office, calls, how)),
                    ]
                )
        for how in (f"{A_FIFTH}: {ALONE}", f"{A_FIFTH}: {SHARED}"):
            rows.append(
                [
                    f"five sites of {people} people: {CALLER_WORDS[SPAM]}",
                    how,
                    *_of_calls(seeds, Cell(office, SPAM, how)),
                ]
            )
    headings = (
        "size of the sites, and kind of caller",
        "evidence that a site uses",
        "calls",
        "stopped",
        "labelled",
        "rang without a label",
        "challenges per 1,000 calls",
    )
    caption = (
        "With `strict`, in % of calls at all five sites. Calls stopped by the callee's own blocklist do not count."
    )
    return Sheet("sharing between sites", caption, headings, rows)


def _of_calls(seeds: Sequence[Measured], cell: Cell) -> list[str]:
    honest = [seed.honest for seed in seeds]
    count = sum(item.get(cell, Tally())[Counted.CALLS] for item in honest)
    shares = [share_of(honest, whats, cell).text for whats in ((Counted.STOPPED,), LABELLED, (Counted.PLAIN,))]
    return [f"{count:,}", *shares, _asked(honest, [cell])]


def warned_sheet(seeds: Sequence[Measured]) -> Sheet:
    """Return a table that shows how soon calls of a persistent spam number are labelled."""
    rows = []
    hows = (ALONE, SHARED, AFTER_THREE_ALONE, AFTER_THREE, f"{A_FIFTH}: {ALONE}", f"{A_FIFTH}: {SHARED}")
    for office, people in ((STANDARD_NAME, 200), (SMALL, 20)):
        for how in hows:
            results = [seed.warned.get((office, how), []) for seed in seeds]
            numbers = [item for part in results for item in part]
            labelled = [number for number in numbers if number.minutes is not None]
            rows.append(
                [
                    f"site of {people} people: {how}",
                    f"{len(numbers):,}",
                    _share_of_numbers(results, lambda item: item.before == 0),
                    _share_of_numbers(results, lambda item: item.minutes is not None),
                    shown(median(item.before for item in labelled)) if labelled else "-",
                    shown(median(item.minutes / 60 for item in labelled if item.minutes is not None))
                    if labelled
                    else "-",
                    shown(
                        100 * sum(number.before for number in numbers) / max(1, sum(number.calls for number in numbers))
                    ),
                ]
            )
    headings = (
        *("size of the site, and evidence that it uses", "spam numbers"),
        *("numbers labelled from the first call on", "numbers ever labelled"),
        *("calls before the first label, median", "hours before the first label, median"),
        "calls before the first label, in % of all calls",
    )
    caption = (
        "How soon calls of persistent spam numbers are labelled, with `strict`. A number counts once per site."
        " Labelled: level `warn` or more, including calls of the control sample, which ring without the label."
        " Medians are over the labelled numbers."
    )
    return Sheet("how soon spam is labelled", caption, headings, rows)


def _share_of_numbers(seeds: Sequence[Sequence[Warned]], holds: Callable[[Warned], bool]) -> str:
    return estimate([sum(map(holds, seed)) / len(seed) if seed else 0.0 for seed in seeds]).text


def sheets_of(seeds: Sequence[Measured]) -> list[Sheet]:
    return [collusion_sheet(seeds), sharing_sheet(seeds), warned_sheet(seeds)]


def measure_all(seeds: Sequence[int], weights: Weights = DEFAULT, workers: int | None = None) -> list[Measured]:
    with ProcessPoolExecutor(workers, initializer=os.nice, initargs=(10,)) as pool:
        results = pool.map(measure, seeds, repeat(weights))
        return list(track(results, "sites", len(seeds), console=Console(stderr=True), transient=True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.sites", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"number of seeds ({SEEDS})")
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="the first seed; seeds below 1001 are for tuning")
    parser.add_argument(
        "--set", default="", metavar="TABLE.KEY=VALUE,...", help="weights that differ from the default weights"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="number of processes (default: one per core)")
    parser.add_argument("--write", action="store_true", help="write the tables into benchmarks/accuracy/RESULTS.md")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    sheets = sheets_of(measure_all(seeds, weights_with(arguments.set), arguments.workers))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    for sheet in sheets:
        console.print(terminal_table(sheet))
    if arguments.write:
        write_page(PAGE, {sheet.name: markdown(sheet) for sheet in sheets}, BLOCKS)


if __name__ == "__main__":
    main()
