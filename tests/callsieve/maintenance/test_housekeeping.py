"""Housekeeping as an administrator and the daemon do it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from callsieve.daemon import daemon
from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.maintenance.operations import keeps_house
from callsieve.settings import Loaded, Settings, parse_settings
from lab.ports import free_port
from reputation.store.backup import backups_of, open_backup
from reputation.store.database import backup_directory, open_store
from reputation.store.housekeeping import JOBS, is_held, reports
from tests.callsieve.program import Program, make_record
from tests.waiting import wait_until

DAY = 86_400.0


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    program = Program(tmp_path)
    program.ok("db", "migrate")
    return program


def test_housekeeping_dry_run_run_and_show(callsieve: Program) -> None:
    assert callsieve.ok("housekeeping", "show").startswith("No housekeeping job")
    callsieve.add_decisions(make_record("OLDER111", at=time.time() - 91 * DAY), make_record("YOUNG111"))
    out = callsieve.ok("housekeeping", "run", "--dry-run")
    assert "1 decision\n" in out
    assert out.endswith("Nothing was changed.\n")
    assert len(callsieve("calls", "show", "--json").json) == 2
    assert callsieve.ok("housekeeping", "show").startswith("No housekeeping job")
    did = {item["job"]: item["did"] for item in callsieve("housekeeping", "run", "--json").json}
    assert (did["retention"], list(did)) == ({"decision": 1}, [job.name for job in JOBS])
    assert [item["id"] for item in callsieve("calls", "show", "--json").json] == ["YOUNG111"]
    assert "1 decision\n" in callsieve.ok("housekeeping", "show")
    assert "retention 1 decision" in callsieve.ok("audit")


def test_doctor_warns_if_housekeeping_does_not_run(callsieve: Program) -> None:
    def said(later: float) -> tuple[CheckStatus, str]:
        loaded = Loaded(settings=Settings(), file=callsieve.config, state=callsieve.state)
        finding = keeps_house(CheckContext(loaded, str, time.time() + later))
        return finding.status, str(finding.detail)

    status, detail = said(0)
    assert (status, detail.partition(":")[0]) == (CheckStatus.OK, "no housekeeping job has run yet")
    callsieve.add_decisions(make_record("OLDER111", at=time.time() - 91 * DAY))
    callsieve.ok("housekeeping", "run")
    assert said(3600) == (CheckStatus.OK, "1 h ago; old rows removed: 1")
    assert said(2.5 * DAY) == (
        CheckStatus.WARN,
        "overdue housekeeping jobs: retention, sources; the last run was 2 d ago",
    )
    assert said(4 * DAY)[1].startswith("overdue housekeeping jobs: retention, invalid numbers, ")


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "SETTLED_SECONDS", 0.0)


@pytest.mark.usefixtures("_at_once")
async def test_daemon_runs_housekeeping(tmp_path: Path) -> None:
    path = tmp_path / "callsieve.db"

    def done() -> bool:
        if not path.exists():
            return False
        with open_store(path) as db:
            return len(reports(db)) == len(JOBS)

    await housekeeping_until(path, done)


async def housekeeping_until(store: Path, done: Callable[[], bool]) -> None:
    """A daemon that begins at once, until that holds."""
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    settings = parse_settings(f'[agi]\nlisten = "127.0.0.1:{port}"\n', "callsieve.toml")
    loaded = Loaded(settings=settings, file=None, state=store.parent)
    stop = asyncio.Event()
    running = asyncio.create_task(daemon.Daemon(lambda: loaded).run(stop))
    try:
        await asyncio.to_thread(wait_until, done)
    finally:
        stop.set()
        await running


@pytest.mark.usefixtures("_at_once")
async def test_backup_is_made_before_the_first_deletion(callsieve: Program) -> None:
    callsieve.add_decisions(make_record("OLDER111", at=time.time() - 91 * DAY))

    def done() -> bool:
        return not callsieve("calls", "show", "--json").json

    await housekeeping_until(callsieve.store, done)
    (backup,) = backups_of(callsieve.store)
    with open_backup(backup) as db:
        assert db.execute("SELECT id FROM decision").fetchall() == [("OLDER111",)]


@pytest.mark.usefixtures("_at_once")
async def test_nothing_is_deleted_without_a_backup(callsieve: Program, caplog: pytest.LogCaptureFixture) -> None:
    backup_directory(callsieve.store).write_text("in the way")
    callsieve.add_decisions(make_record("OLDER111", at=time.time() - 91 * DAY))
    await housekeeping_until(callsieve.store, lambda: "backup failed" in caplog.text)
    assert [item["id"] for item in callsieve("calls", "show", "--json").json] == ["OLDER111"]


@pytest.mark.usefixtures("_at_once")
async def test_daemon_with_a_clock_two_years_ahead_deletes_nothing(callsieve: Program) -> None:
    callsieve.ok("housekeeping", "run")
    with open_store(callsieve.store) as db:
        db.execute("UPDATE housekeeping SET at = at - ?", (731 * DAY,))
    callsieve.add_decisions(make_record("YOUNG111", at=time.time() - 731 * DAY))

    def held() -> bool:
        with open_store(callsieve.store) as db:
            return is_held(db)

    await housekeeping_until(callsieve.store, held)
    assert [item["id"] for item in callsieve("calls", "show", "--json").json] == ["YOUNG111"]
    loaded = Loaded(settings=Settings(), file=callsieve.config, state=callsieve.state)
    assert keeps_house(CheckContext(loaded, str, time.time())).status is CheckStatus.WARN
    callsieve.fails("housekeeping", "run")
    assert [item["id"] for item in callsieve("calls", "show", "--json").json] == ["YOUNG111"]
    callsieve.ok("housekeeping", "run", "--yes")
    assert callsieve("calls", "show", "--json").json == []
