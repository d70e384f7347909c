"""`callsieve import`: numbers from files and from the PBX's own lists; what was imported, and taking it out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import DryRunOption, nothing_usable, table_in
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, perform, print_json, settings_of
from callsieve.cli.output import meter, plural, print_table, say, say_undo, watched
from callsieve.imports import operations
from callsieve.imports.cli.number_import import (
    SOURCE_HELP,
    ImportVerdict,
    Summary,
    print_summary,
    source_given,
    store_numbers,
)
from callsieve.imports.operations import ImportKind, RemoveImportRequest
from callsieve.imports.rows import NUMBER_COLUMNS, numbers_in, numbers_of_family
from callsieve.lists.cli.commands import Brought, print_brought, put_on_lists
from callsieve.lists.operations import NOTE_CHARACTERS
from callsieve.pbx.cli_client import ConsoleError, console
from callsieve.pbx.cli_output import ALLOWLIST, BLACKLIST, FamilyLine, NumberFamily, parse_family
from callsieve.settings import Loaded
from callsieve.text.csv_table import KEPT_PROBLEMS, RowProblem
from callsieve.text.times import when
from reputation.encoding import Instant
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.imports import sources
from reputation.store.sources import contact_sources, did_sources, people_sources


class ImportOrigin(StrEnum):
    """Where numbers come from when there is no file."""

    ASTDB = "astdb"
    ALLOWLIST = "freepbx-allowlist"


AsBlocklistOption = Annotated[
    bool,
    typer.Option("--as-blocklist", help="With --from astdb: put them on the blocklist, which rejects them."),
]
AsAllowlistOption = Annotated[
    bool,
    typer.Option("--as-allowlist", help="With --from freepbx-allowlist: put them on the allowlist: they ring through."),
]


class PbxList(NamedTuple):
    """A list of the PBX, and what it is here.

    `verdict`: what its numbers are evidence of; `evidence_only`: what they are not, and the way out. `settings`: of a
    key that is a setting, what it did there and does not do here.
    """

    family: NumberFamily
    name: str
    list_name: ListName
    verdict: ImportVerdict
    evidence_only: str
    settings: dict[str, str]

    @property
    def option(self) -> str:
        return f"--as-{self.list_name}list"


LISTS = {
    ImportOrigin.ASTDB: PbxList(
        BLACKLIST,
        "Asterisk's blacklist",
        ListName.BLOCK,
        ImportVerdict.SPAM,
        "CallSieve does not reject these numbers, they only count as evidence: once Asterisk's own blacklist is not "
        "asked any more, they are no longer rejected. To go on rejecting them: callsieve import numbers --from astdb "
        "--as-blocklist",
        {
            "blocked": "FreePBX also turns away callers without a number; here a policy does that: "
            'when = { caller_kind = "withheld" }'
        },
    ),
    ImportOrigin.ALLOWLIST: PbxList(
        ALLOWLIST,
        "FreePBX's allowlist",
        ListName.ALLOW,
        ImportVerdict.OK,
        "CallSieve does not let these numbers in whatever happens, they only count as evidence. To have them ring "
        "through: callsieve import numbers --from freepbx-allowlist --as-allowlist",
        {
            "knowncallers": "FreePBX also lets in whom its Contact Manager knows: callsieve import contacts "
            "--from freepbx",
            "dest": "FreePBX sends everybody else elsewhere; here a policy says what is done with strangers",
        },
    ),
}


def import_pbx_list(loaded: Loaded, summary: Summary, origin: ImportOrigin, verdict: ImportVerdict | None) -> None:
    """Its numbers as a source, read by the region of the settings."""
    known = LISTS[origin]
    lines, summary.remarks = _lines(loaded, known)
    summary.read = len(lines)
    rows = numbers_of_family(lines, loaded.settings.numbers.region, summary.refuse)
    meant = verdict or known.verdict
    store_numbers(loaded, summary, meant.value, rows)
    if meant is known.verdict:
        summary.remarks.append(known.evidence_only)


def list_pbx_list(config: Path | None, origin: ImportOrigin, *, dry_run: bool, as_json: bool) -> None:
    """Its numbers on our own list; an entry that is there already stays as it is."""
    loaded, known = settings_of(config), LISTS[origin]
    now = time.time()
    lines, remarks = _lines(loaded, known)
    refused: list[RowProblem] = []
    rows = numbers_of_family(lines, loaded.settings.numbers.region, lambda text: refused.append(RowProblem(0, text)))
    entries = [
        ListEntry(known.list_name, EntryKind.EXACT, number, note=(note or known.name)[:NOTE_CHARACTERS], added_at=now)
        for number, _, _, note in rows
    ]
    if not entries:
        raise nothing_usable(refused)
    brought = Brought(len(lines), len(refused), refused[:KEPT_PROBLEMS], dry_run, remarks=remarks)
    put_on_lists(loaded, entries, brought, keep=True)
    print_brought(brought, config, as_json=as_json)


def _lines(loaded: Loaded, known: PbxList) -> tuple[Sequence[FamilyLine], list[str]]:
    """What Asterisk lists, and what there is to say of it. CommandError when it is empty."""
    family = known.family
    try:
        lines = list(parse_family(console(loaded.settings, family.command), family))
    except ConsoleError as error:
        raise CommandError(str(error)) from None
    numbers = [line for line in lines if not family.is_setting(line.key)]
    if not numbers:
        raise CommandError(f"{known.name} is empty ({family.command}). Nothing was changed")
    return numbers, [known.settings[line.key] for line in lines if line.key in known.settings]


class ImportShown(NamedTuple):
    """An import. `verdict`, `imported_at`: of numbers."""

    kind: ImportKind
    source: str
    rows: int
    verdict: str | None = None
    imported_at: Instant | None = None


def import_numbers_file(
    file: Annotated[Path | None, typer.Argument(help="CSV in UTF-8; - for standard input.", show_default=False)] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help=SOURCE_HELP, show_default=False)
    ] = None,
    origin: Annotated[
        ImportOrigin | None,
        typer.Option("--from", help="No file: Asterisk's own blacklist, or the list of FreePBX's module Allowlist."),
    ] = None,
    verdict: Annotated[
        ImportVerdict | None,
        typer.Option(help="What being on the list means; else spam, or ok of FreePBX's allowlist.", show_default=False),
    ] = None,
    as_blocklist: AsBlocklistOption = False,
    as_allowlist: AsAllowlistOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Import a list of numbers: evidence against them, or for them. Header: number[,category][,name][,note]."""
    if (file is None) == (origin is None):
        raise CommandError("import numbers: say either a FILE or --from astdb (callsieve import numbers --help)")
    if as_blocklist or as_allowlist:
        wanted = ImportOrigin.ASTDB if as_blocklist else ImportOrigin.ALLOWLIST
        if origin is not wanted or source is not None or verdict is not None:
            known = LISTS[wanted]
            raise CommandError(
                f"{known.option} goes with --from {wanted} alone; "
                f"for a file: callsieve list import FILE --list {known.list_name}"
            )
        list_pbx_list(config, wanted, dry_run=dry_run, as_json=as_json)
        return
    loaded = settings_of(config)
    name = origin.value if source is None and origin is not None else source
    summary = Summary(ImportKind.NUMBERS, source_given(name), dry_run)
    if origin is not None:
        import_pbx_list(loaded, summary, origin, verdict)
    elif file is not None:
        with table_in(file, NUMBER_COLUMNS) as (table, bytes_read), meter(file) as tell:
            rows = watched(numbers_in(table, loaded.settings.numbers.region), bytes_read, tell)
            summary.problems = table.problems
            store_numbers(loaded, summary, (verdict or ImportVerdict.SPAM).value, rows)
            summary.take(table)
    print_summary(summary, as_json=as_json)


def show_imports(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what was imported, and when."""
    with existing_store(settings_of(config)) as db:
        numbers = sources(db)
        others = [(ImportKind.CONTACTS, *one) for one in contact_sources(db)]
        others += [(ImportKind.PEOPLE, *one) for one in people_sources(db)]
        others += [(ImportKind.DIDS, *one) for one in did_sources(db)]
    if as_json:
        kind = ImportKind.NUMBERS
        lists = [ImportShown(kind, one.name, one.numbers, one.verdict, one.imported_at) for one in numbers]
        print_json([*lists, *(ImportShown(*one) for one in others)])
    elif numbers or others:
        table = [("numbers", one.name, one.verdict, f"{one.numbers:,}", when(one.imported_at)) for one in numbers]
        table += [(kind.value, name, "", f"{count:,}", "") for kind, name, count in others]
        print_table(("what", "source", "verdict", "rows", "imported"), table, keep=(0, 2, 3, 4))
    else:
        say("Nothing was imported.")


def remove_import(
    name: Annotated[str, typer.Argument(help="The name of the source.", show_default=False)],
    kind: Annotated[ImportKind | None, typer.Option(help="Which, when several imports have this name.")] = None,
    config: ConfigOption = None,
) -> None:
    """Remove an import with everything that it brought. The same file brings it back."""
    done = perform(settings_of(config), operations.remove, RemoveImportRequest(name, kind), existing=True)
    say(f"Removed {plural(done.rows, 'row')} of {done.kind.value}: the import {name}. The same file brings it back.")
    say_undo(done.change_id, config)
