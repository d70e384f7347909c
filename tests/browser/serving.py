"""The console as administrators start it: `callsieve web`, on a port of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.children import ends_with_us
from lab.ports import free_port
from lab.programs import COMMAND_LINE

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 10.0


def web_settings() -> tuple[str, str]:
    """The table of the settings for a console on a free port, and the address of its pages."""
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    return f'\n[web]\nlisten = "127.0.0.1:{port}"\n', f"http://127.0.0.1:{port}"


@contextmanager
def serving(url: str, config: Path, state: Path, command: str = "web") -> Iterator[None]:
    """Runs it with these settings, which name the port of `url`, over this state directory."""
    log = state / "console.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            (*ends_with_us(), sys.executable, "-m", COMMAND_LINE, command, "--config", str(config)),
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            cwd=ROOT,
            env={**os.environ, "CALLSIEVE_STATE": str(state)},
        )
    try:
        give_up_at = time.monotonic() + START_SECONDS
        while not _answers(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up_at, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
