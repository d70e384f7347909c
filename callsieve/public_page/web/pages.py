"""The public page: a form for a reference, the appeal, its status behind a secret link, and printable statements."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from callsieve.appeals.cleared import Cleared
from callsieve.call_back.client import LATER, NEVER, HelperAnswer
from callsieve.changes.operation import Refused
from callsieve.numbers.mark_effects import effects_page, parts_of_view
from callsieve.public_page.backend import Backend
from callsieve.public_page.operations import NO_DOCUMENTS, UNKNOWN, AppealStatus
from callsieve.public_page.web.visit import POLICY, PublicPage, PublicState, Visit, answering
from callsieve.settings import Public
from callsieve.text.qr_code import qr_svg
from callsieve.text.times import day
from callsieve.web.i18n import N_
from callsieve.web.rendering import document_of
from callsieve.web.request import as_file
from callsieve.web.security_headers import POLICY_HEADER, SecurityHeaders, policy_with
from callsieve.web.throttle import UPLOADS_AT_ONCE
from callsieve.web.tokens import hash_of, new_token, parse_token
from reputation.appeals import ATTACHMENT_BYTES, Appeal
from reputation.site_names import parse_id
from reputation.wording import Wording

TITLE = N_("Statement: spam marks against a number no longer count")
SAYS = N_("{issuer} has decided an appeal of the owner of {number} and found that the owner is right.")
MEANS = N_("Spam marks made here until {day} no longer count. This statement is only about our own call screening.")
REASON = N_("The reason: {reason}")
PROVEN = N_("Control of the number was proven by a signed call or a call-back.")
ACCEPTED = N_("Control of the number was not proven by a call: our people accepted the appeal.")
CHECK = N_("To check whether the statement is still valid, and for the key that signed the file: {link}")
UNTIL = N_("Valid until {day}. Appeal {reference}.")


def cleared_page(cleared: Cleared, reason: str, language: str, say: Callable[[str], str]) -> str:
    """Return the clearance statement for a number as a self-contained page, with a QR code of its link.

    `reason`: the reason for the decision on the appeal. `say`: a function that translates CallSieve's own texts.
    """
    statement = cleared.statement
    about = {
        "issuer": statement.issuer,
        "number": statement.about["number"],
        "day": day(statement.issued_at),
        "reason": reason,
        "link": cleared.link,
        "reference": statement.about["appeal"],
    }
    texts = [SAYS, MEANS, REASON, PROVEN if statement.about["proven"] else ACCEPTED]
    lines = [Wording(text, about).in_language(say) for text in texts]
    if statement.valid_until is not None:
        lines.append(Wording(UNTIL, about | {"day": day(statement.valid_until)}).in_language(say))
    shown = {
        "title": say(TITLE),
        "lines": lines,
        "code": Markup(qr_svg(cleared.link)),
        "check": Wording(CHECK, about).in_language(say),
        "issuer": statement.issuer,
    }
    return document_of("public_page", "cleared.html", language, shown)


_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,253}[A-Za-z0-9]")
_NUMBER = re.compile(r"\+[0-9][0-9 .-]{5,20}[0-9]")


def contact_card(public: Public) -> list[Any]:
    """Return the operator's jCard: name, address, and the mail addresses and international numbers in `contact`."""
    fields: list[list[Any]] = [
        ["version", {}, "text", "4.0"],
        ["fn", {}, "text", public.name],
        ["kind", {}, "text", "org"],
        ["url", {}, "uri", public.address],
        *(["email", {}, "text", mail] for mail in _MAIL.findall(public.contact)),
        *(["tel", {}, "uri", f"tel:{re.sub('[ .-]', '', number)}"] for number in _NUMBER.findall(public.contact)),
    ]
    return ["vcard", fields]


class ClearedStatus(NamedTuple):
    """An upheld appeal with its clearance statement."""

    appeal: Appeal
    cleared: Cleared


NEVER_CALLED = N_(
    "We do not call numbers of this kind or country. Call us from the number, or contact us in another way."
)
CALL_LATER = N_("We called the number recently, or made too many calls. Try again later, or call us from the number.")
CALL_BY_DAY = N_(
    "It is too early or too late in the country of the number for a call. Try again during the day, or call us from "
    "the number."
)
CALL_FAILED = N_("The call could not be placed. Try again later, or contact us in another way.")
WHY_NOT_CALLED = {
    **dict.fromkeys(NEVER, NEVER_CALLED),
    **dict.fromkeys(LATER, CALL_LATER),
    HelperAnswer.NIGHT: CALL_BY_DAY,
}
NO_FORM = {"name": "", "contact": "", "statement": ""}


async def front(visit: Visit) -> Response:
    """Show the front page with the form for a reference."""
    return visit.page("front", wrong="", typed="")


async def front_of_link(visit: Visit) -> Response:
    """Show the front page with the reference from a link in a SIP response. The visitor must submit the form."""
    return visit.page("front", wrong="", typed=parse_id(str(visit.http.path_params["reference"])[:64]) or "")


async def card(visit: Visit) -> Response:
    """Return the operator's contact details as a jCard (RFC 7095)."""
    text = msgspec.json.encode(contact_card(visit.state.public))
    return Response(text, media_type="application/vcard+json", headers={POLICY_HEADER: POLICY})


async def look_up(visit: Visit) -> Response:
    """Show the appeal form for a known reference. Otherwise show the front page, with one message for all errors."""
    held = await visit.ask(Backend.look_up, visit.form.get("reference", ""))
    if held is None:
        return _wrong_reference(visit)
    return visit.page("appeal", held=held, wrong="", form=NO_FORM)


def _wrong_reference(visit: Visit) -> Response:
    if not visit.state.limits.take_wrong(visit.network, visit.now):
        return visit.error(429)
    return visit.page("front", 422, wrong=UNKNOWN, typed="")


async def marks(visit: Visit) -> Response:
    """Show how many marks of a number are enough to label or challenge its calls. The console shows this too."""
    return _document(effects_page(await visit.ask(Backend.marks), visit.language))


def _document(page: str) -> Response:
    style = page.partition("<style>")[2].partition("</style>")[0]
    return HTMLResponse(page, headers={POLICY_HEADER: policy_with(style, POLICY)})


async def file(visit: Visit) -> Response:
    """File the appeal and redirect to its status. After an error, show the form with the visitor's input."""
    limits, form = visit.state.limits, visit.form
    if not limits.filings.take(visit.network, visit.now):
        return visit.error(429)
    typed = {key: form.get(key, "")[:4000] for key in NO_FORM}
    reference, token = form.get("reference", ""), new_token()
    try:
        await visit.ask(Backend.file, reference, typed["name"], typed["contact"], typed["statement"], hash_of(token))
    except Refused as refused:
        limits.filings.give_back(visit.network)
        if refused.code == "unknown-reference":
            return _wrong_reference(visit)
        held = await visit.ask(Backend.look_up, reference)
        return visit.page("appeal", 422, held=held, wrong=refused.words, form=typed)
    return visit.go(f"/status/{token}")


async def status(visit: Visit) -> Response:
    """Show the status of an appeal."""
    return await _shown(visit, await status_in(visit))


async def make_code(visit: Visit) -> Response:
    """Show the status with a new code, which is shown only once."""
    status = await status_in(visit)
    return await _shown(visit, status, await visit.ask(Backend.make_code, _hash(visit)))


async def call_back(visit: Visit) -> Response:
    """Place a call to the number, and show the code to key in during that call."""
    status = await status_in(visit)
    if not visit.state.limits.take_call(visit.network, visit.now):
        raise HTTPException(429)
    answer, code = await visit.ask(Backend.call_back, _hash(visit))
    if answer is HelperAnswer.CALLED:
        return await _shown(visit, status, code, is_called=True)
    return await _shown(visit, status, wrong=WHY_NOT_CALLED.get(answer, CALL_FAILED))


async def _shown(
    visit: Visit, status: AppealStatus, code: str = "", *, is_called: bool = False, wrong: str = ""
) -> Response:
    said = {"code": f"{code[:3]} {code[3:]}".strip(), "is_called": is_called, "wrong": wrong}
    view = await visit.ask(Backend.view, _hash(visit))
    parts = () if view is None else parts_of_view(view)
    more = {
        "link": f"{visit.state.public.address}/status/{visit.http.path_params['token']}",
        "view": view,
        "parts": parts,
        **said,
    }
    return visit.page("status", 422 if wrong else 200, status=status, **more)


@asynccontextmanager
async def one_upload(visit: Visit) -> AsyncIterator[None]:
    """Check, before an upload is read, that the appeal accepts documents and has no other upload in progress."""
    if not (await status_in(visit)).takes_documents:
        raise Refused("no-documents", NO_DOCUMENTS)
    uploads, link = visit.state.limits.uploads, str(visit.http.path_params["token"])
    if link in uploads or len(uploads) >= UPLOADS_AT_ONCE:
        raise HTTPException(429)
    uploads.add(link)
    try:
        yield
    finally:
        uploads.discard(link)


async def attach(visit: Visit) -> Response:
    """Attach a document, and return to the status page."""
    content = visit.uploads.get("file", b"")
    await visit.ask(Backend.attach, _hash(visit), visit.form.get("title", ""), content)
    return visit.go(f"/status/{visit.http.path_params['token']}")


async def cleared_file(visit: Visit) -> Response:
    """Return the signed clearance statement as a file."""
    status = await _cleared_in(visit)
    return as_file(status.cleared.text, f"cleared-{status.appeal.reference}.json", "application/json")


async def cleared_document(visit: Visit) -> Response:
    """Return the signed clearance statement as a printable page."""
    status = await _cleared_in(visit)
    say = partial(visit.state.templates.say, language=visit.language)
    return _document(cleared_page(status.cleared, status.appeal.reason, visit.language, say))


async def check_cleared(visit: Visit) -> Response:
    """Show anybody who has the link of a clearance statement whether the statement is still valid."""
    reference, proof = (str(visit.http.path_params[key]) for key in ("reference", "proof"))
    statement = await visit.ask(Backend.check, reference, proof)
    if statement is None:
        raise HTTPException(404)
    cleared, stands = statement
    return visit.page("cleared", cleared=cleared, about=cleared.statement.about, stands=stands)


async def _cleared_in(visit: Visit) -> ClearedStatus:
    status = await status_in(visit)
    if status.cleared is None:
        raise HTTPException(404)
    return ClearedStatus(status.appeal, status.cleared)


async def status_in(visit: Visit) -> AppealStatus:
    """Return the status for the secret in the path. Raise HTTPException if there is no such appeal."""
    token = parse_token(str(visit.http.path_params["token"]))
    status = None if token is None else await visit.ask(Backend.status, hash_of(token))
    if status is None:
        raise HTTPException(404)
    return status


def _hash(visit: Visit) -> str:
    return hash_of(str(visit.http.path_params["token"]))


UPLOAD_BYTES = ATTACHMENT_BYTES + 64 * 1024
PAGES = (
    PublicPage("GET", "/", front),
    PublicPage("GET", "/r/{reference}", front_of_link),
    PublicPage("GET", "/card.json", card),
    PublicPage("GET", "/marks", marks),
    PublicPage("POST", "/reference", look_up),
    PublicPage("POST", "/appeal", file),
    PublicPage("GET", "/status/{token}", status),
    PublicPage("POST", "/status/{token}/code", make_code),
    PublicPage("POST", "/status/{token}/call", call_back),
    PublicPage("POST", "/status/{token}/documents", attach, UPLOAD_BYTES, one_upload),
    PublicPage("GET", "/status/{token}/cleared.json", cleared_file),
    PublicPage("GET", "/status/{token}/cleared.html", cleared_document),
    PublicPage("GET", "/cleared/{reference}/{proof}", check_cleared),
)


async def not_found(visit: Visit) -> Response:
    """Show the error page for an unknown address."""
    return visit.error(404)


MISSING = PublicPage("GET", "", not_found)
STYLE = files("callsieve.public_page.web") / "static" / "public.css"


def make_public_app(state: PublicState) -> ASGIApp:
    """Return the ASGI application of the public page. At shutdown, the application closes the state's backend."""
    from_settings = state.public

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await state.backend.open()
        yield
        await state.backend.close()

    async def style(_request: Request) -> Response:
        headers = {"cache-control": "public, max-age=3600", POLICY_HEADER: POLICY}
        return Response(STYLE.read_bytes(), media_type="text/css", headers=headers)

    async def failed(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return await answering(MISSING, state)(request) if status == 404 else Response(status_code=status)

    routes = [
        *(Route(page.path, answering(page, state), methods=[page.method]) for page in PAGES),
        Route("/public.css", style, methods=["GET"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: failed})
    return SecurityHeaders(
        app,
        [urlsplit(from_settings.address).hostname or ""],
        https_only=from_settings.behind_proxy,
        other_name="This page has another host name.\n",
    )
