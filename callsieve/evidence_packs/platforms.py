"""What each platform that marks numbers asks for: platforms/*.toml, with the page that says so and the day it was read.

A row proves itself as far as its `proof` goes: `platform`, its own page says it; `others`, somebody else's page does;
`unverified`, no page that says it was to be had. The pack shows which.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import msgspec

Part = Literal["", "facts", "calls", "figures", "complaints", "practice", "documents", "screenshots"]


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is asked for. `part`: the part of the pack that has it; empty: its reader adds it himself."""

    en: str
    zh: str
    part: Part
    proof: Literal["platform", "others", "unverified"]
    source: str

    def words(self, language: str) -> str:
        """What is asked for."""
        return self.zh if language == "zh" else self.en


class Platform(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who marks numbers. `kind` says which letter the pack begins with; `address` empty: none is known."""

    name: str
    title: str
    title_zh: str
    kind: Literal["carrier", "label", "registration"]
    read: date
    address: str
    asks: tuple[Ask, ...]

    def words(self, language: str) -> str:
        """What it is called."""
        return self.title_zh if language == "zh" else self.title


@lru_cache(maxsize=1)
def platforms() -> dict[str, Platform]:
    """All of them by name, the carrier first. The files are ours: a wrong one is a bug, and raises."""
    found = [
        msgspec.toml.decode(entry.read_bytes(), type=Platform)
        for entry in (files("callsieve.evidence_packs") / "platforms").iterdir()
        if entry.name.endswith(".toml")
    ]
    found.sort(key=lambda one: (one.kind != "carrier", one.title_zh == one.title, one.name))
    return {one.name: one for one in found}
