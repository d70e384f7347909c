"""What goes into a decision and what comes out of it. Read this file first.

    decide(call: IncomingCall, facts: Facts, policy: Policy, now: float) -> Decision      (policies/engine.py)

An IncomingCall is what Asterisk said, parsed; Facts are what we know; a Decision is what to do and why. All are named
tuples: one of each is made for every call, and a frozen dataclass takes three to eight times as long to make.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from policies.reasons import Why, why_of_failure
from reputation.model import NO_REPUTATION, Attestation, AuthClass, Level, Reputation, Verification, auth_class_of
from reputation.numbers import Number
from reputation.plan.rows import Purpose


class Action(IntEnum):
    """What the policy orders, weakest first: the order is what a cap works on.

    `word`: in policies, in CALLSIEVE_ACTION and in the journal.
    """

    word: str

    ALLOW = 0
    TAG = 1
    WARN = 2
    CHALLENGE = 3
    ROUTE = 4
    REJECT = 5


for _action in Action:  # once: a property would make the text anew for every call
    _action.word = _action._name_.lower()

# For what every call goes through: until Python 3.12 a member costs ten times as much as a global name.
ALLOW, TAG, WARN, CHALLENGE, ROUTE, REJECT = Action

ACTION_BY_WORD = {action.word: action for action in Action}

# What a challenge may ask a caller for: to press a digit, to say who it is (the callee then decides), or, of one who
# hides it, to enter the number.
ASKS = ("digit", "name", "number")


class IncomingCall(NamedTuple):
    """One inbound call as it reached us. Nothing here is trusted but `trunk`, `trusted` and `carrier_counts`.

    `priority_callback`: the call carries `Priority: psap-callback`. `diverted_from`: the number that redirected
    the call to us, the caller being the original one. `name`: the name that came with the call, which may be the
    carrier's word or the caller's own; None where nobody wrote it down (a call of the past).
    `withheld`: the number of a caller who withholds it, where blocklists may match it; nothing else does.
    `carrier_counts`: whether what the trunk's carrier says of the caller is evidence.
    """

    linkedid: str
    caller: Number
    did: str | None = None
    trunk: str | None = None
    trusted: bool = False
    attestation: Attestation = Attestation.NONE
    verification: Verification = Verification.NONE
    priority_callback: bool = False
    diverted_from: str | None = None
    name: str | None = ""
    withheld: str | None = None
    carrier_counts: bool = False

    @property
    def auth_class(self) -> AuthClass:
        """The class that evidence about this call is kept under."""
        return auth_class_of(self.attestation, self.verification, self.trusted)


class Decision(NamedTuple):
    """A decision that explains itself.

    `action` is what to do; `would_be` what a policy in observe mode would have done (else the same), and
    `observed` whether it was in that mode;
    `step` the step of the written precedence (docs/policy-reference.md) that decided, 0 for fail-open;
    `capped_by` why the policy's own action was weakened, or None; `name` a verified caller's name to show;
    `label` the rule's own prefix for the display; `category` what imported sources call the number; `purpose` what the
    numbering plan says that it is for; `callee` the extension of the person the call is for, where known, and
    `language` that person's; `ask` what the rule wants a challenge to ask for, or None.
    """

    action: Action
    rule: str
    reason: Why
    step: int
    policy: str = ""
    would_be: Action = Action.ALLOW
    observed: bool = False
    level: Level = Level.NONE
    reputation: Reputation = NO_REPUTATION
    capped_by: Why | None = None
    name: str | None = None
    label: str | None = None
    category: str | None = None
    purpose: Purpose | None = None
    callee: str | None = None
    language: str | None = None
    ask: str | None = None


FAIL_OPEN_RULE = "fail-open"

# What decides where no rule of a policy does (policies/engine.py). No rule may have one of these names.
OWN_RULES = frozenset(
    {
        *(FAIL_OPEN_RULE, "internal", "emergency-number", "unscreened-did", "emergency-window", "emergency-callback"),
        *("callee-allowlist", "callee-blocklist", "expected-call", "allowlist", "blocklist", "contact", "talked"),
        *("quiet-hours", "default", "trap"),
    }
)


def fail_open(reason: str) -> Decision:
    """The decision when screening could not decide in time: the call goes on as if we were not there."""
    return Decision(Action.ALLOW, FAIL_OPEN_RULE, why_of_failure(reason), step=0)
