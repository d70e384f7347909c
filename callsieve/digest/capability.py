"""The capability `digest`: a summary of the calls of a day, with tasks that wait for people."""

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
