"""The commands `callsieve mark`, `unmark`, `reassigned` (new owners of numbers), `review` (of marks) and `privacy`."""

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

# `unmark` removes a mark.
VERDICTS = {"spam": Verdict.SPAM, "ok": Verdict.OK}

DONE = {
    Verdict.SPAM: "{number} is marked as spam and blocked for {person}",
    Verdict.OK: "{number} is marked as not spam by {person}",
    Verdict.RETRACTED: "removed the mark of {person} on {number}",
}

PersonOption = Annotated[
    str,
    typer.Option("--as", metavar="PERSON", help="The person who marks the number: an extension.", show_default=False),
]


def mark_number(
    number: NumberArgument,
    verdict: Annotated[
        str, typer.Argument(metavar="spam|ok", help="spam, or ok if the number is not spam.", show_default=False)
    ],
    person: PersonOption,
    category: Annotated[str | None, typer.Option(help="Kind of spam: scam, telemarketing, survey.")] = None,
    reason: Annotated[
        str, typer.Option(help="Reason for the mark. Required if the number belongs to a verified owner.")
    ] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Mark a number as spam or as not spam, on behalf of a person. A spam number is also blocked for this person."""
    parsed = VERDICTS.get(verdict)
    if parsed is None:
        if number in VERDICTS:
            raise CommandError(f"mark: the number comes first: callsieve mark {verdict[:40]!r} {number}")
        raise CommandError(f"mark: use spam or ok, not {verdict[:40]!r} (to remove a mark: callsieve unmark)")
    request = MarkRequest(number, person, parsed, MarkChannel.CLI, category, reason)
    _show(perform(settings_of(config), mark, request), config, as_json=as_json)


def unmark_number(
    number: NumberArgument, person: PersonOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Remove a person's mark of a number, as if it had never been made."""
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
    say(f"{done[:1].upper()}{done[1:]}.")
    say_undo(marked.change_id, config)


def add(
    number: NumberArgument,
    reason: Annotated[str, typer.Option(help="How you know that the number has a new owner.", show_default=False)],
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="When the new owner got the number: 7d (days ago) or 2026-11-01. Default: now."
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Record that a number has a new owner. Older evidence then counts a quarter, and the old owner's identity ends."""
    changed = perform(settings_of(config), new_owner, OwnerRequest(number, reason, since))
    epoch, ended = changed.epoch, changed.ended
    say(f"{epoch.number} has had a new owner since {when(epoch.at)}. Evidence from before counts a quarter.")
    if ended is not None:
        say(f"Ended the identity of the former owner ({ended.name}).")
    say_undo(changed.change_id, config)


def show(
    number: Annotated[str | None, typer.Argument(help="Show only this number.", show_default=False)] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show numbers with a new owner, the time of each change, and who recorded the change."""
    loaded = settings_of(config)
    e164 = None if number is None else number_argument(number, loaded)
    with existing_store(loaded) as db:
        epochs = all_epochs(db) if e164 is None else epochs_of(db, e164)
    if as_json:
        print_json([epoch._asdict() for epoch in epochs])
    elif epochs:
        rows = ((epoch.number, when(epoch.at), epoch.who, epoch.reason) for epoch in epochs)
        print_table(("number", "since", "recorded by", "reason"), rows, keep=(0, 1))
    else:
        say("No new owner is recorded." if e164 is None else f"No new owner of {e164} is recorded.")


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """Remove the latest recorded change of a number's owner."""
    changed = perform(settings_of(config), same_owner, number, existing=True)
    say(f"Removed the record of a new owner of {changed.epoch.number}.")
    say_undo(changed.change_id, config)


def show_list(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show numbers with many marks within an hour that wait for a review. These marks do not count yet."""
    with existing_store(settings_of(config)) as db:
        bursts = [(burst, reporters_of(db, burst.number)) for burst in numbers_to_review(db)]
    if as_json:
        print_json([{**burst._asdict(), "reporters": reporters} for burst, reporters in bursts])
    elif bursts:
        rows = (
            (burst.number, when(burst.at), str(burst.reporters), burst.auth_class.value, ", ".join(reporters))
            for burst, reporters in bursts
        )
        print_table(("number", "last mark", "marks", "signed", "marked by"), rows, keep=(0, 1, 3), right=(2,))
    else:
        say("No marks wait for a review.")


def done(number: NumberArgument, config: ConfigOption = None) -> None:
    """Confirm the marks of a number after a review. The marks count from now on."""
    reviewed = perform(settings_of(config), review, number, existing=True)
    say(f"The marks of {reviewed.number} count from now on.")
    say_undo(reviewed.change_id, config)


def wrong(
    number: NumberArgument,
    reporters: Annotated[list[str], typer.Argument(metavar="EXT...", help="Extensions whose marks are wrong.")],
    reason: Annotated[str, typer.Option(help="Why.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Correct wrong spam marks. The marks never count again, and the people who made them are trusted a little less."""
    request = CorrectionRequest(number, tuple(reporters), reason)
    corrected = perform(settings_of(config), correct, request, existing=True)
    whose = ", ".join(corrected.reporters)
    say(f"The marks of {whose} on {corrected.number} do not count. Their personal blocklists are not changed.")
    say_undo(corrected.change_id, config)


def undo(number: NumberArgument, config: ConfigOption = None) -> None:
    """Undo a review, so that the marks of a number wait for a review again."""
    reviewed = perform(settings_of(config), forget_review, number, existing=True)
    say(f"Undid the review of {reviewed.number}: bursts of marks do not count until the next review.")
    say_undo(reviewed.change_id, config)


def export(
    number: NumberArgument,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file, readable only by you (0600).")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print all data about a number as JSON. The number's owner may request this data."""
    stored = perform(settings_of(config), number_operations.export, number, existing=True)
    recordings = [str(path) for path in stored.recordings]
    document = {"number": stored.number, "tables": stored.tables, "recordings": recordings}
    if out is None:
        print_json(document)
    else:
        _write(out, document)
        say(f"{out}: all data about {stored.number}: {_counts_in_words(stored.counts)}")


def erase(
    number: NumberArgument,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Erase all data about a number. This cannot be undone."""
    loaded = settings_of(config)
    stored = perform(loaded, number_operations.stored_about, number, existing=True)
    e164, is_kept = stored.number, any(stored.kept.values())
    if not any(stored.erasable.values()) and (is_kept or not number_operations.files_about(loaded, e164)):
        say(f"{'There is nothing to erase' if is_kept else 'No data is stored'} about {e164}.")
        _say_kept(stored.kept, e164, config)
        return
    if not yes:
        print(f"Stored about {e164}: {_counts_in_words(stored.erasable)}", file=sys.stderr)
    if not confirmed("Erase all of this permanently?", yes=yes):
        say("Nothing was changed.")
        raise SystemExit(1)
    erased = perform(loaded, number_operations.erase, e164, existing=True)
    _clear_files(loaded, e164)
    say(f"Erased data about {e164}: {_counts_in_words(erased.counts)}")
    if erased.recordings:
        say(f"Erased recordings of the caller's name: {plural(erased.recordings, 'file', 'files')}.")
    say("The daemon counts recent calls in memory. It drops the calls of this number within an hour.")
    say("If you import a list with the number again, or restore a backup that you copied elsewhere, the data returns.")
    if loaded.settings.publish.directory:
        say(
            "The number may have been published to other companies. To withdraw the number and remove the files "
            "that name it:"
        )
        words = ["callsieve", "exchange", "publish", "--purge", *(["--config", str(config)] if config else [])]
        say_command(shlex.join(words))
    for file in number_operations.files_about(loaded, e164):
        if file != loaded.store_path or not is_kept:
            say(f"{file} {_left_in(file, loaded.store_path)}.")
    _say_kept(stored.kept, e164, config)


def _clear_files(loaded: Loaded, e164: str) -> None:
    is_clear, problems = number_operations.clear_files(loaded, e164)
    if not is_clear:
        warn("another process reads the store, so its -wal file could not be emptied: run the command again later")
    for backup, problem in problems.items():
        warn(f"{backup}: could not be rewritten, so it still contains the number: {problem}")


def _left_in(file: Path, store: Path) -> str:
    if not os.access(file, os.R_OK, effective_ids=True):
        return "could not be searched, because this user cannot read the file"
    if file == store:
        return "still contains the number's digits, in an attachment of another appeal or as part of a longer number"
    if file.name.startswith(f"{store.name}.damaged-"):
        return (
            "still contains the number's digits. It is a damaged store that was kept: delete it when "
            "you no longer need it"
        )
    return "still contains the number's digits: check the file, or delete it"


def _say_kept(kept: Mapping[str, int], e164: str, config: Path | None) -> None:
    # The data of an own number is not about a caller, so it is not erased.
    if not any(kept.values()):
        return
    say(f"Not erased, because the number is or was an own number: {_counts_in_words(kept)}")
    if kept["own_register"]:
        say("To remove the number from your own numbers:")
        words = ["callsieve", "own", "remove", e164, *(["--config", str(config)] if config else [])]
        say_command(shlex.join(words))
    elif kept["did"] or kept["own_number"]:
        say("To remove the number, delete it in the settings.")


def _counts_in_words(counts: Mapping[str, int]) -> str:
    parts = [plural(count, *TABLE_BY_NAME[table].label) for table, count in counts.items() if count]
    return f"{', '.join(parts) or 'nothing'}."


def _write(out: Path, document: object) -> None:
    # Personal data: nobody else may read the file, and an existing one is not overwritten.
    try:
        with acting_for(out):
            handle = os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise CommandError(f"{out}: the file exists: choose another name, or remove it") from None
    try:
        with naming(out), os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    except OSError:
        with acting_for(out):
            out.unlink(missing_ok=True)
        raise
