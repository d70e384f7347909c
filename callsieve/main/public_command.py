"""`callsieve public`: the page for owners of numbers, as two processes.

This one has the store, the settings and the call-back helper, and answers the few questions of backend.py. The other
one (public_main.py) is what strangers reach, and has nothing but a socket to ask this one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption
from callsieve.logs import configure_logs
from callsieve.main.http_server import listening
from callsieve.public_page.backend import Backend
from callsieve.public_page.wire import serve_backend
from callsieve.system.privileges import served_settings

logger = logging.getLogger("callsieve.public")

# What the page needs of our environment: nothing that may have a secret in it.
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_TIME", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
STOPPED = (0, -signal.SIGTERM, -signal.SIGINT)


def public(
    config: ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Serve the public page, where owners of numbers appeal. Runs until it is stopped."""
    configure_logs(as_json=log_json)
    backend = Backend(partial(served_settings, config))
    settings = backend.loaded.settings.public
    if not settings.enabled:
        raise CommandError("the public page is off: set enabled, address and name in [public] of the settings")
    with listening(settings.listen, "[public] listen", "the public page") as listener:
        logger.info("public page: %s, served at http://%s", settings.address, settings.listen)
        code = asyncio.run(_keep_page(backend, listener, ["--log-json"] if log_json else []))
    if code not in STOPPED:
        raise CommandError(f"the public page ended with {code}: its log says why")
    logger.info("public page: stopped")


async def _keep_page(backend: Backend, listener: socket.socket, options: list[str]) -> int:
    """Runs the page until it ends or we are to, and answers it. How it ended."""
    ours, theirs = socket.socketpair()
    with theirs:
        page = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "callsieve.main.public_main"),
            *(str(theirs.fileno()), str(listener.fileno()), *options),
            pass_fds=(theirs.fileno(), listener.fileno()),
            env={key: os.environ[key] for key in ENVIRONMENT if key in os.environ},
            stdin=asyncio.subprocess.DEVNULL,
        )
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        with suppress(ProcessLookupError):  # it was told, too, and is gone
            page.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await serve_backend(backend, reader, writer)  # until the page ends
    except ValueError as error:
        logger.critical("public page: %s: it is ended", error)
        page.kill()
    finally:
        await backend.close()
    return await page.wait()
