"""State shared by all pages: settings, policies, store and templates. `main/console_server.py` creates it at start-up.

Objects that only some pages need are services, registered by type: `req.state.service(TrialJobs)`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, TypeVarTuple, runtime_checkable

from callsieve.health import ScreeningState, ScreeningStatus, SystemHealth
from callsieve.policy_selection import watched_files
from callsieve.settings import Loaded, SettingsError
from callsieve.web.store_client import StoreClient
from callsieve.wiring import policies_of
from policies.policy import PolicyError, PolicySet
from reputation.store.users import Lifetime
from reputation.wording import Wording

if TYPE_CHECKING:
    from callsieve.capability import Changes
    from callsieve.web.rendering import Templates

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

logger = logging.getLogger("callsieve.web")

SLOW_SECONDS = 30.0
HASHED_AT_ONCE = 2  # each password takes 64 MB, and 50 ms of a processor that calls need too


WATCHED_SECONDS = 120.0  # stop computing a value that was not read for so long


class BackgroundValue(Generic[T]):
    """A value that a background thread recomputes every few seconds while pages keep reading it.

    `value`: the initial value. `find`: computes the value; None: the value never changes.
    """

    def __init__(self, value: T, find: Callable[[], T] | None = None, every_seconds: float = 20.0) -> None:
        self._value = value
        self._find = find
        self._every_seconds = every_seconds
        self._asked_at = time.monotonic()
        self._first = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def latest(self) -> T:
        """The latest value, without waiting."""
        self._asked_at = time.monotonic()
        if self._find is not None and (self._task is None or self._task.done()):
            self._first.clear()  # the value is old: nobody has read it for a while
            with suppress(RuntimeError):  # no event loop, for example while a test renders a page
                self._task = asyncio.get_running_loop().create_task(self._watch(self._find), name="watch")
        return self._value

    async def first(self, seconds: float) -> T:
        """Return the latest value, but wait up to `seconds` for the first computation."""
        value = self.latest
        if self._task is None or self._first.is_set():
            return value
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._first.wait()
        return self._value

    def forget(self) -> None:
        """Discard the value, so that the next read computes it again."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._first.clear()

    async def close(self) -> None:
        """Cancel the background computation."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self, find: Callable[[], T]) -> None:
        while time.monotonic() - self._asked_at < WATCHED_SECONDS:
            self._value = await asyncio.to_thread(find)
            self._first.set()
            await asyncio.sleep(self._every_seconds)


@runtime_checkable
class Closing(Protocol):
    """A service with a `close` method."""

    async def close(self) -> None:
        """End the service."""


class AppState:
    """Shared state of the console and the API.

    `loaded`: the settings. `policies`: the active policies; None if they have errors, which `policy_trouble` describes.
    `refresh` reloads settings and policies. `clock` returns UTC seconds. Only the console uses `templates`, `health`
    and `screening`, because the API has no pages.
    """

    def __init__(
        self,
        load: Callable[[], Loaded],
        clock: Callable[[], float],
        templates: Templates | None = None,
        health: BackgroundValue[SystemHealth] | None = None,
        screening: BackgroundValue[ScreeningStatus] | None = None,
    ) -> None:
        self._load = load
        self.loaded = load()
        self._seen = _signature(self.loaded)
        self.policies: PolicySet | None = None
        self.policy_trouble: str | Wording = ""
        self._read_policies()
        self.clock = clock
        self.changes: Changes = {}  # those of all capabilities, where people undo changes
        self.store = StoreClient(self.loaded.store_path)
        # For reads of many rows, so that pages do not wait behind them.
        self.slow_store = StoreClient(self.loaded.store_path, SLOW_SECONDS)
        self._templates = templates
        self.health = health or BackgroundValue(SystemHealth())
        self.screening = screening or BackgroundValue(ScreeningStatus(ScreeningState.UNKNOWN))
        self.background: set[asyncio.Future[None]] = set()  # small writes that no page waits for
        self.ending = asyncio.Event()  # set when the process stops, so that endless answers end
        self._services: dict[type, object] = {}
        self._hashing = asyncio.Semaphore(HASHED_AT_ONCE)

    def provide(self, *services: object) -> None:
        """Register services for pages, one per type. Services with a `close` method are closed with the state."""
        self._services.update({type(service): service for service in services})

    def service(self, kind: type[T]) -> T:
        """Return the service of this type."""
        value = self._services[kind]
        assert isinstance(value, kind)
        return value

    @property
    def templates(self) -> Templates:
        """The templates of the pages."""
        assert self._templates is not None
        return self._templates

    @property
    def lifetime(self) -> Lifetime:
        """How long a session lasts."""
        web = self.loaded.settings.web
        return Lifetime(60.0 * web.idle_minutes, 3600.0 * web.session_hours)

    @property
    def observing(self) -> str:
        """The names of the policies that only observe, as one text. Empty if all policies act on calls."""
        if self.policies is None:
            return ""
        everywhere = (self.policies.default, *(scope.policy for scope in self.policies.scopes))
        return ", ".join(dict.fromkeys(policy.name for policy in everywhere if policy.observe))

    async def hashing(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run a function that hashes a password. At most HASHED_AT_ONCE such functions run at the same time."""
        async with self._hashing:
            return await asyncio.to_thread(fn, *args)

    async def close(self) -> None:
        """Wait for background work, then close the services and the store."""
        await asyncio.gather(*self.background, return_exceptions=True)
        for service in self._services.values():
            if isinstance(service, Closing):
                await service.close()
        await self.health.close()
        await self.screening.close()
        await self.slow_store.close()
        await self.store.close()

    def refresh(self) -> None:
        """Reload settings and policies if their files changed. If the new settings have errors, the old ones stay."""
        signature = _signature(self.loaded)
        if signature == self._seen:
            return
        self._seen = signature
        try:
            self.loaded = self._load()
        except SettingsError as error:
            logger.error("settings not reloaded, the previous ones stay in effect: %s", error)
            return
        self._read_policies()

    def _read_policies(self) -> None:
        try:
            self.policies, self.policy_trouble = policies_of(self.loaded), ""
        except PolicyError as error:
            self.policies, self.policy_trouble = None, error.words


def _signature(loaded: Loaded) -> frozenset[tuple[Path, int, int]]:
    files, file = watched_files(loaded), loaded.settings_file
    try:
        status = file.stat()
    except OSError:
        return files  # the file does not exist yet, or was just removed
    return files | {(file, status.st_mtime_ns, status.st_size)}
