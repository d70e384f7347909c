"""Measures the statistics of own numbers, over a million outgoing calls in 28 days.

The calls are counted, another day is added, and the health of a number is read. Everything runs in one process, whose
memory is measured. Ten numbers make the calls, and one of the ten makes half of the calls. There are a quarter as many
callees as calls.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.callers import SEED, number_at
from benchmarks.figures import Budget, Figure
from benchmarks.workbench import Workbench
from reputation.model import Direction, Disposition, EndedBy
from reputation.outcome import OutcomeRecord
from reputation.store.database import open_store
from reputation.store.outcomes import record_outcomes
from reputation.store.own_days import count_call
from reputation.store.own_health import own_health
from reputation.store.transaction import transaction

CALLS = 1_000_000
QUICK_CALLS = 50_000
DAYS = 28
FIRST_DAY = 20_400
DAY = 86_400.0
BATCH = 200  # as in the daemon
BUSIEST = "+442071838750"
NUMBERS = [BUSIEST, *(f"+44207183876{n}" for n in range(9))]
SAME = Budget(1.5, "x")


def measure(bench: Workbench) -> list[Figure]:
    calls = QUICK_CALLS if bench.quick else CALLS
    bench.say(f"own numbers: recording {calls:,} outbound calls of {DAYS} days, and another day of calls")
    command = (sys.executable, "-m", "benchmarks.own", str(calls), str(bench.directory))
    took = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    note = f"{calls:,} calls of {DAYS} days, {len(NUMBERS)} own numbers"
    day = f"{took['day']:,} calls"
    return [
        Figure(
            "own numbers: CPU time to record and count the outcome of a call",
            [1e6 * took["all"] / calls],
            "µs a call",
            note=note,
        ),
        Figure("own numbers: CPU time to count the outcome of a call", [took["counting"]], "µs a call", note=note),
        Figure(
            "own numbers: CPU time for the calls of one more day",
            [took["last_day"]],
            "s",
            [took["first_day"]],
            "a first day in an empty store",
            SAME,
            day,
        ),
        Figure(
            "own numbers: CPU time to compute the health of the busiest number",
            [took["read"]],
            "s",
            note=f"from {took['attempts']:,} of its calls",
        ),
        Figure("own numbers: memory of the process", [took["memory"]], "MB", note="peak over all of the above"),
        Figure(
            "own numbers: size of the daily counts and the called numbers in the store",
            [took["bytes"]],
            "bytes a call",
            note=note,
        ),
    ]


def run(calls: int, folder: Path) -> dict[str, float]:
    """Count calls, and return CPU seconds and other values by name.

    If a value is not in seconds, its name says the unit.
    """
    a_day = calls // DAYS
    with open_store(folder / "own.db") as db:

        def record(day: int) -> float:
            began = time.process_time()
            now = (FIRST_DAY + day + 1) * DAY
            for batch in _batches(calls_of(day, a_day)):
                with transaction(db):
                    record_outcomes(db, batch, now)
            return time.process_time() - began

        seconds = [record(day) for day in range(DAYS + 1)]
        began = time.process_time()
        health = own_health(db, BUSIEST, (FIRST_DAY + DAYS + 1) * DAY)
        read = time.process_time() - began
        tables = ("own_day", "own_called", "own_called_callee", "own_called_day")
        sizes = f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({', '.join('?' * len(tables))})"
        (size,) = db.execute(sizes, tables).fetchone()
    return {
        "all": sum(seconds[:DAYS]),
        "first_day": seconds[0],
        "last_day": seconds[DAYS],
        "day": a_day,
        "read": read,
        "attempts": health.windows[-1].attempts,
        "counting": 1e6 * counting_seconds(folder, a_day) / a_day,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "bytes": size / calls,
    }


def counting_seconds(folder: Path, calls: int) -> float:
    """Return the CPU seconds that it takes to count this many calls, in a separate store."""
    outcomes = list(calls_of(0, calls))
    with open_store(folder / "counting.db") as db:
        began = time.process_time()
        for batch in _batches(iter(outcomes)):
            with transaction(db):
                for outcome in batch:
                    count_call(db, outcome)
        return time.process_time() - began


def _batches(outcomes: Iterator[OutcomeRecord]) -> Iterator[list[OutcomeRecord]]:
    while batch := list(islice(outcomes, BATCH)):
        yield batch


def calls_of(day: int, count: int) -> Iterator[OutcomeRecord]:
    chance = random.Random(SEED + day)
    for number in range(count):
        answered = chance.random() < 0.5
        yield OutcomeRecord(
            linkedid=f"{day}.{number}",
            at=(FIRST_DAY + day) * DAY + 8 * 3600 + number * 36_000 / count,
            direction=Direction.OUTBOUND,
            disposition=Disposition.ANSWERED if answered else Disposition.NO_ANSWER,
            caller="201",
            dialled=number_at(chance.randrange(count * DAYS // 4)),
            own_number=BUSIEST if chance.random() < 0.5 else chance.choice(NUMBERS),
            trunk="carrier",
            answered_by="PJSIP/carrier" if answered else None,
            ring_seconds=20.0,
            talk_seconds=chance.expovariate(1 / 60) if answered else 0.0,
            ended_by=EndedBy.CALLER,
        )


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), Path(sys.argv[2]))))
