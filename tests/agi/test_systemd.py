"""Notifications to systemd. Without systemd nothing happens."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from callsieve.system import service_process as notify


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket that systemd listens on."""
    abstract = f"callsieve-test-{os.getpid()}"
    path = str(tmp_path / "notify") if request.param == "file" else f"\0{abstract}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", path.replace("\0", "@"))
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield sock


def test_states_are_sent_to_systemd(systemd: socket.socket) -> None:
    assert notify.ready()
    assert systemd.recv(1000) == b"READY=1"
    assert notify.reloading()
    reloading, clock = systemd.recv(1000).split(b"\n")
    assert reloading == b"RELOADING=1"
    assert clock.removeprefix(b"MONOTONIC_USEC=").isdigit()
    assert notify.stopping()
    assert systemd.recv(1000) == b"STOPPING=1"
    assert notify.watchdog()
    assert systemd.recv(1000) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@nobody-listens-here", "vsock:2:1234"])
def test_without_systemd_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify.ready()


def test_a_full_notify_socket_does_not_block(systemd: socket.socket) -> None:
    sent = sum(1 for _ in takewhile(bool, (notify.watchdog() for _ in range(10_000))))
    assert 0 < sent < 10_000, "the queue never filled up"
    assert systemd.recv(1000) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        pytest.param("3000000", "", 3.0, id="watched"),
        pytest.param("3000000", str(os.getpid()), 3.0, id="for-this-process"),
        pytest.param("3000000", "1", None, id="for-another-process"),
        pytest.param("", "", None, id="not-watched"),
        pytest.param("0", "", None, id="zero"),
        pytest.param("soon", "", None, id="not-a-number"),
    ],
)
def test_the_watchdog_time_is_read_from_the_environment(
    usec: str, pid: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert notify.watchdog_seconds() == seconds


async def test_the_watchdog_is_notified_three_times_per_interval(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    systemd.setblocking(False)
    loop = asyncio.get_running_loop()
    feeding = asyncio.ensure_future(notify.run_watchdog())
    started = loop.time()
    for _ in range(4):
        assert await asyncio.wait_for(loop.sock_recv(systemd, 1000), 20) == b"WATCHDOG=1"
    assert loop.time() - started >= 0.055
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding


async def test_a_process_without_a_watchdog_sends_nothing(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    await asyncio.wait_for(notify.run_watchdog(), 5)
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(1000)
