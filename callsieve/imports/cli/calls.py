"""`callsieve import calls` and `import contacts`: past calls of a PBX, and address books as vCards or CSV."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import tzinfo
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import DryRunOption, input_as, warn_of_skipped
from callsieve.cli.options import ConfigOption, JsonOption, context_of, print_json, settings_of, stores
from callsieve.cli.output import meter, meter_of, plural, print_table, say, some, watched
from callsieve.imports import operations
from callsieve.imports.call_history import Written, items_of, open_tables
from callsieve.imports.cli.number_import import SOURCE_HELP, VCARDS, Summary, print_summary, source_given
from callsieve.imports.operations import TOO_MANY, CallsRequest, ContactsRequest, ImportKind
from callsieve.imports.rows import CONTACT_COLUMNS, NAME, contacts_in, contacts_in_vcards, contacts_of_freepbx
from callsieve.pbx.freepbx_database import (
    CONF_VARIABLE,
    CallTables,
    KnownContact,
    call_tables,
    conf_path,
    contacts_in_freepbx,
    has_contacts,
    home_address,
)
from callsieve.pbx.mysql import EXAMPLE, SCHEMES, Address, DatabaseError, connected, parse_address
from callsieve.replay.call_files import History, HistoryError, open_history, sides_of
from callsieve.replay.history_file import EmptyLines
from callsieve.text.csv_table import DAMAGE, CsvTable, usable
from callsieve.text.table_errors import TableError, TableProblem, table_error
from callsieve.text.vcard import Vcards, is_vcard
from reputation.store.lists import Contact
from reputation.store.sources import calls_done_to

T = TypeVar("T")

FREEPBX = "freepbx"
# The variable that MariaDB's own client reads.
PASSWORD_VARIABLE = "MYSQL_PWD"
NO_CONF = f"file not found: set {CONF_VARIABLE} to the path of freepbx.conf"
SHOWN = (
    f"other users of this server can see the password in the list of processes: leave the password out and "
    f"type it when asked, or set {PASSWORD_VARIABLE}"
)


def tables_from(origin: str) -> CallTables:
    """Return the tables with calls, in FreePBX's own database or in the database at an address."""
    if origin == FREEPBX:
        return _of_freepbx(call_tables, f"{NO_CONF}, or use --from {EXAMPLE}")
    if not origin.startswith(tuple(f"{scheme}://" for scheme in SCHEMES)):
        raise CommandError(f"--from: use {FREEPBX} or {EXAMPLE}; a file needs no --from")
    address = parse_address(origin)
    if address.password is not None:
        warn(SHOWN)
        return CallTables(address)
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is None and sys.stdin.isatty():
        password = typer.prompt(f"Password of {address}", hide_input=True, default="", show_default=False, err=True)
    return CallTables(replace(address, password=password))


def freepbx_home() -> Address:
    """Return the address of FreePBX's own database."""
    return _of_freepbx(home_address, NO_CONF)


def _of_freepbx(read: Callable[[Path], T], without: str) -> T:
    path = conf_path()
    try:
        return read(path)
    except FileNotFoundError:
        raise CommandError(f"{path}: {without}") from None


def import_calls(
    file: Annotated[
        Path | None,
        typer.Argument(help="Master.csv, a sqlite3 file with a cdr table, or JSON lines.", show_default=False),
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="Database to read instead of a file: `freepbx`, or mysql://USER@HOST/asteriskcdrdb.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="With --from: read all calls again, not only new ones.")
    ] = False,
    zone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE", help="Time zone of call records (CDRs) without a uniqueid. Default: the server's."
        ),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Learn from past calls. Calls that are already in the store are skipped, so you can repeat the import."""
    if (file is None) == (origin is None):
        raise CommandError("import calls: give either a FILE or --from freepbx (callsieve import calls --help)")
    if file is not None and everything:
        raise CommandError("import calls: --all needs --from: a file is always read completely")
    loaded = settings_of(config)
    place = _zone(zone)
    started = time.monotonic()
    try:
        tables = None if origin is None else tables_from(origin)
        with stores(loaded, dry_run=dry_run, copied=True) as (known, written), ExitStack() as stack:
            sides = sides_of(known, loaded)
            if file is not None:
                name, history = file.name, stack.enter_context(open_history(file, sides, place))
                items = items_of(history)
                tell = stack.enter_context(meter(file))
            else:
                assert tables is not None
                name = str(tables.address)
                done_to = None if everything else calls_done_to(known, name)
                history, items = stack.enter_context(open_tables(tables, sides, place, done_to, time.time()))
                tell = stack.enter_context(meter_of(history.size))
            items = watched(items, history.place or (lambda: history.bytes_read), tell)
            result = operations.import_calls(written, context_of(loaded), CallsRequest(name, items))
    except (HistoryError, DatabaseError) as error:
        raise CommandError(str(error)) from None
    except EmptyLines as error:
        raise CommandError(f"{file}: {error}") from None
    except DAMAGE:
        raise CommandError(str(table_error(TableProblem.DAMAGED, str(file)))) from None
    if not (result.new or result.known or result.marks or history.going_on) and (file or history.skipped):
        why = f": {history.problems[0]}" if history.problems else ""
        raise CommandError(f"{file or name}: no call can be used{why}. Nothing was changed")
    _show(history, result, time.monotonic() - started, dry_run=dry_run, as_json=as_json)


def _show(history: History, result: Written, seconds: float, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        about = {"kind": history.kind, "read": history.read, "skipped": history.skipped, "dry_run": dry_run}
        about |= {"going_on": history.going_on, "remarks": history.remarks}
        problems = [{problem.unit: problem.line, "problem": str(problem.text)} for problem in history.problems]
        print_json(about | asdict(result) | {"seconds": seconds, "problems": problems})
        return
    warn_of_skipped(history.problems, history.skipped)
    for remark in history.remarks:
        warn(remark)
    learnt = f"{'would learn' if dry_run else 'learnt'} from {plural(result.new, 'call')}"
    parts = [f"{plural(history.read, 'row')} read", f"{result.known:,} calls known before"]
    parts += [plural(result.signals, "signal"), plural(result.marks, "mark"), f"{seconds:.1f} s"]
    say(f"{learnt[0].upper()}{learnt[1:]}: {', '.join(parts)}.")
    if history.going_on:
        say(f"{plural(history.going_on, 'call')} may not be over yet. The next import reads them again.")
    if dry_run:
        say("Nothing was changed.")


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CommandError(
            f"--zone {name[:40]!r}: unknown time zone: use a name such as Europe/London or UTC"
        ) from None


SHOWN_CONTACTS = 20


class ContactOrigin(StrEnum):
    """Sources of contacts other than a file."""

    FREEPBX = "freepbx"


def import_contacts(
    file: Annotated[
        Path | None, typer.Argument(help="vCards (.vcf), or CSV in UTF-8; - for standard input.", show_default=False)
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help=SOURCE_HELP, show_default=False)
    ] = None,
    origin: Annotated[
        ContactOrigin | None, typer.Option("--from", help="Read FreePBX's Contact Manager instead of a file.")
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="EXT",
            help=(
                "Extension of the person who gets the contacts that have no extension in the file. Default: "
                "such contacts are for everybody."
            ),
        ),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Import contacts. Calls from contacts ring through. The header of a CSV file is number[,name,person,company]."""
    loaded = settings_of(config)
    if (file is None) == (origin is None):
        raise CommandError("import contacts: give either a FILE or --from freepbx (callsieve import contacts --help)")
    if owner is not None and not NAME.fullmatch(owner):
        raise CommandError(f"--for {owner[:40]!r}: not an extension: use letters, digits, space, _, . and -")
    name = origin.value if origin is not None and source is None else source
    if name is None:
        raise CommandError("import contacts: give --source NAME, a name for this address book")
    summary = Summary(ImportKind.CONTACTS, source_given(name), dry_run)
    region = loaded.settings.numbers.region
    contacts = _from_freepbx(region, owner, summary) if file is None else _from_file(file, region, owner, summary)
    with stores(loaded, dry_run=dry_run) as (known, written):
        request = ContactsRequest(summary.source, contacts, known)
        done = operations.import_contacts(written, context_of(loaded), request)
    summary.before, summary.imported, summary.duplicates = done.before, done.rows, len(contacts) - done.rows
    if done.strangers:
        summary.remarks.append(f"contacts belong to unknown extensions: {some(done.strangers)}")
    if dry_run and not as_json:
        _show_contacts(contacts)
    print_summary(summary, as_json=as_json)


def _from_file(file: Path, region: str, owner: str | None, summary: Summary) -> Sequence[Contact]:
    with input_as(file, _contacts_table) as (table, _):
        if isinstance(table, Vcards):
            summary.format = VCARDS
            rows = contacts_in_vcards(table, region, owner)
        else:
            rows = contacts_in(table, region, owner)
        contacts = usable(table, rows, operations.MOST_ROWS, TOO_MANY)
    summary.take(table)
    if isinstance(table, Vcards) and table.without_number:
        summary.remarks.append(f"{plural(table.without_number, 'card')} without a telephone number: not imported")
    return contacts


def _from_freepbx(region: str, owner: str | None, summary: Summary) -> Sequence[Contact]:
    # Contacts in private groups belong to the owner of the group, all others to `owner`.
    try:
        with connected(freepbx_home()) as db:
            if not has_contacts(db):
                raise CommandError("FreePBX's module Contact Manager is not installed. Nothing was changed")
            known = islice(contacts_in_freepbx(db), operations.MOST_ROWS + 1)
            rows = contacts_of_freepbx(_counted(known, summary), region, owner, summary.refuse)
            return usable(summary, rows, operations.MOST_ROWS, TOO_MANY)
    except (DatabaseError, TableError) as error:
        raise CommandError(str(error)) from None


def _counted(known: Iterable[KnownContact], summary: Summary) -> Iterator[KnownContact]:
    for contact in known:
        summary.read += 1
        yield contact


def _contacts_table(stream: BinaryIO, name: str) -> CsvTable | Vcards:
    return Vcards(stream, name) if is_vcard(stream) else CsvTable(stream, CONTACT_COLUMNS, name)


def _show_contacts(contacts: Sequence[Contact]) -> None:
    shown = contacts[:SHOWN_CONTACTS]
    rows = [(contact.number, contact.name or "", contact.person or "everybody") for contact in shown]
    print_table(("number", "name", "person"), rows, keep=(0, 2))
    if len(contacts) > SHOWN_CONTACTS:
        say(f"... and {len(contacts) - SHOWN_CONTACTS:,} more.")
