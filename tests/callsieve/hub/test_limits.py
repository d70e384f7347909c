"""Limits of one site: rows, wake-ups, sessions, and a name that is used twice."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
import pytest

from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.hub import administration, client
from callsieve.hub.administration import address_of_site
from callsieve.hub.checks import is_exchanged
from callsieve.hub.postgresql import HubError, connection_to
from callsieve.hub.session import LONGEST_WAKE_SECONDS, WAKE_SECONDS, PullPace
from callsieve.hub.views import remarks_on
from reputation.store.hub.link import Link, link_of
from reputation.store.hub.rows import KINDS, SharedWith
from tests.callsieve.hub.sites import CALLER, Site, TestHub, running
from tests.callsieve.hub.test_hostile import login
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
OTHER = "+12015550124"
KEPT = "SELECT rows_kept FROM callsieve.site WHERE name = 'berlin'"
THERE = "SELECT count(*) FROM callsieve.evidence_row WHERE origin = 'berlin'"


@pytest.fixture
def berlin(hub: TestHub) -> Site:
    return hub.join("berlin")


@pytest.fixture
def london(hub: TestHub, berlin: Site) -> Site:
    return hub.join("london")


def link(site: Site) -> Link:
    found = site.read(link_of)
    assert found is not None
    return found


def doctor_status(site: Site) -> CheckStatus:
    answers: dict[str, str] = {}
    return is_exchanged(CheckContext(site.loaded, answers.__getitem__, time.time())).status


def site_remarks(site: Site) -> str:
    async def ask() -> list[str]:
        async with connection_to(address_of_site(site.loaded)) as connection:
            return [words for site_ in await client.sites(connection) for words in remarks_on(site_)]

    return "; ".join(asyncio.run(ask()))


class TestQuota:
    """The quota of rows in the hub."""

    @staticmethod
    def set_quota(hub: TestHub, rows: int) -> int:
        async def write_quota() -> int:
            async with connection_to(hub.admin_address) as connection:
                return await administration.set_quota(connection, "main", "berlin", rows)

        return asyncio.run(write_quota())

    def test_rows_above_the_quota_wait_at_their_site(self, hub: TestHub, berlin: Site, london: Site) -> None:
        self.set_quota(hub, 3)
        for last in range(6):
            berlin.mark(f"+120155502{last:02}", "201", time.time() - 60 + last)
        hub.settle()
        assert hub.run(THERE) == hub.run(KEPT) == [(3,)]
        assert london.rows("SELECT count(*) FROM mark") == [(3,)]
        assert berlin.rows("SELECT count(*) FROM hub_outbox") == [(3,)]
        assert (link(berlin).full_at, doctor_status(berlin)) == (3, CheckStatus.WARN)
        assert "3 rows" in site_remarks(london)
        assert self.set_quota(hub, 10) == 3
        hub.settle()
        assert london.rows("SELECT count(*) FROM mark") == [(6,)]
        assert berlin.rows("SELECT count(*) FROM hub_outbox") == [(0,)]
        assert (link(berlin).full_at, doctor_status(berlin), site_remarks(london)) == (0, CheckStatus.OK, "")

    def test_retraction_is_sent_above_the_quota(self, hub: TestHub, berlin: Site, london: Site) -> None:
        self.set_quota(hub, 1)
        berlin.mark(CALLER, "201", time.time() - 60)
        hub.settle()
        berlin.mark(OTHER, "201", time.time() - 50)  # waits, before the retraction
        berlin.mark(CALLER, "201", time.time() - 40, "retracted")
        hub.settle()
        assert london.marks() == {"berlin:201": "retracted"}
        assert london.marks(OTHER) == {}

    def test_row_counter_is_correct(self, hub: TestHub, berlin: Site, london: Site) -> None:
        """Checked after changes, erasures, expiry and expulsion."""
        for last in range(10):
            berlin.mark(f"+120155502{last:02}", "201", time.time() - 60)
        berlin.exchange()
        berlin.mark("+12015550200", "201", time.time() - 30, "ok")
        with login(london) as connection:
            connection.execute("SELECT callsieve.erase('+12015550201')")
            hub.run("UPDATE callsieve.evidence_row SET at_us = 1 WHERE number = '+12015550202'")
            assert connection.execute("SELECT callsieve.expire(100)").fetchall() == [(1,)]
        berlin.exchange()
        assert hub.run(THERE) == hub.run(KEPT) == [(8,)]
        with login(berlin) as connection:
            connection.execute("SELECT callsieve.expel('main', 'berlin', false)")
        assert hub.run(THERE) == hub.run(KEPT) == [(0,)]

    def test_changes_per_day_are_limited(self, hub: TestHub, berlin: Site, london: Site) -> None:
        """Every change is pulled by all other sites."""
        berlin.mark(CALLER, "201", time.time() - 60)
        berlin.exchange()
        hub.run("UPDATE callsieve.site SET changed = 100000, changed_on = CURRENT_DATE, most_rows = 10")
        berlin.mark(CALLER, "201", time.time() - 30, "ok")
        hub.settle()
        assert london.marks() == {"berlin:201": "spam"}
        hub.run("UPDATE callsieve.site SET changed_on = CURRENT_DATE - 1")
        hub.settle()
        assert london.marks() == {"berlin:201": "ok"}

    def test_process_sends_changes_above_the_quota(self, hub: TestHub, berlin: Site, london: Site) -> None:
        self.set_quota(hub, 1)
        berlin.mark(CALLER, "201", time.time() - 60)
        berlin.exchange()
        berlin.mark(OTHER, "201", time.time() - 50)
        with running(berlin):
            wait_until(lambda: link(berlin).full_at == 1, "that it is full")
            berlin.mark(CALLER, "201", time.time() - 40, "retracted")
            wait_until(lambda: hub.run("SELECT payload LIKE '%%retracted%%' FROM callsieve.evidence_row") == [(True,)])

    def test_quota_of_an_unknown_site_is_refused(self, hub: TestHub) -> None:
        with pytest.raises(HubError, match="no site"):
            self.set_quota(hub, 7)


class TestWakeUps:
    """Any login of the server can send wake-ups, but cannot cause frequent pulls."""

    def channel(self, hub: TestHub) -> str:
        ((name,),) = hub.run("SELECT callsieve.channel_of('main')")
        return str(name)

    def test_channel_is_hidden_from_other_organisations(self, hub: TestHub, berlin: Site) -> None:
        theirs = hub.join("spy", organisation="other")
        hub.sites.pop("spy")
        with login(theirs) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT callsieve.channel_of('main')")
        with login(theirs) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT secret FROM callsieve.hub")

    @pytest.mark.parametrize("words", ["london", "nobody", "", "x" * 7000, "london/private/'; DROP"])
    def test_flood_of_wake_ups_causes_no_pulls(self, hub: TestHub, berlin: Site, words: str) -> None:
        """Rows of another site still arrive."""
        london = hub.join("london", poll_seconds=1)
        channel = self.channel(hub)
        with running(london):
            wait_until(lambda: link_is_complete(london), "the first exchange")
            with login(berlin) as connection:
                for number in range(3000):
                    connection.execute("SELECT pg_notify(%s, %s)", (channel, f"{words}{number}"[:7900]))
            before = link(london).pulled_at
            berlin.mark(CALLER, "201", time.time() - 60)
            berlin.exchange()
            wait_until(lambda: london.marks() == {"berlin:201": "spam"}, "the mark")
            assert before is not None
        log = (london.folder / "log").read_text()
        assert "Traceback" not in log

    def test_useless_wake_ups_lengthen_the_wait(self) -> None:
        now, waits = 1000.0, []
        pace = PullPace(5.0)
        pace.note_pull(now, has_news=True)
        for _ in range(6):
            pace.is_woken = True
            waits.append(pace.pull_at() - now)
            now = pace.pull_at()
            pace.note_pull(now, has_news=False)
        assert waits[0] == pytest.approx(WAKE_SECONDS)
        assert waits[-1] == pytest.approx(LONGEST_WAKE_SECONDS)
        pace.is_woken = True
        pace.note_pull(now, has_news=True)
        pace.is_woken = True
        assert pace.pull_at() - now == pytest.approx(WAKE_SECONDS)


def link_is_complete(site: Site) -> bool:
    found = site.read(link_of)
    return found is not None and found.pulled_at is not None


def test_erasures_above_the_limit_are_retried_rarely(hub: TestHub, berlin: Site, london: Site) -> None:
    with login(berlin) as connection:
        connection.execute("SELECT callsieve.erase('+1201' || (5550200 + n)) FROM generate_series(1, 1000) AS n")
    berlin.exchange()
    berlin.write(lambda db: db.execute("INSERT INTO hub_erasure VALUES (?, 0)", (CALLER,)))
    with running(berlin):
        for minute in range(3):
            berlin.mark(OTHER, str(minute), time.time() - 60)
            told = "SELECT count(*) FROM callsieve.evidence_row"
            wait_until(lambda: hub.run(told) == [(minute + 1,)], "the mark")  # noqa: B023
    assert (berlin.folder / "log").read_text().count("1000 numbers erased") == 1
    assert berlin.rows("SELECT number FROM hub_erasure") == [(CALLER,)]


class TestTwins:
    """Two PBXs under one name that are not standby of each other."""

    @staticmethod
    def twin_of(site: Site, **settings: object) -> Site:
        twin = Site(site.hub, site.name, site.organisation, site.folder.parent / "twin")
        twin.write_settings(settings)
        secret = twin.loaded.state / "hub.secret"
        secret.write_bytes((site.loaded.state / "hub.secret").read_bytes())
        secret.chmod(0o600)
        return twin

    def test_two_processes_under_one_name_are_reported(self, hub: TestHub, berlin: Site, london: Site) -> None:
        twin = self.twin_of(berlin)
        with running(berlin), running(twin):
            wait_until(lambda: link_is_complete(berlin) and link_is_complete(twin), "exchanges")
            wait_until(lambda: link(berlin).has_twin or link(twin).has_twin, "that there are two", 40.0)
            which = berlin if link(berlin).has_twin else twin
            assert doctor_status(which) is CheckStatus.WARN
            assert "two PBXs" in site_remarks(london)

    def test_standby_is_not_reported_as_a_twin(self, hub: TestHub) -> None:
        berlin = hub.join("berlin", private=True)
        twin = self.twin_of(berlin, standby=True, private=True)

        async def both() -> list[bool]:
            async with connection_to(address_of_site(twin.loaded)) as connection:
                words = (("one", False), ("two", True)) * 2
                return [await hello(connection, word, is_standby=standby) for word, standby in words]

        assert asyncio.run(both()) == [False] * 4

    @pytest.mark.parametrize(
        ("words", "twins"),
        [
            pytest.param("aaaa", "....", id="one process"),
            pytest.param("abbb", "....", id="restarted"),
            pytest.param("abcd", "....", id="restarted several times"),
            pytest.param("abab", "..**", id="two"),
            pytest.param("aabba", "....*", id="first run id returns"),
        ],
    )
    def test_twin_is_recognised_by_a_returning_run_id(self, hub: TestHub, berlin: Site, words: str, twins: str) -> None:
        """Restarts, backups and other servers have new run ids, and no earlier one returns."""

        async def say() -> str:
            async with connection_to(address_of_site(berlin.loaded)) as connection:
                return "".join(["*" if await hello(connection, word) else "." for word in words])

        assert asyncio.run(say()) == twins

    def test_twin_warning_ends_when_one_has_gone(self, hub: TestHub, berlin: Site) -> None:
        async def say(*words: str) -> list[bool]:
            async with connection_to(address_of_site(berlin.loaded)) as connection:
                return [await hello(connection, word) for word in words]

        assert asyncio.run(say("a", "b", "a"))[-1]
        hub.run("UPDATE callsieve.run SET last_at = last_at - interval '2 minutes' WHERE id = 'b'")
        assert asyncio.run(say("a")) == [False]

    def test_stored_run_ids_are_limited(self, hub: TestHub, berlin: Site) -> None:
        async def say() -> None:
            async with connection_to(address_of_site(berlin.loaded)) as connection:
                for number in range(30):
                    await hello(connection, str(number))

        asyncio.run(say())
        assert hub.run("SELECT count(*) FROM callsieve.run") == [(8,)]


async def hello(connection: Any, run: str, *, is_standby: bool = False) -> bool:
    """Return whether another process uses the name."""
    report = client.SiteReport(0, "1", 0, False, run, is_standby, None)
    return (await client.greet(connection, report)).has_twin


class TestRole:
    """Rights of a site's login besides its functions."""

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT lo_create(0)",
            "SELECT lo_from_bytea(0, 'x')",
            "SELECT lo_creat(-1)",
            "SELECT pg_advisory_lock(7)",
            "SELECT pg_try_advisory_lock_shared(7, 8)",
            "DO $$ BEGIN END $$",
            "SET temp_file_limit = -1",
            "SELECT callsieve.count_new()",
            "SELECT * FROM callsieve.history",
            "SELECT * FROM callsieve.run",
            "DELETE FROM callsieve.gone",
        ],
    )
    def test_site_login_is_limited_to_its_functions(self, hub: TestHub, berlin: Site, statement: str) -> None:
        with login(berlin) as connection, pytest.raises(psycopg.Error) as refused:
            connection.execute(statement.encode())
        assert refused.value.sqlstate in ("42501", "0A000")

    def test_temporary_files_of_a_site_are_limited(self, hub: TestHub, berlin: Site) -> None:
        with login(berlin) as connection:
            assert connection.execute("SHOW temp_file_limit").fetchall() == [("1GB",)]

    def test_erasure_of_a_text_that_is_no_number_is_ignored(self, hub: TestHub, berlin: Site, london: Site) -> None:
        """`-` is the key of rows without a number."""
        hub.run(
            "INSERT INTO callsieve.evidence_row VALUES ('main', 'person', 'london', '-', '[]', '', '', 1, 1, now(),"
            " false, true, '1', 1)"
        )
        with login(berlin) as connection:
            assert connection.execute("SELECT callsieve.erase('-')").fetchall() == [(0,)]
        assert hub.run("SELECT count(*) FROM callsieve.evidence_row") == [(1,)]

    def test_expulsions_per_site_are_limited(self, hub: TestHub, berlin: Site) -> None:
        expel = "SELECT callsieve.expel('main', 'berlin', false)"
        with login(berlin) as connection:
            for _ in range(20):
                connection.execute(expel)
            with pytest.raises(psycopg.errors.ProgramLimitExceeded):
                connection.execute(expel)


def test_central_site_gets_no_rows_for_standbys(hub: TestHub) -> None:
    berlin, center = hub.join("berlin", private=True), hub.join("center", is_central=True)
    berlin.write(lambda db: db.execute("INSERT INTO personal_entry VALUES (?, '201', 'allow', 1, 'person')", (CALLER,)))
    berlin.write(lambda db: db.execute("INSERT INTO talk VALUES (?, '201', ?)", (CALLER, time.time() - 60)))
    berlin.mark(CALLER, "201", time.time() - 60)
    berlin.exchange()

    async def sent() -> set[str]:
        async with connection_to(address_of_site(center.loaded)) as connection:
            pulled = await client.pull(connection, (0, 0), (0, 0), 500, own=False, private=True)
            return {row.kind for row in pulled.rows}

    assert ("personal_entry",) in hub.run("SELECT kind FROM callsieve.evidence_row")
    assert KINDS["personal_entry"].scope is SharedWith.STANDBY
    assert asyncio.run(sent()) == {"mark", "talk"}
    with login(center) as connection:
        for relation in ("evidence_row", "own_part"):
            kinds = connection.execute(f"SELECT DISTINCT kind FROM callsieve.{relation} ORDER BY 1".encode()).fetchall()
            assert kinds == [("mark",), ("talk",)]
