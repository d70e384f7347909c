"""The written precedence (docs/policy-reference.md) as a table of steps, and the one pure function that decides.

A step looks at a case and either decides or passes. The first that decides wins; caps weaken only what a rule
or the default orders. Read this file after policies/decision.py.
"""

from __future__ import annotations

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

EMERGENCY = CallerKind.EMERGENCY  # a member costs ten times as much as a global name until Python 3.12
FAILURES_AGAINST_REDIALLING = 2  # who failed twice calls again because a machine does


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the precedence: its number in docs/policy-reference.md, a title, its rules, and what it does."""

    number: int
    title: str
    rules: tuple[str, ...]
    rule_on: Callable[[Case], Ruling | None]


def never_screened(case: Case) -> Ruling | None:
    """Step 1: internal extensions, emergency numbers, DIDs set so."""
    if case.facts.caller_person is not None:
        return Ruling(ALLOW, "internal", Why(Reason.INTERNAL))
    if case.call.caller.kind is EMERGENCY:
        return Ruling(ALLOW, "emergency-number", Why(Reason.EMERGENCY_NUMBER))
    if case.facts.did is not None and not case.facts.did.screen:
        return Ruling(ALLOW, "unscreened-did", Why(Reason.UNSCREENED_DID))
    return None


def emergency_window(case: Case) -> Ruling | None:
    """Step 2: after an emergency call from here, and for a call-back that a trusted trunk vouches for; else nobody has
    anything to do with a call to a trap.
    """
    at = case.facts.emergency_at
    # Where a clock was ahead, this holds a call up for no longer than the window.
    if at is not None and abs(case.now - at) < case.facts.emergency_window_seconds:
        return Ruling(ALLOW, "emergency-window", Why(Reason.EMERGENCY_WINDOW))
    if case.call.priority_callback and case.call.trusted:
        return Ruling(ALLOW, "emergency-callback", Why(Reason.EMERGENCY_CALLBACK))
    if case.facts.did is not None and case.facts.did.trap:  # the dialplan keeps it silent
        return Ruling(ALLOW, "trap", Why(Reason.TRAP))
    return None


def callee_lists(case: Case) -> Ruling | None:
    """Step 3: the callee's own lists, when the callee is known."""
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
    """Step 4: the administrator's allowlist, then the blocklist; entries act as written."""
    entry = case.facts.allow
    if entry is not None:
        action = ACTION_BY_WORD.get(entry.action or "allow", ALLOW)
        return Ruling(action, "allowlist", Why(Reason.ON_ALLOWLIST, {"entry": entry.text}))
    entry = case.facts.block
    if entry is not None:
        action = ACTION_BY_WORD.get(entry.action or "reject", REJECT)
        if case.call.caller.key is None:  # the entry would tell what the caller hides
            return Ruling(action, "blocklist", Why(Reason.WITHHOLDS_BLOCKED))
        return Ruling(action, "blocklist", Why(Reason.ON_BLOCKLIST, {"entry": entry.text}))
    return None


def relationship(case: Case) -> Ruling | None:
    """Step 6: the callee, or the company, knows this caller. Step 5, the callee expects a call, is a fact and a cap."""
    facts = case.facts
    # In this order: the second asks the number plan (60 us).
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
    """A bound on what a rule or the default may do. `holds` tells whether it applies, `reference` to what there is more
    to read about. `only_evidence`: it does not bound a rule for strangers, one that asks for no level and no points;
    `only_actions`: nor one that orders another, where there are any.
    """

    highest: Action
    reason: Reason
    holds: Callable[[Case], bool]
    reference: Callable[[Case], str | None] = lambda _case: None
    only_evidence: bool = False
    only_actions: frozenset[Action] = frozenset()

    def bounds(self, action: Action, about_evidence: bool) -> bool:
        """Whether it would weaken a ruling of this action."""
        if self.only_actions and action not in self.only_actions:
            return False
        return self.highest < action and (about_evidence or not self.only_evidence)

    def why_in(self, case: Case) -> Why:
        """Why it holds in this case."""
        reference = self.reference(case)
        return Why(self.reason, {} if reference is None else {"reference": reference})


def redialled(case: Case) -> bool:
    """Whether the same caller called the same DID within the last 3 minutes. Not where the number's signature is false,
    nor for who failed challenges, or hung up on them, again and again: that is how machines call.
    """
    return (
        is_redialled(case.facts, case.now, case.call.did)
        and case.facts.failures < FAILURES_AGAINST_REDIALLING
        and case.call.verification is not Verification.FAILED
    )


def challenge_passed(case: Case) -> bool:
    """Whether a passed challenge, or a proof of control, still speaks for the caller (families/caller.py)."""
    until = case.facts.passed_until
    return until is not None and case.now < until


def is_sampled(case: Case) -> bool:
    """Whether this call goes without its label, so that something is learnt of callers who are labelled."""
    return is_drawn(case.facts.sample, case.call.linkedid)


def said_not_spam(case: Case) -> bool:
    """Whether the callee, where known, said that the number is no spam: as good as a passed challenge, for this callee.

    It is how a machine that is wanted, and cannot press a digit, gets through.
    """
    return Tie.NOT_SPAM in ties_of_callee(case.facts, case.now) and may_relate(case.call, case.facts, case.now)


def appeal_in_force(case: Case) -> str | None:
    """The reference of the number's appeal that is in force."""
    return case.facts.reputation.appeal


def is_appealed(case: Case) -> bool:
    """Whether the number's owner has a case pending that is more than an allegation."""
    return appeal_in_force(case) is not None


def somebody_invites(case: Case) -> bool:
    """Whether the callee is not known yet and somebody the call may reach has allowed the caller or expects a call.

    Their own lists apply only when their phone rings: the call must get there.
    """
    return case.facts.callee is None and any(tie.tie in INVITED for tie in ties_in_reach(case.facts))


def somebody_knows(case: Case) -> bool:
    """The same for their contacts."""
    return _somebody_has(Tie.CONTACT, case)


def somebody_talked(case: Case) -> bool:
    """The same for those who have called the number and talked."""
    return _somebody_has(Tie.TALKED, case)


def _somebody_has(tie: Tie, case: Case) -> bool:
    ties = ties_in_reach(case.facts) if case.facts.callee is None else ()
    found = any(one.tie is tie and lasts(one, case.now) for one in ties)
    return found and may_relate(case.call, case.facts, case.now)


def law_protects(case: Case) -> bool:
    """Whether the law forbids that calls from the number's range are blocked (reputation/plan). It protects those who
    have such a number: not a caller whose signature is false.
    """
    has_law = case.facts.plan is not None and case.facts.plan.law is not None
    return has_law and case.call.verification is not Verification.FAILED


# The one cap that also bounds the administrator's lists (step 4): the callee's own (step 3) outrank them.
INVITATION = Cap(WARN, Reason.SOMEBODY_INVITES, somebody_invites)

# Steps 5 and 7: the first that holds counts, so the control sample takes only what nothing else has weakened. Quiet
# hours, also step 7, are a floor instead.
CAPS = (
    INVITATION,
    Cap(WARN, Reason.SOMEBODY_KNOWS, somebody_knows),
    Cap(WARN, Reason.SOMEBODY_TALKED, somebody_talked),
    Cap(WARN, Reason.SHOWS_OWN_NUMBER, lambda c: own_number_spoofed(c.call, c.facts)),
    Cap(WARN, Reason.VERIFIED, lambda c: is_verified(c.call, c.facts)),
    Cap(WARN, Reason.PASSED_CHALLENGE, challenge_passed),
    Cap(WARN, Reason.NOT_SPAM_FOR_CALLEE, said_not_spam),
    # A rule for strangers asks everybody: calling again must not be the way around its challenge.
    Cap(WARN, Reason.REDIALLED, redialled, only_evidence=True),
    # What an administrator orders by name, a rule for the range or an entry of the blocklist, is not ours to judge.
    Cap(WARN, Reason.LAW_FORBIDS, law_protects, only_evidence=True),
    Cap(CHALLENGE, Reason.APPEALED, is_appealed, appeal_in_force),
    Cap(ALLOW, Reason.CONTROL_SAMPLE, is_sampled, only_evidence=True, only_actions=frozenset({TAG, WARN})),
)


BY_DEFAULT = tuple([(9, Ruling(action, "default", Why(Reason.DEFAULT))) for action in Action])


# By a ruling's action and its `about_evidence`: what bounds it. By place, for an enum's member is hashed in Python.
CapTable = tuple[tuple[tuple[Cap, ...], ...], ...]


def _cap_table(caps: Sequence[Cap]) -> CapTable:
    def bounding(action: Action, about_evidence: bool) -> tuple[Cap, ...]:
        return tuple([cap for cap in caps if cap.bounds(action, about_evidence)])

    return tuple([(bounding(action, False), bounding(action, True)) for action in Action])


ALL_CAPS, CAPS_OF_LISTS, NO_CAPS = _cap_table(CAPS), _cap_table((INVITATION,)), _cap_table(())


def policy_rules(case: Case, policy: Policy) -> tuple[int, Ruling]:
    """Steps 8 and 9, with the step's number: the rules in file order, else the default."""
    ruling = policy.table.ruling(case)
    return BY_DEFAULT[policy.default] if ruling is None else (8, ruling)


def decide(call: IncomingCall, facts: Facts, policy: Policy, now: float) -> Decision:
    """What to do with a call, and why. `now` in UTC seconds. Pure: the same arguments, the same decision."""
    return decide_by_each(call, facts, (policy,), now)[0]


def decide_by_each(call: IncomingCall, facts: Facts, policies: Iterable[Policy], now: float) -> list[Decision]:
    """What each of the policies does with the same call. The steps above them are the same, and walked once."""
    case = Case(call, facts, now)
    for step in STEPS:
        ruling = step.rule_on(case)
        if ruling is not None:
            caps = CAPS_OF_LISTS if step.number == STEP_OF_LISTS else NO_CAPS
            return [in_quiet_hours(case, _decision(case, one, ruling, step.number, caps), one) for one in policies]
    return [_by_policy(case, policy) for policy in policies]


def _by_policy(case: Case, policy: Policy) -> Decision:
    number, ruling = policy_rules(case, policy)
    return in_quiet_hours(case, _decision(case, policy, ruling, number, ALL_CAPS), policy)


# What the callee's own ties decide. All other steps did so at the trunk, where they were known already.
STEPS_OF_CALLEE = (3, 6)


def decide_for_callee(call: IncomingCall, facts: Facts, policy: Policy, now: float) -> Decision | None:
    """What one phone does differently from what was decided at the trunk, now that its person is known.

    Steps 3 and 6 and quiet hours only, and only where no step before them decides; None: nothing. In observe mode
    the decision is recorded and does not act.
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
    """The decision of a ruling, after the first of its caps that holds and after observe mode."""
    call, facts = case.call, case.facts
    ordered, why_capped = ruling.action, None
    for cap in caps[ruling.action][ruling.about_evidence]:
        if cap.holds(case):
            ordered, why_capped = _left_by(cap, case, step), cap.why_in(case)
            break
    identity, callee, reputation = facts.identity, facts.callee, facts.reputation
    decision = Decision(  # by place: by keyword it takes three times as long
        ordered,
        ruling.rule,
        ruling.reason,
        step,
        policy.name,
        ordered,  # would_be
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
    """What a cap leaves. Nobody is warned of a caller against whom there is nothing: then the call is allowed."""
    against = (
        case.facts.reputation.level is not Level.NONE
        or step == STEP_OF_LISTS
        or own_number_spoofed(case.call, case.facts)
    )
    return ALLOW if cap.highest is WARN and not against else cap.highest


def _category(imported: Iterable[Imported]) -> str | None:
    """What the first source that says so calls the number."""
    return next((row.category for row in imported if row.category and row.verdict == "spam"), None)
