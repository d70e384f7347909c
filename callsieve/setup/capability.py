"""The capability `setup`: from an installed program to the first screened call with one command."""

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="setup",
    help=(Help("setup", Group.SETTING_UP, "Connect CallSieve to your PBX, step by step, or undo that."),),
    commands={"setup": "cli.commands:setup"},
)
