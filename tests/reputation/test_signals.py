"""The signal of each outcome: the table of docs/contributing/model.md."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.model import (
    AuthClass,
    CallerKind,
    ChallengeResult,
    Direction,
    Disposition,
    EndedBy,
    Mark,
    MarkChannel,
    SignalCategory,
    Tie,
    Verdict,
)
from reputation.outcome import OutcomeRecord, Signal
from reputation.signals import SIGNALS, SPAMWARD, counts_for, latest_by_key, lessons_of, signal_of_mark
from reputation.standing import COUNT_OF, HUNG_UP, MISSED, RANG_ONCE
from tests.reputation.store_builders import CALLER, DID, NOW, make_mark, make_outcome

ANN = "201"
OUTBOUND = Direction.OUTBOUND
PREMIUM, FOREIGN_PREMIUM = "+19002345678", "+449098790000"


def signal_of(outcome: OutcomeRecord) -> Signal | None:
    return lessons_of(outcome).signal


def answered(talk: float, ended_by: EndedBy | None = EndedBy.CALLER, **others: Any) -> OutcomeRecord:
    """Make a call that 201 answered."""
    return make_outcome(by=ANN, talk=talk, ended_by=ended_by, **others)


CALLS = [
    pytest.param(answered(2.0, EndedBy.CALLEE), "hung-up-on", ANN, id="callee-hangs-up-after-2-s"),
    pytest.param(answered(5.9, EndedBy.CALLEE), "hung-up-on", ANN, id="callee-hangs-up-just-before-6-s"),
    pytest.param(answered(6.0, EndedBy.CALLEE), None, None, id="callee-hangs-up-after-6-s"),
    pytest.param(answered(2.0, EndedBy.CALLER), None, None, id="caller-hangs-up-after-2-s"),
    pytest.param(answered(2.0, EndedBy.SYSTEM), None, None, id="cut-off-after-2-s"),
    pytest.param(answered(2.0, None), None, None, id="a-cdr-does-not-know-who-hung-up"),
    pytest.param(answered(2.0, EndedBy.CALLEE, transferred=True), None, None, id="transferred-after-2-s"),
    pytest.param(answered(2.0, EndedBy.CALLEE, parked=True), None, None, id="parked"),
    pytest.param(answered(2.0, EndedBy.CALLEE, conference=True), None, None, id="put-into-a-conference"),
    pytest.param(answered(60.0), None, None, id="60-s"),
    pytest.param(answered(60.1), "long-talk", ANN, id="more-than-60-s"),
    pytest.param(answered(3600.0), "long-talk", ANN, id="an-hour"),
    pytest.param(
        make_outcome(disposition=Disposition.ANSWERED, talk=90.0), None, None, id="a-menu-answered-and-nobody-else"
    ),
    pytest.param(make_outcome(ring=3.0), "one-ring", DID, id="caller-gives-up-after-3-s"),
    pytest.param(make_outcome(ring=6.0), "one-ring", DID, id="caller-gives-up-after-6-s"),
    pytest.param(make_outcome(ring=6.1), "unanswered", DID, id="caller-gives-up-later"),
    pytest.param(make_outcome(ring=3.0, ended_by=EndedBy.SYSTEM), "unanswered", DID, id="we-gave-up-after-3-s"),
    pytest.param(make_outcome(ring=3.0, ended_by=None), "unanswered", DID, id="a-cdr-with-one-ring"),
    pytest.param(make_outcome(ring=3.9, answered_by_pbx=True), "unanswered", DID, id="caller-gives-up-after-a-queue"),
    pytest.param(make_outcome(ring=0.0), None, None, id="gone-before-it-rang"),
    pytest.param(make_outcome(ring=3.0, voicemail_left=True), "voicemail", DID, id="one-ring-and-a-message"),
    pytest.param(make_outcome(ring=25.0, voicemail_left=True), "voicemail", DID, id="a-message"),
    pytest.param(make_outcome(disposition=Disposition.REJECTED), "unanswered", DID, id="rejected-by-the-phone"),
    pytest.param(make_outcome(disposition=Disposition.BUSY), None, None, id="busy"),
    pytest.param(make_outcome(disposition=Disposition.FAILED), None, None, id="failed"),
    pytest.param(make_outcome(did=None, queue="support"), "unanswered", "support", id="a-queue"),
    pytest.param(make_outcome(did=None, group="sales"), "unanswered", "sales", id="a-group"),
    pytest.param(make_outcome(did=None), None, None, id="unknown-callee"),
    pytest.param(
        make_outcome(rung=tuple(map(str, range(201, 221))), forked=20), "unanswered", DID, id="twenty-phones-once"
    ),
    pytest.param(make_outcome(rung=(ANN,)), "unanswered", ANN, id="rang-for-one-person-alone"),
    pytest.param(
        make_outcome(rung=(ANN,), disposition=Disposition.REJECTED), "unanswered", ANN, id="rejected-by-one-person"
    ),
    pytest.param(make_outcome(rung=(ANN,), queue="support"), "unanswered", DID, id="a-queue-that-tried-one-so-far"),
    pytest.param(make_outcome(challenge=ChallengeResult.PASSED), None, None, id="passed-and-unanswered"),
    pytest.param(answered(90.0, challenge=ChallengeResult.PASSED), None, None, id="passed-and-talked"),
    pytest.param(make_outcome(challenge=ChallengeResult.SILENT), None, None, id="pressed-nothing"),
    pytest.param(
        make_outcome(challenge=ChallengeResult.SILENT, voicemail_left=True, action="challenge"),
        "voicemail",
        DID,
        id="pressed-nothing-and-left-a-message",
    ),
    pytest.param(make_outcome(ring=3.0, rang_by=Tie.CONTACT), None, None, id="one-ring-at-a-contact"),
    pytest.param(answered(2.0, EndedBy.CALLEE, rang_by=Tie.ALLOW), None, None, id="let-in-and-hung-up-on"),
    pytest.param(answered(90.0, rang_by=Tie.EXPECTED), "long-talk", ANN, id="expected-and-talked"),
    pytest.param(make_outcome(ring=3.0, action="warn"), "one-ring", DID, id="the-caller-alone-rang-once"),
    pytest.param(
        make_outcome(challenge=ChallengeResult.WRONG, action="challenge"), None, None, id="pressed-another-key"
    ),
    pytest.param(make_outcome(complete=False), None, None, id="incomplete"),
    pytest.param(answered(90.0, complete=False), None, None, id="incomplete-talk"),
    pytest.param(make_outcome(caller=None, caller_kind=CallerKind.WITHHELD), None, None, id="withheld"),
    pytest.param(make_outcome(caller="+10000000000"), None, None, id="unallocated"),
    pytest.param(make_outcome(direction=Direction.INTERNAL), None, None, id="internal"),
    pytest.param(make_outcome(direction=OUTBOUND, by=ANN, talk=30.0), "called-back", ANN, id="called-back"),
    pytest.param(make_outcome(direction=OUTBOUND, by=ANN, talk=29.9), None, None, id="called-back-and-talked-29-s"),
    pytest.param(make_outcome(direction=OUTBOUND, by=ANN), None, None, id="called-back-and-unanswered"),
    pytest.param(
        make_outcome(direction=OUTBOUND, talk=99.0, disposition=Disposition.ANSWERED),
        None,
        None,
        id="called-by-a-machine",
    ),
    pytest.param(make_outcome(direction=OUTBOUND, by=ANN, talk=99.0, dialled=PREMIUM), None, None, id="premium"),
    pytest.param(
        make_outcome(direction=OUTBOUND, by=ANN, talk=99.0, dialled=FOREIGN_PREMIUM), None, None, id="foreign-premium"
    ),
    pytest.param(make_outcome(direction=OUTBOUND, by=ANN, talk=99.0, dialled="411"), None, None, id="a-short-code"),
    pytest.param(
        make_outcome(direction=OUTBOUND, by=ANN, talk=99.0, complete=False), None, None, id="incomplete-outgoing"
    ),
]


@pytest.mark.parametrize(("outcome", "category", "callee"), CALLS)
def test_an_outcome_gives_its_signal(outcome: OutcomeRecord, category: str | None, callee: str | None) -> None:
    signal = signal_of(outcome)
    expected = category and Signal(
        CALLER, AuthClass.UNKNOWN, callee or "", SignalCategory(category), outcome.ended_at, outcome.linkedid
    )
    assert signal == expected


def test_an_early_hang_up_on_a_tagged_call_is_a_signal() -> None:
    assert signal_of(make_labelled(answered(2.0, EndedBy.CALLEE), "tag")) is not None
    assert signal_of(make_labelled(make_outcome(), "tag")) is None
    assert signal_of(make_labelled(make_outcome(disposition=Disposition.REJECTED), "tag")) is None


@pytest.mark.parametrize("action", ["warn", "challenge", "route", "reject"])
@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(make_outcome(), id="unanswered"),
        pytest.param(make_outcome(disposition=Disposition.REJECTED), id="rejected"),
        pytest.param(answered(2.0, EndedBy.CALLEE), id="hung-up-on"),
    ],
)
def test_a_labelled_call_gives_no_signal(outcome: OutcomeRecord, action: str) -> None:
    assert signal_of(make_labelled(outcome, action)) is None
    assert signal_of(make_labelled(outcome, "allow")) is not None


@pytest.mark.parametrize("action", ["tag", "warn", "route"])
def test_good_signals_count_despite_a_label(action: str) -> None:
    assert signal_of(make_labelled(answered(61.0), action)) is not None
    assert signal_of(make_labelled(make_outcome(voicemail_left=True), action)) is not None


def make_labelled(outcome: OutcomeRecord, action: str) -> OutcomeRecord:
    return outcome._replace(action=action)


@pytest.mark.parametrize("auth_class", AuthClass)
def test_a_signal_has_the_class_of_its_call(auth_class: AuthClass) -> None:
    signal = signal_of(make_outcome(auth_class=auth_class))
    assert signal is not None
    assert signal.auth_class is auth_class
    assert [class_ for class_ in AuthClass if counts_for(signal, class_)] == [auth_class]


def test_a_call_back_speaks_for_the_owner_never_for_a_spoofer() -> None:
    signal = signal_of(make_outcome(direction=OUTBOUND, by=ANN, talk=30.0))
    assert signal is not None
    assert {class_ for class_ in AuthClass if counts_for(signal, class_)} == {
        AuthClass.AUTHENTICATED,
        AuthClass.UNKNOWN,
    }


def test_not_spam_counts_as_a_call_back() -> None:
    mark = make_mark(verdict=Verdict.OK)
    assert signal_of_mark(mark) == Signal(CALLER, AuthClass.UNKNOWN, ANN, SignalCategory.NOT_SPAM, NOW, "")
    assert signal_of_mark(make_mark(verdict=Verdict.SPAM)) is None
    assert signal_of_mark(make_mark(verdict=Verdict.RETRACTED)) is None
    assert signal_of_mark(make_mark(verdict=Verdict.OK, auth_class=AuthClass.UNAUTHENTICATED)) is None
    about_a_call = Mark(CALLER, AuthClass.AUTHENTICATED, ANN, Verdict.OK, NOW, MarkChannel.WEB, linkedid="c1")
    signal = signal_of_mark(about_a_call)
    assert signal is not None
    assert signal.linkedid == "c1"
    assert [class_ for class_ in AuthClass if counts_for(signal, class_)] == [AuthClass.AUTHENTICATED]


def test_a_call_back_and_a_not_spam_mark_count_once() -> None:
    said = signal_of_mark(make_mark(verdict=Verdict.OK))
    called = signal_of(make_outcome("c2", NOW - 3600, direction=OUTBOUND, by=ANN, talk=30.0))
    assert said is not None
    assert called is not None
    assert latest_by_key([called, said]) == latest_by_key([said, called]) == [said]


def test_every_category_has_a_weight_and_a_direction() -> None:
    in_tables = {category for table in SIGNALS.values() for category, _ in table}
    assert set(SignalCategory) - in_tables == {SignalCategory.SECOND_TALK, SignalCategory.NOT_SPAM}
    assert COUNT_OF.keys() == set(SignalCategory)
    assert {item for item, place in COUNT_OF.items() if place in (HUNG_UP, MISSED, RANG_ONCE)} == SPAMWARD
    assert {category.value for category in SPAMWARD} == {"hung-up-on", "one-ring", "unanswered"}


signals = st.builds(
    Signal,
    st.sampled_from([CALLER, "+12015550999"]),
    st.sampled_from(AuthClass),
    st.sampled_from(["201", "202"]),
    st.sampled_from(SignalCategory),
    st.integers(0, 3).map(float),
    st.sampled_from(["a", "b"]),
)


@given(st.lists(signals), st.randoms(use_true_random=False))
def test_the_latest_of_a_key_counts_in_any_order(found: list[Signal], random: Any) -> None:
    once = set(latest_by_key(found))
    shuffled = found + found
    random.shuffle(shuffled)
    assert set(latest_by_key(shuffled)) == once
