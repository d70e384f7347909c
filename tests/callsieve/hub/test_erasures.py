"""What becomes of a number that another site had erased: evidence goes, what is said here waits for a yes here."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

import psycopg
import pytest

from callsieve.cli.options import context_of
from callsieve.health import CheckStatus
from callsieve.hub import site_operations
from callsieve.numbers import operations as number_operations
from reputation.model import EntryKind, Identity, ListEntry, ListName
from reputation.store.hub.incoming import KEPT_DAYS, waiting_erasures
from reputation.store.identities import set_identity
from reputation.store.lists import add_entry
from reputation.weights import DAY_SECONDS
from tests.callsieve.hub.sites import CALLER, Site, TestHub, standby_of
from tests.callsieve.hub.test_hostile import login
from tests.callsieve.hub.test_hub_health import looked_at

pytestmark = pytest.mark.slow
OTHER = "+12015550124"
STAYS = ("list_entry", "personal_entry", "contact", "identity", "do_not_call", "appeal", "talk")
ERASE = "SELECT callsieve.erase(%s)"


def fill(db: sqlite3.Connection) -> None:
    """What people of a site said about the caller, and what calls showed."""
    at = time.time() - 90
    add_entry(db, ListEntry(ListName.ALLOW, EntryKind.EXACT, CALLER, note="a customer", added_at=at))
    set_identity(db, Identity(CALLER, "Acme", 1, at + 86_400), at)
    db.execute("INSERT INTO personal_entry VALUES (?, '305', 'allow', 1, 'person')", (CALLER,))
    db.execute("INSERT INTO contact VALUES (?, '305', 'book', 'Acme', NULL)", (CALLER,))
    db.execute("INSERT INTO talk VALUES (?, '305', ?)", (CALLER, at))
    db.execute("INSERT INTO do_not_call VALUES (?, ?, '', '305', '', 0)", (CALLER, at))
    db.execute(
        "INSERT INTO appeal"
        " (reference, number, name, contact, opened_at, statement, state, proven, reason, category_only)"
        " VALUES ('AB12', ?, '', '', ?, 'we sell nothing', 'open', 0, '', 0)",
        (CALLER, at),
    )


def erase(site: Site, number: str = CALLER) -> None:
    with login(site) as connection:
        connection.execute(ERASE, (number,))


def left(site: Site) -> list[str]:
    """The tables that still have the number."""
    with_number = site.read(number_operations.stored_about, context_of(site.loaded), CALLER)
    return sorted(table for table, count in with_number.erasable.items() if count and table in (*STAYS, "mark"))


def kinds(hub: TestHub) -> list[tuple[object, ...]]:
    return hub.run(
        "SELECT DISTINCT origin, kind FROM callsieve.evidence_row WHERE number = %s AND NOT deleted ORDER BY 1, 2",
        (CALLER,),
    )


@pytest.fixture
def berlin(hub: TestHub) -> Site:
    return hub.join("berlin", private=True)


def make_london(hub: TestHub, follow: Sequence[str] = ()) -> Site:
    """London knows the caller, and everybody has all of that."""
    london = hub.join("london", private=True, follow=list(follow))
    london.write(fill)
    for site, person in ((hub.sites["berlin"], "201"), (london, "305")):
        site.mark(CALLER, person, time.time() - 60)
    hub.settle()
    assert left(london) == sorted([*STAYS, "mark"])
    return london


class TestForeign:
    """The site that asked is neither followed nor central."""

    @pytest.fixture
    def london(self, hub: TestHub, berlin: Site) -> Site:
        return make_london(hub)

    def test_what_is_said_here_stays_and_evidence_goes(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        hub.settle()
        assert left(london) == sorted(STAYS)
        assert left(berlin) == []
        assert london.rows("SELECT count(*) FROM standing WHERE number = ? AND marks <> 0", CALLER) == [(0,)]
        assert {kind for origin, kind in kinds(hub)} >= {"list_entry", "identity", "personal_entry", "contact"}
        assert {origin for origin, _ in kinds(hub)} == {"london"}
        assert {kind for _, kind in kinds(hub)}.isdisjoint({"mark", "signal", "answered", "tombstone"})

    def test_the_audit_names_site_and_number_until_the_yes(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        hub.settle()
        audit = "SELECT who, number FROM audit WHERE what = 'hub erasure'"
        assert london.rows(audit) == [("hub berlin", CALLER)]
        assert [(erasure.number, erasure.site) for erasure in london.read(waiting_erasures)] == [(CALLER, "berlin")]
        assert looked_at(london.loaded).status is CheckStatus.WARN
        london.write(number_operations.erase, context_of(london.loaded), CALLER)
        assert london.rows(audit) == [("hub berlin", None)]
        assert london.read(waiting_erasures) == []
        assert looked_at(london.loaded).status is CheckStatus.OK

    def test_a_yes_goes_everywhere(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        hub.settle()
        london.write(number_operations.erase, context_of(london.loaded), CALLER)
        hub.settle()
        assert left(london) == []
        assert kinds(hub) == []
        assert left(berlin) == []

    def test_a_no_keeps_it_and_is_not_asked_again(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        hub.settle()
        london.write(site_operations.keep, context_of(london.loaded), CALLER)
        erase(berlin)
        hub.settle()
        assert london.read(waiting_erasures) == []
        assert left(london) == sorted(STAYS)
        london.write(
            lambda db: db.execute(
                "UPDATE erasure_request SET kept_at = ?", (time.time() - (KEPT_DAYS + 1) * DAY_SECONDS,)
            )
        )
        erase(berlin)
        hub.settle()
        assert [erasure.number for erasure in london.read(waiting_erasures)] == [CALLER]

    def test_what_stays_is_changed_and_taken_back_as_ever(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        hub.settle()
        london.write(lambda db: db.execute("UPDATE list_entry SET note = 'a good customer'"))
        hub.settle()
        note = "SELECT payload LIKE '%%good%%' FROM callsieve.evidence_row WHERE kind = 'list_entry' AND NOT deleted"
        assert hub.run(note) == [(True,)]
        london.write(lambda db: db.execute("DELETE FROM list_entry"))
        hub.settle()
        assert hub.run(note) == []

    def test_old_evidence_does_not_come_back(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        london.mark(CALLER, "306", time.time() - 30)
        hub.settle()
        assert ("london", "mark") not in kinds(hub)

    def test_where_nothing_else_is_known_it_goes_at_once(self, hub: TestHub, berlin: Site, london: Site) -> None:
        paris = hub.join("paris")
        hub.settle()
        assert left(paris) == ["mark"]
        erase(berlin)
        hub.settle()
        assert left(paris) == []
        assert paris.read(waiting_erasures) == []
        assert paris.rows("SELECT who, number FROM audit WHERE what = 'privacy erase'") == [("hub berlin", None)]

    def test_sites_and_hub_are_alike_afterwards(self, hub: TestHub, berlin: Site, london: Site) -> None:
        london.mark(OTHER, "305", time.time() - 30)
        erase(berlin)
        hub.settle(3)
        assert london.stored() == berlin.stored() == hub.checksums()

    def test_a_central_site_forgets_what_the_asking_site_told(self, hub: TestHub, berlin: Site, london: Site) -> None:
        center = hub.join("center", is_central=True)
        berlin.write(lambda db: db.execute("INSERT INTO talk VALUES (?, '201', ?)", (CALLER, time.time() - 60)))
        hub.settle()
        assert {person for (person,) in center.rows("SELECT person FROM talk")} == {"berlin:201", "london:305"}
        erase(berlin)
        hub.settle()
        assert center.rows("SELECT person FROM talk") == [("london:305",)]


class TestWhole:
    """The site that asked is this one, followed, or central."""

    def test_of_a_followed_site(self, hub: TestHub, berlin: Site) -> None:
        london = make_london(hub, follow=["berlin"])
        erase(berlin)
        hub.settle()
        assert left(london) == []
        assert kinds(hub) == []
        assert london.read(waiting_erasures) == []

    def test_of_a_central_site(self, hub: TestHub, berlin: Site) -> None:
        center = hub.join("center", is_central=True)
        london = make_london(hub)
        erase(center)
        assert kinds(hub) == []
        hub.settle()
        assert left(london) == left(berlin) == left(center) == []

    def test_of_the_first_at_its_standby(self, hub: TestHub, berlin: Site) -> None:
        london = make_london(hub)
        standby = standby_of(london)
        standby.exchange()
        assert "list_entry" in left(standby)
        erase(berlin)
        hub.settle()
        standby.exchange()
        assert "list_entry" in left(standby)
        london.write(number_operations.erase, context_of(london.loaded), CALLER)
        hub.settle()
        standby.exchange()
        assert left(standby) == []
        assert standby.read(waiting_erasures) == []


def test_the_daily_limit_is_an_error(hub: TestHub, berlin: Site) -> None:
    """A site that goes mad or lies does not empty every store."""
    berlin.mark(CALLER, "201", time.time() - 60)
    berlin.exchange()
    with login(berlin) as connection:
        many = "SELECT callsieve.erase('+1201' || (5550200 + n)) FROM generate_series(1, 1000) AS n"
        assert {gone for (gone,) in connection.execute(many)} == {0}
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            connection.execute(ERASE, (CALLER,))
    assert hub.run("SELECT count(*) FROM callsieve.notice") == [(1000,)]
    assert kinds(hub) == [("berlin", "mark")]
