"""What a decision is made from, for every door: `/screen`, `/callee`, `lookup`, `policy explain`, a replay. Pure.

    query = query_of(call, now, hours.quiet, plan=plan)       what the one read of the store is asked
    situation = situation_of(call, facts, now, hours, lately)
    decision = decide(*situation.under(policies))

A door brings the call, the facts, and what no store can tell it (`Lately`). All else is done here.

Which callers others may be asked about: those whom nobody here knows, and where it could change something. Pure.

A look-up takes time, costs money and tells somebody else who calls here. So nobody is asked about a caller who is
known, on a list, expected, verified or labelled already, nor where the decision came from anything but the policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from policies.decision import Decision, IncomingCall
from policies.engine import challenge_passed
from policies.policy import Case
from policies.quiet_hours import resting
from reputation.facts import EMERGENCY_WINDOW_SECONDS, Facts, FactsQuery, opens_after_closing
from reputation.model import CallerKind, FirstCall, Level
from reputation.own.hours import QuietHours, hour_at
from reputation.plan.rows import NO_PLAN, NumberPlan


@dataclass(frozen=True, slots=True)
class ScreeningHours:
    """When calls are treated differently: quiet hours, and how long nothing is screened after an emergency call."""

    quiet: QuietHours = field(default_factory=QuietHours)
    emergency_window_seconds: float = EMERGENCY_WINDOW_SECONDS


class Lately(NamedTuple):
    """What the store cannot tell: the earlier calls of the number and of its block within the hour, the last emergency
    call that Asterisk's own database knows of, when the call came in, if not just now, and to which DIDs the number's
    earlier calls went.
    """

    calls: tuple[float, ...] = ()
    block_calls: tuple[float, ...] = ()
    emergency_at: float | None = None
    came_at: float | None = None
    dids: tuple[str, ...] = ()


NOTHING_LATELY = Lately()


def query_of(
    call: IncomingCall,
    now: float,
    quiet: QuietHours | None,
    endpoint: str | None = None,
    channel_endpoint: str | None = None,
    plan: NumberPlan = NO_PLAN,
    first_call: FirstCall | None = None,
) -> FactsQuery:
    """What the store is asked. `quiet`: None where no call in particular is meant, so that its hour says nothing.
    `endpoint`: the phone that the call is for, where that is known; `channel_endpoint`: where it comes from.
    `first_call`: what strangers did shortly before, where that is known.
    """
    number = None if call.caller.key is None else call.caller
    hour = None if quiet is None else hour_at(now, quiet.usual)
    return FactsQuery(  # by place: by keyword it takes three times as long
        number,
        call.auth_class,
        call.did,
        now,
        endpoint,
        channel_endpoint,
        call.attestation,
        call.verification,
        hour,
        call.withheld,
        None if call.caller.key is None else plan.row_of(call.caller.key, now),
        first_call,
        call.name,
    )


def situation_of(
    call: IncomingCall, facts: Facts, now: float, hours: ScreeningHours, lately: Lately = NOTHING_LATELY
) -> Case:
    """The facts as the store has them become those of this very moment."""
    if lately.calls or lately.block_calls:
        calls, block_calls = lately.calls, lately.block_calls
        facts = facts._replace(recent_calls=calls, recent_block_calls=block_calls, recent_dids=lately.dids)
    if lately.emergency_at is not None:
        facts = _with_emergency(facts, lately.emergency_at, now)
    if facts.emergency_at is not None:
        facts = facts._replace(emergency_window_seconds=hours.emergency_window_seconds)
    if facts.quiet:
        facts = resting(facts, hours.quiet, now, lately.came_at)
    return Case(call, facts, now)


def _with_emergency(facts: Facts, at: float, now: float) -> Facts:
    """With an emergency call of which the store may not have been told; of two the one closer to now counts."""
    if not opens_after_closing(at, facts.emergency_closed_at):
        return facts
    if facts.emergency_at is not None and abs(facts.emergency_at - now) <= abs(at - now):
        return facts
    return facts._replace(emergency_at=at)


# The steps of the precedence in which evidence counts: the policy's rules, and its default.
STEPS_OF_POLICY = (8, 9)


def is_stranger(call: IncomingCall, facts: Facts, decision: Decision, now: float) -> bool:
    """Whether nobody here has anything to do with the caller, and the policy alone has decided."""
    return (
        decision.step in STEPS_OF_POLICY
        and call.caller.kind is CallerKind.NUMBER
        and call.caller.key is not None
        and not facts.ties
        and facts.identity is None
        and not facts.own_number
        and facts.caller_person is None
        and not challenge_passed(Case(call, facts, now))
    )


def may_ask_others(call: IncomingCall, facts: Facts, decision: Decision, now: float) -> bool:
    """Whether what others say of the caller could change the decision: of a stranger against whom there is nothing."""
    return facts.reputation.level is Level.NONE and is_stranger(call, facts, decision, now)


def may_ask_again(call: IncomingCall, facts: Facts, decision: Decision, now: float) -> bool:
    """Whether a stranger is labelled by what others said: if that has become old they are asked anew, and no call
    waits for it.
    """
    looked_up = any(row.looked_up for row in facts.imported)
    return looked_up and facts.reputation.level <= Level.TAG and is_stranger(call, facts, decision, now)
