"""The do-not-call list and complaints in the browser, and what becomes of them for the guard and for the grade."""

from __future__ import annotations

import sqlite3
from html import unescape

import pytest

from callsieve.own_numbers.do_not_call import MOST_SHOWN
from reputation.model import Direction
from reputation.own.register import OwnNumber
from reputation.store.audit import Change, add_audit, audit_rows
from reputation.store.do_not_call import (
    Complaint,
    DoNotCallRequest,
    add_complaint,
    add_do_not_call,
    all_do_not_call,
    complaints_about,
    do_not_call_of,
)
from reputation.store.outcomes import record_outcomes
from reputation.store.own_register import put_own
from reputation.store.privacy import erase_number
from tests.callsieve.browsing import NOW, Browser, Console, Office, Ticking, changes_of, field_of, problem_of, undo_of
from tests.reputation.store_builders import DAY, make_outcome

OWN, CALLED, STRANGER = "+442071838750", "+12017421834", "+12017421835"
LIST = "/own/do-not-call"


@pytest.fixture
def otto(console: Console) -> Browser:
    return console.browser("operator")


@pytest.fixture
def calling(office: Office) -> Office:
    """OWN is registered, and has called CALLED."""
    office.write(put_own, OwnNumber(number=OWN, since=NOW, added_at=NOW))
    call = make_outcome("c1", NOW - DAY, by="201", direction=Direction.OUTBOUND, dialled=CALLED)
    office.write(record_outcomes, [call], NOW)
    return office


def complaints(office: Office) -> list[Complaint]:
    return office.read(complaints_about, OWN, 0.0)


def test_do_not_call_request_is_added_removed_and_restored(console: Console, office: Office, otto: Browser) -> None:
    page = otto.text(f"{LIST}?after={OWN.replace('+', '%2B')}")
    assert "Nobody has asked" in page
    assert field_of(page, "after") == OWN
    page = otto.done(f"{LIST}/add", number="201-742-1834", after=OWN, note=" asked twice ").text
    wish = DoNotCallRequest(CALLED, NOW, OWN, "201", "asked twice")
    assert office.read(all_do_not_call) == [wish]
    assert "asked twice" in page
    page = otto.done(f"{LIST}/remove", number=CALLED).text
    assert office.read(all_do_not_call) == []
    otto.done(f"{LIST}/undo", id=undo_of(page))
    assert office.read(do_not_call_of, CALLED) == wish
    who = "otto (console)"
    assert changes_of(office) == [
        ("undo own dnc remove", who, CALLED),
        ("own dnc remove", who, CALLED),
        ("own dnc add", who, CALLED),
    ]


def test_number_page_shows_its_do_not_call_request(office: Office, otto: Browser) -> None:
    assert f'href="{LIST}?number=%2B12017421834"' in otto.text(f"/numbers/{CALLED}")
    assert field_of(otto.client.get(LIST, params={"number": CALLED}).text, "number") == CALLED
    otto.done(f"{LIST}/add", number=CALLED, note="asked twice")
    page = otto.text(f"/numbers/{CALLED}")
    assert f'href="{LIST}?number=' not in page
    assert "asked twice" in page.partition(f'href="{LIST}?q=%2B12017421834"')[2]
    assert "on no list" not in page


def test_request_added_by_phone_is_undone_in_the_console(office: Office, otto: Browser) -> None:
    """*29 leaves the same row as the command."""
    wish = DoNotCallRequest(CALLED, NOW, OWN, "202")

    def dialled(db: sqlite3.Connection) -> None:
        add_do_not_call(db, wish)
        add_audit(db, Change("own dnc add", CALLED, after=wish), "phone 202", NOW)

    office.write(dialled)
    otto.done(f"{LIST}/undo", id=undo_of(otto.text(LIST)))
    assert office.read(all_do_not_call) == []


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        pytest.param("", {CALLED, STRANGER}, id="all"),
        pytest.param("(201) 742-1834", {CALLED}, id="as-it-is-dialled"),
        pytest.param("742183", {CALLED, STRANGER}, id="a-part-of-it"),
        pytest.param("TWICE", {CALLED}, id="note"),
        pytest.param(OWN, {CALLED}, id="own-number"),
        pytest.param("202", {STRANGER}, id="person"),
        pytest.param("%", set(), id="no-pattern"),
    ],
)
def test_do_not_call_list_is_searched(office: Office, otto: Browser, text: str, finds: set[str]) -> None:
    for wish in (
        DoNotCallRequest(CALLED, NOW, OWN, "201", "asked twice"),
        DoNotCallRequest(STRANGER, NOW + 1, "", "202"),
    ):
        office.write(add_do_not_call, wish)
    page = otto.client.get(LIST, params={"q": text}).text
    assert {number for number in (CALLED, STRANGER) if f'name="number" value="{number}"' in page} == finds
    assert finds or "Nobody matches." in page


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        pytest.param({"number": "12"}, "too short", id="no-number"),
        pytest.param({"number": ""}, "is not a telephone number", id="nothing"),
        pytest.param({"number": STRANGER, "after": "x"}, "is not a telephone number", id="no-own-number"),
        pytest.param({"number": STRANGER, "note": "a\tb"}, "200", id="two-lines"),
        pytest.param({"number": CALLED}, f"{CALLED} has been on", id="there-already"),
    ],
)
def test_bad_do_not_call_request_is_refused(office: Office, otto: Browser, fields: dict[str, str], says: str) -> None:
    known = DoNotCallRequest(CALLED, NOW - DAY, "", "202")
    office.write(add_do_not_call, known)
    answer = otto.post(f"{LIST}/add", **fields)
    assert answer.status_code == 422
    assert says in unescape(problem_of(answer.text))
    assert office.read(all_do_not_call) == [known]
    assert changes_of(office) == []
    assert f'id="number" name="number" value="{fields["number"]}"' in answer.text


def test_own_number_cannot_complain_or_be_listed(office: Office, otto: Browser) -> None:
    office.write(put_own, OwnNumber(number=OWN))
    for path, fields in ((f"{LIST}/add", {"number": OWN}), (f"/own/{OWN}/complain", {"from": OWN})):
        answer = otto.post(path, **fields)
        assert answer.status_code == 422
        assert f"{OWN} is one of our" in unescape(problem_of(answer.text))
    assert changes_of(office) == []


def test_removing_an_unlisted_number_is_refused(office: Office, otto: Browser) -> None:
    assert f"{CALLED} is not on" in otto.post(f"{LIST}/remove", number=CALLED).text
    otto.done("/preferences", language="zh", next=LIST)
    assert problem_of(otto.post(f"{LIST}/remove", number=CALLED).text) == f"{CALLED} 不在勿呼名单上"
    assert changes_of(office) == []


@pytest.mark.parametrize(
    ("sender", "says", "counts"),
    [
        pytest.param("201 742 1834", "and counts", True, id="called"),
        pytest.param(STRANGER, "but does not count", False, id="stranger"),
        pytest.param("", "but does not count", False, id="nobody-known"),
    ],
)
def test_complaint_is_recorded_removed_and_restored(
    calling: Office, otto: Browser, sender: str, says: str, counts: bool
) -> None:
    page = otto.done(f"/own/{OWN}/complain", **{"from": sender, "note": "rude"}).text
    [complaint] = complaints(calling)
    assert (complaint.at, complaint.note, complaint.is_of_called) == (NOW, "rude", counts)
    assert f"The complaint is recorded {says}" in page
    page = otto.done(f"/own/{OWN}/no-complaint", **{"from": complaint.number, "at": field_of(page, "at")}).text
    assert complaints(calling) == []
    otto.done(f"/own/{OWN}/undo", id=undo_of(page))
    assert complaints(calling) == [complaint]
    who = "otto (console)"
    assert changes_of(calling) == [("undo own complaint", who, OWN), *[("own complaint", who, OWN)] * 2]


@pytest.mark.parametrize(("sender", "counts"), [(CALLED, True), (STRANGER, False)])
def test_restored_complaint_counts_as_before(calling: Office, otto: Browser, sender: str, counts: bool) -> None:
    """Whom we called has changed meanwhile: one is forgotten, and the other was called to apologise."""
    otto.done(f"/own/{OWN}/complain", **{"from": sender})
    page = otto.done(f"/own/{OWN}/no-complaint", **{"from": sender, "at": str(NOW)}).text
    otto.done(f"{LIST}/add", number=sender, after=OWN)
    other_page = otto.done(f"{LIST}/remove", number=sender).text
    calling.write(lambda db: db.execute("DELETE FROM own_called"))
    call = make_outcome("c2", NOW - 60, by="201", direction=Direction.OUTBOUND, dialled=STRANGER)
    calling.write(record_outcomes, [call], NOW)
    otto.done(f"/own/{OWN}/undo", id=undo_of(page))
    otto.done(f"{LIST}/undo", id=undo_of(other_page))
    assert [complaint.is_of_called for complaint in complaints(calling)] == [counts]
    assert [item.is_of_called for item in calling.read(all_do_not_call)] == [counts]


def test_change_of_an_older_version_is_not_undone(calling: Office, otto: Browser) -> None:
    """Its rows have instants as numbers, and do not say what counts."""
    wish = DoNotCallRequest(CALLED, NOW, OWN, "202", is_of_called=True)

    def older(db: sqlite3.Connection) -> None:
        add_do_not_call(db, wish)
        kept = {"number": CALLED, "at": NOW, "own_number": OWN, "person": "202", "note": ""}
        add_audit(db, Change("own dnc add", CALLED, after=kept), "phone 202", NOW)

    calling.write(older)
    assert otto.post(f"{LIST}/undo", id=undo_of(otto.text(LIST))).status_code == 422
    assert calling.read(all_do_not_call) == [wish]


def test_chosen_complaint_is_removed(calling: Office) -> None:
    calling.clock = Ticking()
    with calling.console() as console:
        otto = console.browser("operator")
        for note in ("first", "second"):
            otto.done(f"/own/{OWN}/complain", **{"from": CALLED, "note": note})
        first, second = complaints(calling)
        otto.done(f"/own/{OWN}/no-complaint", **{"from": CALLED, "at": str(first.at)})
        assert complaints(calling) == [second]
        change = undo_of(otto.text(f"/own/{OWN}"))
        otto.done(f"/own/{OWN}/no-complaint", **{"from": CALLED, "at": str(second.at)})
        otto.done(f"/own/{OWN}/undo", id=change)
        assert complaints(calling) == [first]


def test_refused_complaint_keeps_the_typed_values(calling: Office, otto: Browser) -> None:
    unnamed = Complaint(OWN, "", NOW - DAY, "by telephone")
    calling.write(add_complaint, unnamed)
    for fields in ({"from": "12", "note": "rude"}, {"from": CALLED, "note": "x" * 201}):
        answer = otto.post(f"/own/{OWN}/complain", **fields)
        assert answer.status_code == 422
        assert problem_of(answer.text)
        assert f'value="{fields["note"]}"' in answer.text
        assert 'id="complain" open' in answer.text
    gone = otto.post(f"/own/{OWN}/no-complaint", **{"from": CALLED, "at": "1.5"})
    assert f"no complaint by {CALLED} about {OWN}" in problem_of(gone.text)
    for no_instant in ("now", "nan", "inf"):
        assert otto.post(f"/own/{OWN}/no-complaint", at=no_instant).status_code == 404
    assert otto.post("/own/+442071838799/complain", note="x").status_code == 404
    assert changes_of(calling) == []
    assert complaints(calling) == [unnamed]


def test_only_the_latest_complaints_are_shown(calling: Office, otto: Browser) -> None:
    def many(db: sqlite3.Connection) -> None:
        for place in range(MOST_SHOWN + 1):
            add_complaint(db, Complaint(OWN, "", NOW - place, f"note {place}."))

    calling.write(many)
    page = otto.text(f"/own/{OWN}")
    assert "note 0." in page
    assert f"note {MOST_SHOWN}." not in page
    assert f"{MOST_SHOWN} of {MOST_SHOWN + 1} complaints are shown" in page


def test_own_number_page_links_to_its_do_not_call_requests(calling: Office, otto: Browser) -> None:
    otto.done(f"{LIST}/add", number=CALLED, after=OWN)
    page = otto.text(f"/own/{OWN}")
    assert "1 person" in page
    assert "of these count" not in page
    assert f'href="{LIST}?q=%2B442071838750"' in page
    otto.done(f"{LIST}/add", number=STRANGER, after=OWN)
    page = otto.text(f"/own/{OWN}")
    assert "2 people" in page
    assert "1 of these count" in page


def test_erased_complainant_appears_nowhere(calling: Office, otto: Browser) -> None:
    page = otto.done(f"/own/{OWN}/complain", **{"from": CALLED, "note": "rude"}).text
    otto.done(f"/own/{OWN}/no-complaint", **{"from": CALLED, "at": field_of(page, "at")})
    otto.done(f"/own/{OWN}/undo", id=undo_of(otto.text(f"/own/{OWN}")))
    calling.write(erase_number, CALLED)
    kept = [row for row in calling.read(audit_rows) if CALLED in str(row)]
    assert kept == []
    assert CALLED not in otto.text(f"/own/{OWN}")
    assert "/undo" not in otto.text(f"/own/{OWN}").partition("Recent changes")[2]
