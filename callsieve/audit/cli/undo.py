"""`callsieve undo`: one way back for every change whose row in the audit keeps how it was."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, existing_store, settings_of
from callsieve.cli.store import changing

if TYPE_CHECKING:
    pass

ChangeArgument = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=sys.maxsize, help="As `audit` shows it.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Add `undo`."""
    app.command("undo")(undo)


def undo(change_id: ChangeArgument, config: ConfigOption = None) -> None:
    """Take back a change, by its id in the audit; an import with all it brought."""
    from callsieve.changes.undo import KIND_BY_WHAT

    take_back(change_id, tuple(KIND_BY_WHAT), config)


def take_back(change_id: int, whats: tuple[str, ...], config: Path | None) -> None:
    """Takes back the change of this id, if it is one of `whats`, and says what was undone."""
    from callsieve.changes.undo import IMPORTS, UndoError
    from callsieve.changes.undo import undo as undoing
    from callsieve.cli.output import plural, say

    write = undoing(change_id, whats, time.time())
    try:
        with existing_store(settings_of(config)) as db, changing(db, "undo") as change:
            count = write(db, change)
    except UndoError as error:
        raise CommandError(str(error)) from None
    what = change.what.removeprefix("undo ")
    things = {"list import": ("entry", "entries"), "own import": ("number", "numbers")}.get(what, ("row", "rows"))
    subject = change.number or change.name
    about = f", {plural(count, *things)}" if what in IMPORTS else f" of {subject}" if subject else ""
    say(f"Undone: {what}{about}.")
