"""Where FreePBX keeps its calls, from the file with its password: nobody types what is there.

    database_of_calls(conf) -> Address, table of CDRs, table of CEL

/etc/freepbx.conf is PHP, of which only the lines `$amp_conf['AMPDBUSER'] = '...';` are read; nothing of it is run. A
database of calls that was moved elsewhere is named in FreePBX's own settings (Advanced Settings: Remote CDR DB ...).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from callsieve.pbx.mysql import CALLS, PORT, Address, DatabaseError, connected
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
