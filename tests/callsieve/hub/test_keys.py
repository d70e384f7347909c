"""Keys with colons, slashes, percent signs and spaces, of every kind of row: each site, standby and central console has
them as they were written, under the right site.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agi.parsing import incoming_call_of
from callsieve.changes.operation import Context
from callsieve.decide.call_facts import CallFacts, request_of
from callsieve.decide.operations import CallEnding, record_ending
from reputation.model import Disposition
from reputation.site_names import name_at_site, own_name, site_of
from reputation.store.calls import CallFilter, find_calls, sites_seen
from reputation.store.database import open_store
from reputation.store.hub.outgoing import has_outgoing
from reputation.store.hub.rows import KINDS, MICROSECONDS, Kind, SharedWith
from reputation.store.journal import record_decisions
from reputation.store.transaction import transaction
from reputation.users import Role
from tests.builders import make_site
from tests.callsieve.hub.sites import CALLER, Site, TestHub, standby_of
from tests.reputation.store_builders import make_record

pytestmark = pytest.mark.slow
NOW: Final = float(int(time.time()))
# No spaces at the ends: such a name cannot be typed.
NAMES: Final = st.text("ab:/% -.", min_size=1, max_size=12).map(str.strip).filter(bool)
AWKWARD: Final = ("sip:a/b@c%20 d", "berlin:17.1", "center:201", ":", "::x", "a:b", "PJSIP/a:b", "50% off: now")
# Columns with a vocabulary of their own that the table of kinds does not have.
WORDS: Final = {
    ("personal_entry", "verdict"): "block",
    ("personal_entry", "source"): "person",
    ("expected_call", "until"): NOW + 600,
    ("did", "screen"): 1,
    ("emergency_close", "only_row"): 1,
    ("appeal", "state"): "in_force",
    ("own_register", "state"): "active",
    ("own_grade", "grade"): "watch",
    ("outcome", "direction"): "inbound",
    ("signal", "category"): "long-talk",
    ("identity", "level"): 1,
    ("wish", "wish"): "no-whisper",
    ("list_entry", "kind"): "exact",
    ("list_entry", "last"): "",
    ("list_entry", "action"): None,
    ("published_policy", "text"): "rules = []",
    ("identity", "expires_at"): NOW + 9e6,
    ("tombstone", "until"): NOW + 9e6,
    ("list_entry", "expires_at"): NOW + 9e6,
}


def write_row_of(db: sqlite3.Connection, kind: Kind, place: int, name: str) -> None:
    """Write a row in which every free text is the name."""
    values: dict[str, object] = {}
    for _, column, kind_of_value, needed, _, _ in db.execute(f"PRAGMA table_info({kind.name})").fetchall():
        if column not in kind.columns and not needed:
            continue
        if column == kind.number:
            values[column] = f"+1201555{place:04}"
        elif (kind.name, column) in WORDS:
            values[column] = WORDS[kind.name, column]
        elif column in kind.allowed:
            values[column] = min(kind.allowed[column] - {None})
        elif column in kind.named:
            values[column] = own_name(name)
        elif kind_of_value == "TEXT":
            values[column] = "[]" if column == "rung" else name
        else:
            values[column] = NOW - 60 - place if kind_of_value == "REAL" else 0
    columns = ", ".join(values)
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT OR IGNORE INTO {kind.name} ({columns}) VALUES ({marks})", list(values.values()))


def fill(db: sqlite3.Connection, names: list[str]) -> None:
    for kind in KINDS.values():
        for place, name in enumerate(names):
            write_row_of(db, kind, place, name)


def empty(db: sqlite3.Connection) -> None:
    for kind in KINDS.values():
        db.execute(f"DELETE FROM {kind.name}")


def rows(site: Site, kind: Kind) -> list[dict[str, object]]:
    """Rows with their dates in microseconds, which is how they travel."""
    columns = [f"round({column} * {MICROSECONDS})" if column == kind.at else column for column in kind.columns]
    found = site.rows(f"SELECT {', '.join(columns)} FROM {kind.name} WHERE {kind.counts}")
    return sorted((dict(zip(kind.columns, row, strict=True)) for row in found), key=repr)


def at_its_site(kind: Kind, row: dict[str, object]) -> dict[str, object]:
    """Return a row of berlin at a central site, as berlin wrote it."""
    names = {column: str(row[column]) for column in kind.named}
    assert {site_of(name) for name in names.values()} <= {"berlin"}
    return row | {column: name_at_site(name) for column, name in names.items()}


def as_sent(kind: Kind, row: dict[str, object]) -> dict[str, object]:
    """Return a row of berlin without local columns."""
    is_statement = kind.scope is SharedWith.STATEMENT
    stays = {column: text or "" for column, text in kind.own.items() if text or is_statement}
    return row | {column: text.replace("{site}", "berlin") for column, text in stays.items()}


class Office:
    """A site, its standby and a central console, of one hub."""

    def __init__(self, hub: TestHub) -> None:
        self.berlin = hub.join("berlin", private=True)
        self.center = hub.join("center", is_central=True, follow=["berlin"])
        self.second = standby_of(self.berlin)
        self.exchange()

    def exchange(self) -> None:
        for site in (self.berlin, self.second, self.center):
            site.exchange()


@pytest.fixture
def office(hub: TestHub) -> Office:
    return Office(hub)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(names=list(AWKWARD))
@given(names=st.lists(NAMES, min_size=4, max_size=10, unique=True))
def test_rows_of_every_kind_round_trip(office: Office, names: list[str]) -> None:
    office.berlin.write(fill, names)
    office.exchange()
    for kind in KINDS.values():
        ours = rows(office.berlin, kind)
        assert ours, kind.name
        assert (kind.name, rows(office.second, kind)) == (kind.name, ours)
        seen = [at_its_site(kind, row) for row in rows(office.center, kind)]
        expected = [] if kind.scope is SharedWith.STANDBY else sorted((as_sent(kind, row) for row in ours), key=repr)
        assert (kind.name, sorted(seen, key=repr)) == (kind.name, expected)
    assert not office.berlin.read(has_outgoing)
    office.berlin.write(empty)
    office.exchange()
    for site, left in ((office.second, ["policy_in_force"]), (office.center, [])):  # which berlin tells by itself
        assert [kind.name for kind in KINDS.values() if rows(site, kind)] == left


@given(one=NAMES, other=NAMES)
def test_own_names_are_unique(one: str, other: str) -> None:
    assert site_of(own_name(one)) == ""
    assert (own_name(one) == own_name(other)) == (one == other)


@pytest.mark.parametrize("call_id", ["17@10.0.0.1:5060", "a/b%20c d", "berlin:17.1", "x" * 200])
def test_call_through_the_api_reaches_all_sites(office: Office, call_id: str) -> None:
    call = incoming_call_of(request_of(CallFacts(caller=CALLER, call_id=call_id), "FRESH"), make_site())
    office.berlin.write(record_decisions, [make_record("AAAA1111", NOW - 60, CALLER, call.linkedid, callee="201")])
    ending = CallEnding(
        call_id=call_id, disposition=Disposition.ANSWERED, caller=CALLER, answered_by="PJSIP/201", rang=("PJSIP/201",),
        talk_seconds=3.0, ended_by="callee", ended_at=NOW - 50,
    )  # fmt: skip
    loaded = office.berlin.loaded
    with open_store(loaded.store_path) as db, transaction(db):
        record_ending(db, Context("switch", Role.OPERATOR, NOW, loaded), ending)
    office.exchange()
    assert office.center.read(sites_seen) == ["berlin"]
    found = office.center.read(find_calls, CallFilter(site="berlin"), None, 9)
    assert [(item.id, item.disposition) for item in found] == [("AAAA1111", Disposition.ANSWERED)]
    assert office.center.rows("SELECT category FROM signal") == [("hung-up-on",)]
    assert office.second.rows("SELECT linkedid FROM outcome") == [(call.linkedid,)]
