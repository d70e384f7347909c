"""`callsieve public page`: the process that visitors from the internet reach.

Once the process listens, system/seccomp.py limits it to its program files and to system calls for open connections.
"""

import logging
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.logs import configure_logs
from callsieve.main.http_server import listening, make_server, run_server
from callsieve.public_page.web.pages import make_public_app
from callsieve.public_page.web.visit import PublicState
from callsieve.public_page.wire import SOCKET, BackendClient, connected
from callsieve.system.privileges import PUBLIC_USER, become, ids_of
from callsieve.system.seccomp import confine, serve_only

logger = logging.getLogger("callsieve.public")

# Files of the system: shared libraries and the time zone.
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime")

SocketOption = Annotated[Path, typer.Option("--socket", metavar="PATH", help="Socket of the public page's backend.")]


class OpenListener(socket.socket):
    """A socket that listens already. Its `listen` does nothing, because seccomp already forbids this system call."""

    def listen(self, backlog: int = 0, /) -> None:
        """Do nothing."""


def page(
    path: SocketOption = SOCKET,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Serve the public page for appeals. Runs until this process or its backend is stopped."""
    configure_logs(as_json=log_json)
    try:
        _leave_root(path)
        backend = BackendClient(connected(path))
    except (OSError, EOFError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise CommandError(f"{path}: {why}: check that callsieve-public-backend runs") from None
    public = backend.public
    with listening(public.listen, "[public] listen", "the public page") as bound:
        listener = OpenListener(fileno=bound.detach())
    state = PublicState(backend, public)
    proxies = public.proxies if public.behind_proxy else None
    # Another event loop would need other system calls.
    server = make_server(make_public_app(state), state.ending, proxies, loop="asyncio")

    def stop() -> None:
        server.should_exit = True

    backend.on_gone = stop
    own = (sys.prefix, sys.base_prefix, *filter(None, sys.path))
    if not confine(map(Path, {*own, *SYSTEM}), [Path(tempfile.gettempdir())]):
        logger.warning(
            "public page: this kernel has no Landlock: only systemd's unit restricts which files this process may open"
        )
    serve_only()
    logger.info("public page: %s, served at http://%s", public.address, public.listen)
    run_server(server, [listener])
    logger.info("public page: stopped")


def _leave_root(path: Path) -> None:
    if os.geteuid() == 0:
        owner = path.stat()
        become(*(ids_of(PUBLIC_USER) or (owner.st_uid, owner.st_gid)))
