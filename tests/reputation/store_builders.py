"""Builders for tests of the store."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

from reputation.appeals import Appeal
from reputation.facts import Facts, FactsQuery
from reputation.model import (
    AuthClass,
    CallerKind,
    ChallengeResult,
    DecisionRecord,
    Direction,
    Disposition,
    EndedBy,
    EntryKind,
    ListEntry,
    ListName,
    Mark,
    MarkChannel,
    Verdict,
)
from reputation.numbers import stored_number
from reputation.outcome import OutcomeRecord
from reputation.store.database import open_store
from reputation.store.evidence import record_challenge
from reputation.store.facts import facts_of
from reputation.store.transaction import transaction

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NOW = 1_767_000_000.0
DAY = 86_400.0
CALLER = "+12015550123"
DID = "+442071838750"


def write(path: Path, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
    """Write to the store as the command line does."""
    with open_store(path) as db, transaction(db):
        return fn(db, *args)


def read(path: Path, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
    """Read from the store as the command line does."""
    with open_store(path) as db:
        return fn(db, *args)


def make_query(
    number: str | None = CALLER,
    auth_class: AuthClass = AuthClass.UNKNOWN,
    did: str | None = DID,
    endpoint: str | None = None,
    channel_endpoint: str | None = None,
    now: float = NOW,
) -> FactsQuery:
    return FactsQuery(stored_number(number) if number else None, auth_class, did, now, endpoint, channel_endpoint)


def facts(path: Path, query: FactsQuery | None = None) -> Facts:
    return read(path, facts_of, query or make_query())


def make_entry(
    text: str = CALLER,
    list_name: ListName = ListName.BLOCK,
    note: str = "",
    expires_at: float | None = None,
    action: str | None = None,
) -> ListEntry:
    """Make a list entry from its text: a number, `prefix*`, or `first-last`."""
    first, _, last = text.partition("-")
    kind = EntryKind.RANGE if last else EntryKind.PREFIX if text.endswith("*") else EntryKind.EXACT
    return ListEntry(list_name, kind, first.rstrip("*"), last or None, action, note, expires_at, NOW)


def make_record(
    id: str = "d1",
    at: float = NOW,
    caller: str | None = CALLER,
    linkedid: str = "1767000000.1",
    reason: str = "nothing speaks against this number",
    action: str = "allow",
    auth_class: AuthClass = AuthClass.UNKNOWN,
    callee: str | None = None,
) -> DecisionRecord:
    return DecisionRecord(
        id=id,
        at=at,
        linkedid=linkedid,
        caller=caller,
        caller_kind=CallerKind.NUMBER if caller else CallerKind.WITHHELD,
        auth_class=auth_class,
        did=DID,
        trunk="carrier",
        callee=callee,
        action=action,
        would_be=action,
        rule="default",
        reason=reason,
        level="none",
        log_odds=0.0,
        vector="[]",
        policy="cautious",
        elapsed_ms=0.4,
    )


def run_python(script: str, *args: object) -> subprocess.Popen[str]:
    """Start another Python process with the same packages. Its answers are on stdout."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def make_outcome(
    linkedid: str = "1767000000.1",
    at: float = NOW,
    *,
    talk: float = 0.0,
    ring: float = 10.0,
    by: str | None = None,
    direction: Direction = Direction.INBOUND,
    **others: Any,
) -> OutcomeRecord:
    """How an inbound call of CALLER ended: nobody answered, or `by` talked for `talk` seconds.

    An outbound one was made by `by`, and answered if there was talk.
    """
    inbound = {"caller": CALLER, "did": DID, "answered_by": by, "disposition": Disposition.NO_ANSWER}
    outbound = {"caller": by, "dialled": CALLER, "own_number": DID, "disposition": Disposition.NO_ANSWER}
    values: dict[str, Any] = dict(inbound if direction is Direction.INBOUND else outbound)
    if talk and by:
        values["disposition"] = Disposition.ANSWERED
    values |= {"ended_by": EndedBy.CALLER, "ring_seconds": ring, "talk_seconds": talk} | others
    return OutcomeRecord(linkedid=linkedid, at=at, direction=direction, **values)


def make_mark(
    number: str = CALLER,
    reporter: str = "201",
    verdict: Verdict = Verdict.SPAM,
    at: float = NOW,
    auth_class: AuthClass = AuthClass.UNKNOWN,
    category: str | None = None,
) -> Mark:
    """Make a mark by 201."""
    return Mark(number, auth_class, reporter, verdict, at, MarkChannel.CLI, category=category)


def make_appeal(**fields: Any) -> Appeal:
    """Make an open appeal by Carol."""
    known: dict[str, Any] = {
        "reference": "AP9E4100",
        "number": CALLER,
        "name": "Carol Ltd",
        "contact": "carol@example.com",
        "opened_at": NOW,
    }
    return Appeal(**known | fields)


def pass_challenge(db: sqlite3.Connection, number: str, auth_class: AuthClass, at: float) -> None:
    """Record a passed challenge of a caller with this number."""
    record_challenge(db, f"challenged-{number}-{at}", number, auth_class, ChallengeResult.PASSED, at)
