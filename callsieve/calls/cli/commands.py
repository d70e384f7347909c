"""`callsieve calls`: decisions from the journal."""

from __future__ import annotations

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
    existing_store,
    number_argument,
    perform,
    print_json,
    settings_of,
)
from callsieve.cli.output import (
    Cell,
    bold,
    dim,
    is_wide,
    lines,
    ordered,
    plural,
    print_pairs,
    print_table,
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
from policies.reasons import OutboundReason, is_of_sample, why_of
from reputation.encoding import FLAT
from reputation.explaining import sentence_of_families
from reputation.model import DecisionRecord
from reputation.own.outbound_types import OutboundRecord
from reputation.site_names import parse_id
from reputation.store.audit import Change
from reputation.store.journal import decision_of, decisions
from reputation.store.outbound import outbound_decision_of
from reputation.store.tables.table import OUTCOME_DAYS
from reputation.weights import DAY_SECONDS

COLOUR_BY_PASSAGE = {"allow": "green", "hold": "yellow", "refuse": "red"}
# What is said of a call that went out by default.
TOLD_THOUGH_ALLOWED = (OutboundReason.ADVISED_AGAINST, OutboundReason.OLD_REGISTER)


@dataclass(frozen=True, slots=True)
class OutboundJournalRow:
    """A decision of the outbound guard.

    Attributes:
        reason: Why, in English.
        reason_code: Why, for programs.
    """

    record: Annotated[OutboundRecord, FLAT]
    reason: str
    reason_code: str


def outbound_shown(record: OutboundRecord) -> OutboundJournalRow:
    """Return a decision of the outbound guard, ready to be written."""
    why = why_of(record.reason)
    return OutboundJournalRow(record, str(why), why.code)


def show_one(record: OutboundRecord, *, as_json: bool) -> None:
    """One decision with all that is kept of it."""
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
            ("better from", when(record.until) if record.until else ""),
            ("to", callee_words(record)),
            ("from", record.own_number or ""),
            ("by", record.person or ""),
            ("linkedid", record.linkedid),
            ("took", f"{record.elapsed_ms:.1f} ms"),
        ]
    )


def callee_words(record: OutboundRecord) -> str:
    """Whom the call is to, as far as it is kept."""
    return record.callee or ("emergency" if record.rule == "emergency" else "no number")


def rule_words(record: OutboundRecord) -> str:
    """The rule and its reason; nothing where nothing speaks against the call."""
    if record.rule == "default" and why_of(record.reason).reason not in TOLD_THOUGH_ALLOWED:
        return ""
    return f"{record.rule}: {why_of(record.reason)}" + (
        f"; better from {when(record.until)} on" if record.until else ""
    )


def passage_words(action: str, would_be: str) -> Text:
    """What was done; in brackets what would have been done where the guard only observed."""
    word = Text(would_be, style=COLOUR_BY_PASSAGE.get(would_be, ""))
    return word if action == would_be else Text.assemble("(", word, ")")


MOST_SHOWN = 100_000
# What the caller did when challenged, by ChallengeResult.
WORDS_BY_RESULT = {
    "passed": "passed",
    "wrong": "pressed another key",
    "silent": "pressed nothing",
    "abandoned": "hung up before an answer",
    "message": "did not pass, and left a message",
}


def show(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[ID|NUMBER]", help="One decision, or those about one caller.", show_default=False),
    ] = None,
    last: Annotated[int, typer.Option(min=1, max=MOST_SHOWN, help="How many, the latest first.")] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show decisions: the latest, those about a caller, or one with all that is recorded of it; also one about a call
    that went out.
    """
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        wanted = None if what is None else parse_id(what)
        if wanted is not None and (going_out := outbound_decision_of(db, wanted)) is not None:
            show_one(going_out, as_json=as_json)
            return
        record = None if wanted is None else decision_of(db, wanted)
        caller = None if what is None or record is not None else _caller(what, loaded)
        disputes = disputes_of(db, record.caller) if record is not None and record.caller else Disputes()
        records = [record] if record is not None else decisions(db, caller=caller, limit=last)
        found = [decision_shown(db, one) for one in records] if as_json or record is not None else []
    if as_json:
        print_json(found if record is None else found[0])
    elif record is not None:
        spoken = of_decisions(loaded.state, [record.id])
        said = ["nothing"] if spoken and not has_sound(spoken) else list(map(str, spoken))
        _show_one(found[0], list(decided_since(disputes, record.at)), said)
    elif records:
        _show_table(records)
    else:
        say("No decisions yet." if caller is None else f"No decisions about {caller}.")


def _caller(text: str, loaded: Loaded) -> str:
    try:
        return number_from(text, loaded.settings.numbers.region)
    except EntryError:
        if re.search(r"[A-Za-z]", text):
            raise CommandError(
                f"there is no decision {text[:40]!r}, and it is no number: `callsieve calls show`"
            ) from None
    return number_argument(text, loaded)


def _show_table(records: Sequence[DecisionRecord]) -> None:
    wide = is_wide()
    rows: list[list[Cell]] = []
    for one in records:
        did, ms = ([one.did or ""], [f"{one.elapsed_ms:.1f}"]) if wide else ([], [])
        at = when(one.at) if wide else when(one.at)[len("2026-") :]
        points = f"{points_of(one):+d}" if one.log_odds else ""
        caller = caller_words(one)
        action = ordered(one.action, one.would_be).append("*" if is_of_sample(one.reason) else "")
        rows.append([at, one.id, caller, *did, action, one.rule, points, *ms])
    headings = [
        "time",
        "id",
        "caller",
        *(["DID"] if wide else []),
        "action",
        "rule",
        "points",
        *(["ms"] if wide else []),
    ]
    print_table(headings, rows, keep=[place for place, heading in enumerate(headings) if heading != "rule"])
    if any(one.observed for one in records):
        say(dim("(In brackets: only observed, the call went on.)"))
    if any(is_of_sample(one.reason) for one in records):
        say(dim("(*: left without its warning on purpose, as one of the control sample.)"))


def _show_one(found: CallDecision, since: Sequence[str], said: Sequence[str]) -> None:
    """`since`: what people here have decided about the caller after that.

    `said`: the recordings of the caller's name, or that there was nothing to be heard.
    """
    record = found.record
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
            ("caller", caller_words(record)),
            ("signed", record.auth_class.value),
            ("DID", record.did or ""),
            ("trunk", record.trunk or ""),
            ("callee", record.callee or ""),
            ("level", f"{record.level}, {points_of(record):+d} points (log-odds {record.log_odds:+.2f})"),
            ("challenge", WORDS_BY_RESULT[found.challenge] if found.challenge else ""),
            ("ended", ended_words(found.outcome) if found.outcome else "not known, or not over yet"),
            *_evidence(record),
            ("since then", lines(since)),
            ("caller said", lines(said)),
            ("linkedid", record.linkedid),
            ("took", f"{record.elapsed_ms:.1f} ms"),
        ]
    )


def _evidence(record: DecisionRecord) -> list[tuple[str, str | Text]]:
    """The families of the evidence vector, what they say in words, and what would change it."""
    evidence = evidence_of(record)
    if evidence is None:
        return [("evidence", record.vector)]
    said = [
        f"{family.name} {family.log_odds:+.2f}: "
        + ", ".join(f"{count} {what}" for what, count in family.counts if count)
        for family in evidence.known
    ]
    return [
        ("evidence", lines(said) or "none"),
        ("because", sentence_of_families(evidence.known)),
        ("witnesses", lines(evidence.account(level_of(record.level)))),
        ("would change", lines([f"{one.words}: {one.level.word}" for one in evidence.would_change])),
        ("appeal", f"{evidence.appeal} was in force" if evidence.appeal else ""),
    ]


PRIVATE = 0o600  # numbers are personal data


def confirm(number: NumberArgument, config: ConfigOption = None) -> None:
    """Say that the calls of a number were treated rightly: they are no longer listed as probably wrong."""
    confirmed = perform(settings_of(config), operations.confirm, number, existing=True)
    say(f"The calls of {confirmed.number} until now are no longer listed as probably wrong.")
    say_undo(confirmed.change_id, config)


def export(
    days: Annotated[
        int | None, typer.Option(min=1, metavar="DAYS", help="Only the last days; else all that is kept.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there; else standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Print the calls and marks of the store as a history, a line each, in time order; `replay` decides about it."""
    loaded = settings_of(config)
    now = time.time()
    since = 0.0 if days is None else now - days * DAY_SECONDS
    with existing_store(loaded) as db:
        if out is not None:
            with acting_for(out):
                if out.exists():
                    raise CommandError(f"{out}: there is a file of this name: choose another, or remove it")
        note(db, context_of(loaded), Change("calls export"))  # without the row in the audit there is no file
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
            write(line_of_event(event).decode())
            count += 1
    return count
