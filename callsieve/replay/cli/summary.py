"""`callsieve summary`: what screening did in the last days, or in observe mode would have done."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    existing_store,
    print_json,
    settings_of,
    since_option,
    until_option,
)
from callsieve.cli.output import Cell, bold, dim, plural, print_table, say, word
from callsieve.replay.cli.terminal import show_mistakes, show_periods
from callsieve.replay.report import ACTIONS
from callsieve.replay.summary import PeriodSummary, summary_as_json, summary_of
from callsieve.text.times import when

WEEK_SECONDS = 7 * 86_400.0
SHOWN = 10


def summary(
    week: Annotated[bool, typer.Option("--week", help="The last seven days; so it is without a span, too.")] = False,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="1h, 30d, 2026-12-31, 2026-12-31T18:00.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="The same; now if not given.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Sum up the last days: what was done with calls or would have been, and first of all what was probably wrong."""
    if week and since is not None:
        raise CommandError("--week and --since: one of them says from when")
    now = time.time()
    end = until_option("--until", until, now) if until is not None else now
    begin = since_option("--since", since, now) if since is not None else end - WEEK_SECONDS
    if begin >= end:
        raise CommandError("--since must be before --until")
    with existing_store(settings_of(config)) as db, Console(stderr=True).status("adding up"):
        found = summary_of(db, begin, end)
    if as_json:
        print_json(summary_as_json(found))
    else:
        _show(found)


def _show(found: PeriodSummary) -> None:
    say(bold(f"{when(found.since)} to {when(found.until)}"), f": {plural(found.calls, 'inbound call')}{_mode(found)}")
    if not found.calls:
        _show_nothing(found)
        return
    say()
    would = "would have been " if found.observed else ""
    show_mistakes(found.mistakes, found.stopped, f"that {would or 'were '}stopped", "challenge, route, reject")
    show_mistakes(found.warned_mistakes, found.warned, f"that {would or 'were '}warned of")
    say()
    show_periods(found.periods, weekly=found.weekly)
    say()
    _show_actions(found)
    say()
    _show_rules(found)
    _show_callers(found)
    _show_let_through(found)
    say()
    _show_notes(found)


def _mode(found: PeriodSummary) -> str:
    names = ", ".join(found.policies)
    if not names:
        return ""
    observed = (
        f", which observes only: without it {found.observed:,} would have been treated otherwise"
        if found.observed
        else ""
    )
    return f", policy {names}{observed}"


def _show_nothing(found: PeriodSummary) -> None:
    say("No call was screened then. `callsieve doctor` says whether calls reach CallSieve at all.")
    _show_notes(found)


def _show_actions(found: PeriodSummary) -> None:
    rows: list[list[Cell]] = [
        [word(action), f"{found.actions[action]:,}", f"{100 * found.actions[action] / found.calls:.2f} %"]
        for action in ACTIONS
    ]
    print_table(("action", "calls", ""), rows, right=(1, 2))


def _show_rules(found: PeriodSummary) -> None:
    rows: list[list[Cell]] = [
        [one.rule, f"{one.calls:,}", f"{one.numbers:,}", _words(one.actions)] for one in found.rules[:SHOWN]
    ]
    print_table(("rule", "calls", "callers", "action"), rows, keep=(0, 1, 2), right=(1, 2))
    if len(found.rules) > SHOWN:
        say(dim(f"and {plural(len(found.rules) - SHOWN, 'more rule')}: --json has all of them"))


def _show_callers(found: PeriodSummary) -> None:
    if not found.callers:
        return
    say()
    say(bold("Stopped most often"))
    rows: list[list[Cell]] = [
        [one.number, f"{one.calls:,}", _words(one.actions), f"{one.points:+d}", when(one.last_at)]
        for one in found.callers[:SHOWN]
    ]
    print_table(("caller", "calls", "action", "points", "the latest"), rows, keep=(0, 1, 4), right=(1, 3))


def _show_let_through(found: PeriodSummary) -> None:
    if not found.let_through:
        return
    say()
    say(bold("Marked as spam by people, and let through without a word"))
    shown = found.let_through[:SHOWN]
    rows = [
        (one.number, f"{one.calls:,}", plural(one.reporters, "person", "people"), when(one.last_at)) for one in shown
    ]
    print_table(("caller", "calls", "marked by", "the latest"), rows, keep=(0, 1, 3), right=(1,))
    if len(found.let_through) > SHOWN:
        say(dim(f"and {plural(len(found.let_through) - SHOWN, 'more number')}: --json has them"))


def _show_notes(found: PeriodSummary) -> None:
    """What somebody should look at, and what the figures rest on."""
    for reason, count in found.fail_open.items():
        say(Text(f"{plural(count, 'call')} failed open ({reason}) and went on: see `callsieve doctor`", "yellow"))
    if found.unscreened:
        say(
            Text(
                f"{plural(found.unscreened, 'inbound call')} nobody asked about: screening was off or down, or their "
                "context has no Gosub(callsieve,...)",
                "yellow",
            )
        )
    if found.incomplete:
        say(dim(f"{plural(found.incomplete, 'call')} not seen whole: nothing was learnt from them"))
    if found.sample.calls:
        say(dim(f"Control sample: {found.sample.words(found.warned)}."))
    said = ", ".join(f"{count:,} {verdict}" for verdict, count in found.marks.items())
    say(dim(f"People's marks: {said or 'none'}. How calls ended is known of {found.outcomes:,}, kept for 30 days."))
    if found.calls:
        say(dim(f"A decision took {found.median_ms:.1f} ms, one in a hundred more than {found.slow_ms:.1f} ms."))
        say(dim("Single calls: `callsieve calls search --rule NAME`; another policy: `callsieve replay`."))


def _words(actions: dict[str, int]) -> Cell:
    several = len(actions) > 1
    return Text(", ").join(
        Text.assemble(word(action), f" {count:,}" if several else "") for action, count in actions.items()
    )
