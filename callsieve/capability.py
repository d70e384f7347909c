"""What a capability adds to the program, as one value in its folder: `callsieve/lists/capability.py`.

Modules are named as strings and imported when they are needed: `callsieve --help` imports none of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

from reputation.users import Role
from reputation.wording import Wording


class Group(StrEnum):
    """The groups of commands, in the order of the help. `callsieve --help` shows the first two alone."""

    EVERY_DAY = "Every day"
    SETTING_UP = "Setting it up"
    NUMBERS = "People and numbers"
    RUNNING = "Running it"


class Help(NamedTuple):
    """What `callsieve --help` says of a first word; it fits beside its name at 80 columns."""

    command: str
    group: Group
    text: str


class Entry(NamedTuple):
    """An entry of the navigation, sorted by `place`. `label` is English; the catalogues translate it.

    `is_central`: only the central console of a hub has it.
    """

    place: int
    path: str
    label: str
    role: Role = Role.VIEWER
    is_central: bool = False


class Unit(NamedTuple):
    """A systemd unit of `asterisk-conf/`, by the name of its file.

    `command`: the words after `callsieve` in its ExecStart; empty for a timer and a path.
    """

    name: str
    command: str = ""


# By the name in the audit, which is the command: how a change is undone, or why it cannot be and what helps instead.
Changes: TypeAlias = "Mapping[str, Undo | Wording]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """How a change that the audit names is undone.

    Attributes:
        table: The table whose row is put back as it was, where that is all.
        by: "module:NAME" of an `UndoKind` where it is not: `callsieve.lists.undo:ENTRY`.
        role: The least role that may undo it.
        is_import: Whether it has a row of the audit for each thing that it changed, and a last one for all of them.
        along: Changes that are made in the same step, about the same number: they are undone with it.
    """

    table: str = ""
    by: str = ""
    role: Role = Role.OPERATOR
    is_import: bool = False
    along: tuple[str, ...] = ()


# Why some changes cannot be undone.
DATA_OUT = Wording("It took data out and changed nothing.")
NOT_KEPT = Wording("What was there before is not kept.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What one folder of `callsieve/` adds.

    Attributes:
        help: The first words of its commands.
        help_within: What is said of words within a command that have others below them.
        commands: "module:function" by command, below the folder.
        pages: Modules with a table PAGES.
        endpoints: Modules with a table ENDPOINTS.
        changes: What its operations write into the audit, and how each change is undone.
        messages: What the console says after something was done, by the word in `?said=`.
        has_templates: Whether it has templates: `lists/page.html` is in callsieve/lists/web/templates.
        checks: "module:CHECKS", a tuple of HealthCheck: `doctor` and `status` run them.
        metrics: "module:function" of (db, loaded, now), which returns the families that /metrics shows.
        scheduled: "module:SCHEDULED", a tuple of ScheduledCheck: the sender of events runs them every half minute.
        is_optional: Whether `[capabilities] off` may name it.
    """

    name: str
    help: tuple[Help, ...] = ()
    help_within: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    navigation: tuple[Entry, ...] = ()
    changes: Changes = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    has_templates: bool = False
    checks: str = ""
    metrics: str = ""
    scheduled: str = ""
    is_optional: bool = False
    units: tuple[Unit, ...] = ()

    def load(self, place: str) -> Any:
        """Import what "module:name" names below the folder."""
        module, _, name = place.partition(":")
        return getattr(import_module(f"callsieve.{self.name}.{module}"), name)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """All that the program can do and the settings leave on, and all changes, also of those that are off.

    `main` passes it to what loops over it: as `ctx.obj`, or as a service of pages.
    """

    all: tuple[Capability, ...]
    changes: Changes = field(default_factory=dict)

    def load(self, field_name: str) -> list[Any]:
        """Return what each capability names in this field, imported now. Those that name nothing are left out."""
        places = ((one, getattr(one, field_name)) for one in self.all)
        return [one.load(place) for one, place in places if place]

    def without(self, off: Collection[str]) -> Capabilities:
        """Return those that `[capabilities] off` of the settings does not name."""
        return Capabilities(tuple(one for one in self.all if one.name not in off), self.changes)
