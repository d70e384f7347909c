"""The command `callsieve status`, which shows on one screen whether calls are screened."""

import time
from collections.abc import Iterator
from functools import partial

import typer
from rich.text import Text

from callsieve.calls.records import caller_words
from callsieve.cli.options import ConfigOption, JsonOption, print_json, salvaged_settings_of
from callsieve.cli.output import Cell, cells_of, clean, lines, ordered, plural, print_pairs, word
from callsieve.doctor.checks import checks_of
from callsieve.doctor.finding import CheckContext, gathered
from callsieve.health import Check, CheckStatus, ScreeningState, Tone
from callsieve.pbx.cli_client import console
from callsieve.status.records import system_status
from callsieve.status.views import ACTIONS, JournalSummary, Status, status_of
from callsieve.text.times import ago, when
from callsieve.version import program_version
from reputation.model import DecisionRecord

ASTERISK_SECONDS = 2.0
MOST_QUESTIONS = 50  # half a second: the doctor asks more
CONFIRMED_SECONDS = 60.0  # an older confirmation is shown with its age
BAR = "█"
BAR_CELLS = 40
STYLES = {
    Tone.GOOD: "bold green",
    Tone.CALM: "bold yellow",
    Tone.IDLE: "bold red",
    Tone.CAREFUL: "bold red",
    Tone.BROKEN: "bold red",
}


def status(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show whether calls are screened, the recent calls, and what is wrong.

    Exit code 0: calls are screened, and nothing must be fixed. Exit code 1: otherwise.
    """
    loaded, error = salvaged_settings_of(config)
    ask = partial(console, loaded.settings, seconds=ASTERISK_SECONDS)
    context = CheckContext(error or loaded, ask, time.time(), most_questions=MOST_QUESTIONS)
    current = status_of(context, loaded, checks_of(ctx.obj))
    if as_json:
        print_json(system_status(current, program_version()))
    else:
        print_pairs(_pairs(current), width=10)
    if not current.is_well:
        raise SystemExit(1)


def _pairs(status: Status) -> Iterator[tuple[str, Cell]]:
    yield "screening", _headline(status)
    yield "policy", _policy(status)
    yield "last call", _last_call(status.journal, status.screening.at)
    yield "last hour", _last_hour(status.journal)
    yield "Asterisk", _listener(status)
    yield (
        "trouble",
        Text("\n").join(_trouble(check, status.screening.at) for check in gathered(status.trouble))
        if status.trouble
        else "none",
    )
    yield "not known", lines(f"{check.name}: {check.detail}" for check in gathered(status.not_known))


def _headline(status: Status) -> Text:
    screening = status.screening
    words, style = screening.kind.headline, STYLES[screening.kind.tone]
    if screening.is_partial:
        words, style = "screening is on for some calls only", "bold yellow"
    headline = Text(words, style)
    if screening.since is not None:
        headline.append(f", since {when(screening.since)} ({ago(screening.since, screening.at)})", "")
    if screening.until is not None:
        headline.append(f", until {when(screening.until)}", "")
    if screening.by:
        headline.append(f", by {clean(screening.by)}{f' ({clean(screening.reason)})' if screening.reason else ''}", "")
    if screening.confirmed_at is not None and screening.at - screening.confirmed_at > CONFIRMED_SECONDS:
        confirmed = ago(screening.confirmed_at, screening.at)
        headline.append(f"\nthe last call reached CallSieve {confirmed}: to check now, run callsieve doctor", "")
    if screening.state is ScreeningState.WAITING:
        headline.append(f"\n→ {clean(screening.remedy)}", "cyan")
    elif screening.why and screening.why not in [check.detail for check in status.trouble]:
        headline.append(f"\n{clean(screening.why)}", "")
        if screening.remedy:
            headline.append(f"\n→ {clean(screening.remedy)}", "cyan")
    return headline


def _policy(status: Status) -> str:
    policy = status.screening.policy
    if policy is None:
        return "not known"
    return f"{policy} (observes only)" if status.observing else policy


def _last_call(journal: JournalSummary | None, now: float) -> Cell:
    if journal is None:
        return "not known"
    if journal.last_call is None:
        return "no call was screened yet"
    return _call(journal.last_call.record, now)


def _call(call: DecisionRecord, now: float) -> Text:
    to = f" to {clean(call.callee or call.did)}" if call.callee or call.did else ""
    about = f"{ago(call.at, now)}: {clean(caller_words(call))}{to}, "
    return Text.assemble(about, ordered(call.action, call.would_be), f" by {clean(call.rule)}")


def _last_hour(journal: JournalSummary | None) -> Cell:
    if journal is None:
        return "not known"
    counted = journal.last_hour
    if not counted:
        return "no calls"
    most = max(counted.values())
    rows = [Text(plural(counted.total(), "decision"))]
    for action in ACTIONS:
        if counted[action]:
            (cells,) = cells_of([counted[action]], most, BAR_CELLS)
            rows.append(Text.assemble(f"{action:<10}{counted[action]:>6,}  ", (BAR * cells, word(action).style)))
    return Text("\n").join(rows)


def _listener(status: Status) -> str:
    telemetry = status.report
    if telemetry is None:
        return "not known: the daemon has not reported lately"
    if telemetry.listening is None:
        return "not listening: [ami] username is empty"
    if status.is_listening is None:
        return "not known yet: the daemon has just started"
    if not status.is_listening:
        return "not listening: no connection to Asterisk's manager interface"
    return "listening"


def _trouble(check: Check, now: float) -> Text:
    style = "bold red" if check.status is CheckStatus.FAIL else "yellow"
    line = Text.assemble((f"{check.name}: ", style), clean(check.detail))
    if check.at < now:  # what root's doctor found may have been fixed since
        line.append(f" (found {ago(check.at, now)}; check again with: callsieve doctor)", style="dim")
    if check.remedy:
        line.append(f"\n→ {clean(check.remedy)}", style="cyan")
    return line
