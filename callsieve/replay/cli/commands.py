"""The command `callsieve replay`: show what a policy would have done with past calls."""

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
from callsieve.replay.call_files import History, HistoryError, in_time_order, open_history, sides_of
from callsieve.replay.cli.terminal import show_report
from callsieve.replay.engine import Judged, Replay, judgements, no_background
from callsieve.replay.history_file import EmptyLines, Event, at_of
from callsieve.replay.label_effect import SEEN
from callsieve.replay.report import ACTIONS, ActionCounts, Period, ReplayReport, line_of
from callsieve.replay.store_history import events_of_store, known_in, replay_context
from callsieve.settings import Loaded
from callsieve.simulate import SettingsFacts
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
BAR_CELLS = 300  # every action that occurs gets at least one, so it is visible


def page_of(report: ReplayReport, made_at: float) -> str:
    """Return the report as an HTML page."""
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
    words = ", ".join(f"{period.actions[action]:,} {action}" for action in ACTIONS if period.actions[action])
    calls = period.actions.total()
    return {"first": period.first, "calls": calls, "said": words or "no call", "parts": list(_parts(period, most))}


def _parts(period: Period, most: int) -> Iterator[tuple[str, int, int]]:
    x = 0
    for action, width in zip(ACTIONS, cells_of([period.actions[a] for a in ACTIONS], most, BAR_CELLS), strict=True):
        if width:
            yield action, x, width
        x += width


Chosen = tuple[str, PolicySet | Policy]

PRIVATE = 0o600  # numbers are personal data
OF_THE_STORE = (
    "Data in the store counts if it existed when a call came. Contacts have no date and always count. Calls and marks "
    "in the store are not used."
)
OF_CDRS = (
    "CDRs do not say who hung up, whether a message was left, or whether a call was signed. So they give less evidence "
    "than calls that CallSieve saw itself."
)


def replay(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="HISTORY", help="A file of JSON lines in time order, or of Asterisk's CDRs.", show_default=False
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=OUTCOME_DAYS, metavar="DAYS", help="Without a file: replay the last days in the store."
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A preset, a policy's name, or a FILE.toml. Default: the running policy."),
    ] = None,
    against: Annotated[str | None, typer.Option(metavar="NAME", help="Compare with this policy.")] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="Use the numbering plan of this day, such as 2026-12-31, and show which decisions differ.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every decision to this file, one per line.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report to this file as an HTML page.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Decide past calls again with a policy. A decision uses only what was known before the call. Changes nothing."""
    if (file is None) == (days is None):
        raise CommandError(f"replay: give a HISTORY, or --days 1 to {OUTCOME_DAYS} for the calls in the store")
    loaded = settings_of(config)
    plan_at = None if plan is None else _day(plan)
    chosen = [chosen_policy(name, loaded) for name in ([policy] if against is None else [policy, against])]
    if plan is not None:
        name, first = chosen[0]
        chosen = [(f"{name} (numbering plan of {plan})", first), *(chosen[1:] or chosen)]
    outputs = [path for path in (out, html) if path is not None]
    for path in outputs:
        with acting_for(path):
            _check(path, file)
    with ExitStack() as stack:
        decisions = stack.enter_context(_complete(out))
        page = stack.enter_context(_complete(html))
        report = run_replay(ReplayQuestion(file, days, plan_at), loaded, chosen, _writer(decisions))
        if page is not None:
            page.write(page_of(report, time.time()).encode())
    if as_json:
        print_json(report)
    else:
        show_report(report, outputs)


def _day(text: str) -> float:
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC).timestamp()
    except ValueError:
        raise CommandError(f"--plan: give a day such as 2026-12-31, not {text!r}") from None


class ReplayQuestion(NamedTuple):
    """The calls to replay: from `file` or, if that is None, the last `days` in the store.

    `plan_at`: the first of the policies uses the numbering plan of that day; None: of the day of each call.
    """

    file: Path | None
    days: int | None
    plan_at: float | None = None

    @property
    def name(self) -> str:
        """The name of the history, for the report."""
        return self.file.name if self.file is not None else f"the last {plural(self.days or 0, 'day')}"


Watcher = Callable[[Event, Judged | None], None]


def _writer(decisions: BinaryIO | None) -> Watcher | None:
    if decisions is None:
        return None
    encode = msgspec.json.Encoder().encode

    def write(_event: Event, judged: Judged | None) -> None:
        if judged is not None:
            decisions.write(encode(line_of(judged)) + b"\n")

    return write


def run_replay(question: ReplayQuestion, loaded: Loaded, chosen: list[Chosen], watch: Watcher | None) -> ReplayReport:
    """Run a replay and return its report. `watch` is called with each event that the report counts."""
    tally = ActionCounts()
    started, now = time.monotonic(), time.time()
    since = now - question.days * DAY_SECONDS if question.days else -math.inf
    with _open_sources(loaded) as sources, _history(question, sources, loaded, now) as (history, tell):
        replay = Replay([policy for _, policy in chosen], sources.ours, sources.background_of, question.plan_at)
        events = watched(history.events, history.place or (lambda: history.bytes_read), tell)
        try:
            with _no_collector():
                for event, judged in judgements(events, replay, history):
                    if at_of(event) < since:
                        continue  # its evidence counts, but the call is not in the report
                    tally.add(event, judged, replay)
                    if watch is not None:
                        watch(event, judged)
        except EmptyLines as error:
            raise CommandError(f"{question.file}: {error}") from None
        except DAMAGE:
            raise CommandError(str(table_error(TableProblem.DAMAGED, str(question.file)))) from None
        if not tally.calls:
            why = f": {history.problems[0]}" if history.problems else ""
            raise CommandError(f"{question.file or question.name}: no inbound call can be replayed{why}")
        names = [name for name, _ in chosen]
        seconds = time.monotonic() - started
        notes = [*sources.notes, *([OF_CDRS] if history.kind.startswith("cdr-") else [])]
        return tally.report(
            question.name, names, replay, history, known_in(replay, sources.ours.own_numbers), notes, seconds
        )


@contextmanager
def _history(question: ReplayQuestion, sources: _Sources, loaded: Loaded, now: float) -> Iterator[tuple[History, Tell]]:
    if question.file is None:
        if sources.db is None:
            raise CommandError(f"{loaded.store_path}: there is no store yet: give a HISTORY to replay")
        history = History(kind="store")
        history.events = _counted(events_of_store(sources.db, now), history)
        with meter_of(None, "adding up") as tell:
            yield history, tell
        return
    try:
        with naming(question.file), open_history(question.file, sides_of(sources.db, loaded), None) as history:
            if history.kind != "history":
                history.events = in_time_order(history.events)
            with meter(question.file, "adding up") as tell:
                yield history, tell
    except HistoryError as error:
        raise CommandError(str(error)) from None


def _counted(events: Iterator[Event], history: History) -> Iterator[Event]:
    for event in events:
        history.read += 1
        yield event


@contextmanager
def _no_collector() -> Iterator[None]:
    # A replay makes no reference cycles, and the search for them takes a tenth of its time.
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # no search while the report is made either
        gc.enable()


@dataclass(frozen=True, slots=True)
class _Sources:
    db: sqlite3.Connection | None
    ours: SettingsFacts
    background_of: Callable[[str], Background]
    notes: list[str]


@contextmanager
def _open_sources(loaded: Loaded) -> Iterator[_Sources]:
    if not has_store(loaded):
        note = "There is no store, so the replay uses no lists, contacts, identities or imported numbers."
        yield _Sources(None, SettingsFacts.of(loaded), no_background, [note])
        return
    with existing_store(loaded) as db:
        yield _Sources(db, *replay_context(db, loaded), [_note_of(db, loaded), OF_THE_STORE])


def _note_of(db: sqlite3.Connection, loaded: Loaded) -> str:
    rows = [plural(count, what, many) for (what, many), count in counts_of(db).items() if count]
    if not rows:
        return f"{loaded.store_path.name} has no lists, contacts, identities or imported numbers."
    return f"With {', '.join(rows)}."


def chosen_policy(name: str | None, loaded: Loaded) -> Chosen:
    """Return a policy with its name. Without a name, return the active policy with its scopes."""
    if name is None:
        return running_name(loaded), policies_of(loaded)
    policy = policy_called(name, loaded)
    return policy.name, policy


def _check(path: Path, history: Path | None) -> None:
    # Before the replay, which takes long: an output must not overwrite a device or the history.
    if path.exists() and not path.is_file():
        raise CommandError(f"{path}: not a regular file: give the name of a file to write")
    if path.exists() and history is not None and history.exists() and path.samefile(history):
        raise CommandError(f"{path}: this is the history itself: give another file to write")


def _complete(path: Path | None) -> AbstractContextManager[BinaryIO | None]:
    return nullcontext() if path is None else complete_file(path, PRIVATE)
