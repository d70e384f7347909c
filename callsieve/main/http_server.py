"""Serve the console, the public page or the API with uvicorn, which only this module and web/connections.py import."""

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from agi.sockets import make_unix_socket, temporary_path_of
from callsieve.settings import SettingsError, address_of
from callsieve.system.service_process import address_taken
from callsieve.web.connections import Connections, protocol_of

NICE = 10
GRACE_SECONDS = 2
KEEP_ALIVE_SECONDS = 20
BACKLOG = 2048  # uvicorn's default


class HttpServer(uvicorn.Server):
    """A uvicorn server that, at shutdown, first ends the endless streams of live calls and events."""

    def __init__(self, ending: asyncio.Event, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then stop as uvicorn does."""
        self._ending.set()
        await super().shutdown(sockets)


def make_server(
    app: ASGIApp, ending: asyncio.Event, proxies: Iterable[str] | None, *, loop: Literal["auto", "asyncio"] = "auto"
) -> HttpServer:
    """Return a server for the application. At shutdown, the server sets the event `ending`.

    `proxies`: addresses whose `X-Forwarded-*` headers are trusted; None without a proxy. `loop`: `auto` is the fastest.
    """
    proxied = None if proxies is None else ProxyHeadersMiddleware(cast("Any", app), list(proxies))
    config = uvicorn.Config(
        cast("Any", app),
        http=protocol_of(Connections(), proxied),
        loop=loop,
        ws="none",  # an upgraded connection would escape the limits of connections.py
        log_config=None,
        access_log=False,  # paths contain numbers and secrets
        server_header=False,
        proxy_headers=False,  # connections.py decides who is a proxy
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return HttpServer(ending, config)


def run_server(
    server: HttpServer, sockets: Sequence[socket.socket], *, until_stdin_ends: bool = False, nice: int = NICE
) -> None:
    """Serve until SIGTERM or SIGINT or, with `until_stdin_ends`, until the parent process ends."""
    if nice:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, nice)
    if until_stdin_ends:
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
    # It repeats what we log in one line, and warns of each malformed request: strangers could fill the log.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    with suppress(KeyboardInterrupt):  # uvicorn has stopped properly, and then raises it again
        server.run(list(sockets))


def listening(listen: str, key: str, what: str) -> socket.socket:
    """Return a listening socket. Raise SettingsError, which names the server `what` and the settings key `key`."""
    host, port = address_of(listen)
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(
                socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1
            )  # as asyncio does: IPv4 may belong to another server
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise SettingsError(f"{what} cannot listen: {address_taken(listen, key)}") from None
    return sock


def listening_unix(path: Path) -> socket.socket:
    """Return a Unix socket that listens for this user and its group. Raise OSError if another server uses the path."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    sock = make_unix_socket(str(path))
    sock.listen(BACKLOG)
    os.rename(temporary_path_of(str(path)), path)  # only now that it listens, so that no connection is refused
    return sock


def _end_with_stdin(server: uvicorn.Server) -> None:
    with suppress(OSError):
        while sys.stdin.buffer.read(1024):
            pass
    server.should_exit = True
