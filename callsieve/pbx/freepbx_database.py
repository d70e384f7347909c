"""Where FreePBX keeps its calls, from the file with its password: nobody types what is there.

    database_of_calls(conf) -> Address, table of CDRs, table of CEL

/etc/freepbx.conf is PHP, of which only the lines `$amp_conf['AMPDBUSER'] = '...';` are read; nothing of it is run. A
database of calls that was moved elsewhere is named in FreePBX's own settings (Advanced Settings: Remote CDR DB ...).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from callsieve.pbx.mysql import CALLS, PORT, Address, Database, DatabaseError, connected
from callsieve.system.privileges import open_named

CONF = Path("/etc/freepbx.conf")
CONF_VARIABLE = "FREEPBX_CONF"  # FreePBX's own name for another place
MOST_BYTES = 64 * 1024
SETTINGS_TABLE = "freepbx_settings"
# Empty in all but those that keep their calls elsewhere.
MOVED = ("CDRDBHOST", "CDRDBPORT", "CDRDBUSER", "CDRDBPASS", "CDRDBNAME", "CDRDBTABLENAME", "CELDBTABLENAME")

_LINE = re.compile(
    r"""^\s*\$amp_conf\[(['"])(?P<key>\w+)\1\]\s*=\s*(?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)")\s*;""",
    re.MULTILINE,
)


class CallTables(NamedTuple):
    """The database of calls, and its two tables."""

    address: Address
    cdr: str = "cdr"
    cel: str = "cel"


def conf_path() -> Path:
    """FreePBX's own file."""
    return Path(os.environ.get(CONF_VARIABLE) or CONF)


def call_tables(path: Path) -> CallTables:
    """Where the calls are, as the file and FreePBX's settings say. DatabaseError, OSError."""
    conf = read_conf(path)
    home = _home(path, conf)
    moved = {**{key: conf[key] for key in MOVED if conf.get(key)}, **_settings(home)}
    is_elsewhere = bool(moved.get("CDRDBHOST"))
    address = Address(
        user=moved.get("CDRDBUSER") or home.user,
        host=moved.get("CDRDBHOST") or home.host,
        port=_port(moved.get("CDRDBPORT", "")) if is_elsewhere else home.port,
        database=moved.get("CDRDBNAME") or CALLS,
        password=moved.get("CDRDBPASS") or home.password,
        socket="" if is_elsewhere else home.socket,
    )
    return CallTables(address, moved.get("CDRDBTABLENAME") or "cdr", moved.get("CELDBTABLENAME") or "cel")


def home_address(path: Path) -> Address:
    """FreePBX's own database, as its file says. DatabaseError, OSError."""
    return _home(path, read_conf(path))


def _home(path: Path, conf: Mapping[str, str]) -> Address:
    if "AMPDBUSER" not in conf:
        raise DatabaseError(f"{path}: no $amp_conf['AMPDBUSER']: this is not FreePBX's file")
    return Address(
        user=conf["AMPDBUSER"],
        host=conf.get("AMPDBHOST") or "localhost",
        port=_port(conf.get("AMPDBPORT", "")),
        database=conf.get("AMPDBNAME") or "asterisk",
        password=conf.get("AMPDBPASS", ""),
        socket=conf.get("AMPDBSOCK", ""),
    )


def read_conf(path: Path) -> dict[str, str]:
    """The settings that FreePBX's file names. OSError."""
    with open_named(path) as stream:
        text = stream.read(MOST_BYTES).decode("utf-8", "replace")
    return {found["key"]: _value(found.groupdict()) for found in _LINE.finditer(text)}


def _value(found: Mapping[str, str | None]) -> str:
    """As PHP reads it: of single quotes only the quote and the backslash are escaped."""
    if (text := found["single"]) is not None:
        return re.sub(r"\\(['\\])", r"\1", text)
    return re.sub(r'\\(["\\$])', r"\1", found["double"] or "")


def _settings(home: Address) -> dict[str, str]:
    """Those of FreePBX's own settings that say where calls were moved to."""
    marks = ", ".join(["%s"] * len(MOVED))
    with connected(home) as db:
        found = db.rows(SETTINGS_TABLE, ("keyword", "value"), f"WHERE keyword IN ({marks})", MOVED)
        return {row["keyword"]: row["value"] for row in found if row["value"]}


def _port(text: str) -> int:
    return int(text) if text.isdecimal() and 0 < int(text) < 65536 else PORT


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
    company: str


def has_contacts(db: Database) -> bool:
    """Whether the module is installed there."""
    return db.has_table(NUMBERS)


def contacts_in_freepbx(db: Database) -> Iterator[KnownContact]:
    """Each number of each contact, in the order in which they were written. DatabaseError."""
    whose = _whose(db)
    known = {row["id"]: (row["groupid"], _name(row), row["company"]) for row in _all(db, ENTRIES, ENTRY_FIELDS)}
    for row in _all(db, NUMBERS, ("id", "entryid", "number")):
        group, name, company = known.get(row["entryid"], ("", "", ""))
        if group in whose:
            yield KnownContact(row["number"], name, whose[group], company)


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
