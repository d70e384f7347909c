"""Taking what companies publish, subscribing to one, switching one off and on, and switching off the one that is worse
than chance.

subscribe, unsubscribe, enable, disable: operations (callsieve/changes/operation.py). `fetch_peer` writes in many
transactions: not within one.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId, NameText
from callsieve.changes.operation import Context, Refused, change, whole
from callsieve.changes.undo import UndoKind
from callsieve.exchange.fetch import FolderSource, ServerSource, Taken, offered, take
from callsieve.exchange.health import (
    companies_of,
    every_seconds,
    problem_of,
    read_problem,
    register_peers,
    skill_of_peer,
)
from callsieve.exchange.views import PeerShown, exchange_shown
from callsieve.exchange_settings import ExchangeTable, exchange_problems
from callsieve.lookups.operations import Judgement, OffReason, SwitchRequest, SwitchState, read_reason, undo_of_switch
from callsieve.outside.errors import KeptFailure, OutsideError, OutsideProblem
from callsieve.outside.http_client import OutsideClient
from callsieve.setting_types import NAME, WRITTEN_AS
from callsieve.signing.keys import KeyFileError, PublicKey, signing_key
from policies.files import nearest
from reputation.backoff import wait_seconds
from reputation.encoding import HIDDEN, Instant, encode, find_misfit, parse_plain, told
from reputation.store.errors import StoreError
from reputation.store.peers import (
    PeerState,
    Subscription,
    drop_unnamed,
    follow_key,
    key_now,
    peer_state,
    peer_states,
    put_subscription,
    record_peer_failure,
    record_skill,
    record_taken,
    remove_subscription,
    subscription_of,
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
    """What became of a company's bundle. `failure`: why nothing was taken."""

    name: str
    taken: Annotated[Taken | None, HIDDEN]
    failure: KeptFailure | None
    next_at: Instant

    @property
    @told
    def result(self) -> Literal["failed", "unchanged", "taken"]:
        """What became of it, in a word."""
        return "failed" if self.taken is None else "unchanged" if self.taken.unchanged else "taken"

    @property
    @told
    def rows(self) -> int | None:
        """How many rows were written."""
        return self.taken.written if self.taken else None

    @property
    @told
    def deltas(self) -> int | None:
        """How many deltas were taken; null for a whole list."""
        return self.taken.deltas if self.taken else None


def known_peers(db: sqlite3.Connection, context: Context) -> dict[str, PeerState]:
    """The companies whose evidence is taken, as the store has them from now on; what the others said is dropped."""
    with whole(db):
        register_peers(db, context.settings)
    drop_unnamed(db)
    return {state.name: state for state in peer_states(db) if state.in_settings}


def due(state: PeerState, now: float) -> bool:
    """Whether it is time to ask: it never was, the time is over, or the clock was set back."""
    return state.off_at is None and (now >= state.next_at or state.asked_at is None or now < state.asked_at)


def fetch_peer(db: sqlite3.Connection, context: Context, state: PeerState, *, accept_fork: bool = False) -> FetchResult:
    """Fetches one and takes it; how it went is kept, whatever happens to the others."""
    table = next(one for one in companies_of(db, context.settings) if one.name == state.name)
    every = every_seconds(table)
    try:
        taken = asyncio.run(_take(db, context, table, state, accept_fork=accept_fork))
    except (OutsideError, Refused, OSError, StoreError, sqlite3.Error) as error:
        failure, now = problem_of(error, table.path), time.time()
        next_at = now + wait_seconds(state.failures + 1, FIRST_RETRY_SECONDS, every)
        with whole(db):
            record_peer_failure(db, state.name, now, next_at, failure)
        return FetchResult(state.name, None, read_problem(failure), next_at)
    now = time.time()
    if taken.new_key is not None:
        with change(db, context, "exchange key", name=state.name) as changed:
            changed.before = {"key_id": PublicKey.parse(key_now(db, table.key)).id}
            follow_key(db, table.key, taken.new_key.text, now)
            changed.after = {"key_id": taken.new_key.id}
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


class SubscribeRequest(msgspec.Struct, frozen=True):
    """A company whose evidence is to be taken. `private`: its server may be in our own network; no program says so.

    Attributes:
        name: The name that it gets here.
        url: Where it publishes: https, on the internet.
        key: Its public key, as it was told on another way.
        weight: What its word weighs, of a tag: from 0 to 1.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    url: Annotated[str, Meta(min_length=1, max_length=500)]
    key: Annotated[str, Meta(min_length=1, max_length=100)]
    weight: Annotated[float, Meta(ge=0, le=1)] = 1.0
    private: Annotated[bool, HIDDEN] = False


class CompanyChange(NamedTuple):
    """A change of a company whose evidence is taken.

    Attributes:
        company: The company as it is now; null where it was taken out. Compare `key_id` with theirs once more.
    """

    change_id: ChangeId | None
    company: PeerShown | None


def table_of(context: Context, request: SubscribeRequest) -> ExchangeTable:
    """As it would stand in the settings: a server on the internet, over TLS. Refused for what could not."""
    fields = {"name": request.name.strip(), "url": request.url.strip(), "key": request.key.strip()}
    values = {**fields, "weight": request.weight, "private": request.private}
    if (misfit := find_misfit(values, ExchangeTable)) is not None:
        wanted = Wording(WRITTEN_AS[NAME]) if misfit.place == "name" else Wording("is a number from 0 to 1")
        raise Refused("bad-company", wanted, misfit.place)
    table = msgspec.convert(values, ExchangeTable)
    for key, wrong in exchange_problems((table,)):
        raise Refused("bad-company", wrong, key.rpartition(".")[2])
    if not table.key:
        words = Wording("is missing: they tell it on another way, from `callsieve signing key`")
        raise Refused("no-key", words, "key")
    ours = own_key(context)
    if ours is not None and ours.text == table.key:
        words = Wording("is our own: what we publish is no evidence of others")
        raise Refused("our-own-key", words, "key")
    return table


def subscribe(db: sqlite3.Connection, context: Context, request: SubscribeRequest) -> CompanyChange:
    """Take a company's evidence, or change where it is, its key or its weight."""
    table = table_of(context, request)
    one = Subscription(table.name, table.url, table.key, table.weight, context.at, int(table.private))
    with change(db, context, "exchange add", name=one.name) as changed:
        before = subscription_of(db, one.name)
        others = [other for other in companies_of(db, context.settings) if before is None or other.name != before.name]
        if any(other.name == one.name for other in others):
            words = Wording("the settings have a company {name!r}", {"name": one.name})
            raise Refused("name-taken", words)
        if (same := next((other.name for other in others if other.key == one.key), None)) is not None:
            raise Refused("key-taken", Wording("is that of {name!r}: one company is one voice", {"name": same}), "key")
        put_subscription(db, one)
        changed.before, changed.after = before, one
    return _change(db, context, changed.id, one.name)


def unsubscribe(db: sqlite3.Connection, context: Context, name: NameText) -> CompanyChange:
    """Stop taking a company's evidence. One of the settings is taken out there."""
    with change(db, context, "exchange remove", name=name) as changed:
        found = subscription_of(db, name)
        if found is None:
            _state(db, name)
            words = Wording("{name} stands in the settings: take it out there", {"name": name})
            raise Refused("in-the-settings", words)
        remove_subscription(db, name)
        register_peers(db, context.settings)
        changed.before = found
    return CompanyChange(changed.id, None)


def offered_key(url: str, *, private: bool = False) -> tuple[str, str]:
    """The id and the text of the key that lies there: to be compared, never believed. Refused, OutsideError."""
    table = ExchangeTable(name="x", url=url, private=private)
    for _, wrong in exchange_problems((table,)):
        raise Refused("bad-company", wrong, "url")

    async def ask() -> dict[str, str]:
        async with OutsideClient() as client:
            return await offered(ServerSource(table, client))

    found = asyncio.run(ask())
    return found["id"], found["key"]


def disable(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> CompanyChange:
    """Switch a company off: it is not fetched, and nothing that it said counts."""
    with change(db, context, "exchange disable", name=request.name) as changed:
        changed.before = _switched(db, request.name)
        if not switch_peer_off(db, request.name, context.at, encode(request.why).decode()):
            raise Refused("off-already", Wording("{source} is off already", {"source": request.name}))
        changed.after = _switched(db, request.name)
    return _change(db, context, changed.id, request.name)


def enable(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> CompanyChange:
    """Let a company count again. It is measured anew from now on."""
    with change(db, context, "exchange enable", name=request.name) as changed:
        changed.before = _switched(db, request.name)
        if not switch_peer_on(db, request.name, context.at):
            raise Refused("on-already", Wording("{source} is on already", {"source": request.name}))
        changed.after = _switched(db, request.name)
    return _change(db, context, changed.id, request.name)


def disable_the_bad(db: sqlite3.Connection, context: Context) -> list[str]:
    """Switches off each company that is worse than chance. Their names."""
    done = []
    for state in peer_states(db):
        if state.off_at is not None or not state.in_settings:
            continue
        skill = skill_of_peer(db, state, context.at)
        if (skill.right, skill.told) != (state.was_right, state.was_told):
            with whole(db):
                record_skill(db, state.name, skill.right, skill.told)
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
        words = Wording("there is no company {name!r}{hint}", {"name": name[:80], "hint": hint})
        raise Refused("no-such-company", words)
    return found


def _switched(db: sqlite3.Connection, name: str) -> SwitchState:
    state = _state(db, name)
    why = None if state.off_why is None else read_reason(state.off_why)
    return SwitchState(name, state.off_at, why, state.since)


def _change(db: sqlite3.Connection, context: Context, change_id: int | None, name: str) -> CompanyChange:
    found = (one for one in exchange_shown(db, context.loaded, context.at).companies if one.name == name)
    return CompanyChange(change_id, next(found, None))


# How changes are undone.


SWITCH = undo_of_switch("peer", _switched)
SUBSCRIPTION = UndoKind(
    lambda _db, _row, value: parse_plain(value, Subscription),
    lambda db, _, company: subscription_of(db, company.name),
    lambda db, _, company: remove_subscription(db, company.name),
    lambda db, _, company: put_subscription(db, company),
)
