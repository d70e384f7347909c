"""Policies, and cases that were tried, for scripts and programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policies.cases import Tried
from policies.policy import Policy


def policy_as_json(policy: Policy) -> dict[str, object]:
    """A policy: its rules in the order in which they are tried."""
    return {
        "name": policy.name,
        "chain": policy.chain,
        "observe": policy.observe,
        "default": policy.default.word,
        "rules": [
            {
                "name": rule.name,
                "when": [condition.text for condition in rule.when],
                "action": rule.action.word,
                "reason": str(rule.reason),
                "label": rule.label,
                "ask": rule.ask,
            }
            for rule in policy.rules
        ],
    }


def tried_as_json(tried: Iterable[tuple[str, Tried]]) -> dict[str, Any]:
    """Cases with the file that each is from, and how many differ from what is expected."""
    cases = [
        {
            "file": file,
            "name": one.name,
            "passed": not one.differs,
            "differs": [{"key": key, "expected": expected, "found": found} for key, expected, found in one.differs],
            "policy": one.decision.policy,
            "action": one.decision.action.word,
            "would_be": one.decision.would_be.word,
            "rule": one.decision.rule,
            "reason": str(one.decision.reason),
            "step": one.decision.step,
            "capped_by": None if one.decision.capped_by is None else str(one.decision.capped_by),
        }
        for file, one in tried
    ]
    return {"cases": len(cases), "failed": sum(not one["passed"] for one in cases), "tried": cases}
