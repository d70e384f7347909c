"""What is known of the hub as long as a connection lasts, and the store's side of each step: one transaction each."""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import time
from dataclasses import dataclass, field, replace
from typing import Final

from callsieve.changes.operation import Context, Refused
from callsieve.hub import client, site_operations
from callsieve.hub.client import Greeting
from callsieve.hub.site_operations import Erasure
from callsieve.integration_settings import HubTable
from callsieve.policy import central
from callsieve.settings import Loaded
from callsieve.version import program_version
from reputation.site_names import SITE, site_of
from reputation.store.connection import Store
from reputation.store.hub import outgoing
from reputation.store.hub.incoming import (
    DAY,
    MARKER_DAYS,
    apply_rows,
    expel_some,
    other_sites,
)
from reputation.store.hub.link import (
    Link,
    link_of,
    note_history,
    note_notices_to,
    note_program,
    note_pulled,
    note_pushed,
    note_rows_to,
    pull_again,
    set_link,
    writing_for_hub,
)
from reputation.store.hub.rows import MICROSECONDS, SharedRow
from reputation.store.hub.statements import settle_all
from reputation.store.site import PublishedPolicy
from reputation.store.standing import refresh_all
from reputation.users import Role

logger = logging.getLogger("callsieve.hub.sync")

FILL: Final = 200  # numbers whose rows are put into the outbox at once
REST_SECONDS: Final = 0.01  # after a write, for others
# How far clocks of two PBXs of one site may be apart by which their versions are made.
LOSS_US: Final = 300 * MICROSECONDS
WRITE_SECONDS: Final = 0.03

HEARD_SECONDS: Final = 300.0  # so late may a notice have become visible

WAKE_SECONDS: Final = (
    0.1  # between two pulls after wake-ups; more, up to the longest, after those that were for nothing
)

LONGEST_WAKE_SECONDS: Final = 1.5

# A clock that is so far off is not NTP's: what it has dated is put on the hub's.
CLOCK_SECONDS: Final = 2.0

ACTOR: Final = "hub"


class PullPace:
    """When to pull: every so often, and soon after a wake-up. One that was for nothing makes the next wait longer."""

    def __init__(self, poll_seconds: float) -> None:
        self.is_woken = False
        self._poll_seconds = poll_seconds
        self._rest_seconds = WAKE_SECONDS
        self._pulled_at = -math.inf

    def pull_at(self) -> float:
        """An instant of time.monotonic()."""
        return self._pulled_at + min(self._poll_seconds, self._rest_seconds if self.is_woken else math.inf)

    def note_pull(self, now: float, *, has_news: bool) -> None:
        """All is pulled as of then, an instant of time.monotonic()."""
        is_in_vain = self.is_woken and not has_news
        self._rest_seconds = min(2 * self._rest_seconds, LONGEST_WAKE_SECONDS) if is_in_vain else WAKE_SECONDS
        self.is_woken, self._pulled_at = False, now


@dataclass(slots=True)
class HubSession:
    """What is known of the hub as long as a connection lasts. `own`, `private`: whether rows of ours are pulled, and
    what only a standby and a central site need; `has_pulled`: since the last heartbeat. `told_us`: the latest version
    of ours that the hub had at the beginning, whoever sent it. `waits_to`: the outbox up to that `seq` waits for room
    in the hub, which is tried again at `try_at`, and erasures at `erase_at`, instants of time.monotonic(). `is_deaf`:
    nobody can wake us up. `pushed_at`: when the first and the last push were over for which others may not have been
    woken, by whether all in them was private; `has_pushed`: since the last pull.
    """

    link: Link
    pace: PullPace
    offset_us: int
    clock_us: int
    told_us: int
    own: bool
    private: bool
    channel: str
    has_pulled: bool = False
    has_refused: bool = False
    is_deaf: bool = False
    waits_to: int = 0
    try_at: float = 0.0
    erase_at: float = 0.0
    erased: set[str] = field(default_factory=set)
    pushed_at: dict[bool, tuple[float, float]] = field(default_factory=dict)
    has_pushed: bool = False


def is_counted_anew(link: Link, greeting: Greeting) -> bool:
    """Whether the places that we remember say nothing: the hub counts its transactions from another number."""
    return greeting.lost_xid == 0 or min(max(link.rows_to[0], link.notices_to[0]), _lost(greeting)) > greeting.xid


def _lost(greeting: Greeting) -> float:
    return greeting.lost_xid or math.inf


def heard_to(link: Link, greeting: Greeting) -> float:
    """Notices are read from their beginning again: which were obeyed before, by the hub's clock."""
    if link.organisation != greeting.organisation or link.pulled_at is None:
        return 0.0
    ahead = time.time() - greeting.now_us / MICROSECONDS
    return link.pulled_at - max(ahead, 0.0) - HEARD_SECONDS


def offset_of(greeting: Greeting, before: float, after: float) -> int:
    """How far our clock is ahead of the hub's, in microseconds; 0 where it is as good as right."""
    offset = (before + after) / 2 - greeting.now_us / MICROSECONDS
    if abs(offset) < CLOCK_SECONDS + (after - before) / 2:
        return 0
    logger.warning("our clock is %+.0f s off the hub's: what it dates is dated by the hub's", offset)
    return int(offset * MICROSECONDS)


def join(db: sqlite3.Connection, greeting: Greeting, private: bool) -> None:
    set_link(db, greeting.site, greeting.organisation, greeting.hub)
    outgoing.start_capture(db, private=private)
    outgoing.send_all_again(db, private=private)


def tell_keys_again(db: sqlite3.Connection, site: str, keys: list[outgoing.Key], private: bool) -> None:
    outgoing.tell_again(db, site, keys, private=private)


def prepare(db: sqlite3.Connection, private: bool, follow: frozenset[str], greeting: Greeting) -> None:
    link = link_of(db)
    assert link is not None
    outgoing.start_capture(db, private=private)
    with writing_for_hub(db):
        refresh_all(db, settle_all(db, link.site, follow))
    program = program_version()
    if greeting.lost_xid:  # what was pulled from there on may never have been
        place = (greeting.lost_xid - 1, client.LAST_ID)
        note_rows_to(db, min(link.rows_to, place))
        note_notices_to(db, min(link.notices_to, place))
    note_history(db, greeting.history)
    if is_counted_anew(link, greeting):
        note_notices_to(db, (0, 0))
        pull_again(db)
    elif link.program != program:
        pull_again(db)  # what an older one had no use for
    note_program(db, program)


def acknowledge_batch(
    db: sqlite3.Connection, link: Link, batch: list[outgoing.Outgoing], dates: dict[int, int], follow: frozenset[str]
) -> None:
    outgoing.acknowledge(db, link, batch, dates, follow, time.time())


def apply_some(
    db: sqlite3.Connection, link: Link, found: list[tuple[SharedRow, client.Place]], follow: frozenset[str]
) -> tuple[int, int]:
    done, refused = apply_rows(db, link, [row for row, _ in found], follow, WRITE_SECONDS)
    note_rows_to(db, found[done - 1][1])
    return done, refused


def note_all_pulled(db: sqlite3.Connection, place: client.Place, clock_us: int) -> None:
    note_rows_to(db, place)
    note_notices_to(db, place)
    note_pulled(db, time.time())
    if clock_us:
        note_pushed(db, time.time(), clock_us)


def erase_here(db: sqlite3.Connection, erasure: Erasure, loaded: Loaded) -> bool:
    """Return whether everything about the number is gone."""
    actor = f"{ACTOR} {erasure.site}" if SITE.fullmatch(erasure.site) else ACTOR
    return site_operations.obey(db, Context(actor, Role.ADMINISTRATOR, time.time(), loaded), erasure)


def tell_policies(db: sqlite3.Connection, waiting: list[PublishedPolicy], loaded: Loaded) -> None:
    central.tell_arrived(db, Context(ACTOR, Role.ADMINISTRATOR, time.time(), loaded), waiting)


def accept_policy(db: sqlite3.Connection, name: str, loaded: Loaded) -> None:
    context = Context(f"{ACTOR} {site_of(name)}", Role.ADMINISTRATOR, time.time(), loaded)
    central.accept(db, context, central.AcceptRequest(name))


def is_of_another(link: Link, greeting: Greeting) -> bool:
    """Return whether the link is of another hub, or was made under another name of this site."""
    return (link.hub, link.site) != (greeting.hub, greeting.site)


async def linked(store: Store, link: Link | None, greeting: Greeting, settings: HubTable) -> Link:
    """Return the store's side of the link, made or brought up to date."""
    site, private, follow = greeting.site, settings.private, frozenset(settings.follow)
    is_another = link is not None and is_of_another(link, greeting)
    if link is not None and is_another:
        what = "the hub" if link.hub != greeting.hub else f"the site, once {link.site},"
        logger.warning("%s is another one: all is exchanged anew", what)
        await forget_others(store, link, follow)
    if link is None or is_another:
        await tell_site_again(store, site, private, -1)
        await store.write(join, greeting, private)
    elif greeting.told_version is not None:
        await tell_site_again(store, site, private, min(greeting.version, greeting.told_version) - LOSS_US)
    elif greeting.version < link.clock_us:
        await tell_site_again(store, site, private, greeting.version - LOSS_US)
    await store.write(prepare, private, follow, greeting)
    link = await store.read(link_of)
    assert link is not None
    if link.pulled_at is not None and time.time() - link.pulled_at > (MARKER_DAYS - 1) * DAY:
        logger.warning("nothing was heard for %.0f days: all is pulled anew", MARKER_DAYS)
        await forget_others(store, link, follow)
        await store.write(pull_again)
        link = replace(link, rows_to=(0, 0))
    return link


async def tell_site_again(store: Store, site: str, private: bool, told_to: int) -> None:
    """Tell the hub again what it may have lost of the rows of this site."""
    rows, after = 0, ("", "", "")
    while keys := await store.read(outgoing.untold_after, site, told_to, after, FILL):
        await store.write(tell_keys_again, site, keys, private)
        rows, after = rows + len(keys), keys[-1]
        await asyncio.sleep(REST_SECONDS)
    if rows:
        logger.warning("the hub may have lost %d rows that we had told: they are told again", rows)


async def forget_others(store: Store, link: Link, follow: frozenset[str]) -> None:
    """Take out what all other sites told."""
    for origin in await store.read(other_sites, link.site):
        await expel(store, link, origin, follow)


async def expel(store: Store, link: Link, origin: str, follow: frozenset[str]) -> None:
    """Take out what a site told, some rows at a time."""
    more = True
    while more:
        more = await store.write(expel_some, link, origin, follow, FILL)
        await asyncio.sleep(REST_SECONDS)


async def take_policies(store: Store, loaded: Loaded) -> None:
    """What other sites publish waits to be accepted, or is accepted at once where the settings say so."""
    try:
        came = await store.read(central.arrived, loaded)
        for one in came if loaded.settings.hub.accept_policies else ():
            await store.write(accept_policy, one.name, loaded)
            logger.info("the policy %s was accepted, as [hub] accept_policies says", one.name)
        waiting = [] if loaded.settings.hub.accept_policies else came
        await store.write(tell_policies, waiting, loaded)
        await asyncio.to_thread(central.note_arrived, loaded, waiting)
        await store.read(central.drop_stale, loaded)
        for shown in await store.read(central.site_policies, loaded):
            if shown.problem:
                logger.warning("a policy cannot be used, what was accepted of it stays: %s", shown.problem)
    except (OSError, Refused) as error:
        logger.warning("policies of other sites are left as they were: %s", error)
