"""The daemon's log is not read, because a journal hangs or a terminal is stopped. Calls do not wait for it."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from callsieve import logs
from lab.daemon import Daemon
from lab.programs import COMMAND_LINE
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 0.4
# What the pipe takes, what waits in memory, and some that are lost.
CALLS = logs.MOST_WAITING + 2_000
AT_ONCE = 100


@contextmanager
def unread(state: Path) -> Iterator[tuple[Daemon, subprocess.Popen[bytes]]]:
    """Run a daemon whose log is not read. Yield the settings of the daemon and the running process."""
    place = Daemon(state)
    with subprocess.Popen(
        (sys.executable, "-m", COMMAND_LINE, "serve"), env=place.environment, cwd=ROOT, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        try:
            wait_until(lambda: accepts(place.port), "it answers", seconds=20.0)
            yield place, process
        finally:
            process.kill()
            with suppress(ValueError):
                process.communicate()


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def place_calls(port: int, first: int, count: int) -> int:
    """Place calls at once, and return how many were decided before the dialplan would have left."""
    decided = 0
    calls = [socket.create_connection(("127.0.0.1", port), 5.0) for _ in range(count)]
    for number, call in enumerate(calls, first):
        call.settimeout(DEADLINE_SECONDS + 0.2)
        call.sendall(f"agi_network_script: screen\nagi_arg_1: linkedid={number}.1\n\n".encode())
    for call in calls:
        with call, suppress(TimeoutError):
            decided += b"CALLSIEVE_ACTION" in call.recv(4096)
    return decided


def test_calls_are_decided_while_the_log_is_not_read(tmp_path: Path) -> None:
    with unread(tmp_path / "state") as (place, process):
        decided = sum(place_calls(place.port, first, AT_ONCE) for first in range(0, CALLS, AT_ONCE))
        assert decided >= 0.99 * CALLS  # a busy machine may let a few go on; a stuck daemon decides none
        assert process.stderr is not None
        said = b""
        while not (lost := re.search(rb"(\d+) log lines were dropped", said)):
            said += os.read(process.stderr.fileno(), 65_536)
        assert 0 < int(lost[1]) < CALLS
        assert said.count(b"\n") + int(lost[1]) >= CALLS


def test_the_daemon_stops_in_time_while_the_log_is_not_read(tmp_path: Path) -> None:
    with unread(tmp_path / "state") as (place, process):
        place_calls(place.port, 0, AT_ONCE)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_the_last_log_line_before_an_exit_is_written(tmp_path: Path) -> None:
    script = "import logging; from callsieve.logs import configure_logs; configure_logs(); logging.critical('no store')"
    done = subprocess.run((sys.executable, "-c", script), cwd=ROOT, capture_output=True, check=True, timeout=30)
    assert b"[CRITICAL] no store\n" in done.stderr


def test_log_lines_are_written_in_batches_and_in_order(tmp_path: Path) -> None:
    count = 500
    script = (
        "import logging; from callsieve.logs import configure_logs; configure_logs();"
        f"[logging.warning('line %d', number) for number in range({count})]"
    )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)  # each write is a datagram
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
        with subprocess.Popen((sys.executable, "-c", script), cwd=ROOT, stderr=theirs.fileno()) as process:
            ours.settimeout(30.0)
            writes = [ours.recv(1_000_000)]
            while f"line {count - 1}\n".encode() not in writes[-1]:
                writes.append(ours.recv(1_000_000))
        assert process.returncode == 0
    assert len(writes) < count / 2
    assert [int(number) for number in re.findall(rb"line (\d+)\n", b"".join(writes))] == list(range(count))
