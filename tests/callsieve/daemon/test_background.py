"""Parts of the daemon beside its calls: one that fails is started again, and the doctor names it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from callsieve.daemon import background, daemon
from callsieve.doctor.finding import CheckContext, CheckStatus
from callsieve.doctor.service import daemon_answers
from callsieve.settings import Loaded, parse_settings
from lab.ports import free_port
from tests.waiting import wait_until


async def test_a_part_that_fails_is_named_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = []

    async def keep_recordings(_state: Path, use: Callable[[str], None]) -> None:
        began.append(time.monotonic())
        if len(began) < 3:
            raise RuntimeError("a bug of ours")
        use("/recordings")
        await asyncio.Event().wait()

    monkeypatch.setattr(daemon, "keep_recordings", keep_recordings)
    monkeypatch.setattr(background, "FIRST_RETRY_SECONDS", 0.05)
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    settings = parse_settings(f'[agi]\nlisten = "127.0.0.1:{port}"\n', "callsieve.toml")
    loaded = Loaded(settings=settings, file=None, state=tmp_path)
    ours, stop = daemon.Daemon(lambda: loaded), asyncio.Event()
    running = asyncio.create_task(ours.run(stop))
    try:
        await asyncio.to_thread(wait_until, lambda: ours.screening.site.recordings == "/recordings")
        found = await asyncio.to_thread(daemon_answers, CheckContext(loaded, str, time.time()))
        assert found.status is CheckStatus.WARN
        assert "(keep recordings)" in str(found.detail)
        assert began[2] - began[1] >= 0.1
        monkeypatch.setattr(background, "WELL_AFTER_SECONDS", 0.0)
        assert "keep recordings" not in ours.trouble()
    finally:
        stop.set()
        await running
