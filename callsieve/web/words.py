"""Texts that are translated where they are shown, not where they are written: `N_` marks them for the catalogue."""

from __future__ import annotations


def N_(text: str) -> str:
    """The text itself."""
    return text
