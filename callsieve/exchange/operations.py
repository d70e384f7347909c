"""Taking what companies publish, switching one off and on, and switching off the one that is worse than chance.

enable, disable: operations (callsieve/changes/operation.py). `fetch_peer` writes in many transactions: not within one.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from callsieve.changes.operation import Context, Refused, change, whole
from callsieve.exchange.fetch import FolderSource, ServerSource, Taken, take
from callsieve.exchange.health import problem_of
from callsieve.exchange.peer_skill import skill_of_peer
from callsieve.exchange.register import every_seconds, register_peers
from callsieve.exchange_settings import ExchangeTable
from callsieve.lookups.measure import Judgement
from callsieve.lookups.operations import OffReason, SwitchRequest
from callsieve.outside.errors import OutsideError, OutsideProblem
from callsieve.outside.http_client import OutsideClient
from callsieve.signing.keys import KeyFileError, PublicKey, signing_key
from policies.hints import nearest
from reputation.backoff import wait_seconds
from reputation.store.errors import StoreError
from reputation.store.peers import (
    PeerState,
    SwitchedPeer,
    drop_unnamed,
    peer_state,
    peer_states,
    record_peer_failure,
    record_taken,
    switch_peer_off,
    switch_peer_on,
)
from reputation.wording import Wording

# After a failure it is asked again soon, then less and less often, up to its usual time.
FIRST_RETRY_SECONDS = 900.0
MOST_SECONDS = 900.0  # of one company, all of its files

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What became of a company's bundle. `failure`: as the store keeps it; then nothing was taken."""

    name: str
    taken: Taken | None
    failure: str | None
    next_at: float


def known_peers(db: sqlite3.Connection, context: Context) -> dict[str, PeerState]:
    """The companies of the settings, as the store has them from now on; what the others said is dropped."""
    with whole(db):
        register_peers(db, context.settings)
    drop_unnamed(db)
    return {state.name: state for state in peer_states(db) if state.in_settings}


def due(state: PeerState, now: float) -> bool:
    """Whether it is time to ask: it never was, the time is over, or the clock was set back."""
    return state.off_at is None and (now >= state.next_at or state.asked_at is None or now < state.asked_at)


def fetch_peer(db: sqlite3.Connection, context: Context, state: PeerState, *, accept_fork: bool = False) -> FetchResult:
    """Fetches one and takes it; how it went is kept, whatever happens to the others."""
    table = next(one for one in context.settings.exchange if one.name == state.name)
    every = every_seconds(table)
    try:
        taken = asyncio.run(_take(db, context, table, state, accept_fork=accept_fork))
    except (OutsideError, Refused, OSError, StoreError, sqlite3.Error) as error:
        failure, now = problem_of(error, table.path), time.time()
        next_at = now + wait_seconds(state.failures + 1, FIRST_RETRY_SECONDS, every)
        with whole(db):
            record_peer_failure(db, state.name, now, next_at, failure)
        return FetchResult(state.name, None, failure, next_at)
    now = time.time()
    if taken.unchanged or not taken.written:
        with whole(db):
            record_taken(db, state.name, taken.index, now, now + every)
    else:
        with change(db, context, "exchange fetch", name=state.name) as changed:
            changed.before = {"sequence": state.sequence, "numbers": state.numbers}
            record_taken(db, state.name, taken.index, now, now + every)
            after = _state(db, state.name)
            changed.after = {"sequence": after.sequence, "numbers": after.numbers, "cleared": after.cleared}
    return FetchResult(state.name, taken, None, now + every)


async def _take(
    db: sqlite3.Connection, context: Context, table: ExchangeTable, state: PeerState, *, accept_fork: bool
) -> Taken:
    ours, now = own_key(context), context.at
    if table.path:
        return await take(db, FolderSource(Path(table.path)), table, state, ours, now, accept_fork=accept_fork)
    async with OutsideClient() as client:
        taking = take(db, ServerSource(table, client), table, state, ours, now, accept_fork=accept_fork)
        return await within(MOST_SECONDS, urlsplit(table.url).hostname or "", taking)


async def within(seconds: float, host: str, taking: Awaitable[T]) -> T:
    """What is awaited, unless its server takes longer: each of many files may come slowly. OutsideError."""
    try:
        async with asyncio.timeout(seconds):
            return await taking
    except TimeoutError:
        raise OutsideError(OutsideProblem.TIMEOUT, host=host, seconds=seconds) from None


def own_key(context: Context) -> PublicKey | None:
    """The key that we sign with, if there is one that can be read."""
    with suppress(KeyFileError, OSError):
        return signing_key(context.loaded.state).public_key
    return None


def disable(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> int:
    """Operation: fetches the company no more, and nothing that it says counts. The id of the change. Refused."""
    with change(db, context, "exchange disable", name=request.name) as changed:
        changed.before = _switched(db, request.name)
        if not switch_peer_off(db, request.name, context.at, msgspec.json.encode(request.why).decode()):
            raise Refused("off-already", Wording("{source} is off already", {"source": request.name}))
        changed.after = _switched(db, request.name)
    return _id(changed.id)


def enable(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> int:
    """Operation: the company counts again; it is measured anew from now on. The id of the change. Refused."""
    with change(db, context, "exchange enable", name=request.name) as changed:
        changed.before = _switched(db, request.name)
        if not switch_peer_on(db, request.name, context.at):
            raise Refused("on-already", Wording("{source} is on already", {"source": request.name}))
        changed.after = _switched(db, request.name)
    return _id(changed.id)


def disable_the_bad(db: sqlite3.Connection, context: Context) -> list[str]:
    """Switches off each company that is worse than chance. Their names."""
    done = []
    for state in peer_states(db):
        if state.off_at is not None or not state.in_settings:
            continue
        skill = skill_of_peer(db, state, context.at)
        if skill.judgement is Judgement.WORSE:
            with suppress(Refused):  # comparing takes a while: somebody has switched it off meanwhile
                disable(
                    db, context, SwitchRequest(state.name, OffReason(skill.judgement.code, skill.right, skill.told))
                )
                done.append(state.name)
    return done


def _state(db: sqlite3.Connection, name: str) -> PeerState:
    found = peer_state(db, name)
    if found is None or not found.in_settings:
        names = [state.name for state in peer_states(db) if state.in_settings]
        hint = nearest(name, names) if names else ""
        words = Wording("there is no [[exchange]] {name!r}{hint}", {"name": name[:80], "hint": hint})
        raise Refused("no-such-company", words, "name")
    return found


def _switched(db: sqlite3.Connection, name: str) -> dict[str, Any]:
    """Whether it is on, as the audit keeps it. Refused."""
    state = _state(db, name)
    return asdict(SwitchedPeer(name, state.off_at, state.off_why, state.since))


def _id(change_id: int | None) -> int:
    assert change_id is not None  # `change` has written its row
    return change_id
