"""What all commands share: `--config`, `--json`, and how an error is said: one line, what to do, exit code 2."""

from __future__ import annotations

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


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Inside, an expected error ends the program with one line on standard error and exit code 2."""
    try:
        yield
    except EXPECTED as error:
        _end(" ".join(str(error).split()))
    except BrokenPipeError:
        sys.stderr.close()  # `callsieve calls show | head`: nobody reads any more, and that is no error
        raise SystemExit(0) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _end(f"{place}{error.strerror or error}: check the path, its permissions and the space on the disk")


def _end(line: str) -> None:
    print(f"callsieve: {line}", file=sys.stderr)
    raise SystemExit(2)


def settings_of(config: Path | None) -> Loaded:
    """The settings for a command."""
    return load_settings(config)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
