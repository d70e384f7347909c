"""Pages of identities: who owns which number, and how well this is proven."""

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.identities import operations
from callsieve.identities.capability import IDENTITIES
from callsieve.identities.operations import CodeMade, CodeRequest, IdentityRequest
from callsieve.identities.views import identities_shown
from callsieve.web.request import Page, PageRequest, undoing
from reputation.users import Role
from reputation.wording import Wording

LEVELS = {"1": 1, "2": 2}


async def show(req: PageRequest, problem: str | Wording = "", made: CodeMade | None = None) -> Response:
    """Show the identities. `problem`: why a form was rejected. `made`: a new code to show."""
    text = req.query.get("q", "").strip()[:80] if req.sees_numbers else ""
    shown = await req.read(identities_shown, text, req.context)
    fields = ("number", "name", "level", "note", "expires", "code_number", "code_name")
    typed = {key: req.form.get(key, "") for key in fields}
    status = 422 if problem else 200
    about = {"identities": shown, "text": text, "problem": problem, "typed": typed, "made": made}
    return req.page("identities/identities.html", status, **about)


async def add(req: PageRequest) -> Response:
    """Record the owner of a number. The new record replaces an earlier record."""
    number, name, note, expires = (req.form.get(key, "") for key in ("number", "name", "note", "expires"))
    level = LEVELS.get(req.form.get("level", ""), 1)
    try:
        await req.perform(operations.add, IdentityRequest(number, name, level, note, expires))
    except Refused as refused:
        return await show(req, refused.words)
    return req.go("/identities", "identified")


async def make_code(req: PageRequest) -> Response:
    """Make a code that proves control of a number, and show the code once."""
    request = CodeRequest(*(req.form.get(key, "") for key in ("code_number", "code_name")))
    try:
        made = await req.perform(operations.make_code, request)
    except Refused as refused:
        return await show(req, refused.words)
    return await show(req, made=made)


async def remove(req: PageRequest) -> Response:
    """Remove the recorded owner of a number."""
    await req.perform(operations.remove, req.form.get("number", ""))
    return req.go("/identities", "unidentified")


PAGES = (
    Page("GET", "/identities", show, Role.VIEWER),
    Page("POST", "/identities/add", add, Role.OPERATOR),
    Page("POST", "/identities/code", make_code, Role.OPERATOR),
    Page("POST", "/identities/remove", remove, Role.OPERATOR),
    Page("POST", "/identities/undo", undoing("/identities", IDENTITIES), Role.OPERATOR),
)
