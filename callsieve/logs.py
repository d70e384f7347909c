"""Logs for the person on duty: one line an event, to standard error, where systemd's journal picks it up.

Everything inside logs through the standard library; only the form is made here. Under systemd the journal adds
the time itself; JSON lines on request (`serve --log-json`).
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(*, as_json: bool = False, level: int = logging.INFO) -> None:
    """Send all log lines to standard error in one form."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
