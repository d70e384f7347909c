"""The nearest valid word, for errors that show the way out."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, allowed: Iterable[str]) -> str:
    """` (did you mean x?)`, or the allowed words when there are few, or nothing."""
    words = sorted(allowed)
    close = get_close_matches(word, words, n=1)
    if close:
        return f" (did you mean {close[0]}?)"
    return f" (allowed: {', '.join(words)})" if len(words) <= 12 else ""
