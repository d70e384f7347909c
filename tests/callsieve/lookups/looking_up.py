"""A look-up service with sources on loopback, and a store in a folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from callsieve.lookups.operations import register_sources
from callsieve.lookups.process import fetch_with
from callsieve.lookups.service import AskedSource, LookUpService
from callsieve.lookups.sources import sources_of
from callsieve.outside.http_client import OutsideClient
from callsieve.settings import Settings, parse_settings
from reputation.store.database import open_store
from reputation.store.lookups import StoredAnswer, Usage, answers_about, usage_since
from reputation.store.transaction import transaction
from tests.builders import Clock

CALLER, OTHER = "+12015550123", "+12015550124"
SPAM = json.dumps({"spam": True}).encode()
FINE = json.dumps({"spam": False}).encode()
NOTHING = b"{}"
LONG = 20.0  # a call that waits as long as it takes


def settings_for(*ports: int, more: str = "") -> Settings:
    """A source called s0, s1 and so on for each server; `more` are further keys of each."""
    tables = [
        f"""
        [[lookup]]
        name = "s{n}"
        kind = "http"
        url = "http://127.0.0.1:{port}/{{digits}}"
        send = "number"
        consent = true
        private = true
        budget_ms = 300
        spam_when = ["spam == true"]
        ok_when = ["spam == false"]
        {more}
        """
        for n, port in enumerate(ports)
    ]
    return parse_settings("".join(tables), "callsieve.toml")


@dataclass
class Looking:
    """The service, its clock, and what is in its store."""

    service: LookUpService
    clock: Clock
    store: Path

    def answers(self, number: str = CALLER) -> dict[str, StoredAnswer]:
        """What is kept of a number."""
        with open_store(self.store) as db:
            return answers_about(db, number)

    def verdicts(self, number: str = CALLER) -> list[str]:
        """What the sources said of it."""
        return [answer.verdict for answer in self.answers(number).values()]

    def usage(self, source: str = "s0") -> Usage:
        """Of the day."""
        with open_store(self.store) as db:
            return usage_since(db, source, self.clock.now)

    async def ask(self, number: str = CALLER, seconds: float = LONG) -> bool:
        """As the daemon asks."""
        return await self.service.look_up(number, seconds)


@asynccontextmanager
async def looking(folder: Path, settings: Settings) -> AsyncIterator[Looking]:
    """A service that asks the sources of these settings; the clock is the test's."""
    store = folder / "callsieve.db"
    with open_store(store) as db, transaction(db):
        register_sources(db, settings)
    # No test of these is about how fast a machine is: the budget is as long as the call waits.
    patient = [msgspec.structs.replace(table, budget_ms=round(1000 * LONG)) for table in settings.lookup]
    settings = msgspec.structs.replace(settings, lookup=tuple(patient))
    clock = Clock()
    async with OutsideClient() as client:
        sources = [AskedSource(source) for source in sources_of(settings)]
        service = LookUpService(store, sources, fetch_with(client), clock=clock)
        try:
            yield Looking(service, clock, store)
        finally:
            await service.close()


async def hold(_head: str, _writer: asyncio.StreamWriter) -> None:
    """A server that never answers."""
    await asyncio.Event().wait()
