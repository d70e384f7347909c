"""`callsieve calls`: decisions from the journal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from callsieve.calls.cli.outbound import show_one
from callsieve.calls.disputes import Disputes, decided_since, disputes_of
from callsieve.calls.records import caller_words, decision_as_json, ended_words, evidence_of, points_of
from callsieve.calls.spoken_names import has_sound, of_decisions
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, number_argument, print_json, settings_of
from callsieve.cli.output import Cell, bold, dim, is_wide, lines, ordered, print_pairs, print_table, say, word
from callsieve.settings import Loaded
from callsieve.text.number_entry import EntryError, number_from
from callsieve.text.times import when, when_exactly
from policies.reasons import is_of_sample, why_of
from reputation.explaining import sentence_of_families
from reputation.ids import parse_id
from reputation.model import DecisionRecord
from reputation.store.calls import Ending, ending_of
from reputation.store.journal import decision_of, decisions
from reputation.store.outbound import outbound_decision_of

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
        endings = [ending_of(db, one.linkedid) for one in records] if as_json or record is not None else []
    if as_json:
        found = [{**decision_as_json(one), **ending._asdict()} for one, ending in zip(records, endings, strict=True)]
        print_json(found if record is None else found[0])
    elif record is not None:
        spoken = of_decisions(loaded.state, [record.id])
        said = ["nothing"] if spoken and not has_sound(spoken) else list(map(str, spoken))
        _show_one(record, endings[0], list(decided_since(disputes, record.at)), said)
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


def _show_one(record: DecisionRecord, ending: Ending, since: Sequence[str], said: Sequence[str]) -> None:
    """`since`: what people here have decided about the caller after that.

    `said`: the recordings of the caller's name, or that there was nothing to be heard.
    """
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
            ("challenge", WORDS_BY_RESULT[ending.challenge] if ending.challenge else ""),
            ("ended", ended_words(ending.outcome) if ending.outcome else "not known, or not over yet"),
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
        for family in evidence.families
    ]
    return [
        ("evidence", lines(said) or "none"),
        ("because", sentence_of_families(evidence.families)),
        ("witnesses", lines(evidence.account)),
        ("would change", lines([f"{what}: {level}" for what, level in evidence.changes])),
        ("appeal", f"{evidence.appeal} was in force" if evidence.appeal else ""),
    ]
