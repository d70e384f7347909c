"""`callsieve import calls`: years of history from Asterisk's CDRs or from our own JSON lines."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import asdict
from datetime import tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import DryRunOption, warn_of_skipped
from callsieve.cli.options import ConfigOption, JsonOption, print_json, settings_of
from callsieve.cli.output import plural, say
from callsieve.cli.progress import meter, watched
from callsieve.cli.store import context_of, stores
from callsieve.imports import operations
from callsieve.imports.call_history import History, HistoryError, Written, opened
from callsieve.imports.cdr import Sides
from callsieve.imports.operations import CallsRequest
from callsieve.replay.history_file import EmptyLines
from callsieve.settings import Loaded
from callsieve.text.csv_table import DAMAGE
from callsieve.text.table_errors import TableProblem, table_error
from callsieve.wiring import people_of, site_of
from reputation.store.people import all_people


def import_calls(
    file: Annotated[
        Path, typer.Argument(help="Master.csv, a sqlite3 file with a cdr table, or JSON lines.", show_default=False)
    ],
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Whose time CDRs without a uniqueid are in; else this machine's.")
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Learn from calls of the past. Calls that are known already change nothing, so it may be run again."""
    loaded = settings_of(config)
    place = _zone(zone)
    started = time.monotonic()
    try:
        with (
            stores(loaded, dry_run=dry_run, copied=True) as (known, written),
            opened(file, _sides(known, loaded), place) as history,
            meter(file) as tell,
        ):
            items = watched(iter(history), history.place or (lambda: history.bytes_read), tell)
            result = operations.import_calls(written, context_of(loaded), CallsRequest(file.name, items))
    except HistoryError as error:
        raise CommandError(str(error)) from None
    except EmptyLines as error:
        raise CommandError(f"{file}: {error}") from None
    except DAMAGE:
        raise CommandError(str(table_error(TableProblem.DAMAGED, str(file)))) from None
    if not (result.new or result.known or result.marks):
        why = f": {history.problems[0]}" if history.problems else ""
        raise CommandError(f"{file}: not one call can be used{why}. Nothing was changed")
    _show(history, result, time.monotonic() - started, dry_run=dry_run, as_json=as_json)


def _show(history: History, result: Written, seconds: float, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        about = {"kind": history.kind, "read": history.read, "skipped": history.skipped, "dry_run": dry_run}
        problems = [{one.unit: one.line, "problem": one.text} for one in history.problems]
        print_json(about | asdict(result) | {"seconds": seconds, "problems": problems})
        return
    warn_of_skipped(history.problems, history.skipped)
    learnt = f"{'would learn' if dry_run else 'learnt'} from {plural(result.new, 'call')}"
    parts = [f"{plural(history.read, 'row')} read", f"{result.known:,} calls known before"]
    parts += [plural(result.signals, "signal"), plural(result.marks, "mark"), f"{seconds:.1f} s"]
    say(f"{learnt[0].upper()}{learnt[1:]}: {', '.join(parts)}.")
    if dry_run:
        say("Nothing was changed.")


def _sides(db: sqlite3.Connection, loaded: Loaded) -> Sides:
    people = (*all_people(db), *people_of(loaded.settings))
    site = site_of(loaded.settings)
    phones = frozenset(person.endpoint for person in people if person.endpoint)
    described = frozenset(trunk.name for trunk in site.trunks)

    def trunk_of(channel: str) -> str | None:
        name = site.trunk_of(channel).name
        return name if name in described else None

    return Sides(trunk_of, site.region, phones, site.trunks)


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CommandError(f"--zone {name[:40]!r}: no time zone; write it as Europe/London or UTC") from None
