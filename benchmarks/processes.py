"""Runs the servers under test in their own processes, and reads their resource usage from the kernel."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks import empty_handler
from benchmarks.callers import questions
from benchmarks.calls import Answers, place_calls
from lab.daemon import Daemon
from lab.ports import free_port
from reputation.store.backup import stamp_of
from reputation.store.database import BACKUP_PREFIX, backup_directory

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
MOST_FAILED = 0.05

# The last part of a complete CallSieve answer. A fail-open answer lacks it.
DECIDED = b"__CALLSIEVE_ACTION="

# People and numbers of a small company. No decision depends on them.
SETTINGS = "\n".join(
    (
        '[numbers]\nregion = "US"',
        '[policy]\nname = "cautious"',
        '[[trunk]]\nname = "carrier"\nchannels = "PJSIP/carrier-*"',
        *(f'[[did]]\nnumber = "+4420718387{n}"\ngroup = "sales"' for n in range(50, 70)),
        *(f'[[person]]\nextension = "{n}"\ngroup = "sales"\nname = "Person {n}"' for n in range(201, 251)),
    )
)


@dataclass(frozen=True, slots=True)
class Server:
    """A running FastAGI server, either CallSieve's or panoramisk's."""

    pid: int
    port: int
    expected: bytes

    def ask(self, blocks: list[bytes], in_flight: int = 1) -> Answers:
        """Make a call for each AGI header block, `in_flight` at a time, and return the response times.

        Raise RuntimeError if more than a few calls got no decision, because the times would then be meaningless.
        """
        answers = place_calls(("127.0.0.1", self.port), blocks, self.expected, in_flight)
        if answers.failed > MOST_FAILED * len(blocks):
            raise RuntimeError(f"{answers.failed} of {len(blocks)} calls got no decision")
        return answers

    def cpu_seconds(self) -> float:
        return process_cpu_seconds(self.pid)

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def process_cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, to the nanosecond, by clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


@contextmanager
def running_daemon(state: Path, python: str = sys.executable) -> Iterator[tuple[Daemon, Server]]:
    """Run `callsieve serve` with the store in a state directory, but without its daily backup."""
    backups = backup_directory(state / "callsieve.db")
    backups.mkdir(exist_ok=True)
    (backups / f"{BACKUP_PREFIX}{stamp_of(time.time())}.db").touch()
    with Daemon(state, SETTINGS, python=python) as daemon:
        yield daemon, Server(daemon.pid, daemon.port, DECIDED)


@contextmanager
def empty_server(
    python: str = sys.executable, handler: str = empty_handler.__name__, arguments: Sequence[str] = ()
) -> Iterator[Server]:
    """Run a panoramisk server during the `with` block.

    `handler`: the module of the server, which is started with `arguments`. The default handler does nothing.
    """
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    command = (python, "-m", handler, str(port), *arguments)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=ROOT)
    try:
        server = Server(process.pid, port, empty_handler.EXPECTED)
        _wait_until_it_answers(process, server)
        yield server
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], server: Server) -> None:
    # Wait with a complete call: panoramisk loops for ever if a connection closes before its request.
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.ask(questions(1, 1))
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError("the FastAGI server for comparison did not start within its time limit")


def has_uvloop() -> bool:
    """Return whether the extra `fast` is installed."""
    return find_spec("uvloop") is not None


def python_without_uvloop(directory: Path) -> str:
    """Return a Python interpreter that cannot import uvloop, as if the extra `fast` were not installed."""
    shim = directory / "without-uvloop"
    shim.mkdir(exist_ok=True)
    (shim / "uvloop.py").write_text('raise ImportError("not installed, for the benchmark")\n')
    script = shim / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{shim}:$PYTHONPATH" exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return str(script)
