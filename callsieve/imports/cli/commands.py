"""`callsieve import`: import numbers from files and from the PBX's own lists, and remove imports."""

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
from callsieve.lists.cli.commands import FileImport, print_import, put_on_lists
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
    """Sources of numbers other than a file."""

    ASTDB = "astdb"
    ALLOWLIST = "freepbx-allowlist"


AsBlocklistOption = Annotated[
    bool,
    typer.Option(
        "--as-blocklist", help="With --from astdb: add the numbers to the blocklist, which rejects their calls."
    ),
]
AsAllowlistOption = Annotated[
    bool,
    typer.Option(
        "--as-allowlist",
        help="With --from freepbx-allowlist: add the numbers to the allowlist, so their calls ring through.",
    ),
]


class PbxList(NamedTuple):
    """One of the PBX's own number lists. `verdict`: whether the numbers on the list are spam or wanted.

    `evidence_only`: a remark that the import only adds evidence. `settings`: remarks on keys that are not numbers.
    """

    family: NumberFamily
    name: str
    list_name: ListName
    verdict: ImportVerdict
    evidence_only: str
    settings: dict[str, str]

    @property
    def option(self) -> str:
        """The command's option that adds the numbers to CallSieve's allowlist or blocklist."""
        return f"--as-{self.list_name}list"


LISTS = {
    ImportOrigin.ASTDB: PbxList(
        BLACKLIST,
        "Asterisk's blacklist",
        ListName.BLOCK,
        ImportVerdict.SPAM,
        "These numbers only count as evidence. If you switch off Asterisk's own blacklist, their calls are no longer "
        "rejected. To go on rejecting them: callsieve import numbers --from astdb --as-blocklist",
        {
            "blocked": "FreePBX also rejects callers without a number. Here a policy does that: "
            'when = { caller_kind = "withheld" }'
        },
    ),
    ImportOrigin.ALLOWLIST: PbxList(
        ALLOWLIST,
        "FreePBX's allowlist",
        ListName.ALLOW,
        ImportVerdict.OK,
        "These numbers only count as evidence. To let them ring through in any case: "
        "callsieve import numbers --from freepbx-allowlist --as-allowlist",
        {
            "knowncallers": "FreePBX also lets contacts of its Contact Manager through. Here: "
            "callsieve import contacts --from freepbx",
            "dest": "FreePBX sends all other callers elsewhere. Here a policy decides about strangers",
        },
    ),
}


def import_pbx_list(loaded: Loaded, summary: Summary, origin: ImportOrigin, verdict: ImportVerdict | None) -> None:
    """Import one of the PBX's own number lists as evidence. `verdict`: None for the usual verdict of this list."""
    known = LISTS[origin]
    lines, summary.remarks = _lines(loaded, known)
    summary.read = len(lines)
    rows = numbers_of_family(lines, loaded.settings.numbers.region, summary.refuse)
    meant = verdict or known.verdict
    store_numbers(loaded, summary, meant.value, rows)
    if meant is known.verdict:
        summary.remarks.append(known.evidence_only)


def list_pbx_list(config: Path | None, origin: ImportOrigin, *, dry_run: bool, as_json: bool) -> None:
    """Add one of the PBX's own number lists to CallSieve's allowlist or blocklist. Existing entries do not change."""
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
    imported = FileImport(len(lines), len(refused), refused[:KEPT_PROBLEMS], dry_run, remarks=remarks)
    put_on_lists(loaded, entries, imported, keep=True)
    print_import(imported, config, as_json=as_json)


def _lines(loaded: Loaded, known: PbxList) -> tuple[Sequence[FamilyLine], list[str]]:
    family = known.family
    try:
        lines = list(parse_family(console(loaded.settings, family.command), family))
    except ConsoleError as error:
        raise CommandError(str(error)) from None
    numbers = [line for line in lines if not family.is_setting(line.key)]
    if not numbers:
        raise CommandError(f"{known.name} is empty: `{family.command}` shows no number. Nothing was changed")
    return numbers, [known.settings[line.key] for line in lines if line.key in known.settings]


class ImportShown(NamedTuple):
    """An import in the format of `--json`. Only imports of numbers have `verdict` and `imported_at`."""

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
        typer.Option("--from", help="Read Asterisk's own blacklist or FreePBX's module Allowlist instead of a file."),
    ] = None,
    verdict: Annotated[
        ImportVerdict | None,
        typer.Option(
            help="Verdict about the numbers of the list. Default: spam, or ok for FreePBX's allowlist.",
            show_default=False,
        ),
    ] = None,
    as_blocklist: AsBlocklistOption = False,
    as_allowlist: AsAllowlistOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Import a list of numbers as evidence for or against them. CSV header: number[,category][,name][,note]."""
    if (file is None) == (origin is None):
        raise CommandError("import numbers: give either a FILE or --from astdb (callsieve import numbers --help)")
    if as_blocklist or as_allowlist:
        wanted = ImportOrigin.ASTDB if as_blocklist else ImportOrigin.ALLOWLIST
        if origin is not wanted or source is not None or verdict is not None:
            known = LISTS[wanted]
            raise CommandError(
                f"{known.option} is only for --from {wanted}, without other options. "
                f"For a file: callsieve list import FILE --list {known.list_name}"
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
    """Show all imports: how many rows each has and, for lists of numbers, their verdict and date."""
    with existing_store(settings_of(config)) as db:
        numbers = sources(db)
        others = [(ImportKind.CONTACTS, *source) for source in contact_sources(db)]
        others += [(ImportKind.PEOPLE, *source) for source in people_sources(db)]
        others += [(ImportKind.DIDS, *source) for source in did_sources(db)]
    if as_json:
        kind = ImportKind.NUMBERS
        lists = [ImportShown(kind, list_.name, list_.numbers, list_.verdict, list_.imported_at) for list_ in numbers]
        print_json([*lists, *(ImportShown(*row) for row in others)])
    elif numbers or others:
        table = [
            ("numbers", list_.name, list_.verdict, f"{list_.numbers:,}", when(list_.imported_at)) for list_ in numbers
        ]
        table += [(kind.value, name, "", f"{count:,}", "") for kind, name, count in others]
        print_table(("kind", "source", "verdict", "rows", "imported"), table, keep=(0, 2, 3, 4))
    else:
        say("Nothing was imported.")


def remove_import(
    name: Annotated[str, typer.Argument(help="Name of the import.", show_default=False)],
    kind: Annotated[
        ImportKind | None, typer.Option(help="Kind of the import, if several imports have this name.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Remove an import with all its rows. To restore the import, import the same file again."""
    done = perform(settings_of(config), operations.remove, RemoveImportRequest(name, kind), existing=True)
    say(
        f"Removed the import {name}: {plural(done.rows, 'row')} of {done.kind.value}. To restore the import, "
        "import the same file again."
    )
    say_undo(done.change_id, config)
