"""A robot voice counts as one failed challenge from the next call, never after a pass, and never leads to reject."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import Action
from policies.engine import decide
from policies.loader import PRESETS, load_policy
from reputation.facts import Facts
from reputation.fold import standing_of
from reputation.model import AuthClass, ChallengeResult, Level, Voice
from reputation.outcome import OutcomeRecord
from reputation.store.evidence_rows import rows_of
from reputation.store.journal import record_decisions
from reputation.store.outcomes import outcome_of, record_outcome, settle_outcomes
from reputation.store.transcripts import Transcript, record_transcript
from reputation.weights import DEFAULT
from tests.builders import make_call
from tests.reputation.histories import HOUR, LATER, empty_store, histories, known, rounded
from tests.reputation.store_builders import CALLER, DAY, NOW, make_outcome, make_record

POLICIES = [load_policy(name) for name in PRESETS]
CALL = "1767000000.1"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(empty_store()) as db:
        yield db


def make_transcript(voice: Voice = Voice.ROBOT) -> Transcript:
    return Transcript("d1", NOW + 20, CALL, CALLER, "Press 1 now.", "en", voice)


def make_challenged() -> OutcomeRecord:
    return make_outcome(CALL, NOW, source="ami", rung=("201",))


@pytest.mark.parametrize("is_late", [False, True], ids=["heard-in-the-call", "heard-after-the-call"])
@pytest.mark.parametrize("waits", [False, True], ids=["journal-first", "journal-last"])
def test_a_robot_voice_counts_as_one_failed_challenge(db: sqlite3.Connection, is_late: bool, waits: bool) -> None:
    decided = make_record("d1", action="challenge", linkedid=CALL)
    if not waits:
        record_decisions(db, [decided])
    if not is_late:
        record_transcript(db, make_transcript())
        assert known(db).voice is None, "the call is not over"
        assert known(db).failures == 0
    record_outcome(db, make_challenged(), NOW + 30)
    if waits:
        record_decisions(db, [decided])
        settle_outcomes(db, NOW + 31)
    if is_late:
        record_transcript(db, make_transcript())
    facts = known(db)
    assert (facts.voice, facts.failures) == (Voice.ROBOT, 1)
    outcome = outcome_of(db, CALL)
    assert outcome is not None
    assert outcome.voice is Voice.ROBOT


@pytest.mark.parametrize("voice", [Voice.PERSON, Voice.UNCLEAR])
def test_other_voices_are_facts_but_no_evidence(db: sqlite3.Connection, voice: Voice) -> None:
    record_decisions(db, [make_record("d1", action="challenge", linkedid=CALL)])
    record_transcript(db, make_transcript(voice))
    record_outcome(db, make_challenged(), NOW + 30)
    facts = known(db)
    assert (facts.voice, facts.failures, facts.reputation.level) == (voice, 0, Level.NONE)


def test_a_robot_voice_does_not_count_for_a_spoofed_owner(db: sqlite3.Connection) -> None:
    record_decisions(db, [make_record("d1", action="challenge", linkedid=CALL, auth_class=AuthClass.UNAUTHENTICATED)])
    record_transcript(db, make_transcript())
    record_outcome(db, make_challenged(), NOW + 30)
    assert known(db, auth_class=AuthClass.UNAUTHENTICATED).voice is Voice.ROBOT
    assert known(db, auth_class=AuthClass.AUTHENTICATED).voice is None


def test_a_voice_older_than_30_days_is_no_fact(db: sqlite3.Connection) -> None:
    record_outcome(db, make_outcome("c", LATER - 31 * DAY, voice=Voice.ROBOT, source="cdr"), LATER - 30 * DAY)
    record_outcome(db, make_outcome("d", LATER - 29 * DAY, voice=Voice.PERSON, source="cdr"), LATER - 29 * DAY)
    assert known(db).voice is Voice.PERSON
    db.execute("DELETE FROM outcome WHERE linkedid = 'd'")
    assert known(db).voice is None


def test_a_robot_voice_in_an_answered_call_is_no_failure(db: sqlite3.Connection) -> None:
    record_outcome(db, make_outcome("c", NOW, voice=Voice.ROBOT, source="cdr", by="201", talk=45.0), LATER)
    assert known(db).failures == 0


robots = st.lists(
    st.builds(
        lambda hour, did, auth_class, voice: make_outcome(
            "", NOW + HOUR * hour, did=did, auth_class=auth_class, voice=voice, source="cdr", action="challenge"
        ),
        st.integers(0, 90),
        st.sampled_from(["+442071838750", "+442071838751", None]),
        st.sampled_from(AuthClass),
        st.just(Voice.ROBOT),
    ),
    max_size=12,
)


def known_after(calls: list[OutcomeRecord], auth_class: AuthClass) -> Facts:
    with closing(empty_store()) as db:
        for index, call in enumerate(calls):
            record_outcome(db, call._replace(linkedid=f"r{index}"), LATER)
        return known(db, auth_class=auth_class)


@given(robots, st.sampled_from(AuthClass))
def test_no_preset_rejects_for_a_robot_voice_alone(calls: list[OutcomeRecord], auth_class: AuthClass) -> None:
    facts = known_after(calls, auth_class)
    for policy in POLICIES:
        assert decide(make_call(CALLER), facts, policy, LATER).would_be is not Action.REJECT


@given(robots, st.sampled_from(AuthClass))
def test_many_robot_voices_count_as_one_failed_challenge(calls: list[OutcomeRecord], auth_class: AuthClass) -> None:
    mine = [call for call in calls if call.auth_class is auth_class]
    latest = sorted(mine, key=lambda call: call.at)[-1:]
    silent = [call._replace(voice=None, challenge=ChallengeResult.SILENT) for call in latest]
    facts, silent_facts = known_after(calls, auth_class), known_after(silent, auth_class)
    assert facts.failures == silent_facts.failures == len(latest)
    assert facts.reputation.log_odds == pytest.approx(silent_facts.reputation.log_odds)
    assert facts.reputation.level is silent_facts.reputation.level


@given(histories, robots, st.integers(0, 90), st.sampled_from(AuthClass))
def test_a_robot_voice_changes_nothing_after_a_pass(
    found: list[object], calls: list[OutcomeRecord], hour: int, passed_in: AuthClass
) -> None:
    with closing(empty_store()) as db:
        passed = make_outcome(
            "p", NOW + HOUR * hour, challenge=ChallengeResult.PASSED, auth_class=passed_in, source="cdr"
        )
        record_outcome(db, passed, LATER)
        for item in found:
            if isinstance(item, OutcomeRecord):
                record_outcome(db, item, LATER)
        before = {
            auth_class: (rounded(known(db, auth_class=auth_class).reputation), _standing(db, auth_class))
            for auth_class in AuthClass
        }
        for index, call in enumerate(calls):
            evidence_only = call._replace(linkedid=f"r{index}", ring_seconds=20.0)
            record_outcome(db, evidence_only._replace(challenge=ChallengeResult.ROBOT), LATER)
        if passed_in is AuthClass.UNAUTHENTICATED:  # a borrower of the number passes for itself only
            before = {passed_in: before[passed_in]}
        for auth_class, (reputation, standing) in before.items():
            assert _standing(db, auth_class) == standing
            assert rounded(known(db, auth_class=auth_class).reputation) == reputation


def _standing(db: sqlite3.Connection, auth_class: AuthClass) -> object:
    standing = standing_of(rows_of(db, CALLER), auth_class, DEFAULT)
    return None if standing is None else standing.challenges
