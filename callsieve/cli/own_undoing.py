"""`callsieve own undo`, and how each command of `callsieve own` says what takes it back."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.common import ConfigOption, existing_store, settings_of
from callsieve.cli.errors import CommandError
from callsieve.cli.storing import changing

if TYPE_CHECKING:
    from reputation.store.audit import Change


def add_to(group: typer.Typer) -> None:
    """Add `own undo`."""
    group.command("undo")(undo)


def undo(
    change_id: Annotated[
        int, typer.Argument(metavar="ID", min=1, max=sys.maxsize, help="As `audit` shows it.", show_default=False)
    ],
    config: ConfigOption = None,
) -> None:
    """Take back a change of own numbers, wishes or complaints; an import with all that it brought."""
    from callsieve.cli.show import plural, say
    from callsieve.undoing import COMPLAINTS, IMPORTS, REGISTER, WISHES, UndoError
    from callsieve.undoing import undo as undoing

    write = undoing(change_id, (*REGISTER, *WISHES, *COMPLAINTS), time.time())
    try:
        with existing_store(settings_of(config)) as db, changing(db, "undo") as change:
            count = write(db, change)
    except UndoError as error:
        raise CommandError(str(error)) from None
    what = change.what.removeprefix("undo ")
    about = f", {plural(count, 'number')}" if what in IMPORTS else f" of {change.number}" if change.number else ""
    say(f"Undone: {what}{about}.")


def say_undo(change: Change, config: Path | None) -> None:
    """What takes back a change that was written."""
    from callsieve.cli.show import say, say_command

    words = ["callsieve", "own", "undo", str(change.id), *(["--config", str(config)] if config else [])]
    say("To take it back:")
    say_command(shlex.join(words))
