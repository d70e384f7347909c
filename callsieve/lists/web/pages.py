"""The administrator's allowlist and blocklist: looked through, changed, undone, and moved as CSV."""

from __future__ import annotations

from starlette.responses import Response

from callsieve.changes.names import LISTS
from callsieve.changes.operation import Refused, note
from callsieve.lists import operations
from callsieve.lists.csv_file import COLUMNS, entries_in, list_as_csv
from callsieve.lists.operations import EntryRequest
from callsieve.lists.views import ListsShown, lists_shown
from callsieve.text.csv_table import KEPT_PROBLEMS, TableError, usable
from callsieve.text.times import day
from callsieve.web.request import NotThere, Visit, as_file, take_back_named, uploaded_table
from callsieve.web.routes import Page
from reputation.model import EntryKind, ListName
from reputation.store.audit import Change
from reputation.store.lists import list_entries
from reputation.users import Role
from reputation.wording import Wording

UPLOAD_BYTES = 1 << 20


async def show(visit: Visit) -> Response:
    """The page."""
    return await _page(visit)


async def add(visit: Visit) -> Response:
    """An entry; one that matches many numbers, or that something speaks against, is looked at first."""
    form = visit.form
    request = EntryRequest(
        _list_named(form.get("list", "")),
        form.get("entry", ""),
        form.get("note", ""),
        form.get("expires", "").strip() or None,
        form.get("action") or None,
        force=bool(form.get("force")),
    )
    try:
        look = await visit.read(operations.preview, visit.context, request)
    except Refused as refused:
        return await _page(visit, str(refused))
    if not form.get("sure") and (look.objections or look.entry.kind is not EntryKind.EXACT):
        return visit.page("lists/list_look.html", look=look, typed=dict(form))
    await visit.perform(operations.add, request)
    return visit.go("/lists", "listed")


async def remove(visit: Visit) -> Response:
    """An entry off its list."""
    list_name, entry = _list_named(visit.form.get("list", "")), visit.form.get("entry", "")
    await visit.perform(operations.remove, EntryRequest(list_name, entry))
    return visit.go("/lists", "unlisted")


async def take_back(visit: Visit) -> Response:
    """One of the latest changes undone."""
    await take_back_named(visit, LISTS)
    return visit.go("/lists", "undone")


async def export(visit: Visit) -> Response:
    """Both lists as a file."""
    text = list_as_csv(await visit.read(list_entries))
    await visit.perform(note, Change("list export"))
    return as_file(text, f"callsieve-lists-{day(visit.now)}.csv")


async def take_file(visit: Visit) -> Response:
    """The entries of a file, all that can be used at once; the others are named with their lines."""
    settings = visit.desk.loaded.settings
    default = ListName(visit.form["list"]) if visit.form.get("list") in tuple(ListName) else None
    try:
        table = uploaded_table(visit, COLUMNS)
        rows = entries_in(table, default, settings, visit.now)
        entries = usable(table, rows, operations.MOST_ENTRIES, operations.TOO_MANY)
    except TableError as error:
        return await _page(visit, error.words)
    done = await visit.perform(operations.bring_in, entries)
    problems = [*table.problems, *done.refused[:KEPT_PROBLEMS]]
    skipped = table.skipped + len(done.refused)
    return visit.page("lists/list_imported.html", plan=done.plan, skipped=skipped, problems=list(map(str, problems)))


def _list_named(word: str) -> ListName:
    try:
        return ListName(word)
    except ValueError:
        raise NotThere from None


async def _page(visit: Visit, problem: str | Wording = "") -> Response:
    # A viewer, who sees no number, cannot look for one either.
    text = visit.query.get("q", "").strip()[:80] if visit.sees_numbers else ""
    word = visit.query.get("list", "")
    list_name = ListName(word) if word in tuple(ListName) else None
    shown: ListsShown = await visit.read(lists_shown, list_name, text, visit.now)
    typed = {key: visit.form.get(key, "") for key in ("list", "entry", "note", "expires", "action")}
    return visit.page(
        "lists/lists.html", 422 if problem else 200, lists=shown, text=text, word=word, problem=problem, typed=typed
    )


PAGES = (
    Page("GET", "/lists", show, Role.VIEWER),
    Page("GET", "/lists/export.csv", export, Role.OPERATOR),
    Page("POST", "/lists/add", add, Role.OPERATOR),
    Page("POST", "/lists/remove", remove, Role.OPERATOR),
    Page("POST", "/lists/undo", take_back, Role.OPERATOR),
    Page("POST", "/lists/import", take_file, Role.ADMINISTRATOR, UPLOAD_BYTES),
)
