"""`callsieve own undo`, and how each command of `callsieve own` says what takes it back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from callsieve.audit.cli.undo import ChangeArgument, take_back
from callsieve.cli import output
from callsieve.cli.options import ConfigOption

if TYPE_CHECKING:
    import typer

    from reputation.store.audit import Change


def add_to(group: typer.Typer) -> None:
    """Add `own undo`."""
    group.command("undo")(undo)


def undo(change_id: ChangeArgument, config: ConfigOption = None) -> None:
    """Take back a change of own numbers, wishes or complaints; an import with all that it brought."""
    from callsieve.changes.undo import COMPLAINTS, REGISTER, WISHES

    take_back(change_id, (*REGISTER, *WISHES, *COMPLAINTS), config)


def say_undo(change: Change, config: Path | None) -> None:
    """What takes back a change that was written."""
    output.say_undo(change.id, config, "own undo")
