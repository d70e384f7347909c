"""Client for Asterisk's console that needs no daemon of CallSieve: for the off switch, `doctor` and `asterisk install`.

The setting `[asterisk] command` is split as a shell would, but runs without one, for at most 5 s and 16 MB of output.
"""

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
# Its value: until when screening is off, in epoch seconds. The dialplan compares it with ${EPOCH}.
OFF_KEY = "off"
EMERGENCY_KEY = "emergency"
FOR_EVER = 9999999999
START_ASTERISK = "systemctl start asterisk (FreePBX: fwconsole start)"

# Debian installs asterisk in a directory that is not on every user's PATH.
_SYSTEM_PATHS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_UNREACHED = re.compile(r"Unable to connect to remote asterisk \(does (.*) exist\?\)")
_FOUND = re.compile(r"^Value: ?(.*)$", re.MULTILINE)


class ConsoleError(Exception):
    """Raised if Asterisk's console does not answer. The text is one line with the reason and a remedy."""


class NotRunning(ConsoleError):
    """Raised if no process listens on Asterisk's control socket."""

    def __init__(self, control: str) -> None:
        super().__init__(f"Asterisk is not running: nothing answers on {control}: {START_ASTERISK}")
        self.control = control


class NotAllowed(ConsoleError):
    """Raised if this user may not use Asterisk's console, so that Asterisk's state is unknown."""


def console(settings: Settings, command: str, seconds: float | None = None) -> str:
    """Run a command in Asterisk's console, for at most `seconds` (None: 5 s). Return its output, which may be an error.

    Raises:
        ConsoleError: Asterisk does not answer in time, or cannot be reached.
        NotAllowed: This user may not use the console.
        ValueError: The command has a line break.
    """
    if not command.isprintable():
        raise ValueError("a command for Asterisk's CLI must be one line")
    try:
        words = shlex.split(settings.asterisk.command)
    except ValueError as error:
        raise ConsoleError(f"[asterisk] command has an error: {error}: close its quotes") from None
    if not words:
        raise ConsoleError('[asterisk] command is empty: set it to "asterisk"')
    status, raw = _run([*words, "-rx", command], CONSOLE_SECONDS if seconds is None else seconds)
    text = _COLOURS.sub("", raw.decode("utf-8", "replace")).replace("\r\n", "\n")
    if status != 0:
        raise _trouble(words[0], status, text)
    return text


def database_get(settings: Settings, key: str) -> str | None:
    """Return the value of `callsieve/key` in AstDB; None if the key does not exist."""
    return value_in(console(settings, f"database get {FAMILY} {_checked(key)}"))


def database_put(settings: Settings, key: str, value: str) -> None:
    """Set `callsieve/key` in AstDB and verify the stored value. Raise ConsoleError on failure."""
    output = console(settings, f"database put {FAMILY} {_checked(key)} {_checked(value)}")
    if database_get(settings, key) != value:
        raise ConsoleError(f"Asterisk did not store {FAMILY}/{key} in its database: {_line(output)}")


def database_del(settings: Settings, key: str) -> bool:
    """Delete `callsieve/key` from AstDB. Return False if the key did not exist."""
    if database_get(settings, key) is None:
        return False
    output = console(settings, f"database del {FAMILY} {_checked(key)}")
    if database_get(settings, key) is not None:
        raise ConsoleError(f"Asterisk did not delete {FAMILY}/{key} from its database: {_line(output)}")
    return True


def off_until(settings: Settings) -> int | None:
    """Return the Unix time until which screening is off; None if screening was not switched off."""
    return parse_off(console(settings, f"database get {FAMILY} {OFF_KEY}"))


def parse_off(output: str) -> int | None:
    """Return the Unix time in the output of `database get callsieve off`. As in the dialplan, only the digits count."""
    value = value_in(output)
    return None if value is None else int("0" + re.sub(r"[^0-9]", "", value))


def value_in(output: str) -> str | None:
    """Return the value in the output of `database get`; None if the output contains no value."""
    match = _FOUND.search(output)
    return match[1].strip() if match else None


def until_words(until: int, now: float) -> Wording:
    """Return a text such as `until 2026-10-05 14:30 CEST`. For a time centuries ahead: `until it is switched on`."""
    if until - now > 100 * 365 * 86400:
        return Wording("until it is switched on")
    return Wording("until {time}", {"time": f"{datetime.fromtimestamp(until).astimezone():%Y-%m-%d %H:%M %Z}"})


def _checked(word: str) -> str:
    if not _KEY.fullmatch(word):
        raise ValueError("keys and values in AstDB must be A-Z, a-z, 0-9, _, . and -")
    return word


def _run(arguments: list[str], seconds: float) -> tuple[int, bytes]:
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
            f"{arguments[0]}: not found: install Asterisk on this server, or set [asterisk] command"
        ) from None
    except OSError as error:
        raise ConsoleError(f"{arguments[0]}: {error.strerror}: check [asterisk] command") from None
    deadline = time.monotonic() + seconds
    try:
        return _collect(process, deadline)
    except TimeoutError:
        raise ConsoleError(
            f"Asterisk did not answer within {seconds:.0f} s: check whether it is frozen or overloaded"
        ) from None
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
            raise ConsoleError(f"Asterisk's answer is longer than {OUTPUT_LIMIT >> 20} MB: check [asterisk] command")
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
    if match := _UNREACHED.search(text):
        if not _may_connect(match[1]):
            return NotAllowed(f"this user may not use Asterisk's console (socket {match[1]}): run this as root")
        return NotRunning(match[1])
    message = _line(text) or "no output"
    return ConsoleError(f"{program} failed with exit code {status}: {message}: check [asterisk] command")


def _may_connect(path: str) -> bool:
    with as_root():
        try:
            os.stat(path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return os.access(path, os.W_OK, effective_ids=True)


def _line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
