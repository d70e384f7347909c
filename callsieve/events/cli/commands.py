"""`callsieve events`: the sender, how receivers do, and what they were not told."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any

import typer
from rich.text import Text

from callsieve.capability import Capabilities
from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    context_of,
    existing_store,
    has_store,
    perform,
    print_json,
    settings_of,
)
from callsieve.cli.output import plural, print_table, say, say_command
from callsieve.events import operations, process
from callsieve.events.alerts import NoStates
from callsieve.events.kinds import DeliveryError, Event, EventKind, sample_of
from callsieve.events.operations import ReplayRequest
from callsieve.events.receiver_health import EventsShown, ReceiverHealth, ReceiverShown, events_shown
from callsieve.events.receivers.build import open_receivers
from callsieve.logs import configure_logs, flush_logs
from callsieve.settings import Loaded
from callsieve.system.privileges import served_settings
from callsieve.system.service_process import AlreadyRunning
from callsieve.text.times import ago, when
from callsieve.wiring import wanted_events_of
from reputation.store.event_deliveries import DeadLetter, count_dead_letters, dead_letters

START = "systemctl enable --now callsieve-events"
EventArgument = Annotated[
    str | None, typer.Argument(metavar="ID", help="The event, of `events dead`.", show_default=False)
]
ReceiverOption = Annotated[str | None, typer.Option(metavar="NAME", help="Those of this receiver.")]


def send(
    ctx: typer.Context,
    config: ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Deliver events to the receivers of the settings. Runs until it is stopped; SIGHUP reads the settings again."""
    configure_logs(as_json=log_json)
    try:
        process.run(partial(served_settings, config), ctx.obj)
    except AlreadyRunning as error:
        raise CommandError(error.strerror or str(error)) from None
    finally:
        flush_logs()


def show_list(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show each receiver: what waits for it, what it got, and what went wrong last."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        shown = events_shown(db, loaded.settings, time.time())
    if as_json:
        print_json(_as_json(shown))
        return
    if not shown.receivers:
        say("There is no receiver: [[webhook]], [mqtt], [mail] and [[notify]] of the settings make some.")
        return
    rows = [_row(one) for one in shown.receivers]
    said = [_said(one, shown.now) for one in shown.receivers]
    headings = ("receiver", "waiting", "delivered", "dead", "lost", "state")
    print_table(headings, rows, keep=(0, 1, 2, 3, 4, 5), right=(1, 2, 3, 4), below=said)
    if not shown.is_sent:
        say("No sender runs, so nothing is delivered:")
        say_command(START)
    if shown.dead_letters:
        say(f"{plural(shown.dead_letters, 'dead letter')}: callsieve events dead")


def show_dead(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most, the latest first.")] = 50,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show dead letters: events that a receiver was not told, and why."""
    with existing_store(settings_of(config)) as db:
        found, count = dead_letters(db, limit), count_dead_letters(db)
    if as_json:
        print_json([_dead_as_json(one) for one in found])
        return
    if not found:
        say("There is no dead letter.")
        return
    rows = [(one.event.id, one.event.kind.value, one.receiver, when(one.dead_at)) for one in found]
    below = [f"{plural(one.attempts, 'attempt')}: {one.error}" for one in found]
    print_table(("event", "kind", "receiver", "given up"), rows, keep=(0, 1, 2, 3), below=below)
    if count > len(found):
        say(f"{count - len(found):,} more: --limit {count}")
    say("To have them delivered again:")
    say_command("callsieve events replay --all")


def replay(
    event: EventArgument = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    receiver: ReceiverOption = None,
    config: ConfigOption = None,
) -> None:
    """Have dead letters delivered again: those of one event, of one receiver, or all."""
    if [event is not None, all_of_them].count(True) + (receiver is not None and event is None and not all_of_them) != 1:
        raise CommandError("events replay: name an event, or say --all or --receiver NAME")
    count = perform(settings_of(config), operations.replay, ReplayRequest(event, receiver), existing=True).replayed
    say(f"{plural(count, 'dead letter')} will be delivered again." if count else "There is no dead letter.")


def try_receiver(
    ctx: typer.Context,
    receiver: Annotated[str, typer.Argument(help="As the settings name it.", show_default=False)],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send a made-up event to a receiver now, and say what it answers. One that was switched off gets events again."""
    loaded = settings_of(config)
    name = operations.named(context_of(loaded), receiver)
    event = sample_of(next(iter(wanted_events_of(loaded.settings)[name]), EventKind.NUMBER_MARKED), time.time())
    began = time.monotonic()
    try:
        asyncio.run(_deliver(loaded, ctx.obj, name, event))
    except DeliveryError as error:
        if as_json:
            print_json({"receiver": name, "event": event.id, "delivered": False, "error": error.words})
            raise CommandError("") from None
        raise CommandError(f"{name}: {error.words}") from None
    seconds = time.monotonic() - began
    is_on = has_store(loaded) and perform(loaded, operations.switch_on, name, existing=True)
    if as_json:
        print_json({"receiver": name, "event": event.id, "delivered": True, "seconds": round(seconds, 3)})
        return
    say(f"{name} took {event.kind.value} {event.id} within {1000 * seconds:.0f} ms.")
    if is_on:
        say("It was switched off, and gets events again. What it missed are dead letters: callsieve events replay")


async def _deliver(loaded: Loaded, capabilities: Capabilities, name: str, event: Event) -> None:
    async with AsyncExitStack() as stack:
        receivers = await open_receivers(loaded, NoStates(), stack, capabilities)
        (receiver,) = [one for one in receivers if one.name == name]
        await receiver.deliver(event)


def _health(health: ReceiverHealth) -> Text:
    return Text(health.value, style="green" if health is ReceiverHealth.OK else "yellow")


def _row(one: ReceiverShown) -> tuple[str | Text, ...]:
    state = one.state
    counts = () if state is None else (state.waiting, state.delivered, state.dead_letters, state.lost)
    return (one.name, *([f"{count:,}" for count in counts] or [""] * 4), _health(one.health))


def _said(one: ReceiverShown, now: float) -> str:
    since = one.failing_since
    if since is None or one.state is None:
        return ""
    dead = f"; {plural(one.state.dead_letters, 'dead letter')}" if one.state.dead_letters else ""
    return f"since {when(since)} ({ago(since, now)}): {one.failure}{dead}"


def _as_json(shown: EventsShown) -> dict[str, Any]:
    receivers = [
        {
            "name": one.name,
            "health": one.health.name.lower(),
            **({**one.state._asdict(), "failing_since": one.failing_since} if one.state is not None else {}),
        }
        for one in shown.receivers
    ]
    return {"sending": shown.is_sent, "sender_at": shown.sender_at, "receivers": receivers}


def _dead_as_json(one: DeadLetter) -> dict[str, Any]:
    event = {"id": one.event.id, "kind": one.event.kind.value, "at": one.event.at, "data": one.event.data}
    return {"receiver": one.receiver, "attempts": one.attempts, "error": one.error, "dead_at": one.dead_at, **event}
