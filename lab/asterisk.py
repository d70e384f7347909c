"""A private Asterisk with its own directories and ports, which runs during the `with` block.

with Asterisk(extensions=DIALPLAN) as asterisk:
    asterisk.cli("core show channels")
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import configuration
from lab.children import ends_with_us
from lab.configuration import (
    AMI_SECRET,
    AMI_USER,
    ASTERISK_ADDRESS,
    DEFAULT_EXTENSIONS,
    PHONE_ADDRESS,
    PHONES,
    TRUNK_ADDRESSES,
    Directories,
    Ports,
)
from lab.fetch import PbxPaths, ensure_pbx
from lab.growing_log import GrowingLog
from lab.ports import free_port

START_SECONDS = 30.0
STOP_SECONDS = 5.0
CLI_SECONDS = 20.0
COMPLAINT = re.compile(r"\] (WARNING|ERROR)\[")
OUR_PROMPTS = "callsieve"  # below Asterisk's sounds


class Asterisk:
    r"""A running Asterisk with its own `directories` and `ports`, stopped and removed at the end of the `with` block.

    Raise LabUnavailable if no Asterisk can be found or fetched.

    Args:
        extensions: The text of the dialplan, which must have the contexts from-carrier and from-internal.
        includes: Dialplan files that are included after `extensions`.
        globals: Dialplan variables.
        noload: Names of modules that are not loaded.
        config: Text that is added to other files, by name, such as `{"pjsip.conf": "[carrier](+)\ncontext = test"}`.
        verbose: Whether each step of the dialplan is logged, which would slow a benchmark.
        log_console: Whether Asterisk writes to the output of this process.
        keep: Whether the directory of this Asterisk is kept at the end.
    """

    def __init__(
        self,
        *,
        extensions: str = DEFAULT_EXTENSIONS,
        includes: Sequence[Path] = (),
        globals: Mapping[str, str] | None = None,
        noload: Sequence[str] = (),
        config: Mapping[str, str] | None = None,
        verbose: bool = True,
        log_console: bool = False,
        keep: bool = False,
        paths: PbxPaths | None = None,
    ) -> None:
        self.paths = paths or ensure_pbx()
        self.extensions = extensions
        self.includes = includes
        self.globals = dict(globals or {})
        self._noload = noload
        self._config = dict(config or {})
        self._verbose = verbose
        self._log_console = log_console
        self._keep = keep
        self._process: subprocess.Popen[bytes] | None = None
        self._boot_lines = 0
        self.start_seconds = 0.0

    def __enter__(self) -> Self:
        self.directories = Directories(Path(tempfile.mkdtemp(prefix="callsieve-lab-")))
        self._log = GrowingLog(self.directories.log)
        try:
            self.ports = _free_ports()
            self._write_configuration()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()
        if not self._keep:
            shutil.rmtree(self.directories.top, ignore_errors=True)

    @property
    def sip_address(self) -> tuple[str, int]:
        return ASTERISK_ADDRESS, self.ports.sip

    @property
    def ami_address(self) -> tuple[str, int]:
        return ASTERISK_ADDRESS, self.ports.ami

    @property
    def ami_login(self) -> tuple[str, str]:
        """The user and the password for the manager interface."""
        return AMI_USER, AMI_SECRET

    @property
    def console_command(self) -> tuple[str, ...]:
        """The shell command that opens a console on this Asterisk."""
        return (*self._command(), "-rvvv")

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        """Start Asterisk and wait until it is fully booted. Can be called again after `terminate` or `kill`."""
        began = time.monotonic()
        with (self.directories.top / "console.log").open("ab") as console:
            output = None if self._log_console else console
            self._process = subprocess.Popen(
                (*ends_with_us(), *self._command(), "-f", "-g", "-n"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directories.top,
            )
        self._wait_until_booted(began + START_SECONDS)
        self.start_seconds = time.monotonic() - began
        self._boot_lines = len(self.log_lines())

    def terminate(self) -> None:
        """Stop Asterisk at once but cleanly. Kill Asterisk after 5 s. Do nothing if Asterisk is not running."""
        process = self._process
        if process is None:
            return
        self._process = None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """Kill Asterisk without a clean stop, as in a crash."""
        process = self._running()
        process.kill()
        process.wait()
        self._process = None

    def cli(self, command: str) -> str:
        """Run a command on the Asterisk console and return its output."""
        return self._remote(command, CLI_SECONDS).stdout

    def reload_dialplan(self, extensions: str | None = None) -> None:
        """Reload the dialplan and its included files. `extensions`: the new dialplan; None: keep the present one."""
        if extensions is not None:
            self.extensions = extensions
        self._write_dialplan()
        self.cli("dialplan reload")

    def log_lines(self) -> list[str]:
        """Return all lines of asterisk.log: notices, warnings, errors and verbose lines."""
        return self._log.lines()

    def warnings(self, *, with_boot: bool = False) -> list[str]:
        """Return the WARNING and ERROR lines logged since Asterisk was ready.

        `with_boot`: also lines from its start.
        """
        lines = self.log_lines()
        return [line for line in (lines if with_boot else lines[self._boot_lines :]) if COMPLAINT.search(line)]

    def wait_for_log(self, text: str, seconds: float = 20.0) -> str:
        """Wait for a log line that contains a text, and return the line. Raise TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.log_lines():
                if text in line:
                    return line
            time.sleep(0.02)
        raise TimeoutError(f"the log had no line with {text!r} within {seconds} s")

    def wait_until_idle(self, seconds: float = 20.0) -> None:
        """Wait until all channels are gone, so that no call continues into the next test.

        Raise TimeoutError after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if "0 active channels" in self.cli("core show channels count"):
                return
            time.sleep(0.02)
        raise TimeoutError(f"Asterisk still has active calls after {seconds} s:\n{self.cli('core show channels')}")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("Asterisk is not running: call `start` first")
        return self._process

    def _command(self) -> tuple[str, ...]:
        return (*self.paths.asterisk, "-C", str(self.directories.etc / "asterisk.conf"))

    def _remote(self, command: str, seconds: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (*self._command(), "-rx", command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=seconds,
        )

    def _wait_until_booted(self, deadline: float) -> None:
        control = self.directories.top / "run" / "asterisk.ctl"
        while time.monotonic() < deadline:
            process = self._running()
            if process.poll() is not None:
                raise RuntimeError(
                    f"Asterisk ended with exit code {process.returncode} while starting:\n{self._tail()}"
                )
            if control.exists():
                answer = self._remote("core waitfullybooted", max(0.1, deadline - time.monotonic()))
                if "fully booted" in answer.stdout:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"Asterisk was not ready within {START_SECONDS:.0f} s:\n{self._tail()}")

    def _tail(self) -> str:
        console = self.directories.top / "console.log"
        return "\n".join((console.read_text(errors="replace").splitlines() + self.log_lines())[-20:])

    def _write_configuration(self) -> None:
        directories = self.directories
        for name in ("etc", "lib/keys", "db", "agi-bin", "spool", "run", "log", "sbin", "data/moh"):
            (directories.top / name).mkdir(parents=True)
        _link_data(self.paths, directories)
        etc = directories.etc
        (etc / "asterisk.conf").write_text(
            configuration.asterisk_conf(directories, self.paths.modules, verbose=self._verbose)
        )
        files = configuration.static_files(self.ports, self._noload, directories.data, verbose=self._verbose)
        for name, text in files.items():
            (etc / name).write_text(text)
        for name, text in self._config.items():
            with (etc / name).open("a") as file:
                file.write(f"\n{text}\n")
        self._write_dialplan()

    def _write_dialplan(self) -> None:
        text = configuration.extensions_conf(self.extensions, self.includes, self.globals)
        (self.directories.etc / "extensions.conf").write_text(text)


def _link_data(paths: PbxPaths, directories: Directories) -> None:
    """Make a data directory for Asterisk to which tests can add prompts. Its other entries are links.

    CallSieve's installed prompts are left out, so that calls sound the same on every machine.
    """
    for entry in paths.data.iterdir():
        if entry.name not in ("sounds", "moh"):
            (directories.data / entry.name).symlink_to(entry)
    directories.sounds.mkdir(parents=True)
    if paths.sounds.is_dir():
        for prompt in (path for path in paths.sounds.iterdir() if path.name != OUR_PROMPTS):
            (directories.sounds / prompt.name).symlink_to(prompt)
            if prompt.name.startswith("demo-instruct"):
                (directories.data / "moh" / prompt.name).symlink_to(prompt)


def _free_ports() -> Ports:
    return Ports(
        sip=free_port(ASTERISK_ADDRESS, socket.SOCK_DGRAM),
        ami=free_port(ASTERISK_ADDRESS, socket.SOCK_STREAM),
        phones={phone: free_port(PHONE_ADDRESS, socket.SOCK_DGRAM) for phone in PHONES},
        trunks={name: free_port(address, socket.SOCK_DGRAM) for name, address in TRUNK_ADDRESSES.items()},
    )
