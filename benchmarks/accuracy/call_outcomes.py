"""The outcome of a simulated call after screening, and the reactions of people to the call.

The functions are pure: callers.py makes all random draws.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from benchmarks.accuracy.callers import Attempt, Conduct, Line, User
from benchmarks.accuracy.parameters import HONEST, Nature, Parameters
from policies.decision import Action
from reputation.model import (
    AuthClass,
    ChallengeResult,
    Direction,
    Disposition,
    EndedBy,
    Mark,
    MarkChannel,
    Tie,
    Verdict,
)
from reputation.outcome import OutcomeRecord

NUMBER = "+12015550123"
TRAPS = "+442071839"  # the first digits of unused DIDs
LABELLED = frozenset({Action.TAG, Action.WARN})


class Reading(NamedTuple):
    """An event at which a method must judge the number, as if it now called `callee`. No call takes place."""

    callee: str


class Listing(NamedTuple):
    """The event that the person with this extension puts the number on their own allowlist."""

    extension: str


class Proof(NamedTuple):
    """The event that the owner proves control of the number (identity level 1)."""


Event = Reading | Attempt | OutcomeRecord | Mark | Listing | Proof
Dated = tuple[float, Event]


class Handling(NamedTuple):
    """How screening handled a call.

    `rang_by`: the callee's tie to the caller (such as a contact) that let the call ring; None if the call did not ring
    because of a tie.
    """

    action: Action | None = None  # None: not screened
    challenge: ChallengeResult | None = None
    rang_by: Tie | None = None

    @property
    def rings(self) -> bool:
        if self.action is Action.CHALLENGE:
            return self.challenge is ChallengeResult.PASSED
        return self.action not in (Action.ROUTE, Action.REJECT)


UNSCREENED = Handling()


def consequences(p: Parameters, attempt: Attempt, handling: Handling) -> list[Dated]:
    """Return what follows from a call, each with its time: its outcome, and if people react, a mark and a call back."""
    if not handling.rings:
        return [learnt(_outcome_without_ring(attempt, handling)), *_marks_after_notice(p, attempt, handling)]
    is_answered, outcome = _rung(p, attempt, handling)
    events: list[Dated] = [learnt(outcome)]
    if attempt.conduct is not None:
        return events
    user, fate, habits = attempt.user, attempt.fate, attempt.line.habits
    marked = habits.marked_answered if is_answered else habits.marked_unanswered
    if handling.action in LABELLED:
        marked *= p.reaction.marked
    if fate.marked < marked * user.readiness:
        events.append(marking(user, outcome.ended_at + fate.mark_delay, attempt))
    if fate.called_back < habits.called_back:
        events.append(learnt(call_back(user, outcome.ended_at + fate.back_delay, fate.back_ring, fate.back_talk)))
    return events


def _marks_after_notice(p: Parameters, attempt: Attempt, handling: Handling) -> list[Dated]:
    """Return a mark "not spam" if the callee reacts to the notice that an automated caller was challenged, else []."""
    is_machine = attempt.line.nature is Nature.MACHINE and handling.challenge is not None
    if not is_machine or attempt.user.heeds >= p.notice:
        return []
    return [marking(attempt.user, attempt.at + attempt.fate.notice_delay, attempt, Verdict.OK)]


def _rung(p: Parameters, attempt: Attempt, handling: Handling) -> tuple[bool, OutcomeRecord]:
    fate, habits = attempt.fate, attempt.line.habits
    if attempt.conduct is Conduct.HANG_UP:
        talk, ended_by = p.attack_talk_seconds, EndedBy.CALLEE
        return True, answered_call(attempt, fate.ring_answered, talk, ended_by, handling)
    labelled = handling.action in LABELLED
    if fate.answered >= habits.answered * (p.reaction.answered if labelled else 1.0):
        ring = attempt.ring_seconds or fate.ring_unanswered
        return False, unanswered_call(attempt, ring, fate.voicemail < habits.voicemail, handling)
    reacts = p.reaction.hung_up_honest if attempt.line.nature in HONEST else p.reaction.hung_up_spam
    if labelled and fate.reacts < reacts:
        talk, ended_by = p.attack_talk_seconds, EndedBy.CALLEE
    else:
        talk = fate.hooked_talk if fate.hooked < habits.hooked else fate.talk
        ended_by = EndedBy.CALLEE if fate.ended_by_callee < habits.ended_by_callee else EndedBy.CALLER
    return True, answered_call(attempt, fate.ring_answered, talk, ended_by, handling)


def _outcome_without_ring(attempt: Attempt, handling: Handling) -> OutcomeRecord:
    """Return the outcome of a call that did not ring. A caller who failed a challenge may leave a message."""
    offered = handling.action is not Action.REJECT and handling.challenge is not ChallengeResult.ABANDONED
    habits = attempt.line.habits
    voicemail = habits.voicemail if habits.voicemail_failed is None else habits.voicemail_failed
    return OutcomeRecord(
        **_call(attempt, handling),
        disposition=Disposition.REJECTED if handling.action is Action.REJECT else Disposition.NO_ANSWER,
        answered_by_pbx=handling.action is not Action.REJECT,
        ended_by=EndedBy.CALLER,
        voicemail_left=offered and attempt.fate.voicemail < voicemail,
    )


def _call(attempt: Attempt, handling: Handling) -> dict[str, Any]:
    """Return the fields of an outcome that do not depend on how the call ends."""
    return {
        "linkedid": attempt.linkedid,
        "at": attempt.at,
        "direction": Direction.INBOUND,
        "caller": NUMBER,
        "did": attempt.user.did,
        "trunk": attempt.line.trunk,
        "auth_class": attempt.auth_class,
        "group": attempt.user.group,
        "action": None if handling.action is None else handling.action.word,
        "challenge": handling.challenge,
        "rang_by": handling.rang_by,
    }


def answered_call(
    attempt: Attempt, ring_seconds: float, talk_seconds: float, ended_by: EndedBy, handling: Handling = UNSCREENED
) -> OutcomeRecord:
    """Return the outcome of an incoming call that the callee answered."""
    return OutcomeRecord(
        **_call(attempt, handling),
        disposition=Disposition.ANSWERED,
        answered_by=attempt.user.extension,
        rung=(attempt.user.extension,),
        ring_seconds=ring_seconds,
        talk_seconds=talk_seconds,
        ended_by=ended_by,
    )


def unanswered_call(
    attempt: Attempt, ring_seconds: float, voicemail_left: bool, handling: Handling = UNSCREENED
) -> OutcomeRecord:
    """Return the outcome of an incoming call that nobody answered. The caller gave up or left a message."""
    return OutcomeRecord(
        **_call(attempt, handling),
        disposition=Disposition.NO_ANSWER,
        rung=(attempt.user.extension,),
        ring_seconds=ring_seconds,
        ended_by=EndedBy.CALLER,
        voicemail_left=voicemail_left,
    )


def call_back(user: User, at: float, ring_seconds: float, talk_seconds: float) -> OutcomeRecord:
    """Return the outcome of an answered call from a person of the office to the number."""
    return OutcomeRecord(
        linkedid=f"out-{at}",
        at=at,
        direction=Direction.OUTBOUND,
        disposition=Disposition.ANSWERED,
        caller=user.extension,
        dialled=NUMBER,
        ring_seconds=ring_seconds,
        talk_seconds=talk_seconds,
        ended_by=EndedBy.CALLER,
    )


def trap_call(line: Line, linkedid: str, at: float, trap: int, is_signed: bool) -> OutcomeRecord:
    """Return the outcome of a call to a trap, a DID without a user. The caller heard silence until the PBX hung up."""
    return OutcomeRecord(
        linkedid=linkedid,
        at=at,
        direction=Direction.INBOUND,
        disposition=Disposition.NO_ANSWER,
        caller=NUMBER,
        did=f"{TRAPS}{trap:03d}",
        trunk=line.trunk,
        auth_class=AuthClass.AUTHENTICATED if is_signed else AuthClass.UNKNOWN,
        waited_seconds=5.0,
        answered_by_pbx=True,
        ended_by=EndedBy.SYSTEM,
        trap=True,
        verified=is_signed,
    )


def marking(user: User, at: float, call: Attempt | None = None, verdict: Verdict = Verdict.SPAM) -> tuple[float, Mark]:
    mark = Mark(
        number=NUMBER,
        auth_class=AuthClass.UNKNOWN if call is None else call.auth_class,
        reporter=user.extension,
        verdict=verdict,
        at=at,
        channel=MarkChannel.EXTENSION,
        group=user.group,
        linkedid=None if call is None else call.linkedid,
    )
    return at, mark


def learnt(outcome: OutcomeRecord) -> tuple[float, OutcomeRecord]:
    """Return the outcome with the time when CallSieve learns it, which is the end of the call."""
    return outcome.ended_at, outcome
