"""What the capability `doctor` adds to the program: everything that screening needs."""

from __future__ import annotations

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="doctor",
    help=(Help("doctor", Group.RUNNING, "Look at everything that screening needs."),),
    commands={
        "doctor": "cli.commands:doctor",
    },
    has_templates=True,
    checks="checks:CHECKS",
)
