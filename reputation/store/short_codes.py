"""Calls of service numbers from before these had keys: the journal kept the text that the network showed, `95588`.

The key takes its place, in the decision and in the outcome of its call, so that the number's page and the search have
them. Nothing was learnt from those calls, and nothing is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from math import inf

from reputation.model import CallerKind
from reputation.numbers import caller_of

ROWS_AT_ONCE = 2_000

Place = tuple[float, str]  # instant and id of a decision
LATEST: Place = (inf, "")
FIND = """
SELECT at, id, linkedid, trunk, caller_text FROM decision
 WHERE caller_kind = 'short-code' AND caller IS NULL AND (at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT ?
"""
NAME_DECISION = "UPDATE decision SET caller = ?, caller_kind = ?, caller_text = '' WHERE id = ?"
NAME_OUTCOME = """
UPDATE outcome SET caller = ?, caller_kind = ?
 WHERE linkedid = ? AND caller IS NULL AND caller_kind = 'short-code' AND direction = 'inbound'
"""


def name_short_codes(
    db: sqlite3.Connection, region_of: Callable[[str | None], str], before: Place = LATEST
) -> Place | None:
    """Of the rows before that place the latest, at most ROWS_AT_ONCE; where to go on, None after the last.

    Call it in a transaction. `region_of`: in which region a trunk writes national numbers. What that region cannot read
    stays as it is.
    """
    rows = db.execute(FIND, (*before, ROWS_AT_ONCE)).fetchall()
    for _, decision_id, linkedid, trunk, text in rows:
        caller = caller_of(text, region_of(trunk))
        if caller.kind is CallerKind.SERVICE:
            db.execute(NAME_DECISION, (caller.key, caller.kind.value, decision_id))
            db.execute(NAME_OUTCOME, (caller.key, caller.kind.value, linkedid))
    return rows[-1][:2] if rows else None
