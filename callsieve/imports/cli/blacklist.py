"""`callsieve import numbers --from astdb`: what the PBX rejected until now, as evidence or on the blocklist."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import nothing_usable
from callsieve.cli.options import settings_of
from callsieve.imports.cli.number_import import store_numbers
from callsieve.imports.cli.summary import Summary
from callsieve.imports.rows import numbers_of_blacklist
from callsieve.lists.cli.csv_import import Brought, print_brought, put_on_lists
from callsieve.lists.operations import NOTE_CHARACTERS
from callsieve.pbx.blacklist import FAMILY_COMMAND, SETTINGS, BlacklistLine, parse_blacklist
from callsieve.pbx.cli_client import ConsoleError, console
from callsieve.settings import Loaded
from callsieve.text.csv_table import KEPT_PROBLEMS, RowProblem
from reputation.model import EntryKind, ListEntry, ListName

AsBlocklistOption = Annotated[
    bool,
    typer.Option("--as-blocklist", help="With --from astdb: put them on the blocklist, which rejects them."),
]

EVIDENCE_ONLY = (
    "CallSieve does not reject these numbers, they only count as evidence: once Asterisk's own blacklist is not asked "
    "any more, they are no longer rejected. To go on rejecting them: "
    "callsieve import numbers --from astdb --as-blocklist"
)
WITHHELD = (
    'FreePBX also turns away callers without a number; here a policy does that: when = { caller_kind = "withheld" }'
)
NOTE = "Asterisk's blacklist"


def import_blacklist(loaded: Loaded, summary: Summary, verdict: str) -> None:
    """Its numbers as a source, read by the region of the settings."""
    lines, summary.remarks = _blacklist(loaded)
    summary.read = len(lines)
    rows = numbers_of_blacklist(lines, loaded.settings.numbers.region, summary.refuse)
    store_numbers(loaded, summary, verdict, rows)
    if verdict == "spam":
        summary.remarks.append(EVIDENCE_ONLY)


def block_blacklist(config: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Its numbers on the blocklist; an entry that is there already stays as it is."""
    loaded = settings_of(config)
    now = time.time()
    lines, remarks = _blacklist(loaded)
    refused: list[RowProblem] = []
    rows = numbers_of_blacklist(lines, loaded.settings.numbers.region, lambda text: refused.append(RowProblem(0, text)))
    entries = [
        ListEntry(ListName.BLOCK, EntryKind.EXACT, number, note=(note or NOTE)[:NOTE_CHARACTERS], added_at=now)
        for number, _, _, note in rows
    ]
    if not entries:
        raise nothing_usable(refused)
    brought = Brought(len(lines), len(refused), refused[:KEPT_PROBLEMS], dry_run, remarks=remarks)
    put_on_lists(loaded, entries, brought, keep=True)
    print_brought(brought, config, as_json=as_json)


def _blacklist(loaded: Loaded) -> tuple[Sequence[BlacklistLine], list[str]]:
    """What `database show blacklist` lists, and what there is to say of it. CommandError when it is empty."""
    try:
        lines = list(parse_blacklist(console(loaded.settings, FAMILY_COMMAND)))
    except ConsoleError as error:
        raise CommandError(str(error)) from None
    numbers = [line for line in lines if line.key not in SETTINGS]
    if not numbers:
        raise CommandError("Asterisk's blacklist is empty (database show blacklist). Nothing was changed")
    return numbers, [WITHHELD] if any(line.key == "blocked" for line in lines) else []
