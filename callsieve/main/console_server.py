"""The console's process, which also serves the API: uvicorn, behind all that answers calls. Only this module and
connections.py import it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from callsieve.main.console_app import make_app, make_app_state
from callsieve.settings import Loaded, SettingsError, address_of
from callsieve.system.port_holder import address_taken
from callsieve.web.connections import Connections, protocol_of

logger = logging.getLogger("callsieve.web")

NICE = 10
GRACE_SECONDS = 2
KEEP_ALIVE_SECONDS = 20
BACKLOG = 2048  # as uvicorn has it


def serve_console(load: Callable[[], Loaded], *, until_stdin_ends: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. `until_stdin_ends`: also until whoever started us is gone.

    SettingsError when the address cannot be listened on.
    """
    state = make_app_state(load)
    settings = state.loaded.settings
    web = settings.web
    own = settings.api.listen if settings.api.enabled else ""
    # The daemon starts us for the API alone where the console is not enabled.
    pages = "" if until_stdin_ends and own and not web.enabled else web.listen
    sockets = [_listening(*one) for one in ((pages, "[web] listen"), (own, "[api] listen")) if one[0]]
    app = make_app(state)
    proxied = ProxyHeadersMiddleware(cast("Any", app), list(web.proxies)) if web.behind_proxy else None
    server = _Server(
        state.ending,
        uvicorn.Config(
            app,
            http=protocol_of(Connections(), proxied),
            ws="none",  # an upgrade would leave the limits of connections.py
            log_config=None,
            access_log=False,  # addresses of pages hold numbers
            server_header=False,
            proxy_headers=False,  # connections.py decides who is a proxy
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        ),
    )
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    if until_stdin_ends:
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it tells of itself what we tell in one line
    if pages:
        logger.info("console: http://%s", pages)
    if own:
        logger.info("API: http://%s/api/v1", own)
    with suppress(KeyboardInterrupt):  # uvicorn has stopped properly, and then raises it again
        server.run(sockets)
    logger.info("console: stopped")


class _Server(uvicorn.Server):
    """Tells the answers that go on, of live calls and of events, that they are to end, before it waits for all."""

    def __init__(self, ending: asyncio.Event, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending.set()
        await super().shutdown(sockets)


def _listening(listen: str, key: str) -> socket.socket:
    """A socket at the address of the settings. SettingsError when it cannot be listened on."""
    host, port = address_of(listen)
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as asyncio does: the other may be another's
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise SettingsError(f"the console cannot listen: {address_taken(listen, key)}") from None
    return sock


def _end_with_stdin(server: uvicorn.Server) -> None:
    with suppress(OSError):
        while sys.stdin.buffer.read(1024):
            pass
    server.should_exit = True
