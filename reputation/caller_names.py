"""Match caller names, which networks send with calls, against patterns, and recognise warnings such as `Scam Likely`.

The caller may choose the name, so at most MAX_NAME characters are read, and a pattern is matched in a single pass.
"""

from functools import lru_cache
from unicodedata import normalize

from reputation.numbers import is_withheld_word

MAX_NAME = 96  # SIP display names reach us with 79 bytes; other sources of names have no bound
ANY = "*"
NETWORK_NAME = 15  # characters of a name that North American networks show
SHORTEST_COMPANY = 4

# Warnings that carriers show instead of the caller's name, from their own and other pages: T-Mobile, AT&T, Verizon and
# resellers. Only whole names: a company may be called Spam Risk Advisors.
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
    """Normalise a text for comparison: casefold, NFKC, single spaces, no invisible characters, cut to MAX_NAME."""
    seen = _seen(text[:MAX_NAME])
    return " ".join((seen.casefold() if seen.isascii() else _folded(seen))[:MAX_NAME].split())


def _folded(text: str) -> str:
    """Apply NFKC_Casefold twice, because a second pass may change the text again. It may become 18 times as long."""
    for _ in range(2):
        text = normalize("NFKC", normalize("NFD", text).casefold())
    return _seen(text)


def _seen(text: str) -> str:
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)


def name_matches(name: str, pattern: str) -> bool:
    """Return whether the whole name matches the pattern, in which `*` matches any text. Use `compared` on both."""
    first, *others = pattern.split(ANY)
    if not others:
        return name == first
    *middle, last = others
    if not name.startswith(first):
        return False
    at = len(first)
    for part in middle:
        start = name.find(part, at)
        if start < 0:
            return False
        at = start + len(part)
    return len(name) - len(last) >= at and name.endswith(last)


def company_key(name: str) -> str | None:
    """Return a key that all spellings of a company's name share, even if a network truncated the name.

    North American networks show only 15 characters. None: a name of fewer than four characters identifies no company.
    """
    text = compared(name)[:NETWORK_NAME].strip()
    return None if len(text) < SHORTEST_COMPANY or is_missing(text) else text


def is_missing(name: str) -> bool:
    """Return whether the network sent no name: an empty text, only digits and signs, or a word such as "unknown"."""
    text = compared(name)
    return not any(map(str.isalpha, text)) or is_withheld_word(text)


@lru_cache(maxsize=4096)
def label_of_carrier(name: str) -> str | None:
    """Return the normalised name if it is a carrier's warning (one of SPAM_LABELS), otherwise None."""
    text = compared(name)
    return text if text in SPAM_LABELS else None
