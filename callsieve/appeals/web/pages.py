"""Appeals: the queue with its deadlines, both sides of a case, and the decision with its reason and its undo."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from starlette.responses import Response

from callsieve.appeals.views import CaseShown, case_shown, queue_shown
from callsieve.changes.operation import Refused
from callsieve.web.request import NotThere, Visit, as_file
from callsieve.web.routes import Page
from callsieve.web.words import N_
from reputation.appeals import ATTACHMENT_BYTES, Answer, Appeal, AppealError, AppealStep, new_code, stepped
from reputation.ids import parse_id
from reputation.store.appeals import Ruling, appeal_of, decide, prove, take_step, undo_step
from reputation.store.attachments import NewAttachment, attach, attachments_of, content_of, detach
from reputation.store.audit import Change
from reputation.store.call_backs import keep_code
from reputation.users import Role

if TYPE_CHECKING:
    from callsieve.web.routes import Handler

T = TypeVar("T")
UPLOAD_BYTES = ATTACHMENT_BYTES + 64 * 1024
RULINGS = {"uphold": True, "deny": False}
NO_RULING = N_("Say who is right: uphold or deny.")
NO_EVIDENCE = N_("Choose a file, or write down what was said.")
NOT_PROVEN = {
    Answer.WRONG: N_("This is not the code. After five wrong ones another has to be made."),
    Answer.EXPIRED: N_("The code is older than a day: make another one."),
    Answer.SPENT: N_("Five wrong codes were given, so it does not count any more: make another one."),
    Answer.NONE: N_("No code was made: make one, call the number and say it."),
}
_PLAIN_NAME = re.compile(r"[^A-Za-z0-9._-]+")


async def show_queue(visit: Visit) -> Response:
    """All that wait for somebody, by their deadline."""
    return visit.page("appeals/appeals.html", queue=await visit.read(queue_shown, visit.now))


async def show(visit: Visit) -> Response:
    """One case."""
    return visit.page("appeals/appeal.html", case=await _case(visit), code="")


def step(what: AppealStep, said: str) -> Handler:
    """Accepts it, or withdraws it."""

    async def handle(visit: Visit) -> Response:
        reason = visit.form.get("reason", "")[:4000]
        return await _change(visit, f"appeal {what}", lambda db, ref: take_step(db, ref, what, visit.now, reason), said)

    return handle


async def make_code(visit: Visit) -> Response:
    """A code for a call-back, which is shown this once."""
    reference, now, made = _reference(visit), visit.now, new_code()

    def write(db: sqlite3.Connection, change: Change) -> None:
        appeal = _known(db, reference)
        change.number = appeal.number
        _allowed(lambda: stepped(appeal, AppealStep.PROVE, now))
        keep_code(db, reference, appeal.number, made, now)

    await visit.change("appeal code", write)
    return visit.page("appeals/appeal.html", case=await _case(visit), code=f"{made[:3]} {made[3:]}")


async def prove_control(visit: Visit) -> Response:
    """The code that was given back: control of the number is proven. A wrong one is counted, and in the audit."""
    reference, text = _reference(visit), visit.form.get("code", "")[:40]

    def write(db: sqlite3.Connection, change: Change) -> Answer:
        before = _known(db, reference)
        change.number = before.number
        answer = _allowed(lambda: prove(db, reference, text, visit.now))
        right = answer is Answer.RIGHT
        change.before, change.after = (before, appeal_of(db, reference)) if right else (None, {"answer": answer})
        return answer

    answer = await visit.change("appeal prove", write)
    if answer is not Answer.RIGHT:
        raise Refused("refused", NOT_PROVEN[answer])
    return visit.go(f"/appeals/{reference}", "appeal-proven")


async def rule(visit: Visit) -> Response:
    """Upheld or denied, with a reason."""
    form = visit.form
    if form.get("ruling") not in RULINGS:
        raise Refused("refused", NO_RULING)
    upheld = RULINGS[form["ruling"]]
    ruling = Ruling(upheld, form.get("reason", "")[:5000], upheld and bool(form.get("category_only")))
    said = "appeal-upheld" if upheld else "appeal-denied"
    return await _change(visit, "appeal decide", lambda db, ref: decide(db, ref, ruling, visit.now).appeal, said)


async def take_back(visit: Visit) -> Response:
    """What was last done about it, undone with all its effects."""
    return await _change(visit, "appeal undo", undo_step, "undone")


async def add_evidence(visit: Visit) -> Response:
    """A file or a statement."""
    reference, form = _reference(visit), visit.form
    content, name = visit.files.get("file", b""), form.get("name", "").strip() or "file"
    if not content:
        content, name = (
            form.get("text", "").strip().encode("utf-8", "replace"),
            form.get("name", "").strip() or "statement.txt",
        )
    if not content:
        raise Refused("refused", NO_EVIDENCE)

    def write(db: sqlite3.Connection, change: Change) -> None:
        change.number = _known(db, reference).number
        new = NewAttachment(name, content, visit.who)
        change.after = {"attached": _allowed(lambda: attach(db, reference, new, visit.now)).name}

    await visit.change("appeal evidence", write)
    return visit.go(f"/appeals/{reference}", "evidence-added")


async def remove_evidence(visit: Visit) -> Response:
    """One piece of evidence removed for good."""
    reference, place = _reference(visit), _place(visit.form.get("place", ""))

    def write(db: sqlite3.Connection, change: Change) -> None:
        change.number = _known(db, reference).number
        gone = detach(db, reference, place)
        if gone is None:
            raise NotThere
        change.before = {"attached": gone.name, "digest": gone.digest}

    await visit.change("appeal evidence", write)
    return visit.go(f"/appeals/{reference}", "evidence-gone")


async def fetch_evidence(visit: Visit) -> Response:
    """A file for the browser to keep, never to show: it is a stranger's."""
    reference, place = _reference(visit), _place(visit.path("place"))
    there = await visit.read(attachments_of, reference)
    one = next((one for one in there if one.place == place), None)
    content = await visit.read(content_of, reference, place)
    if one is None or content is None:
        raise NotThere
    await visit.note("appeal evidence download", name=f"{reference} {one.name}")
    plain = _PLAIN_NAME.sub("_", one.name).strip("._")[-80:] or "evidence"
    return as_file(content, f"{reference}-{place}-{plain}", "application/octet-stream")


async def _change(visit: Visit, what: str, do: Callable[[sqlite3.Connection, str], Appeal], said: str) -> Response:
    reference = _reference(visit)

    def write(db: sqlite3.Connection, change: Change) -> None:
        change.before = before = _known(db, reference)
        change.number = before.number
        change.after = _allowed(lambda: do(db, reference))

    await visit.change(what, write)
    return visit.go(f"/appeals/{reference}", said)


def _allowed(do: Callable[[], T]) -> T:
    try:
        return do()
    except AppealError as error:
        raise Refused("refused", str(error)) from None


def _known(db: sqlite3.Connection, reference: str) -> Appeal:
    appeal = appeal_of(db, reference)
    if appeal is None:
        raise NotThere
    return appeal


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
    ("accept", step(AppealStep.ACCEPT, "appeal-accepted"), 0),
    ("withdraw", step(AppealStep.WITHDRAW, "appeal-withdrawn"), 0),
    ("code", make_code, 0),
    ("prove", prove_control, 0),
    ("decide", rule, 0),
    ("undo", take_back, 0),
    ("evidence", add_evidence, UPLOAD_BYTES),
    ("evidence/remove", remove_evidence, 0),
)
PAGES = (
    Page("GET", "/appeals", show_queue, Role.VIEWER),
    Page("GET", "/appeals/{reference}", show, Role.OPERATOR),
    Page("GET", "/appeals/{reference}/evidence/{place}", fetch_evidence, Role.OPERATOR),
    *(
        Page("POST", f"/appeals/{{reference}}/{name}", handler, Role.OPERATOR, *([size] if size else []))
        for name, handler, size in _STEPS
    ),
)
