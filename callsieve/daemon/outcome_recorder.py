"""Recording of call outcomes: reads Asterisk's events while the daemon serves, and writes outcomes to the store.

    AmiListener -> packets -> events -> CallTracker -> Outcome -> OutcomeRecord -> queue -> the store, in batches

No call waits for the recording, and the length of the queue is limited. A call that was not observed from start to end
is recorded as incomplete, and its outcome does not count as evidence.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from agi.site import Site
from ami_listener.calls import CallKind, kind_of
from ami_listener.connection import Account
from ami_listener.events import KeyPressed
from ami_listener.framing import Gap, Notice
from ami_listener.outcome import Outcome, is_emergency_call, record_of
from ami_listener.parsing import at_of, parse_event, parse_key
from ami_listener.supervisor import AmiListener
from ami_listener.tracker import CallTracker
from callsieve.daemon.store_supervisor import StoreSupervisor
from callsieve.settings import Ami
from reputation.backoff import wait_seconds
from reputation.channels import endpoint_of, undescribed_trunk
from reputation.feature_codes import mark_call
from reputation.outcome import OutcomeRecord
from reputation.own.hours import CallingHours
from reputation.site_names import own_name
from reputation.store.errors import StoreError
from reputation.store.outcomes import record_outcome, record_outcomes, settle_outcomes
from reputation.store.people import all_people

logger = logging.getLogger("callsieve.daemon.outcome_recorder")

BATCH = 200
QUEUE_LIMIT = 50_000
FLUSH_SECONDS = 0.2
TICK_SECONDS = 1.0
SETTLE_SECONDS = 30.0
SOON_SECONDS = 1.0  # the journal writes within 0.2 s
FIRST_RETRY_SECONDS = 1.0


class OutcomeRecorder:
    """Runs the AMI listener, the call tracker and the writer of outcomes. `start` starts them, `close` stops them."""

    def __init__(self, settings: Ami, site: Callable[[], Site], store: StoreSupervisor) -> None:
        self._site = site
        self._store = store
        self.listener = AmiListener(Account(settings.host, settings.port, settings.username, settings.secret))
        self.tracker = CallTracker(self._trunk_of)
        self._phones: frozenset[str] = frozenset()
        self.recorded = 0
        self.dropped = 0
        self._queue: deque[OutcomeRecord] = deque()
        self._emergencies: deque[float] = deque()
        self._settle_at = math.inf
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start to connect to Asterisk in the background. Raises no error."""
        self.listener.start()
        parts = {
            "follow": self._follow(),
            "tick": _repeated(self._tick, TICK_SECONDS),
            "emergencies": _repeated(self._open_windows, FLUSH_SECONDS),
            "write": _repeated(self._flush, FLUSH_SECONDS),
            "settle": _repeated(self._settle, SETTLE_SECONDS),
        }
        self._tasks = [asyncio.create_task(part, name=f"learning_{name}") for name, part in parts.items()]

    async def close(self) -> None:
        """Log off from Asterisk, record calls in progress as incomplete, and write the queued outcomes."""
        await self.listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._take(self.tracker.gap(time.time()))
        with contextlib.suppress(StoreError):
            await self._open_windows()
            await self._flush()

    @property
    def trouble(self) -> str:
        """Return the problems of the recording in one line; empty without problems."""
        trouble = self.listener.status.trouble
        ended = [
            f"recording how calls end stopped ({task.get_name()}): the log says why; restart the daemon"
            for task in self._tasks
            if task.done()
        ]
        return "; ".join([*([str(trouble)] if trouble is not None else []), *ended])

    @property
    def waiting(self) -> int:
        """Return how many outcomes wait to be written to the store."""
        return len(self._queue)

    def _trunk_of(self, channel: str) -> str | None:
        """Return a channel's trunk, if any. Without `[[trunk]]` settings, all channels but phones are trunks."""
        site = self._site()
        if site.trunks or kind_of(channel, None) is CallKind.NOBODY:
            return site.described_trunk(channel)
        return undescribed_trunk(channel, self._phones)

    async def _follow(self) -> None:
        async for notice in self.listener.notices():
            try:
                if (key := self._process(notice)) is not None:
                    await self._mark(key, notice.at)
            except Exception:  # a bug in one event must not end the listening
                logger.exception("an AMI event could not be processed")

    def _process(self, notice: Notice) -> KeyPressed | None:
        """Process an AMI event. Return the pressed key, or None if the event reports no key."""
        if isinstance(notice, Gap):
            logger.warning("gap in Asterisk's events, current calls are incomplete: %s", notice.why)
            self._take(self.tracker.gap(notice.at))
            return None
        event = parse_event(notice.packet)
        if event is None:
            return parse_key(notice.packet)
        if ended := self.tracker.receive(event, at_of(notice.packet, notice.at)):
            self._take(ended)
        return None

    async def _mark(self, key: KeyPressed, at: float) -> None:
        endpoint, linkedid = endpoint_of(key.channel.name), own_name(key.channel.linkedid)
        if self._trunk_of(key.channel.name) is not None:
            logger.warning("ignored a feature code from a trunk: in features.conf allow the code for phones only")
            return
        try:
            result = await self._store.write(mark_call, endpoint, linkedid, at)
        except StoreError as error:
            logger.warning("a mark made during a call was lost: %s", error)
        else:
            logger.info("mark during a call: %s", result.status.value if result else "unknown call")

    async def _tick(self) -> None:
        self._take(self.tracker.tick(time.time()))

    def _take(self, outcomes: Iterable[Outcome]) -> None:
        site = self._site()
        for outcome in outcomes:
            record = record_of(outcome, site.region_of)
            if record is None:
                continue
            if len(self._queue) >= QUEUE_LIMIT:
                self._queue.popleft()
                self.dropped += 1
            self._queue.append(record)
            if is_emergency_call(outcome, site.region):
                logger.warning("emergency call made from this site: screening is suspended")
                self._emergencies.append(outcome.ended_at)

    async def _open_windows(self) -> None:
        while self._emergencies:
            await self._store.record_emergency(self._emergencies[0])
            self._emergencies.popleft()

    async def _flush(self) -> None:
        """Write all queued outcomes to the store. If the store fails, put the outcomes back into the queue."""
        if time.monotonic() >= self._settle_at:  # a stopped call ends before its decision is in the journal
            await self._store.write(settle_outcomes, time.time())
            self._settle_at = math.inf
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            hours = self._site().outbound.hours
            try:
                await self._store.write(record_outcomes, batch, time.time(), hours)
            except (StoreError, asyncio.CancelledError):
                self._queue.extendleft(reversed(batch))
                raise
            except Exception:
                logger.exception("writing %d outcomes together failed: writing each separately", len(batch))
                self._queue.extendleft(reversed(batch))
                await self._flush_singly(len(batch), hours)
            else:
                self.recorded += len(batch)
                self._settle_at = time.monotonic() + SOON_SECONDS

    async def _flush_singly(self, count: int, hours: CallingHours) -> None:
        for _ in range(count):
            outcome = self._queue.popleft()
            try:
                await self._store.write(record_outcome, outcome, time.time(), hours)
            except (StoreError, asyncio.CancelledError):
                self._queue.appendleft(outcome)
                raise
            except Exception:
                logger.exception("dropped an outcome that cannot be written")
                self.dropped += 1
            else:
                self.recorded += 1

    async def _settle(self) -> None:
        """Read which person has which phone. Derive signals from outcomes whose decisions are now in the journal."""
        people = await self._store.read(all_people)
        self._phones = frozenset(person.endpoint for person in people if person.endpoint)
        await self._store.write(settle_outcomes, time.time())


async def _repeated(part: Callable[[], Awaitable[None]], seconds: float) -> None:
    failures = 0
    while True:
        try:
            await part()
        except Exception as error:
            if isinstance(error, StoreError):
                logger.debug("writing outcomes failed, they stay queued: %s", error)
            else:
                logger.exception("recording outcomes failed, trying again")
            failures += 1
            await asyncio.sleep(max(seconds, wait_seconds(failures, FIRST_RETRY_SECONDS)))
        else:
            await asyncio.sleep(seconds)
            failures = 0
