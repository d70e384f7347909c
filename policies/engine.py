"""Decides about a call, without I/O: tries steps in order until a step decides (docs/reference/policies.md)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from policies.decision import ACTION_BY_WORD, ALLOW, CHALLENGE, REJECT, TAG, WARN, Action, Decision, IncomingCall
from policies.policy import Case, Policy, Ruling
from policies.quiet_hours import RULE as QUIET_RULE
from policies.quiet_hours import in_quiet_hours
from policies.reasons import Reason, Why
from policies.relations import (
    INVITED,
    is_redialled,
    is_verified,
    lasts,
    may_relate,
    own_number_spoofed,
    ties_in_reach,
    ties_of_callee,
)
from reputation.control_sample import is_drawn
from reputation.facts import Facts
from reputation.model import CallerKind, Imported, Level, Tie, Verification

EMERGENCY = CallerKind.EMERGENCY  # before Python 3.12 an enum member costs ten times as much as a global name
FAILURES_AGAINST_REDIALLING = 2  # after two failures, a caller who calls again is a machine


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a decision. `number`: its place in the order of steps, as in docs/reference/policies.md."""

    number: int
    title: str
    rules: tuple[str, ...]
    rule_on: Callable[[Case], Ruling | None]


def never_screened(case: Case) -> Ruling | None:
    """Allow calls from internal extensions and emergency numbers, and calls to unscreened DIDs (step 1)."""
    if case.facts.caller_person is not None:
        return Ruling(ALLOW, "internal", Why(Reason.INTERNAL))
    if case.call.caller.kind is EMERGENCY:
        return Ruling(ALLOW, "emergency-number", Why(Reason.EMERGENCY_NUMBER))
    if case.facts.did is not None and not case.facts.did.screen:
        return Ruling(ALLOW, "unscreened-did", Why(Reason.UNSCREENED_DID))
    return None


def emergency_window(case: Case) -> Ruling | None:
    """Allow calls soon after an emergency call, emergency call-backs on trusted trunks, and calls to traps (step 2)."""
    at = case.facts.emergency_at
    # abs: the window is not longer if a clock was ahead.
    if at is not None and abs(case.now - at) < case.facts.emergency_window_seconds:
        return Ruling(ALLOW, "emergency-window", Why(Reason.EMERGENCY_WINDOW))
    if case.call.priority_callback and case.call.trusted:
        return Ruling(ALLOW, "emergency-callback", Why(Reason.EMERGENCY_CALLBACK))
    if case.facts.did is not None and case.facts.did.trap:  # the dialplan keeps it silent
        return Ruling(ALLOW, "trap", Why(Reason.TRAP))
    return None


def callee_lists(case: Case) -> Ruling | None:
    """If the callee is known, apply their own allowlist and blocklist, and allow a call that they expect (step 3)."""
    ties = ties_of_callee(case.facts)
    if not ties:
        return None
    if Tie.ALLOW in ties:
        return Ruling(ALLOW, "callee-allowlist", Why(Reason.CALLEE_ALLOWS))
    if Tie.BLOCK in ties:
        return Ruling(REJECT, "callee-blocklist", Why(Reason.CALLEE_BLOCKS))
    if Tie.EXPECTED in ties:
        return Ruling(ALLOW, "expected-call", Why(Reason.CALLEE_EXPECTS))
    return None


def administrator_lists(case: Case) -> Ruling | None:
    """Apply the administrator's allowlist and then the blocklist, with the action of the matching entry (step 4)."""
    entry = case.facts.allow
    if entry is not None:
        action = ACTION_BY_WORD.get(entry.action or "allow", ALLOW)
        return Ruling(action, "allowlist", Why(Reason.ON_ALLOWLIST, {"entry": entry.text}))
    entry = case.facts.block
    if entry is not None:
        action = ACTION_BY_WORD.get(entry.action or "reject", REJECT)
        if case.call.caller.key is None:  # the entry would reveal the withheld number
            return Ruling(action, "blocklist", Why(Reason.WITHHOLDS_BLOCKED))
        return Ruling(action, "blocklist", Why(Reason.ON_BLOCKLIST, {"entry": entry.text}))
    return None


def relationship(case: Case) -> Ruling | None:
    """Allow a caller known to the callee or the company (step 6). Expected calls (step 5) are in step 3 and a limit."""
    facts = case.facts
    # In this order, because the second reads the number plan (60 us).
    if not facts.ties or not may_relate(case.call, facts, case.now):
        return None
    ties = ties_of_callee(facts, case.now)
    if Tie.CONTACT in ties:
        return Ruling(ALLOW, "contact", Why(Reason.CONTACT_OF_CALLEE))
    if any(tie.tie is Tie.CONTACT and tie.person is None for tie in facts.ties):
        return Ruling(ALLOW, "contact", Why(Reason.CONTACT_OF_COMPANY))
    if Tie.TALKED in ties:
        return Ruling(ALLOW, "talked", Why(Reason.CALLEE_TALKED))
    return None


STEP_OF_LISTS = 4
STEPS = (
    Step(1, "never screened", ("internal", "emergency-number", "unscreened-did"), never_screened),
    Step(2, "emergency window", ("emergency-window", "emergency-callback", "trap"), emergency_window),
    Step(3, "the callee's own lists", ("callee-allowlist", "callee-blocklist", "expected-call"), callee_lists),
    Step(STEP_OF_LISTS, "the administrator's lists", ("allowlist", "blocklist"), administrator_lists),
    Step(6, "relationship", ("contact", "talked"), relationship),
)


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit on the action of a rule or of the default. `holds`: returns whether the limit applies to a call.

    `reference`: returns the reference of the appeal behind the limit. `only_evidence`: whether the limit applies only
    to rules about a level or points. `only_actions`: the limited actions; empty for all.
    """

    highest: Action
    reason: Reason
    holds: Callable[[Case], bool]
    reference: Callable[[Case], str | None] = lambda _case: None
    only_evidence: bool = False
    only_actions: frozenset[Action] = frozenset()

    def bounds(self, action: Action, about_evidence: bool) -> bool:
        """Return whether the limit would weaken this action. `about_evidence`: whether evidence led to the action."""
        if self.only_actions and action not in self.only_actions:
            return False
        return self.highest < action and (about_evidence or not self.only_evidence)

    def why_in(self, case: Case) -> Why:
        """Return the reason of the limit, with the values for this call."""
        reference = self.reference(case)
        return Why(self.reason, {} if reference is None else {"reference": reference})


def redialled(case: Case) -> bool:
    """Return whether the same caller called the same DID within the last 3 minutes.

    Return False after a failed signature, or after two failed or abandoned challenges, because programs call like that.
    """
    return (
        is_redialled(case.facts, case.now, case.call.did)
        and case.facts.failures < FAILURES_AGAINST_REDIALLING
        and case.call.verification is not Verification.FAILED
    )


def challenge_passed(case: Case) -> bool:
    """Return whether the caller's last passed challenge, or proof of control of the number, is still valid."""
    until = case.facts.passed_until
    return until is not None and case.now < until


def is_sampled(case: Case) -> bool:
    """Return whether this call is in the control sample, a random share of calls that get no tag and no warning."""
    return is_drawn(case.facts.sample, case.call.linkedid)


def marked_not_spam(case: Case) -> bool:
    """Return whether the callee, if known, marked the number as not spam. The mark counts like a passed challenge."""
    # A wanted automated caller cannot press a digit, so the mark lets it through.
    return Tie.NOT_SPAM in ties_of_callee(case.facts, case.now) and may_relate(case.call, case.facts, case.now)


def appeal_in_force(case: Case) -> str | None:
    """Return the reference of the appeal that is in force for the number, or None."""
    return case.facts.reputation.appeal


def is_appealed(case: Case) -> bool:
    """Return whether an appeal against the number's marks is in force."""
    return appeal_in_force(case) is not None


def somebody_invites(case: Case) -> bool:
    """Return whether the callee is unknown, and a person whose phone may ring has allowed or expects the caller."""
    return case.facts.callee is None and any(tie.tie in INVITED for tie in ties_in_reach(case.facts))


def somebody_knows(case: Case) -> bool:
    """Return whether the callee is unknown, and a person whose phone may ring has the caller as a contact."""
    return _somebody_has(Tie.CONTACT, case)


def somebody_talked(case: Case) -> bool:
    """Return whether the callee is unknown, and a person whose phone may ring has called this number and talked."""
    return _somebody_has(Tie.TALKED, case)


def _somebody_has(tie: Tie, case: Case) -> bool:
    ties = ties_in_reach(case.facts) if case.facts.callee is None else ()
    has_tie = any(other.tie is tie and lasts(other, case.now) for other in ties)
    return has_tie and may_relate(case.call, case.facts, case.now)


def law_protects(case: Case) -> bool:
    """Return whether the law forbids blocking the number's range. A failed signature ends this protection."""
    has_law = case.facts.plan is not None and case.facts.plan.law is not None
    return has_law and case.call.verification is not Verification.FAILED


# The only limit on the administrator's lists (step 4) too, because the callee's own lists (step 3) outrank them.
INVITATION = Cap(WARN, Reason.SOMEBODY_INVITES, somebody_invites)

# Steps 5 and 7. The first that holds counts, so the control sample takes only calls that no other cap weakens. Quiet
# hours, also of step 7, are a lower limit instead.
CAPS = (
    INVITATION,
    Cap(WARN, Reason.SOMEBODY_KNOWS, somebody_knows),
    Cap(WARN, Reason.SOMEBODY_TALKED, somebody_talked),
    Cap(WARN, Reason.SHOWS_OWN_NUMBER, lambda c: own_number_spoofed(c.call, c.facts)),
    Cap(WARN, Reason.VERIFIED, lambda c: is_verified(c.call, c.facts)),
    Cap(WARN, Reason.PASSED_CHALLENGE, challenge_passed),
    Cap(WARN, Reason.NOT_SPAM_FOR_CALLEE, marked_not_spam),
    # A rule for strangers challenges everybody, so calling again must not avoid its challenge.
    Cap(WARN, Reason.REDIALLED, redialled, only_evidence=True),
    # Rules for a range and entries of the blocklist are the administrator's responsibility.
    Cap(WARN, Reason.LAW_FORBIDS, law_protects, only_evidence=True),
    Cap(CHALLENGE, Reason.APPEALED, is_appealed, appeal_in_force),
    Cap(ALLOW, Reason.CONTROL_SAMPLE, is_sampled, only_evidence=True, only_actions=frozenset({TAG, WARN})),
)


BY_DEFAULT = tuple([(9, Ruling(action, "default", Why(Reason.DEFAULT))) for action in Action])


# The caps by a ruling's action and `about_evidence`. A tuple, because hashing a member of an enum is slow.
CapTable = tuple[tuple[tuple[Cap, ...], ...], ...]


def _cap_table(caps: Sequence[Cap]) -> CapTable:
    def bounding(action: Action, about_evidence: bool) -> tuple[Cap, ...]:
        return tuple([cap for cap in caps if cap.bounds(action, about_evidence)])

    return tuple([(bounding(action, False), bounding(action, True)) for action in Action])


ALL_CAPS, CAPS_OF_LISTS, NO_CAPS = _cap_table(CAPS), _cap_table((INVITATION,)), _cap_table(())


def policy_rules(case: Case, policy: Policy) -> tuple[int, Ruling]:
    """Return step 8 and the ruling of the policy's first rule that matches, or else step 9 and the default ruling."""
    ruling = policy.table.ruling(case)
    return BY_DEFAULT[policy.default] if ruling is None else (8, ruling)


def decide(call: IncomingCall, facts: Facts, policy: Policy, now: float) -> Decision:
    """Decide about a call. `now` is in UTC seconds. The same arguments always give the same decision."""
    return decide_by_each(call, facts, (policy,), now)[0]


def decide_by_each(call: IncomingCall, facts: Facts, policies: Iterable[Policy], now: float) -> list[Decision]:
    """Return each policy's decision about the same call. Steps that do not depend on the policy run only once."""
    case = Case(call, facts, now)
    for step in STEPS:
        ruling = step.rule_on(case)
        if ruling is not None:
            caps = CAPS_OF_LISTS if step.number == STEP_OF_LISTS else NO_CAPS
            return [in_quiet_hours(case, _decision(case, each, ruling, step.number, caps), each) for each in policies]
    return [_by_policy(case, policy) for policy in policies]


def _by_policy(case: Case, policy: Policy) -> Decision:
    number, ruling = policy_rules(case, policy)
    return in_quiet_hours(case, _decision(case, policy, ruling, number, ALL_CAPS), policy)


# The steps that depend on the callee's ties. All others decided at the trunk.
STEPS_OF_CALLEE = (3, 6)


def decide_for_callee(call: IncomingCall, facts: Facts, policy: Policy, now: float) -> Decision | None:
    """Return the decision for the callee's phone, or None if it equals the decision at the trunk.

    Only steps 3 and 6 and quiet hours apply, if no earlier step decides. In observe mode the returned action is
    `allow`.
    """
    case = Case(call, facts, now)
    for step in STEPS:
        ruling = step.rule_on(case)
        if ruling is not None:
            decision = _decision(case, policy, ruling, step.number, NO_CAPS)
            return decision if step.number in STEPS_OF_CALLEE else None
    nothing = Ruling(ALLOW, "default", Why(Reason.DEFAULT))
    silenced = in_quiet_hours(case, _decision(case, policy, nothing, 9, NO_CAPS), policy)
    return silenced if silenced.rule == QUIET_RULE else None


def _decision(case: Case, policy: Policy, ruling: Ruling, step: int, caps: CapTable) -> Decision:
    call, facts = case.call, case.facts
    action, why_capped = ruling.action, None
    for cap in caps[ruling.action][ruling.about_evidence]:
        if cap.holds(case):
            action, why_capped = _left_by(cap, case, step), cap.why_in(case)
            break
    identity, callee, reputation = facts.identity, facts.callee, facts.reputation
    decision = Decision(  # by place: by keyword it takes three times as long
        action,
        ruling.rule,
        ruling.reason,
        step,
        policy.name,
        action,  # would_be
        False,
        reputation.level,
        reputation,
        why_capped,
        identity.name if identity is not None and is_verified(call, facts) else None,
        ruling.label,
        _category(facts.imported) if facts.imported else None,
        None if facts.plan is None else facts.plan.purpose,
        None if callee is None else callee.extension,
        None if callee is None else callee.language,
        ruling.ask,
    )
    return decision._replace(action=ALLOW, observed=True) if policy.observe else decision


def _left_by(cap: Cap, case: Case, step: int) -> Action:
    """Return the action that a limit leaves. Without evidence against the caller, the limit `warn` leaves `allow`."""
    against = (
        case.facts.reputation.level is not Level.NONE
        or step == STEP_OF_LISTS
        or own_number_spoofed(case.call, case.facts)
    )
    return ALLOW if cap.highest is WARN and not against else cap.highest


def _category(imported: Iterable[Imported]) -> str | None:
    return next((row.category for row in imported if row.category and row.verdict == "spam"), None)
