"""The connections of the console: how many, for how long, and which of them are a proxy's. Only this module and
main/http_server.py import uvicorn.

A client that is slow costs nobody else a page: beyond a limit the oldest connection that waits for its client is
closed, one that is logged in only where no other waits, and the new one only where none waits at all. A request that
never ends, or an answer that is never read, ends after a while: access.py bounds the forms.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from agi.sockets import Peers, is_loopback
from callsieve.system.privileges import PUBLIC_USER, user_id_of
from reputation.users import LONGEST_NAME

HOST_BITS = 64  # of an IPv6 address: who has one has all of its /64
LOOPBACK = "127.0.0.1"  # stands for ::1 and all of 127.0.0.0/8: every user of this machine has them all

logger = logging.getLogger("callsieve.web")

MOST = 500
MOST_OF_ADDRESS = 100  # an office may come from one address; a browser opens six
HEADER_SECONDS = 10.0
WRITE_SECONDS = 60.0  # an answer that nobody reads
PEER_USER = "peer_user"  # in the state of a request over a Unix socket: the user ID of who asks, None if unknown
FIRST_ORDINARY_USER = 1000  # system accounts are below (Debian policy 9.2.2)


class Connections:
    """All that are open, the oldest first."""

    def __init__(self) -> None:
        self._networks: dict[BoundedProtocol, str] = {}

    def admit(self, new: BoundedProtocol, network: str) -> bool:
        """Whether there is room for it, for which another may be closed. `network` is empty for a proxy's."""
        of_network = [one for one, its in self._networks.items() if its == network] if network else []
        crowd = of_network if len(of_network) >= MOST_OF_ADDRESS else list(self._networks)
        if len(of_network) >= MOST_OF_ADDRESS or len(self._networks) >= MOST:
            waiting = [one for one in crowd if one.waits_for_client]
            if not waiting:
                return False
            closed = min(waiting, key=lambda one: one.is_logged_in)  # the oldest stranger, else the oldest of all
            self.forget(closed)
            closed.transport.abort()
        self._networks[new] = network
        return True

    def forget(self, one: BoundedProtocol) -> None:
        """It is closed."""
        self._networks.pop(one, None)


class BoundedProtocol(H11Protocol):
    """One connection. `proxied` is the application that believes X-Forwarded-For, None where there is no proxy."""

    def __init__(
        self, connections: Connections, proxies: LocalProxies | None, proxied: Any | None, **uvicorns: Any
    ) -> None:
        super().__init__(**uvicorns)
        self._open = connections
        self._proxies = proxies
        self._proxied = proxied
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered; one whose header is not whole does not count."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def waits_for_client(self) -> bool:
        """Whether it is idle or its request is not whole."""
        return self.is_idle or self.cycle.more_body

    @property
    def is_logged_in(self) -> bool:
        """Whether its latest request came with a session, as access.py noted it."""
        return self.scope is not None and "logged_in" in self.scope["state"]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if is_unix := connection.family == socket.AF_UNIX:
            self.app_state = {**self.app_state, PEER_USER: Peers().user_of(connection)}
        is_proxy = self._proxies is not None and not is_unix and self._proxies.may_be_proxy(connection)
        if is_proxy:
            self.app = self._proxied
        address = self.client[0] if self.client else ""
        if self._open.admit(self, "" if is_proxy or is_unix else network_of(address) or "local"):
            self._await_header()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.forget(self)
        for timer in (self._header_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.is_idle:
            self._await_header()
        elif self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _await_header(self) -> None:
        """The header of the next request must be whole in time, however its bytes trickle in."""
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(HEADER_SECONDS, self._give_up_header)

    def _give_up_header(self) -> None:
        self._header_timer = None
        if self.is_idle:
            self.transport.close()


class LocalProxies:
    """Which connections may be a proxy's. Made before the process is confined: it opens what it asks the kernel by."""

    def __init__(self) -> None:
        self._peers = Peers()
        self._public_page = user_id_of(PUBLIC_USER)
        with suppress(OSError):  # then no connection on this machine is one
            self._peers.open()

    def close(self) -> None:
        """Ask no more."""
        self._peers.close()

    def may_be_proxy(self, connection: Any) -> bool:
        """Whether what it says of others may be believed, as far as this machine can tell.

        From another machine its address says that, which uvicorn compares with `[web] proxies`. On this one everybody
        has that address, so a proxy is what runs as root, as a system account, or as we do: no person's program is.
        The page that strangers reach has a system account and is none.
        """
        try:
            if not is_loopback(connection.getpeername()[0]):
                return True
        except OSError:  # it is gone already
            return False
        user = self._peers.user_of(connection)
        if user is not None and user != self._public_page and (user < FIRST_ORDINARY_USER or user == os.geteuid()):
            return True
        logger.warning("console: user %s of this machine is not taken for a proxy: it has no system account", user)
        return False


def protocol_of(connections: Connections, proxied: Any | None) -> type[asyncio.Protocol]:
    """What uvicorn makes for each connection: it calls this with arguments of its own."""
    proxies = None if proxied is None else LocalProxies()

    def make(**uvicorns: Any) -> BoundedProtocol:
        return BoundedProtocol(connections, proxies, proxied, **uvicorns)

    return cast("type[asyncio.Protocol]", cast("Callable[..., object]", make))


def network_of(address: str) -> str:
    """Whose address it is: of an IPv6 address the /64, on this machine LOOPBACK, else itself."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:LONGEST_NAME]
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if found.is_loopback:
        return LOOPBACK
    return str(found if found.version == 4 else IPv6Address(int(found) >> HOST_BITS << HOST_BITS))
