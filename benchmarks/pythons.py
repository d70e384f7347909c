"""`python -m benchmarks.pythons PYTHON...`: measure CPU time of a decision, a replay and a start with several Pythons.

Each PYTHON is the interpreter of an environment in which the project is installed. All interpreters are measured in
turns. Each result is the minimum of ROUNDS rounds, because other work on the machine only adds time.
`benchmarks.instructions` counts the instructions of a single Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import counted
from benchmarks.instructions import COUNTS, WARM, make_state_directory, place_calls
from benchmarks.processes import ROOT

ROUNDS = 3
VERSION = "import sys; print('.'.join(map(str, sys.version_info[:3])))"


def main(pythons: list[str]) -> None:
    seconds: defaultdict[tuple[str, str, int], list[float]] = defaultdict(list)
    sizes = [(what, size) for what, many in COUNTS.items() for size in (many, int(many * WARM))] + [("decisions", 0)]
    with tempfile.TemporaryDirectory(prefix="callsieve-pythons-") as directory:
        template = make_state_directory(Path(directory))
        for turn in range(ROUNDS + 1):
            for python in pythons:
                for what, size in sizes:
                    spent = _seconds(python, what, size, template, Path(directory) / "state-of-one")
                    if turn:  # the first round writes the .pyc files
                        seconds[python, what, size].append(spent)
    least = {key: min(values) for key, values in seconds.items()}
    table = Table(
        "Python", "a decision, CPU ms", "a call tracked, CPU ms", "10,000 events replayed, CPU s", "start, CPU s"
    )
    for python in pythons:
        each = {
            what: (least[python, what, many] - least[python, what, int(many * WARM)]) / (many - int(many * WARM))
            for what, many in COUNTS.items()
        }
        version = subprocess.run((python, "-c", VERSION), capture_output=True, text=True, check=True).stdout.strip()
        table.add_row(
            version,
            f"{each['decisions'] * 1000:.2f}",
            f"{each['calls'] * 1000:.2f}",
            f"{each['events'] * 10_000:.2f}",
            f"{least[python, 'decisions', 0]:.2f}",
        )
    Console(highlight=False, width=100).print(table)


def _seconds(python: str, what: str, count: int, template: Path, state: Path) -> float:
    """Return the CPU seconds of a process that does `count` units of the work `what`, from its start to its end."""
    shutil.rmtree(state, ignore_errors=True)
    shutil.copytree(template, state)
    process = subprocess.Popen(
        (python, "-m", counted.__name__, what, str(count), str(state)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONHASHSEED": "0", "CALLSIEVE_STATE": str(state)},
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    if what == "decisions":
        place_calls(process, count)
    process.stdin.close()
    process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{python}: the benchmark of {what} ended with exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(sys.argv[1:])
