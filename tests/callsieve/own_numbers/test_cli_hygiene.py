"""Call lists that are cleaned, and the proof of a day, on the command line."""

from __future__ import annotations

import csv
import json
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from callsieve.signing.keys import signing_key
from callsieve.signing.statements import verify
from policies.reasons import OutboundReason, Why
from reputation.model import Direction, Disposition
from reputation.own.outbound_types import OutboundRecord
from reputation.store.database import open_store
from reputation.store.outbound import record_outbound
from reputation.store.outcomes import record_outcomes
from reputation.store.transaction import transaction
from tests.callsieve.program import Program
from tests.office import SETTINGS
from tests.reputation.store_builders import make_outcome

GOOD, UNWANTED, GONE, NEVER, MOVED, LISTED, AGREED = (f"+1201742180{n}" for n in range(7))
BLOCKED = "+12017421807"  # five calls, which its network did not let through
UNALLOCATED, FRENCH, OWN = "+12010001234", "+33140205050", "+442071838750"
DAY = 86_400.0


def called(number: str, at: float, count: int = 1, **others: object) -> list[object]:
    about = {"direction": Direction.OUTBOUND, "dialled": number, "own_number": OWN, "by": "201"} | others
    return [make_outcome(f"{number}-{at}-{n}", at + n, **about) for n in range(count)]  # type: ignore[arg-type]


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    program = Program(tmp_path, SETTINGS)
    now = time.time()
    missed = {"disposition": Disposition.NO_ANSWER, "talk_seconds": 0.0}
    calls = called(GOOD, now - DAY) + called(NEVER, now - 2 * DAY, 5, **missed)
    calls += called(BLOCKED, now - 2 * DAY, 5, **missed, blocked=True)
    calls += called(GONE, now - 3 * DAY) + called(GONE, now - DAY, disposition=Disposition.FAILED, cause=1)
    with open_store(program.store) as db, transaction(db):
        record_outcomes(db, calls, now)  # type: ignore[arg-type]
    program("own", "dnc", "add", UNWANTED)
    program("own", "dnc", "add", AGREED)
    program("own", "consent", "add", AGREED, "--proof", "form 1")
    program("reassigned", "add", MOVED, "--reason", "told so")
    (tmp_path / "dnc.txt").write_text(LISTED[2:5] + "," + LISTED[5:] + "\n")
    program("own", "registers", "import", tmp_path / "dnc.txt", "--register", "us-dnc")
    numbers = [GOOD, UNWANTED, GONE, NEVER, MOVED, LISTED, AGREED, UNALLOCATED, FRENCH, "x", GOOD, BLOCKED]
    (tmp_path / "list.csv").write_text("name,number\n" + "".join(f"Jo,{number}\n" for number in numbers))
    return program


REASONS = {
    UNWANTED: "do-not-call",
    GONE: "gone",
    NEVER: "never-answers",
    MOVED: "reassigned",
    LISTED: "register",
    UNALLOCATED: "unallocated",
    "x": "not-a-number",
    GOOD: "duplicate",
}


def test_each_removed_number_has_a_reason(callsieve: Program, tmp_path: Path) -> None:
    out, clean = tmp_path / "out.csv", tmp_path / "clean.csv"
    told = callsieve("own", "hygiene", tmp_path / "list.csv", "--write", out, "--keep", clean, "--json").json
    assert (told["rows"], told["kept"]) == (12, 4)
    assert {finding["number"] or finding["written"]: finding["fault"] for finding in told["findings"]} == REASONS
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["line"] for row in rows] == ["3", "4", "5", "6", "7", "9", "11", "12"]
    assert all(row["evidence"] for row in rows)
    assert clean.read_text().split() == ["name,number", *(f"Jo,{item}" for item in (GOOD, AGREED, FRENCH, BLOCKED))]
    assert out.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_kept_rows_keep_all_their_columns(callsieve: Program, tmp_path: Path, delimiter: str) -> None:
    """Number among them, in E.164; nothing else is changed, whatever a spreadsheet or a person has put there."""
    texts = ["Zo\u00eb \u5f20", ' " quoted, "; too\t', "=1+1", "two\nlines", "x" * 300, "", "'+1"]
    rows = [[text, f"201-742-{2000 + place}", str(place)] for place, text in enumerate(texts)]
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows((["Full Name", "NUMBER", "id"], *rows))
    callsieve.ok("own", "hygiene", tmp_path / "in.csv", "--keep", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        kept = list(csv.reader(file, delimiter=delimiter))
    wanted = [[name, f"+1{number.replace('-', '')}", place] for name, number, place in rows]
    assert kept == [["Full Name", "NUMBER", "id"], *wanted]


@pytest.mark.parametrize("number", ["+19005550123", "+449098790123", "+12129765550"])
def test_premium_numbers_are_removed(callsieve: Program, tmp_path: Path, number: str) -> None:
    (tmp_path / "premium.txt").write_text(f"{number}\n{GOOD}\n")
    told = callsieve("own", "hygiene", tmp_path / "premium.txt", "--keep", tmp_path / "clean.csv", "--json").json
    assert "premium" in {finding["fault"] for finding in told["findings"] if finding["number"] == number}
    assert (tmp_path / "clean.csv").read_text().split() == ["number", GOOD]


def test_numbers_without_consent_are_found_where_the_law_asks(callsieve: Program, tmp_path: Path) -> None:
    told = callsieve("own", "hygiene", tmp_path / "list.csv", "--needs-consent", "--json").json
    assert [finding["number"] for finding in told["findings"] if finding["fault"] == "no-consent"] == [FRENCH]


def test_list_without_a_header_and_with_fewer_tries(callsieve: Program, tmp_path: Path) -> None:
    (tmp_path / "bare.txt").write_text(f"{NEVER}\n{GOOD}\n")
    told = callsieve("own", "hygiene", tmp_path / "bare.txt", "--tries", "6", "--json").json
    assert (told["rows"], told["kept"], told["findings"]) == (2, 2, [])
    assert "2 rows, 1 may stay in the list; 1 never-answers." in callsieve("own", "hygiene", tmp_path / "bare.txt").out


def test_existing_file_is_not_overwritten(callsieve: Program, tmp_path: Path) -> None:
    done = callsieve("own", "hygiene", tmp_path / "list.csv", "--write", tmp_path / "list.csv")
    assert done.code == 2
    assert (tmp_path / "list.csv").read_text().startswith("name,number\n")


# Proof of a day.

TODAY = datetime(2026, 6, 10, 11, tzinfo=UTC).timestamp()


def decision(place: int, action: str, rule: str, why: Why, would_be: str = "") -> OutboundRecord:
    return OutboundRecord(
        f"AAAAAAA{place}", TODAY + place, f"1.{place}", GOOD, 20614, OWN, "201", action, would_be or action, rule,
        why.kept, None, 1.0,
    )  # fmt: skip


@pytest.fixture
def day(tmp_path: Path) -> Program:
    program = Program(tmp_path, SETTINGS)
    hours = Why(OutboundReason.BAD_HOURS_BY, {"law": "47 CFR 64.1200"})
    records = [
        decision(1, "allow", "default", Why(OutboundReason.NOTHING_AGAINST)),
        decision(2, "hold", "hours", hours),
        decision(3, "allow", "hours", hours, "hold"),
        decision(4, "refuse", "do-not-call", Why(OutboundReason.DO_NOT_CALL, {"day": "2026-06-01"})),
        decision(5, "allow", "fail-open", Why("timed out")),
        decision(6, "allow", "default", Why(OutboundReason.NOTHING_AGAINST))._replace(at=TODAY + 2 * DAY),
    ]
    about = {"direction": Direction.OUTBOUND, "dialled": GOOD, "own_number": OWN}
    calls = [make_outcome(linkedid, TODAY + 1, **about) for linkedid in ("1.1", "9.9")]  # type: ignore[arg-type]
    with open_store(program.store) as db, transaction(db):
        record_outbound(db, records)
        record_outcomes(db, calls, TODAY)
    return program


def test_compliance_of_a_day_has_rules_sources_and_files(day: Program) -> None:
    proof = day("own", "comply", "2026-06-10", "--json").json
    assert (proof["asked"], proof["went_out"], proof["failed_open"], proof["without_guard"]) == (5, 3, 1, 1)
    rules = {rule["rule"]: (rule["held"], rule["refused"], rule["observed"], rule["source"]) for rule in proof["rules"]}
    assert rules == {"hours": (1, 0, 1, "47 CFR 64.1200"), "do-not-call": (0, 1, 0, "")}
    assert next(rule["url"] for rule in proof["rules"] if rule["rule"] == "hours").startswith("http")
    assert {law["country"] for law in proof["laws"]} >= {"CN", "US", "GB"}
    by_id = {call["id"]: call for call in proof["calls"]}
    assert by_id["AAAAAAA4"]["passed"] == ["emergency", "no-number"]
    assert len(by_id["AAAAAAA1"]["passed"]) == 12
    assert GOOD not in json.dumps(proof)
    assert GOOD in day("own", "comply", "2026-06-10", "--json", "--numbers").out


def test_page_of_a_day_lists_calls_without_the_guard(day: Program) -> None:
    page = day("own", "comply", "2026-06-10", "--html").out
    assert page.startswith("<!doctype html>")
    assert "out without the guard" in page
    assert "47 CFR 64.1200" in page
    assert "own comply" not in day("own", "comply", "2026-06-10").err


@pytest.mark.parametrize("form", ["--json", "--html"])
def test_printed_compliance_of_a_day_is_signed(day: Program, tmp_path: Path, form: str) -> None:
    with day.config.open("a") as file:
        file.write('\n[company]\nname = "Example Ltd"\n')
    path = tmp_path / "day.sig.json"
    printed = day("own", "comply", "2026-06-10", form, "--signature", path).out
    statement = verify(path.read_bytes(), signing_key(day.store.parent).public_key)
    assert (statement.kind, statement.issuer, statement.about["day"]) == ("outbound-day", "Example Ltd", "2026-06-10")
    assert statement.about["file"]["sha256"] == sha256(printed.encode()).hexdigest()
    assert day("own", "comply", "2026-06-10", form, "--signature", path).code == 2  # it is there


def test_signature_needs_a_company_name(day: Program, tmp_path: Path) -> None:
    assert day("own", "comply", "2026-06-10", "--json", "--signature", tmp_path / "x.json").code == 2
    assert not (tmp_path / "x.json").exists()


def test_bad_day_is_refused(day: Program) -> None:
    assert day("own", "comply", "yesterday").code == 2
