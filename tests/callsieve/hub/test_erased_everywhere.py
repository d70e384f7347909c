"""`privacy erase` removes a number from every text of every table: here, at the standby, and at other sites.

Other sites erase shared rows at once, and the rest after confirmation.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import cycle
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from callsieve.cli.options import context_of
from callsieve.numbers import operations as number_operations
from reputation.store.database import open_store
from reputation.store.hub.incoming import EVIDENCE, waiting_erasures
from reputation.store.hub.rows import Kind
from reputation.store.privacy import digits_in_text, text_columns
from reputation.store.tables.every import TABLE_BY_NAME, TABLES
from reputation.store.tables.table import OURS, Table
from reputation.store.transaction import transaction
from tests.callsieve.hub.sites import Site, TestHub, standby_of
from tests.reputation.test_store_privacy import closed_columns, make_store

pytestmark = pytest.mark.slow
# A second row of these would be another link or another site.
ONE_ROW: Final = frozenset(
    {"hub_link", "site", "folding", "event_weights", "hub_first_try", "migration", "policy_in_force"}
)
# Columns that the hub writes, or reads by its own rules.
OF_HUB: Final = frozenset({"hub_outbox", "hub_row", "hub_erasure", "hub_fill", "hub_site", "erasure_request"})
SPELLINGS: Final = ("{}", "+1 ({0}) {1}-{2}", "1-{0}-{1}-{2}", "{0} {1} {2}", "{0}.{1}.{2}")


class Place(NamedTuple):
    """A text column that can contain a number."""

    table: str
    column: str


def places() -> list[Place]:
    with make_store() as db:
        return [
            Place(table.name, column)
            for table in TABLES
            if table.name not in ONE_ROW | OF_HUB
            for column in text_columns(db, table)
            if column not in {**closed_columns(db, table.name), **words_of(table)}
            and (table.kind is None or column != table.kind.number)  # a number of ours
        ]


def words_of(table: Table) -> dict[str, Any]:
    """Return a valid word for each column with a closed vocabulary at the hub."""
    allowed = table.kind.allowed if table.kind else {}
    return {column: min(word for word in words if word is not None) for column, words in allowed.items()}


PLACES: Final = places()
TOLD: Final = {place.table for place in PLACES if TABLE_BY_NAME[place.table].shared}
ABOUT: Final = [table for table in TABLES if table.numbers and table.name not in OF_HUB]


def put(db: sqlite3.Connection, name: str, values: Mapping[str, object]) -> None:
    """Insert a row with these values, and with values for its other required columns."""
    table, now = TABLE_BY_NAME[name], time.time()
    usual = {"TEXT": "", "INTEGER": 1, "REAL": now - 60, "BLOB": b"x"}
    columns = db.execute(f"PRAGMA table_info({name})").fetchall()
    row: dict[str, object] = {column: usual[kind] for _, column, kind, *_ in columns}
    row |= closed_columns(db, name) | words_of(table)
    row |= {column: "201" for column in (table.kind.named if table.kind else ())}
    row |= {column: now + 86_400 for column in row.keys() & {"expires_at", "until"} if row[column] != "201"}
    row |= dict.fromkeys((*table.numbers, *table.own_numbers), f"+44207183{db.total_changes:04}"[:13]) | dict(values)
    if name == "list_entry":
        row["last"] = ""
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT OR REPLACE INTO {name} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def write_freely(site: Site, write: Callable[[sqlite3.Connection], None]) -> None:
    """Write rows that belong to no other row."""
    with open_store(site.loaded.store_path) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        with transaction(db):
            write(db)


def named_in(site: Site, number: str) -> set[str]:
    """Return the columns that contain the number, except names of people and keys of rows."""
    digits = digits_in_text(number)
    found = set()
    for table in TABLES:
        left = OURS.union(table.own_numbers, table.verbatim)
        columns = [str(name) for _, name, *_ in site.rows(f"PRAGMA table_info({table.name})") if name not in left]
        for row in site.rows(f"SELECT {', '.join(columns)} FROM {table.name}") if columns else ():
            named = (name for name, value in zip(columns, row, strict=True) if digits.search(str(value)))
            found |= {f"{table.name}.{name}" for name in named}
    return found


def tables_of(columns: Iterable[str]) -> set[str]:
    return {column.partition(".")[0] for column in columns}


class Office(NamedTuple):
    """Berlin with its standby, and London, which follows no site."""

    hub: TestHub
    berlin: Site
    standby: Site
    london: Site

    def settle(self) -> None:
        for _ in range(2):
            self.hub.settle(1)
            self.standby.exchange()


@pytest.fixture
def office(hub: TestHub) -> Office:
    berlin, london = hub.join("berlin", private=True), hub.join("london", private=True)
    office = Office(hub, berlin, standby_of(berlin), london)
    office.settle()
    return office


@settings(
    max_examples=2, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(last=st.integers(0, 9999), spellings=st.permutations(SPELLINGS), is_about=st.booleans())
def test_erased_number_is_in_no_text_of_any_table(
    office: Office, last: int, spellings: list[str], is_about: bool
) -> None:
    number = f"+1201555{last:04}"
    parts = (number[2:5], number[5:8], number[8:])
    texts: dict[str, dict[str, str]] = {}
    for place, form in zip(PLACES, cycle(spellings), strict=False):
        text = f"call {number if form == '{}' else form.format(*parts)} at noon"
        texts.setdefault(place.table, {})[place.column] = text

    def write(db: sqlite3.Connection) -> None:
        for table, values in texts.items():
            put(db, table, values)
        for about in ABOUT if is_about else ():
            put(db, about.name, {about.numbers[0]: number})

    for site in (office.berlin, office.london):
        write_freely(site, write)
    office.settle()
    assert tables_of(named_in(office.standby, number)) >= TOLD
    write_freely(office.standby, write)

    office.berlin.write(number_operations.erase, context_of(office.berlin.loaded), number)
    office.settle()
    assert [named_in(site, number) for site in (office.berlin, office.standby)] == [set(), set()]
    assert [kind.name for kind in EVIDENCE if rows_about(office.london, kind, number)] == []
    assert named_in(office.london, number) != set()
    assert number in {erasure.number for erasure in office.london.read(waiting_erasures)}

    office.london.write(number_operations.erase, context_of(office.london.loaded), number)
    office.settle()
    assert [named_in(site, number) for site in (office.berlin, office.standby, office.london)] == [set()] * 3
    left = "SELECT kind, payload FROM callsieve.evidence_row WHERE NOT deleted AND (number = %s OR payload LIKE %s)"
    assert office.hub.run(left, (number, f"%{number[1:]}%")) == []


def rows_about(site: Site, kind: Kind, number: str) -> list[tuple[object, ...]]:
    return site.rows(f"SELECT 1 FROM {kind.name} WHERE {kind.number} = ?", number)
