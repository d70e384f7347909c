"""`python -m callsieve.main.public_main BACKEND LISTENER [--log-json]`: the process that strangers reach.

The arguments are two open sockets: to ask public_command.py, and to be asked by browsers. Before anything is read from
either, it gives up all files but those of the programs, and all connections to others (system/landlock.py).
"""

from __future__ import annotations

import logging
import socket
import sys
import tempfile
from pathlib import Path

from callsieve.cli.errors import errors_in_one_line
from callsieve.logs import configure_logs
from callsieve.main.http_server import make_server, run_server
from callsieve.public_page.web.app import make_public_app
from callsieve.public_page.web.visit import PublicState
from callsieve.public_page.wire import BackendClient
from callsieve.system.landlock import confine

logger = logging.getLogger("callsieve.public")

# Of the system: shared libraries, and what the time is here.
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime")


def main() -> None:
    """Serves until it is stopped, or whom it asks is gone."""
    with errors_in_one_line():
        own = (sys.prefix, sys.base_prefix, *filter(None, sys.path))
        is_confined = confine(map(Path, {*own, *SYSTEM}), [Path(tempfile.gettempdir())])
        configure_logs(as_json="--log-json" in sys.argv)
        if not is_confined:
            logger.warning("public page: this kernel has no Landlock, so the unit alone confines the page")
        serve(socket.socket(fileno=int(sys.argv[1])), socket.socket(fileno=int(sys.argv[2])))


def serve(to_backend: socket.socket, listener: socket.socket) -> None:
    """The page."""
    backend = BackendClient(to_backend)
    public = backend.public
    state = PublicState(backend, public)
    server = make_server(make_public_app(state), state.ending, public.proxies if public.behind_proxy else None)

    def stop() -> None:
        server.should_exit = True

    backend.on_gone = stop
    run_server(server, [listener])


if __name__ == "__main__":
    main()
