"""The rows about a number can be exported and erased, and retention deletes the rest."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from reputation.appeals import AppealStep
from reputation.columns import LOCAL, fields_of
from reputation.events import AppealDue, EmergencyOpened, EventKind
from reputation.facts import Facts
from reputation.model import (
    NO_SAMPLE,
    AuthClass,
    ChallengeResult,
    Did,
    Direction,
    Disposition,
    Identity,
    ListName,
    TrapCall,
    Voice,
)
from reputation.outcome import OutcomeRecord
from reputation.own.grades import Grade, Graded
from reputation.own.outbound_types import OutboundRecord
from reputation.own.suspicion import Network, Suspicion
from reputation.store.appeals import AppealRuling, appeals_of, decide, open_appeal, take_step
from reputation.store.audit import Change, add_audit
from reputation.store.confirmations import Confirmation, put_confirmation
from reputation.store.database import open_store
from reputation.store.devices import LINK_SECONDS, Device, add_link, start_device
from reputation.store.do_not_call import Complaint, DoNotCallRequest, add_complaint, add_do_not_call
from reputation.store.evidence import ADD_TRAP_CALL, record_challenge
from reputation.store.evidence_rows import marks_of, signals_of
from reputation.store.housekeeping import EXPIRING, expire
from reputation.store.identities import all_identities, raise_epoch, set_identity
from reputation.store.imports import import_numbers
from reputation.store.journal import decisions, record_decisions
from reputation.store.lists import (
    Contact,
    PersonalEntry,
    add_contacts,
    add_entry,
    expect_call,
    list_entries,
    set_personal_entry,
)
from reputation.store.lookups import DailyLimits, StoredAnswer, record_answer, reserve
from reputation.store.marks import add_mark, review
from reputation.store.migrations import migrate
from reputation.store.outbound import record_outbound
from reputation.store.outbox import add_event, use_receivers
from reputation.store.outcomes import record_outcome
from reputation.store.own_days import count_call
from reputation.store.own_health import record_grade, record_suspicions
from reputation.store.own_labels import LabelCheck, NewScreenshot, put_label_check, put_screenshot, screenshots_of
from reputation.store.peers import PeerNumber, WantedPeer, replace_numbers, replace_peers
from reputation.store.people import replace_settings_dids
from reputation.store.privacy import ERASED, EXPORTED, digits_in_text, erase_number, export_number, text_columns
from reputation.store.public_appeals import NewAttachment, add_public_appeal, attach, keep_code
from reputation.store.registers import Consent, add_numbers, begin_copy, put_consent
from reputation.store.reports import Report, begin_reporting, set_report
from reputation.store.site import latest_emergency, record_emergency
from reputation.store.sources import FeedFetch, set_feed_fetch
from reputation.store.tables.every import TABLES
from reputation.store.tables.table import Table
from reputation.store.transcripts import Transcript, record_transcript
from reputation.store.users import add_token, token_of
from reputation.users import ApiToken, Role, Scope
from tests.reputation.store_builders import (
    CALLER,
    DAY,
    DID,
    NOW,
    facts,
    make_appeal,
    make_entry,
    make_mark,
    make_outcome,
    make_record,
    pass_challenge,
    read,
    write,
)

OTHER = "+12015550999"
SUSPICION = Suspicion(Network("GB", "EE"), "answered", 0.4, 0.1, 900, 300, 0.999)

# What record_calls_with and a mark leave.
OF_CALLS = {
    "outcome": 3,
    "own_screenshot": 1,
    "reached": 1,
    "signal": 1,
    "challenge_result": 2,
    "transcript": 1,
    "challenge": 2,
    "trap_call": 1,
    "answered": 1,
    "talk": 1,
    "inbound_talk": 1,
    "one_ring": 1,
    "mark": 1,
    "report": 1,
    "standing": 3,
    "epoch": 1,
    "review": 1,
    "confirmation": 1,
    "attachment": 1,
    "public_appeal": 1,
    "appeal": 1,
    "call_back_code": 1,
    "tombstone": 1,
    "api_answer": 2,
    "audit": 2,
    "own_called": 1,
    "do_not_call": 1,
    "consent": 1,
    "register_number": 1,
    "own_complaint": 1,
    "outbound_decision": 1,
    "event": 2,
    "lookup_result": 1,
    "peer_number": 1,
    "sign_in": 1,
    "device": 1,
}
THIRD, FOURTH = "+12015550133", "+12015550134"


def add_trap_call(db: sqlite3.Connection, number: str, at: float) -> None:
    call = TrapCall(number, AuthClass.UNKNOWN, DID, False, at, f"trap:{number}")
    db.execute(ADD_TRAP_CALL, call._asdict() | {"auth_class": call.auth_class.value})


def know_all_about(db: sqlite3.Connection, number: str) -> None:
    use_receivers(db, {"crm": [EventKind.APPEAL_DUE, EventKind.EMERGENCY_OPENED]})
    add_event(db, EventKind.APPEAL_DUE, number, NOW, AppealDue(reference="AP000000", number=number, due_at=NOW))
    shown = f"00{number[1:]}"  # in a text about something else
    add_event(db, EventKind.EMERGENCY_OPENED, "emergency", NOW, EmergencyOpened(by=shown))
    add_entry(db, make_entry(number))
    set_personal_entry(db, PersonalEntry("201", number, ListName.BLOCK, NOW))
    add_contacts(db, "crm", [Contact(number, "Carol")])
    set_identity(db, Identity(number, "Carol Ltd", 1, NOW + DAY), NOW)
    pass_challenge(db, number, AuthClass.UNKNOWN, NOW)
    add_trap_call(db, number, NOW)
    record_decisions(db, [make_record(number + "1", caller=number), make_record(number + "2", caller=number)])
    record_calls_with(db, number)
    # A carrier may put the number into the id of its call.
    record_challenge(db, f"sip:{number}@sbc", number, AuthClass.UNKNOWN, ChallengeResult.WRONG, NOW)
    record_transcript(db, Transcript(f"{number[-7:]}3", NOW, "c", number, "hello", "en", Voice.UNCLEAR))
    add_mark(db, make_mark(number))
    set_report(db, "phoneblock", Report(number, "G_FRAUD", NOW))
    raise_epoch(db, number, NOW - DAY, "reassigned", "admin")
    review(db, number, NOW, "admin")
    put_confirmation(db, Confirmation(number, NOW, "admin"))
    appeal_against_it(db, number, NOW)
    add_audit(db, Change("mark", number, after={"number": number}), "joe", NOW)
    add_do_not_call(db, DoNotCallRequest(number, NOW, DID, "201"))
    put_consent(db, Consent(number, NOW, None, "contract 7", "201", "by letter"))
    add_numbers(db, begin_copy(db, "us-dnc", "US", "dnc.csv", NOW, NOW), [number])
    add_complaint(db, Complaint(DID, number, NOW, "by letter"))
    add_audit(db, Change("own complaint", DID, after=Complaint(DID, number, NOW, "by letter")), "joe", NOW)
    record_outbound(db, [make_outbound(number, NOW)])
    put_screenshot(
        db, LabelCheck(DID, f"an app of {number[-4:]}", NOW, ""), NewScreenshot(f"{shown}.png", "png", b"PNG")
    )
    answer_about(db, number, NOW)
    own_page_of(db, number, NOW)


def own_page_of(db: sqlite3.Connection, person: str, expires_at: float) -> None:
    """Make a person whose extension is the number, with a link and a device."""
    add_link(db, person, f"link of {person[-3:]}", expires_at - LINK_SECONDS)
    digest = f"cookie of {person[-3:]}"
    start_device(db, digest, Device(0, person, NOW, NOW, expires_at, "192.0.2.7", "phone"))


def answer_about(db: sqlite3.Connection, number: str, at: float) -> None:
    """Store an answer of the API, which is kept for a day."""
    if token_of(db, "crm") is None:
        add_token(db, ApiToken("crm", Role.OPERATOR, (Scope.WRITE,), NOW), "digest")
    kept = token_of(db, "crm")
    assert kept is not None
    for key, body in ((f"a{at}-{number[-3:]}", {"number": number}), (f"mark-{number}-{at}", {"change_id": 7})):
        row = (kept.id, key, "digest", at, 201, json.dumps(body))
        db.execute("INSERT INTO api_answer (token, key, digest, at, status, body) VALUES (?, ?, ?, ?, ?, ?)", row)


def make_outbound(callee: str, at: float) -> OutboundRecord:
    about = ("allow", "hold", "hours", "the time is outside calling hours where the called person is")
    return OutboundRecord(f"o{callee}{at}", at, "1.1", callee, 20_000, DID, "PJSIP/201", *about, at + 60, 0.4)


def appeal_on_the_page(db: sqlite3.Connection, number: str, at: float) -> None:
    """File an appeal as a stranger does."""
    open_appeal(db, make_appeal(reference=f"AP{number[-6:]}", number=number, opened_at=at))
    add_public_appeal(db, f"AP{number[-6:]}", f"link {number}", at)


def appeal_against_it(db: sqlite3.Connection, number: str, at: float) -> None:
    """File an appeal with a letter, prove control, accept and uphold it."""
    reference = f"AP{number[-6:]}"
    open_appeal(db, make_appeal(reference=reference, number=number, opened_at=at))
    add_public_appeal(db, reference, f"link {reference}", at)
    attach(db, reference, NewAttachment("letter.txt", f"It was not {number}".encode(), "joe"), at)
    keep_code(db, reference, number, "031415", at)
    take_step(db, reference, AppealStep.ACCEPT, at)
    decide(db, reference, AppealRuling(True, "they were right"), at)


def record_calls_with(db: sqlite3.Connection, number: str, at: float = NOW) -> None:
    """Record calls that leave a row in every table of calls."""
    for call in (
        make_outcome(number + "a", at, caller=number, ring=3.0),
        make_outcome(number + "b", at, caller=number, by="201", talk=31.0),
        make_outcome(number + "c", at, dialled=number, by="201", talk=31.0, direction=Direction.OUTBOUND),
    ):
        record_outcome(db, call._replace(source="cdr"), at + 3600)


def refused_call_to(number: str, at: float) -> OutcomeRecord:
    """Make a call that a network refused."""
    about: dict[str, Any] = {"dialled": number, "disposition": Disposition.REJECTED, "blocked": True}
    return make_outcome(number + "d", at, by="201", direction=Direction.OUTBOUND, **about)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "callsieve.db"
    for number in (CALLER, OTHER):
        write(path, know_all_about, number)
    write(path, add_entry, make_entry("+1201*", note="all of New Jersey"))
    with open_store(path) as db:
        import_numbers(db, "feed", "spam", [(CALLER, "scam", None, None), (OTHER, None, None, None)], lambda: NOW)
        set_feed_fetch(db, FeedFetch("feed", "", 86_400.0, NOW, NOW))
        for number in (CALLER, OTHER):
            record_answer(db, number, StoredAnswer("somebody", "spam", "scam", NOW, NOW + DAY))
        replace_peers(db, {"partner": WantedPeer("key", 1.0, DAY)})
        replace_numbers(db, 1, [PeerNumber(number, "unknown", 2, 5, 5) for number in sorted((CALLER, OTHER))], NOW)
        begin_reporting(db, "phoneblock", NOW)
        for number in (CALLER, OTHER):
            db.execute("INSERT INTO hub_row VALUES (?, 'identity', 'berlin', '[]', 1, 1, 0, 0, 0, '{}')", (number,))
    return path


def test_every_table_is_declared_once(store: Path) -> None:
    names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    assert sorted(table.name for table in TABLES) == sorted(name for (name,) in read(store, fetch, names))


# Columns that no other PBX needs, beside the fields of record types that are LOCAL.
UNTOLD = {"list_entry": {"id"}, "outcome": {"waits_since"}}


@pytest.mark.parametrize("table", [table for table in TABLES if table.kind], ids=lambda table: table.name)
def test_every_column_of_a_shared_table_is_shared_or_local(table: Table) -> None:
    assert table.kind is not None
    fields = fields_of(table.row) if table.row else []
    local = {field.column for field in fields if LOCAL in field.marks}
    with closing(make_store()) as db:
        columns = {name for _, name, *_ in db.execute(f"PRAGMA table_info({table.name})")}
    assert {field.column for field in fields} <= columns
    assert columns - set(table.kind.columns) - local == UNTOLD.get(table.name, set())


def test_only_own_lines_are_exported_but_not_erased() -> None:
    registered = {"own_number", "own_register", "own_day", "own_blocked", "own_grade", "own_label", "own_suspicion"}
    assert set(EXPORTED) - ERASED == {"did", "answered_did", *registered}


def test_an_export_has_all_rows_of_the_number_and_no_others(store: Path) -> None:
    export = read(store, export_number, CALLER)
    assert {table: len(rows) for table, rows in export.items() if rows} == {
        "list_entry": 1,
        "personal_entry": 1,
        "contact": 1,
        "imported": 1,
        "identity": 1,
        "decision": 2,
        "hub_row": 1,
        **OF_CALLS,
    }
    assert export["imported"][0]["source"] == "feed"
    assert export["identity"][0]["name"] == "Carol Ltd"
    text = json.dumps(export)
    assert CALLER in text
    assert OTHER not in text


def test_erasing_a_number_keeps_other_numbers(store: Path) -> None:
    before = read(store, export_number, OTHER)
    erased = write(store, erase_number, CALLER)
    assert erased == {
        "list_entry": 1,
        "personal_entry": 1,
        "contact": 1,
        "imported": 1,
        "identity": 1,
        "decision": 2,
        "hub_row": 1,
        "hub_outbox": 0,
        "hub_erasure": 0,
        "erasure_request": 0,
        **OF_CALLS,
    }
    assert not any(read(store, export_number, CALLER).values())
    assert read(store, export_number, OTHER) == before
    prefix = make_entry("+1201*", note="all of New Jersey")  # it names many numbers: it stays
    assert facts(store)._replace(sample=NO_SAMPLE) == Facts(block=prefix)
    assert not any(write(store, erase_number, CALLER).values())


def test_no_byte_of_an_erased_number_is_left_in_the_file(store: Path) -> None:
    digits = CALLER.encode()
    assert digits in store.read_bytes()
    write(store, erase_number, CALLER)
    assert digits not in store.read_bytes()


def fetch(db: sqlite3.Connection, sql: str) -> list[Any]:
    return db.execute(sql).fetchall()


def text_places() -> list[Any]:
    """Return every text column of every table in which somebody may have written a number."""
    with closing(make_store()) as db:
        return [
            pytest.param(table.name, column, id=f"{table.name}-{column}")
            for table in TABLES
            for column in text_columns(db, table)
            if column not in closed_columns(db, table.name)
        ]


def closed_columns(db: sqlite3.Connection, table: str) -> dict[str, str]:
    """Return the columns whose words the schema lists, each with one of them."""
    ((sql,),) = fetch(db, f"SELECT sql FROM sqlite_schema WHERE name = '{table}'")
    return dict(re.findall(r"CHECK \((\w+) IN \('([^']*)'", sql))


@cache
def empty_store() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        return db.serialize()


def make_store() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.deserialize(empty_store())
    return db


def put_anything(db: sqlite3.Connection, table: str, texts: Mapping[str, str]) -> None:
    """Insert a row with these texts and any valid values in the other columns."""
    values = {"TEXT": "", "INTEGER": 1, "REAL": NOW, "BLOB": b"x"}
    row = {name: values[kind] for _, name, kind, *_ in db.execute(f"PRAGMA table_info({table})")}
    row |= closed_columns(db, table) | dict(texts)
    db.execute(
        f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
    )


SPELLINGS = (
    pytest.param("({}) {}-{}", "0", id="usual"),
    pytest.param("{}_{}_{}", "0", id="underscores"),
    pytest.param("{}, {}, {}", "0", id="commas"),
    pytest.param("{}*{}*{}", "0", id="stars"),
    pytest.param("{}{}{}", "\uff10", id="full-width"),
    pytest.param("{} {} {}", "\u0660", id="arabic"),
    pytest.param("{}-{}-{}", "\u06f0", id="persian"),
)


@pytest.mark.parametrize(("form", "zero"), SPELLINGS)
def test_a_number_is_erased_in_any_spelling(form: str, zero: str) -> None:
    digits = "".join(chr(ord(zero) + int(digit)) for digit in CALLER[2:])
    with closing(make_store()) as db:
        put_anything(
            db, "contact", {"name": f"call {form.format(digits[:3], digits[3:6], digits[6:])} or +44 20 7183 8750"}
        )
        erase_number(db, CALLER)
        assert fetch(db, "SELECT name FROM contact") == [("call [erased] or +44 20 7183 8750",)]


@pytest.mark.parametrize(("table", "column"), text_places())
def test_a_number_is_erased_from_every_text_column(table: str, column: str) -> None:
    spelling = f"({CALLER[2:5]}) {CALLER[5:8]}-{CALLER[8:]}"
    with closing(make_store()) as db:
        put_anything(db, table, {column: f"call {spelling} or +44 20 7183 8750"})
        erase_number(db, CALLER)
        # A row whose other columns made it one about the number, such as an event, may be gone as a whole.
        assert fetch(db, f"SELECT {column} FROM {table} WHERE {column} LIKE 'call %'") in (
            [],
            [("call [erased] or +44 20 7183 8750",)],
        )
        assert not [
            row
            for row in fetch(db, f"SELECT * FROM {table}")
            if digits_in_text(CALLER).search(" | ".join(map(str, row)))
        ]


def test_erasure_masks_only_strings_in_json() -> None:
    """A JSON number is no telephone number."""
    with closing(make_store()) as db:
        kept = {"note": f'call "{CALLER}"', "at": int(CALLER[2:])}
        put_anything(db, "audit", {"before": json.dumps(kept)})
        erase_number(db, CALLER)
        ((before,),) = fetch(db, "SELECT before FROM audit")
        assert json.loads(before) == {"note": 'call "[erased]"', "at": int(CALLER[2:])}


def test_own_lines_are_exported_and_not_erased(store: Path) -> None:
    write(store, replace_settings_dids, [Did(DID)])
    assert len(read(store, export_number, DID)["did"]) == 1
    write(store, erase_number, DID)
    assert len(read(store, export_number, DID)["did"]) == 1


def test_screenshots_of_an_erased_own_line_are_deleted(store: Path) -> None:
    write(store, put_screenshot, LabelCheck(DID, "Hiya", NOW, ""), NewScreenshot("a.png", "png", b"PNG"))
    assert write(store, erase_number, DID)["own_screenshot"] == 3
    assert read(store, screenshots_of, DID) == []


def test_retention_deletes_only_expired_rows(tmp_path: Path) -> None:
    path = tmp_path / "callsieve.db"
    write(path, record_decisions, [make_record("old", NOW - 91 * DAY), make_record("young", NOW - 89 * DAY)])
    write(path, add_entry, make_entry("+1*", expires_at=NOW))
    for entry in (make_entry("+2*", expires_at=NOW + 1), make_entry("+3*")):
        write(path, add_entry, entry)
    for person, until in (("201", NOW), ("202", NOW + 1)):
        write(path, expect_call, person, until)
    for number, days in ((CALLER, 91), (OTHER, 89)):
        write(path, pass_challenge, number, AuthClass.UNKNOWN, NOW - days * DAY)
        write(path, add_trap_call, number, NOW - days * DAY)
        write(path, set_identity, Identity(number, "Carol", 1, NOW + 90 * DAY - days * DAY), NOW)
    for days in (731, 729):
        write(path, add_audit, Change("mark"), "joe", NOW - days * DAY)
    for days in (91, 89):
        write(path, record_emergency, NOW - days * DAY)
    for number, days in ((CALLER, 366), (OTHER, 364)):
        write(path, record_calls_with, number, NOW - days * DAY)
        write(path, count_call, refused_call_to(number, NOW - days * DAY))
        look = LabelCheck(DID, "Hiya", NOW - days * DAY, "")
        write(path, put_label_check, look)
        write(path, put_screenshot, look, NewScreenshot("a.png", "png", b"PNG"))
        write(path, add_mark, make_mark(number, at=NOW - days * DAY))
        write(path, review, number, NOW - days * DAY, "ada")
        write(path, put_confirmation, Confirmation(number, NOW - days * DAY, "ada"))
        write(path, set_report, "phoneblock", Report(number, "G_FRAUD", NOW - days * DAY))
    for number, days in ((CALLER, 731), (OTHER, 729)):
        write(path, appeal_against_it, number, NOW - days * DAY)
        write(path, raise_epoch, number, NOW - days * DAY, "sold", "ada")
    for person, expires_at in (("201", NOW), ("202", NOW + 1)):
        write(path, own_page_of, person, expires_at)
    for number, days in ((THIRD, 8), (FOURTH, 6)):
        heard = Transcript(number[-8:], NOW - days * DAY, "c", number, "hello", "en", Voice.UNCLEAR)
        write(path, record_transcript, heard)
        write(path, appeal_on_the_page, number, NOW - days * DAY)
    write(path, keep_code, OTHER, OTHER, "031415", NOW - DAY + 1)
    for linkedid, days in (("c1", 31), ("c2", 29)):
        write(path, record_challenge, linkedid, None, AuthClass.UNKNOWN, ChallengeResult.SILENT, NOW - days * DAY)
    gone = dict.fromkeys((table.name for table in EXPIRING), 1)
    with open_store(path) as db:
        for number, days in ((CALLER, 91), (OTHER, 89)):
            at = NOW - days * DAY
            record_answer(db, number, StoredAnswer("somebody", "spam", None, at, at))
            db.execute("INSERT INTO answered_did (number, at) VALUES (?, ?)", (number, at))
        replace_peers(db, {"gone": WantedPeer("key", 1.0, DAY), "partner": WantedPeer("key", 1.0, DAY)})
        for peer, days in ((1, 31), (2, 29)):
            replace_numbers(db, peer, [PeerNumber(CALLER, "unknown", 2, 5, 5)], NOW)
            db.execute("UPDATE peer SET counts_until = ? WHERE id = ?", (NOW - days * DAY, peer))
        for days in (367, 1):
            reserve(db, "somebody", NOW - days * DAY, DailyLimits(9))
    gone |= {
        "api_answer": 2,
        "challenge_result": 3,
        "outcome": 6,
        "reached": 2,
        "signal": 2,
        "call_back_code": 2,
        "own_called": 2,
        "answered_did": 2,  # one of them is left behind by a call
    }
    for days in (366, 364):
        write(path, add_complaint, Complaint(DID, "", NOW - days * DAY))
    for days in (31, 29):
        write(path, record_outbound, [make_outbound(CALLER, NOW - days * DAY)])
    for hours in (24, 23):
        write(path, answer_about, CALLER, NOW - hours * 3600)
    for number, days in ((DID, 31), (DID + "1", 29)):
        write(path, lambda db, n, d: record_grade(db, n, Graded(NOW - d * DAY, Grade.HEALTHY, ())), number, days)
        write(path, lambda db, n, d: record_suspicions(db, n, [SUSPICION], NOW - d * DAY), number, days)

    assert write(path, expire, NOW) == gone
    assert write(path, expire, NOW) == dict.fromkeys((table.name for table in EXPIRING), 0)
    assert [record.id for record in read(path, decisions)] == ["young"]
    assert [entry.text for entry in read(path, list_entries)] == ["+2*", "+3*"]
    assert [tie.person for tie in facts(path).ties] == ["202"]
    assert [identity.number for identity in read(path, all_identities)] == [OTHER]
    assert [len(read(path, appeals_of, number)) for number in (CALLER, OTHER, THIRD, FOURTH)] == [0, 1, 0, 1]
    assert read(path, latest_emergency) == NOW - 89 * DAY
    assert [len(read(path, marks_of, number)) for number in (CALLER, OTHER)] == [0, 1]
    assert [len(read(path, signals_of, number)) for number in (CALLER, OTHER)] == [0, 1]
