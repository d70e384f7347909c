"""Common parts of commands: `--config`, `--json`, access to the store, and questions to the user."""

import getpass
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from callsieve.changes.operation import Context, note
from callsieve.cli.errors import CommandError, warn
from callsieve.settings import Loaded, SettingsError, load_or_salvage, load_settings
from callsieve.system.privileges import acting_for, become_owner
from callsieve.text.number_entry import EntryError, number_from
from callsieve.text.times import TimeError, moment_of, since_of
from reputation.encoding import encode
from reputation.store.audit import Change
from reputation.store.backup import copy_store
from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.users import Role

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file; default: CALLSIEVE_CONFIG, else /etc/callsieve."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
NumberArgument = Annotated[str, typer.Argument(help="A number as you dial it, or +12015550123.", show_default=False)]


_NOT_ASCII = re.compile(r"[^\n -~]")


def settings_of(config: Path | None) -> Loaded:
    """Load the settings. A command that runs as root continues with the rights of the state directory's owner."""
    loaded = load_settings(config)
    become_owner(loaded)
    return loaded


def salvaged_settings_of(config: Path | None) -> tuple[Loaded, SettingsError | None]:
    """Load the settings even from a broken file. Return the usable settings, and the error or None."""
    loaded, error = load_or_salvage(config)
    become_owner(loaded)
    return loaded, error


def settings_even_broken(config: Path | None) -> tuple[Loaded, bool]:
    """Return the settings, and whether their file is broken. If broken, warn which settings are used instead."""
    loaded, error = salvaged_settings_of(config)
    if error is not None:
        asked, store = loaded.settings.asterisk.command, loaded.store_path
        warn(f"the settings are broken: {error}. Used instead: the command `{asked}` for Asterisk, the store {store}")
    return loaded, error is not None


def print_json(value: Any) -> None:
    """Print a JSON document."""
    sys.stdout.write(json_text(value) + "\n")


def json_text(value: Any) -> str:
    """Return a value as JSON, without a final line break."""
    return escaped(msgspec.json.format(encode(value), indent=2).decode())


def escaped(text: str) -> str:
    """Return JSON in which control characters, and characters that change the writing direction, are escaped."""
    return _NOT_ASCII.sub(lambda match: match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1], text)


def check_new(out: Path, remedy: str = "choose another file, or remove this file") -> None:
    """Raise CommandError if the file `out` exists already. `remedy`: what the message tells the user to do."""
    with acting_for(out):
        exists = out.is_file()
    if exists:
        raise CommandError(f"{out}: this file exists already: {remedy}")


@contextmanager
def existing_store(loaded: Loaded) -> Iterator[sqlite3.Connection]:
    """Open the store for a command that only reads. Raise CommandError if there is no store."""
    if not has_store(loaded):
        raise CommandError(
            f"{loaded.store_path}: there is no store yet. `callsieve serve` or the first change creates it. If the "
            f"store should exist, check --config and CALLSIEVE_STATE, or run this as root"
        )
    with open_store(loaded.store_path) as db:
        yield db


@contextmanager
def any_store(loaded: Loaded) -> Iterator[sqlite3.Connection]:
    """Open the store for a command that changes the store. Create a missing store."""
    with open_store(loaded.store_path) as db:
        yield db


def has_store(loaded: Loaded) -> bool:
    """Return whether the store's file exists. Raise OSError if a directory cannot be read."""
    try:
        loaded.store_path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def number_argument(text: str, loaded: Loaded) -> str:
    """Return a number from the command line as E.164. Raise CommandError if it is not a number."""
    try:
        return number_from(text, loaded.settings.numbers.region)
    except EntryError as error:
        raise CommandError(str(error)) from None


def number_option(name: str, text: str | None, loaded: Loaded) -> str | None:
    """Return the number in the option `name` as E.164; None without this option. Raise CommandError for other texts."""
    try:
        return None if text is None else number_argument(text, loaded)
    except CommandError as error:
        raise CommandError(f"{name}: {error}") from None


def since_option(name: str, text: str, now: float) -> float:
    """Parse `text` as a past time, such as `1h` (ago), `18:00` or `2026-12-31`. Raise CommandError for other texts.

    `name`: the option with this text, for the message.
    """
    return _time(name, text, now, since_of)


def until_option(name: str, text: str, now: float) -> float:
    """Parse the value `text` of the option `name` as a past or future time. Raise CommandError if it is not a time."""
    return _time(name, text, now, moment_of)


def _time(name: str, text: str, now: float, read: Callable[[str, float], float]) -> float:
    try:
        return read(text, now)
    except TimeError as error:
        raise CommandError(f"{name}: {error}") from None


def confirmed(question: str, *, yes: bool, default: bool = False) -> bool:
    """Ask the user, and return whether they agree. `default`: the answer if they only press Enter.

    With `yes`, return True without a question. Otherwise raise CommandError if there is no terminal.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Cannot ask without a terminal: add --yes")
    try:
        return typer.confirm(question, default, err=True)
    except typer.Abort:
        print(file=sys.stderr)  # end the line of the question
        raise


R = TypeVar("R")
T = TypeVar("T")

NAME_CHARACTERS = 64


@contextmanager
def stores(
    loaded: Loaded, *, dry_run: bool, copied: bool = False
) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """Yield two stores: one to read, and one to write. Without `dry_run`, both are the site's store.

    With `dry_run`, the second is a temporary store. It is empty at first, or a copy of the site's store if `copied`.
    """
    if not dry_run:
        with any_store(loaded) as db:
            yield db, db
        return
    with TemporaryDirectory(prefix="callsieve-") as folder, open_store(Path(folder) / "dry-run.db") as thrown_away:
        if has_store(loaded):
            with existing_store(loaded) as known:
                if copied:
                    copy_store(known, thrown_away)
                yield known, thrown_away
        else:
            yield thrown_away, thrown_away


def context_of(loaded: Loaded) -> Context:
    """Return the context of an operation from the command line. The user counts as an administrator."""
    return Context(who(), Role.ADMINISTRATOR, time.time(), loaded)


def perform(
    loaded: Loaded, operation: Callable[[sqlite3.Connection, Context, R], T], request: R, *, existing: bool = False
) -> T:
    """Run an operation on the store and return its result. `existing`: do not create a missing store. Raise Refused."""
    with existing_store(loaded) if existing else any_store(loaded) as db:
        return operation(db, context_of(loaded), request)


def note_done(loaded: Loaded, done: Change) -> None:
    """Add a row to the audit about a change made outside the store. If the store fails, only warn."""
    try:
        if has_store(loaded):
            perform(loaded, note, done, existing=True)
    except OSError as error:
        warn(
            f"the change was not written to the audit: {error.filename or loaded.store_path}: {error.strerror or error}"
        )
    except StoreError as error:
        warn(f"the change was not written to the audit: {error}")


def who() -> str:
    """Return the login name of the user at the terminal. Under sudo, this is the user who called sudo."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # the user id has no name
        name = f"user {os.getuid()}"
    return "".join(filter(str.isprintable, name))[:NAME_CHARACTERS]
