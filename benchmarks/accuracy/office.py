"""The simulated office: its people, and a plan of possible events for each number that calls the office.

    office = make_office(parameters, seed)
    for plan in plans(office): ...     every number that calls the office
    service(office, 3)                 the plan of one number, independent of all others
    shadow_of(office, plan)            the events of a plan without screening, in order of time

A number's reputation depends only on evidence about this number (evidence of blocks is off), so each number is
simulated alone. Therefore all plans can use the same telephone number. Functions are pure: the office's seed and the
number's index determine all random draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import floor
from random import Random
from typing import NamedTuple

from benchmarks.accuracy.call_outcomes import UNSCREENED, Dated, Reading, call_back, consequences, learnt, trap_call
from benchmarks.accuracy.callers import Attempt, Line, User, fate_of, line_of
from benchmarks.accuracy.chances import arrivals
from benchmarks.accuracy.parameters import BACK_TALK, DAY_SECONDS, SPAM_NATURES, START, Kind, Nature, Parameters


@dataclass(frozen=True, slots=True)
class Office:
    """An office: its people, its parameters, and the seed of all its random draws."""

    parameters: Parameters
    seed: int
    users: tuple[User, ...]

    def chance(self, *place: object) -> Random:
        """Return a random generator for the purpose that `place` names. It gives the same values in every run."""
        return Random("/".join(map(str, (self.seed, *place))))


class Plan(NamedTuple):
    """The possible events of a number in order of time: its calls to the office, and calls back from the office."""

    kind: Kind
    line: Line
    events: list[Dated]


Stream = list[Dated]


def make_office(parameters: Parameters, seed: int) -> Office:
    chance = Random(f"{seed}/people")
    shape = parameters.reporter_shape
    users = tuple(
        User(
            str(200 + n),
            f"+4420718{38000 + n}",
            f"group-{n % parameters.groups}",
            chance.gammavariate(shape, 1 / shape),
        )
        for n in range(parameters.users)
    )
    heeds = Random(f"{seed}/notices")
    return Office(parameters, seed, tuple(user._replace(heeds=heeds.random()) for user in users))


def plans(office: Office) -> Iterator[Plan]:
    p = office.parameters
    yield from (contact(office, n) for n in range(p.contacts))
    yield from (service(office, n) for n in range(p.services))
    yield from (one_off(office, n) for n in range(p.one_off_a_day * p.days))
    yield from (spammer(office, n) for n in range(p.spammers))
    yield from (single_use(office, n) for n in range(p.single_use_a_day * p.days))
    yield from (storm_call(office, storm, n) for storm in range(p.storms) for n in range(p.storm_calls))
    yield from (wangiri(office, n) for n in range(p.wangiri_bursts))


def shadow_of(office: Office, plan: Plan) -> Stream:
    """Return the events of a plan without screening.

    A method must judge a call when it begins, and learns the outcome when it ends.
    """
    events: list[Dated] = []
    for at, event in plan.events:
        if not isinstance(event, Attempt):
            events.append((at, event))
            continue
        if event.counted:
            events.append((at, Reading(event.user.extension)))
        events += consequences(office.parameters, event, UNSCREENED)
    return in_order(events)


class Caller:
    """Generates the calls that a number makes."""

    def __init__(self, office: Office, kind: Kind, place: object, nature: Nature) -> None:
        self.parameters, self.users = office.parameters, office.users
        self.kind = kind
        self.chance = office.chance(kind, place)
        self._name = f"{office.seed}-{kind}-{place}"
        self.traps = office.chance(kind, place, "traps")
        self.line = _with_sources(
            office, line_of(self.parameters, self.chance, self.parameters.habits[kind], nature), place
        )
        self._calls = 0

    def call(self, user: User, at: float, ring_seconds: float | None = None) -> Dated:
        self._calls += 1
        fate = fate_of(self.parameters, self.chance, self.line.habits)
        return at, Attempt(f"{self._name}-{self._calls}", at, user, self.line, fate, ring_seconds)

    def steady(self, rate: float, first_day: float, last_day: float) -> Iterator[Dated]:
        """Yield `rate` calls per day to random people of the office from `first_day` to `last_day`.

        Also yield the number's calls to traps, which are DIDs that nobody uses.
        """
        p, chance = self.parameters, self.chance
        in_a_row = p.in_a_row if self.line.nature in SPAM_NATURES else 1
        for day in arrivals(chance, rate / in_a_row, first_day, last_day):
            at, first = instant(p, day), chance.randrange(len(self.users))
            for n in range(in_a_row):
                yield self.call(self.users[(first + n) % len(self.users)], at)
                at += chance.uniform(*p.row_gap)
        yield from self.trapped(rate, first_day, last_day)

    def trapped(self, rate: float, first_day: float, last_day: float) -> Iterator[Dated]:
        """Yield the number's calls to traps, which are DIDs without a user. `rate`: calls per day to the office."""
        p = self.parameters
        rate *= p.traps / 100 * (1.0 if self.line.nature in SPAM_NATURES else p.misdialled)
        if rate <= 0:
            return
        for n, day in enumerate(arrivals(self.traps, rate, first_day, last_day)):
            trap, is_signed = self.traps.randrange(p.traps * p.users // 100), self.traps.random() < self.line.signed
            yield learnt(trap_call(self.line, f"{self._name}-trap-{n}", instant(p, day), trap, is_signed))

    def plan(self, events: Iterable[Dated]) -> Plan:
        return Plan(self.kind, self.line, in_order(events))


def contact(office: Office, place: int) -> Plan:
    """Return the plan of a contact: a number that calls one to four people of the office and is called by them."""
    p, caller = office.parameters, Caller(office, Kind.CONTACT, place, Nature.PERSON)
    chance, habits = caller.chance, caller.line.habits
    friends = chance.sample(office.users, min(p.users, chance.randint(*p.contact_users)))
    events: list[Dated] = []
    for day in arrivals(chance, chance.uniform(*p.contact_rate), 0.0, p.days):
        at, user = instant(p, day), chance.choice(friends)
        if chance.random() >= p.contact_ours:
            events.append(caller.call(user, at))
        elif chance.random() < habits.answered:
            events.append(learnt(call_back(user, at, p.ring_answered.draw(chance), habits.talk.draw(chance))))
    return caller.plan(events)


def service(office: Office, place: int) -> Plan:
    """Return the plan of a customer-service number, which calls random people.

    For some of these numbers a machine calls.
    """
    p = office.parameters
    nature = Nature.MACHINE if place % round(1 / p.machines) == 0 else Nature.STAFF
    caller = Caller(office, Kind.SERVICE, place, nature)
    return caller.plan(caller.steady(caller.chance.uniform(*p.service_rate), 0.0, p.days))


def established(office: Office, place: int) -> Plan:
    """Return the plan of a customer-service number that has called for a long time. People make its calls."""
    return service(office, place + place // (round(1 / office.parameters.machines) - 1) + 1)


def established_machine(office: Office, place: int) -> Plan:
    """Return the plan of a customer-service number that has called for a long time. Programs make its calls."""
    return service(office, place * round(1 / office.parameters.machines))


def new_number(office: Office, kind: Kind, place: int, first_day: float | None = None) -> Plan:
    """Return the plan of a new number of a person or wanted automated caller. It calls seldom and is attacked later."""
    p = office.parameters
    caller = Caller(office, kind, place, Nature.MACHINE if kind is Kind.NEW_MACHINE else Nature.PERSON)
    first_day = p.attack_day - p.new_days if first_day is None else first_day
    return caller.plan(caller.steady(p.new_rate, first_day, p.days))


def spammer(office: Office, place: int) -> Plan:
    """Return the plan of a spam number that calls random people while it is in use."""
    p, caller = office.parameters, Caller(office, Kind.SPAM, place, _spam_nature(office, Kind.SPAM, place))
    rate = min(p.spam_rate.draw(caller.chance), p.spam_rate_most)
    born = caller.chance.uniform(0, p.days)
    end = min(p.days, born + caller.chance.expovariate(1 / p.spam_life_days))
    return caller.plan([*caller.steady(rate, born, end), *_calls_of_accomplices(caller, born)])


def _calls_of_accomplices(caller: Caller, born: float) -> Iterator[Dated]:
    """Yield calls from people of the office to a spam number. They talk for a while, to make the number look wanted."""
    p, chance = caller.parameters, caller.chance
    for user in chance.sample(caller.users, p.accomplices):
        at = instant(p, born + chance.uniform(0, 1))
        yield learnt(call_back(user, at, p.ring_answered.draw(chance), 30.0 + BACK_TALK.draw(chance)))


def one_off(office: Office, place: int) -> Plan:
    """Return the plan of a stranger who calls a person once, or twice within a short time."""
    p, caller = office.parameters, Caller(office, Kind.ONE_OFF, place, Nature.PERSON)
    user, day = caller.chance.choice(office.users), caller.chance.uniform(0, p.days)
    again = caller.chance.random() < p.one_off_again
    days = [day, day + caller.chance.uniform(0, p.one_off_again_days)] if again else [day]
    return caller.plan(caller.call(user, instant(p, day)) for day in days if day < p.days)


def single_use(office: Office, place: int) -> Plan:
    """Return the plan of a spam number that makes a single call."""
    p = office.parameters
    caller = Caller(office, Kind.SINGLE_USE, place, _spam_nature(office, Kind.SINGLE_USE, place))
    at = instant(p, caller.chance.uniform(0, p.days))
    return caller.plan([caller.call(caller.chance.choice(office.users), at)])


def storm_call(office: Office, storm: int, place: int) -> Plan:
    """Return the plan of a number in a storm, in which many numbers call within an hour."""
    p, name = office.parameters, f"{storm}/{place}"
    begin = instant(p, office.chance(Kind.STORM, storm).uniform(p.read_from_day, p.days - 1))
    caller = Caller(office, Kind.STORM, name, _spam_nature(office, Kind.STORM, name))
    at = begin + caller.chance.uniform(0, p.wangiri_seconds)
    return caller.plan([caller.call(caller.chance.choice(office.users), at)])


def wangiri(office: Office, place: int) -> Plan:
    """Return the plan of a number that rings many people once each within an hour."""
    p, caller = office.parameters, Caller(office, Kind.WANGIRI, place, Nature.ONE_RING)
    begin = instant(p, caller.chance.randrange(p.days) + caller.chance.uniform(0, 0.8))
    return caller.plan(one_ring_burst(caller, begin, caller.chance.randint(*p.wangiri_callees)))


def one_ring_burst(caller: Caller, begin: float, callees: int) -> list[Dated]:
    """Return short calls to `callees` people, all within an hour."""
    p, chance = caller.parameters, caller.chance
    return [
        caller.call(user, begin + chance.uniform(0, p.wangiri_seconds), chance.uniform(*p.wangiri_ring))
        for user in chance.sample(caller.users, min(p.users, callees))
    ]


def _with_sources(office: Office, line: Line, place: object) -> Line:
    """Return the line with outside evidence: whether sources list its number, and the share of signed calls."""
    p, chance, is_spam = office.parameters, office.chance(line.nature, place, "sources"), line.nature in SPAM_NATURES
    listed = p.listed if is_spam else p.listed_wrongly if line.nature is Nature.MACHINE else 0.0
    signed = float(chance.random() < p.signed)
    if is_spam and chance.random() < p.mixed:
        signed = 0.5
    return line._replace(listed=chance.random() < listed, signed=signed)


def _spam_nature(office: Office, kind: Kind, place: object) -> Nature:
    is_robot = office.chance(kind, "nature", place).random() < office.parameters.robots
    return Nature.ROBOT if is_robot else Nature.SPAMMER


def instant(p: Parameters, day: float) -> float:
    """Return the time in the working hours of a day, in UTC seconds.

    The fraction of `day` is the share of these hours that has elapsed.
    """
    hour = p.first_hour + (day - floor(day)) * (p.last_hour - p.first_hour)
    return START + floor(day) * DAY_SECONDS + hour * 3600


def in_order(events: Iterable[Dated]) -> list[Dated]:
    return sorted(events, key=lambda dated: dated[0])
