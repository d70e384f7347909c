"""`callsieve db`, `privacy` and `emergency`: what concerns the store as a whole."""

from __future__ import annotations

import json
import shlex
import socket
import sqlite3
import stat
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from lab.daemon import Daemon
from reputation.model import Direction
from reputation.store.backup import backups_of
from reputation.store.database import open_store
from reputation.store.migrations import known_migrations, migrate
from reputation.store.outcomes import record_outcomes
from reputation.store.tables.every import TABLES
from reputation.store.transaction import transaction
from tests.callsieve.program import Program, make_record
from tests.office import CALLER
from tests.reputation.store_builders import make_outcome

OWN = "+442071838750"


@pytest.fixture
def filled(callsieve: Program) -> Program:
    """A store with a list entry and two decisions."""
    callsieve.ok("list", "add", "block", CALLER)
    callsieve.add_decisions(make_record("AAAAAAAA"), make_record("BBBBBBBB"))
    return callsieve


def damage(path: Path) -> None:
    """Writes nonsense over the pages behind the first."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"nonsense" * 4096)


# db


def test_migrate_creates_a_store_and_is_idempotent(callsieve: Program) -> None:
    assert f"{callsieve.store}: created, with {len(known_migrations())} migration" in callsieve.ok("db", "migrate")
    assert callsieve.ok("db", "migrate") == f"{callsieve.store}: up to date.\n"
    assert stat.S_IMODE(callsieve.store.stat().st_mode) == 0o640


@pytest.mark.usefixtures("migrating_stores")
def test_migrate_updates_an_older_store(callsieve: Program) -> None:
    callsieve.state.mkdir()
    with open_store(callsieve.store, migrated=False) as db:
        migrate(db, known_migrations()[:1])
    following = known_migrations()[1].name
    assert f"needs the migration {following}" in callsieve.ok("db", "check")
    assert f"applied {following}" in callsieve.ok("db", "migrate")
    assert "up to date" in callsieve.ok("db", "check")


def test_check_reports_a_healthy_store(filled: Program) -> None:
    out = filled.ok("db", "check")
    for part in ("content      sound", "schema       up to date", "daemon       not running", "none yet"):
        assert part in out
    filled.ok("db", "backup")
    found = filled("db", "check", "--json").json
    assert (found["problem"], found["pending_migrations"], found["backup_count"]) == (None, [], 1)


def test_damaged_store_prints_one_line_with_the_remedy(filled: Program) -> None:
    damage(filled.store)
    for command in (("db", "check"), ("lookup", CALLER), ("list", "show"), ("db", "backup")):
        line = filled.fails(*command)
        assert "damaged" in line
        assert "callsieve db restore" in line


def test_file_that_is_not_a_store_prints_one_line(callsieve: Program) -> None:
    callsieve.state.mkdir()
    callsieve.store.write_bytes(b"hello " * 1000)
    for command in (("db", "check"), ("db", "migrate"), ("lookup", CALLER), ("list", "add", "block", CALLER)):
        assert "callsieve db restore" in callsieve.fails(*command)
    assert callsieve.store.read_bytes() == b"hello " * 1000


def test_restore_keeps_the_previous_store(filled: Program) -> None:
    filled.ok("db", "backup")
    filled.ok("list", "add", "block", "+1900*")
    out = filled.ok("db", "restore", "--yes")
    assert [entry["text"] for entry in filled("list", "show", "--json").json] == [CALLER]
    kept = out.splitlines()[-1].partition("is kept as ")[2].removesuffix(".")
    filled.ok("db", "restore", kept, "--yes")
    assert {entry["text"] for entry in filled("list", "show", "--json").json} == {"+1900*", CALLER}


def test_backup_at_a_chosen_path_is_restored(filled: Program, tmp_path: Path) -> None:
    file = tmp_path / "mine.db"
    assert f"{file}: " in filled.ok("db", "backup", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    filled.ok("list", "remove", "block", CALLER)
    filled.ok("db", "restore", file, "--yes")
    assert len(filled("list", "show", "--json").json) == 1


def test_backup_overwrites_a_file_only_with_force(filled: Program, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("to my aunt")
    assert "--force" in filled.fails("db", "backup", file)
    assert file.read_text() == "to my aunt"
    filled.ok("db", "backup", file, "--force")
    filled.ok("db", "restore", file, "--yes")


def test_manual_backups_do_not_replace_daily_ones(filled: Program) -> None:
    for _ in range(9):
        filled.ok("db", "backup")
    assert len(backups_of(filled.store)) == 9


def test_a_damaged_store_is_restored_and_kept(filled: Program) -> None:
    filled.ok("db", "backup")
    damage(filled.store)
    out = filled.ok("db", "restore", "--yes")
    assert "which was damaged" in out
    assert len(filled("list", "show", "--json").json) == 1
    assert list(filled.state.glob("callsieve.db.damaged-*"))


def test_restore_asks_and_stops_at_no(filled: Program) -> None:
    filled.ok("db", "backup")
    assert "--yes" in filled.fails("db", "restore")
    filled.ok("list", "add", "block", "+1900*")
    result = filled("db", "restore", typed="n\n")
    assert (result.code, result.out.strip()) == (1, "Nothing was changed.")
    assert "Replace " in result.err
    assert filled("db", "restore", typed="").code == 130  # Ctrl-D
    assert len(filled("list", "show", "--json").json) == 2
    assert filled("db", "restore", typed="y\n").code == 0
    assert len(filled("list", "show", "--json").json) == 1


def test_restore_refuses_while_the_daemon_runs(filled: Program) -> None:
    filled.ok("db", "backup")
    with Daemon(filled.state) as daemon:
        result = daemon.callsieve("db", "restore", "--yes")
        assert result.returncode == 2
        assert "the daemon is running" in result.stderr
        assert "systemctl stop callsieve" in result.stderr
        assert "daemon       running" in daemon.callsieve("db", "check").stdout
        daemon.freeze()
        assert "the daemon is running" in daemon.callsieve("db", "restore", "--yes").stderr
        daemon.thaw()
        daemon.kill()
        assert daemon.callsieve("db", "restore", "--yes").returncode == 0  # its socket is still there


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "this backup cannot be used", id="empty"),
        pytest.param(b"hello" * 100, "this backup cannot be used", id="text"),
        pytest.param(None, "no such file", id="missing"),
    ],
)
def test_invalid_backup_is_refused_before_any_change(filled: Program, content: bytes | None, says: str) -> None:
    file = filled.folder / "backup.db"
    if content is not None:
        file.write_bytes(content)
    before = filled.store.read_bytes()
    assert says in filled.fails("db", "restore", file, "--yes")
    assert "directory" in filled.fails("db", "restore", filled.folder, "--yes")
    assert "the store itself" in filled.fails("db", "restore", filled.store, "--yes")
    assert filled.store.read_bytes() == before


def test_database_of_another_program_is_refused(filled: Program) -> None:
    file = filled.folder / "other.db"
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE t (x)")
    db.close()
    assert "the file does not contain a store" in filled.fails("db", "restore", file, "--yes")


def test_backup_of_a_newer_version_is_refused(filled: Program) -> None:
    file = filled.folder / "newer.db"
    filled.ok("db", "backup", file)
    db = sqlite3.connect(file)
    db.execute("INSERT INTO migration (version, name, sha256, at) VALUES (99, '0099_future', '', 0)")
    db.commit()
    db.close()
    before = filled.store.read_bytes()
    assert "newer CallSieve" in filled.fails("db", "restore", file, "--yes")
    assert filled.store.read_bytes() == before


def test_restore_without_any_backup_fails(filled: Program) -> None:
    assert "no usable backup" in filled.fails("db", "restore", "--yes")


@pytest.mark.parametrize(
    ("place", "says"),
    [
        pytest.param("", "this is a directory", id="directory"),
        pytest.param("missing/backup.db", "no such file", id="no-such-directory"),
        pytest.param("state/callsieve.db", "the store itself", id="store"),
    ],
)
def test_backup_to_an_impossible_path_prints_one_line(filled: Program, place: str, says: str) -> None:
    assert says in filled.fails("db", "backup", filled.folder / place)
    assert len(filled("list", "show", "--json").json) == 1


def test_backup_on_a_full_disk_keeps_the_old_file(filled: Program) -> None:
    file = filled.file("backup.db", "precious")
    result = filled("db", "backup", file, most_bytes=40_000)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert file.read_text() == "precious"
    assert list(filled.folder.glob("*.partial")) == []


# privacy


def test_export_has_every_row_by_table(filled: Program) -> None:
    tables = filled("privacy", "export", CALLER).json["tables"]
    assert {table: len(rows) for table, rows in tables.items() if rows} == {"list_entry": 1, "decision": 2, "audit": 1}


def test_an_export_is_private_and_overwrites_nothing(filled: Program) -> None:
    out = filled.folder / "export.json"
    assert f"{CALLER}: 1 list entry, 2 decisions, 1 change" in filled.ok("privacy", "export", CALLER, "--out", out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert json.loads(out.read_text())["number"] == CALLER
    assert str(out) in filled.fails("privacy", "export", CALLER, "--out", out)
    assert "no such file" in filled.fails("privacy", "export", CALLER, "--out", filled.folder / "missing" / "x")


def test_export_on_a_full_disk_leaves_no_file(filled: Program) -> None:
    out = filled.folder / "export.json"
    filled.add_decisions(*(make_record(f"D{index:07d}") for index in range(200)))
    result = filled("privacy", "export", CALLER, "--out", out, most_bytes=60_000)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert not out.exists()


def test_erase_deletes_every_row_and_reports_remaining_files(filled: Program) -> None:
    damaged = filled.store.with_name("callsieve.db.damaged-20261125T101500")
    damaged.write_text(CALLER)
    out = filled.ok("privacy", "erase", CALLER, "--yes")
    assert f"{damaged} still contains the number's digits" in out
    assert f"{CALLER}: 1 list entry, 2 decisions, 1 change" in out
    assert "within an hour" in out
    damaged.unlink()
    assert filled.ok("privacy", "erase", CALLER, "--yes") == f"No data is stored about {CALLER}.\n"
    assert filled("calls", "show", "--json").json == []


def test_every_table_about_a_number_has_a_readable_name() -> None:
    assert [table.name for table in TABLES if (table.where or table.kept) and not all(table.label)] == []


def test_erasing_asks_first(filled: Program) -> None:
    result = filled("privacy", "erase", CALLER)
    assert result.code == 2
    assert f"{CALLER}: 1 list entry, 2 decisions, 1 change" in result.err
    assert "add --yes" in result.err
    assert filled("privacy", "erase", CALLER, typed="n\n").code == 1
    assert len(filled("calls", "show", "--json").json) == 2


def test_own_numbers_are_not_erased(callsieve: Program) -> None:
    with Daemon(callsieve.state, callsieve.config.read_text()):
        pass  # it has written the settings' numbers into the store
    out = callsieve.ok("privacy", "erase", "+12025550100", "--yes")
    nothing, stays, named = out.splitlines()
    assert "+12025550100" in nothing
    assert stays.endswith(": 1 own number.")
    assert "settings" in named


@pytest.mark.parametrize("state", ["active", "retired"])
def test_registered_own_number_is_not_erased_until_removed(callsieve: Program, state: str) -> None:
    callsieve.ok("own", "add", OWN)
    if state == "retired":
        callsieve.ok("own", "retire", OWN)
    with open_store(callsieve.store) as db, transaction(db):
        db.execute("DELETE FROM audit")  # as after two years
        call = make_outcome("c1", time.time() - 60, by="201", direction=Direction.OUTBOUND, own_number=OWN)
        record_outcomes(db, [call], time.time())
    out = callsieve.ok("privacy", "erase", OWN, "--yes")
    assert f"nothing to erase about {OWN}" in out
    assert "1 entry of the register" in out
    assert "To remove the number, delete it in the settings" not in out
    assert state in callsieve.ok("own", "show", OWN)
    callsieve.ok(*shlex.split(out.splitlines()[-1])[1:])
    out = callsieve.ok("privacy", "erase", OWN, "--yes")
    assert f"Erased data about {OWN}: 1 change" in out
    assert ": 1 daily count of" in out.splitlines()[-1]


# emergency


def test_emergency_window_is_opened_by_hand(callsieve: Program) -> None:
    assert "The emergency window is open until " in callsieve.ok("emergency", "open")
    found = callsieve("emergency", "status", "--json").json
    assert found["open"]
    assert datetime.fromisoformat(found["until"]).timestamp() == pytest.approx(time.time() + 7200, abs=60)
    assert callsieve("policy", "explain", "--caller", CALLER, "--json").json["rule"] == "emergency-window"


def test_emergency_window_closes_by_itself(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    callsieve.ok("emergency", "open")
    later = time.time() + 7201
    monkeypatch.setattr(time, "time", lambda: later)
    found = callsieve("emergency", "status", "--json").json
    assert (found["open"], found["until"]) == (False, None)


def test_emergency_window_is_closed_by_default(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    assert callsieve.ok("emergency", "status").startswith("The emergency window is closed.")


def test_open_reports_a_window_of_zero_minutes(callsieve: Program) -> None:
    program = Program(callsieve.folder, "[emergency]\nwindow_minutes = 0\n")
    assert "`window_minutes` in [emergency] is 0" in program.ok("emergency", "open")


# The daemon's socket.


def test_socket_without_a_listener_is_not_a_running_daemon(tmp_path: Path) -> None:
    from callsieve.maintenance.cli.db import is_daemon_live

    path = tmp_path / "agi.sock"
    assert not is_daemon_live(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert not is_daemon_live(path)
        listener.listen()
        assert is_daemon_live(path)
    assert not is_daemon_live(tmp_path / ("x" * 200))


def test_migrate_leaves_the_store_in_wal_mode(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    with open_store(callsieve.store, migrated=False) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_check_reports_and_accepts_a_list_changed_by_sql(filled: Program) -> None:
    filled.ok("list", "add", "block", "+12017421834")
    filled.ok("db", "check")
    with closing(sqlite3.connect(filled.store)) as db, db:
        db.execute("UPDATE list_entry SET note = 'changed'")
    done = filled("db", "check", "--json")
    assert (done.code, done.json["problem"], done.json["changed_lists"]) == (2, None, ["block"])
    assert filled("db", "check", "--accept", "--json").json["changed_lists"] == []
    filled.ok("db", "check")
    assert "db check accept" in filled.ok("audit")
