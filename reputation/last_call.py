"""A person's last call, for who asks why it was treated so: the one that rang there last, or never got there.

A call that was turned away leaves a decision alone; one that rang at a whole group was decided about once for all of
them, and what a person's own list or contacts made of it is put on top, as the phone did (docs/decisions/per-phone.md).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from reputation.feature_codes import reporter_of
from reputation.model import DecisionRecord, Tie
from reputation.store.journal import decisions, latest_for
from reputation.store.marks import last_caller_of
from reputation.store.personal_lists import friendly_tie_of

LATELY_SECONDS = 86400.0
# What a phone shows of a call that it rings for.
_SHOWN = ("tag", "warn")
_RULE_OF_TIE = {Tie.ALLOW: "callee-allowlist", Tie.CONTACT: "contact"}


@dataclass(frozen=True, slots=True)
class LastCall:
    """`decision` is None for a call that was not screened; `number` for a caller who had none."""

    number: str | None
    decision: DecisionRecord | None


def last_call_of(db: sqlite3.Connection, endpoint: str, now: float) -> LastCall | None:
    """The last call for the person of an endpoint, None when there was none."""
    person = reporter_of(db, endpoint)
    meant = latest_for(db, person, now - LATELY_SECONDS)
    reached = last_caller_of(db, person)
    if reached is None:
        return None if meant is None else LastCall(meant.caller, meant)
    if meant is not None and meant.at > reached.at and meant.linkedid != reached.linkedid:
        return LastCall(meant.caller, meant)
    decision = next(iter(decisions(db, linkedid=reached.linkedid, limit=1)), None)
    return LastCall(reached.number, decision and _as_it_was_here(db, decision, person))


def _as_it_was_here(db: sqlite3.Connection, decision: DecisionRecord, person: str) -> DecisionRecord:
    """The decision, or what the person's own list or contacts have made of it."""
    if decision.action not in _SHOWN or decision.caller is None:
        return decision
    tie = friendly_tie_of(db, person, decision.caller, decision.at)
    return decision if tie is None else decision._replace(action="allow", would_be="allow", rule=_RULE_OF_TIE[tie])
