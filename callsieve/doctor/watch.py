"""Is everything as it must be? The doctor's checks, made in the background and kept: no page waits for them.

Asterisk's console is never asked from here: who reaches it has a shell as Asterisk. What only it knows, root has found.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from callsieve.doctor.checks import examine
from callsieve.doctor.finding import CheckContext, HealthCheck, gathered, not_asked
from callsieve.doctor.stored_findings import completed, read_findings
from callsieve.health import SystemHealth
from callsieve.settings import Loaded

EVERY_SECONDS = 20.0
WATCHED_SECONDS = 120.0  # nobody looks for so long: nothing is checked


class HealthWatch:
    """Looks every EVERY_SECONDS, in a thread, for as long as somebody asks what it saw."""

    def __init__(self, load: Callable[[], Loaded], checks: Sequence[HealthCheck]) -> None:
        self._load = load
        self._checks = checks
        self._latest = SystemHealth()
        self._asked_at = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    @property
    def latest(self) -> SystemHealth:
        """What was seen last. Asking keeps it looking."""
        self._asked_at = time.monotonic()
        if self._task is None or self._task.done():
            with suppress(RuntimeError):  # no loop runs: somebody only draws a page
                self._task = asyncio.get_running_loop().create_task(self._watch(), name="health")
        return self._latest

    async def close(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while time.monotonic() - self._asked_at < WATCHED_SECONDS:
            self._latest = await asyncio.to_thread(self._look)
            await asyncio.sleep(EVERY_SECONDS)

    def _look(self) -> SystemHealth:
        loaded = self._load()
        now = time.time()
        stored = read_findings(loaded.findings_path)
        ground = CheckContext(loaded, not_asked, now)
        checks = tuple(gathered(completed(examine(self._checks, ground), stored, now)))
        return SystemHealth(now, checks, bool(ground.central_organisation))
