"""What of a history is written into the store, in batches: years of calls for a new one.

    write_calls(db, items_of(events), clock, ...) -> Written    a call that is known changes nothing

Files are read in callsieve/replay/call_files.py, a PBX's database in callsieve/imports/cdr_database.py. Of marks in our
own history only the evidence is taken, they block nothing.
"""

from __future__ import annotations

import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

from callsieve.changes.operation import whole
from callsieve.replay.history_file import Event
from reputation.model import AuthClass, Mark
from reputation.outcome import OutcomeRecord
from reputation.own.hours import AS_INSTALLED, CallingHours
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcomes, settle_outcomes
from reputation.store.sources import set_calls_done_to

BATCH = 1000
REMEMBERED_CALLS = 100_000  # whose class a mark that follows is kept in; and whose marks wait for them
PAUSE_SECONDS = 0.01  # between two batches, for the daemon's own writes


@dataclass(frozen=True, slots=True)
class DoneTo:
    """Every call of this database that began before `at` (UTC seconds) came before this item."""

    source: str
    at: float


Item = OutcomeRecord | Mark | DoneTo


@dataclass(slots=True)
class Written:
    """What became of a history. `known`: calls that were there already."""

    new: int = 0
    known: int = 0
    signals: int = 0
    marks: int = 0


def write_calls(
    db: sqlite3.Connection,
    items: Iterable[Item],
    clock: Callable[[], float],
    hours: CallingHours = AS_INSTALLED,
) -> Written:
    """Writes what is read, a thousand in a transaction. Run again it changes nothing."""
    written = Written()
    items = iter(items)
    while batch := list(islice(items, BATCH)):
        with whole(db):
            _write(db, batch, clock(), hours, written)
        time.sleep(PAUSE_SECONDS)
    with whole(db):
        written.signals += len(settle_outcomes(db, clock()))
    return written


def _write(db: sqlite3.Connection, batch: list[Item], now: float, hours: CallingHours, written: Written) -> None:
    """In any order the rows are the same, so calls and marks need not wait for each other."""
    for recorded in record_outcomes(db, [item for item in batch if isinstance(item, OutcomeRecord)], now, hours):
        written.new += recorded.new
        written.known += not recorded.new
        written.signals += recorded.signal is not None
    for item in batch:
        if isinstance(item, Mark):
            add_mark(db, item)
            written.marks += 1
        elif isinstance(item, DoneTo):  # in the transaction of the calls that it is about, or in a later one
            set_calls_done_to(db, item.source, item.at)


def items_of(events: Iterable[Event]) -> Iterator[Item]:
    """What is learnt from, each mark in the class of its call: as far as that is remembered or comes in time, so that
    the order of the lines does not matter.
    """
    classes: OrderedDict[str, AuthClass] = OrderedDict()
    waiting: OrderedDict[str, list[Mark]] = OrderedDict()
    for event in events:
        if isinstance(event, Mark):
            call = event.linkedid
            if call is None or call in classes:
                yield replace(event, auth_class=classes.get(call or "", AuthClass.UNKNOWN))
                continue
            waiting.setdefault(call, []).append(event)
            if len(waiting) > REMEMBERED_CALLS:
                yield from waiting.popitem(last=False)[1]
            continue
        outcome = event.outcome
        classes[outcome.linkedid] = outcome.auth_class
        if len(classes) > REMEMBERED_CALLS:
            classes.popitem(last=False)
        yield outcome
        for mark in waiting.pop(outcome.linkedid, ()):
            yield replace(mark, auth_class=outcome.auth_class)
    yield from chain.from_iterable(waiting.values())
