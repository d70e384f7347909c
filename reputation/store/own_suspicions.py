"""Where calls of our own numbers fare worse than they did: found once a day, kept for the console and the digest."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from reputation.encoding import FLAT, Instant
from reputation.events import EventKind, NumberSuspected
from reputation.own.grades import Due
from reputation.own.labellers import NO_NETWORKS, Networks
from reputation.own.suspicion import BEFORE_DAYS, LATELY_DAYS, Network, Suspicion, place_of, suspicions_of
from reputation.store.outbox import add_event
from reputation.store.own_days import network_calls
from reputation.weights import DAY_SECONDS
from reputation.wording import Places, Wording

COLUMNS = "number, country, network, by, since, at, before, lately, calls_before, calls_lately, confidence"
PUT = f"INSERT INTO own_suspicion ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
CLEAR = "DELETE FROM own_suspicion WHERE number = ?"
OF_NUMBER = f"SELECT {COLUMNS} FROM own_suspicion WHERE number = ? ORDER BY confidence DESC, country, network, by"
ALL = f"SELECT {COLUMNS} FROM own_suspicion ORDER BY since, number, country, network, by"
BEGUN = f"""
SELECT {COLUMNS} FROM own_suspicion WHERE since >= ? AND since < ? ORDER BY since, number, country, network, by
"""


class Suspected(NamedTuple):
    """What was found of a number: the first time `since`, and last `at`."""

    number: str
    since: Instant
    at: Instant
    suspicion: Annotated[Suspicion, FLAT]


def find_suspicions(
    db: sqlite3.Connection, number: str, now: float, networks: Networks = NO_NETWORKS
) -> list[Suspicion]:
    """What the number's calls of the last 28 days say. Some 3 s for 100,000 of them."""
    lately_since = now - LATELY_DAYS * DAY_SECONDS
    before_since = lately_since - BEFORE_DAYS * DAY_SECONDS
    return suspicions_of(
        network_calls(db, number, before_since, lately_since, networks),
        network_calls(db, number, lately_since, now, networks),
    )


def record_suspicions(db: sqlite3.Connection, number: str, found: Sequence[Suspicion], now: float) -> None:
    """What is found now in the place of what was; what is new is told. Call it in a transaction."""
    known = {(one.suspicion.network, one.suspicion.by): one.since for one in suspicions_about(db, number)}
    db.execute(CLEAR, (number,))
    for one in found:
        since = known.get((one.network, one.by), now)
        shares = (one.before, one.lately, one.calls_before, one.calls_lately, one.confidence)
        db.execute(PUT, (number, *one.network, one.by, since, now, *shares))
        if (one.network, one.by) not in known:
            data = NumberSuspected(
                number=number,
                country=one.network.country,
                network=one.network.name,
                by=one.by,
                before=one.before,
                lately=one.lately,
                confidence=one.confidence,
            )
            add_event(db, EventKind.SUSPECTED, number, now, data)


def suspicions_about(db: sqlite3.Connection, number: str) -> list[Suspected]:
    """What was found of the number last, the surest first."""
    return [_suspected(row) for row in db.execute(OF_NUMBER, (number,))]


def begun_suspicions(db: sqlite3.Connection, since: float, until: float) -> list[Suspected]:
    """What was found for the first time from `since` until before `until` and still is, in that order."""
    return [_suspected(row) for row in db.execute(BEGUN, (since, until))]


def looks_for_suspicions(db: sqlite3.Connection) -> list[Due]:
    """A look at a phone for each, as what is to be done about our numbers."""
    found = []
    for one in map(_suspected, db.execute(ALL)):
        about: Places = {"where": place_of(one.suspicion.network)}
        found.append(Due(one.number, one.since, Wording("look at a phone of {where}: it may be marked there", about)))
    return found


def _suspected(row: tuple[str, str, str, str, float, float, float, float, int, int, float]) -> Suspected:
    number, country, network, by, since, at, *shares = row
    before, lately, calls_before, calls_lately, confidence = shares
    network_there = Network(country, network)
    counts = (before, lately, int(calls_before), int(calls_lately), confidence)
    return Suspected(number, since, at, Suspicion(network_there, by, *counts))
