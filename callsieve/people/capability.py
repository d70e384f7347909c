"""What the capability `people` adds to the program: people from the PBX."""

from __future__ import annotations

from callsieve.capability import Capability, Unit

CAPABILITY = Capability(
    name="people",
    commands={
        "import people": "cli.commands:import_people",
    },
    endpoints=("api.endpoints",),
    checks="checks:CHECKS",
    units=(
        Unit("callsieve-people.service", "import people --from freepbx --yes --quiet"),
        Unit("callsieve-people.timer"),
        Unit("callsieve-people.path"),
    ),
)
