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
# Which `callsieve --help` shows; `callsieve help all` shows all.
SHORT_HELP = (Group.EVERY_DAY.value, Group.SETTING_UP.value)
RUN_BY_UNITS = {unit.command for one in CAPABILITIES for unit in one.units if unit.command}
# The module of each is named from `callsieve` on.
COMMANDS = {command: f"{one.name}.{place}" for one in CAPABILITIES for command, place in one.commands.items()}


def capability_of(command: str) -> str:
    """Return the name of the capability that a command belongs to."""
    return COMMANDS[command].partition(".")[0]


def capabilities_below(words: str) -> set[str]:
    """Return the names of the capabilities with a command that begins with these words."""
    return {capability_of(command) for command in COMMANDS if f"{command} ".startswith(f"{words} ")}
