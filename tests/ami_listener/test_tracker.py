"""Calls that no recording shows: what is bounded, what moves, what is not known. Times are seconds of a small clock."""

from __future__ import annotations

import gc
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_listener import outcome as outcomes
from ami_listener import tracker as tracking
from ami_listener.calls import Call, Channel
from ami_listener.events import (
    BridgeCreated,
    BridgeDestroyed,
    BridgeEnter,
    BridgeLeave,
    ChannelRef,
    DialBegin,
    DialEnd,
    DialState,
    Event,
    Hangup,
    HangupRequest,
    MessageWaiting,
    NewCallerId,
    NewChannel,
    NewState,
    Pickup,
    QueueJoined,
)
from ami_listener.framing import packet_of
from ami_listener.outcome import MOST_OFFERS, Outcome, Presentation
from ami_listener.parsing import EVENTS
from ami_listener.tracker import CallTracker
from reputation.model import Direction, Disposition, EndedBy
from tests.ami_listener.replaying import NAMES, Item, items_of, replay, trunk_of

CALLER, DID = "+12017421834", "+442071838751"


def ref(number: str, call: str = "1.0", name: str | None = None) -> ChannelRef:
    """Channel 1.0 of call 1.0 is the trunk's, the others are phones'."""
    return ChannelRef(number, call, name or ("PJSIP/carrier-1" if number.endswith(".0") else f"PJSIP/20{number[-1]}-1"))


TRUNK, ALICE, BOB = ref("1.0"), ref("1.1"), ref("1.2")
BEGIN = NewChannel(TRUNK, CALLER, "Joe", DID)


def phone(channel: ChannelRef) -> NewChannel:
    return NewChannel(channel, "201", "", "s")


def hung_up(channel: ChannelRef, cause: int = 16, code: int | None = None) -> Hangup:
    return Hangup(channel, cause, code)


RINGS: tuple[Event, ...] = (BEGIN, phone(ALICE), DialBegin(TRUNK, ALICE, "201", CALLER), DialState(ALICE, "RINGING"))
ANSWERED: tuple[Event, ...] = (*RINGS, NewState(ALICE, 6), DialEnd(ALICE, "ANSWER"), NewState(TRUNK, 6))
TALKING: tuple[Event, ...] = (
    *ANSWERED,
    BridgeCreated("b"),
    BridgeEnter(ALICE, "b", False),
    BridgeEnter(TRUNK, "b", False),
)
OVER: tuple[Event, ...] = (hung_up(ALICE), hung_up(TRUNK))


def make_tracker(*, calls_limit: int = 100, age_limit_seconds: float = 3600.0) -> CallTracker:
    return CallTracker(trunk_of, calls_limit=calls_limit, age_limit_seconds=age_limit_seconds)


def play(tracker: CallTracker, *script: Event, at: float = 0.0) -> list[Outcome]:
    """Events a second apart."""
    return [outcome for n, event in enumerate(script) for outcome in tracker.receive(event, at + n)]


def only(outcomes: list[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


@pytest.mark.parametrize("name", NAMES)
def test_ended_call_is_freed_without_garbage_collection(name: str) -> None:
    """The daemon looks for garbage seldom (callsieve/daemon/daemon.py)."""
    items = items_of(name)
    gc.collect()
    gc.disable()
    try:
        tracker = CallTracker(trunk_of)
        assert [*replay(tracker, items), *tracker.gap(items[-1].at)]
        assert [object_ for object_ in gc.get_objects() if type(object_) in (Call, Channel)] == []
    finally:
        gc.enable()


def test_a_call_is_in_progress_until_its_last_channel_ends() -> None:
    tracker = make_tracker()
    assert play(tracker, *TALKING, hung_up(ALICE)) == []
    assert tracker.calls_in_progress == 1
    outcome = only(play(tracker, hung_up(TRUNK)))
    assert (outcome.disposition, outcome.answered_by, outcome.complete) == (Disposition.ANSWERED, "PJSIP/201", True)
    assert tracker.calls_in_progress == 0


MOBILE = ref("1.9", name="PJSIP/carrier-9")
FOLLOW_ME = (*RINGS, phone(MOBILE), DialBegin(TRUNK, MOBILE, "+13125550142", CALLER), DialState(MOBILE, "RINGING"))


@pytest.mark.parametrize(
    ("first", "answered_by", "forwarded_to"),
    [
        pytest.param(ALICE, "PJSIP/201", None, id="one of us"),
        pytest.param(MOBILE, "PJSIP/carrier", "+13125550142", id="the mobile"),
    ],
)
def test_a_call_is_forwarded_if_it_was_answered_outside(
    first: ChannelRef, answered_by: str, forwarded_to: str | None
) -> None:
    others = [hung_up(item) for item in (ALICE, MOBILE) if item is not first]
    outcome = only(play(make_tracker(), *FOLLOW_ME, DialEnd(first, "ANSWER"), *others, hung_up(first), hung_up(TRUNK)))
    assert (outcome.answered_by, outcome.forwarded_to, outcome.transferred) == (answered_by, forwarded_to, False)


def test_a_call_that_goes_on_outside_is_transferred() -> None:
    outside = (phone(MOBILE), DialBegin(TRUNK, MOBILE, "+13125550142", CALLER), DialEnd(MOBILE, "ANSWER"))
    outcome = only(play(make_tracker(), *TALKING, hung_up(ALICE), *outside, hung_up(MOBILE), hung_up(TRUNK)))
    assert (outcome.answered_by, outcome.forwarded_to, outcome.transferred) == ("PJSIP/201", None, True)


def test_asterisk_ended_a_call_without_a_hangup_request() -> None:
    assert only(play(make_tracker(), *TALKING, *OVER)).ended_by is EndedBy.SYSTEM


def test_first_hangup_request_ends_the_call() -> None:
    both = (HangupRequest(ALICE, 16, None), HangupRequest(TRUNK, 16, None))
    assert only(play(make_tracker(), *TALKING, *both, *OVER)).ended_by is EndedBy.CALLEE


@pytest.mark.parametrize("entered", [0, 1], ids=["before the bridge", "alone in the bridge"])
def test_a_phone_that_hangs_up_before_bridging_ends_the_call(entered: int) -> None:
    entering = (BridgeEnter(ALICE, "b", False), BridgeEnter(TRUNK, "b", False))
    script = (*ANSWERED, BridgeCreated("b"), *entering[:entered], HangupRequest(ALICE, None, None), *entering[entered:])
    outcome = only(play(make_tracker(), *script, *OVER))
    assert (outcome.ended_by, outcome.complete) == (EndedBy.CALLEE, True)


def test_a_phone_that_hangs_up_before_connecting_ends_a_call() -> None:
    outcome = only(play(make_tracker(), *ANSWERED, HangupRequest(ALICE, None, None), *OVER))
    assert (outcome.ended_by, outcome.talk_seconds) == (EndedBy.CALLEE, 0.0)


def test_phone_does_not_end_a_call_that_rings_elsewhere() -> None:
    left = (HangupRequest(ALICE, None, None), hung_up(ALICE))
    queued = (*ANSWERED, QueueJoined(TRUNK, "desk"), *left, hung_up(TRUNK))
    assert only(play(make_tracker(), *queued)).ended_by is EndedBy.SYSTEM
    next_phone = (*ANSWERED, *left, phone(BOB), DialState(BOB, "RINGING"), hung_up(BOB), hung_up(TRUNK))
    assert only(play(make_tracker(), *next_phone)).ended_by is EndedBy.SYSTEM


def test_a_phone_that_hangs_up_before_audio_ends_no_call() -> None:
    script = (*TALKING, BridgeLeave(TRUNK, "b"), HangupRequest(ALICE, 16, None), *OVER)
    assert only(play(make_tracker(), *script)).ended_by is EndedBy.SYSTEM


@pytest.mark.parametrize(
    ("cause", "code", "ended_by", "disposition"),
    [
        pytest.param(127, 487, EndedBy.CALLER, Disposition.NO_ANSWER, id="cancelled"),
        pytest.param(0, None, EndedBy.CALLER, Disposition.NO_ANSWER, id="an Asterisk that gives no SIP code"),
        pytest.param(21, 603, EndedBy.SYSTEM, Disposition.FAILED, id="turned away with 603"),
        pytest.param(21, None, EndedBy.SYSTEM, Disposition.FAILED, id="turned away, no SIP code"),
    ],
)
def test_end_of_an_unanswered_call(cause: int, code: int | None, ended_by: EndedBy, disposition: Disposition) -> None:
    tracker = make_tracker()
    outcomes = play(tracker, BEGIN, HangupRequest(TRUNK, cause, code), hung_up(TRUNK, cause, code))
    outcome = only([*outcomes, *tracker.tick(40)])
    assert (outcome.ended_by, outcome.disposition, outcome.sip_code) == (ended_by, disposition, code)


@pytest.mark.parametrize(
    ("status", "disposition"),
    [
        ("BUSY", Disposition.BUSY),
        ("CANCEL", Disposition.NO_ANSWER),
        ("CHANUNAVAIL", Disposition.FAILED),
        ("CONGESTION", Disposition.FAILED),
    ],
)
def test_a_silent_channel_is_judged_by_its_dial_status(status: str, disposition: Disposition) -> None:
    tracker = make_tracker()
    play(tracker, *RINGS, DialEnd(ALICE, status), *OVER)
    assert only(tracker.tick(100)).disposition is disposition


def test_an_outbound_call_that_never_got_anywhere_has_failed() -> None:
    mine = ref("1.1", "1.1")
    outcome = only(play(make_tracker(), NewChannel(mine, "201", "", "+1"), hung_up(mine, 34)))
    assert (outcome.direction, outcome.disposition) == (Direction.INTERNAL, Disposition.FAILED)


def test_a_transferred_outbound_call_is_ended_by_the_caller() -> None:
    mine, out, other = ref("1.1", "1.1"), ref("2.0", "1.1"), ref("1.2", "1.1")
    script: tuple[Event, ...] = (
        NewChannel(mine, "201", "", "+12015550123"),
        NewChannel(out, "", "", "s"),
        DialBegin(mine, out, "+12015550123", DID),
        DialEnd(out, "ANSWER"),
        *(BridgeCreated("a"), BridgeEnter(out, "a", False), BridgeEnter(mine, "a", False)),
        *(HangupRequest(mine, 16, None), BridgeLeave(mine, "a"), BridgeLeave(out, "a"), hung_up(mine)),
        *(NewChannel(other, "202", "", "s"), DialBegin(out, other, "202", ""), DialEnd(other, "ANSWER")),
        *(BridgeCreated("b"), BridgeEnter(other, "b", False), BridgeEnter(out, "b", False)),
        *(HangupRequest(other, 16, None), hung_up(other), hung_up(out)),
    )
    outcome = only(play(make_tracker(), *script))
    assert (outcome.direction, outcome.own_number, outcome.dialled) == (Direction.OUTBOUND, DID, "+12015550123")
    assert (outcome.ended_by, outcome.answered_by, outcome.talk_seconds) == (EndedBy.CALLER, "PJSIP/carrier", 4.0)


def test_a_call_that_this_pbx_places_on_a_trunk_is_not_inbound() -> None:
    """Originate, a call file, a call-back service: Asterisk makes the trunk's channel itself, in the state Down."""
    script = (NewChannel(TRUNK, "", "", "s", placed=True), NewState(TRUNK, 6), hung_up(TRUNK))
    assert [outcome.direction for outcome in play(make_tracker(), *script)] == [None]


def test_an_unknown_callers_phone_rings_and_answers() -> None:
    mine = ref("1.1", "1.1")
    script = (NewChannel(mine, "201", "", ""), DialBegin(None, mine, "201", ""), DialEnd(mine, "ANSWER"), hung_up(mine))
    assert only(play(make_tracker(), *script)).answered_by == "PJSIP/201"


def test_a_consultation_call_ends_when_its_phone_moves() -> None:
    """An attended transfer by the phone itself (REFER with Replaces): 201 had called 202 on a second line."""
    second, bob = ref("2.1", "2.1"), ref("2.2", "2.1")
    asked = (
        NewChannel(second, "201", "", "202"),
        phone(bob),
        DialBegin(second, bob, "202", ""),
        DialEnd(bob, "ANSWER"),
    )
    tracker = make_tracker()
    assert play(tracker, *TALKING, *asked) == []
    moved = ref("2.2", "1.0")
    own = play(tracker, BridgeLeave(ALICE, "b"), hung_up(ALICE), BridgeEnter(moved, "b", False), hung_up(second), at=50)
    assert (only(own).direction, only(own).linkedid) == (Direction.INTERNAL, "2.1")
    outcome = only(play(tracker, HangupRequest(moved, 16, None), hung_up(moved), hung_up(TRUNK), at=60))
    assert (outcome.linkedid, outcome.ended_by, outcome.complete) == ("1.0", EndedBy.CALLEE, True)


def test_one_callers_call_never_becomes_part_of_anothers() -> None:
    other = ref("2.0", "2.0")
    script = (*TALKING, NewChannel(other, "+12015550199", "", DID), BridgeEnter(ref("2.0", "1.0"), "b", False))
    tracker = make_tracker()
    play(tracker, *script)
    assert tracker.calls_in_progress == 2


def test_a_pick_up_of_an_unseen_call_has_no_kind() -> None:
    mine = ref("3.1", "3.1")
    outcomes = play(make_tracker(), NewChannel(mine, "201", "", "*8"), Pickup(mine, ALICE), hung_up(mine))
    assert only(outcomes).direction is Direction.INTERNAL


def test_ringing_phone_that_is_moved_rings_once() -> None:
    tracker = make_tracker()
    mine = ref("3.1", "3.1")
    play(tracker, *RINGS, NewChannel(mine, "202", "", "x"), phone(ref("3.2", "3.1")), NewState(ref("3.2", "3.1"), 5))
    play(tracker, NewState(ref("3.2", "1.0"), 5), hung_up(ref("3.2", "1.0")), hung_up(mine), at=20)
    outcome = only([*play(tracker, *OVER, at=30), *tracker.tick(100)])
    assert outcome.forked_to == 2


def test_music_on_a_local_channel_is_no_talk() -> None:
    local = ref("1.5", name="Local/x@y-1;1")
    script = (BEGIN, NewState(TRUNK, 6), phone(local), BridgeCreated("b"), BridgeEnter(local, "b", False))
    outcome = only(play(make_tracker(), *script, BridgeEnter(TRUNK, "b", False), hung_up(local), hung_up(TRUNK)))
    assert (outcome.talk_seconds, outcome.disposition) == (0.0, Disposition.FAILED)


def test_partly_seen_bridge_makes_a_call_incomplete() -> None:
    script = (*ANSWERED, BridgeCreated("b"), BridgeDestroyed("b"), BridgeEnter(TRUNK, "b", False), *OVER)
    assert not only(play(make_tracker(), *script)).complete


def test_call_is_incomplete_until_a_new_bridge() -> None:
    tracker = make_tracker()
    calls = [(ref(f"{n}.0", f"{n}.0"), ref(f"{n}.1", f"{n}.0")) for n in (1, 2, 3)]
    for trunk, dest in calls:
        play(tracker, NewChannel(trunk, CALLER, "", DID), phone(dest), DialEnd(dest, "ANSWER"))
    ended = []
    for trunk, dest in calls:
        if trunk is calls[-1][0]:
            play(tracker, BridgeDestroyed("b"), BridgeCreated("b"))
        ended += play(tracker, BridgeEnter(trunk, "b", False), BridgeEnter(dest, "b", False))
        ended += play(tracker, hung_up(dest), hung_up(trunk))
    assert [outcome.complete for outcome in ended] == [False, False, True]


def test_number_withheld_once_stays_withheld() -> None:
    withheld, allowed = NewCallerId(TRUNK, Presentation.WITHHELD), NewCallerId(TRUNK, Presentation.ALLOWED)
    of_a_phone = NewCallerId(ALICE, Presentation.ALLOWED)
    outcome = only(play(make_tracker(), *TALKING, allowed, withheld, allowed, of_a_phone, *OVER))
    assert outcome.presentation is Presentation.WITHHELD


def test_voicemail_counts_only_if_the_message_count_rises() -> None:
    less = (MessageWaiting(None, "201", 3), *TALKING, MessageWaiting(TRUNK, "201", 2), *OVER)
    more = (MessageWaiting(None, "201", 1), *TALKING, MessageWaiting(TRUNK, "201", 2), *OVER)
    assert [only(play(make_tracker(), *script)).voicemail_left for script in (less, more)] == [False, True]


def test_ended_call_is_not_reported_again() -> None:
    tracker = make_tracker()
    late = (DialEnd(ALICE, "CANCEL"), BridgeLeave(ALICE, "b"), HangupRequest(TRUNK, 16, None), hung_up(TRUNK))
    assert play(tracker, *TALKING, *OVER, *late)[1:] == []
    assert tracker.calls_in_progress == 0


# What is not seen whole


def test_a_gap_ends_every_call_as_incomplete() -> None:
    tracker = make_tracker()
    play(tracker, *TALKING)
    outcome = only(tracker.gap(20))
    assert (outcome.linkedid, outcome.complete, outcome.ended_by, outcome.ended_at) == ("1.0", False, None, 20)
    assert (tracker.calls_in_progress, play(tracker, *OVER, at=30)) == (0, [])


def test_a_call_that_outlasts_a_gap_has_no_beginning() -> None:
    tracker = make_tracker()
    play(tracker, *TALKING)
    tracker.gap(20)
    play(tracker, BridgeEnter(TRUNK, "b", False), BridgeEnter(ALICE, "b", False))
    outcome = only(play(tracker, *OVER, at=30))
    assert (outcome.linkedid, outcome.complete, outcome.caller) == ("1.0", False, "")


def test_a_call_without_its_first_channel_has_no_direction() -> None:
    outcome = only(play(make_tracker(), DialBegin(None, ref("1.0", "0.9"), "", ""), hung_up(ref("1.0", "0.9"))))
    assert (outcome.direction, outcome.complete) == (None, False)


def test_first_channel_seen_after_its_phones_is_ignored() -> None:
    outcome = only(play(make_tracker(), phone(ALICE), BEGIN, BEGIN, NewState(ALICE, 3), *OVER))
    assert (outcome.direction, outcome.complete) == (Direction.INBOUND, False)


# The same call offered again


def offer(caller: str, number: str, *, busy: bool = True) -> tuple[Event, ...]:
    trunk, alice = ref(f"{number}.0", f"{number}.0"), ref(f"{number}.1", f"{number}.0")
    rings = (NewChannel(trunk, caller, "", DID), phone(alice), DialBegin(trunk, alice, "201", ""), NewState(alice, 5))
    refused = (HangupRequest(alice, 17, 486), DialEnd(alice, "BUSY"), hung_up(alice, 17, 486), hung_up(trunk, 17, 486))
    given_up = (HangupRequest(trunk, 127, 487), DialEnd(alice, "CANCEL"), hung_up(alice), hung_up(trunk, 127, 487))
    return (*rings, *(refused if busy else given_up))


def test_unanswered_offer_is_reported_after_half_a_minute() -> None:
    tracker = make_tracker()
    assert play(tracker, *offer(CALLER, "1")) == []
    assert tracker.tick(37.0) == []
    assert only(tracker.tick(37.5)).earlier == ()


def test_three_offers_of_one_call_are_one_outcome() -> None:
    tracker = make_tracker()
    outcomes = [outcome for n in (1, 2, 3) for outcome in play(tracker, *offer(CALLER, str(n)), at=20.0 * n)]
    outcome = only([*outcomes, *tracker.tick(200)])
    assert (outcome.linkedid, outcome.earlier, outcome.at, outcome.ring_seconds) == ("3.0", ("1.0", "2.0"), 20, 6)


def test_repeated_calls_of_one_caller_are_all_reported() -> None:
    tracker, calls = make_tracker(), 3 * MOST_OFFERS
    outcomes = [outcome for n in range(1, calls + 1) for outcome in play(tracker, *offer(CALLER, str(n)), at=20.0 * n)]
    assert [len(outcome.earlier) for outcome in outcomes] == [MOST_OFFERS - 1] * 3


@pytest.mark.parametrize(
    ("caller", "at", "busy"),
    [
        pytest.param("+12015550199", 20.0, True, id="another caller"),
        pytest.param(CALLER, 40.0, True, id="more than half a minute later"),
        pytest.param("", 20.0, True, id="a caller without a number"),
        pytest.param(CALLER, 20.0, False, id="the caller gave up the first himself"),
    ],
)
def test_two_calls_stay_separate(caller: str, at: float, busy: bool) -> None:
    tracker = make_tracker()
    first = play(tracker, *offer(caller if caller == "" else CALLER, "1", busy=busy))
    assert len([*first, *play(tracker, *offer(caller, "2"), at=at), *tracker.tick(200)]) == 2


def test_an_offer_held_at_a_lost_connection_is_incomplete() -> None:
    tracker = make_tracker()
    play(tracker, *offer(CALLER, "1"))
    assert not only(tracker.gap(10)).complete


def test_two_calls_at_once_that_both_fail_are_two() -> None:
    tracker = make_tracker()
    first, second = offer(CALLER, "1"), offer(CALLER, "2")
    mixed = [event for pair in zip(first, second, strict=True) for event in pair]
    assert len([*play(tracker, *mixed), *tracker.tick(200)]) == 2


# Bounds


def test_a_call_that_never_ends_is_dropped_after_a_day() -> None:
    tracker = make_tracker(age_limit_seconds=100)
    play(tracker, *TALKING)
    assert tracker.tick(100) == []
    assert not only(tracker.tick(101)).complete
    assert tracker.calls_in_progress == 0


def test_beyond_the_limit_the_oldest_call_is_dropped() -> None:
    tracker = make_tracker(calls_limit=2)
    outcomes = play(tracker, *(NewChannel(ref(f"{n}.0", f"{n}.0"), CALLER, "", DID) for n in range(4)))
    assert [(outcome.linkedid, outcome.complete) for outcome in outcomes] == [("0.0", False), ("1.0", False)]
    assert tracker.calls_in_progress == 2


def test_oldest_ended_calls_are_forgotten_beyond_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracking, "CHANNELS_PER_CALL", 2)
    monkeypatch.setattr(tracking, "MAILBOXES_LIMIT", 2)
    tracker = make_tracker(calls_limit=2)
    play(tracker, *TALKING, *(MessageWaiting(None, str(n), n) for n in range(5)))
    play(tracker, *(BridgeCreated(str(n)) for n in range(5)))
    outcome = only(play(tracker, phone(BOB), hung_up(ALICE), hung_up(BOB)))
    assert (outcome.linkedid, outcome.complete) == ("1.0", False)
    assert (tracker.held.bridges, tracker.held.mailboxes) == (2, 2)


DESK, CARRIER = ref("2.0", "2.0", "PJSIP/201-2"), ref("2.1", "2.0", "PJSIP/carrier-9")
OUT: tuple[Event, ...] = (
    NewChannel(DESK, "201", "", "+12015550123"),
    NewChannel(CARRIER, "", "", "s"),
    DialBegin(DESK, CARRIER, "+12015550123", DID),
)


@pytest.mark.parametrize(
    ("said", "answered_at", "ring_seconds", "is_machine"),
    [
        pytest.param({0.0: "RINGING"}, 8.0, 8.0, False, id="rings"),
        pytest.param({0.0: "PROGRESS"}, 8.0, 8.0, False, id="its-ringing-tone-is-audio"),
        pytest.param({0.0: "PROGRESS", 4.0: "RINGING"}, 5.0, 1.0, False, id="rings-later-than-its-audio-begins"),
        pytest.param({0.0: "RINGING", 0.5: "PROGRESS"}, 8.0, 8.0, False, id="rings-by-both"),
        pytest.param({0.0: "RINGING", 4.0: "PROGRESS"}, 4.5, 4.5, False, id="audio-after-ringing-for-4-s"),
        pytest.param({0.0: "RINGING", 20.0: "PROGRESS"}, 20.5, 20.5, True, id="diverted-to-voicemail"),
        pytest.param({0.0: "RINGING", 20.0: "PROGRESS"}, 24.0, 24.0, False, id="diverted-and-rings-on"),
        pytest.param({0.0: "RINGING", 20.0: "PROGRESS", 24.0: "PROGRESS"}, 24.5, 24.5, True, id="diverted-twice"),
    ],
)
def test_answerer_of_an_outgoing_call(
    said: dict[float, str], answered_at: float, ring_seconds: float, is_machine: bool
) -> None:
    tracker = make_tracker()
    play(tracker, *OUT, at=-3.0)
    for at, word in said.items():
        tracker.receive(DialState(CARRIER, word), at)
    tracker.receive(DialEnd(CARRIER, "ANSWER"), answered_at)
    [outcome] = play(tracker, hung_up(CARRIER), hung_up(DESK), at=answered_at + 5.0)
    assert (outcome.direction, outcome.ring_seconds, outcome.machine) == (
        Direction.OUTBOUND, ring_seconds, is_machine,
    )  # fmt: skip


def test_number_of_remembered_phones_is_limited() -> None:
    phones = [ref(f"1.{n}", name=f"PJSIP/{n}-1") for n in range(1, 100)]
    rings = [event for dest in phones for event in (phone(dest), DialState(dest, "RINGING"))]
    tracker = make_tracker()
    play(tracker, BEGIN, *rings, *map(hung_up, phones), HangupRequest(TRUNK, 127, 487))
    outcome = only(play(tracker, hung_up(TRUNK, 127, 487)))
    assert (len(outcome.rang), outcome.forked_to) == (64, 99)


def test_oldest_held_offer_is_released_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "HELD_LIMIT", 1)
    tracker = make_tracker()
    play(tracker, *offer(CALLER, "1"))
    assert only(play(tracker, *offer("+12015550199", "2"))).linkedid == "1.0"


def test_tracker_is_empty_after_many_calls() -> None:
    tracker = make_tracker()
    for name in NAMES:
        replay(tracker, items_of(name))
        tracker.tick(items_of(name)[-1].at + 31)
    assert (*tracker.held[:3], tracker.held.offers) == (0, 0, 0, 0)


# Anything at all


@settings(deadline=None)  # a recording three times over
@given(st.randoms(use_true_random=False), st.sampled_from(NAMES), st.integers(1, 3))
def test_events_in_any_order_never_raise(chance: random.Random, name: str, times: int) -> None:
    items = list(items_of(name)) * times
    chance.shuffle(items)
    tracker = CallTracker(trunk_of)
    replay(tracker, items)
    tracker.gap(items[-1].at)
    assert tracker.calls_in_progress == 0
    tracker.tick(items[-1].at + 31)
    assert tracker.calls_in_progress == 0


ids = st.sampled_from(["1.0", "1.1", "1.2", "2.0", "2.1"])
lines = st.builds(
    "\r\nUniqueid: {0}\r\nLinkedid: {1}\r\nChannel: {2}\r\nDestUniqueid: {3}\r\nDestLinkedid: {1}\r\nDestChannel: {2}"
    "\r\nBridgeUniqueid: {0}\r\nDialStatus: {4}\r\nChannelState: {5}\r\nCause: {5}\r\nTargetUniqueid: {3}"
    "\r\nResult: Success\r\nTransfererUniqueid: {0}\r\nParkeeUniqueid: {3}"
    "\r\nCallerIDNum: {0}\r\nMailbox: {0}\r\nNew: {5}".format,
    ids,
    ids,
    st.sampled_from(["PJSIP/carrier-1", "PJSIP/201-1", "Local/x-1;1", ""]),
    ids,
    st.sampled_from(["ANSWER", "BUSY", "RINGING", "PROGRESS"]),
    st.integers(0, 6),
)


@given(st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), lines, st.booleans()), max_size=60))
def test_events_that_contradict_each_other_never_raise(said: list[tuple[str, str, bool]]) -> None:
    items = [Item(at, packet_of(f"Event: {name}{text}")) for at, (name, text, _) in enumerate(said)]
    tracker = CallTracker(trunk_of, calls_limit=3, age_limit_seconds=20)
    for item, (_, _, lost) in zip(items, said, strict=True):
        replay(tracker, [item, *([Item(item.at, None)] if lost else [])])
        assert tracker.calls_in_progress <= 3
    tracker.tick(1000)
    assert tracker.calls_in_progress == 0
