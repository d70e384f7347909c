"""The office that tests share: a small company's settings, its state directory and its store. All of it is invented."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from callsieve.settings import Loaded, load_settings
from reputation.model import DecisionRecord
from reputation.store.database import open_store
from reputation.store.journal import record_decisions
from reputation.store.transaction import transaction

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ROOT = Path(__file__).resolve().parents[1]
NOBODY = 65534
CALLER = "+12017421834"

SETTINGS = """\
[numbers]
region = "US"

[[trunk]]
name = "carrier"
channels = "PJSIP/carrier-*"
own_numbers = ["+12025550100"]

[[did]]
number = "+442071838750"
group = "sales"

[[person]]
extension = "201"
group = "sales"
name = "Alice"

[[person]]
extension = "202"
group = "support"
name = "Bob"

# Output must not depend on the time of day.
[reputation.quiet]
first_hour = 0
last_hour = 0
"""


class Office:
    """Settings in a file, and where its state and its store are; neither is there yet."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.store = self.state / "callsieve.db"
        self.config = folder / "callsieve.toml"
        self.config.write_text(settings)

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the environment that names settings and state."""
        return {**os.environ, "CALLSIEVE_CONFIG": str(self.config), "CALLSIEVE_STATE": str(self.state)}

    def load(self) -> Loaded:
        """The settings as they are now."""
        return load_settings(self.config, self.environment)

    def write(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Write like the daemon and the command line."""
        with open_store(self.store) as db, transaction(db):
            return fn(db, *args)

    def read(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Read like the daemon and the command line."""
        with open_store(self.store) as db:
            return fn(db, *args)

    def add_decisions(self, *records: DecisionRecord) -> None:
        """Puts decisions into the journal."""
        self.write(record_decisions, records)

    def file(self, name: str, content: str | bytes) -> Path:
        """A file beside the settings."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path
