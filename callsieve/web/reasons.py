"""The reasons of decisions in any language: by the tables that they were made from, and never by guess."""

from __future__ import annotations

from functools import cache

from agi.server import FailOpen
from policies.loader import PRESETS, load_policy
from policies.reasons import wording_of
from reputation.wording import Wording


@cache
def reasons_of_ours() -> frozenset[str]:
    """Those of the presets' rules, and why a call was not decided about in time."""
    presets = {rule.reason for name in PRESETS for rule in load_policy(name).rules}
    return frozenset({*presets, *(one.value for one in FailOpen)})


def worded(reason: str) -> Wording | None:
    """A reason as the journal has it; None for one that an operator wrote."""
    return wording_of(reason, reasons_of_ours())
