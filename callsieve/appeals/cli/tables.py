"""`callsieve appeal list` and `show`: which appeals there are, and all of one."""

from __future__ import annotations

import sqlite3
import time
from typing import Annotated

import typer
from rich.text import Text

from callsieve.appeals.operations import appeal_about
from callsieve.appeals.views import find_case, queued
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, print_json, settings_of
from callsieve.cli.output import Cell, bold, lines, print_pairs, print_table, say
from callsieve.cli.store import context_of
from callsieve.numbers.profile import profile_of
from callsieve.settings import Loaded
from callsieve.text.times import day, when
from reputation.appeals import Appeal, due_at, is_overdue
from reputation.model import Mark
from reputation.store.appeals import all_appeals, appeals_to_decide
from reputation.store.marks import Tombstone, tombstones_of
from reputation.store.public_appeals import Attachment, public_appeals

AppealArgument = Annotated[
    str, typer.Argument(metavar="APPEAL", help="Its reference, or the number for its latest.", show_default=False)
]


def in_force(appeal: Appeal) -> str:
    """What it means that it is."""
    due = due_at(appeal)
    until = f" It is to be decided until {when(due - 1)}." if due is not None else ""
    return (
        f"Appeal {appeal.reference} is in force: no rule does more to calls of {appeal.number} than to challenge them; "
        f"lists act as written.{until}"
    )


def show_list(
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the appeals that wait for somebody: those in force by their deadline, then those that are only filed."""
    now = time.time()
    with existing_store(settings_of(config)) as db:
        appeals = all_appeals(db) if all_of_them else appeals_to_decide(db)
        queue = queued(appeals, public_appeals(db), now)
    if as_json:
        print_json(queue)
    elif appeals:
        print_table(
            ("appeal", "number", "of", "is", "decide by", "filed"),
            (
                (one.reference, one.number, one.name, one.state.value, _deadline(one, now), day(one.opened_at))
                for one in appeals
            ),
            keep=(0, 1, 3, 4, 5),
        )
    else:
        say("No appeals." if all_of_them else "No appeal waits for anybody; --all shows those that are closed.")


def show(appeal: AppealArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show all of one appeal: who says what, what was shown for it, and whose marks it is about."""
    loaded, now = settings_of(config), time.time()
    with existing_store(loaded) as db:
        one = appeal_about(db, context_of(loaded), appeal)
        case = find_case(db, context_of(loaded), appeal)
        stones = tombstones_of(db, one.number)
        known = known_now(db, loaded, one.number, now)
    if as_json:
        print_json(case)
        return
    say(bold(one.reference), f"  appeal of {one.number}")
    say()
    print_pairs(
        [
            ("is", one.state.value + (", control of the number is proven" if one.proven else "")),
            ("decide by", _deadline(one, now)),
            ("reason", lines(one.reason.splitlines())),
            ("of", f"{one.name}, {one.contact}"),
            ("says", lines(one.statement.splitlines())),
            ("about", f"decision {one.decision_id}" if one.decision_id else ""),
            ("filed", when(one.opened_at)),
            ("in force", when(one.in_force_at) if one.in_force_at else ""),
            ("closed", when(one.closed_at) if one.closed_at else ""),
            ("evidence", lines(map(_attachment, case.attachments))),
            ("marks", lines(_mark(mark, stones) for mark in case.marks)),
            ("known now", known),
        ]
    )


def known_now(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> str:
    """What an ordinary call of the number would meet, and why, in one line."""
    known = profile_of(db, loaded, number, now)
    return f"level {known.facts.reputation.level.word}. {known.sentence}"


def _deadline(appeal: Appeal, now: float) -> Cell:
    due = due_at(appeal)
    if due is None:
        return ""
    last_day = day(due - 1)
    return Text(f"{last_day}, overdue", style="red") if is_overdue(appeal, now) else last_day


def _mark(mark: Mark, stones: list[Tombstone]) -> str:
    wrong = ", found wrong" if any(stone.covers(mark.reporter, mark.at) for stone in stones) else ""
    return f"{mark.category or 'spam'} by {mark.reporter}, {when(mark.at)} ({mark.auth_class.value}{wrong})"


def _attachment(one: Attachment) -> str:
    size = f"{one.size:,} bytes" if one.size < 1024 else f"{one.size / 1024:,.0f} kB"
    return f"{one.place}: {one.name}, {size}, by {one.added_by}, {when(one.added_at)}"
