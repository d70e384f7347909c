"""What keeps the store in order: all jobs of housekeeping at once, and lists accepted as they are.

run_housekeeping, accept_lists       operations (callsieve/changes/operation.py)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import NamedTuple

from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoKind
from reputation.store import database
from reputation.store.backup import has_backup_of_today, make_backup
from reputation.store.housekeeping import JOBS, HousekeepingReport, believe, leap_of, run_jobs
from reputation.store.site import close_window, opened_and_closed_at, reopen_window


class HousekeepingRequest(NamedTuple):
    """`clock_is_right`: somebody says so, though it is days from the last run. `tell` is called after each job."""

    dry_run: bool = False
    clock_is_right: bool = False
    tell: Callable[[], object] = lambda: None


def run_housekeeping(
    db: sqlite3.Connection, context: Context, request: HousekeepingRequest
) -> list[HousekeepingReport]:
    """Runs all jobs, each in short transactions of its own. What goes is gone: there is a backup of today before."""
    if not request.dry_run:
        if leap_of(db, context.at) and not request.clock_is_right:
            raise Refused("clock-leapt", "nothing was changed: set the clock")
        if not has_backup_of_today(context.loaded.store_path, context.at):
            make_backup(context.loaded.store_path, context.at)
        believe(db, context.at)
    done = []
    for report in run_jobs(db, JOBS, context.at, dry_run=request.dry_run):
        done.append(report)
        request.tell()
    if not request.dry_run:
        with change(db, context, "housekeeping run") as changed:
            changed.after = {report.job: report.did for report in done}
    return done


def accept_lists(db: sqlite3.Connection, context: Context, changed: Sequence[str]) -> None:
    """Takes the lists as they are now. `changed`: those that were changed, but not by us."""
    with change(db, context, "db check accept") as accepted:
        accepted.after = {"lists": changed}
        database.accept_lists(db)


# How changes are undone.


# What is open, by the instant of the emergency call: closed again, or open again for as long as it would have been.
WINDOW = UndoKind(
    lambda _db, _row, value: float(value["opened_at"]),
    lambda db, context, _: opened_and_closed_at(db, context.at)[0],
    lambda db, context, _: close_window(db, context.at),
    lambda db, _, opened_at: reopen_window(db, opened_at),
)
