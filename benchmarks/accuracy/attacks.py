"""People who gang up on a number, and outsiders who borrow it. Each attack adds to the number's own plan.

attacked(office, plan, MARKS, 10, place) -> Plan        its calls until the attack (a slow one: before) are not counted
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil

from benchmarks.accuracy.callers import Attempt, Conduct, User
from benchmarks.accuracy.happening import Dated, Event, Listing, Reading, marking
from benchmarks.accuracy.office import Caller, Office, Plan, in_order, instant, one_ring_burst
from benchmarks.accuracy.parameters import DAY_SECONDS, Kind, Nature, Parameters

NOTHING = "nobody"
MARKS = "marks"
HANG_UPS = "marks and hang-ups"
SPLIT = "half mark, half hang up"
RELENTLESS = "half mark, all hang up, again and again"
OWN_LIST = "the same, let in by the own list"
SLOW = "one act a day"
SPOOFED = "spoofed owner"
SPOOFED_ELSEWHERE = "spoofed owner, by another trunk"
SPOOFED_BURSTS = "spoofed owner, one-ring bursts"


WHOLE, FIRST_HALF, SECOND_HALF = (0.0, 1.0), (0.0, 0.5), (0.5, 1.0)


def colluders_of(office: Office, place: object, count: int) -> list[User]:
    """So many people out of a few groups, as evenly as it goes; out of more where those are too small."""
    p, chance = office.parameters, office.chance("colluders", place)
    groups = sorted({user.group for user in office.users})
    fewest = ceil(count * len(groups) / len(office.users))
    chosen = chance.sample(groups, len(groups))[: max(p.attack_groups, fewest)]
    members = [chance.sample(those, len(those)) for g in chosen if (those := [u for u in office.users if u.group == g])]
    in_turn = [those[n] for n in range(max(map(len, members))) for those in members if n < len(those)]
    return in_turn[:count]


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack on one plan: who, how, from when."""

    office: Office
    plan: Plan
    caller: Caller
    colluders: list[User]
    begin: float

    @property
    def parameters(self) -> Parameters:
        """The office's figures."""
        return self.office.parameters

    @property
    def days_left(self) -> float:
        """From the first day of the attack to the end."""
        return (instant(self.parameters, self.parameters.days) - self.begin) / DAY_SECONDS

    @property
    def half(self) -> int:
        """How many mark where the work is shared."""
        return (len(self.colluders) + 1) // 2

    def sometime(self, day: float = 0, part: tuple[float, float] = WHOLE) -> float:
        """An instant within the hours of the attack, so many days later."""
        hours = self.parameters.attack_seconds * self.caller.chance.uniform(*part)
        return self.begin + day * DAY_SECONDS + hours

    def call(self, user: User, conduct: Conduct, day: float = 0, part: tuple[float, float] = WHOLE) -> Dated:
        """The number calls a colluder, who asked for it."""
        at, attempt = self.caller.call(user, self.sometime(day, part))
        assert isinstance(attempt, Attempt)
        return at, attempt._replace(line=self.plan.line, conduct=conduct, counted=False)


def attacked(office: Office, plan: Plan, attack: str, count: int, place: int) -> Plan:
    """The plan with the attack in it."""
    p = office.parameters
    nature, kind = (Nature.ONE_RING, Kind.WANGIRI) if attack == SPOOFED_BURSTS else (Nature.ROBOT, Kind.SPAM)
    caller = Caller(office, kind, f"{attack}/{plan.kind}/{place}", nature)
    begin = instant(p, p.slow_from_day if attack == SLOW else p.attack_day)
    it = Attack(office, plan, caller, colluders_of(office, place, count), begin)
    hostile = {user.extension for user in it.colluders} if attack in RELENTLESS_ONES else set()
    counted_from = begin if attack in READ_WHILE_THEY_LAST else begin + p.attack_seconds
    own = [(at, _own(event, at, begin, counted_from, hostile)) for at, event in plan.events]
    return plan._replace(events=in_order([*own, *ATTACKS[attack](it)]))


def _own(event: Event, at: float, begin: float, counted_from: float, hostile: set[str]) -> Event:
    """A call of the number's own: hung up on where the callee takes every one so, and counted only afterwards."""
    if not isinstance(event, Attempt):
        return event
    if at >= begin and event.user.extension in hostile:
        event = event._replace(conduct=Conduct.HANG_UP)
    return event if at >= counted_from else event._replace(counted=False)


def _nothing(_it: Attack) -> list[Dated]:
    return []


def _mark(it: Attack) -> list[Dated]:
    """Everyone marks a few times."""
    return [marking(user, it.sometime()) for user in it.colluders for _ in range(it.parameters.attack_marks)]


def _mark_and_hang_up(it: Attack) -> list[Dated]:
    """Everyone also takes one call of the number, and hangs up at once."""
    return [*_mark(it), *(it.call(user, Conduct.HANG_UP) for user in it.colluders)]


def _share_the_work(it: Attack) -> list[Dated]:
    """One half takes a call and hangs up, then the other marks, both out of all groups: each witness moves one family.

    In this order, because a call that was shown a label would not count.
    """
    return [*_half_hang_up(it, 0, FIRST_HALF), *_half_mark(it, 0, SECOND_HALF)]


def _half_hang_up(it: Attack, day: float, part: tuple[float, float] = WHOLE) -> list[Dated]:
    return [it.call(user, Conduct.HANG_UP, day, part) for user in it.colluders[it.half :]]


def _half_mark(it: Attack, day: float, part: tuple[float, float] = WHOLE) -> list[Dated]:
    return [marking(user, it.sometime(day, part)) for user in it.colluders[: it.half]]


def _again_and_again(it: Attack) -> list[Dated]:
    """Half mark and all take calls, every other day; a marker's own blocklist keeps his from ringing."""
    events = _share_the_work(it)
    day = it.parameters.relentless_every_days
    while day < it.days_left:
        events += [*_half_mark(it, day), *_half_hang_up(it, day)]
        day += it.parameters.relentless_every_days
    return events


def _let_in_and_hang_up(it: Attack) -> list[Dated]:
    """Those who hang up have the number on their own allowlist, so that it always rings, and without a label."""
    return [*((it.begin, Listing(user.extension)) for user in it.colluders[it.half :]), *_again_and_again(it)]


def _one_act_a_day(it: Attack) -> list[Dated]:
    """Each day the next one marks, or takes a call and hangs up, until the end."""
    events: list[Dated] = []
    for day in range(int(it.days_left)):
        turn = day % len(it.colluders)
        user = it.colluders[turn]
        marks = turn % 2 == 0
        events.append(marking(user, it.sometime(day)) if marks else it.call(user, Conduct.HANG_UP, day))
    return events


def _spoof(it: Attack) -> list[Dated]:
    """An outsider's robot shows the number as its own. Insiders, if there are any, mark or take calls and hang up."""
    p = it.parameters
    first = p.attack_day
    calls = it.caller.steady(p.spoofed_a_day, first, first + p.spoofed_days)
    return [*_borrowed(calls), *_again_and_again(it), *_probes(it)]


def _spoof_elsewhere(it: Attack) -> list[Dated]:
    """The same outsider's calls come by another trunk than the owner's."""
    it.caller.line = it.caller.line._replace(trunk="trunk-2")
    return _spoof(it)


def _spoof_in_bursts(it: Attack) -> list[Dated]:
    """The same outsider rings forty of ours once within an hour, each day."""
    p = it.parameters
    bursts = [one_ring_burst(it.caller, it.begin + day * DAY_SECONDS, p.spoofed_burst) for day in range(p.spoofed_days)]
    return [*_borrowed(call for burst in bursts for call in burst), *_again_and_again(it), *_probes(it)]


def _borrowed(calls: Iterable[Dated]) -> list[Dated]:
    return [(at, call._replace(counted=False)) for at, call in calls if isinstance(call, Attempt)]


def _probes(it: Attack) -> list[Dated]:
    """Every noon from the end of the spoofing on: would the owner's call be labelled?"""
    first, last = it.parameters.attack_day + it.parameters.spoofed_days, it.parameters.days
    return [(instant(it.parameters, day + 0.5), Reading("")) for day in range(int(first), last)]


ATTACKS: dict[str, Callable[[Attack], list[Dated]]] = {
    NOTHING: _nothing,
    MARKS: _mark,
    HANG_UPS: _mark_and_hang_up,
    SPLIT: _share_the_work,
    RELENTLESS: _again_and_again,
    OWN_LIST: _let_in_and_hang_up,
    SLOW: _one_act_a_day,
    SPOOFED: _spoof,
    SPOOFED_ELSEWHERE: _spoof_elsewhere,
    SPOOFED_BURSTS: _spoof_in_bursts,
}
SPOOFING = frozenset({SPOOFED, SPOOFED_ELSEWHERE, SPOOFED_BURSTS})
RELENTLESS_ONES = SPOOFING | {RELENTLESS, OWN_LIST}
READ_WHILE_THEY_LAST = SPOOFING | {SLOW}
