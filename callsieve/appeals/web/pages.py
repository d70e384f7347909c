"""Appeals: the queue with its deadlines, both sides of a case, and the decision with its reason and its undo."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from starlette.responses import Response

from callsieve.appeals import operations
from callsieve.appeals.operations import (
    AppealRequest,
    CodeRequest,
    EvidencePlace,
    EvidenceRequest,
    RulingRequest,
    WithdrawRequest,
)
from callsieve.appeals.views import CaseShown, case_shown, queue_shown
from callsieve.changes.names import APPEALS
from callsieve.changes.operation import Context, Refused
from callsieve.numbers.web.pages import number_in
from callsieve.web.request import NotThere, Visit, as_file, local_path, take_back_named
from callsieve.web.routes import Page
from reputation.appeals import ATTACHMENT_BYTES
from reputation.ids import parse_id
from reputation.users import Role

if TYPE_CHECKING:
    from callsieve.web.routes import Handler

R = TypeVar("R")
T = TypeVar("T")
UPLOAD_BYTES = ATTACHMENT_BYTES + 64 * 1024
SAID = {"uphold": "appeal-upheld", "deny": "appeal-denied"}
NOT_THERE = ("no-such-appeal", "no-such-evidence")
_PLAIN_NAME = re.compile(r"[^A-Za-z0-9._-]+")


async def show_queue(visit: Visit) -> Response:
    """All that wait for somebody, by their deadline."""
    return visit.page("appeals/appeals.html", queue=await visit.read(queue_shown, visit.now))


async def show(visit: Visit) -> Response:
    """One case."""
    return visit.page("appeals/appeal.html", case=await _case(visit), code="")


async def file(visit: Visit) -> Response:
    """Files an appeal for whoever called or wrote, from the page of the number or of a call."""
    number, form = number_in(visit), visit.form
    name, contact, statement = (form.get(key, "") for key in ("name", "contact", "statement"))
    request = AppealRequest(number, name, contact, statement, form.get("decision") or None)
    await visit.perform(operations.file, request)
    return visit.go(local_path(form.get("back"), f"/numbers/{number}").partition("?")[0], "appealed")


async def accept(visit: Visit) -> Response:
    """Takes it as it is."""
    return await _done(visit, operations.accept, _reference(visit), "appeal-accepted")


async def withdraw(visit: Visit) -> Response:
    """Ends it without a decision."""
    request = WithdrawRequest(_reference(visit), visit.form.get("reason", ""))
    return await _done(visit, operations.withdraw, request, "appeal-withdrawn")


async def make_code(visit: Visit) -> Response:
    """A code for a call-back, which is shown this once."""
    made = await _perform(visit, operations.make_code, _reference(visit))
    return visit.page("appeals/appeal.html", case=await _case(visit), code=made.spoken)


async def prove(visit: Visit) -> Response:
    """The code that was given back: control of the number is proven."""
    request = CodeRequest(_reference(visit), visit.form.get("code", "")[:40])
    proven = await _perform(visit, operations.prove, request)
    if isinstance(proven, Refused):
        raise proven
    return visit.go(f"/appeals/{proven.reference}", "appeal-proven")


async def decide(visit: Visit) -> Response:
    """Upheld or denied, with a reason. That only the category was wrong is asked for where it is upheld."""
    form = visit.form
    ruling = form.get("ruling", "")
    category_only = ruling == "uphold" and bool(form.get("category_only"))
    request = RulingRequest(_reference(visit), ruling, form.get("reason", ""), category_only)
    return await _done(visit, operations.decide, request, SAID.get(ruling, ""))


async def take_back(visit: Visit) -> Response:
    """What was last done about it, undone with all its effects."""
    case = await _case(visit)
    await take_back_named(visit, APPEALS, case.appeal.number)
    return visit.go(f"/appeals/{case.appeal.reference}", "undone")


async def attach(visit: Visit) -> Response:
    """A file or a statement."""
    form = visit.form
    content, name = visit.files.get("file", b""), "file"
    if not content:
        content, name = form.get("text", "").strip().encode("utf-8", "replace"), "statement.txt"
    files = ((form.get("name", "").strip() or name, content),) if content else ()
    return await _done(visit, operations.attach, EvidenceRequest(_reference(visit), files), "evidence-added")


async def detach(visit: Visit) -> Response:
    """One piece of evidence removed for good."""
    request = EvidencePlace(_reference(visit), _place(visit.form.get("place", "")))
    return await _done(visit, operations.detach, request, "evidence-gone")


async def fetch_evidence(visit: Visit) -> Response:
    """A file for the browser to keep, never to show: it is a stranger's."""
    request = EvidencePlace(_reference(visit), _place(visit.path("place")))
    one, content = await _perform(visit, operations.fetch, request)
    plain = _PLAIN_NAME.sub("_", one.name).strip("._")[-80:] or "evidence"
    return as_file(content, f"{request.about}-{one.place}-{plain}", "application/octet-stream")


async def _perform(visit: Visit, operation: Callable[[sqlite3.Connection, Context, R], T], request: R) -> T:
    """What the operation returns. What is not there is no page."""
    try:
        return await visit.perform(operation, request)
    except Refused as refused:
        if refused.code in NOT_THERE:
            raise NotThere from None
        raise


async def _done(
    visit: Visit, operation: Callable[[sqlite3.Connection, Context, R], object], request: R, said: str
) -> Response:
    """Performs it, and goes back to the case."""
    await _perform(visit, operation, request)
    return visit.go(f"/appeals/{_reference(visit)}", said)


async def _case(visit: Visit) -> CaseShown:
    case = await visit.read(case_shown, visit.desk.loaded, _reference(visit), visit.now)
    if case is None:
        raise NotThere
    return case


def _reference(visit: Visit) -> str:
    text = visit.path("reference")
    if parse_id(text) != text:
        raise NotThere
    return text


def _place(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise NotThere
    return int(text)


_STEPS: tuple[tuple[str, Handler, int], ...] = (
    ("accept", accept, 0),
    ("withdraw", withdraw, 0),
    ("code", make_code, 0),
    ("prove", prove, 0),
    ("decide", decide, 0),
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
        Page("POST", f"/appeals/{{reference}}/{name}", handler, Role.OPERATOR, *([size] if size else []))
        for name, handler, size in _STEPS
    ),
)
