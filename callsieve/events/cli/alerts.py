"""`callsieve alerts`: the rules of the settings, and what they do."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Annotated, Any

import typer

from callsieve.capability import Capabilities
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, has_store, print_json, settings_of
from callsieve.cli.output import print_table, say
from callsieve.events.alerts import AlertState, NoStates, is_quiet_now, state_from
from callsieve.events.kinds import DeliveryError, sample_of
from callsieve.events.messages import Alert, with_alert
from callsieve.events.receivers.build import open_receivers
from callsieve.integration_settings import AlertTable, alert_receiver, conditions_of, values_of
from callsieve.settings import Loaded
from callsieve.text.times import when
from policies.files import nearest
from reputation.store.outbox import state_of
from reputation.weights import QuietWeights


def show_list(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show each alert rule: which events, under which conditions, to whom, and what it has kept quiet."""
    loaded = settings_of(config)
    rules = loaded.settings.alert
    states = _states(loaded)
    if as_json:
        print_json([_as_json(rule, states) for rule in rules])
        return
    if not rules:
        say("There is no rule: [[alert]] of the settings makes one.")
        return
    now, usual = time.time(), loaded.settings.reputation.quiet
    rows = [(rule.name, rule.event, rule.at_most, _last_told(rule, states)) for rule in rules]
    below = ["; ".join(filter(None, _about(rule, states, usual, now))) for rule in rules]
    print_table(("alert", "event", "at most", "told last"), rows, keep=(0, 1, 2, 3), below=below)


def try_rule(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="As the settings name it.", show_default=False)],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Tell all receivers of a rule now, with a made-up event, whatever its conditions. It counts as nothing."""
    loaded = settings_of(config)
    rules = {rule.name: rule for rule in loaded.settings.alert}
    rule = rules.get(name)
    if rule is None:
        if not rules:
            raise CommandError("there is no rule: [[alert]] of the settings makes one")
        raise CommandError(f"there is no alert {name[:80]!r}{nearest(name, list(rules))}")
    errors = asyncio.run(_tell(loaded, ctx.obj, rule))
    if as_json:
        print_json([{"receiver": to, "delivered": not error, "error": error} for to, error in errors.items()])
    else:
        for to, error in errors.items():
            say(f"{to}: {error or 'told'}")
    if any(errors.values()):
        raise CommandError("" if as_json else f"{sum(map(bool, errors.values()))} of {len(errors)} could not be told")


async def _tell(loaded: Loaded, capabilities: Capabilities, rule: AlertTable) -> dict[str, str]:
    """What went wrong, by receiver."""
    event = with_alert(sample_of(rule.event, time.time()), Alert(rule.name))
    errors: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        receivers = await open_receivers(loaded, NoStates(), stack, capabilities)
        by_name = {one.name.partition("/")[2] or one.name: one for one in receivers}
        for to in rule.to:
            errors[to] = ""
            try:
                await by_name[to].deliver(event)
            except DeliveryError as error:
                errors[to] = error.words
    return errors


States = dict[str, AlertState]


def _states(loaded: Loaded) -> States:
    """By the name of the rule and its receiver; none where there is no store yet."""
    names = [alert_receiver(rule.name, to) for rule in loaded.settings.alert for to in rule.to]
    if not has_store(loaded):
        return {}
    with existing_store(loaded) as db:
        return {name: state_from(state_of(db, name)) for name in names}


def _of_rule(rule: AlertTable, states: States) -> list[AlertState]:
    return [states.get(alert_receiver(rule.name, to), AlertState()) for to in rule.to]


def _last_told(rule: AlertTable, states: States) -> str:
    at = max((at for state in _of_rule(rule, states) for at in state.told), default=None)
    return "" if at is None else when(at)


def _kept_quiet(rule: AlertTable, states: States) -> str:
    worst = max(_of_rule(rule, states), key=lambda state: state.suppressed)
    return f"kept quiet since {when(worst.since)}: {worst.suppressed:,}" if worst.suppressed else ""


def _about(rule: AlertTable, states: States, usual: QuietWeights, now: float) -> tuple[str, ...]:
    """What stands below its line; empty where there is nothing to say."""
    is_quiet = " (now)" if is_quiet_now(rule, usual, now) else ""
    quiet = f"quiet {rule.quiet_hours}{is_quiet}" if rule.quiet_hours else ""
    return (_conditions(rule), f"to {', '.join(rule.to)}", quiet, _kept_quiet(rule, states))


def _conditions(rule: AlertTable) -> str:
    said = (f"{name} {' or '.join(values_of(rule.when, name))}" for name in conditions_of(rule.when))
    return "when " + ", ".join(said) if conditions_of(rule.when) else ""


def _as_json(rule: AlertTable, states: States) -> dict[str, Any]:
    conditions = {name: getattr(rule.when, name) for name in conditions_of(rule.when)}
    told = {
        to: {"told": list(state.told), "suppressed": state.suppressed, "since": state.since or None}
        for to, state in zip(rule.to, _of_rule(rule, states), strict=True)
    }
    limits = {"quiet_hours": rule.quiet_hours, "at_most": rule.at_most}
    return {"name": rule.name, "event": rule.event, "when": conditions, "to": told, **limits}
