"""What an administrator does about events.

replay, switch_on: operations (callsieve/changes/operation.py)
"""

from __future__ import annotations

import sqlite3
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId
from callsieve.changes.operation import Context, Refused, change
from callsieve.wiring import wanted_events_of
from policies.files import nearest
from reputation.store import event_deliveries as store
from reputation.store.outbox import event_of
from reputation.wording import Wording

EventId = Annotated[str, Meta(min_length=1, max_length=64)]
ReceiverName = Annotated[str, Meta(min_length=1, max_length=200, examples=["webhook/crm"])]


class ReplayRequest(msgspec.Struct, frozen=True):
    """Which dead letters: those of one event, of one receiver, or all.

    Attributes:
        event: The id of the event, null for all.
        receiver: The receiver, null for all.
    """

    event: EventId | None = None
    receiver: ReceiverName | None = None


class Replayed(NamedTuple):
    """Dead letters that will be delivered again. `replayed`: how many."""

    change_id: ChangeId | None
    replayed: int


def replay(db: sqlite3.Connection, context: Context, request: ReplayRequest) -> Replayed:
    """Have dead letters delivered again."""
    receiver = None if request.receiver is None else named(context, request.receiver)
    with change(db, context, "events replay", name=request.event or receiver or "") as changed:
        count = store.replay(db, request.event, receiver, context.at)
        if not count and request.event is not None:
            raise _no_dead_letter(db, request.event)
        changed.after = {"replayed": count}
    return Replayed(changed.id, count)


def switch_on(db: sqlite3.Connection, context: Context, receiver: str) -> bool:
    """A receiver that had answered that it wants no events gets them again. False: it was not switched off."""
    name = named(context, receiver)
    state = next((one for one in store.receiver_states(db) if one.name == name), None)
    if state is None or not state.off:
        return False
    with change(db, context, "events test", name=name) as changed:
        changed.before, changed.after = {"off": state.off}, {}
        return store.switch_on(db, name, wanted_events_of(context.settings)[name], context.at)


def named(context: Context, text: str) -> str:
    """The name of a receiver of the settings, from how somebody typed it: `webhook/crm`, or `crm`."""
    names = list(wanted_events_of(context.settings))
    found = [name for name in names if text in (name, name.partition("/")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        words = Wording("{name} may be {names}: write one of these", {"name": text[:80], "names": ", ".join(found)})
        raise Refused("ambiguous-receiver", words)
    if not names:
        raise Refused(
            "no-receiver", Wording("no receiver is in the settings: the documentation says how, under Events")
        )
    hint = nearest(text, names)
    raise Refused("no-such-receiver", Wording("there is no receiver {name}{hint}", {"name": text[:80], "hint": hint}))


def _no_dead_letter(db: sqlite3.Connection, event_id: str) -> Refused:
    about = {"id": event_id[:40]}
    if event_of(db, event_id) is None:
        return Refused("no-such-event", Wording("there is no event {id}: it is too old, or was never written", about))
    return Refused("no-dead-letter", Wording("event {id} is no dead letter of anybody's", about))
