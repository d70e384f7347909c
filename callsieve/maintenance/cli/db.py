"""`callsieve db` (migrate, check, back up and restore the store's file) and `callsieve housekeeping` (daily jobs)."""

import os
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from callsieve.cli import options
from callsieve.cli.errors import CommandError
from callsieve.cli.output import counted, plural, print_pairs, print_table, say
from callsieve.maintenance import operations
from callsieve.system.privileges import acting_for, open_named
from callsieve.text.times import ago, when
from reputation.store.audit import Change
from reputation.store.backup import (
    backups_of,
    copy_store,
    last_good_backup,
    make_backup,
    open_backup,
    problem_of,
    problem_of_backup,
    quarantined_of,
    restore,
)
from reputation.store.database import backup_directory, changed_lists, connect, open_store
from reputation.store.errors import StoreError, store_errors
from reputation.store.housekeeping import JOBS, HousekeepingReport, leap_of, reports
from reputation.store.migrations import known_migrations, migrate, pending
from reputation.store.tables.every import TABLES
from reputation.store.tables.table import DAY

CONNECT_SECONDS = 1.0


def migrate_store(config: options.ConfigOption = None) -> None:
    """Migrate the store to this program's version, or create it. `callsieve serve` also migrates the store."""
    loaded = options.settings_of(config)
    if not options.has_store(loaded):
        with options.any_store(loaded):
            say(f"{loaded.store_path}: created, with {plural(len(known_migrations()), 'migration')}.")
        return
    with open_store(loaded.store_path, migrated=False) as db:
        if not pending(db):
            say(f"{loaded.store_path}: up to date.")
            return
        applied = migrate(db)
    say(f"{loaded.store_path}: applied {', '.join(migration.name for migration in applied)}.")


def check(
    accept: Annotated[
        bool, typer.Option("--accept", help="Accept the lists as they are now, after another program changed them.")
    ] = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Check the whole store for damage, and show its last backup. Exit code 2 if the store is damaged."""
    loaded = options.settings_of(config)
    if not options.has_store(loaded):
        with options.existing_store(loaded):
            pass  # raises
    path = loaded.store_path
    with open_store(path, migrated=False) as db:
        problem = problem_of(db)
        changed = [] if problem else changed_lists(db)
        if accept and changed:
            operations.accept_lists(db, options.context_of(loaded), changed)
            changed = []
        waiting = [] if problem else [migration.name for migration in pending(db)]
    backups = backups_of(path)
    report = {
        "path": str(path),
        "bytes": path.stat().st_size,
        "problem": problem,
        "changed_lists": changed,
        "pending_migrations": waiting,
        "daemon_running": is_daemon_live(loaded.socket_path),
        "backups": str(backup_directory(path)),
        "backup_count": len(backups),
        "last_backup_at": backups[0].stat().st_mtime if backups else None,
    }
    if as_json:
        options.print_json(report)
    elif problem is None and not changed:
        _show_check(report)
    if changed:
        raise CommandError(
            f"{path}: entries of {', '.join(changed)} were changed by another program: compare them with a "
            f"backup; `callsieve db restore` restores a backup, `callsieve db check --accept` accepts the "
            f"lists as they are"
        )
    if problem is not None:
        raise CommandError(f"{path}: damaged ({problem}); `callsieve db restore` restores the last good backup")


def backup(
    file: Annotated[
        Path | None,
        typer.Argument(help="File to write. Default: a new file in backups/ beside the store.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    config: options.ConfigOption = None,
) -> None:
    """Copy the store while it is in use, and check the copy."""
    loaded = options.settings_of(config)
    with options.existing_store(loaded):
        pass  # raises if the store is missing or unusable
    if file is None:
        made = make_backup(loaded.store_path, time.time(), keep=sys.maxsize)
    else:
        made = file
        _copy_to(loaded.store_path, file, force=force)
    with acting_for(made):
        size = made.stat().st_size
    options.note_done(loaded, Change("db backup", name=str(made)))
    say(f"Made and checked the backup {made}: {_size(size)}.")


def restore_backup(
    file: Annotated[
        Path | None, typer.Argument(help="Backup to restore. Default: the last good backup.", show_default=False)
    ] = None,
    yes: options.YesOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Replace the store with a backup. The daemon must be stopped. The replaced store is kept."""
    loaded = options.settings_of(config)
    path = loaded.store_path
    if is_daemon_live(loaded.socket_path):
        raise CommandError(
            f"the daemon is running (it answers on {loaded.socket_path}): stop the daemon first (systemctl stop "
            f"callsieve)"
        )
    chosen = _backup_to_restore(path, file)
    with acting_for(chosen):
        _verify(chosen)
        made_at = chosen.stat().st_mtime
    if not options.confirmed(f"Replace {path} by {chosen} of {when(made_at)}?", yes=yes):
        say("Nothing was changed.")
        raise SystemExit(1)
    with _readable(chosen, path.parent) as backup:
        before = restore(path, backup, time.time())
    say(f"{path}: restored from {chosen}.")
    kept = before or next(reversed(quarantined_of(path)), None)
    if kept is not None:
        say(f"The previous store{'' if before else ', which was damaged,'} is kept as {kept}.")


def is_daemon_live(path: Path) -> bool:
    """Return whether a process answers on the daemon's Unix socket `path`. A socket left by a crash does not answer."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_SECONDS)
        try:
            probe.connect(str(path))
        except TimeoutError:
            return True  # frozen or overloaded, but running
        except PermissionError:
            return True  # probably running, and replacing its store would harm
        except OSError:
            return False
    return True


def _show_check(report: dict[str, Any]) -> None:
    waiting = report["pending_migrations"]
    last = report["last_backup_at"]
    command = "systemctl restart callsieve" if report["daemon_running"] else "callsieve db migrate"
    print_pairs(
        [
            ("store", f"{report['path']}, {_size(report['bytes'])}"),
            ("content", "sound"),
            ("schema", f"needs the migration {', '.join(waiting)}: run `{command}`" if waiting else "up to date"),
            ("daemon", "running" if report["daemon_running"] else "not running"),
            ("backups", f"{report['backup_count']} in {report['backups']}"),
            ("last backup", "none yet: run `callsieve db backup`" if last is None else str(ago(last, time.time()))),
        ]
    )


def _copy_to(path: Path, file: Path, *, force: bool) -> None:
    """Write a checked copy of the store to a file. With `force`, replace an existing file after checking the copy."""
    with acting_for(file):
        if file.is_dir():
            raise CommandError(f"{file}: this is a directory: name the file")
    if _is_same(file, path):
        raise CommandError(f"{file}: this is the store itself: name another file")
    if not force:
        options.check_new(file, "name another file, or add --force")
    partial = file.with_name(f"{file.name}.partial")
    with closing(connect(path)) as source, store_errors(path):
        source.execute("SELECT 1 FROM sqlite_schema").fetchall()  # opens all its files, with the rights of its owner
        with acting_for(file):
            try:
                partial.unlink(missing_ok=True)
                os.close(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o640))
                with store_errors(partial), closing(sqlite3.connect(partial)) as copy:
                    copy_store(source, copy)
                problem = problem_of_backup(partial)
                if problem:
                    raise CommandError(
                        f"{path}: the copy failed its check, so the store or the disk is damaged ({problem})"
                    )
                partial.rename(file)
            finally:
                partial.unlink(missing_ok=True)


def _is_same(file: Path, store: Path) -> bool:
    with acting_for(file):
        return file.exists() and os.path.realpath(file) == os.path.realpath(store)


@contextmanager
def _readable(backup: Path, state: Path) -> Iterator[Path]:
    """Yield a path from which this process can read the backup: a copy if only root can read the backup itself."""
    if os.access(backup, os.R_OK, effective_ids=True):
        yield backup
        return
    with TemporaryDirectory(prefix=".restore-", dir=state) as folder:
        copy = Path(folder) / backup.name
        with open_named(backup) as packed, copy.open("xb") as file:
            shutil.copyfileobj(packed, file)
        yield copy


def _backup_to_restore(path: Path, file: Path | None) -> Path:
    chosen = file or last_good_backup(path)
    if chosen is None:
        raise CommandError(
            f"no usable backup in {backup_directory(path)}: name a backup elsewhere: callsieve db restore FILE"
        )
    if file is not None:
        with open_named(file):
            pass  # raises if it is missing, a directory or unreadable
        if _is_same(file, path):
            raise CommandError(f"{file}: this is the store itself: name a backup")
    return chosen


def _verify(backup: Path) -> None:
    try:
        problem = problem_of_backup(backup)
    except StoreError as error:
        if not error.damaged:
            raise
        problem = "the file is not a store"
    if problem:
        raise CommandError(
            f"{backup}: this backup cannot be used ({problem}); `callsieve db restore` uses the last good backup"
        )
    with open_backup(backup) as db:
        pending(db)


def _size(count: int) -> str:
    size, units = float(count), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"


# Counts that are not of tables.
WORDS = {
    "number": ("number in no allocated block", "numbers in no allocated block"),
    "people": ("person", "people"),
}


def run(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the jobs would do, but change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether the clock is right.")] = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Run all housekeeping jobs now and show their results. Jobs delete old data, and count tasks that are due."""
    loaded = options.settings_of(config)
    with options.existing_store(loaded) as db:
        context = options.context_of(loaded)
        is_right = dry_run or _is_clock_right(db, context.at, yes=yes)
        with counted(len(JOBS), "jobs") as tick:
            request = operations.HousekeepingRequest(dry_run, is_right, tick)
            done = operations.run_housekeeping(db, context, request)
    if as_json:
        options.print_json([report._asdict() for report in done])
        return
    _show(done)
    if dry_run:
        say("Nothing was changed.")


def _is_clock_right(db: sqlite3.Connection, now: float, *, yes: bool) -> bool:
    leap = leap_of(db, now)
    question = f"The clock has moved by {leap / DAY:+.0f} days since the last housekeeping: is it really {when(now)}?"
    return not leap or options.confirmed(question, yes=yes)


def show(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show the last run and result of each housekeeping job. The daemon runs the jobs."""
    with options.existing_store(options.settings_of(config)) as db:
        runs = reports(db)
    if as_json:
        options.print_json([report._asdict() for report in runs])
    elif runs:
        _show(runs)
    else:
        say(
            "No housekeeping job has run yet. The daemon begins a minute after its start. To begin now: "
            "callsieve housekeeping run"
        )


def _show(runs: Sequence[HousekeepingReport]) -> None:
    rows = ((report.job, when(report.at), f"{report.seconds:.1f} s", _words(report.did)) for report in runs)
    print_table(("job", "last run", "took", "result"), rows, keep=(0, 1, 2))


def _words(did: Mapping[str, int]) -> str:
    words = {table.name: table.label for table in TABLES if table.label[0]} | WORDS
    counts = (plural(count, *words[what]) if what in words else f"{count:,} {what}" for what, count in did.items())
    return ", ".join(counts) or "nothing"
