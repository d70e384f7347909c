"""A private MQTT broker: mosquitto on a loopback port, with a user and a password, during the `with` block.

    with Broker() as broker:  broker.port, broker.password        anonymous clients are refused

A `mosquitto` on PATH is used. Otherwise Debian's package is unpacked in the cache (1 MB to fetch).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lab.debian import Bundle, LabUnavailable, Progress, unpacked
from lab.private_server import ADDRESS, START_SECONDS, PrivateServer
from lab.tools import library_path

SERVER = Bundle("mosquitto", ("mosquitto",))
USER, WATCHER = "callsieve", "watcher"


@dataclass(frozen=True, slots=True)
class BrokerPaths:
    """The paths of mosquitto and of its program for passwords, and of the libraries of both."""

    program: Path
    passwords: Path
    libraries: str = ""


def ensure_broker(progress: Progress = lambda line: None) -> BrokerPaths:
    """Return the paths of a broker, fetched at the first use. Raise LabUnavailable if the fetch fails."""
    installed, passwords = shutil.which("mosquitto"), shutil.which("mosquitto_passwd")
    if installed and passwords:
        return BrokerPaths(Path(installed), Path(passwords))
    root = unpacked(SERVER, progress)
    program = root / "usr/sbin/mosquitto"
    if not program.exists():
        raise LabUnavailable(
            f"the packages {' '.join(SERVER.packages)} contain no mosquitto: install mosquitto yourself"
        )
    return BrokerPaths(program, root / "usr/bin/mosquitto_passwd", library_path(root))


class Broker(PrivateServer):
    """A running broker. `tls`: the files of its certificate and key; if given, clients must use TLS.

    `acl`: the rights of USER, as in mosquitto's acl_file; empty: all rights. The user WATCHER has the same password and
    may read all topics.
    """

    name = "mosquitto"

    def __init__(self, *, password: str = "a word", tls: tuple[Path, Path] | None = None, acl: str = "") -> None:
        super().__init__()
        self.paths = ensure_broker()
        self.password = password
        self._tls = tls
        self._acl = acl or f"user {USER}\ntopic readwrite #\n"

    def _set_up(self) -> None:
        self._write()
        self.start()

    def start(self) -> None:
        """Start the broker and wait until it answers. Can be called again after `stop`."""
        command = (str(self.paths.program), "-c", str(self.folder / "conf"))
        self._run(command, self._environment(), self._is_listening)

    def _write(self) -> None:
        words, rights = self.folder / "passwords", self.folder / "rights"
        words.touch(0o600)
        rights.touch(0o600)
        rights.write_text(f"{self._acl}\nuser {WATCHER}\ntopic read #\n")
        for user in (USER, WATCHER):
            subprocess.run(
                (str(self.paths.passwords), "-b", str(words), user, self.password),
                check=True,
                capture_output=True,
                timeout=START_SECONDS,
                env=self._environment(),
            )
        lines = [
            f"listener {self.port} {ADDRESS}",
            *(("user root",) if os.geteuid() == 0 else ()),
            "allow_anonymous false",
            f"password_file {words}",
            f"acl_file {rights}",
            "persistence true",
            f"persistence_location {self.folder}/",
            "log_type all",
        ]
        if self._tls is not None:
            certificate, key = self._tls
            lines += [f"certfile {certificate}", f"keyfile {key}"]
        (self.folder / "conf").write_text("".join(f"{line}\n" for line in lines))

    def _is_listening(self) -> bool:
        with closing(socket.socket()) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect((ADDRESS, self.port))
            except OSError:
                return False
        return True

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **({"LD_LIBRARY_PATH": self.paths.libraries} if self.paths.libraries else {})}
