"""The digest of a day: counts, time zones, masking and Chinese."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from callsieve.calls.live import SPANS, activity_shown
from callsieve.changes.operation import Context, Refused
from callsieve.digest.operations import DayRequest, Digest, day, end_of, start_of
from callsieve.digest.text import DigestLine, DigestText, digest_text, html_page, plain_text
from callsieve.doctor.stored_findings import findings_of, store_findings
from callsieve.health import Check, CheckStatus
from callsieve.source_health import SourceStatus
from reputation.appeals import Appeal, AppealStep
from reputation.encoding import plain
from reputation.model import (
    AuthClass,
    Challenged,
    ChallengeResult,
    Direction,
    Disposition,
    EndedBy,
    Mark,
    MarkChannel,
    Verdict,
)
from reputation.outcome import OutcomeRecord
from reputation.own.grades import Grade, Graded, GradeReason
from reputation.own.register import OwnNumber
from reputation.own.suspicion import Network, Suspicion
from reputation.store.appeals import open_appeal, take_step
from reputation.store.evidence import record_challenge, settle_challenge
from reputation.store.imports import Feed, import_numbers
from reputation.store.journal import record_decisions
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcome
from reputation.store.own_health import record_grade, record_suspicions
from reputation.store.own_labels import LabelCheck, put_label_check
from reputation.store.own_register import put_own
from reputation.users import Role
from tests.callsieve.browsing import Office
from tests.callsieve.console_calls import DID, make_decision
from tests.callsieve.program import at_of

DAY = date(2026, 11, 26)
NOON = 1_795_694_400.0  # of that day, in UTC
MORNING = NOON + 19 * 3600  # of the next one
CALLER, OTHER = "+12017421834", "+12017421835"
OWN = "+12025550100"


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from in_zone("UTC", monkeypatch)


def in_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def context_at(office: Office, now: float = MORNING) -> Context:
    return Context("joe", Role.ADMINISTRATOR, now, office.load())


def digest_of(office: Office, wanted: date | None = None, now: float = MORNING) -> Digest:
    return office.read(day, context_at(office, now), DayRequest(wanted))


def fill(db: sqlite3.Connection) -> None:
    """Add a day with every kind of call, and one call on the days before and after."""
    record_decisions(
        db,
        [
            make_decision("AAAAAAA0", at=NOON - 86_400, action="reject"),
            make_decision("AAAAAAA1", at=NOON, caller=CALLER, action="challenge"),
            make_decision("AAAAAAA2", at=NOON + 60, caller=CALLER, action="warn"),
            make_decision("AAAAAAA3", at=NOON + 120, caller=OTHER, action="warn"),
            make_decision("AAAAAAA4", at=NOON + 180, caller=None, action="allow", rule="fail-open", reason="timed out"),
            make_decision("AAAAAAA5", at=NOON + 86_400, action="reject"),
        ],
    )
    back = OutcomeRecord(
        linkedid="back",
        at=NOON + 3600,
        direction=Direction.OUTBOUND,
        disposition=Disposition.ANSWERED,
        caller="201",
        dialled=CALLER,
        talk_seconds=90.0,
        ended_by=EndedBy.CALLER,
    )
    record_outcome(db, back, NOON + 4000)
    record_challenge(db, "call.AAAAAAA1", CALLER, AuthClass.UNKNOWN, ChallengeResult.SILENT, NOON + 5)
    add_mark(db, Mark(OTHER, AuthClass.UNKNOWN, "201", Verdict.SPAM, NOON + 200, MarkChannel.WEB))
    appeal = Appeal(reference="AP9E4100", number=OTHER, name="Carol Ltd", contact="carol", opened_at=NOON - 9e5)
    open_appeal(db, appeal)
    take_step(db, "AP9E4100", AppealStep.ACCEPT, NOON - 8e5)
    record_grade(db, OWN, Graded(NOON - 90_000, Grade.HEALTHY, ()))
    record_grade(db, OWN, Graded(NOON, Grade.WATCH, (GradeReason("short", {"part": 24, "whole": 150}),)))


def test_call_with_two_decisions_counts_once(office: Office) -> None:
    """The second decision is for the phone that the call is forwarded to."""
    first = make_decision("AAAAAAA1", at=NOON, caller=CALLER, action="warn")
    again = first._replace(id="AAAAAAA2", at=NOON + 4, callee="201", action="allow", would_be="allow")
    office.write(record_decisions, [first, again, make_decision("AAAAAAA3", at=NOON + 60, caller=OTHER)])
    shown = office.read(activity_shown, SPANS["day"], NOON + 90)
    digest = digest_of(office, DAY)
    assert (shown.calls, shown.totals["warn"]) == (digest.calls, digest.figures.warned) == (2, 1)


@pytest.fixture
def busy_office(office: Office) -> Office:
    office.write(fill)
    feed = Feed(format="numbers")
    office.read(import_numbers, "ftc", "spam", [(OTHER, "", "", "")], lambda: NOON - 90 * 86_400, str, feed)
    store_findings(
        office.load().findings_path,
        findings_of(
            [
                Check("backup", CheckStatus.WARN, "the last one is 3 d old", "callsieve db backup", MORNING),
                Check("Asterisk", CheckStatus.OK, "22", "", MORNING),
                Check("daemon", CheckStatus.FAIL, "nobody answers", "systemctl start callsieve", MORNING),
                Check("feeds", CheckStatus.WARN, "said elsewhere", "", MORNING),
            ],
            MORNING,
            MORNING,
        ),
    )
    return office


def test_digest_counts_calls_and_marks_of_the_day(busy_office: Office) -> None:
    found = digest_of(busy_office)
    assert (found.day, found.is_over) == (DAY, True)
    assert (found.calls, found.figures.warned, found.figures.stopped) == (4, 2, 1)
    assert found.challenged == {ChallengeResult.SILENT: 1}
    assert (found.figures.marks, found.figures.fail_open) == ({"spam": 1}, {"timed out": 1})


def test_number_stopped_and_warned_is_listed_once(busy_office: Office) -> None:
    (one,) = digest_of(busy_office).mistakes
    assert (one.number, one.actions, one.calls) == (CALLER, {"challenge": 1, "warn": 1}, 2)


def test_digest_lists_open_tasks(busy_office: Office) -> None:
    found = digest_of(busy_office)
    assert [appeal.reference for appeal in found.appeals] == ["AP9E4100"]
    assert [(grade.number, grade.before, grade.grade) for grade in found.grades] == [(OWN, Grade.HEALTHY, Grade.WATCH)]
    assert [name for name, _ in found.feeds] == ["ftc"]
    assert isinstance(found.findings, tuple)
    assert [check.name for check in found.findings] == ["daemon", "backup"]


def test_feed_that_was_never_fetched_is_listed(office: Office) -> None:
    """The doctor's finding about feeds is left out, because the digest names them."""
    with office.config.open("a") as file:
        file.write('\n[[feed]]\nname = "theirs"\nurl = "https://example.com/list.csv"\n')
    assert [(name, health.health) for name, health in digest_of(office).feeds] == [("theirs", SourceStatus.WAITING)]


@pytest.mark.parametrize(
    ("wanted", "calls"),
    [
        pytest.param(date(2026, 11, 25), 1, id="the-day-before"),
        pytest.param(date(2026, 11, 24), 0, id="a-day-without-calls"),
        pytest.param(date(2026, 11, 27), 0, id="today-so-far"),
        pytest.param(date(1970, 1, 1), 0, id="long-ago"),
    ],
)
def test_digest_of_another_day_can_be_requested(busy_office: Office, wanted: date, calls: int) -> None:
    assert digest_of(busy_office, wanted).calls == calls


def test_future_day_is_refused(office: Office) -> None:
    with pytest.raises(Refused) as refused:
        digest_of(office, date(2026, 11, 28))
    assert refused.value.code == "to-come"


def test_day_without_calls_has_one_sentence(office: Office) -> None:
    store_findings(office.load().findings_path, findings_of([], MORNING, MORNING))
    text = digest_text(digest_of(office))
    assert (text.lead, text.sections) == ("No call was screened on this day.", ())


@pytest.mark.parametrize(
    ("zone", "one", "hours"),
    [
        pytest.param("Europe/Berlin", date(2026, 3, 29), 23, id="spring"),
        pytest.param("Europe/Berlin", date(2026, 10, 25), 25, id="autumn"),
        pytest.param("Asia/Shanghai", date(2026, 10, 25), 24, id="no-summer-time"),
    ],
)
def test_days_follow_the_time_zone_of_the_site(
    zone: str, one: date, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in in_zone(zone, monkeypatch):
        assert end_of(one) - start_of(one) == hours * 3600


def all_text(text: DigestText) -> str:
    return plain_text(text) + html_page(text)


def test_mail_masks_every_number_and_has_no_command(busy_office: Office) -> None:
    text = digest_text(digest_of(busy_office), numbers=False, console="https://pbx.example.com")
    for number in (CALLER, OTHER, OWN):
        assert number[1:] not in all_text(text)
    assert "+1201*****34" in plain_text(text)
    assert "2026-11-26" in text.title
    assert "https://pbx.example.com" in all_text(text)


def test_unmasked_digest_has_corrections_and_links(busy_office: Office) -> None:
    text = digest_text(digest_of(busy_office), console="https://pbx.example.com")
    wrong = text.sections[0].lines[0]
    assert (wrong.commands, wrong.link) == (
        (
            f'callsieve list add allow {CALLER} --note "machine, wanted"',
            f"callsieve identity code {CALLER}",
        ),
        "https://pbx.example.com/numbers/%2B12017421834",
    )
    assert "AP9E4100 by Carol Ltd: in force, to be decided by" in plain_text(text)


def test_stranger_who_left_a_message_is_a_probable_mistake(office: Office) -> None:
    asked = make_decision("AAAAAAA1", at=NOON, caller=CALLER, rule="stranger", level="none")
    office.write(record_decisions, [asked])
    left = Challenged(CALLER, AuthClass.UNKNOWN, DID, ChallengeResult.MESSAGE, NOON - 1, asked.linkedid)
    office.write(settle_challenge, left)
    found = digest_of(office)
    assert [(mistake.number, mistake.is_machine) for mistake in found.mistakes] == [(CALLER, True)]
    assert digest_text(found).sections[0].lines[0].commands[0].startswith(f"callsieve list add allow {CALLER} ")
    (wrong, *_) = digest_text(found, "zh").sections[0].lines
    assert "it was asked" not in wrong.text


def test_chinese_digest_has_chinese_titles(busy_office: Office) -> None:
    text = digest_text(digest_of(busy_office), "zh")
    assert text.title == "2026-11-26 的来电"
    for section in text.sections:
        assert section.title.isascii() is False
    assert 'lang="zh-Hans"' in html_page(text)


def test_hostile_text_is_escaped_in_html(office: Office) -> None:
    name = "<script>alert(1)</script>"
    appeal = Appeal(reference="AP9E4100", number=OTHER, name=name, contact="x", opened_at=NOON)
    office.write(open_appeal, appeal)
    office.write(take_step, "AP9E4100", AppealStep.ACCEPT, NOON)
    page = html_page(digest_text(digest_of(office)))
    assert name not in page
    assert "&lt;script&gt;" in page


def test_json_digest_has_all_fields(busy_office: Office) -> None:
    found = plain(digest_of(busy_office))
    assert (found["day"], found["is_over"], found["calls"], found["warned"], found["stopped"]) == (
        "2026-11-26",
        True,
        4,
        2,
        1,
    )
    assert found["probable_mistakes"]["calls"] == 2
    [own] = found["grades"]
    assert (own["number"], at_of(own["at"]), own["before"], own["grade"]) == (OWN, NOON, "healthy", "watch")
    assert [reason["code"] for reason in own["reasons"]] == ["short"]
    assert found["appeals"][0]["overdue"] is True
    assert found["findings"][0]["name"] == "daemon"


def test_a_suspected_mark_is_in_the_digest_of_its_day(office: Office) -> None:
    found = Suspicion(Network("GB", "EE"), "answered", 0.41, 0.18, 900, 300, 0.9991)
    office.write(record_suspicions, OWN, [found], NOON)
    told = digest_of(office)
    (line,) = lines_of(digest_text(told))
    assert "EE (GB): 18% of the calls in the last 7 days were answered" in line.text
    assert line.commands == (f"callsieve own watch suspect {OWN}",)
    (masked,) = lines_of(digest_text(told, numbers=False))
    assert (OWN in masked.text, masked.commands) == (False, ())
    assert plain(told)["suspicions"][0]["platforms"][0]["platform"] == "Hiya"
    assert digest_of(office, now=MORNING + 86_400).suspicions == (), "of the day before it was told"


def lines_of(text: DigestText) -> tuple[DigestLine, ...]:
    return next(
        section.lines for section in text.sections if section.title == "Own numbers that platforms seem to label"
    )


def test_due_checks_of_own_numbers_are_in_the_digest(office: Office) -> None:
    office.write(put_own, OwnNumber(number=OWN, since=NOON, next_check_at=MORNING + 3600))
    office.write(put_label_check, LabelCheck(OWN, "Hiya", NOON, "", next_at=MORNING - 3600))
    office.write(put_label_check, LabelCheck(OWN, "TNS", NOON, "", next_at=MORNING + 3 * 86_400))
    found = digest_of(office)
    assert [(item.number, item.at) for item in found.due] == [(OWN, MORNING - 3600), (OWN, MORNING + 3600)]
    lines = next(section.lines for section in digest_text(found).sections if section.title == "Tasks for own numbers")
    assert ["check again what Hiya shows" in line.text for line in lines] == [True, False]
    assert [item["number"] for item in plain(found)["due"]] == [OWN, OWN]
