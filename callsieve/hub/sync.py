"""Keeps a store and the hub alike: pushes what changed here, pulls what changed elsewhere, until it is cancelled.

The store is written in transactions of some hundredths of a second, each a function that cannot wait for the network:
whatever the hub does, nobody waits for a lock. What is read for a push, or was pulled, is bounded.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from dataclasses import dataclass, field, replace
from typing import Final

from callsieve.changes.operation import Context, Refused
from callsieve.hub import client
from callsieve.hub.client import Greeting, Notice
from callsieve.hub.postgresql import Hub, HubError
from callsieve.numbers import privacy
from callsieve.policy import central
from callsieve.settings import Loaded
from callsieve.version import program_version
from reputation.site_names import SITE, site_of
from reputation.store.connection import Store
from reputation.store.database import files_of
from reputation.store.hub.capture import fill_next, has_outgoing, outbox_size, send_all_again, start_capture
from reputation.store.hub.incoming import (
    DAY,
    MARKER_DAYS,
    apply_rows,
    expel_some,
    forget_notes,
    notes_past_their_time,
    other_sites,
)
from reputation.store.hub.link import (
    Link,
    link_of,
    note_notices_to,
    note_program,
    note_pulled,
    note_pushed,
    note_rows_to,
    pull_again,
    set_link,
    writing_for_hub,
)
from reputation.store.hub.outgoing import Outgoing, acknowledge, erasures_told, next_batch, numbers_to_erase
from reputation.store.hub.rows import MICROSECONDS, SharedRow
from reputation.store.hub.sites import note_sites
from reputation.store.hub.statements import settle_all
from reputation.store.standing import refresh_all
from reputation.users import Role

logger = logging.getLogger("callsieve.hub.sync")

BATCH: Final = 250  # rows sent in one transaction
PULL: Final = 500  # rows asked for at once: at most 4 MB, and 5 MB more of each site that publishes 50 large policies
FILL: Final = 200  # numbers whose rows are put into the outbox at once
WRITE_SECONDS: Final = 0.03
HEARD_SECONDS: Final = 300.0  # so late may a notice have become visible
REST_SECONDS: Final = 0.01  # after a write, for others
LOOK_SECONDS: Final = 0.3  # between two looks at what changed here
HEARTBEAT_SECONDS: Final = 10.0
CLEAN_SECONDS: Final = 600.0
EXPIRE_ROWS: Final = 2000
# A clock that is so far off is not NTP's: what it has dated is put on the hub's.
CLOCK_SECONDS: Final = 2.0
NOTES: Final = 1000
ACTOR: Final = "hub"
POLICY: Final = "published_policy"


class StoreChanged(Exception):
    """The store's file is another one than the one that is open."""


class NumbersErased(Exception):
    """Numbers were erased as another site wanted. What they left in files is cleared when the store is closed."""

    def __init__(self, numbers: frozenset[str]) -> None:
        super().__init__()
        self.numbers = numbers


@dataclass(slots=True)
class _Session:
    """What is known of the hub as long as a connection lasts. `own`, `private`: whether rows of ours are pulled, and
    what only a standby and a central site need; `has_pulled`: since the last heartbeat. `told_us`: the latest version
    of ours that the hub had at the beginning, whoever sent it.
    """

    link: Link
    offset_us: int
    clock_us: int
    told_us: int
    own: bool
    private: bool
    has_pulled: bool = False
    erased: set[str] = field(default_factory=set)


class Sync:
    """One store, one hub. `once` and `run` raise HubError and StoreError; what was begun is whole or nothing."""

    def __init__(self, store: Store, hub: Hub, loaded: Loaded) -> None:
        self._store = store
        self._hub = hub
        self._loaded = loaded
        self._settings = loaded.settings.hub
        self._follow = frozenset(self._settings.follow)
        self._files = files_of(loaded.store_path)
        self._policies_due = True  # there may be some of other sites that were not looked at yet
        self._heard_to = 0.0  # what is dated before, by the hub's clock, was obeyed already

    async def run(self) -> None:
        """Until it is cancelled. NumbersErased when there is something that only a closed store can be cleared
        of, StoreChanged when it is to be opened again.
        """
        session = await self._begin()
        await client.listen(self._hub)
        if session.own:
            await self._pull_all(session)
        wants_pull, beat_at, pull_at, clean_at = True, 0.0, 0.0, 0.0
        while True:
            await self._push_all(session)
            now = time.monotonic()
            if wants_pull or now >= pull_at:
                await self._pull_all(session)
                pull_at = time.monotonic() + self._settings.poll_seconds
            if session.erased:
                raise NumbersErased(frozenset(session.erased))
            if now >= beat_at:
                session = await self._beat(session)
                beat_at = now + HEARTBEAT_SECONDS
            if now >= clean_at:
                await self._clean(session)
                clean_at = now + CLEAN_SECONDS
            wants_pull = await self._wait(session)

    async def once(self) -> None:
        """Everything that there is now, in both directions."""
        session = await self._begin()
        if session.own:  # the hub has what a backup that was put back has not
            await self._pull_all(session)
        await self._push_all(session)
        await self._pull_all(session)
        await self._note_sites(await self._greet(session.offset_us, has_pulled=True))
        if session.erased:
            raise NumbersErased(frozenset(session.erased))

    async def _begin(self) -> _Session:
        before = time.time()
        greeting = await self._greet(0, has_pulled=False)
        if (greeting.site, greeting.organisation) != (self._settings.site, self._settings.organisation):
            who = f"{greeting.site} of {greeting.organisation}"
            raise HubError(f"the hub takes us for {who}: the secret is that of another site (callsieve hub join)")
        offset_us = _offset(greeting, before, time.time())
        link = await self._linked(greeting)
        own = self._settings.standby or greeting.version > link.clock_us
        clock_us = max(greeting.version, link.clock_us)
        logger.info("%s shares with the hub %s", greeting.site, greeting.hub)
        private = self._settings.standby or greeting.is_central
        return _Session(link, offset_us, clock_us, greeting.version, own, private)

    async def _linked(self, greeting: Greeting) -> Link:
        """The store's side of it, made or brought up to date."""
        link = await self._store.read(link_of)
        if link is not None and link.organisation == greeting.organisation and link.pulled_at is not None:
            ahead = time.time() - greeting.now_us / MICROSECONDS
            self._heard_to = link.pulled_at - max(ahead, 0.0) - HEARD_SECONDS
        if link is not None and (link.hub, link.site) != (greeting.hub, greeting.site):
            logger.warning("the hub is another one: all is exchanged anew")
            await self._forget_others(link)
            link = None
        if link is None:
            await self._store.write(set_link, greeting.site, greeting.organisation, greeting.hub)
            await self._store.write(_send_all, greeting.site, self._settings.private)
        elif greeting.version < link.clock_us:
            logger.warning("the hub has lost what we had told it: all is told anew")
            await self._store.write(_send_all, greeting.site, self._settings.private)
        await self._store.write(_prepare, self._settings.private, self._follow, greeting)
        link = await self._store.read(link_of)
        assert link is not None
        if link.pulled_at is not None and time.time() - link.pulled_at > (MARKER_DAYS - 1) * DAY:
            logger.warning("nothing was heard for %.0f days: all is pulled anew", MARKER_DAYS)
            await self._forget_others(link)
            await self._store.write(pull_again)
            link = replace(link, rows_to=(0, 0))
        return link

    async def _forget_others(self, link: Link) -> None:
        for origin in await self._store.read(other_sites, link.site):
            await self._expel(link, origin)

    async def _expel(self, link: Link, origin: str) -> None:
        more = True
        while more:
            more = await self._store.write(expel_some, link, origin, self._follow, FILL)
            await asyncio.sleep(REST_SECONDS)

    async def _greet(self, offset_us: int, *, has_pulled: bool) -> Greeting:
        waiting, _ = await self._store.read(outbox_size)
        return await client.greet(
            self._hub, outbox=waiting, program=program_version(), offset_us=offset_us, has_pulled=has_pulled
        )

    async def _beat(self, session: _Session) -> _Session:
        before = time.time()
        greeting = await self._greet(session.offset_us, has_pulled=session.has_pulled)
        await self._note_sites(greeting)
        return replace(session, offset_us=_offset(greeting, before, time.time()), has_pulled=False)

    async def _note_sites(self, greeting: Greeting) -> None:
        """For the console of a central site."""
        if greeting.is_central:
            await self._store.write(note_sites, await client.sites(self._hub))

    async def _push_all(self, session: _Session) -> None:
        """What waits, and then what was there before anything was shared, some at a time."""
        for number in await self._store.read(numbers_to_erase):
            if not await client.erase(self._hub, number):
                logger.warning("the hub forgets no more numbers for us today: the others are told later")
                break
            await self._store.write(erasures_told, [number])
        if await self._store.read(has_outgoing):  # of a number that is to be forgotten nothing is told first
            for notice in await client.notices_after(self._hub, session.link.notices_to):
                await self._obey(session, notice)
        while True:
            session.clock_us = max(session.clock_us, int(time.time() * MICROSECONDS) - session.offset_us)
            batch = await self._store.read(next_batch, session.link, session.clock_us, session.offset_us, BATCH)
            if not batch:
                if not await self._store.write(fill_next, FILL):
                    return
                continue
            session.clock_us += len(batch)
            dates = await client.push(self._hub, batch)
            await self._store.write(_acknowledge, session.link, batch, dates, self._follow)

    async def _pull_all(self, session: _Session) -> None:
        while True:
            link, settings = session.link, self._settings
            pulled = await client.pull(
                self._hub, link.rows_to, link.notices_to, PULL, own=session.own, private=session.private
            )
            for notice in pulled.notices:
                await self._obey(session, notice)
            await self._apply(session, pulled.rows, pulled.places)
            if pulled.all_to is not None:
                await self._store.write(_all_pulled, pulled.all_to, session.told_us if session.own else 0)
                place = pulled.all_to
                session.link = replace(session.link, rows_to=place, notices_to=place, pulled_at=time.time())
                session.own, session.has_pulled = settings.standby, True
                if self._policies_due:
                    await self._take_policies()
                return

    async def _take_policies(self) -> None:
        """What other sites publish waits to be accepted, or is accepted at once where the settings say so."""
        self._policies_due = False
        loaded = self._loaded
        try:
            came = await self._store.read(central.arrived, loaded)
            for one in came if self._settings.accept_policies else ():
                await self._store.write(_accept, one.name, loaded)
                logger.info("the policy %s was accepted, as [hub] accept_policies says", one.name)
            await asyncio.to_thread(central.note_arrived, loaded, [] if self._settings.accept_policies else came)
            await self._store.read(central.drop_stale, loaded)
            for shown in await self._store.read(central.site_policies, loaded):
                if shown.problem:
                    logger.warning("a policy cannot be used, what was accepted of it stays: %s", shown.problem)
        except (OSError, Refused) as error:
            logger.warning("policies of other sites are left as they were: %s", error)

    async def _apply(self, session: _Session, rows: list[SharedRow], places: list[client.Place]) -> None:
        self._policies_due |= any(row.kind == POLICY for row in rows)
        done = 0
        while done < len(rows):
            began = time.monotonic()
            some, refused = await self._store.write(_apply_some, session.link, rows[done:], places[done:], self._follow)
            if refused:
                logger.warning("%d rows of other sites cannot be used: is another CallSieve newer?", refused)
            done += some
            session.link = replace(session.link, rows_to=places[done - 1])
            if done < len(rows):
                await asyncio.sleep((time.monotonic() - began) / 2)  # others want to write, too

    async def _obey(self, session: _Session, notice: Notice) -> None:
        if notice.what == "erase" and notice.at > self._heard_to:
            if await self._store.write(_erase, notice.subject, notice.asked_by, self._loaded):
                session.erased.add(notice.subject)
        elif notice.what == "expel" and notice.subject != session.link.site:
            logger.warning("%s was expelled: what came from there is taken out", notice.subject)
            await self._expel(session.link, notice.subject)
            self._policies_due = True
        await self._store.write(note_notices_to, notice.place)
        session.link = replace(session.link, notices_to=notice.place)

    async def _clean(self, session: _Session) -> None:
        while await client.expire(self._hub, EXPIRE_ROWS) == EXPIRE_ROWS:
            pass
        while notes := await self._store.read(notes_past_their_time, time.time(), NOTES):
            await self._store.write(forget_notes, notes)

    async def _wait(self, session: _Session) -> bool:
        """Until something is to be done. Whether somebody else has pushed."""
        us = f"{session.link.organisation}/{session.link.site}"
        while True:
            said = await self._hub.notice(LOOK_SECONDS)
            if await asyncio.to_thread(files_of, self._loaded.store_path) != self._files:
                raise StoreChanged
            if said is not None and said != us and said.partition("/")[0] == session.link.organisation:
                return True
            if said is None or await self._store.read(has_outgoing):
                return False


def _offset(greeting: Greeting, before: float, after: float) -> int:
    """How far our clock is ahead of the hub's, in microseconds; 0 where it is as good as right."""
    offset = (before + after) / 2 - greeting.now_us / MICROSECONDS
    if abs(offset) < CLOCK_SECONDS + (after - before) / 2:
        return 0
    logger.warning("our clock is %+.0f s off the hub's: what it dates is dated by the hub's", offset)
    return int(offset * MICROSECONDS)


# In the store's threads, each in one transaction:


def _send_all(db: sqlite3.Connection, site: str, private: bool) -> None:
    start_capture(db, private=private)
    send_all_again(db, site, private=private)


def _prepare(db: sqlite3.Connection, private: bool, follow: frozenset[str], greeting: Greeting) -> None:
    link = link_of(db)
    assert link is not None
    start_capture(db, private=private)
    with writing_for_hub(db):
        refresh_all(db, settle_all(db, link.site, follow))
    program = program_version()
    if max(link.rows_to[0], link.notices_to[0]) > greeting.xid:
        note_notices_to(db, (0, 0))  # the hub counts its transactions anew
        pull_again(db)
    elif link.program != program:
        pull_again(db)  # what an older one had no use for
    note_program(db, program)


def _acknowledge(
    db: sqlite3.Connection, link: Link, batch: list[Outgoing], dates: dict[int, int], follow: frozenset[str]
) -> None:
    acknowledge(db, link, batch, dates, follow, time.time())


def _apply_some(
    db: sqlite3.Connection,
    link: Link,
    rows: list[SharedRow],
    places: list[client.Place],
    follow: frozenset[str],
) -> tuple[int, int]:
    done, refused = apply_rows(db, link, rows, follow, WRITE_SECONDS)
    note_rows_to(db, places[done - 1])
    return done, refused


def _all_pulled(db: sqlite3.Connection, place: client.Place, clock_us: int) -> None:
    note_rows_to(db, place)
    note_notices_to(db, place)
    note_pulled(db, time.time())
    if clock_us:
        note_pushed(db, time.time(), clock_us)


def _erase(db: sqlite3.Connection, number: str, asked_by: str, loaded: Loaded) -> bool:
    """Whether there was anything."""
    actor = f"{ACTOR} {asked_by}" if SITE.fullmatch(asked_by) else ACTOR
    context = Context(actor, Role.ADMINISTRATOR, time.time(), loaded)
    try:
        if not any(privacy.stored_about(db, context, number).erasable.values()):
            return False
    except Refused:  # no number
        return False
    with writing_for_hub(db):
        privacy.erase(db, context, number)
    erasures_told(db, [number])
    return True


def _accept(db: sqlite3.Connection, name: str, loaded: Loaded) -> None:
    context = Context(f"{ACTOR} {site_of(name)}", Role.ADMINISTRATOR, time.time(), loaded)
    central.accept(db, context, central.AcceptRequest(name))
