"""`callsieve api` with its options spelled in any order; entry.py reads the usual ones without typer."""

from __future__ import annotations

from typing import Annotated

import typer

from callsieve.cli.options import ConfigOption
from callsieve.main import api_process


def api(
    config: ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Serve the API and other switches, without the console. Runs until it is stopped."""
    api_process.serve_api(config, log_json=log_json)
