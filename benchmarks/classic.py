"""Measures how long a call waits if Asterisk starts a Python process for each call, compared with FastAGI.

The benchmark starts processes and answers their commands in the same way as res_agi.c. The time runs from the start of
the process to the command that acts on the call.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from agi import relay
from benchmarks.callers import questions
from benchmarks.calls import REPLY
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.processes import DECIDED, ROOT, Server, running_daemon
from benchmarks.workbench import Workbench
from lab.programs import AGI_SCRIPT

NUMBERS = 1_000_000
ROUNDS = 5
CALLS = 8
WAIT_SECONDS = 10.0
LIMIT = 30.0

# The minimum for an AGI script in Python: no look-up, no decision.
PYST2_SCRIPT = """\
from asterisk.agi import AGI
AGI().set_variable("CALLSIEVE_ACTION", "allow")
"""


@dataclass(frozen=True, slots=True)
class Script:
    """A classic AGI script: its command line, and the last command that it sends to Asterisk."""

    command: Sequence[str]
    last: bytes = DECIDED
    environment: Mapping[str, str] = field(default_factory=dict)


def measure(bench: Workbench) -> list[Figure]:
    """Measure the latency of a call with each kind of script and with FastAGI, in milliseconds."""
    bench.say("classic: one Python process per call")
    state = bench.copy(NUMBERS)
    pyst2 = bench.directory / "pyst2-script.py"
    pyst2.write_text(PYST2_SCRIPT)
    with running_daemon(state) as (daemon, ours):
        scripts = {
            "pyst2 script that only sets a variable": Script((sys.executable, str(pyst2)), b"CALLSIEVE_ACTION"),
            "callsieve-agi --standalone": Script(
                (sys.executable, "-m", AGI_SCRIPT, "--standalone"), environment=daemon.environment
            ),
            "callsieve-agi as a relay to the daemon": Script(
                (sys.executable, "-I", "-S", str(Path(relay.__file__)), str(state / "agi.sock"))
            ),
        }
        fastagi, *processes = alternate(
            bench.rounds(ROUNDS),
            lambda turn: _millis_of_fastagi(ours, turn),
            *[lambda turn, script=script: _millis_of(script, turn) for script in scripts.values()],
        )
    limits = (Budget(LIMIT, "x", at_least=True), None, None)
    return [
        Figure(f"latency, {what}", samples, "ms", fastagi, "FastAGI", limit)
        for what, samples, limit in zip(scripts, processes, limits, strict=True)
    ]


def _millis_of_fastagi(server: Server, turn: int) -> float:
    return 1e3 * median(server.ask(questions(50, NUMBERS, turn)).seconds)


def _millis_of(script: Script, turn: int) -> float:
    return 1e3 * median(_seconds_of_call(script, block) for block in questions(CALLS, NUMBERS, turn))


def _seconds_of_call(script: Script, block: bytes) -> float:
    began = time.perf_counter()
    process = subprocess.Popen(
        script.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, **script.environment},
        bufsize=0,
    )
    with process:
        try:
            return _answered_at(process, block, script.last) - began
        finally:
            process.kill()


def _answered_at(process: subprocess.Popen[bytes], block: bytes, last: bytes) -> float:
    """Send the AGI header block and reply to each command. Return the time at which the command `last` arrived."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(block)
    with os.fdopen(os.dup(process.stdout.fileno()), "rb") as commands:
        for command in commands:
            if last in command:
                return time.perf_counter()
            process.stdin.write(REPLY)
    raise RuntimeError(f"the AGI script ended before it sent the command {last!r}")
