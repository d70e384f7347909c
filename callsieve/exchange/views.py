"""The exchange as pages and API show it: each other company with its health and accuracy, and our own publication."""

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
from callsieve.exchange.health import PROBLEMS, companies_of, health_of, skill_of_peer
from callsieve.exchange.publish import signer_of
from callsieve.exchange.rows import last_published
from callsieve.outside.errors import KeptFailure, read_kept_failure
from callsieve.settings import Loaded
from callsieve.signing.keys import KeyFileError, PublicKey
from callsieve.source_health import SourceHealth, nobody_fetches
from callsieve.source_skill import Judgement, OffReason, Skill, accuracy_of, read_reason
from callsieve.text.times import ago, when
from policies.files import nearest
from reputation.encoding import FLAT, HIDDEN, Instant, encoded
from reputation.store.peers import PeerState, peer_states
from reputation.wording import Wording

PUBLISH_LATE_SECONDS = 2 * 86_400.0
JUDGED = {
    Judgement.TOO_FEW: Wording("too few calls for a judgement"),
    Judgement.NO_WORSE: Wording("no better than chance so far"),
    Judgement.WORSE: Wording("worse than chance: the next run of the timer pauses it"),
}


@dataclass(frozen=True, slots=True)
class PeerShown:
    """A company (peer) whose evidence is used here. `skill`: how accurate this evidence was.

    `where`: the address or directory of the company's files. `key_id`: the id of the company's key; empty without a
    key. `of_settings`: whether the settings name the company, so it must be removed from the settings.
    """

    state: Annotated[PeerState, FLAT]
    health: Annotated[SourceHealth, FLAT]
    skill: Skill
    where: str
    key_id: str
    now: Annotated[float, HIDDEN]
    of_settings: bool = True

    @property
    def name(self) -> str:
        """The name that the company has on this site."""
        return self.state.name

    @property
    @encoded
    def on(self) -> bool:
        """Whether the company's evidence counts; false while the company is paused."""
        return self.state.off_at is None

    @property
    @encoded
    def off_why(self) -> OffReason | None:
        """Reason for pausing the company; null while its evidence counts."""
        return None if self.state.off_why is None else read_reason(self.state.off_why)

    @property
    @encoded
    def counts_until(self) -> Instant | None:
        """When the company's data stops counting if no new data is fetched; null before the first fetch."""
        return self.state.counts_until or None

    @property
    @encoded
    def next_at(self) -> Instant | None:
        """The time of the next fetch; null if the company is fetched at the next run."""
        return self.state.next_at or None

    @property
    @encoded
    def measured_since(self) -> Instant | None:
        """Since when the company's accuracy is measured anew, because the company was resumed; null if it never was."""
        return self.state.since or None

    @property
    @encoded
    def failure(self) -> KeptFailure | None:
        """Reason for the last failed fetch; null if the last fetch succeeded."""
        return None if self.state.failure is None else read_kept_failure(self.state.failure, PROBLEMS)

    @property
    def came(self) -> Wording:
        """How long ago the company's data was last received."""
        return Wording("never") if self.state.came_at is None else ago(self.state.came_at, self.now)

    @property
    def accuracy(self) -> Wording:
        """How often the company was right about a caller, with a confidence interval: `12 of 14 (60-96 %)`."""
        return accuracy_of(self.skill)

    @property
    def remarks(self) -> tuple[Wording, ...]:
        """Remarks in words: why the company is paused or may soon be, and details of its health."""
        remarks = []
        if self.state.off_at is not None:
            why = read_reason(self.state.off_why or "").words
            remarks.append(Wording("paused since {when}: {why}", {"when": when(self.state.off_at), "why": why}))
        elif self.skill.judgement is not Judgement.BETTER and self.state.numbers:
            remarks.append(JUDGED[self.skill.judgement])
        if self.health.detail is not None:
            remarks.append(self.health.detail)
        return tuple(remarks)


@dataclass(frozen=True, slots=True)
class PublishedShown:
    """The evidence that this company publishes for others.

    Attributes:
        directory: The directory with the published files.
        issuer: The name in the signature; empty before the first publication.
        key_id: The id of the signing key; empty before the first publication.
        numbers: How many unwanted numbers are published.
        cleared: How many numbers are published as cleared by an appeal.
        issued_at: When the evidence was last published; null before the first publication.
        valid_until: When the published evidence expires; null before the first publication.
        is_late: Whether the last publication is more than two days ago, or cannot be read.
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
    """The subscribed companies, and our own publication or None. `nobody_fetches`: whether fetches are overdue."""

    companies: tuple[PeerShown, ...]
    published: PublishedShown | None
    nobody_fetches: bool


def exchange_shown(db: sqlite3.Connection, loaded: Loaded, now: float) -> ExchangeShown:
    """Return the subscribed companies (those in the settings first), and our own publication."""
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
    due = (state.next_at for state in states.values() if state.off_at is None)
    return ExchangeShown(peers, published_shown(loaded, now), missing or nobody_fetches(due, now))


class CompaniesRequest(PageQuery, frozen=True, kw_only=True):
    """Filters for companies. `on`: true for companies whose evidence counts, false for paused ones, null for all."""

    on: bool | None = None


class ClearedStatement(NamedTuple):
    """A signed statement that this company cleared a number. `statement`: the signed text, as published.

    `number`: the number, E.164. `appeal`: the reference of the appeal. `issued_at`: when the statement was issued.
    `valid_until`: when the statement expires.
    """

    number: str
    appeal: str
    issued_at: datetime
    valid_until: datetime
    statement: str


def find_companies(db: sqlite3.Connection, context: Context, request: CompaniesRequest) -> ResultPage[PeerShown]:
    """Return the companies whose evidence is used here."""
    companies = exchange_shown(db, context.loaded, context.at).companies
    matching = (company for company in companies if request.on in (None, company.on))
    return page_from(matching, request, lambda company: (company.name,), lambda company: company)


def find_company(db: sqlite3.Connection, context: Context, name: NameText) -> PeerShown:
    """Return the company with this name, whose evidence is used here."""
    return company_shown(db, context.loaded, name, context.at)


def find_published(_db: sqlite3.Connection, context: Context) -> PublishedShown:
    """Return the evidence that this company publishes for others. Raise Refused if it publishes nothing."""
    shown = published_shown(context.loaded, context.at)
    if shown is None:
        raise Refused("not-published", Wording("Nothing is published: the settings have no [publish]."))
    return shown


def find_cleared(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[ClearedStatement]:
    """Return the signed statements about numbers that this company cleared; empty if nothing is published."""
    after = place_of(request.cursor, tuple[str])
    if not context.settings.publish.directory:
        return ResultPage([], None)
    try:
        issuer, key = signer_of(context)
    except Refused:
        return ResultPage([], None)
    lines = cleared_lines(db, context, key, issuer, after=after[0] if after else "")
    statements = [_cleared_statement(line) for line in islice(lines, request.limit + 1)]
    shown, following = page_of(statements, request.limit, lambda statement: (statement.number,))
    return ResultPage(list(shown), following)


def _cleared_statement(line: str) -> ClearedStatement:
    statement = json.loads(line)["statement"]
    issued_at, valid_until = (datetime.fromisoformat(statement[name]) for name in ("issued_at", "valid_until"))
    about = statement["about"]
    return ClearedStatement(about["number"], about["appeal"], issued_at, valid_until, line)


def company_shown(db: sqlite3.Connection, loaded: Loaded, name: str, now: float) -> PeerShown:
    """Return a company by its name. Raise Refused for an unknown name."""
    names = {company.name: company for company in exchange_shown(db, loaded, now).companies}
    if name not in names:
        hint = nearest(name, names) if names else ""
        words = Wording("unknown company {name!r}{hint}", {"name": name[:80], "hint": hint})
        raise Refused("no-such-company", words)
    return names[name]


def published_shown(loaded: Loaded, now: float) -> PublishedShown | None:
    """Return what this company publishes; None if the settings name no directory for it."""
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
