"""How an error is said: one line, what to do, exit 2. Knows nothing of typer: the daemon needs this and not that."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from callsieve.changes.operation import Refused
from callsieve.settings import SettingsError
from policies.files import NotRegular
from policies.policy import PolicyError
from reputation.store.errors import StoreError


class CommandError(Exception):
    """The command cannot do what was asked. The text is one line and says what to do; empty when that was said."""


class SwitchedOffError(CommandError):
    """A unit runs this command, and the settings switch it off. The exit status keeps systemd from trying again."""


# What a command may end with; anything else is a bug and shows its traceback.
EXPECTED = (CommandError, Refused, SettingsError, PolicyError, StoreError)

# What --force insists on.
FORCEABLE = ("objections", "no-such-person", "rests-still")

EXIT_TROUBLE = 2
EXIT_OFF = 78  # RestartPreventExitStatus of the units. Source: EX_CONFIG of sysexits.h
EXIT_INTERRUPTED = 130  # as a shell says it of SIGINT

# Of a file that we write the path is known (callsieve.install.steps): without one it is what the command prints.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_OS_TROUBLE = {
    FileNotFoundError: "there is no such file or directory",
    IsADirectoryError: "this is a directory, not a file",
    NotADirectoryError: "a part of this path is not a directory",
    NotRegular: "not a regular file: name a file (a pipe goes to standard input, as - where that can be read)",
    PermissionError: "no permission; run this as the user who owns it, or as root",
}


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Inside, an expected error ends the program with one line on standard error and exit code 2."""
    try:
        yield
        sys.stdout.flush()
    except EXPECTED as error:
        _end(words_of(error), EXIT_OFF if isinstance(error, SwitchedOffError) else EXIT_TROUBLE)
    except KeyboardInterrupt:
        _end("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        _forget_output()  # `callsieve calls show | head`: nobody reads any more, and that is no error
        raise SystemExit(0) from None
    except OSError as error:
        _forget_output()
        _end(os_trouble(error))
    except ModuleNotFoundError as error:
        if os.geteuid() == os.getuid():
            raise
        _end(f"{error}: the state directory's owner may not read this program: install it where everybody may")


def words_of(error: Exception) -> str:
    """An expected error as a command says it: options by their names, and how to insist."""
    if not isinstance(error, Refused):
        return str(error)
    words = f"--{error.field}: {error.words}" if error.field else str(error.words)
    return f"{words}. If that is meant, add --force" if error.code in FORCEABLE else words


def os_trouble(error: OSError) -> str:
    """What the system refused, in one line: the path, the trouble and the way out."""
    if error.errno is None and str(error):
        return str(error)  # words of ours, which say all of that
    place = f"{error.filename}: " if error.filename else "standard output: " if error.errno in _NO_ROOM else ""
    trouble = next((text for kind, text in _OS_TROUBLE.items() if isinstance(error, kind)), None)
    return place + (trouble or f"{error.strerror or error}: check the path and the space on the disk")


def warn(text: str) -> None:
    """One line on standard error; by itself it stops nothing. Texts of strangers in it cannot steer the terminal."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    print(f"callsieve: {line}", file=sys.stderr)


def fail_with(problems: Sequence[str]) -> None:
    """CommandError if there is a problem: each is said in a line of its own."""
    for problem in problems[:-1]:
        warn(problem)
    if problems:
        raise CommandError(problems[-1])


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
