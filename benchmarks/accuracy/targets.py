"""The tables of the closed loop. TARGETS lists the measured values that have a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.accuracy import offices
from benchmarks.accuracy.attacks import NOTHING, SPLIT, SPOOFED, SPOOFED_ELSEWHERE, SPOOFING
from benchmarks.accuracy.closed_loop import Counted, Tally
from benchmarks.accuracy.estimates import Estimate, share_of, share_of_numbers, shown
from benchmarks.accuracy.first_calls import HONEST as HONEST_STYLES
from benchmarks.accuracy.first_calls import NINE, Style, mean_share, share
from benchmarks.accuracy.first_calls import Tally as FirstCalls
from benchmarks.accuracy.offices import STANDARD_NAME
from benchmarks.accuracy.parameters import ESTABLISHED, ESTABLISHED_MACHINE, NEW_KINDS, Kind, Nature
from benchmarks.accuracy.reading import Cell
from benchmarks.accuracy.running import Closed, Tallies
from benchmarks.accuracy.screening import STRICT
from benchmarks.accuracy.tables import Sheet

LABELLED = (Counted.TAGGED, Counted.WARNED)
EVER = (Counted.EVER_LABELLED, Counted.EVER_ASKED, Counted.EVER_LOST)
SPAM, ROBOTS, SPAMMERS = Kind.SPAM.value, f"{Kind.SPAM}: {Nature.ROBOT}", f"{Kind.SPAM}: {Nature.SPAMMER}"
LINES, STAFF, MACHINES = (
    Kind.SERVICE.value,
    f"{Kind.SERVICE}: {Nature.STAFF}",
    f"{Kind.SERVICE}: {Nature.MACHINE}",
)
PERSON, MACHINE = (kind.value for kind in NEW_KINDS)
HONEST = (Kind.CONTACT.value, LINES, Kind.ONE_OFF.value, PERSON, MACHINE)
CALLERS = (
    *(Kind.CONTACT.value, STAFF, MACHINES, Kind.ONE_OFF.value, PERSON, MACHINE, SPAM, ROBOTS, SPAMMERS),
    *(Kind.SINGLE_USE.value, Kind.STORM.value, Kind.WANGIRI.value),
)


class Measured(NamedTuple):
    """All measurements of the closed loop (by office) and of first calls. A part that was not measured is empty."""

    closed: Closed
    first_calls: Sequence[FirstCalls] = ()


def cell(calls: str, attack: str = "", colluders: int = 0) -> Cell:
    """Return the key under which these calls are counted with the policy `strict`."""
    if calls in (PERSON, MACHINE) and not attack:
        attack = NOTHING
    return Cell(STRICT, calls, attack, colluders)


Measure = Callable[[Measured], Estimate | None]  # None: not measured


def of_calls(office: str, what: Counted | tuple[Counted, ...], *cells: Cell) -> Measure:
    """Return a function that computes the share of the calls in these cells that ended as `what` says."""
    counted = what if isinstance(what, tuple) else (what,)
    return lambda measured: share_of(measured.closed[office], counted, *cells) if office in measured.closed else None


def of_numbers(office: str, what: Counted, *cells: Cell) -> Measure:
    """Return a function that computes the share of numbers in these cells to which `what` happened at least once."""
    return lambda measured: (
        share_of_numbers(measured.closed[office], what, *cells) if office in measured.closed else None
    )


def worst(*measures: Measure) -> Measure:
    """Return a function that computes the highest value of several measures."""
    return lambda measured: max(
        (value for measure in measures if (value := measure(measured)) is not None), default=None
    )


def worst_honest(office: str) -> Measure:
    """Return a function that computes the highest share of stopped calls among all kinds of honest callers."""
    return worst(*[of_calls(office, Counted.STOPPED, cell(item)) for item in HONEST])


def rejected_unchallenged(measured: Measured) -> Estimate | None:
    """Return the highest share of calls rejected without a challenge, over the offices without outside evidence."""
    without = [tallies for name, tallies in measured.closed.items() if not offices.OFFICES[name].listed]
    figures = [
        share_of(seeds, (Counted.REJECTED,), item)
        for seeds in without
        for item in sorted({c for s in seeds for c in s})
    ]
    return max(figures, default=None)


def of_first_calls(*styles: Style) -> Measure:
    """Return a function that computes the share of first calls of these styles that are tagged."""
    return lambda measured: share(measured.first_calls, "tagged", *styles) if measured.first_calls else None


def of_nine_storms(measured: Measured) -> Estimate | None:
    """Return the share of the storms' first calls that are tagged. Each of the nine styles has the same weight."""
    return mean_share(measured.first_calls, "tagged", *NINE) if measured.first_calls else None


class Target(NamedTuple):
    """A measured value, and its target if there is one.

    Attributes:
        landed: The value for version 2 of the model, on seeds 1001 to 1003.
        reference: The value that the design expected.
        least: Whether the limit is a minimum instead of a maximum.
    """

    what: str
    measure: Measure
    landed: float | None
    reference: float | None
    limit: float | None
    least: bool = False

    def verdict(self, value: Estimate) -> str:
        """Return `met` or `MISSED`; an empty text if there is no target."""
        if self.limit is None:
            return ""
        return "met" if (value.mean >= self.limit if self.least else value.mean <= self.limit) else "MISSED"


def _stopped(office: str) -> Measure:
    return of_calls(office, Counted.STOPPED, cell(SPAM))


def _lost(target: str, attack: str, count: int, office: str = STANDARD_NAME) -> Measure:
    return of_calls(office, Counted.STOPPED, cell(target, attack, count))


BASE, COLD, NOTICED = STANDARD_NAME, offices.COLD, offices.COLD_NOTICED
TARGETS = (
    Target("spam stopped before it rings", _stopped(BASE), 31.7, 32.2, 30, True),
    Target("spam that rings without a label", of_calls(BASE, Counted.PLAIN, cell(SPAM)), 38.9, 35.0, 36),
    Target("24 % of spam listed: stopped", _stopped(offices.LISTED), 30.7, 41.1, 38, True),
    Target(
        "24 % of spam listed: rings without a label",
        of_calls(offices.LISTED, Counted.PLAIN, cell(SPAM)),
        35.9,
        28.4,
        30,
    ),
    Target(
        "5 % of the machines wrongly listed: calls of machines lost",
        of_calls(offices.WRONGLY, Counted.STOPPED, cell(MACHINES)),
        0,
        None,
        5,
    ),
    Target("spam listed, 2 traps, signed calls: stopped", _stopped(offices.TRAPS), 30.8, 50.2, 46, True),
    Target("spam listed, 2 traps, unsigned calls: stopped", _stopped(offices.TRAPS_UNSIGNED), 30.7, 44.0, 40, True),
    Target("spam listed, 5 traps, unsigned calls: stopped", _stopped(offices.TRAPS_5), 30.7, 49.6, 45, True),
    Target("spam hangs up and calls again: stopped", _stopped(offices.REDIALS), 0, 48.9, 42, True),
    Target("spam leaves a message in half of missed calls: stopped", _stopped(offices.MESSAGES), 2.7, 22.2, 18, True),
    Target("three accomplices call spam back: stopped", _stopped(offices.ACCOMPLICES), 17, 22.9, 18, True),
    Target("few people mark spam: stopped", _stopped(offices.FEW_MARKS), 6.9, 26.5, 22, True),
    Target("small office: stopped", _stopped(offices.SMALL), 0.12, 12.9, 12, True),
    Target("hard spam: stopped", _stopped(offices.HARD), 11.1, 8.6, 8, True),
    Target("honest calls stopped, worst kind", worst_honest(BASE), 0, 0.0, 0.02),
    Target(
        "cold office, with notices: machines' calls lost",
        of_calls(NOTICED, Counted.STOPPED, cell(MACHINES)),
        0,
        0.16,
        0.5,
    ),
    Target(
        "cold office, without notices: machines' calls lost",
        of_calls(COLD, Counted.STOPPED, cell(MACHINES)),
        0.28,
        None,
        1,
    ),
    Target("lines ever labelled", of_numbers(BASE, Counted.EVER_LABELLED, cell(LINES)), 5, 3.4, 4),
    Target("cold office: lines ever labelled", of_numbers(COLD, Counted.EVER_LABELLED, cell(LINES)), 33.3, 47, 45),
    Target(
        "cold office, with notices: machines that ever lose a call",
        of_numbers(NOTICED, Counted.EVER_LOST, cell(MACHINES)),
        4.2,
        10.4,
        11,
    ),
    Target(
        "cold office, without notices: machines that ever lose a call",
        of_numbers(COLD, Counted.EVER_LOST, cell(MACHINES)),
        4.2,
        None,
        None,
    ),
    Target(
        "with notices, established machine attacked by 40: calls lost",
        _lost(ESTABLISHED_MACHINE, SPLIT, 40, offices.NOTICED),
        2.7,
        2.2,
        3,
    ),
    Target(
        "without notices, established machine attacked by 40: calls lost",
        _lost(ESTABLISHED_MACHINE, SPLIT, 40),
        7.1,
        None,
        9,
    ),
    Target("new person attacked by 10: calls lost", _lost(PERSON, SPLIT, 10), 0.21, 0.0, 0.1),
    Target("new person attacked by 40: calls lost", _lost(PERSON, SPLIT, 40), 1.9, 0.2, 0.5),
    Target(
        "with notices, new machine attacked by 10: calls lost", _lost(MACHINE, SPLIT, 10, offices.NOTICED), 2, 0.0, 1
    ),
    Target("without notices, new machine attacked by 10: calls lost", _lost(MACHINE, SPLIT, 10), 4.8, None, None),
    Target("spoofed new machine: owner's calls lost", _lost(MACHINE, SPOOFED, 0), 19.9, 29, 25),
    Target(
        "spoofed new machine, robot on another trunk: owner's calls lost",
        _lost(MACHINE, SPOOFED_ELSEWHERE, 0),
        21.6,
        None,
        None,
    ),
    Target(
        "spoofed new machine, with notices: owner's calls lost",
        _lost(MACHINE, SPOOFED, 0, offices.NOTICED),
        13.8,
        None,
        None,
    ),
    Target("spoofed established machine: owner's calls lost", _lost(ESTABLISHED_MACHINE, SPOOFED, 0), 0.97, None, None),
    Target("many wrong marks: honest calls stopped, worst kind", worst_honest(offices.MANY_MARKS), 0, None, 0.02),
    Target("rejected without a challenge, worst case", rejected_unchallenged, 0, 0, 0),
    Target("storm that calls every second DID: tagged", of_first_calls(Style.SECOND_DIDS), 0.06, None, 50, True),
    Target("storm, one call in 200 s: tagged", of_first_calls(Style.SLOW_WALK), 0.28, None, 30, True),
    Target("storm with numbers of 100 blocks: tagged", of_first_calls(Style.MANY_BLOCKS), 27.1, None, 25, True),
    Target("storms, mean of the nine styles: tagged", of_nine_storms, 68.3, None, 60, True),
    Target("honest first calls: tagged", of_first_calls(*HONEST_STYLES), 0.53, None, 0.5),
    Target("spam calls ten of us back to back: stopped", _stopped(offices.IN_A_ROW), 21.9, None, None),
    Target("every second call of spam signed: stopped", _stopped(offices.MIXED), 16.5, None, None),
    Target("spam leaves a message in 9 of 10 missed calls: stopped", _stopped(offices.MESSAGES_90), 0, None, None),
    Target(
        "spam leaves a message after half of failed challenges: stopped",
        _stopped(offices.MESSAGES_FAILED),
        16,
        None,
        None,
    ),
)


def sheets_of(measured: Measured) -> list[Sheet]:
    seeds = measured.closed.get(STANDARD_NAME, [])
    sheets = [targets_sheet(measured), offices_sheet(measured.closed)]
    return [sheets[0], callers_sheet(seeds), attacks_sheet(seeds), sheets[1]] if seeds else sheets


def targets_sheet(measured: Measured) -> Sheet:
    """Return the table of measured values with their targets."""
    rows = []
    for target in TARGETS:
        value = target.measure(measured)
        if value is not None:
            limit = "" if target.limit is None else f"{'>=' if target.least else '<='} {target.limit:g}"
            before = ["-" if figure is None else f"{figure:g}" for figure in (target.landed, target.reference)]
            rows.append([target.what, *before, limit, value.text, target.verdict(value)])
    caption = (
        "With `strict`, in % of calls, or of numbers if the name says `ever`. Met: the mean is within the target."
        " Version 2: seeds 1001 to 1003."
    )
    return Sheet("targets", caption, ("what", "version 2", "reference", "to reach", "measured", ""), rows)


def callers_sheet(seeds: Sequence[Tallies]) -> Sheet:
    """Return a table of every kind of caller in the standard office, with shares of calls and of numbers."""
    counted = (Counted.STOPPED, Counted.WARNED, Counted.TAGGED, Counted.PLAIN, Counted.SAMPLED)
    rows = [
        [
            calls,
            calls_of(seeds, subject),
            *(share_of(seeds, (what,), subject).text for what in counted),
            shown(100 * _all(seeds, subject, Counted.OWN_BLOCK) / max(1, _all(seeds, subject, Counted.CALLS))),
            *(_ever(seeds, subject)),
        ]
        for calls in CALLERS
        if (subject := cell(calls))
    ]
    headings = (
        *("caller", "calls", "stopped", "warned", "tagged", "rang without a label", "of these on purpose"),
        *("own block", "numbers ever labelled", "asked", "lost"),
    )
    caption = (
        "With `strict`, in % of calls. Calls stopped by the callee's own blocklist are in the column own block only, in"
        " % of all calls. Numbers: in % of all numbers, from their first day on."
    )
    return Sheet("closed loop", caption, headings, rows)


def _ever(seeds: Sequence[Tallies], subject: Cell) -> list[str]:
    return [share_of_numbers(seeds, what, subject).text for what in EVER]


def _all(seeds: Sequence[Tallies], subject: Cell, what: Counted) -> int:
    return sum(tallies.get(subject, Tally())[what] for tallies in seeds)


def calls_of(seeds: Sequence[Tallies], subject: Cell) -> str:
    """Return how many calls were counted in the cell `subject`, as text."""
    return f"{_all(seeds, subject, Counted.CALLS):,}"


def attacks_sheet(seeds: Sequence[Tallies]) -> Sheet:
    """Return a table of every attack, by count of attackers."""
    rows = []
    for target in (PERSON, MACHINE, ESTABLISHED, ESTABLISHED_MACHINE):
        for attack, counts, targets in offices.ATTACKS[STANDARD_NAME]:
            for count in counts if target in targets else ():
                subject = cell(target, attack, count)
                shares = [
                    share_of(seeds, counted, subject).text
                    for counted in ((Counted.STOPPED,), LABELLED, (Counted.ASKED,))
                ]
                days = [_days(seeds, subject, what) for what in (Counted.LABEL_DAYS, Counted.ASKED_DAYS)]
                insiders = f"outsider, {count} insiders" if attack in SPOOFING else str(count)
                rows.append([f"{target}: {attack}", insiders, calls_of(seeds, subject), *shares, *days])
    headings = (
        *("attacked number", "by", "calls", "lost", "labelled", "challenges"),
        *("spoofed: days labelled afterwards", "of these challenged"),
    )
    caption = (
        "With `strict`: % of the number's calls after the attack, for a spoofed owner from the first day of the attack"
        " on. Calls to people who blocked it do not count. Days: of the 35 days after the attack."
    )
    return Sheet("attacks", caption, headings, rows)


def _days(seeds: Sequence[Tallies], subject: Cell, what: Counted) -> str:
    probes = _all(seeds, subject, Counted.PROBES)
    return shown(35 * _all(seeds, subject, what) / probes) if probes else "-"


def offices_sheet(closed: Mapping[str, Sequence[Tallies]]) -> Sheet:
    """Return a table of the offices that differ from the standard office in one way."""
    columns: Sequence[tuple[str, Counted, Cell]] = (
        ("spam stopped", Counted.STOPPED, cell(SPAM)),
        ("robots", Counted.STOPPED, cell(ROBOTS)),
        ("spam without a label", Counted.PLAIN, cell(SPAM)),
        ("staff stopped", Counted.STOPPED, cell(STAFF)),
        ("machines stopped", Counted.STOPPED, cell(MACHINES)),
        ("lines ever labelled", Counted.EVER_LABELLED, cell(LINES)),
        ("asked", Counted.EVER_ASKED, cell(LINES)),
        ("lost", Counted.EVER_LOST, cell(LINES)),
        ("machines ever lost", Counted.EVER_LOST, cell(MACHINES)),
        ("new person lost to 10", Counted.STOPPED, cell(PERSON, SPLIT, 10)),
        ("to 40", Counted.STOPPED, cell(PERSON, SPLIT, 40)),
        ("new machine to 10", Counted.STOPPED, cell(MACHINE, SPLIT, 10)),
    )
    rows = []
    for name, seeds in closed.items():
        row = [name]
        for _, what, subject in columns:
            share = share_of_numbers(seeds, what, subject) if what in EVER else share_of(seeds, (what,), subject)
            row.append(share.text if _all(seeds, subject, Counted.CALLS) else "-")
        rows.append(row)
    caption = "With `strict`, in % of calls, or of numbers; attackers share the work."
    return Sheet("offices", caption, ("office", *(heading for heading, _, _ in columns)), rows)
