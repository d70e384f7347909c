"""The evidence that follows from how a call ended: at most one signal per call (the table SIGNALS). Pure functions.

The store first adds data of the journal to each outcome, because only the journal knows the call's tag and auth class.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from reputation.model import (
    Answered,
    AuthClass,
    Challenged,
    ChallengeResult,
    Direction,
    Disposition,
    EndedBy,
    Mark,
    SignalCategory,
    TrapCall,
    Verdict,
    Voice,
)
from reputation.numbers import NumberType, is_valid, number_type_of
from reputation.outcome import OutcomeRecord, Signal
from reputation.site_names import own_name

# Until Python 3.12 a member costs ten times as much as a global name, and every call uses these.
INBOUND, OUTBOUND = Direction.INBOUND, Direction.OUTBOUND
ANSWERED, NO_ANSWER, REJECTED = Disposition.ANSWERED, Disposition.NO_ANSWER, Disposition.REJECTED
BY_CALLEE, BY_CALLER = EndedBy.CALLEE, EndedBy.CALLER
SECOND_TALK, ONE_RING, CALLED_BACK = SignalCategory.SECOND_TALK, SignalCategory.ONE_RING, SignalCategory.CALLED_BACK

HUNG_UP_SECONDS = 6.0
ONE_RING_SECONDS = 6.0
LONG_TALK_SECONDS = 60.0
TALK_SECONDS = 30.0  # the least for a call-back, a second talk, a relationship
# Two talks are of different days if so much time is between them. Calendar days would not do, as the caller's
# midnight is unknown, and 23:50 and 00:10 are one evening.
ANOTHER_DAY_SECONDS = 12 * 3600.0
# One-ring callers want to be called back, so a call-back does not count for so long.
ONE_RING_GUARD_SECONDS = 86_400.0
DIALLED_SECONDS = 30 * 86_400.0  # a number called from here is no stranger for so long, answered or not
RELATIONSHIP_SECONDS = 180 * 86_400.0  # a talk in a call from here is a relationship for so long
VOICE_SECONDS = 30 * 86_400.0  # a voice that was heard is a fact about later calls for so long

# Actions after which nothing that the callee does speaks against the caller.
LABELS = frozenset({"tag", "warn", "challenge", "route", "reject"})
# Signals against a caller. Their weights are in reputation/weights.py.
SPAMWARD = frozenset({SignalCategory.HUNG_UP_ON, SignalCategory.ONE_RING, SignalCategory.UNANSWERED})
# Signals that count after a labelled call, because only the caller causes them.
OF_THE_CALLER_ALONE = frozenset({SignalCategory.ONE_RING})
# Signals that count after a tagged call. A callee who answered heard the caller; one who let it ring saw the tag.
OF_TAGGED = frozenset({SignalCategory.ONE_RING, SignalCategory.HUNG_UP_ON})


def is_call_back(outcome: OutcomeRecord) -> bool:
    """Return whether a person here called the number and talked; False for premium numbers, which want to be called."""
    return is_talk(outcome) and number_type_of(outcome.number or "") is not NumberType.PREMIUM


def was_hung_up_on(outcome: OutcomeRecord) -> bool:
    """Return whether the person who answered hung up within 6 s, and the call did not continue with somebody else."""
    return (
        outcome.ended_by is BY_CALLEE
        and outcome.talk_seconds < HUNG_UP_SECONDS
        and _is_answered(outcome)
        and not (outcome.transferred or outcome.parked or outcome.conference)
    )


def is_long_talk(outcome: OutcomeRecord) -> bool:
    """Return whether a person talked for more than a minute."""
    return outcome.talk_seconds > LONG_TALK_SECONDS and _is_answered(outcome)


def is_one_ring(outcome: OutcomeRecord) -> bool:
    """Return whether the caller hung up after a ring or two.

    Return False if no phone rang at first (a wrong number), or if the caller waited in a queue, chose from a menu or
    got voicemail.
    """
    return (
        outcome.disposition is NO_ANSWER
        and outcome.ended_by is BY_CALLER
        and 0 < outcome.ring_seconds <= ONE_RING_SECONDS
        and not (outcome.answered_by_pbx or outcome.voicemail_left)
    )


def is_unanswered(outcome: OutcomeRecord) -> bool:
    """Return whether phones rang and nobody answered, or somebody rejected the call; False for busy or failed calls."""
    return outcome.disposition is REJECTED or (outcome.disposition is NO_ANSWER and outcome.ring_seconds > 0)


# The first that applies is the signal of a call. A call of 6 to 60 s has none: the data show no difference.
SIGNALS: dict[Direction, tuple[tuple[SignalCategory, Callable[[OutcomeRecord], bool]], ...]] = {
    INBOUND: (
        (SignalCategory.VOICEMAIL, lambda outcome: outcome.voicemail_left),
        (SignalCategory.HUNG_UP_ON, was_hung_up_on),
        (SignalCategory.LONG_TALK, is_long_talk),
        (SignalCategory.ONE_RING, is_one_ring),
        (SignalCategory.UNANSWERED, is_unanswered),
    ),
    OUTBOUND: ((SignalCategory.CALLED_BACK, is_call_back),),
    Direction.INTERNAL: (),
}


def _category_of(outcome: OutcomeRecord) -> SignalCategory | None:
    for category, holds in SIGNALS[outcome.direction]:
        if holds(outcome):
            return category
    return None


def _signal_of(outcome: OutcomeRecord, number: str) -> Signal | None:
    category = _category_of(outcome)
    if category is None or _is_void(outcome, category):
        return None
    witness = outcome.witness
    if witness is None:
        return None
    # A call from here reached the owner of the number: class `unknown`, and see `counts_for`.
    auth_class = outcome.auth_class if outcome.direction is INBOUND else AuthClass.UNKNOWN
    return Signal(number, auth_class, witness, category, outcome.ended_at, outcome.linkedid)


class Lessons(NamedTuple):
    """All evidence that a call gives about its number. None: the call gives no such evidence.

    Attributes:
        signal: The signal of the call.
        answered: The person who answered.
        talk_to: The person here who called the number and talked.
        talk_from: The signal of a person here who was called and talked. It replaces `signal` if they also talked on an
            earlier day.
        one_ring_at: When the number rang once and hung up.
        challenged: The challenge of the call.
        trap: The call, if it went to a DID that belongs to nobody.
    """

    signal: Signal | None = None
    answered: Answered | None = None
    talk_to: Answered | None = None
    talk_from: Signal | None = None
    one_ring_at: float | None = None
    challenged: Challenged | None = None
    trap: TrapCall | None = None


NO_LESSONS = Lessons()


def lessons_of(outcome: OutcomeRecord) -> Lessons:
    """Return the evidence of a call. Its outcome must already be joined with the data of the journal."""
    number, person = _number_with_reputation(outcome), outcome.person
    if number is None:
        return NO_LESSONS
    if outcome.trap:
        did = own_name(outcome.did or "")
        return Lessons(trap=TrapCall(number, outcome.auth_class, did, outcome.verified, outcome.at, outcome.linkedid))
    signal = _signal_of(outcome, number)
    if person is None or outcome.disposition is not ANSWERED:
        rang_once = outcome.direction is INBOUND and is_one_ring(outcome)
        rang_at = outcome.ended_at if rang_once else None
        return Lessons(signal, None, None, None, rang_at, _challenged(outcome))
    ended_at = outcome.ended_at
    answered = Answered(number, outcome.auth_class, person, ended_at)
    if outcome.direction is OUTBOUND:
        return Lessons(signal, None, answered if is_talk(outcome) else None)
    if not is_talk(outcome):
        return Lessons(signal, answered, None, None, None, _challenged(outcome))
    second = Signal(number, outcome.auth_class, person, SECOND_TALK, ended_at, outcome.linkedid)
    return Lessons(signal, answered, None, second)


def _challenged(outcome: OutcomeRecord) -> Challenged | None:
    """Return the challenge of the call, dated by the beginning of the call.

    If an automated caller was heard, the result is ROBOT, unless the caller passed or failed the challenge.
    """
    result = outcome.challenge
    if outcome.voice is Voice.ROBOT and result in (None, ChallengeResult.ABANDONED):
        result = ChallengeResult.ROBOT
    if result is None or outcome.direction is not INBOUND or (number := outcome.number) is None:
        return None
    return Challenged(number, outcome.auth_class, own_name(outcome.did or ""), result, outcome.at, outcome.linkedid)


def proofs_of_control(number: str, at: float) -> list[Challenged]:
    """Return a proof of control as passed challenges: one in each auth class except `unauthenticated`."""
    classes = AuthClass.AUTHENTICATED, AuthClass.UNKNOWN
    return [Challenged(number, auth_class, "", ChallengeResult.PASSED, at, "") for auth_class in classes]


def _number_with_reputation(outcome: OutcomeRecord) -> str | None:
    """Return the number if it is allocated and the whole call was tracked; None: the call may give no evidence."""
    number = outcome.number if outcome.complete else None
    return number if number is not None and is_valid(number) else None


def is_talk(outcome: OutcomeRecord) -> bool:
    """Return whether people talked for at least 30 s, in a call without a challenge and without a voicemail message."""
    return (
        outcome.talk_seconds >= TALK_SECONDS
        and _is_answered(outcome)
        and outcome.challenge is None
        and not outcome.voicemail_left
    )


def signal_of_mark(mark: Mark) -> Signal | None:
    """Return the signal of a "not spam" mark, which counts like a call-back by the reporter; None for other marks."""
    if mark.verdict is not Verdict.OK or mark.auth_class is AuthClass.UNAUTHENTICATED:
        return None
    category = SignalCategory.NOT_SPAM
    return Signal(mark.number, mark.auth_class, mark.reporter, category, mark.at, mark.linkedid or "", mark.epoch)


def kind_of(category: SignalCategory) -> SignalCategory:
    """Return the category under which a callee's signal is stored. Call-backs and "not spam" marks share a category."""
    return SignalCategory.CALLED_BACK if category is SignalCategory.NOT_SPAM else category


def counts_for(signal: Signal, auth_class: AuthClass) -> bool:
    """Return whether the signal is evidence in this auth class.

    A signal is evidence in its own class. A call-back reaches the owner, so it is also evidence in `authenticated`.
    """
    if kind_of(signal.category) is SignalCategory.CALLED_BACK and signal.auth_class is AuthClass.UNKNOWN:
        return auth_class is not AuthClass.UNAUTHENTICATED
    return signal.auth_class is auth_class


def latest_by_key(signals: Iterable[Signal]) -> list[Signal]:
    """Return the latest signal per number, class, epoch, callee and category. At equal times, choose like the store."""
    latest: dict[tuple[object, ...], Signal] = {}
    for signal in signals:
        key = (signal.number, signal.auth_class, signal.epoch, signal.callee, kind_of(signal.category))
        other = latest.get(key)
        if other is None or _order(signal) > _order(other):
            latest[key] = signal
    return list(latest.values())


def _order(signal: Signal) -> tuple[float, str, str]:
    return signal.at, signal.linkedid, signal.category.value


def _is_answered(outcome: OutcomeRecord) -> bool:
    return outcome.disposition is ANSWERED and outcome.person is not None


def _is_void(outcome: OutcomeRecord, category: SignalCategory) -> bool:
    """Return whether the signal of this call is ignored.

    Evidence against the caller is ignored if the call had a label. It is also ignored if the phone rang because of the
    witness's own list or contacts: the witness could let a caller in only to hang up. A call with a challenge gives no
    signal except a voicemail message.
    """
    if outcome.challenge is not None:
        return category is not SignalCategory.VOICEMAIL
    if category not in SPAMWARD:
        return False
    if outcome.rang_by is not None:
        return True
    return outcome.action in LABELS and category not in (OF_TAGGED if outcome.action == "tag" else OF_THE_CALLER_ALONE)
