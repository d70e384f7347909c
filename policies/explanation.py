"""Explains a decision: the result of each step, limit and rule, and the conditions that did not hold. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass

from policies.conditions import why_not
from policies.decision import Decision, IncomingCall
from policies.engine import CAPS, STEPS, decide
from policies.policy import Case, Policy
from reputation.facts import Facts

PASSES = "passes"


@dataclass(frozen=True, slots=True)
class ExplanationLine:
    """A line of an explanation, about a step or a rule.

    Attributes:
        step: Which step the line is about.
        title: The name of the step or of the rule.
        outcome: The result of the step or rule.
        failed: The conditions of the rule that did not hold.
    """

    step: int
    title: str
    outcome: str
    failed: tuple[str, ...] = ()


def explain(call: IncomingCall, facts: Facts, policy: Policy, now: float) -> tuple[ExplanationLine, ...]:
    """Return the results of all steps and rules tried for this call, in order. The last line is the decision."""
    decision = decide(call, facts, policy, now)
    lines = _explain_steps(Case(call, facts, now), policy)
    return (*lines, ExplanationLine(decision.step, "decision", _in_words(decision)))


def _explain_steps(case: Case, policy: Policy) -> Iterator[ExplanationLine]:
    for step in STEPS:
        ruling = step.rule_on(case)
        yield ExplanationLine(
            step.number, step.title, PASSES if ruling is None else f"{ruling.action.word}: {ruling.reason}"
        )
        if ruling is not None:
            return
    for cap in CAPS:
        if cap.holds(case):
            bounded = " (evidence only)" if cap.only_evidence else ""
            yield ExplanationLine(7, "cap", f"{cap.highest.word} at most{bounded}: {cap.why_in(case)}")
    for rule in policy.rules:
        held = rule.matches(case)
        failed = tuple(why_not(condition, case) for condition in rule.when if not condition.holds(case))
        yield ExplanationLine(8, f"rule {rule.name}", f"{rule.action.word}: {rule.reason}" if held else PASSES, failed)
        if held:
            return
    yield ExplanationLine(9, "default", policy.default.word)


def _in_words(decision: Decision) -> str:
    capped = f"; not stronger, because {decision.capped_by}" if decision.capped_by is not None else ""
    decided = f"{decision.would_be.word} by {decision.rule}{capped}"
    return f"{decision.action.word}; without `observe` the action would be {decided}" if decision.observed else decided
