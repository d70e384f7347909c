"""What the capability `lookups` adds to the program: questions to others about callers."""

from __future__ import annotations

from callsieve.capability import Capability, Group, Help, Unit

CAPABILITY = Capability(
    name="lookups",
    help=(Help("lookups", Group.NUMBERS, "Ask others about unknown callers; how good they are."),),
    commands={
        "lookups serve": "cli.commands:serve",
        "lookups show": "cli.commands:show",
        "lookups enable": "cli.commands:enable",
        "lookups disable": "cli.commands:disable",
    },
    checks="checks:CHECKS",
    units=(Unit("callsieve-lookups.service", "lookups serve"),),
)
