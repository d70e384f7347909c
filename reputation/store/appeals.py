"""Store appeals (owners of numbers ask for a review of the marks): file, accept and decide them, and record proofs.

Call the functions that write in a transaction. They raise AppealError if the state of an appeal forbids the step.

The owner proves control of the number with a code. They key it in during a call from the number or a call to it. The
caller ID alone proves nothing, because it can be forged. A code that the public page has shown is also known to a
forger who filed the appeal there. So it proves control only in an authenticated call, or in a call that CallSieve
placed. In other calls it is only recorded, and an operator decides.
"""

import sqlite3
from dataclasses import fields
from typing import Any, NamedTuple

import msgspec

from reputation import appeals
from reputation.events import AppealDecided, AppealOpened, EventKind
from reputation.model import AuthClass, Verdict
from reputation.store.audit import Change, add_audit
from reputation.store.evidence_rows import rows_of
from reputation.store.identities import epoch_of, identity_of, note_control
from reputation.store.marks import Tombstone, add_tombstone, remove_tombstones
from reputation.store.outbox import add_event
from reputation.store.public_appeals import called_code, name_for, record_called_in, shown_code, try_code
from reputation.store.standing import settle_case, unsettle_case
from reputation.wording import Wording

FIELDS = [field_.name for field_ in fields(appeals.Appeal)]  # the columns, by the same names
COLUMNS = ", ".join(FIELDS)
ADD = f"INSERT INTO appeal ({COLUMNS}) VALUES (:{', :'.join(FIELDS)})"
SET = """
UPDATE appeal SET state = :state, proven = :proven, in_force_at = :in_force_at, closed_at = :closed_at,
                  reason = :reason, category_only = :category_only
 WHERE reference = :reference
"""
BY_REFERENCE = f"SELECT {COLUMNS} FROM appeal WHERE reference = ?"
OF_NUMBER = f"SELECT {COLUMNS} FROM appeal WHERE number = ? ORDER BY opened_at DESC, reference"
ALL = f"SELECT {COLUMNS} FROM appeal ORDER BY opened_at DESC, reference"
COUNT_LIVE = "SELECT count(*) FROM appeal WHERE state IN ('open', 'in_force')"
ALL_LIVE = f"SELECT {COLUMNS} FROM appeal WHERE state IN ('open', 'in_force') ORDER BY opened_at, reference"


class AppealRuling(NamedTuple):
    """The decision on an appeal. `upheld`: the spam marks were wrong. `category_only`: only their category was."""

    upheld: bool
    reason: str
    category_only: bool = False


class Decided(NamedTuple):
    """A decided appeal. `reporters`: the people who had marked the number, and who are now trusted more or less."""

    appeal: appeals.Appeal
    reporters: tuple[str, ...]


def open_appeal(db: sqlite3.Connection, appeal: appeals.Appeal) -> appeals.Appeal:
    """Store a new appeal. Raise AppealError if a text is invalid, or if its number may not appeal again yet."""
    appeal = appeals.checked(appeal)
    if (error := appeals.refusal(appeals_of(db, appeal.number), appeal.opened_at)) is not None:
        raise error
    db.execute(ADD, msgspec.to_builtins(appeal))
    data = AppealOpened(reference=appeal.reference, number=appeal.number, decision_id=appeal.decision_id)
    add_event(db, EventKind.APPEAL_OPENED, appeal.number, appeal.opened_at, data)
    return appeal


def appeal_of(db: sqlite3.Connection, reference: str) -> appeals.Appeal | None:
    """Return the appeal with this reference, or None."""
    return next((_appeal(row) for row in db.execute(BY_REFERENCE, (reference,))), None)


def appeals_of(db: sqlite3.Connection, number: str) -> list[appeals.Appeal]:
    """Return all appeals of the number, newest first."""
    return [_appeal(row) for row in db.execute(OF_NUMBER, (number,))]


def all_appeals(db: sqlite3.Connection) -> list[appeals.Appeal]:
    """Return all appeals, newest first."""
    return [_appeal(row) for row in db.execute(ALL)]


def count_live(db: sqlite3.Connection) -> int:
    """Return how many appeals are open or in force."""
    return int(db.execute(COUNT_LIVE).fetchone()[0])


def appeals_to_decide(db: sqlite3.Connection) -> list[appeals.Appeal]:
    """Return the undecided appeals: first the appeals in force, by deadline, then the appeals that are only filed."""
    live = [_appeal(row) for row in db.execute(ALL_LIVE)]
    return sorted(live, key=lambda appeal: (appeals.due_at(appeal) is None, appeals.due_at(appeal) or appeal.opened_at))


def take_step(
    db: sqlite3.Connection, reference: str, step: appeals.AppealStep, at: float, reason: str = ""
) -> appeals.Appeal:
    """Accept or withdraw an appeal, or record that control of its number is proven. Raise AppealError if impossible."""
    appeal = appeals.stepped(_known(db, reference), step, at, reason.strip() and appeals.checked_reason(reason))
    set_appeal(db, appeal)
    return appeal


def prove(db: sqlite3.Connection, reference: str, text: str, at: float) -> appeals.ProofAnswer:
    """Check `text`, the code that the owner repeated in a call-back. Always commit, so that a wrong code is counted.

    The right code brings the appeal into force, and gives the number an identity of level 1 (proven control). Raise
    AppealError if the state of the appeal does not allow a proof.
    """
    appeal = appeals.stepped(_known(db, reference), appeals.AppealStep.PROVE, at)
    answer = try_code(db, reference, text, at)
    if answer is appeals.ProofAnswer.RIGHT:
        set_appeal(db, appeal)
        note_control(
            db,
            appeal.number,
            appeal.name,
            at,
            f"repeated the code from a call-back to the number, for appeal {reference}",
        )
    return answer


def decide(db: sqlite3.Connection, reference: str, ruling: AppealRuling, at: float) -> Decided:
    """Decide an appeal as `ruling` says. Raise AppealError if the appeal cannot be decided.

    If the appeal is upheld, spam marks of the number up to `at` never count again, and their reporters lose trust. If
    it is denied, the reporters gain trust. If only the category was wrong, the trust does not change.
    """
    reason = appeals.checked_reason(ruling.reason)
    before = _known(db, reference)
    reporters = _judged(db, before.number)
    step = appeals.AppealStep.UPHOLD if ruling.upheld else appeals.AppealStep.DENY
    appeal = appeals.stepped(before, step, at, reason, category_only=ruling.category_only and ruling.upheld)
    set_appeal(db, appeal)
    if ruling.upheld:
        add_tombstone(db, Tombstone(appeal.number, "", reference, at))
    if not appeal.category_only:
        settle_case(db, reporters, reference, not ruling.upheld, at)
    data = AppealDecided(
        reference=reference, number=appeal.number, ruling=appeal.state.value, category_only=appeal.category_only
    )
    add_event(db, EventKind.APPEAL_DECIDED, appeal.number, at, data)
    return Decided(appeal, () if appeal.category_only else reporters)


def put_back(db: sqlite3.Connection, before: appeals.Appeal) -> None:
    """Undo the decision of an appeal: restore `before`. Raise AppealError if its number has an undecided appeal."""
    others = [
        appeal
        for appeal in appeals_of(db, before.number)
        if appeal.reference != before.reference and appeal.state in appeals.LIVE
    ]
    if others:
        words = Wording(
            "appeal {reference} of the number has not been decided yet: withdraw it first",
            {"reference": others[0].reference},
        )
        raise appeals.AppealError("appealed", words)
    set_appeal(db, before)
    remove_tombstones(db, before.reference)
    unsettle_case(db, before.reference)


def _judged(db: sqlite3.Connection, number: str) -> tuple[str, ...]:
    """Return the people whose spam marks are reviewed in an appeal of this number.

    Marks about an earlier owner are not reviewed. Nor are marks of unauthenticated calls: otherwise callers with a
    forged number could lower the trust in the people who mark these calls.
    """
    epoch = epoch_of(db, number)
    since = epoch.at if epoch is not None else float("-inf")
    return tuple(
        sorted(
            {
                mark.reporter
                for mark in rows_of(db, number).marks
                if mark.verdict is Verdict.SPAM
                and mark.at >= since
                and mark.auth_class is not AuthClass.UNAUTHENTICATED
            }
        )
    )


def _known(db: sqlite3.Connection, reference: str) -> appeals.Appeal:
    appeal = appeal_of(db, reference)
    if appeal is None:
        raise appeals.AppealError("no-such-appeal", Wording("there is no appeal {reference}", {"reference": reference}))
    return appeal


def set_appeal(db: sqlite3.Connection, appeal: appeals.Appeal) -> None:
    """Update the stored appeal that has the same reference."""
    db.execute(SET, msgspec.to_builtins(appeal))


def _appeal(row: tuple[Any, ...]) -> appeals.Appeal:
    return msgspec.convert(dict(zip(FIELDS, row, strict=True)), appeals.Appeal, strict=False)  # SQLite has no booleans


NOTE = "keyed in the code in a call from the number"
UNSIGNED_NOTE = "keyed in the code in an unsigned call that showed the number"
CALLED_NOTE = "keyed in the code in a call to the number"
WHO, WHO_CALLED = "a call from the number", "a call to the number"


def prove_keyed(db: sqlite3.Connection, keyed: appeals.KeyedCode, at: float) -> appeals.ProofAnswer:
    """Check a code that was keyed in during a call, and return the result. Call it in a transaction."""
    if keyed.ticket:
        return _prove_by_call_back(db, keyed, at)
    return prove_by_call(db, keyed.number, keyed.code, at, keyed.auth_class)


def _prove_by_call_back(db: sqlite3.Connection, keyed: appeals.KeyedCode, at: float) -> appeals.ProofAnswer:
    """Check a code that was keyed in during a call that CallSieve placed. `keyed.ticket`: the id of this call."""
    appeal = next((filed for filed in appeals_of(db, keyed.number) if filed.state in appeals.LIVE), None)
    if appeal is None:
        return appeals.ProofAnswer.NONE
    answer = try_code(db, called_code(appeal.reference), keyed.ticket + keyed.code, at)
    if answer is appeals.ProofAnswer.RIGHT:
        proven = appeals.stepped(appeal, appeals.AppealStep.PROVE, at)
        set_appeal(db, proven)
        note_control(db, appeal.number, appeal.name, at, CALLED_NOTE)
        add_audit(db, Change("appeal prove", appeal.number, before=appeal, after=proven), WHO_CALLED, at)
    elif answer is appeals.ProofAnswer.WRONG:
        add_audit(db, Change("appeal prove", appeal.number, before=appeal, after={"answer": answer}), WHO_CALLED, at)
    return answer


def prove_by_call(
    db: sqlite3.Connection, number: str, code: str, at: float, auth_class: AuthClass = AuthClass.UNKNOWN
) -> appeals.ProofAnswer:
    """Check a code keyed in during a call from the number, and record the result. Call it in a transaction.

    The right code gives the number an identity of level 1. If the public page has shown the code, the call must also be
    authenticated. If no code is stored for the number, nothing is recorded, because anybody can key in digits.
    """
    appeal = next((filed for filed in appeals_of(db, number) if filed.state in appeals.LIVE), None)
    if appeal is not None and try_code(db, shown_code(appeal.reference), code, at) is appeals.ProofAnswer.RIGHT:
        _appeal_proven(db, appeal, at, auth_class)
        return appeals.ProofAnswer.RIGHT
    name, before = name_for(db, number), identity_of(db, number)
    answer = try_code(db, number, code, at)
    if answer is appeals.ProofAnswer.RIGHT:
        after: object = note_control(db, number, name or number, at, NOTE)
    elif answer is appeals.ProofAnswer.WRONG:
        after = {"answer": answer}
    else:
        return answer
    add_audit(db, Change("identity prove", number, before=before, after=after), WHO, at)
    return answer


def _appeal_proven(db: sqlite3.Connection, appeal: appeals.Appeal, at: float, auth_class: AuthClass) -> None:
    """Record that the code of the public page was keyed in. Only an authenticated call brings the appeal into force."""
    record_called_in(db, appeal.reference, at)
    after: object = {"note": UNSIGNED_NOTE}
    if auth_class is AuthClass.AUTHENTICATED:
        after = proven = appeals.stepped(appeal, appeals.AppealStep.PROVE, at)
        set_appeal(db, proven)
        note_control(db, appeal.number, appeal.name, at, NOTE)
    add_audit(db, Change("appeal prove", appeal.number, before=appeal, after=after), WHO, at)
