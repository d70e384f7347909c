"""Is everything as it must be? The doctor's checks, made in the background and kept: no page waits for them.

Asterisk's console is never asked from here: who reaches it has a shell as Asterisk. What only it knows, root has found.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from callsieve.doctor.checks import examine
from callsieve.doctor.finding import Check, CheckContext, CheckStatus, HealthCheck, gathered, not_asked
from callsieve.doctor.stored_findings import completed, read_findings
from callsieve.settings import Loaded

EVERY_SECONDS = 20.0
WATCHED_SECONDS = 120.0  # nobody looks for so long: nothing is checked

OFF_SWITCH = "off switch"
EMERGENCY_WINDOW = "emergency window"
WORST_FIRST = (CheckStatus.FAIL, CheckStatus.WARN, CheckStatus.UNKNOWN, CheckStatus.OK)


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """What the checks found at an instant; none before the first time. `is_central`: this is a central console."""

    at: float = 0.0
    checks: tuple[Check, ...] = ()
    is_central: bool = False

    @property
    def is_known(self) -> bool:
        """Whether anything was looked at yet."""
        return bool(self.checks)

    @property
    def worst(self) -> CheckStatus:
        """The worst of all."""
        found = {check.status for check in self.checks}
        return next((status for status in WORST_FIRST if status in found), CheckStatus.UNKNOWN)

    @property
    def worst_first(self) -> tuple[Check, ...]:
        """What needs a look before what does not."""
        return tuple(sorted(self.checks, key=lambda check: WORST_FIRST.index(check.status)))

    @property
    def ill(self) -> int:
        """How many need a look."""
        return sum(check.status in (CheckStatus.FAIL, CheckStatus.WARN) for check in self.checks)

    def of(self, name: str) -> Check | None:
        """The check of this name."""
        return next((check for check in self.checks if check.name == name), None)

    @property
    def off(self) -> Check | None:
        """That screening is switched off; None when it is on or nobody knows."""
        return self._warning_of(OFF_SWITCH)

    @property
    def window(self) -> Check | None:
        """That the window after an emergency call is open; None when it is closed or nobody knows."""
        return self._warning_of(EMERGENCY_WINDOW)

    def _warning_of(self, name: str) -> Check | None:
        check = self.of(name)
        return check if check is not None and check.status is CheckStatus.WARN else None


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
