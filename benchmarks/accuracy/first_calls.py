"""Measures what CallSieve does with the first call of a number: from honest strangers, and from spam storms.

A storm is many new spam numbers that call within a short time. The other benchmarks of accuracy simulate each number
alone. Here all numbers call the same office, because single-use spam numbers can be recognised only by what they have
in common. The calls go through the real replay, and no decision changes a call.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from itertools import repeat
from random import Random
from statistics import fmean
from typing import NamedTuple

from benchmarks.accuracy.call_outcomes import UNSCREENED, consequences
from benchmarks.accuracy.callers import Attempt, Line, User, fate_of
from benchmarks.accuracy.chances import arrivals
from benchmarks.accuracy.estimates import Estimate, estimate
from benchmarks.accuracy.office import Office, instant, make_office
from benchmarks.accuracy.parameters import DAY_SECONDS, STANDARD, START, Kind, Nature
from benchmarks.accuracy.tables import Sheet
from callsieve.replay.engine import Replay
from callsieve.replay.history_file import PastCall
from callsieve.simulate import SettingsFacts
from policies.decision import Action
from policies.loader import load_policy
from reputation.model import Did, Person
from reputation.outcome import OutcomeRecord
from reputation.plan.loader import shipped_plans
from reputation.plan.rows import NumberPlan
from reputation.weights import DEFAULT, Weights


class Style(StrEnum):
    """A kind of caller with its way of calling, such as a company with several numbers."""

    ONE_OFF = "stranger"
    COMPANY = "company with 4 to 20 lines, of which several call within an hour"
    CLINIC = "clinic: one or two lines, 3 to 10 calls within an hour"
    CALL_CENTRE = "call centre with 20 lines"
    CONFERENCE = "conference that calls 3 to 8 of us at once, from up to 4 lines"
    FLEET = "couriers: 100 mobile phones of one block"
    SCATTERED = "single-use, one at a time"
    WALK = "storm: 5 blocks, our numbers in order"
    BLOCKS = "storm: 5 blocks, our numbers in any order"
    MANY_BLOCKS = "storm: 100 blocks, our numbers in any order"
    NEIGHBOURS = "storm: shows numbers of our own exchange, in any order"
    SPREAD_WALK = "storm: any numbers, our numbers in order"
    LINES_WALK = "storm: any numbers, in order, 8 lines at once"
    UNALLOCATED = "storm: numbers that nobody has, in any order"
    SPREAD = "storm: any numbers, in any order"
    SLOW = "storm: 5 blocks, one call in 4 minutes"
    SECOND_DIDS = "storm: any numbers, every second of our numbers in order"
    SLOW_WALK = "storm: any numbers, our numbers in order, one in 200 s"


# How tables name the styles. The values of `Style` are part of the random seeds, so they do not change.
STYLE_WORDS: Mapping[Style, str] = {
    Style.ONE_OFF: "a person who is a stranger",
    Style.COMPANY: "company with 4 to 20 numbers, of which several call within an hour",
    Style.CLINIC: "clinic with one or two numbers: 3 to 10 calls within an hour",
    Style.CALL_CENTRE: "call centre with 20 numbers",
    Style.CONFERENCE: "conference that calls 3 to 8 of our people at once, from up to 4 numbers",
    Style.FLEET: "couriers with 100 mobile numbers of one block",
    Style.SCATTERED: "single-use spam numbers, one at a time",
    Style.WALK: "storm with numbers of 5 blocks, calls our numbers in order",
    Style.BLOCKS: "storm with numbers of 5 blocks, calls our numbers in any order",
    Style.MANY_BLOCKS: "storm with numbers of 100 blocks, calls our numbers in any order",
    Style.NEIGHBOURS: "storm with numbers of our own exchange, calls our numbers in any order",
    Style.SPREAD_WALK: "storm with random numbers, calls our numbers in order",
    Style.LINES_WALK: "storm with random numbers, calls our numbers in order, 8 calls at once",
    Style.UNALLOCATED: "storm with unallocated numbers, calls our numbers in any order",
    Style.SPREAD: "storm with random numbers, calls our numbers in any order",
    Style.SLOW: "slow storm with numbers of 5 blocks, one call in 4 minutes",
    Style.SECOND_DIDS: "storm with random numbers, calls every other one of our numbers in order",
    Style.SLOW_WALK: "slow storm with random numbers, calls our numbers in order, one call in 200 s",
}
HONEST = (Style.ONE_OFF, Style.COMPANY, Style.CLINIC, Style.CALL_CENTRE, Style.CONFERENCE, Style.FLEET)
STORMS = tuple(style for style in Style if style.value.startswith("storm"))
# The nine styles whose mean has a target. The other two styles have separate targets.
NINE = STORMS[:9]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How often each kind of caller calls an office for the first time.

    Rates are calls per day to the whole office. All values are assumptions.
    """

    users: int = 200
    days: int = 30
    read_from_day: float = 7.0
    town_blocks: int = 2000  # blocks of 1000 numbers from which strangers' landline numbers are drawn
    mobile: float = 0.5
    main_number: float = 0.4  # share of strangers' calls to the main number; the next field: to the second number
    second_number: float = 0.1
    one_off: float = 60.0
    companies: float = 0.2  # new companies per day; likewise clinics and conferences
    clinics: float = 0.2
    conferences: float = 0.1
    call_centres: int = 3
    call_centre: float = 4.0  # calls per call centre
    fleets: int = 3
    fleet: float = 5.0
    scattered: float = 100.0
    storms: int = 2  # storms per style
    storm_calls: int = 300


OFFICES: Mapping[str, World] = {
    "the standard office": World(),
    "a small town with 50 blocks of numbers": World(town_blocks=50, mobile=0.3),
    "an office of 20 people with a tenth of the calls": World(
        users=20,
        one_off=6.0,
        companies=0.02,
        clinics=0.02,
        conferences=0.01,
        call_centre=0.4,
        fleet=0.5,
        scattered=10.0,
        storm_calls=30,
    ),
    "an office without a main number": World(main_number=0.0, second_number=0.0),
}
STANDARD_NAME = next(iter(OFFICES))
OWN_EXCHANGE = "+44207183"


class FirstCall(NamedTuple):
    """A call to the office that can be the first call of its number. `user`: the callee."""

    at: float
    style: Style
    number: str
    user: User


Tally = Counter[tuple[Style, str]]  # of first calls: "calls", "tagged", "more"


def any_mobile(chance: Random) -> str:
    return f"+447{chance.randrange(400_000_000, 1_000_000_000)}"


def block_of_london(chance: Random) -> str:
    return f"+4420{chance.choice('378')}{chance.randrange(10_000):04d}"


def any_number(chance: Random) -> str:
    return any_mobile(chance) if chance.random() < 0.5 else f"{block_of_london(chance)}{chance.randrange(1000):03d}"


class Calls:
    """Generates all calls of a simulation, one style after the other. The seed determines them."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.office: Office = make_office(replace(STANDARD, users=world.users, days=world.days), seed)
        self.users = self.office.users
        chance = self.office.chance("town")
        self.town = [block_of_london(chance) for _ in range(world.town_blocks)]

    def all(self) -> list[FirstCall]:
        makers = (self.strangers, self.companies, self.clinics, self.call_centres, self.conferences, self.fleets)
        calls = [ring for make in (*makers, self.single_use, self.storms) for ring in make()]
        return sorted(ring for ring in calls if ring.at < instant(self.office.parameters, self.world.days))

    def times(self, chance: Random, rate: float) -> Iterator[float]:
        return (instant(self.office.parameters, day) for day in arrivals(chance, rate, 0.0, self.world.days))

    def callee(self, chance: Random) -> User:
        """Draw the callee of a stranger: often the first user, who has the main number."""
        where, world = chance.random(), self.world
        if where < world.main_number:
            return self.users[0]
        return self.users[1] if where < world.main_number + world.second_number else chance.choice(self.users)

    def strangers(self) -> Iterator[FirstCall]:
        chance = self.office.chance(Style.ONE_OFF)
        for at in self.times(chance, self.world.one_off):
            local = f"{chance.choice(self.town)}{chance.randrange(1000):03d}"
            number = any_mobile(chance) if chance.random() < self.world.mobile else local
            yield FirstCall(at, Style.ONE_OFF, number, self.callee(chance))

    def companies(self) -> Iterator[FirstCall]:
        chance = self.office.chance(Style.COMPANY)
        for at in self.times(chance, self.world.companies):
            lines = _lines(chance, chance.randint(4, 20))
            friends = chance.sample(self.users, chance.randint(2, 5))
            for user in friends:
                yield FirstCall(at + chance.uniform(0, 3600), Style.COMPANY, chance.choice(lines), user)
            for later in arrivals(chance, 1.0, 1.0, self.world.days):
                yield FirstCall(at + later * DAY_SECONDS, Style.COMPANY, chance.choice(lines), chance.choice(friends))

    def clinics(self) -> Iterator[FirstCall]:
        chance = self.office.chance(Style.CLINIC)
        for at in self.times(chance, self.world.clinics):
            lines = _lines(chance, chance.randint(1, 2))
            for user in chance.sample(self.users, chance.randint(3, 10)):
                yield FirstCall(at + chance.uniform(0, 3600), Style.CLINIC, chance.choice(lines), user)

    def call_centres(self) -> Iterator[FirstCall]:
        chance = self.office.chance(Style.CALL_CENTRE)
        for _ in range(self.world.call_centres):
            lines = _lines(chance, 20)
            for at in self.times(chance, self.world.call_centre):
                yield FirstCall(at, Style.CALL_CENTRE, chance.choice(lines), chance.choice(self.users))

    def conferences(self) -> Iterator[FirstCall]:
        chance = self.office.chance(Style.CONFERENCE)
        for at in self.times(chance, self.world.conferences):
            lines = _lines(chance, chance.choice((1, 1, 2, 4)))
            for user in chance.sample(self.users, chance.randint(3, 8)):
                yield FirstCall(at + chance.uniform(0, 20), Style.CONFERENCE, chance.choice(lines), user)

    def fleets(self) -> Iterator[FirstCall]:
        chance = self.office.chance(Style.FLEET)
        for _ in range(self.world.fleets):
            block = any_mobile(chance)[:-3]
            for at in self.times(chance, self.world.fleet):
                yield FirstCall(at, Style.FLEET, f"{block}{chance.randrange(100):03d}", self.callee(chance))

    def single_use(self) -> Iterator[FirstCall]:
        chance = self.office.chance(Style.SCATTERED)
        for at in self.times(chance, self.world.scattered):
            yield FirstCall(at, Style.SCATTERED, any_number(chance), chance.choice(self.users))

    def storms(self) -> Iterator[FirstCall]:
        for style in STORMS:
            for place in range(self.world.storms):
                yield from self.storm(style, self.office.chance(style, place))

    def storm(self, style: Style, chance: Random) -> Iterator[FirstCall]:
        """Yield the calls of a storm: many numbers call once each, all within an hour. Slow storms take longer."""
        world = self.world
        begin = instant(self.office.parameters, chance.uniform(world.read_from_day, world.days - 1))
        calls = min(world.storm_calls, 60) if style in _GAPS else world.storm_calls
        seconds = calls * _GAPS[style] if style in _GAPS else 3600.0
        number = _NUMBERS_OF[style](chance) if style in _NUMBERS_OF else _from_blocks(chance, 5)
        first = chance.randrange(len(self.users))
        for n in range(calls):
            at, walked = begin + seconds * n / calls + chance.uniform(0, 2), n * _STEPS.get(style, 0)
            if style is Style.LINES_WALK:  # eight parallel calls, in order except for jitter
                at = begin + seconds * (n - n % 8) / calls + chance.uniform(0, 8)
            user = self.users[(first + walked) % len(self.users)] if style in _STEPS else chance.choice(self.users)
            yield FirstCall(at, style, number(chance), user)


Numbers = Callable[[Random], str]


def _lines(chance: Random, count: int) -> list[str]:
    """Return `count` consecutive phone numbers, as a company has them."""
    block, first = block_of_london(chance), chance.randrange(1000 - count)
    return [f"{block}{first + n:03d}" for n in range(count)]


def _from_blocks(chance: Random, count: int) -> Numbers:
    blocks = [any_number(chance)[:-3] for _ in range(count)]
    return lambda draw: f"{draw.choice(blocks)}{draw.randrange(1000):03d}"


_GAPS: Mapping[Style, float] = {
    Style.SLOW: 240.0,
    Style.SLOW_WALK: 200.0,
}  # seconds between calls; other styles: within an hour
_STEPS: Mapping[Style, int] = {  # step from one DID to the next, for storms that dial DIDs in order
    Style.WALK: 1,
    Style.SPREAD_WALK: 1,
    Style.LINES_WALK: 1,
    Style.SECOND_DIDS: 2,
    Style.SLOW_WALK: 1,
}
_NUMBERS_OF: Mapping[Style, Callable[[Random], Numbers]] = {
    Style.MANY_BLOCKS: lambda chance: _from_blocks(chance, 100),
    Style.NEIGHBOURS: lambda _chance: lambda draw: f"{OWN_EXCHANGE}{draw.randrange(10_000):04d}",
    Style.SPREAD_WALK: lambda _chance: any_number,
    Style.LINES_WALK: lambda _chance: any_number,
    Style.SPREAD: lambda _chance: any_number,
    Style.SECOND_DIDS: lambda _chance: any_number,
    Style.SLOW_WALK: lambda _chance: any_number,
    Style.UNALLOCATED: lambda _chance: lambda draw: f"+444{draw.randrange(10**9):09d}",
}


def measure(world: World, seed: int, weights: Weights = DEFAULT) -> Tally:
    """Simulate an office, and count for how many first calls the decision was a tag, or more than a tag."""
    calls, tally = Calls(world, seed), Tally()
    office, rings = calls.office, calls.all()
    people = {user.extension: Person(user.extension, f"PJSIP/{user.extension}", user.group) for user in office.users}
    dids = {user.did: Did(user.did, (user.group,), user.extension) for user in office.users}
    plan, policy = NumberPlan(shipped_plans()), load_policy("strict")
    replay = Replay([policy], SettingsFacts(people, dids, frozenset(dids), weights, plan=plan))
    read_from = START + world.read_from_day * DAY_SECONDS
    seen: set[str] = set()
    for n, ring in enumerate(rings):
        event = PastCall(_outcome(office, ring, n))
        judged = replay.take(event)
        assert judged is not None
        now = judged.decisions[0]
        is_first = ring.number not in seen
        seen.add(ring.number)
        if is_first and ring.at >= read_from:
            tally[ring.style, "calls"] += 1
            tally[ring.style, "tagged"] += now.action is Action.TAG
            tally[ring.style, "more"] += now.action > Action.TAG
    return tally


def _outcome(office: Office, ring: FirstCall, place: int) -> OutcomeRecord:
    kind = Kind.ONE_OFF if ring.style in HONEST else Kind.STORM
    habits = office.parameters.habits[kind]
    fate = fate_of(office.parameters, office.chance("fate", place), habits)
    line = Line(habits, Nature.PERSON if ring.style in HONEST else Nature.ROBOT, 0.0)
    _, outcome = consequences(office.parameters, Attempt(f"c{place}", ring.at, ring.user, line, fate), UNSCREENED)[0]
    assert isinstance(outcome, OutcomeRecord)
    return outcome._replace(caller=ring.number)


def measure_all(seeds: Sequence[int], weights: Weights = DEFAULT, workers: int | None = None) -> dict[str, list[Tally]]:
    jobs = [(name, world, seed) for name, world in OFFICES.items() for seed in seeds]
    tallies: dict[str, list[Tally]] = {}
    with ProcessPoolExecutor(workers, initializer=os.nice, initargs=(10,)) as pool:
        _, worlds, each = zip(*jobs, strict=True)
        for (name, *_), tally in zip(jobs, pool.map(measure, worlds, each, repeat(weights)), strict=False):
            tallies.setdefault(name, []).append(tally)
    return tallies


def share(tallies: Sequence[Tally], what: str, *styles: Style) -> Estimate:
    """Return the share of these styles' first calls that count as `what`, in percent.

    `what`: `tagged` or `more` (than a tag).

    Every call has the same weight.
    """
    calls = [sum(tally[style, "calls"] for style in styles) for tally in tallies]
    counted = [sum(tally[style, what] for style in styles) for tally in tallies]
    return estimate([part / whole if whole else 0.0 for part, whole in zip(counted, calls, strict=True)])


def mean_share(tallies: Sequence[Tally], what: str, *styles: Style) -> Estimate:
    """Return the mean over these styles of the share of first calls that count as `what`, in percent.

    `what`: `tagged` or `more` (than a tag). Every style has the same weight.
    """
    shares = [
        [tally[style_, what] / tally[style_, "calls"] for style_ in styles if tally[style_, "calls"]]
        for tally in tallies
    ]
    return estimate([fmean(of_seed) if of_seed else 0.0 for of_seed in shares])


def first_calls_sheet(seeds: Sequence[int], measured: Mapping[str, Sequence[Tally]]) -> Sheet:
    standard = measured[STANDARD_NAME]
    rows = [_row(STYLE_WORDS[style], standard, (style,)) for style in Style]
    rows += [_row(f"all honest callers: {name}", tallies, HONEST) for name, tallies in measured.items()]
    rows += [_row(f"all storms: {name}", tallies, STORMS) for name, tallies in measured.items()]
    headings = ("first calls of", "number of calls", "tagged", "warned, challenged, routed or rejected")
    caption = (
        f"Seeds {seeds[0]} to {seeds[-1]}, on {date.today().isoformat()}. With `strict`, in % of first calls, 95 %"  # noqa: DTZ011
        " intervals in brackets."
    )
    return Sheet("first calls", caption, headings, rows)


def _row(name: str, tallies: Sequence[Tally], styles: Sequence[Style]) -> list[str]:
    calls = sum(tally[style, "calls"] for tally in tallies for style in styles)
    return [name, f"{calls:,}", *(share(tallies, what, *styles).text for what in ("tagged", "more"))]
