"""Five sites with many simultaneous failures: in the end all have the same rows."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from lab.postgresql import PostgreSql
from tests.callsieve.hub.convergence import Storm
from tests.callsieve.hub.sites import CALLER, Site, TestHub, running
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
# As long as the daemon waits (reputation.store.database.BUSY_SECONDS).
MOST_LOCKED_SECONDS = 5.0


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("seed", "writes", "daemons"),
    [
        pytest.param(20261127, 40, False, id="a-storm"),
        pytest.param(20261128, 40, False, id="another-storm"),
        pytest.param(20261129, 40, True, id="with-daemons"),
    ],
)
def test_sites_converge_after_accidents(seed: int, writes: int, daemons: bool) -> None:
    ended = Storm(seed, writes=writes, daemons=daemons).run()
    assert ended.lost == []
    assert ended.wrong == []
    assert ended.is_equal
    assert ended.accidents.total() > 3
    assert ended.calls["decided"] >= 50 * daemons
    assert ended.calls["marked by phone"] >= 10 * daemons


def write_at_once(site: Site, number: str) -> None:
    """Write like the daemon. Raises sqlite3.OperationalError if the lock is held for too long."""
    with closing(sqlite3.connect(site.loaded.store_path, timeout=MOST_LOCKED_SECONDS, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        values = (number, "201", time.time())
        db.execute("INSERT OR REPLACE INTO talk (number, person, at) VALUES (?, ?, ?)", values)
        db.execute("COMMIT")


@pytest.mark.timeout(300)
def test_frozen_hub_blocks_no_writer(server: PostgreSql, tmp_path: Path) -> None:
    """PostgreSQL freezes during pushes and pulls, without closing connections."""
    hub = TestHub(server, tmp_path).make()
    berlin, london = hub.join("berlin"), hub.join("london")
    with running(berlin), running(london):
        wait_until(lambda: berlin.is_linked() and london.is_linked(), "the first contact", 60.0)
        for moment in range(6):
            for last in range(40):
                berlin.mark(f"+12015550{moment}{last:02}", "201", time.time() - 60)
            server.send_signal(signal.SIGSTOP)
            try:
                for last in range(10):
                    for site in (berlin, london):
                        write_at_once(site, f"+12015551{moment}{last:02}")
            finally:
                server.send_signal(signal.SIGCONT)
        wait_until(lambda: london.rows("SELECT count(*) FROM mark") == [(240,)], "the marks", 90.0)


@pytest.mark.timeout(300)
def test_site_without_its_hub_catches_up_later(server: PostgreSql, tmp_path: Path) -> None:
    """A row that changes often waits once."""
    hub = TestHub(server, tmp_path).make()
    berlin, london = hub.join("berlin"), hub.join("london")
    hub.settle()
    server.stop()
    with running(berlin), running(london):
        for _ in range(20):
            for verdict in ("spam", "ok"):
                berlin.mark(CALLER, "201", time.time() - 60, verdict)
        assert berlin.rows("SELECT count(*) FROM hub_outbox") == [(1,)]
        wait_until(lambda: berlin.rows("SELECT failure <> '' FROM hub_link") == [(1,)], "the failure", 60.0)
        server.start()
        wait_until(lambda: london.marks() == {"berlin:201": "ok"}, "the mark", 60.0)
        wait_until(lambda: berlin.rows("SELECT failure FROM hub_link") == [("",)], "the end of the failure", 60.0)


@pytest.mark.timeout(300)
def test_restored_store_is_opened_again(server: PostgreSql, tmp_path: Path) -> None:
    """The process must not go on with the file that `callsieve db restore` replaced."""
    hub = TestHub(server, tmp_path).make()
    berlin, london = hub.join("berlin"), hub.join("london")
    berlin.mark(CALLER, "201", time.time() - 60)
    hub.settle()
    copy = tmp_path / "copy.db"
    berlin.rows("VACUUM INTO ?", str(copy))
    with running(berlin), running(london):
        berlin.mark(CALLER, "202", time.time() - 50)
        wait_until(lambda: "berlin:202" in london.marks(), "the mark", 60.0)
        for file in berlin.loaded.store_path.parent.glob("callsieve.db-*"):
            file.unlink()
        copy.rename(berlin.loaded.store_path)
        wait_until(lambda: "202" in berlin.marks(), "what was told after the backup", 60.0)
        berlin.mark(CALLER, "203", time.time() - 40)
        wait_until(lambda: "berlin:203" in london.marks(), "what was said since", 60.0)
