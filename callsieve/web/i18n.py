"""What the console says, in the languages that it has: gettext catalogues in `locale/`, shipped compiled.

A language is all `.mo` files of its directory together, so that each part of the console may have one of its own.
`python -m tests.callsieve.web.test_catalogues` compiles them. A text with figures is a `Wording`.

Texts that are translated where they are shown, not where they are written: `N_` marks them for the catalogue.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

CATALOGUES = files("callsieve.web") / "locale"
ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "zh": "中文"}
# As browsers and screen readers want it in <html lang>.
TAGS = {ENGLISH: "en", "zh": "zh-Hans"}


@cache
def translations_of(language: str) -> gettext.NullTranslations:
    """The catalogue of a language; of English and of unknown ones the one that changes nothing."""
    chain = gettext.NullTranslations()
    folder = CATALOGUES / language / "LC_MESSAGES"
    if language not in LANGUAGES or not folder.is_dir():
        return chain
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".mo"):
            with entry.open("rb") as file:
                catalogue = gettext.GNUTranslations(file)
            catalogue.add_fallback(chain)
            chain = catalogue
    return chain


def wanted_language(chosen: str | None, accepted: str) -> str:
    """The language that somebody chose, else the first that the browser accepts and we have, else English."""
    if chosen in LANGUAGES:
        return str(chosen)
    return next((word for word in _accepted(accepted) if word in LANGUAGES), ENGLISH)


def _accepted(header: str) -> Iterable[str]:
    """The languages of an Accept-Language header, the best first, without their regions."""
    ranked = []
    for place, part in enumerate(header[:200].split(",")):
        word, _, quality = part.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), place, word.partition("-")[0].lower()))
        except ValueError:
            continue
    return (word for _, _, word in sorted(ranked))


def translated(text: str, catalogue: gettext.NullTranslations) -> str:
    """A text of ours."""
    return catalogue.gettext(text) if text else ""


def N_(text: str) -> str:
    """The text itself."""
    return text
