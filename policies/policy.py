"""What a policy is: ordered rules over closed conditions, a default, and perhaps observe mode."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from policies.decision import Action, IncomingCall
from policies.reasons import Why
from reputation.facts import Facts


class PolicyError(ValueError):
    """A policy cannot be used. The text names the file, the line, the rule and the way out."""


class PolicyNotFound(PolicyError):
    """There is no policy of this name. `words` leave out where it was looked for."""

    def __init__(self, name: str, words: str, looked: str = "") -> None:
        super().__init__(words + looked)
        self.name = name
        self.words = words


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


class Ruling(NamedTuple):
    """What a step ordered: the action, the rule's name, and why; `label` and `ask` of the rule.

    `about_evidence`: whether it was ordered because of what is known against the caller, or by the default.
    """

    action: Action
    rule: str
    reason: Why
    label: str | None = None
    ask: str | None = None
    about_evidence: bool = True


@dataclass(slots=True)
class Case:
    """One call with all that is known about it at one instant: what a condition is tested on.

    Not frozen, which would take longer to make; nobody changes it.
    """

    call: IncomingCall
    facts: Facts
    now: float

    def under(self, policies: PolicySet | Policy) -> tuple[IncomingCall, Facts, Policy, float]:
        """Return the arguments of `decide`, `decide_for_callee` and `explain`, with the policy for this call."""
        return self.call, self.facts, self.policy_of(policies), self.now

    def policy_of(self, policies: PolicySet | Policy) -> Policy:
        """Return the policy that applies to this call."""
        return policies if isinstance(policies, Policy) else policies.policy_of(self.call, self.facts)


@dataclass(frozen=True, slots=True)
class Condition:
    """One named test with its operand, as loaded. `text` is how it is written in the file; `reads` are the fields of a
    case on which alone it depends (`call.verification`), empty where these are not known.
    """

    name: str
    operand: Any
    test: Callable[[Case, Any], bool] = field(compare=False, repr=False)
    text: str = field(compare=False, default="")
    reads: tuple[str, ...] = field(compare=False, repr=False, default=())

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
        return all_hold(self.when, case)

    @property
    def ruling(self) -> Ruling:
        """What it orders where it matches."""
        return Ruling(self.action, self.name, self.reason, self.label, self.ask, self.about_evidence)


def all_hold(conditions: tuple[Condition, ...], case: Case) -> bool:
    """Whether every one of them does."""
    for condition in conditions:  # noqa: SIM110 (a quarter of `decide` was the generator for `all`)
        if not condition.test(case, condition.operand):
            return False
    return True


LeftRule = tuple[tuple[Condition, ...], Ruling]


class RuleTable:
    """The rules of a policy, and those of them that are left for cases alike in the fields that their conditions read.

    A condition with known `reads` says the same wherever these are the same, and nearly all calls are alike in them. So
    it is tested once for each combination that comes up, and what is left of the rules is kept.
    """

    MOST = 4096  # combinations kept: callers choose some of the fields

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        reads = dict.fromkeys(path for rule in rules for condition in rule.when for path in condition.reads)
        self._fields_of: Callable[[Case], Hashable] = attrgetter(*reads) if reads else lambda _case: None
        self._left: dict[Hashable, tuple[LeftRule, ...]] = {}

    def ruling(self, case: Case) -> Ruling | None:
        """What the first rule that matches orders; None: none does."""
        fields = self._fields_of(case)
        left = self._left.get(fields)
        if left is None:
            if len(self._left) >= self.MOST:
                self._left.clear()
            left = self._left[fields] = tuple(self._left_for(case))
        for conditions, ruling in left:
            if all_hold(conditions, case):
                return ruling
        return None

    def _left_for(self, case: Case) -> Iterator[LeftRule]:
        """The rules that still may match, each with the conditions that are to be tested with every case."""
        for rule in self._rules:
            if all_hold(tuple([one for one in rule.when if one.reads]), case):
                yield tuple([one for one in rule.when if not one.reads]), rule.ruling


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in the order in which they are tried, and what happens when none matches.

    `chain` names the policies this one was built from, itself first; `conditions` are the names of all that its rules
    ask; `table` finds the rule that matches.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    default: Action = Action.ALLOW
    observe: bool = False
    chain: tuple[str, ...] = ()
    conditions: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    table: RuleTable = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", RuleTable(self.rules))


@dataclass(frozen=True, slots=True)
class PolicyScope:
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
    scopes: tuple[PolicyScope, ...] = ()

    def asks(self, condition: str) -> bool:
        """Return whether a rule of any of the policies has this condition."""
        return condition in self.default.conditions or any(condition in one.policy.conditions for one in self.scopes)

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
