"""The owner's functions of the hub, called by logins that are not or no longer part of an organisation.

The functions are found in the database, so that a new one is called as well.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from callsieve.hub.postgresql import FORBIDDEN
from tests.callsieve.hub.sites import CALLER, Site, TestHub, running
from tests.callsieve.hub.test_hostile import login
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
Connection = psycopg.Connection[tuple[Any, ...]]
ROLE = "callsieve:main:{}"
FUNCTIONS = """
SELECT proname, coalesce(proargnames[:pronargs], '{}'), proargtypes::regtype[]::text[]
  FROM pg_proc
 WHERE pronamespace = 'callsieve'::regnamespace AND prosecdef AND prorettype <> 'trigger'::regtype ORDER BY 1
"""
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'callsieve'::regnamespace AND relkind IN ('r', 'p')"
HAS_ORGANISATION = """
SELECT 1 FROM pg_attribute WHERE attrelid = format('callsieve.%%I', %s::text)::regclass AND attname = 'organisation'
"""
ROLES = """
SELECT rolname, rolcanlogin, pg_has_role(oid, 'callsieve_site', 'MEMBER') FROM pg_roles
 WHERE rolname LIKE 'callsieve:main:%' ORDER BY 1
"""
# Hostile arguments by name. Other parameters get a value by type.
BY_NAME = {"the_organisation": "main", "the_number": CALLER, "kinds": ["mark"], "numbers": [CALLER]}
BY_TYPE = {
    "text": "berlin",
    "boolean": True,
    "integer": 100,
    "bigint": 1,
    "double precision": 0.0,
    "xid8": "1",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "text[]": ["[]"],
    "bigint[]": [1],
    "boolean[]": [False],
}


@pytest.fixture
def sites(hub: TestHub) -> dict[str, Site]:
    """Two sites that share something, one that is expelled, one that has left, and one of another organisation."""
    found = {name: hub.join(name) for name in ("berlin", "london", "expelled", "departed")}
    for site in found.values():
        site.mark(CALLER, "201", time.time() - 60)
    hub.settle()
    hub.run("SELECT callsieve.expel('main', 'expelled', true)")
    with login(found["departed"]) as connection:
        connection.execute("SELECT callsieve.leave()")
    found["foreign"] = hub.join("foreign", organisation="other")
    return found


@pytest.fixture
def administrator(hub: TestHub) -> Iterator[Connection]:
    with psycopg.connect(hub.admin_address, autocommit=True) as connection:
        yield connection


@pytest.fixture
def unknown(administrator: Connection) -> Iterator[str]:
    """A role with the rights of sites that is in no table."""
    administrator.execute("CREATE ROLE unknown_site LOGIN")
    yield "unknown_site"
    administrator.execute("DROP ROLE unknown_site")


def state_of_organisation(connection: Connection) -> dict[str, list[Any]]:
    """All rows but those of other organisations, and the roles."""
    state: dict[str, list[Any]] = {"roles": connection.execute(ROLES).fetchall()}
    for (table,) in connection.execute(TABLES).fetchall():
        where = b"WHERE organisation = 'main'" if connection.execute(HAS_ORGANISATION, (table,)).fetchall() else b""
        rows = connection.execute(SQL("SELECT * FROM callsieve.{} ").format(Identifier(table)).as_bytes() + where)
        state[table] = sorted(map(repr, rows.fetchall()))
    return state


def calls(connection: Connection) -> list[tuple[str, list[object]]]:
    """Yield calls of each owner function with hostile values, with NULLs, and with one NULL each."""
    found: list[tuple[str, list[object]]] = []
    for name, names, types in connection.execute(FUNCTIONS).fetchall():
        said: list[object] = [BY_NAME.get(arg, BY_TYPE[kind]) for arg, kind in zip(names, types, strict=True)]
        one_null: list[list[object]] = [
            [None if at == null else value for at, value in enumerate(said)] for null in range(len(said))
        ]
        none: list[object] = [None] * len(said)
        for values in (said, none, *one_null):
            marks = ", ".join(f"%s::{kind}" for kind in types)
            found.append((f"SELECT * FROM callsieve.{name}({marks})", values))
    return found


def is_refusal(rows: Sequence[tuple[object, ...]]) -> bool:
    """Return whether an answer reveals nothing."""
    return all(value in (None, False) for row in rows for value in row)


@pytest.mark.parametrize("who", ["foreign", "expelled", "departed", "unknown"])
def test_owner_functions_change_nothing_for_outsiders(
    administrator: Connection, sites: dict[str, Site], unknown: str, who: str
) -> None:
    """Also if the role has the rights of sites."""
    role = {"foreign": "callsieve:other:foreign", "unknown": unknown}.get(who, ROLE.format(who))
    administrator.execute(f'GRANT callsieve_site TO "{role}"'.encode())
    before = state_of_organisation(administrator)
    assert len(before["evidence_row"]) == 3
    answered: list[tuple[object, ...]] = []
    for statement, values in calls(administrator):
        administrator.execute("BEGIN")
        administrator.execute(f'SET SESSION AUTHORIZATION "{role}"'.encode())
        try:
            rows = administrator.execute(statement.encode(), values).fetchall()
        except psycopg.Error as error:
            administrator.execute("ROLLBACK")
            if error.sqlstate != FORBIDDEN:
                answered.append((statement, values, error.sqlstate))
        else:
            administrator.execute("RESET SESSION AUTHORIZATION")
            assert state_of_organisation(administrator) == before, (statement, values)
            administrator.execute("ROLLBACK")
            if not is_refusal(rows):
                answered.append((statement, values, rows))
        administrator.execute("RESET SESSION AUTHORIZATION")
    assert who == "foreign" or answered == []


@pytest.mark.parametrize("organisation", ["main", "other"])
def test_departed_site_cannot_expel(hub: TestHub, sites: dict[str, Site], organisation: str) -> None:
    site = sites["london" if organisation == "main" else "foreign"]
    with login(site) as connection:
        connection.execute("SELECT callsieve.leave()")
        for name, for_good in product(("berlin", None), (True, None)):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT callsieve.expel('main', %s, %s)", (name, for_good))
    assert hub.run("SELECT expelled_at FROM callsieve.site WHERE name = 'berlin'") == [(None,)]
    assert ("berlin",) in hub.run("SELECT origin FROM callsieve.evidence_row")


def may_log_in(site: Site) -> bool:
    try:
        with login(site):
            return True
    except psycopg.OperationalError:
        return False


class TestLogin:
    """The login of a site that is expelled or leaves."""

    @staticmethod
    def is_closed(hub: TestHub, name: str) -> bool:
        may = "SELECT rolcanlogin, pg_has_role(oid, 'callsieve_site', 'MEMBER') FROM pg_roles WHERE rolname = %s"
        return hub.run(may, (ROLE.format(name),)) == [(False, False)]

    def test_login_is_closed_by_the_administrator(self, hub: TestHub, sites: dict[str, Site]) -> None:
        assert self.is_closed(hub, "expelled")
        assert not may_log_in(sites["expelled"])
        assert may_log_in(sites["berlin"])
        assert hub.run("SELECT asked_by FROM callsieve.notice WHERE subject = 'expelled'") == [("",)]

    def test_login_is_closed_by_a_central_site(self, hub: TestHub, sites: dict[str, Site]) -> None:
        center = hub.join("center", is_central=True)
        with login(sites["berlin"]) as berlin, login(center) as connection:
            connection.execute("SELECT callsieve.expel('main', 'berlin', true)")
            with pytest.raises(psycopg.OperationalError):
                berlin.execute("SELECT 1")
        assert self.is_closed(hub, "berlin")
        assert hub.run("SELECT asked_by FROM callsieve.notice WHERE subject = 'berlin'") == [("center",)]

    def test_login_is_closed_when_the_site_leaves(self, hub: TestHub, sites: dict[str, Site]) -> None:
        assert self.is_closed(hub, "departed")
        assert not may_log_in(sites["departed"])

    def test_site_whose_rows_were_removed_goes_on(self, hub: TestHub, sites: dict[str, Site]) -> None:
        hub.run("SELECT callsieve.expel('main', 'berlin', false)")
        sites["berlin"].exchange()

    def test_login_is_open_again_after_another_join(self, hub: TestHub, sites: dict[str, Site]) -> None:
        hub.join("expelled").exchange()

    def test_next_init_closes_logins_that_could_not_be_closed(self, hub: TestHub, sites: dict[str, Site]) -> None:
        """As in PostgreSQL 14 and 15, where CREATEROLE is a right over all roles."""
        hub.run("ALTER ROLE callsieve_hub NOCREATEROLE")
        try:
            hub.run("SELECT callsieve.expel('main', 'berlin', true)")
        finally:
            hub.make_again()
        assert self.is_closed(hub, "berlin")

    def test_remaining_session_of_an_expelled_site_is_ended(self, hub: TestHub, sites: dict[str, Site]) -> None:
        with login(sites["london"]) as late:
            hub.run("UPDATE callsieve.site SET expelled_at = now() WHERE name = 'london'")
            with login(sites["berlin"]) as connection:
                connection.execute("SELECT callsieve.end_long_transactions()")
            with pytest.raises(psycopg.OperationalError):
                late.execute("SELECT 1")


class TestExpiry:
    """Any site can expire old rows of all organisations, and no site can block that for long."""

    @staticmethod
    def hold_a_row(holder: Connection) -> None:
        """Change one's own row in a transaction that stays open."""
        holder.execute("SET idle_in_transaction_session_timeout = 0")
        holder.execute("BEGIN")
        holder.execute(
            "SELECT callsieve.push(array['mark'], array[%s], array['[\"unknown\",0,\"201\"]'], array['x'], array[''],"
            " array[1::bigint], array[9000000000000000], array[true], array[false])",
            (CALLER,),
        )

    def test_expiry_waits_a_second_for_a_lock_and_names_its_site(self, hub: TestHub, sites: dict[str, Site]) -> None:
        sites["berlin"].exchange()
        with login(sites["berlin"]) as holder, login(sites["london"]) as connection:
            self.hold_a_row(holder)
            hub.run("UPDATE callsieve.kind SET days = 0 WHERE name = 'mark'")
            began = time.monotonic()
            with pytest.raises(psycopg.errors.LockNotAvailable) as refused:
                connection.execute("SELECT callsieve.expire(100)")
            assert time.monotonic() - began < 3.0
            assert "berlin" in str(refused.value)
            holder.execute("ROLLBACK")
            assert connection.execute("SELECT callsieve.expire(100)").fetchall() == [(3,)]

    def test_sites_exchange_while_expiry_is_blocked(self, hub: TestHub, sites: dict[str, Site]) -> None:
        with login(sites["berlin"]) as holder:
            self.hold_a_row(holder)
            hub.run("UPDATE callsieve.kind SET days = 0 WHERE name = 'mark'")
            with running(sites["london"]):
                log = sites["london"].folder / "log"
                wait_until(lambda: "berlin" in log.read_text(), "the warning that names the site")
                sites["london"].mark("+12015550177", "305", time.time())
                told = "SELECT count(*) FROM callsieve.evidence_row WHERE number = '+12015550177'"
                wait_until(lambda: hub.run(told) == [(1,)], "the mark")
            assert "nothing is shared" not in log.read_text()
