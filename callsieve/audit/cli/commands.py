"""`callsieve audit` and `callsieve undo`: show who changed what, and undo changes."""

import sys
from dataclasses import replace
from typing import Annotated

import typer

from callsieve.audit.views import audited
from callsieve.changes import undo as operation
from callsieve.changes.describe import change_of, sentence_of, user_of
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
from reputation.store.audit import AuditFilter, AuditRow, search_audit

MOST_SHOWN = 10_000
THINGS = {"list import": ("entry", "entries"), "own import": ("number", "numbers")}

ChangeArgument = Annotated[
    int,
    typer.Argument(
        metavar="ID", min=1, max=sys.maxsize, help="The id of the change, from `callsieve audit`.", show_default=False
    ),
]


def show(
    known: typer.Context,
    number: Annotated[
        str | None, typer.Argument(help="Show only changes about this number.", show_default=False)
    ] = None,
    last: Annotated[int, typer.Option(min=1, max=MOST_SHOWN, help="How many changes to show, the latest first.")] = 50,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show who changed what and when (lists, marks, identities, appeals, imports), the latest first."""
    loaded = settings_of(config)
    e164 = None if number is None else number_argument(number, loaded)
    with existing_store(loaded) as db:
        changes = search_audit(db, AuditFilter(about=e164, limit=last))
        context = replace(context_of(loaded), changes=known.obj.changes)
        shown = [audited(db, context, entry) for entry in changes] if as_json else []
    if as_json:
        print_json(shown)
    elif changes:
        rows = [
            (str(id), when(row.at), str(sentence_of(row, known.obj.sentences, user_of(row.who)))) for id, row in changes
        ]
        print_table(
            ("id", "time", "what happened"), rows, keep=(0, 1), right=(0,), below=[_remark(row) for _, row in changes]
        )
    else:
        say("No changes yet." if e164 is None else f"No changes about {e164}.")


def _remark(row: AuditRow) -> str:
    change = str(change_of(row))
    return f"{row.what}, {row.who}{f': {change}' if change else ''}"


def undo(known: typer.Context, change_id: ChangeArgument, config: ConfigOption = None) -> None:
    """Undo a change by its id, or an import with everything that it added. If this is impossible, print the reason."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        context = replace(context_of(loaded), changes=known.obj.changes)
        done = operation.undo(db, context, operation.UndoRequest(change_id))
    if done.is_import:
        say(f"Undone: {done.what}, {plural(done.things, *THINGS.get(done.what, ('row', 'rows')))}.")
    else:
        say(f"Undone: {done.what}{f' of {done.subject}' if done.subject else ''}.")
