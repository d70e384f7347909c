"""Removing what still stops the calls of a number whose appeal is upheld, in the step that upholds it or later.

Each entry has a row of its own in the audit, beside that of the step: undoing the step takes back all of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from callsieve.appeals.cleared import state_cleared
from callsieve.changes.operation import Context, Refused
from callsieve.lists.operations import EntryKey, EntryRequest, PersonalKey, add, remove, remove_personal
from callsieve.numbers.calls_now import Stop, StopKind, calls_now, stops_of
from policies.policy import PolicyError
from reputation.appeals import Appeal
from reputation.model import ListName
from reputation.wording import Wording


def stop_kinds(names: Collection[str]) -> frozenset[StopKind]:
    """Return the kinds of these names. Refused: there is no such kind."""
    try:
        return frozenset(map(StopKind, names))
    except ValueError:
        raise Refused("unknown-stop", Wording("takes list, policy or people"), "remove") from None


def clear_stops(
    db: sqlite3.Connection, context: Context, appeal: Appeal, kinds: Collection[StopKind]
) -> tuple[Stop, ...]:
    """Remove what is of these kinds, and sign that the number is cleared if a call rings now.

    Returns what still stops calls. Refused: a list may not be changed so, or the statement cannot be signed.
    """
    try:
        for stop in stops_of(db, context.loaded, appeal.number, context.at):
            if stop.kind in kinds:
                _remove(db, context, appeal, stop)
        left = stops_of(db, context.loaded, appeal.number, context.at)
        rings = calls_now(db, context.loaded, appeal.number, context.at).rings
    except PolicyError as error:
        if kinds:
            raise Refused("no-policy", str(error)) from None
        return ()  # nobody can tell what a call meets, so nothing is signed
    if rings and all(stop.kind is StopKind.PEOPLE for stop in left):
        state_cleared(db, context, appeal)
    return left


def _remove(db: sqlite3.Connection, context: Context, appeal: Appeal, stop: Stop) -> None:
    number = appeal.number
    for person in stop.people:
        remove_personal(db, context, PersonalKey(number, person, ListName.BLOCK))
    ours = [one for one in stop.entries if one.text == number and one.list_name is ListName.BLOCK]
    for _ in ours:
        remove(db, context, EntryKey(ListName.BLOCK, number))
    if stop.kind is StopKind.POLICY or len(ours) < len(stop.entries):
        add(db, context, EntryRequest(ListName.ALLOW, number, note=f"appeal {appeal.reference} upheld"))
