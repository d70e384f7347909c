"""The operation that confirms decisions about calls as right."""

import sqlite3
from typing import NamedTuple

from callsieve.changes.describe import number_field
from callsieve.changes.operation import Context, change
from reputation.store.confirmations import Confirmation, confirmation_of, put_confirmation


class Confirmed(NamedTuple):
    """The result of `confirm`. `number`: the number about which earlier decisions were confirmed as right."""

    change_id: int | None
    number: str


def confirm(db: sqlite3.Connection, context: Context, number: str) -> Confirmed:
    """Confirm that decisions about a number until now were right. They no longer count as probable mistakes."""
    e164 = number_field(context, number)
    with change(db, context, "calls confirm", e164) as changed:
        changed.before = confirmation_of(db, e164)
        changed.after = Confirmation(e164, context.at, context.actor)
        put_confirmation(db, changed.after)
    return Confirmed(changed.id, e164)
