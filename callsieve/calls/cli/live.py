"""`callsieve calls search` and `tail`: each call, its decision and how it ended, found or as it happens."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.text import Text

from callsieve.calls.records import CallDecision, caller_words, decision_shown, ended_words, kind_word, wanted_of
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
from callsieve.cli.output import dim, ordered, say
from callsieve.text.times import when, when_exactly
from policies.reasons import why_of
from reputation.encoding import encode
from reputation.model import DecisionRecord
from reputation.outcome import OutcomeRecord
from reputation.store.audit import AuditRow, audit_rows
from reputation.store.calls import find_calls
from reputation.store.journal import decision_of, decisions
from reputation.store.outcomes import outcomes

LOOK_SECONDS = 0.5
LONGEST_CALL_SECONDS = 4 * 3600.0  # an outcome is dated by its start: this far back a call may have begun
MOST_AT_ONCE = 1000
PHONE = "phone "  # so begins, in the audit, who spoke by a feature code


def search(
    number: Annotated[
        str | None, typer.Option("--number", metavar="NUMBER", help="Of the caller.", show_default=False)
    ] = None,
    callee: Annotated[str | None, typer.Option("--callee", help="An extension.", show_default=False)] = None,
    did: Annotated[str | None, typer.Option("--did", help="The number dialled.", show_default=False)] = None,
    action: Annotated[
        str | None,
        typer.Option("--action", help="Ordered, or would be.", show_default=False),
    ] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="That decided.", show_default=False)] = None,
    since: Annotated[str | None, typer.Option("--since", help="1h, 2d, 18:00, 2026-12-31.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option("--until", help="The same.", show_default=False)] = None,
    site: Annotated[
        str | None, typer.Option("--site", help="Another site's, at a central one.", show_default=False)
    ] = None,
    last: Annotated[int, typer.Option(min=1, max=MOST_AT_ONCE, help="How many, the latest first.")] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find calls: what was decided about them and how they ended."""
    loaded = settings_of(config)
    caller = number_option("--number", number, loaded)  # an empty one is a slip, not every number
    typed = {"number": caller, "callee": callee, "did": did, "action": action, "rule": rule}
    wanted = wanted_of(context_of(loaded), typed | {"since": since, "until": until, "site": site})
    with existing_store(loaded) as db:
        records = (decision_of(db, call.id) for call in find_calls(db, wanted, None, last))
        found = [decision_shown(db, one) for one in records if one is not None]
    if as_json:
        print_json(found)
    elif not found:
        say("No call matches.")
    for one in found if not as_json else ():
        say(when(one.record.at), *_decided(one.record))
        if one.outcome is not None:
            say("    ", ended_words(one.outcome))


def tail(
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", min=0.1, help="End after so long; else with Ctrl-C.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show calls as they happen: a line when one is decided, when it ends, and when a phone says something about a
    caller by a feature code or a key.
    """
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        for event in _as_they_happen(db, time.time(), seconds):
            _print_json_line(db, event) if as_json else _print_line(event)


def _as_they_happen(
    db: sqlite3.Connection, began: float, seconds: float | None
) -> Iterator[DecisionRecord | OutcomeRecord | AuditRow]:
    """Decisions, outcomes and what phones have said that come into the store from now on."""

    def look() -> list[tuple[object, DecisionRecord | OutcomeRecord | AuditRow]]:
        """Each with what it is known by, the earliest of a kind first."""
        since = time.time() - LONGEST_CALL_SECONDS
        decided = decisions(db, since=began - 60, limit=MOST_AT_ONCE)
        ended = outcomes(db, since=since, limit=MOST_AT_ONCE)
        said = audit_rows(db, limit=MOST_AT_ONCE)
        return [
            *((one.id, one) for one in reversed(decided)),
            *((one.linkedid, one) for one in reversed(ended) if not _is_feature_code(one)),
            *((one, one) for one in reversed(said) if one.who.startswith(PHONE)),
        ]

    seen = {key for key, _ in look()}
    while seconds is None or time.time() < began + seconds:
        time.sleep(LOOK_SECONDS)
        for key, event in look():
            if key not in seen:
                seen.add(key)
                yield event


def _is_feature_code(one: OutcomeRecord) -> bool:
    """A phone that dialled a code: what it said stands in the audit."""
    return one.direction.value == "internal" and (one.dialled or "").startswith("*")


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Something that happened to a call: one of the three.

    Attributes:
        decision: It was decided about.
        outcome: It ended.
        said: A phone said something about its caller.
    """

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
        say(when_exactly(event.at)[11:19], *_decided(event))
    elif isinstance(event, OutcomeRecord):
        who = event.number or kind_word(event.caller_kind)
        about = f"  {(event.decision_id or '').ljust(8)}  {who}  "
        say(when_exactly(event.ended_at)[11:19], about, ended_words(event))
    else:
        about = f"            {event.who}: {event.what} {event.number or event.name}  "
        say(when_exactly(event.at)[11:19], about, str(change_of(event)))


def _decided(one: DecisionRecord) -> tuple[str | Text, ...]:
    to = f" to {one.callee or one.did}" if one.callee or one.did else ""
    about = f"  {one.id}  {caller_words(one)}{to}  "
    return (about, ordered(one.action, one.would_be), f" by {one.rule}", dim(f"  {why_of(one.reason)}"))
