"""The daemon as systemd sees it: ready, alive, reloading, stopping. This test needs no Asterisk."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from callsieve.telemetry import EVERY_SECONDS, Telemetry, is_fresh, read_telemetry
from lab.daemon import Daemon
from lab.programs import COMMAND_LINE
from tests.waiting import wait_until


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The systemd end of the socket, for a service with a watchdog of half a second."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.settimeout(5.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "500000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield end


def heard(systemd: socket.socket, word: str) -> str:
    """Return the next datagram that contains this word."""
    while True:
        text = systemd.recv(4096).decode()
        if word in text:
            return text


def test_systemd_gets_ready_watchdog_reloading_and_stopping(systemd: socket.socket, tmp_path: Path) -> None:
    with Daemon(tmp_path / "state") as daemon:
        heard(systemd, "READY=1")
        heard(systemd, "WATCHDOG=1")
        heard(systemd, "WATCHDOG=1")
        daemon.reload()
        heard(systemd, "RELOADING=1")
        heard(systemd, "READY=1")
    heard(systemd, "STOPPING=1")


def test_a_frozen_daemon_sends_no_watchdog(systemd: socket.socket, tmp_path: Path) -> None:
    with Daemon(tmp_path / "state") as daemon:
        heard(systemd, "WATCHDOG=1")
        daemon.freeze()
        systemd.settimeout(1.0)
        with pytest.raises(TimeoutError):
            heard(systemd, "nothing that it could say")
        daemon.thaw()
        systemd.settimeout(5.0)
        heard(systemd, "WATCHDOG=1")


def test_two_daemons_do_not_share_a_port(tmp_path: Path) -> None:
    with Daemon(tmp_path / "first") as first:
        second = Daemon(tmp_path / "second")
        second.port = first.port
        second.write_settings("")
        done = subprocess.run(
            (sys.executable, "-m", COMMAND_LINE, "serve"),
            env=second.environment,
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            encoding="utf-8",
            timeout=20,
            check=False,
        )
        assert done.returncode == 2
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("callsieve: ")
        assert str(first.port) in last or "in use" in last


def test_the_daemon_runs_without_settings(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    environment.pop("CALLSIEVE_CONFIG", None)
    with subprocess.Popen(
        (sys.executable, "-m", COMMAND_LINE, "serve"),
        env={**environment, "CALLSIEVE_STATE": str(tmp_path / "state")},
        cwd=Path(__file__).resolve().parents[2],
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            wait_until(lambda: (tmp_path / "state" / "callsieve.db").exists(), "the store")
            wait_until(lambda: (tmp_path / "state" / "agi.sock").exists(), "the socket")
        finally:
            process.terminate()
        assert process.wait(20) == 0


def test_the_daemon_writes_telemetry(tmp_path: Path) -> None:
    def told() -> Telemetry:
        telemetry = read_telemetry(tmp_path / "state")
        assert telemetry is not None
        return telemetry

    with Daemon(tmp_path / "state") as daemon:
        wait_until(lambda: read_telemetry(daemon.state) is not None, "the first word", seconds=30.0)
        assert (told().policy, told().server.in_flight, told().listening) == ("cautious", 0, None)
        with socket.create_connection(("127.0.0.1", daemon.port), 5.0) as call:
            call.sendall(b"agi_network_script: screen\nagi_callerid: +12017421834\nagi_arg_1: linkedid=1.1\n\n")
            assert b"CALLSIEVE_ACTION" in call.recv(4096)
        wait_until(lambda: told().by_action == {"allow": 1}, "the call is counted", seconds=2 * EVERY_SECONDS)
        assert (sum(told().took), told().server.answered, told().server.in_flight) == (1, 1, 0)
        assert is_fresh(told())


def test_a_reload_logs_whether_the_outbound_guard_acts(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        daemon.reload()
        wait_until(lambda: "the outbound guard only observes" in daemon.log.read_text(), "it observes")
        daemon.write_settings("[outbound]\nobserve = false\n")
        daemon.reload()
        wait_until(lambda: "the outbound guard holds and refuses calls" in daemon.log.read_text(), "it acts")


def test_settings_that_need_a_restart_are_logged_at_each_reload(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:

        def is_said(times: int) -> bool:
            said = daemon.log.read_text()
            return all(said.count(f"[{table}] changed in the settings") == times for table in ("ami", "store", "web"))

        daemon.write_settings('[store]\npath = "other.db"\n[ami]\nport = 5039\n[web]\nenabled = true\n')
        daemon.reload()
        wait_until(lambda: is_said(1), "the first warning")
        daemon.reload()
        wait_until(lambda: is_said(2), "the second warning")
        assert "[agi] changed" not in daemon.log.read_text()


def test_calls_are_answered_while_a_settings_file_stalls(tmp_path: Path) -> None:
    """A FIFO stands for a stalled disk: the daemon reads it until the test has written."""
    with Daemon(tmp_path / "state", '[policy]\nname = "strict"\n') as daemon:
        file = daemon.config
        text = file.read_bytes()
        file.unlink()
        os.mkfifo(file)
        daemon.reload()
        writers: list[int] = []
        wait_until(lambda: is_being_read(file, writers), "the daemon reads it")
        with socket.create_connection(("127.0.0.1", daemon.port), 5.0) as call:
            call.sendall(b"agi_network_script: screen\nagi_callerid: +12017421834\nagi_arg_1: linkedid=1.1\n\n")
            assert b"CALLSIEVE_ACTION" in call.recv(4096)
        file.unlink()
        file.write_bytes(text)
        os.write(writers[0], text)
        os.close(writers[0])
        wait_until(lambda: "policy activated: strict" in daemon.log.read_text(), "it goes on with what it read")


def is_being_read(fifo: Path, writers: list[int]) -> bool:
    """Return whether somebody has opened the FIFO to read. It is then open to write."""
    with suppress(OSError):
        writers.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    return bool(writers)
