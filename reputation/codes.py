"""What people say by dialling a code, or pressing a key during a call: the words of [callsieve-say] come back.

Each code dialled again within a minute takes back what it did.
"""

from __future__ import annotations

import sqlite3

from reputation.marking import UNDO_SECONDS, MarkResult, MarkStatus, Statement, mark, mark_last_caller
from reputation.model import MarkChannel, Verdict
from reputation.store.audit import Change, add_audit
from reputation.store.journal import decisions
from reputation.store.people import person_of_endpoint
from reputation.store.personal import expect_call, expected_until, stop_expecting

EXPECT_SECONDS = 7200.0  # "I expect a call": open for me for two hours (DESIGN section 4)
VERDICTS = {"spam": Verdict.SPAM, "ok": Verdict.OK}


def obey_code(db: sqlite3.Connection, endpoint: str, code: str, at: float) -> str:
    """`spam` (*37), `ok` (*38) or `expect` (*35), dialled on an endpoint. Call it in a transaction."""
    reporter = reporter_of(db, endpoint)
    if code == "expect":
        return _expect(db, reporter, at)
    return word_of(_noted(db, mark_last_caller(db, reporter, VERDICTS[code], at), reporter, at))


def mark_call(db: sqlite3.Connection, endpoint: str, linkedid: str, at: float) -> MarkResult | None:
    """A key pressed during a call: its caller is spam. None when the journal does not know the call's caller."""
    caller = next((record.caller for record in decisions(db, linkedid=linkedid, limit=1)), None)
    if caller is None:
        return None
    reporter = reporter_of(db, endpoint)
    statement = Statement(
        number=caller,
        reporter=reporter,
        verdict=Verdict.SPAM,
        at=at,
        channel=MarkChannel.EXTENSION,
        linkedid=linkedid,
    )
    return _noted(db, mark(db, statement), reporter, at)


def reporter_of(db: sqlite3.Connection, endpoint: str) -> str:
    """The person of an endpoint; an endpoint that is nobody's speaks for itself."""
    person = person_of_endpoint(db, endpoint)
    return person.extension if person is not None else endpoint


def word_of(result: MarkResult) -> str:
    """What the phone says."""
    if result.status is MarkStatus.MARKED and result.mark is not None:
        return "spam" if result.mark.verdict is Verdict.SPAM else "ok"
    if result.status is MarkStatus.REFUSED and result.number is not None:
        return "refused"
    return "retracted" if result.status is MarkStatus.RETRACTED else "nobody"


def _noted(db: sqlite3.Connection, result: MarkResult, reporter: str, at: float) -> MarkResult:
    """With its row in the audit, if anything was said."""
    if result.mark is not None:
        what = "unmark" if result.status is MarkStatus.RETRACTED else "mark"
        change = Change(what, result.number, before=result.before, after=result.mark)
        add_audit(db, change, f"phone {reporter}", at)
    return result


def _expect(db: sqlite3.Connection, reporter: str, at: float) -> str:
    until = expected_until(db, reporter)
    if until is not None and until > at + EXPECT_SECONDS - UNDO_SECONDS:
        stop_expecting(db, reporter)
        return "not-expecting"
    expect_call(db, reporter, at + EXPECT_SECONDS)
    return "expecting"
