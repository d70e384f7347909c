"""`callsieve public`: the page for owners of numbers, a process of its own."""

from __future__ import annotations

import logging
from functools import partial
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption
from callsieve.logs import configure_logs
from callsieve.main.http_server import listening, make_server, run_server
from callsieve.public_page.web.app import make_public_app
from callsieve.public_page.web.visit import PublicState
from callsieve.system.privileges import served_settings

logger = logging.getLogger("callsieve.public")


def public(
    config: ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Serve the public page, where owners of numbers appeal. Runs until it is stopped."""
    configure_logs(as_json=log_json)
    state = PublicState(partial(served_settings, config))
    settings = state.loaded.settings.public
    if not settings.enabled:
        raise CommandError("the public page is off: set enabled, address and name in [public] of the settings")
    server = make_server(make_public_app(state), state.ending, settings.proxies if settings.behind_proxy else None)
    logger.info("public page: %s, served at http://%s", settings.address, settings.listen)
    run_server(server, [listening(settings.listen, "[public] listen", "the public page")])
    logger.info("public page: stopped")
