"""What FreePBX's Contact Manager knows: names and numbers outside, the company's or one user's own.

    contacts_in_freepbx(db) -> KnownContact ...

Groups of the kind `internal` list our own extensions and are left out. A private group belongs to a user of User
Manager, who has an extension or has none; what belongs to nobody with an extension is left out too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from callsieve.pbx.mysql import Database

GROUPS = "contactmanager_groups"
ENTRIES = "contactmanager_group_entries"
NUMBERS = "contactmanager_entry_numbers"
USERS = "userman_users"
NOBODY = "-1"  # the owner of what is everybody's
NO_EXTENSION = ("", "none")
ENTRY_FIELDS = ("id", "groupid", "displayname", "fname", "lname", "company")
PAGE_ROWS = 5000


class KnownContact(NamedTuple):
    """`person` None: of the whole company."""

    number: str
    name: str
    person: str | None


def has_contacts(db: Database) -> bool:
    """Whether the module is installed there."""
    return db.has_table(NUMBERS)


def contacts_in_freepbx(db: Database) -> Iterator[KnownContact]:
    """Each number of each contact, in the order in which they were written. DatabaseError."""
    whose = _whose(db)
    names = {row["id"]: (row["groupid"], _name(row)) for row in _all(db, ENTRIES, ENTRY_FIELDS)}
    for row in _all(db, NUMBERS, ("id", "entryid", "number")):
        group, name = names.get(row["entryid"], ("", ""))
        if group in whose:
            yield KnownContact(row["number"], name, whose[group])


def _whose(db: Database) -> dict[str, str | None]:
    """The groups that are read, and whose each is."""
    extensions = {row["id"]: row["default_extension"] for row in _all(db, USERS, ("id", "default_extension"))}
    found: dict[str, str | None] = {}
    for row in _all(db, GROUPS, ("id", "owner", "type")):
        if row["type"] == "internal":
            continue
        if row["owner"] == NOBODY:
            found[row["id"]] = None
        elif (extension := extensions.get(row["owner"], "")) not in NO_EXTENSION:
            found[row["id"]] = extension
    return found


def _all(db: Database, table: str, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """All rows by their ids, a page at a time."""
    last = "0"
    while rows := db.rows(table, columns, f"WHERE id > %s ORDER BY id LIMIT {PAGE_ROWS}", (int(last),)):
        yield from rows
        last = rows[-1]["id"]


def _name(row: dict[str, str]) -> str:
    names = (row["displayname"], f"{row['fname']} {row['lname']}".strip(), row["company"])
    return next((name for name in names if name), "")
