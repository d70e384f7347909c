"""What errors say: the nearest valid word, as the way out, and what was found instead of it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from reprlib import Repr

MAX_SHOWN = 40

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def shown(value: object) -> str:
    """A value as an error shows it: one line of bounded length, whatever the file holds."""
    return _SHORT.repr(value)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """` (did you mean x?)`, or the allowed words when there are few, or nothing."""
    by_folded = {allowed_word.casefold(): allowed_word for allowed_word in sorted(allowed)}
    close = get_close_matches(word.casefold(), by_folded, n=1)
    if close:
        return f" (did you mean {by_folded[close[0]]}?)"
    return f" (allowed: {', '.join(by_folded.values())})" if len(by_folded) <= MAX_SHOWN else ""
