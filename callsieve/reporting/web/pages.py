"""The page that shows a complaint about a number, to copy."""

from functools import partial

from starlette.responses import Response

from callsieve.reporting.authorities import AUTHORITIES, complaint_of, complaint_text
from callsieve.text.number_entry import EntryError, number_from
from callsieve.web.i18n import LANGUAGES, translated, translations_of
from callsieve.web.request import NotFound, Page, PageRequest
from reputation.users import Role
from reputation.wording import Wording

LONGEST = 80


async def show(req: PageRequest) -> Response:
    """Show the complaint to the chosen authority, or the choice of authorities."""
    number, authority = _number(req), AUTHORITIES.get(req.query.get("to", ""))
    text = ""
    language = req.query.get("language", "")
    if authority is not None:
        language = language if language in LANGUAGES else authority.language
        translate = partial(translated, catalogue=translations_of(language))
        complaint = await req.read(complaint_of, number, authority)
        text = complaint_text(
            complaint, lambda text: text.in_language(translate) if isinstance(text, Wording) else text
        )
    return req.page(
        "reporting/complaint.html",
        number=number,
        authorities=AUTHORITIES,
        chosen=req.query.get("to", "") if authority else "",
        text=text,
        languages=LANGUAGES,
        written_in=language,
    )


def _number(req: PageRequest) -> str:
    text = req.path("number")
    try:
        if len(text) <= LONGEST and text.startswith("+") and number_from(text, "ZZ") == text:
            return text
    except EntryError:
        pass
    raise NotFound


PAGES = (Page("GET", "/numbers/{number}/complaint", show, Role.OPERATOR),)
