"""What sites share through the hub, by kind of row: derived from the tables (reputation/store/tables/).

Capture, push, apply, checksum and erasure are made from this. A table that shares nothing stays where it is.

A row of another site stands in the same SQLite table as ours. What names a person, a call or a case there is written
`site:name` by reputation/site_names.py, so keys of two sites never meet.
"""

from __future__ import annotations

from typing import Final

from reputation.store.tables.every import TABLES
from reputation.store.tables.table import MOST_PAYLOAD, MOST_POLICY, Kind, SharedWith

__all__ = ("KINDS", "MOST_PAYLOAD", "MOST_POLICY", "MOST_TEXT", "NO_NUMBER", "Kind", "SharedWith")

MOST_TEXT: Final = 200  # characters of one column
NO_NUMBER: Final = "-"  # what a row about no number lies under

KINDS: Final = {kind.name: kind for table in TABLES if (kind := table.kind) is not None}
