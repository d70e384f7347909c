"""The PBX's database as `--from` names it, and its password, which no list of processes has to show."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.pbx.freepbx_database import CONF_VARIABLE, CallTables, call_tables, conf_path, home_address
from callsieve.pbx.mysql import EXAMPLE, SCHEMES, Address, parse_address

T = TypeVar("T")

FREEPBX = "freepbx"
# As MariaDB's own client reads it.
PASSWORD_VARIABLE = "MYSQL_PWD"
NO_CONF = f"FreePBX's own file is not there; set {CONF_VARIABLE} to where it is"
SHOWN = (
    f"everybody here could read the password in the list of processes: leave it out, and type it when asked, or set "
    f"{PASSWORD_VARIABLE}"
)


def tables_from(origin: str) -> CallTables:
    """The tables of calls: FreePBX's own, or those at an address. CommandError, DatabaseError, OSError."""
    if origin == FREEPBX:
        return _of_freepbx(call_tables, f"{NO_CONF}, or write --from {EXAMPLE}")
    if not origin.startswith(tuple(f"{scheme}://" for scheme in SCHEMES)):
        raise CommandError(f"--from: write {FREEPBX} or {EXAMPLE}; a file needs no --from")
    address = parse_address(origin)
    if address.password is not None:
        warn(SHOWN)
        return CallTables(address)
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is None and sys.stdin.isatty():
        password = typer.prompt(f"Password of {address}", hide_input=True, default="", show_default=False, err=True)
    return CallTables(replace(address, password=password))


def freepbx_home() -> Address:
    """FreePBX's own database. CommandError, DatabaseError, OSError."""
    return _of_freepbx(home_address, NO_CONF)


def _of_freepbx(read: Callable[[Path], T], without: str) -> T:
    path = conf_path()
    try:
        return read(path)
    except FileNotFoundError:
        raise CommandError(f"{path}: {without}") from None
