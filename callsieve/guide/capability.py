"""The capability `guide`: a page for all phone users, to print."""

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="guide",
    is_optional=True,
    help=(Help("guide", Group.NUMBERS, "Print the guide for phone users."),),
    commands={
        "guide": "cli.commands:guide",
    },
)
