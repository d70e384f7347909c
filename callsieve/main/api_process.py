"""The API process: `/decide` and `/outcomes` for other switches, and the whole API, independent of the console.

It listens before other modules are imported, so that early calls wait instead of failing, and answers calls before all
endpoints are loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from callsieve.logs import configure_logs, flush_logs
from callsieve.main.http_server import listening, listening_unix, make_server, run_server
from callsieve.settings import Loaded
from callsieve.system.privileges import served_settings

logger = logging.getLogger("callsieve.api")


def serve_api(config: Path | None, *, log_json: bool) -> None:
    """Serve until SIGTERM or SIGINT. Raise SettingsError or OSError if it cannot listen."""

    def load() -> Loaded:
        return served_settings(config)

    configure_logs(as_json=log_json)
    try:
        _serve(load)
    finally:
        flush_logs()


def _serve(load: Callable[[], Loaded]) -> None:
    loaded = load()
    api, web = loaded.settings.api, loaded.settings.web
    sockets = [listening_unix(loaded.api_socket_path)]
    if api.enabled and api.listen:
        sockets.append(listening(api.listen, "[api] listen", "the API"))
        logger.info("API: http://%s/api/v1", api.listen)
    logger.info("API: %s", loaded.api_socket_path)

    from callsieve.main.api_app import make_api_app

    app, state = make_api_app(load)
    run_server(make_server(app, state.ending, web.proxies if web.behind_proxy else None), sockets, nice=0)
    logger.info("API: stopped")
