"""`callsieve privacy`: what is stored about one number, and how it is forgotten."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.options import ConfigOption, NumberArgument, YesOption, confirmed, perform, print_json, settings_of
from callsieve.cli.output import plural, say, say_command
from callsieve.numbers import privacy
from callsieve.settings import Loaded
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for
from reputation.store.tables.every import TABLE_BY_NAME


def export(
    number: NumberArgument,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there, for you alone (0600).")] = None,
    config: ConfigOption = None,
) -> None:
    """Print every row about a number as JSON, by table: what its owner may ask for."""
    stored = perform(settings_of(config), privacy.export, number, existing=True)
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
    stored = perform(loaded, privacy.stored_about, number, existing=True)
    e164, is_kept = stored.number, any(stored.kept.values())
    if not any(stored.erasable.values()) and (is_kept or not privacy.files_about(loaded, e164)):
        say(f"{'There is nothing to erase' if is_kept else 'Nothing is stored'} about {e164}.")
        _say_kept(stored.kept, e164, config)
        return
    if not yes:
        print(f"About {e164}: {_counts_in_words(stored.erasable)}", file=sys.stderr)
    if not confirmed("Delete all of that for good?", yes=yes):
        say("Nothing was changed.")
        raise SystemExit(1)
    erased = perform(loaded, privacy.erase, e164, existing=True)
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
    for file in privacy.files_about(loaded, e164):
        if file != loaded.store_path or not is_kept:
            say(f"{file} {_left_in(file, loaded.store_path)}.")
    _say_kept(stored.kept, e164, config)


def _clear_files(loaded: Loaded, e164: str) -> None:
    is_clear, problems = privacy.clear_files(loaded, e164)
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
