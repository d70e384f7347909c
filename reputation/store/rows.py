"""One row of any table, as the audit keeps it: read, put back and removed.

It is found by a unique key of the table whose columns the audit has all. For rows that nothing follows from: a table
with sums or other rows beside it has functions of its own.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

# Names of fields that are not those of their columns.
COLUMN_BY_FIELD = {"is_of_called": "of_called"}
COLUMNS = "SELECT name FROM pragma_table_info(?)"
KEYS = """
SELECT json_group_array(part.name) FROM pragma_index_list(?) AS key, pragma_index_info(key.name) AS part
 WHERE key."unique" GROUP BY key.name
"""


class StoredRow(NamedTuple):
    """Values of some columns of a row, and those of them by which it is found."""

    table: str
    values: Mapping[str, Any]
    key: tuple[str, ...]

    @property
    def _where(self) -> str:
        return " AND ".join(f"{column} = :{column}" for column in self.key)

    def read(self, db: sqlite3.Connection) -> StoredRow | None:
        """Return the same columns of the row as they are now; None: there is no such row."""
        columns = ", ".join(self.values)
        found = db.execute(f"SELECT {columns} FROM {self.table} WHERE {self._where}", self.values).fetchone()
        return found and self._replace(values=dict(zip(self.values, found, strict=True)))

    def put(self, db: sqlite3.Connection) -> None:
        """Give the row these values, or add it. Other columns stay."""
        changed = ", ".join(f"{column} = :{column}" for column in self.values)
        if db.execute(f"UPDATE {self.table} SET {changed} WHERE {self._where}", self.values).rowcount == 0:
            columns, places = ", ".join(self.values), ", ".join(f":{column}" for column in self.values)
            db.execute(f"INSERT INTO {self.table} ({columns}) VALUES ({places})", self.values)

    def remove(self, db: sqlite3.Connection) -> None:
        """Remove the row."""
        db.execute(f"DELETE FROM {self.table} WHERE {self._where}", self.values)


def stored_row(db: sqlite3.Connection, table: str, kept: Mapping[str, Any]) -> StoredRow:
    """Return the row of a table that the audit keeps.

    Raises:
        KeyError: No unique key of the table is kept.
    """
    columns = {name for (name,) in db.execute(COLUMNS, (table,))}
    fields = {COLUMN_BY_FIELD.get(field, field): value for field, value in kept.items()}
    values = {column: value for column, value in fields.items() if column in columns}
    keys = (tuple(json.loads(key)) for (key,) in db.execute(KEYS, (table,)))
    key = next((key for key in keys if values.keys() >= set(key)), None)
    if key is None:
        raise KeyError(table)
    return StoredRow(table, values, key)
