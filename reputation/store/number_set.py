"""A set of numbers that is as large as the disk: a table of its own in a temporary file, which goes with it.

SQLite keeps `CACHE_KIB` of it in memory, however many there are. A Python set takes 60 to 100 bytes for each.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import TracebackType

CACHE_KIB = 32 * 1024
# Nothing is kept: no journal, and nobody waits for the disk.
PREPARE = f"""
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = FILE;
CREATE TABLE seen (number INTEGER PRIMARY KEY) STRICT;
"""
ADD = "INSERT INTO seen (number) VALUES (?) ON CONFLICT DO NOTHING"


class NumberSet:
    """Numbers that were seen. `with NumberSet() as seen: seen.add("+12015550123")`"""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # "": a file that has no name
        self._db.executescript(PREPARE)
        self._db.execute("BEGIN")

    def __enter__(self) -> NumberSet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with closing(self._db):
            self._db.execute("ROLLBACK")

    def add(self, e164: str) -> bool:
        """Whether the number is new."""
        return self._db.execute(ADD, (int(e164[1:]),)).rowcount == 1
