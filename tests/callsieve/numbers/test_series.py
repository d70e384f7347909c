"""The series of numbers that countries have beside ordinary ones: each goes through every door and keeps its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

import pytest

from reputation.facts import FactsQuery
from reputation.model import AuthClass
from reputation.numbers import caller_of, stored_number
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from tests.callsieve.browsing import Office
from tests.callsieve.program import Program, make_record
from tests.office import SETTINGS


class Series(NamedTuple):
    """A number as it is dialled in its region, its key, and a prefix of its series with the start it stands for."""

    region: str
    dialled: str
    key: str
    prefix: str
    start: str


SERIES = [
    Series("CN", "95588", "+8695588", "95*", "+8695"),
    Series("CN", "955881", "+86955881", "+86955*", "+86955"),
    Series("CN", "95123456", "+8695123456", "+86951*", "+86951"),
    Series("CN", "96110", "+8696110", "96*", "+8696"),
    Series("CN", "962121", "+86962121", "962*", "+86962"),
    Series("CN", "10086", "+8610086", "+86100*", "+86100"),
    Series("CN", "10650", "+8610650", "+8610650*", "+8610650"),
    Series("CN", "11185", "+8611185", "11*", "+8611"),
    Series("CN", "12110", "+8612110", "12*", "+8612"),
    Series("CN", "12345", "+8612345", "123*", "+86123"),
    Series("CN", "12580", "+8612580", "125*", "+86125"),
    Series("CN", "4008123456", "+864008123456", "+86400*", "+86400"),
    Series("CN", "8008101234", "+868008101234", "+86800*", "+86800"),
    Series("CN", "10105888", "+8610105888", "+861010*", "+861010"),
    Series("FR", "1023", "+331023", "+3310*", "+3310"),
    Series("FR", "3949", "+333949", "+3339*", "+3339"),
    Series("FR", "3639", "+333639", "+333639*", "+333639"),
    Series("FR", "118218", "+33118218", "+33118*", "+33118"),
    Series("FR", "0162123456", "+33162123456", "0162*", "+33162"),
    Series("DE", "115", "+49115", "115*", "+49115"),
    Series("DE", "116117", "+49116117", "116*", "+49116"),
    Series("IN", "1600123456", "+911600123456", "+911600*", "+911600"),
    Series("IN", "1401234567", "+911401234567", "+91140*", "+91140"),
    Series("IN", "1909", "+911909", "+911909*", "+911909"),
    Series("IN", "139", "+91139", "+91139*", "+91139"),
    Series("US", "211", "+1211", "+1211*", "+1211"),
    Series("US", "611", "+1611", "+1611*", "+1611"),
    Series("US", "988", "+1988", "+1988*", "+1988"),
    Series("US", "+172975", "+172975", "+172975*", "+172975"),
    Series("US", "8005551234", "+18005551234", "+1800*", "+1800"),
    Series("GB", "105", "+44105", "+44105*", "+44105"),
]
by_series = pytest.mark.parametrize("series", SERIES, ids=lambda item: f"{item.region}-{item.dialled}")


def settings_of(region: str) -> str:
    return SETTINGS.replace('region = "US"', f'region = "{region}"')


@by_series
def test_service_number_passes_through_every_command(tmp_path: Path, series: Series) -> None:
    callsieve = Program(tmp_path, settings_of(series.region))
    dialled, key = series.dialled, series.key
    callsieve.ok("mark", dialled, "spam", "--as", "201")
    assert callsieve("lookup", dialled, "--json").json["number"] == key
    assert callsieve("plan", "show", dialled, "--json").json["number"] == key
    callsieve.ok("unmark", dialled, "--as", "201")
    callsieve.ok("list", "add", "allow", dialled)
    callsieve.ok("list", "remove", "allow", dialled)
    callsieve.ok("identity", "add", dialled, "--name", "Service Ltd", "--level", "1")
    callsieve.ok("reassigned", "add", dialled, "--reason", "moved")
    callsieve.ok("appeal", "open", dialled, "--name", "Service Ltd", "--contact", "x@example.com")
    callsieve.ok("own", "dnc", "add", dialled)
    callsieve.ok("own", "dnc", "remove", dialled)
    callsieve.ok("own", "add", dialled)
    callsieve.ok("own", "retire", dialled)
    about = {row["number"] for row in callsieve("audit", "--json").json}
    assert about == {key}
    assert callsieve("own", "show", dialled, "--json").json["number"] == key
    assert callsieve("calls", "search", "--number", dialled).code == 0


@by_series
def test_prefix_entry_blocks_numbers_of_the_series(tmp_path: Path, series: Series) -> None:
    callsieve = Program(tmp_path, settings_of(series.region))
    callsieve.ok("list", "add", "block", series.prefix, "--force")
    [entry] = callsieve("list", "show", "--json").json
    assert entry["text"] == f"{series.start}*"
    with open_store(callsieve.store) as db:
        block = facts_of(db, FactsQuery(stored_number(series.key), AuthClass.UNKNOWN, None, 1.0)).block
    assert block is not None
    assert block.text == f"{series.start}*"


@by_series
def test_files_and_privacy_commands_accept_a_service_number(tmp_path: Path, series: Series) -> None:
    callsieve = Program(tmp_path, settings_of(series.region))
    (numbers := tmp_path / "numbers.csv").write_text(f"number,category\n{series.dialled},scam\n")
    (lists := tmp_path / "lists.csv").write_text(f"list,entry\nblock,{series.dialled}\n")
    (register := tmp_path / "own.csv").write_text(f"number,name\n{series.dialled},Service Ltd\n")
    callsieve.ok("import", "numbers", numbers, "--source", "complaints")
    callsieve.ok("list", "import", lists)
    callsieve.ok("own", "import", register)
    callsieve.add_decisions(make_record(caller=series.key, caller_kind=caller_of(series.key, "ZZ").kind))
    tables = callsieve("privacy", "export", series.dialled).json["tables"]
    assert [row["first"] for row in tables["list_entry"]] == [series.key]
    assert [row["source"] for row in tables["imported"]] == ["complaints"]
    assert callsieve("own", "show", series.dialled, "--json").json["number"] == series.key
    call = {"type": "inbound", "call": "1", "at": 1_767_000_000.0, "caller": series.key}
    (history := tmp_path / "past.jsonl").write_text(json.dumps(call))
    replayed = callsieve("replay", history, "--policy", "strict", "--json").json
    assert sum(replayed["actions"].values()) == 1
    callsieve.ok("privacy", "erase", series.dialled, "--yes")
    left = json.dumps(callsieve("list", "show", "--json").json) + callsieve.ok("calls", "show", "--json")
    assert series.key not in left


@by_series
def test_console_accepts_a_service_number(tmp_path: Path, series: Series) -> None:
    office = Office(tmp_path, settings_of(series.region))
    with office.console() as console:
        browser = console.browser("operator")
        answer = browser.client.get("/numbers", params={"number": series.dialled}, follow_redirects=False)
        assert unquote(answer.headers["location"]) == f"/numbers/{series.key}"
        assert browser.get(f"/numbers/{quote(series.key)}").status_code == 200
        browser.done("/lists/add", list="block", entry=series.dialled, note="", expires="", action="", sure="yes")
        assert series.key in browser.text("/lists")
