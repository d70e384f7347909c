"""The capability `setup`: one command leads from an installed program to the first screened call."""

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="setup",
    help=(Help("setup", Group.SETTING_UP, "Connect CallSieve to your PBX, step by step, or undo that."),),
    commands={"setup": "cli.commands:setup"},
)
