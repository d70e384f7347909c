"""`callsieve public backend`: answers the requests of the public page.

This process can use the store, the settings and the call-back helper. Visitors reach only the page (public_page.py),
which runs as another user and can use nothing but its connection to this process.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from agi.sockets import Peers, make_unix_socket, temporary_path_of, unlink_own
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption
from callsieve.logs import configure_logs
from callsieve.main.public_page import SocketOption
from callsieve.public_page.backend import Backend
from callsieve.public_page.wire import SOCKET, serve_backend
from callsieve.system import service_process
from callsieve.system.privileges import PUBLIC_USER, ids_of, is_ours_or, served_settings
from callsieve.system.service_process import follow_signals

logger = logging.getLogger("callsieve.public")


def backend(
    config: ConfigOption = None,
    path: SocketOption = SOCKET,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Answer the requests of the public page, which has no access to the store. Runs until stopped."""
    configure_logs(as_json=log_json)
    answering = Backend(partial(served_settings, config))
    if not answering.loaded.settings.public.enabled:
        raise CommandError("the public page is off: set enabled, address and name in [public] of the settings")
    with _listening(path) as listener:
        asyncio.run(_serve(answering, listener))
    logger.info("public page: backend stopped")


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """Yield a socket for this process's user and the page's user only. Raise OSError if another process uses `path`."""
    temporary = temporary_path_of(str(path))
    with make_unix_socket(str(path)) as sock:
        page = ids_of(PUBLIC_USER)
        if page is not None and page[1] in os.getgroups():  # by the unit
            os.chown(temporary, -1, page[1])
        sock.listen()
        os.rename(temporary, path)
        inode = path.stat().st_ino
        try:
            yield sock
        finally:
            unlink_own(str(path), inode)


async def _serve(answering: Backend, listener: socket.socket) -> None:
    pages: set[asyncio.Task[None]] = set()
    signals = follow_signals()

    def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_answer_page(answering, reader, writer))
        pages.add(task)
        task.add_done_callback(pages.discard)

    server = await asyncio.start_unix_server(answer, sock=listener)
    service_process.ready()
    logger.info("public page: backend ready for %s", answering.loaded.settings.public.address)
    await signals.stop.wait()
    server.close()
    for task in pages:
        task.cancel()
    await asyncio.gather(*pages, return_exceptions=True)  # requests in progress are completed
    await answering.close()


async def _answer_page(answering: Backend, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    user = Peers().user_of(writer.get_extra_info("socket"))
    if not is_ours_or(PUBLIC_USER, user):
        logger.warning("public page: ignored a connection: user=%s is not the page's user", user)
        writer.close()
        return
    try:
        await serve_backend(answering, reader, writer)  # until the page ends
    except ValueError as error:
        logger.critical("public page: closed the connection: %s", error)
