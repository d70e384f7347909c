"""Parts of long-running programs: one process per state directory, signals that stop or reload it, and time limits.

The module also notifies systemd (sd_notify(3)) of start, reload and stop, and that the event loop is alive. Without
NOTIFY_SOCKET, as outside systemd, notifications are not sent. If a port is in use, the module finds the process that
listens there in /proc (proc(5)), for the error text.
"""

import asyncio
import errno
import fcntl
import logging
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from callsieve.settings import Loaded, SettingsError


class AlreadyRunning(OSError):
    """Raised if another process holds the lock."""


@contextmanager
def only_process(lock: Path, words: str) -> Iterator[None]:
    """Hold a lock on this file while the `with` block runs.

    Raise AlreadyRunning, with `words` and the process id, if another process holds the lock. Raise OSError if the file
    cannot be opened.
    """
    lock.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise AlreadyRunning(errno.EBUSY, words.format(process=who)) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


class Signals(NamedTuple):
    """Events that signals set: `stop` by SIGTERM and SIGINT, `reload` by SIGHUP."""

    stop: asyncio.Event
    reload: asyncio.Event


def follow_signals() -> Signals:
    """Return two asyncio events: from now on SIGTERM and SIGINT set `stop`, and SIGHUP sets `reload`."""
    signals = Signals(asyncio.Event(), asyncio.Event())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.stop.set)
    loop.add_signal_handler(signal.SIGHUP, signals.reload.set)
    return signals


def reloaded(load: Callable[[], Loaded], loaded: Loaded, logger: logging.Logger) -> Loaded:
    """Reload the settings. If the file has an error, log it and return the old settings."""
    try:
        return load()
    except SettingsError as error:
        logger.error("settings not reloaded, the previous ones stay in effect: %s", error)
        return loaded


async def wait_for_any(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def run_until(work: Coroutine[Any, Any, None], *events: asyncio.Event) -> None:
    """Run the work until it ends or one of the events is set. Raise the error of the work."""
    task = asyncio.create_task(work)
    waiting = asyncio.create_task(wait_for_any(*events))
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for running in (task, waiting):
            if not running.done():
                running.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


SECONDS = 2.0


def is_failing(unit: str) -> bool:
    """Return whether systemd keeps restarting the unit, or has given up. False if systemd is missing."""
    if shutil.which("systemctl") is None:
        return False
    command = ["systemctl", "show", unit, "--property=ActiveState,SubState"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    states = done.stdout.split()
    return "SubState=auto-restart" in states or "ActiveState=failed" in states


# systemd.service(5) asks for half the time at least; a third survives one lost message.
_BEATS_PER_TIMEOUT = 3


def notify(state: str) -> bool:
    """Send a state to systemd and return whether it was sent. Never blocks, never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):  # empty, or an address type that only virtual machines have
        return False
    if address.startswith("@"):  # an abstract socket address begins with NUL
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto(state.encode(), address)
    except OSError:  # systemd is gone or busy: the next notification will do
        return False
    return True


def ready() -> bool:
    """Tell systemd that requests are answered now, after a start or a reload."""
    return notify("READY=1")


def reloading() -> bool:
    """Tell systemd that a reload has begun. A call of `ready` ends the reload."""
    return notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> bool:
    """Tell systemd that the program stops answering requests."""
    return notify("STOPPING=1")


def watchdog() -> bool:
    """Tell systemd that the event loop is alive."""
    return notify("WATCHDOG=1")


def watchdog_seconds() -> float | None:
    """Return WATCHDOG_USEC in seconds; None if systemd does not watch this process."""
    pid = os.environ.get("WATCHDOG_PID", "")
    if pid and pid != str(os.getpid()):
        return None
    limit = os.environ.get("WATCHDOG_USEC", "")
    return int(limit) / 1e6 if limit.isascii() and limit.isdigit() and int(limit) else None


async def run_watchdog() -> None:
    """Notify systemd's watchdog until cancelled."""
    # The notifications come from the serving event loop, so that systemd notices if the loop hangs.
    limit = watchdog_seconds()
    if limit is None:
        return
    while True:
        watchdog()
        await asyncio.sleep(limit / _BEATS_PER_TIMEOUT)


PROC = Path("/proc")
SERVERS = frozenset({"serve", "web", "api", "events", "hub", "lookups", "public"})
_LISTENING = "0A"


def address_taken(listen: str, key: str, remedy: str = "", proc: Path = PROC) -> OSError:
    """Return an error that says which program uses the address in the setting `key`. `remedy` is appended."""
    port = int(listen.rpartition(":")[2])
    return OSError(f"{listen} is in use by {holder_of(port, proc)}: stop that program, or set another {key}{remedy}")


def holder_of(port: int, proc: Path = PROC) -> str:
    """Return the process that listens on a port: `node (pid 812, user asterisk)`, as far as this user may see it."""
    for inode, uid in _listeners(port, proc):
        user = _user(uid)
        for process in proc.glob("[0-9]*"):
            if _has_socket(process, inode):
                return f"{_name(process)} (pid {process.name}, user {user})"
        return f"a process of user {user}"
    return "another process"


def servers_that_run(proc: Path = PROC) -> list[tuple[int, str]]:
    """Return the process id and command of each running CallSieve server, such as (812, "web")."""
    servers = []
    for process in proc.glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            servers += [
                (int(process.name), command)
                for program, command in pairwise(words[:4])
                if Path(program).name == "callsieve" and command in SERVERS
            ]
    return sorted(servers)


def users_of(port: int, proc: Path = PROC) -> frozenset[int]:
    """Return the IDs of the users whose processes listen on the port."""
    return frozenset(user for _, user in _listeners(port, proc))


def _listeners(port: int, proc: Path) -> Iterator[tuple[str, int]]:
    for table in ("net/tcp", "net/tcp6"):
        try:
            rows = (proc / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9], int(fields[7])


def _has_socket(process: Path, inode: str) -> bool:
    try:
        return any(str(fd.readlink()) == f"socket:[{inode}]" for fd in (process / "fd").iterdir())
    except OSError:
        return False  # another user's process, or a process that has just ended


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "a process"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
