"""A person's page shows and changes one person's things. Each route is tried with each id of somebody else."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from callsieve.calls.spoken_names import make_folder
from callsieve.main.console_server import PAGES
from callsieve.person_page.views import OF_A_COLLEAGUE, YOUR_REASONS, Asked, own_calls
from callsieve.person_page.web.admission import COOKIE, REQUESTS_A_MINUTE, admit_anybody, admit_person
from callsieve.web.request import Page
from callsieve.web.tokens import form_token, new_token
from policies.reasons import Reason, why_of
from reputation.model import Did, Disposition, Person, Verdict
from reputation.store.calls import CallCursor, CallFilter, find_calls, is_call_for
from reputation.store.database import open_store
from reputation.store.devices import devices_of
from reputation.store.evidence_rows import live_marks_of
from reputation.store.lists import expected_call_of, personal_entries, phone_settings_of
from reputation.store.outcomes import record_outcome
from reputation.store.people import SETTINGS, remove_person, upsert_dids, upsert_people
from tests.callsieve.browsing import NOW, Browser, Console, Office, changes_of, problem_of
from tests.callsieve.console_calls import make_decision, make_ending
from tests.callsieve.person_page.phones import BOBS, DR_RAY, FRIEND, Phone, fill

OWN = [page for page in PAGES if page.admit is admit_person]
OPEN = [page for page in PAGES if page.admit is admit_anybody]
OF_CONSOLE = [page for page in PAGES if page.admit is None]
PARTS = {"number": "+12015550123", "call": "9KQ2M4XA", "secret": "A" * 43, "person": "201"}
BOBS_CALL = "9KQ2M4XA"


def name_of(page: Page) -> str:
    return f"{page.method} {page.path}"


def path_of(page: Page, parts: Mapping[str, str] = PARTS) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda part: parts.get(part[1], "nothing"), page.path)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One console for all tests here that leave Bob as he was."""
    office = Office(tmp_path_factory.mktemp("office"))
    office.write(upsert_people, [Person("201", "PJSIP/201", name="Alice"), Person("202", name="Bob")], SETTINGS)
    fill(office)
    with office.console() as console:
        yield console


@pytest.fixture(autouse=True)
def _another_minute(console: Console) -> None:
    console.office.clock.now += 61  # the limits of an address begin anew


def bobs_things(db: sqlite3.Connection) -> tuple[object, ...]:
    """All that is Bob's."""
    rows = db.execute("SELECT * FROM audit WHERE who LIKE '202%' OR name = '202'").fetchall()
    return (
        personal_entries(db, "202"),
        phone_settings_of(db, "202"),
        expected_call_of(db, "202"),
        [(device.id, device.expires_at) for device in devices_of(db, "202", 0.0)],
        live_marks_of(db, BOBS, "202"),
        rows,
    )


def test_pages_exist_for_each_kind_of_admission() -> None:
    assert {page.path.split("/")[1] for page in (*OWN, *OPEN)} == {"me"}
    assert not any(page.path == "/me" or page.path.startswith("/me/") for page in OF_CONSOLE)
    assert len(OWN) > 15
    assert {page.admit for page in PAGES} == {None, admit_person, admit_anybody}


@pytest.mark.parametrize("page", OWN, ids=name_of)
@pytest.mark.parametrize("role", ["administrator", None])
def test_console_users_cannot_open_own_pages(console: Console, page: Page, role: str | None) -> None:
    browser = console.browser(role)
    if browser.token:
        browser.client.cookies.set(COOKIE, browser.token)  # nor under the other name
    answer = browser.get(path_of(page)) if page.method == "GET" else browser.post(path_of(page))
    assert (answer.status_code, answer.headers.get("location")) == (303, "/me/sign-in")


@pytest.mark.parametrize("page", OF_CONSOLE, ids=name_of)
def test_persons_cannot_open_console_pages(console: Console, page: Page) -> None:
    phone = Phone(console, "201")
    phone.client.cookies.set("callsieve", phone.token or "")  # nor under the other name
    if "event-stream" in page.path or page.path == "/live":
        answer = phone.client.head(page.path, follow_redirects=False)
    else:
        answer = phone.get(path_of(page)) if page.method == "GET" else phone.post(path_of(page))
    if page.role is not None:
        assert answer.status_code == 303
        assert re.match(r"/login(\?next=|$)", answer.headers["location"])
    elif page.method == "POST":
        assert answer.status_code == 419


@pytest.mark.parametrize("path", ["/api/v1/calls", "/api/v1/marks", "/metrics"])
def test_api_rejects_the_person_cookie_as_a_token(console: Console, path: str) -> None:
    phone = Phone(console, "201")
    for headers in ({}, {"authorization": f"Bearer {phone.token}"}):
        assert phone.get(path, headers=headers).status_code in (401, 403, 404)


@pytest.mark.parametrize("page", [page for page in (*OWN, *OPEN) if page.method == "POST"], ids=name_of)
def test_form_with_a_foreign_token_is_refused(console: Console, page: Page) -> None:
    phone = Phone(console, "201")
    before = changes_of(console.office)
    token = form_token(phone.token or "")
    for fields in ({}, {"form_token": ""}, {"form_token": form_token("A" * 43)}, {"form_token": phone.token or ""}):
        answer = phone.client.post(path_of(page), data=fields, follow_redirects=False)
        assert answer.status_code in (400, 419), fields
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://e.example"}):
        answer = phone.client.post(path_of(page), data={"form_token": token}, headers=headers, follow_redirects=False)
        assert answer.status_code == 419, headers
    assert changes_of(console.office) == before


def ids_of_bob(console: Console) -> Iterator[dict[str, str]]:
    """Each thing of Bob's that a form of Alice's could name."""
    phone = Phone(console, "202")
    phone.post("/me/expect/on")
    with open_store(console.office.store) as db:
        changes = db.execute("SELECT id FROM audit WHERE who = '202 (own page)'").fetchall()
        devices = devices_of(db, "202", console.office.clock.now)
    assert changes
    assert devices
    yield {"number": BOBS}
    yield {"person": "202"}
    yield from ({"id": str(id)} for (id,) in changes)
    yield from ({"id": str(device.id)} for device in devices)


@pytest.mark.parametrize("page", OWN, ids=name_of)
def test_no_route_changes_data_of_another_person(console: Console, page: Page) -> None:
    """Alice names Bob's call in the address, and Bob's number, changes and devices in the form."""
    named = list(ids_of_bob(console))
    before = console.office.read(bobs_things)
    for fields in named:
        phone = Phone(console, "201")
        path = path_of(page, {"call": BOBS_CALL})
        query = "&".join(f"{key}={value}" for key, value in fields.items())
        answer = phone.get(f"{path}?{query}") if page.method == "GET" else phone.post(path, **fields)
        if "{call}" in page.path:
            assert answer.status_code == 404, fields
        assert answer.status_code < 500, fields
        if page.method == "GET" and "{call}" not in page.path:
            assert answer.status_code == 200
        said = answer.text.replace(problem_of(answer.text), "").replace(query, "")  # which may repeat what was sent
        assert BOBS not in said
        assert "Bob" not in answer.text
        assert console.office.read(bobs_things) == before, fields


@pytest.mark.parametrize("page", [page for page in OWN if "{call}" in page.path], ids=name_of)
@pytest.mark.parametrize("call", ["ZZZZZZZZ", "0", "%00", "7KQ2M4XA%27", "..%2f..", "x" * 300])
def test_unknown_call_is_not_found(console: Console, page: Page, call: str) -> None:
    phone, path = Phone(console, "201"), path_of(page, {"call": call})
    assert (phone.get(path) if page.method == "GET" else phone.post(path)).status_code == 404


def test_recording_is_played_only_to_the_callee(tmp_path: Path) -> None:
    office = Office(tmp_path)
    fill(office)
    for call in ("7KQ2M4XA", BOBS_CALL):
        (make_folder(office.load().state) / f"{call}-1.wav").write_bytes(b"RIFF sound")
    with office.console() as console:
        alice, bob = Phone(console, "201"), Phone(console, "202")
        path, bobs = (f"/me/calls/{call}/recordings/{call}-1.wav" for call in ("7KQ2M4XA", BOBS_CALL))
        assert f'src="{path}"' in alice.text("/me")
        assert "<audio" not in alice.text("/me").replace(path, "", 1).replace("<audio", "", 1)
        answer = alice.get(path)
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"RIFF sound", "audio/wav")
        assert [alice.get(bobs).status_code, bob.get(path).status_code, bob.get(bobs).status_code] == [404, 404, 200]
        for other in ("8KQ2M4XA/recordings/7KQ2M4XA-1.wav", "7KQ2M4XA/recordings/..%2f7KQ2M4XA-1.wav"):
            assert alice.get(f"/me/calls/{other}").status_code == 404


def shown_ids(office: Office, person: str) -> list[str]:
    asked = Asked(Person(person), office.load(), NOW)
    return [call.call.id for call in office.read(own_calls, asked, None).calls]


@pytest.mark.parametrize(
    ("action", "ending", "is_shown"),
    [
        pytest.param("reject", None, True, id="rejected"),
        pytest.param("challenge", {"answered_by": None, "disposition": Disposition.FAILED}, True, id="gave-up"),
        pytest.param("challenge", {"answered_by": "202"}, False, id="passed-and-a-colleague-answered"),
        pytest.param("challenge", None, False, id="not-over-yet"),
        pytest.param("allow", {"answered_by": None, "disposition": Disposition.NO_ANSWER}, False, id="rang-nobody"),
    ],
)
def test_stopped_group_call_is_shown_to_each_member(
    tmp_path: Path, action: str, ending: dict[str, object] | None, *, is_shown: bool
) -> None:
    office = Office(tmp_path)
    people = [Person("301", "PJSIP/301", "support"), Person("302", "PJSIP/302", "support"), Person("303", None, "sale")]
    office.write(upsert_people, people, "hr")
    office.write(upsert_dids, [Did("+442071838755", ("sales", "support")), Did("+442071838756")], "hr")
    call = make_decision("5KQ2M4XA", did="+442071838755", action=action)
    office.add_decisions(call, make_decision("4KQ2M4XA", did="+442071838756", action="reject"))
    if ending is not None:
        office.write(record_outcome, make_ending(call, **ending), NOW)
    wanted = ["5KQ2M4XA"] if is_shown else []
    assert [shown_ids(office, person) for person in ("301", "302", "303", "999")] == [wanted, wanted, [], []]
    assert [office.read(is_call_for, "5KQ2M4XA", person) for person in ("301", "303")] == [is_shown, False]


def test_stopped_group_calls_are_paged_and_searched(tmp_path: Path) -> None:
    """Each of the three ways in which a call is for somebody, with all conditions at once."""
    office = Office(tmp_path)
    office.write(upsert_people, [Person("301", "PJSIP/301", "support")], "hr")
    office.write(upsert_dids, [Did("+442071838755", ("support",)), Did("+442071838756", ("sales",))], "hr")
    made = [
        make_decision(
            f"{n}KQ2M4XA",
            at=NOW - n,
            did=f"+44207183875{5 + (n == 4)}",
            callee="301" if n == 5 else None,
            action="reject" if n % 2 else "challenge",
            caller="+12015550150" if n == 7 else "+12015550151",
        )
        for n in range(1, 9)
    ]
    office.add_decisions(*made)
    for n in (2, 6, 8):
        gave_up = make_ending(made[n - 1], answered_by=None, disposition=Disposition.FAILED)
        office.write(record_outcome, gave_up, NOW)
    paged: list[str] = []
    after = None
    while found := office.read(find_calls, CallFilter(callee="301"), after, 2):
        paged += [call.id[0] for call in found]
        after = CallCursor(found[-1].at, found[-1].id)
    assert paged == list("1235678")
    for wanted, ids in (
        (CallFilter(callee="301", action="challenge"), "268"),
        (CallFilter(callee="301", number="+12015550150"), "7"),
        (CallFilter(callee="301", since=NOW - 6, until=NOW - 2), "356"),
        (CallFilter(callee="301", ending="failed"), "268"),
    ):
        assert "".join(call.id[0] for call in office.read(find_calls, wanted, None, 50)) == ids, wanted


def test_contacts_and_lists_of_other_persons_are_not_shown(console: Console) -> None:
    page = Phone(console, "201").text("/me")
    assert "Dr. Ray" in page
    assert FRIEND in page
    assert "friend" not in page


def test_blocks_of_a_colleague_are_not_shown(tmp_path: Path) -> None:
    """A call of Bob's that rang at Alice, too: that he has blocked the caller is his own business."""
    office = Office(tmp_path)
    fill(office)
    asked = Asked(Person("201"), office.load(), NOW)
    with open_store(office.store) as db:
        db.execute("INSERT INTO reached VALUES ('201', ?, ?, ?)", (NOW, f"call.{BOBS_CALL}", BOBS))
        [call] = [call_ for call_ in own_calls(db, asked, None).calls if call_.call.id == BOBS_CALL]
        [own] = own_calls(db, replace(asked, person=Person("202")), None).calls
    assert call.why == OF_A_COLLEAGUE
    capped = call.call._replace(reason=replace(why_of(call.call.reason), cap=Reason.NOT_SPAM_FOR_CALLEE).kept)
    assert replace(call, line=replace(call.line, call=capped)).why == OF_A_COLLEAGUE
    assert own.why == YOUR_REASONS["callee-blocks"]


def test_requests_of_a_device_are_rate_limited(console: Console) -> None:
    phone = Phone(console, "201")
    codes = [phone.get("/me/devices").status_code for _ in range(REQUESTS_A_MINUTE + 1)]
    assert (codes[-2], codes[-1]) == (200, 429)
    assert Phone(console, "202").get("/me/devices").status_code == 200


def test_device_of_a_removed_person_is_signed_out(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.write(upsert_people, [Person("303", "PJSIP/303", name="Eve")], "hr")
    with office.console() as console:
        phone = Phone(console, "303")
        assert phone.get("/me").status_code == 200
        office.write(remove_person, "303")
        assert phone.get("/me").headers["location"] == "/me/sign-in"
        office.write(upsert_people, [Person("303", "PJSIP/303", name="Carol")], "hr")
        assert phone.get("/me").headers["location"] == "/me/sign-in"


def test_signing_out_ends_one_device_or_all_others(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with office.console() as console:
        first, second, third = (Phone(console, "201") for _ in range(3))
        ids = [device.id for device in office.read(devices_of, "201", office.clock.now)][::-1]
        first.done("/me/devices/sign-out", id=str(ids[1]))
        assert [item.get("/me").status_code for item in (first, second, third)] == [200, 303, 200]
        first.done("/me/devices/sign-out-others")
        assert [item.get("/me").status_code for item in (first, second, third)] == [200, 303, 303]
        assert first.post("/me/devices/sign-out", id=str(ids[0])).headers["location"].startswith("/me/sign-in")
        assert first.get("/me").status_code == 303
    assert {who for _, who, _ in changes_of(office)} == {"201 (own page)"}


def test_form_token_is_valid_for_one_device_only(console: Console) -> None:
    phone, other = Phone(console, "201"), Phone(console, "202")
    data = {"form_token": form_token(other.token or "")}
    assert phone.client.post("/me/expect/on", data=data, follow_redirects=False).status_code == 419


def test_invalid_cookie_leads_to_sign_in(console: Console) -> None:
    for token in (new_token(), "", "A" * 43, "x" * 5000, "' OR 1=1"):
        browser = Browser(console.browser().client, None)
        browser.client.cookies.set(COOKIE, token)
        assert browser.get("/me").headers["location"] == "/me/sign-in"


def test_mark_is_recorded_for_its_person(tmp_path: Path) -> None:
    office = Office(tmp_path)
    fill(office)
    with office.console() as console:
        Phone(console, "201").done("/me/calls/7KQ2M4XA/ok")
    assert [mark.verdict for mark in office.read(live_marks_of, DR_RAY, "201")] == [Verdict.OK]
    assert office.read(live_marks_of, DR_RAY, "202") == []
