"""The commands `callsieve serve`, `callsieve api` and `callsieve web`. Each imports only the modules that it needs."""

from functools import partial
from typing import Annotated

import typer

from callsieve.cli.options import ConfigOption
from callsieve.logs import configure_logs
from callsieve.main import entry
from callsieve.system.privileges import served_settings

LogJsonOption = Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")]


def api(config: ConfigOption = None, log_json: LogJsonOption = False) -> None:
    """Serve the API, also for other switches, without the console. Runs until stopped."""
    from callsieve.main.api_process import serve_api

    serve_api(config, log_json=log_json)


def serve(config: ConfigOption = None, log_json: LogJsonOption = False) -> None:
    """Run the daemon, which answers Asterisk (FastAGI), until stopped. On SIGHUP, reload settings and policies."""
    entry.serve_calls(config, log_json=log_json)


def web(config: ConfigOption = None, log_json: LogJsonOption = False) -> None:
    """Serve the console without the daemon. Runs until stopped."""
    from callsieve.main.console_server import serve_console

    configure_logs(as_json=log_json)
    serve_console(partial(served_settings, config))
