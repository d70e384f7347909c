"""`callsieve hub`: from an empty database to two sites, and out again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.hub import postgresql
from lab.children import ends_with_us
from lab.postgresql import ADMINISTRATOR, DATABASE, PostgreSql
from lab.private_server import ADDRESS
from lab.programs import COMMAND_LINE
from reputation.store.database import open_store
from reputation.store.hub.sites import PolicyInForce, note_policy
from reputation.store.transaction import transaction
from tests.callsieve.program import Program
from tests.office import CALLER, NOBODY, ROOT, SETTINGS
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
END_SECONDS = 20.0


@pytest.fixture
def database(postgresql: PostgreSql) -> str:
    name = f"cli{time.monotonic_ns():x}"
    postgresql.run(f"CREATE DATABASE {name}")
    return name


def make_site(postgresql: PostgreSql, database: str, folder: Path, name: str) -> Program:
    folder.mkdir()
    address = f"postgresql://{ADDRESS}:{postgresql.port}/{database}"
    program = Program(folder, SETTINGS + f'\n[hub]\naddress = "{address}"\nsite = "{name}"\n')
    program.ok("db", "migrate")
    return program


@pytest.fixture
def berlin(postgresql: PostgreSql, database: str, tmp_path: Path) -> Program:
    return make_site(postgresql, database, tmp_path / "berlin", "berlin")


@pytest.fixture
def london(postgresql: PostgreSql, database: str, tmp_path: Path) -> Program:
    return make_site(postgresql, database, tmp_path / "london", "london")


@pytest.fixture
def admin(postgresql: PostgreSql, database: str) -> str:
    return postgresql.address(database=database)


@pytest.fixture
def joined(berlin: Program, london: Program, admin: str) -> None:
    berlin.ok("hub", "init", "--database", admin, "--partitions", "2")
    for site in (berlin, london):
        site.ok("hub", "join", "--database", admin)


def exchange(*sites: Program) -> None:
    for site in sites:
        site.ok("hub", "run", "--once")


def marks_at(site: Program) -> list[str]:
    """Return who has marked the caller, from `lookup`."""
    return [mark["reporter"] for mark in site("lookup", CALLER, "--json").json["marks"]]


def audit_of(site: Program) -> list[tuple[str, str]]:
    return [(row["what"], row["name"]) for row in site("audit", "--json").json if row["what"].startswith("hub")]


def test_two_sites_join_exchange_and_leave(joined: None, berlin: Program, london: Program, admin: str) -> None:
    assert "up to date" in berlin.ok("hub", "init", "--database", admin)
    assert (berlin.state / "hub.secret").stat().st_mode & 0o777 == 0o600
    berlin.ok("mark", CALLER, "spam", "--as", "201")
    exchange(berlin, london)
    assert marks_at(london) == ["berlin:201"]
    shown = london("hub", "status", "--json").json
    assert (shown["link"]["site"], shown["waiting"], shown["sites"], shown["reachable"]) == (
        "london",
        0,
        ["berlin"],
        True,
    )
    assert {site["name"]: (site["state"], site["rows_pushed"]) for site in shown["hub_sites"]} == {
        "berlin": ("up", 1),
        "london": ("up", 0),
    }
    london.ok("hub", "leave", "--yes")
    assert marks_at(london) == []
    assert not (london.state / "hub.secret").exists()
    assert [item["state"] for item in berlin("hub", "sites", "--json").json] == ["up", "expelled"]
    assert audit_of(london) == [("hub leave", "london"), ("hub join", "london")]


def test_an_expelled_site_is_gone_everywhere(joined: None, berlin: Program, london: Program, admin: str) -> None:
    berlin.ok("mark", CALLER, "spam", "--as", "201")
    exchange(berlin, london)
    assert "only the administrator" in london.fails("hub", "expel", "berlin", "--yes")
    assert "there is no such site" in london.fails("hub", "expel", "paris", "--yes", "--database", admin)
    london.ok("hub", "expel", "berlin", "--yes", "--database", admin)
    exchange(london)
    assert marks_at(london) == []
    assert berlin("hub", "status").code == 1
    assert "expelled" in berlin.fails("hub", "run", "--once")
    assert audit_of(london)[0] == ("hub expel", "berlin")


def test_quota_limits_the_rows_of_a_site(joined: None, berlin: Program, london: Program, admin: str) -> None:
    assert "1 row" in berlin.ok("hub", "quota", "berlin", "1", "--database", admin)
    assert "paris" in berlin.fails("hub", "quota", "paris", "1", "--database", admin)
    assert "--database" in berlin.fails("hub", "quota", "berlin", "1")
    for number in (CALLER, "+12015550188"):
        berlin.ok("mark", number, "spam", "--as", "201")
    exchange(berlin)
    shown = berlin("hub", "status", "--json").json
    assert (shown["link"]["full_at"], shown["waiting"], shown["link"]["has_twin"]) == (1, 1, False)
    assert "hub quota berlin ROWS" in berlin.ok("hub", "status")
    assert [(item["rows_kept"], item["most_rows"]) for item in london("hub", "sites", "--json").json] == [
        (1, 1),
        (0, 5_000_000),
    ]
    assert audit_of(berlin) == [("hub quota", "berlin"), ("hub join", "berlin")]


def test_join_writes_the_secret_of_another_site_to_a_file(
    berlin: Program, joined: None, admin: str, tmp_path: Path
) -> None:
    out = tmp_path / "paris.secret"
    assert "--out" in berlin.fails("hub", "join", "--site", "paris", "--database", admin)
    said = berlin.ok("hub", "join", "--site", "paris", "--database", admin, "--out", out)
    assert "install -m 600 -o callsieve -g asterisk paris.secret /var/lib/callsieve/hub.secret" in said
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_text().startswith("callsieve:main:paris ")


def test_administrator_commands_work_without_the_settings(
    berlin: Program, joined: None, admin: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("as_nobody")
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "paris.secret"
        berlin.ok("hub", "join", "--site", "paris", "--database", admin, "--out", out)
        assert out.read_text().startswith("callsieve:main:paris ")
    assert "check --config and permissions" in berlin.fails("hub", "join", "--database", admin)
    assert "paris" in berlin.ok("hub", "quota", "paris", "7", "--database", admin)
    assert "paris" in berlin.ok("hub", "expel", "paris", "--yes", "--database", admin)
    assert "check --config and permissions" in berlin.fails("hub", "expel", "paris", "--yes")


def test_join_needs_the_state_directory(berlin: Program, admin: str) -> None:
    berlin.ok("hub", "init", "--database", admin, "--partitions", "2")
    shutil.rmtree(berlin.state)
    assert "systemctl enable --now callsieve" in berlin.fails("hub", "join", "--database", admin)
    assert not berlin.state.exists()


def test_status_of_a_standby_shows_the_policy_of_the_first(joined: None, berlin: Program) -> None:
    exchange(berlin)
    assert "standby" not in berlin.ok("hub", "status")
    berlin.config.write_text(f"{berlin.config.read_text()}private = true\nstandby = true\n")
    assert "berlin of main, its standby" in berlin.ok("hub", "status")
    with open_store(berlin.store) as db, transaction(db):
        note_policy(db, PolicyInForce("office", "0123456789ab"), time.time())
    shown = berlin("hub", "status", "--json").json
    assert shown["policy_of_first"] == {"name": "office", "digest": "0123456789ab"}
    assert shown["policy"]["digest"] != "0123456789ab"
    assert "0123456789ab" in berlin.ok("hub", "status")


def test_status_names_the_next_step(joined: None, berlin: Program) -> None:
    said = berlin.ok("hub", "status")
    assert "systemctl enable --now callsieve-hub" in said
    assert "many-pbxs" not in said
    (berlin.state / "hub.secret").unlink()
    said = berlin("hub", "status").out
    assert "systemctl enable --now callsieve-hub" not in said
    assert "callsieve hub join" in said


def test_unreachable_hub_is_reported(berlin: Program, joined: None, postgresql: PostgreSql) -> None:
    text = berlin.config.read_text().replace(f":{postgresql.port}/", ":1/")
    berlin.config.write_text(text)
    assert "refused" in berlin.fails("hub", "sites")
    shown = berlin("hub", "status", "--json")
    assert (shown.code, shown.json["reachable"]) == (0, False)
    assert berlin("hub", "status").code == 1


def test_database_without_a_hub_is_reported(berlin: Program, admin: str, postgresql: PostgreSql) -> None:
    berlin.state.mkdir(exist_ok=True)
    secret = berlin.state / "hub.secret"
    secret.write_text(f"postgres {postgresql.password}\n")
    secret.chmod(0o600)
    assert "callsieve hub init" in berlin.fails("hub", "sites")


def test_commands_without_settings_are_refused(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.ok("db", "migrate")
    for command in (("hub", "init"), ("hub", "run"), ("hub", "sites")):
        assert "`address` is missing in [hub]" in program.fails(*command)
    assert "`site` in [hub]" in program.fails("hub", "join")
    assert "`site` in [hub]" in program.fails("hub", "leave", "--yes")
    assert "shares nothing" in program.ok("hub", "status")


def test_missing_psycopg_has_a_remedy(berlin: Program, joined: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "IS_INSTALLED", False)
    assert "requirements/runtime.txt" in berlin.fails("hub", "sites")


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        pytest.param("mysql://root@127.0.0.1/callsieve", "postgresql://", id="not-postgresql"),
        pytest.param("root@127.0.0.1/callsieve", "postgresql://", id="no-scheme"),
    ],
)
def test_invalid_address_has_a_remedy(berlin: Program, address: str, remedy: str) -> None:
    assert remedy in berlin.fails("hub", "join", "--database", address)


def test_wrong_password_has_a_remedy(berlin: Program, joined: None) -> None:
    (berlin.state / "hub.secret").write_text("callsieve:main:berlin wrong\n")
    assert "callsieve hub join" in berlin.fails("hub", "sites")


@pytest.mark.root
class TestRootWithTls:
    """Root's commands act as the service's user, who may not look into root's home, where libpq looks."""

    @pytest.fixture
    def secure(self) -> Iterator[PostgreSql]:
        with PostgreSql(tls=True) as server:
            yield server

    @pytest.fixture
    def site(self, secure: PostgreSql, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            folder.chmod(0o755)
            address = f"postgresql://{ADDRESS}:{secure.port}/{DATABASE}?sslmode=require"
            site = Program(folder, SETTINGS + f'\n[hub]\naddress = "{address}"\nsite = "berlin"\n')
            site.ok("db", "migrate")
            for path in (site.state, *site.state.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
            home = folder / "home"
            home.mkdir(mode=0o700)
            monkeypatch.setenv("HOME", str(home))
            yield site

    def test_root_joins_over_tls(self, secure: PostgreSql, site: Program) -> None:
        admin = secure.address(query="sslmode=require")
        site.ok("hub", "init", "--database", admin, "--partitions", "2")
        site.ok("hub", "join", "--database", admin)
        assert (site.state / "hub.secret").stat().st_uid == NOBODY
        assert [item["name"] for item in site("hub", "sites", "--json").json] == ["berlin"]

    def test_password_file_of_root_is_used(self, secure: PostgreSql, site: Program) -> None:
        passwords = Path(os.environ["HOME"]) / ".pgpass"
        passwords.write_text(f"{ADDRESS}:{secure.port}:*:{ADMINISTRATOR}:{secure.password}\n")
        passwords.chmod(0o600)
        admin = f"postgresql://{ADMINISTRATOR}@{ADDRESS}:{secure.port}/{DATABASE}?sslmode=require"
        site.ok("hub", "init", "--database", admin, "--partitions", "2")


class TestProcess:
    """`callsieve hub run` as systemd runs it."""

    def start(self, site: Program) -> subprocess.Popen[bytes]:
        command = (*ends_with_us(), sys.executable, "-m", COMMAND_LINE, "hub", "run")
        return subprocess.Popen(command, env={**os.environ, **site.environment}, cwd=ROOT, stderr=subprocess.PIPE)

    def test_processes_exchange_until_they_are_stopped(self, joined: None, berlin: Program, london: Program) -> None:
        processes = [self.start(site) for site in (berlin, london)]
        try:
            berlin.ok("mark", CALLER, "spam", "--as", "201")
            wait_until(lambda: marks_at(london) == ["berlin:201"], "the mark")
            assert "already" in berlin.fails("hub", "run", "--once")
            processes[0].send_signal(signal.SIGHUP)
            berlin.ok("unmark", CALLER, "--as", "201")
            wait_until(lambda: marks_at(london) == [], "the retraction")
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
        assert [process.wait(END_SECONDS) for process in processes] == [0, 0]
        for process in processes:
            assert process.stderr is not None
            process.stderr.close()
