"""The name that comes with a call: how conditions compare it, and the words that carriers put in its place. Pure.

    name_matches("SPAM RISK", "*spam*") -> True
    label_of_carrier("Scam Likely") -> "scam likely"

The name is hostile text: at most MAX_NAME characters of it are looked at, and a pattern is matched in one pass.
"""

from __future__ import annotations

from functools import lru_cache
from unicodedata import normalize

from reputation.numbers import is_withheld_word

MAX_NAME = 96  # SIP display names reach us with 79 bytes; other sources of names have no bound
ANY = "*"
NETWORK_NAME = 15  # characters of a name that North American networks show
SHORTEST_COMPANY = 4

# What carriers show instead of the caller's name, as their own pages and others about them have it: T-Mobile, AT&T,
# Verizon and those who resell them. Whole names: a company may well be called Spam Risk Advisors.
SPAM_LABELS = frozenset(
    {
        *("spam", "spam?", "spam likely", "spam risk", "suspected spam", "potential spam", "likely spam"),
        *("scam", "scam?", "scam likely", "scam risk", "suspected scam", "potential scam"),
        *("fraud risk", "fraud likely", "potential fraud", "suspected fraud"),
        *("nuisance likely", "potential nuisance", "robocall", "robocaller", "suspected robocall"),
    }
)


@lru_cache(maxsize=4096)
def compared(text: str) -> str:
    """The text as it is compared: letters of one form and case, single spaces, nothing that is not to be seen."""
    seen = _seen(text[:MAX_NAME])
    return " ".join((seen.casefold() if seen.isascii() else _folded(seen))[:MAX_NAME].split())


def _folded(text: str) -> str:
    """Unicode's NFKC_Casefold, twice: what a first time has taken apart may have another form. One character may
    become eighteen, or a space.
    """
    for _ in range(2):
        text = normalize("NFKC", normalize("NFD", text).casefold())
    return _seen(text)


def _seen(text: str) -> str:
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)


def name_matches(name: str, pattern: str) -> bool:
    """Whether all of the name is what the pattern says. `*` stands for any text; both are `compared` already."""
    first, *others = pattern.split(ANY)
    if not others:
        return name == first
    *middle, last = others
    if not name.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(name) - len(last) >= at and name.endswith(last)


def company_key(name: str) -> str | None:
    """Return what the names of one company have in common, however a network cuts or writes them; None for no name.

    North American networks show 15 characters. A shorter name than four characters is nobody's in particular.
    """
    text = compared(name)[:NETWORK_NAME].strip()
    return None if len(text) < SHORTEST_COMPANY or is_missing(text) else text


def is_missing(name: str) -> bool:
    """Whether the network sent no name: nothing, the number again, or a word that says so."""
    text = compared(name)
    return not any(map(str.isalpha, text)) or is_withheld_word(text)


@lru_cache(maxsize=4096)
def label_of_carrier(name: str) -> str | None:
    """The warning, one of SPAM_LABELS, if the name is one."""
    text = compared(name)
    return text if text in SPAM_LABELS else None
