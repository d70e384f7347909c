"""The statement that a number was cleared, as a page to print. callsieve/appeals/cleared.py makes the signed file."""

from __future__ import annotations

from collections.abc import Callable

from callsieve.appeals.cleared import Cleared
from callsieve.text.pdf import PdfDocument
from callsieve.text.times import day
from callsieve.web.words import N_
from reputation.wording import Wording

TITLE = N_("Statement: a number was cleared")
SAYS = N_("{issuer} has decided an appeal of the owner of {number} and found that the owner is right.")
MEANS = N_(
    "Spam marks that were made here until {day} count as never made. It is about our own screening of calls alone."
)
REASON = N_("The reason: {reason}")
PROVEN = N_("Control of the number was proven by a signed call or a call-back.")
ACCEPTED = N_("Control of the number was not proven by a call: our people accepted the appeal.")
CHECK = N_("Whether it still stands, and the key that the file is signed with: {link}")
UNTIL = N_("It counts until {day}. Appeal {reference}.")


def cleared_pdf(cleared: Cleared, reason: str, language: str, say: Callable[[str], str]) -> bytes:
    """The page. `reason`: of the ruling; `say` translates a text of ours."""
    statement = cleared.statement
    about = {
        "issuer": statement.issuer,
        "number": statement.about["number"],
        "day": day(statement.issued_at),
        "reason": reason,
        "link": cleared.link,
        "reference": statement.about["appeal"],
    }

    def said(text: str, **more: str) -> str:
        return Wording(text, about | more).said(say)

    page = PdfDocument(say(TITLE), language=language, footer=statement.issuer)
    page.paragraph(said(SAYS))
    page.paragraph(said(MEANS))
    page.paragraph(said(REASON))
    page.paragraph(say(PROVEN if statement.about["proven"] else ACCEPTED))
    if statement.valid_until is not None:
        page.paragraph(said(UNTIL, day=day(statement.valid_until)))
    page.qr_code(cleared.link)
    page.paragraph(said(CHECK), dim=True)
    return page.made()
