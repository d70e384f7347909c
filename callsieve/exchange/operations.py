"""Operations on other companies: fetch a company's data, subscribe to a company, unsubscribe, pause or resume it."""

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
from callsieve.exchange.health import PROBLEMS, companies_of, register_peers, skill_of_peer
from callsieve.exchange.views import PeerShown, exchange_shown
from callsieve.exchange_settings import ExchangeTable, exchange_problems
from callsieve.lookups.operations import SwitchRequest, SwitchState, undo_of_switch
from callsieve.outside.errors import KeptFailure, OutsideError, OutsideProblem, read_kept_failure
from callsieve.outside.http_client import OutsideClient
from callsieve.setting_types import NAME, WRITTEN_AS
from callsieve.signing.keys import KeyFileError, PublicKey, signing_key
from callsieve.source_health import every_seconds, failure_of
from callsieve.source_skill import Judgement, read_reason
from policies.files import nearest
from reputation.backoff import wait_seconds
from reputation.encoding import HIDDEN, Instant, encode, encoded, find_misfit, parse_plain
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

# After a failure the company is asked again soon, then less and less often, down to its usual interval.
FIRST_RETRY_SECONDS = 900.0
MOST_SECONDS = 900.0  # for all files of one company

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The result of fetching a company's data. `failure`: why the fetch failed; null if it succeeded."""

    name: str
    taken: Annotated[Taken | None, HIDDEN]
    failure: KeptFailure | None
    next_at: Instant

    @property
    @encoded
    def result(self) -> Literal["failed", "unchanged", "taken"]:
        """The result of the fetch, in one word."""
        return "failed" if self.taken is None else "unchanged" if self.taken.unchanged else "taken"

    @property
    @encoded
    def rows(self) -> int | None:
        """How many rows were changed in the store; null if the fetch failed."""
        return self.taken.written if self.taken else None

    @property
    @encoded
    def deltas(self) -> int | None:
        """How many files of changes were applied; null if all rows were read, nothing changed, or the fetch failed."""
        return self.taken.deltas if self.taken else None


def known_peers(db: sqlite3.Connection, context: Context) -> dict[str, PeerState]:
    """Delete the rows of companies without a subscription. Return the states of the subscribed companies, by name."""
    with whole(db):
        register_peers(db, context.settings)
    drop_unnamed(db)
    return {state.name: state for state in peer_states(db) if state.in_settings}


def due(state: PeerState, now: float) -> bool:
    """Return whether to fetch a company's data now. A paused company is never due.

    An active company is due once its `next_at` is reached, if no fetch was tried yet, or if the clock was set back.
    """
    return state.off_at is None and (now >= state.next_at or state.asked_at is None or now < state.asked_at)


def fetch_peer(db: sqlite3.Connection, context: Context, state: PeerState, *, accept_fork: bool = False) -> FetchResult:
    """Fetch a company's data, and record in the store whether the fetch succeeded."""
    table = next(table for table in companies_of(db, context.settings) if table.name == state.name)
    every = every_seconds(table.every)
    try:
        taken = asyncio.run(_take(db, context, table, state, accept_fork=accept_fork))
    except (OutsideError, Refused, OSError, StoreError, sqlite3.Error) as error:
        failure, now = failure_of(error, PROBLEMS, table.path), time.time()
        next_at = now + wait_seconds(state.failures + 1, FIRST_RETRY_SECONDS, every)
        with whole(db):
            record_peer_failure(db, state.name, now, next_at, failure)
        return FetchResult(state.name, None, read_kept_failure(failure, PROBLEMS), next_at)
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
    """Return the result of `taking`. Raise OutsideError with the name of the host if it takes longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await taking
    except TimeoutError:
        raise OutsideError(OutsideProblem.TIMEOUT, host=host, seconds=seconds) from None


def own_key(context: Context) -> PublicKey | None:
    """Return this company's public key; None if the key is missing or unreadable."""
    with suppress(KeyFileError, OSError):
        return signing_key(context.loaded.state).public_key
    return None


class SubscribeRequest(msgspec.Struct, frozen=True):
    """A request to subscribe to a company. `private`: whether the server may have a private address (not in the API).

    Attributes:
        name: The name that the company gets here.
        url: The https address at which the company publishes.
        key: The company's public key, received over another channel than `url`.
        weight: How much the company's evidence counts, from 0 to 1. With 1, this evidence alone is enough for a tag.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    url: Annotated[str, Meta(min_length=1, max_length=500)]
    key: Annotated[str, Meta(min_length=1, max_length=100)]
    weight: Annotated[float, Meta(ge=0, le=1)] = 1.0
    private: Annotated[bool, HIDDEN] = False


class CompanyChange(NamedTuple):
    """The result of a change to a company. `company`: the company after the change; null if it was removed."""

    change_id: ChangeId | None
    company: PeerShown | None


def table_of(context: Context, request: SubscribeRequest) -> ExchangeTable:
    """Convert the request to a table of the settings file. Raise Refused if it would be invalid there."""
    fields = {"name": request.name.strip(), "url": request.url.strip(), "key": request.key.strip()}
    values = {**fields, "weight": request.weight, "private": request.private}
    if (misfit := find_misfit(values, ExchangeTable)) is not None:
        wanted = Wording(WRITTEN_AS[NAME]) if misfit.place == "name" else Wording("must be a number from 0 to 1")
        raise Refused("bad-company", wanted, misfit.place)
    table = msgspec.convert(values, ExchangeTable)
    for key, wrong in exchange_problems((table,)):
        raise Refused("bad-company", wrong, key.rpartition(".")[2])
    if not table.key:
        words = Wording(
            "is missing: ask the company for its key over another channel, such as a call; "
            "`callsieve signing key` on their server prints it"
        )
        raise Refused("no-key", words, "key")
    ours = own_key(context)
    if ours is not None and ours.text == table.key:
        words = Wording("is your own key: your own publication cannot count as another company's evidence")
        raise Refused("our-own-key", words, "key")
    return table


def subscribe(db: sqlite3.Connection, context: Context, request: SubscribeRequest) -> CompanyChange:
    """Subscribe to a company's evidence, or change its address, key or weight."""
    table = table_of(context, request)
    subscription = Subscription(table.name, table.url, table.key, table.weight, context.at, int(table.private))
    with change(db, context, "exchange add", name=subscription.name) as changed:
        before = subscription_of(db, subscription.name)
        others = [other for other in companies_of(db, context.settings) if before is None or other.name != before.name]
        if any(other.name == subscription.name for other in others):
            words = Wording("the settings already name a company {name!r}", {"name": subscription.name})
            raise Refused("name-taken", words)
        if (same := next((other.name for other in others if other.key == subscription.key), None)) is not None:
            raise Refused(
                "key-taken",
                Wording("is already the key of {name!r}: list each company only once", {"name": same}),
                "key",
            )
        put_subscription(db, subscription)
        changed.before, changed.after = before, subscription
    return _change(db, context, changed.id, subscription.name)


def unsubscribe(db: sqlite3.Connection, context: Context, name: NameText) -> CompanyChange:
    """Unsubscribe from a company. Raise Refused for a company in the settings, which must be removed there."""
    with change(db, context, "exchange remove", name=name) as changed:
        subscription = subscription_of(db, name)
        if subscription is None:
            _state(db, name)
            words = Wording("{name} is defined in the settings: remove it there", {"name": name})
            raise Refused("in-the-settings", words)
        remove_subscription(db, name)
        register_peers(db, context.settings)
        changed.before = subscription
    return CompanyChange(changed.id, None)


def offered_key(url: str, *, private: bool = False) -> tuple[str, str]:
    """Return id and text of the key that a company offers, for a person to compare. Raise Refused or OutsideError."""
    table = ExchangeTable(name="x", url=url, private=private)
    for _, wrong in exchange_problems((table,)):
        raise Refused("bad-company", wrong, "url")

    async def fetch_key() -> dict[str, str]:
        async with OutsideClient() as client:
            return await offered(ServerSource(table, client))

    offer = asyncio.run(fetch_key())
    return offer["id"], offer["key"]


def pause(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> CompanyChange:
    """Pause a company: its evidence does not count, and no new evidence is fetched."""
    with change(db, context, "exchange pause", name=request.name) as changed:
        changed.before = _switched(db, request.name)
        if not switch_peer_off(db, request.name, context.at, encode(request.why).decode()):
            raise Refused("off-already", Wording("{source} is already paused", {"source": request.name}))
        changed.after = _switched(db, request.name)
    return _change(db, context, changed.id, request.name)


def resume(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> CompanyChange:
    """Use a paused company's evidence again. From now on, the company's accuracy is measured anew."""
    with change(db, context, "exchange resume", name=request.name) as changed:
        changed.before = _switched(db, request.name)
        if not switch_peer_on(db, request.name, context.at):
            raise Refused("on-already", Wording("{source} is not paused", {"source": request.name}))
        changed.after = _switched(db, request.name)
    return _change(db, context, changed.id, request.name)


def pause_the_bad(db: sqlite3.Connection, context: Context) -> list[str]:
    """Pause each company whose evidence is worse than chance. Return the names of the paused companies."""
    paused = []
    for state in peer_states(db):
        if state.off_at is not None or not state.in_settings:
            continue
        skill = skill_of_peer(db, state, context.at)
        if (skill.right, skill.told) != (state.was_right, state.was_told):
            with whole(db):
                record_skill(db, state.name, skill.right, skill.told)
        if skill.judgement is Judgement.WORSE:
            with suppress(Refused):  # somebody may have paused it during the comparison
                pause(db, context, SwitchRequest(state.name, skill.off_reason))
                paused.append(state.name)
    return paused


def _state(db: sqlite3.Connection, name: str) -> PeerState:
    state = peer_state(db, name)
    if state is None or not state.in_settings:
        names = [peer.name for peer in peer_states(db) if peer.in_settings]
        hint = nearest(name, names) if names else ""
        words = Wording("unknown company {name!r}{hint}", {"name": name[:80], "hint": hint})
        raise Refused("no-such-company", words)
    return state


def _switched(db: sqlite3.Connection, name: str) -> SwitchState:
    state = _state(db, name)
    why = None if state.off_why is None else read_reason(state.off_why)
    return SwitchState(name, state.off_at, why, state.since)


def _change(db: sqlite3.Connection, context: Context, change_id: int | None, name: str) -> CompanyChange:
    companies = exchange_shown(db, context.loaded, context.at).companies
    return CompanyChange(change_id, next((company for company in companies if company.name == name), None))


# Undo of changes.


SWITCH = undo_of_switch("peer", _switched)
SUBSCRIPTION = UndoKind(
    lambda _db, _row, value: parse_plain(value, Subscription),
    lambda db, _, company: subscription_of(db, company.name),
    lambda db, _, company: remove_subscription(db, company.name),
    lambda db, _, company: put_subscription(db, company),
)
