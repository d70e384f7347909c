"""Random calls and marks that are applied to a store in memory, for property tests of the store."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import cache
from typing import Any

from hypothesis import strategies as st

from reputation.facts import Facts
from reputation.model import (
    AuthClass,
    ChallengeResult,
    Direction,
    EndedBy,
    Level,
    Mark,
    MarkChannel,
    Reputation,
    Verdict,
    Voice,
)
from reputation.outcome import OutcomeRecord
from reputation.standing import Standing
from reputation.store.facts import facts_of, standing
from reputation.store.marks import add_mark
from reputation.store.migrations import migrate
from reputation.store.outcomes import record_outcome
from reputation.store.standing import fold_next, use_weights, weights_of
from reputation.weights import BlockWeights, Weights
from tests.reputation.store_builders import CALLER, DAY, NOW, make_outcome, make_query

HOUR = 3600.0
LATER = NOW + 4 * DAY
ROWS = ("signal", "answered", "talk", "inbound_talk", "one_ring", "mark", "outcome", "reached")
# Four of one block, one of the same digits and one more, one of another block.
NUMBERS = [f"+1201555012{digit}" for digit in range(4)] + ["+12015550123" + "1", "+12015559000"]
# Two bad numbers make a block bad, and one mark a bad number: else few random blocks are.
KEEN = Weights(block=BlockWeights(some=1, many=2, bad_from=1.0))


@cache
def empty_file() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        return db.serialize()


def empty_store(weights: Weights | None = None) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.deserialize(empty_file())
    if weights is not None:
        use_weights(db, weights)
    return db


def fold_all(db: sqlite3.Connection) -> None:
    """Fold every number from scratch."""
    db.execute("DELETE FROM standing")
    db.execute("UPDATE folding SET after = ''")
    while fold_next(db, 2):
        pass


def checksum(db: sqlite3.Connection) -> str:
    """Return a checksum of all evidence rows."""
    rows = [(table, sorted(db.execute(f"SELECT * FROM {table}"), key=repr)) for table in ROWS]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def standings(db: sqlite3.Connection) -> dict[tuple[str, AuthClass], Standing]:
    keys = db.execute("SELECT number, auth_class FROM standing ORDER BY number, auth_class").fetchall()
    found = {(number, AuthClass(name)): standing(db, number, AuthClass(name)) for number, name in keys}
    return {key: item for key, item in found.items() if item is not None}


def rounded(reputation: Reputation) -> tuple[float, Level, list[tuple[str, float]]]:
    families = [(family.name, round(family.log_odds, 6)) for family in reputation.families]
    return round(reputation.log_odds, 6), reputation.level, families


def known(db: sqlite3.Connection, number: str = CALLER, auth_class: AuthClass = AuthClass.UNKNOWN) -> Facts:
    return facts_of(db, make_query(number, auth_class, now=LATER), weights_of(db))


def apply(db: sqlite3.Connection, found: Iterable[OutcomeRecord | Mark]) -> None:
    for item in found:
        if isinstance(item, OutcomeRecord):
            record_outcome(db, item, LATER)
        else:
            add_mark(db, item)


def assert_fresh(db: sqlite3.Connection) -> None:
    """Assert that the stored standings equal a fold from scratch."""
    stored = standings(db)
    may_be_bad = db.execute("SELECT number, auth_class, may_be_bad FROM standing ORDER BY 1, 2").fetchall()
    fold_all(db)
    assert standings(db) == stored
    assert db.execute("SELECT number, auth_class, may_be_bad FROM standing ORDER BY 1, 2").fetchall() == may_be_bad


# Random calls and marks. Times are few, so that many are equal.

classes = st.sampled_from(AuthClass)
people = st.sampled_from(["201", "202", "203"])
reporters = st.sampled_from(["201", "202", "203", "201", "202", "203", "berlin:201", "berlin:202", "paris:201"])
GROUPS = {"201": "sales", "202": "support"}
hours = st.sampled_from([0, 0, 1, 13, 26, 27, 60])


@st.composite
def calls(draw: st.DrawFn, in_classes: st.SearchStrategy[AuthClass] = classes, inbound: bool = False) -> OutcomeRecord:
    direction = Direction.INBOUND if inbound else draw(st.sampled_from([Direction.INBOUND, *Direction]))
    by = draw(st.one_of(st.none(), people))
    number: dict[str, Any] = {
        "dialled" if direction is Direction.OUTBOUND else "caller": draw(st.sampled_from(NUMBERS))
    }
    return make_outcome(
        "",
        NOW + HOUR * draw(hours),
        by=by,
        talk=draw(st.sampled_from([0.0, 3.0, 40.0, 90.0])) if by else 0.0,
        ring=draw(st.sampled_from([0.0, 3.0, 20.0])),
        direction=direction,
        ended_by=draw(st.sampled_from([None, *EndedBy])),
        voicemail_left=draw(st.sampled_from([False, False, True])),
        challenge=draw(st.sampled_from([None, None, None, *ChallengeResult])),
        voice=draw(st.sampled_from([None, None, None, *Voice])),
        auth_class=draw(in_classes),
        action=draw(st.sampled_from([None, None, "warn"])),
        source="cdr",
        rung=draw(st.sampled_from([(), ("201",), ("201", "202")])),
        **number,
    )


@st.composite
def said(draw: st.DrawFn, in_classes: st.SearchStrategy[AuthClass] = classes) -> Mark:
    reporter = draw(reporters)
    return Mark(
        number=draw(st.sampled_from(NUMBERS)),
        auth_class=draw(in_classes),
        reporter=reporter,
        verdict=draw(st.sampled_from([Verdict.SPAM, *Verdict])),
        at=NOW + HOUR * draw(hours),
        channel=draw(st.sampled_from(MarkChannel)),
        group=GROUPS.get(reporter),
        category=draw(st.sampled_from([None, "scam"])),
    )


def named(found: list[OutcomeRecord | Mark], prefix: str = "c") -> list[OutcomeRecord | Mark]:
    """Give every call a name of its own."""
    return [
        item._replace(linkedid=f"{prefix}{index}") if isinstance(item, OutcomeRecord) else item
        for index, item in enumerate(found)
    ]


histories = st.lists(st.one_of(calls(), calls(), said()), max_size=14).map(named)
unsigned = st.just(AuthClass.UNAUTHENTICATED)
spoofed = st.lists(st.one_of(calls(unsigned, inbound=True), said(unsigned)), max_size=8).map(
    lambda found: named(found, "s")
)
