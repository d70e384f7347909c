"""An Asterisk into which `callsieve` installs itself, with a daemon that is not started yet."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import Asterisk
from lab.daemon import Daemon
from lab.programs import COMMAND_LINE

ROOT = Path(__file__).resolve().parents[2]

SETTINGS = """\
[asterisk]
command = {command}
etc = {etc}

[[trunk]]
name = "carrier"
channels = "PJSIP/carrier-*"
"""


class Office:
    """A lab Asterisk without CallSieve, and the settings of a daemon that is not started yet."""

    def __init__(self, asterisk: Asterisk, state: Path) -> None:
        self.asterisk = asterisk
        self.etc = asterisk.directories.etc
        command = shlex.join([*asterisk.paths.asterisk, "-C", str(self.etc / "asterisk.conf")])
        self.daemon = Daemon(state, SETTINGS.format(command=json.dumps(command), etc=json.dumps(str(self.etc))))

    def run(self, *arguments: str, code: int = 0, seconds: float = 60.0) -> str:
        """Run a command that must end with this exit code, and return its output."""
        done = subprocess.run(
            (sys.executable, "-m", COMMAND_LINE, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env={**self.daemon.environment, "COLUMNS": "200"},
            cwd=ROOT,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def install(self, *options: str) -> str:
        units = str(self.daemon.state / "units")
        return self.run("asterisk", "install", "--etc", str(self.etc), "--systemd-dir", units, "--yes", *options)

    def uninstall(self, *options: str, code: int = 0) -> str:
        units = str(self.daemon.state / "units")
        return self.run(
            "asterisk", "uninstall", "--etc", str(self.etc), "--systemd-dir", units, "--yes", *options, code=code
        )

    def write_dialplan(self, text: str) -> None:
        """Replace the contexts of the office. Installed lines stay."""
        path = self.etc / "extensions.conf"
        path.write_text(
            "[globals]\n\n" + text + "".join(f"{line}\n" for line in path.read_text().splitlines() if "#inc" in line)
        )
        self.asterisk.cli("dialplan reload")

    def doctor(self, code: int) -> dict[str, dict[str, str]]:
        """Return the findings of the doctor by the name of the check."""
        return {check["name"]: check for check in json.loads(self.run("doctor", "--json", code=code))}

    def files(self) -> dict[str, bytes]:
        """Return every file except our settings, which stay."""
        directories = (self.etc, self.asterisk.directories.agi_bin, self.daemon.state)
        paths = [path for directory in directories for path in directory.rglob("*") if path.is_file()]
        settings = (self.daemon.config, self.daemon.config.with_name("call-back.toml"))
        paths = [path for path in paths if path not in settings]
        return {str(path): path.read_bytes() for path in paths}


@contextmanager
def bare_office(extensions: str, state: Path) -> Iterator[Office]:
    """Yield the office."""
    with Asterisk(extensions=extensions) as asterisk:
        manager = asterisk.directories.etc / "manager.conf"
        manager.write_text(manager.read_text().split("[callsieve]")[0])  # the lab's own user has our user's name
        asterisk.cli("manager reload")
        office = Office(asterisk, state)
        try:
            yield office
        finally:
            office.daemon.stop()
