"""Operations and health checks: the store, housekeeping, and the emergency window, in which no call is screened."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoKind
from callsieve.doctor import finding
from callsieve.doctor.daemon import start_remedy
from callsieve.emergency_window import OpenWindow, window_of
from callsieve.health import CheckStatus
from callsieve.monitoring.metrics import MetricFamily, single
from callsieve.pbx.cli_client import ConsoleError
from callsieve.settings import Loaded, Settings
from callsieve.text.times import ago
from reputation.encoding import parse_plain
from reputation.events import EventKind
from reputation.store import database
from reputation.store.backup import backups_of, has_backup_of_today, make_backup, quarantined_of
from reputation.store.database import is_lost
from reputation.store.errors import StoreError
from reputation.store.housekeeping import JOBS, HousekeepingReport, believe, is_held, leap_of, reports, run_jobs
from reputation.store.migrations import known_migrations, pending
from reputation.store.site import BY_TIME, close_window, emit_window_closed, opened_and_closed_at, reopen_window
from reputation.wording import Places, Wording


class HousekeepingRequest(NamedTuple):
    """A request to run housekeeping. `clock_is_right`: whether somebody has confirmed that the server's clock is right.

    `tell`: called without arguments after each job, to show the progress.
    """

    dry_run: bool = False
    clock_is_right: bool = False
    tell: Callable[[], object] = lambda: None


def run_housekeeping(
    db: sqlite3.Connection, context: Context, request: HousekeepingRequest
) -> list[HousekeepingReport]:
    """Make today's backup if it is missing, then run all jobs. Raise Refused if the clock has jumped.

    Call it outside a transaction: each job makes short transactions of its own.
    """
    if not request.dry_run:
        if leap_of(db, context.at) and not request.clock_is_right:
            raise Refused(
                "clock-leapt",
                "the clock has moved by several days since the last housekeeping: set the clock; nothing was changed",
            )
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
    """Record that the lists are right as they are. `changed`: the lists (allow, block) that another program changed."""
    with change(db, context, "db check accept") as accepted:
        accepted.after = {"lists": changed}
        database.accept_lists(db)


# How changes are undone.


# The open window, by the instant of the emergency call. Undoing a closing opens it for the rest of its time.
WINDOW = UndoKind(
    lambda _db, _row, value: parse_plain(value, OpenWindow),
    lambda db, context, _: (at := opened_and_closed_at(db, context.at)[0]) and OpenWindow(at),
    lambda db, context, _: close_window(db, context.at),
    lambda db, _, window: reopen_window(db, window.since),
)


BACKUP_DAYS = 2.0
# Below this the journal may stop at any moment; a backup needs the size of the store once more.
LEAST_FREE = 50 * 1024 * 1024
# How long after its time a job is late: a PBX may be off for the night.
LATE_SECONDS = 2 * 86_400.0


def is_window_closed(context: finding.CheckContext) -> finding.Finding:
    """Check in the store and in Asterisk's database that the emergency window is closed."""
    try:
        asterisk_at, error = context.emergency_at, None
    except ConsoleError as not_asked:
        asterisk_at, error = None, not_asked

    def judge(db: sqlite3.Connection, now: float) -> finding.Finding:
        window = window_of(db, context.loaded.settings, now, asterisk_at)
        if window.is_open:
            return finding.warn(
                Wording("no call is screened: {window}", {"window": window.description}), "callsieve emergency close"
            )
        return finding.ok(window.description)

    result = context.judge_store(judge)
    if error is not None and result.status is CheckStatus.OK:
        raise error
    return result


def store_opens(context: finding.CheckContext) -> finding.Finding:
    """Check that the store can be opened, has this program's version, and has room to grow."""
    path = context.loaded.store_path
    if not path.exists():
        if is_lost(path):
            return finding.fail(
                Wording("{file} is missing, but it has backups", {"file": str(path)}), "callsieve db restore"
            )
        return finding.warn(Wording("{file} does not exist yet", {"file": str(path)}), start_remedy())
    if not os.access(path, os.R_OK):
        return finding.unknown(
            Wording("this user cannot read {file}", {"file": str(path)}),
            Wording("run this command as root or as the daemon's user"),
        )
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return finding.fail(
            Wording("{file} is on a read-only file system: nothing is recorded", {"file": str(path)}),
            Wording("find the cause (dmesg), then: mount -o remount,rw {folder}", {"folder": str(path.parent)}),
        )
    try:
        with finding.read_only(path) as db:
            waiting = pending(db)
    except StoreError as error:
        return finding.fail(str(error))
    if waiting:
        behind: Places = {"file": str(path), "steps": len(waiting)}
        return finding.warn(
            Wording("{file} has the format of an older version ({steps} migrations behind)", behind), finding.MIGRATE
        )
    return _with_room(path, path.stat().st_size, shutil.disk_usage(path.parent).free)


def _with_room(path: Path, size: int, free: int) -> finding.Finding:
    figures: Places = {"size": _size(size), "schema": known_migrations()[-1].version, "free": _size(free)}
    about = Wording("{size}, schema {schema}, {free} free", figures)
    room: Places = {"folder": str(path.parent), "size": _size(size)}
    if free < LEAST_FREE:
        return finding.fail(
            Wording("the disk is full: {about}", {"about": about}), Wording("free some space in {folder}", room)
        )
    if free < LEAST_FREE + 2 * size:
        remedy = Wording("free some space in {folder}: a backup needs {size}", room)
        return finding.warn(Wording("there is little space: {about}", {"about": about}), remedy)
    if damaged := quarantined_of(path):
        older: Places = {"about": about, "file": damaged[-1].name}
        return finding.warn(
            Wording("{about}; an earlier store was damaged: {file}", older), Wording("examine the file, then delete it")
        )
    return finding.ok(about)


def has_backup(context: finding.CheckContext) -> finding.Finding:
    """Check that the latest backup is at most two days old."""
    path = context.loaded.store_path
    backups = backups_of(path)
    if not backups:
        return finding.warn(Wording("no backup yet: the daemon makes one a day"), "callsieve db backup")
    days = (context.now - backups[0].stat().st_mtime) / 86400
    if days > BACKUP_DAYS:
        return finding.warn(
            Wording("the last backup is {days:.0f} days old", {"days": days}),
            Wording("run `callsieve db backup`, and check that the daemon runs"),
        )
    return finding.ok(
        Wording("backups: {count}, the last {hours:.0f} h old", {"count": len(backups), "hours": 24 * days})
    )


@finding.check_of_store
def keeps_house(db: sqlite3.Connection, now: float) -> finding.Finding:
    """Check that the housekeeping jobs ran on time."""
    by_job = {report.job: report for report in reports(db)}
    late = [
        job.name for job in JOBS if job.name in by_job and now - by_job[job.name].at > job.every_seconds + LATE_SECONDS
    ]
    if not by_job:
        return finding.ok(Wording("no housekeeping job has run yet: the daemon begins a minute after its start"))
    if is_held(db):
        remedy = Wording("set the clock; if it is already right, run callsieve housekeeping run")
        return finding.warn(Wording("no old data is removed: the clock has jumped since the last run"), remedy)
    if unsound := next((report for report in by_job.values() if report.job == "integrity" and report.did), None):
        when = ago(unsound.at, now)
        return finding.fail(
            Wording("the check {when} found the store damaged, or a list changed by another program", {"when": when}),
            "callsieve db check",
        )
    if late:
        about: Places = {"jobs": ", ".join(late), "when": ago(by_job[late[0]].at, now)}
        remedy = Wording("run `callsieve housekeeping run`, and check that the daemon runs")
        return finding.warn(Wording("overdue housekeeping jobs: {jobs}; the last run was {when}", about), remedy)
    latest = max(by_job.values(), key=lambda report: report.at)
    removed = sum(by_job[JOBS[0].name].did.values()) if JOBS[0].name in by_job else 0
    return finding.ok(
        Wording("{when}; old rows removed: {removed:,}", {"when": ago(latest.at, now), "removed": removed})
    )


def _tell_window_closed(db: sqlite3.Connection, settings: Settings, now: float) -> None:
    window = window_of(db, settings, now)
    if not window.is_open:
        emit_window_closed(db, now if window.until is None else min(now, window.until), BY_TIME)


def store_metrics(size: int, backup_age: float | None) -> Iterator[MetricFamily]:
    """Yield the size of the store, and the age of its latest backup if one exists."""
    yield single("store_bytes", "Size of the store's file.", size)
    if backup_age is not None:
        yield single("backup_age_seconds", "Seconds since the latest backup.", backup_age)


def metrics(_db: sqlite3.Connection, loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Yield the metrics of the store at the time `now`."""
    path = loaded.store_path
    backup_at = next((backup.stat().st_mtime for backup in backups_of(path)), None)
    return store_metrics(path.stat().st_size, None if backup_at is None else now - backup_at)


EMERGENCY_WINDOW = finding.HealthCheck(place=130, name="emergency window", find=is_window_closed, is_quick=True)
CHECKS = (
    EMERGENCY_WINDOW,
    finding.HealthCheck(place=280, name="store", find=store_opens, is_quick=True),
    finding.HealthCheck(place=320, name="backup", find=has_backup, is_quick=True),
    finding.HealthCheck(place=390, name="housekeeping", find=keeps_house, is_quick=True),
)
SCHEDULED = (finding.ScheduledCheck((EventKind.EMERGENCY_OPENED, EventKind.EMERGENCY_CLOSED), _tell_window_closed),)


def _size(count: int) -> str:
    for limit, unit in ((1 << 30, "GB"), (1 << 20, "MB")):
        if count >= limit:
            return f"{count / limit:.1f} {unit}"
    return f"{count / 1024:.0f} kB"
