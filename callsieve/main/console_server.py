"""The console's process, which also serves the API."""

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
    settings = state.loaded.settings
    web = settings.web
    own = settings.api.listen if settings.api.enabled else ""
    # The daemon starts us for the API alone where the console is not enabled.
    pages = "" if until_stdin_ends and own and not web.enabled else web.listen
    sockets = [
        listening(address, key, "the console")
        for address, key in ((pages, "[web] listen"), (own, "[api] listen"))
        if address
    ]
    server = make_server(make_app(state), state.ending, web.proxies if web.behind_proxy else None)
    if pages:
        logger.info("console: http://%s", pages)
    if own:
        logger.info("API: http://%s/api/v1", own)
    run_server(server, sockets, until_stdin_ends=until_stdin_ends)
    logger.info("console: stopped")
