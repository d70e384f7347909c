"""Operations: how a person changes the store, in one transaction with a row in the audit.

An operation is one function `(db, context, request) -> result`. It checks the request, writes inside `change`, and
raises Refused if it must not write. Every interface (command, page, API) parses a request, calls the operation and
shows the result. No interface has rules of its own.

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
    """The user, the time and the settings of a request.

    `actor`: the name for the audit. `at`: UTC seconds, the same for the whole operation. `user`: the user of the
    console, empty elsewhere. `changes`: the changes that can be undone, by name. `scopes`: those of the API token.
    `made`: filled with the changes that an operation makes.
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
        # RFC 3339 has microseconds. The instant in the audit must find the row that has it in its key.
        object.__setattr__(self, "at", round(self.at, 6))

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings


class Refused(Exception):
    """The request was refused, and nothing was changed.

    `code` is for scripts and tests and stays the same. `words` are one line for people that says what can be done.
    `field` is the part of the request that is wrong, empty for none in particular.
    """

    def __init__(self, code: str, words: str | Wording, field: str = "") -> None:
        super().__init__(f"{field}: {words}" if field else str(words))
        self.code = code
        self.words = words
        self.field = field


def note(db: sqlite3.Connection, context: Context, done: Change) -> None:
    """Write an audit row without a change of the store, for an export or a change elsewhere."""
    with change(db, context, done.what, done.number, done.name) as changed:
        changed.after = done.after


def whole(db: sqlite3.Connection) -> AbstractContextManager[None]:
    """Run the block in a new transaction, or as part of the open one."""
    return nullcontext() if db.in_transaction else transaction(db)


@contextmanager
def change(
    db: sqlite3.Connection, context: Context, what: str, number: str | None = None, name: str = ""
) -> Iterator[Change]:
    """Run the block in one transaction, then write the audit row that the block filled in, and set its id.

    `what`: the command; `number` or `name`: its subject. If a transaction is open (the console's, an import's), the
    block is part of it. A block that changed nothing sets `is_nothing`, and no row is written.
    """
    known = context.changes
    assert not known or what == "undo" or what in known, f"no capability has the change {what!r}"
    changed = Change(what, number, name)
    with whole(db):
        yield changed
        if not changed.is_nothing:
            add_audit(db, changed, context.actor, context.at)
            context.made.append(changed)
