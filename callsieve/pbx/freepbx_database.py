"""Find the database of FreePBX's call records. FreePBX's configuration file has the password, so nobody has to type it.

/etc/freepbx.conf is PHP. Only lines such as `$amp_conf['AMPDBUSER'] = '...';` are read, and nothing is executed. If the
call records are in another database, FreePBX's settings name it (Advanced Settings: Remote CDR DB ...).
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from callsieve.pbx.mysql import CALLS, PORT, Address, Database, DatabaseError, connected
from callsieve.system.privileges import open_named

CONF = Path("/etc/freepbx.conf")
CONF_VARIABLE = "FREEPBX_CONF"  # FreePBX's own variable for another path
MOST_BYTES = 64 * 1024
SETTINGS_TABLE = "freepbx_settings"
# Settings that are empty unless the call records were moved.
MOVED = ("CDRDBHOST", "CDRDBPORT", "CDRDBUSER", "CDRDBPASS", "CDRDBNAME", "CDRDBTABLENAME", "CELDBTABLENAME")

_LINE = re.compile(
    r"""^\s*\$amp_conf\[(['"])(?P<key>\w+)\1\]\s*=\s*(?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)")\s*;""",
    re.MULTILINE,
)


class CallTables(NamedTuple):
    """The database of call records, and its tables of CDRs and CEL (channel events)."""

    address: Address
    cdr: str = "cdr"
    cel: str = "cel"


def conf_path() -> Path:
    """Return the path of FreePBX's configuration file."""
    return Path(os.environ.get(CONF_VARIABLE) or CONF)


def call_tables(path: Path) -> CallTables:
    """Return the database of call records, which FreePBX's settings may name. Raise DatabaseError or OSError."""
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
    """Return the address of FreePBX's own database, from the configuration file. Raise DatabaseError or OSError."""
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
    """Return the `$amp_conf` settings in FreePBX's file. Raise OSError."""
    with open_named(path) as stream:
        text = stream.read(MOST_BYTES).decode("utf-8", "replace")
    return {match["key"]: _value(match.groupdict()) for match in _LINE.finditer(text)}


def _value(groups: Mapping[str, str | None]) -> str:
    """Unescape a PHP string. In single quotes only the quote and the backslash are escaped."""
    if (text := groups["single"]) is not None:
        return re.sub(r"\\(['\\])", r"\1", text)
    return re.sub(r'\\(["\\$])', r"\1", groups["double"] or "")


def _settings(home: Address) -> dict[str, str]:
    marks = ", ".join(["%s"] * len(MOVED))
    with connected(home) as db:
        rows = db.rows(SETTINGS_TABLE, ("keyword", "value"), f"WHERE keyword IN ({marks})", MOVED)
        return {row["keyword"]: row["value"] for row in rows if row["value"]}


def _port(text: str) -> int:
    return int(text) if text.isdecimal() and 0 < int(text) < 65536 else PORT


GROUPS = "contactmanager_groups"
ENTRIES = "contactmanager_group_entries"
NUMBERS = "contactmanager_entry_numbers"
USERS = "userman_users"
NOBODY = "-1"  # the owner of shared groups
NO_EXTENSION = ("", "none")
ENTRY_FIELDS = ("id", "groupid", "displayname", "fname", "lname", "company")
PAGE_ROWS = 5000


class KnownContact(NamedTuple):
    """A contact in FreePBX. `person`: the owner of the contact; None if the contact belongs to the whole company."""

    number: str
    name: str
    person: str | None
    company: str


def has_contacts(db: Database) -> bool:
    """Return whether FreePBX's Contact Manager module is installed."""
    return db.has_table(NUMBERS)


def contacts_in_freepbx(db: Database) -> Iterator[KnownContact]:
    """Yield each number of each contact, oldest first. Raise DatabaseError."""
    whose = _whose(db)
    known = {row["id"]: (row["groupid"], _name(row), row["company"]) for row in _all(db, ENTRIES, ENTRY_FIELDS)}
    for row in _all(db, NUMBERS, ("id", "entryid", "number")):
        group, name, company = known.get(row["entryid"], ("", "", ""))
        if group in whose:
            yield KnownContact(row["number"], name, whose[group], company)


def _whose(db: Database) -> dict[str, str | None]:
    extensions = {row["id"]: row["default_extension"] for row in _all(db, USERS, ("id", "default_extension"))}
    owners: dict[str, str | None] = {}
    for row in _all(db, GROUPS, ("id", "owner", "type")):
        if row["type"] == "internal":
            continue
        if row["owner"] == NOBODY:
            owners[row["id"]] = None
        elif (extension := extensions.get(row["owner"], "")) not in NO_EXTENSION:
            owners[row["id"]] = extension
    return owners


def _all(db: Database, table: str, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    last = "0"
    while rows := db.rows(table, columns, f"WHERE id > %s ORDER BY id LIMIT {PAGE_ROWS}", (int(last),)):
        yield from rows
        last = rows[-1]["id"]


def _name(row: dict[str, str]) -> str:
    names = (row["displayname"], f"{row['fname']} {row['lname']}".strip(), row["company"])
    return next((name for name in names if name), "")
