"""A call-back helper with its own spool: as an object, and as a process with a socket."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agi.speech import FOLDER, LANGUAGES
from callsieve.call_back.helper import PROMPTS, Clocks, Helper, PlacedCalls
from callsieve.call_back.settings import HelperSettings, parse_helper_settings
from lab.children import ends_with_us
from lab.programs import COMMAND_LINE
from tests.office import ROOT
from tests.waiting import wait_until

NUMBER, OTHER = "+12015550123", "+12015550124"
TICKET = "000000000042"
ME = pwd.getpwuid(os.getuid()).pw_name


def make_settings(spool: Path, more: str = "") -> HelperSettings:
    """Return enabled settings for the United States. `more`: further lines."""
    return parse_helper_settings(settings_text(spool, more), "test")


def settings_text(spool: Path, more: str = "", user: str = ME) -> str:
    text = f'enabled = true\nusers = ["{user}"]\nspool = "{spool}"\n'
    text += "" if "sounds" in more else f'sounds = "{spool}/sounds"\n'
    text += "" if "first_hour" in more else "first_hour = 0\nlast_hour = 24\n"
    return text + more + ("" if "countries" in more else '\ncountries = ["US"]\n')


@dataclass
class FakeClocks:
    """Two clocks that tests advance."""

    boot: str = "boot-1"
    uptime: float = 1000.0
    wall: float = 1_790_000_000.0

    def advance(self, seconds: float) -> None:
        self.uptime += seconds
        self.wall += seconds

    def clocks(self) -> Clocks:
        return Clocks(self.boot, lambda: self.uptime, lambda: self.wall)


class HelperInProcess:
    """A helper inside the test process. `spool` holds its call files."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder, self.spool, self.times = folder, folder / "spool", FakeClocks()
        make_spool(self.spool)
        self.settings = make_settings(self.spool, more)
        self.start()

    def start(self) -> None:
        """Start the helper, also again as after a restart."""
        self.helper = Helper(self.settings, PlacedCalls(self.folder, self.times.clocks()), self.folder)

    def ask(self, number: str = NUMBER, ticket: str = TICKET) -> str:
        return self.helper.answer(f"{number} {ticket}\n".encode()).value

    def files(self) -> list[Path]:
        return call_files(self.spool)


def make_spool(spool: Path) -> Path:
    """Create a spool like Asterisk's, with the prompts below it."""
    (spool / "outgoing").mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        folder = spool / "sounds" / language / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for key in PROMPTS:
            (folder / f"{key}.wav").touch()
    return spool


def call_files(spool: Path) -> list[Path]:
    """Return all call files in the spool, also those in the wrong place."""
    return [path for path in spool.rglob("*") if path.is_file() and path.suffix != ".wav"]


@contextmanager
def helper_process(folder: Path, settings: str) -> Iterator[Path]:
    """`callsieve call-back serve`; yields its socket."""
    file, door, log = folder / "call-back.toml", folder / "door", folder / "helper.log"
    file.write_text(settings)
    command = [sys.executable, "-m", COMMAND_LINE, "call-back", "serve"]
    command += ["--settings", str(file), "--socket", str(door), "--state", str(folder)]
    with log.open("wb") as stderr:
        process = subprocess.Popen((*ends_with_us(), *command), stderr=stderr, cwd=ROOT)
    try:
        wait_until(lambda: door.exists() or process.poll() is not None, "the helper's start")
        assert process.poll() is None, log.read_text()
        yield door
    finally:
        process.terminate()
        process.wait(20)
    assert not door.exists()


def send(door: Path, datagram: bytes, seconds: float = 20.0) -> bytes:
    """Return the answer, or empty bytes after the timeout."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds)
        client.bind("")
        client.sendto(datagram, str(door))
        try:
            return client.recv(100)
        except TimeoutError:
            return b""
