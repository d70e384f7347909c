"""After `privacy erase`, and after retention, no byte of a number is left below the state directory."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from callsieve.calls.spoken_names import make_folder
from lab.daemon import Daemon
from reputation.model import CallerKind
from reputation.store.audit import Change, add_audit
from reputation.store.backup import backups_of
from reputation.store.database import open_store
from reputation.store.imports import import_numbers
from reputation.store.journal import record_decisions
from reputation.store.lists import add_entry, list_entries
from reputation.store.transaction import transaction
from tests.callsieve.phones import dial, expecting
from tests.callsieve.program import Program, make_record
from tests.reputation.store_builders import CALLER, make_entry
from tests.reputation.test_store_privacy import OTHER, know_all_about, record_calls_with
from tests.waiting import wait_until

AREA, EXCHANGE, LINE = CALLER[2:5], CALLER[5:8], CALLER[8:]
SPELLINGS = (
    CALLER,
    CALLER[1:],
    CALLER[2:],
    f"({AREA}) {EXCHANGE}-{LINE}",
    f"+1 ({AREA}) {EXCHANGE} {LINE}",
    f"{AREA}.{EXCHANGE}.{LINE}",
    f"{AREA}\n{EXCHANGE}\u00a0{LINE}",
    f"{AREA} {EXCHANGE}\u2011{LINE[:2]} {LINE[2:]}",
)
SPOKEN = "SPOKEN00"
FED = [(CALLER, None, f"Carol {CALLER}", None), (OTHER, None, "Dave", f"as {CALLER[2:]}")]


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    """A store that knows all about the number, and names it in rows about others; a recording of it; a backup."""
    program = Program(tmp_path)
    with open_store(program.store) as db:
        with transaction(db):
            know_all_about(db, CALLER)
            add_entry(db, make_entry(OTHER, note="the same as " + " and ".join(SPELLINGS)))
            add_audit(db, Change("list add", name="+1201*", after={"note": f"see {CALLER}"}), "joe", time.time())
            for spelling in SPELLINGS:
                add_audit(db, Change("on", name=spelling, after={"note": spelling}), "joe", time.time())
            shown = [f"tel:{CALLER}", CALLER[1:] + "x", CALLER[2:] + "a"]
            record_decisions(
                db,
                [
                    make_record(f"SHOWN00{place}", caller=None, caller_kind=CallerKind.INVALID, caller_text=text)
                    for place, text in enumerate(shown)
                ],
            )
            record_decisions(db, [make_record(SPOKEN, caller=CALLER)])
        import_numbers(db, "feed", "spam", FED, time.time)
        with transaction(db):
            db.execute("UPDATE import_source SET staged_to = ?", (CALLER,))
            db.execute("UPDATE folding SET after = ?", (CALLER,))
    (make_folder(program.state) / f"{SPOKEN}-1.wav").write_bytes(b"RIFF")
    program.ok("db", "backup")
    return program


def files_with_bytes(state: Path) -> list[str]:
    """The files that have the number in any spelling: in UTF-8, or as JSON writes it."""
    forms = {form.encode() for spelling in SPELLINGS for form in (spelling, spelling.replace("\n", "\\n"))}
    files = (path for path in state.rglob("*") if path.is_file())
    return sorted(path.name for path in files if any(form in path.read_bytes() for form in forms))


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that stays open, as the daemon's: the -wal file is not removed when others close theirs."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("SELECT count(*) FROM mark").fetchone()
        yield db


def test_no_file_contains_an_erased_number(callsieve: Program) -> None:
    backup = backups_of(callsieve.store)[0]
    os.utime(backup, (1_790_000_000, 1_790_000_000))
    assert set(files_with_bytes(callsieve.state)) >= {"callsieve.db", backup.name}
    with opened(callsieve.store):
        out = callsieve.ok("privacy", "erase", CALLER, "--yes")
        assert files_with_bytes(callsieve.state) == []
    assert "digits" not in out
    assert list((callsieve.state / "recordings").iterdir()) == []
    assert backup.stat().st_mtime == 1_790_000_000
    assert [path.name for path in backup.parent.iterdir()] == [backup.name]
    with open_store(callsieve.store) as db:
        assert [entry.note for entry in list_entries(db)] == [
            "the same as " + " and ".join(["[erased]"] * len(SPELLINGS))
        ]
    assert callsieve("lookup", OTHER, "--json").code == 0
    assert callsieve("audit", "--json").code == 0
    assert callsieve.ok("privacy", "erase", CALLER, "--yes") == f"No data is stored about {CALLER}.\n"


def test_store_is_replaced_by_a_backup_without_the_number(callsieve: Program) -> None:
    callsieve.ok("privacy", "erase", CALLER, "--yes")
    callsieve.ok("db", "restore", "--yes")
    assert files_with_bytes(callsieve.state) == []
    with open_store(callsieve.store) as db:
        assert [entry.first for entry in list_entries(db)] == [OTHER]


def test_erasure_clears_freed_pages_of_older_versions(callsieve: Program) -> None:
    with closing(sqlite3.connect(callsieve.store, isolation_level=None)) as db:
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("CREATE TABLE old (text TEXT)")
        db.executemany("INSERT INTO old VALUES (?)", [(f"{CALLER}{'x' * 500}",)] * 100)
        db.execute("DROP TABLE old")
    callsieve.ok("privacy", "erase", CALLER, "--yes")
    assert files_with_bytes(callsieve.state) == []


def test_number_found_only_in_a_backup_is_erased(callsieve: Program) -> None:
    callsieve.ok("privacy", "erase", CALLER, "--yes")
    with closing(sqlite3.connect(backups_of(callsieve.store)[0], isolation_level=None)) as db:
        db.execute("UPDATE list_entry SET note = ?", (CALLER,))
    callsieve.ok("privacy", "erase", CALLER, "--yes")
    assert files_with_bytes(callsieve.state) == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_backup_with_the_number_in_a_note_is_rewritten(tmp_path: Path, spelling: str) -> None:
    callsieve = Program(tmp_path)
    with open_store(callsieve.store) as db, transaction(db):
        add_entry(db, make_entry(OTHER, note=spelling))
    callsieve.ok("db", "backup")
    callsieve.ok("privacy", "erase", CALLER, "--yes")
    assert files_with_bytes(callsieve.state) == []
    with open_store(backups_of(callsieve.store)[0]) as db:
        assert [entry.note for entry in list_entries(db)] == ["[erased]"]


def test_files_that_cannot_be_erased_are_named(callsieve: Program) -> None:
    damaged = callsieve.store.with_name("callsieve.db.damaged-20261125T101500")
    shutil.copyfile(callsieve.store, damaged)
    policy = callsieve.state / "policies" / "ours.toml"
    policy.parent.mkdir()
    policy.write_text(f"# about {CALLER[2:]}\n")
    broken = callsieve.state / "backups" / "callsieve-20200101T000000.db"
    broken.write_bytes(b"no store " + CALLER.encode())
    result = callsieve("privacy", "erase", CALLER, "--yes")
    assert result.code == 0
    assert files_with_bytes(callsieve.state) == sorted([damaged.name, policy.name, broken.name])
    for file in (damaged, policy, broken):
        assert f"{file} still contains the number's digits" in result.out
    assert str(broken) in result.err


def test_longer_figures_with_the_same_digits_are_kept(callsieve: Program) -> None:
    with open_store(callsieve.store) as db, transaction(db):
        add_audit(db, Change("off", after={"at": int(CALLER[2:]), "note": "x"}), "joe", time.time())
        add_entry(db, make_entry("+442079460001", note=f"ticket 9{CALLER[2:]}"))
    callsieve.ok("privacy", "erase", CALLER, "--yes")
    with open_store(callsieve.store) as db:
        assert f"ticket 9{CALLER[2:]}" in [entry.note for entry in list_entries(db)]
        (after,) = db.execute("SELECT after FROM audit WHERE what = 'off'").fetchone()
        assert int(CALLER[2:]) == db.execute("SELECT json_extract(?, '$.at')", (after,)).fetchone()[0]


def test_no_file_contains_a_number_after_its_retention_time(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    long_ago = time.time() - 1000 * 86_400
    callsieve.ok("db", "migrate")
    callsieve.ok(
        "db", "backup"
    )  # the day's: without it one is made now, and keeps the number as long as backups are kept
    with open_store(callsieve.store) as db, transaction(db):
        for place in range(200):  # more than a page of each
            record_decisions(db, [make_record(f"D{place:07d}", at=long_ago + place, caller=CALLER)])
        record_calls_with(db, CALLER, long_ago)
    with opened(callsieve.store):
        assert files_with_bytes(callsieve.state) != []
        callsieve.ok("housekeeping", "run")
        assert files_with_bytes(callsieve.state) == []


def test_erasure_survives_a_daemon_restart_during_the_prompt(
    callsieve: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are searched before: a process that closes the store's files itself loses SQLite's locks on them."""
    with Daemon(callsieve.state) as daemon:
        wait_until(lambda: dial(daemon, "PJSIP/201") == "expecting")

        def restart(*_question: object, **_options: object) -> bool:
            daemon.stop()
            daemon.start()
            wait_until(lambda: dial(daemon, "PJSIP/202") == "expecting")
            return True

        monkeypatch.setattr("typer.confirm", restart)
        assert callsieve("privacy", "erase", CALLER, typed="").code == 0
        assert dial(daemon, "PJSIP/203") == "expecting"
        daemon.stop()
    with open_store(callsieve.store) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert CALLER not in {entry.first for entry in list_entries(db)}
    assert expecting(callsieve.store) >= {"PJSIP/201", "PJSIP/202", "PJSIP/203"}
