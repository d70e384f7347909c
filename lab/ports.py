"""Finds free ports that no other program takes before they are bound.

The ports lie outside the range from which Linux assigns ports (32768 to 60999), and outside the range for the audio of
the lab's Asterisk. Each process of a test run has its own share of ports. It reuses a port only after all the others.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle

PORTS = range(61_000, 65_536)
MEDIA_PORTS = range(30_000, 32_764, 4)
SHARES = 12  # more than the processes of `make test`


def free_port(address: str, kind: socket.SocketKind) -> int:
    turn = _turn(PORTS)
    return next(port for port in turn if _is_free(address, port, kind))


def free_media_port(address: str) -> int:
    """Return a free UDP port that three more free ports follow: RTP and RTCP of audio and video need four."""
    turn = _turn(MEDIA_PORTS)
    return next(port for port in turn if all(_is_free(address, port + place, socket.SOCK_DGRAM) for place in range(4)))


@cache
def _turn(ports: range) -> Iterator[int]:
    """Yield the ports of this process again and again. The first port differs between runs."""
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
