"""Invented companies, each with a store and a directory that it publishes."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from callsieve.changes.operation import Context
from callsieve.exchange.publish import PublishBundleRequest, PublishedBundle, publish
from callsieve.signing.keys import signing_key
from policies.decision import Action
from policies.engine import decide
from policies.loader import load_policy
from reputation.facts import Facts, FactsQuery
from reputation.model import AuthClass, Person, Verdict
from reputation.numbers import stored_number
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.marks import add_mark
from reputation.store.people import upsert_people
from reputation.store.transaction import transaction
from reputation.users import Role
from tests.builders import make_call
from tests.callsieve.program import Program
from tests.office import SETTINGS
from tests.reputation.store_builders import DAY, make_mark

SPAMMER, OTHER = "+12015550123", "+12015550124"
HOUR = 3600.0
PEOPLE = [str(201 + n) for n in range(40)]

__all__ = ["DAY", "HOUR", "OTHER", "SPAMMER", "Company", "serving"]


class Company(Program):
    """A company that can publish in `web` and subscribe to others."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        super().__init__(folder, SETTINGS)
        self.name, self.web = name, folder / "web"
        self.write_settings("")
        self.ok("db", "migrate")
        self.write(upsert_people, [Person(person) for person in PEOPLE], "test")

    def write_settings(self, text: str, publish: str = "") -> None:
        """Write settings with this text."""
        ours = f'[publish]\nname = "{self.name}"\ndirectory = "{self.web}"\n{publish}\n'
        self.config.write_text(SETTINGS + "[reputation.sample]\nevery = 0\n" + ours + text)

    def subscribe_to(self, *others: Company, **keys: object) -> None:
        """Subscribe to these companies, at their directories or at `url`."""
        tables = []
        for other in others:
            about: dict[str, object] = {"name": other.name, "path": str(other.web), "key": other.key} | keys
            if "url" in keys:
                del about["path"]
            lines = [f"{key} = {json.dumps(value)}" for key, value in about.items()]
            tables.append("[[exchange]]\n" + "\n".join(lines) + "\n")
        self.write_settings("\n".join(tables))

    @property
    def key(self) -> str:
        return signing_key(self.state).public_key.text

    def mark_as_spam(
        self, number: str = SPAMMER, people: int = 4, at: float | None = None, category: str = "scam", first: int = 0
    ) -> None:
        """Let people mark the number, one every two hours."""
        at = time.time() if at is None else at
        with open_store(self.store) as db, transaction(db):
            for n in range(people):
                when = at - 2 * HOUR * n
                add_mark(db, make_mark(number, reporter=PEOPLE[first + n], at=when, category=category))

    def retract_marks(self, number: str, at: float, people: int = 4) -> None:
        """Let people retract their marks."""
        with open_store(self.store) as db, transaction(db):
            for n in range(people):
                add_mark(db, make_mark(number, reporter=PEOPLE[n], at=at, verdict=Verdict.RETRACTED))

    def context(self, at: float) -> Context:
        return Context("joe", Role.ADMINISTRATOR, at, self.load())

    def publish(self, at: float | None = None, *, purge: bool = False) -> PublishedBundle:
        """Publish, by default now."""
        with open_store(self.store) as db:
            return publish(db, self.context(time.time() if at is None else at), PublishBundleRequest(self.web, purge))

    def fetch(self, *options: str) -> dict[str, Any]:
        """Return the result for the only company."""
        [one] = self("exchange", "fetch", *options, "--json").json
        return dict(one)

    def facts(self, number: str = SPAMMER) -> Facts:
        """Return the facts of a call from the number now."""
        with open_store(self.store) as db:
            return facts_of(
                db,
                FactsQuery(stored_number(number), AuthClass.UNKNOWN, None, time.time()),
                self.load().settings.reputation,
            )

    def action(self, number: str = SPAMMER) -> Action:
        """Return the action of the preset `cautious` for a call from the number now."""
        return decide(make_call(number), self.facts(number), load_policy("cautious"), time.time()).action


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Yield the address of a plain web server with the files of a directory."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Log no requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
