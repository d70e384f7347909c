"""`callsieve import contacts`: an address book as vCards or CSV, the company's or one person's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import DryRunOption, input_as
from callsieve.cli.options import ConfigOption, JsonOption, settings_of
from callsieve.cli.output import plural, print_table, say, some
from callsieve.cli.store import context_of, stores
from callsieve.imports import operations
from callsieve.imports.cli.source import SourceOption, source_given
from callsieve.imports.cli.summary import VCARDS, Summary, print_summary
from callsieve.imports.operations import TOO_MANY, ContactsRequest, ImportKind
from callsieve.imports.rows import CONTACT_COLUMNS, NAME, contacts_in, contacts_in_vcards
from callsieve.text.csv_table import CsvTable, usable
from callsieve.text.vcard import Vcards, is_vcard
from reputation.store.personal_lists import Contact

SHOWN_CONTACTS = 20


def import_contacts(
    file: Annotated[
        Path, typer.Argument(help="vCards (.vcf), or CSV in UTF-8; - for standard input.", show_default=False)
    ],
    source: SourceOption,
    whose: Annotated[
        str | None,
        typer.Option("--for", metavar="EXT", help="Whose they are, where a row does not say; else everybody's."),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Import contacts, whose calls ring through: the company's, or one person's. Header: number,name[,person]."""
    loaded = settings_of(config)
    region = loaded.settings.numbers.region
    if whose is not None and not NAME.fullmatch(whose):
        raise CommandError(f"--for {whose[:40]!r}: no extension")
    summary = Summary(ImportKind.CONTACTS, source_given(source), dry_run)
    with input_as(file, _contacts_table) as (table, _):
        if isinstance(table, Vcards):
            summary.format = VCARDS
            rows = contacts_in_vcards(table, region, whose)
        else:
            rows = contacts_in(table, region, whose)
        contacts = usable(table, rows, operations.MOST_ROWS, TOO_MANY)
    with stores(loaded, dry_run=dry_run) as (known, written):
        request = ContactsRequest(summary.source, contacts, known)
        done = operations.import_contacts(written, context_of(loaded), request)
    summary.take(table)
    summary.before, summary.imported, summary.duplicates = done.before, done.rows, len(contacts) - done.rows
    if isinstance(table, Vcards) and table.without_number:
        summary.remarks.append(f"{plural(table.without_number, 'card')} without a telephone number")
    if done.strangers:
        summary.remarks.append(f"nobody here has the extension {some(done.strangers)}")
    if dry_run and not as_json:
        _show_contacts(contacts)
    print_summary(summary, as_json=as_json)


def _contacts_table(stream: BinaryIO, name: str) -> CsvTable | Vcards:
    return Vcards(stream, name) if is_vcard(stream) else CsvTable(stream, CONTACT_COLUMNS, name)


def _show_contacts(contacts: Sequence[Contact]) -> None:
    """The first of them, as they would be taken over."""
    rows = [(one.number, one.name or "", one.person or "everybody") for one in contacts[:SHOWN_CONTACTS]]
    print_table(("number", "name", "whose"), rows, keep=(0, 2))
    if len(contacts) > SHOWN_CONTACTS:
        say(f"... and {len(contacts) - SHOWN_CONTACTS:,} more.")
