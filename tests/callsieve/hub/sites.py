"""Sites for the tests: each a state directory with a store and settings, and one hub between them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from callsieve.hub import administration, process
from callsieve.hub.administration import write_secret
from callsieve.hub.operations import secret_path
from callsieve.hub.postgresql import connection_to
from callsieve.settings import Loaded, load_settings
from lab.children import ends_with_us
from lab.postgresql import PostgreSql
from lab.programs import COMMAND_LINE
from reputation.model import AuthClass, Mark, MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.hub.link import Checksum, link_of, noted_checksums, stored_checksums
from reputation.store.hub.rows import KINDS, SharedWith
from reputation.store.marks import add_mark
from reputation.store.transaction import transaction
from tests.office import ROOT

T = TypeVar("T")
ORGANISATION = "main"
CALLER = "+12015550123"
STANDINGS = """
SELECT number, auth_class, round(marks, 6), round(answers, 6),
       (SELECT group_concat(round(value, 6)) FROM json_each(nullif(counts, ''))), reporters, grps, answered, silent
  FROM standing ORDER BY number, auth_class
"""


@dataclass(slots=True)
class TestHub:
    """A database of its own on a server, with the sites that have joined it."""

    __test__ = False

    server: PostgreSql
    folder: Path
    port: int = 0
    database: str = field(default_factory=lambda: f"hub{random.randrange(1 << 40):x}")
    sites: dict[str, Site] = field(default_factory=dict)

    @property
    def admin_address(self) -> str:
        return self.server.address(database=self.database)

    def make(self) -> TestHub:
        self.server.run(f"CREATE DATABASE {self.database} STRATEGY FILE_COPY")  # half the work of the other
        asyncio.run(self._initialise())
        return self

    def remove(self) -> None:
        """Drop the database, also while clients are connected."""
        self.server.run(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")

    def make_again(self) -> None:
        """Initialise the hub again, as after restoring a dump."""
        asyncio.run(self._initialise())

    async def _initialise(self) -> None:
        async with connection_to(self.admin_address) as hub:
            await administration.initialise(hub, partitions=4)

    def join(
        self, name: str, *, is_central: bool = False, organisation: str = ORGANISATION, **settings: object
    ) -> Site:
        """A new site, or the same again with other settings."""
        site = Site(self, name, organisation, self.folder / organisation / name)
        site.write_settings(settings)
        login = asyncio.run(self._add(organisation, name, is_central))
        write_secret(secret_path(site.loaded), login)
        self.sites[name] = site
        return site

    def login(self, name: str) -> administration.SiteLogin:
        """Create the login of a site that is made elsewhere."""
        return asyncio.run(self._add(ORGANISATION, name, is_central=False))

    async def _add(self, organisation: str, name: str, is_central: bool) -> administration.SiteLogin:
        async with connection_to(self.admin_address) as hub:
            return await administration.add_site(hub, organisation, name, is_central=is_central)

    def run(self, statement: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Run a statement as the administrator."""
        return self.server.run(statement, values, database=self.database)

    def settle(self, rounds: int = 2) -> None:
        """Every site exchanges everything, until nothing is new to anybody."""
        for _ in range(rounds):
            for site in self.sites.values():
                site.exchange()

    def checksums(self) -> dict[str, Checksum]:
        """Return the hub's checksums of the shared kinds."""
        rows = self.run(
            "SELECT kind, count(*), sum(('x' || left(encode(sha256(convert_to(concat_ws(E'\\x1f', kind, origin, number,"
            " key, payload, at_us), 'UTF8')), 'hex'), 8))::bit(32)::bigint)::bigint FROM callsieve.evidence_row"
            " WHERE NOT deleted AND kind = ANY (%s) GROUP BY kind",
            ([kind.name for kind in KINDS.values() if kind.scope is SharedWith.SHARED],),
        )
        return {str(kind): Checksum(count, digest) for kind, count, digest in rows}  # type: ignore[arg-type]


@dataclass(slots=True, eq=False)
class Site:
    """One PBX with its store and name."""

    hub: TestHub
    name: str
    organisation: str
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "callsieve.toml"

    @property
    def loaded(self) -> Loaded:
        return load_settings(self.config, {"CALLSIEVE_STATE": str(self.folder / "state")})

    def write_settings(self, settings: Mapping[str, object], address: str = "") -> None:
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        address = address or f"postgresql://127.0.0.1:{self.hub.port or self.hub.server.port}/{self.hub.database}"
        lines = [f'address = "{address}"', f'site = "{self.name}"', f'organisation = "{self.organisation}"']
        lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        self.config.write_text("\n".join(["[hub]", *lines, "[reputation.sample]", "every = 0"]) + "\n")

    def exchange(self) -> None:
        """All that there is now, both ways."""
        process.run_once(self.loaded)

    def write(self, fn: Callable[..., T], *args: object) -> T:
        with open_store(self.loaded.store_path) as db, transaction(db):
            return fn(db, *args)

    def read(self, fn: Callable[..., T], *args: object) -> T:
        with open_store(self.loaded.store_path) as db:
            return fn(db, *args)

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.loaded.store_path)) as db:
            return db.execute(sql, values).fetchall()

    def mark(self, number: str, reporter: str, at: float, verdict: str = "spam", group: str | None = None) -> None:
        """Let a person of this site mark a number."""
        self.write(add_mark, make_mark(number, reporter, at, verdict, group))

    def marks(self, number: str = CALLER) -> dict[str, str]:
        """Return the latest verdict of each person at this site."""
        return dict(self.rows("SELECT reporter, verdict FROM mark WHERE number = ?", number))  # type: ignore[arg-type]

    def noted(self) -> dict[str, Checksum]:
        """Return the checksums of exchanged rows."""
        return {kind: sums for kind, sums in self.read(noted_checksums).items() if kind in self.stored()}

    def stored(self) -> dict[str, Checksum]:
        """Of the rows as they stand in the store."""
        return self.read(stored_checksums, self.name)

    def is_linked(self) -> bool:
        return self.read(link_of) is not None


@contextmanager
def running(site: Site, python: str = sys.executable) -> Iterator[subprocess.Popen[bytes]]:
    """`callsieve hub run` of a site, as long as the block lasts."""
    words = (*ends_with_us(), python, "-m", COMMAND_LINE, "hub", "run", "--config", str(site.config))
    environment = {**os.environ, "CALLSIEVE_STATE": str(site.loaded.state)}
    with (site.folder / "log").open("ab") as log:
        process = subprocess.Popen(words, env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def standby_of(site: Site) -> Site:
    """The second PBX, with the secret of the first."""
    second = Site(site.hub, site.name, site.organisation, site.folder.parent / "second")
    second.write_settings({"standby": True, "private": True})
    secret = second.loaded.state / "hub.secret"
    secret.write_bytes((site.loaded.state / "hub.secret").read_bytes())
    secret.chmod(0o600)
    return second


def make_mark(number: str, reporter: str, at: float, verdict: str = "spam", group: str | None = None) -> Mark:
    return Mark(
        number=number,
        auth_class=AuthClass.UNKNOWN,
        reporter=reporter,
        verdict=Verdict(verdict),
        at=at,
        channel=MarkChannel.CLI,
        group=group,
        category=None,
        reason="said by " + reporter,
        linkedid=None,
    )
