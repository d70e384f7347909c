"""What systemd is told (sd_notify(3)): that we are ready, reload, stop, and that the loop that serves still turns.

Outside systemd, where NOTIFY_SOCKET is not set, nothing happens.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time

# systemd.service(5) asks for half the time at least; a third survives one lost message.
_BEATS_PER_TIMEOUT = 3


def notify(state: str) -> bool:
    """Send one state; True if systemd was there to take it. Never blocks, never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):  # none, or one of a virtual machine's own kind
        return False
    if address.startswith("@"):  # in the abstract name space, which is written with a NUL
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto(state.encode(), address)
    except OSError:  # gone, or too busy to take it: the next beat comes
        return False
    return True


def ready() -> bool:
    """Calls are answered from now on: after start-up, and after a reload."""
    return notify("READY=1")


def reloading() -> bool:
    """A reload has begun; `ready` ends it."""
    return notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> bool:
    """No more calls are taken."""
    return notify("STOPPING=1")


def watchdog() -> bool:
    """The loop still turns."""
    return notify("WATCHDOG=1")


def watchdog_seconds() -> float | None:
    """WATCHDOG_USEC in seconds, or None when this process is not watched."""
    pid = os.environ.get("WATCHDOG_PID", "")
    if pid and pid != str(os.getpid()):
        return None
    limit = os.environ.get("WATCHDOG_USEC", "")
    return int(limit) / 1e6 if limit.isascii() and limit.isdigit() and int(limit) else None


async def run_watchdog() -> None:
    """Feed the watchdog until cancelled. Runs in the loop that serves, so that a loop that hangs is restarted."""
    limit = watchdog_seconds()
    if limit is None:
        return
    while True:
        watchdog()
        await asyncio.sleep(limit / _BEATS_PER_TIMEOUT)
