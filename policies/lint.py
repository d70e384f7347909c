"""Remarks on a policy that can be used: what in it never holds. Its errors: `policies.loader.read_policy`."""

from __future__ import annotations

from collections.abc import Mapping

from policies.conditions import single_conditions
from policies.policy import Policy

# Conditions whose operands are names that the settings define; one that is not there never holds.
NAMES = {"trunk": "[[trunk]]", "did": "[[did]]", "callee_group": "[[person]] or [[did]]", "listed": "imported source"}


def unknown_names(policy: Policy, known: Mapping[str, frozenset[str]]) -> list[str]:
    """Conditions that name a trunk, DID, group or source that is not in `known` (by condition): remarks, no errors."""
    return [
        f"rule '{rule.name}': {condition.name} {name!r} is no {NAMES[condition.name]}: it never holds"
        for rule in policy.rules
        for condition in single_conditions(rule.when)
        if condition.name in NAMES and condition.name in known
        for name in sorted(condition.operand - known[condition.name])
    ]
