"""Upgrade of a hub of an older version with its sites."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest

from callsieve.hub.administration import ADD_SITE, MIGRATION, REVOKES
from lab.postgresql import PostgreSql
from reputation.store.hub.rows import KINDS
from tests.callsieve.hub.sites import CALLER, Site, TestHub
from tests.callsieve.hub.test_callers import may_log_in
from tests.callsieve.hub.test_hostile import login, push_by_hand

pytestmark = pytest.mark.slow
# Applied migrations are never edited. CallSieve refuses an edited one.
APPLIED = {
    "0001_first.sql": "8793f7e6e41e5cc2334bd3fd228fe1de5a8080331d3d00a274a38e71f5b2c1e4",
    "0002_callers.sql": "ebfb30b3e9472eeace5b6ff45a01757b110dfd7bc99e03c3cdc09f83e83da56b",
    "0003_erasure.sql": "1765a855e5647323be30035002f1553c5473c661ea8e0a9f01a1b6b8ab50b43c",
}


def schema(name: str) -> str:
    return (files("callsieve.hub") / "schema" / name).read_text("utf-8")


@pytest.fixture
def old(postgresql: PostgreSql, tmp_path: Path) -> Iterator[TestHub]:
    """As the first version made it, with the sites berlin, london and paris, of which paris was expelled."""
    hub = TestHub(postgresql, tmp_path)
    hub.server.run(f"CREATE DATABASE {hub.database} STRATEGY FILE_COPY")
    with psycopg.connect(hub.admin_address, autocommit=True) as connection:
        for role in ("callsieve_hub", "callsieve_site"):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchall():
                connection.execute(f"CREATE ROLE {role} NOLOGIN".encode())
        connection.execute("ALTER ROLE callsieve_hub NOCREATEROLE")
        connection.execute("REVOKE callsieve_site FROM callsieve_hub CASCADE")
        connection.execute("CREATE SCHEMA callsieve AUTHORIZATION callsieve_hub")
        connection.execute("SET ROLE callsieve_hub")
        connection.execute(MIGRATION.encode())
        first = schema("0001_first.sql")
        connection.execute(first.encode())
        connection.execute(
            "INSERT INTO callsieve.migration (version, name, sha256) VALUES (1, '0001_first', %s)",
            (hashlib.sha256(first.encode()).hexdigest(),),
        )
        connection.execute(
            "CREATE TABLE callsieve.evidence_row_0 PARTITION OF callsieve.evidence_row"
            " FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
        )
        for kind in KINDS.values():
            connection.execute("INSERT INTO callsieve.kind VALUES (%s, %s, false)", (kind.name, kind.days))
        connection.execute("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA callsieve FROM PUBLIC")
        connection.execute("GRANT USAGE ON SCHEMA callsieve TO callsieve_site")
        connection.execute("GRANT SELECT ON callsieve.site, callsieve.notice, callsieve.own_part TO callsieve_site")
        connection.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA callsieve TO callsieve_site")
        connection.execute("RESET ROLE")
        for revoke in REVOKES:
            connection.execute(revoke.encode())
    for name in ("berlin", "london", "paris"):
        join_old(hub, name)
    hub.run("SELECT callsieve.expel('main', 'paris', true)")
    yield hub
    hub.remove()


def join_old(hub: TestHub, name: str) -> None:
    """Join as the first version of `hub join` did."""
    site = Site(hub, name, "main", hub.folder / name)
    site.write_settings({})
    role = f"callsieve:main:{name}"
    with psycopg.connect(hub.admin_address, autocommit=True) as connection:
        connection.execute(f'DROP ROLE IF EXISTS "{role}"'.encode())
        connection.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'old' CONNECTION LIMIT 8".encode())
        connection.execute(f'GRANT callsieve_site TO "{role}"'.encode())
        connection.execute(f'GRANT "{role}" TO callsieve_hub'.encode())
        connection.execute(ADD_SITE.encode(), ("main", name, role, False))
    secret = site.loaded.state / "hub.secret"
    secret.write_text(f"{role} old\n")
    secret.chmod(0o600)
    hub.sites[name] = site


@pytest.mark.parametrize("name", APPLIED)
def test_applied_migrations_are_unchanged(name: str) -> None:
    assert hashlib.sha256(schema(name).encode()).hexdigest() == APPLIED[name]


def test_upgrade_closes_rights_of_an_old_hub(old: TestHub) -> None:
    expel = "SELECT callsieve.expel('main', 'berlin', true)"
    push_by_hand(old.sites["berlin"], "mark", ["unknown", 0, "201"])
    with login(old.sites["london"]) as connection:
        connection.execute("SELECT callsieve.leave()")
        connection.execute(f"BEGIN; {expel}; ROLLBACK".encode())
        old.make_again()
        old.run('GRANT callsieve_site TO "callsieve:main:london"')
        old.run('ALTER ROLE "callsieve:main:london" LOGIN')
    with login(old.sites["london"]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(expel.encode())
    assert old.run("SELECT origin, number FROM callsieve.evidence_row") == [("berlin", CALLER)]
    assert old.run("SELECT name FROM callsieve.site WHERE expelled_at IS NULL") == [("berlin",)]


def test_upgrade_closes_logins_of_expelled_sites(old: TestHub) -> None:
    assert may_log_in(old.sites["paris"])
    old.make_again()
    assert not may_log_in(old.sites["paris"])


def test_sites_of_an_old_hub_go_on_and_can_be_expelled(old: TestHub) -> None:
    old.make_again()
    old.sites.pop("paris")
    old.sites["berlin"].mark(CALLER, "201", 1.0e9)
    old.settle()
    old.run("SELECT callsieve.expel('main', 'london', true)")
    assert not may_log_in(old.sites["london"])


def test_an_upgrade_is_made_once(old: TestHub) -> None:
    applied = "SELECT name, sha256 FROM callsieve.migration ORDER BY version"
    old.make_again()
    names = old.run(applied)
    assert [f"{name}.sql" for name, _ in names] == sorted(
        entry.name for entry in (files("callsieve.hub") / "schema").iterdir() if entry.name.endswith(".sql")
    )
    old.make_again()
    assert old.run(applied) == names
