"""`callsieve appeal`: a number owner's case against a marking, from its filing to its decision."""

from __future__ import annotations

import os
import shlex
import sqlite3
import time
from pathlib import Path
from typing import Annotated

import typer

from callsieve.appeals import operations
from callsieve.appeals.cli import tables
from callsieve.appeals.cli.tables import AppealArgument
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
from callsieve.changes.operation import Context, Refused
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, print_json, settings_of
from callsieve.cli.output import bold, plural, say, say_command, say_undo
from callsieve.cli.store import context_of, perform
from callsieve.numbers.calls_now import calls_now, stops_of
from callsieve.settings import Loaded
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for, open_named
from reputation.appeals import ATTACHMENT_BYTES
from reputation.store.public_appeals import attachments_of

RemoveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--remove", metavar="list|policy|people", help="What else stops its calls; may be repeated.", show_default=False
    ),
]
ReasonOption = Annotated[str, typer.Option(help="Why; whoever appealed gets to read it.", show_default=False)]


def open_one(
    number: Annotated[str, typer.Argument(help="As it is dialled here, or +12015550123.", show_default=False)],
    name: Annotated[str, typer.Option(help="Who appeals.", show_default=False)],
    contact: Annotated[str, typer.Option(help="How the answer reaches them: a mail address.", show_default=False)],
    statement: Annotated[str, typer.Option(help="What they say.")] = "",
    decision: Annotated[
        str | None, typer.Option(metavar="ID", help="The decision that it is about, of `calls show`.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """File an appeal. It has no effect yet: control of the number must be proven, or you accept it."""
    request = AppealRequest(number, name, contact, statement, decision)
    filed = perform(settings_of(config), operations.file, request).appeal
    if as_json:
        print_json(filed)
        return
    say(f"Appeal {filed.reference} of {filed.number} is filed. It has no effect yet. Have control of it proven:")
    say_command(_command("code", filed.reference, config))
    say("or accept it as it is:")
    say_command(_command("accept", filed.reference, config))


def code(appeal: AppealArgument, config: ConfigOption = None) -> None:
    """Make a code for a call-back: call the number, say the code, and let whoever answers give it back."""
    made = perform(settings_of(config), operations.make_code, appeal, existing=True)
    say("The code is ", bold(made.spoken), ". It counts for a day, and no other any more.")
    say(f"Call {made.number} and say it. When whoever answers there gives it back with the appeal:")
    say_command(_command("prove", made.about, config, "CODE"))


def prove(
    appeal: AppealArgument,
    code: Annotated[str, typer.Argument(help="As it was given back: six digits.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Take the code that was given back: control of the number is proven, and the appeal is in force."""
    loaded = settings_of(config)
    proven = perform(loaded, operations.prove, AppealCodeRequest(appeal, code), existing=True)
    if isinstance(proven, Refused):
        raise proven
    say(f"Control of {proven.number} is proven. {tables.in_force(proven)}")
    _say_calls(loaded, proven.number)


def accept(appeal: AppealArgument, config: ConfigOption = None) -> None:
    """Take an appeal as it is, without a proof: it is in force, and no rule rejects calls until it is decided."""
    loaded = settings_of(config)
    done = perform(loaded, operations.accept, appeal, existing=True)
    say(tables.in_force(done.appeal))
    _say_calls(loaded, done.appeal.number)
    say_undo(done.change_id, config)


def decide(
    appeal: AppealArgument,
    ruling: Annotated[str, typer.Argument(metavar="uphold|deny", help="Who is right.", show_default=False)],
    reason: ReasonOption,
    category_only: Annotated[
        bool, typer.Option("--category-only", help="The marks were right but for their category: it costs nobody.")
    ] = False,
    remove: RemoveOption = None,
    config: ConfigOption = None,
) -> None:
    """Decide an appeal. Upheld, all spam marks of the number until now count as never made."""
    loaded = settings_of(config)
    request = RulingRequest(appeal, ruling, reason, category_only, tuple(remove or ()))
    done = perform(loaded, operations.decide, request, existing=True)
    one = done.appeal
    if operations.RULINGS[ruling]:
        say(f"Appeal {one.reference} is upheld: the spam marks of {one.number} until now count as never made.")
        say("New ones count less for 90 days.")
        _say_stops(done, config)
        if done.reporters:
            who = plural(len(done.reporters), "person", "people")
            say(f"{who} who marked it will be trusted a little less ({', '.join(done.reporters)}).")
    else:
        say(f"Appeal {one.reference} is denied; the next one of {one.number} can be filed in 30 days.")
    with existing_store(loaded) as db:
        say(f"What is known of it now: {tables.known_now(db, loaded, one.number, time.time())}")
    say(f"Now tell {one.name}, {one.contact}.")
    say_undo(done.change_id, config)


def clear(
    appeal: AppealArgument,
    remove: RemoveOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what still stops calls of a number whose appeal was upheld, and remove it: list, policy, people."""
    loaded = settings_of(config)
    if not remove:
        with existing_store(loaded) as db:
            one = appeal_about(db, context_of(loaded), appeal)
            stops = stops_of(db, loaded, one.number, time.time())
        _say_stops(AppealChange(None, one, (), stops), config)
        return
    done = perform(loaded, operations.clear, ClearRequest(appeal, tuple(remove)), existing=True)
    say(f"Removed for {done.appeal.number}: {', '.join(remove)}.")
    _say_stops(done, config)
    say_undo(done.change_id, config)


def withdraw(appeal: AppealArgument, reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """End an appeal without a decision: its owner no longer wants it, or it was filed by somebody else."""
    done = perform(settings_of(config), operations.withdraw, WithdrawRequest(appeal, reason), existing=True)
    say(f"Appeal {done.appeal.reference} of {done.appeal.number} is withdrawn.")
    say_undo(done.change_id, config)


def _say_calls(loaded: Loaded, number: str) -> None:
    """What calls meet now, which a list may decide."""
    with existing_store(loaded) as db:
        calls = calls_now(db, loaded, number, time.time())
    say(f"Now {calls.words}.")
    if calls.people_words is not None:
        text = str(calls.people_words)
        say(f"{text[:1].upper()}{text[1:]}.")


def _say_stops(done: AppealChange, config: Path | None) -> None:
    """What still stops calls, and how to remove it."""
    if not done.stops:
        say(f"Nothing else here stops calls of {done.appeal.number}.")
        return
    say(f"Calls of {done.appeal.number} are still stopped by:")
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
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Call records, letters: attached.")
    ] = None,
    statement: Annotated[str | None, typer.Option(metavar="TEXT", help="What somebody said: attached.")] = None,
    remove: Annotated[int | None, typer.Option(metavar="N", help="Remove the Nth for good.")] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="DIRECTORY", help="Write all of them there, for you alone (0600).")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Attach files and statements to an appeal, take them out again, or show which there are."""
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
    """The file, as far as it may be attached: one byte more is read, so that the store can refuse it."""
    with open_named(path) as file:
        return file.read(ATTACHMENT_BYTES + 1)


def _export(db: sqlite3.Connection, context: Context, reference: str, directory: Path) -> None:
    """Each in a file of its own. Names are those of strangers: only their last part counts, behind a number."""
    with acting_for(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for there in attachments_of(db, reference):
        one, content = fetch(db, context, EvidencePlace(reference, there.place))
        plain = "".join(c if c.isalnum() or c in ".-_ " else "_" for c in one.name)
        path = directory / f"{reference}-{one.place}-{plain}"
        try:
            with acting_for(path):
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with naming(path), os.fdopen(handle, "wb") as file:
                file.write(content)
        except FileExistsError:
            raise CommandError(f"{path}: there is a file of this name: choose another directory") from None
