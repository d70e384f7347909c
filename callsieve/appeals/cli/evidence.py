"""`callsieve appeal evidence`: what is shown for an appeal: call records and statements."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Annotated

import typer

from callsieve.appeals.cli.tables import AppealArgument
from callsieve.appeals.operations import (
    EvidenceFile,
    EvidencePlace,
    EvidenceRequest,
    appeal_about,
    attach,
    detach,
    fetch,
)
from callsieve.changes.operation import Context
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, print_json, settings_of
from callsieve.cli.output import say
from callsieve.cli.store import context_of
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for, open_named
from reputation.appeals import ATTACHMENT_BYTES
from reputation.store.attachments import attachments_of


def evidence(
    appeal: AppealArgument,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Call records, letters: attached.")
    ] = None,
    statement: Annotated[str | None, typer.Option(metavar="TEXT", help="What somebody said: attached.")] = None,
    remove: Annotated[int | None, typer.Option(metavar="N", help="Remove the Nth for good.")] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="DIRECTORY", help="Write all of them there, for you alone (0600).")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Attach files and statements to an appeal, take them out again, or show which there are."""
    loaded = settings_of(config)
    context = context_of(loaded)
    new = [EvidenceFile(path.name, _read(path)) for path in files or []]
    if statement is not None:
        new.append(EvidenceFile("statement.txt", statement.strip().encode()))
    with existing_store(loaded) as db:
        reference = appeal_about(db, context, appeal).reference
        if new:
            attach(db, context, EvidenceRequest(reference, tuple(new)))
        if remove is not None:
            detach(db, context, EvidencePlace(reference, remove))
        attached = attachments_of(db, reference)
        if export is not None:
            _export(db, context, reference, export)
    if as_json:
        print_json(attached)
        return
    for attachment in attached:
        say(f"{attachment.place}  {attachment.name}  {attachment.size:,} bytes, by {attachment.added_by}")
    if not attached:
        say(f"Nothing is attached to appeal {reference}.")


def _read(path: Path) -> bytes:
    """The file, as far as it may be attached: one byte more is read, so that the store can refuse it."""
    with open_named(path) as file:
        return file.read(ATTACHMENT_BYTES + 1)


def _export(db: sqlite3.Connection, context: Context, reference: str, directory: Path) -> None:
    """Each in a file of its own. Names are those of strangers: only their last part counts, behind a number."""
    with acting_for(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for there in attachments_of(db, reference):
        one, content = fetch(db, context, EvidencePlace(reference, there.place))
        plain = "".join(c if c.isalnum() or c in ".-_ " else "_" for c in one.name)
        path = directory / f"{reference}-{one.place}-{plain}"
        try:
            with acting_for(path):
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with naming(path), os.fdopen(handle, "wb") as file:
                file.write(content)
        except FileExistsError:
            raise CommandError(f"{path}: there is a file of this name: choose another directory") from None
