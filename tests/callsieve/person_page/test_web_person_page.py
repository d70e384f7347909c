"""What a person sees and changes on their own page, and that each change has its undo and names the person."""

from __future__ import annotations

import re

import pytest

from callsieve.person_page.views import device_name
from reputation.model import ListName, PhoneSetting, Verdict, Voice
from reputation.store.evidence_rows import live_marks_of
from reputation.store.lists import expected_call_of, personal_entries, phone_settings_of
from reputation.store.transcripts import Transcript, record_transcript
from tests.callsieve.browsing import NOW, Console, Office, changes_of, problem_of
from tests.callsieve.console_calls import make_decision
from tests.callsieve.person_page.phones import BOBS, DR_RAY, SALES, Phone, fill

RAY, SALE = "/me/calls/7KQ2M4XA", "/me/calls/8KQ2M4XA"
WHO = "201 (own page)"


@pytest.fixture
def office(office: Office) -> Office:
    fill(office)
    return office


@pytest.fixture
def phone(console: Console) -> Phone:
    return Phone(console, "201")


def lists_of(console: Console, person: str = "201") -> dict[str, ListName]:
    return {entry.number: entry.verdict for entry in console.office.read(personal_entries, person)}


def mark_of(console: Console, number: str) -> Verdict | None:
    return next((item.verdict for item in console.office.read(live_marks_of, number, "201")), None)


def test_calls_are_shown_with_their_reason(phone: Phone) -> None:
    page = phone.text("/me")
    cards = dict(re.findall(r'<li class="card" id="call-(\w+)">(.*?)</li>', page, re.DOTALL))
    assert list(cards) == ["8KQ2M4XA", "7KQ2M4XA", "6KQ2M4XA"]
    assert "Dr. Ray" in cards["7KQ2M4XA"]
    assert "a-challenge" in cards["7KQ2M4XA"]
    assert "own-why" in cards["7KQ2M4XA"]
    assert BOBS not in page


def test_transcript_of_a_caller_is_shown(console: Console, phone: Phone) -> None:
    console.office.write(record_transcript, Transcript("7KQ2M4XA", NOW, "1.1", None, "It is Tom.", "en", Voice.UNCLEAR))
    assert "It is Tom." in phone.text("/me")


def test_wrongly_stopped_caller_is_allowed_from_now_on(console: Console, phone: Phone) -> None:
    page = phone.done(f"{RAY}/wrong", back="/me")
    assert lists_of(console) == {DR_RAY: ListName.ALLOW}
    assert mark_of(console, DR_RAY) is Verdict.OK
    assert f"{RAY}/wrong" not in page.text
    phone.undo(page)
    assert lists_of(console) == {}
    assert mark_of(console, DR_RAY) is None
    assert changes_of(console.office) == [
        ("undo this was wrong", WHO, DR_RAY),
        ("this was wrong", WHO, DR_RAY),
        ("mark", WHO, DR_RAY),
        ("list add", WHO, DR_RAY),
    ]


@pytest.mark.parametrize(
    ("what", "listed", "marked"),
    [
        ("spam", ListName.BLOCK, Verdict.SPAM),
        ("ok", None, Verdict.OK),
        ("allow", ListName.ALLOW, None),
        ("block", ListName.BLOCK, None),
    ],
)
def test_mark_or_list_entry_is_made_and_undone(
    console: Console, phone: Phone, what: str, listed: ListName | None, marked: Verdict | None
) -> None:
    page = phone.done(f"{SALE}/{what}", back="/me")
    assert (lists_of(console).get(SALES), mark_of(console, SALES)) == (listed, marked)
    phone.undo(page)
    assert (lists_of(console).get(SALES), mark_of(console, SALES)) == (None, None)
    assert {who for _, who, _ in changes_of(console.office)} == {WHO}


def test_warnings_and_quiet_hours_are_switched_and_undone(console: Console, phone: Phone) -> None:
    off = phone.done("/me/warnings/off")
    assert console.office.read(phone_settings_of, "201") == {PhoneSetting.NO_WHISPER}
    phone.undo(off)
    assert console.office.read(phone_settings_of, "201") == set()
    phone.done("/me/quiet/on")
    phone.done("/me/warnings/off")
    assert console.office.read(phone_settings_of, "201") == set(PhoneSetting)
    on = phone.done("/me/warnings/on")
    phone.done("/me/warnings/on")  # pressed twice
    assert console.office.read(phone_settings_of, "201") == {PhoneSetting.QUIET}
    phone.undo(on)
    assert console.office.read(phone_settings_of, "201") == set(PhoneSetting)
    assert console.office.read(phone_settings_of, "202") == set()
    whats = [what for what, who, _ in changes_of(console.office) if who == WHO]
    assert whats.count("whispers-on") == 1


def test_expected_call_is_set_and_undone(console: Console, phone: Phone) -> None:
    page = phone.done("/me/expect/on")
    assert console.office.read(expected_call_of, "201") == ("201", NOW + 7200)
    phone.undo(page)
    assert console.office.read(expected_call_of, "201") is None
    phone.done("/me/expect/on")
    over = phone.done("/me/expect/off")
    assert console.office.read(expected_call_of, "201") is None
    phone.undo(over)
    assert console.office.read(expected_call_of, "201") == ("201", NOW + 7200)


def test_typed_number_is_listed_and_removed(console: Console, phone: Phone) -> None:
    assert DR_RAY in phone.done("/me/lists/add", number="(702) 555-4207", list="allow").text
    assert lists_of(console) == {DR_RAY: ListName.ALLOW}
    phone.done("/me/lists/add", number=DR_RAY, list="block")
    assert lists_of(console) == {DR_RAY: ListName.BLOCK}
    page = phone.done("/me/lists/remove", number=DR_RAY, back="/me/lists")
    assert lists_of(console) == {}
    phone.undo(page)
    assert lists_of(console) == {DR_RAY: ListName.BLOCK}


@pytest.mark.parametrize("number", ["", "hello", "1", "<script>", "+1206555*", "9" * 40])
def test_bad_number_is_not_listed(console: Console, phone: Phone, number: str) -> None:
    answer = phone.post("/me/lists/add", number=number, list="block")
    assert answer.status_code == 422
    assert problem_of(answer.text)
    assert lists_of(console) == {}


def test_undo_is_offered_for_minutes_only(console: Console, phone: Phone) -> None:
    page = phone.done("/me/quiet/on")
    console.office.clock.now += 3600
    found = re.search(r'name="id" value="(\d+)"', page.text)
    assert found
    assert phone.post("/me/undo", id=found[1]).status_code == 422
    assert console.office.read(phone_settings_of, "201") == {PhoneSetting.QUIET}


def test_withheld_caller_cannot_be_listed_or_marked(console: Console, phone: Phone) -> None:
    console.office.add_decisions(make_decision("AAAAAAAA", caller=None, caller_kind="withheld", callee="201"))
    for what in ("wrong", "spam", "ok", "allow", "block"):
        assert phone.post(f"/me/calls/AAAAAAAA/{what}").status_code == 422
    assert "/me/calls/AAAAAAAA/" not in phone.text("/me")


def test_older_calls_are_on_further_pages(console: Console, phone: Phone) -> None:
    calls = [make_decision(f"A{n:07}", caller=SALES, callee="201", at=NOW - 1000 - n) for n in range(25)]
    console.office.add_decisions(*calls)
    seen: list[str] = []
    path: str | None = "/me"
    while path:
        page = phone.text(path)
        seen += re.findall(r'id="call-(\w+)"', page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        path = found[1] if found else None
    assert len(seen) == len(set(seen)) == 28


@pytest.mark.parametrize("path", ["/me", "/me/lists", "/me/devices", "/me/sign-in"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_page_is_small_and_needs_no_script(phone: Phone, path: str, language: str) -> None:
    page = phone.get(path, headers={"accept-language": language})
    assert "<script" not in page.text
    files = set(re.findall(r'(?:href|src)="(/static/[^"#]+)"', page.text))
    size = len(page.content) + sum(len(phone.get(file).content) for file in files)
    assert size < 150_000
    assert len(files) >= 4


def test_own_page_can_be_installed_on_a_phone(phone: Phone) -> None:
    page = phone.get("/me")
    assert "manifest-src 'self'" in page.headers["content-security-policy"]
    found = re.search(r'rel="manifest" href="([^"]+)"', page.text)
    assert found
    manifest = phone.get(found[1]).json()
    assert (manifest["start_url"], manifest["display"]) == ("/me", "standalone")
    for icon in manifest["icons"]:
        answer = phone.get(icon["src"])
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, icon["type"])


def test_language_and_theme_are_remembered(phone: Phone) -> None:
    page = phone.done("/me/preferences", language="zh", theme="dark", next="/me/lists").text
    assert '<html lang="zh-Hans" data-theme="dark">' in page


IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"{IPHONE} Mobile/15E148 Safari/604.1", "Safari · iPhone"),
        (f"{IPHONE} CriOS/138.0 Mobile/15E148 Safari/604.1", "Chrome · iPhone"),
        (
            "Mozilla/5.0 (Linux; Android 10; K) Chrome/138.0.0.0 Mobile Safari/537.36",
            "Chrome · Android",
        ),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/138.0 Safari/537.36 Edg/138.0", "Edge · Linux"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
    ],
)
def test_a_device_has_a_short_name(agent: str, name: str) -> None:
    assert device_name(agent) == name
