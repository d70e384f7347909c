"""`callsieve own hygiene`: which numbers of a call list are to go."""

from __future__ import annotations

import csv
import os
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from callsieve.call_lists.hygiene import (
    MOST_ROWS,
    TRIES,
    HygieneTerms,
    ListFault,
    ListReport,
    RowFinding,
    hygiene,
)
from callsieve.changes.operation import note
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import FileArgument, table_in, warn_of_skipped
from callsieve.cli.options import ConfigOption, JsonOption, any_store, print_json, settings_of
from callsieve.cli.output import plural, print_table, say
from callsieve.cli.progress import meter, watched
from callsieve.cli.store import context_of
from callsieve.plan_files import plan_of
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for
from callsieve.text.csv_table import as_text
from reputation.store.audit import Change

MOST_SHOWN = 1000
COLUMNS = ("line", "number", "e164", "reason", "evidence")
BARE = re.compile(r"[+0-9 ().\-/]{5,40}\s*(?:#.*)?", re.ASCII)


def hygiene_of_list(
    file: FileArgument,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all that are to go there, with reason and evidence.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the rows that may stay there, with all columns.")
    ] = None,
    tries: Annotated[int, typer.Option(min=1, max=100, help="So many calls without an answer are enough.")] = TRIES,
    needs_consent: Annotated[
        bool, typer.Option("--needs-consent", help="Also who has not agreed, where a law asks for consent.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find the numbers of a call list that are to go, and say why. Header with number, or a number a line."""
    loaded = settings_of(config)
    terms = HygieneTerms(
        region=loaded.settings.numbers.region,
        now=time.time(),
        plan=plan_of(loaded),
        needs_consent=needs_consent or loaded.settings.outbound.needs_consent,
        tries=tries,
    )
    report, shown = ListReport(), list[RowFinding]()
    with ExitStack() as stack:
        db = stack.enter_context(any_store(loaded))
        table, bytes_read = stack.enter_context(table_in(file, ("number",), bare=BARE))
        tell = stack.enter_context(meter(file, "finishing"))
        to_go = _csv(stack, write) if write else None
        to_stay = _csv(stack, keep, "," if table.is_bare else table.delimiter) if keep else None
        if to_go:
            to_go.writerow(COLUMNS)
        if to_stay:
            to_stay.writerow(table.header)
        width, place = len(table.header), table.place_of("number")

        def stays(number: str) -> None:
            if to_stay:
                fields = (table.record + [""] * width)[:width]
                fields[place] = number
                to_stay.writerow(fields)

        rows = watched(iter(table), bytes_read, tell)
        for one in hygiene(db, rows, lambda: table.line, terms, report, stays):
            if to_go:
                to_go.writerow(_row(one))
            if len(shown) < MOST_SHOWN:
                shown.append(one)
        faults = {fault.value: report.by_fault[fault] for fault in ListFault if fault in report.by_fault}
        note(db, context_of(loaded), Change("own hygiene", name=file.name, after={"rows": report.rows, **faults}))
    _print(report, shown, faults, as_json=as_json)
    if not as_json:
        warn_of_skipped(table.problems, table.skipped)
    if report.cut_off:
        warn(f"only the first {MOST_ROWS:,} rows were looked at: split the list")


def _print(report: ListReport, shown: list[RowFinding], faults: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        summary = {"rows": report.rows, "kept": report.kept, "by_fault": faults, "cut_off": report.cut_off}
        print_json(summary | {"findings": shown})
        return
    if shown:
        rows = [(f"{one.line:,}", one.number or one.written, one.fault.value, str(one.evidence)) for one in shown]
        print_table(("line", "number", "reason", "evidence"), rows, keep=(0, 1, 2))
    if sum(faults.values()) > len(shown):
        say(f"The first {len(shown):,} are shown: --write has all.")
    told = ", ".join(f"{count:,} {name}" for name, count in faults.items())
    say(f"{plural(report.rows, 'row')}, {report.kept:,} may stay{f'; {told}' if told else ''}.")


def _row(one: RowFinding) -> tuple[str, ...]:
    return (str(one.line), as_text(one.written), one.number or "", one.fault.value, str(one.evidence))


def _csv(stack: ExitStack, path: Path, delimiter: str = ",") -> Any:
    """A file of ours alone: numbers are personal data. One that is there is not overwritten."""
    try:
        with naming(path), acting_for(path):
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise CommandError(f"{path}: there is a file of this name: choose another, or remove it") from None
    file = stack.enter_context(os.fdopen(handle, "w", encoding="utf-8", newline=""))
    return csv.writer(file, delimiter=delimiter, lineterminator="\n")
