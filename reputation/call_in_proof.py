"""Proof of control by a call: whoever calls from a number, or answers a call to it, keys the code that was made for it.

The code proves it, not the caller ID, which anybody can show: without the code a forged number proves nothing.

A code that the public page showed to whoever filed an appeal is worth less: whoever forges the number could file and
then call. It proves control in a signed call alone; else it is noted, and an operator decides whether to believe it.
In a call that we placed it proves control, too: who answers has the number.
"""

from __future__ import annotations

import sqlite3

from reputation.appeals import LIVE, Appeal, AppealStep, KeyedCode, ProofAnswer, stepped
from reputation.model import AuthClass
from reputation.store.appeals import appeals_of, set_appeal
from reputation.store.audit import Change, add_audit
from reputation.store.identities import identity_of, note_control
from reputation.store.public_appeals import called_code, name_for, note_called_in, shown_code, try_code

NOTE = "keyed the code in a call from the number"
UNSIGNED_NOTE = "keyed the code in a call that showed the number, unsigned"
CALLED_NOTE = "keyed the code in a call to the number"
WHO, WHO_CALLED = "a call from the number", "a call to the number"


def prove_keyed(db: sqlite3.Connection, keyed: KeyedCode, at: float) -> ProofAnswer:
    """The code as it was keyed. Call it in a transaction."""
    if keyed.ticket:
        return _prove_by_call_back(db, keyed, at)
    return prove_by_call(db, keyed.number, keyed.code, at, keyed.auth_class)


def _prove_by_call_back(db: sqlite3.Connection, keyed: KeyedCode, at: float) -> ProofAnswer:
    """The code counts with the ticket of the call that was placed, and only so."""
    appeal = next((one for one in appeals_of(db, keyed.number) if one.state in LIVE), None)
    if appeal is None:
        return ProofAnswer.NONE
    answer = try_code(db, called_code(appeal.reference), keyed.ticket + keyed.code, at)
    if answer is ProofAnswer.RIGHT:
        proven = stepped(appeal, AppealStep.PROVE, at)
        set_appeal(db, proven)
        note_control(db, appeal.number, appeal.name, at, CALLED_NOTE)
        add_audit(db, Change("appeal prove", appeal.number, before=appeal, after=proven), WHO_CALLED, at)
    elif answer is ProofAnswer.WRONG:
        add_audit(db, Change("appeal prove", appeal.number, before=appeal, after={"answer": answer}), WHO_CALLED, at)
    return answer


def prove_by_call(
    db: sqlite3.Connection, number: str, code: str, at: float, auth_class: AuthClass = AuthClass.UNKNOWN
) -> ProofAnswer:
    """The code as it was keyed in a call from the number. A right one is level 1. Call it in a transaction.

    Where no code could be right nothing is written: anybody may key digits.
    """
    appeal = next((one for one in appeals_of(db, number) if one.state in LIVE), None)
    if appeal is not None and try_code(db, shown_code(appeal.reference), code, at) is ProofAnswer.RIGHT:
        _appeal_proven(db, appeal, at, auth_class)
        return ProofAnswer.RIGHT
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


def _appeal_proven(db: sqlite3.Connection, appeal: Appeal, at: float, auth_class: AuthClass) -> None:
    """The code that the public page showed was keyed: the appeal is in force, or it is noted that somebody called."""
    note_called_in(db, appeal.reference, at)
    after: object = {"note": UNSIGNED_NOTE}
    if auth_class is AuthClass.AUTHENTICATED:
        after = proven = stepped(appeal, AppealStep.PROVE, at)
        set_appeal(db, proven)
        note_control(db, appeal.number, appeal.name, at, NOTE)
    add_audit(db, Change("appeal prove", appeal.number, before=appeal, after=after), WHO, at)
