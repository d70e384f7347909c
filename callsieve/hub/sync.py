"""The exchange between a store and the hub: push this site's changes, and pull other sites' changes.

Transactions in the store take some hundredths of a second and never wait for the network or for a slow hub.
"""

import asyncio
import logging
import time
from collections import Counter
from dataclasses import replace
from typing import Final

from callsieve.hub import client
from callsieve.hub.client import Greeting, HubNotice
from callsieve.hub.operations import policy_in_force
from callsieve.hub.postgresql import EXCEEDED, LOCKED, Hub, HubError
from callsieve.hub.session import (
    FILL,
    HubSession,
    PullPace,
    acknowledge_batch,
    apply_some,
    erase_here,
    expel,
    handled_to,
    has_transactions_restarted,
    is_of_another,
    linked,
    note_all_pulled,
    offset_of,
    take_policies,
)
from callsieve.hub.site_operations import Erasure
from callsieve.settings import Loaded
from callsieve.version import program_version
from reputation.store.connection import Store
from reputation.store.database import files_of
from reputation.store.hub import outgoing
from reputation.store.hub.incoming import (
    DAY,
    forget_notes,
    notes_past_their_time,
)
from reputation.store.hub.link import (
    Link,
    link_of,
    note_notices_to,
    note_refused,
    note_rows_to,
    note_standing,
)
from reputation.store.hub.rows import MICROSECONDS, SharedRow, Unfit
from reputation.store.hub.sites import note_policy, note_sites, recorded_policy

logger = logging.getLogger("callsieve.hub.sync")

BATCH: Final = 250  # rows sent in one transaction
PULL: Final = 500  # rows asked for at once: at most 4 MB, and 5 MB more for each site that publishes 50 large policies
CHECK_SECONDS: Final = 0.15  # between two checks for changes here
# Rows that follow a waking push are collected for this long (callsieve/hub/schema/0004_wakeups.sql).
COLLECT_SECONDS: Final = 0.75
MOST_WAKE_UPS: Final = 100  # wake-ups between two checks
BATCHES: Final = 20  # pushed before pulling
PULLS: Final = 10  # before pushing
FULL_SECONDS: Final = 60.0  # between two checks whether the hub has room again
HEARTBEAT_SECONDS: Final = 10.0
POLICY_SECONDS: Final = 60.0
CLEAN_SECONDS: Final = 600.0
EXPIRE_ROWS: Final = 2000
NOTES: Final = 1000
POLICY: Final = "published_policy"


class StoreReplaced(Exception):
    """The store's file was replaced while it was open."""


class NumbersErased(Exception):
    """Numbers were erased at another site's request. They must be removed from files too, once the store is closed."""

    def __init__(self, numbers: frozenset[str]) -> None:
        super().__init__()
        self.numbers = numbers


class Sync:
    """An exchange between a store and a hub. Methods raise HubError and StoreError. `run`: a random id of this run."""

    def __init__(self, store: Store, hub: Hub, loaded: Loaded, run: str) -> None:
        self._run = run
        self._store = store
        self._hub = hub
        self._loaded = loaded
        self._settings = loaded.settings.hub
        self._follow = frozenset(self._settings.follow)
        self._files = files_of(loaded.store_path)
        self._policies_due = True  # other sites may have published some that were not checked yet
        self._handled_to = 0.0  # older notices, by the hub's clock, were carried out already

    async def run(self) -> None:
        """Exchange rows until cancelled. Raise NumbersErased or StoreReplaced when the store must be reopened."""
        session = await self._begin()
        await client.listen(self._hub, session.channel)
        await client.collect(self._hub)
        if session.own:  # the hub has rows that a restored backup lacks
            await self._pull_all(session)
        beat_at = clean_at = policy_at = 0.0
        while True:
            is_more = await self._push_some(session)
            await self._wake_others(session)
            now = time.monotonic()
            if now >= session.pace.pull_at():
                is_more |= await self._pull_some(session)
            if session.erased:
                raise NumbersErased(frozenset(session.erased))
            if now >= policy_at:
                await self._note_policy()
                policy_at = now + POLICY_SECONDS
            if now >= beat_at:
                await self._beat(session)
                beat_at = now + HEARTBEAT_SECONDS
            if now >= clean_at:
                await self._clean(session)
                clean_at = now + CLEAN_SECONDS
            if not is_more:
                await self._wait(session)

    async def once(self) -> None:
        """Exchange all due rows once, in both directions."""
        session = await self._begin()
        await self._note_policy()
        if session.own:
            await self._pull_all(session)
        while await self._push_some(session):
            pass
        await self._pull_all(session)
        session.has_pulled = True
        await self._beat(session)
        if session.erased:
            raise NumbersErased(frozenset(session.erased))

    async def _begin(self) -> HubSession:
        before = time.time()
        link = await self._store.read(link_of)
        greeting = await self._greet(link, 0, has_pulled=False)
        if (greeting.site, greeting.organisation) != (self._settings.site, self._settings.organisation):
            who = f"{greeting.site} of {greeting.organisation}"
            raise HubError(
                f"the hub identifies this PBX as {who}: the secret belongs to that site; for a secret of "
                f"this PBX: callsieve hub join"
            )
        offset_us = offset_of(greeting, before, time.time())
        if link is not None and (is_of_another(link, greeting) or has_transactions_restarted(link, greeting)):
            self._handled_to = handled_to(link, greeting)
        link = await linked(self._store, link, greeting, self._settings)
        # Pull our own rows, too, after an update: an older CallSieve here may have dropped columns of a newer one.
        is_again = link.rows_to == (0, 0) and link.pulled_at is not None
        own = self._settings.standby or greeting.version > link.clock_us or is_again
        logger.info("exchanging rows with the hub: site=%s hub=%s", greeting.site, greeting.hub)
        return HubSession(
            link,
            PullPace(self._settings.poll_seconds),
            offset_us,
            clock_us=max(greeting.version, link.clock_us),
            hub_version=greeting.version,
            own=own,
            private=self._settings.standby or greeting.is_central or (own and self._settings.private),
            channel=greeting.channel,
        )

    async def _greet(self, link: Link | None, offset_us: int, *, has_pulled: bool) -> Greeting:
        waiting, _ = await self._store.read(outgoing.outbox_size)
        history = link.history if link is not None else None
        about_us = (program_version(), offset_us, has_pulled, self._run, self._settings.standby, history)
        return await client.greet(self._hub, client.SiteReport(waiting, *about_us))

    async def _note_policy(self) -> None:
        if self._settings.standby or not self._settings.private:
            return
        policy = await asyncio.to_thread(policy_in_force, self._loaded)
        if policy is not None and policy != await self._store.read(recorded_policy):
            await self._store.write(note_policy, policy, time.time())

    async def _beat(self, session: HubSession) -> None:
        before = time.time()
        greeting = await self._greet(session.link, session.offset_us, has_pulled=session.has_pulled)
        session.offset_us, session.has_pulled = offset_of(greeting, before, time.time()), False
        if session.is_deaf:
            await client.listen(self._hub, session.channel)
            session.is_deaf = False
        link, full_at = session.link, greeting.most_rows if session.waits_to else 0
        state = full_at, greeting.has_twin, greeting.is_central
        if (link.full_at, link.has_twin, link.is_central) != state:
            await self._store.write(note_standing, *state)
            session.link = replace(link, full_at=full_at, has_twin=greeting.has_twin, is_central=greeting.is_central)
            if greeting.has_twin and not link.has_twin:
                logger.warning(
                    "another PBX also takes part as %s: give one of the two another `site` in [hub]", link.site
                )
            if full_at and not link.full_at:
                logger.warning("the hub stores at most %d rows of this site: further rows wait here", full_at)
        if greeting.is_central:  # for its console
            await self._store.write(note_sites, await client.sites(self._hub))

    async def _push_some(self, session: HubSession) -> bool:
        if not await self._store.read(outgoing.has_outgoing):
            return False
        if time.monotonic() >= session.erase_at:
            await self._send_erasures(session)
        # Notices come first: nothing may be sent about a number that is to be erased.
        for notice in await client.notices_after(self._hub, session.link.notices_to):
            await self._follow_notice(session, notice)
        for _ in range(BATCHES):
            after = session.waits_to
            if after and time.monotonic() >= session.try_at:
                after, session.try_at = 0, time.monotonic() + FULL_SECONDS
            session.clock_us = max(session.clock_us, int(time.time() * MICROSECONDS) - session.offset_us)
            batch = await self._store.read(
                outgoing.next_batch, session.link, session.clock_us, session.offset_us, BATCH, after
            )
            if batch:
                session.clock_us += len(batch)
                await self._push(session, batch, after)
            elif (
                session.waits_to
                or not await self._store.read(outgoing.is_filling)
                or not await self._store.write(outgoing.fill_next, FILL)
            ):
                return False
        return True

    async def _send_erasures(self, session: HubSession) -> None:
        for number in await self._store.read(outgoing.numbers_to_erase):
            try:
                await client.erase(self._hub, number)
            except HubError as error:
                if error.code != EXCEEDED:
                    raise
                logger.warning("erasures are not sent to the hub until later: %s", error)
                session.erase_at = time.monotonic() + CLEAN_SECONDS
                return
            await self._store.write(outgoing.record_erasures_sent, [number])

    async def _push(self, session: HubSession, batch: list[outgoing.Outgoing], after: int) -> None:
        dates, left_out = await client.push(self._hub, batch)
        if sent := [row.is_private for row in batch if row.row is not None]:
            now = time.monotonic()
            first, _ = session.pushed_at.get(all(sent), (now, now))
            session.pushed_at[all(sent)], session.has_pushed = (first, now), True
        taken = [row for row in batch if row.seq not in left_out]
        await self._store.write(acknowledge_batch, session.link, taken, dates, self._follow)
        if left_out:
            if not session.waits_to:
                session.try_at = time.monotonic() + FULL_SECONDS
            session.waits_to = max(session.waits_to, batch[-1].seq)
        elif not after:
            session.waits_to = 0

    async def _wake_others(self, session: HubSession) -> None:
        for is_private, (first, last) in [*session.pushed_at.items()]:
            if (now := time.monotonic()) >= first + COLLECT_SECONDS:
                await client.wake(self._hub, now - last, private=is_private)
                del session.pushed_at[is_private]

    async def _pull_all(self, session: HubSession) -> None:
        while await self._pull_some(session):
            pass

    async def _pull_some(self, session: HubSession) -> bool:
        received, start = 0, session.link
        for _ in range(PULLS):
            link = session.link
            pulled = await client.pull(
                self._hub, link.rows_to, link.notices_to, PULL, own=session.own, private=session.private
            )
            received += len(pulled.rows) + len(pulled.notices)
            for notice in pulled.notices:
                await self._follow_notice(session, notice)
            await self._apply(session, pulled.rows, pulled.places)
            if pulled.all_to is not None:
                await self._store.write(note_all_pulled, pulled.all_to, session.hub_version if session.own else 0)
                place = pulled.all_to
                session.link = replace(session.link, rows_to=place, notices_to=place, pulled_at=time.time())
                session.own, session.has_pulled = self._settings.standby, True
                session.private = self._settings.standby or bool(session.link.is_central)
                # Our own rows wake us as well, while other sites may have pushed too.
                session.pace.note_pull(time.monotonic(), has_news=received > 0 or session.has_pushed)
                session.has_pushed = False
                if self._policies_due:
                    self._policies_due = False
                    await take_policies(self._store, self._loaded)
                return False
        return session.link != start

    async def _apply(self, session: HubSession, rows: list[SharedRow], places: list[client.Place]) -> None:
        """Apply pulled rows, except unrequested own rows and rows from the future: no honest hub sends these."""
        self._policies_due |= any(row.kind == POLICY for row in rows)
        latest_us = int((max(time.time(), time.time() - session.offset_us / MICROSECONDS) + DAY) * MICROSECONDS)
        usable = [
            (row, place)
            for row, place in zip(rows, places, strict=True)
            if (session.own or row.origin != session.link.site) and row.at_us <= latest_us
        ]
        if skipped := len(rows) - len(usable):
            taken = {place for _, place in usable}
            odd = [row for row, place in zip(rows, places, strict=True) if place not in taken]
            await self._store.write(note_refused, Counter((row.origin, Unfit.ODD) for row in odd))
        refused = skipped
        while usable:
            began = time.monotonic()
            done, unusable = await self._store.write(apply_some, session.link, usable, self._follow)
            refused += unusable
            session.link = replace(session.link, rows_to=usable[done - 1][1])
            usable = usable[done:]
            if usable:
                await asyncio.sleep((time.monotonic() - began) / 2)  # let others write
        if skipped:
            await self._store.write(note_rows_to, places[-1])
            session.link = replace(session.link, rows_to=places[-1])
        if refused:
            level = logging.DEBUG if session.has_refused else logging.WARNING
            logger.log(
                level, "%d rows of other sites are unusable: `callsieve hub status` says what to update", refused
            )
            session.has_refused = True

    async def _follow_notice(self, session: HubSession, notice: HubNotice) -> None:
        if notice.order == "erase" and notice.at > self._handled_to:
            await self._follow_erasure(session, notice)
        elif notice.order == "expel" and notice.subject != session.link.site:
            by = notice.asked_by or "the hub's administrator"
            logger.warning("site %s was expelled by %s: its rows are deleted", notice.subject, by)
            await expel(self._store, session.link, notice.subject, self._follow)
            self._policies_due = True
        await self._store.write(note_notices_to, notice.place)
        session.link = replace(session.link, notices_to=notice.place)

    async def _follow_erasure(self, session: HubSession, notice: HubNotice) -> None:
        site, is_followed = notice.asked_by, notice.asked_by in self._follow
        erasure = Erasure(notice.subject, site, is_followed or notice.by_central or site == session.link.site)
        if await self._store.write(erase_here, erasure, self._loaded):
            session.erased.add(notice.subject)
        if is_followed and not notice.by_central:  # the hub leaves our own rows to us
            await client.forget(self._hub, notice.subject)

    async def _clean(self, session: HubSession) -> None:
        try:
            while await client.expire(self._hub, EXPIRE_ROWS) == EXPIRE_ROWS:
                pass
        except HubError as error:
            if error.code != LOCKED:
                raise
            logger.warning("removing expired rows from the hub failed: %s", error)
        while notes := await self._store.read(notes_past_their_time, time.time(), NOTES):
            await self._store.write(forget_notes, notes)

    async def _wait(self, session: HubSession) -> None:
        """Wait until a pull or a check of the store is due. After too many wake-ups, ignore them for some seconds."""
        until, wakeups = time.monotonic() + CHECK_SECONDS, 0
        until = min([until, *[first + COLLECT_SECONDS for first, _ in session.pushed_at.values()]])
        while (left := min(until, session.pace.pull_at()) - time.monotonic()) > 0:
            payloads = await self._hub.notices(left)
            wakeups += len(payloads)
            session.pace.is_woken |= any(self._is_news(session, payload) for payload in payloads)
            if wakeups > MOST_WAKE_UPS and not session.is_deaf:
                logger.warning(
                    "too many wake-ups from the hub: polling every %d s instead", self._settings.poll_seconds
                )
                await client.stop_listening(self._hub)
                session.is_deaf = True
        if await asyncio.to_thread(files_of, self._loaded.store_path) != self._files:
            raise StoreReplaced

    def _is_news(self, session: HubSession, payload: str) -> bool:
        """Return whether a wake-up announces rows for this site. `payload`: `site` or `site/private`."""
        site, _, what = payload.partition("/")
        is_of_us = site == session.link.site and not self._settings.standby
        return not is_of_us and (what != "private" or session.private)
