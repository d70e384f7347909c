"""`callsieve calls search` and `tail`: find calls with decision and outcome, or show them as they happen."""

import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.text import Text

from callsieve.calls.history import CallLine, call_lines
from callsieve.calls.records import (
    CallDecision,
    caller_words,
    decision_shown,
    ended_words,
    kind_word,
    points_of,
    wanted_of,
)
from callsieve.changes.describe import change_of
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    context_of,
    escaped,
    existing_store,
    number_option,
    print_json,
    settings_of,
)
from callsieve.cli.output import Cell, dim, is_wide, ordered, print_table, say
from callsieve.text.times import when, when_exactly
from policies.reasons import is_of_sample, why_of
from reputation.encoding import encode
from reputation.model import DecisionRecord
from reputation.outcome import OutcomeRecord
from reputation.store.audit import AuditRow, audit_rows
from reputation.store.calls import find_calls
from reputation.store.journal import decision_of, decisions
from reputation.store.outcomes import outcomes

HEADINGS = ("time", "id", "caller", "for", "action", "ended")
WIDE_HEADINGS = ("rule", "points", "ms")
KEPT = (0, 1, 2, 4)
YEAR = len("2026-")


def print_calls(calls: Sequence[CallLine], records: Sequence[DecisionRecord], below: Sequence[str] = ()) -> None:
    """Print a row for each call. `records`: the decisions about these calls. `below`: a remark below each row."""
    wide = is_wide()
    rows: list[list[Cell]] = []
    for line, record in zip(calls, records, strict=True):
        action = ordered(record.action, record.would_be).append("*" if is_of_sample(record.reason) else "")
        at = when(record.at) if wide else when(record.at)[YEAR:]
        ended = str(line.happened if wide else line.ending)
        rows.append([at, record.id, caller_words(record), line.callee, action, ended])
        if wide:
            points = f"{points_of(record):+d}" if record.log_odds else ""
            rows[-1] += [record.rule, points, f"{record.elapsed_ms:.1f}"]
    headings = (*HEADINGS, *(WIDE_HEADINGS if wide else ()))
    print_table(headings, rows, keep=(*KEPT, *range(len(HEADINGS), len(headings))), below=below)
    if any(record.observed for record in records):
        say(dim("(Actions in brackets were only observed: the calls went on.)"))
    if any(is_of_sample(record.reason) for record in records):
        say(dim("(*: the call is in the control sample, so the warning was left out on purpose.)"))


POLL_SECONDS = 0.5
LONGEST_CALL_SECONDS = 4 * 3600.0  # an outcome has the time of its start, which may be this long ago
MOST_AT_ONCE = 1000
PHONE = "phone "  # the beginning of `who` in the audit for feature codes


def search(
    number: Annotated[
        str | None, typer.Option("--number", metavar="NUMBER", help="Number of the caller.", show_default=False)
    ] = None,
    callee: Annotated[str | None, typer.Option("--callee", help="Extension of the callee.", show_default=False)] = None,
    did: Annotated[
        str | None, typer.Option("--did", help="The DID that the caller dialled.", show_default=False)
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(
            "--action", help="The action taken, or the action that would have been taken.", show_default=False
        ),
    ] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="The rule that decided.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Earliest time: 1h, 2d, 18:00, 2026-12-31.", show_default=False)
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Latest time, written as for --since.", show_default=False)
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(
            "--site", help="Only calls of the site with this name. Useful on a central console.", show_default=False
        ),
    ] = None,
    last: Annotated[int, typer.Option(min=1, max=MOST_AT_ONCE, help="How many calls to show, the latest first.")] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find calls with their decisions and outcomes."""
    loaded = settings_of(config)
    caller = number_option("--number", number, loaded)  # an empty value is a mistake, not every number
    typed = {"number": caller, "callee": callee, "did": did, "action": action, "rule": rule}
    wanted = wanted_of(context_of(loaded), typed | {"since": since, "until": until, "site": site})
    with existing_store(loaded) as db:
        lines = call_lines(db, loaded.settings, find_calls(db, wanted, None, last), time.time())
        decided = ((line, decision_of(db, line.call.id)) for line in lines)
        calls = [(line, decision_shown(db, record)) for line, record in decided if record is not None]
    if as_json:
        print_json([call for _, call in calls])
    elif calls:
        remarks = [_remark(line, call) for line, call in calls]
        print_calls([line for line, _ in calls], [call.record for _, call in calls], remarks)
    else:
        say("No call matches.")


def _remark(line: CallLine, call: CallDecision) -> str:
    rule = call.record.rule
    reason = f"{rule}: {why_of(call.record.reason)}" if line.has_reason else ""
    ended = ended_words(call.outcome) if call.outcome else ""
    return ". ".join(filter(None, (line.caller.name if line.caller else "", reason, ended)))


def tail(
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", min=0.1, help="Stop after this time. Default: run until Ctrl-C.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show calls as they happen: decisions, outcomes, and marks that people make with feature codes or phone keys."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        for event in _as_they_happen(db, time.time(), seconds):
            _print_json_line(db, event) if as_json else _print_line(event)


def _as_they_happen(
    db: sqlite3.Connection, began: float, seconds: float | None
) -> Iterator[DecisionRecord | OutcomeRecord | AuditRow]:
    def read() -> list[tuple[object, DecisionRecord | OutcomeRecord | AuditRow]]:
        since = time.time() - LONGEST_CALL_SECONDS
        decided = decisions(db, since=began - 60, limit=MOST_AT_ONCE)
        ended = outcomes(db, since=since, limit=MOST_AT_ONCE)
        changes = audit_rows(db, limit=MOST_AT_ONCE)
        return [
            *((decision.id, decision) for decision in reversed(decided)),
            *((outcome.linkedid, outcome) for outcome in reversed(ended) if not _is_feature_code(outcome)),
            *((row, row) for row in reversed(changes) if row.who.startswith(PHONE)),
        ]

    seen = {key for key, _ in read()}
    while seconds is None or time.time() < began + seconds:
        time.sleep(POLL_SECONDS)
        for key, event in read():
            if key not in seen:
                seen.add(key)
                yield event


def _is_feature_code(outcome: OutcomeRecord) -> bool:
    # A phone that dials a feature code is shown from the audit instead.
    return outcome.direction.value == "internal" and (outcome.dialled or "").startswith("*")


@dataclass(frozen=True, slots=True)
class CallEvent:
    """A line that `calls tail` prints. Exactly one field is set. `said`: a mark or another change made on a phone."""

    decision: CallDecision | None = None
    outcome: OutcomeRecord | None = None
    said: AuditRow | None = None


def _print_json_line(db: sqlite3.Connection, event: DecisionRecord | OutcomeRecord | AuditRow) -> None:
    if isinstance(event, DecisionRecord):
        row = CallEvent(decision=decision_shown(db, event))
    else:
        row = CallEvent(outcome=event) if isinstance(event, OutcomeRecord) else CallEvent(said=event)
    sys.stdout.write(escaped(encode(row).decode()) + "\n")
    sys.stdout.flush()


def _print_line(event: DecisionRecord | OutcomeRecord | AuditRow) -> None:
    if isinstance(event, DecisionRecord):
        say(when_exactly(event.at)[11:19], *_decision_words(event))
    elif isinstance(event, OutcomeRecord):
        who = event.number or kind_word(event.caller_kind)
        about = f"  {(event.decision_id or '').ljust(8)}  {who}  "
        say(when_exactly(event.ended_at)[11:19], about, ended_words(event))
    else:
        about = f"            {event.who}: {event.what} {event.number or event.name}  "
        say(when_exactly(event.at)[11:19], about, str(change_of(event)))


def _decision_words(record: DecisionRecord) -> tuple[str | Text, ...]:
    to = f" to {record.callee or record.did}" if record.callee or record.did else ""
    about = f"  {record.id}  {caller_words(record)}{to}  "
    return (about, ordered(record.action, record.would_be), f" by {record.rule}", dim(f"  {why_of(record.reason)}"))
