"""The capability `hearing`: transcribes the names that callers say when a challenge asks for a name."""

from callsieve.capability import Capability, Group, Help, Unit

CAPABILITY = Capability(
    name="hearing",
    help=(Help("hearing", Group.RUNNING, "Turn what callers say into text, for the daemon."),),
    commands={"hearing": "cli.commands:hear"},
    checks="checks:CHECKS",
    metrics="checks:metrics",
    units=(Unit("callsieve-hearing.service", "hearing"),),
)
