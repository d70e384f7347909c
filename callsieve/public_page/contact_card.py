"""Who turns calls away here, as a jCard (RFC 7095): for programs that look for somebody to write to. Pure."""

from __future__ import annotations

import re
from typing import Any

from callsieve.settings import Public

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
