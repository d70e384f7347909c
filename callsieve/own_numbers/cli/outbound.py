"""The commands `callsieve own decisions`, `explain`, `dnc`, `complaint` and `guidance`."""

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
from callsieve.own_numbers.do_not_call import MOST_REQUESTS, ComplaintRequest, ComplaintWithdrawal, DoNotCallEntry
from callsieve.own_numbers.guidance import LANGUAGES, company_of, guidance_page, leaflet_page
from callsieve.system.files import complete_file
from callsieve.text.number_entry import with_country
from callsieve.text.times import TimeError, instant_of, when, when_with_zone
from callsieve.wiring import outbound_rules_of
from policies.files import nearest
from policies.outbound import OutgoingCall, explain_guard, guard, outbound_query
from reputation.numbers import is_emergency, whole_number_of
from reputation.own.outbound_types import OutboundFacts
from reputation.store.do_not_call import Complaint, all_do_not_call
from reputation.store.outbound import outbound_decisions, outbound_facts

MOST_SHOWN = 10_000
MOST_ZONES = 3

OwnOption = Annotated[str | None, typer.Option("--from", metavar="NUMBER", help="The own number that the call shows.")]


def decisions(
    number: Annotated[str | None, typer.Argument(help="Only calls to this number.", show_default=False)] = None,
    own: OwnOption = None,
    held: Annotated[
        bool, typer.Option("--held", help="Only calls that were held or refused, or would be without observe mode.")
    ] = False,
    last: Annotated[
        int, typer.Option(min=1, max=MOST_SHOWN, help="How many decisions to show, the latest first.")
    ] = 50,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the outbound guard's decisions about outgoing calls. In observe mode, its decisions have no effect."""
    loaded = settings_of(config)
    callee = None if number is None else number_argument(number, loaded)
    own_number = number_option("--from", own, loaded)
    with existing_store(loaded) as db:
        records = outbound_decisions(db, callee=callee, own_number=own_number, held=held, limit=last)
    if as_json:
        print_json([outbound_shown(record) for record in records])
    elif records:
        headings = ("time", "id", "to", "from", "by", "action")
        rows = [
            (
                when(record.at)[len("2026-") :],
                record.id,
                callee_words(record),
                record.own_number or "",
                record.person or "",
                passage_words(record.action, record.would_be),
            )
            for record in records
        ]
        print_table(headings, rows, keep=range(len(headings)), below=list(map(rule_words, records)))
    elif held or callee or own_number:
        say("No decision matches.")
    else:
        say("No decisions yet. The dialplan must ask the outbound guard: callsieve help outbound.")


def explain(
    number: Annotated[str, typer.Argument(help="The number to be called.", show_default=False)],
    own: OwnOption = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Time of the call: 18:00 or 2026-12-31T18:00. Default: now.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show every step of the outbound guard's decision about one outgoing call.

    If the time is in the past, later calls are ignored, and earlier calls are counted by whole days. The state and
    grade of the own number are always the current ones.
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
    lines = explain_guard(call, facts, rules, now)
    if as_json:
        steps = [{"step": title, "says": text} for title, text in lines]
        about = {"callee": callee and callee.key, "own_number": own_number, "at": now, "observed": decision.observed}
        did = {"action": decision.action.word, "would_be": decision.would_be.word, "rule": decision.rule}
        why = {"reason": str(decision.reason), "reason_code": decision.reason.code}
        print_json(about | did | why | {"until": decision.until, "steps": steps})
        return
    key = callee.key if callee else None
    zones = some(rules.hours.place_of(callee, now).zones, MOST_ZONES) if callee else ""
    place = f" ({zones})" if zones else ""
    say(f"{key or number}{place} from {own_number or 'any number'}, at {when_with_zone(now)}")
    print_table(("step", "says"), lines, keep=(0,))
    ordered = f"{decision.would_be.word} by {decision.rule}" + (
        f"; try again from {when_with_zone(decision.until)} on" if decision.until else ""
    )
    only_observes = decision.observed and decision.would_be is not decision.action
    say(f"allow; without observe mode it would be {ordered}" if only_observes else ordered)


NumberArgument = Annotated[str, typer.Argument(help="The number that must not be called.", show_default=False)]
NoteOption = Annotated[str, typer.Option(metavar="TEXT", help="A note for your colleagues.")]


def add(
    number: NumberArgument,
    after: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="The own number that called before the request.")
    ] = None,
    note: NoteOption = "",
    config: ConfigOption = None,
) -> None:
    """Add a number to the do-not-call list: nobody here may call this number again."""
    request = DoNotCallEntry(number, after, note)
    done = perform(settings_of(config), operations.list_number, request)
    if done.change_id is None:
        say(f"{operations.listed_since_words(done.wish)}.")
        return
    say(f"Added {with_country(done.wish.number)} to the do-not-call list.")
    say_undo(done.change_id, config)


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """Remove a number from the do-not-call list, so that it may be called again."""
    done = perform(settings_of(config), operations.unlist, number, existing=True)
    say(f"{done.wish.number} may be called again.")
    if retention := operations.retention_words(done.wish, time.time()):
        warn(f"{retention}")
    say_undo(done.change_id, config)


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the do-not-call list, latest first."""
    with existing_store(settings_of(config)) as db:
        requests = all_do_not_call(db, MOST_REQUESTS)
    if as_json:
        print_json(requests)
    elif requests:
        rows = [(entry.number, when(entry.at), entry.person, entry.own_number, entry.note) for entry in requests]
        print_table(("number", "since", "recorded by", "after a call from", "note"), rows, keep=(0, 1, 2, 3))
    else:
        say("The do-not-call list is empty.")


def complaint(
    number: Annotated[str, typer.Argument(help="The own number that somebody complains about.", show_default=False)],
    caller: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NUMBER",
            help="Number of the person who complains. The complaint counts if we called this number within 28 days.",
        ),
    ] = None,
    note: NoteOption = "",
    undo: Annotated[
        bool,
        typer.Option(
            "--undo", help="Withdraw the latest complaint about the number. With --from: the latest by that person."
        ),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Record a complaint about an own number, such as a letter, a call, or a note from the carrier."""
    loaded = settings_of(config)
    if undo:
        withdrawn = perform(loaded, operations.withdraw_complaint, ComplaintWithdrawal(number, caller), existing=True)
        gone = withdrawn.complaint
        who, what = gone.number or "an unknown number", f": {gone.note}" if gone.note else ""
        say(f"Withdrew the complaint by {who} about {gone.own_number} of {when(gone.at)}{what}.")
        say_undo(withdrawn.change_id, config)
        return
    done = perform(loaded, operations.complain, ComplaintRequest(number, caller, note))
    recorded = done.complaint
    does = "counts" if recorded.is_of_called else f"does not count: {_why_not(recorded)}"
    say(f"Recorded the complaint about {with_country(recorded.own_number)}. It {does}.")
    if not done.is_ours:
        say(
            f"{recorded.own_number} is not registered. If the number is yours, run `callsieve own add "
            f"{recorded.own_number}`."
        )
    say_undo(done.change_id, config)


def _why_not(recorded: Complaint) -> str:
    if recorded.number:
        return f"there is no record of a call to {with_country(recorded.number)} within 28 days"
    return "it is not known who complained (give --from)"


FILE_MODE = 0o644


def guidance(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: guidance-LANGUAGE.html or leaflet-LANGUAGE.html.")
    ] = None,
    language: Annotated[str, typer.Option(metavar="en|zh", help="Language of the page.")] = "en",
    leaflet: Annotated[
        bool, typer.Option("--leaflet", help="Write the leaflet for customers, which contains no figures.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write a page with your own statistics for call-centre managers: how to avoid being marked as spam."""
    if language not in LANGUAGES:
        raise CommandError(f"--language: unknown language {language[:20]!r}{nearest(language, LANGUAGES)}")
    path = out or Path(f"{'leaflet' if leaflet else 'guidance'}-{language}.html")
    loaded = settings_of(config)
    if leaflet:
        page = leaflet_page(language, loaded.settings)
    else:
        now = time.time()
        with existing_store(loaded) as db:
            page = guidance_page(company_of(db, now, loaded.settings), language, now)
    if not force:
        check_new(path, "choose another file with --out, or add --force")
    with complete_file(path, FILE_MODE) as file:
        file.write(page.encode())
    say(f"{path}: open it in a browser.")
