"""The p99 of a decision while the hearing process recognises one caller after the other, and after it was killed.

    python -m benchmarks.hearing.decisions

One daemon is asked to hear callers all the time, and another hears nobody. They are measured in turns. The hearing
process has the nice value of its unit.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path

from agi.protocol import Request, block_of
from benchmarks.callers import questions
from benchmarks.decision import p99_millis
from benchmarks.figures import alternate
from benchmarks.processes import DECIDED, SETTINGS, Server
from benchmarks.workbench import Workbench
from callsieve.calls.spoken_names import make_folder
from lab.children import ends_with_us
from lab.daemon import Daemon
from lab.speech import SpeechPaths, ensure_speech
from lab.tools import use_fetched_tools

NUMBERS = 100_000
ROUNDS = 7
NICE = 10  # asterisk-conf/callsieve-hearing.service
PAUSE_SECONDS = 0.1
SENTENCE = "This is Tom Baker from the hardware store. I am calling about your delivery on Friday, please call me back."


class CallersToHear:
    """Asks a daemon all the time to hear a recording, while `is_on`."""

    def __init__(self, daemon: Daemon, sound: bytes) -> None:
        self.is_on = threading.Event()
        self._folder = make_folder(daemon.state)
        self._daemon, self._sound, self._ids = daemon, sound, count(10_000_000)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self.is_on.wait()
            call = str(next(self._ids))
            (self._folder / f"{call}-1.wav").write_bytes(self._sound)
            block = block_of(Request("hear", {"linkedid": call, "caller": "+12015550123", "id": call}, {}))
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._daemon.port), timeout=5) as connection:
                connection.sendall(block)
                while connection.recv(4096):
                    pass
            time.sleep(PAUSE_SECONDS)


@contextmanager
def hearing(daemon: Daemon, speech: SpeechPaths) -> Iterator[subprocess.Popen[bytes]]:
    """The real hearing process, with the small model."""
    command = (sys.executable, "-m", "lab.hearing", str(speech.packages), str(daemon.state / "hearing.sock"))
    with subprocess.Popen((*ends_with_us(), *command), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            daemon.wait_for_log("the hearing process is ready")
            yield process
        finally:
            process.kill()


def main() -> None:
    """Print the figures."""
    use_fetched_tools()
    speech, failed = ensure_speech(), list[int]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Workbench(folder, quick=True, say=partial(print, flush=True))
        speech.say(SENTENCE, folder / "sound.wav")
        settings = f'{SETTINGS}\n[speech]\nmodel = "{speech.model}"\n'
        with (
            Daemon(bench.copy(NUMBERS), settings) as ours,
            Daemon(bench.copy(NUMBERS), SETTINGS) as theirs,
            hearing(ours, speech) as process,
        ):
            callers = CallersToHear(ours, (folder / "sound.wav").read_bytes())
            servers = [Server(daemon.pid, daemon.port, DECIDED) for daemon in (ours, theirs)]
            for server in servers:
                server.ask(questions(500, NUMBERS, turn=-1))

            def asked(turn: int) -> float:
                callers.is_on.set()
                try:
                    return p99_millis(failed, servers[0], turn)
                finally:
                    callers.is_on.clear()

            plain = partial(p99_millis, failed, servers[1])
            loaded, beside = alternate(ROUNDS, asked, plain)
            process.kill()
            killed, after = alternate(ROUNDS, asked, plain)
    for what, with_it, without in (("at full load", loaded, beside), ("killed", killed, after)):
        ratio = statistics.median(one / other for one, other in zip(with_it, without, strict=True))
        medians = statistics.median(with_it), statistics.median(without)
        print(f"hearing {what}: p99 {medians[0]:.2f} ms, without {medians[1]:.2f} ms, ratio {ratio:.2f}")
    print(f"decisions that failed: {sum(failed)}")


if __name__ == "__main__":
    main()
