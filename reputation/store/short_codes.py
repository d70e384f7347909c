"""Calls of service numbers from before these had keys: the journal kept the text that the network showed, `95588`.

The key takes its place, in the decision and in the outcome of its call, so that the number's page and the search have
them. Nothing was learnt from those calls, and nothing is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from reputation.model import CallerKind
from reputation.numbers import caller_of

ROWS_AT_ONCE = 2_000

FIND = """
SELECT id, linkedid, trunk, caller_text FROM decision
 WHERE caller_kind = 'short-code' AND caller IS NULL ORDER BY at DESC LIMIT ?
"""
NAME_DECISION = "UPDATE decision SET caller = ?, caller_kind = ?, caller_text = '' WHERE id = ?"
NAME_OUTCOME = """
UPDATE outcome SET caller = ?, caller_kind = ?
 WHERE linkedid = ? AND caller IS NULL AND caller_kind = 'short-code' AND direction = 'inbound'
"""


def name_short_codes(db: sqlite3.Connection, region_of: Callable[[str | None], str]) -> int:
    """The latest rows that wait, at most ROWS_AT_ONCE; how many got their key. Call it in a transaction.

    `region_of`: in which region a trunk writes national numbers. What that region cannot read stays as it is.
    """
    named = 0
    for decision_id, linkedid, trunk, text in db.execute(FIND, (ROWS_AT_ONCE,)).fetchall():
        caller = caller_of(text, region_of(trunk))
        if caller.kind is CallerKind.SERVICE:
            db.execute(NAME_DECISION, (caller.e164, caller.kind.value, decision_id))
            db.execute(NAME_OUTCOME, (caller.e164, caller.kind.value, linkedid))
            named += 1
    return named
