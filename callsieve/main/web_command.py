"""`callsieve web`: the console by itself."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from callsieve.cli.options import ConfigOption
from callsieve.logs import configure_logs
from callsieve.main.console_server import serve_console
from callsieve.system.privileges import served_settings


def web(
    config: ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Serve the console, without the daemon. Runs until it is stopped."""
    configure_logs(as_json=log_json)
    serve_console(partial(served_settings, config))
