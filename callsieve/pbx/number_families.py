"""Numbers that a PBX keeps in Asterisk's own database, as `database show FAMILY` prints them.

    /blacklist/12015550123                            : 1
    /allowlist/12015550124                            : Our bank
    /blacklist/blocked                                : 1
    3 results found.

The value is `1`, or a description, of which FreePBX's Allowlist module writes special characters as HTML does. Some
keys of FreePBX's are settings and no numbers.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE = re.compile(r"/(?P<family>\w+)/(?P<key>.*?)\s*: (?P<value>.*)")


class NumberFamily(NamedTuple):
    """A family of numbers. `settings`: keys that are none; `settings_below`: what else such keys begin with."""

    name: str
    settings: frozenset[str]
    settings_below: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What has Asterisk print it."""
        return f"database show {self.name}"

    def is_setting(self, key: str) -> bool:
        """Whether this key is one of FreePBX's settings."""
        return key in self.settings or key.startswith(self.settings_below)


# Asterisk's own, which FreePBX uses too. `blocked`: callers who withhold their number are turned away too; `dest`:
# where the turned away are sent.
BLACKLIST = NumberFamily("blacklist", frozenset({"blocked", "dest"}))
# FreePBX's contributed module Allowlist. `dest`: where all others are sent; `pause`: until when nobody is;
# `knowncallers`: contacts are let in too; `did`: for which routes it is asked; `autoadd`: whom we call is added.
ALLOWLIST = NumberFamily("allowlist", frozenset({"dest", "pause", "knowncallers"}), ("did", "autoadd"))


class FamilyLine(NamedTuple):
    """One key of the family. `note` is empty for the bare `1`."""

    key: str
    note: str


def parse_family(text: str, family: NumberFamily) -> Iterator[FamilyLine]:
    """The keys of the family, settings among them, in the order printed. Other lines are passed over."""
    for line in text.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match and match["family"] == family.name:
            value = html.unescape(match["value"].strip())
            yield FamilyLine(match["key"].strip(), "" if value == "1" else value)
