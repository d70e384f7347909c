"""Quiet hours of individual people: calls from people unknown to them go to voicemail and do not ring their phones.

A caller without a tie to the person is unknown. The phone rings if an unknown caller calls again within three minutes.
"""

from policies.decision import ALLOW, ROUTE, Decision, IncomingCall
from policies.policy import Case, Policy
from policies.reasons import Reason, Why
from policies.relations import FRIENDLY, INVITED, is_redialled, lasts, may_relate
from reputation.facts import Facts
from reputation.model import Person, Tie
from reputation.own.hours import QuietHours

RULE = "quiet-hours"
STEP = 7  # as the limits: quiet hours are a lower limit for the blocklist of step 4 and for steps 8 and 9
STEP_OF_BLOCKLIST = 4


def resting(facts: Facts, hours: QuietHours, now: float, came_at: float | None = None) -> Facts:
    """Return the facts with `quiet` reduced to people who have quiet hours now, or to nobody after a redial.

    `came_at`: when the call arrived, if not now.
    """
    if is_redialled(facts, now if came_at is None else came_at):
        return facts._replace(quiet=())
    return facts._replace(quiet=tuple(person for person in facts.quiet if hours.is_resting(person.extension, now)))


def kept_from(case: Case) -> bool:
    """Return whether quiet hours keep this caller from ringing the callee's phone now."""
    callee = case.facts.callee
    return callee is not None and any(
        person.extension == callee.extension and not _knows(person, case.call, case.facts)
        for person in case.facts.quiet
    )


def in_quiet_hours(case: Case, decision: Decision, policy: Policy) -> Decision:
    """Return the decision, strengthened to `route` if the callee has quiet hours and does not know the caller.

    Decisions of steps that outrank quiet hours stay the same.
    """
    if not case.facts.quiet:
        return decision
    outranks = decision.step < STEP_OF_BLOCKLIST or decision.rule == "allowlist" or decision.step == 6
    if outranks or decision.would_be >= ROUTE or not kept_from(case):
        return decision
    return decision._replace(
        action=ALLOW if policy.observe else ROUTE,
        would_be=ROUTE,
        rule=RULE,
        reason=Why(Reason.QUIET_HOURS),
        step=STEP,
        capped_by=None,
        label=None,
        ask=None,
    )


def phones_kept_from(call: IncomingCall, facts: Facts, decision: Decision) -> tuple[str, ...]:
    """Return the endpoints of people in quiet hours who do not know the caller; empty if the callee is known."""
    if not facts.quiet or facts.callee is not None or decision.rule == "allowlist":
        return ()
    groups = facts.did.groups if facts.did is not None else ()
    return tuple(
        person.endpoint
        for person in facts.quiet
        if person.endpoint and (not groups or person.group in groups) and not _knows(person, call, facts)
    )


def _knows(person: Person, call: IncomingCall, facts: Facts) -> bool:
    ties = [tie for tie in facts.ties if tie.person == person.extension and lasts(tie, None)]
    if any(tie.tie in INVITED for tie in ties):
        return True
    friendly = any(tie.tie in FRIENDLY for tie in ties)
    company = any(tie.tie is Tie.CONTACT and tie.person is None for tie in facts.ties)
    return (friendly or company) and may_relate(call, facts)
