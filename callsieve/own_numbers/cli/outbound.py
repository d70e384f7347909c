"""`callsieve own decisions` and `own explain`: what the outbound guard did, and what it would do now and why."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from callsieve.calls.cli.commands import callee_words, outbound_shown, passage_words, rule_words
from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    existing_store,
    number_argument,
    number_option,
    print_json,
    settings_of,
)
from callsieve.cli.output import print_table, say, some
from callsieve.text.times import TimeError, instant_of, when, when_there
from callsieve.wiring import outbound_rules_of
from policies.outbound import OutgoingCall, explain_guard, guard, outbound_query
from reputation.numbers import is_emergency, whole_number_of
from reputation.own.outbound_types import OutboundFacts
from reputation.store.outbound import outbound_decisions, outbound_facts

MOST_SHOWN = 10_000
MOST_ZONES = 3

OwnOption = Annotated[
    str | None, typer.Option("--from", metavar="NUMBER", help="The own number that it goes out with.")
]


def decisions(
    number: Annotated[str | None, typer.Argument(help="Only calls to this number.", show_default=False)] = None,
    own: OwnOption = None,
    held: Annotated[bool, typer.Option("--held", help="Only what was held or refused, or would have been.")] = False,
    last: Annotated[int, typer.Option(min=1, max=MOST_SHOWN, help="How many, the latest first.")] = 50,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what the outbound guard decided, and while it observes what it would have done."""
    loaded = settings_of(config)
    callee = None if number is None else number_argument(number, loaded)
    own_number = number_option("--from", own, loaded)
    with existing_store(loaded) as db:
        found = outbound_decisions(db, callee=callee, own_number=own_number, held=held, limit=last)
    if as_json:
        print_json([outbound_shown(one) for one in found])
    elif found:
        headings = ("time", "id", "to", "from", "by", "action")
        rows = [
            (
                when(one.at)[len("2026-") :],
                one.id,
                callee_words(one),
                one.own_number or "",
                one.person or "",
                passage_words(one.action, one.would_be),
            )
            for one in found
        ]
        print_table(headings, rows, keep=range(len(headings)), below=list(map(rule_words, found)))
    elif held or callee or own_number:
        say("No decision matches.")
    else:
        say("The outbound guard has decided nothing: the line for your dialplan is in the documentation (Own numbers).")


def explain(
    number: Annotated[str, typer.Argument(help="The number to be called.", show_default=False)],
    own: OwnOption = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="18:00 or 2026-12-31T18:00; else now.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show every step of the outbound guard for one call, and what would be done with it.

    At a time in the past, calls that were let out after it do not count; calls that are over count for their whole day,
    and the number's state and grade are those of now.
    """
    loaded = settings_of(config)
    try:
        now = time.time() if at is None else instant_of(at, time.time())
    except TimeError as error:
        raise CommandError(f"--at: {error}") from None
    rules = outbound_rules_of(loaded.settings)
    emergency = is_emergency(number, loaded.settings.numbers.region)
    callee = None if emergency else whole_number_of(number, loaded.settings.numbers.region)
    own_number = number_option("--from", own, loaded)
    call = OutgoingCall(linkedid="", callee=callee, is_emergency=emergency, own_number=own_number)
    facts, query = OutboundFacts(), outbound_query(call, rules, now)
    if query is not None:
        with existing_store(loaded) as db:
            facts = outbound_facts(db, query)
    decision = guard(call, facts, rules, now)
    looks = explain_guard(call, facts, rules, now)
    if as_json:
        steps = [{"step": title, "says": said} for title, said in looks]
        about = {"callee": callee and callee.key, "own_number": own_number, "at": now, "observed": decision.observed}
        did = {"action": decision.action.word, "would_be": decision.would_be.word, "rule": decision.rule}
        why = {"reason": str(decision.reason), "reason_code": decision.reason.code}
        print_json(about | did | why | {"until": decision.until, "steps": steps})
        return
    key = callee.key if callee else None
    zones = some(rules.hours.place_of(callee, now).zones, MOST_ZONES) if callee else ""
    there = f" ({zones})" if zones else ""
    say(f"{key or number}{there} from {own_number or 'any number'}, at {when_there(now)}")
    print_table(("step", "says"), looks, keep=(0,))
    ordered = f"{decision.would_be.word} by {decision.rule}" + (
        f", better from {when_there(decision.until)} on" if decision.until else ""
    )
    is_held_back = decision.observed and decision.would_be is not decision.action
    say(f"allow; without observe it would be {ordered}" if is_held_back else ordered)
