"""Pages of appeals: the queue with deadlines, and the page of an appeal, on which people decide the appeal."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from starlette.responses import Response

from callsieve.appeals import operations
from callsieve.appeals.capability import CLEARED, STEPS
from callsieve.appeals.operations import (
    AppealCodeRequest,
    AppealRequest,
    ClearRequest,
    EvidenceFile,
    EvidencePlace,
    EvidenceRequest,
    RulingRequest,
    WithdrawRequest,
)
from callsieve.appeals.views import CaseShown, case_shown, queue_shown
from callsieve.changes.operation import Context, Refused
from callsieve.numbers.calls_now import StopKind
from callsieve.numbers.web.pages import number_in
from callsieve.web.request import FORM_BYTES, NotFound, Page, PageRequest, as_file, local_path, take_back_named
from reputation.appeals import ATTACHMENT_BYTES
from reputation.site_names import parse_id
from reputation.users import Role

if TYPE_CHECKING:
    from callsieve.web.request import Handler

R = TypeVar("R")
T = TypeVar("T")
UPLOAD_BYTES = ATTACHMENT_BYTES + 64 * 1024
SAID = {"uphold": "appeal-upheld", "deny": "appeal-denied"}
NOT_THERE = ("no-such-appeal", "no-such-evidence")
_PLAIN_NAME = re.compile(r"[^A-Za-z0-9._-]+")


async def show_queue(req: PageRequest) -> Response:
    """Show the appeals to decide, by deadline."""
    return req.page("appeals/appeals.html", queue=await req.read(queue_shown, req.now))


async def show(req: PageRequest) -> Response:
    """Show the page of one appeal."""
    return req.page("appeals/appeal.html", case=await _case(req), code="")


async def file(req: PageRequest) -> Response:
    """File an appeal for an owner who called or wrote. The form is on the page of the number or the call."""
    number, form = number_in(req), req.form
    name, contact, statement = (form.get(key, "") for key in ("name", "contact", "statement"))
    request = AppealRequest(number, name, contact, statement, form.get("decision") or None)
    await req.perform(operations.file, request)
    return req.go(local_path(form.get("back"), f"/numbers/{number}").partition("?")[0], "appealed")


async def accept(req: PageRequest) -> Response:
    """Accept an appeal without proof."""
    return await _done(req, operations.accept, _reference(req), "appeal-accepted")


async def withdraw(req: PageRequest) -> Response:
    """End an appeal without a decision."""
    request = WithdrawRequest(_reference(req), req.form.get("reason", ""))
    return await _done(req, operations.withdraw, request, "appeal-withdrawn")


async def make_code(req: PageRequest) -> Response:
    """Make a code for a call-back and show it once."""
    made = await _perform(req, operations.make_code, _reference(req))
    return req.page("appeals/appeal.html", case=await _case(req), code=made.spoken)


async def prove(req: PageRequest) -> Response:
    """Check the code that the owner repeated."""
    request = AppealCodeRequest(_reference(req), req.form.get("code", "")[:40])
    proven = await _perform(req, operations.prove, request)
    if isinstance(proven, Refused):
        raise proven
    return req.go(f"/appeals/{proven.reference}", "appeal-proven")


async def decide(req: PageRequest) -> Response:
    """Uphold or deny an appeal, with a reason."""
    form = req.form
    ruling = form.get("ruling", "")
    category_only = ruling == "uphold" and bool(form.get("category_only"))
    remove = _kinds(req) if ruling == "uphold" else ()
    reason = "\n".join(filter(None, (form.get("template", "").strip(), form.get("reason", "").strip())))
    request = RulingRequest(_reference(req), ruling, reason, category_only, remove)
    return await _done(req, operations.decide, request, SAID.get(ruling, ""))


async def clear(req: PageRequest) -> Response:
    """Remove what still stops calls of a number whose appeal was upheld."""
    return await _done(req, operations.clear, ClearRequest(_reference(req), _kinds(req)), "appeal-cleared")


def _kinds(req: PageRequest) -> tuple[str, ...]:
    return tuple(kind.value for kind in StopKind if req.form.get(f"remove-{kind.value}"))


async def take_back(req: PageRequest) -> Response:
    """Undo the latest change of an appeal, with everything that this change did."""
    case = await _case(req)
    await take_back_named(req, (*STEPS, *CLEARED), case.appeal.number)
    return req.go(f"/appeals/{case.appeal.reference}", "undone")


async def attach(req: PageRequest) -> Response:
    """Attach a file or a statement to an appeal."""
    form = req.form
    content, name = req.files.get("file", b""), "file"
    if not content:
        content, name = form.get("text", "").strip().encode("utf-8", "replace"), "statement.txt"
    files = (EvidenceFile(form.get("name", "").strip() or name, content),) if content else ()
    return await _done(req, operations.attach, EvidenceRequest(_reference(req), files), "evidence-added")


async def detach(req: PageRequest) -> Response:
    """Remove an attachment permanently."""
    request = EvidencePlace(_reference(req), _place(req.form.get("place", "")))
    return await _done(req, operations.detach, request, "evidence-gone")


async def fetch_evidence(req: PageRequest) -> Response:
    """Return an attachment as a download. Browsers must not display it, because a stranger sent it."""
    request = EvidencePlace(_reference(req), _place(req.path("place")))
    evidence, content = await _perform(req, operations.fetch, request)
    plain = _PLAIN_NAME.sub("_", evidence.name).strip("._")[-80:] or "evidence"
    return as_file(content, f"{request.appeal}-{evidence.place}-{plain}", "application/octet-stream")


async def _perform(req: PageRequest, operation: Callable[[sqlite3.Connection, Context, R], T], request: R) -> T:
    try:
        return await req.perform(operation, request)
    except Refused as refused:
        if refused.code in NOT_THERE:
            raise NotFound from None
        raise


async def _done(
    req: PageRequest, operation: Callable[[sqlite3.Connection, Context, R], object], request: R, message: str
) -> Response:
    await _perform(req, operation, request)
    return req.go(f"/appeals/{_reference(req)}", message)


async def _case(req: PageRequest) -> CaseShown:
    case = await req.read(case_shown, req.state.loaded, _reference(req), req.now)
    if case is None:
        raise NotFound
    return case


def _reference(req: PageRequest) -> str:
    text = req.path("reference")
    if parse_id(text) != text:
        raise NotFound
    return text


def _place(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise NotFound
    return int(text)


_STEPS: tuple[tuple[str, Handler, int], ...] = (
    ("accept", accept, 0),
    ("withdraw", withdraw, 0),
    ("code", make_code, 0),
    ("prove", prove, 0),
    ("decide", decide, 0),
    ("clear", clear, 0),
    ("undo", take_back, 0),
    ("evidence", attach, UPLOAD_BYTES),
    ("evidence/remove", detach, 0),
)
PAGES = (
    Page("GET", "/appeals", show_queue, Role.VIEWER),
    Page("POST", "/numbers/{number}/appeal", file, Role.OPERATOR),
    Page("GET", "/appeals/{reference}", show, Role.OPERATOR),
    Page("GET", "/appeals/{reference}/evidence/{place}", fetch_evidence, Role.OPERATOR),
    *(
        Page("POST", f"/appeals/{{reference}}/{name}", handler, Role.OPERATOR, size or FORM_BYTES)
        for name, handler, size in _STEPS
    ),
)
