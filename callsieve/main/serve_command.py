"""`callsieve serve` with its options spelled in any order; entry.py reads the usual ones without typer."""

from __future__ import annotations

from typing import Annotated

import typer

from callsieve.cli.options import ConfigOption
from callsieve.main import serve as daemon


def serve(
    config: ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Answer Asterisk: the FastAGI server. Runs until it is stopped; SIGHUP reloads settings and policies."""
    daemon.serve_calls(config, log_json=log_json)
