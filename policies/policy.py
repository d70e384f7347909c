"""What a policy is: ordered rules over closed conditions, a default, and perhaps observe mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from policies.decision import Action, IncomingCall
from policies.reasons import Why
from reputation.model import Facts


class PolicyError(ValueError):
    """A policy cannot be used. The text names the file, the line, the rule and the way out."""


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One thing that is wrong with a policy's text. `path`: of the key that it is about, as TOML nests them."""

    text: str
    path: tuple[str | int, ...] = ()
    line: int | None = None

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


class Problems(list[PolicyProblem]):
    """Those that are found while a text is read; reading goes on after each, up to MOST of them."""

    MOST = 50

    def add(self, text: str, path: tuple[str | int, ...]) -> None:
        """One more. TooManyProblems after the last that anybody would read."""
        self.append(PolicyProblem(text, path))
        if len(self) >= self.MOST:
            raise TooManyProblems


class TooManyProblems(Exception):
    """What is read is hardly a policy: nobody looks for more."""


@dataclass(slots=True)
class Case:
    """One call with all that is known about it at one instant: what a condition is tested on.

    Not frozen, which would take longer to make; nobody changes it.
    """

    call: IncomingCall
    facts: Facts
    now: float


@dataclass(frozen=True, slots=True)
class Condition:
    """One named test with its operand, as loaded. `text` is how it is written in the file."""

    name: str
    operand: Any
    test: Callable[[Case, Any], bool] = field(compare=False, repr=False)
    text: str = field(compare=False, default="")

    def holds(self, case: Case) -> bool:
        """Whether it does in this case."""
        return self.test(case, self.operand)


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions, all of which must hold, and one action. `label` is the prefix a tag shows on the phone; `ask` what a
    challenge asks for, one of decision.ASKS, where that is not left to the settings. `about_evidence`: one of the
    conditions is about a level or points; other rules are for strangers, whatever is known of them.
    """

    name: str
    when: tuple[Condition, ...]
    action: Action
    reason: Why
    label: str | None = None
    ask: str | None = None
    about_evidence: bool = False

    def matches(self, case: Case) -> bool:
        """Whether every condition holds."""
        for condition in self.when:  # noqa: SIM110 (a quarter of `decide` was the generator for `all`)
            if not condition.test(case, condition.operand):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in the order in which they are tried, and what happens when none matches.

    `chain` names the policies this one was built from, itself first.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    default: Action = Action.ALLOW
    observe: bool = False
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which policy applies to part of the calls: those to a DID or a group, or from a trunk."""

    policy: Policy
    did: str | None = None
    trunk: str | None = None
    group: str | None = None

    def covers(self, call: IncomingCall, facts: Facts) -> bool:
        """Whether this call is in the scope."""
        return (
            (self.did is None or self.did == call.did)
            and (self.trunk is None or self.trunk == call.trunk)
            and (self.group is None or self.group in callee_groups(facts))
        )


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The policy of the whole PBX and its scopes, in order: the first that covers a call wins."""

    default: Policy
    scopes: tuple[Scope, ...] = ()

    def policy_of(self, call: IncomingCall, facts: Facts) -> Policy:
        """The policy that applies to a call."""
        for scope in self.scopes:
            if scope.covers(call, facts):
                return scope.policy
        return self.default


def callee_groups(facts: Facts) -> tuple[str, ...]:
    """The groups the call is for: that of the person, else those of the DID."""
    if facts.callee is not None and facts.callee.group is not None:
        return (facts.callee.group,)
    return facts.did.groups if facts.did is not None else ()
