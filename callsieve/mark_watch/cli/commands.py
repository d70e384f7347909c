"""`callsieve own watch`: what platforms show of our own numbers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, number_argument, print_json, settings_of
from callsieve.cli.output import dim, plural, print_table, say, say_undo
from callsieve.cli.store import perform
from callsieve.mark_watch import operations
from callsieve.mark_watch.asking import ask as ask_sources
from callsieve.mark_watch.operations import MOST_SCREENSHOT_BYTES, NEXT, LookRequest
from callsieve.system.privileges import open_named
from callsieve.text.times import day, when
from reputation.encoding import plain
from reputation.own.daily_counts import NO_NETWORKS, NetworkFileError, Networks, networks_in, percent
from reputation.own.register import NumberState
from reputation.own.suspicion import Network, confidence_text, labellers_of, place_of
from reputation.store.own_health import find_suspicions
from reputation.store.own_labels import LabelChange, Look, latest_looks, looks_due, looks_of
from reputation.store.own_register import register_of

DAY_SECONDS = 86_400.0
NO_LABEL = "no label"


def add(
    number: Annotated[str, typer.Argument(help="One of our own numbers.")],
    platform: Annotated[str, typer.Argument(metavar="PLATFORM", help="A carrier, an app, a list: Hiya, Tencent.")],
    label: Annotated[str, typer.Option("--label", metavar="TEXT", help="What it shows; else nothing.")] = "",
    count: Annotated[int | None, typer.Option("--count", min=0, help="How many marks it says that there are.")] = None,
    screenshot: Annotated[
        Path | None,
        typer.Option("--screenshot", metavar="FILE", help="PNG, JPEG or WebP, which is kept."),
    ] = None,
    next_look: Annotated[str, typer.Option("--next", metavar="TIME", help="When to look again.")] = NEXT,
    config: ConfigOption = None,
) -> None:
    """Record what a platform shows of one of our numbers, as you saw it on a phone or in an app."""
    picture = None if screenshot is None else operations.ScreenshotFile(screenshot.name, _read(screenshot))
    request = LookRequest(number, platform, label, count, picture, next_look)
    done = perform(settings_of(config), operations.record, request)
    shown = f"{done.look.platform} shows {done.look.label or NO_LABEL} of {done.look.number}"
    before = (
        "" if done.changed is None or done.changed.before is None else f"; before: {done.changed.before or NO_LABEL}"
    )
    say(f"{shown}{before}.")
    if done.look.next_at is not None:
        say(dim(f"Look again on {day(done.look.next_at)}."))
    say_undo(done.change_id, config)


def show(
    number: Annotated[str | None, typer.Argument(help="All looks at this one; else the latest of each.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what platforms show of our numbers: the latest look at each, or all looks at one number."""
    loaded = settings_of(config)
    e164 = None if number is None else number_argument(number, loaded)
    with existing_store(loaded) as db:
        looks = latest_looks(db) if e164 is None else looks_of(db, e164)
    _show(looks, "Nobody has looked yet: callsieve own watch add NUMBER PLATFORM", as_json=as_json)


def due(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show which platforms are to be looked at again, today or before."""
    with existing_store(settings_of(config)) as db:
        looks = looks_due(latest_looks(db), time.time() + DAY_SECONDS)
    _show(looks, "Nothing is due.", as_json=as_json)


def ask(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Ask every [[lookup]] about our registered numbers, and read what imported lists say of them."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        numbers = [own.number for own in register_of(db) if own.state is not NumberState.RETIRED]
    asked = ask_sources(loaded, numbers, time.time())
    for name, problem in asked.failures:
        warn(f"{name} did not answer: {problem}")
    noted = perform(loaded, operations.note_all, asked.looks, existing=True)
    if as_json:
        failures = [{"source": name, "problem": problem} for name, problem in asked.failures]
        print_json({"looks": noted.looks, "changed": noted.changed, "failures": failures})
        return
    say(f"{plural(len(noted.looks), 'look')}, {plural(len(noted.changed), 'change')}.")
    _show_changes(noted.changed)


def suspect(
    number: Annotated[str | None, typer.Argument(help="This one; else all that are registered.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show into which networks calls fare worse than they did: a number may be marked there, which is no fact."""
    loaded = settings_of(config)
    now = time.time()
    networks = _networks(loaded.settings.outbound.networks)
    with existing_store(loaded) as db:
        numbers = [own.number for own in register_of(db)] if number is None else [number_argument(number, loaded)]
        found = [(own, one) for own in numbers for one in find_suspicions(db, own, now, networks)]
    if as_json:
        print_json([{"number": own, **plain(one)} for own, one in found])
    elif found:
        rows = [
            (
                *(own, str(place_of(one.network)), one.by, percent(one.before), percent(one.lately)),
                *(confidence_text(one.confidence), _platforms(one.network)),
            )
            for own, one in found
        ]
        heads = ("number", "network", "share", "before", "last 7 days", "confidence", "labels there")
        print_table(heads, rows, keep=(0, 1, 2))
        say("A suspicion and no fact: other people called, or another script, look the same. Look at a phone there.")
        say(dim("A network is the one that a range was given to: a number may have been taken along to another."))
    else:
        say("Nothing in the calls of the last 28 days makes us suspect a mark.")


def _networks(path: str) -> Networks:
    try:
        return networks_in(Path(path)) if path else NO_NETWORKS
    except (NetworkFileError, OSError) as error:
        raise CommandError(f"[outbound] networks: {error}") from None


def _platforms(network: Network) -> str:
    """Who shows labels there, each once."""
    there = labellers_of(network)
    names = [one.platform if one.on == "network" else f"{one.platform} ({one.phones or 'phones'})" for one in there]
    return ", ".join(dict.fromkeys(names)) or "nobody known"


def _show_changes(changes: Iterable[LabelChange]) -> None:
    rows = [
        (one.number, one.platform, one.label or NO_LABEL, "-" if one.before is None else one.before or NO_LABEL)
        for one in changes
    ]
    if rows:
        print_table(("number", "platform", "label", "before"), rows, keep=(0, 1))


def _show(looks: list[Look], nothing: str, *, as_json: bool) -> None:
    if as_json:
        print_json(looks)
    elif looks:
        rows = [
            (
                *(one.number, one.platform, when(one.at), one.label or NO_LABEL),
                *(
                    "" if one.marks is None else f"{one.marks:,}",
                    one.kind.value,
                    day(one.next_at) if one.next_at else "",
                ),
            )
            for one in looks
        ]
        print_table(("number", "platform", "seen", "label", "marks", "how", "again"), rows, keep=(0, 1, 2))
    else:
        say(nothing)


def _read(path: Path) -> bytes:
    """Enough of the file to see that it is too large."""
    try:
        with open_named(path) as file:
            return file.read(MOST_SCREENSHOT_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
