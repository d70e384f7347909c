"""Which numbers the helper calls and how often, also after restarts and clock changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.call_back.helper import BESIDE, STATE_FILE, PlacedCalls, StateError, parse_line, refusal_of
from callsieve.settings import SettingsError
from reputation.numbers import NumberType, country_of, number_type_of
from tests.callsieve.call_back.helping import NUMBER, OTHER, TICKET, FakeClocks, HelperInProcess, make_settings

HOUR, DAY = 3600, 86_400
AT_HOME = 'countries = ["US", "GB", "DE", "CN"]\n'
# Numbers used for fraud: expensive domestic ones, and foreign ones that look domestic.
FRAUD = [
    pytest.param("+19005551234", "kind", id="premium-900"),
    pytest.param("+12129761234", "kind", id="pay-per-call-976"),
    pytest.param("+12015551212", "kind", id="directory-assistance"),
    pytest.param("+18095551234", "country", id="caribbean-809"),
    pytest.param("+18765551234", "country", id="caribbean-876"),
    pytest.param("+14735551234", "kind", id="caribbean-473-unallocated"),
    pytest.param("+17875551234", "country", id="puerto-rico"),
    pytest.param("+14165550123", "country", id="canada"),
    pytest.param("+15005550123", "kind", id="personal-500"),
    pytest.param("+17005550123", "kind", id="carriers-700"),
    pytest.param("+18335550123", "kind", id="toll-free"),
    pytest.param("+12005550123", "kind", id="unallocated-area"),
    pytest.param("+449061234567", "kind", id="premium-09"),
    pytest.param("+448431234567", "kind", id="shared-cost-084"),
    pytest.param("+443001234567", "kind", id="uan-03"),
    pytest.param("+447012345678", "kind", id="personal-070"),
    pytest.param("+445612345678", "kind", id="voip-056"),
    pytest.param("+447624123456", "country", id="isle-of-man-mobile"),
    pytest.param("+441534123456", "country", id="jersey"),
    pytest.param("+49900123456", "kind", id="german-0900"),
    pytest.param("+4990012345678", "kind", id="german-0900-long"),
    pytest.param("+864001234567", "kind", id="chinese-400"),
    pytest.param("+8695588", "kind", id="service-number"),
    pytest.param("+881612345678", "country", id="iridium"),
    pytest.param("+870776123456", "country", id="inmarsat"),
    pytest.param("+88213123456", "kind", id="satellite-882"),
    pytest.param("+979123456789", "kind", id="international-premium"),
    pytest.param("+25261234567", "country", id="somalia"),
    pytest.param("+3712999999", "kind", id="latvia-short"),
    pytest.param("+911", "kind", id="emergency"),
    pytest.param("0900123456", "kind", id="national-0900"),
    pytest.param("900 555 1234", "kind", id="national-900"),
    pytest.param("201", "kind", id="extension"),
    pytest.param("*37", "kind", id="feature-code"),
    pytest.param("+1 201 555 0123", "kind", id="spaces"),
    pytest.param("+12015550123&PJSIP/900", "kind", id="two-channels"),
    pytest.param("", "kind", id="empty"),
]


@pytest.mark.parametrize(("number", "why"), FRAUD)
def test_premium_and_foreign_numbers_are_never_called(tmp_path: Path, number: str, why: str) -> None:
    settings = make_settings(tmp_path, AT_HOME)
    assert refusal_of(number, settings) == why
    desk = HelperInProcess(tmp_path / "desk", AT_HOME)
    assert desk.ask(number) in (why, "bad-line")
    assert desk.files() == []


@pytest.mark.parametrize("number", [NUMBER, "+442071838750", "+447400123456", "+493012345678", "+8613800138000"])
def test_domestic_landlines_and_mobiles_are_called(tmp_path: Path, number: str) -> None:
    assert refusal_of(number, make_settings(tmp_path, AT_HOME)) is None


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_only_domestic_landlines_and_mobiles_are_called(number: str) -> None:
    if refusal_of(number, make_settings(Path("/"), AT_HOME)) is None:
        assert country_of(number) in ("US", "GB", "DE", "CN")
        assert number_type_of(number) in (NumberType.FIXED, NumberType.MOBILE, NumberType.FIXED_OR_MOBILE)


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_no_request(line: bytes) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f"{NUMBER} {TICKET}", id="no-end"),
        pytest.param(f"{NUMBER} {TICKET}\r\n", id="carriage-return"),
        pytest.param(f"{NUMBER} {TICKET}\n\n", id="two-ends"),
        pytest.param(f"{NUMBER} {TICKET}\nContext: from-internal\n", id="a-header"),
        pytest.param(f"{NUMBER} {TICKET} Application: System\n", id="a-word-more"),
        pytest.param(f"{NUMBER}  {TICKET}\n", id="two-spaces"),
        pytest.param(f"{NUMBER} {TICKET[:-1]}\n", id="short-ticket"),
        pytest.param(f"{NUMBER} ${{SHELL(id)}}\n", id="dialplan"),
        pytest.param(f"{NUMBER} ١٢٣٤٥٦٧٨٩٠١٢\n", id="arabic-digits"),
        pytest.param(f"{NUMBER[1:]} {TICKET}\n", id="no-plus"),
        pytest.param(f"{NUMBER} {TICKET}\0\n", id="nul"),
    ],
)
def test_malformed_line_is_refused(tmp_path: Path, line: str) -> None:
    desk = HelperInProcess(tmp_path)
    assert desk.helper.answer(line.encode()) == "bad-line"
    assert desk.files() == []


def test_call_file_has_exactly_these_lines(tmp_path: Path) -> None:
    desk = HelperInProcess(tmp_path, 'channel = "PJSIP/{digits}@carrier"\ncaller_id = "+12015550100"\n')
    assert desk.ask() == "called"
    [file] = desk.files()
    assert file.parent == desk.spool / "outgoing"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().splitlines() == [
        "Channel: PJSIP/12015550123@carrier",
        "CallerID: <+12015550100>",
        "MaxRetries: 0",
        "WaitTime: 30",
        "Context: callsieve-call-back",
        "Extension: s",
        "Priority: 1",
        f"Setvar: CALLSIEVE_CALLER={NUMBER}",
        f"Setvar: CALLSIEVE_TICKET={TICKET}",
        "Setvar: CALLSIEVE_LANG=en",
        "Setvar: CALLSIEVE_SECONDS=55",
    ]


def test_calls_to_one_number_are_limited(tmp_path: Path) -> None:
    desk = HelperInProcess(tmp_path)
    said = []
    for minutes in (0, 1, 15, 16, 30, 60):
        desk.times.uptime = 1000.0 + minutes * 60
        said.append(desk.ask())
    assert said == ["called", "number-lately", "called", "number-lately", "called", "number-today"]
    desk.times.uptime = 1000.0 + DAY
    assert desk.ask() == "called"
    assert len(desk.files()) == 4


def test_calls_to_all_numbers_are_limited_per_hour_and_day(tmp_path: Path) -> None:
    desk = HelperInProcess(tmp_path, "an_hour = 4\na_day = 6\n")
    said = []
    for n in range(12):
        said.append(desk.ask(f"+120155501{n:02}"))
        desk.times.advance(50)
    assert said == ["called", "called", *["called"] * 2, *["hour"] * 8]
    desk.times.advance(HOUR)
    said = []
    for n in range(12, 16):
        said.append(desk.ask(f"+120155501{n:02}"))
        desk.times.advance(HOUR)
    assert said == ["called", "called", "day", "day"]
    assert len(desk.files()) == 6


def test_concurrent_calls_are_limited(tmp_path: Path) -> None:
    """A call counts until the latest instant at which it can have ended: 30 s of ringing, 55 s, and 10 s."""
    desk = HelperInProcess(tmp_path)
    assert [desk.ask(f"+120155501{n:02}") for n in range(3)] == ["called", "called", "busy"]
    desk.times.advance(94)
    assert desk.ask("+12015550103") == "busy"
    desk.times.advance(1)
    assert desk.ask("+12015550103") == "called"


@pytest.mark.parametrize(
    ("number", "hour", "said"),
    [
        pytest.param("+12015550123", 12, "night", id="seven-in-new-jersey"),
        pytest.param("+12015550123", 13, "called", id="eight-in-new-jersey"),
        pytest.param("+12133730123", 13, "night", id="five-in-los-angeles"),
        pytest.param("+12133730123", 16, "called", id="eight-in-los-angeles"),
        pytest.param("+8613800138000", 12, "called", id="eight-in-the-evening-in-china"),
        pytest.param("+8613800138000", 13, "night", id="nine-in-the-evening-in-china"),
    ],
)
def test_no_call_is_placed_at_night(tmp_path: Path, number: str, hour: int, said: str) -> None:
    """`hour` is in UTC, on a day in January."""
    desk = HelperInProcess(tmp_path, AT_HOME + "first_hour = 8\nlast_hour = 21\n")
    desk.times.wall = 1_767_657_600.0 + hour * HOUR  # 2026-01-06
    assert desk.ask(number) == said
    assert len(desk.files()) == (said == "called")


def test_refused_prefixes_are_not_called(tmp_path: Path) -> None:
    desk = HelperInProcess(tmp_path, f'refused = ["{NUMBER[:-1]}"]\n')
    assert [desk.ask(NUMBER), desk.ask(OTHER), desk.ask("+12015550199")] == ["refused", "refused", "called"]


@pytest.mark.parametrize("wall", [-400 * DAY, -HOUR, 0, HOUR, 400 * DAY])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_clock_change_resets_no_limit(tmp_path: Path, wall: float, is_restarted: bool) -> None:
    desk = HelperInProcess(tmp_path, "a_day = 3\nan_hour = 3\n")
    assert [desk.ask(f"+120155501{n:02}") for n in range(2)] == ["called", "called"]
    desk.times.advance(200)
    assert desk.ask() == "called"
    desk.times.wall += wall
    if is_restarted:
        desk.start()
    desk.times.advance(200)
    assert desk.ask(OTHER) == "day"
    desk.times.advance(DAY)
    assert desk.ask(OTHER) == "called"


@pytest.mark.parametrize("wall", [-400 * DAY, 0.0])
def test_reboot_resets_no_limit(tmp_path: Path, wall: float) -> None:
    desk = HelperInProcess(tmp_path)
    assert desk.ask() == "called"
    desk.times.boot, desk.times.uptime = "boot-2", 5.0
    desk.times.wall += wall
    desk.start()
    assert desk.ask() == "number-lately"
    desk.times.advance(15 * 60)
    assert desk.ask() == "called"


@pytest.mark.parametrize("text", ["", "{", '{"boot": 1}', '{"boot": "x", "key": "y", "calls": [], "more": 1}'])
def test_damaged_state_file_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_FILE).write_text(text)
    with pytest.raises(StateError, match=STATE_FILE):
        PlacedCalls(tmp_path, FakeClocks().clocks())


def test_uncounted_call_is_not_placed(tmp_path: Path) -> None:
    desk = HelperInProcess(tmp_path / "desk")
    (desk.folder / STATE_FILE).mkdir()
    assert desk.ask() == "failed"
    assert desk.files() == []


def test_failed_call_still_counts(tmp_path: Path) -> None:
    desk = HelperInProcess(tmp_path)
    (desk.spool / BESIDE).touch()
    assert desk.ask() == "failed"
    assert desk.files() == [desk.spool / BESIDE], "nothing is left beside it"
    assert desk.ask() == "number-lately"


@pytest.mark.parametrize(("seconds", "minutes"), [(20, 30), (55, 30), (59, 30), (60, 60), (119, 60), (120, 90)])
def test_billed_minutes_are_rounded_up(tmp_path: Path, seconds: int, minutes: int) -> None:
    assert make_settings(tmp_path, f"seconds = {seconds}\n").most_minutes_a_day == minutes


def test_state_file_holds_no_number(tmp_path: Path) -> None:
    desk = HelperInProcess(tmp_path)
    desk.ask()
    kept = tmp_path / STATE_FILE
    assert NUMBER[1:] not in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param("countries = []", "countries: name the countries", id="no-country"),
        pytest.param('countries = ["001"]', r"countries\[0\]: .*US", id="satellite"),
        pytest.param('channel = "PJSIP/x y"', "write it as PJSIP/", id="space"),
        pytest.param('channel = "PJSIP/200"', "channel: write {number}", id="no-number"),
        pytest.param('channel = "PJSIP/{name}@{number}"', "may stand in braces", id="unknown-placeholder"),
        pytest.param('channel = "PJSIP/{number}\\nApplication: System"', "channel", id="line-end"),
        pytest.param('caller_id = "x\\nApplication: System"', "caller_id", id="caller-id"),
        pytest.param("seconds = 100000", "seconds", id="for-ever"),
        pytest.param("an_hour = 500", "a_day: must", id="hour-above-day"),
        pytest.param("first_hour = 21\nlast_hour = 8", "first_hour: must", id="hours"),
        pytest.param("forever = true", "forever: unknown key", id="unknown"),
        pytest.param('refused = ["201"]', "refused", id="refused"),
    ],
)
def test_invalid_settings_are_refused(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said.replace("{", "\\{")):
        make_settings(tmp_path, f"{more}\n")
