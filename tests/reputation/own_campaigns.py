"""Campaigns: what a company's number does over weeks, as outcomes. Used with the store alone, and after real calls."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reputation.model import Direction, Disposition, EndedBy, OutcomeRecord
from reputation.store.outcomes import record_outcomes
from reputation.store.transaction import transaction
from tests.reputation.store_builders import DAY

OWN = "+442071838750"
MIDNIGHT = 20_400 * DAY  # a Saturday's, UTC: 2025-11-08


@dataclass(frozen=True, slots=True)
class Manner:
    """How a number is called from: shares of the calls, London's first and last hour, calls a person."""

    calls_a_day: int = 40
    answered: float = 0.6
    short: float = 0.03
    talk_seconds: float = 90.0
    call_backs: float = 0.08
    hours: tuple[int, int] = (10, 17)
    repeats: int = 1


CONSIDERATE = Manner()
# Short calls, evenings, and again and again.
CARELESS = Manner(answered=0.3, short=0.6, talk_seconds=15.0, call_backs=0.0, hours=(19, 23), repeats=4)


def campaign(
    manner: Manner, days: Iterable[int], number: str = OWN, first: int = 0, seed: int = 7
) -> Iterator[OutcomeRecord]:
    """The calls of those days (0: the first), in order. `first`: the place of its first person among all people."""
    chance = random.Random(seed)
    people = first
    for day in days:
        for call in range(manner.calls_a_day):
            if call % manner.repeats == 0:
                people += 1
            hour = chance.uniform(*manner.hours)
            outcome = _call(
                manner, chance, f"{number}-{day}-{call}", MIDNIGHT + day * DAY + hour * 3600, number, people
            )
            yield outcome
            if chance.random() < manner.call_backs:
                yield _call_back(outcome, outcome.ended_at + 1800)


def person(place: int) -> str:
    """One of the people, in London."""
    return f"+44207183{2000 + place % 6000:04d}" if place < 6000 else f"+44161{4960000 + place:07d}"


def run(db: sqlite3.Connection, calls: Iterable[OutcomeRecord]) -> float:
    """Records each day's calls at its end, as a PBX does; the instant after the last."""
    by_day: dict[int, list[OutcomeRecord]] = {}
    for outcome in calls:
        by_day.setdefault(int(outcome.at // DAY), []).append(outcome)
    for day, outcomes in sorted(by_day.items()):
        with transaction(db):
            record_outcomes(db, outcomes, (day + 1) * DAY)
    return (max(by_day) + 1) * DAY


def _call(manner: Manner, chance: random.Random, linkedid: str, at: float, number: str, place: int) -> OutcomeRecord:
    answered = chance.random() < manner.answered
    short = answered and chance.random() < manner.short
    talk = chance.uniform(2.5, 5.5) if short else chance.lognormvariate(0, 0.4) * manner.talk_seconds + 6.0
    return OutcomeRecord(
        linkedid=linkedid,
        at=at,
        direction=Direction.OUTBOUND,
        disposition=Disposition.ANSWERED if answered else Disposition.NO_ANSWER,
        caller="201",
        dialled=person(place),
        own_number=number,
        trunk="carrier",
        answered_by="PJSIP/carrier" if answered else None,
        ring_seconds=chance.uniform(16, 30),
        talk_seconds=talk if answered else 0.0,
        ended_by=EndedBy.CALLEE if short else EndedBy.CALLER,
    )


def _call_back(call: OutcomeRecord, at: float) -> OutcomeRecord:
    return OutcomeRecord(
        linkedid=f"{call.linkedid}-back",
        at=at,
        direction=Direction.INBOUND,
        disposition=Disposition.ANSWERED,
        caller=call.dialled,
        did=call.own_number,
        answered_by="201",
        rung=("201",),
        ring_seconds=4.0,
        talk_seconds=70.0,
        ended_by=EndedBy.CALLER,
        source="cdr",
    )
