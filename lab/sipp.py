r"""Runs SIPp as a process with time limits and its own directory. SIPp records every message.

In a scenario `[...]` is a keyword and `\x41` an escape, so text from a test never goes into a scenario. It is passed
with `-key NAME VALUE` and named `[NAME]` in the scenario: SIPp 3.8 inserts it byte for byte (measured with every byte
from 1 to 255, `[call_id]`, `${X}`, quotes and backslashes). Only a NUL cannot be sent.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.fetch import PbxPaths
from lab.messages import SipMessage, load_trace

STOP_SECONDS = 3.0
BREAK_OFF_SECONDS = 0.2


class SippError(Exception):
    """The error when SIPp could not run a scenario. The text is SIPp's message."""


@dataclass(frozen=True, slots=True)
class SippJob:
    """A scenario to run, with the loopback addresses and ports of both sides."""

    scenario: str
    address: str
    port: int
    target: tuple[str, int]
    calls: int = 0
    seconds: float = 60.0
    media_port: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()
    trace: bool = True


class SippProcess:
    """A SIPp process that runs a job until its calls are done, its time limit is reached, or `stop` is called."""

    def __init__(self, paths: PbxPaths, job: SippJob) -> None:
        self.job = job
        self.directory = Path(tempfile.mkdtemp(prefix="callsieve-sipp-"))
        for name, text in {"scenario.xml": job.scenario, **job.files}.items():
            (self.directory / name).write_text(text, encoding="utf-8")
        with (self.directory / "screen.log").open("wb") as screen:
            self._process = subprocess.Popen(
                (*paths.sipp, *_arguments(job)),
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={**os.environ, "TERM": "dumb"},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def messages(self) -> list[SipMessage]:
        return load_trace(self.directory / "messages.log")

    def wait(self) -> int:
        """Wait until SIPp has ended. Return 0 if every call followed the scenario, otherwise 1."""
        try:
            code = self._process.wait(self.job.seconds + STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
            raise SippError(f"SIPp did not end within {self.job.seconds:.0f} s") from None
        if code not in (0, 1, 97, 99):
            raise SippError(f"SIPp ended with exit code {code}: {self.complaints()}")
        return code

    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_until_listening(self, seconds: float = 20.0) -> None:
        """Wait until SIPp has bound its SIP port."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.is_running():
                raise SippError(f"SIPp ended with exit code {self._process.returncode}: {self.complaints()}")
            if _is_bound(self.job.address, self.job.port):
                return
            time.sleep(0.005)
        raise SippError(f"SIPp did not listen within {seconds:.0f} s: {self.complaints()}")

    def complaints(self) -> str:
        """Return SIPp's error messages, or the last lines of its screen if SIPp wrote no message."""
        for name in ("errors.log", "screen.log"):
            path = self.directory / name
            if path.exists() and path.stat().st_size:
                return path.read_text(errors="replace")[-800:].strip()
        return "it said nothing"

    def stop(self) -> None:
        """End SIPp now: SIPp takes a second SIGUSR1 as "abort", and hangs up or cancels its calls before it ends."""
        for number in (signal.SIGUSR1, signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL):
            if not self.is_running():
                return
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(BREAK_OFF_SECONDS if number == signal.SIGUSR1 else STOP_SECONDS)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def _arguments(job: SippJob) -> list[bytes | str]:
    arguments: list[bytes | str] = [f"{job.target[0]}:{job.target[1]}", "-sf", "scenario.xml", "-nostdin"]
    arguments += ["-i", job.address, "-bind_local", "-p", str(job.port), "-mi", job.address, "-ci", "127.0.0.1"]
    arguments += ["-trace_err", "-error_file", "errors.log", "-timeout", f"{max(1, round(job.seconds))}s", "-aa"]
    if job.trace:
        arguments += ["-trace_msg", "-message_file", "messages.log"]
    if job.calls:
        arguments += ["-m", str(job.calls)]
    if job.media_port:
        arguments += ["-min_rtp_port", str(job.media_port), "-max_rtp_port", str(job.media_port + 3)]
    for name, value in job.keys.items():
        arguments += ["-key", name, value.encode("utf-8", "surrogateescape")]
    return [*arguments, *job.options]


def _is_bound(address: str, port: int) -> bool:
    """Return whether a program has bound a UDP port, according to the kernel's table. Nothing is sent to the port."""
    wanted = f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"
    return any(line.split()[1] == wanted for line in Path("/proc/net/udp").read_text().splitlines()[1:])
