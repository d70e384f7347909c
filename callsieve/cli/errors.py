"""Errors of commands: one line that says what to do, and exit code 2."""

# The daemon imports this module, so the module must not import typer.
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
    """The command failed. The message is one line that says what to do; it is empty if it was printed already."""


class SwitchedOffError(CommandError):
    """The settings disable this command, which a systemd unit runs. The exit code tells systemd not to restart it."""


# The errors that a command may end with. Any other is a bug and shows its traceback.
EXPECTED = (CommandError, Refused, SettingsError, PolicyError, StoreError)

# The refusals that --force overrides.
FORCEABLE = ("objections", "no-such-person", "rests-still")

EXIT_TROUBLE = 2
EXIT_OFF = 78  # RestartPreventExitStatus of the units. Source: EX_CONFIG of sysexits.h
EXIT_INTERRUPTED = 130  # as shells report SIGINT

# Errors without a file name concern standard output: the path of every file that we write is known.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_OS_TROUBLE = {
    FileNotFoundError: "no such file or directory: check the path",
    IsADirectoryError: "this is a directory: name a file",
    NotADirectoryError: "a part of this path is not a directory: check the path",
    NotRegular: "not a regular file: name a file (to read a pipe, name - where standard input is allowed)",
    PermissionError: "no permission: run this as the file's owner or as root",
}


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Catch errors that a user can fix, print each as one line on standard error, and exit with code 2."""
    try:
        yield
        sys.stdout.flush()
    except EXPECTED as error:
        _end(words_of(error), EXIT_OFF if isinstance(error, SwitchedOffError) else EXIT_TROUBLE)
    except KeyboardInterrupt:
        _end("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        _forget_output()  # `callsieve calls show | head`: the reader is gone, which is not an error
        raise SystemExit(0) from None
    except OSError as error:
        _forget_output()
        _end(os_trouble(error))
    except ModuleNotFoundError as error:
        if os.geteuid() == os.getuid():
            raise
        _end(
            f"{error}: the owner of the state directory may not read this program: install the program where every "
            f"user may read it"
        )


def words_of(error: Exception) -> str:
    """Return an error's message, with the name of the wrong option, and with a hint if --force would help."""
    if not isinstance(error, Refused):
        return str(error)
    words = f"--{error.field}: {error.words}" if error.field else str(error.words)
    return f"{words}. To do it anyway, add --force" if error.code in FORCEABLE else words


def os_trouble(error: OSError) -> str:
    """Return an OSError as one line: the path, the problem and what to do."""
    if error.errno is None and str(error):
        return str(error)  # our own message, which is complete
    place = f"{error.filename}: " if error.filename else "standard output: " if error.errno in _NO_ROOM else ""
    trouble = next((text for kind, text in _OS_TROUBLE.items() if isinstance(error, kind)), None)
    return place + (trouble or f"{error.strerror or error}: check the path and the space on the disk")


def warn(text: str) -> None:
    """Print a warning as one line on standard error. Control characters are replaced by `?`."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    print(f"callsieve: {line}", file=sys.stderr)


def fail_with(problems: Sequence[str]) -> None:
    """Print the problems, one per line, and raise CommandError. Do nothing if there are no problems."""
    for problem in problems[:-1]:
        warn(problem)
    if problems:
        raise CommandError(problems[-1])


def _end(text: str, code: int = EXIT_TROUBLE) -> None:
    if text:
        warn(text)
    raise SystemExit(code)


def _forget_output() -> None:
    """Discard standard output from now on, so that the flush at exit cannot fail."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
