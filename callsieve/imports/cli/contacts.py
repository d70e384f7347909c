"""`callsieve import contacts`: an address book as vCards or CSV, the company's or one person's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import DryRunOption, input_as
from callsieve.cli.options import ConfigOption, JsonOption, context_of, settings_of, stores
from callsieve.cli.output import plural, print_table, say, some
from callsieve.imports import operations
from callsieve.imports.cli.calls import freepbx_home
from callsieve.imports.cli.number_import import SOURCE_HELP, VCARDS, Summary, print_summary, source_given
from callsieve.imports.operations import TOO_MANY, ContactsRequest, ImportKind
from callsieve.imports.rows import CONTACT_COLUMNS, NAME, contacts_in, contacts_in_vcards, contacts_of_freepbx
from callsieve.pbx.freepbx_database import KnownContact, contacts_in_freepbx, has_contacts
from callsieve.pbx.mysql import DatabaseError, connected
from callsieve.text.csv_table import CsvTable, usable
from callsieve.text.table_errors import TableError
from callsieve.text.vcard import Vcards, is_vcard
from reputation.store.lists import Contact

SHOWN_CONTACTS = 20


class ContactOrigin(StrEnum):
    """Where contacts come from when there is no file."""

    FREEPBX = "freepbx"


def import_contacts(
    file: Annotated[
        Path | None, typer.Argument(help="vCards (.vcf), or CSV in UTF-8; - for standard input.", show_default=False)
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help=SOURCE_HELP, show_default=False)
    ] = None,
    origin: Annotated[ContactOrigin | None, typer.Option("--from", help="No file: FreePBX's Contact Manager.")] = None,
    whose: Annotated[
        str | None,
        typer.Option("--for", metavar="EXT", help="Whose they are, where a row does not say; else everybody's."),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Import contacts, whose calls ring through. Header: number[,name,person,company]."""
    loaded = settings_of(config)
    if (file is None) == (origin is None):
        raise CommandError("import contacts: say either a FILE or --from freepbx (callsieve import contacts --help)")
    if whose is not None and not NAME.fullmatch(whose):
        raise CommandError(f"--for {whose[:40]!r}: no extension")
    name = origin.value if origin is not None and source is None else source
    if name is None:
        raise CommandError("import contacts: missing option --source NAME: what this address book is called")
    summary = Summary(ImportKind.CONTACTS, source_given(name), dry_run)
    region = loaded.settings.numbers.region
    contacts = _from_freepbx(region, whose, summary) if file is None else _from_file(file, region, whose, summary)
    with stores(loaded, dry_run=dry_run) as (known, written):
        request = ContactsRequest(summary.source, contacts, known)
        done = operations.import_contacts(written, context_of(loaded), request)
    summary.before, summary.imported, summary.duplicates = done.before, done.rows, len(contacts) - done.rows
    if done.strangers:
        summary.remarks.append(f"nobody here has the extension {some(done.strangers)}")
    if dry_run and not as_json:
        _show_contacts(contacts)
    print_summary(summary, as_json=as_json)


def _from_file(file: Path, region: str, whose: str | None, summary: Summary) -> Sequence[Contact]:
    with input_as(file, _contacts_table) as (table, _):
        if isinstance(table, Vcards):
            summary.format = VCARDS
            rows = contacts_in_vcards(table, region, whose)
        else:
            rows = contacts_in(table, region, whose)
        contacts = usable(table, rows, operations.MOST_ROWS, TOO_MANY)
    summary.take(table)
    if isinstance(table, Vcards) and table.without_number:
        summary.remarks.append(f"{plural(table.without_number, 'card')} without a telephone number")
    return contacts


def _from_freepbx(region: str, whose: str | None, summary: Summary) -> Sequence[Contact]:
    """Of private groups those of their owners; of the others `whose`."""
    try:
        with connected(freepbx_home()) as db:
            if not has_contacts(db):
                raise CommandError("FreePBX's Contact Manager is not installed there. Nothing was changed")
            known = islice(contacts_in_freepbx(db), operations.MOST_ROWS + 1)
            rows = contacts_of_freepbx(_counted(known, summary), region, whose, summary.refuse)
            return usable(summary, rows, operations.MOST_ROWS, TOO_MANY)
    except (DatabaseError, TableError) as error:
        raise CommandError(str(error)) from None


def _counted(known: Iterable[KnownContact], summary: Summary) -> Iterator[KnownContact]:
    for one in known:
        summary.read += 1
        yield one


def _contacts_table(stream: BinaryIO, name: str) -> CsvTable | Vcards:
    return Vcards(stream, name) if is_vcard(stream) else CsvTable(stream, CONTACT_COLUMNS, name)


def _show_contacts(contacts: Sequence[Contact]) -> None:
    """The first of them, as they would be taken over."""
    rows = [(one.number, one.name or "", one.person or "everybody") for one in contacts[:SHOWN_CONTACTS]]
    print_table(("number", "name", "whose"), rows, keep=(0, 2))
    if len(contacts) > SHOWN_CONTACTS:
        say(f"... and {len(contacts) - SHOWN_CONTACTS:,} more.")
