"""`callsieve import calls`: years of history from Asterisk's CDRs, a PBX's database, or our own JSON lines."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import DryRunOption, warn_of_skipped
from callsieve.cli.options import ConfigOption, JsonOption, context_of, print_json, settings_of, stores
from callsieve.cli.output import meter, meter_of, plural, say, watched
from callsieve.imports import operations
from callsieve.imports.call_history import Written, items_of
from callsieve.imports.cdr_database import opened_tables
from callsieve.imports.operations import CallsRequest
from callsieve.pbx.freepbx_database import CONF_VARIABLE, CallTables, call_tables, conf_path, home_address
from callsieve.pbx.mysql import EXAMPLE, SCHEMES, Address, DatabaseError, parse_address
from callsieve.replay.call_files import History, HistoryError, opened, sides_of
from callsieve.replay.history_file import EmptyLines
from callsieve.text.csv_table import DAMAGE
from callsieve.text.table_errors import TableProblem, table_error
from reputation.store.sources import calls_done_to

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


def import_calls(
    file: Annotated[
        Path | None,
        typer.Argument(help="Master.csv, a sqlite3 file with a cdr table, or JSON lines.", show_default=False),
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option("--from", metavar="SOURCE", help="No file: `freepbx`, or mysql://USER@HOST/asteriskcdrdb."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="With --from: read all of it again, not only what is new.")
    ] = False,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Whose time CDRs without a uniqueid are in; else this machine's.")
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Learn from calls of the past. Calls that are known already change nothing, so it may be run again."""
    if (file is None) == (origin is None):
        raise CommandError("import calls: say either a FILE or --from freepbx (callsieve import calls --help)")
    if file is not None and everything:
        raise CommandError("import calls: --all goes with --from; of a file all is read")
    loaded = settings_of(config)
    place = _zone(zone)
    started = time.monotonic()
    try:
        tables = None if origin is None else tables_from(origin)
        with stores(loaded, dry_run=dry_run, copied=True) as (known, written), ExitStack() as stack:
            sides = sides_of(known, loaded)
            if file is not None:
                name, history = file.name, stack.enter_context(opened(file, sides, place))
                items = items_of(history)
                tell = stack.enter_context(meter(file))
            else:
                assert tables is not None
                name = str(tables.address)
                done_to = None if everything else calls_done_to(known, name)
                history, items = stack.enter_context(opened_tables(tables, sides, place, done_to, time.time()))
                tell = stack.enter_context(meter_of(history.size))
            items = watched(items, history.place or (lambda: history.bytes_read), tell)
            result = operations.import_calls(written, context_of(loaded), CallsRequest(name, items))
    except (HistoryError, DatabaseError) as error:
        raise CommandError(str(error)) from None
    except EmptyLines as error:
        raise CommandError(f"{file}: {error}") from None
    except DAMAGE:
        raise CommandError(str(table_error(TableProblem.DAMAGED, str(file)))) from None
    if not (result.new or result.known or result.marks or history.going_on) and (file or history.skipped):
        why = f": {history.problems[0]}" if history.problems else ""
        raise CommandError(f"{file or name}: not one call can be used{why}. Nothing was changed")
    _show(history, result, time.monotonic() - started, dry_run=dry_run, as_json=as_json)


def _show(history: History, result: Written, seconds: float, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        about = {"kind": history.kind, "read": history.read, "skipped": history.skipped, "dry_run": dry_run}
        about |= {"going_on": history.going_on, "remarks": history.remarks}
        problems = [{one.unit: one.line, "problem": one.text} for one in history.problems]
        print_json(about | asdict(result) | {"seconds": seconds, "problems": problems})
        return
    warn_of_skipped(history.problems, history.skipped)
    for remark in history.remarks:
        warn(remark)
    learnt = f"{'would learn' if dry_run else 'learnt'} from {plural(result.new, 'call')}"
    parts = [f"{plural(history.read, 'row')} read", f"{result.known:,} calls known before"]
    parts += [plural(result.signals, "signal"), plural(result.marks, "mark"), f"{seconds:.1f} s"]
    say(f"{learnt[0].upper()}{learnt[1:]}: {', '.join(parts)}.")
    if history.going_on:
        say(f"{plural(history.going_on, 'call')} may still go on: the next import takes what is over by then.")
    if dry_run:
        say("Nothing was changed.")


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CommandError(f"--zone {name[:40]!r}: no time zone; write it as Europe/London or UTC") from None
