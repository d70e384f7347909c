"""Would we mark ourselves? What the people whom a number called would think of it, by our own model. Pure.

Each of our calls is turned round: it comes in from our number at a callee of ours, who is the called person. From there
on it is what CallSieve does with any caller: reputation.memory_store learns, and reputation.scoring adds up.
"""

from __future__ import annotations

from collections.abc import Iterable

from reputation.evidence import NO_CIRCUMSTANCES
from reputation.families.marks import NAME as MARKS
from reputation.memory_store import MemoryStore
from reputation.model import AuthClass, CallerKind, Direction, Mark, MarkChannel, Reputation, Verdict
from reputation.outcome import OutcomeRecord
from reputation.own.daily_counts import is_machine
from reputation.scoring import reputation_of
from reputation.standing import Standing
from reputation.weights import Weights


def turned_round(outcome: OutcomeRecord, number: str) -> OutcomeRecord | None:
    """The call as the other side saw it: from `number` to a person who is called by a number.

    None for a call that says nothing: of somebody without a number, to a menu of ours, one that a machine answered, one
    that a network refused.
    """
    other = outcome.number
    if other is None or not outcome.complete or outcome.blocked or is_machine(outcome):
        return None
    # Who ended it stays: the caller is who called, on either side.
    seen = outcome._replace(auth_class=AuthClass.UNKNOWN, action=None, decision_id=None, queue=None, group=None)
    if outcome.direction is Direction.OUTBOUND:
        answered_by = other if outcome.answered_by is not None or outcome.talk_seconds > 0 else None
        return seen._replace(
            direction=Direction.INBOUND,
            caller=number,
            caller_kind=CallerKind.NUMBER,
            did=other,
            dialled=None,
            own_number=None,
            answered_by=answered_by,
            rung=(other,),
        )
    # A call-back: one of "theirs" calls our number.
    return seen._replace(
        direction=Direction.OUTBOUND, caller=other, did=None, dialled=number, rung=(), answered_by=None
    )


def view_of(
    number: str, outcomes: Iterable[OutcomeRecord], unhappy: Iterable[tuple[str, float]], weights: Weights, now: float
) -> Reputation:
    """The reputation that the number has among the people it called.

    `outcomes`: its calls, and the calls to it, in any order. `unhappy`: who of the called people complained or does not
    want to be called again, and when: to them it is a mark. Those who answered and said nothing weigh against such
    marks, as everywhere in the model, but by themselves they do not speak for us: what they say, they say to others.
    """
    ledger = MemoryStore(weights)
    for outcome in outcomes:
        seen = turned_round(outcome, number)
        if seen is not None:
            ledger.learn(seen)
    for who, at in unhappy:
        ledger.add_mark(Mark(number, AuthClass.UNKNOWN, who, Verdict.SPAM, at, MarkChannel.EXTENSION))
    evidence = ledger.evidence(number, AuthClass.UNKNOWN, now)
    seen_as = reputation_of(evidence, NO_CIRCUMSTANCES, weights, now)
    if all(family.name != MARKS or family.log_odds >= 0 for family in seen_as.families):
        return seen_as
    standing = evidence.standing or Standing(at=now)
    without_silence = standing._replace(marks=0.0, answers=0.0, reporters=0, answered=0, silent=0)
    return reputation_of(evidence._replace(standing=without_silence), NO_CIRCUMSTANCES, weights, now)
