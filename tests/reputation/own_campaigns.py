"""Campaigns: the outcomes of an own number over weeks, for tests of the store alone and after real calls."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from reputation.model import Direction, Disposition, EndedBy
from reputation.outcome import OutcomeRecord
from reputation.own.daily_counts import SHORT_SECONDS
from reputation.store.outcomes import record_outcomes
from reputation.store.transaction import transaction
from tests.reputation.store_builders import DAY

OWN = "+442071838750"
MIDNIGHT = 20_400 * DAY  # a Saturday's, UTC: 2025-11-08


@dataclass(frozen=True, slots=True)
class Manner:
    """How a number calls: shares of kinds of calls, first and last hour in London, calls per person."""

    calls_a_day: int = 40
    answered: float = 0.6
    short: float = 0.03
    talk_seconds: float = 90.0
    call_backs: float = 0.08
    hours: tuple[int, int] = (10, 17)
    repeats: int = 1


class Shapes(NamedTuple):
    """One call of each kind."""

    talked: OutcomeRecord
    hung_up: OutcomeRecord
    unanswered: OutcomeRecord
    call_back: OutcomeRecord


_OUT = OutcomeRecord(
    linkedid="",
    at=0.0,
    direction=Direction.OUTBOUND,
    disposition=Disposition.ANSWERED,
    caller="201",
    trunk="carrier",
    answered_by="PJSIP/carrier",
    ring_seconds=20.0,
    talk_seconds=90.0,
    ended_by=EndedBy.CALLER,
)
_BACK = _OUT._replace(direction=Direction.INBOUND, answered_by="201", rung=("201",), talk_seconds=70.0)
MADE_UP = Shapes(
    talked=_OUT,
    hung_up=_OUT._replace(talk_seconds=4.0, ended_by=EndedBy.CALLEE),
    unanswered=_OUT._replace(disposition=Disposition.NO_ANSWER, answered_by=None, talk_seconds=0.0),
    call_back=_BACK,
)

CONSIDERATE = Manner()
# Short calls, evenings, and again and again.
CARELESS = Manner(answered=0.3, short=0.6, talk_seconds=15.0, call_backs=0.0, hours=(19, 23), repeats=4)


def campaign(
    manner: Manner, days: Iterable[int], number: str = OWN, first: int = 0, shapes: Shapes | None = None
) -> Iterator[OutcomeRecord]:
    """The calls of those days (0: the first), in order. `first`: the place of its first person among all people.

    `shapes` are what the calls are made after: made up here, or seen on a real Asterisk with time compressed.
    """
    chance, people = random.Random(7), first
    for day in days:
        for call in range(manner.calls_a_day):
            if call % manner.repeats == 0:
                people += 1
            at = MIDNIGHT + day * DAY + chance.uniform(*manner.hours) * 3600
            shape = _shape(manner, chance, shapes or MADE_UP)
            about: dict[str, Any] = {"linkedid": f"{number}-{day}-{call}", "at": at, "dialled": person(people)}
            outcome = shape._replace(**about, own_number=number, talk_seconds=_talk(manner, chance, shape))
            yield outcome
            if chance.random() < manner.call_backs:
                back: dict[str, Any] = {
                    "linkedid": f"{outcome.linkedid}-back",
                    "at": outcome.ended_at + 1800,
                    "source": "cdr",
                }
                yield (shapes or MADE_UP).call_back._replace(**back, caller=outcome.dialled, did=number)


def person(place: int) -> str:
    """Return a person in London."""
    return f"+44207183{2000 + place % 6000:04d}" if place < 6000 else f"+44161{4960000 + place:07d}"


def run(db: sqlite3.Connection, calls: Iterable[OutcomeRecord]) -> float:
    """Record each day's calls at its end, as a PBX does, and return the time after the last."""
    by_day: dict[int, list[OutcomeRecord]] = {}
    for outcome in calls:
        by_day.setdefault(int(outcome.at // DAY), []).append(outcome)
    for day, outcomes in sorted(by_day.items()):
        with transaction(db):
            record_outcomes(db, outcomes, (day + 1) * DAY)
    return (max(by_day) + 1) * DAY


def _shape(manner: Manner, chance: random.Random, shapes: Shapes) -> OutcomeRecord:
    if chance.random() >= manner.answered:
        return shapes.unanswered
    return shapes.hung_up if chance.random() < manner.short else shapes.talked


def _talk(manner: Manner, chance: random.Random, shape: OutcomeRecord) -> float:
    """A short call stays one, and no two people hang up after the same time; of a talk only the length is ours."""
    if shape.talk_seconds <= SHORT_SECONDS:
        return shape.talk_seconds * chance.uniform(0.6, 1.4)
    return chance.lognormvariate(0, 0.4) * manner.talk_seconds + SHORT_SECONDS
