"""Taking over the people and DIDs that a PBX knows: what would change, and one operation that changes it.

What the administrator has typed (settings, imports of files) stays; what is gone from the PBX stays until it is asked
to go. Done twice, the second time changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from callsieve.changes.operation import Context, Refused, change
from callsieve.imports.operations import PBX_SOURCES, ImportKind, note_each
from callsieve.wiring import dids_of, people_of
from reputation.model import Did, Person
from reputation.store.people import SETTINGS, remove_did, remove_person, upsert_dids, upsert_people
from reputation.store.sources import From, dids_from, people_from

NOBODY_THERE = "the PBX knows nobody now, which takes nobody out: see whether its modules are loaded (module show)"


class TakeoverState(StrEnum):
    """What becomes of a person or DID. YOURS: the administrator says something else, and that stays."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    GONE = "gone"
    YOURS = "yours"


class Takeover(NamedTuple):
    """One person or DID. `before` is what is known, `after` what the PBX says; None: nothing."""

    kind: ImportKind
    key: str
    state: TakeoverState
    before: Person | Did | None
    after: Person | Did | None


class TakeoverRequest(NamedTuple):
    """All that a PBX knows. `source`: one of PBX_SOURCES; `remove_gone`: what it does not know any more goes."""

    source: str
    people: Sequence[Person]
    dids: Sequence[Did]
    remove_gone: bool = False


class TakenOver(NamedTuple):
    """`change_id` None: nothing had to be changed."""

    change_id: int | None
    rows: list[Takeover]


def compared(db: sqlite3.Connection, context: Context, request: TakeoverRequest) -> list[Takeover]:
    """What the PBX says beside what is known here: people, then DIDs, each in their order."""
    settings = context.settings
    people = {one.extension: From(one, SETTINGS) for one in people_of(settings)}
    dids = {one.number: From(one, SETTINGS) for one in dids_of(settings)}
    return [
        *_compared(ImportKind.PEOPLE, people_from(db) | people, {one.extension: one for one in request.people}),
        *_compared(ImportKind.DIDS, dids_from(db) | dids, {one.number: one for one in request.dids}),
    ]


def take_over(db: sqlite3.Connection, context: Context, request: TakeoverRequest) -> TakenOver:
    """Operation: writes what is new and changed, and on request takes out what is gone.

    Refused where the PBX knows nobody at all: while it starts, say. That is no reason to drop everybody.
    """
    assert request.source in PBX_SOURCES
    if request.remove_gone and not request.people:
        raise Refused("nobody-there", NOBODY_THERE)
    rows = compared(db, context, request)
    if not any(_is_written(row, request) for row in rows):
        return TakenOver(None, rows)
    with change(db, context, "import people", name=request.source) as changed:
        rows = compared(db, context, request)
        written = [row for row in rows if _is_written(row, request)]
        there = people_from(db) | dids_from(db)
        _write(db, written, request.source)
        after = people_from(db) | dids_from(db)
        note_each(db, context, changed.what, {row.key: (there.get(row.key), after.get(row.key)) for row in written})
        changed.after = {"rows": len(written)}
    return TakenOver(changed.id, rows)


def _compared(kind: ImportKind, known: dict[str, From], said: dict[str, Person] | dict[str, Did]) -> Iterable[Takeover]:
    for key in sorted(known.keys() | said.keys(), key=lambda key: (len(key), key)):
        there, after = known.get(key), said.get(key)
        before = there.one if there else None
        is_ours = there is None or there.source in PBX_SOURCES
        if after is None and not is_ours:
            continue  # the administrator's, of which the PBX says nothing
        yield Takeover(kind, key, _state(before, after, is_ours=is_ours), before, after)


def _state(before: Person | Did | None, after: Person | Did | None, *, is_ours: bool) -> TakeoverState:
    if before == after:
        return TakeoverState.SAME
    if not is_ours:
        return TakeoverState.YOURS
    if before is None:
        return TakeoverState.NEW
    return TakeoverState.GONE if after is None else TakeoverState.CHANGED


def _is_written(row: Takeover, request: TakeoverRequest) -> bool:
    is_new = row.state in (TakeoverState.NEW, TakeoverState.CHANGED)
    return is_new or (request.remove_gone and row.state is TakeoverState.GONE)


def _write(db: sqlite3.Connection, rows: Sequence[Takeover], source: str) -> None:
    upsert_people(db, [row.after for row in rows if isinstance(row.after, Person)], source)
    upsert_dids(db, [row.after for row in rows if isinstance(row.after, Did)], source)
    for row in rows:
        if row.after is None:
            (remove_person if row.kind is ImportKind.PEOPLE else remove_did)(db, row.key)
