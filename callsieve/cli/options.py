"""What all commands share: `--config`, `--json`, the store, and what people are asked.

How commands write: each change in one transaction with its row in the audit, so that none can leave it out.

Imports write their numbers as one generation, and in a dry run into thin air.
"""

from __future__ import annotations

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
    typer.Option("--config", metavar="FILE", help="Settings file; else CALLSIEVE_CONFIG, else /etc/callsieve."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NumberArgument = Annotated[str, typer.Argument(help="As it is dialled here, or +12015550123.", show_default=False)]


_NOT_ASCII = re.compile(r"[^\n -~]")


def settings_of(config: Path | None) -> Loaded:
    """The settings for a command, which from now on has no more rights in the state directory than its owner."""
    loaded = load_settings(config)
    become_owner(loaded)
    return loaded


def salvaged_settings_of(config: Path | None) -> tuple[Loaded, SettingsError | None]:
    """The same for commands that must work with a broken settings file, and what is wrong with that."""
    loaded, error = load_or_salvage(config)
    become_owner(loaded)
    return loaded, error


def settings_even_broken(config: Path | None) -> tuple[Loaded, bool]:
    """The same, and whether the file is broken: that and what is used instead are said on standard error."""
    loaded, error = salvaged_settings_of(config)
    if error is not None:
        asked, store = loaded.settings.asterisk.command, loaded.store_path
        warn(f"the settings are broken: {error}. Used instead: Asterisk by `{asked}`, the store {store}")
    return loaded, error is not None


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json_text(value) + "\n")


def json_text(value: Any) -> str:
    """The same as a text, without the end of its last line."""
    return escaped(msgspec.json.format(encode(value), indent=2).decode())


def escaped(text: str) -> str:
    """JSON with what no terminal should be sent as `\\u009b`: controls, and what turns the direction of writing."""
    return _NOT_ASCII.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)


def check_new(out: Path, remedy: str = "choose another, or remove it") -> None:
    """CommandError where there is a file of this name."""
    with acting_for(out):
        is_there = out.is_file()
    if is_there:
        raise CommandError(f"{out}: there is a file of this name: {remedy}")


@contextmanager
def existing_store(loaded: Loaded) -> Iterator[sqlite3.Connection]:
    """The store for a command that only looks: one that is not there is said, not made."""
    if not has_store(loaded):
        raise CommandError(
            f"{loaded.store_path}: there is no store yet; `callsieve serve` or the first change makes one, "
            "or this is not its directory (--config, CALLSIEVE_STATE, or run this as root)"
        )
    with open_store(loaded.store_path) as db:
        yield db


@contextmanager
def any_store(loaded: Loaded) -> Iterator[sqlite3.Connection]:
    """The store for a command that changes something; made when it is not there."""
    with open_store(loaded.store_path) as db:
        yield db


def has_store(loaded: Loaded) -> bool:
    """Whether the store's file is there. OSError when that cannot be seen."""
    try:
        loaded.store_path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def number_argument(text: str, loaded: Loaded) -> str:
    """E.164 of a number on the command line. CommandError says why it is none."""
    try:
        return number_from(text, loaded.settings.numbers.region)
    except EntryError as error:
        raise CommandError(str(error)) from None


def number_option(name: str, text: str | None, loaded: Loaded) -> str | None:
    """The same of an option, which may be left out. The error names it: the command may take more than one number."""
    try:
        return None if text is None else number_argument(text, loaded)
    except CommandError as error:
        raise CommandError(f"{name}: {error}") from None


def since_option(name: str, text: str, now: float) -> float:
    """Since when: 90s, 1h, 7d, 18:00, 2026-12-31, 2026-12-31T18:00. CommandError names the option."""
    return _time(name, text, now, since_of)


def until_option(name: str, text: str, now: float) -> float:
    """Until when, written alike; it may be to come."""
    return _time(name, text, now, moment_of)


def _time(name: str, text: str, now: float, read: Callable[[str, float], float]) -> float:
    try:
        return read(text, now)
    except TimeError as error:
        raise CommandError(f"{name}: {error}") from None


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether the person says yes. CommandError where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Nobody can be asked here: add --yes")
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        print(file=sys.stderr)  # the line of the question has no end yet
        raise


R = TypeVar("R")
T = TypeVar("T")

NAME_CHARACTERS = 64


@contextmanager
def stores(
    loaded: Loaded, *, dry_run: bool, copied: bool = False
) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """The store as it is known, and where to write: for a dry run one that is thrown away, so all else is the same.

    `copied`: what is thrown away begins as a copy of the store, where what is written depends on what is there.
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
    """Who asks on the command line, now: the person at the keyboard, who may do everything."""
    return Context(who(), Role.ADMINISTRATOR, time.time(), loaded)


def perform(
    loaded: Loaded, operation: Callable[[sqlite3.Connection, Context, R], T], request: R, *, existing: bool = False
) -> T:
    """What the operation returns. Refused. The store is made if need be, but not for what must be there: `existing`."""
    with existing_store(loaded) if existing else any_store(loaded) as db:
        return operation(db, context_of(loaded), request)


def note_done(loaded: Loaded, done: Change) -> None:
    """The row of the audit for what was done already, elsewhere than in the store: one that fails undoes nothing."""
    try:
        if has_store(loaded):
            perform(loaded, note, done, existing=True)
    except OSError as error:
        warn(f"it is not in the audit: {error.filename or loaded.store_path}: {error.strerror or error}")
    except StoreError as error:
        warn(f"it is not in the audit: {error}")


def who() -> str:
    """The login name of the person at the keyboard, also behind sudo."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # nobody has this user id
        name = f"user {os.getuid()}"
    return "".join(filter(str.isprintable, name))[:NAME_CHARACTERS]
