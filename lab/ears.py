"""The audio and keys of a phone during several calls. A thread sends and receives the audio every 20 ms."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from lab.audio import TICK_SECONDS, AudioEnd, Heard

LOOK_TICKS = 5


class Ears:
    """The audio of a phone, from `start` to `close`.

    `remote`: returns the address to which audio of the latest call is sent.
    """

    def __init__(self, address: str) -> None:
        self._audio = AudioEnd(address)
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return self._audio.port

    @property
    def heard(self) -> Heard:
        return self._audio.heard

    def start(self, remote: Callable[[], tuple[str, int] | None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(remote,), name="lab-ears", daemon=True)
        self._thread.start()

    def press(self, digits: str) -> None:
        """Press keys, and return when the last key is released."""
        time.sleep(self._audio.press(digits))

    def close(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._audio.close()

    def _run(self, remote: Callable[[], tuple[str, int] | None]) -> None:
        due, ticks = time.monotonic(), 0
        while not self._over.is_set():
            if ticks % LOOK_TICKS == 0:
                self._audio.remote = remote()
            self._audio.tick()
            ticks += 1
            due += TICK_SECONDS
            self._over.wait(max(0.0, due - time.monotonic()))
