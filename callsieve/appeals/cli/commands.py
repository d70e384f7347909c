"""`callsieve appeal`: appeals of number owners, from filing to decision."""

import os
import shlex
import sqlite3
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from callsieve.appeals import operations
from callsieve.appeals.operations import (
    AppealChange,
    AppealCodeRequest,
    AppealRequest,
    ClearRequest,
    EvidenceFile,
    EvidencePlace,
    EvidenceRequest,
    RulingRequest,
    WithdrawRequest,
    appeal_about,
    attach,
    detach,
    fetch,
)
from callsieve.appeals.views import find_case, queued
from callsieve.changes.operation import Context, Refused
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, context_of, existing_store, perform, print_json, settings_of
from callsieve.cli.output import Cell, bold, lines, plural, print_pairs, print_table, say, say_command, say_undo
from callsieve.numbers.calls_now import calls_now, stops_of
from callsieve.numbers.profile import profile_of
from callsieve.settings import Loaded
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for, open_named
from callsieve.text.times import day, when
from reputation.appeals import ATTACHMENT_BYTES, Appeal, due_at, is_overdue
from reputation.model import Mark
from reputation.store.appeals import all_appeals, appeals_to_decide
from reputation.store.marks import Tombstone, tombstones_of
from reputation.store.public_appeals import Attachment, attachments_of, public_appeals

AppealArgument = Annotated[
    str,
    typer.Argument(
        metavar="APPEAL",
        help="The reference of the appeal, or a phone number for its latest appeal.",
        show_default=False,
    ),
]


def in_force(appeal: Appeal) -> str:
    """Return a sentence that says what an appeal in force changes, and until when to decide it."""
    due = due_at(appeal)
    until = f" Decide it by {when(due - 1)}." if due is not None else ""
    return (
        f"Appeal {appeal.reference} is in force: rules can at most challenge calls from {appeal.number}. The "
        f"allowlist and blocklist still apply.{until}"
    )


def show_list(
    include_closed: Annotated[bool, typer.Option("--all", help="Show closed appeals too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the appeals that wait for a decision: first those in force, by deadline, then those that are only filed."""
    now = time.time()
    with existing_store(settings_of(config)) as db:
        appeals = all_appeals(db) if include_closed else appeals_to_decide(db)
        queue = queued(appeals, public_appeals(db), now)
    if as_json:
        print_json(queue)
    elif appeals:
        print_table(
            ("appeal", "number", "owner", "state", "decide by", "filed"),
            (
                (appeal.reference, appeal.number, appeal.name, appeal.state.words, _deadline(appeal, now), opened_day)
                for appeal, opened_day in ((appeal, day(appeal.opened_at)) for appeal in appeals)
            ),
            keep=(0, 1, 3, 4, 5),
        )
    else:
        say("No appeals." if include_closed else "No appeals to decide. --all shows closed ones.")


def show(appeal: AppealArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show one appeal: the owner's statement, the evidence, and the marks that the appeal is about."""
    loaded, now = settings_of(config), time.time()
    with existing_store(loaded) as db:
        shown = appeal_about(db, context_of(loaded), appeal)
        case = find_case(db, context_of(loaded), appeal)
        tombstones = tombstones_of(db, shown.number)
        known = known_now(db, loaded, shown.number, now)
    if as_json:
        print_json(case)
        return
    say(bold(shown.reference), f"  appeal of {shown.number}")
    say()
    print_pairs(
        [
            ("state", shown.state.words + (", control of the number is proven" if shown.proven else "")),
            ("decide by", _deadline(shown, now)),
            ("reason", lines(shown.reason.splitlines())),
            ("owner", f"{shown.name}, {shown.contact}"),
            ("statement", lines(shown.statement.splitlines())),
            ("about", f"decision {shown.decision_id}" if shown.decision_id else ""),
            ("filed", when(shown.opened_at)),
            ("in force", when(shown.in_force_at) if shown.in_force_at else ""),
            ("closed", when(shown.closed_at) if shown.closed_at else ""),
            ("evidence", lines(map(_attachment, case.attachments))),
            ("marks", lines(_mark(mark, tombstones) for mark in case.marks)),
            ("evidence now", known),
        ]
    )


def known_now(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> str:
    """Return one line with the current level of the number and a summary of the evidence about the number."""
    known = profile_of(db, loaded, number, now)
    return f"level {known.facts.reputation.level.word}. {known.sentence}"


def _deadline(appeal: Appeal, now: float) -> Cell:
    due = due_at(appeal)
    if due is None:
        return ""
    last_day = day(due - 1)
    return Text(f"{last_day}, overdue", style="red") if is_overdue(appeal, now) else last_day


def _mark(mark: Mark, tombstones: list[Tombstone]) -> str:
    wrong = ", corrected" if any(tombstone.covers(mark.reporter, mark.at) for tombstone in tombstones) else ""
    return f"{mark.category or 'spam'} by {mark.reporter}, {when(mark.at)} ({mark.auth_class.value}{wrong})"


def _attachment(attachment: Attachment) -> str:
    size = f"{attachment.size:,} bytes" if attachment.size < 1024 else f"{attachment.size / 1024:,.0f} kB"
    return f"{attachment.place}: {attachment.name}, {size}, by {attachment.added_by}, {when(attachment.added_at)}"


RemoveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--remove",
        metavar="list|policy|people",
        help="Also remove these reasons to stop calls from the number. Can be repeated.",
        show_default=False,
    ),
]
ReasonOption = Annotated[
    str, typer.Option(help="Reason for this step. The owner can read this text.", show_default=False)
]


def file_appeal(
    number: Annotated[str, typer.Argument(help="A number as you dial it, or +12015550123.", show_default=False)],
    name: Annotated[str, typer.Option(help="Name of the owner.", show_default=False)],
    contact: Annotated[str, typer.Option(help="Where to send the answer, such as a mail address.", show_default=False)],
    statement: Annotated[str, typer.Option(help="The owner's statement.")] = "",
    decision: Annotated[
        str | None, typer.Option(metavar="ID", help="The decision that the appeal is about, from `calls show`.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """File an appeal. It has no effect until control of the number is proven or you accept it."""
    request = AppealRequest(number, name, contact, statement, decision)
    filed = perform(settings_of(config), operations.file, request).appeal
    if as_json:
        print_json(filed)
        return
    say(
        f"Filed appeal {filed.reference} for {filed.number}. It has no effect yet. To let the owner prove control of "
        f"the number:"
    )
    say_command(_command("code", filed.reference, config))
    say("To accept the appeal without proof:")
    say_command(_command("accept", filed.reference, config))


def code(appeal: AppealArgument, config: ConfigOption = None) -> None:
    """Make a code for a call-back. Call the number and say the code. The owner then repeats it to you."""
    made = perform(settings_of(config), operations.make_code, appeal, existing=True)
    say("The code is ", bold(made.spoken), ". This code is valid for a day and replaces earlier codes.")
    say(f"Call {made.number} and say the code. When the owner repeats the code and names the appeal, run:")
    say_command(_command("prove", made.about, config, "CODE"))


def prove(
    appeal: AppealArgument,
    code: Annotated[str, typer.Argument(help="The code from the owner: six digits.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Check the code that the owner repeated. If it is right, control is proven and the appeal is in force."""
    loaded = settings_of(config)
    proven = perform(loaded, operations.prove, AppealCodeRequest(appeal, code), existing=True)
    if isinstance(proven, Refused):
        raise proven
    say(f"Control of {proven.number} is proven. {in_force(proven)}")
    _say_calls(loaded, proven.number)


def accept(appeal: AppealArgument, config: ConfigOption = None) -> None:
    """Accept an appeal without proof. The appeal is then in force: no rule rejects calls until it is decided."""
    loaded = settings_of(config)
    done = perform(loaded, operations.accept, appeal, existing=True)
    say(in_force(done.appeal))
    _say_calls(loaded, done.appeal.number)
    say_undo(done.change_id, config)


def decide(
    appeal: AppealArgument,
    ruling: Annotated[str, typer.Argument(metavar="uphold|deny", help="The ruling.", show_default=False)],
    reason: ReasonOption,
    category_only: Annotated[
        bool, typer.Option("--category-only", help="Only the category of the marks was wrong: nobody loses trust.")
    ] = False,
    remove: RemoveOption = None,
    config: ConfigOption = None,
) -> None:
    """Decide an appeal. If the appeal is upheld, the spam marks that the number has so far no longer count."""
    loaded = settings_of(config)
    request = RulingRequest(appeal, ruling, reason, category_only, tuple(remove or ()))
    done = perform(loaded, operations.decide, request, existing=True)
    decided = done.appeal
    if operations.RULINGS[ruling]:
        say(f"Appeal {decided.reference} is upheld: the spam marks that {decided.number} has so far no longer count.")
        say("New marks count less for 90 days.")
        _say_stops(done, config)
        if done.reporters:
            who = plural(len(done.reporters), "person", "people")
            say(f"{who} who marked the number will be trusted a little less ({', '.join(done.reporters)}).")
    else:
        say(f"Appeal {decided.reference} is denied. A new appeal for {decided.number} can be filed in 30 days.")
    with existing_store(loaded) as db:
        say(f"Evidence about the number: {known_now(db, loaded, decided.number, time.time())}")
    say(f"Now inform the owner: {decided.name}, {decided.contact}.")
    say_undo(done.change_id, config)


def clear(
    appeal: AppealArgument,
    remove: RemoveOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what still stops the number's calls after an upheld appeal, or remove it with `--remove`."""
    loaded = settings_of(config)
    if not remove:
        with existing_store(loaded) as db:
            upheld = appeal_about(db, context_of(loaded), appeal)
            stops = stops_of(db, loaded, upheld.number, time.time())
        _say_stops(AppealChange(None, upheld, (), stops), config)
        return
    done = perform(loaded, operations.clear, ClearRequest(appeal, tuple(remove)), existing=True)
    say(f"Removed these reasons to stop calls from {done.appeal.number}: {', '.join(remove)}.")
    _say_stops(done, config)
    say_undo(done.change_id, config)


def withdraw(appeal: AppealArgument, reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """End an appeal without a decision, because the owner no longer wants it or did not file it."""
    done = perform(settings_of(config), operations.withdraw, WithdrawRequest(appeal, reason), existing=True)
    say(f"Appeal {done.appeal.reference} for {done.appeal.number} is withdrawn.")
    say_undo(done.change_id, config)


def _say_calls(loaded: Loaded, number: str) -> None:
    with existing_store(loaded) as db:
        calls = calls_now(db, loaded, number, time.time())
    say(f"Now {calls.words}.")
    if calls.people_words is not None:
        text = str(calls.people_words)
        say(f"{text[:1].upper()}{text[1:]}.")


def _say_stops(done: AppealChange, config: Path | None) -> None:
    if not done.stops:
        say(f"Nothing else in CallSieve stops calls from {done.appeal.number}.")
        return
    say(f"Calls from {done.appeal.number} are still stopped by:")
    for stop in done.stops:
        say(f"  {stop.kind}: {stop.words} (to {stop.remedy})")
    options = [word for stop in done.stops for word in ("--remove", stop.kind.value)]
    say_command(_command("clear", done.appeal.reference, config, *options))


def _command(name: str, reference: str, config: Path | None, *more: str) -> str:
    words = ["callsieve", "appeal", name, reference, *more]
    return shlex.join([*words, "--config", str(config)] if config else words)


def evidence(
    appeal: AppealArgument,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Files to attach, such as call records and letters."),
    ] = None,
    statement: Annotated[str | None, typer.Option(metavar="TEXT", help="Text of a statement to attach.")] = None,
    remove: Annotated[int | None, typer.Option(metavar="N", help="Remove the Nth attachment permanently.")] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="DIRECTORY", help="Write all evidence to this directory, readable only by you (0600)."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Attach files and statements to an appeal, remove them, or list them."""
    loaded = settings_of(config)
    context = context_of(loaded)
    new = [EvidenceFile(path.name, _read(path)) for path in files or []]
    if statement is not None:
        new.append(EvidenceFile("statement.txt", statement.strip().encode()))
    with existing_store(loaded) as db:
        reference = appeal_about(db, context, appeal).reference
        if new:
            attach(db, context, EvidenceRequest(reference, tuple(new)))
        if remove is not None:
            detach(db, context, EvidencePlace(reference, remove))
        attached = attachments_of(db, reference)
        if export is not None:
            _export(db, context, reference, export)
    if as_json:
        print_json(attached)
        return
    for attachment in attached:
        say(f"{attachment.place}  {attachment.name}  {attachment.size:,} bytes, by {attachment.added_by}")
    if not attached:
        say(f"Nothing is attached to appeal {reference}.")


def _read(path: Path) -> bytes:
    # One byte more than allowed, so that the store can refuse the file.
    with open_named(path) as file:
        return file.read(ATTACHMENT_BYTES + 1)


def _export(db: sqlite3.Connection, context: Context, reference: str, directory: Path) -> None:
    # Strangers chose the names, so each file is named by appeal and place, followed by the harmless part of its name.
    with acting_for(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for attachment in attachments_of(db, reference):
        _, content = fetch(db, context, EvidencePlace(reference, attachment.place))
        plain = "".join(c if c.isalnum() or c in ".-_ " else "_" for c in attachment.name)
        path = directory / f"{reference}-{attachment.place}-{plain}"
        try:
            with acting_for(path):
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with naming(path), os.fdopen(handle, "wb") as file:
                file.write(content)
        except FileExistsError:
            raise CommandError(f"{path}: the file exists: choose another directory") from None
