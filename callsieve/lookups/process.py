"""The process `callsieve lookups serve`, which queries other servers. The daemon opens no network connection itself."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from agi.sockets import make_unix_socket, temporary_path_of, unlink_own
from callsieve.changes.operation import Context
from callsieve.logs import configure_logs, flush_logs
from callsieve.lookups.client import LINE_BYTES, SOCKET_NAME, LookupReply, line_of, question_in
from callsieve.lookups.operations import disable_the_bad
from callsieve.lookups.service import AskedSource, Fetch, LookUpService, Reached, Unreachable
from callsieve.lookups.sources import OutsideRequest, sources_of
from callsieve.outside.errors import OutsideError
from callsieve.outside.http_client import OutsideClient, RequestLimits
from callsieve.outside.secrets import secret_of
from callsieve.settings import Loaded
from callsieve.system import service_process
from callsieve.system.service_process import follow_signals, reloaded, wait_for_any
from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.users import Role

logger = logging.getLogger("callsieve.lookups.process")

SOCKET_MODE: Final = 0o600
BACKLOG: Final = 64
MOST_CONNECTIONS: Final = 256
READING_SECONDS: Final = 1.0

LookUp = Callable[[str, float], Awaitable[bool]]


@asynccontextmanager
async def serving(path: Path, look_up: LookUp) -> AsyncIterator[None]:
    """Answer questions on the socket `path` during the block. Raise OSError if another process already serves there."""
    server_side = _Connections(look_up)
    sock = make_unix_socket(str(path), SOCKET_MODE)
    server = await asyncio.start_unix_server(server_side.answer, sock=sock, limit=LINE_BYTES, backlog=BACKLOG)
    os.rename(temporary_path_of(str(path)), path)
    inode = os.stat(path).st_ino
    try:
        yield
    finally:
        server.close()
        unlink_own(str(path), inode)
        await server_side.close()


class _Connections:
    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._tasks: set[asyncio.Task[object]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if len(self._tasks) <= MOST_CONNECTIONS:
                await self._exchange(reader, writer)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
            logger.debug("invalid look-up request: %s", type(error).__name__)
        except asyncio.CancelledError:  # on stopping: else asyncio logs the cancelled task
            writer.transport.abort()
        except Exception:
            logger.exception("unexpected error while looking up a number")
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(READING_SECONDS):
            question = question_in(await reader.readuntil(b"\n"))
        more = await self._look_up(question.number, question.wait_ms / 1000)
        writer.write(line_of(LookupReply(more)))
        with contextlib.suppress(OSError):
            await writer.drain()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


logger = logging.getLogger("callsieve.lookups.process")

# A call waits within its time limit; later answers are there for the next call. Redirects are not followed: they would
# reveal the number to another server.
LIMITS: Final = RequestLimits(total_seconds=8.0, connect_seconds=3.0, body_bytes=1 << 20, redirects=0)
MEASURE_SECONDS: Final = 3600.0
FIRST_MEASURE_SECONDS: Final = 60.0
ACTOR: Final = "look-ups"
MOST_THREADS: Final = 256


def run(load: Callable[[], Loaded], *, log_json: bool) -> None:
    """Serve until SIGTERM or SIGINT. On SIGHUP, reload the settings. Raise SettingsError if they cannot be loaded."""
    loaded = load()
    configure_logs(as_json=log_json)
    try:
        asyncio.run(_serve(load, loaded))
    finally:
        flush_logs()


def asked_sources(loaded: Loaded) -> list[AskedSource]:
    """Return the usable sources in the settings. Sources without a readable secret are logged and skipped."""
    usable = []
    for source in sources_of(loaded.settings):
        table = source.table
        try:
            usable.append(AskedSource(source, secret_of(table.token) if table.token else ""))
        except OutsideError as error:
            logger.error("look-up source not used: %s: %s", table.name, error.words)
    return usable


def fetch_with(client: OutsideClient) -> Fetch:
    """Return a function that sends requests through this client."""

    async def fetch(request: OutsideRequest, may_be_inside: bool) -> Reached:
        try:
            return await client.request(
                "GET", request.url, headers=request.headers, limits=LIMITS, allow_private=may_be_inside
            )
        except OutsideError as error:
            raise Unreachable(error.code) from None

    return fetch


async def _serve(load: Callable[[], Loaded], loaded: Loaded) -> None:
    stop, reload = follow_signals()
    # Looking up a name whose server does not answer blocks a thread for as long as resolv.conf says.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MOST_THREADS, "look-ups"))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(OutsideClient(LIMITS))
        asking = _Asking(loaded, fetch_with(client))
        stack.push_async_callback(asking.close)
        await stack.enter_async_context(serving(socket_of(loaded), asking.look_up))
        for background in (_keep_measuring(asking), service_process.run_watchdog()):
            stack.push_async_callback(_ended, asyncio.create_task(background))
        service_process.ready()
        while not stop.is_set():
            await wait_for_any(stop, reload)
            if reload.is_set():
                reload.clear()
                service_process.reloading()
                await asking.use(reloaded(load, asking.loaded, logger))
                service_process.ready()
        service_process.stopping()
    logger.info("stopped")


class _Asking:
    """The current look-up service, which is replaced when the settings are reloaded."""

    def __init__(self, loaded: Loaded, fetch: Fetch) -> None:
        self._fetch = fetch
        self._take(loaded)

    async def look_up(self, number: str, wait_seconds: float) -> bool:
        return await self._service.look_up(number, wait_seconds)

    async def use(self, loaded: Loaded) -> None:
        old = self._service
        self._take(loaded)
        await old.close()

    async def close(self) -> None:
        await self._service.close()

    def _take(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self._service = LookUpService(loaded.store_path, asked_sources(loaded), self._fetch)
        names = ", ".join(asked.name for asked in self._service.sources)
        logger.info("look-up process is ready: sources=%s socket=%s", names or "none", socket_of(loaded))


def socket_of(loaded: Loaded) -> Path:
    """Return the path of the look-up process's socket."""
    return loaded.state_path(SOCKET_NAME)


async def _keep_measuring(asking: _Asking) -> None:
    await asyncio.sleep(FIRST_MEASURE_SECONDS)
    while True:
        try:
            for name in await asyncio.to_thread(measure, asking.loaded):
                logger.warning(
                    "look-up source switched off, because its answers are worse than chance: %s (see "
                    "callsieve lookups show)",
                    name,
                )
        except StoreError as error:
            logger.warning("measuring how often look-up services are right failed: %s", error)
        await asyncio.sleep(MEASURE_SECONDS)


def measure(loaded: Loaded) -> list[str]:
    """Switch off sources that are worse than chance, and return their names."""
    with open_store(loaded.store_path) as db:
        return disable_the_bad(db, Context(ACTOR, Role.ADMINISTRATOR, time.time(), loaded))


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
