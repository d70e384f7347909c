"""Assembles the input of a decision for `/screen`, `/callee`, `lookup`, `policy explain` and replays. No I/O.

The module also decides which callers may be looked up at other services. A look-up takes time, costs money and tells
the service who calls here. So only strangers are looked up, and only if the result could change the decision.
"""

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
    """The quiet hours, and for how many seconds after an emergency call no call is screened."""

    quiet: QuietHours = field(default_factory=QuietHours)
    emergency_window_seconds: float = EMERGENCY_WINDOW_SECONDS


class Lately(NamedTuple):
    """Recent facts that the store does not have.

    `calls`: when the number called within the last hour. `dids`: the DID of each of these calls. `block_calls`: when
    numbers of the same block called. `emergency_at`: when the last emergency call in AstDB began. `came_at`: when the
    call arrived, if not now.
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
    """Return the facts query for the store.

    `quiet`: the quiet hours; None if the query is not for a particular call. `endpoint`: the callee's phone, if known.
    `channel_endpoint`: the endpoint from which the call comes. `first_call`: calls from other unknown numbers shortly
    before, if known.
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
    """Return the case for a decision: the call, and the store's facts with the recent facts (`lately`) added."""
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
    """Return the facts with this emergency call added. If the store has another, the call closer to `now` counts."""
    if not opens_after_closing(at, facts.emergency_closed_at):
        return facts
    if facts.emergency_at is not None and abs(facts.emergency_at - now) <= abs(at - now):
        return facts
    return facts._replace(emergency_at=at)


# The steps of the precedence in which evidence counts: the policy's rules, and its default.
STEPS_OF_POLICY = (8, 9)


def is_stranger(call: IncomingCall, facts: Facts, decision: Decision, now: float) -> bool:
    """Return whether nobody here has a relation to the caller, and the decision comes from the policy."""
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
    """Return whether a look-up could change the decision: the caller is a stranger, and its number has level `none`."""
    return facts.reputation.level is Level.NONE and is_stranger(call, facts, decision, now)


def may_ask_again(call: IncomingCall, facts: Facts, decision: Decision, now: float) -> bool:
    """Return whether this number may be looked up again because earlier results are old.

    An earlier look-up must have found the number, the level must be at most `tag`, and nobody here may know the caller.
    """
    looked_up = any(row.looked_up for row in facts.imported)
    return looked_up and facts.reputation.level <= Level.TAG and is_stranger(call, facts, decision, now)
