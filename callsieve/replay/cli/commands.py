"""`callsieve replay`: what a policy would have done to the calls of the past."""

from __future__ import annotations

import gc
import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import msgspec
import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, has_store, print_json, settings_of
from callsieve.cli.output import Tell, cells_of, meter, meter_of, plural, watched
from callsieve.policy_selection import policy_called, running_name
from callsieve.replay.call_files import History, HistoryError, in_time_order, opened, sides_of
from callsieve.replay.cli.terminal import show_report
from callsieve.replay.engine import Judged, Replay, judgements, nothing_of
from callsieve.replay.history_file import EmptyLines, Event, at_of
from callsieve.replay.label_effect import SEEN
from callsieve.replay.report import ACTIONS, ActionCounts, Period, ReplayReport, line_of, report_as_json
from callsieve.replay.store_history import events_of_store, ground_of, known_in
from callsieve.settings import Loaded
from callsieve.simulate import Ours
from callsieve.system.files import complete_file, naming
from callsieve.system.privileges import acting_for
from callsieve.text.csv_table import DAMAGE
from callsieve.text.table_errors import TableProblem, table_error
from callsieve.web.rendering import document_of
from callsieve.wiring import policies_of
from policies.policy import Policy, PolicySet
from reputation.store.as_of import Background, counts_of
from reputation.store.tables.table import OUTCOME_DAYS
from reputation.weights import DAY_SECONDS

SHOWN_MISTAKES = 200
BAR_CELLS = 300  # what there is gets one at least, and can be seen


def page_of(report: ReplayReport, made_at: float) -> str:
    """The whole page."""
    most = max((period.actions.total() for period in report.periods), default=0) or 1
    shown = {
        "report": report,
        "made_at": made_at,
        "actions": ACTIONS,
        "seen_actions": [action for action in ACTIONS if any(period.actions[action] for period in report.periods)],
        "days": [_chart_day(period, most) for period in report.periods],
        "bar_cells": BAR_CELLS,
        "shown_mistakes": SHOWN_MISTAKES,
        "words_of_seen": SEEN,
    }
    return document_of("replay", "report.html", "en", shown)


def _chart_day(period: Period, most: int) -> dict[str, Any]:
    """A row of the chart, where `most` calls fill the width. Its bar stretches: what it says stands beside it."""
    said = ", ".join(f"{period.actions[action]:,} {action}" for action in ACTIONS if period.actions[action])
    calls = period.actions.total()
    return {"first": period.first, "calls": calls, "said": said or "no call", "parts": list(_parts(period, most))}


def _parts(period: Period, most: int) -> Iterator[tuple[str, int, int]]:
    """Of a stacked bar: which action, from where, how wide."""
    x = 0
    for action, width in zip(ACTIONS, cells_of([period.actions[a] for a in ACTIONS], most, BAR_CELLS), strict=True):
        if width:
            yield action, x, width
        x += width


Chosen = tuple[str, PolicySet | Policy]

PRIVATE = 0o600  # numbers are personal data
OF_CDRS = (
    "A CDR does not say who hung up, whether a message was left, nor what the network said of a caller: such calls "
    "show less evidence than those that CallSieve saw itself."
)


def replay(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="HISTORY", help="JSON lines in time order, or Asterisk's CDRs.", show_default=False),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=OUTCOME_DAYS, metavar="DAYS", help="No file: the calls of the last days in the store."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A preset, a policy's name, or a FILE.toml; else the running one."),
    ] = None,
    against: Annotated[str | None, typer.Option(metavar="NAME", help="Show what differs from this policy.")] = None,
    plan: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="By the numbering plan of that day, 2026-12-31; show what differs."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write every decision there, a line each.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as a page.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Decide about the calls of a history again, each with only what was known before it. Changes nothing."""
    if (file is None) == (days is None):
        raise CommandError(
            f"replay: say either a HISTORY or --days N, of the calls that the store keeps ({OUTCOME_DAYS})"
        )
    loaded = settings_of(config)
    plan_at = None if plan is None else _day(plan)
    chosen = [chosen_policy(name, loaded) for name in ([policy] if against is None else [policy, against])]
    if plan is not None:
        name, first = chosen[0]
        chosen = [(f"{name} (plan of {plan})", first), *(chosen[1:] or chosen)]
    outputs = [path for path in (out, html) if path is not None]
    for path in outputs:
        with acting_for(path):
            _check(path, file)
    with ExitStack() as stack:
        decisions = stack.enter_context(_complete(out))
        page = stack.enter_context(_complete(html))
        report = replayed(ReplayQuestion(file, days, plan_at), loaded, chosen, _writer(decisions))
        if page is not None:
            page.write(page_of(report, time.time()).encode())
    if as_json:
        print_json(report_as_json(report))
    else:
        show_report(report, outputs)


def _day(text: str) -> float:
    """The instant at which a day begins, in UTC as numbering plans have it."""
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC).timestamp()
    except ValueError:
        raise CommandError(f"--plan: takes a day such as 2026-12-31, not {text!r}") from None


class ReplayQuestion(NamedTuple):
    """A file, or the last days of the store; and the day of whose numbering plan the first policy decides."""

    file: Path | None
    days: int | None
    plan_at: float | None = None

    @property
    def name(self) -> str:
        return self.file.name if self.file is not None else f"the last {plural(self.days or 0, 'day')}"


Watcher = Callable[[Event, Judged | None], None]


def _writer(decisions: BinaryIO | None) -> Watcher | None:
    """Return what writes each decision, a line each."""
    if decisions is None:
        return None
    encode = msgspec.json.Encoder().encode

    def write(_event: Event, judged: Judged | None) -> None:
        if judged is not None:
            decisions.write(encode(line_of(judged)) + b"\n")

    return write


def replayed(asked: ReplayQuestion, loaded: Loaded, chosen: list[Chosen], watch: Watcher | None) -> ReplayReport:
    """Return what the policies would have done. `watch` sees each event that is counted."""
    tally = ActionCounts()
    started, now = time.monotonic(), time.time()
    since = now - asked.days * DAY_SECONDS if asked.days else -math.inf
    with _ground(loaded) as ground, _history(asked, ground, loaded, now) as (history, tell):
        replay = Replay([policy for _, policy in chosen], ground.ours, ground.background_of, asked.plan_at)
        events = watched(history.events, history.place or (lambda: history.bytes_read), tell)
        try:
            with _no_collector():
                for event, judged in judgements(events, replay, history):
                    if at_of(event) < since:
                        continue  # learnt from all the same
                    tally.add(event, judged, replay)
                    if watch is not None:
                        watch(event, judged)
        except EmptyLines as error:
            raise CommandError(f"{asked.file}: {error}") from None
        except DAMAGE:
            raise CommandError(str(table_error(TableProblem.DAMAGED, str(asked.file)))) from None
        if not tally.calls:
            why = f": {history.problems[0]}" if history.problems else ""
            raise CommandError(f"{asked.file or asked.name}: not one inbound call can be replayed{why}")
        names = [name for name, _ in chosen]
        seconds = time.monotonic() - started
        notes = [*ground.notes, *([OF_CDRS] if history.kind.startswith("cdr-") else [])]
        return tally.report(
            asked.name, names, replay, history, known_in(replay, ground.ours.own_numbers), notes, seconds
        )


@contextmanager
def _history(asked: ReplayQuestion, ground: _Ground, loaded: Loaded, now: float) -> Iterator[tuple[History, Tell]]:
    """What was asked for, in time order as a file of ours has it and a file of CDRs nearly; and who is told of it."""
    if asked.file is None:
        if ground.db is None:
            raise CommandError(
                f"{loaded.store_path}: there is no store yet, so there is no call to replay: name a HISTORY"
            )
        history = History(kind="store")
        history.events = _counted(events_of_store(ground.db, now), history)
        with meter_of(None, "adding up") as tell:
            yield history, tell
        return
    try:
        with naming(asked.file), opened(asked.file, sides_of(ground.db, loaded), None) as history:
            if history.kind != "history":
                history.events = in_time_order(history.events)
            with meter(asked.file, "adding up") as tell:
                yield history, tell
    except HistoryError as error:
        raise CommandError(str(error)) from None


def _counted(events: Iterator[Event], history: History) -> Iterator[Event]:
    for event in events:
        history.read += 1
        yield event


@contextmanager
def _no_collector() -> Iterator[None]:
    """A replay makes no cycles, and to look for them in all that it has learnt takes a tenth of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor is it looked at when the report is made
        gc.enable()


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is known besides the history. `db`: the store, if there is one."""

    db: sqlite3.Connection | None
    ours: Ours
    background_of: Callable[[str], Background]
    notes: list[str]


@contextmanager
def _ground(loaded: Loaded) -> Iterator[_Ground]:
    """From the settings, and from the store when there is one."""
    if not has_store(loaded):
        note = "There is no store here: no list, contact, identity or imported number was used."
        yield _Ground(None, Ours.of(loaded), nothing_of, [note])
        return
    with existing_store(loaded) as db:
        yield _Ground(db, *ground_of(db, loaded), [_note_of(db, loaded)])


def _note_of(db: sqlite3.Connection, loaded: Loaded) -> str:
    counts = counts_of(db)
    found = [plural(count, what, many) for (what, many), count in counts.items() if count]
    if not found:
        return f"{loaded.store_path.name} has no list, contact, identity or imported number to use."
    return (
        f"From {loaded.store_path.name}, as far as it was there when a call came: {', '.join(found)}. Contacts have no "
        "date and count always; what the store has learnt from calls and marks is not used."
    )


def chosen_policy(name: str | None, loaded: Loaded) -> Chosen:
    """The policy and how it is called; without a name the running one, with its scopes."""
    if name is None:
        return running_name(loaded), policies_of(loaded)
    policy = policy_called(name, loaded)
    return policy.name, policy


def _check(path: Path, history: Path | None) -> None:
    """Before the work: whether the file may be written over."""
    if path.exists() and not path.is_file():
        raise CommandError(f"{path}: is no regular file: name a file to be written")
    if path.exists() and history is not None and history.exists() and path.samefile(history):
        raise CommandError(f"{path}: is the history itself: name another file")


def _complete(path: Path | None) -> AbstractContextManager[BinaryIO | None]:
    return nullcontext() if path is None else complete_file(path, PRIVATE)
