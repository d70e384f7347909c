"""From how a call ended to what it says about the number: at most one signal a call. Pure; the table is SIGNALS.

Here and not in ami_listener, because the store asks it too: what a caller was shown, and in which class the call came,
are only known once the outcome is joined with the journal, which is in the same write as the signal.
"""

from __future__ import annotations

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
)
from reputation.numbers import NumberType, is_valid, number_type_of
from reputation.outcome import OutcomeRecord, Signal
from reputation.site_names import own_name

# Until Python 3.12 a member costs ten times as much as a global name, and these are asked for of every call.
INBOUND, OUTBOUND = Direction.INBOUND, Direction.OUTBOUND
ANSWERED, NO_ANSWER, REJECTED = Disposition.ANSWERED, Disposition.NO_ANSWER, Disposition.REJECTED
BY_CALLEE, BY_CALLER = EndedBy.CALLEE, EndedBy.CALLER
SECOND_TALK, ONE_RING, CALLED_BACK = SignalCategory.SECOND_TALK, SignalCategory.ONE_RING, SignalCategory.CALLED_BACK

HUNG_UP_SECONDS = 6.0
ONE_RING_SECONDS = 6.0
LONG_TALK_SECONDS = 60.0
TALK_SECONDS = 30.0  # from here on a talk counts as one: for a call-back, a second talk, a relationship
# Two talks are of different days when so much lies between them. Not the calendar's days: we do not know the caller's
# midnight, and 23:50 and 00:10 are one evening.
ANOTHER_DAY_SECONDS = 12 * 3600.0
# A call-back after a one-ring call is what such callers want: it says nothing for so long.
ONE_RING_GUARD_SECONDS = 86_400.0
DIALLED_SECONDS = 30 * 86_400.0  # whom one of us called is no stranger for so long, answered or not
RELATIONSHIP_SECONDS = 180 * 86_400.0  # a talk of ours to a number is a relationship for so long

# What a call was shown, or what was done with it, after which nothing that the callee does speaks against the caller.
LABELS = frozenset({"tag", "warn", "challenge", "route", "reject"})
# What speaks against a caller; how much is in reputation/weights.py.
SPAMWARD = frozenset({SignalCategory.HUNG_UP_ON, SignalCategory.ONE_RING, SignalCategory.UNANSWERED})
# What a labelled call still says against its caller, because it is the caller's own doing.
OF_THE_CALLER_ALONE = frozenset({SignalCategory.ONE_RING})
# And one with a tag besides: who took the call all the same heard the caller. Who let it ring may have done so for it.
OF_TAGGED = frozenset({SignalCategory.ONE_RING, SignalCategory.HUNG_UP_ON})


def is_call_back(outcome: OutcomeRecord) -> bool:
    """One of us called the number and talked. Premium numbers, of any country, want to be called."""
    return is_talk(outcome) and number_type_of(outcome.number or "") is not NumberType.PREMIUM


def was_hung_up_on(outcome: OutcomeRecord) -> bool:
    """The person who answered hung up at once. Not where the call went on to somebody else."""
    return (
        outcome.ended_by is BY_CALLEE
        and outcome.talk_seconds < HUNG_UP_SECONDS
        and _is_answered(outcome)
        and not (outcome.transferred or outcome.parked or outcome.conference)
    )


def is_long_talk(outcome: OutcomeRecord) -> bool:
    """A person talked for more than a minute."""
    return outcome.talk_seconds > LONG_TALK_SECONDS and _is_answered(outcome)


def is_one_ring(outcome: OutcomeRecord) -> bool:
    """The caller gave up after a ring or two. Who was silent before it rang (a wrong number) does not count, nor who
    waited in a queue, chose from a menu or came to voicemail.
    """
    return (
        outcome.disposition is NO_ANSWER
        and outcome.ended_by is BY_CALLER
        and 0 < outcome.ring_seconds <= ONE_RING_SECONDS
        and not (outcome.answered_by_pbx or outcome.voicemail_left)
    )


def is_unanswered(outcome: OutcomeRecord) -> bool:
    """It rang and nobody took it, or somebody turned it away. A busy phone or a failure says nothing."""
    return outcome.disposition is REJECTED or (outcome.disposition is NO_ANSWER and outcome.ring_seconds > 0)


# The first that holds is the signal of a call. Answered 6 to 60 s: none, the data do not tell them apart.
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
    # A call of ours reached the owner of the number: class `unknown`, and see `counts_for`.
    auth_class = outcome.auth_class if outcome.direction is INBOUND else AuthClass.UNKNOWN
    return Signal(number, auth_class, witness, category, outcome.ended_at, outcome.linkedid)


class Lessons(NamedTuple):
    """All that one call shows, each by the number that it is about.

    `signal`: the one signal of the call. `answered`: who answered. `talk_to`: one of us called and talked.
    `talk_from`: the number talked with one of us, which as a second talk on another day is a signal in the place of
    `signal`. `one_ring_at`: it rang once and gave up. `challenged`: what the caller did when challenged. `trap`: it was
    to a DID that nobody has.
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
    """What is learnt from a call. The outcome is joined with the journal already."""
    number, person = _number_told_of(outcome), outcome.person
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
    """Dated by the beginning of the call, so that who answered it did so after the challenge. A message that the caller
    left then changes nothing of it.
    """
    result = outcome.challenge
    if result is None or outcome.direction is not INBOUND or (number := outcome.number) is None:
        return None
    return Challenged(number, outcome.auth_class, own_name(outcome.did or ""), result, outcome.at, outcome.linkedid)


def proofs_of_control(number: str, at: float) -> list[Challenged]:
    """Who proved control of a number has as good as passed a challenge, but for calls that nobody vouches for."""
    classes = AuthClass.AUTHENTICATED, AuthClass.UNKNOWN
    return [Challenged(number, auth_class, "", ChallengeResult.PASSED, at, "") for auth_class in classes]


def _number_told_of(outcome: OutcomeRecord) -> str | None:
    """Return the number, if the call was seen whole and somebody may have it: others have no reputation."""
    number = outcome.number if outcome.complete else None
    return number if number is not None and is_valid(number) else None


def is_talk(outcome: OutcomeRecord) -> bool:
    """A talk that counts as one: of ours to a number (a relationship), or of the number to one of us.

    A call with a challenge or a message has its signal already, so it is no second talk.
    """
    return (
        outcome.talk_seconds >= TALK_SECONDS
        and _is_answered(outcome)
        and outcome.challenge is None
        and not outcome.voicemail_left
    )


def signal_of_mark(mark: Mark) -> Signal | None:
    """What "not spam" says besides: it counts as a call-back of the reporter, where call-backs count."""
    if mark.verdict is not Verdict.OK or mark.auth_class is AuthClass.UNAUTHENTICATED:
        return None
    category = SignalCategory.NOT_SPAM
    return Signal(mark.number, mark.auth_class, mark.reporter, category, mark.at, mark.linkedid or "", mark.epoch)


def kind_of(category: SignalCategory) -> SignalCategory:
    """Of what a callee shows once: who calls back a number and says that it is no spam, says one thing."""
    return SignalCategory.CALLED_BACK if category is SignalCategory.NOT_SPAM else category


def counts_for(signal: Signal, auth_class: AuthClass) -> bool:
    """Whether the signal is evidence in this class: its own; and a call-back, which reached the owner of the number
    whatever a caller may have shown, also in `authenticated`.
    """
    if kind_of(signal.category) is SignalCategory.CALLED_BACK and signal.auth_class is AuthClass.UNKNOWN:
        return auth_class is not AuthClass.UNAUTHENTICATED
    return signal.auth_class is auth_class


def latest_by_key(signals: Iterable[Signal]) -> list[Signal]:
    """Of each number, class, epoch, callee and category the latest, equal times by text, as the store keeps them."""
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
    """A person of ours was in it; a menu or a queue's music is nobody."""
    return outcome.disposition is ANSWERED and outcome.person is not None


def _is_void(outcome: OutcomeRecord, category: SignalCategory) -> bool:
    """Whether the call shows nothing of this: what speaks against the caller is our own doing where the phone rang by a
    tie of the witness, who could let a caller in to hang up on it, and where the call had a label. A challenge is the
    lesson of its call, but for a message.
    """
    if outcome.challenge is not None:
        return category is not SignalCategory.VOICEMAIL
    if category not in SPAMWARD:
        return False
    if outcome.rang_by is not None:
        return True
    return outcome.action in LABELS and category not in (OF_TAGGED if outcome.action == "tag" else OF_THE_CALLER_ALONE)
