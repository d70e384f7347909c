"""`callsieve own comply` and `own hygiene`: the compliance report of a day, and checks of call lists."""

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
    of_day: Annotated[
        str,
        typer.Argument(metavar="DAY", help="A day such as 2026-11-25, in the server's time zone.", show_default=False),
    ],
    html: Annotated[bool, typer.Option("--html", help="Write an HTML page to print or pass on.")] = False,
    numbers: Annotated[bool, typer.Option("--numbers", help="Do not mask called numbers.")] = False,
    signature: Annotated[
        Path | None,
        typer.Option(
            "--signature",
            metavar="FILE",
            help="Write a signed statement about the output to this file.",
            show_default=False,
        ),
    ] = None,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Print the compliance report of a day: outgoing calls with the checked rules, and calls without a check."""
    loaded, now = options.settings_of(config), time.time()
    bounds = day_bounds(of_day)
    if bounds is None:
        raise CommandError(f"{of_day[:40]!r} is not a day: write it as 2026-12-31")
    with options.existing_store(loaded) as db:
        proof = proof_of_day(db, loaded.settings, *bounds, now)
    if not as_json and not html:
        if signature is not None:
            raise CommandError("--signature: add --html or --json, because only a file can be signed")
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
    issuer = loaded.settings.company.name or loaded.settings.public.name
    if not issuer:
        raise CommandError("--signature: the statement needs the name of your company: set `name` in [company]")
    options.check_new(path)
    try:
        key = signing_key(loaded.state)
    except KeyFileError as error:
        raise CommandError(str(error)) from None
    with complete_file(path, PRIVATE) as file:
        file.write(signed_proof(key, issuer, proof, printed).encode())


def _print(proof: DayProof, numbers: bool) -> None:
    acts = "the outbound guard only observes" if proof.observe else "the outbound guard holds and refuses calls"
    print_pairs(
        [
            ("day", day(proof.first)),
            ("checked", f"{plural(proof.asked, 'call')}: {proof.went_out:,} went out ({acts})"),
            ("failed open", f"{plural(proof.failed_open, 'call')} went out without a decision"),
            ("without the guard", f"{plural(proof.without_guard, 'call')} went out unchecked"),
            ("do-not-call list", f"{plural(proof.do_not_call, 'number')}"),
            ("consent", f"{plural(proof.consents, 'number')}"),
            *(("register", _register(age)) for age in proof.registers),
            *(
                ("law", f"{law.country}, sources read on {law.read}, sha256 of CallSieve's law file {law.sha256[:12]}")
                for law in proof.laws
            ),
            ("made", f"{when_exactly(proof.made_at)} by CallSieve {proof.version}"),
        ]
    )
    if proof.rules:
        say()
        rows = [
            (count.rule, f"{count.held:,}", f"{count.refused:,}", f"{count.observed:,}", count.source, count.url)
            for count in proof.rules
        ]
        print_table(("rule", "held", "refused", "would have", "source", "page"), rows, keep=(0, 1, 2, 3))
    if proof.unguarded:
        say()
        unchecked = [
            (
                when(call.at),
                (call.callee if numbers else masked(call.callee)) if call.callee else "",
                call.own_number or "",
                call.trunk or "",
            )
            for call in proof.unguarded[:20]
        ]
        print_table(("without the guard", "to", "from", "trunk"), unchecked, keep=range(4))
    say()
    say("--html and --json list each call with its checks.")


def _register(age: CopyAge) -> str:
    old = ", too old" if age.is_too_old else ""
    numbers, file_of = f"{age.copy.numbers:,} numbers", f"file of {day(age.copy.file_at)}{old}"
    return f"{age.copy.name}: {numbers}, {file_of}, sha256 {age.copy.sha256[:12]}"


MOST_SHOWN = 1000
COLUMNS = ("line", "number", "e164", "reason", "evidence")
BARE = re.compile(r"[+0-9 ().\-/]{5,40}\s*(?:#.*)?", re.ASCII)


def hygiene_of_list(
    file: FileArgument,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the numbers to remove to this file, with reason and evidence."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the rows that may stay to this file, with all columns.")
    ] = None,
    tries: Annotated[
        int, typer.Option(min=1, max=100, help="How many calls without an answer are enough to remove a number.")
    ] = TRIES,
    needs_consent: Annotated[
        bool, typer.Option("--needs-consent", help="Also remove numbers without a consent, if a law requires one.")
    ] = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Find the numbers to remove from a call list, with reasons. The list has a number per line, or a number column."""
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
        for finding in hygiene(db, rows, lambda: table.line, terms, report, stays):
            if to_go:
                line, written, number, fault, evidence = finding
                to_go.writerow((str(line), as_text(written), number or "", fault.value, str(evidence)))
            if len(shown) < MOST_SHOWN:
                shown.append(finding)
        faults = {fault.value: report.by_fault[fault] for fault in ListFault if fault in report.by_fault}
        note(
            db, options.context_of(loaded), Change("own hygiene", name=file.name, after={"rows": report.rows, **faults})
        )
    _print_hygiene(report, shown, faults, as_json=as_json)
    if not as_json:
        warn_of_skipped(table.problems, table.skipped)
    if report.cut_off:
        warn(f"only the first {MOST_ROWS:,} rows were checked: split the list")


def _print_hygiene(report: ListReport, shown: list[RowFinding], faults: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        summary = {"rows": report.rows, "kept": report.kept, "by_fault": faults, "cut_off": report.cut_off}
        options.print_json(summary | {"findings": shown})
        return
    if shown:
        rows = [(f"{row.line:,}", row.number or row.written, row.fault.value, str(row.evidence)) for row in shown]
        print_table(("line", "number", "reason", "evidence"), rows, keep=(0, 1, 2))
    if sum(faults.values()) > len(shown):
        say(f"Only the first {len(shown):,} numbers to remove are shown. --write writes all of them.")
    counts = ", ".join(f"{count:,} {name}" for name, count in faults.items())
    say(f"{plural(report.rows, 'row')}, {report.kept:,} may stay in the list{f'; {counts}' if counts else ''}.")


def _csv(stack: ExitStack, path: Path, delimiter: str = ",") -> Any:
    # Numbers are personal data: nobody else may read the file, and an existing one is not overwritten.
    try:
        with naming(path), acting_for(path):
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise CommandError(f"{path}: the file exists: choose another name, or remove it") from None
    file = stack.enter_context(os.fdopen(handle, "w", encoding="utf-8", newline=""))
    return csv.writer(file, delimiter=delimiter, lineterminator="\n")
