"""`python -m benchmarks.instructions [--rounds N] [--write]`: count the CPU instructions of the main work.

This work is a decision, a call tracked over AMI, and an event replayed. Times vary with the load of the machine.
Instruction counts vary only by a few percent. Valgrind counts instructions in a process that makes about 1,000
decisions, tracks 1,000 calls, or replays 10,000 events. Valgrind also counts instructions in a process that does a
tenth of this work. The difference is the cost without the start of the process. The start itself is measured with a
process that makes no decision.

The exit code is 1 if a count exceeds the baseline in instructions.json by more than MOST_GROWTH. Other builds of Python
need more or fewer instructions. Counts of a build without a baseline are printed, and the exit code is 0. `--write`
replaces the baseline of this build.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import counted
from benchmarks.callers import questions
from benchmarks.calls import REPLY
from benchmarks.events import decide_calls
from benchmarks.processes import DECIDED, ROOT, SETTINGS
from benchmarks.replay import history
from benchmarks.workbench import fill
from lab import LabUnavailable
from lab.valgrind import ensure_valgrind

# The kinds of work, and how much of each is done.
COUNTS = {"decisions": 1000, "calls": 1000, "events": 10_000}
START = "start"
WORDS = {
    "decisions": "a decision",
    "calls": "a call tracked over AMI",
    "events": "an event replayed",
    START: "a start of the daemon",
}
# Journal and log are written every 0.1 s. With one call at a time, the calls per write would depend on the server.
IN_FLIGHT = 16
WARM = 0.1  # the share of the work that the shorter process does
MOST_GROWTH = 0.10
BASELINE = Path(__file__).with_name("instructions.json")
NUMBERS = 10_000
CHILD_SECONDS = 900.0  # Valgrind is fifty times slower, and the server may be busy
REFS = re.compile(r"I\s+refs:\s+([\d,]+)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument(
        "--rounds",
        type=int,
        default=1,
        help="how often everything is counted; several rounds show how much the counts vary",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"write the counts to {BASELINE.name} as the new baseline of this build of Python",
    )
    arguments = parser.parse_args()
    sys.exit(run(arguments.rounds, write=arguments.write))


def run(rounds: int, *, write: bool) -> int:
    """Count instructions, and print the counts and the baseline. Return 1 if a count has grown too much, else 0."""
    console, began = Console(highlight=False, width=100), time.monotonic()
    try:
        valgrind = ensure_valgrind(lambda line: None)
    except LabUnavailable as reason:
        console.print(f"no instructions were counted: {reason}")
        return 0
    with tempfile.TemporaryDirectory(prefix="callsieve-count-") as directory:
        template = make_state_directory(Path(directory))
        try:
            _counted("", template, Path(directory), -1)  # writes the .pyc files, which would otherwise be counted
            counts = [_counted(valgrind, template, Path(directory), number) for number in range(rounds)]
        except (
            RuntimeError,
            OSError,
            subprocess.TimeoutExpired,
        ) as reason:  # for example, calls time out on a busy server
            console.print(f"no instructions were counted: {reason}")
            return 0
    figures = {what: [count[what] for count in counts] for what in WORDS}
    kept: dict[str, dict[str, int]] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    here = name_of_build()
    before = kept.get(here, {})
    console.print(_table(figures, before))
    console.print(f"{here}; measured in {time.monotonic() - began:.0f} s")
    if write:
        kept[here] = {what: round(median(values)) for what, values in figures.items()}
        BASELINE.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
        return 0
    if not before:
        console.print(f"{BASELINE.name} has no baseline for this build of Python (`--write` adds one)")
    return int(any(has_grown(median(values), before.get(what)) for what, values in figures.items()))


def name_of_build() -> str:
    """Return a name for the Python build, on which the counts depend: version, machine, compiler and options."""
    how = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = "optimised" if "--enable-optimizations" in how else "plain"
    version = ".".join(platform.python_version_tuple()[:2])
    return f"Python {version}, {platform.machine()}, {platform.python_compiler()}, {optimised}"


def has_grown(now: float, before: float | None) -> bool:
    """Return whether a count exceeds the baseline `before` by more than MOST_GROWTH; False if there is no baseline."""
    return before is not None and now / before - 1 > MOST_GROWTH


def spread(values: list[int]) -> float:
    """Return the highest minus the lowest value, as a share of the median."""
    return (max(values) - min(values)) / median(values)


def make_state_directory(directory: Path) -> Path:
    """Create a state directory for all kinds of work. Each count uses a copy of this directory."""
    state = directory / "state"
    state.mkdir()
    (state / "callsieve.toml").write_text(SETTINGS)
    fill(state / "callsieve.db", NUMBERS)
    decide_calls(state / "callsieve.db", COUNTS["calls"])
    with (state / counted.HISTORY).open("w") as file:
        file.writelines(json.dumps(event) + "\n" for event in history(COUNTS["events"]))
    return state


def _counted(valgrind: str, template: Path, directory: Path, number: int) -> Mapping[str, int]:
    """Return the CPU instructions per decision, per tracked call, per replayed event, and per start without work."""
    sizes = [(what, size) for what, many in COUNTS.items() for size in (many, int(many * WARM))] + [("decisions", 0)]

    def count(size: tuple[str, int]) -> int:
        state = directory / f"{size[0]}-{size[1]}-{number}"
        shutil.copytree(template, state)
        return _instructions(valgrind, *size, state)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        measured = dict(zip(sizes, pool.map(count, sizes), strict=True))
    return {START: measured["decisions", 0]} | {
        what: round((measured[what, many] - measured[what, int(many * WARM)]) / (many - int(many * WARM)))
        for what, many in COUNTS.items()
    }


def _instructions(valgrind: str, what: str, count: int, state: Path) -> int:
    """Return how many instructions a process runs from its start to its end; 0 without Valgrind."""
    log = state / "valgrind.log"
    tool = (
        valgrind,
        "--tool=cachegrind",
        "--cache-sim=no",
        f"--log-file={log}",
        f"--cachegrind-out-file={state / 'out'}",
    )
    work = (sys.executable, "-m", counted.__name__, what, str(count), str(state))
    environment = {**os.environ, "PYTHONHASHSEED": "0", "CALLSIEVE_STATE": str(state)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a start would compile every module
    with (state / "said").open("wb") as errors:
        process = subprocess.Popen(
            (*(tool if valgrind else ()), *work),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd=ROOT,
        )
    with process:
        try:
            if what == "decisions":
                place_calls(process, count)
            process.communicate(timeout=CHILD_SECONDS)
        finally:
            process.kill()
    measured = REFS.search(log.read_text() if valgrind else "I refs: 0")
    if process.returncode != 0 or measured is None:
        raise RuntimeError(f"{' '.join(work)} failed:\n{(state / 'said').read_text()[-2000:]}")
    return int(measured[1].replace(",", ""))


def place_calls(process: subprocess.Popen[bytes], count: int) -> None:
    """Make calls, IN_FLIGHT at a time, to the port that the process prints."""
    assert process.stdout is not None
    port = process.stdout.readline()
    if port.strip().isdigit():
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            list(pool.map(partial(_place_call, int(port)), questions(count, NUMBERS)))


def _place_call(port: int, block: bytes) -> None:
    """Make a call like `benchmarks.calls`, but without a time limit."""
    with socket.create_connection(("127.0.0.1", port), CHILD_SECONDS) as connection:
        for line in block.splitlines(keepends=True):
            connection.sendall(line)
        answer = b""
        while data := connection.recv(8192):
            answer += data
            connection.sendall(REPLY * data.count(b"\n"))
        connection.sendall(b"HANGUP\n")
    if DECIDED not in answer:
        raise RuntimeError(f"a call got no decision, but this answer: {answer!r}")


def _table(figures: Mapping[str, list[int]], before: Mapping[str, int]) -> Table:
    table = Table(
        "instructions of", "median count", "spread of the counts", "baseline", "growth since the baseline", "result"
    )
    for what, values in figures.items():
        now = median(values)
        limit = before.get(what)
        verdict = f"too much: more than {MOST_GROWTH:.0%} growth" if has_grown(now, limit) else "ok"
        compared = ("", "", "") if limit is None else (f"{limit:,}", f"{now / limit - 1:+.1%}", verdict)
        table.add_row(WORDS[what], f"{now:,.0f}", f"{spread(values):.1%}" if len(values) > 1 else "", *compared)
    return table


if __name__ == "__main__":
    main()
