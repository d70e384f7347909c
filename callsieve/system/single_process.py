"""What long-running programs of one state directory share: only one at a time, and work that ends when it is told to.

with only_process(state / "events.lock", "events are sent already, by process {process}: stop it first"):  ...
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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


async def run_until(work: Coroutine[Any, Any, None], *events: asyncio.Event) -> None:
    """Runs it until it ends, with its error, or one of them is set."""
    task = asyncio.create_task(work)
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait((task, *waits), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in (task, *waits):
            if not one.done():
                one.cancel()
        await asyncio.gather(task, *waits, return_exceptions=True)
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
