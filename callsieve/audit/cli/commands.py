"""`callsieve audit` and `undo`: who of us changed what, and one way back for every change that has one."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from callsieve.audit.views import audited
from callsieve.changes import undo as operation
from callsieve.changes.describe import change_of
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    context_of,
    existing_store,
    number_argument,
    print_json,
    settings_of,
)
from callsieve.cli.output import plural, print_table, say
from callsieve.text.times import when
from reputation.store.audit import AuditFilter, search_audit

MOST_SHOWN = 10_000
THINGS = {"list import": ("entry", "entries"), "own import": ("number", "numbers")}

ChangeArgument = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=sys.maxsize, help="As `audit` shows it.", show_default=False)
]


def show(
    known: typer.Context,
    number: Annotated[str | None, typer.Argument(help="Only what concerns this number.", show_default=False)] = None,
    last: Annotated[int, typer.Option(min=1, max=MOST_SHOWN, help="How many, the latest first.")] = 50,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show who changed what and when: lists, marks, identities, appeals, imports. The latest first."""
    loaded = settings_of(config)
    e164 = None if number is None else number_argument(number, loaded)
    with existing_store(loaded) as db:
        found = search_audit(db, AuditFilter(about=e164, limit=last))
        context = replace(context_of(loaded), changes=known.obj.changes)
        shown = [audited(db, context, one) for one in found] if as_json else []
    if as_json:
        print_json(shown)
    elif found:
        print_table(
            ("id", "time", "who", "did", "about", "change"),
            (
                (str(id), when(row.at), row.who, row.what, row.number or row.name, str(change_of(row)))
                for id, row in found
            ),
            keep=(0, 1, 3, 4),
            right=(0,),
        )
    else:
        say("Nobody has changed anything yet." if e164 is None else f"Nobody has changed anything about {e164}.")


def undo(known: typer.Context, change_id: ChangeArgument, config: ConfigOption = None) -> None:
    """Undo a change by its id; an import with all it brought. It says so when a change cannot be undone."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        context = replace(context_of(loaded), changes=known.obj.changes)
        done = operation.undo(db, context, operation.UndoRequest(change_id))
    if done.is_import:
        say(f"Undone: {done.what}, {plural(done.things, *THINGS.get(done.what, ('row', 'rows')))}.")
    else:
        say(f"Undone: {done.what}{f' of {done.subject}' if done.subject else ''}.")
