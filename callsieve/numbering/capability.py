"""What the capability `numbering` adds to the program: what ranges of numbers are for."""

from __future__ import annotations

from callsieve.capability import Capability, Entry, Group, Help
from reputation.wording import N_

CAPABILITY = Capability(
    name="numbering",
    help=(Help("plan", Group.NUMBERS, "What ranges of numbers are for, and who says so."),),
    commands={
        "plan show": "cli.commands:show",
        "plan check": "cli.commands:check",
        "plan update": "cli.commands:update",
        "plan remove": "cli.commands:remove",
    },
    pages=("web.pages",),
    navigation=(Entry(11, "/plans", N_("Ranges")),),
    has_templates=True,
)
