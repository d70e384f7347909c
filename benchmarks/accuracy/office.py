"""The simulated office: its people, and for each number that calls it the stream of what happens, in order of time.

    office = make_office(parameters, seed)
    for stream in streams(office): ...                    every number of the office
    service(office, 3)                                    the same number again, whatever else was made

A number's reputation depends on its own rows only (block evidence is off), so each number is a world of its own: all
streams carry the same telephone number, and each is read by a method that knows nothing else. Pure: chance is seeded
by the office's seed and the number's place, so one stream never depends on another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import floor
from random import Random
from typing import NamedTuple

from benchmarks.accuracy.chances import arrivals
from benchmarks.accuracy.parameters import DAY_SECONDS, START, Habits, Kind, Parameters
from reputation.model import AuthClass, Direction, Disposition, EndedBy, Mark, MarkChannel, OutcomeRecord, Verdict

NUMBER = "+12015550123"


class User(NamedTuple):
    """One of ours. `did` is the own number that callers dial, `readiness` how readily the person marks (1: average)."""

    extension: str
    did: str
    group: str
    readiness: float


@dataclass(frozen=True, slots=True)
class Office:
    """People and figures; `seed` names all the chance in it."""

    parameters: Parameters
    seed: int
    users: tuple[User, ...]

    def chance(self, *place: object) -> Random:
        """The chance of one place in this office: always the same."""
        return Random("/".join(map(str, (self.seed, *place))))


class Reading(NamedTuple):
    """An inbound call for one of ours begins: what is known of the number now?"""

    callee: str


Event = Reading | OutcomeRecord | Mark
Dated = tuple[float, Event]


class Stream(NamedTuple):
    """All that happens with one number, in order of time: calls are read when they begin, and learnt when they end."""

    kind: Kind
    events: list[Dated]


def make_office(parameters: Parameters, seed: int) -> Office:
    """The people of one seed."""
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
    return Office(parameters, seed, users)


def streams(office: Office) -> Iterator[Stream]:
    """Every number of the office."""
    p = office.parameters
    yield from (contact(office, n) for n in range(p.contacts))
    yield from (service(office, n) for n in range(p.services))
    yield from (one_off(office, n) for n in range(p.one_off_a_day * p.days))
    yield from (spammer(office, n) for n in range(p.spammers))
    yield from (single_use(office, n) for n in range(p.single_use_a_day * p.days))
    yield from (wangiri(office, n) for n in range(p.wangiri_bursts))


def contact(office: Office, place: int) -> Stream:
    """Somebody whom one to four of ours talk with, and call."""
    p, chance = office.parameters, office.chance(Kind.CONTACT, place)
    habits = p.habits[Kind.CONTACT]
    friends = chance.sample(office.users, min(p.users, chance.randint(*p.contact_users)))
    events: list[Dated] = []
    for day in arrivals(chance, chance.uniform(*p.contact_rate), 0.0, p.days):
        at, user = instant(p, day), chance.choice(friends)
        if chance.random() >= p.contact_ours:
            events += call(p, chance, habits, user, at)
        elif chance.random() < habits.answered:
            events += [learnt(call_back(user, at, p.ring_answered.draw(chance), habits.talk.draw(chance)))]
    return Stream(Kind.CONTACT, in_order(events))


def service(office: Office, place: int) -> Stream:
    """A customer-service line that calls anybody of ours."""
    chance = office.chance(Kind.SERVICE, place)
    rate = chance.uniform(*office.parameters.service_rate)
    return steady(office, chance, Kind.SERVICE, rate, (0.0, office.parameters.days))


def new_service(office: Office, place: int) -> Stream:
    """A line that is still new, and seldom calls, when it is attacked."""
    p, chance = office.parameters, office.chance("new", place)
    return steady(office, chance, Kind.SERVICE, p.new_rate, (p.attack_day - p.new_days, p.days))


def spammer(office: Office, place: int) -> Stream:
    """A number that calls anybody of ours, for as long as it lives."""
    p, chance = office.parameters, office.chance(Kind.SPAM, place)
    rate = min(p.spam_rate.draw(chance), p.spam_rate_most)
    born = chance.uniform(0, p.days)
    return steady(office, chance, Kind.SPAM, rate, (born, min(p.days, born + chance.expovariate(1 / p.spam_life_days))))


def steady(office: Office, chance: Random, kind: Kind, rate: float, days: tuple[float, float]) -> Stream:
    """`rate` calls a day to anybody, from one day to another."""
    p = office.parameters
    events: list[Dated] = []
    for day in arrivals(chance, rate, *days):
        events += call(p, chance, p.habits[kind], chance.choice(office.users), instant(p, day))
    return Stream(kind, in_order(events))


def one_off(office: Office, place: int) -> Stream:
    """Somebody who calls one of ours once, or once again soon."""
    p, chance = office.parameters, office.chance(Kind.ONE_OFF, place)
    user, day = chance.choice(office.users), chance.uniform(0, p.days)
    again = chance.random() < p.one_off_again
    days = [day, day + chance.uniform(0, p.one_off_again_days)] if again else [day]
    calls = [call(p, chance, p.habits[Kind.ONE_OFF], user, instant(p, day)) for day in days if day < p.days]
    return Stream(Kind.ONE_OFF, in_order(event for events in calls for event in events))


def single_use(office: Office, place: int) -> Stream:
    """A spam number that is used for one call."""
    p, chance = office.parameters, office.chance(Kind.SINGLE_USE, place)
    at = instant(p, chance.uniform(0, p.days))
    events = call(p, chance, p.habits[Kind.SINGLE_USE], chance.choice(office.users), at)
    return Stream(Kind.SINGLE_USE, in_order(events))


def wangiri(office: Office, place: int) -> Stream:
    """A number that rings many of ours once within an hour."""
    p, chance = office.parameters, office.chance(Kind.WANGIRI, place)
    begin = instant(p, chance.randrange(p.days) + chance.uniform(0, 0.8))
    events: list[Dated] = []
    for user in chance.sample(office.users, min(p.users, chance.randint(*p.wangiri_callees))):
        at = begin + chance.uniform(0, p.wangiri_seconds)
        events += call(p, chance, p.habits[Kind.WANGIRI], user, at, ring_seconds=chance.uniform(*p.wangiri_ring))
    return Stream(Kind.WANGIRI, in_order(events))


def call(
    p: Parameters, chance: Random, habits: Habits, user: User, at: float, *, ring_seconds: float | None = None
) -> list[Dated]:
    """One inbound call, and what people do about it: a mark, a call back."""
    is_answered = chance.random() < habits.answered
    ring = ring_seconds or (p.ring_answered if is_answered else p.ring_unanswered).draw(chance)
    if is_answered:
        talk = (habits.hooked_talk if chance.random() < habits.hooked else habits.talk).draw(chance)
        ended_by = EndedBy.CALLEE if chance.random() < habits.ended_by_callee else EndedBy.CALLER
        outcome = answered_call(user, at, ring, talk, ended_by)
    else:
        outcome = unanswered_call(user, at, ring, chance.random() < habits.voicemail)
    events: list[Dated] = [(at, Reading(user.extension)), learnt(outcome)]
    marked = habits.marked_answered if is_answered else habits.marked_unanswered
    if chance.random() < marked * user.readiness:
        events.append(marking(user, outcome.ended_at + chance.uniform(*p.mark_delay), outcome.linkedid))
    if chance.random() < habits.called_back:
        back_at = outcome.ended_at + chance.uniform(*p.back_delay)
        events.append(learnt(call_back(user, back_at, p.ring_answered.draw(chance), habits.back_talk.draw(chance))))
    return events


def answered_call(user: User, at: float, ring_seconds: float, talk_seconds: float, ended_by: EndedBy) -> OutcomeRecord:
    """The number called one of ours, who took the call."""
    return OutcomeRecord(
        linkedid=f"in-{at}",
        at=at,
        direction=Direction.INBOUND,
        disposition=Disposition.ANSWERED,
        caller=NUMBER,
        did=user.did,
        answered_by=user.extension,
        group=user.group,
        rung=(user.extension,),
        ring_seconds=ring_seconds,
        talk_seconds=talk_seconds,
        ended_by=ended_by,
    )


def unanswered_call(user: User, at: float, ring_seconds: float, voicemail_left: bool) -> OutcomeRecord:
    """Nobody took it, and the caller gave up or spoke to the machine."""
    return OutcomeRecord(
        linkedid=f"in-{at}",
        at=at,
        direction=Direction.INBOUND,
        disposition=Disposition.NO_ANSWER,
        caller=NUMBER,
        did=user.did,
        group=user.group,
        rung=(user.extension,),
        ring_seconds=ring_seconds,
        ended_by=EndedBy.CALLER,
        voicemail_left=voicemail_left,
    )


def call_back(user: User, at: float, ring_seconds: float, talk_seconds: float) -> OutcomeRecord:
    """One of ours called the number, which answered."""
    return OutcomeRecord(
        linkedid=f"out-{at}",
        at=at,
        direction=Direction.OUTBOUND,
        disposition=Disposition.ANSWERED,
        caller=user.extension,
        dialled=NUMBER,
        ring_seconds=ring_seconds,
        talk_seconds=talk_seconds,
        ended_by=EndedBy.CALLER,
    )


def marking(user: User, at: float, linkedid: str | None = None) -> Dated:
    """One of ours marks the number."""
    mark = Mark(
        number=NUMBER,
        auth_class=AuthClass.UNKNOWN,
        reporter=user.extension,
        verdict=Verdict.SPAM,
        at=at,
        channel=MarkChannel.EXTENSION,
        group=user.group,
        linkedid=linkedid,
    )
    return at, mark


def learnt(outcome: OutcomeRecord) -> Dated:
    """A call is learnt from when it is over."""
    return outcome.ended_at, outcome


def instant(p: Parameters, day: float) -> float:
    """UTC seconds of a day and its fraction, which counts the hours of work only."""
    hour = p.first_hour + (day - floor(day)) * (p.last_hour - p.first_hour)
    return START + floor(day) * DAY_SECONDS + hour * 3600


def in_order(events: Iterable[Dated]) -> list[Dated]:
    """By time."""
    return sorted(events, key=lambda dated: dated[0])
