"""Ports that are free now. Nobody else is likely to take one in the moment until its owner binds it."""

from __future__ import annotations

import socket


def free_port(address: str, kind: socket.SocketKind) -> int:
    """A free port at this address, from the kernel's ephemeral range."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def free_media_port(address: str) -> int:
    """An even UDP port whose three neighbours above are free too: RTP, RTCP, and the same for video."""
    while True:
        first = free_port(address, socket.SOCK_DGRAM) & ~1
        if all(_is_free(address, first + offset) for offset in range(4)):
            return first


def _is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
