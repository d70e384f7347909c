"""Run the console and the public page as administrators do, on free ports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.children import ends_with_us
from lab.ports import free_port
from lab.programs import COMMAND_LINE

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 10.0


def web_settings() -> tuple[str, str]:
    """Return the settings for a console on a free port, and the address of its pages."""
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    return f'\n[web]\nlisten = "127.0.0.1:{port}"\n', f"http://127.0.0.1:{port}"


@contextmanager
def serving(url: str, config: Path, state: Path) -> Iterator[None]:
    """Run the console with these settings, which name the port of `url`, over this state directory."""
    with running(("web", "--config", str(config)), state, lambda: answers(url)):
        yield


@contextmanager
def serving_public(url: str, config: Path, state: Path) -> Iterator[None]:
    """Run the public page and its backend in the same way."""
    path = state / "page"
    with (
        running(("public", "backend", "--config", str(config), "--socket", str(path)), state, path.exists),
        running(("public", "page", "--socket", str(path)), state, lambda: answers(url)),
    ):
        yield


@contextmanager
def running(command: Sequence[str], state: Path, is_up: Callable[[], bool]) -> Iterator[None]:
    log = state / "console.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            (*ends_with_us(), sys.executable, "-m", COMMAND_LINE, *command),
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            cwd=ROOT,
            env={**os.environ, "CALLSIEVE_STATE": str(state)},
        )
    try:
        give_up_at = time.monotonic() + START_SECONDS
        while not is_up():
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


def answers(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
