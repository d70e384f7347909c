"""Erasure asked for by another site: evidence is erased, own entries wait for confirmation."""

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
from tests.callsieve.hub.test_hub_health import check_hub

pytestmark = pytest.mark.slow
OTHER = "+12015550124"
STAYS = ("list_entry", "personal_entry", "contact", "identity", "do_not_call", "appeal", "talk")
ERASE = "SELECT callsieve.erase(%s)"


def fill(db: sqlite3.Connection) -> None:
    """Add marks, entries and signals about the caller."""
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


def tables_with_number(site: Site) -> list[str]:
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
    assert tables_with_number(london) == sorted([*STAYS, "mark"])
    return london


class TestErasureByAnotherSite:
    """The site that asked is neither followed nor central."""

    @pytest.fixture
    def london(self, hub: TestHub, berlin: Site) -> Site:
        return make_london(hub)

    def test_own_entries_stay_and_evidence_is_erased(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        hub.settle()
        assert tables_with_number(london) == sorted(STAYS)
        assert tables_with_number(berlin) == []
        assert london.rows("SELECT count(*) FROM standing WHERE number = ? AND marks <> 0", CALLER) == [(0,)]
        assert {kind for origin, kind in kinds(hub)} >= {"list_entry", "identity", "personal_entry", "contact"}
        assert {origin for origin, _ in kinds(hub)} == {"london"}
        assert {kind for _, kind in kinds(hub)}.isdisjoint({"mark", "signal", "answered", "tombstone"})

    def test_audit_names_site_and_number_until_the_erasure(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        hub.settle()
        audit = "SELECT who, number FROM audit WHERE what = 'hub erasure'"
        assert london.rows(audit) == [("hub berlin", CALLER)]
        assert [(erasure.number, erasure.site) for erasure in london.read(waiting_erasures)] == [(CALLER, "berlin")]
        assert check_hub(london.loaded).status is CheckStatus.WARN
        london.write(number_operations.erase, context_of(london.loaded), CALLER)
        assert london.rows(audit) == [("hub berlin", None)]
        assert london.read(waiting_erasures) == []
        assert check_hub(london.loaded).status is CheckStatus.OK

    def test_confirmed_erasure_applies_everywhere(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        hub.settle()
        london.write(number_operations.erase, context_of(london.loaded), CALLER)
        hub.settle()
        assert tables_with_number(london) == []
        assert kinds(hub) == []
        assert tables_with_number(berlin) == []

    def test_refused_erasure_keeps_the_number_until_asked_again(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        hub.settle()
        london.write(site_operations.keep, context_of(london.loaded), CALLER)
        erase(berlin)
        hub.settle()
        assert london.read(waiting_erasures) == []
        assert tables_with_number(london) == sorted(STAYS)
        london.write(
            lambda db: db.execute(
                "UPDATE erasure_request SET kept_at = ?", (time.time() - (KEPT_DAYS + 1) * DAY_SECONDS,)
            )
        )
        erase(berlin)
        hub.settle()
        assert [erasure.number for erasure in london.read(waiting_erasures)] == [CALLER]

    def test_kept_rows_can_be_changed_and_deleted(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        hub.settle()
        london.write(lambda db: db.execute("UPDATE list_entry SET note = 'a good customer'"))
        hub.settle()
        note = "SELECT payload LIKE '%%good%%' FROM callsieve.evidence_row WHERE kind = 'list_entry' AND NOT deleted"
        assert hub.run(note) == [(True,)]
        london.write(lambda db: db.execute("DELETE FROM list_entry"))
        hub.settle()
        assert hub.run(note) == []

    def test_old_evidence_does_not_return(self, hub: TestHub, berlin: Site, london: Site) -> None:
        erase(berlin)
        london.mark(CALLER, "306", time.time() - 30)
        hub.settle()
        assert ("london", "mark") not in kinds(hub)

    def test_number_without_own_entries_is_erased_at_once(self, hub: TestHub, berlin: Site, london: Site) -> None:
        paris = hub.join("paris")
        hub.settle()
        assert tables_with_number(paris) == ["mark"]
        erase(berlin)
        hub.settle()
        assert tables_with_number(paris) == []
        assert paris.read(waiting_erasures) == []
        assert paris.rows("SELECT who, number FROM audit WHERE what = 'privacy erase'") == [("hub berlin", None)]

    def test_sites_and_hub_are_equal_after_an_erasure(self, hub: TestHub, berlin: Site, london: Site) -> None:
        london.mark(OTHER, "305", time.time() - 30)
        erase(berlin)
        hub.settle(3)
        assert london.stored() == berlin.stored() == hub.checksums()

    def test_central_site_erases_rows_of_the_asking_site(self, hub: TestHub, berlin: Site, london: Site) -> None:
        center = hub.join("center", is_central=True)
        berlin.write(lambda db: db.execute("INSERT INTO talk VALUES (?, '201', ?)", (CALLER, time.time() - 60)))
        hub.settle()
        assert {person for (person,) in center.rows("SELECT person FROM talk")} == {"berlin:201", "london:305"}
        erase(berlin)
        hub.settle()
        assert center.rows("SELECT person FROM talk") == [("london:305",)]


class TestCompleteErasure:
    """The site that asked is this one, followed, or central."""

    def test_erasure_by_a_followed_site_is_complete(self, hub: TestHub, berlin: Site) -> None:
        london = make_london(hub, follow=["berlin"])
        erase(berlin)
        hub.settle()
        assert tables_with_number(london) == []
        assert kinds(hub) == []
        assert london.read(waiting_erasures) == []

    def test_erasure_by_a_central_site_is_complete(self, hub: TestHub, berlin: Site) -> None:
        center = hub.join("center", is_central=True)
        london = make_london(hub)
        erase(center)
        assert kinds(hub) == []
        hub.settle()
        assert tables_with_number(london) == tables_with_number(berlin) == tables_with_number(center) == []

    def test_erasure_by_the_first_is_complete_at_its_standby(self, hub: TestHub, berlin: Site) -> None:
        london = make_london(hub)
        standby = standby_of(london)
        standby.exchange()
        assert "list_entry" in tables_with_number(standby)
        erase(berlin)
        hub.settle()
        standby.exchange()
        assert "list_entry" in tables_with_number(standby)
        london.write(number_operations.erase, context_of(london.loaded), CALLER)
        hub.settle()
        standby.exchange()
        assert tables_with_number(standby) == []
        assert standby.read(waiting_erasures) == []


def test_erasures_per_day_are_limited(hub: TestHub, berlin: Site) -> None:
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
