"""The capability `digest`: the calls of a day, and tasks that wait."""

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="digest",
    is_optional=True,
    help=(Help("digest", Group.EVERY_DAY, "Show one day: likely mistakes, and what needs attention."),),
    commands={
        "digest": "cli.commands:digest",
    },
    scheduled="operations:SCHEDULED",
)
