"""`callsieve calls export`: the store's calls and marks as a history, which `callsieve replay` reads."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from callsieve.changes.operation import note
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, existing_store, settings_of
from callsieve.cli.output import plural, say
from callsieve.cli.store import context_of
from callsieve.replay.history_file import at_of
from callsieve.replay.history_writer import line_of_event
from callsieve.replay.store_history import events_of_store
from callsieve.system.files import complete_file
from callsieve.system.privileges import acting_for
from reputation.store.audit import Change
from reputation.store.tables.table import OUTCOME_DAYS
from reputation.weights import DAY_SECONDS

PRIVATE = 0o600  # numbers are personal data


def export(
    days: Annotated[
        int | None, typer.Option(min=1, metavar="DAYS", help="Only the last days; else all that is kept.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there; else standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Print the calls and marks of the store as a history, a line each, in time order; `replay` decides about it."""
    loaded = settings_of(config)
    now = time.time()
    since = 0.0 if days is None else now - days * DAY_SECONDS
    with existing_store(loaded) as db:
        if out is not None:
            with acting_for(out):
                if out.exists():
                    raise CommandError(f"{out}: there is a file of this name: choose another, or remove it")
        note(db, context_of(loaded), Change("calls export"))  # without the row in the audit there is no file
        if out is None:
            _write(db, since, now, sys.stdout.write)
            return
        with complete_file(out, PRIVATE) as file:
            count = _write(db, since, now, lambda text: file.write(text.encode()))
    say(f"{out}: {plural(count, 'call and mark', 'calls and marks')}. Calls are kept for {OUTCOME_DAYS} days.")


def _write(db: sqlite3.Connection, since: float, until: float, write: Callable[[str], object]) -> int:
    count = 0
    for event in events_of_store(db, until):
        if at_of(event) >= since:
            write(line_of_event(event).decode())
            count += 1
    return count
