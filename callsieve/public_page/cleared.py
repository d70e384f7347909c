"""The statement that a number was cleared, as a page to print. callsieve/appeals/cleared.py makes the signed file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import segno
from markupsafe import Markup

from callsieve.appeals.cleared import Cleared
from callsieve.settings import Public
from callsieve.text.times import day
from callsieve.web.rendering import document_of
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


def cleared_page(cleared: Cleared, reason: str, language: str, say: Callable[[str], str]) -> str:
    """Return the statement as a page of HTML by itself, with a QR code of its link.

    Args:
        reason: What the ruling says.
        say: Translates a text of ours.
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
    lines = [Wording(text, about).said(say) for text in texts]
    if statement.valid_until is not None:
        lines.append(Wording(UNTIL, about | {"day": day(statement.valid_until)}).said(say))
    code = segno.make(cleared.link, micro=False).svg_inline(border=0, omitsize=True)
    shown = {
        "title": say(TITLE),
        "lines": lines,
        "code": Markup(code),
        "check": Wording(CHECK, about).said(say),
        "issuer": statement.issuer,
    }
    return document_of("public_page", "cleared.html", language, shown)


_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,253}[A-Za-z0-9]")
_NUMBER = re.compile(r"\+[0-9][0-9 .-]{5,20}[0-9]")


def contact_card(public: Public) -> list[Any]:
    """Its name, the page's address, and what of `contact` is a mail address or a number in international form."""
    fields: list[list[Any]] = [
        ["version", {}, "text", "4.0"],
        ["fn", {}, "text", public.name],
        ["kind", {}, "text", "org"],
        ["url", {}, "uri", public.address],
        *(["email", {}, "text", mail] for mail in _MAIL.findall(public.contact)),
        *(["tel", {}, "uri", f"tel:{re.sub('[ .-]', '', number)}"] for number in _NUMBER.findall(public.contact)),
    ]
    return ["vcard", fields]
