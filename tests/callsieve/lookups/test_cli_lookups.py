"""`callsieve lookups`: what is shown of whom we ask, and switching a source off and on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from callsieve.lookups.process import measure
from lab.children import ends_with_us
from lab.programs import COMMAND_LINE
from reputation.model import Verdict
from reputation.store.database import open_store
from reputation.store.imports import Feed, import_numbers
from reputation.store.journal import record_decisions
from reputation.store.lookups import (
    DailyLimits,
    StoredAnswer,
    record_answer,
    record_failure,
    replace_sources,
    reserve,
    source_state,
)
from reputation.store.marks import add_mark
from reputation.store.transaction import transaction
from tests.callsieve.program import Program, make_record
from tests.office import ROOT, SETTINGS
from tests.reputation.store_builders import make_mark
from tests.waiting import wait_until

NOW = 1_790_000_000.0
LOOKUPS = """
[[lookup]]
name = "phoneblock"
kind = "phoneblock"
token = "env:PHONEBLOCK_TOKEN"
[[lookup]]
name = "scores"
kind = "http"
url = "https://api.example.com/{digits}"
send = "number"
consent = true
spam_when = ["score > 75"]
cost = 0.5
daily_spend = 100.0
"""


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    program = Program(tmp_path, SETTINGS + LOOKUPS)
    program.ok("db", "migrate")
    program.write(replace_sources, {"phoneblock": False, "scores": True})
    return program


def ask_about(callsieve: Program, source: str, spam: int, fine: int) -> None:
    """The source calls all of these numbers spam; so many are."""
    now = time.time()
    with open_store(callsieve.store) as db:
        for n in range(spam + fine):
            number = f"+1201742{n:04}"
            reserve(db, source, now, DailyLimits(999, 500_000))
            record_answer(db, number, StoredAnswer(source, "spam" if n % 40 else "nothing", None, now, now + 86_400))
            verdict = Verdict.SPAM if n < spam else Verdict.OK
            with transaction(db):
                add_mark(db, make_mark(number, at=now, verdict=verdict, reporter=f"{200 + n}"))
                record_decisions(db, [make_record(f"d{n}", at=now, caller=number, action="tag" if n % 2 else "allow")])
        record_failure(db, source, now, "timeout")


def shown(callsieve: Program, name: str) -> dict[str, Any]:
    return next(item for item in callsieve("lookups", "show", "--json").json if item["name"] == name)


def test_show_prints_usage_skill_and_effect_of_a_source(callsieve: Program) -> None:
    ask_about(callsieve, "scores", spam=8, fine=2)
    found = shown(callsieve, "scores")
    assert (found["on"], found["failure"]) == (True, "timeout")
    assert found["lately"] == {"asked": 10, "answered": 10, "failed": 1, "cost": 5.0}
    assert (found["skill"]["right"], found["skill"]["told"]) == (7, 9)
    assert (found["calls"], found["treated"], found["would_change"]) == (9, 5, 4)
    assert found["skill"]["judgement"] == "too_few_calls_to_tell"
    assert not shown(callsieve, "phoneblock")["is_outside"]
    text = callsieve.ok("lookups", "show")
    assert "7 of 9 (45-94 %)" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_commands_without_any_source(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.ok("db", "migrate")
    assert "look-ups" in program.ok("lookups", "show")
    assert program("lookups", "show", "--json").json == []
    refused = program("lookups", "serve")
    assert refused.code == 2
    assert "no [[lookup]]" in refused.err


def test_show_warns_if_the_daemon_has_not_read_the_settings(tmp_path: Path) -> None:
    program = Program(tmp_path, SETTINGS + LOOKUPS)
    program.ok("db", "migrate")
    assert "systemctl reload callsieve" in program.ok("lookups", "show")


def test_source_is_disabled_and_enabled(callsieve: Program) -> None:
    callsieve.ok("lookups", "disable", "scores")
    assert (shown(callsieve, "scores")["on"], shown(callsieve, "scores")["off_why"]["code"]) == (False, "by-hand")
    assert callsieve("lookups", "disable", "scores").code != 0
    callsieve.ok("lookups", "enable", "scores")
    assert shown(callsieve, "scores")["on"]
    rows = callsieve("audit", "--json").json
    assert [(row["what"], row["name"], row["who"]) for row in rows] == [
        ("lookups enable", "scores", "joe"),
        ("lookups disable", "scores", "joe"),
    ]


def test_disabling_a_source_is_undone(callsieve: Program) -> None:
    callsieve.ok("lookups", "disable", "scores")
    callsieve.ok("undo", str(callsieve("audit", "--json").json[0]["id"]))
    assert shown(callsieve, "scores")["on"]


def test_unknown_source_name_suggests_a_similar_one(callsieve: Program) -> None:
    refused = callsieve("lookups", "enable", "score")
    assert refused.code != 0
    assert "did you mean scores?" in refused.err


def test_source_worse_than_chance_is_switched_off(callsieve: Program) -> None:
    ask_about(callsieve, "scores", spam=20, fine=60)
    assert measure(callsieve.load()) == []  # it calls everybody spam: that is no worse
    with open_store(callsieve.store) as db, transaction(db):
        db.execute("UPDATE lookup_result SET verdict = 'nothing' WHERE number <= '+12017420019'")
    assert measure(callsieve.load()) == ["scores"]
    assert measure(callsieve.load()) == []
    found = shown(callsieve, "scores")
    assert (found["on"], found["off_why"]["code"]) == (False, "worse-than-chance")
    [row] = callsieve("audit", "--json").json
    assert (row["what"], row["who"]) == ("lookups disable", "look-ups")
    assert "worse than chance" in callsieve.ok("lookups", "show")
    callsieve.ok("lookups", "enable", "scores")
    state = callsieve.read(source_state, "scores")
    assert state is not None
    assert state.since > 0
    assert measure(callsieve.load()) == []  # measured anew
    assert shown(callsieve, "scores")["skill"]["told"] == 0


def test_the_process_starts_and_ends(callsieve: Program) -> None:
    command = (*ends_with_us(), sys.executable, "-m", COMMAND_LINE, "lookups", "serve")
    environment = {**callsieve.environment, "PHONEBLOCK_TOKEN": "s3cr3t"}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        wait_until((callsieve.state / "lookups.sock").exists)
        process.terminate()
        said = process.communicate(timeout=20)[1]
    assert process.returncode == 0
    assert "sources=phoneblock, scores" in said
    assert "s3cr3t" not in said
    assert not (callsieve.state / "lookups.sock").exists()


def test_second_process_names_the_running_one(callsieve: Program) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as first:
        first.bind(os.fspath(callsieve.state / "lookups.sock"))
        first.listen()
        assert "systemctl stop callsieve-lookups" in callsieve.fails("lookups", "serve")


def test_settings_are_read_again(callsieve: Program) -> None:
    log = callsieve.folder / "lookups.log"
    command = (*ends_with_us(), sys.executable, "-m", COMMAND_LINE, "lookups", "serve")
    with log.open("wb") as out, subprocess.Popen(command, env=callsieve.environment, cwd=ROOT, stderr=out) as process:
        wait_until(lambda: "sources=scores" in log.read_text())
        text = callsieve.config.read_text()
        callsieve.config.write_text(text.replace('"scores"', '"others"'))
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "sources=others" in log.read_text())
        callsieve.config.write_text("[[lookup]]\nname = 3\n")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "settings not reloaded" in log.read_text())
        assert (callsieve.state / "lookups.sock").exists()
        process.terminate()
    assert process.returncode == 0


def test_source_without_its_secret_is_skipped(callsieve: Program) -> None:
    command = (*ends_with_us(), sys.executable, "-m", COMMAND_LINE, "lookups", "serve")
    environment = {key: value for key, value in callsieve.environment.items() if key != "PHONEBLOCK_TOKEN"}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        wait_until((callsieve.state / "lookups.sock").exists)
        process.terminate()
        said = process.communicate(timeout=20)[1]
    assert "env:PHONEBLOCK_TOKEN" in said
    assert "sources=scores" in said
    assert os.fspath(callsieve.state) in said


def test_feeds_are_judged_and_shown_with_the_sources(callsieve: Program) -> None:
    numbers = [f"+1201742{n:04}" for n in range(1800, 1804)]
    now = time.time()
    with open_store(callsieve.store) as db:
        import_numbers(db, "ftc", "spam", [(n, None, None, None) for n in numbers], lambda: now, feed=Feed("CSV"))
        with transaction(db):
            for number in numbers[:3]:
                add_mark(db, make_mark(number, at=now))
            add_mark(db, make_mark(numbers[3], at=now, verdict=Verdict.OK))
    ftc, phoneblock, scores = callsieve("feeds", "--json").json
    skill = ftc["skill"]
    assert (ftc["name"], skill["right"], skill["told"]) == ("ftc", 3, 4)
    assert skill["judgement"] == "too_few_calls_to_tell"
    assert (phoneblock["kind"], scores["kind"]) == ("phoneblock", "http")
    text = callsieve.ok("feeds")
    assert "ftc was right about 3 of 4 (30-95 %)" in text
    assert "phoneblock  on" in text


WHEN_ONE_GOES_OFF = """
CREATE TRIGGER meanwhile AFTER UPDATE OF off_at ON lookup_source WHEN NEW.name = 'phoneblock'
 BEGIN UPDATE lookup_source SET off_at = NEW.off_at, off_why = '{"code": "by-hand"}' WHERE name = 'scores'; END
"""


def test_source_disabled_during_measuring_stays_disabled(callsieve: Program) -> None:
    """All are measured at the next hour again, whatever people do while it goes on."""
    for name in ("phoneblock", "scores"):
        ask_about(callsieve, name, spam=20, fine=60)
    with open_store(callsieve.store) as db, transaction(db):
        db.execute("UPDATE lookup_result SET verdict = 'nothing' WHERE number <= '+12017420019'")
        db.execute(WHEN_ONE_GOES_OFF)
    assert measure(callsieve.load()) == ["phoneblock"]
    assert shown(callsieve, "scores")["off_why"]["code"] == "by-hand"
