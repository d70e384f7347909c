"""The exchange between sites, and which of two conflicting rows wins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from callsieve.cli.options import context_of
from callsieve.hub import administration, client, process, session, sync
from callsieve.hub.administration import address_of_site
from callsieve.hub.postgresql import HubError, connection_text, connection_to
from callsieve.numbers import operations as number_operations
from callsieve.system.service_process import AlreadyRunning, only_process
from lab.postgresql import TLS_NAME, PostgreSql
from lab.private_server import ADDRESS
from reputation.model import Identity
from reputation.store.hub import outgoing
from reputation.store.hub.incoming import forget_notes, notes_past_their_time
from reputation.store.hub.rows import MICROSECONDS
from reputation.store.identities import set_identity
from tests.callsieve.hub.sites import CALLER, STANDINGS, Site, TestHub

pytestmark = pytest.mark.slow
OTHER = "+12015550124"
SAID = '{"verdict":"spam","channel":"cli","category":"","linkedid":""}'


def clock_ahead(seconds: float) -> SimpleNamespace:
    """The clock of exchanges, in the place of the module `time`."""
    return SimpleNamespace(time=lambda: time.time() + seconds, monotonic=time.monotonic)


def _die(*args: object, **more: object) -> None:
    raise ZeroDivisionError


@pytest.fixture
def berlin(hub: TestHub) -> Site:
    return hub.join("berlin")


@pytest.fixture
def london(hub: TestHub, berlin: Site) -> Site:
    return hub.join("london")


def test_mark_counts_at_other_sites_under_its_site(hub: TestHub, berlin: Site, london: Site) -> None:
    berlin.mark(CALLER, "201", time.time() - 60, group="sales")
    hub.settle()
    assert london.marks() == {"berlin:201": "spam"}
    assert london.rows("SELECT grp, reason FROM mark") == [("berlin", "")]
    assert london.rows("SELECT reporters FROM standing WHERE number = ?", CALLER) == [(1,)]
    assert berlin.marks() == {"201": "spam"}
    assert berlin.stored() == london.stored() == hub.checksums()
    assert berlin.noted() == london.noted() == hub.checksums()


def test_marks_made_before_joining_are_sent(hub: TestHub, berlin: Site, london: Site) -> None:
    for last in range(30):
        berlin.mark(f"+120155502{last:02}", "201", time.time() - 60)
    hub.settle()
    assert london.rows("SELECT count(*) FROM mark") == [(30,)]
    assert berlin.rows("SELECT count(*) FROM hub_outbox") == [(0,)]


def test_retraction_is_sent(hub: TestHub, berlin: Site, london: Site) -> None:
    berlin.mark(CALLER, "201", time.time() - 60)
    hub.settle()
    berlin.mark(CALLER, "201", time.time() - 30, "retracted")
    hub.settle()
    assert london.marks() == {"berlin:201": "retracted"}


def test_deleted_row_is_deleted_at_other_sites(hub: TestHub, berlin: Site, london: Site) -> None:
    berlin.mark(CALLER, "201", time.time() - 60)
    hub.settle()
    berlin.write(lambda db: db.execute("DELETE FROM mark"))
    hub.settle()
    assert london.marks() == {}
    assert london.stored() == hub.checksums() == {}


def test_level_events_start_after_the_first_exchange(hub: TestHub, berlin: Site, london: Site) -> None:
    """A new site gets no level event for every known number."""
    wanted = "INSERT INTO event_wanted (kind, receiver) VALUES ('number.level-changed', 'crm')"
    for number in (CALLER, OTHER):
        london.mark(number, "305", time.time() - 60)
    london.write(lambda db: db.execute(wanted))
    berlin.mark(CALLER, "201", time.time() - 60)
    hub.settle()
    berlin.mark(OTHER, "201", time.time() - 60)
    hub.settle()
    assert london.rows("SELECT DISTINCT subject FROM event WHERE kind = 'number.level-changed'") == [(OTHER,)]


def test_rows_of_other_sites_are_not_sent_again(hub: TestHub, berlin: Site, london: Site) -> None:
    berlin.mark(CALLER, "201", time.time() - 60)
    hub.settle(4)
    assert hub.run("SELECT origin, count(*) FROM callsieve.evidence_row GROUP BY origin") == [("berlin", 1)]


class TestClocks:
    """A site whose clock is wrong does not win by it."""

    AHEAD = 600.0

    @pytest.fixture
    def wrong_clock(self, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        """The clock of every exchange from now on is ahead, until it is undone."""
        for module in (session, sync):
            monkeypatch.setattr(module, "time", clock_ahead(self.AHEAD))
        return monkeypatch

    @pytest.mark.parametrize("seconds_away", [0.0, 3600.0], ids=["at-once", "after-an-hour"])
    def test_later_retraction_beats_a_clock_that_was_ahead(
        self, hub: TestHub, berlin: Site, london: Site, wrong_clock: pytest.MonkeyPatch, seconds_away: float
    ) -> None:
        """Of one human with a phone at both sites: 201 in Berlin marks, and a minute later takes it back in London."""
        marked_at = time.time() - seconds_away - 60
        berlin.mark(CALLER, "201", marked_at + self.AHEAD)
        berlin.exchange()
        wrong_clock.undo()
        london.mark(CALLER, "305", marked_at + 30, "retracted")
        hub.settle()
        for site, (there, here) in {london: ("berlin:201", "305"), berlin: ("201", "london:305")}.items():
            dates: dict[str, float] = dict(site.rows("SELECT reporter, at FROM mark"))  # type: ignore[arg-type]
            assert dates[there] < dates[here]
            assert dates[there] == pytest.approx(marked_at, abs=5)
        assert berlin.stored() == london.stored() == hub.checksums()

    def test_site_whose_clock_was_ahead_receives_an_erasure(
        self, hub: TestHub, berlin: Site, london: Site, wrong_clock: pytest.MonkeyPatch
    ) -> None:
        berlin.mark(CALLER, "201", time.time() - 60)
        hub.settle()
        wrong_clock.undo()
        london.write(number_operations.erase, context_of(london.loaded), CALLER)
        london.exchange()
        berlin.exchange()
        assert berlin.marks(CALLER) == {}

    def test_rows_are_never_dated_after_their_receipt(self, hub: TestHub, berlin: Site, london: Site) -> None:
        """The row is dated next year, although the clock is right by now."""
        berlin.mark(CALLER, "201", time.time() + 365 * 86_400)
        hub.settle()
        for site in (berlin, london):
            ((at,),) = site.rows("SELECT at FROM mark")
            assert isinstance(at, float)
            assert abs(at - time.time()) < 60
        assert berlin.stored() == london.stored() == hub.checksums()

    def test_corrected_clock_still_wins_with_the_later_mark(
        self, hub: TestHub, berlin: Site, london: Site, wrong_clock: pytest.MonkeyPatch
    ) -> None:
        berlin.mark(CALLER, "201", time.time() - 60)
        berlin.exchange()
        wrong_clock.undo()
        berlin.mark(CALLER, "201", time.time() - 30, "ok")
        hub.settle()
        assert london.marks() == {"berlin:201": "ok"}

    def test_row_sent_again_keeps_its_date(self, hub: TestHub, berlin: Site, london: Site) -> None:
        """A row sent with a right clock keeps its date when sent again with a wrong one."""
        berlin.mark(CALLER, "201", time.time() - 60)
        hub.settle()
        before = london.rows("SELECT at FROM mark")
        with pytest.MonkeyPatch.context() as patch:
            for module in (session, sync):
                patch.setattr(module, "time", clock_ahead(self.AHEAD))
            berlin.write(lambda db: db.execute("UPDATE mark SET reason = 'other words'"))
            berlin.exchange()
        hub.settle()
        assert london.rows("SELECT at FROM mark") == before


class TestRecovery:
    """Lost rows are sent again."""

    def test_site_with_a_restored_backup_catches_up(
        self, hub: TestHub, berlin: Site, london: Site, tmp_path: Path
    ) -> None:
        berlin.mark(CALLER, "201", time.time() - 60)
        hub.settle()
        copy = tmp_path / "copy.db"
        berlin.write(lambda db: None)
        berlin.rows("VACUUM INTO ?", str(copy))
        berlin.mark(OTHER, "201", time.time() - 30)
        hub.settle()
        for file in berlin.loaded.store_path.parent.glob("callsieve.db*"):
            file.unlink()
        copy.rename(berlin.loaded.store_path)
        hub.settle()
        assert berlin.marks(OTHER) == {"201": "spam"}
        berlin.mark(OTHER, "201", time.time(), "retracted")
        hub.settle()
        assert london.marks(OTHER) == {"berlin:201": "retracted"}

    @pytest.mark.parametrize(("waiting", "later"), [("spam", "retracted"), ("retracted", "spam")])
    def test_rows_waiting_in_a_backup_lose_to_later_ones(
        self, hub: TestHub, berlin: Site, london: Site, tmp_path: Path, waiting: str, later: str
    ) -> None:
        berlin.mark(OTHER, "201", time.time() - 90)
        hub.settle()
        berlin.mark(CALLER, "201", time.time() - 60, waiting)
        copy = tmp_path / "copy.db"
        berlin.rows("VACUUM INTO ?", str(copy))
        berlin.exchange()
        berlin.mark(CALLER, "201", time.time() - 30, later)
        hub.settle()
        for file in berlin.loaded.store_path.parent.glob("callsieve.db*"):
            file.unlink()
        copy.rename(berlin.loaded.store_path)
        hub.settle()
        assert berlin.marks() == {"201": later}
        assert london.marks() == {"berlin:201": later}
        assert berlin.stored() == london.stored() == hub.checksums()

    def test_hub_that_lost_rows_gets_them_again(self, hub: TestHub, berlin: Site, london: Site) -> None:
        berlin.mark(CALLER, "201", time.time() - 60)
        hub.settle()
        hub.run("DELETE FROM callsieve.evidence_row")
        hub.run("UPDATE callsieve.site SET version = 0")
        paris = hub.join("paris")
        hub.settle()
        assert paris.marks() == {"berlin:201": "spam"}

    def test_another_database_is_filled_again(self, hub: TestHub, berlin: Site, london: Site) -> None:
        berlin.mark(CALLER, "201", time.time() - 60)
        hub.settle()
        hub.run("UPDATE callsieve.hub SET id = gen_random_uuid()")
        hub.run("DELETE FROM callsieve.evidence_row")
        hub.settle()
        assert london.marks() == {"berlin:201": "spam"}
        assert london.stored() == hub.checksums()

    @pytest.mark.parametrize("is_cut", [False, True], ids=["at-once", "after-a-crash"])
    def test_rows_deleted_since_a_dump_are_deleted_again(
        self, hub: TestHub, berlin: Site, london: Site, monkeypatch: pytest.MonkeyPatch, is_cut: bool
    ) -> None:
        """Also if the site crashes while it sends the deletions."""
        berlin.mark(CALLER, "201", time.time() - 60)
        berlin.mark(OTHER, "201", time.time() - 60)
        hub.settle()
        berlin.write(lambda db: db.execute("DELETE FROM mark WHERE number = ?", (CALLER,)))
        hub.settle()
        hub.run("UPDATE callsieve.evidence_row SET deleted = false, payload = %s", (SAID,))  # as in the dump
        hub.run("UPDATE callsieve.site SET version = 0")
        hub.run("UPDATE callsieve.hub SET id = gen_random_uuid()")
        if is_cut:
            with monkeypatch.context() as patch:
                patch.setattr(outgoing, "send_rows_again", _die)
                with pytest.raises(ZeroDivisionError):
                    berlin.exchange()
        hub.settle()
        assert berlin.stored() == london.stored() == hub.checksums()
        assert london.marks(CALLER) == {}
        assert london.marks(OTHER) == {"berlin:201": "spam"}

    def test_dump_restored_elsewhere_works_after_init(self, hub: TestHub, berlin: Site, london: Site) -> None:
        """Transaction ids start lower there, so rows would be skipped for years."""
        berlin.mark(CALLER, "201", time.time() - 60)
        berlin.exchange()
        for table in ("evidence_row", "fresh"):
            hub.run(f"UPDATE callsieve.{table} SET xid = (xid::text::bigint + 1000000)::text::xid8")
        london.exchange()
        assert london.marks() == {}
        hub.make_again()
        hub.settle()
        assert london.marks() == {"berlin:201": "spam"}


class TestCursor:
    """Rows are seen in the order of their transactions, and none is passed over."""

    def test_late_transaction_is_not_skipped(self, hub: TestHub, berlin: Site, london: Site) -> None:
        paris = hub.join("paris")
        for site in (berlin, london, paris):
            site.exchange()

        async def late() -> None:
            async with connection_to(address_of_site(berlin.loaded)) as connection:
                await connection.rows("BEGIN")
                push = "SELECT callsieve.push(%s::text[],%s::text[],%s::text[],%s::text[],%s::text[],%s::bigint[]," \
                    "%s::bigint[],%s::boolean[],%s::boolean[])"  # fmt: skip
                payload = '{"verdict":"spam","channel":"cli","category":"","linkedid":""}'
                at_us = int((time.time() - 60) * MICROSECONDS)
                row = (["mark"], [OTHER], ['["unknown",0,"201"]'], [payload], [""], [at_us], [at_us], [False], [False])
                await connection.rows(push, row)
                paris.mark(CALLER, "401", time.time() - 30)  # later, and ends first
                await asyncio.to_thread(paris.exchange)
                await asyncio.to_thread(london.exchange)
                assert london.marks(OTHER) == {}
                await connection.rows("COMMIT")

        asyncio.run(late())
        london.exchange()
        assert london.marks(CALLER) == {"paris:401": "spam"}
        assert london.marks(OTHER) == {"berlin:201": "spam"}

    def test_exchange_works_in_several_batches(
        self, hub: TestHub, berlin: Site, london: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sync, "PULL", 7)
        monkeypatch.setattr(sync, "BATCH", 5)
        monkeypatch.setattr(session, "WRITE_SECONDS", 0.0)
        for last in range(40):
            berlin.mark(f"+120155502{last:02}", "201", time.time() - 60)
        hub.settle()
        assert london.rows("SELECT count(*) FROM mark") == [(40,)]
        assert london.stored() == hub.checksums()


class TestAdministratorRows:
    """Entries of an administrator apply at sites that follow."""

    def test_identity_of_the_head_office_applies_to_followers(self, hub: TestHub) -> None:
        head, branch, stranger = hub.join("head"), hub.join("branch", follow=["head"]), hub.join("stranger")
        head.write(set_identity, Identity(CALLER, "Our bank", 2, time.time() + 9e6, "by letter"), time.time() - 9)
        hub.settle()
        assert branch.rows("SELECT name, note FROM identity") == [("Our bank", "")]
        assert stranger.rows("SELECT name FROM identity") == []
        branch.write_settings({})
        branch.exchange()
        assert branch.rows("SELECT name FROM identity") == []

    def test_private_rows_go_to_a_central_site_only(self, hub: TestHub) -> None:
        berlin, london = hub.join("berlin", private=True), hub.join("london")
        center = hub.join("center", is_central=True)
        berlin.write(lambda db: db.execute("INSERT INTO talk VALUES (?, '201', ?)", (CALLER, time.time() - 60)))
        berlin.mark(CALLER, "201", time.time() - 60)
        hub.settle()
        assert london.rows("SELECT person FROM talk") == []
        assert center.rows("SELECT person FROM talk") == [("berlin:201",)]

    def test_standby_has_all_rows_of_its_site_as_its_own(self, hub: TestHub) -> None:
        berlin = hub.join("berlin", private=True)
        berlin.mark(CALLER, "201", time.time() - 60, group="sales")
        berlin.write(lambda db: db.execute("INSERT INTO talk VALUES (?, '201', ?)", (CALLER, time.time() - 60)))
        berlin.exchange()
        standby = Site(hub, "berlin", "main", hub.folder / "standby")
        standby.write_settings({"standby": True, "private": True})
        (standby.loaded.state / "hub.secret").write_bytes((berlin.loaded.state / "hub.secret").read_bytes())
        (standby.loaded.state / "hub.secret").chmod(0o600)
        standby.exchange()
        assert standby.rows("SELECT reporter, grp, reason FROM mark") == [("201", "sales", "said by 201")]
        assert standby.rows("SELECT person FROM talk") == [("201",)]
        assert standby.rows(STANDINGS) == berlin.rows(STANDINGS)


class TestPermissions:
    """A site writes its own rows and sees its organisation."""

    def login(self, site: Site) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(connection_text(address_of_site(site.loaded)), autocommit=True)

    def test_another_organisation_sees_no_rows(self, hub: TestHub, berlin: Site) -> None:
        theirs = hub.join("berlin2", organisation="other")
        hub.sites.pop("berlin2")
        berlin.mark(CALLER, "201", time.time() - 60)
        berlin.exchange()
        theirs.exchange()
        assert theirs.marks() == {}
        with self.login(theirs) as connection:
            for table in ("evidence_row", "notice"):
                assert connection.execute(f"SELECT count(*) FROM callsieve.{table}").fetchall() == [(0,)]
            assert connection.execute("SELECT name FROM callsieve.site").fetchall() == [("berlin2",)]
            assert connection.execute("SELECT * FROM callsieve.checksums()").fetchall() == []

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO callsieve.evidence_row SELECT * FROM callsieve.evidence_row",
            "UPDATE callsieve.evidence_row SET payload = ''",
            "DELETE FROM callsieve.evidence_row",
            "UPDATE callsieve.site SET is_central = true",
            "INSERT INTO callsieve.notice (organisation, what, subject) VALUES ('main', 'expel', 'london')",
            "SELECT callsieve.expel('main', 'london', true)",
            "SELECT own FROM callsieve.evidence_row",
            "CREATE TABLE callsieve.mine (id integer)",
            "SET ROLE callsieve_hub",
        ],
    )
    def test_statement_beyond_the_rights_of_a_site_is_refused(
        self, hub: TestHub, berlin: Site, london: Site, statement: str
    ) -> None:
        with self.login(berlin) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())

    def test_pushed_rows_always_belong_to_their_site(self, hub: TestHub, berlin: Site, london: Site) -> None:
        berlin.mark(CALLER, "london:305", time.time() - 60)
        berlin.mark(CALLER, "201", time.time() - 60)
        hub.settle()
        assert hub.run("SELECT origin, key FROM callsieve.evidence_row") == [("berlin", '["unknown",0,"201"]')]

    def test_rows_per_number_and_site_are_limited(self, hub: TestHub, berlin: Site, london: Site) -> None:
        hub.run(
            "INSERT INTO callsieve.evidence_row SELECT 'main', 'mark', 'berlin', %s, g::text, '', '', g, 1, now(),"
            " false, false, '1', g FROM generate_series(1, 2000) AS g",
            (CALLER,),
        )
        for number in (CALLER, OTHER):
            berlin.mark(number, "201", time.time() - 60)
        berlin.exchange()
        rows = "SELECT number, count(*) FROM callsieve.evidence_row GROUP BY number ORDER BY number"
        assert hub.run(rows) == [(CALLER, 2000), (OTHER, 1)]

    def test_secret_of_another_site_is_reported(self, hub: TestHub, berlin: Site, london: Site) -> None:
        secret = berlin.loaded.state / "hub.secret"
        secret.write_bytes((london.loaded.state / "hub.secret").read_bytes())
        with pytest.raises(HubError, match="the hub identifies this PBX as london"):
            berlin.exchange()


class TestExpulsion:
    """Expulsion removes the rows of one site everywhere."""

    @pytest.fixture
    def paris(self, hub: TestHub, berlin: Site, london: Site) -> Site:
        paris = hub.join("paris")
        for site, person in ((berlin, "201"), (london, "305"), (paris, "401")):
            for number in (CALLER, OTHER):
                site.mark(number, person, time.time() - 60)
        hub.settle()
        return paris

    def expel(self, hub: TestHub, name: str) -> None:
        async def ask() -> None:
            async with connection_to(hub.admin_address) as connection:
                await administration.expel_site(connection, "main", name)

        asyncio.run(ask())
        hub.sites.pop(name)

    def test_expulsion_removes_exactly_the_evidence_of_the_site(
        self, hub: TestHub, berlin: Site, london: Site, paris: Site
    ) -> None:
        self.expel(hub, "paris")
        hub.settle()
        assert berlin.marks() == {"201": "spam", "london:305": "spam"}
        assert london.marks() == {"berlin:201": "spam", "305": "spam"}
        assert berlin.stored() == london.stored() == hub.checksums()
        without = TestHub(hub.server, hub.folder / "without").make()
        for name, person in (("berlin", "201"), ("london", "305")):
            for number in (CALLER, OTHER):
                ((at,),) = hub.sites[name].rows("SELECT at FROM mark WHERE number = ? AND reporter = ?", number, person)
                without.join(name).mark(number, person, at)  # type: ignore[arg-type]
        without.settle()
        assert berlin.rows(STANDINGS) == without.sites["berlin"].rows(STANDINGS)

    def test_expelled_site_can_no_longer_exchange(self, hub: TestHub, berlin: Site, paris: Site) -> None:
        self.expel(hub, "paris")
        paris.mark(CALLER, "402", time.time())
        with pytest.raises(HubError):
            paris.exchange()
        hub.settle()
        assert "paris:402" not in berlin.marks()

    def test_expelled_site_may_join_again(self, hub: TestHub, berlin: Site, paris: Site) -> None:
        self.expel(hub, "paris")
        hub.settle()
        paris = hub.join("paris")
        paris.mark(CALLER, "401", time.time(), "ok")
        hub.settle()
        assert berlin.marks() == {"201": "spam", "london:305": "spam", "paris:401": "ok"}


def test_erased_number_is_erased_everywhere_and_stays_erased(
    hub: TestHub, berlin: Site, london: Site, tmp_path: Path
) -> None:
    paris = hub.join("paris")
    berlin.mark(CALLER, "201", time.time() - 60)
    berlin.mark(OTHER, "201", time.time() - 60)
    hub.settle()
    paris.mark(CALLER, "401", time.time() - 40)  # and paris is away
    london.write(number_operations.erase, context_of(london.loaded), CALLER)
    assert london.rows("SELECT number FROM hub_erasure") == [(CALLER,)]
    london.exchange()
    assert hub.run("SELECT count(*) FROM callsieve.evidence_row WHERE number = %s", (CALLER,)) == [(0,)]
    hub.settle()
    for site in hub.sites.values():
        assert site.marks(CALLER) == {}
        assert "spam" in site.marks(OTHER).values()
        for table in ("hub_row", "hub_outbox", "hub_erasure"):
            assert site.rows(f"SELECT count(*) FROM {table} WHERE number = ?", CALLER) == [(0,)]
    assert CALLER.encode() not in paris.loaded.store_path.read_bytes()
    assert hub.run("SELECT count(*) FROM callsieve.evidence_row WHERE number = %s", (CALLER,)) == [(0,)]
    paris.mark(CALLER, "401", time.time() + 1)
    time.sleep(1.1)
    hub.settle()
    assert berlin.marks(CALLER) == {"paris:401": "spam"}


def test_oversized_row_does_not_block_others(hub: TestHub) -> None:
    berlin, center = hub.join("berlin", private=True), hub.join("center", is_central=True)
    for person in ("x" * 1500, "201"):
        berlin.write(
            lambda db, who: db.execute("INSERT INTO talk VALUES (?, ?, ?)", (CALLER, who, time.time())), person
        )
    hub.settle()
    assert center.rows("SELECT person FROM talk") == [("berlin:201",)]


def test_expired_row_is_not_sent_as_retracted(hub: TestHub, berlin: Site, london: Site) -> None:
    """Every site removes it by itself, and so does the hub. Nor is it noted any longer."""
    for days, number in ((364.5, CALLER), (10.0, OTHER)):
        berlin.mark(number, "201", time.time() - days * 86_400)
    hub.settle()
    berlin.write(lambda db: db.execute("DELETE FROM mark"))
    hub.settle()
    assert hub.run("SELECT number, deleted FROM callsieve.evidence_row ORDER BY 1") == [(CALLER, False), (OTHER, True)]
    later = time.time() + 7 * 86_400
    assert [note[0] for note in london.read(notes_past_their_time, later, 10)] == [CALLER]
    assert len(london.read(notes_past_their_time, later + 40 * 86_400, 10)) == 2
    london.write(forget_notes, london.read(notes_past_their_time, later, 10))
    assert london.rows("SELECT number FROM hub_row") == [(OTHER,)]


def test_expired_rows_are_deleted_in_the_hub(hub: TestHub, berlin: Site) -> None:
    berlin.mark(CALLER, "201", time.time() - 364 * 86_400)
    berlin.mark(OTHER, "201", time.time() - 60)
    berlin.exchange()
    hub.run("UPDATE callsieve.evidence_row SET at_us = at_us - 172800000000")

    async def expire() -> int:
        async with connection_to(address_of_site(berlin.loaded)) as connection:
            return await client.expire(connection, 100)

    assert asyncio.run(expire()) == 1
    assert hub.run("SELECT number FROM callsieve.evidence_row") == [(OTHER,)]


@pytest.fixture(scope="module")
def secure() -> Iterator[PostgreSql]:
    with PostgreSql(tls=True) as server:
        yield server


class TestTls:
    """TLS: a hub that is not on loopback needs a valid certificate."""

    def ask(self, address: str) -> list[tuple[object, ...]]:
        async def rows() -> list[tuple[object, ...]]:
            async with connection_to(address) as connection:
                return await connection.rows("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

        return asyncio.run(rows())

    def test_server_with_a_valid_certificate_is_accepted(self, secure: PostgreSql) -> None:
        trust = f"sslrootcert={secure.authority_file}&host={TLS_NAME}&hostaddr={ADDRESS}"
        assert self.ask(secure.address(query=f"{trust}&sslmode=verify-full")) == [(True,)]

    @pytest.mark.parametrize("trust", ["", "sslrootcert={authority}"], ids=["unknown-authority", "another-name"])
    def test_server_with_an_invalid_certificate_is_refused(
        self, secure: PostgreSql, trust: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("callsieve.hub.postgresql._is_here", lambda host: False)
        with pytest.raises(HubError, match="certificate"):
            self.ask(secure.address(query=trust.format(authority=secure.authority_file)))

    @pytest.mark.parametrize(
        ("address", "is_checked"),
        [
            ("postgresql://hub.example.com/x", True),
            ("postgresql://192.0.2.7/x", True),
            ("postgresql:///x?host=hub.example.com&hostaddr=192.0.2.7", True),
            ("postgresql://127.0.0.1/x", False),
            ("postgresql://localhost/x", False),
            ("postgresql:///x?host=/run/postgresql", False),
        ],
    )
    def test_certificate_is_required_except_on_loopback(self, address: str, is_checked: bool) -> None:
        assert ("sslmode=verify-full" in connection_text(address)) is is_checked


def test_only_one_process_exchanges_a_store(berlin: Site) -> None:
    with only_process(berlin.loaded.state / process.LOCK, ""), pytest.raises(AlreadyRunning):
        berlin.exchange()
