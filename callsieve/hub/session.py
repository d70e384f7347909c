"""The state of one connection to the hub, and the transactions in the store that each step of the exchange needs.

`follow`: the sites whose entries in lists are in force here too. A wake-up: the hub announces new rows.
"""

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
from reputation.store.hub.statements import complete_all, settle_all
from reputation.store.site import PublishedPolicy
from reputation.store.standing import refresh_all
from reputation.users import Role

logger = logging.getLogger("callsieve.hub.sync")

FILL: Final = 200  # numbers whose rows enter the outbox in one transaction
REST_SECONDS: Final = 0.01  # after a write, so that others can write
# How far the clocks of two PBXs of one site may differ. Versions of rows are made from these clocks.
LOSS_US: Final = 300 * MICROSECONDS
WRITE_SECONDS: Final = 0.03

VISIBLE_SECONDS: Final = 300.0  # a notice may become visible this late

WAKE_SECONDS: Final = 0.1  # between two pulls after wake-ups; grows to the longest while wake-ups bring nothing

LONGEST_WAKE_SECONDS: Final = 1.5

# A clock this far off is not set by NTP: its rows get the hub's time.
CLOCK_SECONDS: Final = 2.0

ACTOR: Final = "hub"


class PullPace:
    """The schedule of pulls: at intervals, and soon after a wake-up. After wake-ups without new rows, it is slower."""

    def __init__(self, poll_seconds: float) -> None:
        self.is_woken = False
        self._poll_seconds = poll_seconds
        self._rest_seconds = WAKE_SECONDS
        self._pulled_at = -math.inf

    def pull_at(self) -> float:
        """Return when to pull next, as time.monotonic()."""
        return self._pulled_at + min(self._poll_seconds, self._rest_seconds if self.is_woken else math.inf)

    def note_pull(self, now: float, *, has_news: bool) -> None:
        """Record a complete pull at `now` (time.monotonic()). `has_news`: whether the pull brought new rows."""
        is_in_vain = self.is_woken and not has_news
        self._rest_seconds = min(2 * self._rest_seconds, LONGEST_WAKE_SECONDS) if is_in_vain else WAKE_SECONDS
        self.is_woken, self._pulled_at = False, now


@dataclass(slots=True)
class HubSession:
    """The state of one connection to the hub. Times are values of time.monotonic().

    Attributes:
        offset_us: How far this site's clock is ahead of the hub's, in microseconds.
        hub_version: The newest row version of this site in the hub when the connection began.
        own: Whether to pull this site's own rows too.
        private: Whether to pull rows that only a standby or the central console needs.
        has_pulled: Whether all rows were pulled since the last report to the hub.
        is_deaf: Whether the connection ignores wake-ups at present.
        waits_to: While the hub is full, rows of the outbox up to this `seq` wait for room. 0: no rows wait.
        try_at: When to push the waiting rows again.
        erase_at: When to send the due erasures to the hub again.
        pushed_at: When the first and last unannounced push were made. Key: whether all their rows are private.
    """

    link: Link
    pace: PullPace
    offset_us: int
    clock_us: int
    hub_version: int
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


def has_transactions_restarted(link: Link, greeting: Greeting) -> bool:
    """Return whether the stored positions are useless, because the hub counts its transactions anew from the start."""
    return (
        greeting.lost_xid == 0
        or min(max(link.rows_to[0], link.notices_to[0]), greeting.lost_xid or math.inf) > greeting.xid
    )


def handled_to(link: Link, greeting: Greeting) -> float:
    """Return up to which time this site has surely carried out all notices, by the hub's clock; 0 if unknown."""
    if link.organisation != greeting.organisation or link.pulled_at is None:
        return 0.0
    ahead = time.time() - greeting.now_us / MICROSECONDS
    return link.pulled_at - max(ahead, 0.0) - VISIBLE_SECONDS


def offset_of(greeting: Greeting, before: float, after: float) -> int:
    """Return how far this site's clock is ahead of the hub's, in microseconds; 0 within the measuring error."""
    offset = (before + after) / 2 - greeting.now_us / MICROSECONDS
    if abs(offset) < CLOCK_SECONDS + (after - before) / 2:
        return 0
    logger.warning("this server's clock differs from the hub's by %+.0f s: shared rows get the hub's time", offset)
    return int(offset * MICROSECONDS)


def join(db: sqlite3.Connection, greeting: Greeting, private: bool) -> None:
    """Store a link to the hub, and queue all rows of this site to be sent."""
    set_link(db, greeting.site, greeting.organisation, greeting.hub)
    outgoing.start_capture(db, private=private)
    outgoing.send_all_again(db, private=private)


def send_keys_again(db: sqlite3.Connection, site: str, keys: list[outgoing.Key], private: bool) -> None:
    """Queue the rows of this site that have these keys, so that they are sent again."""
    outgoing.send_rows_again(db, site, keys, private=private)


def prepare(db: sqlite3.Connection, private: bool, follow: frozenset[str], greeting: Greeting) -> None:
    """Prepare the exchange: start to capture changes, decide which sites' entries apply, and correct positions."""
    link = link_of(db)
    assert link is not None
    program = program_version()
    outgoing.start_capture(db, private=private)
    with writing_for_hub(db):
        completed = complete_all(db) if link.program != program else set()
        refresh_all(db, completed | settle_all(db, link.site, follow))
    if greeting.lost_xid:  # the hub may have lost what was pulled from there on
        place = (greeting.lost_xid - 1, client.LAST_ID)
        note_rows_to(db, min(link.rows_to, place))
        note_notices_to(db, min(link.notices_to, place))
    note_history(db, greeting.history)
    if has_transactions_restarted(link, greeting):
        note_notices_to(db, (0, 0))
        pull_again(db)
    elif link.program != program:
        pull_again(db)  # an older version may have ignored some rows
    note_program(db, program)


def acknowledge_batch(
    db: sqlite3.Connection, link: Link, batch: list[outgoing.Outgoing], dates: dict[int, int], follow: frozenset[str]
) -> None:
    """Record that the hub has received a batch. `dates`: corrected dates of rows, by sequence number."""
    outgoing.acknowledge(db, link, batch, dates, follow, time.time())


def apply_some(
    db: sqlite3.Connection, link: Link, placed_rows: list[tuple[SharedRow, client.Place]], follow: frozenset[str]
) -> tuple[int, int]:
    """Apply pulled rows for at most WRITE_SECONDS. Return how many were handled, and how many were unusable."""
    done, refused = apply_rows(db, link, [row for row, _ in placed_rows], follow, WRITE_SECONDS)
    note_rows_to(db, placed_rows[done - 1][1])
    return done, refused


def note_all_pulled(db: sqlite3.Connection, place: client.Place, clock_us: int) -> None:
    """Record that all rows and notices of the hub up to the position `place` were pulled.

    `clock_us`: the newest version of this site's own rows in the hub; 0 if own rows were not pulled.
    """
    note_rows_to(db, place)
    note_notices_to(db, place)
    note_pulled(db, time.time())
    if clock_us:
        note_pushed(db, time.time(), clock_us)


def erase_here(db: sqlite3.Connection, erasure: Erasure, loaded: Loaded) -> bool:
    """Erase a number at another site's request. Return whether all data about the number is gone."""
    actor = f"{ACTOR} {erasure.site}" if SITE.fullmatch(erasure.site) else ACTOR
    return site_operations.erase_for_site(db, Context(actor, Role.ADMINISTRATOR, time.time(), loaded), erasure)


def emit_policies(db: sqlite3.Connection, waiting: list[PublishedPolicy], loaded: Loaded) -> None:
    """Emit an event for each policy of another site that waits for an administrator to accept it."""
    central.emit_arrived(db, Context(ACTOR, Role.ADMINISTRATOR, time.time(), loaded), waiting)


def accept_policy(db: sqlite3.Connection, name: str, loaded: Loaded) -> None:
    """Accept a policy of another site automatically, because the settings say so."""
    context = Context(f"{ACTOR} {site_of(name)}", Role.ADMINISTRATOR, time.time(), loaded)
    central.accept(db, context, central.AcceptRequest(name))


def is_of_another(link: Link, greeting: Greeting) -> bool:
    """Return whether the link in the store belongs to another hub, or to an earlier name of this site."""
    return (link.hub, link.site) != (greeting.hub, greeting.site)


async def linked(store: Store, link: Link | None, greeting: Greeting, settings: HubTable) -> Link:
    """Create or update the link to the hub in the store. Return it."""
    site, private, follow = greeting.site, settings.private, frozenset(settings.follow)
    is_another = link is not None and is_of_another(link, greeting)
    if link is not None and is_another:
        what = "the hub" if link.hub != greeting.hub else f"the name of this site (before: {link.site})"
        logger.warning("%s has changed: all rows are exchanged again", what)
        await forget_others(store, link, follow)
    if link is None or is_another:
        await send_site_again(store, site, private, -1)
        await store.write(join, greeting, private)
    elif greeting.reported_version is not None:
        await send_site_again(store, site, private, min(greeting.version, greeting.reported_version) - LOSS_US)
    elif greeting.version < link.clock_us:
        await send_site_again(store, site, private, greeting.version - LOSS_US)
    await store.write(prepare, private, follow, greeting)
    link = await store.read(link_of)
    assert link is not None
    if link.pulled_at is not None and time.time() - link.pulled_at > (MARKER_DAYS - 1) * DAY:
        logger.warning("no exchange with the hub for %.0f days: pulling all rows of other sites again", MARKER_DAYS)
        await forget_others(store, link, follow)
        await store.write(pull_again)
        link = replace(link, rows_to=(0, 0))
    return link


async def send_site_again(store: Store, site: str, private: bool, sent_to: int) -> None:
    """Queue the rows of this site again that the hub may have lost: rows sent with a version above `sent_to`."""
    rows, after = 0, ("", "", "")
    while keys := await store.read(outgoing.rows_sent_after, site, sent_to, after, FILL):
        await store.write(send_keys_again, site, keys, private)
        rows, after = rows + len(keys), keys[-1]
        await asyncio.sleep(REST_SECONDS)
    if rows:
        logger.warning("the hub may have lost %d rows of this site: sending them again", rows)


async def forget_others(store: Store, link: Link, follow: frozenset[str]) -> None:
    """Delete the rows of all other sites."""
    for origin in await store.read(other_sites, link.site):
        await expel(store, link, origin, follow)


async def expel(store: Store, link: Link, origin: str, follow: frozenset[str]) -> None:
    """Delete the rows of the site `origin` from the store, in several transactions."""
    more = True
    while more:
        more = await store.write(expel_some, link, origin, follow, FILL)
        await asyncio.sleep(REST_SECONDS)


async def take_policies(store: Store, loaded: Loaded) -> None:
    """Emit events for new policies that other sites published, or accept the policies if the settings say so."""
    try:
        arrived = await store.read(central.arrived, loaded)
        for policy in arrived if loaded.settings.hub.accept_policies else ():
            await store.write(accept_policy, policy.name, loaded)
            logger.info("policy accepted: %s ([hub] accept_policies is on)", policy.name)
        waiting = [] if loaded.settings.hub.accept_policies else arrived
        await store.write(emit_policies, waiting, loaded)
        await asyncio.to_thread(central.note_arrived, loaded, waiting)
        await store.read(central.drop_stale, loaded)
        for shown in await store.read(central.site_policies, loaded):
            if shown.problem:
                logger.warning("policy of another site is unusable, the accepted version is kept: %s", shown.problem)
    except (OSError, Refused) as error:
        logger.warning("policies of other sites were not updated: %s", error)
