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
from callsieve.cli.options import ConfigOption, NumberArgument, YesOption, confirmed, print_json, settings_of
from callsieve.cli.output import plural, say, say_command
from callsieve.cli.store import perform
from callsieve.numbers import privacy
from callsieve.settings import Loaded
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for

# What the tables of the store are called to people.
WHAT_BY_TABLE = {
    "list_entry": ("list entry", "list entries"),
    "personal_entry": ("entry of people's own lists", "entries of people's own lists"),
    "contact": ("contact", "contacts"),
    "imported": ("row of imports", "rows of imports"),
    "lookup_result": ("answer of a look-up", "answers of look-ups"),
    "peer_number": ("row of other companies", "rows of other companies"),
    "identity": ("identity", "identities"),
    "challenge_result": ("result of a challenge", "results of challenges"),
    "challenge": ("challenge", "challenges"),
    "decision": ("decision", "decisions"),
    "outcome": ("call", "calls"),
    "reached": ("call that reached somebody", "calls that reached somebody"),
    "signal": ("signal", "signals"),
    "answered": ("answered call", "answered calls"),
    "talk": ("call of ours to it", "calls of ours to it"),
    "inbound_talk": ("talk", "talks"),
    "one_ring": ("one-ring call", "one-ring calls"),
    "mark": ("mark", "marks"),
    "report": ("report to others", "reports to others"),
    "attachment": ("attachment of appeals", "attachments of appeals"),
    "appeal": ("appeal", "appeals"),
    "call_back_code": ("code of a call-back", "codes of call-backs"),
    "tombstone": ("mark that was found wrong", "marks that were found wrong"),
    "standing": ("sum of calls and marks", "sums of calls and marks"),
    "epoch": ("change of owner", "changes of owner"),
    "review": ("review", "reviews"),
    "hub_outbox": ("row on its way to the hub", "rows on their way to the hub"),
    "hub_row": ("row shared through the hub", "rows shared through the hub"),
    "hub_erasure": ("erasure that the hub is told of", "erasures that the hub is told of"),
    "audit": ("change by one of us", "changes by us"),
    "api_answer": ("answer to a program", "answers to programs"),
    "did": ("number that callers dial", "numbers that callers dial"),
    "own_number": ("own number", "own numbers"),
    "own_called": ("day on which we called it", "days on which we called it"),
    "event": ("event for receivers", "events for receivers"),
    "outbound_decision": ("decision about a call to it", "decisions about calls to it"),
    "do_not_call": ("wish not to be called", "wishes not to be called"),
    "consent": ("consent to be called", "consents to be called"),
    "register_number": ("entry of a national register", "entries of national registers"),
    "own_complaint": ("complaint about a number of ours", "complaints about numbers of ours"),
    "own_day": ("day of an own number", "days of an own number"),
    "own_blocked": ("day of refused calls of an own number", "days of refused calls of an own number"),
    "public_appeal": ("appeal sent to the public page", "appeals sent to the public page"),
    "own_screenshot": ("screenshot", "screenshots"),
    "own_suspicion": ("suspected mark of a number of ours", "suspected marks of numbers of ours"),
    "own_label": ("look at a number of ours", "looks at numbers of ours"),
    "own_grade": ("grade of an own number", "grades of an own number"),
    "own_register": ("entry of the register of own numbers", "entries of the register of own numbers"),
}


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
    parts = [plural(count, *WHAT_BY_TABLE.get(table, (table, table))) for table, count in counts.items() if count]
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
