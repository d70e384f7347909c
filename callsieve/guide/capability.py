"""The capability `guide`: a printed page for everybody who has a phone."""

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="guide",
    is_optional=True,
    help=(Help("guide", Group.NUMBERS, "Print the guide for everybody with a phone."),),
    commands={
        "guide": "cli.commands:guide",
    },
)
