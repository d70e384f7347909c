"""`callsieve appeal`: a number owner's case against a marking, from its filing to its decision.

`callsieve appeal list` and `show`: which appeals there are, and all of one.
"""

from __future__ import annotations

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
    str, typer.Argument(metavar="APPEAL", help="Its reference, or the number for its latest.", show_default=False)
]


def in_force(appeal: Appeal) -> str:
    """What it means that it is."""
    due = due_at(appeal)
    until = f" It is to be decided until {when(due - 1)}." if due is not None else ""
    return (
        f"Appeal {appeal.reference} is in force: no rule does more to calls of {appeal.number} than to challenge them; "
        f"lists act as written.{until}"
    )


def show_list(
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the appeals that wait for somebody: those in force by their deadline, then those that are only filed."""
    now = time.time()
    with existing_store(settings_of(config)) as db:
        appeals = all_appeals(db) if all_of_them else appeals_to_decide(db)
        queue = queued(appeals, public_appeals(db), now)
    if as_json:
        print_json(queue)
    elif appeals:
        print_table(
            ("appeal", "number", "of", "is", "decide by", "filed"),
            (
                (one.reference, one.number, one.name, one.state.words, _deadline(one, now), day(one.opened_at))
                for one in appeals
            ),
            keep=(0, 1, 3, 4, 5),
        )
    else:
        say("No appeals." if all_of_them else "No appeal waits for anybody; --all shows those that are closed.")


def show(appeal: AppealArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show all of one appeal: who says what, what was shown for it, and whose marks it is about."""
    loaded, now = settings_of(config), time.time()
    with existing_store(loaded) as db:
        one = appeal_about(db, context_of(loaded), appeal)
        case = find_case(db, context_of(loaded), appeal)
        stones = tombstones_of(db, one.number)
        known = known_now(db, loaded, one.number, now)
    if as_json:
        print_json(case)
        return
    say(bold(one.reference), f"  appeal of {one.number}")
    say()
    print_pairs(
        [
            ("is", one.state.words + (", control of the number is proven" if one.proven else "")),
            ("decide by", _deadline(one, now)),
            ("reason", lines(one.reason.splitlines())),
            ("of", f"{one.name}, {one.contact}"),
            ("says", lines(one.statement.splitlines())),
            ("about", f"decision {one.decision_id}" if one.decision_id else ""),
            ("filed", when(one.opened_at)),
            ("in force", when(one.in_force_at) if one.in_force_at else ""),
            ("closed", when(one.closed_at) if one.closed_at else ""),
            ("evidence", lines(map(_attachment, case.attachments))),
            ("marks", lines(_mark(mark, stones) for mark in case.marks)),
            ("known now", known),
        ]
    )


def known_now(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> str:
    """What an ordinary call of the number would meet, and why, in one line."""
    known = profile_of(db, loaded, number, now)
    return f"level {known.facts.reputation.level.word}. {known.sentence}"


def _deadline(appeal: Appeal, now: float) -> Cell:
    due = due_at(appeal)
    if due is None:
        return ""
    last_day = day(due - 1)
    return Text(f"{last_day}, overdue", style="red") if is_overdue(appeal, now) else last_day


def _mark(mark: Mark, stones: list[Tombstone]) -> str:
    wrong = ", found wrong" if any(stone.covers(mark.reporter, mark.at) for stone in stones) else ""
    return f"{mark.category or 'spam'} by {mark.reporter}, {when(mark.at)} ({mark.auth_class.value}{wrong})"


def _attachment(one: Attachment) -> str:
    size = f"{one.size:,} bytes" if one.size < 1024 else f"{one.size / 1024:,.0f} kB"
    return f"{one.place}: {one.name}, {size}, by {one.added_by}, {when(one.added_at)}"


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
    say(f"Control of {proven.number} is proven. {in_force(proven)}")
    _say_calls(loaded, proven.number)


def accept(appeal: AppealArgument, config: ConfigOption = None) -> None:
    """Take an appeal as it is, without a proof: it is in force, and no rule rejects calls until it is decided."""
    loaded = settings_of(config)
    done = perform(loaded, operations.accept, appeal, existing=True)
    say(in_force(done.appeal))
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
        say(f"What is known of it now: {known_now(db, loaded, one.number, time.time())}")
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
