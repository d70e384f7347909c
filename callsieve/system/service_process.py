"""What long-running programs share: one per state directory, signals that stop or reload it, work that ends on time.

with only_process(state / "events.lock", "events are sent already, by process {process}: stop it first"):  ...
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from callsieve.settings import Loaded, SettingsError


class AlreadyRunning(OSError):
    """Another process holds the lock."""


@contextmanager
def only_process(lock: Path, words: str) -> Iterator[None]:
    """Inside, no other process holds this file. AlreadyRunning says `words`, with its id for `{process}`; OSError."""
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
    """`stop` is set by SIGTERM and SIGINT, `reload` by SIGHUP."""

    stop: asyncio.Event
    reload: asyncio.Event


def follow_signals() -> Signals:
    """Return the events that this process's signals set from now on."""
    signals = Signals(asyncio.Event(), asyncio.Event())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.stop.set)
    loop.add_signal_handler(signal.SIGHUP, signals.reload.set)
    return signals


def reloaded(load: Callable[[], Loaded], loaded: Loaded, logger: logging.Logger) -> Loaded:
    """Return the settings as they are now, or the ones in use when the file has an error."""
    try:
        return load()
    except SettingsError as error:
        logger.error("the old settings stay: %s", error)
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
    """Run the work until it ends, raising its error, or one of the events is set."""
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
    """Return whether systemd starts the unit again and again, or has given it up; False where it cannot be asked."""
    if shutil.which("systemctl") is None:
        return False
    command = ["systemctl", "show", unit, "--property=ActiveState,SubState"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    said = done.stdout.split()
    return "SubState=auto-restart" in said or "ActiveState=failed" in said
