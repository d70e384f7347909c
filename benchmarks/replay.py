"""Measures a replay of a million events: events per second, and the memory of `callsieve replay`.

The invented history contains persistent and single-use spam, contacts, services, marks and outgoing calls, in the
proportions of docs/contributing/model.md. It is only a load: other benchmarks measure accuracy.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.callers import SEED, number_at
from benchmarks.figures import Budget, Figure
from benchmarks.workbench import Workbench
from lab.programs import COMMAND_LINE

EVENTS = 1_000_000
QUICK_EVENTS = 100_000
START = 1_767_258_000.0  # 2026-01-01
DAYS = 90
PEOPLE = [(f"{201 + n}", f"group{n // 20}") for n in range(200)]
RATE = Budget(30_000, "/s", at_least=True)

# Share of calls, count of numbers (0: a new number each time), share answered, seconds of talk, share marked.
KINDS = (
    (0.45, 1200, 0.70, 60.0, 0.0002),  # contacts
    (0.25, 40, 0.53, 45.0, 0.005),  # customer services
    (0.05, 0, 0.40, 40.0, 0.001),  # one-off callers
    (0.15, 150, 0.15, 9.0, 0.10),  # persistent spam
    (0.10, 0, 0.15, 9.0, 0.10),  # single-use spam
)


def measure(bench: Workbench) -> list[Figure]:
    """Measure a replay that runs in its own process, as an administrator would run it."""
    events = QUICK_EVENTS if bench.quick else EVENTS
    path = bench.directory / "history.jsonl"
    bench.say(f"writing a history of {events:,} events")
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in history(events))
    bench.say("replaying the history")
    seconds, cpu_seconds, resident = _replayed(path, bench.directory)
    note = f"{events:,} events, preset cautious compared with strict, every decision written to the output"
    size = path.stat().st_size / 1e6
    return [
        Figure("events replayed", [events / seconds], "/s", budget=RATE, note=note),
        Figure("events replayed per second of CPU time", [events / cpu_seconds], "/s", note="as if nothing else ran"),
        Figure("replay, duration from start to end", [seconds], "s", note=f"{note}, {size:.0f} MB"),
        Figure("replay, memory", [resident], "MB", note=note),
    ]


def history(events: int, seed: int = SEED) -> Iterator[dict[str, Any]]:
    """Yield `events` invented events in order of time."""
    chance = random.Random(seed)
    step = DAYS * 86_400 / events
    at, fresh, marks = START, 0, list[dict[str, Any]]()
    weights = [kind[0] for kind in KINDS]
    for number in range(events):
        at += chance.expovariate(1 / step)
        if marks and marks[0]["at"] <= at:
            yield marks.pop(0)
            continue
        person, group = chance.choice(PEOPLE)
        place = chance.choices(range(len(KINDS)), weights)[0]
        _, many, answering, talk, marking = KINDS[place]
        fresh += many == 0
        caller = number_at(place * 10_000 + chance.randrange(many) if many else 100_000 + fresh)
        if place == 0 and chance.random() < 0.4:
            yield _outbound(number, at, person, group, caller, chance)
            continue
        call = _inbound(number, at, person, group, caller, chance.random() < answering, talk, chance)
        yield call
        if chance.random() < marking * (1 if call["answered"] else 0.1):
            about = {"number": caller, "reporter": person, "group": group, "call": call["call"]}
            marks.append({"at": at + 120.0, "type": "mark", **about, "verdict": "spam", "category": "telemarketing"})


def _inbound(
    number: int, at: float, person: str, group: str, caller: str, answered: bool, talk: float, chance: random.Random
) -> dict[str, Any]:
    return {
        "at": round(at, 3),
        "type": "inbound",
        "call": f"c{number}",
        "caller": caller,
        "callee": person if answered else None,
        "callee_group": group,
        "did": "+442071838750",
        "trunk": "carrier",
        "answered": answered,
        "ring_seconds": round(chance.lognormvariate(2.2, 0.6), 2),
        "talk_seconds": round(chance.expovariate(1 / talk), 2) if answered else 0.0,
        "ended_by": chance.choice(("caller", "callee")) if answered else "caller",
        "voicemail": not answered and chance.random() < 0.2,
        "attestation": chance.choice(("A", "B", "C", None)),
    }


def _outbound(number: int, at: float, person: str, group: str, callee: str, chance: random.Random) -> dict[str, Any]:
    return {
        "at": round(at, 3),
        "type": "outbound",
        "call": f"o{number}",
        "caller": person,
        "caller_group": group,
        "own_number": "+442071838750",
        "callee": callee,
        "answered": chance.random() < 0.7,
        "ring_seconds": 5.0,
        "talk_seconds": round(chance.expovariate(1 / 60.0), 2),
        "ended_by": "caller",
    }


def _replayed(path: Path, state: Path) -> tuple[float, float, float]:
    """Return the seconds that the command reports, its CPU seconds, and its peak memory in MB."""
    arguments = ("replay", path, "--policy", "cautious", "--against", "strict", "--out", state / "out.jsonl", "--json")
    config = state / "callsieve.toml"
    config.write_text("")
    command = (sys.executable, "-m", COMMAND_LINE, *map(str, arguments), "--config", str(config))
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={"CALLSIEVE_STATE": str(state / "none")}) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)  # the usage of this process only
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return float(json.loads(output)["seconds"]), used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3
