"""What the capability `people` adds to the program: people from the PBX."""

from __future__ import annotations

from callsieve.capability import Capability

CAPABILITY = Capability(
    name="people",
    commands={
        "import people": "cli.commands:import_people",
    },
    endpoints=("api.endpoints",),
    checks="checks:CHECKS",
)
