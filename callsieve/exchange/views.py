"""What is shown of the exchange: each company, how it is and how often it was right, and what we publish ourselves."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from callsieve.changes.operation import Refused
from callsieve.exchange.health import (
    PeerHealth,
    PeerStatus,
    health_of,
    nobody_fetches,
    problem_code,
    read_problem,
    skill_of_peer,
)
from callsieve.exchange.register import companies_of
from callsieve.exchange.rows import last_published
from callsieve.lookups.operations import Judgement, Skill, read_reason
from callsieve.lookups.views import said_right, skill_as_json
from callsieve.settings import Loaded
from callsieve.signing.keys import KeyFileError, PublicKey
from callsieve.text.times import ago, when
from policies.files import nearest
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
    """A company whose evidence is taken. `where`: its address or directory; `key_id`: '' where there is no key yet.

    `is_of_settings`: it is taken out there, not by `callsieve exchange remove`.
    """

    state: PeerState
    health: PeerHealth
    skill: Skill
    where: str
    key_id: str
    now: float
    is_of_settings: bool = True

    @property
    def name(self) -> str:
        """As the settings have it."""
        return self.state.name

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.health.status in (PeerStatus.OK, PeerStatus.OFF, PeerStatus.WAITING)

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
    """What we publish. `is_late`: nobody has published for two days, or it cannot be read."""

    directory: str
    issuer: str
    key_id: str
    numbers: int
    cleared: int
    issued_at: float | None
    valid_until: float | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class ExchangeShown:
    """Both. `published` is None where the settings publish nothing; `nobody_fetches`: the timer does not run."""

    peers: tuple[PeerShown, ...]
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
            is_of_settings=table in loaded.settings.exchange,
        )
        for table in known
    )
    missing = len(known) < len(companies)
    return ExchangeShown(peers, published_shown(loaded, now), missing or nobody_fetches(states.values(), now))


def company_shown(db: sqlite3.Connection, loaded: Loaded, name: str, now: float) -> PeerShown:
    """One of them. Refused where there is none of this name."""
    names = {one.name: one for one in exchange_shown(db, loaded, now).peers}
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


def peer_as_json(one: PeerShown) -> dict[str, object]:
    """For scripts."""
    state = one.state
    return {
        "name": one.name,
        "where": one.where,
        "key_id": one.key_id or None,
        "of_settings": one.is_of_settings,
        "issuer": state.issuer or None,
        "on": state.off_at is None,
        "off_at": state.off_at,
        "off_why": None if state.off_why is None else read_reason(state.off_why).code,
        "health": one.health.status.value.replace(" ", "-"),
        "detail": None if one.health.detail is None else str(one.health.detail),
        "weight": state.weight,
        "numbers": state.numbers,
        "cleared": state.cleared,
        "sequence": state.sequence or None,
        "issued_at": state.issued_at,
        "counts_until": state.counts_until or None,
        "came_at": state.came_at,
        "next_at": state.next_at or None,
        "failure": None if state.failure is None else str(read_problem(state.failure)),
        "failure_code": None if state.failure is None else problem_code(state.failure),
        "measured_since": state.since or None,
        **skill_as_json(one.skill),
    }


def published_as_json(one: PublishedShown) -> dict[str, object]:
    """For scripts."""
    return {
        "directory": one.directory,
        "issuer": one.issuer or None,
        "key_id": one.key_id or None,
        "numbers": one.numbers,
        "cleared": one.cleared,
        "issued_at": one.issued_at,
        "valid_until": one.valid_until,
        "late": one.is_late,
    }
