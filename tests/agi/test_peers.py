"""Which user is at the other end of a connection, asked of the real kernel."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agi.sockets import Peers

NOBODY = 65534
FAMILIES = [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX]
LOOPBACK = {int(socket.AF_INET): "127.0.0.1", int(socket.AF_INET6): "::1"}
TCP = list(LOOPBACK)


@contextmanager
def connected(family: int, user: int | None = None) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield both ends of a connection, the accepted one first. `user` connects, or we do."""
    own = os.geteuid()
    with tempfile.TemporaryDirectory() as folder, closing(socket.socket(family)) as server:
        Path(folder).chmod(0o755)
        server.bind(f"{folder}/sock" if family == socket.AF_UNIX else (LOOPBACK[family], 0))
        server.listen()
        if family == socket.AF_UNIX:
            Path(folder, "sock").chmod(0o666)
        try:
            os.seteuid(own if user is None else user)
            client = socket.socket(family)
            client.connect(server.getsockname())
        finally:
            os.seteuid(own)
        with client, closing(server.accept()[0]) as accepted:
            yield accepted, client


@pytest.fixture
def peers() -> Iterator[Peers]:
    with closing(Peers()) as made:
        yield made


@pytest.mark.parametrize("family", FAMILIES)
def test_our_own_user_is_found(peers: Peers, family: int) -> None:
    with connected(family) as (accepted, _):
        assert peers.user_of(accepted) == os.geteuid()


@pytest.mark.root
@pytest.mark.parametrize("family", FAMILIES)
def test_another_user_is_found(peers: Peers, family: int) -> None:
    with connected(family, NOBODY) as (accepted, _):
        assert peers.user_of(accepted) == NOBODY


@pytest.mark.parametrize("family", TCP)
def test_a_closed_end_has_no_user(peers: Peers, family: int) -> None:
    """The kernel names root for it."""
    with connected(family) as (accepted, client):
        client.sendall(b"agi_network_script: emergency\n\n")
        client.close()
        assert peers.user_of(accepted) is None


@pytest.mark.parametrize("family", TCP)
def test_a_shut_down_end_has_no_user(peers: Peers, family: int) -> None:
    with connected(family) as (accepted, client):
        client.shutdown(socket.SHUT_WR)
        assert peers.user_of(accepted) is None


@pytest.mark.parametrize("family", TCP)
def test_without_netlink_no_user_is_found(peers: Peers, family: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server((LOOPBACK[family], 0), family=family)) as sock:
        assert peers.can_name_owner(sock)
        peers.close()
        monkeypatch.setattr(socket, "AF_NETLINK", 63)  # refused as AF_NETLINK is by a unit without it
        assert not peers.can_name_owner(sock)
    with connected(family) as (accepted, _):
        assert peers.user_of(accepted) is None
