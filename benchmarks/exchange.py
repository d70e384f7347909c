"""Measures CPU time, memory and size when a company publishes a million numbers and another company downloads them.

Each step runs in its own process, whose memory is measured. Three to five people have marked every number. Between two
publications one number in a hundred changes: half of the changed numbers are removed, and half are new.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from benchmarks.callers import number_at
from benchmarks.figures import Figure
from benchmarks.workbench import Workbench
from callsieve.changes.operation import Context
from callsieve.exchange.operations import fetch_peer, known_peers
from callsieve.exchange.publish import PublishBundleRequest, publish
from callsieve.exchange.rows import last_published
from callsieve.settings import Loaded, parse_settings
from callsieve.signing.keys import signing_key
from reputation.fold import standing_of
from reputation.model import AuthClass, Mark, MarkChannel, Person, Verdict
from reputation.standing import Rows
from reputation.store.database import open_store
from reputation.store.facts import COLUMNS, standing_columns
from reputation.store.people import upsert_people
from reputation.store.transaction import transaction
from reputation.users import Role
from reputation.weights import DAY_SECONDS, DEFAULT

NUMBERS = 1_000_000
QUICK_NUMBERS = 50_000
CHANGED = 100  # one in this many numbers
AT = 1_795_608_000.0
PEOPLE = [str(200 + n) for n in range(40)]
ADD_MARK = """
INSERT INTO mark (number, auth_class, epoch, reporter, verdict, at, channel, grp, category, reason, linkedid)
VALUES (?, 'unknown', 0, ?, 'spam', ?, 'extension', '', ?, '', '')
"""
ADD_STANDING = f"""
INSERT INTO standing (number, auth_class, may_be_bad, {COLUMNS}) VALUES (?, 'unknown', 1, {", ".join("?" * 13)})
"""
Report = dict[str, float]


def measure(bench: Workbench) -> list[Figure]:
    """Run all steps, and return the time, memory and size of each."""
    numbers = QUICK_NUMBERS if bench.quick else NUMBERS
    bench.say(f"exchange: marking, publishing and downloading {numbers:,} numbers")
    results = {step: _run(step, bench.directory, numbers) for step in STEPS}
    note, changed = f"{numbers:,} numbers", f"{numbers // CHANGED:,} of {numbers:,} numbers"
    first, delta, taken, more = (results[step] for step in ("publish", "publish-delta", "take", "take-delta"))
    return [
        Figure("exchange: CPU time of the first publication", [first["seconds"]], "s", note=note),
        Figure("exchange: CPU time of the next day's publication", [delta["seconds"]], "s", note=f"{changed} changed"),
        Figure(
            "exchange: memory to publish",
            [max(first["memory"], delta["memory"])],
            "MB",
            note="snapshot or delta, the higher value",
        ),
        Figure("exchange: size of the snapshot", [first["bytes"] / numbers], "bytes a number", note="packed"),
        Figure("exchange: size of the unpacked snapshot", [first["unpacked"] / numbers], "bytes a number"),
        Figure(
            "exchange: size of the delta",
            [delta["delta"] / 1e3],
            "kB",
            [first["bytes"] / 1e3],
            "the snapshot",
            note=changed,
        ),
        Figure("exchange: CPU time to download the snapshot", [taken["seconds"]], "s", note=note),
        Figure("exchange: CPU time to download the delta", [more["seconds"]], "s", note=changed),
        Figure(
            "exchange: memory to download",
            [max(taken["memory"], more["memory"])],
            "MB",
            note="snapshot or delta, the higher value",
        ),
        Figure(
            "exchange: size of the downloaded evidence in the store",
            [taken["bytes"] / numbers],
            "bytes a number",
            note=note,
        ),
    ]


def _run(step: str, folder: Path, numbers: int) -> Report:
    command = (sys.executable, "-m", "benchmarks.exchange", step, str(folder), str(numbers))
    results: Report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return results


def fill(folder: Path, numbers: int) -> Report:
    """Create a store with `numbers` marked numbers."""
    with open_store(folder / "ours" / "callsieve.db") as db:
        with transaction(db):
            upsert_people(db, [Person(person) for person in PEOPLE], "benchmark")
        _mark(db, sorted(number_at(n) for n in range(numbers)))
    return {}


def change(folder: Path, numbers: int) -> Report:
    """Remove one number in two hundred, and add as many new numbers."""
    share = numbers // CHANGED // 2
    with open_store(folder / "ours" / "callsieve.db") as db:
        gone = [(number_at(n),) for n in range(0, numbers, numbers // share)]
        with transaction(db):
            for table in ("mark", "standing"):
                db.executemany(f"DELETE FROM {table} WHERE number = ?", gone)
        _mark(db, sorted(number_at(numbers + n) for n in range(share)))
    return {}


def _mark(db: sqlite3.Connection, numbers: list[str]) -> None:
    """Store three to five marks of each number, and the standings that follow."""
    folded = {}
    for people in (3, 4, 5):
        marks = [
            Mark("+1", AuthClass.UNKNOWN, PEOPLE[n], Verdict.SPAM, AT - 86_400.0 * n, MarkChannel.EXTENSION)
            for n in range(people)
        ]
        standing = standing_of(Rows(marks), AuthClass.UNKNOWN, DEFAULT)
        assert standing is not None
        folded[people] = standing_columns(standing)
    todo = enumerate(numbers)
    while batch := list(islice(todo, 20_000)):
        with transaction(db):
            marks_of = [
                (number, PEOPLE[n], AT - DAY_SECONDS * n, ("scam", "telemarketing", "")[index % 3])
                for index, number in batch
                for n in range(3 + index % 3)
            ]
            db.executemany(ADD_MARK, marks_of)
            standings = [(number, *folded[3 + index % 3]) for index, number in batch]
            db.executemany(ADD_STANDING, standings)


def publishing(day: int) -> Callable[[Path, int], Report]:
    """Return a function that publishes the numbers on the day with this index (0 is the first)."""

    def run(folder: Path, _numbers: int) -> Report:
        loaded = _loaded(folder / "ours", '[publish]\nname = "Benchmark Ltd"\n')
        with open_store(loaded.store_path) as db:
            context = Context("benchmark", Role.ADMINISTRATOR, AT + day * DAY_SECONDS, loaded)
            done = publish(db, context, PublishBundleRequest(folder / "web"))
        delta = done.delta.bytes if done.delta else 0
        return {"bytes": done.snapshot.bytes, "unpacked": done.snapshot.unpacked, "delta": delta}

    return run


def take(folder: Path, _numbers: int) -> Report:
    """Download the current publication as another company."""
    key = signing_key(folder / "ours").public_key.text
    text = f'[[exchange]]\nname = "ours"\npath = "{folder / "web"}"\nkey = "{key}"\n'
    loaded = _loaded(folder / "theirs", text)
    index = last_published(folder / "web", folder / "ours")
    assert index is not None
    with open_store(loaded.store_path) as db:
        context = Context("benchmark", Role.ADMINISTRATOR, float(index.statement.issued_at), loaded)
        done = fetch_peer(db, context, known_peers(db, context)["ours"])
        assert done.taken is not None, done.failure
        (size,) = db.execute("SELECT sum(pgsize) FROM dbstat WHERE name = 'peer_number'").fetchone()
    return {"bytes": size}


def _loaded(state: Path, text: str) -> Loaded:
    return Loaded(settings=parse_settings(text, "benchmark"), file=None, state=state)


STEPS: dict[str, Callable[[Path, int], Report]] = {
    "fill": fill,
    "publish": publishing(0),
    "take": take,
    "change": change,
    "publish-delta": publishing(1),
    "take-delta": take,
}


def main(step: str, folder: str, numbers: str) -> None:
    """Run a step. Print the time and memory that it needed."""
    began = time.process_time()
    report = STEPS[step](Path(folder), int(numbers))
    report |= {
        "seconds": time.process_time() - began,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
