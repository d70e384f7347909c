"""Who may label, ask and convict (docs/explanation/model.md): properties, for any rows and coalitions of up to 100."""

from __future__ import annotations

from itertools import pairwise
from math import log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.control_sample import is_drawn
from reputation.families import caller
from reputation.model import (
    Answered,
    Attestation,
    AuthClass,
    Challenged,
    ChallengeResult,
    ControlSample,
    EndedBy,
    Imported,
    Level,
    Mark,
    MarkChannel,
    OutcomeRecord,
    Reputation,
    Signal,
    SignalCategory,
    Tie,
    Verdict,
    Verification,
)
from reputation.scoring import Circumstances, Evidence, reputation_of
from reputation.signals import SPAMWARD, lessons_of
from reputation.standing import Rows, challenge_history_of, standing_of
from reputation.weights import DEFAULT
from tests.reputation.store_builders import CALLER, DAY, NOW, make_outcome

HOUR = 3600.0
UNKNOWN = AuthClass.UNKNOWN
colleagues = st.integers(0, 99).map(lambda n: str(200 + n))
times = st.integers(0, 100 * 24).map(lambda hours: NOW - HOUR * hours)
classes = st.sampled_from(AuthClass)
groups = st.sampled_from(["sales", "support", None])
marks = st.builds(
    lambda who, at, auth, group: Mark(CALLER, auth, who, Verdict.SPAM, at, MarkChannel.EXTENSION, group),
    *(colleagues, times, classes, groups),
)
signals = st.builds(
    lambda who, category, at, auth: Signal(CALLER, auth, who, category, at, f"{who}-{at}"),
    *(colleagues, st.sampled_from(SignalCategory), times, classes),
)
challenges = st.builds(
    lambda result, at, auth, did: Challenged(CALLER, auth, did, result, at, f"{at}"),
    *(st.sampled_from(ChallengeResult), times, classes, st.sampled_from(["", "+442071838750", "+442071838751"])),
)
rows = st.builds(
    Rows,
    st.lists(marks, max_size=100, unique_by=lambda one: (one.auth_class, one.reporter)),
    st.lists(signals, max_size=100, unique_by=lambda one: (one.auth_class, one.callee, one.category)),
    st.just(()),
    st.lists(challenges, max_size=20, unique_by=lambda one: (one.auth_class, one.at)),
)
# What our people can do at once: half mark, half hang up, and the caller fails whenever it is asked.
COALITION = Rows(
    [Mark(CALLER, UNKNOWN, str(n), Verdict.SPAM, NOW - 900.0 * n, MarkChannel.EXTENSION, str(n)) for n in range(50)],
    [Signal(CALLER, UNKNOWN, str(n), SignalCategory.HUNG_UP_ON, NOW, str(n)) for n in range(50, 100)],
    [],
    [Challenged(CALLER, UNKNOWN, str(n), ChallengeResult.SILENT, NOW - DAY * n, str(n)) for n in range(10)],
)
INSIDE = [Imported("a", "spam", is_feed=False), Imported("b", "ok", is_feed=False), Imported("c", "ok")]


OFFICE = Circumstances(people=200)


def judged(rows: Rows, call: Circumstances = OFFICE, **evidence: Any) -> Reputation:
    standing = standing_of(rows, call.auth_class, DEFAULT)
    return reputation_of(Evidence(standing=standing, **evidence), call, DEFAULT, NOW)


@given(
    st.just(COALITION) | rows,
    st.builds(
        Circumstances, classes, st.sampled_from(Attestation), st.just(Verification.NONE), people=st.integers(0, 400)
    ),
    st.lists(st.sampled_from(INSIDE), max_size=4),
    st.integers(0, 4),
    st.integers(0, 5),
)
def test_without_the_outside_nobody_is_convicted(
    rows: Rows, call: Circumstances, imported: list[Imported], listed: int, bad: int
) -> None:
    found = judged(rows, call, imported=tuple(imported), listed_neighbours=listed, bad_neighbours=bad)
    assert found.level <= Level.CHALLENGE


def test_with_a_feed_such_a_coalition_is_believed() -> None:
    assert judged(COALITION, imported=(Imported("a", "spam"),)).level is Level.REJECT
    assert judged(COALITION).level is Level.CHALLENGE


@given(rows, st.integers(0, 400))
def test_fewer_witnesses_neither_label_nor_ask(rows: Rows, people: int) -> None:
    found = judged(rows, Circumstances(people=people))
    since = NOW - DEFAULT.witnesses.days * DAY
    said = [(one.reporter, one.at) for one in rows.marks if one.auth_class is UNKNOWN]
    shown = [(s.callee, s.at) for s in rows.signals if s.auth_class is UNKNOWN and s.category in SPAMWARD]
    those = {who for who, at in (*said, *shown) if at > since}
    if len(those) < DEFAULT.witnesses.label_least or found.witnesses is None:
        assert found.level is Level.NONE
    elif len(those) < found.witnesses.challenge:
        assert found.level <= (Level.WARN if len(those) >= found.witnesses.label else Level.NONE)


@pytest.mark.parametrize(
    ("rows", "evidence"),
    [
        pytest.param(Rows(marks=COALITION.marks), {}, id="marks"),
        pytest.param(Rows(signals=COALITION.signals), {}, id="behaviour"),
        pytest.param(Rows(challenges=COALITION.challenges), {}, id="caller"),
        pytest.param(Rows(), {"bad_neighbours": 5}, id="own-block"),
        pytest.param(Rows(), {"listed_neighbours": 5}, id="block"),
        pytest.param(Rows(), {"imported": (Imported("a", "spam"), Imported("b", "spam"))}, id="feeds"),
    ],
)
def test_one_family_alone_never_asks(rows: Rows, evidence: dict[str, Any]) -> None:
    assert judged(rows, **evidence).level < Level.CHALLENGE


@given(st.lists(challenges, max_size=30, unique_by=lambda one: (one.auth_class, one.at)), classes)
def test_the_caller_says_so_much_and_for_its_class_alone(found: list[Challenged], auth_class: AuthClass) -> None:
    others = [one for one in found if one.auth_class is not auth_class]
    for asked in (found, others):
        standing = standing_of(Rows(challenges=asked), auth_class, DEFAULT)
        said = None if standing is None else caller.caller_of(standing.challenges, DEFAULT.caller, NOW)
        assert said is None or -1.2 <= said.log_odds <= 1.3
        assert asked is found or said is None


@pytest.mark.parametrize("colluders", [1, 2, 3, 10, 40, 100])
def test_who_always_presses_is_asked_a_few_times(colluders: int) -> None:
    """The colluders answer and mark in every hour, and the caller calls in every hour."""
    asked: list[float] = []
    for hour in range(90 * 24):
        now = NOW + HOUR * hour
        said = [Mark(CALLER, UNKNOWN, str(n), Verdict.SPAM, now, MarkChannel.EXTENSION) for n in range(colluders)]
        took = [Answered(CALLER, UNKNOWN, str(n), now) for n in range(colluders)]
        passes = [Challenged(CALLER, UNKNOWN, "", ChallengeResult.PASSED, at, str(at)) for at in asked]
        until = caller.passed_until(challenge_history_of(passes, said, took), DEFAULT.caller)
        if until is None or now >= until:
            asked.append(now)
    assert len(asked) <= 3 + log2(colluders)
    assert all(later - earlier >= DAY for earlier, later in pairwise(asked))


outcomes = st.builds(
    lambda talk, ring, ended, answered, action, tie, challenge: make_outcome(
        "1.1",
        by="201" if answered else None,
        talk=talk if answered else 0.0,
        ring=ring,
        ended_by=ended,
        action=action,
        rang_by=tie,
        challenge=challenge,
    ),
    st.sampled_from([3.0, 20.0, 100.0]),
    st.sampled_from([3.0, 20.0]),
    st.sampled_from(EndedBy),
    st.booleans(),
    st.sampled_from([None, "allow", "tag", "warn", "challenge", "route", "reject"]),
    st.sampled_from([None, *Tie]),
    st.sampled_from([None, *ChallengeResult]),
)


@given(outcomes)
def test_let_in_or_labelled_a_call_says_nothing_against(outcome: OutcomeRecord) -> None:
    signal = lessons_of(outcome).signal
    if signal is not None and signal.category in SPAMWARD:
        assert outcome.rang_by is None
        assert outcome.action in (None, "allow") or signal.category is SignalCategory.ONE_RING


def test_the_sample_is_drawn_by_the_call_and_the_salt() -> None:
    calls = [f"1767258007.{n}" for n in range(4000)]
    drawn, again, elsewhere = (
        [is_drawn(ControlSample(salt, 4), call) for call in calls] for salt in (b"salt", b"salt", b"other")
    )
    assert drawn == again != elsewhere
    assert 900 < sum(drawn) < 1100
    assert not any(is_drawn(ControlSample(b"salt", 0), call) for call in calls)
