"""Pages of the organisation's allowlist and blocklist: search, change, undo, import and export."""

from starlette.responses import Response

from callsieve.changes.operation import Refused, note
from callsieve.lists import operations
from callsieve.lists.capability import LISTS
from callsieve.lists.operations import EntryKey, EntryRequest
from callsieve.lists.views import COLUMNS, ListsShown, entries_in, list_as_csv, lists_shown
from callsieve.text.csv_table import KEPT_PROBLEMS, usable
from callsieve.text.table_errors import TableError
from callsieve.text.times import day
from callsieve.web.request import NotFound, Page, PageRequest, as_file, expiry_in, undoing, uploaded_table
from reputation.model import EntryKind, ListName
from reputation.store.audit import Change
from reputation.store.lists import list_entries
from reputation.users import Role
from reputation.wording import Wording

UPLOAD_BYTES = 1 << 20
FIELDS = ("list", "entry", "note", "expires", "expires_on", "action")


async def show(req: PageRequest, problem: str | Wording = "") -> Response:
    """Show the lists. `problem`: why a form was rejected."""
    # A viewer, who sees no number, cannot look for one either.
    text = req.query.get("q", "").strip()[:80] if req.sees_numbers else ""
    word = req.query.get("list", "")
    list_name = ListName(word) if word in tuple(ListName) else None
    shown: ListsShown = await req.read(lists_shown, list_name, text, req.context)
    typed = {key: req.form.get(key, "") for key in FIELDS}
    typed["entry"] = typed["entry"] or (req.query.get("entry", "")[:100] if req.sees_numbers else "")
    return req.page(
        "lists/lists.html", 422 if problem else 200, lists=shown, text=text, word=word, problem=problem, typed=typed
    )


async def add(req: PageRequest) -> Response:
    """Add an entry. If the entry matches many numbers or has objections, ask for confirmation first."""
    form = req.form
    request = EntryRequest(
        _list_named(form.get("list", "")),
        form.get("entry", ""),
        form.get("note", ""),
        expiry_in(form),
        form.get("action") or None,
        force=bool(form.get("force")),
    )
    try:
        preview = await req.read(operations.preview, req.context, request)
    except Refused as refused:
        return await show(req, str(refused))
    if not form.get("sure") and (preview.objections or preview.entry.kind is not EntryKind.EXACT):
        return req.page("lists/list_preview.html", preview=preview, typed=dict(form))
    await req.perform(operations.add, request)
    return req.go("/lists", "listed")


async def remove(req: PageRequest) -> Response:
    """Remove an entry from its list."""
    list_name, entry = _list_named(req.form.get("list", "")), req.form.get("entry", "")
    await req.perform(operations.remove, EntryKey(list_name, entry))
    return req.go("/lists", "unlisted")


async def export(req: PageRequest) -> Response:
    """Return both lists as a CSV file."""
    text = list_as_csv(await req.read(list_entries))
    await req.perform(note, Change("list export"))
    return as_file(text, f"callsieve-lists-{day(req.now)}.csv")


async def import_file(req: PageRequest) -> Response:
    """Import the usable entries of a file. Show the skipped entries with their line numbers."""
    settings = req.state.loaded.settings
    default = ListName(req.form["list"]) if req.form.get("list") in tuple(ListName) else None
    try:
        table = uploaded_table(req, COLUMNS)
        rows = entries_in(table, default, settings, req.now)
        entries = usable(table, rows, operations.MOST_ENTRIES, operations.TOO_MANY)
    except TableError as error:
        return await show(req, error.words)
    done = await req.perform(operations.import_entries, entries)
    problems = [*(problem.words for problem in table.problems), *done.refused[:KEPT_PROBLEMS]]
    skipped = table.skipped + len(done.refused)
    return req.page("lists/list_imported.html", plan=done.plan, skipped=skipped, problems=problems)


def _list_named(word: str) -> ListName:
    try:
        return ListName(word)
    except ValueError:
        raise NotFound from None


PAGES = (
    Page("GET", "/lists", show, Role.VIEWER),
    Page("GET", "/lists/export.csv", export, Role.OPERATOR),
    Page("POST", "/lists/add", add, Role.OPERATOR),
    Page("POST", "/lists/remove", remove, Role.OPERATOR),
    Page("POST", "/lists/undo", undoing("/lists", LISTS), Role.OPERATOR),
    Page("POST", "/lists/import", import_file, Role.ADMINISTRATOR, UPLOAD_BYTES),
)
