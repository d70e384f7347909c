"""`callsieve import calls` with damaged and hostile files: errors name the line, and nothing is half applied."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reputation.store.database import open_store
from tests.callsieve.program import Program, Result, ended
from tests.waiting import wait_until

EVIDENCE = ("mark", "signal", "answered", "talk", "inbound_talk", "one_ring", "standing")
START = time.time() - 20 * 86_400


def event(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a call of one of forty numbers to one of nine people, or a mark about such a call."""
    caller, who = f"+1201742{1000 + chance.randrange(40)}", str(201 + chance.randrange(9))
    at = START + 60 * number
    kind = chance.choice(["inbound", "inbound", "outbound", "mark"])
    if kind == "mark":
        about = f"c{chance.randrange(3000)}"
        verdict = chance.choice(["spam", "ok"])
        return {"at": at, "type": kind, "number": caller, "reporter": who, "verdict": verdict, "call": about}
    call = {"at": at, "type": kind, "call": f"c{number}", "answered": True, "talk_seconds": chance.choice([3, 40, 90])}
    if kind == "outbound":
        return {**call, "caller": who, "callee": caller}
    signed = {"attestation": chance.choice(["A", "B", None]), "ended_by": chance.choice(["caller", "callee"])}
    return {**call, **signed, "caller": caller, "callee": who, "ring_seconds": 5, "answered": chance.random() < 0.7}


def history(events: int, seed: int = 1) -> list[str]:
    chance = random.Random(seed)
    return [json.dumps(event(number, chance)) + "\n" for number in range(events)]


def checksum(path: Path) -> str:
    """Return a checksum of all evidence."""
    with open_store(path) as db:
        rows = [(table, sorted(db.execute(f"SELECT * FROM {table}"), key=repr)) for table in EVIDENCE]
    assert all(rows for _, rows in rows[:3])
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def imported(folder: Path, *files: list[str]) -> str:
    """Return the checksum of a new store after importing files."""
    folder.mkdir()
    program = Program(folder)
    for number, lines in enumerate(files):
        program.ok("import", "calls", program.file(f"{number}.jsonl", "".join(lines)))
    return checksum(program.store)


def test_order_of_a_history_does_not_change_the_evidence(tmp_path: Path) -> None:
    events = history(1500)
    shuffled = random.Random(2).sample(events, len(events))
    once = imported(tmp_path / "once", events)
    assert imported(tmp_path / "twice", events, events) == once
    assert imported(tmp_path / "shuffled", shuffled) == once


@pytest.mark.slow
def test_killed_import_is_completed_by_another(callsieve: Program, tmp_path: Path) -> None:
    events = history(6000)
    file = callsieve.file("history.jsonl", "".join(events))
    callsieve.ok("db", "migrate")
    process = callsieve.start("import", "calls", file)
    wait_until(lambda: calls_in(callsieve) > 500)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert 0 < calls_in(callsieve) < 4500
    callsieve.ok("import", "calls", file)
    assert checksum(callsieve.store) == imported(tmp_path / "whole", events)


def calls_in(callsieve: Program) -> int:
    with open_store(callsieve.store) as db:
        (count,) = db.execute("SELECT count(*) FROM outcome").fetchone()
    return int(count)


GOOD = '{"at": 1767258007, "type": "inbound", "call": "good", "caller": "+12017421834"}\n'


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        pytest.param(b"{nonsense\n", "line 2: JSON", id="malformed"),
        pytest.param(GOOD.replace("1767258007", "9" * 400).encode(), "line 2: Number out of range", id="huge-time"),
        pytest.param(GOOD.replace("good", "\\ud800").encode(), "line 2: ", id="half-a-character"),
        pytest.param(GOOD.replace("good", "x").encode().replace(b"x", b"\xff"), "line 2: ", id="not-utf-8"),
        pytest.param(b"{" + b"x" * 200_000 + b"\n", "line 2: is longer", id="long"),
    ],
)
def test_bad_line_alone_is_skipped_and_named(callsieve: Program, bad: bytes, says: str) -> None:
    content = GOOD.encode() + bad + GOOD.replace("good", "late").replace("007", "001").encode()
    result = callsieve("import", "calls", callsieve.file("h.jsonl", content))
    assert (result.code, result.out[:19]) == (0, "Learnt from 2 calls")
    assert says in result.err
    assert len(result.err.splitlines()) == 1


def test_file_without_a_good_line_changes_nothing(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    before = dump(callsieve)
    problem = callsieve.fails("import", "calls", callsieve.file("h.jsonl", "{}\n" * 3))
    assert "line 1: " in problem
    assert dump(callsieve) == before


def dump(callsieve: Program) -> list[str]:
    """Return the store's contents without the audit, which records the attempt."""
    with closing(sqlite3.connect(callsieve.store)) as db:
        return [line for line in db.iterdump() if "audit" not in line and "sqlite_sequence" not in line]


CDRS = (
    "calldate,src,dst,channel,dstchannel,duration,billsec,disposition,uniqueid\n"
    "2026-01-01 09:00:07,2017421834,442071838750,PJSIP/carrier-01,PJSIP/201-02,50,40,ANSWERED,1767258007.1\n"
)


@pytest.mark.parametrize(("first", "line"), [(GOOD, 2), (CDRS, 3)], ids=["json", "cdr"])
def test_endless_line_needs_little_memory(callsieve: Program, first: str, line: int) -> None:
    file = callsieve.folder / "endless"
    with file.open("wb") as stream:
        stream.write(first.encode() + b'{"at": "')
        stream.seek(1 << 27)  # the file system keeps a hole: 128 MB of zeros
        stream.write(b'"}\n')
    end = ended(callsieve.start("import", "calls", file))
    assert end.code == 0
    assert end.err.startswith(f"callsieve: skipped line {line}: ")
    assert 0 < end.peak_kilobytes < 120_000


def test_gzip_file_is_imported(callsieve: Program) -> None:
    lines = "".join(history(200)).encode()
    callsieve.ok("import", "calls", callsieve.file("packed.jsonl.gz", gzip.compress(lines)))
    again = callsieve.ok("import", "calls", callsieve.file("plain.jsonl", lines))
    assert again.startswith("Learnt from 0 calls")
    cut = callsieve.file("cut.jsonl.gz", gzip.compress(lines)[:-20])
    assert "damaged or truncated" in callsieve.fails("import", "calls", cut)
    database = callsieve.file("cdr.db.gz", gzip.compress(callsieve.store.read_bytes()))
    assert "gunzip" in callsieve.fails("import", "calls", database)


def test_dry_run_counts_like_the_real_run(callsieve: Program) -> None:
    """Also if some calls are known already."""
    events = history(600)
    callsieve.ok("import", "calls", callsieve.file("known.jsonl", "".join(events[:400])))
    file = callsieve.file("all.jsonl", "".join(events))
    before = dump(callsieve)
    would = counts_of(callsieve("import", "calls", file, "--dry-run", "--json"))
    assert dump(callsieve) == before
    assert would == counts_of(callsieve("import", "calls", file, "--json"))
    assert min(would["known"], would["new"], would["signals"]) > 0
    again = counts_of(callsieve("import", "calls", file, "--dry-run", "--json"))
    assert (again["new"], again["known"]) == (0, would["known"] + would["new"])


def counts_of(result: Result) -> dict[str, int]:
    assert result.code == 0, result.err
    return {name: result.json[name] for name in ("read", "skipped", "new", "known", "signals", "marks")}
