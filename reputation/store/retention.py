"""How long things are kept (docs/operations.md, "Personal data")."""

from __future__ import annotations

import sqlite3

from reputation.appeals import CODE_SECONDS
from reputation.store.api_tokens import ANSWER_SECONDS
from reputation.store.own_days import PEOPLE_DAYS
from reputation.store.standing import refresh_all

DAY = 86_400.0
DECISION_DAYS = 90
CHALLENGE_DAYS = 90  # so far back passes are counted (reputation/families/caller.py)
EMERGENCY_DAYS = 90
LOOKUP_DAYS = 90  # what a source said is compared with what the calls since then showed
OUTCOME_DAYS = 30
EVIDENCE_DAYS = 365
AUDIT_DAYS = 730  # longer than anything that a change leaves in force, such as an identity (12 months)
PEER_DAYS = 30  # after the index of another company has run out
APPEAL_DAYS = 730  # the mark that a decided appeal or a tombstone keeps from counting is gone long before
PUBLIC_APPEAL_DAYS = 7  # of one that was only filed: it had no effect, and nobody has proven or accepted it

EXPIRE = {
    "decision": ("DELETE FROM decision WHERE at < ?", DECISION_DAYS),
    "challenge_result": ("DELETE FROM challenge_result WHERE at < ?", OUTCOME_DAYS),
    "challenge": ("DELETE FROM challenge WHERE at < ? RETURNING number", CHALLENGE_DAYS),
    "lookup_result": ("DELETE FROM lookup_result WHERE at < ?", LOOKUP_DAYS),
    "lookup_day": ("DELETE FROM lookup_day WHERE day < CAST(? / 86400 AS INTEGER)", EVIDENCE_DAYS),
    "emergency_call": ("DELETE FROM emergency_call WHERE at < ?", EMERGENCY_DAYS),
    "outcome": ("DELETE FROM outcome WHERE at < ?", OUTCOME_DAYS),
    "reached": ("DELETE FROM reached WHERE at < ?", OUTCOME_DAYS),
    "signal": ("DELETE FROM signal WHERE at < ? RETURNING number", EVIDENCE_DAYS),
    "answered": ("DELETE FROM answered WHERE at < ? RETURNING number", EVIDENCE_DAYS),
    "talk": ("DELETE FROM talk WHERE at < ?", EVIDENCE_DAYS),
    "inbound_talk": ("DELETE FROM inbound_talk WHERE at < ?", EVIDENCE_DAYS),
    "one_ring": ("DELETE FROM one_ring WHERE at < ? RETURNING number", EVIDENCE_DAYS),
    "mark": ("DELETE FROM mark WHERE at < ? RETURNING number", EVIDENCE_DAYS),
    "report": ("DELETE FROM report WHERE at < ?", EVIDENCE_DAYS),
    "review": ("DELETE FROM review WHERE at < ?", EVIDENCE_DAYS),
    "epoch": ("DELETE FROM epoch WHERE at < ? RETURNING number", AUDIT_DAYS),
    "tombstone": ("DELETE FROM tombstone WHERE until < ? RETURNING number", APPEAL_DAYS),
    "appeal": ("DELETE FROM appeal WHERE coalesce(closed_at, opened_at) < ? AND state <> 'in force'", APPEAL_DAYS),
    "public_appeal": (
        "DELETE FROM appeal WHERE state = 'open'"
        " AND reference IN (SELECT reference FROM public_appeal WHERE filed_at < ?)",
        PUBLIC_APPEAL_DAYS,
    ),
    "call_back_code": ("DELETE FROM call_back_code WHERE made_at <= ?", CODE_SECONDS / DAY),
    "own_day": ("DELETE FROM own_day WHERE day < CAST(? / 86400 AS INTEGER)", EVIDENCE_DAYS),
    "own_blocked": ("DELETE FROM own_blocked WHERE day < CAST(? / 86400 AS INTEGER)", EVIDENCE_DAYS),
    "own_called": ("DELETE FROM own_called WHERE day < CAST(? / 86400 AS INTEGER)", PEOPLE_DAYS),
    "own_complaint": ("DELETE FROM own_complaint WHERE at < ?", EVIDENCE_DAYS),
    "outbound_decision": ("DELETE FROM outbound_decision WHERE at < ?", OUTCOME_DAYS),
    "own_label": ("DELETE FROM own_label WHERE at < ?", EVIDENCE_DAYS),
    "own_screenshot": ("DELETE FROM own_screenshot WHERE at < ?", EVIDENCE_DAYS),
    "own_suspicion": ("DELETE FROM own_suspicion WHERE at < ?", OUTCOME_DAYS),
    "own_grade": ("DELETE FROM own_grade WHERE at < ?", OUTCOME_DAYS),
    "api_answer": ("DELETE FROM api_answer WHERE at <= ?", ANSWER_SECONDS / DAY),
    "audit": ("DELETE FROM audit WHERE at < ?", AUDIT_DAYS),
    "list_entry": ("DELETE FROM list_entry WHERE expires_at <= ?", 0),
    "expected_call": ("DELETE FROM expected_call WHERE until <= ?", 0),
    # What has long run out, or is named by no settings; some at a time, as there may be millions.
    "peer_number": (
        "DELETE FROM peer_number WHERE (number, auth_class, peer) IN ("
        " SELECT number, auth_class, peer FROM peer_number JOIN peer ON peer.id = peer_number.peer"
        " WHERE counts_until < ?1 AND EXISTS (SELECT 1 FROM peer WHERE counts_until < ?1 AND numbers + cleared > 0)"
        " LIMIT 20000)",
        PEER_DAYS,
    ),
    "identity": ("DELETE FROM identity WHERE expires_at <= ? RETURNING number", 0),
}


def expire(db: sqlite3.Connection, now: float) -> dict[str, int]:
    """Deletes what is past its time and returns how many rows went, by table. Call it in a transaction."""
    return {table: expire_table(db, table, now) for table in EXPIRE}


def expire_table(db: sqlite3.Connection, table: str, now: float) -> int:
    """Of one table. Call it in a transaction."""
    sql, days = EXPIRE[table]
    cursor = db.execute(sql, (now - days * DAY,))
    refresh_all(db, {number for (number,) in cursor})
    return cursor.rowcount
