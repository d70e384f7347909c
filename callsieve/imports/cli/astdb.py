"""`callsieve import numbers --from`: what the PBX rejected or let in until now, as evidence or on our lists."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import nothing_usable
from callsieve.cli.options import settings_of
from callsieve.imports.cli.number_import import ImportVerdict, Summary, store_numbers
from callsieve.imports.rows import numbers_of_family
from callsieve.lists.cli.commands import Brought, print_brought, put_on_lists
from callsieve.lists.operations import NOTE_CHARACTERS
from callsieve.pbx.cli_client import ConsoleError, console
from callsieve.pbx.cli_output import ALLOWLIST, BLACKLIST, FamilyLine, NumberFamily, parse_family
from callsieve.settings import Loaded
from callsieve.text.csv_table import KEPT_PROBLEMS, RowProblem
from reputation.model import EntryKind, ListEntry, ListName


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
