"""`callsieve undo`: one way back for every change whose row in the audit keeps how it was."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from callsieve.changes import undo as operation
from callsieve.changes.names import IMPORTS
from callsieve.cli.options import ConfigOption, settings_of
from callsieve.cli.output import plural, say
from callsieve.cli.store import perform

THINGS = {"list import": ("entry", "entries"), "own import": ("number", "numbers")}

ChangeArgument = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=sys.maxsize, help="As `audit` shows it.", show_default=False)
]


def undo(change_id: ChangeArgument, config: ConfigOption = None) -> None:
    """Undo a change by its id; an import with all it brought. It says so when a change cannot be undone."""
    done = perform(settings_of(config), operation.undo, operation.UndoRequest(change_id), existing=True)
    if done.what in IMPORTS:
        say(f"Undone: {done.what}, {plural(done.things, *THINGS.get(done.what, ('row', 'rows')))}.")
    else:
        say(f"Undone: {done.what}{f' of {done.subject}' if done.subject else ''}.")
