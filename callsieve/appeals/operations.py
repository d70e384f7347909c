"""Operations on appeals. An appeal is named by its reference, or by a number (the number's latest appeal)."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.appeals.cleared import state_cleared
from callsieve.changes.describe import ChangeId, CodeText, NumberText, number_field
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoKind
from callsieve.identities.operations import CodeMade, wrong_code
from callsieve.lists.operations import EntryKey, EntryRequest, PersonalKey, add, remove, remove_personal
from callsieve.numbers.calls_now import Stop, StopKind, calls_now, stops_of
from policies.policy import PolicyError
from reputation import appeals
from reputation.encoding import parse_plain
from reputation.model import ListName
from reputation.site_names import new_id, parse_id
from reputation.store import appeals as store
from reputation.store.appeals import AppealRuling, appeal_of, appeals_of
from reputation.store.journal import decision_of
from reputation.store.public_appeals import Attachment, NewAttachment, attachments_of, content_of, keep_code
from reputation.store.public_appeals import attach as attach_one
from reputation.store.public_appeals import detach as detach_one
from reputation.wording import Wording


def stop_kinds(names: Collection[str]) -> frozenset[StopKind]:
    """Parse kinds of reasons that stop a number's calls: `list`, `policy`, `people`. Raise Refused for other names."""
    try:
        return frozenset(map(StopKind, names))
    except ValueError:
        raise Refused("unknown-stop", Wording("must be `list`, `policy` or `people`"), "remove") from None


def clear_stops(
    db: sqlite3.Connection, context: Context, appeal: appeals.Appeal, kinds: Collection[StopKind]
) -> tuple[Stop, ...]:
    """Remove the reasons of these kinds that stop the number's calls. Return the reasons that are left.

    If only personal lists still stop calls, also sign the statement that the number was cleared.
    """
    try:
        for stop in stops_of(db, context.loaded, appeal.number, context.at):
            if stop.kind in kinds:
                _remove(db, context, appeal, stop)
        left = stops_of(db, context.loaded, appeal.number, context.at)
        rings = calls_now(db, context.loaded, appeal.number, context.at).rings
    except PolicyError as error:
        if kinds:
            raise Refused("no-policy", error.words) from None
        return ()  # without a valid policy it is unknown whether calls ring
    if rings and all(stop.kind is StopKind.PEOPLE for stop in left):
        state_cleared(db, context, appeal)
    return left


def _remove(db: sqlite3.Connection, context: Context, appeal: appeals.Appeal, stop: Stop) -> None:
    number = appeal.number
    for person in stop.people:
        remove_personal(db, context, PersonalKey(number, person, ListName.BLOCK))
    exact = [entry for entry in stop.entries if entry.text == number and entry.list_name is ListName.BLOCK]
    for _ in exact:
        remove(db, context, EntryKey(ListName.BLOCK, number))
    if stop.kind is StopKind.POLICY or len(exact) < len(stop.entries):
        add(db, context, EntryRequest(ListName.ALLOW, number, note=f"appeal {appeal.reference} upheld"))


RULINGS = {"uphold": True, "deny": False}


Line = Annotated[str, Meta(min_length=1, max_length=appeals.LINE_CHARACTERS, description="One line of text.")]
Statement = Annotated[str, Meta(max_length=appeals.STATEMENT_CHARACTERS)]
AppealText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="The reference of an appeal, or a phone number for its latest appeal.",
        examples=["2N5RM8PK"],
    ),
]
Stops = Annotated[
    tuple[Annotated[str, Meta(pattern="^(list|policy|people)$")], ...],
    Meta(
        max_length=3,
        description="Which reasons to stop calls from the number to remove: `list`, `policy` or `people`.",
    ),
]


class AppealRequest(msgspec.Struct, frozen=True):
    """An appeal that an owner made by telephone or mail. `statement`: the owner's text.

    `decision`: the id of the decision about a call that the owner disputes; null: no single decision.
    """

    number: NumberText
    name: Line
    contact: Line
    statement: Statement = ""
    decision: Annotated[str, Meta(max_length=20)] | None = None


class AppealCodeRequest(msgspec.Struct, frozen=True):
    """A request to check the code that the owner of a number repeated after a call-back."""

    appeal: AppealText
    code: CodeText


class RulingRequest(msgspec.Struct, frozen=True):
    """The ruling on an appeal. `category_only`: whether only the category of the marks was wrong.

    `reason`: the reason for the ruling. The owner can read it.
    """

    appeal: AppealText
    ruling: Annotated[str, Meta(pattern="^(uphold|deny)$", description="The ruling: `uphold` or `deny`.")]
    reason: Statement
    category_only: bool = False
    remove: Stops = ()


class ClearRequest(msgspec.Struct, frozen=True):
    """A request to remove what stops a number's calls after an upheld appeal. `remove`: the kinds of reasons."""

    appeal: AppealText
    remove: Stops


class WithdrawRequest(msgspec.Struct, frozen=True):
    """A request to end an appeal without a decision. `reason`: why the appeal is ended."""

    appeal: AppealText
    reason: Statement = ""


class EvidenceFile(msgspec.Struct, frozen=True):
    """A file to attach as evidence. `content`: the file in Base64."""

    name: Line
    content: bytes


class EvidenceRequest(msgspec.Struct, frozen=True):
    """Files to attach to an appeal. If one file is invalid, none is attached. `files`: the files with their names."""

    appeal: AppealText
    files: Annotated[tuple[EvidenceFile, ...], Meta(min_length=1, max_length=appeals.ATTACHMENTS)]


class EvidencePlace(msgspec.Struct, frozen=True):
    """A request about one attachment of an appeal. `place`: the position of the attachment, counted from 1."""

    appeal: AppealText
    place: Annotated[int, Meta(ge=0, le=9999)]


class EvidenceAttached(NamedTuple):
    """An appeal with all its evidence. `appeal`: the appeal; `attachments`: the files without their contents."""

    appeal: appeals.Appeal
    attachments: tuple[Attachment, ...]


class EvidenceContent(NamedTuple):
    """An attachment. `attachment`: its description without the content. `content`: the file in Base64."""

    attachment: Attachment
    content: bytes


class AppealChange(NamedTuple):
    """An appeal after a change. `appeal`: the appeal. `stops`: the reasons that still stop calls of the number.

    `reporters`: the people who are trusted more or less because of the decision.
    """

    change_id: ChangeId | None
    appeal: appeals.Appeal
    reporters: tuple[str, ...] = ()
    stops: tuple[Stop, ...] = ()


def file(db: sqlite3.Connection, context: Context, request: AppealRequest) -> AppealChange:
    """File an appeal. It has no effect until control of the number is proven or somebody accepts it."""
    number = number_field(context, request.number)
    appeal = appeals.Appeal(
        reference=new_id(),
        number=number,
        name=request.name,
        contact=request.contact,
        opened_at=context.at,
        statement=request.statement,
        decision_id=_decision_about(db, number, request.decision) if request.decision else None,
    )
    with change(db, context, "appeal open", number) as changed, _refusing():
        changed.after = filed = store.open_appeal(db, appeal)
    return AppealChange(changed.id, filed)


def accept(db: sqlite3.Connection, context: Context, about: AppealText) -> AppealChange:
    """Accept an appeal without proof, which puts it in force. Until a decision, no rule rejects the number's calls."""
    return _step(db, context, appeals.AppealStep.ACCEPT, WithdrawRequest(about))


def withdraw(db: sqlite3.Connection, context: Context, request: WithdrawRequest) -> AppealChange:
    """End an appeal without a decision."""
    return _step(db, context, appeals.AppealStep.WITHDRAW, request)


def make_code(db: sqlite3.Connection, context: Context, about: AppealText) -> CodeMade:
    """Make a code for a call-back. The code is valid for a day and replaces earlier codes."""
    appeal = appeal_about(db, context, about)
    made = CodeMade(appeal.reference, appeal.number, appeals.new_code())
    with change(db, context, "appeal code", appeal.number), _refusing():
        appeals.stepped(appeal, appeals.AppealStep.PROVE, context.at)
        keep_code(db, appeal.reference, appeal.number, made.code, context.at)
    return made


def prove(db: sqlite3.Connection, context: Context, request: AppealCodeRequest) -> appeals.Appeal | Refused:
    """Check the code that the owner repeated. If it is right, control is proven and the appeal is in force.

    Return Refused for a wrong code. Raising it would roll back the transaction with the audit row of the attempt.
    """
    appeal = appeal_about(db, context, request.appeal)
    with change(db, context, "appeal prove", appeal.number) as changed, _refusing():
        before = appeal_about(db, context, appeal.reference)  # it may have changed meanwhile
        answer = store.prove(db, before.reference, request.code, context.at)
        if answer is not appeals.ProofAnswer.RIGHT:
            changed.after = {"answer": answer}
            return wrong_code(answer)
        changed.before = before
        changed.after = proven = appeal_about(db, context, before.reference)
    return proven


def decide(db: sqlite3.Connection, context: Context, request: RulingRequest) -> AppealChange:
    """Decide an appeal. If the appeal is upheld, the spam marks that the number has so far no longer count.

    With `remove` in the request, also remove other reasons that stop the number's calls. One undo restores everything.
    """
    if request.ruling not in RULINGS:
        raise Refused("unknown-ruling", Wording("Choose a ruling: uphold or deny."))
    upheld = RULINGS[request.ruling]
    if request.category_only and not upheld:
        words = Wording(
            "`category-only` applies only to an upheld appeal: leave `category-only` out, or uphold the appeal"
        )
        raise Refused("denied-category", words, "category-only")
    if request.remove and not upheld:
        raise Refused(
            "denied-remove",
            Wording("only an upheld appeal can remove what stops calls: leave `remove` out, or uphold the appeal"),
            "remove",
        )
    kinds = stop_kinds(request.remove)
    about = appeal_about(db, context, request.appeal)
    with change(db, context, "appeal decide", about.number) as changed, _refusing():
        before = appeal_about(db, context, about.reference)  # it may have changed meanwhile
        ruling = AppealRuling(upheld, request.reason, request.category_only)
        appeal, reporters = store.decide(db, before.reference, ruling, context.at)
        changed.before, changed.after = before, appeal
        stops = clear_stops(db, context, appeal, kinds) if upheld else ()
    return AppealChange(changed.id, appeal, reporters, stops)


def clear(db: sqlite3.Connection, context: Context, request: ClearRequest) -> AppealChange:
    """Remove the requested kinds of reasons that stop the number's calls after an upheld appeal."""
    kinds = stop_kinds(request.remove)
    about = appeal_about(db, context, request.appeal)
    with change(db, context, "appeal clear", about.number, about.reference) as changed:
        appeal = appeal_about(db, context, about.reference)
        if appeal.state is not appeals.AppealState.UPHELD:
            words = Wording(
                "appeal {reference} is not upheld: uphold the appeal first", {"reference": appeal.reference}
            )
            raise Refused("not-upheld", words)
        stops = clear_stops(db, context, appeal, kinds)
        changed.after = {"removed": ", ".join(sorted(kinds))}
    return AppealChange(changed.id, appeal, (), stops)


def attach(db: sqlite3.Connection, context: Context, request: EvidenceRequest) -> EvidenceAttached:
    """Attach files to an appeal as evidence. If one file is invalid, no file is attached."""
    if not request.files:
        raise Refused("no-evidence", Wording("Choose a file, or write down what the owner said."))
    appeal = appeal_about(db, context, request.appeal)
    new = [NewAttachment(sent.name, sent.content, context.actor) for sent in request.files]
    with change(db, context, "appeal evidence", appeal.number) as changed, _refusing():
        attached = [attach_one(db, appeal.reference, attachment, context.at) for attachment in new]
        changed.after = {"attached": ", ".join(attachment.name for attachment in attached)}
        return EvidenceAttached(appeal, tuple(attachments_of(db, appeal.reference)))


def detach(db: sqlite3.Connection, context: Context, request: EvidencePlace) -> Attachment:
    """Remove an attachment permanently."""
    appeal = appeal_about(db, context, request.appeal)
    with change(db, context, "appeal evidence", appeal.number) as changed:
        gone = detach_one(db, appeal.reference, request.place)
        if gone is None:
            raise _no_evidence(request.place)
        changed.before = {"attached": gone.name, "digest": gone.digest}
    return gone


def fetch(db: sqlite3.Connection, context: Context, request: EvidencePlace) -> EvidenceContent:
    """Return an attachment with its content. The audit records who downloaded it."""
    appeal = appeal_about(db, context, request.appeal)
    attachments = attachments_of(db, appeal.reference)
    attachment = next((attachment for attachment in attachments if attachment.place == request.place), None)
    content = content_of(db, appeal.reference, request.place)
    if attachment is None or content is None:
        raise _no_evidence(request.place)
    with change(db, context, "appeal evidence download", name=f"{appeal.reference} {attachment.name}"):
        return EvidenceContent(attachment, content)


def appeal_about(db: sqlite3.Connection, context: Context, text: str) -> appeals.Appeal:
    """Return the appeal with this reference, or the latest appeal of this number. Raise Refused if none exists."""
    reference = parse_id(text)
    appeal = None if reference is None else appeal_of(db, reference)
    if appeal is None and (reference is None or reference.isdecimal()):
        appeal = next(iter(appeals_of(db, number_field(context, text))), None)
    if appeal is None:
        raise Refused(
            "no-such-appeal", Wording("no appeal has the reference or number {reference}", {"reference": text[:40]})
        )
    return appeal


def _step(db: sqlite3.Connection, context: Context, step: appeals.AppealStep, request: WithdrawRequest) -> AppealChange:
    about = appeal_about(db, context, request.appeal)
    with change(db, context, f"appeal {step}", about.number) as changed, _refusing():
        changed.before = appeal_about(db, context, about.reference)  # it may have changed meanwhile
        changed.after = after = store.take_step(db, about.reference, step, context.at, request.reason)
    return AppealChange(changed.id, after)


def _no_evidence(place: int) -> Refused:
    return Refused(
        "no-such-evidence",
        Wording(
            "the appeal has no attachment number {place}: `callsieve appeal evidence` lists the attachments",
            {"place": place},
        ),
    )


def _decision_about(db: sqlite3.Connection, number: str, text: str) -> str:
    wanted = parse_id(text)
    decided = None if wanted is None else decision_of(db, wanted)
    if decided is None or decided.caller != number:
        words = Wording(
            "no decision {id} about {number} is recorded: `callsieve calls show` lists decisions",
            {"id": text[:40], "number": number},
        )
        raise Refused("no-such-decision", words, "decision")
    return decided.id


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except appeals.AppealError as error:
        raise Refused(error.code, error.words) from None


def _put_back(db: sqlite3.Connection, appeal: appeals.Appeal) -> None:
    with _refusing():
        store.put_back(db, appeal)


APPEAL = UndoKind(
    lambda _db, _row, value: parse_plain(value, appeals.Appeal),
    lambda db, _, appeal: appeal_of(db, appeal.reference),
    lambda *_: None,  # nothing to remove: the earlier state replaces it
    lambda db, _, appeal: _put_back(db, appeal),
)
