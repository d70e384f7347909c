"""CallSieve's daemon as a process that tests can kill, freeze and inspect."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.children import ends_with_us
from lab.ports import free_port
from lab.programs import COMMAND_LINE

START_SECONDS = 60.0
STOP_SECONDS = 5.0


class Daemon:
    """`callsieve serve` with its own state directory and settings, which runs during the `with` block.

    `settings`: text that is added to the settings file. The file already has `agi.listen`, and `agi.deadline_ms` if
    it is given. `python`: the interpreter to use.
    """

    def __init__(
        self, state: Path, settings: str = "", *, python: str = sys.executable, deadline_ms: int | None = None
    ) -> None:
        self.state = state
        self.port = free_port("127.0.0.1", socket.SOCK_STREAM)
        self._deadline_ms = deadline_ms
        self.config = state / "callsieve.toml"
        self.log = state / "daemon.log"
        self.store = state / "callsieve.db"
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        state.mkdir(parents=True, exist_ok=True)
        self.write_settings(settings)
        self.start_seconds = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address of the daemon's AGI server, to which the dialplan adds `/screen`."""
        return f"agi://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which `callsieve` commands use this daemon's settings and store."""
        return {**os.environ, "CALLSIEVE_CONFIG": str(self.config), "CALLSIEVE_STATE": str(self.state)}

    @property
    def pid(self) -> int:
        return self._running().pid

    def write_settings(self, settings: str) -> None:
        """Replace the settings file. The daemon reads it at `reload` or at its next start."""
        table = f'listen = "127.0.0.1:{self.port}"\n'
        if self._deadline_ms is not None:
            table += f"deadline_ms = {self._deadline_ms}\n"
        head, separator, rest = settings.partition("[agi]\n")
        self.config.write_text(f"{head}[agi]\n{table}{rest}" if separator else f"[agi]\n{table}{settings}")

    def start(self) -> None:
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                (*ends_with_us(), self._python, "-m", COMMAND_LINE, "serve"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=Path(__file__).resolve().parent.parent,
            )
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > began + START_SECONDS:
                raise RuntimeError(f"the daemon did not start:\n{self.log.read_text()}")
            time.sleep(0.005)
        self.start_seconds = time.monotonic() - began

    def stop(self) -> float:
        """Send SIGTERM, and SIGKILL if the daemon takes too long to end. Return the seconds until the daemon ended."""
        process, self._process = self._process, None
        if process is None:
            return 0.0
        began = time.monotonic()
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return time.monotonic() - began

    def kill(self) -> None:
        """Kill the daemon without a clean stop, as in a crash."""
        process, self._process = self._running(), None
        process.kill()
        process.wait()

    def freeze(self) -> None:
        """Suspend the daemon (SIGSTOP). Its sockets stay open."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def reload(self) -> None:
        """Make the daemon read its settings again (SIGHUP)."""
        self._running().send_signal(signal.SIGHUP)

    def callsieve(self, *arguments: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a `callsieve` command with this daemon's settings and store."""
        return subprocess.run(
            (self._python, "-m", COMMAND_LINE, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=seconds,
            env=self.environment,
            cwd=Path(__file__).resolve().parent.parent,
        )

    def wait_for_log(self, text: str, seconds: float = 20.0) -> str:
        """Wait for a log line that contains a text, and return the line. Raise TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.log.read_text(errors="replace").splitlines():
                if text in line:
                    return line
            time.sleep(0.02)
        raise TimeoutError(f"no {text!r} in the daemon's log within {seconds} s:\n{self.log.read_text()[-3000:]}")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the daemon is not running: call `start` first")
        return self._process

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
