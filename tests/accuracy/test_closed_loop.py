"""Decisions change what happens: a stopped call does not ring, and a labelled call gives no signal."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from benchmarks.accuracy.call_outcomes import Dated, Handling, Listing, Reading, consequences, marking
from benchmarks.accuracy.callers import Attempt, Fate, Line, User, fate_of, redialled, result_of
from benchmarks.accuracy.closed_loop import Counted, Tally, tally_of
from benchmarks.accuracy.office import Plan, make_office, spammer
from benchmarks.accuracy.parameters import DAY_SECONDS, STANDARD, START, Kind, Nature, Parameters, Reaction
from benchmarks.accuracy.screening import STRICT, Screening
from policies.decision import Action
from reputation.model import ChallengeResult, Disposition, Mark, Tie, Verdict
from reputation.outcome import OutcomeRecord

OFFICE = make_office(STANDARD, 5)
USERS = OFFICE.users
HABITS = STANDARD.habits[Kind.SPAM]


def attempt(number: int, user: User = USERS[0], nature: Nature = Nature.ROBOT, passes: float = 0.05) -> Attempt:
    """Make one call. Each number has its own chance."""
    line, fate = Line(HABITS, nature, passes), fate_of(STANDARD, Random(number), HABITS)
    return Attempt(f"call-{number}", START + number * 600.0, user, line, fate)


def with_fate(one: Attempt, **changes: float) -> Attempt:
    values = {**one.fate._asdict(), **changes}
    return one._replace(fate=Fate(**values))


def outcome_of(events: list[Dated]) -> OutcomeRecord:
    first = events[0][1]
    assert isinstance(first, OutcomeRecord)
    return first


@pytest.mark.parametrize(
    ("nature", "passes"),
    [
        pytest.param(Nature.ROBOT, 0.05, id="robot"),
        pytest.param(Nature.SPAMMER, 0.60, id="spammer"),
        pytest.param(Nature.STAFF, 0.92, id="staff"),
        pytest.param(Nature.MACHINE, 0.0, id="machine"),
    ],
)
def test_challenge_results_follow_their_rates(nature: Nature, passes: float) -> None:
    results = [result_of(STANDARD, attempt(n, nature=nature, passes=passes)) for n in range(4000)]
    assert results.count(ChallengeResult.PASSED) / 4000 == pytest.approx(passes, abs=0.02)
    failed = [result for result in results if result is not ChallengeResult.PASSED]
    answering = STANDARD.answering[nature]
    assert failed.count(ChallengeResult.SILENT) / len(failed) == pytest.approx(answering.silent, abs=0.07)
    assert failed.count(ChallengeResult.WRONG) / len(failed) == pytest.approx(answering.wrong, abs=0.07)


def test_a_stopped_caller_redials_once() -> None:
    people = [attempt(n, nature=Nature.PERSON, passes=0.96) for n in range(2000)]
    again = [redialled(STANDARD, person, ChallengeResult.ABANDONED) for person in people]
    second = [item for item in again if item is not None]
    assert len(second) / 2000 == pytest.approx(0.30, abs=0.03)
    assert all(0 < item.at - first.at < 180 for first, item in zip(people, again, strict=True) if item is not None)
    assert all(redialled(STANDARD, item, ChallengeResult.ABANDONED) is None for item in second)
    passed = [result_of(STANDARD, item) for item in second].count(ChallengeResult.PASSED)
    assert passed / len(second) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("handling", "rings"),
    [
        pytest.param(Handling(Action.ALLOW), True, id="allowed"),
        pytest.param(Handling(Action.WARN), True, id="warned"),
        pytest.param(Handling(Action.CHALLENGE, ChallengeResult.PASSED), True, id="passed"),
        pytest.param(Handling(Action.CHALLENGE, ChallengeResult.SILENT), False, id="silent"),
        pytest.param(Handling(Action.CHALLENGE, ChallengeResult.ABANDONED), False, id="hung-up"),
        pytest.param(Handling(Action.ROUTE), False, id="routed"),
        pytest.param(Handling(Action.REJECT), False, id="rejected"),
    ],
)
def test_the_action_decides_whether_the_phone_rings(handling: Handling, rings: bool) -> None:
    one = with_fate(attempt(1), answered=0.0, voicemail=1.0)
    outcome = outcome_of(consequences(STANDARD, one, handling))
    assert (outcome.disposition is Disposition.ANSWERED) is rings
    assert bool(outcome.rung) is rings
    assert outcome.action == (handling.action or Action.ALLOW).word
    assert outcome.challenge is handling.challenge


def test_a_failed_caller_can_leave_a_message_unless_hung_up() -> None:
    one = with_fate(attempt(1), voicemail=0.0)
    left = [
        outcome_of(consequences(STANDARD, one, Handling(Action.CHALLENGE, result))).voicemail_left
        for result in (ChallengeResult.SILENT, ChallengeResult.ABANDONED)
    ]
    assert left == [True, False]


def test_labelled_calls_are_answered_less() -> None:
    reacts = replace(STANDARD, reaction=Reaction(answered=0.4, hung_up_spam=1.0))

    def answered(p: Parameters, action: Action) -> list[OutcomeRecord]:
        found = [outcome_of(consequences(p, attempt(n), Handling(action))) for n in range(3000)]
        return [outcome for outcome in found if outcome.disposition is Disposition.ANSWERED]

    plain, labelled = answered(reacts, Action.ALLOW), answered(reacts, Action.WARN)
    assert len(labelled) / len(plain) == pytest.approx(0.4, abs=0.06)
    assert all(outcome.talk_seconds == 3.0 for outcome in labelled)
    assert len(answered(STANDARD, Action.WARN)) == len(plain)


def tally(events: list[Dated], screening: Screening | None = None) -> Tally:
    plan = Plan(Kind.SPAM, attempt(0).line, events)
    return tally_of(OFFICE, plan, screening or Screening(STRICT, STANDARD), START)


def calls(*attempts: Attempt) -> list[Dated]:
    return [(attempt_.at, attempt_) for attempt_ in attempts]


def test_a_first_call_rings_without_a_label() -> None:
    assert tally(calls(attempt(1))) == Tally({Counted.NUMBERS: 1, Counted.CALLS: 1, Counted.PLAIN: 1})


def test_blocks_by_own_marks_are_counted_separately() -> None:
    at, mark = marking(USERS[0], START)
    found = tally([(at, mark), *calls(attempt(1, USERS[0]), attempt(2, USERS[1]))])
    assert (found[Counted.CALLS], found[Counted.OWN_BLOCK], found[Counted.STOPPED]) == (2, 1, 0)


def test_a_person_who_allowed_the_number_is_rung() -> None:
    screening = Screening(STRICT, STANDARD)
    for n, user in enumerate(USERS[1:30]):  # not all at once: that would be a burst, and count nothing
        _, mark = marking(user, START - n * 7200.0)
        assert isinstance(mark, Mark)
        screening.add_mark(mark)
    screening.allow(USERS[0].extension)
    decision, handling = screening.handle(attempt(1, USERS[0]))
    assert (decision.action, handling.rang_by) == (Action.ALLOW, Tie.ALLOW)
    assert screening.handle(attempt(2, USERS[60]))[0].rule == "level-warn"


def test_a_mark_removes_the_own_allowlist_entry() -> None:
    at, mark = marking(USERS[0], START + 60.0)
    found = tally([(START, Listing(USERS[0].extension)), (at, mark), *calls(attempt(1, USERS[0]))])
    assert found[Counted.OWN_BLOCK] == 1


def test_every_call_has_one_counted_result() -> None:
    for place in range(12):
        plan = spammer(OFFICE, place)
        found = tally_of(OFFICE, plan, Screening(STRICT, STANDARD), START)
        became = (Counted.OWN_BLOCK, Counted.STOPPED, Counted.TAGGED, Counted.WARNED, Counted.PLAIN)
        assert found[Counted.CALLS] == len(plan.events) == sum(found[what] for what in became)
        assert found[Counted.REJECTED] <= found[Counted.STOPPED]


def test_the_same_office_gives_the_same_figures() -> None:
    plan = spammer(OFFICE, 4)
    first, second = (tally_of(OFFICE, plan, Screening(STRICT, STANDARD), START + 2 * DAY_SECONDS) for _ in range(2))
    assert first == second


def test_a_probe_uses_a_person_without_blocks() -> None:
    marked = [marking(user, START + n * 7200.0) for n, user in enumerate(USERS)]
    found = tally([*marked, (START + 30 * DAY_SECONDS, Reading(""))])
    assert (found[Counted.PROBES], found[Counted.LABEL_DAYS], found[Counted.ASKED_DAYS]) == (1, 1, 0)


@pytest.mark.parametrize(("notice", "heeded"), [(0.0, 0), (1.0, 1)])
def test_a_notified_person_marks_a_stopped_machine_as_not_spam(notice: float, heeded: int) -> None:
    user = USERS[0]._replace(heeds=0.5)
    one = attempt(1, user, Nature.MACHINE, passes=0.0)
    events = consequences(replace(STANDARD, notice=notice), one, Handling(Action.CHALLENGE, ChallengeResult.SILENT))
    said = [event for _, event in events if isinstance(event, Mark)]
    assert [mark.verdict for mark in said] == [Verdict.OK] * heeded


def test_messages_after_failed_challenges_have_their_own_rate() -> None:
    one = with_fate(attempt(1), answered=1.0, voicemail=0.3)
    line = one.line._replace(habits=replace(HABITS, voicemail=0.5, voicemail_failed=0.08))
    one = one._replace(line=line)
    handlings = (Handling(Action.ALLOW), Handling(Action.CHALLENGE, ChallengeResult.SILENT))
    assert [outcome_of(consequences(STANDARD, one, each)).voicemail_left for each in handlings] == [True, False]


def test_a_number_is_counted_from_its_first_day() -> None:
    marked = [marking(user, START + n * 7200.0) for n, user in enumerate(USERS[1:30])]
    late = attempt(1, USERS[0])._replace(at=START + 30 * DAY_SECONDS)
    plan = Plan(Kind.SPAM, late.line, [*marked, *calls(late)])
    found = tally_of(OFFICE, plan, Screening(STRICT, STANDARD), START + 60 * DAY_SECONDS)
    assert (found[Counted.CALLS], found[Counted.NUMBERS], found[Counted.EVER_LABELLED], found[Counted.EVER_LOST]) == (
        0,
        1,
        1,
        0,
    )
