"""`callsieve calls`: show, confirm and export the decisions in the journal."""

import re
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from callsieve.calls import operations
from callsieve.calls.cli.live import print_calls
from callsieve.calls.history import CallLine, call_lines
from callsieve.calls.records import (
    CallDecision,
    Disputes,
    caller_words,
    decided_since,
    decision_shown,
    disputes_of,
    ended_words,
    evidence_of,
    level_of,
    points_of,
)
from callsieve.calls.spoken_names import has_sound, of_decisions
from callsieve.changes.operation import note
from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    NumberArgument,
    context_of,
    escaped,
    existing_store,
    number_argument,
    perform,
    print_json,
    settings_of,
)
from callsieve.cli.output import (
    bold,
    lines,
    plural,
    print_pairs,
    say,
    say_undo,
    word,
)
from callsieve.replay.history_file import at_of
from callsieve.replay.history_writer import line_of_event
from callsieve.replay.store_history import events_of_store
from callsieve.settings import Loaded
from callsieve.system.files import complete_file
from callsieve.system.privileges import acting_for
from callsieve.text.number_entry import EntryError, number_from
from callsieve.text.times import when, when_exactly
from policies.reasons import OutboundReason, why_of
from reputation.encoding import FLAT
from reputation.explaining import sentence_of_families
from reputation.model import DecisionRecord
from reputation.own.outbound_types import OutboundRecord
from reputation.site_names import parse_id
from reputation.store.audit import Change
from reputation.store.calls import COMMON_ACTION, calls_of_ids
from reputation.store.journal import decision_of, decisions
from reputation.store.outbound import outbound_decision_of
from reputation.store.tables.table import OUTCOME_DAYS
from reputation.weights import DAY_SECONDS

COLOUR_BY_PASSAGE = {"allow": "green", "hold": "yellow", "refuse": "red"}
# Reasons that are shown even though the call was allowed by default.
SHOWN_THOUGH_ALLOWED = (OutboundReason.ADVISED_AGAINST, OutboundReason.OLD_REGISTER)


@dataclass(frozen=True, slots=True)
class OutboundJournalRow:
    """A decision of the outbound guard. `reason`: the reason in English. `reason_code`: the same reason as a code."""

    record: Annotated[OutboundRecord, FLAT]
    reason: str
    reason_code: str


def outbound_shown(record: OutboundRecord) -> OutboundJournalRow:
    """Return a decision of the outbound guard as a value for JSON."""
    why = why_of(record.reason)
    return OutboundJournalRow(record, str(why), why.code)


def show_one(record: OutboundRecord, *, as_json: bool) -> None:
    """Print one decision of the outbound guard with all its details."""
    if as_json:
        print_json(outbound_shown(record))
        return
    say(bold(record.id), "  ", when_exactly(record.at), "  an outbound call")
    say()
    observed = record.would_be != record.action
    print_pairs(
        [
            ("action", record.action),
            ("would be", f"{record.would_be} (the guard only observes)" if observed else ""),
            ("rule", record.rule),
            ("reason", str(why_of(record.reason))),
            ("allowed from", when(record.until) if record.until else ""),
            ("to", callee_words(record)),
            ("from", record.own_number or ""),
            ("by", record.person or ""),
            ("linkedid", record.linkedid),
            ("took", f"{record.elapsed_ms:.1f} ms"),
        ]
    )


def callee_words(record: OutboundRecord) -> str:
    """Return the called number, or a word such as `emergency` if the number is not stored."""
    return record.callee or ("emergency" if record.rule == "emergency" else "no number")


def rule_words(record: OutboundRecord) -> str:
    """Return the rule and the reason of a decision; empty if the default rule allowed the call in the usual way."""
    if record.rule == "default" and why_of(record.reason).reason not in SHOWN_THOUGH_ALLOWED:
        return ""
    return f"{record.rule}: {why_of(record.reason)}" + (f"; allowed from {when(record.until)}" if record.until else "")


def passage_words(action: str, would_be: str) -> Text:
    """Return the action. If the outbound guard only observed, return the would-be action in brackets instead."""
    word = Text(would_be, style=COLOUR_BY_PASSAGE.get(would_be, ""))
    return word if action == would_be else Text.assemble("(", word, ")")


MOST_SHOWN = 100_000
# The words for each ChallengeResult.
WORDS_BY_RESULT = {
    "passed": "passed",
    "wrong": "pressed another key",
    "silent": "pressed nothing",
    "abandoned": "hung up before an answer",
    "message": "did not pass, and left a message",
    "robot": "gave a name with a robot's voice",
}


def show(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID|NUMBER]", help="The id of a decision, or the number of a caller.", show_default=False
        ),
    ] = None,
    last: Annotated[
        int, typer.Option(min=1, max=MOST_SHOWN, help="How many decisions to show, the latest first.")
    ] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the latest decisions, all decisions about a caller, or one decision in detail. Includes outgoing calls."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        wanted = None if what is None else parse_id(what)
        if wanted is not None and (outgoing := outbound_decision_of(db, wanted)) is not None:
            show_one(outgoing, as_json=as_json)
            return
        record = None if wanted is None else decision_of(db, wanted)
        caller = None if what is None or record is not None else _caller(what, loaded)
        disputes = disputes_of(db, record.caller) if record is not None and record.caller else Disputes()
        records = [record] if record is not None else decisions(db, caller=caller, limit=last)
        shown = [decision_shown(db, row) for row in records] if as_json or record is not None else []
        calls = calls_of_ids(db, [row.id for row in records]) if not as_json else []
        named = call_lines(db, loaded.settings, calls, time.time())
    if as_json:
        print_json(shown if record is None else shown[0])
    elif record is not None:
        spoken = of_decisions(loaded.state, [record.id])
        recordings = ["nothing"] if spoken and not has_sound(spoken) else list(map(str, spoken))
        _show_one(shown[0], named[0], list(decided_since(disputes, record.at)), recordings)
    elif records:
        reasons = ["" if row.would_be == COMMON_ACTION else str(why_of(row.reason)) for row in records]
        print_calls(named, records, () if caller is None else reasons)
    else:
        say("No decisions yet." if caller is None else f"No decisions about {caller}.")


def _caller(text: str, loaded: Loaded) -> str:
    try:
        return number_from(text, loaded.settings.numbers.region)
    except EntryError:
        if re.search(r"[A-Za-z]", text):
            raise CommandError(
                f"{text[:40]!r} is neither the id of a decision nor a number: `callsieve calls show` lists decisions"
            ) from None
    return number_argument(text, loaded)


def _show_one(decision: CallDecision, named: CallLine, since: Sequence[str], recordings: Sequence[str]) -> None:
    """Print a decision. `since`: what people decided about the number later. `recordings`: of the caller's name."""
    record = decision.record
    say(bold(record.id), "  ", when_exactly(record.at))
    say()
    observed = record.observed
    print_pairs(
        [
            ("action", word(record.action)),
            ("would be", word(record.would_be) if observed else ""),
            ("rule", record.rule),
            ("reason", str(why_of(record.reason))),
            ("policy", f"{record.policy}{' (observes only)' if observed else ''}"),
            ("caller", f"{caller_words(record)}{f'  {named.caller.name}' if named.caller else ''}"),
            ("callee", _callee_words(decision, named)),
            ("signed", record.auth_class.value),
            ("DID", record.did or ""),
            ("trunk", record.trunk or ""),
            ("level", f"{record.level}, {points_of(record):+d} points (log-odds {record.log_odds:+.2f})"),
            ("challenge", WORDS_BY_RESULT[decision.challenge] if decision.challenge else ""),
            ("ended", ended_words(decision.outcome) if decision.outcome else "not known, or the call is not over yet"),
            *_evidence(record),
            ("later decisions", lines(since)),
            ("recognised words", "" if decision.words is None else decision.words or "nothing understood"),
            ("voice", decision.voice or ""),
            ("recordings", lines(recordings)),
            ("linkedid", record.linkedid),
            ("took", f"{record.elapsed_ms:.1f} ms"),
        ]
    )


def _callee_words(decision: CallDecision, named: CallLine) -> str:
    extension = decision.record.callee or (decision.outcome.answered_by if decision.outcome else None)
    return "" if extension is None else extension if named.callee == extension else f"{extension}  {named.callee}"


def _evidence(record: DecisionRecord) -> list[tuple[str, str | Text]]:
    evidence = evidence_of(record)
    if evidence is None:
        return [("evidence", record.vector)]
    families = [
        f"{family.name} {family.log_odds:+.2f}: "
        + ", ".join(f"{count} {what}" for what, count in family.counts if count)
        for family in evidence.known
    ]
    return [
        ("evidence", lines(families) or "none"),
        ("because", sentence_of_families(evidence.known)),
        ("witnesses", lines(evidence.account(level_of(record.level)))),
        ("would change", lines([f"{change.words}: {change.level.word}" for change in evidence.would_change])),
        ("appeal", f"{evidence.appeal} was in force: no rule could reject the call" if evidence.appeal else ""),
    ]


PRIVATE = 0o600  # numbers are personal data


def confirm(number: NumberArgument, config: ConfigOption = None) -> None:
    """Confirm that a number's calls until now were treated correctly. They no longer count as probable mistakes."""
    confirmed = perform(settings_of(config), operations.confirm, number, existing=True)
    say(f"The decisions about calls from {confirmed.number} until now are no longer listed as probably wrong.")
    say_undo(confirmed.change_id, config)


def export(
    days: Annotated[
        int | None, typer.Option(min=1, metavar="DAYS", help="Only the last DAYS days. Default: everything.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file. Default: standard output.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write the calls and marks in the store as input for `callsieve replay`, one per line, the oldest first."""
    loaded = settings_of(config)
    now = time.time()
    since = 0.0 if days is None else now - days * DAY_SECONDS
    with existing_store(loaded) as db:
        if out is not None:
            with acting_for(out):
                if out.exists():
                    raise CommandError(f"{out}: the file exists: choose another name, or remove it")
        note(db, context_of(loaded), Change("calls export"))  # first, so that no export is missing in the audit
        if out is None:
            _write(db, since, now, sys.stdout.write)
            return
        with complete_file(out, PRIVATE) as file:
            count = _write(db, since, now, lambda text: file.write(text.encode()))
    say(f"{out}: {plural(count, 'call and mark', 'calls and marks')}. Calls are kept for {OUTCOME_DAYS} days.")


def _write(db: sqlite3.Connection, since: float, until: float, write: Callable[[str], object]) -> int:
    count = 0
    for event in events_of_store(db, until):
        if at_of(event) >= since:
            write(escaped(line_of_event(event).decode()))
            count += 1
    return count
