"""A policy: ordered rules with conditions from a closed set, a default action, and optionally observe mode."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from policies.decision import Action, IncomingCall
from policies.reasons import Why
from reputation.facts import Facts
from reputation.wording import Wording


class PolicyError(ValueError):
    """The error for an unusable policy. `words` names the file, the line, the rule and the remedy."""

    def __init__(self, words: str | Wording) -> None:
        super().__init__(words)
        self.words = words


class PolicyNotFound(PolicyError):
    """The error for a name without a policy. `str()` lists the searched directories, `words` does not."""

    def __init__(self, name: str, words: Wording, looked: Wording | None = None) -> None:
        super().__init__(words)
        self.name = name
        self._looked = looked

    def __str__(self) -> str:
        return f"{self.words}{self._looked or ''}"


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """An error in the text of a policy. `path`: the path of the TOML key with the error."""

    text: str | Wording
    path: tuple[str | int, ...] = ()
    line: int | None = None

    def __str__(self) -> str:
        return str(self.words)

    @property
    def words(self) -> str | Wording:
        """Return the message, preceded by the line of the error if it is known."""
        if self.line is None:
            return self.text
        return Wording("line {line}: {problem}", {"line": self.line, "problem": self.text})


class Problems(list[PolicyProblem]):
    """The errors in a text, at most `MOST`. Reading continues after each error."""

    MOST = 50

    def add(self, text: str | Wording, path: tuple[str | int, ...]) -> None:
        """Add an error at the TOML path `path`. Raise TooManyProblems at the limit."""
        self.append(PolicyProblem(text, path))
        if len(self) >= self.MOST:
            raise TooManyProblems


class TooManyProblems(Exception):
    """The error for a text with so many errors that it is probably not a policy."""


class Ruling(NamedTuple):
    """The result of a step: the action, the name of the rule and the reason, with the rule's `label` and `ask`.

    `about_evidence`: True if the ruling depends on the evidence against the caller, or is the policy's default.
    """

    action: Action
    rule: str
    reason: Why
    label: str | None = None
    ask: str | None = None
    about_evidence: bool = True


@dataclass(slots=True)
class Case:
    """The input of conditions: a call and its facts. Not frozen, because a frozen class takes longer to create."""

    call: IncomingCall
    facts: Facts
    now: float

    def under(self, policies: PolicySet | Policy) -> tuple[IncomingCall, Facts, Policy, float]:
        """Return the arguments of `decide`, `decide_for_callee` and `explain`, with the policy for this call."""
        return self.call, self.facts, self.policy_of(policies), self.now

    def policy_of(self, policies: PolicySet | Policy) -> Policy:
        """Return which of the policies applies to this call."""
        return policies if isinstance(policies, Policy) else policies.policy_of(self.call, self.facts)


@dataclass(frozen=True, slots=True)
class Condition:
    """A named test with its operand. `text`: the condition as written in the file.

    `reads`: the fields of a case on which the result depends (`call.verification`); empty if unknown. `needs`: a field
    without which the condition is false; empty for none.
    """

    name: str
    operand: Any
    test: Callable[[Case, Any], bool] = field(compare=False, repr=False)
    text: str = field(compare=False, default="")
    reads: tuple[str, ...] = field(compare=False, repr=False, default=())
    needs: str = field(compare=False, repr=False, default="")

    def holds(self, case: Case) -> bool:
        """Return whether the condition is true for this case."""
        return self.test(case, self.operand)


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions, all of which must hold, and an action. `label`: the tag that the phone shows.

    `ask`: the question of a challenge, from decision.ASKS, if it differs from the settings. `about_evidence`: whether a
    condition tests a level or points.
    """

    name: str
    when: tuple[Condition, ...]
    action: Action
    reason: Why
    label: str | None = None
    ask: str | None = None
    about_evidence: bool = False

    def matches(self, case: Case) -> bool:
        """Return whether every condition of the rule holds."""
        return all_hold(self.when, case)

    @property
    def ruling(self) -> Ruling:
        """Return the ruling for calls that match the rule."""
        return Ruling(self.action, self.name, self.reason, self.label, self.ask, self.about_evidence)


def all_hold(conditions: tuple[Condition, ...], case: Case) -> bool:
    """Return whether every one of these conditions holds."""
    for condition in conditions:  # noqa: SIM110 (a generator for `all` took a quarter of `decide`)
        if not condition.test(case, condition.operand):
            return False
    return True


LeftRule = tuple[tuple[Condition, ...], Ruling]


class RuleTable:
    """The rules of a policy, with a cache of the rules that can still match for each combination of field values.

    The result of a condition depends only on the fields in its `reads`. Nearly all calls repeat the values of these
    fields, so each combination is tested once. A rule never matches a case that lacks a field that a condition needs.
    """

    MOST = 4096  # kept combinations, limited because callers choose some of the fields

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        reads = dict.fromkeys(path for rule in rules for condition in rule.when for path in condition.reads)
        needs = [*dict.fromkeys(condition.needs for rule in rules for condition in rule.when if condition.needs)]
        self._fields_of: Callable[[Case], Hashable] = attrgetter(*reads) if reads else lambda _case: None
        # Two at least, so that attrgetter always returns a tuple.
        needs += ["now"] * (2 - len(needs))
        self._needed_of: Callable[[Case], tuple[object, ...]] = attrgetter(*needs)
        self._left: dict[Hashable, tuple[LeftRule, ...]] = {}

    def ruling(self, case: Case) -> Ruling | None:
        """Return the ruling of the first rule that matches this case, or None."""
        fields = (self._fields_of(case), *map(bool, self._needed_of(case)))
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
        for rule in self._rules:
            needed = [attrgetter(condition.needs)(case) for condition in rule.when if condition.needs]
            if all(needed) and all_hold(tuple([condition for condition in rule.when if condition.reads]), case):
                yield tuple([condition for condition in rule.when if not condition.reads]), rule.ruling


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in the order in which they are tried, and a default action.

    `chain`: the names of this policy and of the policies that it extends. `conditions`: the names of all conditions in
    the rules.
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
    """A policy for some calls: calls to a DID or a group, or calls from a trunk."""

    policy: Policy
    did: str | None = None
    trunk: str | None = None
    group: str | None = None

    def covers(self, call: IncomingCall, facts: Facts) -> bool:
        """Return whether the policy of this scope applies to this call."""
        return (
            (self.did is None or self.did == call.did)
            and (self.trunk is None or self.trunk == call.trunk)
            and (self.group is None or self.group in callee_groups(facts))
        )


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The default policy of the PBX, and policies for parts of it. The first scope that covers a call wins."""

    default: Policy
    scopes: tuple[PolicyScope, ...] = ()

    def asks(self, condition: str) -> bool:
        """Return whether a rule of any policy uses this condition."""
        return condition in self.default.conditions or any(
            condition in scope.policy.conditions for scope in self.scopes
        )

    def policy_of(self, call: IncomingCall, facts: Facts) -> Policy:
        """Return the policy of the first scope that covers the call, or the default policy."""
        for scope in self.scopes:
            if scope.covers(call, facts):
                return scope.policy
        return self.default


def callee_groups(facts: Facts) -> tuple[str, ...]:
    """Return the groups that the call is for: the callee's group, or else the groups of the DID."""
    if facts.callee is not None and facts.callee.group is not None:
        return (facts.callee.group,)
    return facts.did.groups if facts.did is not None else ()
