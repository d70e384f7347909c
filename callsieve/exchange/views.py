"""What is shown of the exchange: each company, how it is and how often it was right, and what we publish ourselves."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

from callsieve.changes.describe import NameText
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, ResultPage, page_from, page_of, place_of
from callsieve.exchange.candidates import cleared_lines
from callsieve.exchange.health import (
    PeerHealth,
    PeerStatus,
    companies_of,
    health_of,
    nobody_fetches,
    read_problem,
    skill_of_peer,
)
from callsieve.exchange.publish import signer_of
from callsieve.exchange.rows import last_published
from callsieve.lookups.operations import Judgement, OffReason, Skill, read_reason
from callsieve.lookups.views import said_right
from callsieve.outside.errors import KeptFailure
from callsieve.settings import Loaded
from callsieve.signing.keys import KeyFileError, PublicKey
from callsieve.text.times import ago, when
from policies.files import nearest
from reputation.encoding import FLAT, HIDDEN, Instant, told
from reputation.store.peers import PeerState, peer_states
from reputation.wording import Wording

PUBLISH_LATE_SECONDS = 2 * 86_400.0
JUDGED = {
    Judgement.TOO_FEW: Wording("too few calls to tell how good it is"),
    Judgement.NO_WORSE: Wording("no better than chance so far"),
    Judgement.WORSE: Wording("worse than chance: it is switched off when the timer looks next"),
}


@dataclass(frozen=True, slots=True)
class PeerShown:
    """A company whose evidence is taken.

    Attributes:
        skill: How often it was right.
        where: Its address or directory.
        key_id: The id of the key that signs; empty where there is none yet.
        of_settings: The settings name it: it is taken out there.
    """

    state: Annotated[PeerState, FLAT]
    health: Annotated[PeerHealth, FLAT]
    skill: Skill
    where: str
    key_id: str
    now: Annotated[float, HIDDEN]
    of_settings: bool = True

    @property
    def name(self) -> str:
        """As the settings have it."""
        return self.state.name

    @property
    @told
    def on(self) -> bool:
        """Whether its evidence counts: nobody has switched it off."""
        return self.state.off_at is None

    @property
    @told
    def off_why(self) -> OffReason | None:
        """Why it was switched off; null while it is on."""
        return None if self.state.off_why is None else read_reason(self.state.off_why)

    @property
    @told
    def counts_until(self) -> Instant | None:
        """Until when what was taken counts; null where nothing was."""
        return self.state.counts_until or None

    @property
    @told
    def next_at(self) -> Instant | None:
        """When it is asked for next; null for now."""
        return self.state.next_at or None

    @property
    @told
    def measured_since(self) -> Instant | None:
        """Since when it is measured; null for always."""
        return self.state.since or None

    @property
    @told
    def failure(self) -> KeptFailure | None:
        """Why the last fetch failed; null where it did not."""
        return None if self.state.failure is None else read_problem(self.state.failure)

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.health.health in (PeerStatus.OK, PeerStatus.OFF, PeerStatus.WAITING)

    @property
    def came(self) -> Wording:
        """How long ago it came."""
        return Wording("never") if self.state.came_at is None else ago(self.state.came_at, self.now)

    @property
    def right_said(self) -> Wording:
        """`12 of 14 (60-96 %)`."""
        return said_right(self.skill)

    @property
    def remarks(self) -> tuple[Wording, ...]:
        """What is to be known besides the figures."""
        found = []
        if self.state.off_at is not None:
            why = read_reason(self.state.off_why or "").words
            found.append(Wording("off since {when}, {why}", {"when": when(self.state.off_at), "why": why}))
        elif self.skill.judgement is not Judgement.BETTER and self.state.numbers:
            found.append(JUDGED[self.skill.judgement])
        if self.health.detail is not None:
            found.append(self.health.detail)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class PublishedShown:
    """What we publish.

    Attributes:
        directory: The directory that is published.
        issuer: The name that it is signed with; empty where nothing was published yet.
        key_id: The id of the key that signs; empty where nothing was published yet.
        numbers: How many numbers are listed.
        cleared: How many numbers are cleared.
        issued_at: When it was issued; null where nothing was published yet.
        valid_until: Until when it is valid.
        is_late: Whether nothing was published for two days, or it cannot be read.
    """

    directory: str
    issuer: str
    key_id: str
    numbers: int
    cleared: int
    issued_at: Instant | None
    valid_until: Instant | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class ExchangeShown:
    """Both. `published` is None where the settings publish nothing; `nobody_fetches`: the timer does not run."""

    companies: tuple[PeerShown, ...]
    published: PublishedShown | None
    nobody_fetches: bool


def exchange_shown(db: sqlite3.Connection, loaded: Loaded, now: float) -> ExchangeShown:
    """The companies whose evidence is taken, first those of the settings; one that the store has not seen yet is left
    out.
    """
    states = {state.name: state for state in peer_states(db) if state.in_settings}
    companies = companies_of(db, loaded.settings)
    known = [table for table in companies if table.name in states]
    peers = tuple(
        PeerShown(
            states[table.name],
            health_of(states[table.name], now),
            skill_of_peer(db, states[table.name], now),
            table.url or table.path,
            _key_id(table.key),
            now,
            of_settings=table in loaded.settings.exchange,
        )
        for table in known
    )
    missing = len(known) < len(companies)
    return ExchangeShown(peers, published_shown(loaded, now), missing or nobody_fetches(states.values(), now))


class CompaniesRequest(PageQuery, frozen=True, kw_only=True):
    """Which companies.

    Attributes:
        on: Only those whose evidence counts, or only those that are switched off.
    """

    on: bool | None = None


class ClearedStatement(NamedTuple):
    """A number that was cleared here.

    Attributes:
        number: The number, E.164.
        appeal: The reference of the appeal.
        issued_at: When the statement was issued.
        valid_until: Until when it is valid.
        statement: The signed text, as it stands in what we publish.
    """

    number: str
    appeal: str
    issued_at: datetime
    valid_until: datetime
    statement: str


def find_companies(db: sqlite3.Connection, context: Context, request: CompaniesRequest) -> ResultPage[PeerShown]:
    """Return the companies whose evidence is taken."""
    found = exchange_shown(db, context.loaded, context.at).companies
    wanted = (one for one in found if request.on in (None, one.on))
    return page_from(wanted, request, lambda one: (one.name,), lambda one: one)


def find_company(db: sqlite3.Connection, context: Context, name: NameText) -> PeerShown:
    """Return a company whose evidence is taken."""
    return company_shown(db, context.loaded, name, context.at)


def find_published(_db: sqlite3.Connection, context: Context) -> PublishedShown:
    """Return what we publish."""
    shown = published_shown(context.loaded, context.at)
    if shown is None:
        raise Refused("not-published", Wording("The settings publish nothing."))
    return shown


def find_cleared(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[ClearedStatement]:
    """Return the signed statements of numbers that were cleared here; none where we publish nothing."""
    after = place_of(request.cursor, tuple[str])
    if not context.settings.publish.directory:
        return ResultPage([], None)
    try:
        issuer, key = signer_of(context)
    except Refused:
        return ResultPage([], None)
    lines = cleared_lines(db, context, key, issuer, after=after[0] if after else "")
    found = [_cleared_statement(line) for line in islice(lines, request.limit + 1)]
    shown, following = page_of(found, request.limit, lambda one: (one.number,))
    return ResultPage(list(shown), following)


def _cleared_statement(line: str) -> ClearedStatement:
    statement = json.loads(line)["statement"]
    issued_at, valid_until = (datetime.fromisoformat(statement[name]) for name in ("issued_at", "valid_until"))
    about = statement["about"]
    return ClearedStatement(about["number"], about["appeal"], issued_at, valid_until, line)


def company_shown(db: sqlite3.Connection, loaded: Loaded, name: str, now: float) -> PeerShown:
    """One of them. Refused where there is none of this name."""
    names = {one.name: one for one in exchange_shown(db, loaded, now).companies}
    if name not in names:
        hint = nearest(name, names) if names else ""
        words = Wording("there is no company {name!r}{hint}", {"name": name[:80], "hint": hint})
        raise Refused("no-such-company", words)
    return names[name]


def published_shown(loaded: Loaded, now: float) -> PublishedShown | None:
    """What lies in the directory of the settings."""
    if not loaded.settings.publish.directory:
        return None
    folder = Path(loaded.state_path(loaded.settings.publish.directory))
    index = last_published(folder, loaded.state)
    if index is None:
        return PublishedShown(str(folder), "", "", 0, 0, None, None, is_late=True)
    statement, contents = index.statement, index.contents
    return PublishedShown(
        str(folder),
        statement.issuer,
        statement.key_id,
        contents.snapshot.rows,
        contents.cleared.rows if contents.cleared else 0,
        statement.issued_at,
        statement.valid_until,
        is_late=now - statement.issued_at > PUBLISH_LATE_SECONDS,
    )


def _key_id(key: str) -> str:
    try:
        return PublicKey.parse(key).id if key else ""
    except KeyFileError:
        return ""
