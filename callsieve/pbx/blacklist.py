"""Asterisk's own blacklist, which FreePBX uses too, as `database show blacklist` prints it.

    /blacklist/12015550123                            : 1
    /blacklist/blocked                                : 1
    2 results found.

The value is `1` in Asterisk's own examples and a description in FreePBX. Two keys are settings of FreePBX, not numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

FAMILY_COMMAND = "database show blacklist"
# `blocked`: callers who withhold their number are turned away too; `dest`: where the turned away are sent.
SETTINGS = frozenset({"blocked", "dest"})

_LINE = re.compile(r"/blacklist/(?P<key>.*?)\s*: (?P<value>.*)")


class BlacklistLine(NamedTuple):
    """One key of the family. `note` is empty for the bare `1`."""

    key: str
    note: str


def parse_blacklist(text: str) -> Iterator[BlacklistLine]:
    """The numbers of the family, and the settings among them, in the order printed. Other lines are passed over."""
    for line in text.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match:
            value = match["value"].strip()
            yield BlacklistLine(match["key"].strip(), "" if value == "1" else value)
