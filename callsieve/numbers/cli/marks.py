"""`callsieve mark` and `unmark`: what one of our people says about a number."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    NumberArgument,
    YesOption,
    confirmed,
    existing_store,
    number_argument,
    perform,
    print_json,
    settings_of,
)
from callsieve.cli.output import plural, print_table, say, say_command, say_undo
from callsieve.numbers import operations as number_operations
from callsieve.numbers.operations import (
    CorrectionRequest,
    MarkRequest,
    OwnerRequest,
    SavedMark,
    correct,
    forget_review,
    mark,
    new_owner,
    review,
    same_owner,
)
from callsieve.settings import Loaded
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for
from callsieve.text.times import when
from reputation.model import MarkChannel, Verdict
from reputation.store.identities import all_epochs, epochs_of
from reputation.store.marks import reporters_of
from reputation.store.standing import numbers_to_review
from reputation.store.tables.every import TABLE_BY_NAME

# What a person can say here; taking back is `unmark`.
SAID = {"spam": Verdict.SPAM, "ok": Verdict.OK}

DONE = {
    Verdict.SPAM: "{number} is marked as spam and blocked for {person}",
    Verdict.OK: "{number} is marked as not spam by {person}",
    Verdict.RETRACTED: "{person} has taken back the mark on {number}",
}

PersonOption = Annotated[
    str, typer.Option("--as", metavar="PERSON", help="Who says it: an extension.", show_default=False)
]


def mark_number(
    number: NumberArgument,
    verdict: Annotated[str, typer.Argument(metavar="spam|ok", help="What the number is.", show_default=False)],
    person: PersonOption,
    category: Annotated[str | None, typer.Option(help="What kind of spam: scam, telemarketing, survey.")] = None,
    reason: Annotated[str, typer.Option(help="Why; a verified business is marked with one only.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Mark a number as spam, or as not spam, in the name of one of our people. Spam is blocked for that person."""
    said = SAID.get(verdict)
    if said is None:
        if number in SAID:
            raise CommandError(f"mark: the number comes first: callsieve mark {verdict[:40]!r} {number}")
        raise CommandError(f"mark: say spam or ok, not {verdict[:40]!r} (to take a mark back: callsieve unmark)")
    request = MarkRequest(number, person, said, MarkChannel.CLI, category, reason)
    _show(perform(settings_of(config), mark, request), config, as_json=as_json)


def unmark_number(
    number: NumberArgument, person: PersonOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Take back what a person said about a number: as if it had never been said."""
    request = MarkRequest(number, person, Verdict.RETRACTED, MarkChannel.CLI)
    _show(perform(settings_of(config), mark, request), config, as_json=as_json)


def _show(marked: SavedMark, config: Path | None, *, as_json: bool) -> None:
    written = marked.result.mark
    assert written is not None
    done = DONE[written.verdict].format(number=written.number, person=written.reporter)
    if as_json:
        result = asdict(marked.result)
        del result["refusal"]
        print_json(result | {"message": done})
        return
    say(f"{done}.")
    say_undo(marked.change_id, config)


def add(
    number: NumberArgument,
    reason: Annotated[str, typer.Option(help="How that is known.", show_default=False)],
    since: Annotated[str | None, typer.Option(metavar="TIME", help="7d or 2026-11-01; now if not given.")] = None,
    config: ConfigOption = None,
) -> None:
    """Record that a number has another owner: what is older weighs a quarter, and an identity ends."""
    changed = perform(settings_of(config), new_owner, OwnerRequest(number, reason, since))
    epoch, ended = changed.epoch, changed.ended
    say(f"{epoch.number} has another owner since {when(epoch.at)}: what was known before weighs a quarter.")
    if ended is not None:
        say(f"That it belongs to {ended.name} counts no longer.")
    say_undo(changed.change_id, config)


def show(
    number: Annotated[str | None, typer.Argument(help="Only this number.", show_default=False)] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show which numbers have another owner, since when, and who said so."""
    loaded = settings_of(config)
    e164 = None if number is None else number_argument(number, loaded)
    with existing_store(loaded) as db:
        epochs = all_epochs(db) if e164 is None else epochs_of(db, e164)
    if as_json:
        print_json([epoch._asdict() for epoch in epochs])
    elif epochs:
        rows = ((one.number, when(one.at), one.who, one.reason) for one in epochs)
        print_table(("number", "since", "says", "because"), rows, keep=(0, 1))
    else:
        say("No number is known to have another owner." if e164 is None else f"{e164} is not known to have another.")


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """Take back that a number has another owner."""
    changed = perform(settings_of(config), same_owner, number, existing=True)
    say(f"{changed.epoch.number} has the owner that it had.")
    say_undo(changed.change_id, config)


def show_list(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the numbers with many marks within an hour that nobody has looked at: those marks weigh nothing yet."""
    with existing_store(settings_of(config)) as db:
        found = [(burst, reporters_of(db, burst.number)) for burst in numbers_to_review(db)]
    if as_json:
        print_json([{**burst._asdict(), "reporters": reporters} for burst, reporters in found])
    elif found:
        rows = (
            (burst.number, when(burst.at), str(burst.reporters), burst.auth_class.value, ", ".join(reporters))
            for burst, reporters in found
        )
        print_table(("number", "burst until", "marks", "signed", "by"), rows, keep=(0, 1, 3), right=(2,))
    else:
        say("No marks wait for a review.")


def done(number: NumberArgument, config: ConfigOption = None) -> None:
    """Say that you have looked at the marks of a number: they are what people think, and count."""
    reviewed = perform(settings_of(config), review, number, existing=True)
    say(f"The marks of {reviewed.number} count.")
    say_undo(reviewed.change_id, config)


def wrong(
    number: NumberArgument,
    reporters: Annotated[list[str], typer.Argument(metavar="EXT...", help="Whose marks are wrong.")],
    reason: Annotated[str, typer.Option(help="Why.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Correct spam marks that are wrong: they never count, and who made them is trusted a little less."""
    request = CorrectionRequest(number, tuple(reporters), reason)
    corrected = perform(settings_of(config), correct, request, existing=True)
    whose = ", ".join(corrected.reporters)
    say(f"The marks of {whose} on {corrected.number} do not count. The own blocklist stays as it is.")
    say_undo(corrected.change_id, config)


def undo(number: NumberArgument, config: ConfigOption = None) -> None:
    """Say that nobody has looked at the marks of a number."""
    reviewed = perform(settings_of(config), forget_review, number, existing=True)
    say(f"Nobody has looked at the marks of {reviewed.number}: bursts weigh nothing again.")
    say_undo(reviewed.change_id, config)


def export(
    number: NumberArgument,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there, for you alone (0600).")] = None,
    config: ConfigOption = None,
) -> None:
    """Print every row about a number as JSON, by table: what its owner may ask for."""
    stored = perform(settings_of(config), number_operations.export, number, existing=True)
    recordings = [str(path) for path in stored.recordings]
    document = {"number": stored.number, "tables": stored.tables, "recordings": recordings}
    if out is None:
        print_json(document)
    else:
        _write(out, document)
        say(f"{out}: all about {stored.number}: {_counts_in_words(stored.counts)}")


def erase(
    number: NumberArgument,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Forget a number: delete every row about it. This cannot be undone."""
    loaded = settings_of(config)
    stored = perform(loaded, number_operations.stored_about, number, existing=True)
    e164, is_kept = stored.number, any(stored.kept.values())
    if not any(stored.erasable.values()) and (is_kept or not number_operations.files_about(loaded, e164)):
        say(f"{'There is nothing to erase' if is_kept else 'Nothing is stored'} about {e164}.")
        _say_kept(stored.kept, e164, config)
        return
    if not yes:
        print(f"About {e164}: {_counts_in_words(stored.erasable)}", file=sys.stderr)
    if not confirmed("Delete all of that for good?", yes=yes):
        say("Nothing was changed.")
        raise SystemExit(1)
    erased = perform(loaded, number_operations.erase, e164, existing=True)
    _clear_files(loaded, e164)
    say(f"Erased of {e164}: {_counts_in_words(erased.counts)}")
    if erased.recordings:
        say(f"What the caller said when asked for a name: {plural(erased.recordings, 'file', 'files')} erased.")
    say("The daemon counts recent calls in memory and forgets this one within the hour.")
    say("An import that lists it brings it back; so does a backup that you have copied elsewhere.")
    if loaded.settings.publish.directory:
        say("Other companies may have been told of it; to withdraw it, and remove the files that name it:")
        words = ["callsieve", "exchange", "publish", "--purge", *(["--config", str(config)] if config else [])]
        say_command(shlex.join(words))
    for file in number_operations.files_about(loaded, e164):
        if file != loaded.store_path or not is_kept:
            say(f"{file} {_left_in(file, loaded.store_path)}.")
    _say_kept(stored.kept, e164, config)


def _clear_files(loaded: Loaded, e164: str) -> None:
    is_clear, problems = number_operations.clear_files(loaded, e164)
    if not is_clear:
        warn("the store is being read all the time, so its -wal file is not emptied yet: run this again")
    for backup, problem in problems.items():
        warn(f"{backup} could not be written anew, and still has it: {problem}")


def _left_in(file: Path, store: Path) -> str:
    if not os.access(file, os.R_OK, effective_ids=True):
        return "could not be searched: this user may not read it"
    if file == store:
        return "still has its digits: in what somebody attached to another appeal, or in a longer number"
    if file.name.startswith(f"{store.name}.damaged-"):
        return "still has its digits: it was put aside because it was damaged: delete it once you have looked into it"
    return "still has its digits: look into it, or delete it"


def _say_kept(kept: Mapping[str, int], e164: str, config: Path | None) -> None:
    """What is known of a number of ours is about nobody who called."""
    if not any(kept.values()):
        return
    say(f"What stays, as it is or was one of our own numbers: {_counts_in_words(kept)}")
    if kept["own_register"]:
        say("To take it out of the register:")
        words = ["callsieve", "own", "remove", e164, *(["--config", str(config)] if config else [])]
        say_command(shlex.join(words))
    elif kept["did"] or kept["own_number"]:
        say("The settings name it.")


def _counts_in_words(counts: Mapping[str, int]) -> str:
    parts = [plural(count, *TABLE_BY_NAME[table].label) for table, count in counts.items() if count]
    return f"{', '.join(parts) or 'nothing'}."


def _write(out: Path, document: object) -> None:
    """Personal data: nobody else may read it, and a file that is there is not overwritten."""
    try:
        with acting_for(out):
            handle = os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise CommandError(f"{out}: there is a file of this name: choose another, or remove it") from None
    try:
        with naming(out), os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    except OSError:
        with acting_for(out):
            out.unlink(missing_ok=True)
        raise
