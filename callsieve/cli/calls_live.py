"""`callsieve calls search` and `tail`: each call, its decision and how it ended, found or as it happens."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callsieve.cli.common import ConfigOption, JsonOption, existing_store, number_option, settings_of
from callsieve.cli.errors import CommandError

if TYPE_CHECKING:
    from rich.text import Text

    from reputation.model import DecisionRecord, OutcomeRecord

LOOK_SECONDS = 0.5
LONGEST_CALL_SECONDS = 4 * 3600.0  # an outcome is dated by its start: this far back a call may have begun
MOST_AT_ONCE = 1000


def add_to(group: typer.Typer) -> None:
    """Add `search` and `tail` to the group `calls`."""
    group.command("search")(search)
    group.command("tail")(tail)


def search(
    number: Annotated[
        str | None, typer.Option("--number", metavar="NUMBER", help="Of the caller.", show_default=False)
    ] = None,
    callee: Annotated[str | None, typer.Option("--callee", help="An extension.", show_default=False)] = None,
    did: Annotated[str | None, typer.Option("--did", help="The number dialled.", show_default=False)] = None,
    action: Annotated[str | None, typer.Option("--action", help="Ordered, or would be.", show_default=False)] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="That decided.", show_default=False)] = None,
    since: Annotated[str | None, typer.Option("--since", help="18:00, 2026-12-31T18:00.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option("--until", help="The same.", show_default=False)] = None,
    last: Annotated[int, typer.Option(min=1, max=MOST_AT_ONCE, help="How many, the latest first.")] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find calls: what was decided about them and how they ended."""
    from callsieve.cli.common import print_json
    from callsieve.cli.show import say
    from callsieve.times import when
    from reputation.numbers import number_of
    from reputation.store.journal import search_decisions

    loaded = settings_of(config)
    region = loaded.settings.numbers.region
    wanted = {
        "caller": number_option("--number", number, loaded),
        "callee": callee,
        "did": (number_of(did, region) or did) if did else None,
        "action": _action(action),
        "rule": rule,
        "since": _instant(since),
        "until": _instant(until),
    }
    with existing_store(loaded) as db:
        found = [(one, _outcome(db, one.linkedid)) for one in search_decisions(db, wanted, last)]
    if as_json:
        print_json([_as_json(decision, outcome) for decision, outcome in found])
    elif not found:
        say("No call matches.")
    for decision, outcome in found if not as_json else ():
        say(when(decision.at), *_decided(decision))
        if outcome is not None:
            say("    ", ended_words(outcome))


def tail(
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", min=0.1, help="End after so long; else with Ctrl-C.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show calls as they happen: a line when one is decided, and a line when it ends."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        for decision, outcome in _as_they_happen(db, time.time(), seconds):
            _print_line(decision, outcome, as_json)


def _as_they_happen(
    db: sqlite3.Connection, began: float, seconds: float | None
) -> Iterator[tuple[DecisionRecord | None, OutcomeRecord | None]]:
    """Decisions and outcomes that come into the store from now on."""
    from reputation.store.journal import decisions
    from reputation.store.outcomes import outcomes

    def look() -> tuple[list[DecisionRecord], list[OutcomeRecord]]:
        since = time.time() - LONGEST_CALL_SECONDS
        return decisions(db, since=began - 60, limit=MOST_AT_ONCE), outcomes(db, since=since, limit=MOST_AT_ONCE)

    decided, ended = look()
    seen = {one.id for one in decided} | {one.linkedid for one in ended}
    while seconds is None or time.time() < began + seconds:
        time.sleep(LOOK_SECONDS)
        decided, ended = look()
        for decision in reversed(decided):
            if decision.id not in seen:
                seen.add(decision.id)
                yield decision, None
        for outcome in reversed(ended):
            if outcome.linkedid not in seen:
                seen.add(outcome.linkedid)
                yield None, outcome


def _print_line(decision: DecisionRecord | None, outcome: OutcomeRecord | None, as_json: bool) -> None:
    import sys

    import msgspec

    from callsieve.cli.show import say
    from callsieve.times import when_exactly

    if as_json:
        sys.stdout.write(msgspec.json.encode(_as_json(decision, outcome)).decode() + "\n")
        sys.stdout.flush()
    elif decision is not None:
        say(when_exactly(decision.at)[11:19], *_decided(decision))
    elif outcome is not None:
        who = outcome.number or outcome.caller_kind.value
        say(
            when_exactly(outcome.ended_at)[11:19],
            "  ",
            (outcome.decision_id or "").ljust(8),
            "  ",
            who,
            "  ",
            ended_words(outcome),
        )


def _decided(one: DecisionRecord) -> tuple[str | Text, ...]:
    from callsieve.cli.show import dim, ordered

    to = f" to {one.callee or one.did}" if one.callee or one.did else ""
    caller = one.caller or one.caller_kind.value
    about = f"  {one.id}  {caller}{to}  "
    return (about, ordered(one.action, one.would_be), f" by {one.rule}", dim(f"  {one.reason}"))


def ended_words(one: OutcomeRecord) -> str:
    """How a call ended, in words."""
    # A menu, a voicemail box or our own refusal: no fault of the caller, and no failure that anybody should look into.
    reached = "reached nobody" if one.disposition.value == "failed" else one.disposition.value
    words = [one.direction.value, reached]
    if one.answered_by:
        words.append(f"by {one.answered_by}")
    parts = [" ".join(words)]
    if one.ring_seconds:
        parts.append(f"rang {one.ring_seconds:.0f} s")
    if one.talk_seconds:
        parts.append(f"talked {one.talk_seconds:.0f} s")
    parts += ["left a message"] if one.voicemail_left else []
    parts += [f"ended by {one.ended_by.value}"] if one.ended_by else []
    parts += [] if one.complete else ["not seen whole"]
    return ", ".join(parts)


def _outcome(db: sqlite3.Connection, linkedid: str) -> OutcomeRecord | None:
    from reputation.store.outcomes import outcome_of

    return outcome_of(db, linkedid) if linkedid else None


def _as_json(decision: DecisionRecord | None, outcome: OutcomeRecord | None) -> dict[str, Any]:
    from callsieve.known import decision_as_json

    return {"decision": decision_as_json(decision) if decision else None, "outcome": outcome}


def _action(text: str | None) -> str | None:
    from policies.decision import ACTION_BY_WORD
    from policies.words import nearest

    if text is not None and text not in ACTION_BY_WORD:
        raise CommandError(f"--action does not know {text[:40]!r}{nearest(text, ACTION_BY_WORD)}")
    return text


def _instant(text: str | None) -> float | None:
    from callsieve.times import TimeError, instant_of

    try:
        return instant_of(text, time.time()) if text else None
    except TimeError as error:
        raise CommandError(str(error)) from None
