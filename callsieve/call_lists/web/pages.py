"""Pages of call lists: the consents, and the outbound guard's decisions on a day."""

from starlette.responses import HTMLResponse, Response

from callsieve.call_lists import consents as operations
from callsieve.call_lists.capability import CONSENTS
from callsieve.call_lists.comply import DayProof, day_bounds, proof_of_day, proof_page
from callsieve.call_lists.consents import COLUMNS, ConsentRequest, consents_in, consents_shown
from callsieve.call_lists.registers import copy_ages
from callsieve.changes.operation import Refused
from callsieve.numbers.web.pages import LONGEST
from callsieve.text.table_errors import TableError
from callsieve.text.times import day
from callsieve.web.request import Page, PageRequest, as_file, undoing, uploaded_table
from callsieve.web.security_headers import POLICY_HEADER, policy_with
from reputation.numbers import number_of
from reputation.users import Role
from reputation.wording import Places, Wording

PATH = "/own/consents"
UPLOAD_BYTES = 1 << 20
FIELDS = ("number", "proof", "at", "until", "note")
HEADING_BY_FIELD = {
    "proof": Wording("proof"),
    "since": Wording("since"),
    "until": Wording("until"),
    "note": Wording("note"),
}


async def show(req: PageRequest, problem: str | Wording = "") -> Response:
    """Show the consents. `problem`: why a form was rejected."""
    text = req.query.get("q", "").strip()[:LONGEST]
    number = number_of(text, req.state.loaded.settings.numbers.region) if text else None
    shown = await req.read(consents_shown, text, number, req.now)
    copies = await req.read(copy_ages, req.now)
    typed = {field: req.form.get(field, req.query.get(field, "")) for field in FIELDS}
    about = {"shown": shown, "copies": copies, "text": text, "typed": typed, "problem": problem, "columns": COLUMNS}
    return req.page("call_lists/consents.html", 422 if problem else 200, **about)


async def add(req: PageRequest) -> Response:
    """Record a consent."""
    number, proof, at, until, note = (req.form.get(field, "").strip() for field in FIELDS)
    try:
        await req.perform(operations.add, ConsentRequest(number, proof, at or None, until or None, note))
    except Refused as refused:
        if refused.field not in HEADING_BY_FIELD:
            return await show(req, refused.words)
        about: Places = {"field": HEADING_BY_FIELD[refused.field], "problem": refused.words}
        return await show(req, Wording("{field} {problem}", about))
    return req.go(PATH, "consent-noted")


async def remove(req: PageRequest) -> Response:
    """Remove a consent."""
    await req.perform(operations.remove, req.form.get("number", "")[:LONGEST])
    return req.go(PATH, "consent-gone")


async def import_file(req: PageRequest) -> Response:
    """Import the consents in an uploaded file, and skip unusable rows."""
    try:
        table = uploaded_table(req, COLUMNS)
        consents = consents_in(table, req.state.loaded.settings.numbers.region, req.me.name, req.now)
    except TableError as error:
        return await show(req, error.words)
    await req.perform(operations.import_consents, consents)
    if table.problems:
        counts: Places = {"count": table.skipped, "first": table.problems[0].words}
        return await show(req, Wording("rows skipped: {count}, the first: {first}", counts))
    return req.go(PATH, "consent-noted")


MOST_SHOWN = 200
OUTBOUND = "/own/outbound"


async def show_day(req: PageRequest) -> Response:
    """Show the outbound guard's decisions on the requested day, or today."""
    typed = req.query.get("day", "").strip()[:40]
    proof, problem = await _proof(req, typed)
    held = [call for call in proof.calls if call.record.would_be != "allow"]
    about = {"proof": proof, "held": held[:MOST_SHOWN], "unguarded": proof.unguarded[:MOST_SHOWN]}
    about |= {"day": typed or day(req.now), "problem": problem, "most": MOST_SHOWN, "of_day": day(proof.first)}
    return req.page("call_lists/outbound.html", 422 if problem else 200, **about)


async def print_day(req: PageRequest) -> Response:
    """Return the report of the day as a page to print or keep, with masked called numbers."""
    proof, _ = await _proof(req, req.query.get("day", "").strip()[:40])
    page = proof_page(proof, whole_numbers=False, language=req.language)
    if req.query.get("download"):
        return as_file(page, f"callsieve-outbound-{day(proof.first)}.html", "text/html; charset=utf-8")
    style = page.partition("<style>")[2].partition("</style>")[0]
    return HTMLResponse(page, headers={POLICY_HEADER: policy_with(style)})


async def _proof(req: PageRequest, typed: str) -> tuple[DayProof, str | Wording]:
    bounds = day_bounds(typed) if typed else None
    problem = Wording("{day} is not a date: write it as 2026-12-31", {"day": typed}) if typed and bounds is None else ""
    first, last = bounds or day_bounds(day(req.now)) or (req.now, req.now)
    settings = req.state.loaded.settings
    return await req.state.slow_store.read(proof_of_day, settings, first, last, req.now), problem


PAGES = (
    Page("GET", PATH, show, Role.OPERATOR),
    Page("POST", f"{PATH}/add", add, Role.OPERATOR),
    Page("POST", f"{PATH}/remove", remove, Role.OPERATOR),
    Page("POST", f"{PATH}/undo", undoing(PATH, CONSENTS), Role.OPERATOR),
    Page("POST", f"{PATH}/import", import_file, Role.ADMINISTRATOR, UPLOAD_BYTES),
    Page("GET", OUTBOUND, show_day, Role.OPERATOR),
    Page("GET", f"{OUTBOUND}/page", print_day, Role.OPERATOR),
)
