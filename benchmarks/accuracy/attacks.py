"""Simulate insiders who attack a number together, and outsiders who spoof it.

`attacked(office, plan, MARKS, 10, place)` returns the number's plan with the attack added. Calls of the number are
counted only after the attack, or from its begin if the attack goes on until the end.
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
    """Return `count` people from few groups, about equally many from each.

    If these groups are too small, take more groups.
    """
    p, chance = office.parameters, office.chance("colluders", place)
    groups = sorted({user.group for user in office.users})
    fewest = ceil(count * len(groups) / len(office.users))
    chosen = chance.sample(groups, len(groups))[: max(p.attack_groups, fewest)]
    members = [chance.sample(those, len(those)) for g in chosen if (those := [u for u in office.users if u.group == g])]
    in_turn = [those[n] for n in range(max(map(len, members))) for those in members if n < len(those)]
    return in_turn[:count]


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack on the number of a plan: who takes part, and when it begins."""

    office: Office
    plan: Plan
    caller: Caller
    colluders: list[User]
    begin: float

    @property
    def parameters(self) -> Parameters:
        """Return the parameters of the office."""
        return self.office.parameters

    @property
    def days_left(self) -> float:
        """Return the days from the begin of the attack to the end of the simulation."""
        return (instant(self.parameters, self.parameters.days) - self.begin) / DAY_SECONDS

    @property
    def half(self) -> int:
        """Return the number of colluders who mark, if the others hang up."""
        return (len(self.colluders) + 1) // 2

    def sometime(self, day: float = 0, part: tuple[float, float] = WHOLE) -> float:
        """Return a random time within the hours of the attack, `day` days after its begin."""
        hours = self.parameters.attack_seconds * self.caller.chance.uniform(*part)
        return self.begin + day * DAY_SECONDS + hours

    def call(self, user: User, conduct: Conduct, day: float = 0, part: tuple[float, float] = WHOLE) -> Dated:
        """Return a call of the number to a colluder, who provoked it."""
        at, attempt = self.caller.call(user, self.sometime(day, part))
        assert isinstance(attempt, Attempt)
        return at, attempt._replace(line=self.plan.line, conduct=conduct, counted=False)


def attacked(office: Office, plan: Plan, attack: str, count: int, place: int) -> Plan:
    """Return the plan with the attack added."""
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
    """Return an event of the number's own plan.

    Hostile callees hang up on its calls. Calls before `counted_from` do not count.
    """
    if not isinstance(event, Attempt):
        return event
    if at >= begin and event.user.extension in hostile:
        event = event._replace(conduct=Conduct.HANG_UP)
    return event if at >= counted_from else event._replace(counted=False)


def _nothing(_it: Attack) -> list[Dated]:
    return []


def _mark(it: Attack) -> list[Dated]:
    """Let each colluder mark the number a few times."""
    return [marking(user, it.sometime()) for user in it.colluders for _ in range(it.parameters.attack_marks)]


def _mark_and_hang_up(it: Attack) -> list[Dated]:
    """Let each colluder mark the number, take one of its calls, and hang up at once."""
    return [*_mark(it), *(it.call(user, Conduct.HANG_UP) for user in it.colluders)]


def _share_the_work(it: Attack) -> list[Dated]:
    """Let one half hang up on a call of the number, and then the other half mark it.

    So each witness speaks in one family of evidence. Hang-ups come first: a hang-up on a labelled call would not count.
    """
    return [*_half_hang_up(it, 0, FIRST_HALF), *_half_mark(it, 0, SECOND_HALF)]


def _half_hang_up(it: Attack, day: float, part: tuple[float, float] = WHOLE) -> list[Dated]:
    return [it.call(user, Conduct.HANG_UP, day, part) for user in it.colluders[it.half :]]


def _half_mark(it: Attack, day: float, part: tuple[float, float] = WHOLE) -> list[Dated]:
    return [marking(user, it.sometime(day, part)) for user in it.colluders[: it.half]]


def _again_and_again(it: Attack) -> list[Dated]:
    """Let one half mark and the other half hang up, every other day.

    A marker's own blocklist stops calls to the marker.
    """
    events = _share_the_work(it)
    day = it.parameters.relentless_every_days
    while day < it.days_left:
        events += [*_half_mark(it, day), *_half_hang_up(it, day)]
        day += it.parameters.relentless_every_days
    return events


def _let_in_and_hang_up(it: Attack) -> list[Dated]:
    """Let those who hang up put the number on their own allowlist first.

    So its calls always ring there, without a label.
    """
    return [*((it.begin, Listing(user.extension)) for user in it.colluders[it.half :]), *_again_and_again(it)]


def _one_act_a_day(it: Attack) -> list[Dated]:
    """Let one colluder a day mark the number, or take a call and hang up, in turn until the end."""
    events: list[Dated] = []
    for day in range(int(it.days_left)):
        turn = day % len(it.colluders)
        user = it.colluders[turn]
        marks = turn % 2 == 0
        events.append(marking(user, it.sometime(day)) if marks else it.call(user, Conduct.HANG_UP, day))
    return events


def _spoof(it: Attack) -> list[Dated]:
    """Let a robot of an outsider show the number as its own. Colluders, if there are any, mark or hang up as well."""
    p = it.parameters
    first = p.attack_day
    calls = it.caller.steady(p.spoofed_a_day, first, first + p.spoofed_days)
    return [*_borrowed(calls), *_again_and_again(it), *_probes(it)]


def _spoof_elsewhere(it: Attack) -> list[Dated]:
    """Do the same, but the calls of the robot come by another trunk than those of the owner."""
    it.caller.line = it.caller.line._replace(trunk="trunk-2")
    return _spoof(it)


def _spoof_in_bursts(it: Attack) -> list[Dated]:
    """Let the robot ring `spoofed_burst` of our people once within an hour, each day."""
    p = it.parameters
    bursts = [one_ring_burst(it.caller, it.begin + day * DAY_SECONDS, p.spoofed_burst) for day in range(p.spoofed_days)]
    return [*_borrowed(call for burst in bursts for call in burst), *_again_and_again(it), *_probes(it)]


def _borrowed(calls: Iterable[Dated]) -> list[Dated]:
    return [(at, call._replace(counted=False)) for at, call in calls if isinstance(call, Attempt)]


def _probes(it: Attack) -> list[Dated]:
    """Ask every noon after the spoofing whether a call of the owner would be labelled."""
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
