"""`callsieve own comply`: proof of what was checked on a day."""

from __future__ import annotations

import csv
import os
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from callsieve.call_lists.comply import DayProof, day_bounds, masked_proof, proof_of_day, proof_page, signed_proof
from callsieve.call_lists.hygiene import (
    MOST_ROWS,
    TRIES,
    HygieneTerms,
    ListFault,
    ListReport,
    RowFinding,
    hygiene,
)
from callsieve.call_lists.registers import CopyAge
from callsieve.changes.operation import note
from callsieve.cli import options
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import FileArgument, table_in, warn_of_skipped
from callsieve.cli.output import meter, plural, print_pairs, print_table, say, watched
from callsieve.plan_files import plan_of
from callsieve.settings import Loaded
from callsieve.signing.keys import KeyFileError, signing_key
from callsieve.system.files import complete_file, naming
from callsieve.system.privileges import acting_for
from callsieve.text.csv_table import as_text
from callsieve.text.times import day, when, when_exactly
from reputation.numbers import masked
from reputation.store.audit import Change

PRIVATE = 0o600


def comply(
    of_day: Annotated[str, typer.Argument(metavar="DAY", help="2026-11-25, by the clock here.", show_default=False)],
    html: Annotated[bool, typer.Option("--html", help="A page of its own, to print or send on.")] = False,
    numbers: Annotated[bool, typer.Option("--numbers", help="With the whole called numbers, not masked.")] = False,
    signature: Annotated[
        Path | None,
        typer.Option(
            "--signature", metavar="FILE", help="Sign what is printed: the statement goes there.", show_default=False
        ),
    ] = None,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Print what the outbound guard checked on a day, by which rules, sources and files, and what it did not see."""
    loaded, now = options.settings_of(config), time.time()
    bounds = day_bounds(of_day)
    if bounds is None:
        raise CommandError(f"{of_day[:40]!r} is no day: write it as 2026-12-31")
    with options.existing_store(loaded) as db:
        proof = proof_of_day(db, loaded.settings, *bounds, now)
    if not as_json and not html:
        if signature is not None:
            raise CommandError("--signature: signs a file: add --html or --json")
        _print(proof, numbers)
        return
    text = (
        options.json_text(proof if numbers else masked_proof(proof))
        if as_json
        else proof_page(proof, whole_numbers=numbers)
    )
    if signature is not None:
        _sign(loaded, proof, f"{text}\n".encode(), signature)
    print(text)


def _sign(loaded: Loaded, proof: DayProof, printed: bytes, path: Path) -> None:
    """A statement about what is printed, in a file that is not there yet."""
    issuer = loaded.settings.company.name or loaded.settings.public.name
    if not issuer:
        raise CommandError("--signature: nobody knows in whose name: set [company] name")
    options.check_new(path)
    try:
        key = signing_key(loaded.state)
    except KeyFileError as error:
        raise CommandError(str(error)) from None
    with complete_file(path, PRIVATE) as file:
        file.write(signed_proof(key, issuer, proof, printed).encode())


def _print(proof: DayProof, numbers: bool) -> None:
    acts = "the guard only observes" if proof.observe else "the guard acts"
    print_pairs(
        [
            ("day", day(proof.first)),
            ("asked about", f"{plural(proof.asked, 'call')}: {proof.went_out:,} went out ({acts})"),
            ("failed open", f"{proof.failed_open:,} went out undecided"),
            ("without the guard", f"{plural(proof.without_guard, 'call')} went out unasked"),
            ("do-not-call list", f"{plural(proof.do_not_call, 'number')}"),
            ("consent", f"{plural(proof.consents, 'number')}"),
            *(("register", _register(one)) for one in proof.registers),
            *(("law", f"{one.country}, read {one.read}, sha256 {one.sha256[:12]}") for one in proof.laws),
            ("made", f"{when_exactly(proof.made_at)} by CallSieve {proof.version}"),
        ]
    )
    if proof.rules:
        say()
        rows = [
            (one.rule, f"{one.held:,}", f"{one.refused:,}", f"{one.observed:,}", one.source, one.url)
            for one in proof.rules
        ]
        print_table(("rule", "held", "refused", "would have", "source", "page"), rows, keep=(0, 1, 2, 3))
    if proof.unguarded:
        say()
        unasked = [
            (
                when(one.at),
                (one.callee if numbers else masked(one.callee)) if one.callee else "",
                one.own_number or "",
                one.trunk or "",
            )
            for one in proof.unguarded[:20]
        ]
        print_table(("without the guard", "to", "from", "trunk"), unasked, keep=range(4))
    say()
    say("Each call with its checks: --html or --json.")


def _register(one: CopyAge) -> str:
    old = ", too old" if one.is_too_old else ""
    numbers, file_of = f"{one.copy.numbers:,} numbers", f"file of {day(one.copy.file_at)}{old}"
    return f"{one.copy.name}: {numbers}, {file_of}, sha256 {one.copy.sha256[:12]}"


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
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Find the numbers of a call list that are to go, and say why. Header with number, or a number a line."""
    loaded = options.settings_of(config)
    terms = HygieneTerms(
        region=loaded.settings.numbers.region,
        now=time.time(),
        plan=plan_of(loaded),
        needs_consent=needs_consent or loaded.settings.outbound.needs_consent,
        tries=tries,
    )
    report, shown = ListReport(), list[RowFinding]()
    with ExitStack() as stack:
        db = stack.enter_context(options.any_store(loaded))
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
                to_go.writerow(
                    (str(one.line), as_text(one.written), one.number or "", one.fault.value, str(one.evidence))
                )
            if len(shown) < MOST_SHOWN:
                shown.append(one)
        faults = {fault.value: report.by_fault[fault] for fault in ListFault if fault in report.by_fault}
        note(
            db, options.context_of(loaded), Change("own hygiene", name=file.name, after={"rows": report.rows, **faults})
        )
    _print_hygiene(report, shown, faults, as_json=as_json)
    if not as_json:
        warn_of_skipped(table.problems, table.skipped)
    if report.cut_off:
        warn(f"only the first {MOST_ROWS:,} rows were looked at: split the list")


def _print_hygiene(report: ListReport, shown: list[RowFinding], faults: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        summary = {"rows": report.rows, "kept": report.kept, "by_fault": faults, "cut_off": report.cut_off}
        options.print_json(summary | {"findings": shown})
        return
    if shown:
        rows = [(f"{one.line:,}", one.number or one.written, one.fault.value, str(one.evidence)) for one in shown]
        print_table(("line", "number", "reason", "evidence"), rows, keep=(0, 1, 2))
    if sum(faults.values()) > len(shown):
        say(f"The first {len(shown):,} are shown: --write has all.")
    told = ", ".join(f"{count:,} {name}" for name, count in faults.items())
    say(f"{plural(report.rows, 'row')}, {report.kept:,} may stay{f'; {told}' if told else ''}.")


def _csv(stack: ExitStack, path: Path, delimiter: str = ",") -> Any:
    """A file of ours alone: numbers are personal data. One that is there is not overwritten."""
    try:
        with naming(path), acting_for(path):
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise CommandError(f"{path}: there is a file of this name: choose another, or remove it") from None
    file = stack.enter_context(os.fdopen(handle, "w", encoding="utf-8", newline=""))
    return csv.writer(file, delimiter=delimiter, lineterminator="\n")
