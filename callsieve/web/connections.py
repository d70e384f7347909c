"""Limit the console's connections, and decide which connections come from a proxy.

Slow clients cannot block others. At the limit, a connection that waits for its client is closed: the oldest without a
login, else the oldest of all. If no connection waits, the new connection is closed. Unfinished requests and unread
answers time out. Only this module and main/http_server.py import uvicorn.
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

HOST_BITS = 64  # of an IPv6 address: a subscriber usually has a whole /64
LOOPBACK = "127.0.0.1"  # stands for ::1 and all of 127.0.0.0/8, which every user of this server can use

logger = logging.getLogger("callsieve.web")

MOST = 500
MOST_OF_ADDRESS = 100  # an office may come from one address; a browser opens six
HEADER_SECONDS = 10.0
WRITE_SECONDS = 60.0  # for an answer that the client does not read
PEER_USER = "peer_user"  # key in a request's state: the client's user ID on a Unix socket, or None
FIRST_ORDINARY_USER = 1000  # system accounts are below (Debian policy 9.2.2)


class Connections:
    """The open connections, oldest first."""

    def __init__(self) -> None:
        self._networks: dict[BoundedProtocol, str] = {}

    def admit(self, new: BoundedProtocol, network: str) -> bool:
        """Return whether to accept a connection. To make room, another connection may be closed.

        `network`: the network of the client's address; empty for a proxy.
        """
        of_network = [key for key, value in self._networks.items() if value == network] if network else []
        crowd = of_network if len(of_network) >= MOST_OF_ADDRESS else list(self._networks)
        if len(of_network) >= MOST_OF_ADDRESS or len(self._networks) >= MOST:
            waiting = [connection for connection in crowd if connection.waits_for_client]
            if not waiting:
                return False
            # the oldest without a login, else the oldest of all
            closed = min(waiting, key=lambda connection: connection.is_logged_in)
            self.forget(closed)
            closed.transport.abort()
        self._networks[new] = network
        return True

    def forget(self, connection: BoundedProtocol) -> None:
        """Remove a closed connection."""
        self._networks.pop(connection, None)


class BoundedProtocol(H11Protocol):
    """An HTTP connection with time limits. `proxied`: the application for proxied requests; None: no proxy."""

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
        """Whether no request is being answered. A request with an incomplete header does not count."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def waits_for_client(self) -> bool:
        """Whether the connection is idle or its request's body is incomplete."""
        return self.is_idle or self.cycle.more_body

    @property
    def is_logged_in(self) -> bool:
        """Whether the connection's latest request had a session, as marked by access.py."""
        return self.scope is not None and "logged_in" in self.scope["state"]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept or close a new connection, and choose the application that serves it."""
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
        """Remove the connection, and cancel its timers."""
        self._open.forget(self)
        for timer in (self._header_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Process received data, and start or stop the time limit for the request header."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.is_idle:
            self._await_header()
        elif self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def pause_writing(self) -> None:
        """Start the time limit for a client that does not read the answer."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Cancel the time limit, because the client reads again."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _await_header(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(HEADER_SECONDS, self._give_up_header)

    def _give_up_header(self) -> None:
        self._header_timer = None
        if self.is_idle:
            self.transport.close()


class LocalProxies:
    """The check of which local connections may come from a proxy. Create it before the process drops its privileges."""

    def __init__(self) -> None:
        self._peers = Peers()
        self._public_page = user_id_of(PUBLIC_USER)
        with suppress(OSError):  # then no local connection is trusted
            self._peers.open()

    def close(self) -> None:
        """Close the kernel socket that is used to look up local users."""
        self._peers.close()

    def may_be_proxy(self, connection: Any) -> bool:
        """Return whether the forwarded client addresses of this connection may be trusted.

        uvicorn compares the addresses of remote proxies with `[web] proxies`. All local users share one address. So a
        local proxy must run as root, as a system account or as the console's own user. The public page's account is
        excluded.
        """
        try:
            if not is_loopback(connection.getpeername()[0]):
                return True
        except OSError:  # it has already ended
            return False
        user = self._peers.user_of(connection)
        if user is not None and user != self._public_page and (user < FIRST_ORDINARY_USER or user == os.geteuid()):
            return True
        logger.warning(
            "console: forwarded address ignored: local user %s is not a system account. Run the proxy as a "
            "system account",
            user,
        )
        return False


def protocol_of(connections: Connections, proxied: Any | None) -> type[asyncio.Protocol]:
    """Return the protocol factory that uvicorn calls for each connection. `proxied`: as in BoundedProtocol."""
    proxies = None if proxied is None else LocalProxies()

    def make(**uvicorns: Any) -> BoundedProtocol:
        return BoundedProtocol(connections, proxies, proxied, **uvicorns)

    return cast("type[asyncio.Protocol]", cast("Callable[..., object]", make))


def network_of(address: str) -> str:
    """Return the network of an address: the /64 of an IPv6 address, LOOPBACK for loopback, else the address itself."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address[:LONGEST_NAME]
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.is_loopback:
        return LOOPBACK
    return str(ip if ip.version == 4 else IPv6Address(int(ip) >> HOST_BITS << HOST_BITS))
