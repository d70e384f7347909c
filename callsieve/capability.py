"""The description of a capability: what its folder adds to the program, as in `callsieve/lists/capability.py`.

Modules are named as strings and imported when they are first used. So `callsieve --help` imports no such module.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

from reputation.users import Role
from reputation.wording import N_, Wording


class Group(StrEnum):
    """The groups of commands, in the order of the help. `callsieve --help` shows only the first two groups."""

    EVERY_DAY = "Every day"
    SETTING_UP = "Setting CallSieve up"
    NUMBERS = "People and numbers"
    RUNNING = "Operating CallSieve"


class Help(NamedTuple):
    """The help text of the first word of a command. The text must fit on one line of 80 columns."""

    command: str
    group: Group
    text: str


class Section(StrEnum):
    """The sections of the console, in the order of the navigation."""

    TODAY = N_("Today")
    CALLS = N_("Calls")
    NUMBERS = N_("Numbers")
    RULES = N_("Rules")
    OWN_NUMBERS = N_("Own numbers")
    APPEALS = N_("Appeals")
    SETTINGS = N_("Settings")


class Entry(NamedTuple):
    """An entry of the navigation, sorted by `place`. `label`: the English text, which the catalogues translate.

    `is_central`: only the central console of a hub shows the entry.
    """

    place: int
    section: Section
    path: str
    label: str
    role: Role = Role.VIEWER
    is_central: bool = False


class Unit(NamedTuple):
    """A systemd unit in `asterisk-conf/`. `name`: the name of the unit's file.

    `command`: the words after `callsieve` in the unit's ExecStart; empty for timer and path units.
    """

    name: str
    command: str = ""


# By the name in the audit, which is the command: how a change is undone, or why it cannot be undone and what to do.
Changes: TypeAlias = "Mapping[str, Undo | Wording]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """How to undo a change that the audit records.

    Attributes:
        table: The table whose row is restored, if restoring a row undoes the change.
        by: Otherwise "module:NAME" of an `UndoKind`, such as `callsieve.lists.undo:ENTRY`.
        role: The lowest role that may undo the change.
        is_import: Whether the change is an import. The audit has a row for each imported item, then one for the import.
        along: The names of changes that were made in the same step, about the same number, and are undone together with
            this change.
    """

    table: str = ""
    by: str = ""
    role: Role = Role.OPERATOR
    is_import: bool = False
    along: tuple[str, ...] = ()


# Why some changes cannot be undone.
DATA_OUT = Wording("The command only exported data. Nothing was changed.")
NOT_KEPT = Wording("The earlier state was not kept.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """A capability: everything that one folder of `callsieve/` adds to the program.

    Attributes:
        help: The help text of the first word of each command.
        help_within: The help text of each command group within a command, such as "hub people".
        commands: The function of each command, as "module:function" relative to the folder.
        pages: Modules that declare pages in a table PAGES.
        endpoints: Modules that declare API endpoints in a table ENDPOINTS.
        changes: The changes that the capability's operations write into the audit, and how each is undone.
        sentences: The sentence of an audit row, such as `{who} blocked {about}`, by change. The key "list add/block" is
            for additions to a blocklist. The key "list import/" is for imports, which are about no single entry.
        messages: The console's messages after a change, by the value of `said` in the page's address.
        has_templates: Whether the folder has templates, such as `lists/page.html` in callsieve/lists/web/templates.
        checks: "module:CHECKS", a tuple of HealthCheck: `doctor` and `status` run them.
        metrics: "module:function", a function `(db, loaded, now)` that returns the metric families for /metrics.
        scheduled: "module:SCHEDULED", a tuple of ScheduledCheck: the event sender runs them every half minute.
        is_optional: Whether `[capabilities] off` may switch the capability off.
    """

    name: str
    help: tuple[Help, ...] = ()
    help_within: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    navigation: tuple[Entry, ...] = ()
    changes: Changes = field(default_factory=dict)
    sentences: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    has_templates: bool = False
    checks: str = ""
    metrics: str = ""
    scheduled: str = ""
    is_optional: bool = False
    units: tuple[Unit, ...] = ()

    def load(self, place: str) -> Any:
        """Import an object, given as "module:name" relative to the capability's folder, and return it."""
        module, _, name = place.partition(":")
        return getattr(import_module(f"callsieve.{self.name}.{module}"), name)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The enabled capabilities. `changes` and `sentences` also contain entries of disabled capabilities."""

    all: tuple[Capability, ...]
    changes: Changes = field(default_factory=dict)
    sentences: Mapping[str, str] = field(default_factory=dict)

    def load(self, field_name: str) -> list[Any]:
        """Import and return the objects that the field `field_name` of each capability names. Skip empty fields."""
        places = ((capability, getattr(capability, field_name)) for capability in self.all)
        return [capability.load(place) for capability, place in places if place]

    def without(self, off: Collection[str]) -> Capabilities:
        """Return the capabilities without those named in `off`."""
        left = tuple(capability for capability in self.all if capability.name not in off)
        return Capabilities(left, self.changes, self.sentences)
