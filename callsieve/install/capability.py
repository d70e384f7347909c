"""The capability `install`: adds CallSieve to Asterisk's configuration, or removes CallSieve from it."""

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="install",
    help=(Help("asterisk", Group.RUNNING, "Add CallSieve to Asterisk's configuration, or remove it."),),
    commands={
        "asterisk install": "cli.commands:install",
        "asterisk uninstall": "cli.commands:uninstall",
    },
)
