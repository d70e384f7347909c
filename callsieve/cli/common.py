"""What all commands share: `--config`, `--json`, the store, and how an error is said: one line, what to do, exit 2."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from callsieve.settings import Loaded, SettingsError, load_settings
from policies.policy import PolicyError
from reputation.store.errors import StoreError

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file; else CALLSIEVE_CONFIG, else /etc/callsieve."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class CommandError(Exception):
    """The command cannot do what was asked. The text is one line and says what to do."""


# What a command may end with; anything else is a bug and shows its traceback.
EXPECTED = (CommandError, SettingsError, PolicyError, StoreError)

# What typer raises for a command line that it cannot read. Typer carries click inside itself since 0.2x and depended
# on it before, so the classes are found through the one that it always exports.
_UsageError: Any = typer.BadParameter.__mro__[1]

EXIT_TROUBLE = 2
EXIT_INTERRUPTED = 130  # as a shell says it of SIGINT

_OS_TROUBLE = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "this is a directory, not a file",
    NotADirectoryError: "a part of this path is not a directory",
    PermissionError: "no permission; run this as the user who owns it, or as root",
}


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Inside, an expected error ends the program with one line on standard error and exit code 2."""
    try:
        yield
        sys.stdout.flush()
    except EXPECTED as error:
        _end(str(error))
    except _UsageError as error:
        _end(_usage_text(error))
    except (KeyboardInterrupt, typer.Abort):
        _end("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        _forget_output()  # `callsieve calls show | head`: nobody reads any more, and that is no error
        raise SystemExit(0) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        trouble = next((text for kind, text in _OS_TROUBLE.items() if isinstance(error, kind)), None)
        _forget_output()
        _end(place + (trouble or f"{error.strerror or error}: check the path and the space on the disk"))


def _usage_text(error: Any) -> str:
    """`list add: missing argument 'ENTRY' (callsieve list add --help)`; empty when the help was printed instead."""
    text = error.format_message().replace("Value error, ", "").strip().rstrip(".")  # pydantic's, inside newer typers
    path = error.ctx.command_path if getattr(error, "ctx", None) else "callsieve"
    command = path.removeprefix("callsieve").strip()
    return f"{command}{': ' if command else ''}{text[:1].lower()}{text[1:]} ({path} --help)" if text else ""


def _end(text: str, code: int = EXIT_TROUBLE) -> None:
    if text:
        warn(text)
    raise SystemExit(code)


def _forget_output() -> None:
    """Standard output goes nowhere from now on, so that flushing it at the end cannot fail again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return


def settings_of(config: Path | None) -> Loaded:
    """The settings for a command."""
    return load_settings(config)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def warn(text: str) -> None:
    """One line on standard error; by itself it stops nothing. Texts of strangers in it cannot steer the terminal."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    print(f"callsieve: {line}", file=sys.stderr)


@contextmanager
def existing_store(loaded: Loaded) -> Iterator[sqlite3.Connection]:
    """The store for a command that only looks: one that is not there is said, not made."""
    from reputation.store.file import open_store

    if not has_store(loaded):
        raise CommandError(
            f"{loaded.store_path}: there is no store yet; `callsieve serve` makes one, "
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
