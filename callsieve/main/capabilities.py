"""The table of all capabilities, from which commands, pages, endpoints and navigation are derived."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from callsieve.capability import Capabilities, Capability, Group, Help, Unit

if TYPE_CHECKING:
    from callsieve.api.endpoint import Endpoint


_OF_MAIN = Capability(
    name="main",
    help=(
        Help("help", Group.SETTING_UP, "Show all commands, or a page: callsieve help console."),
        Help("serve", Group.RUNNING, "Run the daemon that answers Asterisk."),
        Help("api", Group.RUNNING, "Run the API for programs and other switches."),
        Help("web", Group.RUNNING, "Run only the console, without the daemon."),
        Help("public", Group.RUNNING, "Run the public page for appeals, and its backend."),
        Help("man", Group.RUNNING, "Print the manual page."),
        Help("completion", Group.RUNNING, "Print the script that completes commands in a shell."),
    ),
    commands={
        "help": "manual_page:show_help",
        "serve": "server_commands:serve",
        "api": "server_commands:api",
        "web": "server_commands:web",
        "public page": "public_page:page",
        "public backend": "public_backend:backend",
        "man": "manual_page:man",
        "completion": "manual_page:completion",
    },
    units=(
        Unit("callsieve.service", "serve"),
        Unit("callsieve-api.service", "api"),
        Unit("callsieve-public.service", "public page"),
        Unit("callsieve-public-backend.service", "public backend"),
    ),
)
# In the order of the help and of the API's document.
_NAMES = [
    "status",
    "policy",
    "replay",
    "digest",
    "today",
    "calls",
    "numbers",
    "lists",
    "switch",
    "audit",
    "identities",
    "appeals",
    "reporting",
    "own_numbers",
    "mark_watch",
    "evidence_packs",
    "call_lists",
    "imports",
    "people",
    "person_page",
    "lookups",
    "exchange",
    "numbering",
    "guide",
    "doctor",
    "install",
    "setup",
    "decide",
    "events",
    "hub",
    "call_back",
    "hearing",
    "prompts",
    "public_page",
    "maintenance",
    "users",
    "tokens",
    "signing",
    "monitoring",
    "search",
]
CAPABILITIES: tuple[Capability, ...] = (
    *(import_module(f"callsieve.{name}.capability").CAPABILITY for name in _NAMES),
    _OF_MAIN,
)
CHANGES = {what: undo for capability in CAPABILITIES for what, undo in capability.changes.items()}
SENTENCES = {what: text for capability in CAPABILITIES for what, text in capability.sentences.items()}
ALL = Capabilities(CAPABILITIES, CHANGES, SENTENCES)


# Set by a shell that asks for completions.
COMPLETION = "_CALLSIEVE_COMPLETE"

GROUPS: dict[str, dict[str, str]] = {
    group.value: {
        help.command: help.text for capability in CAPABILITIES for help in capability.help if help.group is group
    }
    for group in Group
}
HELP = {name: text for group in GROUPS.values() for name, text in group.items()}
HELP_WITHIN = {words: text for capability in CAPABILITIES for words, text in capability.help_within.items()}
# Which `callsieve --help` shows; `callsieve help all` shows all.
SHORT_HELP = (Group.EVERY_DAY.value, Group.SETTING_UP.value)
RUN_BY_UNITS = {unit.command for capability in CAPABILITIES for unit in capability.units if unit.command}
# Modules are named below `callsieve`.
COMMANDS = {
    command: f"{capability.name}.{place}"
    for capability in CAPABILITIES
    for command, place in capability.commands.items()
}


def capability_of(command: str) -> str:
    """Return the name of the capability that has the command."""
    return COMMANDS[command].partition(".")[0]


def capabilities_below(words: str) -> set[str]:
    """Return the names of the capabilities that have a command whose name begins with these words."""
    return {capability_of(command) for command in COMMANDS if f"{command} ".startswith(f"{words} ")}


def endpoints_of(capabilities: Capabilities) -> tuple[Endpoint, ...]:
    """Return the API endpoints of the given capabilities."""
    return tuple(
        endpoint
        for capability in capabilities.all
        for module in capability.endpoints
        for endpoint in import_module(f"callsieve.{capability.name}.{module}").ENDPOINTS
    )
