"""The console's process, which serves the API, too, at the console's address."""

from __future__ import annotations

import logging
from collections.abc import Callable

from callsieve.main.console_app import make_app, make_app_state
from callsieve.main.http_server import listening, make_server, run_server
from callsieve.settings import Loaded

logger = logging.getLogger("callsieve.web")


def serve_console(load: Callable[[], Loaded], *, until_stdin_ends: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. `until_stdin_ends`: also until whoever started us is gone.

    SettingsError when the address cannot be listened on.
    """
    state = make_app_state(load)
    web = state.loaded.settings.web
    listener = listening(web.listen, "[web] listen", "the console")
    server = make_server(make_app(state), state.ending, web.proxies if web.behind_proxy else None)
    logger.info("console: http://%s", web.listen)
    run_server(server, [listener], until_stdin_ends=until_stdin_ends)
    logger.info("console: stopped")
