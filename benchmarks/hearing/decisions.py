"""Measures how much slower decisions become while the hearing process of the same server recognises speech.

    python -m benchmarks.hearing.decisions [--idle] [--rounds N]

Three daemons are measured in turns, so that other work on the machine slows all of them. The first daemon has no
callers to hear. The second daemon constantly gets callers to hear. The third daemon also gets callers, but its hearing
process was killed. The hearing process has the priority that its systemd unit sets. The result is the p99 of a
decision.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from agi.protocol import Request, block_of
from benchmarks.callers import questions
from benchmarks.calls import Answers
from benchmarks.decision import LOADED
from benchmarks.processes import DECIDED, SETTINGS, Server
from benchmarks.workbench import Workbench
from callsieve.calls.spoken_names import make_folder
from lab.children import ends_with_us
from lab.daemon import Daemon
from lab.speech import SpeechPaths, ensure_speech
from lab.tools import use_fetched_tools

NUMBERS = 100_000
ROUNDS = 7
DECISIONS = 2_000  # decisions per daemon and round
SLICES = 10
NICE = 10  # asterisk-conf/callsieve-hearing.service
PAUSE_SECONDS = 0.1
SENTENCE = "This is Tom Baker from the hardware store. I am calling about your delivery on Friday, please call me back."


class CallersToHear:
    """Sends a recording of a caller to a daemon again and again, while `is_on` is set."""

    def __init__(self, daemon: Daemon, sound: bytes) -> None:
        self.is_on = threading.Event()
        self.done = 0
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
            self.done += 1
            time.sleep(PAUSE_SECONDS)


@contextmanager
def hearing(daemon: Daemon, speech: SpeechPaths, *, idle: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Run the real hearing process with the small model during the `with` block.

    `idle`: whether with the scheduling policy idle.
    """
    command = (sys.executable, "-m", "lab.hearing", str(speech.packages), str(daemon.state / "hearing.sock"))
    with subprocess.Popen((*ends_with_us(), *command), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            if idle:
                os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
            else:
                os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            daemon.wait_for_log("the hearing process is ready")
            yield process
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--idle",
        action="store_true",
        help="run the hearing process with the scheduling policy `idle` instead of that of its systemd unit",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    use_fetched_tools()
    speech = ensure_speech()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        bench = Workbench(folder, quick=True, say=partial(print, flush=True))
        speech.say(SENTENCE, folder / "sound.wav")
        settings = f'{SETTINGS}\n[speech]\nmodel = "{speech.model}"\n'
        daemons = [stack.enter_context(Daemon(bench.copy(NUMBERS), each)) for each in (SETTINGS, settings, settings)]
        processes = [stack.enter_context(hearing(daemon, speech, idle=options.idle)) for daemon in daemons[1:]]
        processes[1].kill()
        sound = (folder / "sound.wav").read_bytes()
        callers = [None, *(CallersToHear(daemon, sound) for daemon in daemons[1:])]
        servers = [Server(daemon.pid, daemon.port, DECIDED) for daemon in daemons]
        for server in servers:
            server.ask(questions(500, NUMBERS, turn=-1))
        arms = [Arm(*each) for each in zip(servers, callers, (None, processes[0], None), strict=True)]
        samples = [_round(arms, number) for number in range(options.rounds)]
    without, *others = zip(*samples, strict=True)
    for what, with_it in zip(("at full load", "killed"), others, strict=True):
        ratio = statistics.median(mine / other for mine, other in zip(with_it, without, strict=True))
        medians = statistics.median(with_it), statistics.median(without)
        print(
            f"hearing process {what}: p99 of a decision {medians[0]:.2f} ms, without hearing {medians[1]:.2f} ms,"
            f" ratio {ratio:.2f}"
        )
    print(f"callers whose words were recognised: {callers[1].done if callers[1] else 0}")


class Arm(NamedTuple):
    """One of the compared daemons. `process`: its hearing process, which is paused while other daemons are measured."""

    server: Server
    callers: CallersToHear | None
    process: subprocess.Popen[bytes] | None

    def ask(self, blocks: list[bytes]) -> Answers:
        """Make a call for each AGI header block while the daemon hears callers.

        Return the response times of the decisions.
        """
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
        if self.callers is not None:
            self.callers.is_on.set()
        try:
            return self.server.ask(blocks, LOADED)
        finally:
            if self.callers is not None:
                self.callers.is_on.clear()
            if self.process is not None:
                self.process.send_signal(signal.SIGSTOP)


def _round(arms: list[Arm], number: int) -> list[float]:
    """Return the p99 of each daemon in milliseconds. The daemons take turns, so that other load slows all."""
    answers = [Answers() for _ in arms]
    for part in range(SLICES):
        for arm, its in zip(arms, answers, strict=True):
            more = arm.ask(questions(DECISIONS // SLICES, NUMBERS, turn=number * SLICES + part))
            its.seconds += more.seconds
            its.failed += more.failed
    return [1e3 * its.percentile(99) for its in answers]


if __name__ == "__main__":
    main()
