"""Background tasks of the daemon: a failed one is restarted, and the doctor names it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from callsieve import telemetry as running_program
from callsieve.daemon import background, daemon
from callsieve.doctor.checks import checks_of
from callsieve.doctor.daemon import RESTART_ALL, daemon_answers
from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.main.capabilities import ALL
from callsieve.settings import Loaded, parse_settings
from callsieve.status.views import DAEMON, status_of
from callsieve.telemetry import read_telemetry
from lab.ports import free_port
from tests.waiting import wait_until


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[daemon.Daemon, Loaded]]:
    """A daemon that answers on a port of its own."""
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    settings = parse_settings(f'[agi]\nlisten = "127.0.0.1:{port}"\n', "callsieve.toml")
    loaded = Loaded(settings=settings, file=None, state=folder)
    ours, stop = daemon.Daemon(lambda: loaded), asyncio.Event()
    serving = asyncio.create_task(ours.run(stop))
    try:
        yield ours, loaded
    finally:
        stop.set()
        await serving


async def test_failed_task_is_named_and_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = []

    async def keep_recordings(_state: Path, use: Callable[[str], None]) -> None:
        began.append(time.monotonic())
        if len(began) < 3:
            raise RuntimeError("a bug of ours")
        use("/recordings")
        await asyncio.Event().wait()

    monkeypatch.setattr(daemon, "keep_recordings", keep_recordings)
    monkeypatch.setattr(background, "FIRST_RETRY_SECONDS", 0.05)
    async with running(tmp_path) as (ours, loaded):
        await asyncio.to_thread(wait_until, lambda: ours.screening.site.recordings == "/recordings")
        found = await asyncio.to_thread(daemon_answers, CheckContext(loaded, str, time.time()))
        assert found.status is CheckStatus.WARN
        assert "(keep recordings)" in str(found.detail)
        assert began[2] - began[1] >= 0.1
        monkeypatch.setattr(background, "WELL_AFTER_SECONDS", 0.0)
        assert "keep recordings" not in ours.trouble()


async def test_daemon_of_an_older_version_must_be_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as (_, loaded):
        await asyncio.to_thread(wait_until, lambda: read_telemetry(tmp_path) is not None)
        context = CheckContext(loaded, str, time.time())
        assert (await asyncio.to_thread(daemon_answers, context)).status is CheckStatus.OK
        monkeypatch.setattr(running_program, "program_stamp", lambda: "99.0 1")
        found = await asyncio.to_thread(daemon_answers, context)
        assert (found.status, found.remedy) == (CheckStatus.WARN, RESTART_ALL)
        shown = await asyncio.to_thread(status_of, context, loaded, checks_of(ALL))
        assert [check.remedy for check in shown.trouble if check.name == DAEMON] == [RESTART_ALL]
