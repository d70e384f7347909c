"""The outbound guard: each rule, their order, observe mode, and hours all over the world by an independent table."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.outbound import (
    STEPS,
    OutboundRules,
    OutgoingCall,
    Passage,
    day_of,
    explain_guard,
    guard,
)
from policies.reasons import OutboundReason, Why
from reputation.law.loader import hours_by_law, shipped_laws, source_cited
from reputation.model import Direction
from reputation.numbers import stored_number, time_zones_of
from reputation.own.daily_counts import tally_of
from reputation.own.grades import Grade, GradeReason
from reputation.own.hours import (
    CalledPlace,
    CallingHours,
    Hours,
    HourSpan,
    daily,
    is_good_time,
    next_good_time,
    parse_spans,
)
from reputation.own.outbound_types import OutboundFacts, RegisterCopy
from reputation.own.register import NumberState
from tests.policies.world_clock import DAY, HOUR, PLACES, Somewhere, utc
from tests.reputation.store_builders import make_outcome

LOCAL, ADVISED = hours_by_law()
ACTING = OutboundRules(
    observe=False, hours=CallingHours(local=LOCAL, advised=ADVISED), laws=shipped_laws(), needs_consent=False
)
LONDON, OWN = "+442071838799", "+442071838750"
NOON = utc("2026-06-10 11:00")  # a Wednesday, noon in London
MORNING = utc("2026-06-11 07:00")
NIGHT = utc("2026-06-10 22:00")


def make_call(callee: str | None = LONDON, **others: object) -> OutgoingCall:
    number = callee and stored_number(callee)
    return OutgoingCall(linkedid="1.1", callee=number, own_number=OWN, endpoint="PJSIP/201", **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param(
            OutboundFacts(unwanted_at=NIGHT),
            Why(OutboundReason.DO_NOT_CALL, {"day": "2026-06-11"}),
            id="do-not-call",
        ),
        pytest.param(
            OutboundFacts(state=NumberState.RESTING, rests_until=NIGHT),
            Why(OutboundReason.RESTING, {"day": "2026-06-11"}),
            id="resting",
        ),
    ],
)
def test_reason_has_the_date_in_the_local_time_zone(facts: OutboundFacts, reason: Why) -> None:
    def in_auckland(at: float) -> str:
        return datetime.fromtimestamp(at, ZoneInfo("Pacific/Auckland")).date().isoformat()

    assert guard(make_call(), facts, replace(ACTING, day=in_auckland), NOON).reason == reason


@pytest.mark.parametrize(
    ("facts", "rules", "now", "action", "rule", "until"),
    [
        pytest.param(OutboundFacts(), {}, NOON, "allow", "default", None, id="nothing-speaks-against-it"),
        pytest.param(OutboundFacts(unwanted_at=1.0), {}, NOON, "refuse", "do-not-call", None, id="do-not-call"),
        pytest.param(
            OutboundFacts(unwanted_at=1.0), {"do_not_call": False}, NOON, "allow", "default", None, id="no-list"
        ),
        pytest.param(OutboundFacts(state=NumberState.ACTIVE), {}, NOON, "allow", "default", None, id="active"),
        pytest.param(OutboundFacts(state=NumberState.RESTING), {}, NOON, "refuse", "resting", None, id="resting"),
        pytest.param(OutboundFacts(state=NumberState.RETIRED), {}, NOON, "refuse", "retired", None, id="retired"),
        pytest.param(
            OutboundFacts(state=NumberState.RESTING), {"resting": False}, NOON, "allow", "default", None, id="no-rest"
        ),
        pytest.param(OutboundFacts(grade=Grade.WATCH), {}, NOON, "allow", "default", None, id="watch"),
        pytest.param(OutboundFacts(grade=Grade.AT_RISK), {}, NOON, "refuse", "at-risk", None, id="at-risk"),
        pytest.param(
            OutboundFacts(grade=Grade.AT_RISK),
            {"at_risk": Passage.HOLD},
            NOON,
            "hold",
            "at-risk",
            MORNING,
            id="risk",
        ),
        pytest.param(
            OutboundFacts(grade=Grade.AT_RISK),
            {"at_risk": Passage.ALLOW},
            NOON,
            "allow",
            "default",
            None,
            id="any",
        ),
        pytest.param(OutboundFacts(), {}, NIGHT, "hold", "hours", MORNING, id="at-night"),
        pytest.param(OutboundFacts(calls_of_person=2), {}, NOON, "allow", "default", None, id="the-third-call"),
        pytest.param(OutboundFacts(calls_of_person=3), {}, NOON, "hold", "person-day", MORNING, id="the-fourth-call"),
        pytest.param(
            OutboundFacts(calls_of_person=99),
            {"calls_per_person_day": 0},
            NOON,
            "allow",
            "default",
            None,
            id="no-limit",
        ),
        pytest.param(
            OutboundFacts(calls_of_hour=30, hour_frees_at=NOON + 600),
            {"calls_per_number_hour": 30},
            NOON,
            "hold",
            "number-hour",
            NOON + 600,
            id="thirty-an-hour",
        ),
        pytest.param(
            OutboundFacts(calls_of_hour=30, hour_frees_at=utc("2026-06-10 20:10")),
            {"calls_per_number_hour": 30},
            utc("2026-06-10 19:50"),
            "hold",
            "number-hour",
            MORNING,
            id="the-hour-frees-after-nine",
        ),
        pytest.param(
            OutboundFacts(calls_of_day=200),
            {"calls_per_number_day": 200},
            NOON,
            "hold",
            "number-day",
            MORNING,
            id="a-day",
        ),
        pytest.param(
            OutboundFacts(calls_of_day=100, is_young=True), {}, NOON, "hold", "young-number-day", MORNING, id="young"
        ),
        pytest.param(OutboundFacts(calls_of_day=100), {}, NOON, "allow", "default", None, id="not-young"),
    ],
)
def test_each_rule_decides_its_case(
    facts: OutboundFacts, rules: dict[str, object], now: float, action: str, rule: str, until: float | None
) -> None:
    decision = guard(make_call(), facts, replace(ACTING, **rules), now)  # type: ignore[arg-type]
    assert (decision.action.word, decision.rule, decision.until) == (action, rule, until)
    assert decision.reason


WORST = OutboundFacts(
    unwanted_at=1.0,
    state=NumberState.RESTING,
    rests_until=NOON,
    grade=Grade.AT_RISK,
    grade_reasons=(GradeReason("short", {"part": 24, "whole": 150}),),
    is_young=True,
    calls_of_person=99,
    calls_of_day=999,
    calls_of_hour=99,
)


def test_rules_are_applied_in_order() -> None:
    rules = replace(ACTING, calls_per_number_hour=1, calls_per_number_day=1)
    facts, found = WORST, []
    for better in (
        {"unwanted_at": None},
        {"state": NumberState.ACTIVE},
        {"grade": None},
        {"calls_of_person": 0},
        {"calls_of_hour": 0},
        {"calls_of_day": 0},
    ):
        found.append(guard(make_call(), facts, rules, NOON).rule)
        facts = replace(facts, **better)
    assert found == ["do-not-call", "resting", "at-risk", "person-day", "number-hour", "number-day"]
    assert guard(make_call(), facts, rules, NOON).rule == "default"
    at_night = replace(WORST, unwanted_at=None, state=None, grade=None)
    assert guard(make_call(), at_night, rules, NIGHT).rule == "hours"


def test_emergency_call_always_goes_out() -> None:
    for call in (make_call(None, is_emergency=True), make_call(LONDON, is_emergency=True)):
        decision = guard(call, WORST, ACTING, NIGHT)
        assert (decision.action, decision.rule) == (Passage.ALLOW, "emergency")


def test_call_to_a_non_number_goes_out() -> None:
    assert guard(make_call(None), WORST, ACTING, NIGHT).rule == "no-number"
    assert day_of(make_call(None), ACTING, NIGHT) is None


def test_service_number_may_be_called_at_any_time() -> None:
    bank, often = make_call("+8695588"), OutboundFacts(calls_of_person=9)
    assert guard(bank, often, ACTING, NIGHT).rule == "default"
    assert guard(make_call("+8613800138000"), often, ACTING, NIGHT).rule != "default"
    assert guard(bank, OutboundFacts(unwanted_at=NIGHT), ACTING, NIGHT).rule == "do-not-call"


def test_observe_mode_records_but_never_acts() -> None:
    decision = guard(make_call(), WORST, OutboundRules(), NOON)
    assert OutboundRules().observe, "observing is what happens where nothing is said"
    assert (decision.action, decision.would_be, decision.observed) == (Passage.ALLOW, Passage.REFUSE, True)
    assert decision.rule == "do-not-call"


def test_explanation_ends_with_the_deciding_step() -> None:
    looks = explain_guard(make_call(), OutboundFacts(calls_of_person=3), ACTING, NOON)
    title, said = looks[-1]
    assert (title, said.partition(":")[0]) == (STEPS[9].title, "hold")
    assert {said.partition(":")[0] for _, said in looks[:-1]} == {"passes"}
    assert explain_guard(make_call(), OutboundFacts(), ACTING, NOON)[-1][0] == "default"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param(OutboundFacts(), "passes: the number that the call shows is not graded yet", id="none-yet"),
        pytest.param(
            OutboundFacts(grade=Grade.WATCH, graded_at=NOON - 3600),
            "passes: the number that the call shows is watch, graded at 2026-06-10 10:00",
            id="graded",
        ),
    ],
)
def test_explanation_names_the_grade_of_the_number(facts: OutboundFacts, said: str) -> None:
    assert dict(explain_guard(make_call(), facts, ACTING, NOON))[
        "own numbers at risk of being marked as spam"
    ].startswith(said)


# The law.


MIAMI, PARIS, SHANGHAI = "+13055550123", "+33140205050", "+8613800138000"
IN_FRANCE = utc("2026-11-25 09:00")
TPS = RegisterCopy("gb-tps", "GB", NOON - 29 * DAY)
LAW_CASES = [
    pytest.param(LONDON, {"listed": (TPS,)}, {}, NOON, "refuse", "register", "on-old-register", id="too-old"),
    pytest.param(
        LONDON,
        {"listed": (TPS._replace(file_at=NOON - 27 * DAY),)},
        {},
        NOON,
        "refuse",
        "register",
        "on-register",
        id="listed",
    ),
    pytest.param(LONDON, {"listed": (TPS,)}, {"registers": False}, NOON, "allow", "default", "", id="not-asked"),
    pytest.param(LONDON, {"listed": (TPS,), "consent_at": 1.0}, {}, NOON, "allow", "default", "", id="agreed"),
    pytest.param(LONDON, {"copies": (TPS,)}, {}, NOON, "allow", "default", "old-register", id="not-listed-old-file"),
    pytest.param(
        LONDON, {"unwanted_at": 2.0, "consent_at": 1.0}, {}, NOON, "refuse", "do-not-call", "do-not-call", id="no-later"
    ),
    pytest.param(LONDON, {"unwanted_at": 1.0, "consent_at": 2.0}, {}, NOON, "allow", "default", "", id="yes-later"),
    pytest.param(
        PARIS,
        {"unwanted_at": IN_FRANCE - 59 * DAY},
        {},
        IN_FRANCE,
        "refuse",
        "do-not-call",
        "do-not-call-by",
        id="refused",
    ),
    pytest.param(
        PARIS, {"unwanted_at": 1.0}, {}, IN_FRANCE, "refuse", "do-not-call", "do-not-call", id="refused-long-ago"
    ),
    pytest.param(PARIS, {}, {"needs_consent": True}, IN_FRANCE, "refuse", "consent", "no-consent", id="no-consent"),
    pytest.param(
        PARIS, {"consent_at": 1.0}, {"needs_consent": True}, IN_FRANCE, "allow", "default", "", id="has-consent"
    ),
    pytest.param(PARIS, {"calls_by_law": 4}, {}, IN_FRANCE, "hold", "law-limit", "law-limit", id="four-a-month"),
    pytest.param(PARIS, {"calls_by_law": 3}, {}, IN_FRANCE, "allow", "default", "", id="three-a-month"),
    pytest.param(PARIS, {}, {}, utc("2026-11-11 09:00"), "hold", "hours", "holiday", id="armistice-day"),
    pytest.param(MIAMI, {}, {}, utc("2026-06-11 00:30"), "hold", "hours", "bad-hours-by", id="half-past-eight"),
    pytest.param(SHANGHAI, {}, {}, utc("2026-06-10 04:30"), "allow", "default", "advised-against", id="noon-in-china"),
]


@pytest.mark.parametrize(("callee", "facts", "rules", "now", "action", "rule", "reason"), LAW_CASES)
def test_each_rule_of_a_law_file(
    callee: str, facts: dict[str, object], rules: dict[str, object], now: float, action: str, rule: str, reason: str
) -> None:
    known = OutboundFacts(**facts)  # type: ignore[arg-type]
    decision = guard(make_call(callee), known, replace(ACTING, **rules), now)  # type: ignore[arg-type]
    assert (decision.action.word, decision.rule) == (action, rule)
    assert decision.reason.code == (reason or "nothing-against")
    if "law" in decision.reason.about and reason != "advised-against":
        assert source_cited(str(decision.reason.about["law"]))


def test_legal_limit_names_the_next_allowed_time() -> None:
    frees_at = utc("2026-11-25 19:30")  # half past eight in the evening
    decision = guard(make_call(PARIS), OutboundFacts(calls_by_law=4, law_frees_at=frees_at), ACTING, IN_FRANCE)
    assert decision.until == utc("2026-11-26 09:00")


def test_sunday_calls_to_britain_are_advised_against() -> None:
    sunday = utc("2026-06-14 11:00")
    assert guard(make_call(LONDON), OutboundFacts(), ACTING, sunday).reason.code == "advised-against"


# Hours.


def test_thirty_places_each_have_one_time_zone() -> None:
    assert len(PLACES) == 30
    assert all(len(time_zones_of(place.number)) == 1 for place in PLACES.values())


def generated() -> list[tuple[str, Somewhere, int]]:
    """1,000 calls: half of them within a day of a change of the clocks, half of them at any time of the year."""
    chance = random.Random(20_260_101)
    calls = []
    for number in range(1000):
        name = list(PLACES)[number % len(PLACES)]
        place = PLACES[name]
        at = utc("2026-01-02 00:00") + chance.randrange(360 * DAY)
        if place.changes and number % 2:
            at = utc(chance.choice(place.changes)[0]) + chance.randrange(-DAY, DAY)
        elif number % 5 == 0:  # at a minute where something begins or ends
            at += -at % HOUR
        calls.append((name, place, at))
    return calls


def test_thousand_calls_match_an_independent_table() -> None:
    decided = {"allow": 0, "hold": 0}
    for name, place, at in generated():
        decision = guard(make_call(place.number), OutboundFacts(), ACTING, at)
        where = (name, at, at % DAY / HOUR)
        assert (decision.action is Passage.ALLOW) == place.is_open(at), where
        if decision.action is Passage.HOLD:
            assert decision.until == place.next_open(at), where
        assert day_of(make_call(place.number), ACTING, at) == place.date(at), where
        decided[decision.action.word] += 1
    assert min(decided.values()) > 300


def test_daily_limit_ends_on_the_callees_next_morning() -> None:
    for name, place, at in generated():
        if not place.is_open(at):
            continue
        decision = guard(make_call(place.number), OutboundFacts(calls_of_person=3), ACTING, at)
        midnight = at
        while place.date(midnight) == place.date(at):
            midnight += 60 - midnight % 60
        assert decision.until == place.next_open(midnight), (name, at)


def test_number_in_several_zones_waits_for_day_in_all() -> None:
    moscow_noon = utc("2026-06-10 09:00")  # 21:00 in Kamchatka
    assert len(time_zones_of("+79161234567")) > 8
    decision = guard(make_call("+79161234567"), OutboundFacts(), ACTING, moscow_noon)
    assert decision.action is Passage.HOLD
    assert decision.until is not None
    assert utc("2026-06-11 05:00") <= decision.until <= utc("2026-06-11 08:00")


def test_day_in_one_zone_suffices_if_zones_never_overlap() -> None:
    place = CalledPlace(("Pacific/Auckland", "Europe/London", "America/Los_Angeles"), daily(8, 21))
    assert all(is_good_time(place, NOON + hour * HOUR) for hour in range(24))
    alone = CalledPlace(("Pacific/Auckland", "Europe/London"), daily(8, 21))
    assert [hour for hour in range(24) if is_good_time(alone, NOON - 11 * HOUR + hour * HOUR)] == [7, 8]


def test_number_without_a_zone_uses_the_home_zone() -> None:
    assert guard(make_call("+80012345678"), OutboundFacts(), ACTING, NIGHT).action is Passage.ALLOW
    at_home = replace(ACTING, hours=CallingHours(home_zones=("Europe/London",)))
    assert guard(make_call("+80012345678"), OutboundFacts(), at_home, NIGHT).until == MORNING
    unknown = replace(ACTING, hours=CallingHours(home_zones=("Mars/Olympus",)))
    assert guard(make_call("+80012345678"), OutboundFacts(), unknown, NIGHT).action is Passage.ALLOW


def test_configured_hours_replace_the_default_ones() -> None:
    rules = replace(ACTING, hours=CallingHours(usual=daily(9, 17), local={}))
    assert guard(make_call("+33140205050"), OutboundFacts(), rules, utc("2026-06-13 10:00")).action is Passage.ALLOW
    assert guard(make_call(), OutboundFacts(), rules, utc("2026-06-10 16:00")).rule == "hours"


def test_hold_has_no_end_without_any_calling_hours() -> None:
    never = replace(ACTING, hours=CallingHours(usual=Hours((), (), ())))
    decision = guard(make_call(), OutboundFacts(), never, NOON)
    assert (decision.action, decision.until) == (Passage.HOLD, None)


SPANS = st.sampled_from(["", "00:00-24:00", "08:00-21:00", "10:00-13:00 14:00-20:00", "22:30-23:45"]).map(parse_spans)
HOURS = st.builds(Hours, SPANS, SPANS, SPANS)
CALLED = ["+442071838799", "+33140205050", "+12015550123", "+79161234567", "+80012345678"]


@given(
    callee=st.sampled_from(CALLED),
    at=st.integers(utc("2026-01-01 00:00"), utc("2026-12-31 00:00")),
    hours=st.builds(
        CallingHours,
        usual=HOURS,
        local=st.dictionaries(st.sampled_from(["GB", "FR", "US", "RU"]), st.tuples(HOURS)),
        home_zones=st.sampled_from([(), ("Asia/Tokyo",)]),
    ),
)
def test_guard_and_statistics_agree_on_bad_hours(callee: str, at: int, hours: CallingHours) -> None:
    outcome = make_outcome("c", at, dialled=callee, own_number=OWN, direction=Direction.OUTBOUND)
    tally = tally_of(outcome, hours)
    assert tally is not None
    call = make_call(callee)
    decision = guard(call, OutboundFacts(), replace(ACTING, hours=hours), at)
    assert tally.day == day_of(call, replace(ACTING, hours=hours), at)
    if len(hours.place_of(stored_number(callee), at).zones) == 1:
        assert bool(tally.outside) is (decision.rule == "hours")
    elif tally.outside:  # in several zones it counts only where it was a bad hour in all of them
        assert decision.rule == "hours"


ZONES = ["Europe/London", "America/New_York", "Asia/Tokyo", "Australia/Sydney"]


@given(
    at=st.integers(utc("2026-01-01 00:00"), utc("2026-12-31 00:00")),
    zones=st.lists(
        st.sampled_from(["Europe/London", "America/New_York", "Asia/Tokyo", "Australia/Sydney"]), min_size=1
    ),
)
def test_next_good_time_is_the_earliest_good_one(at: int, zones: list[str]) -> None:
    place = CalledPlace(tuple(zones), daily(8, 21))
    found = next_good_time(place, at)
    assert found is not None
    assert found >= at
    assert is_good_time(place, found)
    if found > at:
        assert not any(is_good_time(place, at + step) for step in range(0, int(found) - at, 900))


@pytest.mark.parametrize("text", ["9-17", "09:00-09:00", "17:00-09:00", "09:00-25:00", "09:60-10:00", "09:00 17:00"])
def test_bad_hour_spans_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it as 09:00-20:00"):
        parse_spans(text)
    assert parse_spans(" 09:00-12:30  13:00-24:00 ") == (HourSpan(540, 750), HourSpan(780, 1440))
    assert parse_spans("") == ()
