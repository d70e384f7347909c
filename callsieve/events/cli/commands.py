"""`callsieve events` and `callsieve alerts`: the sender, the receivers, dead letters, and alert rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Annotated

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
from callsieve.events.alerts import Alert, AlertState, NoStates, is_quiet_now, state_from, with_alert
from callsieve.events.kinds import DeliveryError, Event, EventKind, sample_of
from callsieve.events.operations import ReceiverShown, ReplayRequest, events_shown
from callsieve.events.receivers.build import open_receivers
from callsieve.integration_settings import AlertTable, alert_receiver, conditions_of, values_of
from callsieve.logs import configure_logs, flush_logs
from callsieve.settings import Loaded
from callsieve.source_health import SourceStatus
from callsieve.system.privileges import served_settings
from callsieve.system.service_process import AlreadyRunning
from callsieve.text.times import ago, when
from callsieve.wiring import wanted_events_of
from policies.files import nearest
from reputation.encoding import FLAT, Instant
from reputation.store.event_deliveries import DeadLetter, count_dead_letters, dead_letters
from reputation.store.outbox import state_of
from reputation.weights import QuietWeights

START = "systemctl enable --now callsieve-events"
EventArgument = Annotated[
    str | None, typer.Argument(metavar="ID", help="Id of the event, from `events dead`.", show_default=False)
]
ReceiverOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only dead letters (undelivered events) of this receiver.")
]


def send(
    ctx: typer.Context,
    config: ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Deliver events to the receivers in the settings until the process is stopped. On SIGHUP, reload the settings."""
    configure_logs(as_json=log_json)
    try:
        process.run(partial(served_settings, config), ctx.obj)
    except AlreadyRunning as error:
        raise CommandError(error.strerror or str(error)) from None
    finally:
        flush_logs()


def show_list(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show each receiver with its waiting events, its delivered events and its last failure."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        shown = events_shown(db, loaded.settings, time.time())
    if as_json:
        print_json(shown)
        return
    if not shown.receivers:
        say("No receivers. To add one, write [[webhook]], [mqtt], [mail] or [[notify]] in the settings.")
        return
    rows = [_row(receiver) for receiver in shown.receivers]
    failures = [_failure(receiver, shown.now) for receiver in shown.receivers]
    headings = ("receiver", "waiting", "delivered", "dead", "lost", "state")
    print_table(headings, rows, keep=(0, 1, 2, 3, 4, 5), right=(1, 2, 3, 4), below=failures)
    if not shown.is_sent:
        say("The sender of events is not running, so nothing is delivered. To start the sender:")
        say_command(START)
    if shown.dead_letters:
        say(f"{plural(shown.dead_letters, 'dead letter')}: callsieve events dead")


def show_dead(
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, help="Show at most this many dead letters, latest first.")
    ] = 50,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show dead letters: events that could not be delivered, with the reasons."""
    with existing_store(settings_of(config)) as db:
        letters, count = dead_letters(db, limit), count_dead_letters(db)
    if as_json:
        print_json([DeadLetterShown.of(letter) for letter in letters])
        return
    if not letters:
        say("No dead letters.")
        return
    rows = [(letter.event.id, letter.event.kind.value, letter.receiver, when(letter.dead_at)) for letter in letters]
    below = [f"{plural(letter.attempts, 'attempt')}: {letter.error}" for letter in letters]
    print_table(("event", "kind", "receiver", "given up"), rows, keep=(0, 1, 2, 3), below=below)
    if count > len(letters):
        say(f"{count - len(letters):,} more dead letters; to show all: --limit {count}")
    say("To deliver these events again:")
    say_command("callsieve events replay --all")


def replay(
    event: EventArgument = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    receiver: ReceiverOption = None,
    config: ConfigOption = None,
) -> None:
    """Deliver dead letters again: of one event, of one receiver, or all."""
    if [event is not None, all_of_them].count(True) + (receiver is not None and event is None and not all_of_them) != 1:
        raise CommandError("events replay: give the id of an event, --receiver NAME or --all")
    count = perform(settings_of(config), operations.replay, ReplayRequest(event, receiver), existing=True).replayed
    say(f"{plural(count, 'dead letter')} will be delivered again." if count else "No dead letters.")


def try_receiver(
    ctx: typer.Context,
    receiver: Annotated[str, typer.Argument(help="Name of the receiver in the settings.", show_default=False)],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send an invented event to a receiver now and show its answer. A receiver that accepts it is switched on again."""
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
    say(f"{name} accepted {event.kind.value} {event.id} within {1000 * seconds:.0f} ms.")
    if is_on:
        say("The receiver was switched off, and is now on again. To deliver the missed events: callsieve events replay")


async def _deliver(loaded: Loaded, capabilities: Capabilities, name: str, event: Event) -> None:
    async with AsyncExitStack() as stack:
        receivers = await open_receivers(loaded, NoStates(), stack, capabilities)
        (receiver,) = [receiver for receiver in receivers if receiver.name == name]
        await receiver.deliver(event)


def _row(receiver: ReceiverShown) -> tuple[str | Text, ...]:
    state = receiver.state
    counts = () if state is None else (state.waiting, state.delivered, state.dead_letters, state.lost)
    return (
        receiver.name,
        *([f"{count:,}" for count in counts] or [""] * 4),
        Text(receiver.health.words, style="green" if receiver.health is SourceStatus.OK else "yellow"),
    )


def _failure(receiver: ReceiverShown, now: float) -> str:
    since = receiver.failing_since
    if since is None or receiver.state is None:
        return ""
    dead = f"; {plural(receiver.state.dead_letters, 'dead letter')}" if receiver.state.dead_letters else ""
    return f"since {when(since)} ({ago(since, now)}): {receiver.failure}{dead}"


@dataclass(frozen=True, slots=True)
class DeadLetterShown:
    """An event that could not be delivered, with the reason. `at`: when the event happened."""

    letter: Annotated[DeadLetter, FLAT]
    id: str
    kind: EventKind
    at: Instant
    data: object

    @classmethod
    def of(cls, letter: DeadLetter) -> DeadLetterShown:
        """Return the record for a dead letter of the store."""
        event = letter.event
        return cls(letter, event.id, event.kind, event.at, event.data)


def list_alerts(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show each alert rule: its events, conditions, receivers, and suppressed alerts."""
    loaded = settings_of(config)
    rules = loaded.settings.alert
    states = _states(loaded)
    if as_json:
        print_json([_alert_shown(rule, states) for rule in rules])
        return
    if not rules:
        say("No alert rules. To add one, write [[alert]] in the settings.")
        return
    now, usual = time.time(), loaded.settings.reputation.quiet
    rows = [(rule.name, rule.event, rule.at_most, _last_sent(rule, states)) for rule in rules]
    below = ["; ".join(filter(None, _about(rule, states, usual, now))) for rule in rules]
    print_table(("alert", "event", "at most", "last sent"), rows, keep=(0, 1, 2, 3), below=below)


def try_rule(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the alert rule in the settings.", show_default=False)],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send an invented event to all receivers of a rule now, whatever its conditions, quiet hours and limit are."""
    loaded = settings_of(config)
    rules = {rule.name: rule for rule in loaded.settings.alert}
    rule = rules.get(name)
    if rule is None:
        if not rules:
            raise CommandError("there are no alert rules: add an [[alert]] to the settings")
        raise CommandError(f"unknown alert {name[:80]!r}{nearest(name, list(rules))}")
    errors = asyncio.run(_send_alert(loaded, ctx.obj, rule))
    if as_json:
        print_json([{"receiver": to, "delivered": not error, "error": error} for to, error in errors.items()])
    else:
        for to, error in errors.items():
            say(f"{to}: {error or 'sent'}")
    if any(errors.values()):
        raise CommandError(
            "" if as_json else f"{sum(map(bool, errors.values()))} of {len(errors)} receivers did not get the event"
        )


async def _send_alert(loaded: Loaded, capabilities: Capabilities, rule: AlertTable) -> dict[str, str]:
    event = with_alert(sample_of(rule.event, time.time()), Alert(rule.name))
    errors: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        receivers = await open_receivers(loaded, NoStates(), stack, capabilities)
        by_name = {receiver.name.partition("/")[2] or receiver.name: receiver for receiver in receivers}
        for to in rule.to:
            errors[to] = ""
            try:
                await by_name[to].deliver(event)
            except DeliveryError as error:
                errors[to] = error.words
    return errors


States = dict[str, AlertState]


def _states(loaded: Loaded) -> States:
    names = [alert_receiver(rule.name, to) for rule in loaded.settings.alert for to in rule.to]
    if not has_store(loaded):
        return {}
    with existing_store(loaded) as db:
        return {name: state_from(state_of(db, name)) for name in names}


def _of_rule(rule: AlertTable, states: States) -> list[AlertState]:
    return [states.get(alert_receiver(rule.name, to), AlertState()) for to in rule.to]


def _last_sent(rule: AlertTable, states: States) -> str:
    at = max((at for state in _of_rule(rule, states) for at in state.told), default=None)
    return "" if at is None else when(at)


def _kept_quiet(rule: AlertTable, states: States) -> str:
    worst = max(_of_rule(rule, states), key=lambda state: state.suppressed)
    return f"alerts suppressed since {when(worst.since)}: {worst.suppressed:,}" if worst.suppressed else ""


def _about(rule: AlertTable, states: States, usual: QuietWeights, now: float) -> tuple[str, ...]:
    is_quiet = " (now)" if is_quiet_now(rule, usual, now) else ""
    quiet = f"quiet hours {rule.quiet_hours}{is_quiet}" if rule.quiet_hours else ""
    return (_conditions(rule), f"to {', '.join(rule.to)}", quiet, _kept_quiet(rule, states))


def _conditions(rule: AlertTable) -> str:
    conditions = (f"{name} {' or '.join(values_of(rule.when, name))}" for name in conditions_of(rule.when))
    return "when " + ", ".join(conditions) if conditions_of(rule.when) else ""


@dataclass(frozen=True, slots=True)
class AlertReceiverShown:
    """The recent alerts to one receiver of a rule. `told`: the times at which alerts were sent.

    `suppressed`: how many alerts were suppressed since `since`. `since`: when this count began; null if it is 0.
    """

    told: tuple[Instant, ...]
    suppressed: int
    since: Instant | None


@dataclass(frozen=True, slots=True)
class AlertShown:
    """An alert rule of the settings. `to`: the receivers of the rule, and the recent alerts to each.

    `event`: the kind of event for which alerts are sent. `when`: the conditions of the rule. `quiet_hours`: the hours
    without alerts. `at_most`: how many alerts each receiver gets at most in a period, such as `3/h`.
    """

    name: str
    event: str
    when: Mapping[str, object]
    to: Mapping[str, AlertReceiverShown]
    quiet_hours: object
    at_most: str


def _alert_shown(rule: AlertTable, states: States) -> AlertShown:
    conditions = {name: getattr(rule.when, name) for name in conditions_of(rule.when)}
    to = {
        name: AlertReceiverShown(state.told, state.suppressed, state.since or None)
        for name, state in zip(rule.to, _of_rule(rule, states), strict=True)
    }
    return AlertShown(rule.name, rule.event, conditions, to, rule.quiet_hours, rule.at_most)
