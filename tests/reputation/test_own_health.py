"""The health of own numbers: daily counts, thresholds, and the grades of whole campaigns."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.law.loader import hours_by_law
from reputation.memory_store import MemoryStore
from reputation.model import Direction, Disposition, EndedBy, Level, Reputation, SignalCategory
from reputation.outcome import OutcomeRecord, Signal
from reputation.own.daily_counts import HealthFacts, OwnDay, baseline_of, tally_of, window_of, window_of_day
from reputation.own.grades import Grade, Graded, GradeReason, turned_round, view_of
from reputation.own.health import LIMITS, SHARES, NumberHealth, above_limits, health_of
from reputation.own.hours import CallingHours
from reputation.own.register import OwnNumber
from reputation.store.database import open_store
from reputation.store.do_not_call import (
    Complaint,
    DoNotCallRequest,
    add_complaint,
    add_do_not_call,
    complaints_about,
    was_called,
)
from reputation.store.housekeeping import expire
from reputation.store.imports import import_numbers
from reputation.store.outcomes import record_outcomes
from reputation.store.own_days import days_of, people_of
from reputation.store.own_health import (
    GradeChange,
    changed_grades,
    grade_all,
    grade_of,
    own_health,
    recent_grade,
    record_grade,
)
from reputation.store.own_labels import LabelCheck, record_label_check
from reputation.store.own_register import put_own, unregistered
from reputation.store.transaction import transaction
from reputation.weights import DEFAULT
from tests.reputation.own_campaigns import CARELESS, CONSIDERATE, MIDNIGHT, OWN, campaign, person, run
from tests.reputation.store_builders import DAY, make_outcome

TEN = MIDNIGHT + 10 * 3600
PARIS = "+33140205050"
REFUSED: dict[str, Any] = {"disposition": Disposition.REJECTED, "blocked": True, "ring": 1.0}


def make_call(number: int = 1, at: float = TEN, talk: float = 0.0, **others: Any) -> OutcomeRecord:
    """Make a call by 201 to a person in London."""
    about = {"dialled": "+442071838799", "own_number": OWN, **others}
    return make_outcome(f"c{number}", at, by="201", talk=talk, direction=Direction.OUTBOUND, **about)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        yield opened


# One call.


@pytest.mark.parametrize(
    ("call", "counts"),
    [
        pytest.param(make_call(talk=60.0), {"answered"}, id="answered"),
        pytest.param(make_call(talk=6.0), {"answered", "short"}, id="six-seconds-are-short"),
        pytest.param(make_call(talk=6.1), {"answered"}, id="more-are-not"),
        pytest.param(make_call(talk=1.0), {"answered", "short", "abandoned"}, id="we-hung-up-at-once"),
        pytest.param(make_call(talk=1.0, ended_by=EndedBy.CALLEE), {"answered", "short"}, id="they-hung-up-at-once"),
        pytest.param(make_call(ring=20.0), {"unanswered"}, id="rang-out"),
        pytest.param(make_call(ring=14.0), {"unanswered", "abandoned"}, id="let-ring-for-14-s"),
        pytest.param(make_call(ring=5.0, disposition=Disposition.BUSY), {"unanswered"}, id="busy"),
        pytest.param(make_call(ring=0.0, disposition=Disposition.FAILED), {"failed"}, id="no-such-number"),
        pytest.param(
            make_call(ring=1.0, disposition=Disposition.REJECTED, blocked=True), {"blocked"}, id="a-network-refused"
        ),
        pytest.param(
            make_call(ring=0.0, disposition=Disposition.FAILED, blocked=True), {"blocked"}, id="without-ringing"
        ),
        pytest.param(make_call(ring=1.0, disposition=Disposition.REJECTED), {"unanswered"}, id="a-person-declined"),
        pytest.param(make_call(talk=3.0, ring=1.5), {"machine"}, id="answered-by-a-machine"),
        pytest.param(make_call(talk=1.0, ring=0.1), {"machine"}, id="and-we-hung-up-at-once"),
        pytest.param(make_call(talk=3.0, ring=1.6), {"answered", "short"}, id="a-quick-person"),
        pytest.param(make_call(talk=60.0, ring=0.0), {"answered"}, id="a-trunk-that-tells-no-ringing"),
        pytest.param(make_call(talk=3.0, ring=20.0, machine=True), {"machine"}, id="amd-found-a-machine"),
        pytest.param(make_call(ring=20.0, machine=True), {"unanswered"}, id="unanswered"),
        pytest.param(make_call(ring=9.0, ended_by=None), {"unanswered"}, id="a-cdr-does-not-say-who-gave-up"),
        pytest.param(make_call(at=MIDNIGHT + 7.9 * 3600, ring=20.0), {"unanswered", "outside"}, id="before-eight"),
        pytest.param(make_call(at=MIDNIGHT + 21 * 3600, ring=20.0), {"unanswered", "outside"}, id="at-nine"),
        pytest.param(make_call(dialled=PARIS, ring=20.0), {"unanswered", "outside"}, id="saturday-in-france"),
        pytest.param(
            make_call(dialled="+79161234567", at=MIDNIGHT + 20 * 3600, ring=20.0),
            {"unanswered"},
            id="somewhere-in-russia-it-is-day",
        ),
        pytest.param(
            make_call(dialled="+80012345678", at=MIDNIGHT + 3600, ring=20.0), {"unanswered"}, id="unknown-place"
        ),
    ],
)
def test_a_call_adds_to_its_counts(call: OutcomeRecord, counts: set[str]) -> None:
    tally = tally_of(call, CallingHours(local=hours_by_law()[0]))
    assert tally is not None
    flags = ("answered", "short", "unanswered", "failed", "abandoned", "outside", "blocked", "machine")
    assert {flag for flag in flags if getattr(tally, flag)} == counts


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(make_outcome(), id="inbound"),
        pytest.param(make_call(complete=False), id="incomplete"),
        pytest.param(make_call(own_number="201"), id="goes-out-as-an-extension"),
        pytest.param(make_call(own_number=None), id="goes-out-withheld"),
        pytest.param(make_call(dialled="911"), id="to-a-short-number"),
        pytest.param(make_call(dialled="+8695588"), id="to-a-service-number"),
    ],
)
def test_incomplete_and_unsuitable_calls_are_not_counted(call: OutcomeRecord) -> None:
    assert tally_of(call) is None


# Days.


def test_days_are_those_of_the_called_person(db: sqlite3.Connection) -> None:
    at = MIDNIGHT + 2 * 3600  # still yesterday in New York, already midday in Sydney
    with transaction(db):
        record_outcomes(
            db, [make_call(1, at, dialled="+12015550123"), make_call(2, at, dialled="+61280001234")], at + 60
        )
    assert [day.day for day in days_of(db, OWN, 0)] == [20_399, 20_400]


def counted(db: sqlite3.Connection, calls: Iterable[OutcomeRecord], now: float) -> tuple[list[OwnDay], int]:
    with transaction(db):
        record_outcomes(db, calls, now)
    return days_of(db, OWN, 0), people_of(db, OWN, 28, 20_427)


@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_order_and_repetition_of_calls_do_not_change_days(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cuts: list[int]
) -> None:
    chance = random.Random(seed)
    calls = [
        make_call(n, TEN + chance.randrange(3) * DAY, talk=chance.choice([0.0, 3.0, 60.0]), dialled=person(n % 7))
        for n in range(60)
    ]
    now = TEN + 5 * DAY
    folder = tmp_path_factory.mktemp("days")
    with open_store(folder / "a.db") as a, open_store(folder / "b.db") as b:
        expected = counted(a, calls, now)
        chance.shuffle(calls)
        for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True):
            counted(b, calls[first:last], now)
        days, people = counted(b, calls, now)
        rounded = [day._replace(talk_seconds=round(day.talk_seconds, 6)) for day in days]
        assert (rounded, people) == (expected[0], expected[1])
    assert people == 7
    assert sum(day.attempts for day in days) == 60


def test_people_called_three_times_a_day_are_counted(db: sqlite3.Connection) -> None:
    calls = [make_call(n, TEN + n, dialled=person(place)) for n, place in enumerate([1, 1, 1, 1, 2, 2, 3])]
    [day], people = counted(db, [*calls, make_call(9, TEN + DAY, own_number="+442071838751")], TEN + DAY + 60)
    assert (day.attempts, day.people, day.repeated, day.most, people) == (7, 3, 1, 4, 3)


def test_refused_calls_are_counted_by_country(db: sqlite3.Connection) -> None:
    places = [person(1), person(2), "+12015550123", "+80012345678"]
    calls = [make_call(n, TEN + n, dialled=item, **REFUSED) for n, item in enumerate(places)]
    counted(db, calls, TEN + 60)
    health = own_health(db, OWN, TEN + DAY)
    assert health.facts.blocked == (("GB", 2), ("001", 1), ("US", 1))
    assert [window.blocked for window in health.windows] == [4, 4, 4]
    assert "GB 2, 001 1, US 1" in str(health.notes[-1])
    assert own_health(db, OWN, TEN + 40 * DAY).facts.blocked == ()


def test_machines_and_refusals_do_not_count_as_people(db: sqlite3.Connection) -> None:
    """A hundred voicemails that ended at once, and a hundred calls that networks refused."""
    hung_up = [
        make_call(n, TEN + n, talk=2.0, ring=1.0, ended_by=EndedBy.CALLEE, dialled=person(n)) for n in range(100)
    ]
    refused = [make_call(100 + n, TEN + n, dialled=person(n), **REFUSED) for n in range(100)]
    counted(db, [*hung_up, *refused], TEN + 600)
    health = own_health(db, OWN, TEN + DAY)
    assert {reason.measure for reason in health.reasons} <= {"young", "repeated", "blocked"}
    assert (health.judged.answered, health.judged.machine, health.judged.blocked) == (0, 100, 100)


def test_a_call_back_needs_an_earlier_call(db: sqlite3.Connection) -> None:
    called, stranger = person(1), person(2)
    calls = [
        make_call(1, dialled=called),
        make_outcome("i1", TEN + 3600, caller=called, did=OWN, source="cdr"),
        make_outcome("i2", TEN + 3600, caller=stranger, did=OWN, source="cdr"),
        make_outcome("i3", TEN + 3600, caller=called, did="+442071838751", source="cdr"),
    ]
    days, _ = counted(db, calls, TEN + DAY)
    assert [day.called_back for day in days] == [1]


def test_called_numbers_are_kept_28_days_and_days_a_year(db: sqlite3.Connection) -> None:
    counted(db, [make_call()], TEN + 60)
    for days, kept in ((27, (1, 1)), (30, (0, 1)), (364, (0, 1)), (367, (0, 0))):
        with transaction(db):
            expire(db, TEN + days * DAY)
        called = db.execute("SELECT count(*) FROM own_called").fetchone()[0]
        assert (called, len(days_of(db, OWN, 0))) == kept, days


def test_calls_older_than_the_retention_are_not_counted(db: sqlite3.Connection) -> None:
    assert counted(db, [make_call(1), make_call(2, TEN - 2 * DAY)], TEN + 29 * DAY)[0][0].attempts == 1


# Grades.

CALLS = OwnDay(OWN, 100, attempts=100, answered=60, people=100)


def make_facts(*days: OwnDay, level: Level = Level.NONE, **others: object) -> HealthFacts:
    values = {"today": 100, "people": {1: 100, 7: 100, 28: 100}, "unwanted": {}, "view": Reputation(0.0, level)}
    return HealthFacts(number=OWN, days=days, **values | others)  # type: ignore[arg-type]


def test_a_number_with_normal_calls_is_healthy() -> None:
    health = health_of(make_facts(CALLS))
    assert (health.grade, health.reasons, health.notes) == (Grade.HEALTHY, (), ())


@pytest.mark.parametrize("attempts", [100, 3], ids=["many calls", "few calls"])
def test_a_labelled_number_is_at_risk(attempts: int) -> None:
    health = health_of(make_facts(CALLS._replace(attempts=attempts), labels=(("Hiya", "Scam Likely"),)))
    assert health.grade is Grade.AT_RISK
    assert [reason.measure for reason in health.reasons] == ["labelled"]


def test_the_latest_label_check_of_each_platform_counts(db: sqlite3.Connection) -> None:
    with transaction(db):
        for at, label in ((TEN - 2, "Scam Likely"), (TEN - 1, "")):
            record_label_check(db, LabelCheck(OWN, "Hiya", at, label))
        record_label_check(db, LabelCheck(OWN, "First Orion", TEN - 2, "Spam"))
    assert [reason.words.places["platform"] for reason in own_health(db, OWN, TEN).reasons] == ["First Orion"]
    grade_all(db, TEN)
    graded = grade_of(db, OWN)
    assert graded is not None
    assert graded.grade is Grade.AT_RISK


@pytest.mark.parametrize(
    ("day", "measure", "grade"),
    [
        pytest.param(CALLS._replace(short=5), None, None, id="8-percent-short"),
        pytest.param(CALLS._replace(short=6), "short", Grade.WATCH, id="10-percent-short"),
        pytest.param(CALLS._replace(short=9), "short", Grade.AT_RISK, id="15-percent-short"),
        pytest.param(CALLS._replace(unanswered=59), None, None, id="59-percent-not-taken"),
        pytest.param(CALLS._replace(unanswered=60), "unanswered", Grade.WATCH, id="60-percent-not-taken"),
        pytest.param(CALLS._replace(unanswered=76), "unanswered", Grade.AT_RISK, id="76-percent-not-taken"),
        pytest.param(CALLS._replace(abandoned=2), None, None, id="2-abandoned"),
        pytest.param(CALLS._replace(abandoned=3), "abandoned", Grade.WATCH, id="3-percent-abandoned"),
        pytest.param(CALLS._replace(abandoned=10), "abandoned", Grade.AT_RISK, id="10-percent-abandoned"),
        pytest.param(CALLS._replace(repeated=2), None, None, id="two-people-three-times"),
        pytest.param(CALLS._replace(repeated=3), "repeated", Grade.WATCH, id="three-people-three-times"),
        pytest.param(CALLS._replace(repeated=5), "repeated", Grade.AT_RISK, id="five-people-three-times"),
        pytest.param(CALLS._replace(blocked=2), None, None, id="two-refused"),
        pytest.param(CALLS._replace(blocked=3), "blocked", Grade.WATCH, id="three-refused"),
        pytest.param(CALLS._replace(blocked=10), "blocked", Grade.AT_RISK, id="one-in-ten-refused"),
        pytest.param(CALLS._replace(outside=3), "outside", Grade.WATCH, id="3-percent-at-night"),
        pytest.param(CALLS._replace(outside=5), "outside", Grade.AT_RISK, id="5-percent-at-night"),
    ],
)
def test_shares_above_their_limits_lower_the_grade(day: OwnDay, measure: str | None, grade: Grade | None) -> None:
    health = health_of(make_facts(day))
    assert [(reason.measure, reason.grade) for reason in health.reasons] == ([(measure, grade)] if measure else [])


def test_few_calls_give_no_grade_or_at_most_watch() -> None:
    def grade(attempts: int) -> Grade | None:
        day = OwnDay(OWN, 100, attempts=attempts, answered=attempts, short=attempts)
        return health_of(make_facts(day, level=Level.WARN)).grade

    assert [grade(n) for n in (19, 20, 99, 100)] == [None, Grade.WATCH, Grade.WATCH, Grade.AT_RISK]
    assert "19 in 28 days" in str(health_of(make_facts(CALLS._replace(attempts=19))).notes[0])


@pytest.mark.parametrize(
    ("level", "grade"), [(Level.NONE, Grade.HEALTHY), (Level.TAG, Grade.WATCH), (Level.WARN, Grade.AT_RISK)]
)
def test_the_callees_view_decides_the_grade(level: Level, grade: Grade) -> None:
    assert health_of(make_facts(CALLS, level=level)).grade is grade


@pytest.mark.parametrize(
    ("unwanted", "said"), [(3, "watch: 1.8%"), (4, "at risk: 2.4%"), (16, "at risk: 9.5%"), (17, "at risk: 10%")]
)
def test_a_share_below_ten_percent_has_a_decimal(unwanted: int, said: str) -> None:
    [reason] = health_of(make_facts(CALLS, people={7: 168}, unwanted={7: unwanted})).reasons
    assert f"{reason.grade.words}: {reason.words}".startswith(f"{said} of the people complained")


def test_complaints_are_not_measured_against_one_day() -> None:
    facts = make_facts(CALLS, people={1: 6, 7: 168, 28: 168}, unwanted={7: 4, 28: 4})
    assert window_of(facts, 1).unwanted is None
    assert above_limits(facts, window_of(facts, 1)) == {}
    assert above_limits(facts, window_of(facts, 7)) == {"unwanted": Grade.AT_RISK}


def test_repeated_calls_are_measured_per_person_and_day() -> None:
    [reason] = health_of(make_facts(CALLS._replace(people=753, repeated=35), people={7: 440})).reasons
    assert reason.reason == GradeReason("repeated", {"part": 35, "whole": 753})


def test_three_do_not_call_requests_lower_the_grade() -> None:
    few = make_facts(CALLS, unwanted={7: 2, 28: 2})
    assert health_of(few).grade is Grade.HEALTHY
    assert [reason.measure for reason in health_of(replace(few, unwanted={7: 3, 28: 3})).reasons] == ["unwanted"]


def days(counts: dict[int, int]) -> tuple[OwnDay, ...]:
    return tuple(OwnDay(OWN, day, attempts=count, answered=count, people=count) for day, count in counts.items())


@pytest.mark.parametrize(
    ("counts", "first_day", "measures"),
    [
        pytest.param({80: 5, 90: 5, 100: 101}, 80, ["young"], id="young"),
        pytest.param({80: 5, 90: 5, 100: 100}, 80, [], id="young-and-quiet"),
        pytest.param({60: 5, 100: 101}, 60, ["burst"], id="silent-for-weeks"),
        pytest.param(dict.fromkeys(range(60, 101), 101), 60, [], id="every-day"),
        pytest.param(dict.fromkeys(range(60, 100), 40) | {100: 119}, 60, [], id="nearly-three-times"),
        pytest.param(dict.fromkeys(range(60, 100), 40) | {100: 120}, 60, ["spike"], id="three-times"),
        pytest.param(dict.fromkeys(range(60, 100), 20) | {100: 99}, 60, [], id="five-times-of-few"),
        pytest.param({84: 10, 98: 101}, 20, [], id="silent-for-13-days"),
        pytest.param({83: 10, 98: 101}, 20, ["burst"], id="silent-for-14-days"),
        pytest.param({83: 10, 97: 30, 98: 101}, 20, [], id="silent-for-13-days-then-slowly"),
        pytest.param({82: 10, 97: 30, 98: 101}, 20, ["burst"], id="silent-for-14-days-then-slowly"),
    ],
)
def test_bursts_of_calls_lower_the_grade(counts: dict[int, int], first_day: int, measures: list[str]) -> None:
    facts = make_facts(*days(counts), first_day=first_day, counted_since=1)
    assert [reason.measure for reason in health_of(facts).reasons] == measures


def test_a_burst_after_silence_counts_from_the_last_call(db: sqlite3.Connection) -> None:
    for day, calls in {0: 1, 230: 1, 231: 1, 300: 101}.items():
        at = TEN + day * DAY
        counted(db, [make_call(1000 * day + n, at + n, dialled=person(n), ring=20.0) for n in range(calls)], at + 600)
    found = own_health(db, OWN, TEN + 301 * DAY)
    assert [reason.reason for reason in found.reasons if reason.measure == "burst"] == [
        GradeReason("burst", {"calls": 101, "days": 68})
    ]


def test_no_number_is_young_after_an_installation() -> None:
    assert health_of(make_facts(*days({80: 5, 90: 5, 100: 500}), first_day=80, counted_since=80)).grade is Grade.HEALTHY


def test_a_baseline_needs_five_days() -> None:
    assert baseline_of(days({90: 1, 91: 2, 92: 3, 93: 4}), 100) is None
    assert baseline_of(days({60: 99, 90: 1, 91: 2, 92: 3, 93: 4, 94: 5, 100: 99}), 100) == 3


def test_a_bad_week_is_forgiven_after_a_good_one() -> None:
    bad, good = CALLS._replace(day=90, short=30), CALLS._replace(short=1)
    assert health_of(make_facts(bad)).grade is Grade.AT_RISK  # too few calls since: four weeks are judged
    assert health_of(make_facts(bad, good)).grade is Grade.HEALTHY


@pytest.mark.parametrize("window", [1, 7, 28])
def test_a_grade_above_its_limits_has_a_reason(window: int) -> None:
    facts = make_facts(CALLS._replace(short=30, unanswered=40, outside=4, abandoned=2))
    health = health_of(facts)
    shares = {reason.measure: reason.grade for reason in health.reasons if reason.measure in SHARES}
    assert shares
    assert above_limits(facts, window_of(facts, window)) == shares


def test_a_single_day_is_judged_like_a_window() -> None:
    facts = make_facts(CALLS)
    few = CALLS._replace(attempts=19, answered=19, short=19)
    assert above_limits(facts, window_of_day(few)) == {}
    assert above_limits(facts, window_of_day(few._replace(attempts=20, answered=20))) == {"short": Grade.WATCH}
    assert above_limits(facts, window_of_day(few._replace(attempts=100, answered=100))) == {"short": Grade.AT_RISK}
    assert window_of_day(CALLS) == window_of(facts, 1)


def test_the_page_names_every_limit() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "own-number-grades.md").read_text()
    for limit in LIMITS:
        assert f"| {limit.measure} |" in page
        assert limit.source in page


# The called people's view.


def test_a_call_turned_round_is_what_the_callee_saw() -> None:
    hung_up = turned_round(make_call(talk=3.0, ended_by=EndedBy.CALLEE, answered_by="PJSIP/carrier"), OWN)
    assert hung_up is not None
    ledger = MemoryStore()
    signal = ledger.learn(hung_up)
    assert signal is not None
    assert (signal.number, signal.callee, signal.category) == (OWN, "+442071838799", SignalCategory.HUNG_UP_ON)
    back = turned_round(make_outcome("i", caller=person(1), did=OWN, by="201", talk=40.0), OWN)
    assert back is not None
    assert isinstance(called_back := ledger.learn(back), Signal)
    assert (called_back.number, called_back.callee, called_back.category) == (OWN, person(1), "called-back")
    assert turned_round(make_call(complete=False), OWN) is None
    assert turned_round(make_outcome(caller=None), OWN) is None


def test_complaints_count_as_marks_in_the_callees_view() -> None:
    calls = [make_call(n, talk=40.0, dialled=person(n), answered_by="PJSIP/carrier") for n in range(4)]
    view = view_of(OWN, calls, [(person(0), TEN), (person(1), TEN)], DEFAULT, TEN + 60)
    marks = next(family for family in view.families if family.name == "marked")
    assert marks.log_odds > 0
    assert all(family.name != "marked" for family in view_of(OWN, calls, [], DEFAULT, TEN + 60).families)
    assert view.level <= Level.WARN, "people who say so alone never stop a number"


@pytest.mark.parametrize(("calls", "seen"), [(19, False), (20, True)])
def test_a_number_with_few_calls_has_no_callees_view(db: sqlite3.Connection, calls: int, seen: bool) -> None:
    """A line that is only called may have thousands of calls and nothing to judge."""
    counted(db, [make_call(n, TEN + n, dialled=person(n), ring=20.0) for n in range(calls)], TEN + 600)
    assert (own_health(db, OWN, TEN + DAY).facts.view is not None) is seen


# Campaigns.


def health(db: sqlite3.Connection, now: float, number: str = OWN) -> NumberHealth:
    return own_health(db, number, now)


def test_a_considerate_campaign_is_healthy(db: sqlite3.Connection) -> None:
    now = run(db, campaign(CONSIDERATE, range(40)))
    found = health(db, now)
    assert (found.grade, found.reasons) == (Grade.HEALTHY, ())
    assert found.facts.view is not None
    assert found.facts.view.level is Level.NONE
    month = found.windows[2]
    assert month.people == month.attempts == 28 * 40
    assert month.called_back > 0


def test_a_careless_campaign_is_at_risk_with_reasons(db: sqlite3.Connection) -> None:
    now = run(db, campaign(CARELESS, range(10)))
    found = health(db, now)
    assert found.grade is Grade.AT_RISK
    assert {reason.measure for reason in found.reasons} >= {"seen", "short", "repeated", "outside", "unanswered"}
    assert found.facts.view is not None
    assert found.facts.view.level >= Level.WARN


def test_malicious_complaints_do_not_lower_the_grade(db: sqlite3.Connection) -> None:
    now = run(db, campaign(CONSIDERATE, range(40)))
    import_numbers(db, "complaints", "spam", [(OWN, "scam", None, None)])
    with transaction(db):
        for n in range(40):
            add_complaint(db, Complaint(OWN, f"+1201555{n:04d}", now - n))
        for n in range(2):  # two of them were really called
            add_do_not_call(db, DoNotCallRequest(person(39 * 40 + n), now - n, OWN, "201", is_of_called=True))
    found = health(db, now)
    assert found.grade is Grade.HEALTHY
    assert [str(note) for note in found.notes] == [
        "an imported list names the number as spam",
        "40 complaints do not count: there is no record of calls to their senders within 28 days",
    ]


def test_do_not_call_requests_count_only_from_called_people(db: sqlite3.Connection) -> None:
    now = run(db, campaign(CONSIDERATE, range(4)))
    with transaction(db):
        for n in range(4):  # they ring in, and the agent dials *29
            add_do_not_call(db, DoNotCallRequest(f"+1201555{n:04d}", now - n, OWN, "201"))
    assert health(db, now).windows[2].unwanted == 0
    assert health(db, now).grade is Grade.HEALTHY


def test_was_called_covers_the_28_days_before(db: sqlite3.Connection) -> None:
    counted(db, [make_call(1, dialled=person(1))], TEN + 60)
    days = (-1, 0, 1, 28, 29)
    assert [was_called(db, OWN, person(1), TEN + day * DAY) for day in days] == [False, True, True, True, False]
    assert not was_called(db, OWN, person(2), TEN)
    assert not was_called(db, "+442071838751", person(1), TEN)
    assert not was_called(db, OWN, "", TEN)


def test_later_calls_do_not_change_whether_a_complaint_counts(db: sqlite3.Connection) -> None:
    """Neither a call that apologises nor the end of the 28 days for which called numbers are kept."""
    counted(db, [make_call(1, dialled=person(1))], TEN + 60)
    at = TEN + 25 * DAY
    with transaction(db):
        for who in (person(1), person(2)):
            add_complaint(db, Complaint(OWN, who, at, is_of_called=was_called(db, OWN, who, at)))
    counted(db, [make_call(2, at + 60, dialled=person(2))], at + 120)
    with transaction(db):
        expire(db, TEN + 30 * DAY)
    assert [(complaint.number, complaint.is_of_called) for complaint in complaints_about(db, OWN, 0.0)] == [
        (person(1), True),
        (person(2), False),
    ]
    found = health(db, TEN + 30 * DAY)
    assert (found.windows[2].unwanted, found.facts.strangers) == (1, 1)


@pytest.mark.parametrize("who", [pytest.param("+12015550001", id="not-called"), pytest.param("", id="anonymous")])
def test_one_uncounted_complaint_is_noted_in_the_singular(db: sqlite3.Connection, who: str) -> None:
    now = run(db, campaign(CONSIDERATE, range(1)))
    with transaction(db):
        add_complaint(db, Complaint(OWN, who, now))
    [note] = health(db, now).notes
    assert str(note).startswith("1 complaint does not")


def test_a_rotated_number_is_found_by_its_youth(db: sqlite3.Connection) -> None:
    old = replace(CARELESS, calls_a_day=150)
    fresh = "+442071838751"
    run(db, campaign(CONSIDERATE, range(35)))
    now = run(db, campaign(replace(CONSIDERATE, calls_a_day=150), range(35, 40), fresh, first=3000))
    found = health(db, now, fresh)
    assert [(reason.measure, reason.grade) for reason in found.reasons] == [("young", Grade.WATCH)]
    assert found.reasons[0].reason == GradeReason("first-day", {"calls": 150})
    now = run(db, campaign(old, range(40, 42), "+442071838752", first=4000))
    assert health(db, now, "+442071838752").grade is Grade.AT_RISK


def test_all_numbers_are_graded(db: sqlite3.Connection) -> None:
    now = run(db, campaign(CARELESS, range(10)))
    run(db, campaign(CONSIDERATE, range(10), "+442071838751", first=3000))
    assert grade_all(db, now) == 2
    graded = grade_of(db, OWN)
    assert graded is not None
    assert graded.grade is Grade.AT_RISK
    assert len(graded.reasons) >= 5
    assert list(graded.reasons) == [reason.reason for reason in health(db, now).reasons]
    assert [item.number for item in unregistered(db, 0.0)] == [OWN, "+442071838751"]


def test_a_number_without_recent_calls_loses_its_grade(db: sqlite3.Connection) -> None:
    now = run(db, campaign(replace(CARELESS, calls_a_day=150), range(1)))
    grade_all(db, now)
    assert [item.grade for item in [grade_of(db, OWN)] if item] == [Grade.AT_RISK]
    grade_all(db, now + 29 * DAY)  # its calls are out of the four weeks
    assert grade_of(db, OWN) is None


def test_a_number_without_calls_has_no_grade(db: sqlite3.Connection) -> None:
    put_own(db, OwnNumber(number=OWN))
    assert grade_all(db, TEN) == 0
    assert recent_grade(db, OWN, TEN) == Graded(TEN, None, ())


def test_a_grade_is_stored_with_reason_codes(db: sqlite3.Connection) -> None:
    reasons = (GradeReason("short", {"part": 24, "whole": 150}), GradeReason("seen", {"level": "tag", "points": 2}))
    record_grade(db, OWN, Graded(TEN, Grade.AT_RISK, reasons))
    assert grade_of(db, OWN) == Graded(TEN, Grade.AT_RISK, reasons)


def test_reasons_of_an_older_version_are_left_out(db: sqlite3.Connection) -> None:
    kept = '["100% {of} the calls", {"template": "{calls:,} calls on one day", "places": {"calls": 5}}]'
    db.execute("INSERT INTO own_grade (number, at, grade, reasons) VALUES (?, 1.0, 'at_risk', ?)", (OWN, kept))
    assert grade_of(db, OWN) == Graded(1.0, Grade.AT_RISK, ())


def test_a_changed_grade_is_stored_with_the_previous_one(db: sqlite3.Connection) -> None:
    reasons = (GradeReason("short", {"part": 24, "whole": 150}),)
    for at, grade in ((TEN, Grade.HEALTHY), (TEN + 1, Grade.WATCH), (TEN + 2, Grade.WATCH)):
        record_grade(db, OWN, Graded(at, grade, reasons))
    assert changed_grades(db, TEN, TEN + 10) == [GradeChange(OWN, TEN + 1, Grade.HEALTHY, Grade.WATCH, reasons)]
    assert changed_grades(db, TEN + 2, TEN + 10) == []
    record_grade(db, OWN, Graded(TEN + 3, Grade.HEALTHY, ()))
    assert changed_grades(db, TEN, TEN + 10) == [GradeChange(OWN, TEN + 3, Grade.WATCH, Grade.HEALTHY, ())]
