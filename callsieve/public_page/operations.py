"""What strangers may do on the public page: look up a reference, appeal with it, and see what became of that.

look_up and status_of only read; file is an operation (callsieve/changes/operation.py).

A reference is the id of a decision (40 random bits), as the caller heard it. Whose call it was is told to nobody: an
appeal is about whatever number the decision has, so that no number is typed and none is confirmed.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from agi.answers import CALLEES_BLOCKLIST_RULE, HEARD_BY_CALLER
from callsieve.appeals.operations import AppealRequest
from callsieve.appeals.operations import file as file_appeal
from callsieve.changes.operation import Context, Refused, change, whole
from policies.decision import ACTION_BY_WORD
from reputation.appeals import LIVE, Appeal, AppealState, due_at, free_again_at, new_code
from reputation.ids import parse_id
from reputation.store.appeals import appeal_of
from reputation.store.call_backs import keep_code
from reputation.store.journal import decision_of
from reputation.store.public_appeals import (
    add_public_appeal,
    called_in_at,
    count_filed_since,
    count_open_public,
    reference_of_link,
    shown_code,
)
from reputation.store.retention import PUBLIC_APPEAL_DAYS
from reputation.users import Role
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

ACTOR = "public"
ROLE = Role.VIEWER
MOST_OPEN = 100  # appeals that have no effect yet: people here still look at each
MOST_A_DAY = 100
STATEMENT_CHARACTERS = 2000
NO_REFERENCE = "00000000"  # looked up for what cannot be one, which takes as long

CLOSED_FOR_TODAY = Wording("More appeals were filed here than people can look at. Try again tomorrow, or call us.")
NOT_NOW = Wording("An appeal about this call cannot be filed now: there is one already, or one was decided lately.")
NO_PROOF = Wording("Nothing is to be proven by a call now.")
UNKNOWN = Wording("We know no such reference.")


class HeldCall(NamedTuple):
    """A call whose caller may appeal: as much of it as the reference shows."""

    reference: str
    at: float
    action: str


class PublicAppealRequest(NamedTuple):
    """What somebody files. `reference`: of the decision; `link`: the SHA-256 of the secret of its status page."""

    reference: str
    name: str
    contact: str
    statement: str
    link: str


class AppealStatus(NamedTuple):
    """What the secret link shows. Instants are UTC seconds, None where there is none.

    `removed_at`: when it is removed, if nothing happens; `again_at`: from when on the number may appeal again;
    `called_at`: when the code was keyed.
    """

    appeal: Appeal
    due_at: float | None
    removed_at: float | None
    again_at: float | None
    called_at: float | None


def look_up(db: sqlite3.Connection, typed: str) -> HeldCall | None:
    """The call of a reference. None: there is none, or its caller was not held back."""
    reference = parse_id(typed[:64])
    decision = decision_of(db, reference or NO_REFERENCE)
    if reference is None or decision is None or decision.caller is None or decision.rule == CALLEES_BLOCKLIST_RULE:
        return None
    is_held = ACTION_BY_WORD.get(decision.action) in HEARD_BY_CALLER
    return HeldCall(reference, decision.at, decision.action) if is_held else None


def file(db: sqlite3.Connection, context: Context, request: PublicAppealRequest) -> Appeal:
    """Files an appeal about the number of the decision. Refused also where strangers have filed too much already."""
    with whole(db):
        held = look_up(db, request.reference)
        decision = None if held is None else decision_of(db, held.reference)
        if held is None or decision is None or decision.caller is None:
            raise Refused("unknown-reference", UNKNOWN, "reference")
        if len(request.statement.strip()) > STATEMENT_CHARACTERS:
            words = Wording("the statement is longer than {most:,} characters", {"most": STATEMENT_CHARACTERS})
            raise Refused("too-long", words, "statement")
        lately = count_filed_since(db, context.at - DAY_SECONDS)
        if lately >= MOST_A_DAY or count_open_public(db) >= MOST_OPEN:
            raise Refused("too-many-appeals", CLOSED_FOR_TODAY)
        about = AppealRequest(decision.caller, request.name, request.contact, request.statement, held.reference)
        try:
            appeal = file_appeal(db, context, about).appeal
        except Refused as refused:
            if refused.code in ("appealed", "denied-lately"):
                raise Refused("not-now", NOT_NOW) from None  # its words name the number
            raise
        add_public_appeal(db, appeal.reference, request.link, context.at)
    return appeal


def make_code(db: sqlite3.Connection, context: Context, link: str) -> str:
    """Makes the code that is to be keyed in a call from the number. It counts for a day; one from before does not."""
    status = status_of(db, link)
    if status is None:
        raise Refused("no-such-appeal", UNKNOWN)
    appeal, code = status.appeal, new_code()
    if appeal.state not in LIVE or appeal.proven or not context.settings.public.call_in:
        raise Refused("no-proof", NO_PROOF)
    with change(db, context, "appeal code", appeal.number):
        keep_code(db, shown_code(appeal.reference), appeal.number, code, context.at)
    return code


def status_of(db: sqlite3.Connection, link: str) -> AppealStatus | None:
    """What became of an appeal, by the SHA-256 of the secret of its link; None: it is none."""
    reference = reference_of_link(db, link)
    appeal = None if reference is None else appeal_of(db, reference)
    if appeal is None:
        return None
    removed_at = appeal.opened_at + PUBLIC_APPEAL_DAYS * DAY_SECONDS if appeal.state is AppealState.OPEN else None
    return AppealStatus(appeal, due_at(appeal), removed_at, free_again_at(appeal), called_in_at(db, appeal.reference))
