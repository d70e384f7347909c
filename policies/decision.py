"""The input and the result of a decision: `decide(call: IncomingCall, facts: Facts, policy, now) -> Decision`.

IncomingCall, Facts and Decision are named tuples: a frozen dataclass takes three to eight times as long to create.
"""

from enum import IntEnum
from typing import NamedTuple

from policies.reasons import Why, why_of_failure
from reputation.model import NO_REPUTATION, Attestation, AuthClass, Level, Reputation, Verification, auth_class_of
from reputation.numbers import Number
from reputation.plan.rows import Purpose


class Action(IntEnum):
    """The actions of a policy, weakest first, so that they can be compared. `word`: the name in files and journal."""

    word: str

    ALLOW = 0
    TAG = 1
    WARN = 2
    CHALLENGE = 3
    ROUTE = 4
    REJECT = 5


for _action in Action:  # computed once: a property would build the text for every call
    _action.word = _action._name_.lower()

# For code that every call runs: before Python 3.12 an enum member costs ten times as much as a global name.
ALLOW, TAG, WARN, CHALLENGE, ROUTE, REJECT = Action

ACTION_BY_WORD = {action.word: action for action in Action}

# A challenge asks the caller to press a digit, to say a name (the callee then decides), or, if the number is withheld,
# to enter it.
ASKS = ("digit", "name", "number")


class IncomingCall(NamedTuple):
    """An incoming call. Only `trunk`, `trusted` and `carrier_counts` can be trusted.

    Attributes:
        trusted: Whether the settings trust the trunk.
        priority_callback: Whether the call carries `Priority: psap-callback`, which marks an emergency call-back.
        diverted_from: The number that diverted the call here. `caller` is the original caller.
        name: The caller's name as the carrier or the caller gave it; None if names were not recorded.
        withheld: The number that the caller withholds, if the settings let blocklists match such numbers.
        carrier_counts: Whether reports of the trunk's carrier about the caller count as evidence.
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
        """Return how well the caller is authenticated. The store keeps evidence about the call under this class."""
        return auth_class_of(self.attestation, self.verification, self.trusted)


class Decision(NamedTuple):
    """A decision with its explanation.

    Attributes:
        step: The step that decided (docs/reference/policies.md); 0 for fail-open.
        would_be: The action without observe mode.
        observed: Whether observe mode is on, so that `action` is `allow`.
        capped_by: Why a limit weakened the policy's action; None if it was not weakened.
        name: The name of a verified caller.
        label: The rule's tag.
        category: The kind of unwanted call that imported lists report of the number.
        callee: The callee's extension, if known.
        language: The callee's language, if known.
        ask: The rule's question for a challenge.
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

# The rules of the steps before the policy (policies/engine.py). No rule of a policy may have one of these names.
OWN_RULES = frozenset(
    {
        *(FAIL_OPEN_RULE, "internal", "emergency-number", "unscreened-did", "emergency-window", "emergency-callback"),
        *("callee-allowlist", "callee-blocklist", "expected-call", "allowlist", "blocklist", "contact", "talked"),
        *("quiet-hours", "default", "trap"),
    }
)


def fail_open(reason: str) -> Decision:
    """Return the decision that allows a call because no decision was made in time."""
    return Decision(Action.ALLOW, FAIL_OPEN_RULE, why_of_failure(reason), step=0)
