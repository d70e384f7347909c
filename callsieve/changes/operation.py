"""Operations: how a person changes the store, in one transaction with a row in the audit.

An operation is a function `(db, context, request) -> result`. It checks the request, writes within `change`, and raises
Refused if the request is not allowed. Every interface (command, page, API) calls it and adds no rules of its own.

    def remove(db, context, request):
        with change(db, context, "list remove", number=request.number) as changed:
            changed.before = remove_entry(db, request.entry)
            if changed.before is None:
                raise Refused("not-listed", Wording("{entry} is not on the {list}list", {...}))
        return changed.id
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from callsieve.capability import Changes
from callsieve.settings import Loaded, Settings
from reputation.store.audit import Change, add_audit
from reputation.store.transaction import transaction
from reputation.users import Role, Scope
from reputation.wording import Wording


@dataclass(frozen=True, slots=True)
class Context:
    """The user, time and settings of a request.

    Attributes:
        actor: The name of the user or program for the audit.
        at: The time of the request as UTC seconds, the same for the whole operation.
        user: The user of the console; empty in other interfaces.
        changes: How to undo each kind of change.
        scopes: The scopes of the API token; empty without a token.
        made: The changes that the operation has made so far.
    """

    actor: str
    role: Role
    at: float
    loaded: Loaded
    user: str = ""
    changes: Changes = field(default_factory=dict)
    scopes: tuple[Scope, ...] = ()
    made: list[Change] = field(default_factory=list, compare=False)

    def __post_init__(self) -> None:
        # RFC 3339 has microseconds. The time in the audit must equal the time in the row's key.
        object.__setattr__(self, "at", round(self.at, 6))

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings


class Refused(Exception):
    """The request was refused, and nothing was changed. `field`: the wrong field of the request, or empty.

    `code`: a stable code, for scripts and tests. `words`: one line for people that says what to do.
    """

    def __init__(self, code: str, words: str | Wording, field: str = "") -> None:
        super().__init__(f"{field}: {words}" if field else str(words))
        self.code = code
        self.words = words
        self.field = field


def note(db: sqlite3.Connection, context: Context, done: Change) -> None:
    """Write an audit row for an export, or for a change made outside the store."""
    with change(db, context, done.what, done.number, done.name) as changed:
        changed.after = done.after


def whole(db: sqlite3.Connection) -> AbstractContextManager[None]:
    """Return a context manager that begins a transaction, or does nothing if a transaction is open."""
    return nullcontext() if db.in_transaction else transaction(db)


@contextmanager
def change(
    db: sqlite3.Connection, context: Context, what: str, number: str | None = None, name: str = ""
) -> Iterator[Change]:
    """Run the block in a transaction, then write the audit row that the block filled in, and set the row's id.

    `what`: the kind of change, such as `list add`. `number` or `name`: what the change is about. If a transaction is
    already open, the block becomes part of it. A block that changed nothing sets `is_nothing`, and no row is written.
    """
    known = context.changes
    assert not known or what == "undo" or what in known, f"no capability has the change {what!r}"
    changed = Change(what, number, name)
    with whole(db):
        yield changed
        if not changed.is_nothing:
            add_audit(db, changed, context.actor, context.at)
            context.made.append(changed)
