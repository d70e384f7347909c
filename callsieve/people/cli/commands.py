"""The command `callsieve import people`: import people from a file, or people and DIDs from the local PBX."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from callsieve.cli import options
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import DryRunOption, table_in
from callsieve.cli.output import plural, print_table, say, say_command, say_undo, some
from callsieve.doctor.finding import CheckContext
from callsieve.imports.cli.number_import import SOURCE_HELP, Summary, print_summary, source_given
from callsieve.imports.operations import MOST_ROWS, TOO_MANY, ImportKind, PeopleRequest
from callsieve.imports.operations import import_people as import_rows
from callsieve.imports.rows import NAME, PEOPLE_COLUMNS, people_in
from callsieve.pbx.cli_client import ConsoleError, console
from callsieve.people.operations import TakenOver, Takeover, TakeoverRequest, TakeoverState, compared, take_over
from callsieve.people.pbx import FoundPbx, FoundTrunk, NotThisPbx, PbxKind, read_pbx
from callsieve.settings import Loaded
from callsieve.system.privileges import as_root
from callsieve.text.csv_table import usable
from reputation.encoding import FLAT
from reputation.model import Did, Person

KIND_WORDS = {ImportKind.PEOPLE: "person", ImportKind.DIDS: "DID"}
UNDESCRIBED = "its calls are screened, but the settings do not describe the trunk"


class PeopleTaken(NamedTuple):
    """The result of an import from a PBX, or of a dry run. `remarks`: why some entries could not be imported."""

    source: PbxKind
    dry_run: bool
    taken: Annotated[TakenOver, FLAT]
    trunks: tuple[FoundTrunk, ...]
    remarks: tuple[str, ...]


def import_people(
    file: Annotated[Path | None, typer.Argument(help="CSV in UTF-8; - for standard input.", show_default=False)] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help=SOURCE_HELP, show_default=False)
    ] = None,
    origin: Annotated[
        PbxKind | None, typer.Option("--from", help="Instead of a file: people, groups and DIDs from the local PBX.")
    ] = None,
    remove_gone: Annotated[
        bool, typer.Option("--remove-gone", help="With --from: remove what no longer exists on the PBX.")
    ] = False,
    yes: options.YesOption = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="With --from: print one line if something changed, else nothing.")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Import or update people. Header: extension[,endpoint][,group][,language][,name].

    With --from, people, groups and DIDs come from the PBX. Your own entries stay. You can repeat the import.
    """
    if (file is None) == (origin is None):
        raise CommandError("import people: give either FILE or --from asterisk|freepbx (see --help)")
    if file is not None:
        if remove_gone or quiet:
            raise CommandError("import people: --remove-gone and --quiet need --from")
        _import_file(file, source, dry_run=dry_run, as_json=as_json, config=config)
        return
    if source is not None or origin is None:
        raise CommandError(
            "import people: --source is only for files; an import from a PBX is named asterisk or freepbx"
        )
    loaded = options.settings_of(config)
    pbx = _read(loaded, origin)
    request = TakeoverRequest(origin.value, pbx.people, pbx.dids, remove_gone)
    with options.stores(loaded, dry_run=True) as (known, _):
        rows = compared(known, options.context_of(loaded), request)
    if not (as_json or quiet):
        _show(pbx, rows)
    done = TakenOver(None, rows)
    waiting = _counts(rows, request)
    if waiting and not dry_run:
        if not options.confirmed("Import this?", yes=yes):
            say("Nothing was changed.")
            raise SystemExit(1)
        done = options.perform(loaded, take_over, request)
    if as_json:
        options.print_json(PeopleTaken(pbx.kind, dry_run, done, pbx.trunks, pbx.remarks))
    elif quiet and done.change_id is not None:
        say(f"Imported from {origin.value}: {waiting}. To undo it: callsieve undo {done.change_id}")
    elif not quiet:
        _say_done(request, done, waiting, dry_run=dry_run, config=config)


def _read(loaded: Loaded, kind: PbxKind) -> FoundPbx:
    context = CheckContext(loaded, partial(console, loaded.settings), time.time())
    try:
        with as_root():
            return read_pbx(context, kind)
    except (ConsoleError, NotThisPbx) as error:
        raise CommandError(f"{error}. Nothing was changed") from None


def _counts(rows: list[Takeover], request: TakeoverRequest) -> str:
    states = {TakeoverState.NEW, TakeoverState.CHANGED} | ({TakeoverState.GONE} if request.remove_gone else set())
    counts = Counter(row.kind for row in rows if row.state in states)
    people = plural(counts[ImportKind.PEOPLE], "person", "people") if counts[ImportKind.PEOPLE] else ""
    dids = plural(counts[ImportKind.DIDS], "DID") if counts[ImportKind.DIDS] else ""
    return " and ".join(part for part in (people, dids) if part)


def _show(pbx: FoundPbx, rows: list[Takeover]) -> None:
    for remark in pbx.remarks:
        warn(remark)
    lines = [
        (row.state.value, KIND_WORDS[row.kind], row.key, _change_words(row, pbx)) for row in rows if row.state != "same"
    ]
    lines += [("trunk", "trunk", trunk.channels, _trunk_words(trunk)) for trunk in pbx.trunks]
    if lines:
        table = [({"yours": "kept", "trunk": ""}.get(state, state), *line) for state, *line in lines]
        print_table(("", "what", "which", "on the PBX"), table, keep=(0, 1, 2))
    _show_missing_trunks(pbx)
    same = Counter(row.kind for row in rows if row.state is TakeoverState.SAME)
    if same:
        people, dids = plural(same[ImportKind.PEOPLE], "person", "people"), plural(same[ImportKind.DIDS], "DID")
        say(f"{people} and {dids} are known already and unchanged.")


def _show_missing_trunks(pbx: FoundPbx) -> None:
    names = [
        (trunk.channels.removesuffix("-*").partition("/")[2], trunk) for trunk in pbx.trunks if not trunk.described
    ]
    lines = [
        f'[[trunk]]\nname = "{name}"\nchannels = "{trunk.channels}"' for name, trunk in names if NAME.fullmatch(name)
    ]
    if lines:
        say("Add these lines to the settings. Add `region` and `trusted` too where they differ from the defaults:")
        for line in "\n".join(lines).splitlines():
            say_command(line)


def _change_words(row: Takeover, pbx: FoundPbx) -> str:
    if row.after is None:
        return f"no longer exists; was: {_entry_words(row.before)}"
    words = _entry_words(row.after, pbx.rings.get(row.key, ()))
    if row.state is TakeoverState.YOURS:
        return f"{words}; your entry: {_entry_words(row.before)}"
    if row.state is TakeoverState.CHANGED:
        return f"{words}; was: {_entry_words(row.before)}"
    return words


def _entry_words(entry: Person | Did | None, rings: Sequence[str] = ()) -> str:
    """Return a person or DID as text. A DID with neither callee nor groups is shown with the phones in `rings`."""
    if parts := ", ".join(_parts(entry)):
        return parts
    if rings:
        return f"rings {', '.join(rings)}, who do not form a group"
    return "the dialplan does not say which phones this number rings"


def _parts(entry: Person | Did | None) -> Iterator[str]:
    if isinstance(entry, Person):
        yield from filter(None, (entry.name, entry.endpoint, entry.group and f"group {entry.group}", entry.language))
    elif entry is not None:
        if entry.callee:
            yield f"for {entry.callee}"
        if entry.groups:
            yield f"{'group' if len(entry.groups) == 1 else 'groups'} {', '.join(entry.groups)}"
        if not entry.screen:
            yield "not screened"


def _trunk_words(trunk: FoundTrunk) -> str:
    return f"in the settings as {trunk.described}" if trunk.described else UNDESCRIBED


def _say_done(request: TakeoverRequest, done: TakenOver, waiting: str, *, dry_run: bool, config: Path | None) -> None:
    if done.change_id is not None:
        say(f"Imported from {request.source}: {waiting}. The daemon uses these entries from the next call on.")
        say_undo(done.change_id, config)
    else:
        say("Nothing was changed." if waiting and dry_run else "Nothing to import.")
    if not request.remove_gone and any(row.state is TakeoverState.GONE for row in done.rows):
        say("Entries that no longer exist on the PBX stay. To remove them, add --remove-gone.")


def _import_file(file: Path, source: str | None, *, dry_run: bool, as_json: bool, config: Path | None) -> None:
    if source is None:
        raise CommandError("import people: missing option --source NAME, the name of this import")
    loaded = options.settings_of(config)
    summary = Summary(ImportKind.PEOPLE, source_given(source), dry_run)
    with table_in(file, PEOPLE_COLUMNS) as (table, _):
        people = usable(table, people_in(table), MOST_ROWS, TOO_MANY)
    with options.stores(loaded, dry_run=dry_run) as (_, written):
        done = import_rows(written, options.context_of(loaded), PeopleRequest(summary.source, people))
    summary.take(table)
    summary.imported, summary.duplicates = done.rows, len(people) - done.rows
    if done.kept:
        summary.remarks.append(f"not removed, because the settings describe them: {some(done.kept)}")
    print_summary(summary, as_json=as_json)
    if not as_json and not dry_run:
        say_undo(done.change_id, config)
