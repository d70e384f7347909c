"""The command `callsieve summary`: what screening did in the last days, or would have done without observe mode."""

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
from callsieve.replay.summary import MOST_LISTED, PeriodSummary, summary_of
from callsieve.text.times import when

WEEK_SECONDS = 7 * 86_400.0
SHOWN = 10
SHOWN_MISTAKES = 5  # without --all


def summary(
    week: Annotated[bool, typer.Option("--week", help="The last seven days. This is the default.")] = False,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="1h, 30d, 2026-12-31, 2026-12-31T18:00.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="End of the period, written like --since. Default: now.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also show totals by day and by rule, all probable mistakes, and the callers.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Sum up the last days: what happened to calls or would have happened, and which decisions were probably wrong."""
    if week and since is not None:
        raise CommandError("--week and --since: give only one of them")
    now = time.time()
    end = until_option("--until", until, now) if until is not None else now
    begin = since_option("--since", since, now) if since is not None else end - WEEK_SECONDS
    if begin >= end:
        raise CommandError("--since must be before --until")
    with existing_store(settings_of(config)) as db, Console(stderr=True).status("adding up"):
        period = summary_of(db, begin, end)
    if as_json:
        print_json(period)
    else:
        _show(period, everything=everything)


def _show(period: PeriodSummary, *, everything: bool) -> None:
    say(
        bold(f"{when(period.since)} to {when(period.until)}"),
        f": {plural(period.calls, 'inbound call')}{_mode(period)}",
    )
    if not period.calls:
        _show_nothing(period)
        return
    say()
    _show_actions(period)
    say()
    _show_mistakes(period, MOST_LISTED if everything else SHOWN_MISTAKES)
    if everything:
        say()
        show_periods(period.periods, weekly=period.weekly)
        say()
        _show_rules(period)
        _show_callers(period)
        _show_let_through(period)
    say()
    _show_problems(period)
    _show_notes(period)
    if not everything:
        say(dim("By day and by rule, with the callers: `callsieve summary --all`."))


def _show_mistakes(period: PeriodSummary, most: int) -> None:
    would = "would have been" if period.observed else "were"
    show_mistakes(period.mistakes, period.stopped, f"that {would} stopped", "challenge, route, reject", most=most)
    show_mistakes(period.warned_mistakes, period.warned, f"whose callees {would} warned", most=most)


def _mode(period: PeriodSummary) -> str:
    names = ", ".join(period.policies)
    if not names:
        return ""
    observed = (
        f", which only observes: if it acted, {plural(period.observed, 'call')} would have been treated differently"
        if period.observed
        else ""
    )
    return f", policy {names}{observed}"


def _show_nothing(period: PeriodSummary) -> None:
    say("No call was screened in this time. `callsieve doctor` checks whether calls reach CallSieve.")
    _show_problems(period)
    _show_notes(period)


def _show_actions(period: PeriodSummary) -> None:
    rows: list[list[Cell]] = [
        [word(action), f"{period.actions[action]:,}", f"{100 * period.actions[action] / period.calls:.2f} %"]
        for action in ACTIONS
        if period.actions[action]
    ]
    print_table(("action", "calls", ""), rows, right=(1, 2))


def _show_rules(period: PeriodSummary) -> None:
    rows: list[list[Cell]] = [
        [rule.rule, f"{rule.calls:,}", f"{rule.numbers:,}", _words(rule.actions)] for rule in period.rules[:SHOWN]
    ]
    print_table(("rule", "calls", "callers", "action"), rows, keep=(0, 1, 2), right=(1, 2))
    if len(period.rules) > SHOWN:
        say(dim(f"and {plural(len(period.rules) - SHOWN, 'more rule')}: --json has all of them"))


def _show_callers(period: PeriodSummary) -> None:
    if not period.callers:
        return
    say()
    say(bold("Stopped most often"))
    rows: list[list[Cell]] = [
        [caller.number, f"{caller.calls:,}", _words(caller.actions), f"{caller.points:+d}", when(caller.last_at)]
        for caller in period.callers[:SHOWN]
    ]
    print_table(("caller", "calls", "action", "points", "latest call"), rows, keep=(0, 1, 4), right=(1, 3))


def _show_let_through(period: PeriodSummary) -> None:
    if not period.let_through:
        return
    say()
    say(bold("Marked as spam by people, but let through without a tag or warning"))
    shown = period.let_through[:SHOWN]
    rows = [
        (number.number, f"{number.calls:,}", plural(number.reporters, "person", "people"), when(number.last_at))
        for number in shown
    ]
    print_table(("caller", "calls", "marked by", "latest call"), rows, keep=(0, 1, 3), right=(1,))
    if len(period.let_through) > SHOWN:
        say(dim(f"and {plural(len(period.let_through) - SHOWN, 'more number')}: --json has all of them"))


def _show_problems(period: PeriodSummary) -> None:
    for reason, count in period.fail_open.items():
        say(Text(f"{plural(count, 'call')} went on without a decision ({reason}): see `callsieve doctor`", "yellow"))
    if period.unscreened:
        say(
            Text(
                f"{plural(period.unscreened, 'inbound call')} not screened: screening was off or down, or their "
                "context has no Gosub(callsieve,...)",
                "yellow",
            )
        )


def _show_notes(period: PeriodSummary) -> None:
    if period.incomplete:
        say(dim(f"{plural(period.incomplete, 'call')} seen only in part by CallSieve: no evidence was taken from them"))
    if period.sample.calls:
        say(dim(f"Control sample: {period.sample.words(period.warned)}."))
    marks = ", ".join(f"{count:,} {verdict}" for verdict, count in period.marks.items())
    say(dim(f"Marks: {marks or 'none'}. Outcomes of {period.outcomes:,} calls are known; they are kept for 30 days."))
    if period.calls:
        say(dim(f"Decisions took {period.median_ms:.1f} ms (median); 1 % took more than {period.slow_ms:.1f} ms."))
        say(dim("Calls of one rule: `callsieve calls search --rule NAME`. To try another policy: `callsieve replay`."))


def _words(actions: dict[str, int]) -> Cell:
    several = len(actions) > 1
    return Text(", ").join(
        Text.assemble(word(action), f" {count:,}" if several else "") for action, count in actions.items()
    )
