"""The daemon. It starts its parts in this order, and stops them in reverse order.

    settings -> policies, site -> store -> screening -> FastAGI server -> "ready"

Calls are answered as soon as the server listens, even if other parts have failed.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agi.screening import Screening
from agi.server import AgiServer
from agi.site import Site
from callsieve.calls.spoken_names import keep_recordings
from callsieve.daemon.background import (
    BackgroundParts,
    keep_console,
    keep_folded,
    keep_settings,
    recall,
    telemetry_of,
    watch_dialplan,
    write_telemetry,
)
from callsieve.daemon.store_supervisor import StoreSupervisor
from callsieve.hearing.link import HearingLink, hearing_socket
from callsieve.hearing.service import CallHearing
from callsieve.lookups.client import SOCKET_NAME, LookUpClient
from callsieve.lookups.operations import longest_budget_seconds
from callsieve.plan_files import Stamp, plans_of, stamps_of
from callsieve.policy_selection import as_activated, is_activation, watched_files
from callsieve.settings import Ami, Loaded, SettingsError, address_of
from callsieve.system import service_process
from callsieve.system.privileges import accepted_users
from callsieve.system.service_process import address_taken
from callsieve.telemetry import EVERY_SECONDS
from callsieve.version import program_stamp
from callsieve.wiring import policies_of, regions_of, site_of
from policies.loader import load_policy
from policies.policy import PolicyError, PolicySet
from reputation.law.loader import read_holidays
from reputation.numbers import read_plans, supported_regions
from reputation.site_names import new_id
from reputation.store.backup import has_backup_of_today
from reputation.store.errors import StoreError
from reputation.weights import Weights

if TYPE_CHECKING:
    from callsieve.daemon.outcome_recorder import OutcomeRecorder

logger = logging.getLogger("callsieve.daemon.daemon")

# Tables of the settings that take effect only after a restart.
UNTIL_RESTART = ("agi", "ami", "capabilities", "speech", "store", "web")
USERS_UNKNOWN = (
    "no call is screened, because the kernel does not report which user connects to FastAGI: the unit needs AF_NETLINK"
)
GRACE_SECONDS = 0.6  # calls in flight at SIGTERM: no longer than the dialplan waits
CHECK_SECONDS = 1.0  # how often policy files are checked
SETTLED_SECONDS = 60.0
HOUSEKEEPING_SECONDS = 3600.0
NEW_OBJECTS = 10_000  # between two garbage collections; at least a thousand calls leave as many


class Daemon:
    """The CallSieve service. `load`: reads the settings, at the start and at each reload."""

    def __init__(self, load: Callable[[], Loaded]) -> None:
        self._load = load
        self._loaded = load()
        self._policy_error = ""
        self._plan_error = ""
        self._plan_files: frozenset[Stamp] = frozenset()
        self._dialplan_trouble = ""
        self._socket_trouble = ""
        self._background = BackgroundParts()
        self.program = program_stamp()
        self._started_with = settings = self._loaded.settings
        self._weights_changed, self._settings_due = asyncio.Event(), asyncio.Event()
        self.store = StoreSupervisor(self._loaded.store_path, settings.reputation, self._settings_differ)
        self.screening = Screening(
            site=self._site(),
            policies=self._first_policies(),
            knowledge=self.store,
            new_id=new_id,
            deadline_seconds=settings.agi.deadline_ms / 1000,
            trouble=self.trouble,
        )
        self.look_ups = LookUpClient(self._loaded.state_path(SOCKET_NAME))
        self._use_look_ups()
        self._hearing_link = HearingLink(hearing_socket(self._loaded), settings.speech.model)
        self.hearing = CallHearing(self._hearing_link, self._loaded.state, self.store.record_transcript)
        self.hearing.wait_seconds = settings.speech.wait
        self.screening.hearing = self.hearing if settings.speech.model else None
        self.server = AgiServer(
            handle=self.screening.answer,
            fail_open=self.screening.failed_open,
            deadline_seconds=settings.agi.deadline_ms / 1000,
            in_flight_limit=settings.agi.in_flight,
            users=accepted_users(settings),
            key=settings.agi.key,
        )
        self.learning = self._listener(settings.ami) if settings.ami.username else None
        self._policy_files = watched_files(self._loaded)
        self._reload_due = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        settings = self._loaded.settings
        _make_directories(self._loaded)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.store.close)
            stack.push_async_callback(self.look_ups.close)
            stack.push_async_callback(self.hearing.close)
            await self.store.start()
            read_plans(regions_of(self.screening.site))
            host, port = address_of(settings.agi.listen)
            stack.push_async_callback(self.server.close, GRACE_SECONDS)
            await self._listen(host, port)
            await self._listen_unix()
            data_parts = (self._keep_settings, self._recall, self._read_plans, self._fold, self._keep_policies)
            upkeep_parts = (
                self._read_holidays,
                self._run_housekeeping,
                self._write_telemetry,
                self._keep_console,
                self._keep_recordings,
                self._hear,
                self._watch_dialplan,
            )
            for background in (*data_parts, *upkeep_parts, service_process.run_watchdog):
                self._background.start(background, stack)
            if self.learning is not None:
                stack.push_async_callback(self.learning.close)
                self.learning.start()
            _collect_seldom()
            service_process.ready()
            for removed in self._loaded.removed:
                logger.warning("settings: %s", removed.words)
            logger.info(
                "ready: answering on %s and %s, policy %s", settings.agi.listen, self._loaded.socket_path, self.policy
            )
            await stop.wait()
            service_process.stopping()
        logger.info("stopped")

    async def _listen(self, host: str, port: int) -> None:
        try:
            await self.server.listen(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            remedy = " and run: callsieve asterisk install"
            raise address_taken(self._loaded.settings.agi.listen, "[agi] listen", remedy) from None

    async def _listen_unix(self) -> None:
        """Listen on the Unix socket. If this fails, as on a read-only file system, calls still arrive over TCP."""
        path = self._loaded.socket_path
        try:
            await self.server.listen_unix(str(path))
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            self._socket_trouble = f"{path}: cannot create the Unix socket: the file system is read-only"
            logger.error("%s", self._socket_trouble)

    @property
    def policy(self) -> str:
        """Return the name of the default policy, with a remark if the policy only observes."""
        policy = self.screening.policies.default
        return f"{policy.name} (observing: decides and records, but changes no call)" if policy.observe else policy.name

    def trouble(self) -> str:
        """Return the current problems of the daemon in one line; empty without problems."""
        journal = self.store.journal
        return "; ".join(
            text
            for text in (
                self._dialplan_trouble,
                self._socket_trouble,
                USERS_UNKNOWN if self.server.is_blind and not self.server.key else "",
                self.store.trouble,
                self.store.incident,
                self._policy_error,
                self._plan_error,
                f"{len(journal)} decisions wait in memory for the store, {journal.dropped} were lost"
                if journal.degraded
                else "",
                "the store did not answer recent requests" if self.screening.breaker.is_open else "",
                self.learning.trouble if self.learning else "",
                *(
                    f"a part of the daemon failed ({part}) and was restarted: its log says why"
                    for part in self._background.failed()
                ),
            )
            if text
        )

    def reload(self) -> None:
        """Request a reload of settings and policies (SIGHUP)."""
        self._reload_due.set()

    async def _reload(self) -> None:
        service_process.reloading()
        try:
            loaded = await asyncio.to_thread(self._load)
        except SettingsError as error:
            logger.error("reload failed, the previous settings stay active: %s", error)
        else:
            for table in UNTIL_RESTART:
                if getattr(loaded.settings, table) != getattr(self._started_with, table):
                    logger.warning("[%s] changed in the settings: restart the daemon to apply it", table)
            self._loaded = loaded
            site = await asyncio.to_thread(self._site)
            await self._read_holidays()
            self.screening.site = replace(site, recordings=self.screening.site.recordings)
            self.store.weights = loaded.settings.reputation
            self._use_look_ups()
            self._settings_differ()
            await self._reload_policies()
            guard = "only observes" if loaded.settings.outbound.observe else "holds and refuses calls"
            logger.info("the outbound guard %s", guard)
        service_process.ready()

    def _use_look_ups(self) -> None:
        self.look_ups.budget_seconds = longest_budget_seconds(self._loaded.settings)
        self.screening.look_ups = self.look_ups if self.look_ups.budget_seconds else None

    def _listener(self, settings: Ami) -> OutcomeRecorder:
        from callsieve.daemon.outcome_recorder import OutcomeRecorder  # only if needed: it delays the start

        return OutcomeRecorder(settings, lambda: self.screening.site, self.store)

    def _site(self) -> Site:
        self._plan_files = stamps_of(self._loaded)
        plans = plans_of(self._loaded)
        self._plan_error = "; ".join(map(str, plans.problems))
        for problem in plans.problems:
            logger.error("ignored a numbering plan: %s", problem)
        return replace(site_of(self._loaded.settings), plan=plans.plan)

    async def _read_holidays(self) -> None:
        if self._loaded.settings.outbound.local_rules:
            await asyncio.to_thread(read_holidays, time.time())

    def _first_policies(self) -> PolicySet:
        try:
            return policies_of(self._loaded)
        except PolicyError as error:
            self._policy_error = str(error)
            logger.error("the policy cannot be used, so calls are only observed: %s", error)
            return PolicySet(load_policy("observe"))

    async def _reload_policies(self) -> None:
        self._policy_files = await asyncio.to_thread(watched_files, self._loaded)
        try:
            self.screening.policies = await asyncio.to_thread(policies_of, self._loaded)
        except PolicyError as error:
            self._policy_error = f"the previous policy stays active: {error}"
            logger.error("%s", self._policy_error)
        else:
            self._policy_error = ""
            logger.info("policy activated: %s", self.policy)

    async def _keep_policies(self) -> None:
        """Read settings and policies again when they change. Uses a thread, so that a slow disk delays no call."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._reload_due.wait(), CHECK_SECONDS)
            if self._reload_due.is_set():
                self._reload_due.clear()
                await self._reload()
                continue
            files = await asyncio.to_thread(watched_files, self._loaded)
            if is_activation(self._policy_files, files):
                self._loaded = await asyncio.to_thread(as_activated, self._loaded)
            if files != self._policy_files:
                await self._reload_policies()
            if await asyncio.to_thread(stamps_of, self._loaded) != self._plan_files:
                site = await asyncio.to_thread(self._site)
                self.screening.site = replace(self.screening.site, plan=site.plan)
                logger.info("numbering plans reloaded: %d ranges", len(site.plan))

    def _settings_differ(self) -> None:
        self._weights_changed.set()
        self._settings_due.set()

    async def _keep_settings(self) -> None:
        await keep_settings(self.store, lambda: self._loaded.settings, self._settings_due)

    async def _recall(self) -> None:
        await recall(self.store, self.screening.velocity, self.screening.first_calls, time.time())

    async def _read_plans(self) -> None:
        """Read the numbering plans of all countries after the start. The first calls do not need all plans."""
        for region in supported_regions():  # one at a time, in a thread: calls have priority
            await asyncio.to_thread(read_plans, (region,))

    async def _write_telemetry(self) -> None:
        """Write telemetry for the console and /metrics. Uses a thread, so that a stalled disk delays no call."""
        started_at = time.time()
        while True:
            with suppress(OSError):
                telemetry = telemetry_of(self, started_at, time.time())
                await asyncio.to_thread(write_telemetry, self._loaded.state, telemetry)
            await asyncio.sleep(EVERY_SECONDS)

    async def _fold(self) -> None:
        await keep_folded(self.store, self._weights_changed)

    async def _keep_console(self) -> None:
        await keep_console(lambda: self._loaded)

    async def _run_housekeeping(self) -> None:
        """Make a backup once a day. Delete outdated rows once an hour, but only after the backup of the day."""
        await asyncio.sleep(SETTLED_SECONDS)  # calls that waited during the start come first
        while True:
            path = self.store.path
            try:
                has_backup = await asyncio.to_thread(has_backup_of_today, path, time.time())
                if has_backup or await _back_up(path):
                    await _tidy_up(path)
                await _grade_own_numbers(path, self.store.weights, self._loaded.settings.outbound.networks)
            except (StoreError, OSError) as error:
                logger.warning("housekeeping: %s", error)
            await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def _watch_dialplan(self) -> None:
        def tell(trouble: str) -> None:
            self._dialplan_trouble = trouble

        await watch_dialplan(lambda: self._loaded, tell)

    async def _keep_recordings(self) -> None:
        def use(folder: str) -> None:
            self.screening.site = replace(self.screening.site, recordings=folder)

        await keep_recordings(self._loaded.state, use)

    async def _hear(self) -> None:
        if self._hearing_link.model:
            await self._hearing_link.run()


def _make_directories(loaded: Loaded) -> None:
    for directory in (loaded.state, loaded.socket_path.parent):
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)


async def _tidy_up(store: Path) -> None:
    done, text = await run_in_subprocess("reputation.store.housekeeping", str(store))
    logger.log(logging.INFO if done else logging.WARNING, "housekeeping: %s", text)


async def _back_up(store: Path) -> bool:
    done, text = await run_in_subprocess("reputation.store.backup", str(store))
    logger.log(
        logging.INFO if done else logging.WARNING,
        "%s: %s",
        "backup made" if done else "backup failed, so old data is not removed",
        text,
    )
    return done


async def _grade_own_numbers(store: Path, weights: Weights, networks: str) -> None:
    arguments = (str(store), msgspec.json.encode(weights).decode(), *([networks] if networks else []))
    done, text = await run_in_subprocess("reputation.store.own_health", *arguments)
    if not done:
        logger.warning("own numbers could not be graded: %s", text)
    elif problem := text.partition("\n")[2]:
        logger.warning("ignored [outbound] networks: %s", problem)


async def run_in_subprocess(module: str, *arguments: str) -> tuple[bool, str]:
    """Run a module in a low-priority subprocess. Return whether it succeeded, and what it printed or the error."""
    command = (sys.executable, "-P", "-m", module, *arguments)  # -P: not from the working directory
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        os.setpriority(os.PRIO_PROCESS, process.pid, 10)
        out, error = await process.communicate()
    finally:
        if process.returncode is None:  # cancelled
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return True, out.decode()
    return False, error.decode(errors="replace").strip()[-500:]


async def serve(load: Callable[[], Loaded]) -> None:
    """Run the daemon until SIGTERM or SIGINT. SIGHUP reloads the settings."""
    stop = asyncio.Event()
    daemon = Daemon(load)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    await daemon.run(stop)


def run(load: Callable[[], Loaded]) -> None:
    """Run `callsieve serve`, on uvloop if it is installed."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(load))


def _collect_seldom() -> None:
    """Exclude the objects made during the start from garbage collection, and run the collector rarely.

    Scanning these objects took a tenth of each call's processor time, and up to 30 ms in one scan. Nothing is lost:
    they live until the process ends anyway, and reference counting frees the objects of a call.
    """
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    gc.enable()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop factory if the extra `fast` is installed. Otherwise return None, for asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
