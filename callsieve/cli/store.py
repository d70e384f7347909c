"""How commands write: each change in one transaction with its row in the audit, so that none can leave it out.

Imports write their numbers as one generation, and in a dry run into thin air.
"""

from __future__ import annotations

import getpass
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from callsieve.changes.operation import Context, note
from callsieve.cli.errors import warn
from callsieve.cli.options import any_store, existing_store, has_store
from callsieve.settings import Loaded
from reputation.store.audit import Change
from reputation.store.backup import copy_store
from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.users import Role

R = TypeVar("R")
T = TypeVar("T")

NAME_CHARACTERS = 64


@contextmanager
def stores(
    loaded: Loaded, *, dry_run: bool, copied: bool = False
) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """The store as it is known, and where to write: for a dry run one that is thrown away, so all else is the same.

    `copied`: what is thrown away begins as a copy of the store, where what is written depends on what is there.
    """
    if not dry_run:
        with any_store(loaded) as db:
            yield db, db
        return
    with TemporaryDirectory(prefix="callsieve-") as folder, open_store(Path(folder) / "dry-run.db") as thrown_away:
        if has_store(loaded):
            with existing_store(loaded) as known:
                if copied:
                    copy_store(known, thrown_away)
                yield known, thrown_away
        else:
            yield thrown_away, thrown_away


def context_of(loaded: Loaded) -> Context:
    """Who asks on the command line, now: the person at the keyboard, who may do everything."""
    return Context(who(), Role.ADMINISTRATOR, time.time(), loaded)


def perform(
    loaded: Loaded, operation: Callable[[sqlite3.Connection, Context, R], T], request: R, *, existing: bool = False
) -> T:
    """What the operation returns. Refused. The store is made if need be, but not for what must be there: `existing`."""
    with existing_store(loaded) if existing else any_store(loaded) as db:
        return operation(db, context_of(loaded), request)


def note_done(loaded: Loaded, done: Change) -> None:
    """The row of the audit for what was done already, elsewhere than in the store: one that fails undoes nothing."""
    try:
        if has_store(loaded):
            perform(loaded, note, done, existing=True)
    except OSError as error:
        warn(f"it is not in the audit: {error.filename or loaded.store_path}: {error.strerror or error}")
    except StoreError as error:
        warn(f"it is not in the audit: {error}")


def who() -> str:
    """The login name of the person at the keyboard, also behind sudo."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # nobody has this user id
        name = f"user {os.getuid()}"
    return "".join(filter(str.isprintable, name))[:NAME_CHARACTERS]
