"""A draft over the last days, against the running policy: `python -m callsieve.replay.trial`, for the console.

A process of its own, behind all others and bounded in memory and time: a replay is seconds to minutes of pure Python.
It reads what is asked as one JSON object from standard input, and writes a line of JSON whenever it has come further,
`{"share": 0.4}`, and at the end `{"report": ...}` or `{"problem": "..."}`. Nothing is changed.

All that the store still has is learnt from, so that the first of the days is decided with what was known by then; only
the calls of the days asked for are counted.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from callsieve.policy_selection import running_name
from callsieve.replay.engine import Replay, judgements
from callsieve.replay.history_file import HistoryReader, at_of
from callsieve.replay.report import ActionCounts, ChangedDecision, report_as_json
from callsieve.replay.store_history import events_of_store, ground_of, known_in
from callsieve.settings import Loaded, SettingsError, load_settings
from callsieve.wiring import policies_of
from policies.decision import ACTION_BY_WORD
from policies.loader import load_policy, parse_policy
from policies.policy import Policy, PolicyError, PolicySet
from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.weights import DAY_SECONDS

DRAFT = "draft"
NICE = 10  # beside the console's own
MOST_BYTES = 2 << 30
MOST_SECONDS = 300
MOST_EVENTS = 3_000_000
MOST_CHANGES = 5000
TELL_SECONDS = 0.2


class TrialRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked: the draft's text, over how many days before `now`. `config` None: no settings file."""

    config: str | None
    state: str
    draft: str
    days: int
    now: float


class TrialError(Exception):
    """It cannot be done. One line that says why."""


def trial_report(
    db: sqlite3.Connection, loaded: Loaded, asked: TrialRequest, tell: Callable[[float], None]
) -> dict[str, Any]:
    """Return the report as JSON has it, with the reasons of its changes, and which of them look wrong.

    `tell` gets the share that is done.

    PolicyError for a draft that cannot be used.
    """
    running = policies_of(loaded)
    draft = PolicySet(draft_of(asked.draft, loaded), running.scopes)
    since = asked.now - asked.days * DAY_SECONDS
    ground = ground_of(db, loaded)
    replay = Replay([draft, running], ground.ours, ground.background_of)
    reading, tally, first_at = HistoryReader(), ActionCounts(most_changes=MOST_CHANGES), None
    began = told_at = time.monotonic()
    for event, judged in judgements(events_of_store(db, asked.now), replay, reading):
        reading.read += 1
        at = at_of(event)
        first_at = at if first_at is None else first_at
        if at >= since:
            tally.add(event, judged, replay)
        if time.monotonic() - told_at > TELL_SECONDS:
            told_at = time.monotonic()
            tell((at - first_at) / max(1.0, asked.now - first_at))
        if reading.read >= MOST_EVENTS:
            raise TrialError(f"more than {MOST_EVENTS:,} calls and marks: use `callsieve replay` for so many")
    if not tally.calls:
        raise TrialError("no inbound call of these days can be decided again")
    names = [DRAFT, running_name(loaded)]
    report = tally.report(
        "store", names, replay, reading, known_in(replay, ground.ours.own_numbers), (), time.monotonic() - began
    )
    wanted = {one.number for one in (*report.mistakes, *report.warned_mistakes)}
    # The console says the reasons in the reader's language.
    told = {
        "reasons": [change.reason.kept for change in report.first_changes],
        "looks_wrong": [change.number in wanted and _is_stricter(change) for change in report.first_changes],
        "why": [one.why for one in report.mistakes],
        "why_warned": [one.why for one in report.warned_mistakes],
    }
    return report_as_json(report) | told


def _is_stricter(change: ChangedDecision) -> bool:
    return ACTION_BY_WORD[change.after] > ACTION_BY_WORD[change.before]


def draft_of(text: str, loaded: Loaded) -> Policy:
    """The policy of a draft. PolicyError."""
    directories = loaded.policy_directories
    return parse_policy(text, DRAFT, DRAFT, lambda base: load_policy(base, directories))


def main() -> None:
    """One trial."""
    with suppress(OSError):
        os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=TrialRequest)
    try:
        loaded = load_settings(
            Path(asked.config) if asked.config else None, {**os.environ, "CALLSIEVE_STATE": asked.state}
        )
        with open_store(loaded.store_path, migrated=False) as db:
            db.execute("PRAGMA query_only = ON")
            _say({"report": trial_report(db, loaded, asked, lambda share: _say({"share": round(share, 3)}))})
    except (TrialError, PolicyError, SettingsError, StoreError) as error:
        _say({"problem": str(error)})
    except MemoryError:
        _say({"problem": f"more than {MOST_BYTES >> 30} GB of memory would be needed: take fewer days"})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
