"""The capability `install`: CallSieve's part of Asterisk's configuration."""

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="install",
    help=(Help("asterisk", Group.RUNNING, "Add CallSieve to Asterisk's configuration, or remove it."),),
    commands={
        "asterisk install": "cli.commands:install",
        "asterisk uninstall": "cli.commands:uninstall",
    },
)
