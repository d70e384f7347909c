"""What the guidance and the leaflet say: own_numbers/texts/guidance-*.toml, the same keys in each language."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "zh")

# The rules of the guidance, in order: each has a title, why, and what our own figures say of it.
RULES = ("hours", "repeats", "patience", "short", "answer", "slowly", "no", "back", "name")


@cache
def texts_of(language: str) -> dict[str, str]:
    """All texts of one of LANGUAGES; figures stand in braces."""
    text = (files("callsieve.own_numbers") / "texts" / f"guidance-{language}.toml").read_text("utf-8")
    return tomllib.loads(text)
