"""Proof of control by a call: whoever calls from a number keys the code that an administrator made for it.

The code proves it, not the caller ID, which anybody can show: without the code a forged number proves nothing.
"""

from __future__ import annotations

import sqlite3

from reputation.appeals import ProofAnswer
from reputation.store.audit import Change, add_audit
from reputation.store.call_backs import name_for, try_code
from reputation.store.identities import identity_of, note_control

NOTE = "keyed the code in a call from the number"
WHO = "a call from the number"


def prove_by_call(db: sqlite3.Connection, number: str, code: str, at: float) -> ProofAnswer:
    """The code as it was keyed in a call from the number. A right one is level 1. Call it in a transaction.

    Where no code could be right nothing is written: anybody may key digits.
    """
    name, before = name_for(db, number), identity_of(db, number)
    answer = try_code(db, number, code, at)
    if answer is ProofAnswer.RIGHT:
        after: object = note_control(db, number, name or number, at, NOTE)
    elif answer is ProofAnswer.WRONG:
        after = {"answer": answer}
    else:
        return answer
    add_audit(db, Change("identity prove", number, before=before, after=after), WHO, at)
    return answer
