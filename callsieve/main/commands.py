"""The commands of all capabilities: where the function of each is, and what `callsieve --help` says."""

from __future__ import annotations

from callsieve.capability import Group
from callsieve.main.capabilities import CAPABILITIES

# Set by a shell that wants to know how a command line may go on.
COMPLETION = "_CALLSIEVE_COMPLETE"

GROUPS: dict[str, dict[str, str]] = {
    group.value: {help.command: help.text for one in CAPABILITIES for help in one.help if help.group is group}
    for group in Group
}
HELP = {name: text for group in GROUPS.values() for name, text in group.items()}
HELP_WITHIN = {words: text for one in CAPABILITIES for words, text in one.help_within.items()}
# The module of each is named from `callsieve` on.
COMMANDS = {command: f"{one.name}.{place}" for one in CAPABILITIES for command, place in one.commands.items()}
