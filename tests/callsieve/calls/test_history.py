"""The call history: names on both sides, views with counts, and recordings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callsieve.calls.history import call_lines
from callsieve.calls.spoken_names import make_folder
from reputation.model import ChallengeResult, Did, Disposition, Identity, Person
from reputation.own.register import OwnNumber
from reputation.store.calls import CallFilter, find_calls
from reputation.store.identities import set_identity
from reputation.store.lists import Contact, add_contacts
from reputation.store.names import NameSource
from reputation.store.own_register import put_own
from reputation.store.people import upsert_dids, upsert_people
from tests.callsieve.browsing import NOW, Console, Office
from tests.callsieve.console_calls import CALLER, DID, add_calls, add_ending, make_decision, make_ending

BANK, OWN = "+12015550152", "+12025550100"
SOUND = b"RIFF\x24\0\0\0WAVE"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    made = [
        make_decision("A0000000", at=NOW - 60, callee="202"),
        make_decision("B0000000", at=NOW - 120, action="tag", caller=BANK),
        make_decision("C0000000", at=NOW - 180, action="allow", rule="default", caller=OWN),
        make_decision("D0000000", at=NOW - 8 * 86400, action="reject", caller="+12015550199", did=None),
    ]
    add_calls(office, *made)
    silent = make_ending(made[0], disposition=Disposition.FAILED, answered_by=None, talk_seconds=0.0)
    add_ending(office, silent._replace(challenge=ChallengeResult.SILENT))
    add_ending(office, make_ending(made[1]))
    office.write(upsert_people, [Person("201", name="Alice"), Person("202", name="Bob")], "hr")
    office.write(upsert_dids, [Did(DID, ("sales",))], "carrier")
    office.write(add_contacts, "crm", [Contact(CALLER, "Dr. Ray", "202"), Contact(BANK, "My bank", "201")])
    office.write(set_identity, Identity(BANK, "First Invented Bank", 2, NOW + 100), NOW)
    office.write(put_own, OwnNumber(number=OWN, name="Lamps Ltd", since=NOW, added_at=NOW))
    return office


def test_both_sides_of_a_call_have_names(office: Office) -> None:
    settings = office.load().settings
    lines = office.read(lambda db: call_lines(db, settings, find_calls(db, CallFilter(), None, 9), NOW))
    assert [(line.caller and (line.caller.name, line.caller.source), line.callee) for line in lines] == [
        (("Dr. Ray", NameSource.CONTACT), "Bob"),
        (("My bank", NameSource.CONTACT), "Alice"),
        (("Lamps Ltd", NameSource.OWN), "sales"),
        (None, ""),
    ]
    assert lines[0].caller_of == "Bob"


def test_expired_identity_is_not_shown(office: Office) -> None:
    office.write(lambda db: db.execute("DELETE FROM contact"))
    settings = office.load().settings
    for now, name in ((NOW, "First Invented Bank"), (NOW + 101, None)):
        [line] = office.read(
            lambda db, at: call_lines(db, settings, find_calls(db, CallFilter(number=BANK), None, 1), at), now
        )
        assert (line.caller and line.caller.name) == name


def test_viewer_sees_no_caller_name(console: Console) -> None:
    assert "Dr. Ray" in console.browser("operator").text("/calls")
    for path in ("/", "/calls", "/calls/A0000000"):
        assert "Dr. Ray" not in console.browser("viewer").text(path)


@pytest.mark.parametrize(
    ("query", "found"),
    [("", "ABCD"), ("view=stopped", "AD"), ("view=stopped&since=7d", "A"), ("view=labelled", "B"), ("view=wrong", "A")],
)
def test_views_list_and_count_their_calls(console: Console, query: str, found: str) -> None:
    office = console.office
    office.write(add_contacts, "crm", [Contact("+12015550100")])
    page = console.browser("operator").text(f"/calls?{query}")
    assert "".join(re.findall(r'<tr id="call-(\w)0000000"', page)) == found
    counts = re.findall(r'view=(\w+)&amp;since=7d"[^>]*>[^<]*<b>(\d+)</b>', page)
    assert counts == [("stopped", "1"), ("labelled", "1"), ("wrong", "1")]


def test_recording_of_a_caller_is_played(console: Console) -> None:
    folder = make_folder(console.office.state)
    (folder / "A0000000-1.wav").write_bytes(SOUND)
    (folder / "A0000000-2.wav").symlink_to(console.office.config)
    (folder / "B0000000-1.wav").write_bytes(b"no sound")
    browser = console.browser("operator")
    path = "/calls/A0000000/recordings/A0000000-1.wav"
    assert f'src="{path}"' in browser.text("/calls/A0000000")
    answer = browser.get(path)
    assert (answer.content, answer.headers["content-type"]) == (SOUND, "audio/wav")
    assert "media-src 'self'" in answer.headers["content-security-policy"]
    refused = [("A", "A0000000-2.wav"), ("B", "B0000000-1.wav"), ("B", "A0000000-1.wav"), ("A", "callsieve.toml")]
    assert [browser.get(f"/calls/{call}0000000/recordings/{name}").status_code for call, name in refused] == [404] * 4
    assert console.browser("viewer").get(path).status_code == 403


def test_one_click_allows_a_caller(console: Console) -> None:
    browser = console.browser("operator")
    page = browser.text("/calls/A0000000")
    [action] = re.findall(r'<form method="post" action="([^"]+)">(?:(?!</form>).)*class="primary">Let', page)
    browser.done(action, back="/calls/A0000000", note="")
    assert 'value="allow"' in browser.text("/calls/A0000000")
