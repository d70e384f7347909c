"""Asterisk's own console: what works when the daemon is dead. The off switch, `doctor` and `asterisk install` use it.

    console(settings, "core show version")         one command, its output as text
    database_put(settings, "off", "9999999999")    AstDB, family `callsieve`

The command is the key `[asterisk] command`, split as a shell would and run without one; 5 s and 16 MB at most.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from datetime import datetime
from select import select

from callsieve.settings import Settings
from callsieve.system.privileges import as_root
from reputation.wording import Wording

CONSOLE_SECONDS = 5.0
OUTPUT_LIMIT = 16 * 1024 * 1024
FAMILY = "callsieve"
# Until when screening is off, in epoch seconds: the dialplan compares it with ${EPOCH}.
OFF_KEY = "off"
EMERGENCY_KEY = "emergency"
FOR_EVER = 9999999999
START_ASTERISK = "systemctl start asterisk (FreePBX: fwconsole start)"

# Debian keeps asterisk in a directory that is not on everybody's PATH.
_SYSTEM_PATHS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_UNREACHED = re.compile(r"Unable to connect to remote asterisk \(does (.*) exist\?\)")
_FOUND = re.compile(r"^Value: ?(.*)$", re.MULTILINE)


class ConsoleError(Exception):
    """Asterisk cannot be asked. The text is one line and says what to do."""


class NotRunning(ConsoleError):
    """Nothing answers on Asterisk's control socket."""

    def __init__(self, control: str) -> None:
        super().__init__(f"Asterisk does not run: nothing answers on {control}: {START_ASTERISK}")
        self.control = control


class NotAllowed(ConsoleError):
    """This user may not ask Asterisk: nothing is known of it."""


def console(settings: Settings, command: str, seconds: float | None = None) -> str:
    """What Asterisk's console prints for `command`. A command that Asterisk does not know is an answer too.

    Raises ConsoleError when Asterisk cannot be asked or does not answer in time (NotAllowed when the reason is this
    user), ValueError for a line break.
    """
    if not command.isprintable():
        raise ValueError("a console command is one line")
    try:
        words = shlex.split(settings.asterisk.command)
    except ValueError as error:
        raise ConsoleError(f"[asterisk] command cannot be split: {error}: close its quotes") from None
    if not words:
        raise ConsoleError('[asterisk] command is empty: the usual one is "asterisk"')
    status, raw = _run([*words, "-rx", command], CONSOLE_SECONDS if seconds is None else seconds)
    text = _COLOURS.sub("", raw.decode("utf-8", "replace")).replace("\r\n", "\n")
    if status != 0:
        raise _trouble(words[0], status, text)
    return text


def database_get(settings: Settings, key: str) -> str | None:
    """The value of `callsieve/key` in AstDB, None when it is not there."""
    return value_in(console(settings, f"database get {FAMILY} {_checked(key)}"))


def database_put(settings: Settings, key: str, value: str) -> None:
    """Set `callsieve/key` in AstDB, and see that it is there."""
    said = console(settings, f"database put {FAMILY} {_checked(key)} {_checked(value)}")
    if database_get(settings, key) != value:
        raise ConsoleError(f"Asterisk did not keep {FAMILY}/{key} in its database: {_line(said)}")


def database_del(settings: Settings, key: str) -> bool:
    """Delete `callsieve/key` from AstDB; False when it was not there."""
    if database_get(settings, key) is None:
        return False
    said = console(settings, f"database del {FAMILY} {_checked(key)}")
    if database_get(settings, key) is not None:
        raise ConsoleError(f"Asterisk did not delete {FAMILY}/{key} from its database: {_line(said)}")
    return True


def off_until(settings: Settings) -> int | None:
    """The epoch second until which screening is off; None when it was not switched off."""
    return parse_off(console(settings, f"database get {FAMILY} {OFF_KEY}"))


def parse_off(output: str) -> int | None:
    """`database get callsieve off`, read as the dialplan does: digits count, everything else is passed over."""
    value = value_in(output)
    return None if value is None else int("0" + re.sub(r"[^0-9]", "", value))


def value_in(output: str) -> str | None:
    """The value that `database get` printed, None where there is none."""
    found = _FOUND.search(output)
    return found[1].strip() if found else None


def until_words(until: int, now: float) -> Wording:
    """`until 2026-10-05 14:30 CEST`, or that there is no end."""
    if until - now > 100 * 365 * 86400:
        return Wording("until it is switched on")
    return Wording("until {time}", {"time": f"{datetime.fromtimestamp(until).astimezone():%Y-%m-%d %H:%M %Z}"})


def _checked(word: str) -> str:
    if not _KEY.fullmatch(word):
        raise ValueError("a key or value of ours in AstDB is written in A-Z, a-z, 0-9, _, . and -")
    return word


def _run(arguments: list[str], seconds: float) -> tuple[int, bytes]:
    """Exit status and output of a program, which is killed when it takes too long or says too much."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM_PATHS])
    try:
        with as_root():
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PATH": path, "TERM": "dumb"},
            )
    except FileNotFoundError:
        raise ConsoleError(
            f"{arguments[0]}: not found: is Asterisk on this machine? Else set [asterisk] command"
        ) from None
    except OSError as error:
        raise ConsoleError(f"{arguments[0]}: {error.strerror}: look at [asterisk] command") from None
    deadline = time.monotonic() + seconds
    try:
        return _collect(process, deadline)
    except TimeoutError:
        raise ConsoleError(f"Asterisk did not answer within {seconds:.0f} s: is it frozen or overloaded?") from None
    finally:
        _end(process)


def _collect(process: subprocess.Popen[bytes], deadline: float) -> tuple[int, bytes]:
    assert process.stdout is not None
    output = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select([process.stdout], [], [], left)[0]:
            raise TimeoutError
        chunk = os.read(process.stdout.fileno(), 1 << 16)
        if not chunk:
            break
        output += chunk
        if len(output) > OUTPUT_LIMIT:
            raise ConsoleError(f"Asterisk's answer is longer than {OUTPUT_LIMIT >> 20} MB: look at [asterisk] command")
    try:
        return process.wait(max(0.01, deadline - time.monotonic())), bytes(output)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
    if process.stdout is not None:
        process.stdout.close()


def _trouble(program: str, status: int, text: str) -> ConsoleError:
    if found := _UNREACHED.search(text):
        if not _may_connect(found[1]):
            return NotAllowed(f"this user may not ask Asterisk (by {found[1]}): run this as root")
        return NotRunning(found[1])
    said = _line(text) or "it said nothing"
    return ConsoleError(f"{program} ended with {status}: {said}: look at [asterisk] command")


def _may_connect(path: str) -> bool:
    """Whether this user may use the socket, or would if it were there."""
    with as_root():
        try:
            os.stat(path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return os.access(path, os.W_OK, effective_ids=True)


def _line(text: str) -> str:
    """The last line that says anything, short."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
