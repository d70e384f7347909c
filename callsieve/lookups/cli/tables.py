"""Whom we ask, as a table: `callsieve lookups show` and `callsieve feeds`."""

from __future__ import annotations

from callsieve.cli.output import print_table, say
from callsieve.lookups.views import LookupShown


def print_lookups(found: tuple[LookupShown, ...]) -> None:
    """The table, and below it what is to be said of single ones."""
    rows = [
        (one.name, one.state_word, one.asked_text, one.cost_text, one.right_text, one.changed_text) for one in found
    ]
    print_table(("look-up", "state", "asked", "cost", "right", "calls"), rows, keep=(1, 2, 3, 4, 5))
    for one in found:
        for remark in one.remarks:
            say(f"{one.name}: {remark}")
