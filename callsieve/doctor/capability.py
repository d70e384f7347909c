"""The capability `doctor`: checks of everything that screening needs."""

from callsieve.capability import Capability, Group, Help, Unit

CAPABILITY = Capability(
    name="doctor",
    help=(Help("doctor", Group.SETTING_UP, "Check everything that screening needs."),),
    commands={
        "doctor": "cli.commands:doctor",
    },
    has_templates=True,
    checks="checks:CHECKS",
    units=(
        Unit("callsieve-doctor.service", "doctor"),
        Unit("callsieve-doctor.timer"),
    ),
)
