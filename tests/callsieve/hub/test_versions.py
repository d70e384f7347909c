"""Sites with different versions of CallSieve: each uses the rows that it can, reports the others, and loses none.

An older version is this program without some columns and kinds of rows. Tables have them, as after its update.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import pytest

from callsieve.doctor.finding import CheckContext, Finding
from callsieve.health import CheckStatus
from callsieve.hub.checks import is_exchanged
from callsieve.hub.operations import UPDATE, link_shown
from reputation.model import ListName
from reputation.store.hub.link import RefusedRows
from reputation.store.hub.rows import KINDS, Unfit
from reputation.store.hub.sites import Origin, origin_of_entry
from reputation.store.lists import Contact, add_contacts, add_entry, list_entries
from tests.callsieve.hub.sites import CALLER, Site, TestHub, standby_of
from tests.callsieve.hub.test_hostile import push_by_hand
from tests.reputation.store_builders import make_entry

pytestmark = pytest.mark.slow
NOW: Final = float(int(time.time()))
DID: Final = "+442071838790"
# Columns and kinds that the older version does not have.
NEW_COLUMNS: Final[Mapping[str, frozenset[str]]] = {
    "contact": frozenset({"company"}),
    "did": frozenset({"trap"}),
    "outcome": frozenset({"trap", "verified"}),
    "list_entry": frozenset({"note"}),
}
NEW_KINDS: Final = ("trap_call",)
CONTACTS: Final = "SELECT number, name, company FROM contact"
DIDS: Final = "SELECT number, grp, trap FROM did"
TRAP_CALLS: Final = "SELECT number, did, verified FROM trap_call"


@contextmanager
def older() -> Iterator[None]:
    """Act as the older version inside the block."""
    with pytest.MonkeyPatch.context() as patch:
        for name, columns in NEW_COLUMNS.items():
            kind = KINDS[name]
            shared = tuple(column for column in kind.shared if column not in columns)
            defaults = {column: value for column, value in kind.defaults.items() if column not in columns}
            patch.setitem(KINDS, name, replace(kind, shared=shared, defaults=defaults))
        for name in NEW_KINDS:
            patch.delitem(KINDS, name)
        yield


def exchange_as_older(site: Site) -> None:
    """Exchange everything as the older version. What follows is as after an update."""
    with older():
        site.exchange()
    site.write(lambda db: db.execute("UPDATE hub_link SET program = 'older'"))


def check_hub(site: Site) -> Finding:
    answers: dict[str, str] = {}
    return is_exchanged(CheckContext(site.loaded, answers.__getitem__, time.time()))


def fill(db: sqlite3.Connection, company: str | None, trap: int) -> None:
    add_contacts(db, "book", [Contact(CALLER, "Bo", None, company)])
    db.execute(
        "INSERT INTO did (number, grp, callee, screen, source, trap) VALUES (?, '', NULL, 1, 'import', ?)", (DID, trap)
    )


@pytest.fixture
def first(hub: TestHub) -> Site:
    return hub.join("berlin", private=True)


@pytest.fixture
def second(first: Site) -> Site:
    return standby_of(first)


def test_rows_of_an_older_site_are_taken(first: Site, second: Site) -> None:
    exchange_as_older(first)
    first.write(fill, None, 0)
    exchange_as_older(first)
    second.exchange()
    assert second.rows(CONTACTS) == [(CALLER, "Bo", None)]
    assert second.rows(DIDS) == [(DID, "", 0)]
    assert check_hub(second).status is CheckStatus.OK
    first.exchange()  # updated
    first.write(lambda db: db.execute("UPDATE did SET trap = 1"))
    first.exchange()
    second.exchange()
    assert second.rows(DIDS) == [(DID, "", 1)]


def test_updated_standby_gets_previously_refused_rows(first: Site, second: Site) -> None:
    first.exchange()
    first.write(fill, "acme", 1)
    first.write(
        lambda db: db.execute("INSERT INTO trap_call VALUES (?, 'unknown', 0, '1.1', ?, 1, ?)", (CALLER, DID, NOW))
    )
    first.exchange()
    exchange_as_older(second)
    assert (second.rows(CONTACTS), second.rows(DIDS)) == ([(CALLER, "Bo", None)], [(DID, "", 0)])
    found = check_hub(second)
    assert (found.status, found.remedy) == (CheckStatus.WARN, UPDATE[Unfit.NEWER])
    settle_pair(first, second)
    assert second.rows(TRAP_CALLS) == [(CALLER, DID, 1)]


def test_rows_of_a_newer_standby_survive_the_update_of_the_first(first: Site, second: Site) -> None:
    """The standby was updated first and took over; then they were switched back, and the first was updated."""
    exchange_as_older(first)
    second.exchange()
    switch(first, second)
    second.write(fill, "acme", 1)
    second.exchange()
    exchange_as_older(first)
    assert first.rows(CONTACTS) == [(CALLER, "Bo", None)]
    switch(second, first)
    settle_pair(first, second)


def test_change_by_an_older_site_keeps_newer_fields(first: Site, second: Site) -> None:
    first.exchange()
    first.write(fill, "acme", 1)
    first.exchange()
    exchange_as_older(second)
    switch(first, second)
    second.write(lambda db: db.execute("UPDATE contact SET name = 'Bo'"))  # sent without the company
    exchange_as_older(second)
    first.exchange()
    assert first.rows(CONTACTS) == [(CALLER, "Bo", "acme")]
    settle_pair(first, second)


def switch(to_standby: Site, to_first: Site) -> None:
    """Calls go to the other one from now on."""
    to_standby.write_settings({"private": True, "standby": True})
    to_first.write_settings({"private": True})


def settle_pair(first: Site, second: Site) -> None:
    """Both are updated: each has everything, whoever exchanges first."""
    for site in (second, first, second, first):
        site.exchange()
    for site in (first, second):
        assert site.rows(CONTACTS) == [(CALLER, "Bo", "acme")]
        assert site.rows(DIDS) == [(DID, "", 1)]
        assert check_hub(site).status is CheckStatus.OK


def test_local_change_survives_an_older_exchange(first: Site, second: Site) -> None:
    first.exchange()
    first.write(fill, "acme", 1)
    first.exchange()
    exchange_as_older(second)
    second.write(lambda db: db.execute("UPDATE contact SET name = 'Bob'"))
    second.exchange()
    assert second.rows(CONTACTS) == [(CALLER, "Bob", None)]


def test_row_kept_by_an_older_site_stays_with_its_origin(hub: TestHub) -> None:
    office, branch = hub.join("office"), hub.join("branch", follow=["office"])
    office.write(add_entry, make_entry(CALLER, list_name=ListName.BLOCK, note="said the office"))
    office.exchange()
    exchange_as_older(branch)
    assert [entry.note for entry in branch.read(list_entries)] == [""]
    hub.settle()
    (entry,) = branch.read(list_entries)
    assert entry.note == "said the office"
    assert branch.read(origin_of_entry, entry, ["office"]) == Origin("office")
    assert hub.run("SELECT origin FROM callsieve.evidence_row WHERE kind = 'list_entry'") == [("office",)]


@pytest.mark.parametrize(
    ("kind", "payload", "unfit"),
    [
        pytest.param("mark", '{"channel":"cli"}', Unfit.OLDER, id="required-field-missing"),
        pytest.param("mark", '{"verdict":"maybe","channel":"cli"}', Unfit.NEWER, id="unknown-value"),
        pytest.param("hunch", "{}", Unfit.NEWER, id="unknown-kind"),
        pytest.param("mark", '{"verdict":1,"channel":"cli"}', Unfit.ODD, id="impossible-value"),
    ],
)
def test_doctor_names_sites_whose_rows_are_unusable(hub: TestHub, kind: str, payload: str, unfit: Unfit) -> None:
    berlin, london = hub.join("berlin"), hub.join("london")
    push_by_hand(berlin, kind, ["unknown", 0, "201"], payload)
    london.exchange()
    found = check_hub(london)
    assert not isinstance(found.detail, str)
    assert (found.status, found.remedy) == (CheckStatus.WARN, UPDATE[unfit])
    assert dict(found.detail.places) == {"sites": "berlin", "count": 1}
    assert london.read(link_shown).refused == (RefusedRows("berlin", unfit, 1),)
