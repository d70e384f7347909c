"""The ties between caller and callee, from the facts: contacts, own lists, identity, spoofing.

If the callee is unknown (a ring group, an IVR), the ties of all people whose phones the call may reach are used.
"""

from math import inf
from typing import NamedTuple

from policies.decision import ALLOW, WARN, Decision, IncomingCall
from reputation.facts import Facts
from reputation.families.identity import effective_level
from reputation.model import PersonalTie, Tie, Verification
from reputation.numbers import NumberType
from reputation.scoring import VERIFIED_LEVEL
from reputation.signals import ONE_RING_GUARD_SECONDS, RELATIONSHIP_SECONDS
from reputation.weights import DAY_SECONDS

REDIAL_SECONDS = 180.0  # a caller who calls again within 3 min is more likely a person

# Ties of step 3 for the caller. They outrank the administrator's lists. A contact (step 6) does not.
INVITED = frozenset({Tie.ALLOW, Tie.EXPECTED})


def ties_in_reach(facts: Facts) -> tuple[PersonalTie, ...]:
    """Return the caller's ties to the company and to the people that this call may reach."""
    if facts.callee is not None:
        who = facts.callee.extension
        return tuple(tie for tie in facts.ties if tie.person in (who, None))
    groups = facts.did.groups if facts.did is not None else ()
    if not groups:
        return facts.ties
    return tuple(tie for tie in facts.ties if tie.person is None or tie.group in groups)


def ties_of_callee(facts: Facts, now: float | None = None) -> list[Tie]:
    """Return the callee's ties to the caller; empty if the callee is unknown."""
    if facts.callee is None or not facts.ties:
        return []
    who = facts.callee.extension
    return [tie.tie for tie in facts.ties if tie.person == who and lasts(tie, now)]


def lasts(tie: PersonalTie, now: float | None) -> bool:
    """Return whether the tie is still valid. A conversation counts for 180 days. If `now` is None, return True."""
    return tie.at is None or now is None or now - tie.at < RELATIONSHIP_SECONDS


def may_relate(call: IncomingCall, facts: Facts, now: float | None = None) -> bool:
    """Return whether ties to the caller count.

    They do not count for a missing or premium number, after a failed signature, or for a day after a one-ring call.
    """
    ringing = facts.one_ring_at is not None and (now is None or now - facts.one_ring_at < ONE_RING_GUARD_SECONDS)
    return (
        call.caller.key is not None
        and not ringing
        and call.verification is not Verification.FAILED
        and call.caller.number_type is not NumberType.PREMIUM
    )


# Ties by which a caller is not a stranger.
KNOWING = frozenset({Tie.ALLOW, Tie.CONTACT, Tie.TALKED, Tie.NOT_SPAM})

# Ties that make a relationship in step 6. The condition `relationship` also counts people's own allowlists.
FRIENDLY = frozenset({Tie.CONTACT, Tie.TALKED})


def has_relationship(call: IncomingCall, facts: Facts, now: float | None = None) -> bool:
    """Return whether the company or a person has allowed, saved, or called and talked to the caller.

    People count only if the call may reach them.
    """
    friendly = any((t.tie in FRIENDLY and lasts(t, now)) or t.tie is Tie.ALLOW for t in ties_in_reach(facts))
    return friendly and may_relate(call, facts, now)


def is_stranger(call: IncomingCall, facts: Facts, now: float) -> bool | None:
    """Return whether nobody here knows the caller; None for a caller without a number.

    A known caller is a contact, shows the name of a contact's company, is on somebody's allowlist, was marked as not
    spam, or is verified. A number is also known if somebody here called it within 30 days, or talked to its owner
    within 180. Premium numbers, failed signatures and one-ring calls are always unknown.
    """
    if call.caller.key is None:
        return None
    is_known = (
        facts.dialled_at is not None
        or facts.is_company_known
        or is_verified(call, facts)
        or any(tie.tie in KNOWING and lasts(tie, now) for tie in facts.ties)
    )
    return not (is_known and may_relate(call, facts, now))


def passed_days_ago(facts: Facts, now: float) -> float:
    """Return how many days ago the caller last passed a challenge or proved control of the number; inf if never."""
    return inf if facts.passed_at is None else (now - facts.passed_at) / DAY_SECONDS


def is_verified(call: IncomingCall, facts: Facts) -> bool:
    """Return whether the caller's identity is proven well enough to show the name and limit the action to `warn`."""
    return effective_level(facts.identity, call.auth_class) >= VERIFIED_LEVEL


def is_redialled(facts: Facts, now: float, did: str | None = None) -> bool:
    """Return whether the caller called the DID, or any DID if `did` is None, within the last 3 minutes."""
    if not facts.recent_calls:
        return False
    since, dids = now - REDIAL_SECONDS, facts.recent_dids
    return any(
        since < at < now and (not did or place >= len(dids) or dids[place] in ("", did))
        for place, at in enumerate(facts.recent_calls)
    )


def own_number_spoofed(call: IncomingCall, facts: Facts) -> bool:
    """Return whether a call on an untrusted trunk shows one of our own numbers as the caller."""
    return facts.own_number and not call.trusted


class PerPhone(NamedTuple):
    """The endpoints of phones on which the decision is changed, because of their users.

    `known`: the user knows the caller and needs no warning. `blocked`: the user has blocked the caller or has quiet
    hours. `unwhispered`: the user has switched spoken warnings off.
    """

    known: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    unwhispered: tuple[str, ...] = ()


NOTHING_DIFFERENT = PerPhone()

LAST_STEP_ABOVE_PEOPLE = 2  # fail-open, never screened and the emergency window outrank people's own lists
STEP_OF_RELATIONSHIP = 6


def per_phone_of(call: IncomingCall, facts: Facts, decision: Decision, at_rest: tuple[str, ...] = ()) -> PerPhone:
    """Return the phones that need a different treatment because of their users' lists, ties or settings.

    If the callee is known, only the settings for spoken warnings count. `at_rest`: phones in quiet hours.
    """
    unwhispered = facts.unwhispered if decision.action is WARN else ()
    if facts.callee is not None or decision.observed or decision.step <= LAST_STEP_ABOVE_PEOPLE:
        return PerPhone(unwhispered=unwhispered)
    if not facts.ties and not at_rest and not unwhispered:  # most calls
        return NOTHING_DIFFERENT
    if not facts.ties:
        return PerPhone(blocked=tuple(sorted(at_rest)), unwhispered=unwhispered)
    ties = [(tie.endpoint, tie.tie) for tie in ties_in_reach(facts) if tie.endpoint]
    allowed = {who for who, tie in ties if tie is Tie.ALLOW}
    blocked = ({who for who, tie in ties if tie is Tie.BLOCK} - allowed) | set(at_rest)
    if decision.action is ALLOW:
        return PerPhone(blocked=tuple(sorted(blocked)))
    friends_count = decision.step > STEP_OF_RELATIONSHIP and may_relate(call, facts)
    known = {who for who, tie in ties if tie in INVITED or (tie in FRIENDLY and friends_count)}
    return PerPhone(tuple(sorted(known - blocked)), tuple(sorted(blocked)), unwhispered)
