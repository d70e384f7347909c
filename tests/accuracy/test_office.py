"""The simulated office has its configured rates, and the same seed makes the same calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

import pytest

from benchmarks.accuracy import office as offices
from benchmarks.accuracy.call_outcomes import UNSCREENED, Reading, consequences
from benchmarks.accuracy.callers import Attempt
from benchmarks.accuracy.office import Office, Plan, Stream, make_office, shadow_of
from benchmarks.accuracy.parameters import DAY_SECONDS, STANDARD, START, Kind, Nature
from reputation.model import AuthClass, Direction, Disposition, EndedBy, Mark
from reputation.numbers import is_valid
from reputation.outcome import OutcomeRecord

PARAMETERS = replace(STANDARD, days=60)
OFFICE = make_office(STANDARD, 7)
BUSY = next(n for n in range(150) if len(offices.spammer(OFFICE, n).events) > 60)


@pytest.fixture(scope="module")
def office() -> Office:
    return make_office(PARAMETERS, 7)


def outcomes(found: list[Stream], direction: Direction = Direction.INBOUND) -> list[OutcomeRecord]:
    """Return the calls in one direction."""
    return [e for s in found for _, e in s if isinstance(e, OutcomeRecord) and e.direction is direction]


def marks(found: list[Stream]) -> list[Mark]:
    return [e for s in found for _, e in s if isinstance(e, Mark)]


Make = Callable[[Office, int], Plan]


def unscreened(office: Office, make: Make, count: int) -> list[Stream]:
    """Return the events of many numbers without screening."""
    return [shadow_of(office, make(office, n)) for n in range(count)]


@pytest.mark.parametrize(
    ("make", "count", "answered", "voicemail", "marked"),
    [
        pytest.param(offices.contact, 1200, 0.70, 0.30, 0.0002, id="contact"),
        pytest.param(offices.service, 25, 0.53, 0.30, 0.0027, id="service"),
        pytest.param(offices.one_off, 3000, 0.40, 0.30, 0.0004, id="one-off"),
        pytest.param(offices.spammer, 300, 0.15, 0.08, 0.0235, id="spam"),
        pytest.param(offices.single_use, 6000, 0.15, 0.08, 0.0235, id="single-use"),
        pytest.param(offices.wangiri, 30, 0.0, 0.0, 0.01, id="wangiri"),
    ],
)
def test_habits_have_their_rates(
    office: Office, make: Make, count: int, answered: float, voicemail: float, marked: float
) -> None:
    found = unscreened(office, make, count)
    calls = outcomes(found)
    unanswered = [call for call in calls if call.disposition is Disposition.NO_ANSWER]
    assert 1 - len(unanswered) / len(calls) == pytest.approx(answered, abs=0.02)
    assert sum(call.voicemail_left for call in unanswered) / len(unanswered) == pytest.approx(voicemail, abs=0.02)
    assert len(marks(found)) / len(calls) == pytest.approx(marked, abs=0.005)
    assert all(call.complete and is_valid(call.number or "") for call in calls)


@pytest.mark.parametrize(
    ("make", "count", "calls_a_day", "tolerance"),
    [
        pytest.param(offices.contact, 500, 500 * 0.3 * 0.52, 5, id="contact-without-our-own-calls"),
        pytest.param(offices.service, 40, 40 * 8.5, 40, id="service"),
        pytest.param(offices.one_off, 60 * 60, 60 * 1.3, 2, id="one-off-and-again"),
        pytest.param(offices.single_use, 100 * 60, 100, 0, id="single-use"),
    ],
)
def test_each_kind_makes_its_calls_a_day(
    office: Office, make: Make, count: int, calls_a_day: float, tolerance: float
) -> None:
    calls = outcomes(unscreened(office, make, count))
    assert len(calls) / PARAMETERS.days == pytest.approx(calls_a_day, abs=tolerance)


def test_half_of_the_calls_with_contacts_are_outgoing(office: Office) -> None:
    found = unscreened(office, offices.contact, 400)
    ours = len(outcomes(found, Direction.OUTBOUND)) / 0.70  # the unanswered ones say nothing, and are left out
    assert ours / (ours + len(outcomes(found))) == pytest.approx(0.48, abs=0.02)


def test_services_are_called_back_and_spam_rarely(office: Office) -> None:
    for make, count, share in ((offices.service, 30, 0.05), (offices.spammer, 300, 0.01)):
        found = unscreened(office, make, count)
        backs = outcomes(found, Direction.OUTBOUND)
        assert len(backs) / len(outcomes(found)) == pytest.approx(share, abs=0.004)


def test_spam_lives_a_week_and_calls_six_times_a_day(office: Office) -> None:
    found = unscreened(office, offices.spammer, 800)
    lives = [(s[-1][0] - s[0][0]) / DAY_SECONDS for s in found if len(s) > 4]
    assert fmean(lives) == pytest.approx(6.5, abs=1.2)  # some are cut off by the end
    assert len(outcomes(found)) / len(found) == pytest.approx(7.4 * 6.2, rel=0.15)


def test_talk_is_log_normal(office: Office) -> None:
    talks = sorted(call.talk_seconds for call in outcomes(unscreened(office, offices.service, 25)))
    talks = [talk for talk in talks if talk]
    assert talks[len(talks) // 2] == pytest.approx(25.0, rel=0.05)
    assert talks[int(len(talks) * 0.8413)] / talks[len(talks) // 2] == pytest.approx(2.718, rel=0.08)


def test_one_ring_bursts_are_short_and_reach_many(office: Office) -> None:
    for place in range(5):
        calls = outcomes([shadow_of(office, offices.wangiri(office, place))])
        assert 20 <= len(calls) <= 60
        assert len({call.did for call in calls}) == len(calls)
        assert max(call.at for call in calls) - min(call.at for call in calls) <= 3600
        assert all(2 <= call.ring_seconds <= 6 and call.ended_by is EndedBy.CALLER for call in calls)


def test_people_differ_in_readiness_to_mark(office: Office) -> None:
    many = make_office(replace(PARAMETERS, users=4000), 7).users
    assert fmean(user.readiness for user in many) == pytest.approx(1.0, abs=0.04)
    assert len({user.group for user in office.users}) == 10
    assert len({user.did for user in office.users}) == len(office.users) == 200


@pytest.mark.parametrize("make", [offices.contact, offices.service, offices.spammer, offices.one_off, offices.wangiri])
def test_a_stream_is_in_order_and_in_office_hours(office: Office, make: Make) -> None:
    for place in range(10):
        events = shadow_of(office, make(office, place))
        assert all(earlier <= later for (earlier, _), (later, _) in pairwise(events))
        for at, event in events:
            if isinstance(event, Reading):
                assert 9.0 <= (at - START) % DAY_SECONDS / 3600 < 19.0
                assert at < START + PARAMETERS.days * DAY_SECONDS


def test_a_call_is_judged_then_learnt_then_marked() -> None:
    habits = replace(STANDARD.habits[Kind.SPAM], marked_answered=1000.0, marked_unanswered=1000.0, called_back=1.0)
    office = make_office(replace(STANDARD, habits={**STANDARD.habits, Kind.SINGLE_USE: habits}), 1)
    events = shadow_of(office, offices.single_use(office, 0))
    assert [type(event) for _, event in events] == [Reading, OutcomeRecord, Mark, OutcomeRecord]
    times = [at for at, _ in events]
    assert times == sorted(times)
    assert 60 <= times[2] - times[1] <= 180


def test_every_kind_of_caller_occurs(office: Office) -> None:
    services = [offices.service(office, n).line for n in range(40)]
    assert sum(line.nature is Nature.MACHINE and line.passes == 0 for line in services) == 8
    assert {offices.established(office, n).line.nature for n in range(20)} == {Nature.STAFF}
    spam = [offices.spammer(office, n).line.nature for n in range(1000)]
    assert spam.count(Nature.ROBOT) / 1000 == pytest.approx(0.7, abs=0.04)
    people = [offices.one_off(office, n).line.passes for n in range(3000)]
    assert people.count(0.0) / 3000 == pytest.approx(0.04, abs=0.01)
    assert fmean(people) == pytest.approx(0.92, abs=0.01)


def test_a_storm_is_many_numbers_within_an_hour(office: Office) -> None:
    calls = [offices.storm_call(office, 1, n).events for n in range(200)]
    assert {len(events) for events in calls} == {1}
    times = [events[0][0] for events in calls]
    assert max(times) - min(times) <= 3600


def test_the_consequences_of_a_call_are_reproducible(office: Office) -> None:
    for at, event in offices.spammer(office, 3).events:
        assert isinstance(event, Attempt)
        assert event.at == at
        first, second = (consequences(PARAMETERS, event, UNSCREENED) for _ in range(2))
        assert first == second


def test_the_same_seed_makes_the_same_calls() -> None:
    first, second = make_office(STANDARD, 3), make_office(STANDARD, 3)
    offices.service(second, 0)
    assert offices.service(first, 5) == offices.service(second, 5)
    assert offices.service(first, 5) != offices.service(make_office(STANDARD, 4), 5)
    assert first.users == second.users


def standard_but(**changes: object) -> Office:
    return make_office(replace(STANDARD, **changes), 7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "a_call"),
    [
        pytest.param(offices.spammer, 0.05, id="spam-as-often-as-any-of-our-numbers"),
        pytest.param(offices.service, 0.0005, id="honest-lines-hardly-ever"),
    ],
)
def test_traps_get_additional_calls(make: Make, a_call: float) -> None:
    office = standard_but(traps=5)
    calls = outcomes(unscreened(office, make, 120))
    trapped = [call for call in calls if call.trap]
    assert len(trapped) / (len(calls) - len(trapped)) == pytest.approx(a_call, rel=0.3)
    assert not {call.did for call in trapped} & {user.did for user in office.users}
    assert all(call.answered_by is None and not call.rung for call in trapped)


def test_numbers_are_listed_and_signed_at_their_rates() -> None:
    office = standard_but(listed=0.24, listed_wrongly=0.05, signed=0.3, machines=1.0)
    spam, machines = ([make(office, n).line for n in range(1000)] for make in (offices.spammer, offices.service))
    assert sum(line.listed for line in spam) / 1000 == pytest.approx(0.24, abs=0.04)
    assert sum(line.listed for line in machines) / 1000 == pytest.approx(0.05, abs=0.02)
    assert sum(line.signed for line in spam) / 1000 == pytest.approx(0.3, abs=0.04)


def test_calls_of_one_number_come_in_two_classes() -> None:
    calls = [e for n in range(20) for _, e in offices.spammer(standard_but(mixed=1.0), n).events]
    signed = [e.auth_class is AuthClass.AUTHENTICATED for e in calls if isinstance(e, Attempt)]
    assert signed.count(True) / len(signed) == pytest.approx(0.5, abs=0.06)


def test_accomplices_call_back_on_the_first_day() -> None:
    with_them, without = (offices.spammer(office, BUSY).events for office in (standard_but(accomplices=3), OFFICE))
    backs = [e for _, e in with_them if isinstance(e, OutcomeRecord)]
    assert len({call.caller for call in backs}) == len(backs) == 3
    assert all(call.direction is Direction.OUTBOUND and call.talk_seconds >= 30 for call in backs)
    assert [dated for dated in with_them if not isinstance(dated[1], OutcomeRecord)] == without


def test_calls_in_a_row_go_to_consecutive_dids() -> None:
    calls = [e for _, e in offices.spammer(standard_but(in_a_row=10), BUSY).events if isinstance(e, Attempt)]
    gaps = [later.at - call.at for call, later in pairwise(calls)]
    assert sum(5 <= gap <= 20 for gap in gaps) == pytest.approx(0.9 * len(gaps), abs=6)
    dids = [int(call.user.did[1:]) for call in calls[:10]]
    assert [(did - dids[0]) % 200 for did in dids] == list(range(10))
