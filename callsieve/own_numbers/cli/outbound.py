"""What our calls are let do, and what people say of them.

`callsieve own decisions` and `own explain`: what the outbound guard did, and what it would do now and why.
`callsieve own dnc`, `own complaint` and `own guidance`: wishes, complaints, and how not to be marked.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from callsieve.calls.cli.commands import callee_words, outbound_shown, passage_words, rule_words
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    check_new,
    existing_store,
    number_argument,
    number_option,
    perform,
    print_json,
    settings_of,
)
from callsieve.cli.output import print_table, say, say_undo, some
from callsieve.own_numbers import do_not_call as operations
from callsieve.own_numbers.do_not_call import MOST_WISHES, ComplaintRequest, TakeBackRequest, WishRequest
from callsieve.own_numbers.guidance import LANGUAGES, company_of, guidance_page, leaflet_page
from callsieve.system.files import complete_file
from callsieve.text.number_entry import with_country
from callsieve.text.times import TimeError, instant_of, when, when_there
from callsieve.wiring import outbound_rules_of
from policies.files import nearest
from policies.outbound import OutgoingCall, explain_guard, guard, outbound_query
from reputation.numbers import is_emergency, whole_number_of
from reputation.own.outbound_types import OutboundFacts
from reputation.store.do_not_call import Complaint, all_do_not_call
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


NumberArgument = Annotated[str, typer.Argument(help="Who is not to be called.", show_default=False)]
NoteOption = Annotated[str, typer.Option(metavar="TEXT", help="For those who come after you.")]


def add(
    number: NumberArgument,
    after: Annotated[str | None, typer.Option(metavar="NUMBER", help="The own number that had called.")] = None,
    note: NoteOption = "",
    config: ConfigOption = None,
) -> None:
    """Nobody here is to call this number again."""
    request = WishRequest(number, after, note)
    done = perform(settings_of(config), operations.list_number, request)
    if done.change_id is None:
        say(f"{operations.listed_since(done.wish)}.")
        return
    say(f"{with_country(done.wish.number)} is not to be called any more.")
    say_undo(done.change_id, config)


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """The number may be called again."""
    done = perform(settings_of(config), operations.unlist, number, existing=True)
    say(f"{done.wish.number} may be called again.")
    if kept := operations.held_by_law(done.wish, time.time()):
        warn(f"{kept}")
    say_undo(done.change_id, config)


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show who does not want to be called, the latest first."""
    with existing_store(settings_of(config)) as db:
        wishes = all_do_not_call(db, MOST_WISHES)
    if as_json:
        print_json(wishes)
    elif wishes:
        rows = [(one.number, when(one.at), one.person, one.own_number, one.note) for one in wishes]
        print_table(("number", "since", "recorded by", "after a call from", "note"), rows, keep=(0, 1, 2, 3))
    else:
        say("Nobody has asked not to be called.")


def complaint(
    number: Annotated[str, typer.Argument(help="The own number that somebody complains about.", show_default=False)],
    caller: Annotated[
        str | None, typer.Option("--from", metavar="NUMBER", help="Who complains: counts if it was called.")
    ] = None,
    note: NoteOption = "",
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back the latest one about the number; with --from, of that person.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Record a complaint about an own number: a letter, a call, a note from the carrier."""
    loaded = settings_of(config)
    if undo:
        gone = perform(loaded, operations.take_back_complaint, TakeBackRequest(number, caller), existing=True)
        one = gone.complaint
        who, what = one.number or "somebody", f": {one.note}" if one.note else ""
        say(f"The complaint of {who} about {one.own_number}, of {when(one.at)}, is taken back{what}.")
        say_undo(gone.change_id, config)
        return
    done = perform(loaded, operations.complain, ComplaintRequest(number, caller, note))
    one = done.complaint
    does = "counts" if one.is_of_called else f"does not count: {_why_not(one)}"
    say(f"The complaint about {with_country(one.own_number)} is recorded; it {does}.")
    if not done.is_ours:
        say(f"{one.own_number} is not registered: `callsieve own add {one.own_number}`, if it is ours.")
    say_undo(done.change_id, config)


def _why_not(one: Complaint) -> str:
    if one.number:
        return f"nobody knows that it called {with_country(one.number)} within 28 days"
    return "nobody says who complains (--from)"


FILE_MODE = 0o644


def guidance(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Else guidance-LANGUAGE.html, or leaflet-.")] = None,
    language: Annotated[str, typer.Option(metavar="en|zh", help="In which language.")] = "en",
    leaflet: Annotated[bool, typer.Option("--leaflet", help="The page for customers: it has no figures.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of this name.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write a page on how not to be marked, filled with our own figures, for those who lead people who call."""
    if language not in LANGUAGES:
        raise CommandError(f"--language does not know {language[:20]!r}{nearest(language, LANGUAGES)}")
    path = out or Path(f"{'leaflet' if leaflet else 'guidance'}-{language}.html")
    loaded = settings_of(config)
    if leaflet:
        page = leaflet_page(language, loaded.settings)
    else:
        now = time.time()
        with existing_store(loaded) as db:
            page = guidance_page(company_of(db, now, loaded.settings), language, now)
    if not force:
        check_new(path, "choose another with --out, or add --force")
    with complete_file(path, FILE_MODE) as file:
        file.write(page.encode())
    say(f"{path}: open it in a browser.")
