"""Ports that are free, and given to nobody else before their owner binds them.

They lie outside of what Linux gives to whoever asks for any port (32768 to 60999), and of what our Asterisk takes for
audio. Each process of a test run goes through a share of its own, and comes back to a port only after all others.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle

PORTS = range(61_000, 65_536)
MEDIA_PORTS = range(30_000, 32_764, 4)
SHARES = 12  # processes of `make test`, and some


def free_port(address: str, kind: socket.SocketKind) -> int:
    """A free port at this address."""
    turn = _turn(PORTS)
    return next(port for port in turn if _is_free(address, port, kind))


def free_media_port(address: str) -> int:
    """A UDP port whose three neighbours above are free too: RTP, RTCP, and the same for video."""
    turn = _turn(MEDIA_PORTS)
    return next(port for port in turn if all(_is_free(address, port + place, socket.SOCK_DGRAM) for place in range(4)))


@cache
def _turn(ports: range) -> Iterator[int]:
    """The share of this process, round and round. It does not begin where a run just before it did."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    share = int(worker.removeprefix("gw") or os.getpid()) % SHARES
    mine = ports[share::SHARES]
    begin = os.getpid() % len(mine)
    return cycle([*mine[begin:], *mine[:begin]])


def _is_free(address: str, port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
