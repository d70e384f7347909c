"""What all commands share: `--config`, `--json`, the store, and what people are asked."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from callsieve.cli.errors import CommandError
from callsieve.settings import Loaded, load_settings

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file; else CALLSIEVE_CONFIG, else /etc/callsieve."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def settings_of(config: Path | None) -> Loaded:
    """The settings for a command."""
    return load_settings(config)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def check_new(out: Path, way_out: str = "choose another, or remove it") -> None:
    """CommandError where there is a file of this name."""
    if out.is_file():
        raise CommandError(f"{out}: there is a file of this name: {way_out}")


@contextmanager
def existing_store(loaded: Loaded) -> Iterator[sqlite3.Connection]:
    """The store for a command that only looks: one that is not there is said, not made."""
    from reputation.store.file import open_store

    if not has_store(loaded):
        raise CommandError(
            f"{loaded.store_path}: there is no store yet; `callsieve serve` or the first change makes one, "
            "or this is not its directory (--config, CALLSIEVE_STATE, or run this as root)"
        )
    with open_store(loaded.store_path) as db:
        yield db


@contextmanager
def any_store(loaded: Loaded) -> Iterator[sqlite3.Connection]:
    """The store for a command that changes something; made when it is not there, for the user whose directory it is."""
    from reputation.store.file import connect, open_store

    if not has_store(loaded):
        connect(loaded.store_path).close()
        give_to_owner(loaded.store_path)
    with open_store(loaded.store_path) as db:
        yield db


def has_store(loaded: Loaded) -> bool:
    """Whether the store's file is there. OSError when that cannot be seen."""
    try:
        loaded.store_path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def give_to_owner(path: Path) -> None:
    """What root has made in the service's directory belongs to the service, which could not use it otherwise."""
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def number_argument(text: str, loaded: Loaded) -> str:
    """E.164 of a number on the command line. CommandError says why it is none."""
    from callsieve.entries import EntryError, number_from

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
    from callsieve.times import since_of

    return _time(name, text, now, since_of)


def until_option(name: str, text: str, now: float) -> float:
    """Until when, written alike; it may be to come."""
    from callsieve.times import moment_of

    return _time(name, text, now, moment_of)


def _time(name: str, text: str, now: float, read: Callable[[str, float], float]) -> float:
    from callsieve.times import TimeError

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
