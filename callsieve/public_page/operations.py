"""Operations of the public page for visitors: look up a reference, file an appeal about it, and follow the appeal.

A reference is the id of a decision (40 random bits), which the rejected caller heard. The caller's number is never
shown. The decision determines the number that an appeal is about, so visitors neither enter nor learn a number.
"""

import hmac
import sqlite3
from hashlib import sha256
from typing import NamedTuple

from agi.answers import CALLEES_BLOCKLIST_RULE, HEARD_BY_CALLER
from callsieve.appeals.cleared import Cleared, stands, statement_of
from callsieve.appeals.operations import AppealRequest, EvidenceFile, EvidenceRequest
from callsieve.appeals.operations import attach as attach_evidence
from callsieve.appeals.operations import file as file_appeal
from callsieve.changes.operation import Context, Refused, change, whole
from callsieve.numbers.calls_now import CallsNow, calls_now
from callsieve.numbers.owner_view import OwnerView, owner_view_of
from callsieve.settings import Loaded
from callsieve.text.file_kinds import document_kind_of
from policies.decision import ACTION_BY_WORD
from policies.policy import PolicyError
from reputation.appeals import LIVE, Appeal, AppealState, due_at, free_again_at, new_code, new_ticket
from reputation.site_names import parse_id
from reputation.store import public_appeals
from reputation.store.appeals import appeal_of
from reputation.store.identities import epoch_of
from reputation.store.journal import decision_of
from reputation.store.tables.people import PUBLIC_APPEAL_DAYS
from reputation.users import Role
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

ACTOR = "public"
ROLE = Role.VIEWER
MOST_OPEN = 100  # maximum of open appeals, which people must check
MOST_A_DAY = 100
STATEMENT_CHARACTERS = 2000
MOST_DOCUMENTS = 5
MOST_DOCUMENT_BYTES = 200 << 20  # of all appeals from this page: they fill the store that calls need
TITLE_CHARACTERS = 100
VIEW_DAYS = 90  # after the decision; old marks then weigh little
NO_REFERENCE = "00000000"  # looked up for invalid texts, so that the time reveals nothing

CLOSED_FOR_TODAY = Wording("More appeals were filed here than our people can handle. Try again tomorrow, or call us.")
NOT_NOW = Wording("You cannot appeal about this call now: there already is an appeal, or one was decided recently.")
NO_DOCUMENTS = Wording(
    "You can attach documents once you have entered the code by phone or we have accepted the appeal, until it "
    "is decided."
)
NO_FILE = Wording("Choose a file first.")
BAD_TYPE = Wording("Attach a PDF, PNG or JPEG file, or plain text.")
PROOF_OFF = Wording("This way to prove that the number is yours is switched off here.")
NO_PROOF_NEEDED = Wording(
    "Your appeal does not need a call: the number is already proven to be yours, or the appeal is closed."
)
UNKNOWN = Wording("We do not know this reference. Check it and try again.")


class HeldCall(NamedTuple):
    """The data about a stopped call that a visitor with the reference of the call may see."""

    reference: str
    at: float
    action: str


class PublicAppealRequest(NamedTuple):
    """An appeal to file. `reference`: id of the decision. `link`: SHA-256 of the secret in the status page's link."""

    reference: str
    name: str
    contact: str
    statement: str
    link: str


class CallBack(NamedTuple):
    """A call-back to a number. `code`: the digits to key in. `ticket`: by which the daemon recognises the call."""

    number: str
    code: str
    ticket: str


class DocumentRequest(NamedTuple):
    """A document to attach to an appeal. `title`: the owner's description of the document."""

    link: str
    title: str
    content: bytes


class AppealStatus(NamedTuple):
    """The content of an appeal's status page. Times are UTC seconds or None.

    `removed_at`: when the appeal is removed if nothing happens. `again_at`: when the number may appeal again.
    `called_at`: when the owner keyed in the code by phone. `cleared`: the signed statement, shown if the appeal was
    upheld and calls from the number ring. `calls`: how calls from the number are treated now; None if unknown or not to
    be shown.
    """

    appeal: Appeal
    due_at: float | None
    removed_at: float | None
    again_at: float | None
    called_at: float | None
    documents: tuple[public_appeals.Attachment, ...]
    cleared: Cleared | None
    calls: CallsNow | None = None

    @property
    def takes_documents(self) -> bool:
        """Whether documents can be added to the appeal.

        The appeal must be undecided. In addition, the owner must have called in from the number or proved control of
        it, or somebody must have accepted the appeal.
        """
        return self.appeal.state in LIVE and (self.due_at is not None or self.called_at is not None)

    @property
    def may_attach(self) -> bool:
        """Whether the owner may attach another document. The number of documents is limited."""
        return self.takes_documents and sum(document.added_by == ACTOR for document in self.documents) < MOST_DOCUMENTS


def look_up(db: sqlite3.Connection, typed: str) -> HeldCall | None:
    """Return the call with this reference; None if the reference is unknown or its call was not stopped."""
    reference = parse_id(typed[:64])
    decision = decision_of(db, reference or NO_REFERENCE)
    if reference is None or decision is None or decision.caller is None or decision.rule == CALLEES_BLOCKLIST_RULE:
        return None
    is_held = ACTION_BY_WORD.get(decision.action) in HEARD_BY_CALLER
    return HeldCall(reference, decision.at, decision.action) if is_held else None


def file(db: sqlite3.Connection, context: Context, request: PublicAppealRequest) -> Appeal:
    """File an appeal about the caller of a decision. Raise Refused if it is invalid, or too many were filed today."""
    with whole(db):
        held = look_up(db, request.reference)
        decision = None if held is None else decision_of(db, held.reference)
        if held is None or decision is None or decision.caller is None:
            raise Refused("unknown-reference", UNKNOWN, "reference")
        if len(request.statement.strip()) > STATEMENT_CHARACTERS:
            words = Wording("the statement is longer than {most:,} characters", {"most": STATEMENT_CHARACTERS})
            raise Refused("too-long", words, "statement")
        lately = public_appeals.count_filed_since(db, context.at - DAY_SECONDS)
        if lately >= MOST_A_DAY or public_appeals.count_open_public(db) >= MOST_OPEN:
            raise Refused("too-many-appeals", CLOSED_FOR_TODAY)
        statement = plain_text(request.statement)
        about = AppealRequest(decision.caller, request.name, request.contact, statement, held.reference)
        try:
            appeal = file_appeal(db, context, about).appeal
        except Refused as refused:
            if refused.code in ("appealed", "denied-lately"):
                raise Refused("not-now", NOT_NOW) from None  # its words name the number
            raise
        public_appeals.add_public_appeal(db, appeal.reference, request.link, context.at)
    return appeal


def plain_text(text: str) -> str:
    """Return the text without invisible and direction-changing characters, and with uniform line ends."""
    lines = "\n".join(text.splitlines())
    return "".join(character for character in lines if character.isprintable() or character in "\n\t")


def make_code(db: sqlite3.Connection, context: Context, link: str) -> str:
    """Create the code to key in during a call from the number. A code is valid for a day and replaces older codes."""
    appeal, code = _to_be_proven(db, link), new_code()
    if not context.settings.public.call_in:
        raise Refused("no-proof", PROOF_OFF)
    with change(db, context, "appeal code", appeal.number):
        public_appeals.keep_code(db, public_appeals.shown_code(appeal.reference), appeal.number, code, context.at)
    return code


def make_call_back(db: sqlite3.Connection, context: Context, link: str) -> CallBack:
    """Create the code to key in during the call-back that the helper will place."""
    appeal = _to_be_proven(db, link)
    if not context.settings.public.call_back:
        raise Refused("no-proof", PROOF_OFF)
    code, ticket = new_code(), new_ticket()
    with change(db, context, "appeal code", appeal.number):
        public_appeals.keep_code(
            db, public_appeals.called_code(appeal.reference), appeal.number, ticket + code, context.at
        )
    return CallBack(appeal.number, code, ticket)


def _to_be_proven(db: sqlite3.Connection, link: str) -> Appeal:
    status = status_of(db, link)
    if status is None:
        raise Refused("no-such-appeal", UNKNOWN)
    if status.appeal.state not in LIVE or status.appeal.proven:
        raise Refused("no-proof", NO_PROOF_NEEDED)
    return status.appeal


def attach(db: sqlite3.Connection, context: Context, request: DocumentRequest) -> Appeal:
    """Attach a document to an appeal.

    Raises:
        Refused: The appeal accepts no documents, for example while control of the number is unproven. Otherwise
            anybody could fill the disk.
    """
    with whole(db):
        status = status_of(db, request.link)
        if status is None:
            raise Refused("no-such-appeal", UNKNOWN)
        if not status.takes_documents:
            raise Refused("no-documents", NO_DOCUMENTS)
        if not request.content:
            raise Refused("empty-file", NO_FILE)
        kind = document_kind_of(request.content)
        if kind is None:
            raise Refused("bad-type", BAD_TYPE)
        if sha256(request.content).hexdigest() in {document.digest for document in status.documents}:
            return status.appeal  # attached already: no row in the audit per repetition
        attached = [document for document in status.documents if document.added_by == ACTOR]
        if (
            len(attached) >= MOST_DOCUMENTS
            or public_appeals.size_of_all(db, ACTOR) + len(request.content) > MOST_DOCUMENT_BYTES
        ):
            raise Refused("too-many-files", Wording("You cannot attach more documents to this appeal."))
        title = "".join(filter(str.isprintable, request.title)).strip()[:TITLE_CHARACTERS]
        title = title or f"document {len(attached) + 1}"
        files = (EvidenceFile(f"{title}.{kind}", request.content),)
        return attach_evidence(db, context, EvidenceRequest(status.appeal.reference, files)).appeal


def status_of(db: sqlite3.Connection, link: str) -> AppealStatus | None:
    """Return the status of an appeal, or None. `link`: the SHA-256 of the secret in its link."""
    reference = public_appeals.reference_of_link(db, link)
    appeal = None if reference is None else appeal_of(db, reference)
    if appeal is None:
        return None
    removed_at = appeal.opened_at + PUBLIC_APPEAL_DAYS * DAY_SECONDS if appeal.state is AppealState.OPEN else None
    shown = tuple(
        attachment for attachment in public_appeals.attachments_of(db, appeal.reference) if attachment.added_by == ACTOR
    )
    return AppealStatus(
        appeal=appeal,
        due_at=due_at(appeal),
        removed_at=removed_at,
        again_at=free_again_at(appeal),
        called_at=public_appeals.called_in_at(db, appeal.reference),
        documents=shown,
        cleared=statement_of(db, appeal.reference) if appeal.state is AppealState.UPHELD else None,
    )


def full_status(db: sqlite3.Connection, loaded: Loaded, link: str, now: float) -> AppealStatus | None:
    """Return the status of an appeal, or None.

    If the appeal is in force or was upheld lately, the status says how calls from the number are treated.
    """
    status = status_of(db, link)
    if status is None or not _may_be_shown(db, status.appeal, now):
        return status
    try:
        calls = calls_now(db, loaded, status.appeal.number, now)
    except PolicyError:  # the administrator hears of that elsewhere
        return status
    return status._replace(calls=calls, cleared=status.cleared if calls.rings else None)


def _may_be_shown(db: sqlite3.Connection, appeal: Appeal, now: float) -> bool:
    """Return whether the status may say how calls are treated.

    The appeal must be in force or upheld lately, and the number must have no new owner since.
    """
    closed_at, epoch = appeal.closed_at or now, epoch_of(db, appeal.number)
    is_owners = epoch is None or epoch.at <= appeal.opened_at
    is_accepted = appeal.state in (AppealState.IN_FORCE, AppealState.UPHELD)
    return is_accepted and is_owners and now <= closed_at + VIEW_DAYS * DAY_SECONDS


def owner_view(db: sqlite3.Connection, loaded: Loaded, link: str, now: float) -> OwnerView | None:
    """Return what CallSieve knows about the appeal's number; None until the owner proves control of the number."""
    reference = public_appeals.reference_of_link(db, link)
    appeal = None if reference is None else appeal_of(db, reference)
    if appeal is None:
        return None
    closed_at = now if appeal.closed_at is None else appeal.closed_at
    epoch = epoch_of(db, appeal.number)
    if not appeal.proven or appeal.state is AppealState.WITHDRAWN or now > closed_at + VIEW_DAYS * DAY_SECONDS:
        return None
    if epoch is not None and epoch.at > appeal.opened_at:
        return None  # the number has another owner since
    return owner_view_of(db, loaded, appeal.number, now)


def check(db: sqlite3.Connection, reference: str, proof: str, now: float) -> tuple[Cleared, bool] | None:
    """Return the clearance statement to which a link leads, and whether it is still valid; None for an unknown link."""
    cleared = statement_of(db, reference)
    if cleared is None or not hmac.compare_digest(cleared.proof.encode(), proof.encode()):
        return None
    return cleared, stands(cleared, appeal_of(db, reference), now)
