"""Appeals of number owners, for programs: an owner's portal, a ticket system."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Annotated, Any, Literal

from msgspec import Meta

from callsieve.api.endpoint import ApiRequest, ApiStruct, Asked, Endpoint
from callsieve.api.fields import ChangeId, NumberText, pages_of, record_of
from callsieve.api.paging import CursorText, Limit, page_of, place_of
from callsieve.appeals import operations
from callsieve.appeals.operations import (
    AppealChange,
    AppealRequest,
    ClearRequest,
    CodeRequest,
    EvidencePlace,
    EvidenceRequest,
    RulingRequest,
    WithdrawRequest,
)
from callsieve.appeals.views import appeal_as_json, stop_as_json
from callsieve.changes.operation import Context, Refused
from reputation.api_tokens import Scope
from reputation.appeals import ATTACHMENT_BYTES, ATTACHMENTS, LINE_CHARACTERS, STATEMENT_CHARACTERS, Appeal
from reputation.model import Mark, Verdict
from reputation.store.appeals import all_appeals, appeals_to_decide
from reputation.store.attachments import Attachment, attachments_of
from reputation.store.evidence_rows import marks_of
from reputation.users import Role

Line = Annotated[str, Meta(min_length=1, max_length=LINE_CHARACTERS, description="One line.")]
Stops = Annotated[tuple[Literal["list", "policy", "people"], ...], Meta(max_length=3)]
Statement = Annotated[str, Meta(max_length=STATEMENT_CHARACTERS)]

_WITH_DEADLINE: dict[str, Any] = {"due_at": float | None, "overdue": bool}
AppealRecord = record_of(
    "AppealRecord", Appeal, "An appeal, as `callsieve appeal list --json` has it.", **_WITH_DEADLINE
)
AppealRecords = pages_of("AppealRecords", AppealRecord, "A page of appeals, the latest first.")
AttachmentRecord = record_of("AttachmentRecord", Attachment, "A piece of evidence, without its content.")
MarkRecord = record_of("MarkRecord", Mark, "What a person said of the number.")
AppealCase = record_of(
    "AppealCase",
    Appeal,
    "All of one appeal: what was shown for it, and the marks that it is about.",
    **_WITH_DEADLINE,
    attachments=list[AttachmentRecord],  # type: ignore[valid-type]
    marks=list[MarkRecord],  # type: ignore[valid-type]
)


class AppealQuery(ApiStruct, frozen=True):
    """Which appeals. `all`: also those that are closed."""

    all: bool = False
    limit: Limit = 50
    cursor: CursorText = ""


class NewAppeal(ApiStruct, frozen=True):
    """What somebody files. `decision`: the id of the one that it is about."""

    number: NumberText
    name: Line
    contact: Line
    statement: Statement = ""
    decision: Annotated[str, Meta(max_length=20)] | None = None


class StopRecord(ApiStruct, frozen=True):
    """What stops calls of the number. `entries`: of lists; `people`: how many have blocked it themselves."""

    kind: Literal["list", "policy", "people"]
    words: str
    remedy: str
    entries: list[str]
    people: int


class AppealChanged(ApiStruct, frozen=True):
    """An appeal as it is now. `reporters`: whose trust follows a decision; `stops`: what still stops calls."""

    change_id: ChangeId | None
    appeal: AppealRecord  # type: ignore[valid-type]
    reporters: list[str]
    stops: list[StopRecord]


class EvidenceFile(ApiStruct, frozen=True):
    """What is shown for an appeal. `content`: Base64."""

    name: Line
    content: bytes


class NewEvidence(ApiStruct, frozen=True):
    """Files, all or none."""

    files: Annotated[list[EvidenceFile], Meta(min_length=1, max_length=ATTACHMENTS)]


class EvidenceAttached(ApiStruct, frozen=True):
    """All that is attached to the appeal by now."""

    attachments: list[AttachmentRecord]  # type: ignore[valid-type]


class EvidenceContent(ApiStruct, frozen=True):
    """A piece of evidence with its content, in Base64."""

    attachment: AttachmentRecord  # type: ignore[valid-type]
    content: bytes


class EvidenceRemoved(ApiStruct, frozen=True):
    """What was removed, for good."""

    attachment: AttachmentRecord  # type: ignore[valid-type]


class AppealCode(ApiStruct, frozen=True):
    """A code, to be said in a call to the number. It counts a day."""

    reference: str
    number: str
    code: str


class GivenAppealCode(ApiStruct, frozen=True):
    """The code as it was given back."""

    code: Annotated[str, Meta(max_length=20)]


class Ruling(ApiStruct, frozen=True):
    """Who is right, and why: whoever appealed gets to read it. `category_only`: only the category was wrong.

    `remove`: what else stops calls of the number, and is removed in the same step.
    """

    ruling: Literal["uphold", "deny"]
    reason: Statement
    category_only: bool = False
    remove: Stops = ()


class Clearing(ApiStruct, frozen=True):
    """What still stops calls after an appeal was upheld, and is to be removed."""

    remove: Stops


class Withdrawal(ApiStruct, frozen=True):
    """Why an appeal ends without a decision."""

    reason: Statement = ""


def show(db: sqlite3.Connection, context: Context, asked: Asked[AppealQuery, None]) -> dict[str, Any]:
    """The appeals that wait for somebody, or all."""
    after = place_of(asked.query.cursor, tuple[float, str])
    rows = sorted(all_appeals(db) if asked.query.all else appeals_to_decide(db), key=_place)
    shown, following = page_of([one for one in rows if after is None or _place(one) > after], asked.query.limit, _place)
    return {"items": [appeal_as_json(one, context.at) for one in shown], "next": following}


def show_one(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """All of one appeal, by its reference, or by the number for the latest of that."""
    one = operations.appeal_about(db, context, asked.path["id"])
    marks = [mark for mark in marks_of(db, one.number) if mark.verdict is Verdict.SPAM]
    attachments = [attachment._asdict() for attachment in attachments_of(db, one.reference)]
    return {**appeal_as_json(one, context.at), "attachments": attachments, "marks": marks}


def file(db: sqlite3.Connection, context: Context, asked: Asked[None, NewAppeal]) -> dict[str, Any]:
    """Files an appeal, which has no effect yet."""
    new = asked.body
    request = AppealRequest(new.number, new.name, new.contact, new.statement, new.decision)
    return _changed(operations.file(db, context, request), context)


def accept(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """Takes it as it is."""
    return _changed(operations.accept(db, context, asked.path["id"]), context)


def decide(db: sqlite3.Connection, context: Context, asked: Asked[None, Ruling]) -> dict[str, Any]:
    """Decides it."""
    told = asked.body
    request = RulingRequest(asked.path["id"], told.ruling, told.reason, told.category_only, told.remove)
    return _changed(operations.decide(db, context, request), context)


def clear(db: sqlite3.Connection, context: Context, asked: Asked[None, Clearing]) -> dict[str, Any]:
    """Removes what still stops calls after it was upheld."""
    return _changed(operations.clear(db, context, ClearRequest(asked.path["id"], asked.body.remove)), context)


def withdraw(db: sqlite3.Connection, context: Context, asked: Asked[None, Withdrawal]) -> dict[str, Any]:
    """Ends it without a decision."""
    return _changed(operations.withdraw(db, context, WithdrawRequest(asked.path["id"], asked.body.reason)), context)


def make_code(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> AppealCode:
    """Makes a code for a call-back."""
    made = operations.make_code(db, context, asked.path["id"])
    return AppealCode(reference=made.about, number=made.number, code=made.code)


async def prove(req: ApiRequest[None, GivenAppealCode]) -> dict[str, Any]:
    """Takes the code that was given back. A wrong one is counted, so it is refused once that is written."""
    proven = await req.perform(operations.prove, CodeRequest(req.asked.path["id"], req.asked.body.code))
    if isinstance(proven, Refused):
        raise proven
    return appeal_as_json(proven, req.context.at)


def attach(db: sqlite3.Connection, context: Context, asked: Asked[None, NewEvidence]) -> dict[str, Any]:
    """Attaches files."""
    files = tuple((one.name, one.content) for one in asked.body.files)
    appeal = operations.attach(db, context, EvidenceRequest(asked.path["id"], files))
    return {"attachments": [one._asdict() for one in attachments_of(db, appeal.reference)]}


async def fetch(req: ApiRequest[None, None]) -> dict[str, Any]:
    """Takes a piece of evidence out, which the audit notes."""
    attachment, content = await req.perform(operations.fetch, _place_of(req.asked))
    return {"attachment": attachment._asdict(), "content": content}


def detach(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """Removes a piece of evidence."""
    return {"attachment": operations.detach(db, context, _place_of(asked))._asdict()}


def _place_of(asked: Asked[Any, Any]) -> EvidencePlace:
    """Of a text that is no number no evidence is there."""
    text = asked.path["place"]
    return EvidencePlace(asked.path["id"], int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0)


def _changed(done: AppealChange, context: Context) -> dict[str, Any]:
    appeal = appeal_as_json(done.appeal, context.at)
    stops = [stop_as_json(one) for one in done.stops]
    return {"change_id": done.change_id, "appeal": appeal, "reporters": list(done.reporters), "stops": stops}


def _place(one: Appeal) -> tuple[float, str]:
    return -one.opened_at, one.reference


def _step(
    name: str, handler: Callable[..., Any], answer: Any, summary: str, example: ApiStruct | None, status: int = 200
) -> Endpoint:
    body = None if example is None else type(example)
    path = f"/appeals/{{id}}/{name}"
    about = {"body": body, "example": example, "status": status}
    return Endpoint("POST", path, handler, Scope.WRITE, Role.OPERATOR, answer, summary, **about)  # type: ignore[arg-type]


RULED = Ruling(ruling="uphold", reason="It is a hospital's switchboard.")
ENDPOINTS = (
    Endpoint(
        "GET",
        "/appeals",
        show,
        Scope.READ,
        Role.OPERATOR,
        AppealRecords,
        "Appeals that wait for somebody, or all.",
        query=AppealQuery,
    ),
    Endpoint("GET", "/appeals/{id}", show_one, Scope.READ, Role.OPERATOR, AppealCase, "All of one appeal."),
    Endpoint(
        "POST",
        "/appeals",
        file,
        Scope.WRITE,
        Role.OPERATOR,
        AppealChanged,
        "File an appeal. It has no effect until it is accepted or control of the number is proven.",
        body=NewAppeal,
        example=NewAppeal(number="+12015550123", name="J. Doe", contact="j.doe@hospital.example"),
        status=201,
    ),
    _step("accept", accept, AppealChanged, "Take an appeal as it is: it is in force.", None),
    _step("code", make_code, AppealCode, "Make a code for a call-back.", None, 201),
    _step("prove", prove, AppealRecord, "Take the code that was given back.", GivenAppealCode(code="123456")),
    _step("decide", decide, AppealChanged, "Decide an appeal.", RULED),
    _step(
        "clear", clear, AppealChanged, "Remove what still stops calls after it was upheld.", Clearing(remove=("list",))
    ),
    _step("withdraw", withdraw, AppealChanged, "End an appeal without a decision.", Withdrawal()),
    Endpoint(
        "POST",
        "/appeals/{id}/evidence",
        attach,
        Scope.WRITE,
        Role.OPERATOR,
        EvidenceAttached,
        "Attach what is shown for an appeal.",
        body=NewEvidence,
        example=NewEvidence(files=[EvidenceFile(name="letter.txt", content=b"We are a hospital.")]),
        status=201,
        most_bytes=2 * ATTACHMENT_BYTES,
    ),
    Endpoint(
        "GET",
        "/appeals/{id}/evidence/{place}",
        fetch,
        Scope.READ,
        Role.OPERATOR,
        EvidenceContent,
        "A piece of evidence; the audit notes who took it out.",
    ),
    Endpoint(
        "DELETE",
        "/appeals/{id}/evidence/{place}",
        detach,
        Scope.WRITE,
        Role.OPERATOR,
        EvidenceRemoved,
        "Remove a piece of evidence for good.",
    ),
)
