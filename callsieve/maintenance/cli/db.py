"""`callsieve db`: the store's file: bring it up to date, check it, copy it, put a copy back.

`callsieve housekeeping`: what is done about the store every hour and every day, and what it did last.
"""

from __future__ import annotations

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
    """Bring the store up to date, or make it. `serve` does that by itself."""
    loaded = options.settings_of(config)
    if not options.has_store(loaded):
        with options.any_store(loaded):
            say(f"{loaded.store_path}: made, with {plural(len(known_migrations()), 'migration')}.")
        return
    with open_store(loaded.store_path, migrated=False) as db:
        if not pending(db):
            say(f"{loaded.store_path}: up to date.")
            return
        applied = migrate(db)
    say(f"{loaded.store_path}: applied {', '.join(migration.name for migration in applied)}.")


def check(
    accept: Annotated[bool, typer.Option("--accept", help="The lists are right as they are now.")] = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Read all of the store and say whether it is sound, and when it was last backed up. Exit code 2 when it is not."""
    loaded = options.settings_of(config)
    if not options.has_store(loaded):
        with options.existing_store(loaded):
            """Says that there is none."""
    path = loaded.store_path
    with open_store(path, migrated=False) as db:
        problem = problem_of(db)
        changed = [] if problem else changed_lists(db)
        if accept and changed:
            operations.accept_lists(db, options.context_of(loaded), changed)
            changed = []
        waiting = [] if problem else [migration.name for migration in pending(db)]
    backups = backups_of(path)
    found = {
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
        options.print_json(found)
    elif problem is None and not changed:
        _show_check(found)
    if changed:
        raise CommandError(
            f"{path}: entries of {', '.join(changed)} were changed, but not by CallSieve: compare them with a backup; "
            "`callsieve db restore` puts one in place, `callsieve db check --accept` takes the lists as they are"
        )
    if problem is not None:
        raise CommandError(f"{path}: damaged ({problem}); `callsieve db restore` puts the last good backup in place")


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="Where to; else beside the store, in backups/.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the FILE that is there.")] = False,
    config: options.ConfigOption = None,
) -> None:
    """Copy the store while it is in use, and check the copy."""
    loaded = options.settings_of(config)
    with options.existing_store(loaded):
        """Says when there is none, or when it cannot be used."""
    if file is None:
        made = make_backup(loaded.store_path, time.time(), keep=sys.maxsize)
    else:
        made = file
        _copy_to(loaded.store_path, file, force=force)
    with acting_for(made):
        size = made.stat().st_size
    options.note_done(loaded, Change("db backup", name=str(made)))
    say(f"{made}: {_size(size)}, checked.")


def restore_backup(
    file: Annotated[
        Path | None, typer.Argument(help="Which backup; else the last good one.", show_default=False)
    ] = None,
    yes: options.YesOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Put a backup in the place of the store. The daemon must be stopped; the store as it was is kept."""
    loaded = options.settings_of(config)
    path = loaded.store_path
    if is_daemon_live(loaded.socket_path):
        raise CommandError(
            f"the daemon is running (it answers on {loaded.socket_path}): stop it first (systemctl stop callsieve)"
        )
    chosen = _backup_to_restore(path, file)
    with acting_for(chosen):
        _verify(chosen)
        made_at = chosen.stat().st_mtime
    if not options.confirmed(f"Put {chosen} of {when(made_at)} in the place of {path}?", yes=yes):
        say("Nothing was changed.")
        raise SystemExit(1)
    with _readable(chosen, path.parent) as backup:
        before = restore(path, backup, time.time())
    say(f"{path}: restored from {chosen}.")
    kept = before or next(reversed(quarantined_of(path)), None)
    if kept is not None:
        say(f"The store as it was{'' if before else ', which was damaged,'} is kept as {kept}.")


def is_daemon_live(path: Path) -> bool:
    """Whether something answers on the daemon's Unix socket. A socket that nobody listens on is left from a crash."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_SECONDS)
        try:
            probe.connect(str(path))
        except TimeoutError:
            return True  # frozen or overloaded, but there
        except PermissionError:
            return True  # there, for others than us: better to say so than to pull the file away under it
        except OSError:
            return False
    return True


def _show_check(found: dict[str, Any]) -> None:
    waiting = found["pending_migrations"]
    last = found["last_backup_at"]
    command = "systemctl restart callsieve" if found["daemon_running"] else "callsieve db migrate"
    print_pairs(
        [
            ("store", f"{found['path']}, {_size(found['bytes'])}"),
            ("content", "sound"),
            ("schema", f"waits for {', '.join(waiting)}: `{command}`" if waiting else "up to date"),
            ("daemon", "running" if found["daemon_running"] else "not running"),
            ("backups", f"{found['backup_count']} in {found['backups']}"),
            ("last backup", "none yet: `callsieve db backup`" if last is None else str(ago(last, time.time()))),
        ]
    )


def _copy_to(path: Path, file: Path, *, force: bool) -> None:
    """A checked copy at a place of the administrator's choice; a file that is there goes only by force, and only when
    all is well.
    """
    with acting_for(file):
        if file.is_dir():
            raise CommandError(f"{file}: this is a directory: name the file")
    if _is_same(file, path):
        raise CommandError(f"{file}: this is the store itself: name another file")
    if not force:
        options.check_new(file, "name another, or add --force")
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
                    raise CommandError(f"{path}: the store, or the disk of its copy, is damaged ({problem})")
                partial.rename(file)
            finally:
                partial.unlink(missing_ok=True)


def _is_same(file: Path, store: Path) -> bool:
    """Whether the file is the store, by whatever name."""
    with acting_for(file):
        return file.exists() and os.path.realpath(file) == os.path.realpath(store)


@contextmanager
def _readable(backup: Path, state: Path) -> Iterator[Path]:
    """The backup, or a copy of it while it is restored: root may name a file that the store's owner may not read."""
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
        raise CommandError(f"there is no good backup in {backup_directory(path)}: name one (callsieve db restore FILE)")
    if file is not None:
        with open_named(file):
            """Missing, a directory, no permission: said before anything else happens."""
        if _is_same(file, path):
            raise CommandError(f"{file}: this is the store itself: name a backup")
    return chosen


def _verify(backup: Path) -> None:
    """CommandError unless the backup is sound, ours, and not of a newer CallSieve."""
    try:
        problem = problem_of_backup(backup)
    except StoreError as error:
        if not error.damaged:
            raise
        problem = "it is no store"
    if problem:
        raise CommandError(
            f"{backup}: this is no good backup ({problem}); `callsieve db restore` finds the last good one"
        )
    with open_backup(backup) as db:
        pending(db)


def _size(count: int) -> str:
    """`1.2 MB`."""
    size, units = float(count), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"


# What is counted and is no table.
WORDS = {
    "number": ("number in no allocated block", "numbers in no allocated block"),
    "people": ("person", "people"),
}


def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; nothing is changed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: the clock is right.")] = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Run all jobs now, and say what each did: what is past its time goes, what waits for somebody is counted."""
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
    """Whether somebody says so, where it is far from the last run."""
    leap = leap_of(db, now)
    question = f"The clock is {leap / DAY:+.0f} days from the last run: is it really {when(now)}?"
    return not leap or options.confirmed(question, yes=yes)


def show(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show when each job ran last and what it did. The daemon runs them by itself."""
    with options.existing_store(options.settings_of(config)) as db:
        found = reports(db)
    if as_json:
        options.print_json([report._asdict() for report in found])
    elif found:
        _show(found)
    else:
        say("No job has run yet: the daemon begins a minute after its start, or `callsieve housekeeping run`.")


def _show(found: Sequence[HousekeepingReport]) -> None:
    rows = ((report.job, when(report.at), f"{report.seconds:.1f} s", _words(report.did)) for report in found)
    print_table(("job", "ran", "took", "did"), rows, keep=(0, 1, 2))


def _words(did: Mapping[str, int]) -> str:
    """Tables by what they hold; the other words are people's already."""
    words = {table.name: table.label for table in TABLES if table.label[0]} | WORDS
    said = (plural(count, *words[what]) if what in words else f"{count:,} {what}" for what, count in did.items())
    return ", ".join(said) or "nothing"
