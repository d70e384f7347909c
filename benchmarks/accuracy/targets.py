"""The tables of simulations in which decisions change later calls. TARGETS lists the values that have a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.accuracy import offices
from benchmarks.accuracy.attacks import ATTACK_WORDS, NOTHING, SPLIT, SPOOFED, SPOOFED_ELSEWHERE, SPOOFING
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
# How tables name the kinds of callers.
CALLER_WORDS: Mapping[str, str] = {
    STAFF: "customer service: several people",
    MACHINES: "customer service: wanted machine",
    Kind.ONE_OFF.value: "person who calls once or twice",
    PERSON: "new number of a person",
    MACHINE: "new number of a wanted machine",
    SPAM: "spam number that calls again and again",
    ROBOTS: "spam number of a robot",
    SPAMMERS: "spam number of a human spammer",
    Kind.SINGLE_USE.value: "spam number used only once",
    Kind.STORM.value: "spam numbers used only once, in a storm",
    Kind.WANGIRI.value: "one-ring caller (wangiri)",
}


class Measured(NamedTuple):
    """The results of a run. `closed`: simulations in which decisions change calls, by office.

    `first_calls`: counts per seed.

    A part that was not measured is empty.
    """

    closed: Closed
    first_calls: Sequence[FirstCalls] = ()


def cell(calls: str, attack: str = "", colluders: int = 0) -> Cell:
    """Return the key under which the simulation counts these calls. The policy is always `strict`."""
    if calls in (PERSON, MACHINE) and not attack:
        attack = NOTHING
    return Cell(STRICT, calls, attack, colluders)


Measure = Callable[[Measured], Estimate | None]  # None: not measured


def of_calls(office: str, what: Counted | tuple[Counted, ...], *cells: Cell) -> Measure:
    """Return a function that computes the share of an office's calls in these cells that ended as `what` says."""
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
    """Return the highest share of calls that were rejected without a challenge, of all kinds of calls.

    Offices with numbers that outside sources list are left out.
    """
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
    """Return the share of calls that are tagged, as the mean over nine styles of storm; None if it was not measured."""
    return mean_share(measured.first_calls, "tagged", *NINE) if measured.first_calls else None


class Target(NamedTuple):
    """A measured value, and its target if there is one.

    Attributes:
        what: The name of the value in the table.
        measure: Computes the value.
        landed: The value of version 2 of the model, on seeds 1001 to 1003; None if unknown.
        reference: The value that the design expected; None if it expected none.
        limit: The target; None: the value has no target.
        least: Whether `limit` is a minimum instead of a maximum.
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
    Target("spam calls stopped before a phone rings", _stopped(BASE), 31.7, 32.2, 30, True),
    Target("spam calls that ring without a label", of_calls(BASE, Counted.PLAIN, cell(SPAM)), 38.9, 35.0, 36),
    Target(
        "24 % of spam numbers listed by sources: spam calls stopped", _stopped(offices.LISTED), 30.7, 41.1, 38, True
    ),
    Target(
        "24 % of spam numbers listed by sources: spam calls that ring without a label",
        of_calls(offices.LISTED, Counted.PLAIN, cell(SPAM)),
        35.9,
        28.4,
        30,
    ),
    Target(
        "5 % of wanted machines wrongly listed by sources: calls of wanted machines lost",
        of_calls(offices.WRONGLY, Counted.STOPPED, cell(MACHINES)),
        0,
        None,
        5,
    ),
    Target(
        "24 % of spam numbers listed, 2 traps per 100 DIDs, signed calls: spam calls stopped",
        _stopped(offices.TRAPS),
        30.8,
        50.2,
        46,
        True,
    ),
    Target(
        "24 % of spam numbers listed, 2 traps per 100 DIDs, unsigned calls: spam calls stopped",
        _stopped(offices.TRAPS_UNSIGNED),
        30.7,
        44.0,
        40,
        True,
    ),
    Target(
        "24 % of spam numbers listed, 5 traps per 100 DIDs, unsigned calls: spam calls stopped",
        _stopped(offices.TRAPS_5),
        30.7,
        49.6,
        45,
        True,
    ),
    Target(
        "spammers hang up when they are challenged, and call again: spam calls stopped",
        _stopped(offices.REDIALS),
        0,
        48.9,
        42,
        True,
    ),
    Target(
        "spammers leave a message after half of missed calls: spam calls stopped",
        _stopped(offices.MESSAGES),
        2.7,
        22.2,
        18,
        True,
    ),
    Target(
        "three of our people call each spam number back: spam calls stopped",
        _stopped(offices.ACCOMPLICES),
        17,
        22.9,
        18,
        True,
    ),
    Target(
        "people mark callers 5 times less often: spam calls stopped", _stopped(offices.FEW_MARKS), 6.9, 26.5, 22, True
    ),
    Target("small office of 20 people: spam calls stopped", _stopped(offices.SMALL), 0.12, 12.9, 12, True),
    Target(
        "people talk to spammers as to services, and call them back as often: spam calls stopped",
        _stopped(offices.HARD),
        11.1,
        8.6,
        8,
        True,
    ),
    Target("honest calls stopped: kind of caller with the highest share", worst_honest(BASE), 0, 0.0, 0.02),
    Target(
        "office that rarely answers services, with notices of stopped calls: calls of wanted machines lost",
        of_calls(NOTICED, Counted.STOPPED, cell(MACHINES)),
        0,
        0.16,
        0.5,
    ),
    Target(
        "office that rarely answers services, without notices of stopped calls: calls of wanted machines lost",
        of_calls(COLD, Counted.STOPPED, cell(MACHINES)),
        0.28,
        None,
        1,
    ),
    Target("customer-service numbers ever labelled", of_numbers(BASE, Counted.EVER_LABELLED, cell(LINES)), 5, 3.4, 4),
    Target(
        "office that rarely answers services: customer-service numbers ever labelled",
        of_numbers(COLD, Counted.EVER_LABELLED, cell(LINES)),
        33.3,
        47,
        45,
    ),
    Target(
        "office that rarely answers services, with notices of stopped calls: wanted machines that ever lose a call",
        of_numbers(NOTICED, Counted.EVER_LOST, cell(MACHINES)),
        4.2,
        10.4,
        11,
    ),
    Target(
        "office that rarely answers services, without notices of stopped calls: wanted machines that ever lose a call",
        of_numbers(COLD, Counted.EVER_LOST, cell(MACHINES)),
        4.2,
        None,
        None,
    ),
    Target(
        "with notices of stopped calls, established machine attacked by 40 people: its calls lost",
        _lost(ESTABLISHED_MACHINE, SPLIT, 40, offices.NOTICED),
        2.7,
        2.2,
        3,
    ),
    Target(
        "without notices of stopped calls, established machine attacked by 40 people: its calls lost",
        _lost(ESTABLISHED_MACHINE, SPLIT, 40),
        7.1,
        None,
        9,
    ),
    Target("new number of a person, attacked by 10 people: its calls lost", _lost(PERSON, SPLIT, 10), 0.21, 0.0, 0.1),
    Target("new number of a person, attacked by 40 people: its calls lost", _lost(PERSON, SPLIT, 40), 1.9, 0.2, 0.5),
    Target(
        "with notices of stopped calls, new machine attacked by 10 people: its calls lost",
        _lost(MACHINE, SPLIT, 10, offices.NOTICED),
        2,
        0.0,
        1,
    ),
    Target(
        "without notices of stopped calls, new machine attacked by 10 people: its calls lost",
        _lost(MACHINE, SPLIT, 10),
        4.8,
        None,
        None,
    ),
    Target("number of a new machine spoofed: calls of its owner lost", _lost(MACHINE, SPOOFED, 0), 19.9, 29, 25),
    Target(
        "number of a new machine spoofed on another trunk: calls of its owner lost",
        _lost(MACHINE, SPOOFED_ELSEWHERE, 0),
        21.6,
        None,
        None,
    ),
    Target(
        "with notices of stopped calls, number of a new machine spoofed: calls of its owner lost",
        _lost(MACHINE, SPOOFED, 0, offices.NOTICED),
        13.8,
        None,
        None,
    ),
    Target(
        "number of an established machine spoofed: calls of its owner lost",
        _lost(ESTABLISHED_MACHINE, SPOOFED, 0),
        0.97,
        None,
        None,
    ),
    Target(
        "people wrongly mark honest callers 4 times as often, calls stopped: kind of caller with the highest share",
        worst_honest(offices.MANY_MARKS),
        0,
        None,
        0.02,
    ),
    Target(
        "calls rejected without a challenge: highest share in any table cell of an office without listed numbers",
        rejected_unchallenged,
        0,
        0,
        0,
    ),
    Target(
        "storm that calls every second DID: share of calls tagged",
        of_first_calls(Style.SECOND_DIDS),
        0.06,
        None,
        50,
        True,
    ),
    Target("storm of one call in 200 s: share of calls tagged", of_first_calls(Style.SLOW_WALK), 0.28, None, 30, True),
    Target(
        "storm with numbers of 100 blocks: share of calls tagged",
        of_first_calls(Style.MANY_BLOCKS),
        27.1,
        None,
        25,
        True,
    ),
    Target("mean of the nine styles of storm: share of calls tagged", of_nine_storms, 68.3, None, 60, True),
    Target("first calls of honest callers: share tagged", of_first_calls(*HONEST_STYLES), 0.53, None, 0.5),
    Target(
        "a spammer calls ten of our people one after another: spam calls stopped",
        _stopped(offices.IN_A_ROW),
        21.9,
        None,
        None,
    ),
    Target(
        "every second call of each spam number signed: spam calls stopped", _stopped(offices.MIXED), 16.5, None, None
    ),
    Target(
        "spammers leave a message after 9 of 10 missed calls: spam calls stopped",
        _stopped(offices.MESSAGES_90),
        0,
        None,
        None,
    ),
    Target(
        "spammers leave a message after half of failed challenges: spam calls stopped",
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
        "With `strict`, in % of calls, or in % of numbers if the name says `ever`. Met: the mean is within the target."
        " Version 2 of the model was measured on seeds 1001 to 1003."
    )
    headings = ("what", "version 2 of the model", "expected by the design", "target", "measured", "result")
    return Sheet("targets", caption, headings, rows)


def callers_sheet(seeds: Sequence[Tallies]) -> Sheet:
    """Return a table of every kind of caller in the standard office, with shares of calls and of numbers."""
    counted = (Counted.STOPPED, Counted.WARNED, Counted.TAGGED, Counted.PLAIN, Counted.SAMPLED)
    rows = [
        [
            CALLER_WORDS.get(calls, calls),
            calls_of(seeds, subject),
            *(share_of(seeds, (what,), subject).text for what in counted),
            shown(100 * _all(seeds, subject, Counted.OWN_BLOCK) / max(1, _all(seeds, subject, Counted.CALLS))),
            *(_ever(seeds, subject)),
        ]
        for calls in CALLERS
        if (subject := cell(calls))
    ]
    headings = (
        *("kind of caller", "calls", "stopped", "warned", "tagged", "rang without a label"),
        *("rang without a label as control sample", "stopped by own blocklists"),
        *("numbers ever labelled", "numbers ever challenged", "numbers that ever lost a call"),
    )
    caption = (
        "With `strict`, in % of calls. Calls stopped by the callee's own blocklist count only in their own column, in %"
        " of all calls. The last three columns are in % of all numbers, from their first day on."
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
    """Return a table of every attack on each kind of number, with a row for each number of attackers."""
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
                insiders = f"an outsider, {count} of our people" if attack in SPOOFING else str(count)
                rows.append(
                    [
                        f"{target}: {ATTACK_WORDS.get(attack, 'no attack')}",
                        insiders,
                        calls_of(seeds, subject),
                        *shares,
                        *days,
                    ]
                )
    headings = (
        *("attacked number: attack", "attackers", "number of calls", "calls lost", "calls labelled", "challenges"),
        *("days after spoofing on which a call would be labelled", "days on which it would be challenged"),
    )
    caption = (
        "With `strict`, in % of the number's calls after the attack. If the number is spoofed, its owner's calls count"
        " from the first day of the attack on. Calls to people who blocked the number do not count. Days: of the 35"
        " days after the attack."
    )
    return Sheet("attacks", caption, headings, rows)


def _days(seeds: Sequence[Tallies], subject: Cell, what: Counted) -> str:
    probes = _all(seeds, subject, Counted.PROBES)
    return shown(35 * _all(seeds, subject, what) / probes) if probes else "-"


def offices_sheet(closed: Mapping[str, Sequence[Tallies]]) -> Sheet:
    """Return a table of the offices that differ from the standard office in one way."""
    columns: Sequence[tuple[str, Counted, Cell]] = (
        ("spam calls stopped", Counted.STOPPED, cell(SPAM)),
        ("robots' calls stopped", Counted.STOPPED, cell(ROBOTS)),
        ("spam calls that ring without a label", Counted.PLAIN, cell(SPAM)),
        ("calls of services with people stopped", Counted.STOPPED, cell(STAFF)),
        ("calls of wanted machines stopped", Counted.STOPPED, cell(MACHINES)),
        ("customer-service numbers ever labelled", Counted.EVER_LABELLED, cell(LINES)),
        ("customer-service numbers ever challenged", Counted.EVER_ASKED, cell(LINES)),
        ("customer-service numbers that ever lost a call", Counted.EVER_LOST, cell(LINES)),
        ("wanted machines that ever lost a call", Counted.EVER_LOST, cell(MACHINES)),
        ("new person attacked by 10: calls lost", Counted.STOPPED, cell(PERSON, SPLIT, 10)),
        ("new person attacked by 40: calls lost", Counted.STOPPED, cell(PERSON, SPLIT, 40)),
        ("new machine attacked by 10: calls lost", Counted.STOPPED, cell(MACHINE, SPLIT, 10)),
    )
    rows = []
    for name, seeds in closed.items():
        row = [name]
        for _, what, subject in columns:
            share = share_of_numbers(seeds, what, subject) if what in EVER else share_of(seeds, (what,), subject)
            row.append(share.text if _all(seeds, subject, Counted.CALLS) else "-")
        rows.append(row)
    caption = (
        "With `strict`, in % of calls, or in % of numbers if the heading says `ever`. Half of the attackers mark the"
        " number, the others hang up on its calls."
    )
    return Sheet("offices", caption, ("office", *(heading for heading, _, _ in columns)), rows)
