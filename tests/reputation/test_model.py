"""The evidence model: the figures of docs/contributing/model.md and its properties, on pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from reputation.evidence import NO_CIRCUMSTANCES, NO_EVIDENCE, Circumstances, Evidence
from reputation.families.block import LISTED as LISTED_BLOCK
from reputation.families.block import block_of
from reputation.fold import standing_of
from reputation.formulas import decayed
from reputation.memory_store import MemoryStore
from reputation.model import (
    Answered,
    Attestation,
    AuthClass,
    Challenged,
    ChallengeResult,
    EndedBy,
    Identity,
    Imported,
    Level,
    Mark,
    MarkChannel,
    Reputation,
    SignalCategory,
    TrapCall,
    Verdict,
    Verification,
)
from reputation.outcome import Signal
from reputation.own.hours import is_quiet
from reputation.scoring import families_of, level_at, reputation_of, vector_of
from reputation.standing import Rows, Standing
from reputation.store.standing import Settled, trust_of
from reputation.weights import (
    DAY_SECONDS,
    DEFAULT,
    BlockWeights,
    QuietWeights,
    Thresholds,
    Weights,
    WitnessWeights,
)
from reputation.weights import problems_of as problems
from tests.reputation.store_builders import CALLER, DAY, NOW, make_outcome

UNKNOWN, SIGNED, FALSE = AuthClass.UNKNOWN, AuthClass.AUTHENTICATED, AuthClass.UNAUTHENTICATED
HUNG_UP, CALLED_BACK, ONE_RING = SignalCategory.HUNG_UP_ON, SignalCategory.CALLED_BACK, SignalCategory.ONE_RING


def spam(reporter: str, at: float = NOW, group: str | None = "sales", **others: Any) -> Mark:
    return replace(Mark(CALLER, UNKNOWN, reporter, Verdict.SPAM, at, MarkChannel.EXTENSION, group), **others)


def signal(callee: str, category: SignalCategory = HUNG_UP, at: float = NOW, auth: AuthClass = UNKNOWN) -> Signal:
    return Signal(CALLER, auth, callee, category, at, f"{callee}-{category}-{at}")


def answer(callee: str, at: float = NOW) -> Answered:
    return Answered(CALLER, UNKNOWN, callee, at)


def judged(
    marks: Sequence[Mark] = (),
    signals: Sequence[Signal] = (),
    answered: Sequence[Answered] = (),
    *,
    now: float = NOW,
    circumstances: Circumstances = NO_CIRCUMSTANCES,
    weights: Weights = DEFAULT,
    epoch_at: float | None = None,
    **evidence: Any,
) -> Reputation:
    rows = Rows(marks, signals, answered, evidence.pop("challenges", ()), evidence.pop("traps", ()))
    standing = standing_of(rows, circumstances.auth_class, weights, epoch_at=epoch_at)
    return reputation_of(Evidence(standing=standing)._replace(**evidence), circumstances, weights, now)


def many(count: int, **others: Any) -> list[Mark]:
    """Make marks of many people, too slowly for a burst."""
    return [spam(str(n), NOW - 1000.0 * n, str(n), **others) for n in range(count)]


def family(reputation: Reputation, name: str) -> float:
    return next((family_.log_odds for family_ in reputation.families if family_.name == name), 0.0)


# The figures -----------------------------------------------------------------------------------------------


COUNTS = DEFAULT.counts


def test_each_further_mark_adds_less() -> None:
    found = [family(judged(many(marks)), "marked") for marks in (1, 2, 3, 40)]
    assert found == pytest.approx([COUNTS.marked * math.log(1 + count) for count in (1, 2, 3, 40)], rel=0.01)


def test_unmarked_answers_speak_for_the_number() -> None:
    found = judged([spam("1")], (), [answer(str(n)) for n in range(12)])
    assert family(found, "marked") == pytest.approx(COUNTS.marked * math.log(2))
    assert family(found, "unmarked") == pytest.approx(COUNTS.unmarked * math.log(12))


def test_a_value_halves_per_half_life_and_never_grows() -> None:
    assert decayed(4.0, NOW, NOW + 30 * DAY, 30 * DAY) == 2.0
    assert decayed(4.0, NOW, NOW - DAY, 30 * DAY) == 4.0


@pytest.mark.parametrize(
    ("category", "name", "weight"),
    [
        (HUNG_UP, "hung up", COUNTS.hung_up), (SignalCategory.UNANSWERED, "missed", COUNTS.missed),
        (SignalCategory.VOICEMAIL, "messages", COUNTS.messages), (SignalCategory.LONG_TALK, "talks", COUNTS.talks),
        (CALLED_BACK, "wanted", COUNTS.wanted), (SignalCategory.SECOND_TALK, "wanted", COUNTS.wanted),
    ],
)  # fmt: skip
def test_each_signal_has_its_weight_and_decay(category: SignalCategory, name: str, weight: float) -> None:
    assert family(judged((), [signal("201", category)]), name) == pytest.approx(weight * math.log(2))
    later = judged((), [signal("201", category)], now=NOW + 14 * DAY)
    assert family(later, name) == pytest.approx(weight * math.log(1.5))


def test_a_missed_call_does_not_count_after_a_call_back() -> None:
    missed = [signal("201", SignalCategory.UNANSWERED), signal("202", SignalCategory.UNANSWERED)]
    found = judged((), [*missed, signal("201", CALLED_BACK, NOW + 60)], now=NOW + 60)
    assert family(found, "missed") == pytest.approx(COUNTS.missed * math.log(2), abs=1e-3)


def test_a_passed_challenge_counts_like_a_call_back() -> None:
    passed = [Challenged(CALLER, UNKNOWN, "", ChallengeResult.PASSED, NOW, "passed")]
    assert family(judged(challenges=passed), "wanted") == pytest.approx(COUNTS.wanted * math.log(2))


def test_a_one_ring_call_fades_within_days() -> None:
    once = [signal("201", ONE_RING)]
    for hours, weight in ((0, 0.8), (36, 0.4), (72, 0.2)):
        assert family(judged((), once, now=NOW + 3600.0 * hours), "one ring") == pytest.approx(weight)


@pytest.mark.parametrize(("bad", "log_odds"), [(0, None), (2, None), (3, 1.0), (4, 1.0), (5, 1.5), (900, 1.5)])
def test_a_bad_block_tags_at_most(bad: int, log_odds: float | None) -> None:
    found = block_of(LISTED_BLOCK, bad, DEFAULT.block)
    assert (found.log_odds if found else None) == log_odds


@pytest.mark.parametrize(
    ("attestation", "verification", "log_odds"),
    [
        (Attestation.A, Verification.PASSED, -0.5),
        (Attestation.A, Verification.NONE, 0.0),
        (Attestation.B, Verification.PASSED, 0.7),
        (Attestation.C, Verification.PASSED, 1.0),
        (Attestation.NONE, Verification.NONE, 0.0),
        (Attestation.A, Verification.FAILED, 1.5),
    ],
)
def test_attestation_has_its_log_odds(attestation: Attestation, verification: Verification, log_odds: float) -> None:
    found = judged(circumstances=Circumstances(UNKNOWN, attestation, verification))
    assert found.log_odds == log_odds


@pytest.mark.parametrize(
    ("sources", "log_odds"), [("s", 1.5), ("ss", 2.5), ("sss", 2.5), ("o", -1.5), ("so", 0.0), ("sso", 1.0)]
)
def test_feeds_have_their_log_odds(sources: str, log_odds: float) -> None:
    imported = tuple(Imported(str(n), "spam" if s == "s" else "ok") for n, s in enumerate(sources))
    assert judged(imported=imported).log_odds == log_odds


@pytest.mark.parametrize(("hour", "quiet"), [(21, False), (22, True), (0, True), (7, True), (8, False), (12, False)])
def test_quiet_hours_go_over_midnight(hour: int, quiet: bool) -> None:
    assert is_quiet(hour, DEFAULT.quiet) is quiet
    assert judged(circumstances=Circumstances(hour=hour, is_stranger=True)).log_odds == (0.5 if quiet else 0.0)
    assert judged(circumstances=Circumstances(hour=hour)).log_odds == 0.0
    assert not is_quiet(hour, QuietWeights(first_hour=9, last_hour=9))


@given(
    st.builds(
        Circumstances,
        st.sampled_from(AuthClass),
        st.sampled_from(Attestation),
        st.sampled_from(Verification),
        st.none() | st.integers(0, 23),
        st.booleans(),
        st.integers(0, 300),
    )
)
def test_without_evidence_only_signature_and_hour_count(call: Circumstances) -> None:
    reviewed = Evidence(reviewed_at=NOW)  # says nothing either
    assert reputation_of(NO_EVIDENCE, call, DEFAULT, NOW) == reputation_of(reviewed, call, DEFAULT, NOW)


@pytest.mark.parametrize(
    ("level", "auth", "log_odds"), [(1, UNKNOWN, 0.0), (2, UNKNOWN, -1.5), (2, SIGNED, -3.0), (2, FALSE, 0.0)]
)
def test_an_identity_counts_by_level_and_class(level: int, auth: AuthClass, log_odds: float) -> None:
    identity = Identity(CALLER, "Acme", level, NOW + DAY)
    found = judged(many(40, auth_class=auth), circumstances=Circumstances(auth), identity=identity)
    assert family(found, "identity") == log_odds


def test_marks_weigh_less_for_90_days_after_an_upheld_appeal() -> None:
    doubted, again = (family(judged(many(8), upheld_at=NOW - days * DAY), "marked") for days in (89, 91))
    assert doubted == pytest.approx(COUNTS.marked * math.log(1 + 8 * DEFAULT.appeal.marks), abs=0.01)
    assert again == pytest.approx(COUNTS.marked * math.log(9), abs=0.01)


@pytest.mark.parametrize(
    ("agree", "disagree", "trust"), [(0, 0, 1.0), (100, 0, 1.0), (0, 2, 0.8333), (0, 90, 0.1), (8, 2, 1.0)]
)
def test_trust_falls_with_wrong_marks_and_stays_below_one(agree: int, disagree: int, trust: float) -> None:
    assert trust_of(Settled(agree, disagree), DEFAULT.trust) == pytest.approx(trust, abs=1e-3)


def test_a_mark_weighs_by_its_reporter_and_its_channel() -> None:
    marks = [spam("1"), spam("2", channel=MarkChannel.WEB)]
    standing = standing_of(Rows(marks), UNKNOWN, DEFAULT, trust=lambda who: 0.5 if who == "1" else 1.0)
    assert standing is not None
    assert standing.marks == pytest.approx(0.5 + 0.7)


# Levels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log_odds", "level"),
    [(1.49, Level.NONE), (1.5, Level.TAG), (4.24, Level.WARN), (5.74, Level.CHALLENGE), (7.7, Level.ROUTE),
     (9.0, Level.REJECT)],
)  # fmt: skip
def test_the_thresholds_give_the_levels(log_odds: float, level: Level) -> None:
    assert level_at(log_odds, DEFAULT.levels) is level


MARKED = [spam("1", group="sales"), spam("2", group="support"), spam("3", group="sales")]
SHOWN = [signal(str(n)) for n in range(100, 120)]
FEED = (Imported("a", "spam"),)
BY_HAND = (Imported("a", "spam", is_feed=False),)
FAILED = [Challenged(CALLER, UNKNOWN, "", ChallengeResult.SILENT, NOW, "failed")]
PASSED = [Challenged(CALLER, UNKNOWN, "", ChallengeResult.PASSED, NOW - DAY, "passed")]
LISTED: dict[str, Any] = {"imported": FEED, "challenges": FAILED}


@pytest.mark.parametrize(
    ("marks", "signals", "evidence", "level"),
    [
        pytest.param(MARKED, SHOWN, LISTED, Level.REJECT, id="people, a feed, a failed challenge"),
        pytest.param(MARKED, SHOWN, {"challenges": FAILED}, Level.CHALLENGE, id="no feed"),
        pytest.param(MARKED, SHOWN, {"imported": FEED}, Level.CHALLENGE, id="never asked"),
        pytest.param(MARKED, SHOWN, LISTED | {"imported": BY_HAND}, Level.CHALLENGE, id="a list imported by hand"),
        pytest.param(MARKED, SHOWN, LISTED | {"challenges": PASSED + FAILED}, Level.CHALLENGE, id="passed lately"),
        pytest.param(MARKED, SHOWN, LISTED | {"bad_neighbours": 5, "imported": ()}, Level.CHALLENGE, id="own block"),
        pytest.param(
            MARKED, SHOWN, LISTED | {"listed_neighbours": 5, "imported": ()}, Level.CHALLENGE, id="listed block"
        ),
        pytest.param(MARKED, SHOWN, LISTED | {"appeal": "AP9E4100"}, Level.ROUTE, id="appealed"),
        pytest.param([replace(m, group="sales") for m in MARKED], SHOWN, LISTED, Level.ROUTE, id="one group"),
        pytest.param([replace(m, group=None) for m in MARKED], SHOWN, LISTED, Level.REJECT, id="three without groups"),
        pytest.param([replace(m, group=None) for m in MARKED[:2]], SHOWN, LISTED, Level.ROUTE, id="two without groups"),
        pytest.param((), SHOWN, LISTED | {"listed_neighbours": 5}, Level.ROUTE, id="no marks"),
    ],
)
def test_route_and_reject_need_more_than_points(
    marks: list[Mark], signals: list[Signal], evidence: dict[str, Any], level: Level
) -> None:
    found = judged(marks, signals, **evidence)
    assert found.log_odds >= DEFAULT.levels.challenge
    assert found.level is level


@pytest.mark.parametrize(
    ("marks", "signals", "people", "level"),
    [
        pytest.param(MARKED[:1], (), 3, Level.NONE, id="one"),
        pytest.param(MARKED[:2], (), 3, Level.WARN, id="two of a few"),
        pytest.param(MARKED[:2], (), 81, Level.NONE, id="two of 81"),
        pytest.param(many(5), (), 200, Level.WARN, id="five of 200"),
        pytest.param(many(5), (), 100_000, Level.WARN, id="five of many"),
        pytest.param(many(9), SHOWN[:5], 200, Level.CHALLENGE, id="fourteen of 200"),
        pytest.param(many(8), SHOWN[:5], 200, Level.WARN, id="thirteen of 200"),
        pytest.param(many(2), SHOWN[:1], 20, Level.WARN, id="three of 20"),
        pytest.param(many(3), SHOWN[:5], 20, Level.CHALLENGE, id="eight of 20"),
        pytest.param(many(40), (), 200, Level.WARN, id="marks alone"),
    ],
)
def test_warn_and_challenge_need_witnesses(marks: list[Mark], signals: list[Signal], people: int, level: Level) -> None:
    assert judged(marks, signals, circumstances=Circumstances(people=people)).level is level


def test_old_evidence_no_longer_challenges() -> None:
    office = Circumstances(people=200)
    then = judged(many(9), SHOWN[:5], circumstances=office, now=NOW + 4 * DAY)
    assert then.log_odds > DEFAULT.levels.challenge
    assert then.level is Level.WARN


def test_a_feed_makes_up_for_witnesses() -> None:
    found = judged(MARKED[:2], SHOWN[:2], imported=FEED, circumstances=Circumstances(people=200))
    assert found.level is Level.CHALLENGE


@pytest.mark.parametrize(
    ("imported", "evidence", "level"),
    [
        pytest.param((Imported("a", "spam"),), {}, Level.TAG, id="one source"),
        pytest.param((Imported("a", "spam"), Imported("b", "spam")), {}, Level.CHALLENGE, id="two sources"),
        pytest.param((Imported("a", "spam", is_proven=True),), {}, Level.CHALLENGE, id="one that was right"),
        pytest.param((Imported("a", "spam"), Imported("b", "spam", is_feed=False)), {}, Level.TAG, id="one by hand"),
        pytest.param(
            (Imported("a", "spam", looked_up=True), Imported("b", "spam", looked_up=True)), {}, Level.TAG, id="look-ups"
        ),
        pytest.param((), {"listed_neighbours": 5}, Level.TAG, id="a block"),
        pytest.param((Imported("a", "spam"),), {"listed_neighbours": 5}, Level.CHALLENGE, id="a block and a source"),
    ],
)
def test_strong_sources_challenge_the_first_call(
    imported: tuple[Imported, ...], evidence: dict[str, Any], level: Level
) -> None:
    assert judged(imported=imported, **evidence).level is level
    called_back = judged((), [signal("201", CALLED_BACK)], imported=imported, **evidence)
    assert called_back.level is Level.NONE, "whom we call back is not asked"
    failed = judged(imported=imported, challenges=FAILED, **evidence)
    assert failed.level <= Level.CHALLENGE, "and asking convicts nobody"


def trap_calls(count: int, verified: bool) -> list[TrapCall]:
    return [TrapCall(CALLER, UNKNOWN, f"+4420718387{n}0", verified, NOW - n, f"trap {n}") for n in range(count)]


@pytest.mark.parametrize(
    ("count", "verified", "level"),
    [(1, False, Level.TAG), (2, False, Level.CHALLENGE), (1, True, Level.CHALLENGE), (2, True, Level.CHALLENGE)],
)
def test_trap_calls_lead_to_a_challenge(count: int, verified: bool, level: Level) -> None:
    assert judged(traps=trap_calls(count, verified)).level is level
    assert judged(traps=trap_calls(count, verified), now=NOW + 91 * DAY).level is Level.NONE


@pytest.mark.parametrize(
    ("count", "verified", "level"), [(2, False, Level.CHALLENGE), (1, True, Level.CHALLENGE), (2, True, Level.REJECT)]
)
def test_only_signed_trap_calls_lead_beyond_a_challenge(count: int, verified: bool, level: Level) -> None:
    assert judged(MARKED, SHOWN, challenges=FAILED, traps=trap_calls(count, verified)).level is level


def test_missed_calls_alone_warn_for_days_and_never_challenge() -> None:
    """However many an outsider makes in a night."""
    missed = [signal(str(n), SignalCategory.UNANSWERED, NOW - 3600.0 * (n // 6)) for n in range(72)]
    office = Circumstances(people=200)
    assert judged((), missed, circumstances=office).level is Level.WARN, "so many, and it goes on"
    assert judged((), missed, circumstances=office, now=NOW + 4 * DAY).level is Level.NONE
    assert judged((), missed[:6], circumstances=office).level is Level.NONE
    assert judged(many(1), missed).level >= Level.WARN


def test_marks_by_a_small_share_of_answerers_label_no_caller() -> None:
    missed = [signal(str(n), SignalCategory.UNANSWERED, NOW - 3600.0 * n) for n in range(100, 130)]
    office = Circumstances(people=200)
    answered = [answer(str(n)) for n in range(40)]
    assert judged(many(5), missed, answered, circumstances=office).level is Level.NONE
    assert judged(many(7), missed, answered, circumstances=office).level >= Level.WARN


def test_one_ring_calls_alone_warn_at_most() -> None:
    rings = [signal(str(n), ONE_RING, NOW - 3600.0 * (n // 3)) for n in range(15)]
    found = judged((), rings)
    assert found.level <= Level.WARN
    with_marks = judged(many(12), rings, circumstances=Circumstances(people=200))
    assert with_marks.level is Level.WARN, "nothing but marks and one-ring calls"


@pytest.mark.parametrize(("category", "counted"), [(ONE_RING, 5), (SignalCategory.UNANSWERED, 6)])
def test_witnesses_of_one_hour_are_capped(category: SignalCategory, counted: int) -> None:
    hour = NOW - NOW % 3600.0
    crowd = [signal(str(200 + n), category, hour) for n in range(20)]
    found = judged((), crowd, now=hour)
    assert dict(found.families[0].counts) == {category.value: counted}
    assert found.witnesses is not None
    assert found.witnesses.seen == counted
    spread = [item._replace(at=hour - 3600.0 * n) for n, item in enumerate(crowd)]
    assert judged((), spread, now=hour).witnesses.seen == 16  # type: ignore[union-attr]


def test_a_pass_clears_one_ring_calls_from_before() -> None:
    rings = [signal(str(n), ONE_RING, NOW - 2 * DAY) for n in (1, 2)] + [signal("3", ONE_RING, NOW - 3600.0)]

    def counted(found: Reputation) -> dict[str, int]:
        return next(dict(family_.counts) for family_ in found.families if family_.name == "one ring")

    assert counted(judged((), rings)) == {"one-ring": 3}
    assert counted(judged((), rings, challenges=PASSED)) == {"one-ring": 1}


def test_a_tag_needs_outside_evidence() -> None:
    assert judged(many(1)).level is Level.NONE
    assert judged(imported=FEED).level is Level.TAG
    assert judged(imported=BY_HAND).level is Level.TAG
    called_back = [signal("201", CALLED_BACK)]
    assert judged((), called_back, imported=FEED).level is Level.NONE


# Properties ------------------------------------------------------------------------------------

people = st.sampled_from([str(n) for n in range(201, 209)])
times = st.integers(0, 60 * 24).map(lambda hours: NOW - 3600.0 * hours)
classes = st.sampled_from(AuthClass)
marks = st.builds(
    lambda who, verdict, at, auth, group: Mark(CALLER, auth, who, verdict, at, MarkChannel.EXTENSION, group),
    people, st.sampled_from(Verdict), times, classes, st.sampled_from(["sales", "support", None]),
)  # fmt: skip
outcomes = st.builds(
    lambda id, at, by, talk, ring, ended, auth: make_outcome(
        str(id), at, by=by, talk=talk if by else 0.0, ring=ring, ended_by=ended, auth_class=auth
    ),
    st.integers(0, 1000), times, st.none() | people, st.sampled_from([2.0, 20.0, 45.0, 100.0]),
    st.sampled_from([3.0, 20.0]), st.sampled_from([EndedBy.CALLER, EndedBy.CALLEE]), classes,
)  # fmt: skip
histories = st.lists(marks | outcomes, max_size=30, unique_by=lambda mark: getattr(mark, "linkedid", None) or id(mark))


def ledger_of(history: Sequence[object]) -> MemoryStore:
    ledger = MemoryStore()
    for item in history:
        ledger.add_mark(item) if isinstance(item, Mark) else ledger.learn(item)  # type: ignore[arg-type]
    return ledger


@given(histories, st.randoms(use_true_random=False), classes)
def test_order_and_repetition_do_not_change_reputation(history: list[object], random: object, auth: AuthClass) -> None:
    again = [*history, *history]
    random.shuffle(again)  # type: ignore[attr-defined]
    one, other = (ledger_of(h).evidence(CALLER, auth, NOW) for h in (history, again))
    first, second = (reputation_of(e, Circumstances(auth), DEFAULT, NOW + DAY) for e in (one, other))
    assert round(first.log_odds, 6) == round(second.log_odds, 6)
    assert first.level is second.level


@given(histories, classes, st.integers(0, 400))
@example([spam("201", NOW), make_outcome("1", NOW, by="202", talk=3.0)], AuthClass.UNKNOWN, 0)
def test_a_decayed_standing_equals_the_sum_of_decayed_rows(history: list[object], auth: AuthClass, days: int) -> None:
    """The constant-time fold is exact."""
    standing = ledger_of(history).standing(CALLER, auth)
    assume(standing is not None)
    assert standing is not None
    now = max(NOW, standing.at) + days * DAY  # a call that begins now ends later, and before that nothing is read
    rows = ledger_of(history).rows(CALLER)
    live = [m for m in rows.marks if m.auth_class is auth and m.verdict is Verdict.SPAM]
    half_life = DEFAULT.counts.marks_half_life_days * DAY_SECONDS
    expected = math.fsum(2 ** ((mark.at - now) / half_life) for mark in live)
    assert decayed(standing.marks, standing.at, now, half_life) == pytest.approx(expected, abs=1e-9)


@given(people, st.lists(times, min_size=1, max_size=1000))
def test_a_thousand_marks_of_one_reporter_count_once(who: str, at: list[float]) -> None:
    many, once = ledger_of([spam(who, item) for item in at]), ledger_of([spam(who, max(at))])
    assert many.standing(CALLER, UNKNOWN) == once.standing(CALLER, UNKNOWN)


@given(histories, people, times, classes)
def test_unmark_after_mark_is_never_marked(history: list[object], who: str, at: float, auth: AuthClass) -> None:
    others = [item for item in history if not (isinstance(item, Mark) and item.reporter == who)]
    said = replace(spam(who, at), auth_class=auth)
    took_back = replace(said, verdict=Verdict.RETRACTED)
    assert ledger_of([*others, said, took_back]).standing(CALLER, auth) == ledger_of(others).standing(CALLER, auth)


@given(st.lists(marks, max_size=60), classes)
def test_marks_alone_never_lead_to_a_challenge(said: list[Mark], auth: AuthClass) -> None:
    assert judged(said, circumstances=Circumstances(auth)).level <= Level.WARN


@given(
    st.lists(people, unique=True),
    st.lists(st.tuples(people, st.sampled_from([HUNG_UP, ONE_RING, SignalCategory.UNANSWERED]))),
)
def test_one_witness_moves_one_family(markers: list[str], shown: list[tuple[str, SignalCategory]]) -> None:
    """Other acts of people who marked the number move no family."""
    said = [spam(who) for who in markers]
    theirs = [signal(who, category) for who, category in shown if who in markers]
    assert judged(said, theirs) == judged(said)


@given(histories)
def test_spoofed_calls_never_change_the_owners_reputation(history: list[object]) -> None:
    spoofed = [item for item in history if item.auth_class is FALSE]  # type: ignore[attr-defined]
    others = [item for item in history if item.auth_class is not FALSE]  # type: ignore[attr-defined]
    assert ledger_of([*others, *spoofed]).standing(CALLER, SIGNED) == ledger_of(others).standing(CALLER, SIGNED)


@given(histories, people)
def test_one_more_mark_never_lowers_log_odds(history: list[object], who: str) -> None:
    """Outside a burst, and for a new reporter: one who hung up before moves from one family to the other."""
    calm = [
        item for item in history if getattr(item, "reporter", None) != who and getattr(item, "answered_by", "") != who
    ]
    before, after = (ledger_of(h).evidence(CALLER, UNKNOWN, NOW) for h in (calm, [*calm, spam(who)]))
    assume(after.standing is not None and after.standing.burst_at is None)
    log_odds = [reputation_of(e, NO_CIRCUMSTANCES, DEFAULT, NOW).log_odds for e in (before, after)]
    assert log_odds[1] >= log_odds[0] - 1e-9


@given(histories, people, classes)
def test_a_hang_up_never_counts_less_than_a_talk(history: list[object], who: str, auth: AuthClass) -> None:
    """But less than an unanswered call: a hang-up is an answer without a mark."""
    others = [item for item in history if who not in (getattr(item, "reporter", ""), getattr(item, "answered_by", ""))]
    log_odds = []
    for talk in (20.0, 3.0):
        last = make_outcome("last", NOW, by=who, talk=talk, ended_by=EndedBy.CALLEE, auth_class=auth)
        evidence = ledger_of([*others, last]).evidence(CALLER, auth, NOW)
        log_odds.append(reputation_of(evidence, NO_CIRCUMSTANCES, DEFAULT, NOW).log_odds)
    assert log_odds[1] >= log_odds[0] - 1e-9


@given(histories, people)
def test_one_more_call_back_never_raises_log_odds(history: list[object], who: str) -> None:
    rows = ledger_of(history).rows(CALLER)
    before, after = (
        judged(rows.marks, signals, rows.answered)
        for signals in (rows.signals, [*rows.signals, signal(who, CALLED_BACK)])
    )
    assert after.log_odds <= before.log_odds + 1e-9 or any("burst" in dict(f.counts) for f in before.families)


def test_one_call_is_one_signal_however_many_phones_ring() -> None:
    ledger = ledger_of([make_outcome(ring=30.0, rung=tuple(str(n) for n in range(20)), forked=20)])
    assert [(s.callee, s.category) for s in ledger.rows(CALLER).signals] == [
        ("+442071838750", SignalCategory.UNANSWERED)
    ]


# Bursts, epochs, classes -----------------------------------------------------------------------------------

ATTACK = [spam(str(n), at=NOW + 600.0 * n) for n in range(6)]


def test_a_burst_of_marks_on_a_good_number_waits_for_a_review() -> None:
    now = NOW + 3600
    assert family(judged(ATTACK, now=now), "marked") == 0.0
    assert family(judged(ATTACK, reviewed_at=NOW, now=now), "marked") == 0.0
    assert family(judged(ATTACK, reviewed_at=NOW + 3601, now=now), "marked") > 3.5
    assert family(judged(ATTACK, [signal("300")], now=now), "marked") > 3.5
    spread = [replace(mark, at=NOW + 3600.0 * n) for n, mark in enumerate(ATTACK)]
    assert family(judged(spread, now=NOW + 6 * 3600), "marked") > 3.5


def test_evidence_from_before_the_present_owner_weighs_a_quarter() -> None:
    old, new = [spam("1", at=NOW - DAY)], [spam("1", at=NOW)]
    assert [standing_of(Rows(item), UNKNOWN, DEFAULT, epoch_at=NOW - 60).marks for item in (old, new)] == [0.25, 1.0]  # type: ignore[union-attr]


def test_a_witness_of_two_epochs_counts_once() -> None:
    marks = [spam("1", at=NOW - DAY), spam("1", at=NOW, epoch=1)]
    standing = standing_of(Rows(marks), UNKNOWN, DEFAULT, epoch_at=NOW - 60)
    assert standing == Standing(at=NOW, marks=1.0, reporters=1, groups=1, witnessed=(NOW,), adverse=(NOW,))


@pytest.mark.parametrize(("auth", "counts"), [(UNKNOWN, True), (SIGNED, True), (FALSE, False)])
def test_call_backs_count_for_the_owner(auth: AuthClass, counts: bool) -> None:
    found = judged((), [signal("201", CALLED_BACK)], circumstances=Circumstances(auth))
    assert (found.log_odds < 0) is counts


def test_no_evidence_gives_an_empty_reputation() -> None:
    assert reputation_of(NO_EVIDENCE, NO_CIRCUMSTANCES, DEFAULT, NOW) == Reputation()


def test_the_evidence_vector_round_trips() -> None:
    reputation = judged(MARKED, SHOWN)
    families = families_of(vector_of(reputation))
    assert [(f.name, f.counts) for f in families] == [(f.name, f.counts) for f in reputation.families]
    with pytest.raises(ValueError, match="no evidence vector"):
        families_of("[]")


@pytest.mark.parametrize(
    ("weights", "key"),
    [
        (Weights(levels=Thresholds(tag=5.5)), "levels.warn"),
        (Weights(block=BlockWeights(some=5)), "block.many"),
        (Weights(witnesses=WitnessWeights(label_most=1)), "witnesses.label_most"),
        (Weights(witnesses=WitnessWeights(challenge_share=0.02)), "witnesses.challenge_share"),
        (Weights(quiet=QuietWeights(time_zone="Mars/Base")), "quiet.time_zone"),
    ],
)
def test_inconsistent_weights_are_reported(weights: Weights, key: str) -> None:
    assert [found for found, _ in problems(weights)] == [key]
    assert problems(DEFAULT) == []
