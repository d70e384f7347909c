"""A trial for the console: replay the last days with a draft and with the active policy.

    python -m callsieve.replay.trial

The trial runs as a separate process with low priority and bounded memory and time, because a replay takes seconds to
minutes of pure Python. The process reads one JSON object from standard input. It writes lines of JSON: `{"share": 0.4}`
as progress, and at the end `{"report": ...}` or `{"problem": "..."}`. It changes nothing. The replay begins with the
oldest event in the store, so that the first day is decided with the evidence of its time. Only the calls of the
requested days are counted.
"""

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
from callsieve.replay.report import ActionCounts, ChangedDecision
from callsieve.replay.store_history import events_of_store, known_in, replay_context
from callsieve.settings import Loaded, SettingsError, load_settings
from callsieve.wiring import policies_of
from policies.decision import ACTION_BY_WORD
from policies.loader import load_policy, parse_policy
from policies.policy import Policy, PolicyError, PolicySet
from reputation.encoding import plain
from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.weights import DAY_SECONDS

DRAFT = "draft"
NICE = 10  # added to the console's own
MOST_BYTES = 2 << 30
MOST_SECONDS = 300
MOST_EVENTS = 3_000_000
MOST_CHANGES = 5000
TELL_SECONDS = 0.2


class TrialRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A draft to try on the calls of the last `days` before `now`. `config`: the settings file, if there is one."""

    config: str | None
    state: str
    draft: str
    days: int
    now: float


class TrialError(Exception):
    """Raised if the draft cannot be tried. The text is one line with the reason."""


def trial_report(
    db: sqlite3.Connection, loaded: Loaded, request: TrialRequest, tell: Callable[[float], None]
) -> dict[str, Any]:
    """Run the trial and return its report as JSON values. `tell` is called with the finished share, 0 to 1."""
    running = policies_of(loaded)
    draft = PolicySet(draft_of(request.draft, loaded), running.scopes)
    since = request.now - request.days * DAY_SECONDS
    context = replay_context(db, loaded)
    replay = Replay([draft, running], context.ours, context.background_of)
    reading, tally, first_at = HistoryReader(), ActionCounts(most_changes=MOST_CHANGES), None
    began = reported_at = time.monotonic()
    for event, judged in judgements(events_of_store(db, request.now), replay, reading):
        reading.read += 1
        at = at_of(event)
        first_at = at if first_at is None else first_at
        if at >= since:
            tally.add(event, judged, replay)
        if time.monotonic() - reported_at > TELL_SECONDS:
            reported_at = time.monotonic()
            tell((at - first_at) / max(1.0, request.now - first_at))
        if reading.read >= MOST_EVENTS:
            raise TrialError(f"more than {MOST_EVENTS:,} calls and marks: use the command `callsieve replay` instead")
    if not tally.calls:
        raise TrialError("no inbound call of these days can be decided again: choose more days")
    names = [DRAFT, running_name(loaded)]
    report = tally.report(
        "store", names, replay, reading, known_in(replay, context.ours.own_numbers), (), time.monotonic() - began
    )
    wanted = {mistake.number for mistake in (*report.mistakes, *report.warned_mistakes)}
    # As values, so that the console can show them in the reader's language.
    reasons = {
        "reasons": [change.why.kept for change in report.changes.first],
        "looks_wrong": [change.number in wanted and _is_stricter(change) for change in report.changes.first],
        "at": [change.at for change in report.changes.first],
        "span": [report.first_at, report.last_at],
        "why": [mistake.why for mistake in report.mistakes],
        "why_warned": [mistake.why for mistake in report.warned_mistakes],
    }
    return {**plain(report), **reasons}


def _is_stricter(change: ChangedDecision) -> bool:
    return ACTION_BY_WORD[change.after] > ACTION_BY_WORD[change.before]


def draft_of(text: str, loaded: Loaded) -> Policy:
    """Parse the text of a draft. Raise PolicyError if the draft is invalid."""
    directories = loaded.policy_directories
    return parse_policy(text, DRAFT, DRAFT, lambda base: load_policy(base, directories))


def main() -> None:
    """Run one trial."""
    with suppress(OSError):
        os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=TrialRequest)
    try:
        loaded = load_settings(
            Path(request.config) if request.config else None, {**os.environ, "CALLSIEVE_STATE": request.state}
        )
        with open_store(loaded.store_path, migrated=False) as db:
            db.execute("PRAGMA query_only = ON")
            _write({"report": trial_report(db, loaded, request, lambda share: _write({"share": round(share, 3)}))})
    except (TrialError, PolicyError, SettingsError, StoreError) as error:
        _write({"problem": str(error)})
    except MemoryError:
        _write({"problem": f"the trial needs more than {MOST_BYTES >> 30} GB of memory: choose fewer days"})


def _write(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
