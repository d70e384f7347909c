"""Service numbers through every door: each takes 95588 as it takes any other number, and keeps the same key."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec
import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from phonenumbers.phonemetadata import PhoneMetadata

from agi.parsing import known_call_of
from agi.protocol import Request
from agi.site import Site
from callsieve.imports.rows import CONTACT_COLUMNS, NUMBER_COLUMNS, contacts_in, numbers_in
from callsieve.lists import views
from callsieve.lists.views import entries_in, list_as_csv
from callsieve.own_numbers import operations as own_csv
from callsieve.own_numbers.operations import own_numbers_in, register_as_csv
from callsieve.replay.history_file import HistoryReader, PastCall, events_of
from callsieve.settings import Numbers, Settings
from callsieve.text.csv_table import CsvTable
from callsieve.text.number_entry import number_from
from reputation.facts import FactsQuery
from reputation.model import AuthClass, CallerKind, EntryKind, ListEntry, ListName
from reputation.numbers import caller_of, stored_number, supported_regions
from reputation.own.register import OwnNumber
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.lists import add_entry
from reputation.store.transaction import transaction
from tests.callsieve.browsing import Console, Office
from tests.callsieve.program import Program, make_record
from tests.office import SETTINGS

BANK = "+8695588"
CHINA = SETTINGS.replace('region = "US"', 'region = "CN"')


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    return Program(tmp_path, CHINA)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, CHINA)


@pytest.mark.parametrize("spelling", ["95588", BANK, "8695588", "008695588", "9 5588"])
def test_every_command_accepts_every_spelling(callsieve: Program, spelling: str) -> None:
    callsieve.ok("list", "add", "block", spelling)
    callsieve.ok("list", "remove", "block", spelling)
    callsieve.ok("mark", spelling, "spam", "--as", "201")
    callsieve.ok("unmark", spelling, "--as", "201")
    callsieve.ok("identity", "add", spelling, "--name", "Bank", "--level", "1")
    callsieve.ok("own", "dnc", "add", spelling)
    callsieve.ok("own", "dnc", "remove", spelling)
    callsieve.ok("reassigned", "add", spelling, "--reason", "moved")
    callsieve.ok("own", "add", spelling)
    numbers = [row["number"] for row in callsieve("audit", "--json").json]
    assert numbers == [BANK] * 9
    assert (
        callsieve("lookup", spelling, "--json").json.items()
        >= {
            "number": BANK,
            "country": "CN",
            "number_type": "service",
            "valid": True,
        }.items()
    )
    assert callsieve("own", "show", spelling, "--json").json["number"] == BANK
    assert callsieve("calls", "search", "--number", spelling).code == 0


def test_service_number_is_shown_as_digits_and_country(callsieve: Program) -> None:
    assert f"the number {BANK} (service number 95588 in CN)" in callsieve.ok("list", "add", "block", "95588")
    assert callsieve.ok("lookup", "95588").splitlines()[0] == f"{BANK}  95588 in CN, bank service line"


def test_appeal_about_a_service_number(callsieve: Program) -> None:
    callsieve.ok("appeal", "open", "95588", "--name", "Bank", "--contact", "x@example.com")
    assert callsieve("appeal", "list", "--json").json[0]["number"] == BANK


@pytest.mark.parametrize("number", ["110", "+86110", "0086120", "119"])
@pytest.mark.parametrize(
    "command",
    [("list", "add", "block", "{}"), ("mark", "{}", "spam", "--as", "201"), ("own", "add", "{}"), ("lookup", "{}")],
    ids=lambda command: command[0],
)
def test_commands_refuse_emergency_numbers(callsieve: Program, command: tuple[str, ...], number: str) -> None:
    assert "emergency number" in callsieve.fails(*(word.format(number) for word in command))


def test_service_number_is_exported_and_erased_in_any_spelling(callsieve: Program) -> None:
    callsieve.ok("list", "add", "block", "95588", "--note", "calls from +86 95588, or 95588")
    callsieve.ok("list", "add", "block", "96110", "--note", "not 95588 but 1955881")
    callsieve.add_decisions(make_record(caller=BANK, caller_kind=CallerKind.SERVICE))
    tables = callsieve("privacy", "export", "008695588").json["tables"]
    assert [row["first"] for row in tables["list_entry"]] == [BANK]
    callsieve.ok("privacy", "erase", "95588", "--yes")
    left = json.dumps(callsieve("list", "show", "--json").json) + callsieve.ok("calls", "show", "--json")
    assert not re.search(r"(?<![0-9])(86)?95588(?![0-9])", left)
    assert "1955881" in left


def test_console_accepts_and_shows_a_service_number(console: Console) -> None:
    otto, vera = console.browser("operator"), console.browser("viewer")
    otto.done("/lists/add", list="block", entry="95588", note="", expires="", action="")
    page = otto.text(f"/numbers/{quote(BANK, safe='')}")
    assert "95588 in CN" in page
    assert 'id="block"' not in page, "a service number is in no block of 1000"
    assert BANK in otto.text("/lists")
    assert "95588" not in vera.text("/lists")


# Every key, through everything that it is written to and read from.


@cache
def codes_of(region: str) -> tuple[str, ...]:
    """The service numbers of a region: those of three digits, and an example."""
    metadata = PhoneMetadata.short_metadata_for_region(region)
    plan = metadata.short_code if metadata else None
    texts = (*(f"{n:03}" for n in range(100, 1000)), (plan and plan.example_number) or "")
    pattern = re.compile((plan and plan.national_number_pattern) or "")
    return tuple(text for text in texts if pattern.fullmatch(text) and caller_of(text, region).key)


@st.composite
def keys(draw: st.DrawFn) -> str:
    """The key of a service number of any country that has some."""
    region = draw(st.sampled_from(("CN", "FR", "DE", "IN", "US", *supported_regions())))
    codes = (*codes_of(region), *LONGER.get(region, ()))
    assume(codes)
    return f"+{phonenumbers.country_code_for_region(region)}{draw(st.sampled_from(codes))}"


LONGER = {"CN": ("95588", "10086", "12345", "955881"), "FR": ("1023", "3949", "118218"), "DE": ("116117",)}


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path_factory.mktemp("store") / "callsieve.db") as db:
        yield db


@given(key=keys())
def test_every_key_is_found_in_the_store(db: sqlite3.Connection, key: str) -> None:
    with transaction(db):
        add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, key))
    facts = facts_of(db, FactsQuery(stored_number(key), AuthClass.UNKNOWN, None, 1.0))
    assert facts.block is not None
    assert facts.block.first == key


def csv_table(text: str, columns: Sequence[str]) -> CsvTable:
    return CsvTable(io.BytesIO(text.encode()), columns, "list.csv")


def through_list_csv(key: str) -> str:
    text = list_as_csv([ListEntry(ListName.BLOCK, EntryKind.EXACT, key)])
    settings = Settings(numbers=Numbers(region="GB"))
    return next(entries_in(csv_table(text, views.COLUMNS), None, settings, 0.0)).first


def through_csv_of_own_numbers(key: str) -> str:
    return next(iter(own_numbers_in(csv_table(register_as_csv([OwnNumber(number=key)]), own_csv.COLUMNS), "GB", 0.0)))


def through_csv_of_imports(key: str) -> str:
    return next(numbers_in(csv_table(f"number\n{key}\n", NUMBER_COLUMNS), "GB"))[0]


def through_csv_of_contacts(key: str) -> str:
    return next(contacts_in(csv_table(f"number\n{key}\n", CONTACT_COLUMNS), "GB")).number


def through_history(key: str) -> str:
    line = msgspec.json.encode({"type": "inbound", "call": "1", "at": 1.0, "caller": key})
    call = next(iter(events_of(io.BytesIO(line), HistoryReader(), Site("GB"))))
    assert isinstance(call, PastCall)
    assert call.outcome.caller_kind is CallerKind.SERVICE
    return call.outcome.caller or ""


def through_dialplan(key: str) -> str:
    filtered = re.sub("[^0-9+]", "", key)  # FILTER(0-9+,...)
    request = Request("callee", {"caller": filtered, "auth": "unknown"}, {"agi_callerid": "x"})
    caller = known_call_of(request, Site("GB")).caller
    assert caller.kind is CallerKind.SERVICE
    return caller.key or ""


def through_address(key: str) -> str:
    return number_from(unquote(quote(key, safe="")), "ZZ")


WAYS = [
    through_list_csv,
    through_csv_of_own_numbers,
    through_csv_of_imports,
    through_csv_of_contacts,
    through_history,
    through_dialplan,
    through_address,
]


@pytest.mark.parametrize("way", WAYS)
@given(key=keys())
def test_every_key_survives_each_round_trip(way: Callable[[str], str], key: str) -> None:
    assert way(key) == key
