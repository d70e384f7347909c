"""`callsieve serve` itself: what it takes to start, and nothing that is for people at a terminal."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from callsieve.daemon.daemon import run
from callsieve.logs import configure_logs, flush_logs
from callsieve.system.privileges import served_settings


def serve_calls(config: Path | None, *, log_json: bool) -> None:
    """Answer Asterisk until it is stopped."""
    configure_logs(as_json=log_json)
    try:
        run(partial(served_settings, config))
    finally:
        flush_logs()
