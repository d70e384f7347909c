"""Keeps one connection to Asterisk and says honestly what was not seen. The clock of this package is here.

    state       what ends it well   what then     what ends it badly            what then
    CONNECTING  connected           LOGGING_IN    refused, no such host, ...    WAITING 0.25-10 s, doubling
    LOGGING_IN  login accepted      LISTENING     silent, not Asterisk          the same
                                                  login refused                 WAITING 60 s
    LISTENING   -                   -             lost, or no answer to a ping  Gap, WAITING as above
    WAITING     time is up          CONNECTING    -                             -
    (any)       close()             CLOSED

A login without an answer counts as refused until one was accepted: with a wrong secret it would have been one more
wrong login.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from ami_listener.connection import Account, Connection, connect
from ami_listener.errors import AmiError, Trouble, TroubleKind
from ami_listener.framing import EventQueue, Gap, Notice
from reputation.backoff import wait_seconds

logger = logging.getLogger("ami_listener.supervisor")

# Troubles that do not end by themselves: somebody must be told, even in the middle of an outage.
_NEEDS_SOMEBODY = frozenset(
    {TroubleKind.NO_HOST, TroubleKind.NOT_AMI, TroubleKind.LOGIN_REFUSED, TroubleKind.BAD_LOGIN}
)

# Asking again at once is no use, and an offence if it is the secret.
_REFUSALS = frozenset({TroubleKind.LOGIN_REFUSED, TroubleKind.BAD_LOGIN})

# Asterisk may ban an address that tries a wrong secret again and again, and its log would fill.
REFUSED_LOGIN_SECONDS = 60.0

# A connection that lasted this long was a good one: the next failure is the first in a row.
STABLE_SECONDS = 10.0


def reconnect_seconds(failures: int, chance: float, *, login_refused: bool = False) -> float:
    """The wait after the `failures`-th failure in a row, from 1; `chance` in 0..1 spreads it over its second half.

    Never long: every second without Asterisk is calls not seen. After a refused login never less than a minute.
    """
    if login_refused:
        return REFUSED_LOGIN_SECONDS * (1 + chance / 10)
    return wait_seconds(failures) * (1 + chance) / 2


class AmiListenerState(StrEnum):
    """Where the listener is; see the table above."""

    CONNECTING = "connecting"
    LOGGING_IN = "logging in"
    LISTENING = "listening"
    WAITING = "waiting"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may take. A dead peer is noticed within `ping_seconds + answer_seconds`.

    Silence counts in `slices`, so that a process that was held up itself does not take that for a dead peer. While
    other bytes come the answer to a ping may take `patience` times as long: it queues behind them.
    """

    connect_seconds: float = 5.0
    login_seconds: float = 5.0  # Asterisk takes 1 s to refuse one
    ping_seconds: float = 4.0
    answer_seconds: float = 4.0
    slices: int = 8
    patience: int = 8


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """What doctor and metrics show. `behind_seconds` is the age of the oldest event that waits to be looked at."""

    state: AmiListenerState
    connected_since: float | None
    last_event_at: float | None
    events: int
    dropped: int
    gaps: int
    connects: int
    waiting: int
    behind_seconds: float
    trouble: Trouble | None  # what is wrong now
    last_trouble: Trouble | None


class AmiListener:
    """`start`, take `notices`, `close`. Asterisk is always read; what the consumer cannot take in time is a Gap.

    `clock` gives UTC seconds, `chance` 0..1; `sleep` is how it waits between connections.
    """

    def __init__(
        self,
        account: Account,
        *,
        pace: Pace | None = None,
        inbox: EventQueue | None = None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._pace = pace or Pace()
        self._inbox = inbox or EventQueue()
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._state = AmiListenerState.CLOSED
        self._task: asyncio.Task[None] | None = None
        self._connects = 0
        self._connected_since: float | None = None
        self._trouble: Trouble | None = None
        self._last_trouble: Trouble | None = None
        self._login_works = False
        self._login_in_doubt = False

    @property
    def status(self) -> ListenerStatus:
        now, inbox = self._clock(), self._inbox
        oldest_at = inbox.oldest_at
        return ListenerStatus(
            state=self._state,
            connected_since=self._connected_since,
            last_event_at=inbox.received_at,
            events=inbox.received,
            dropped=inbox.dropped,
            gaps=inbox.gaps,
            connects=self._connects,
            waiting=inbox.waiting,
            behind_seconds=0.0 if oldest_at is None else max(0.0, now - oldest_at),
            trouble=self._trouble,
            last_trouble=self._last_trouble,
        )

    def start(self) -> None:
        """Begin to connect; never fails, whatever the account says."""
        self._task = asyncio.create_task(self._run(), name="ami-listener")

    async def close(self) -> None:
        """Log off and connect no more, within a second. `notices` ends when what waits has been taken."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._state = AmiListenerState.CLOSED
        self._inbox.close()

    def notices(self) -> AsyncIterator[Notice]:
        """Packets and gaps in the order in which they came, over all connections. For one consumer."""
        return self._inbox.notices()

    async def _run(self) -> None:
        failures = 0
        while True:
            error = await self._one_connection()
            now = self._clock()
            since, self._connected_since = self._connected_since, None
            if since is not None and now - since >= STABLE_SECONDS:
                failures = 0
            failures += 1
            in_doubt = self._login_in_doubt and error.kind is not TroubleKind.STOPPING
            refused = error.kind in _REFUSALS or in_doubt
            seconds = reconnect_seconds(failures, self._chance(), login_refused=refused)
            self._note(error.kind, error.detail)
            self._state = AmiListenerState.WAITING
            logger.debug("connecting again in %.1f s", seconds)
            await self._sleep(seconds)

    async def _one_connection(self) -> AmiError:
        """Connect, log in and listen until that ends, and say why it did."""
        connection = None
        try:
            self._login_in_doubt = False
            connection = await self._connect()
            await self._log_in(connection)
            self._listening()
            await self._watch(connection)
        except AmiError as error:
            reason = error
        except asyncio.CancelledError:
            if connection is not None and self._state is AmiListenerState.LISTENING:
                await connection.log_off()
            raise
        except Exception:  # the outermost point: whatever happened, connect again
            logger.exception("the connection to Asterisk's manager interface failed")
            reason = AmiError(TroubleKind.FAILED)
        finally:
            if connection is not None:
                connection.abort()
        if connection is not None and self._state is AmiListenerState.LISTENING:
            self._inbox.put_gap(Gap(self._clock(), connection.heard_at, reason.kind.words))
        return reason

    async def _connect(self) -> Connection:
        self._state = AmiListenerState.CONNECTING
        try:
            async with asyncio.timeout(self._pace.connect_seconds):
                return await connect(self._account, self._inbox, self._clock)
        except TimeoutError:
            raise AmiError(TroubleKind.TIMED_OUT) from None

    async def _log_in(self, connection: Connection) -> None:
        self._state = AmiListenerState.LOGGING_IN
        await connection.greeting(self._pace.login_seconds)
        self._login_in_doubt = not self._login_works
        self._login_works = False
        await connection.log_in(self._account, self._pace.login_seconds)
        self._login_works = True
        self._login_in_doubt = False

    def _listening(self) -> None:
        now = self._clock()
        self._state = AmiListenerState.LISTENING
        self._connects += 1
        self._connected_since = now
        trouble, self._trouble = self._trouble, None
        after = f" again after {now - trouble.at:.1f} s" if trouble is not None else ""
        logger.info("listening to Asterisk at %s%s", self._account.where, after)

    async def _watch(self, connection: Connection) -> None:
        """Ping for ever. AmiError when the connection is lost or the other side gives no answer."""
        while True:
            await asyncio.wait({connection.lost}, timeout=self._pace.ping_seconds)
            if connection.lost.done():
                raise connection.lost.result()
            await self._ping(connection)

    async def _ping(self, connection: Connection) -> None:
        pace = self._pace
        pong = connection.ask("Ping")
        silent_slices, heard = 0, connection.received_bytes
        for _ in range(pace.slices * pace.patience):
            await connection.either(pong, pace.answer_seconds / pace.slices)
            if pong.done():
                return
            if connection.lost.done():
                raise connection.lost.result()
            silent_slices = silent_slices + 1 if connection.received_bytes == heard else 0
            heard = connection.received_bytes
            if silent_slices == pace.slices:
                break
        raise AmiError(TroubleKind.DEAF)

    def _note(self, kind: TroubleKind, detail: str) -> None:
        """Remember what went wrong. One WARNING for an outage, and one for each thing that somebody must mend."""
        before = self._trouble
        since = self._clock() if before is None else before.at
        self._trouble = self._last_trouble = Trouble(since, kind, self._account.where, detail)
        if before is None or (before.kind is not kind and kind in _NEEDS_SOMEBODY):
            logger.warning("%s", self._trouble)
        elif before.kind is not kind:
            logger.info("%s", self._trouble)
