"""Attacks on a number: by people of the office who work together (colluders), and by outsiders who spoof the number.

`attacked(office, plan, MARKS, 10, place)` returns the plan of the number's calls with an attack by ten people added.
The number's own calls count only after the attack. If an attack lasts until the end of the simulation, they count from
the beginning of the attack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from benchmarks.accuracy.call_outcomes import Dated, Event, Listing, Reading, marking
from benchmarks.accuracy.callers import Attempt, Conduct, User
from benchmarks.accuracy.office import Caller, Office, Plan, in_order, instant, one_ring_burst
from benchmarks.accuracy.parameters import DAY_SECONDS, Kind, Nature, Parameters

NOTHING = "nobody"
MARKS = "marks"
HANG_UPS = "marks and hang-ups"
SPLIT = "half of them mark, half hang up"
RELENTLESS = "half of them mark, all hang up again and again"
OWN_LIST = "the same, and the colluders allow the number on their own lists"
SLOW = "one act a day"
SPOOFED = "spoofed owner"
SPOOFED_ELSEWHERE = "spoofed owner, robot on another trunk"
SPOOFED_BURSTS = "spoofed owner, bursts of one-ring calls"
# How tables name the attacks. The names above are part of the random seeds, so they do not change.
ATTACK_WORDS: Mapping[str, str] = {
    MARKS: "all mark the number as spam within 6 hours",
    SPLIT: "half mark the number; the others provoke a call from it and hang up",
    RELENTLESS: "half mark the number, all hang up on its calls; repeated every other day until the end",
    OWN_LIST: "half mark the number; the others allow it on their own lists and hang up on its calls",
    SLOW: "one of them marks the number or hangs up on its call each day, for 89 days",
    SPOOFED: "an outsider calls 20 times a day for 10 days and shows the number",
    SPOOFED_ELSEWHERE: "an outsider calls 20 times a day for 10 days on another trunk and shows the number",
    SPOOFED_BURSTS: "an outsider shows the number in bursts of 40 one-ring calls for 10 days",
}


WHOLE, FIRST_HALF, SECOND_HALF = (0.0, 1.0), (0.0, 0.5), (0.5, 1.0)


def colluders_of(office: Office, place: object, count: int) -> list[User]:
    """Return `count` people of the office who attack together.

    They belong to `parameters.attack_groups` groups of the office, or to more groups if these have too few people.
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
    """An attack on the number whose calls are in `plan`.

    `caller`: generates the attack's calls with this number. `colluders`: the people who attack together. `begin`: when
    the attack begins, in UTC seconds.
    """

    office: Office
    plan: Plan
    caller: Caller
    colluders: list[User]
    begin: float

    @property
    def parameters(self) -> Parameters:
        return self.office.parameters

    @property
    def days_left(self) -> float:
        """Days from the beginning of the attack to the end of the simulation."""
        return (instant(self.parameters, self.parameters.days) - self.begin) / DAY_SECONDS

    @property
    def half(self) -> int:
        """How many colluders mark the number while the others hang up on its calls."""
        return (len(self.colluders) + 1) // 2

    def sometime(self, day: float = 0, part: tuple[float, float] = WHOLE) -> float:
        """Return a random time in the attack's hours, `day` days after the attack begins, in UTC seconds.

        `part`: the part of these hours from which the time is drawn, such as (0.5, 1) for the second half.
        """
        hours = self.parameters.attack_seconds * self.caller.chance.uniform(*part)
        return self.begin + day * DAY_SECONDS + hours

    def call(self, user: User, conduct: Conduct, day: float = 0, part: tuple[float, float] = WHOLE) -> Dated:
        """Return a call from the number to a colluder, who has made its owner call.

        `conduct`: how the colluder treats the call.
        """
        at, attempt = self.caller.call(user, self.sometime(day, part))
        assert isinstance(attempt, Attempt)
        return at, attempt._replace(line=self.plan.line, conduct=conduct, counted=False)


def attacked(office: Office, plan: Plan, attack: str, count: int, place: int) -> Plan:
    """Return the number's plan with an attack by `count` colluders added. `place`: the index of the number."""
    p = office.parameters
    nature, kind = (Nature.ONE_RING, Kind.WANGIRI) if attack == SPOOFED_BURSTS else (Nature.ROBOT, Kind.SPAM)
    caller = Caller(office, kind, f"{attack}/{plan.kind}/{place}", nature)
    begin = instant(p, p.slow_from_day if attack == SLOW else p.attack_day)
    planned = Attack(office, plan, caller, colluders_of(office, place, count), begin)
    hostile = {user.extension for user in planned.colluders} if attack in RELENTLESS_ONES else set()
    counted_from = begin if attack in READ_WHILE_THEY_LAST else begin + p.attack_seconds
    own = [(at, _own(event, at, begin, counted_from, hostile)) for at, event in plan.events]
    return plan._replace(events=in_order([*own, *ATTACKS[attack](planned)]))


def _own(event: Event, at: float, begin: float, counted_from: float, hostile: set[str]) -> Event:
    """Return an event of the attacked number, changed for the attack.

    Colluders in `hostile` (extensions) hang up on the call from `begin` on. Calls before `counted_from` do not count.
    """
    if not isinstance(event, Attempt):
        return event
    if at >= begin and event.user.extension in hostile:
        event = event._replace(conduct=Conduct.HANG_UP)
    return event if at >= counted_from else event._replace(counted=False)


def _nothing(_it: Attack) -> list[Dated]:
    return []


def _mark(attack: Attack) -> list[Dated]:
    return [
        marking(user, attack.sometime()) for user in attack.colluders for _ in range(attack.parameters.attack_marks)
    ]


def _mark_and_hang_up(attack: Attack) -> list[Dated]:
    """Make each colluder mark the number, answer a call from the number, and hang up at once."""
    return [*_mark(attack), *(attack.call(user, Conduct.HANG_UP) for user in attack.colluders)]


def _share_the_work(attack: Attack) -> list[Dated]:
    """Make half of the colluders hang up on a call from the number. Then the other half marks the number.

    So each colluder is the source of only one kind of evidence. Hang-ups come first: once marks have caused a label, a
    hang-up would not count.
    """
    return [*_half_hang_up(attack, 0, FIRST_HALF), *_half_mark(attack, 0, SECOND_HALF)]


def _half_hang_up(attack: Attack, day: float, part: tuple[float, float] = WHOLE) -> list[Dated]:
    return [attack.call(user, Conduct.HANG_UP, day, part) for user in attack.colluders[attack.half :]]


def _half_mark(attack: Attack, day: float, part: tuple[float, float] = WHOLE) -> list[Dated]:
    return [marking(user, attack.sometime(day, part)) for user in attack.colluders[: attack.half]]


def _again_and_again(attack: Attack) -> list[Dated]:
    """Do `_share_the_work`, and then let the colluders mark and hang up again every other day.

    Colluders who mark the number receive no further calls, because a mark puts the number on their own blocklists.
    """
    events = _share_the_work(attack)
    day = attack.parameters.relentless_every_days
    while day < attack.days_left:
        events += [*_half_mark(attack, day), *_half_hang_up(attack, day)]
        day += attack.parameters.relentless_every_days
    return events


def _let_in_and_hang_up(attack: Attack) -> list[Dated]:
    """Do `_again_and_again`.

    The colluders who hang up put the number on their allowlists before, so its calls ring unlabelled.
    """
    return [
        *((attack.begin, Listing(user.extension)) for user in attack.colluders[attack.half :]),
        *_again_and_again(attack),
    ]


def _one_act_a_day(attack: Attack) -> list[Dated]:
    """Let one colluder act on each day until the end: either mark the number, or answer a call from it and hang up."""
    events: list[Dated] = []
    for day in range(int(attack.days_left)):
        turn = day % len(attack.colluders)
        user = attack.colluders[turn]
        marks = turn % 2 == 0
        events.append(marking(user, attack.sometime(day)) if marks else attack.call(user, Conduct.HANG_UP, day))
    return events


def _spoof(attack: Attack) -> list[Dated]:
    """Make an outsider's automated caller show the number as its own.

    If there are colluders too, they mark the number or hang up on its calls.
    """
    p = attack.parameters
    first = p.attack_day
    calls = attack.caller.steady(p.spoofed_a_day, first, first + p.spoofed_days)
    return [*_borrowed(calls), *_again_and_again(attack), *_probes(attack)]


def _spoof_elsewhere(attack: Attack) -> list[Dated]:
    """Make an outsider's automated caller show the number, on another trunk than the owner's calls use."""
    attack.caller.line = attack.caller.line._replace(trunk="trunk-2")
    return _spoof(attack)


def _spoof_in_bursts(attack: Attack) -> list[Dated]:
    """Make the automated caller show the number and ring `spoofed_burst` people once each within an hour, every day."""
    p = attack.parameters
    bursts = [
        one_ring_burst(attack.caller, attack.begin + day * DAY_SECONDS, p.spoofed_burst)
        for day in range(p.spoofed_days)
    ]
    return [*_borrowed(call for burst in bursts for call in burst), *_again_and_again(attack), *_probes(attack)]


def _borrowed(calls: Iterable[Dated]) -> list[Dated]:
    return [(at, call._replace(counted=False)) for at, call in calls if isinstance(call, Attempt)]


def _probes(attack: Attack) -> list[Dated]:
    """Check at noon of each day after the spoofing whether a call of the owner would be labelled."""
    first, last = attack.parameters.attack_day + attack.parameters.spoofed_days, attack.parameters.days
    return [(instant(attack.parameters, day + 0.5), Reading("")) for day in range(int(first), last)]


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
