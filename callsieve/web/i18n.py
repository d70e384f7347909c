"""Languages of the console: gettext catalogues in `locale/`, shipped compiled.

All `.mo` files in a language's folder are merged. `python -m tests.callsieve.web.test_catalogues` compiles them.
"""

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
    """Return the gettext catalogue of a language. For English and unknown languages the catalogue is empty."""
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
    """Return the chosen language, else the first supported language that the browser accepts, else English."""
    if chosen in LANGUAGES:
        return str(chosen)
    return next((word for word in _accepted(accepted) if word in LANGUAGES), ENGLISH)


def _accepted(header: str) -> Iterable[str]:
    ranked = []
    for place, part in enumerate(header[:200].split(",")):
        word, _, quality = part.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), place, word.partition("-")[0].lower()))
        except ValueError:
            continue
    return (word for _, _, word in sorted(ranked))


def translated(text: str, catalogue: gettext.NullTranslations) -> str:
    """Return the translation of one of the program's own texts."""
    return catalogue.gettext(text) if text else ""


def N_(text: str) -> str:
    """Mark a text for the catalogue, and return it unchanged. It is translated only when it is displayed."""
    return text
