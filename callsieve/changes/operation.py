"""How a person changes the store: an operation, its transaction, its row in the audit, and its refusal.

An operation is one function `(db, context, request) -> result`. It checks the request, writes inside `change`, and
raises Refused where it must not write. Every door (command line, console) parses a request, calls the operation and
shows the result; no door has a rule of its own.

    def remove(db, context, request):
        with change(db, context, "list remove", number=request.number) as changed:
            changed.before = remove_entry(db, request.entry)
            if changed.before is None:
                raise Refused("not-listed", Wording("{entry} is not on the {list}list", {...}))
        return changed.id
"""

from __future__ import annotations

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
    """Who asks, when, and under which settings.

    `actor` is the name as the audit has it. `at`: UTC seconds; all that an operation does happens at that one instant.
    `user`: the user of the console, by name; empty for who asks elsewhere. `changes`: those that can be undone by
    whoever asks there. `scopes`: of the token that a program shows. `made`: filled with the changes that an operation
    makes.
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
        # RFC 3339 has microseconds. What the audit keeps must lead back to the row with this instant in its key.
        object.__setattr__(self, "at", round(self.at, 6))

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings


class Refused(Exception):
    """What was asked cannot be done; nothing was changed.

    `code` is for scripts and tests and does not change. `words` are one line, for people, and say what can be done.
    `field` is the part of the request that is wrong, empty for nothing in particular.
    """

    def __init__(self, code: str, words: str | Wording, field: str = "") -> None:
        super().__init__(f"{field}: {words}" if field else str(words))
        self.code = code
        self.words = words
        self.field = field


def note(db: sqlite3.Connection, context: Context, done: Change) -> None:
    """Operation: the row of the audit alone, for what takes data out, or was done elsewhere than in the store."""
    with change(db, context, done.what, done.number, done.name) as changed:
        changed.after = done.after


def whole(db: sqlite3.Connection) -> AbstractContextManager[None]:
    """All of the block or nothing, what it reads and what it writes; inside of another transaction a part of that."""
    return nullcontext() if db.in_transaction else transaction(db)


@contextmanager
def change(
    db: sqlite3.Connection, context: Context, what: str, number: str | None = None, name: str = ""
) -> Iterator[Change]:
    """All of the block or nothing, with the row of the audit that the block fills in; the row has its id at the end.

    `what` is the command that does it; `number` or `name` is what it is about. Inside of another transaction (the
    console's, an import's) it is a part of that. A block that changed nothing says so, and has no row.
    """
    known = context.changes
    assert not known or what == "undo" or what in known, f"no capability has the change {what!r}"
    changed = Change(what, number, name)
    with whole(db):
        yield changed
        if not changed.is_nothing:
            add_audit(db, changed, context.actor, context.at)
            context.made.append(changed)
