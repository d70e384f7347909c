"""Pages of own numbers: the list with grades and due checks, do-not-call requests, complaints and guidance."""

# A number's page has a path such as `/own/+442071838750`. All other paths below `/own` are matched first.

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Protocol

from starlette.responses import Response

from callsieve.changes.operation import Context, Refused, note
from callsieve.numbers.web.pages import LONGEST, number_in
from callsieve.own_numbers import do_not_call, operations
from callsieve.own_numbers.capability import DO_NOT_CALL, RECORDED, REGISTER
from callsieve.own_numbers.do_not_call import ComplaintRequest, ComplaintWithdrawal, DoNotCallEntry, do_not_call_shown
from callsieve.own_numbers.fields import CHECK_EVERY, FIELDS, NewOwnNumber, OwnNumberEdit
from callsieve.own_numbers.guidance import company_of, guidance_page, leaflet_page
from callsieve.own_numbers.operations import (
    COLUMNS,
    LONGEST_FIELD,
    CheckRequest,
    UseRequest,
    own_numbers_in,
    register_as_csv,
)
from callsieve.own_numbers.views import is_known, one_shown, own_shown
from callsieve.text.table_errors import TableError
from callsieve.text.times import day
from callsieve.web.request import (
    NotFound,
    Page,
    PageRequest,
    as_file,
    document_response,
    take_back_named,
    undoing,
    uploaded_table,
)
from reputation.numbers import number_of
from reputation.store.audit import Change
from reputation.store.own_register import register_of
from reputation.users import Role
from reputation.wording import Wording

if TYPE_CHECKING:
    from callsieve.web.request import Handler

UPLOAD_BYTES = 1 << 20


class _Done(Protocol):
    @property
    def change_id(self) -> int | None: ...


# Any operation on one number.
Operation = Callable[[sqlite3.Connection, Context, Any], _Done]
# The heading of each field, for messages about it.
HEADING_BY_OPTION = {field.option_name: field.heading for field in FIELDS} | {
    "next": Wording("next check"),
    "note": Wording("note"),
    "platform": Wording("platform"),
    "label": Wording("label"),
    "count": Wording("marks"),
    "screenshot": Wording("screenshot"),
}


async def show(req: PageRequest, problem: str | Wording = "") -> Response:
    """Show the page of own numbers. `problem`: error message of a form."""
    text = req.query.get("q", "").strip()[:LONGEST]
    # Numbers that the daemon has not graded lately are graded here, one by one.
    shown = await req.state.slow_store.read(own_shown, req.state.loaded, text, req.now)
    return req.page(
        "own_numbers/own.html", 422 if problem else 200, own=shown, text=text, problem=problem, columns=COLUMNS
    )


async def new(req: PageRequest) -> Response:
    """Show the form for a new number. The query parameter `number` fills in the number."""
    return await _form(req, {"number": req.query.get("number", "").strip()[:LONGEST], "next_check": CHECK_EVERY})


async def add(req: PageRequest) -> Response:
    """Register an own number. Already registered numbers can be changed only on their own pages."""
    request = NewOwnNumber(req.form.get("number", "")[:LONGEST], **_typed(req.form))
    try:
        done = await req.perform(operations.add, request)
    except Refused as refused:
        return await _form(req, req.form, problem_in_words(refused))
    return req.go(f"/own/{done.own_number.number}", "own-added")


def stepping(operation: Operation, request_of: Callable[[str, Mapping[str, str]], Any], message: str) -> Handler:
    """Return a handler that performs an operation on the number in the path and redirects to the number's page.

    `request_of`: makes the request from number and form. `message`: shown if something changed.
    """

    async def handle(req: PageRequest) -> Response:
        number = number_in(req)
        try:
            done = await req.perform(operation, request_of(number, req.form))
        except Refused as refused:
            return await page_of_number(req, problem_in_words(refused))
        path = "/own" if operation is operations.remove else f"/own/{number}"
        return req.go(path, message if done.change_id is not None else "")

    return handle


async def take_back_here(req: PageRequest) -> Response:
    """Undo one of a number's latest changes. Afterwards the number may no longer have a page."""
    number = number_in(req)
    await take_back_named(req, (*REGISTER, *RECORDED), number)
    return req.go(f"/own/{number}" if await req.read(is_known, number, req.now) else "/own", "undone")


async def export(req: PageRequest) -> Response:
    """Download the list of own numbers as CSV."""
    await req.perform(note, Change("own export"))
    return as_file(register_as_csv(await req.read(register_of)), f"callsieve-own-numbers-{day(req.now)}.csv")


async def import_file(req: PageRequest) -> Response:
    """Import the valid rows of a file, and show the errors of the other rows."""
    try:
        table = uploaded_table(req, COLUMNS, LONGEST_FIELD)
        numbers = own_numbers_in(table, req.state.loaded.settings.numbers.region, req.now)
    except TableError as error:
        return await show(req, error.words)
    done = await req.perform(operations.import_register, numbers)
    return req.page("own_numbers/own_imported.html", done=done, table=table)


def _typed(form: Mapping[str, str]) -> dict[str, Any]:
    return {
        field.name: form[field.name].splitlines() if field.is_list else form[field.name]
        for field in FIELDS
        if field.name in form
    }


def problem_in_words(refused: Refused) -> str | Wording:
    """Return the error message, with the heading of the field that caused it."""
    if refused.field not in HEADING_BY_OPTION:
        return refused.words
    return Wording("{field} {problem}", {"field": HEADING_BY_OPTION[refused.field], "problem": refused.words})


async def _form(req: PageRequest, filled: Mapping[str, str], problem: str | Wording = "") -> Response:
    typed = {name: filled.get(name, "") for name in ("number", *(field.name for field in FIELDS))}
    about = {"typed": typed, "problem": problem, **_about_form(req)}
    return req.page("own_numbers/own_new.html", 422 if problem else 200, **about)


def _about_form(req: PageRequest) -> dict[str, object]:
    return {"fields": FIELDS, "trunks": [trunk.name for trunk in req.state.loaded.settings.trunk]}


async def page_of_number(req: PageRequest, problem: str | Wording = "") -> Response:
    """Show the page of the number in the path. `problem`: error message of a form."""
    shown = await req.read(one_shown, req.state.loaded, number_in(req), req.now)
    if shown is None:
        raise NotFound
    typed = {field.name: field.typed(shown.own) for field in FIELDS} if shown.own else {}
    # The form to open: the one with the error, or the one named by the link.
    form = req.http.url.path.rpartition("/")[2] if problem else req.query.get("do", "")
    if form == "change" and problem:
        typed |= {field.name: req.form.get(field.name, "") for field in FIELDS}
    typed["check"] = req.form.get("next_check", CHECK_EVERY) if form == "check" else CHECK_EVERY
    typed |= {field: req.form.get(field, "") if form == "complain" else "" for field in ("from", "note")}
    typed |= {
        field: req.form.get(field, "") if form == "watch" else "" for field in ("platform", "label", "count", "next")
    }
    if form == "watch" and not problem:  # from a link beside a suspicion
        typed["platform"] = req.query.get("platform", "")[:LONGEST]
    about = {"own_number": shown, "typed": typed, "problem": problem, "form": form, **_about_form(req)}
    return req.page("own_numbers/own_number.html", 422 if problem else 200, **about)


async def guidance(req: PageRequest) -> Response:
    """Show the guidance for call-centre managers."""
    company = await req.state.slow_store.read(company_of, req.now, req.state.loaded.settings)
    return document_response(req, guidance_page(company, req.language, req.now), "guidance")


async def leaflet(req: PageRequest) -> Response:
    """Show the leaflet for customers."""
    return document_response(req, leaflet_page(req.language, req.state.loaded.settings), "leaflet")


async def show_requests(req: PageRequest, problem: str | Wording = "") -> Response:
    """Show the do-not-call list. `problem`: error message of a form."""
    text = req.query.get("q", "").strip()[:LONGEST]
    number = number_of(text, req.state.loaded.settings.numbers.region) if text else None
    shown = await req.read(do_not_call_shown, text, number)
    typed = {field: req.form.get(field, req.query.get(field, "")) for field in ("number", "after", "note")}
    about = {"wishes": shown, "text": text, "typed": typed, "problem": problem}
    return req.page("own_numbers/own_do_not_call.html", 422 if problem else 200, **about)


async def add_request(req: PageRequest) -> Response:
    """Add a number to the do-not-call list."""
    number, note = req.form.get("number", "")[:LONGEST], req.form.get("note", "")
    request = DoNotCallEntry(number, _given(req, "after"), note, req.me.extension or "")
    try:
        done = await req.perform(do_not_call.list_number, request)
    except Refused as refused:
        return await show_requests(req, problem_in_words(refused))
    if done.change_id is None:
        return await show_requests(req, do_not_call.listed_since_words(done.wish))
    return req.go("/own/do-not-call", "do-not-call")


async def remove_request(req: PageRequest) -> Response:
    """Remove a number from the do-not-call list."""
    await req.perform(do_not_call.unlist, req.form.get("number", "")[:LONGEST])
    return req.go("/own/do-not-call", "may-call")


async def complain(req: PageRequest) -> Response:
    """Record a complaint about an own number."""
    own = await _own(req)
    try:
        request = ComplaintRequest(own, _given(req, "from"), req.form.get("note", ""))
        complaint = (await req.perform(do_not_call.complain, request)).complaint
    except Refused as refused:
        return await page_of_number(req, problem_in_words(refused))
    how = "counts" if complaint.is_of_called else "noted" if complaint.number else "of-nobody"
    return req.go(f"/own/{own}", f"complaint-{how}")


async def take_complaint_back(req: PageRequest) -> Response:
    """Withdraw a complaint that was recorded by mistake."""
    own = await _own(req)
    try:
        at = float(req.form.get("at", ""))
    except ValueError:
        raise NotFound from None
    if not isfinite(at):  # SQLite takes NaN for NULL, which is the latest
        raise NotFound
    try:
        request = ComplaintWithdrawal(own, req.form.get("from", "")[:LONGEST], at)
        await req.perform(do_not_call.withdraw_complaint, request)
    except Refused as refused:
        return await page_of_number(req, problem_in_words(refused))
    return req.go(f"/own/{own}", "complaint-gone")


async def _own(req: PageRequest) -> str:
    number = number_in(req)
    if not await req.read(is_known, number, req.now):
        raise NotFound
    return number


def _given(req: PageRequest, field: str) -> str | None:
    return req.form.get(field, "").strip()[:LONGEST] or None


_STEPS: tuple[tuple[str, Handler], ...] = (
    ("change", stepping(operations.edit, lambda number, form: OwnNumberEdit(number, **_typed(form)), "own-changed")),
    (
        "check",
        stepping(
            operations.check,
            lambda number, form: CheckRequest(number, form.get("next_check", CHECK_EVERY)),
            "own-checked",
        ),
    ),
    ("rest", stepping(operations.rest, lambda number, _: number, "own-rests")),
    ("use", stepping(operations.use, lambda number, form: UseRequest(number, early="early" in form), "own-used")),
    ("retire", stepping(operations.retire, lambda number, _: number, "own-retired")),
    ("remove", stepping(operations.remove, lambda number, _: number, "own-removed")),
    ("undo", take_back_here),
)


PAGES = (
    Page("GET", "/own/guidance", guidance, Role.OPERATOR),
    Page("GET", "/own/leaflet", leaflet, Role.OPERATOR),
    Page("GET", "/own/do-not-call", show_requests, Role.OPERATOR),
    Page("POST", "/own/do-not-call/add", add_request, Role.OPERATOR),
    Page("POST", "/own/do-not-call/remove", remove_request, Role.OPERATOR),
    Page("POST", "/own/do-not-call/undo", undoing("/own/do-not-call", DO_NOT_CALL), Role.OPERATOR),
    Page("POST", "/own/{number}/complain", complain, Role.OPERATOR),
    Page("POST", "/own/{number}/no-complaint", take_complaint_back, Role.OPERATOR),
    Page("GET", "/own", show, Role.OPERATOR),
    Page("GET", "/own/new", new, Role.OPERATOR),
    Page("GET", "/own/export.csv", export, Role.OPERATOR),
    Page("POST", "/own/add", add, Role.OPERATOR),
    Page("POST", "/own/undo", undoing("/own", REGISTER), Role.OPERATOR),
    Page("POST", "/own/import", import_file, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("GET", "/own/{number}", page_of_number, Role.OPERATOR),
    *(Page("POST", f"/own/{{number}}/{name}", handler, Role.OPERATOR) for name, handler in _STEPS),
)
