"""People who gang up on a number. Each attack adds what the colluders do to the number's own stream.

attacked(office, stream, MARKS, 10, place) -> Stream        the readings left in it are those after the attack
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.accuracy.office import (
    Dated,
    Office,
    Reading,
    Stream,
    User,
    answered_call,
    in_order,
    instant,
    learnt,
    marking,
    unanswered_call,
)
from benchmarks.accuracy.parameters import DAY_SECONDS, Parameters
from reputation.model import EndedBy

MARKS = "marks"
HANG_UPS = "marks and hang-ups"
RING_OUTS = "marks and calls left to ring"
SPLIT = "half mark, half hang up"
SLOW = "one mark a day"
SLOW_HANG_UPS = "one mark and hang-up a day"


def colluders_of(office: Office, chance: Random, count: int) -> list[User]:
    """So many people out of a few groups, as evenly as it goes."""
    p = office.parameters
    groups = chance.sample(sorted({user.group for user in office.users}), min(p.attack_groups, p.groups))
    members = [chance.sample(those, len(those)) for g in groups if (those := [u for u in office.users if u.group == g])]
    in_turn = [those[n] for n in range(max(map(len, members))) for those in members if n < len(those)]
    return in_turn[:count]


def attacked(office: Office, stream: Stream, attack: str, count: int, place: int) -> Stream:
    """The stream with the attack in it, read only after the attack has ended (a slow one: has begun)."""
    p, chance = office.parameters, office.chance("attack", stream.kind, place)
    begin = instant(p, p.attack_day)
    deeds = ATTACKS[attack](p, chance, colluders_of(office, chance, count), begin)
    read_from = begin if attack in (SLOW, SLOW_HANG_UPS) else begin + p.attack_seconds
    kept = [(at, event) for at, event in stream.events if at >= read_from or not isinstance(event, Reading)]
    return Stream(stream.kind, in_order([*kept, *deeds]))


def _mark(p: Parameters, chance: Random, colluders: list[User], begin: float) -> list[Dated]:
    """Everyone marks a few times."""
    return [
        marking(user, begin + chance.uniform(0, p.attack_seconds)) for user in colluders for _ in range(p.attack_marks)
    ]


def _mark_and_hang_up(p: Parameters, chance: Random, colluders: list[User], begin: float) -> list[Dated]:
    """Everyone also takes one call of the number, and hangs up at once."""
    return [
        *_mark(p, chance, colluders, begin),
        *(_hang_up(p, chance, user, begin + chance.uniform(0, p.attack_seconds)) for user in colluders),
    ]


def _mark_and_let_ring(p: Parameters, chance: Random, colluders: list[User], begin: float) -> list[Dated]:
    """Everyone also lets one call of the number ring out, on an own DID."""
    return [
        *_mark(p, chance, colluders, begin),
        *(
            learnt(unanswered_call(user, begin + chance.uniform(0, p.attack_seconds), 30.0, voicemail_left=False))
            for user in colluders
        ),
    ]


def _share_the_work(p: Parameters, chance: Random, colluders: list[User], begin: float) -> list[Dated]:
    """One half marks, the other takes a call and hangs up, both out of all groups: each witness moves one family."""
    half = (len(colluders) + 1) // 2
    calls = [_hang_up(p, chance, user, begin + chance.uniform(0, p.attack_seconds)) for user in colluders[half:]]
    return [*_mark(p, chance, colluders[:half], begin), *calls]


def _mark_slowly(p: Parameters, chance: Random, colluders: list[User], begin: float) -> list[Dated]:
    """Another one marks each day."""
    return [
        marking(user, begin + n * DAY_SECONDS + chance.uniform(0, p.attack_seconds)) for n, user in enumerate(colluders)
    ]


def _mark_and_hang_up_slowly(p: Parameters, chance: Random, colluders: list[User], begin: float) -> list[Dated]:
    """Another one each day takes one call, hangs up, and marks."""
    calls = [
        _hang_up(p, chance, user, begin + n * DAY_SECONDS + chance.uniform(0, p.attack_seconds))
        for n, user in enumerate(colluders)
    ]
    return [*_mark_slowly(p, chance, colluders, begin), *calls]


def _hang_up(p: Parameters, chance: Random, user: User, at: float) -> Dated:
    ring = p.ring_answered.draw(chance)
    return learnt(answered_call(user, at, ring, p.attack_talk_seconds, EndedBy.CALLEE))


Deeds = Callable[[Parameters, Random, list[User], float], list[Dated]]
ATTACKS: dict[str, Deeds] = {
    MARKS: _mark,
    HANG_UPS: _mark_and_hang_up,
    RING_OUTS: _mark_and_let_ring,
    SPLIT: _share_the_work,
    SLOW: _mark_slowly,
    SLOW_HANG_UPS: _mark_and_hang_up_slowly,
}
