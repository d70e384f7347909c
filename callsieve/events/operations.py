"""What an administrator does about events.

replay, switch_on: operations (callsieve/changes/operation.py)
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from callsieve.changes.operation import Context, Refused, change
from callsieve.wiring import wanted_events_of
from policies.hints import nearest
from reputation.store import event_deliveries as store
from reputation.store.outbox import event_of
from reputation.wording import Wording


class ReplayRequest(NamedTuple):
    """Which dead letters: those of one event, of one receiver, or all."""

    event: str | None = None
    receiver: str | None = None


def replay(db: sqlite3.Connection, context: Context, request: ReplayRequest) -> int:
    """Has dead letters delivered again. How many."""
    receiver = None if request.receiver is None else named(context, request.receiver)
    with change(db, context, "events replay", name=request.event or receiver or "") as changed:
        count = store.replay(db, request.event, receiver, context.at)
        if not count and request.event is not None:
            raise _no_dead_letter(db, request.event)
        changed.after = {"replayed": count}
    return count


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
