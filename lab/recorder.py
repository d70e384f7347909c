"""Records what Asterisk's manager interface sends during calls, as recordings for tests.

    python -m lab.recorder NAME... | all        writes tests/recordings/NAME.ami

A recording is the byte stream as it was read, chunk by chunk: a line `@ AT data LENGTH` before each chunk, and `@ AT
connected` or `@ AT lost` for the connection itself. AT is UTC seconds. The recorder logs in with the rights of
CallSieve's ami_listener. After each connection it asks which channels are up.
"""

from __future__ import annotations

import argparse
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from lab.asterisk import Asterisk

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "recordings"
USER, SECRET = "recorder", "lab-only"
# The rights of the listener: see asterisk-conf/callsieve-manager.conf.
MANAGER_USER = f"""\
[{USER}]
secret = {SECRET}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.0/255.0.0.0
read = call,cdr,user,agent
writetimeout = 1000
"""
SETTLE_SECONDS = 0.3
RETRY_SECONDS = 0.05
IDLE_SECONDS = 30.0

Kind = Literal["connected", "lost", "data"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a recording: bytes that were read, or a note that the connection was opened or lost. `at`: UTC time."""

    at: float
    kind: Kind
    data: bytes = b""


class AmiRecorder:
    """Records events of an Asterisk during the `with` block. It reconnects when the connection is lost."""

    def __init__(self, asterisk: Asterisk) -> None:
        self._address = asterisk.ami_address
        self._asterisk = asterisk
        self._chunks: list[Chunk] = []
        self._stop = threading.Event()
        self._connected = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lab-recorder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait_until_connected()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def wait_until_connected(self, seconds: float = 20.0) -> None:
        """Wait until the recorder is logged in and knows which channels are up. Raise TimeoutError after `seconds`."""
        if not self._connected.wait(seconds):
            raise TimeoutError(f"the recorder did not log in to Asterisk within {seconds} s")

    def wait_until_lost(self, seconds: float = 20.0) -> None:
        """Wait until the connection is lost. Raise TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        while self._connected.is_set():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the recorder is still connected to Asterisk after {seconds} s")
            time.sleep(0.01)

    def chunks(self) -> list[Chunk]:
        """Wait until the last call has ended and data has stopped arriving. Return the whole recording."""
        self._asterisk.wait_until_idle(IDLE_SECONDS)
        size = -1
        while size != len(self._chunks):
            size = len(self._chunks)
            time.sleep(SETTLE_SECONDS)
        return list(self._chunks)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with socket.create_connection(self._address, timeout=1.0) as connection:
                    self._note("connected")
                    connection.sendall(_action("Login", Username=USER, Secret=SECRET))
                    connection.sendall(_action("Ping"))
                    self._listen(connection)
                self._note("lost")
            except OSError:
                self._stop.wait(RETRY_SECONDS)
            finally:
                self._connected.clear()

    def _listen(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        head = b""
        while not self._stop.is_set():
            try:
                data = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            self._note("data", data)
            if not self._connected.is_set():
                head += data
                if b"Ping: Pong" in head:
                    self._connected.set()

    def _note(self, kind: Kind, data: bytes = b"") -> None:
        if not self._stop.is_set():
            self._chunks.append(Chunk(time.time(), kind, data))


def _action(name: str, **fields: str) -> bytes:
    lines = [f"Action: {name}", *(f"{key}: {value}" for key, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def save_recording(path: Path, chunks: Sequence[Chunk]) -> None:
    with path.open("wb") as file:
        for chunk in chunks:
            size = f" {len(chunk.data)}" if chunk.kind == "data" else ""
            file.write(f"@ {chunk.at:.6f} {chunk.kind}{size}\n".encode())
            file.write(chunk.data)


def load_recording(path: Path) -> list[Chunk]:
    """Return the chunks of a recording. Raise ValueError if the file is not a recording."""
    return list(_chunks_of(path.read_bytes()))


def _chunks_of(content: bytes) -> Iterator[Chunk]:
    place = 0
    while place < len(content):
        end = content.index(b"\n", place)
        match content[place:end].decode().split(" "):
            case ["@", at, ("connected" | "lost") as kind]:
                place = end + 1
                yield Chunk(float(at), kind)
            case ["@", at, "data", size]:
                place = end + 1 + int(size)
                yield Chunk(float(at), "data", content[end + 1 : place])
            case _:
                raise ValueError(f"not a recording: no chunk starts at byte {place}")


def main() -> int:
    from lab.recording_scenes import SCENES  # the scenes need this module

    parser = argparse.ArgumentParser(prog="python -m lab.recorder", description=__doc__)
    parser.add_argument("name", nargs="+", choices=["all", *SCENES])
    parser.add_argument("--into", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    names = list(SCENES) if "all" in arguments.name else arguments.name
    arguments.into.mkdir(parents=True, exist_ok=True)
    for name in names:
        chunks = SCENES[name].play()
        save_recording(arguments.into / f"{name}.ami", chunks)
        print(f"{name}: {sum(len(chunk.data) for chunk in chunks)} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
