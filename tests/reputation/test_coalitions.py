"""What people together can do to a number, and what a caller can do against it: properties of the model.

Office of 200, so 5 witnesses for a label and 14 for a challenge. On the pure functions, and through the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from math import log2

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.decision import Action, IncomingCall
from policies.engine import decide
from policies.loader import load_policy
from reputation.control_sample import is_drawn
from reputation.evidence import Circumstances, Evidence
from reputation.facts import Facts
from reputation.families.caller import caller_of, passed_until
from reputation.fold import standing_of
from reputation.memory_store import MemoryStore
from reputation.model import (
    Answered,
    Attestation,
    AuthClass,
    CallerKind,
    Challenged,
    ChallengeResult,
    ControlSample,
    EndedBy,
    Identity,
    Imported,
    Level,
    Mark,
    MarkChannel,
    SignalCategory,
    Tie,
    TrapCall,
    Verdict,
    Verification,
)
from reputation.numbers import Number
from reputation.outcome import OutcomeRecord, Signal
from reputation.scoring import reputation_of
from reputation.standing import Rows, challenge_history_of
from reputation.store.facts import facts_of
from reputation.store.identities import remove_identity, set_identity
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcome
from reputation.weights import DAY_SECONDS, DEFAULT
from tests.reputation.histories import empty_store
from tests.reputation.store_builders import CALLER, DID, NOW, make_outcome, make_query

HOUR = 3600.0
PEOPLE = 200
LABEL, CHALLENGE = 5, 14  # of 200
OFFICE = Circumstances(people=PEOPLE)
UNKNOWN = AuthClass.UNKNOWN
WHO = [str(200 + n) for n in range(100)]
CALLEES = [*WHO, DID]

who, classes = st.sampled_from(WHO), st.sampled_from(AuthClass)
times = st.integers(0, 90 * 24).map(lambda hours: NOW - HOUR * hours)
results = st.sampled_from(ChallengeResult)
one_class, only_spam = st.just(UNKNOWN), st.just(Verdict.SPAM)


def marks_by(people: st.SearchStrategy[str], verdicts: st.SearchStrategy[Verdict]) -> st.SearchStrategy[Mark]:
    return st.builds(
        lambda person, verdict, at, auth: Mark(
            CALLER, auth, person, verdict, at, MarkChannel.EXTENSION, f"group {int(person) % 4}"
        ),
        people, verdicts, times, st.just(UNKNOWN),
    )  # fmt: skip


def signals_by(people: st.SearchStrategy[str]) -> st.SearchStrategy[Signal]:
    return st.builds(
        lambda person, category, at: Signal(CALLER, UNKNOWN, person, category, at, f"{person}/{category}/{at}"),
        people, st.sampled_from([kind for kind in SignalCategory if kind is not SignalCategory.NOT_SPAM]), times,
    )  # fmt: skip


def challenged(in_classes: st.SearchStrategy[AuthClass] = one_class) -> st.SearchStrategy[Challenged]:
    return st.builds(
        lambda auth, did, result, at: Challenged(CALLER, auth, did, result, at, f"{did}/{result}/{at}"),
        in_classes, st.sampled_from([DID, "+442071838751"]), results, times,
    )  # fmt: skip


def by_key(marks: Iterable[Mark]) -> list[Mark]:
    return list({mark.reporter: mark for mark in marks}.values())


def signals_by_key(signals: Iterable[Signal]) -> list[Signal]:
    return list({(signal.callee, signal.category): signal for signal in signals}.values())


def rows_of(
    people: st.SearchStrategy[str], most: int = 60, verdicts: st.SearchStrategy[Verdict] = only_spam
) -> st.SearchStrategy[Rows]:
    return st.builds(
        Rows,
        st.lists(marks_by(people, verdicts), max_size=most).map(by_key),
        st.lists(signals_by(people), max_size=most).map(signals_by_key),
        st.lists(st.builds(lambda person, at: Answered(CALLER, UNKNOWN, person, at), people, times), max_size=20),
        st.lists(challenged(), max_size=8),
        st.just(()),
    )


# Calls to traps, of whoever spoofs the number: no signature vouches for them.
spoofed_traps = st.lists(
    st.builds(
        lambda did, at: TrapCall(CALLER, UNKNOWN, did, False, at, f"{did}/{at}"), st.sampled_from(["+1", "+2"]), times
    ),
    max_size=4,
)


def level_of(rows: Rows, circumstances: Circumstances = OFFICE, **evidence: object) -> Level:
    standing = standing_of(rows, circumstances.auth_class, DEFAULT)
    found = Evidence(standing=standing)._replace(**evidence)  # type: ignore[arg-type]
    return reputation_of(found, circumstances, DEFAULT, NOW).level


def everything(k: int) -> Rows:
    """All evidence of k people: half of them mark, the others hang up, and the number fails challenges."""
    marks = [
        Mark(CALLER, UNKNOWN, item, Verdict.SPAM, NOW - HOUR * n, MarkChannel.EXTENSION, f"group {n % 4}")
        for n, item in enumerate(WHO[: k // 2])
    ]
    hung_up = SignalCategory.HUNG_UP_ON
    signals = [
        Signal(CALLER, UNKNOWN, item, hung_up, NOW - HOUR * n, f"h{n}") for n, item in enumerate(WHO[k // 2 : k])
    ]
    failed = [
        Challenged(CALLER, UNKNOWN, DID, ChallengeResult.SILENT, NOW - DAY_SECONDS * n, f"c{n}") for n in (1, 2, 3)
    ]
    return Rows(marks, signals, (), failed)


# (a) Only the outside convicts. ------------------------------------------------------------------------------


@given(
    rows_of(who), spoofed_traps, st.integers(0, 9), st.integers(0, 9), st.sampled_from(Attestation), st.booleans(),
    st.lists(st.builds(Imported, st.just("mine"), st.just("spam"), is_feed=st.just(False)), max_size=3),
)  # fmt: skip
def test_people_alone_never_lead_beyond_a_challenge(
    rows: Rows,
    traps: list[TrapCall],
    bad_neighbours: int,
    listed: int,
    attestation: Attestation,
    stranger: bool,
    by_hand: list[Imported],
) -> None:
    """Not even with bad or listed neighbours, trap calls, lists imported by hand, the hour and the attestation."""
    call = Circumstances(UNKNOWN, attestation, Verification.NONE, 3 if stranger else None, stranger, PEOPLE)
    rows = rows._replace(traps=traps)
    level = level_of(rows, call, bad_neighbours=bad_neighbours, listed_neighbours=listed, imported=tuple(by_hand))
    assert level <= Level.CHALLENGE


@pytest.mark.parametrize("k", [1, 2, 5, 13, 14, 20, 40, 100])
def test_the_number_of_people_decides_the_level(k: int) -> None:
    assert level_of(everything(k)) is (Level.CHALLENGE if k >= CHALLENGE else Level.WARN if k >= LABEL else Level.NONE)
    assert level_of(everything(k), bad_neighbours=900) <= Level.CHALLENGE


def test_a_feed_that_agrees_with_many_people_leads_to_reject() -> None:
    assert level_of(everything(100), imported=(Imported("a", "spam"),)) is Level.REJECT


@given(rows_of(who), st.integers(0, 9), st.integers(0, 3), st.integers(0, 2))
def test_weak_feeds_never_lead_beyond_a_challenge(rows: Rows, listed: int, spam: int, fine: int) -> None:
    sources = [Imported(f"s{n}", "spam") for n in range(spam)] + [Imported(f"o{n}", "ok") for n in range(fine)]
    feeds = min(1.5 * spam, 2.5) - (1.5 if fine else 0.0)
    assume(feeds < DEFAULT.outside.convicts)
    assert level_of(rows, imported=tuple(sources), listed_neighbours=listed) <= Level.CHALLENGE


ASKED = st.builds(
    Imported,
    st.text(max_size=3),
    st.sampled_from(["spam", "ok"]),
    is_feed=st.booleans(),
    looked_up=st.just(True),
    is_proven=st.booleans(),
)


@given(st.lists(ASKED, max_size=9))
def test_look_ups_alone_tag_and_a_proven_one_challenges(said: list[Imported]) -> None:
    is_proven = any(item.is_proven and item.is_feed and item.verdict == "spam" for item in said)
    most = Level.CHALLENGE if is_proven else Level.TAG
    assert level_of(Rows([], [], [], []), imported=tuple(said)) <= most


@given(rows_of(who), st.lists(ASKED, max_size=5))
def test_look_ups_we_report_to_never_lead_beyond_a_challenge(rows: Rows, said: list[Imported]) -> None:
    """A service that gets our reports may return our own marks."""
    reported = tuple(item._replace(is_feed=False) for item in said)
    assert level_of(rows, imported=reported) <= Level.CHALLENGE


@given(rows_of(who), st.integers(0, 29))
def test_a_recent_pass_limits_the_level_to_challenge(rows: Rows, days: int) -> None:
    passed = Challenged(CALLER, UNKNOWN, DID, ChallengeResult.PASSED, NOW - DAY_SECONDS * days, "passed")
    feeds = tuple(Imported(source, "spam") for source in ("a", "b"))
    rows = rows._replace(challenges=[*rows.challenges, passed])
    assert level_of(rows, imported=feeds, listed_neighbours=5) <= Level.CHALLENGE


# (b) Who presses is left alone. ------------------------------------------------------------------------------


def challenges_of_passing_caller(k: int, order: list[int], hours: float) -> list[float]:
    """Return when a caller who always passes is challenged.

    It calls every so many hours and reaches one of k people. All hang up at once, and every second of them marks right
    after the call. No call has a label, so all that they do counts.
    """
    store, policy = MemoryStore(), load_policy("strict")
    caller = Number(CALLER, CALLER, CallerKind.NUMBER)
    found, at = [], NOW
    for place in range(int(90 * 24 / hours)):
        at += HOUR * hours
        one = WHO[order[place % len(order)] % k]
        evidence = store.evidence(CALLER, UNKNOWN, at)
        challenges = evidence.challenges
        facts = Facts(
            reputation=reputation_of(evidence, OFFICE, DEFAULT, at),
            passed_until=passed_until(challenges, DEFAULT.caller),
            failures=challenges.failures + challenges.abandoned,
            sample=ControlSample(b"", 1),
        )
        action = decide(IncomingCall(f"{place}", caller), facts, policy, at).action
        assert action <= Action.CHALLENGE
        call = make_outcome(f"{place}", at, by=one, talk=3.0, ended_by=EndedBy.CALLEE, action=action.word)
        if action is Action.CHALLENGE:
            found.append(at)
            call = call._replace(challenge=ChallengeResult.PASSED)
        store.learn(call)
        if int(one) % 2:
            group = f"group {int(one) % 4}"
            store.add_mark(Mark(CALLER, UNKNOWN, one, Verdict.SPAM, at + 60, MarkChannel.EXTENSION, group))
    return found


def assert_bearable(found: list[float], k: int) -> None:
    assert len(found) <= 3 + log2(k)
    assert all(after - before >= DAY_SECONDS for before, after in pairwise(found))


@pytest.mark.parametrize("k", [1, 2, 5, 14, 20, 40, 100])
def test_a_passing_caller_is_seldom_challenged(k: int) -> None:
    found = challenges_of_passing_caller(k, list(range(100)), 3.0)
    assert_bearable(found, k)
    assert bool(found) is (k >= CHALLENGE)


@given(st.integers(14, 100), st.lists(st.integers(0, 99), min_size=14, max_size=100), st.sampled_from([6.0, 9.0]))
def test_a_passing_caller_is_seldom_challenged_in_any_order(k: int, order: list[int], hours: float) -> None:
    assert_bearable(challenges_of_passing_caller(k, order, hours), k)


# (c) Too few people change nothing. -----------------------------------------------------------------------------------


@given(st.lists(who, min_size=1, max_size=LABEL - 1, unique=True).flatmap(lambda few: rows_of(st.sampled_from(few))))
def test_too_few_people_for_a_label_label_no_caller(rows: Rows) -> None:
    assert level_of(rows) is Level.NONE


@given(
    st.lists(who, min_size=LABEL, max_size=CHALLENGE - 1, unique=True).flatmap(
        lambda some: rows_of(st.sampled_from(some))
    )
)
def test_too_few_people_for_a_challenge_challenge_no_caller(rows: Rows) -> None:
    assert level_of(rows) <= Level.WARN


@given(rows_of(st.sampled_from(WHO[:3])))
def test_an_office_of_three_never_challenges_on_its_own(rows: Rows) -> None:
    assert level_of(rows, Circumstances(people=3)) <= Level.WARN


# (d) One family alone never asks. ----------------------------------------------------------------------------


@given(rows_of(who, 100), st.integers(0, 3), st.integers(0, 900), st.booleans())
def test_no_single_family_leads_to_a_challenge(rows: Rows, feeds: int, neighbours: int, own: bool) -> None:
    rang = [signal for signal in rows.signals if signal.category is SignalCategory.ONE_RING]
    listed = tuple(Imported(f"s{n}", "spam") for n in range(feeds))
    assert level_of(Rows(rows.marks, (), rows.answered)) <= Level.WARN
    assert level_of(Rows((), rows.signals)) <= Level.WARN
    assert level_of(Rows((), (), (), rows.challenges)) <= Level.WARN
    assert level_of(Rows(rows.marks, rang)) <= Level.WARN, "one-ring calls are no second family"
    assert level_of(Rows(), imported=listed[:1]) <= Level.TAG
    assert level_of(Rows(), bad_neighbours=neighbours * own, listed_neighbours=neighbours * (not own)) <= Level.WARN


# (e) The caller. ---------------------------------------------------------------------------------------------


@given(st.lists(challenged(classes), max_size=20), rows_of(who, 10), st.integers(0, 400), st.sampled_from([0.0, -0.5]))
def test_challenge_results_are_bounded_and_kept_per_class(
    challenges: list[Challenged], rows: Rows, days: int, proven: float
) -> None:
    mine = [challenge for challenge in challenges if challenge.auth_class is UNKNOWN]
    history = challenge_history_of(mine)
    family = caller_of(history, DEFAULT.caller, NOW + days * DAY_SECONDS, proven)
    assert family is None or -1.2 <= family.log_odds <= 1.3
    passed_in = {challenge.auth_class for challenge in challenges if challenge.result is ChallengeResult.PASSED}
    if passed_in - {AuthClass.UNAUTHENTICATED}:  # then a robot does not count
        mine = [challenge for challenge in mine if challenge.result is not ChallengeResult.ROBOT]
    both, own = (standing_of(rows._replace(challenges=some), UNKNOWN, DEFAULT) for some in (challenges, mine))
    if both is not None and own is not None:
        apart = replace(both.challenges, of_number=(), marked=0)
        assert apart == replace(own.challenges, of_number=(), marked=0), "but for how long it is not challenged again"


@given(st.lists(challenged(), max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_challenges_does_not_matter(challenges: list[Challenged], random: object) -> None:
    shuffled = [*challenges]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert challenge_history_of(shuffled) == challenge_history_of(challenges)


# (f) What is our own doing does not count. -------------------------------------------------------------------

outcomes = st.builds(
    lambda name, at, by, talk, ring, ended, action, tie, result, left: make_outcome(
        str(name), at, by=by, talk=talk if by else 0.0, ring=ring, ended_by=ended, action=action, rang_by=tie,
        challenge=result if action == "challenge" else None, voicemail_left=left and not by,
    ),
    st.integers(0, 10_000), times, st.none() | who, st.sampled_from([2.0, 20.0, 45.0, 100.0]),
    st.sampled_from([3.0, 20.0]), st.sampled_from(EndedBy), st.sampled_from(["allow", "allow", "warn", "challenge"]),
    st.sampled_from([None, None, None, *Tie]), st.none() | results, st.booleans(),
)  # fmt: skip
histories = st.lists(outcomes | marks_by(who, st.sampled_from(Verdict)), max_size=40).map(
    lambda found: [
        item._replace(linkedid=f"c{place}") if isinstance(item, OutcomeRecord) else item
        for place, item in enumerate(found)
    ]
)


def known_after(history: Iterable[OutcomeRecord | Mark]) -> MemoryStore:
    store = MemoryStore()
    for item in history:
        store.add_mark(item) if isinstance(item, Mark) else store.learn(item)
    return store


def log_odds_after(history: Iterable[OutcomeRecord | Mark]) -> float:
    evidence = known_after(history).evidence(CALLER, UNKNOWN, NOW + HOUR)
    return reputation_of(evidence, OFFICE, DEFAULT, NOW + HOUR).log_odds


@given(histories, outcomes)
def test_a_call_by_a_tie_or_with_a_label_never_raises_log_odds(
    history: list[OutcomeRecord | Mark], call: OutcomeRecord
) -> None:
    """Except by what the caller did: a one-ring call, or the result of a challenge."""
    assume(call.challenge is None and (call.rang_by is not None or call.action != "allow"))
    assume(call.ring_seconds > 6 or call.answered_by is not None or call.voicemail_left)
    assume(
        not any(isinstance(item, Mark) and item.verdict is Verdict.SPAM for item in history)
    )  # a burst is another thing
    last = call._replace(linkedid="last")
    before = log_odds_after(history)
    if any(isinstance(item, OutcomeRecord) and item.answered_by == call.answered_by is not None for item in history):
        # A second talk moves the person from `talks` to `wanted`, where a further person adds less. So it may say less
        # for the caller than the first talk did. Such a call without a tie does the same.
        before = max(before, log_odds_after([*history, last._replace(rang_by=None, action="allow")]))
    assert log_odds_after([*history, last]) <= before + 1e-9


def test_a_second_talk_can_count_less_than_the_first_beside_a_mark() -> None:
    """The exception of the property above: it does not depend on the tie."""
    history: list[OutcomeRecord | Mark] = [
        make_outcome("first", NOW - 14 * HOUR, by="200", talk=100.0),
        Mark(CALLER, UNKNOWN, "200", Verdict.OK, NOW - HOUR, MarkChannel.EXTENSION, "group 0"),
    ]
    plain = make_outcome("second", NOW, by="200", talk=45.0)
    by_tie = log_odds_after([*history, plain._replace(rang_by=Tie.ALLOW)])
    assert log_odds_after(history) < by_tie == log_odds_after([*history, plain]) < -5


# (h) Step by step and all at once. ---------------------------------------------------------------------------

busy_times = st.sampled_from([NOW + 60.0 * n for n in range(0, 180, 5)])  # many within one hour
crowds = st.lists(
    st.builds(
        lambda by, at, ring, ended, rung: make_outcome(
            "", at, by=by, talk=2.0 if by else 0.0, ring=ring, ended_by=ended, rung=(rung,)
        ),
        st.none() | st.none() | who, busy_times, st.sampled_from([3.0, 20.0]), st.sampled_from(EndedBy), who,
    ),
    min_size=20,
    max_size=60,
).map(lambda found: [item._replace(linkedid=f"c{place}") for place, item in enumerate(found)])  # fmt: skip


@given(crowds, histories)
def test_running_sums_equal_sums_from_scratch(crowd: list[OutcomeRecord], history: list[OutcomeRecord | Mark]) -> None:
    store = MemoryStore()
    for place, one in enumerate([*history, *(item._replace(linkedid=f"x{item.linkedid}") for item in crowd)]):
        store.add_mark(one) if isinstance(one, Mark) else store.learn(one)
        if place % 7 == 0:
            store.standing(CALLER, UNKNOWN)  # from here on it is kept
    kept, anew = store.standing(CALLER, UNKNOWN), standing_of(store.rows(CALLER), UNKNOWN, DEFAULT)
    assert (kept is None) is (anew is None)
    if kept is not None and anew is not None:
        assert kept.witnessed == anew.witnessed
        assert kept.challenges == anew.challenges
        assert dict(kept.signals) == dict(anew.signals)
        assert kept.adverse == anew.adverse
        sums = [item[1:9] for item in (kept, anew)]
        assert sums[0] == pytest.approx(sums[1], abs=1e-9)


def test_a_cleared_call_hides_no_other_call_of_its_witness() -> None:
    passed = make_outcome("p", NOW, ring=0.0, action="challenge", challenge=ChallengeResult.PASSED)
    ring, missed = (make_outcome(f"{n}", NOW - 100 * n, ring=ring, rung=("201",)) for n, ring in ((1, 3.0), (2, 20.0)))
    found = []
    for calls in ([missed, ring, passed], [passed, ring, missed]):
        store = MemoryStore()
        for call in calls:
            store.learn(call)
            store.standing(CALLER, UNKNOWN)  # kept, and moved by the next
        found.append(store.standing(CALLER, UNKNOWN))
    assert found[0] == found[1]
    assert found[0] is not None
    assert found[0].witnessed == (missed.ended_at,)


@given(st.binary(min_size=16, max_size=16), st.text(min_size=1, max_size=40), st.integers(1, 20))
def test_control_sample_depends_on_the_call_alone(salt: bytes, linkedid: str, every: int) -> None:
    sample = ControlSample(salt, every)
    assert is_drawn(sample, linkedid) is is_drawn(sample, linkedid)
    assert is_drawn(ControlSample(salt, 1), linkedid)
    assert not is_drawn(ControlSample(salt, 0), linkedid)


def test_control_sample_draws_one_call_of_four() -> None:
    drawn = [is_drawn(ControlSample(b"salt", 4), f"{NOW + n:.3f}") for n in range(4000)]
    assert 900 < sum(drawn) < 1100


# Through the store. ------------------------------------------------------------------------------------------


def stored_level(history: Iterable[OutcomeRecord | Mark], now: float = NOW + HOUR) -> Level:
    with closing(empty_store()) as db:
        db.execute("UPDATE site SET people = ?", (PEOPLE,))
        for item in history:
            if isinstance(item, Mark):
                add_mark(db, item)
            else:
                record_outcome(db, item._replace(source="cdr"), now)
        return facts_of(db, make_query(CALLER, now=now)).reputation.level


@given(histories)
def test_people_alone_never_lead_beyond_a_challenge_in_the_store(history: list[OutcomeRecord | Mark]) -> None:
    assert stored_level(history) <= Level.CHALLENGE


@pytest.mark.parametrize(("k", "level"), [(4, Level.NONE), (5, Level.WARN), (13, Level.WARN), (100, Level.CHALLENGE)])
def test_the_number_of_people_decides_the_level_in_the_store(k: int, level: Level) -> None:
    half = k // 2
    marks = [
        Mark(CALLER, UNKNOWN, item, Verdict.SPAM, NOW - HOUR * n, MarkChannel.EXTENSION, f"group {n % 4}")
        for n, item in enumerate(WHO[:half])
    ]
    calls = [
        make_outcome(f"h{n}", NOW - HOUR * n, by=item, talk=3.0, ended_by=EndedBy.CALLEE)
        for n, item in enumerate(WHO[half:k])
    ]
    failed = [
        make_outcome(f"f{n}", NOW - DAY_SECONDS * n, ring=0.0, action="challenge", challenge=ChallengeResult.SILENT)
        for n in (1, 2, 3)
    ]
    assert stored_level([*marks, *calls, *failed]) is level


@pytest.mark.parametrize("auth", [UNKNOWN, AuthClass.AUTHENTICATED])
def test_a_proof_of_control_counts_as_a_pass(auth: AuthClass) -> None:
    with closing(empty_store()) as db:
        set_identity(db, Identity(CALLER, "Acme", 1, NOW + 300 * DAY_SECONDS), NOW - DAY_SECONDS)
        facts = facts_of(db, make_query(CALLER, auth, now=NOW))
        assert facts.passed_until == NOW + 29 * DAY_SECONDS
        assert facts_of(db, make_query(CALLER, AuthClass.UNAUTHENTICATED, now=NOW)).passed_until is None
        remove_identity(db, CALLER)
        assert facts_of(db, make_query(CALLER, auth, now=NOW)).passed_until is None
