"""The tables of the closed loop: what was reached of what was wanted, every kind of caller, attacks, and offices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.accuracy.attacks import NOTHING, SPLIT, SPOOFED, SPOOFED_BURSTS
from benchmarks.accuracy.closed_loop import Tally, What
from benchmarks.accuracy.estimates import Estimate, of, share_of, shown
from benchmarks.accuracy.methods import MODEL
from benchmarks.accuracy.offices import COLD, STANDARD_NAME
from benchmarks.accuracy.parameters import NEW_KINDS, Kind, Nature
from benchmarks.accuracy.reading import ESTABLISHED, Cell, Counts
from benchmarks.accuracy.running import ATTACK_PLAN, SPOOFERS, Results, Tallies
from benchmarks.accuracy.screening import BALANCED, STRICT
from benchmarks.accuracy.tables import STOPPED, Sheet
from reputation.model import Level

Seeds = Sequence[Tallies]
LABELLED = (What.TAGGED, What.WARNED)
SPAM, ROBOTS, SPAMMERS = Kind.SPAM.value, f"{Kind.SPAM}: {Nature.ROBOT}", f"{Kind.SPAM}: {Nature.SPAMMER}"
STAFF, MACHINES = f"{Kind.SERVICE}: {Nature.STAFF}", f"{Kind.SERVICE}: {Nature.MACHINE}"
PERSON, MACHINE = (kind.value for kind in NEW_KINDS)
HONEST = (Kind.CONTACT.value, Kind.SERVICE.value, Kind.ONE_OFF.value, PERSON, MACHINE)
# Rows of the table of callers, and what each is called in shadow; new numbers that nobody attacks are read closed only.
CALLERS: Mapping[str, str] = {
    Kind.CONTACT: Kind.CONTACT,
    STAFF: Kind.SERVICE,
    MACHINES: Kind.SERVICE,
    Kind.ONE_OFF: Kind.ONE_OFF,
    PERSON: "",
    MACHINE: "",
    SPAM: Kind.SPAM,
    ROBOTS: "",
    SPAMMERS: "",
    Kind.SINGLE_USE: Kind.SINGLE_USE,
    Kind.STORM: Kind.STORM,
    Kind.WANGIRI: Kind.WANGIRI,
}


def closed_sheets(results: Results) -> list[Sheet]:
    """All of them, in order."""
    seeds = results.closed[STANDARD_NAME]
    return [
        targets_sheet(seeds, results.closed[COLD]),
        callers_sheet(seeds, results.shadow),
        attacks_sheet(seeds),
        spoofed_sheet(seeds),
        offices_sheet(results.closed),
    ]


def cell(calls: str, attack: str = "", colluders: int = 0, preset: str = STRICT) -> Cell:
    """What `strict` did to these calls."""
    if calls in (PERSON, MACHINE) and not attack:
        attack = NOTHING
    return Cell(preset, calls, attack, colluders)


class Target(NamedTuple):
    """What we set out to reach. `unit`: 1 in % of calls, 10 in calls of 1,000; `least`: whether more is better."""

    what: str
    measured: Estimate
    limit: float
    least: bool = False


def targets_sheet(seeds: Seeds, cold: Seeds) -> Sheet:
    """What was reached of what was wanted."""
    targets = targets_of(seeds, cold)
    rows = [
        [what, value.text, f"{'>=' if least else '<='} {limit:g}", "met" if _met(value, limit, least) else "MISSED"]
        for what, value, limit, least in targets
    ]
    says = "With `strict`, in % of calls, challenges per 1,000 calls. Met: the mean is within the target."
    return Sheet("targets", says, ("what", "measured", "target", ""), rows)


def targets_of(seeds: Seeds, cold: Seeds) -> list[Target]:
    """Each with its figure."""

    def stopped(*cells: Cell) -> Estimate:
        return share_of(seeds, (What.STOPPED,), *cells)

    def worst(found: Seeds, what: What, cells: Sequence[Cell]) -> Estimate:
        return max(share_of(found, (what,), one) for one in cells)

    honest = [cell(one) for one in HONEST]
    everything = list({one for tallies in seeds for one in tallies if one.method == STRICT})
    challenges = [_per_thousand(share_of(found, (What.ASKED,), *map(cell, HONEST))) for found in (seeds, cold)]
    return [
        Target("persistent spam stopped before it rings", stopped(cell(SPAM)), 22.5, True),
        Target("the same, of robots", stopped(cell(ROBOTS)), 34.0, True),
        Target("persistent spam that rings without a label", share_of(seeds, (What.PLAIN,), cell(SPAM)), 46.0),
        Target("honest calls of any kind stopped, worst kind", worst(seeds, What.STOPPED, honest), 0.02),
        Target("wanted machines of a cold office stopped", share_of(cold, (What.STOPPED,), cell(MACHINES)), 0.8),
        Target("challenges of honest callers", challenges[0], 0.05),
        Target("the same in a cold office", challenges[1], 2.5),
        Target("turned away without being asked, worst case of all", worst(seeds, What.REJECTED, everything), 0.0),
        Target("new person attacked by 10 who share the work, lost", stopped(cell(PERSON, SPLIT, 10)), 2.0),
        Target("the same by 40", stopped(cell(PERSON, SPLIT, 40)), 4.5),
        Target("new machine attacked by 5 who share the work, lost", stopped(cell(MACHINE, SPLIT, 5)), 1.5),
        Target("the same by 10", stopped(cell(MACHINE, SPLIT, 10)), 28.0),
        Target(
            "established number attacked by 100 who share the work, lost", stopped(cell(ESTABLISHED, SPLIT, 100)), 0.1
        ),
    ]


def _met(value: Estimate, limit: float, at_least: bool) -> bool:
    return value.mean >= limit if at_least else value.mean <= limit


def _per_thousand(value: Estimate) -> Estimate:
    return Estimate(*(10 * part for part in value))


def callers_sheet(seeds: Seeds, shadow: Sequence[Counts]) -> Sheet:
    """Every kind of caller, where what is decided counts, beside where it does not."""
    rows = []
    for calls, in_shadow in CALLERS.items():
        one = cell(calls)
        shadows = [
            of(shadow, level, Cell(MODEL, in_shadow)).text if in_shadow else "" for level in (Level.WARN, STOPPED)
        ]
        rows.append([calls, calls_of(seeds, one), *_what_became(seeds, one), *shadows])
    balanced = cell(SPAM, preset=BALANCED)
    rows.append([f"{SPAM}, balanced", calls_of(seeds, balanced), *_what_became(seeds, balanced), "", ""])
    headings = (
        *("caller", "calls", "stopped", "warned", "tagged", "rang without a label", "of these on purpose"),
        *("challenges per 1,000", "own block", "in shadow: warn", "challenge"),
    )
    says = (
        "With `strict`, in % of the calls that the callee's own blocklist left; own block: those that it did not,"
        " in % of all."
    )
    return Sheet("closed loop", says, headings, rows)


def _what_became(seeds: Seeds, one: Cell) -> list[str]:
    columns = (What.STOPPED, What.WARNED, What.TAGGED, What.PLAIN, What.SAMPLED)
    blocked = [tallies[one][What.OWN_BLOCK] / max(1, tallies[one][What.CALLS]) for tallies in seeds if one in tallies]
    return [
        *(share_of(seeds, (what,), one).text for what in columns),
        _per_thousand(share_of(seeds, (What.ASKED,), one)).text,
        shown(100 * sum(blocked) / max(1, len(blocked))),
    ]


def calls_of(seeds: Seeds, one: Cell) -> str:
    """How many calls that is."""
    return f"{sum(tallies.get(one, Tally())[What.CALLS] for tallies in seeds):,}"


def attacks_sheet(seeds: Seeds) -> Sheet:
    """Every attack, by how many."""
    found = [
        cell(target, attack, count)
        for target in (PERSON, MACHINE, ESTABLISHED)
        for attack, counts, targets in ATTACK_PLAN
        if target in targets and attack not in (SPOOFED, SPOOFED_BURSTS)
        for count in counts
    ]
    rows = [
        [
            f"{one.calls}: {one.attack}",
            str(one.colluders),
            calls_of(seeds, one),
            *(share_of(seeds, whats, one).text for whats in ((What.STOPPED,), (What.REJECTED,), LABELLED)),
            _per_thousand(share_of(seeds, (What.ASKED,), one)).text,
        ]
        for one in found
    ]
    headings = ("attacked number", "by", "calls", "lost", "of these not asked", "labelled", "challenges per 1,000")
    says = "With `strict`: % of the number's calls to people who have not blocked it themselves, after the attack."
    return Sheet("attacks", says, headings, rows)


def spoofed_sheet(seeds: Seeds) -> Sheet:
    """What an outsider does to a number that he borrows for ten days."""
    rows = []
    for target in (PERSON, MACHINE, ESTABLISHED):
        for attack in (SPOOFED, SPOOFED_BURSTS):
            for count in SPOOFERS:
                one = cell(target, attack, count)
                who = "an outsider" if count == 0 else f"an outsider and {count} insiders"
                rows.append(
                    [
                        f"{target}: {attack}",
                        who,
                        *(share_of(seeds, whats, one).text for whats in ((What.STOPPED,), (What.REJECTED,), LABELLED)),
                        *(_days(seeds, one, what) for what in (What.LABEL_DAYS, What.ASKED_DAYS)),
                    ]
                )
    headings = (
        *("borrowed number", "by", "lost", "of these not asked", "labelled"),
        *("days labelled afterwards", "of these challenged"),
    )
    says = (
        "With `strict`: % of the owner's own calls from the first day of the spoofing on; days of the 35 after its end."
    )
    return Sheet("spoofed owners", says, headings, rows)


def _days(seeds: Seeds, one: Cell, what: What) -> str:
    probes = sum(tallies[one][What.PROBES] for tallies in seeds if one in tallies)
    days = sum(tallies[one][what] for tallies in seeds if one in tallies)
    return shown(35 * days / probes) if probes else "-"


def offices_sheet(closed: Mapping[str, Seeds]) -> Sheet:
    """Offices that differ in one thing."""
    rows = []
    for name, seeds in closed.items():
        honest = [cell(one) for one in HONEST]
        rows.append(
            [
                name,
                str(len(seeds)),
                *(share_of(seeds, (What.STOPPED,), cell(one)).text for one in (SPAM, ROBOTS)),
                share_of(seeds, (What.PLAIN,), cell(SPAM)).text,
                *(share_of(seeds, (What.STOPPED,), cell(one)).text for one in (STAFF, MACHINES)),
                *(_per_thousand(share_of(seeds, whats, *honest)).text for whats in ((What.ASKED,), LABELLED)),
                *(shown(share_of(seeds, (What.STOPPED,), cell(PERSON, SPLIT, k)).mean) for k in (10, 40)),
                *(shown(share_of(seeds, (What.STOPPED,), cell(MACHINE, SPLIT, k)).mean) for k in (5, 10)),
            ]
        )
    headings = (
        *("office", "seeds", "spam stopped", "robots", "spam without a label", "service people stopped", "machines"),
        *("challenges per 1,000 honest calls", "labels", "new person lost to 10", "to 40"),
        *("new machine lost to 5", "to 10"),
    )
    return Sheet("offices", "With `strict`, in % of calls; attackers share the work.", headings, rows)
