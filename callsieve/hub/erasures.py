"""Numbers that another site had erased: obeyed whole, or in part until an administrator here says yes.

obey(db, context, Erasure(...))     operation of the hub's process
keep(db, context, number)           operation: no. Yes is `callsieve privacy erase`.
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from callsieve.changes.describe import number_field
from callsieve.changes.operation import Context, Refused, change
from callsieve.numbers import privacy
from reputation.store.hub.incoming import (
    EVIDENCE,
    ErasureRequest,
    forget_evidence,
    keep_number,
    request_erasure,
    waits_for_yes,
)
from reputation.store.hub.link import link_of, writing_for_hub
from reputation.store.hub.outgoing import erasures_told
from reputation.wording import Wording

# What does not wait for a yes: evidence, what is made of it, and records of changes, which name who made them still.
GOES: Final = {
    *(kind.name for kind in EVIDENCE),
    *("standing", "hub_row", "hub_outbox", "hub_erasure", "erasure_request", "audit", "event", "api_answer"),
}


class Erasure(NamedTuple):
    """A site had the number erased. `is_whole`: it is this site, one that it follows, or a central one."""

    number: str
    site: str
    is_whole: bool


def obey(db: sqlite3.Connection, context: Context, erasure: Erasure) -> bool:
    """Erase what the site may have erased here; the rest waits. Return whether everything about the number is gone."""
    try:
        stored = privacy.stored_about(db, context, erasure.number)
    except Refused:  # no number
        return False
    if not any(stored.erasable.values()):
        return False
    if not erasure.is_whole:
        link = link_of(db)
        assert link is not None
        forget_evidence(db, link, stored.number, erasure.site, frozenset(context.loaded.settings.hub.follow))
        left = privacy.stored_about(db, context, stored.number).erasable
        if any(count for table, count in left.items() if table not in GOES):
            with change(db, context, "hub erasure", stored.number) as changed:
                request_erasure(db, ErasureRequest(stored.number, erasure.site, context.at))
                changed.after = {"site": erasure.site}
            return False
    with writing_for_hub(db):
        privacy.erase(db, context, stored.number)
    erasures_told(db, [stored.number])
    return True


def keep(db: sqlite3.Connection, context: Context, number: str) -> str:
    """Keep what is known here of a number that another site had erased. Return it in E.164."""
    e164 = number_field(context, number)
    with change(db, context, "hub keep", e164):
        if not waits_for_yes(db, e164):
            raise Refused("no-erasure", Wording("no erasure of {number} waits", {"number": e164}), "number")
        keep_number(db, e164, context.at)
    return e164
