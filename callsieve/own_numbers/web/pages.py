"""Our own numbers: the register, how each is doing, and what is due. What is changed is changed as by `callsieve own`.

The pages of a number are `/own/+442071838750`; what else stands there is another page, and comes before in the table.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from starlette.responses import Response

from callsieve.changes.undo import COMPLAINTS, REGISTER
from callsieve.lists.web.pages import take_back_named
from callsieve.numbers.operations import Write
from callsieve.numbers.web.pages import LONGEST, number_in
from callsieve.own_numbers.csv_file import COLUMNS, LONGEST_FIELD, own_numbers_in, register_as_csv
from callsieve.own_numbers.register import (
    CHECK_EVERY,
    LISTS,
    NEXT_CHECK,
    TEXTS,
    FieldError,
    NothingChanged,
    Typed,
    bring_in,
    filled_in,
    new_number,
    next_check_of,
    put_in_register,
    registered,
    take_out,
    take_step,
    to_bring_in,
)
from callsieve.own_numbers.views import is_known, one_shown, own_shown, typed_of
from callsieve.text.csv_table import Table, TableError
from callsieve.text.number_entry import EntryError, number_from
from callsieve.text.times import day
from callsieve.web.request import EMPTY, NotThere, Visit, as_file
from callsieve.web.routes import Page
from callsieve.web.words import N_
from reputation.own.register import OwnNumber, RegisterError, checked, rested, retired, used_again
from reputation.store.audit import Change
from reputation.store.own_register import own_of, register_of
from reputation.users import Role
from reputation.wording import Wording

if TYPE_CHECKING:
    from callsieve.web.routes import Handler

UPLOAD_BYTES = 1 << 20
NO_ROW = N_("Not one row can be used.")
FIELDS = {
    "name": N_("name"),
    "purpose": N_("purpose"),
    "owner": N_("owner"),
    "trunks": N_("trunks"),
    "documents": N_("documents"),
    "registered": N_("registered at"),
    NEXT_CHECK: N_("next check"),
}


async def show(visit: Visit) -> Response:
    """The list."""
    return await _page(visit)


async def new(visit: Visit) -> Response:
    """The form for a number that is not registered; `?number=` is filled in."""
    return await _form(visit, {"number": visit.query.get("number", "").strip()[:LONGEST], NEXT_CHECK: CHECK_EVERY})


async def add(visit: Visit) -> Response:
    """A number into the register. One that is there already is changed on its own page, and not here."""
    form, now = visit.form, visit.now

    try:
        number = number_from(form.get("number", "")[:LONGEST], visit.desk.loaded.settings.numbers.region)
        own = filled_in(new_number(number, now), _typed(form), now)

        def write(db: sqlite3.Connection, change: Change) -> None:
            if own_of(db, number) is not None:
                raise RegisterError(Wording("{number} is registered already", {"number": number}))
            put_in_register(db, change, own)

        await visit.change("own add", write, number)
    except (EntryError, FieldError, RegisterError) as error:
        return await _form(visit, form, _said(error))
    return visit.go(f"/own/{number}", "own-added")


async def change(visit: Visit) -> Response:
    """What is registered of a number, as the form on its page has it now."""
    number = number_in(visit)

    def write(db: sqlite3.Connection, change: Change) -> None:
        before = registered(db, number)
        put_in_register(db, change, filled_in(before, _typed(visit.form, before), visit.now))

    return await _do(visit, "own add", write, "own-changed")


def stepping(what: str, step: Callable[[OwnNumber, Visit], OwnNumber], said: str) -> Handler:
    """One step of a registered number."""

    async def handle(visit: Visit) -> Response:
        number = number_in(visit)

        def write(db: sqlite3.Connection, change: Change) -> None:
            take_step(db, change, number, lambda own: step(own, visit))

        return await _do(visit, what, write, said)

    return handle


async def remove(visit: Visit) -> Response:
    """A number out of the register."""
    number = number_in(visit)

    def write(db: sqlite3.Connection, change: Change) -> None:
        take_out(db, change, number)

    return await _do(visit, "own remove", write, "own-removed", "/own")


async def take_back(visit: Visit) -> Response:
    """One of the latest changes undone."""
    await take_back_named(visit, REGISTER)
    return visit.go("/own", "undone")


async def take_back_here(visit: Visit) -> Response:
    """One of the latest changes of a number undone, on its page; which may be gone then."""
    number = number_in(visit)
    await take_back_named(visit, (*REGISTER, *COMPLAINTS), number)
    return visit.go(f"/own/{number}" if await visit.read(is_known, number, visit.now) else "/own", "undone")


async def export(visit: Visit) -> Response:
    """The register as a file."""
    await visit.note("own export")
    return as_file(register_as_csv(await visit.read(register_of)), f"callsieve-own-numbers-{day(visit.now)}.csv")


async def bring_in_file(visit: Visit) -> Response:
    """The numbers of a file, all that can be used at once; the other rows are named with their lines."""
    raw, now, who = visit.files.get("file", b""), visit.now, visit.who
    if not raw:
        return await _page(visit, EMPTY)
    try:
        table = Table(io.BytesIO(raw), COLUMNS, "the file", longest=LONGEST_FIELD)
        found = own_numbers_in(table, visit.desk.loaded.settings.numbers.region, now)
    except TableError as error:
        return await _page(visit, str(error))
    problems = [f"line {problem.line}: {problem.text}" for problem in table.problems]
    if not found:
        return await _page(visit, "; ".join(problems[:1]) or NO_ROW)

    def write(db: sqlite3.Connection, change: Change) -> tuple[int, int]:
        return bring_in(db, change, to_bring_in(db, found, now), who, now)

    try:
        added, changed = await visit.change("own import", write)
    except NothingChanged:
        added = changed = 0
    counts = {"added": added, "changed": changed, "skipped": table.skipped, "cut": table.cut}
    return visit.page("own_numbers/own_imported.html", **counts, problems=problems)


def _typed(form: Mapping[str, str], before: OwnNumber | None = None) -> Typed:
    """What was typed; of a number that is registered, a next check that was left as it is stays to the second."""
    next_check = form.get(NEXT_CHECK, CHECK_EVERY).strip()
    is_as_it_was = before is not None and next_check == typed_of(before)[NEXT_CHECK]
    texts = {field: form.get(field, "") for field in TEXTS}
    lists = {field: form.get(field, "").splitlines() for field in LISTS}
    return {**texts, **lists, NEXT_CHECK: None if is_as_it_was else next_check}


def _said(error: EntryError | FieldError | RegisterError) -> str | Wording:
    """What is wrong; a field by the name that stands beside it."""
    if isinstance(error, FieldError):
        return Wording("{field} {problem}", {"field": Wording(FIELDS[error.field]), "problem": error.words})
    return error.words if isinstance(error, RegisterError) else str(error)


async def _do(visit: Visit, what: str, write: Write, said: str, then: str = "") -> Response:
    """A change of a number, and back to its page, or to another; its page says what was wrong."""
    number = number_in(visit)
    try:
        await visit.change(what, write, number)
    except (FieldError, RegisterError) as error:
        return await page_of_number(visit, _said(error))
    return visit.go(then or f"/own/{number}", said)


async def _page(visit: Visit, problem: str | Wording = "") -> Response:
    text = visit.query.get("q", "").strip()[:LONGEST]
    # What the daemon has not graded lately is graded here, number by number.
    shown = await visit.desk.slow_shelf.read(own_shown, visit.desk.loaded, text, visit.now)
    return visit.page("own_numbers/own.html", 422 if problem else 200, own=shown, text=text, problem=problem)


async def _form(visit: Visit, filled: Mapping[str, str], problem: str | Wording = "") -> Response:
    typed = {field: filled.get(field, "") for field in ("number", *FIELDS)}
    trunks = [trunk.name for trunk in visit.desk.loaded.settings.trunk]
    return visit.page("own_numbers/own_new.html", 422 if problem else 200, typed=typed, trunks=trunks, problem=problem)


async def page_of_number(visit: Visit, problem: str | Wording = "") -> Response:
    """The page of the number in the address, with what was wrong of what was asked."""
    loaded = visit.desk.loaded
    shown = await visit.read(one_shown, loaded, number_in(visit), visit.now)
    if shown is None:
        raise NotThere
    typed = typed_of(shown.own) if shown.own else {}
    # Which of its forms stands open: that of the link that led here, or the one that was wrong.
    form = visit.request.url.path.rpartition("/")[2] if problem else visit.query.get("do", "")
    if form == "change" and problem:
        typed |= {field: visit.form.get(field, "") for field in FIELDS}
    typed["check"] = visit.form.get(NEXT_CHECK, CHECK_EVERY) if form == "check" else CHECK_EVERY
    typed |= {field: visit.form.get(field, "") if form == "complain" else "" for field in ("from", "note")}
    trunks = [trunk.name for trunk in loaded.settings.trunk]
    about = {"one": shown, "typed": typed, "trunks": trunks, "problem": problem, "form": form}
    return visit.page("own_numbers/own_number.html", 422 if problem else 200, **about)


_STEPS: tuple[tuple[str, Handler], ...] = (
    ("change", change),
    ("check", stepping("own check", lambda own, visit: checked(own, visit.now, _next(visit)), "own-checked")),
    ("rest", stepping("own rest", lambda own, visit: rested(own, visit.now), "own-rests")),
    (
        "use",
        stepping("own use", lambda own, visit: used_again(own, visit.now, early="early" in visit.form), "own-used"),
    ),
    ("retire", stepping("own retire", lambda own, visit: retired(own, visit.now), "own-retired")),
    ("remove", remove),
    ("undo", take_back_here),
)


def _next(visit: Visit) -> float | None:
    return next_check_of(visit.form.get(NEXT_CHECK, CHECK_EVERY), visit.now)


PAGES = (
    Page("GET", "/own", show, Role.OPERATOR),
    Page("GET", "/own/new", new, Role.OPERATOR),
    Page("GET", "/own/export.csv", export, Role.OPERATOR),
    Page("POST", "/own/add", add, Role.OPERATOR),
    Page("POST", "/own/undo", take_back, Role.OPERATOR),
    Page("POST", "/own/import", bring_in_file, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("GET", "/own/{number}", page_of_number, Role.OPERATOR),
    *(Page("POST", f"/own/{{number}}/{name}", handler, Role.OPERATOR) for name, handler in _STEPS),
)
