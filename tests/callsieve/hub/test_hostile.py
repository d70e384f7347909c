"""Hostile sites with a valid login, and a hostile hub."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import psycopg
import pytest

from callsieve.hub.administration import address_of_site
from callsieve.hub.postgresql import connection_text
from reputation.store.hub.rows import MICROSECONDS
from tests.callsieve.hub.sites import CALLER, Site, TestHub

pytestmark = pytest.mark.slow
OTHER = "+12015550124"
SAID = '{"verdict":"spam","channel":"cli","category":"","linkedid":""}'
PUSH = (
    "SELECT callsieve.push(%s::text[],%s::text[],%s::text[],%s::text[],%s::text[],%s::bigint[],%s::bigint[],"
    "%s::boolean[],%s::boolean[])"
)


@pytest.fixture
def berlin(hub: TestHub) -> Site:
    return hub.join("berlin")


@pytest.fixture
def london(hub: TestHub, berlin: Site) -> Site:
    return hub.join("london")


def login(site: Site) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(connection_text(address_of_site(site.loaded)), autocommit=True)


def push_by_hand(
    site: Site, kind: str, key: Sequence[object], payload: str = SAID, own: str = "", number: str = CALLER
) -> None:
    """A row as the site's login can send it."""
    at_us = int((time.time() - 60) * MICROSECONDS)
    row = ([kind], [number], [json.dumps(key)], [payload], [own], [at_us], [at_us], [False], [False])
    with login(site) as connection:
        connection.execute(PUSH, row)


@pytest.mark.parametrize("said", ["[" * 3900, '{"verdict":' + "[" * 3800], ids=["payload", "inside"])
def test_unreadable_row_blocks_no_site(hub: TestHub, berlin: Site, london: Site, said: str) -> None:
    push_by_hand(berlin, "mark", ["unknown", 0, "201"], said)
    berlin.mark(OTHER, "201", time.time() - 30)
    berlin.exchange()
    london.exchange()
    assert london.marks(CALLER) == {}
    assert london.marks(OTHER) == {"berlin:201": "spam"}


@pytest.mark.parametrize(
    ("kind", "key", "payload"),
    [
        ("mark", ["unknown", 0, ""], SAID),
        ("mark", ["unknown", 0, None], SAID),
        ("answered", ["unknown", 0, ""], ""),
        ("signal", ["unknown", 0, "", "hangup"], '{"linkedid":""}'),
        ("challenge", ["unknown", 0, ""], '{"did":"","result":"passed"}'),
        ("tombstone", ["", ""], ""),
    ],
)
def test_row_without_a_person_names_no_own_person(
    hub: TestHub, berlin: Site, london: Site, kind: str, key: list[object], payload: str
) -> None:
    push_by_hand(berlin, kind, key, payload)
    london.exchange()
    named = {"answered": "callee", "signal": "callee", "challenge": "linkedid", "tombstone": "case_id"}.get(
        kind, "reporter"
    )
    assert [name for (name,) in london.rows(f"SELECT {named} FROM {kind}") if not str(name).startswith("berlin:")] == []


def test_unprintable_text_is_cleaned(hub: TestHub, berlin: Site) -> None:
    center = hub.join("center", is_central=True)
    push_by_hand(berlin, "mark", ["unknown", 0, "201"], SAID, '{"reason":"\\u001b[2J"}')
    center.exchange()
    assert [reason for (reason,) in center.rows("SELECT reason FROM mark") if not str(reason).isprintable()] == []


@pytest.mark.parametrize(
    "statement", ["CREATE TEMPORARY TABLE mine (id integer)", "CREATE TABLE public.mine (id integer)"]
)
def test_site_may_not_create_tables(hub: TestHub, berlin: Site, statement: str) -> None:
    with login(berlin) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_type_created_by_a_site_is_not_used_by_owner_functions(hub: TestHub, berlin: Site) -> None:
    """If temporary objects are allowed, owner functions could otherwise evaluate a domain of the site."""
    hub.run(f"GRANT TEMPORARY ON DATABASE {hub.database} TO PUBLIC")
    with login(berlin) as connection:
        connection.execute(
            """
            CREATE FUNCTION pg_temp.evil() RETURNS boolean LANGUAGE sql AS $$
            UPDATE callsieve.site SET is_central = true; SELECT true $$
            """
        )
        for name in ("text", "name", "uuid"):
            connection.execute(f"CREATE DOMAIN pg_temp.{name} AS pg_catalog.{name} CHECK (pg_temp.evil())".encode())
        connection.execute("SELECT callsieve.erase('+12015550199'::pg_catalog.text)")
        connection.execute("SELECT * FROM callsieve.hello(0, 'x'::pg_catalog.text, 0, false, 'y', false, NULL)")
        connection.execute("SELECT callsieve.end_long_transactions()")
    assert hub.run("SELECT is_central FROM callsieve.site") == [(False,)]


def test_owner_functions_search_temporary_objects_last(hub: TestHub) -> None:
    set_there = hub.run(
        "SELECT proconfig::text FROM pg_proc WHERE pronamespace = 'callsieve'::regnamespace AND prosecdef"
    )
    assert len(set_there) > 8
    assert [settings for (settings,) in set_there if "search_path=pg_catalog, pg_temp" not in str(settings)] == []


def test_an_erasure_is_obeyed_once(hub: TestHub, berlin: Site, london: Site) -> None:
    """Later marks stay, also if everything is pulled again."""
    with login(berlin) as connection:
        connection.execute("SELECT callsieve.erase(%s)", (CALLER,))
    hub.settle()
    london.mark(CALLER, "305", time.time())
    hub.settle()
    london.write(lambda db: db.execute("UPDATE hub_link SET program = 'an older one'"))
    hub.settle()
    assert london.marks() == {"305": "spam"}
    assert berlin.marks() == {"london:305": "spam"}
    hub.run("UPDATE callsieve.notice SET at = at - interval '1 hour'")
    hub.run("UPDATE callsieve.hub SET id = gen_random_uuid()")
    hub.settle(3)
    assert london.marks() == {"305": "spam"}
    assert berlin.marks() == {"london:305": "spam"}


def test_mark_after_an_erasure_received_later_is_kept(hub: TestHub, berlin: Site, london: Site) -> None:
    hub.settle()
    with login(berlin) as connection:
        connection.execute("SELECT callsieve.erase(%s)", (CALLER,))
    london.mark(CALLER, "305", time.time() + 0.2)
    hub.settle(3)
    assert london.stored() == berlin.stored() == hub.checksums()


def test_endless_transaction_blocks_no_site(hub: TestHub, berlin: Site, london: Site) -> None:
    with login(berlin) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.execute("BEGIN; SELECT pg_current_xact_id()")
        london.mark(CALLER, "305", time.time() - 60)
        london.exchange()
        paris = hub.join("paris")
        paris.exchange()
        assert paris.marks() == {}
        hub.run("UPDATE callsieve.hub SET longest_transaction = '0 seconds'")
        paris.exchange()
        paris.exchange()
        assert paris.marks() == {"london:305": "spam"}
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_audit_names_the_site_that_asked_for_an_erasure(hub: TestHub, berlin: Site, london: Site) -> None:
    london.mark(CALLER, "305", time.time() - 60)
    hub.settle()
    with login(berlin) as connection:
        connection.execute("SELECT callsieve.erase(%s)", (CALLER,))
    hub.settle()
    assert london.marks() == {}
    assert london.rows("SELECT who FROM audit WHERE what = 'privacy erase'") == [("hub berlin",)]


def test_expiry_works_during_an_open_transaction(hub: TestHub, berlin: Site, london: Site) -> None:
    berlin.mark(CALLER, "201", time.time() - 60)
    berlin.exchange()
    hub.run("UPDATE callsieve.evidence_row SET at_us = 1")
    with login(berlin) as hostile, login(london) as connection:
        hostile.execute("BEGIN; SELECT callsieve.hello(0, '', 0, false, 'y', false, NULL)")
        assert connection.execute("SELECT callsieve.expire(100)").fetchall() == [(1,)]


def test_rows_per_push_are_limited(hub: TestHub, berlin: Site) -> None:
    """The quota of a number is looked at once a push."""
    count = 5001
    at_us = int((time.time() - 60) * MICROSECONDS)
    keys = [json.dumps(["unknown", 0, str(person)]) for person in range(count)]
    one = ([at_us] * count, [at_us] * count, [False] * count, [False] * count)
    with login(berlin) as connection, pytest.raises(psycopg.errors.ProgramLimitExceeded):
        connection.execute(PUSH, (["mark"] * count, [CALLER] * count, keys, [SAID] * count, [""] * count, *one))


class TestHostileHub:
    """The owner of the database can write rows that no site could push: the site goes on and keeps its rows."""

    @staticmethod
    def write(hub: TestHub, site: Site, **columns: object) -> None:
        """A row that is pulled next. The database's own bounds do not hold for its owner."""
        row = {
            "organisation": "main",
            "kind": "mark",
            "origin": "paris",
            "number": CALLER,
            "key": json.dumps(["unknown", 0, "201"]),
            "payload": SAID,
            "own": "",
            "at_us": int((time.time() - 60) * MICROSECONDS),
            "version": int(time.time() * MICROSECONDS),
            "deleted": False,
            "private": False,
        }
        row |= columns
        hub.run("ALTER TABLE callsieve.evidence_row DROP CONSTRAINT IF EXISTS evidence_row_check")
        hub.run(
            f"INSERT INTO callsieve.evidence_row ({', '.join(row)}, received_at, xid, id)"
            f" VALUES ({', '.join(['%s'] * len(row))}, now(), pg_current_xact_id(), nextval('callsieve.place'))",
            list(row.values()),
        )

    @pytest.mark.parametrize("deleted", [False, True], ids=["changed", "deleted"])
    def test_forged_rows_of_this_site_are_refused(self, hub: TestHub, berlin: Site, deleted: bool) -> None:
        """Unless the site asks for its own, as after a backup was put back: then it has to trust the hub."""
        berlin.mark(CALLER, "201", time.time() - 90, "ok")
        berlin.exchange()
        hub.run("DELETE FROM callsieve.evidence_row")
        # A hub that sends unrequested rows.
        hub.run("ALTER FUNCTION callsieve.news RENAME TO true_news")
        hub.run(
            "CREATE FUNCTION callsieve.news(xid8, bigint, xid8, bigint, integer, boolean, boolean) RETURNS TABLE (kind"
            " text, origin text, number text, key text, payload text, own text, at_us bigint, version bigint, deleted"
            " boolean, xid bigint, id bigint) LANGUAGE sql AS $$"
            " SELECT * FROM callsieve.true_news($1, $2, $3, $4, $5, true, $7) $$"
        )
        for number in (CALLER, OTHER):
            self.write(hub, berlin, origin="berlin", number=number, deleted=deleted)
        berlin.exchange()
        assert berlin.marks(CALLER) == {"201": "ok"}
        assert berlin.marks(OTHER) == {}
        assert berlin.rows("SELECT site, unfit, rows FROM hub_refused") == [("berlin", "odd", 2)]

    @pytest.mark.parametrize(
        "columns",
        [
            pytest.param({"at_us": 4_000_000_000 * MICROSECONDS}, id="year-2096"),
            pytest.param({"at_us": (1 << 63) - 1}, id="no-valid-year"),
            pytest.param({"at_us": -1}, id="before-all-years"),
            pytest.param({"version": -1}, id="version"),
            pytest.param({"kind": "nothing"}, id="kind"),
            pytest.param({"kind": "sqlite_schema"}, id="another-table"),
            pytest.param({"origin": "PARIS:x"}, id="origin"),
            pytest.param({"payload": "x" * 20_000_000}, id="twenty-megabytes"),
            pytest.param(
                {"payload": '{"verdict":NaN,"channel":Infinity,"category":1e999,"linkedid":-0.0}'}, id="numbers"
            ),
            pytest.param(
                {"payload": '{"verdict":{"a":[1]},"channel":[],"category":null,"linkedid":true}'}, id="nested"
            ),
            pytest.param({"payload": SAID.replace("spam", "spam\\u0000")}, id="nul"),
            pytest.param({"payload": SAID.replace('"linkedid":""', '"linkedid":"\\ud800"')}, id="surrogate"),
            pytest.param({"key": '["unknown",1e400,"201"]'}, id="epoch"),
            pytest.param({"key": '["unknown",0,201]'}, id="person"),
            pytest.param({"key": '["unknown",0,"berlin:201"]'}, id="site-in-site"),
            pytest.param({"number": "nobody\n"}, id="number"),
        ],
    )
    def test_impossible_row_is_refused_and_counted(
        self, hub: TestHub, berlin: Site, columns: dict[str, object]
    ) -> None:
        berlin.exchange()
        self.write(hub, berlin, **columns)
        self.write(hub, berlin, number=OTHER)
        berlin.exchange()
        assert berlin.rows("SELECT rows FROM hub_refused") == [(1,)]
        assert berlin.rows("SELECT number, reporter FROM mark") == [(OTHER, "paris:201")]

    def test_hub_can_only_move_dates_back(self, hub: TestHub, berlin: Site) -> None:
        """The hub reports changed dates, which may only be earlier."""
        types = f"{', '.join(['text[]'] * 5)}, bigint[], bigint[], boolean[], boolean[]"
        hub.run(f"ALTER FUNCTION callsieve.push({types}) RENAME TO honest")
        hub.run(
            f"CREATE FUNCTION callsieve.push({types}) RETURNS TABLE (place integer, dated_us bigint) LANGUAGE sql AS"
            " $$ SELECT 1, 4000000000000000::bigint $$"
        )
        at = float(int(time.time() - 60))
        berlin.mark(CALLER, "201", at)
        berlin.exchange()
        assert berlin.rows("SELECT at FROM mark") == [(at,)]
