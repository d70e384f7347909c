"""Keeps a connection to Asterisk open, and marks periods in which events were missed. Only this file reads a clock.

    state       on success      next state    on failure                    next state
    CONNECTING  connected       LOGGING_IN    refused, no such host, ...    WAITING 0.25-10 s, doubling
    LOGGING_IN  login accepted  LISTENING     silent, not Asterisk          the same
                                              login refused                 WAITING 60 s
    LISTENING   -               -             lost, or no reply to a ping   Gap, WAITING as above
    WAITING     time is up      CONNECTING    -                             -
    (any)       close()         CLOSED

Until a login was accepted, a login without a response is treated as refused, because the secret may be wrong.
"""

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

# Errors that an administrator must correct: each gets a warning, even in the middle of an outage.
_NEEDS_SOMEBODY = frozenset(
    {TroubleKind.NO_HOST, TroubleKind.NOT_AMI, TroubleKind.LOGIN_REFUSED, TroubleKind.BAD_LOGIN}
)

# An immediate retry does not help, and with a wrong secret it looks like an attack.
_REFUSALS = frozenset({TroubleKind.LOGIN_REFUSED, TroubleKind.BAD_LOGIN})

# Asterisk may ban an address that repeats a wrong secret, and its log would fill.
REFUSED_LOGIN_SECONDS = 60.0

# After a connection that lasted this long, the next failure is the first in a row.
STABLE_SECONDS = 10.0


def reconnect_seconds(failures: int, chance: float, *, login_refused: bool = False) -> float:
    """Return how many seconds to wait before the next attempt. `failures`: failed attempts in a row, 1 or more.

    `chance`: a random number in 0..1 that varies the wait between half and its full length. Waits are short, because
    calls are missed meanwhile. After a refused login the wait is at least a minute.
    """
    if login_refused:
        return REFUSED_LOGIN_SECONDS * (1 + chance / 10)
    return wait_seconds(failures) * (1 + chance) / 2


class AmiListenerState(StrEnum):
    """The state of the listener. The table at the top of the module shows how states change."""

    CONNECTING = "connecting"
    LOGGING_IN = "logging in"
    LISTENING = "listening"
    WAITING = "waiting"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Pace:
    """Time limits of the connection. If Asterisk is dead, this is noticed within `ping_seconds + answer_seconds`.

    The wait for a reply is divided into `slices`. If this process was suspended, only one slice has passed, so Asterisk
    is not taken for dead. While other bytes arrive, a reply may take `patience` times as long, because it waits behind
    these bytes.
    """

    connect_seconds: float = 5.0
    login_seconds: float = 5.0  # Asterisk takes 1 s to refuse one
    ping_seconds: float = 4.0
    answer_seconds: float = 4.0
    slices: int = 8
    patience: int = 8


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """The listener's state for `callsieve doctor` and metrics. `behind_seconds`: the oldest waiting packet's age."""

    state: AmiListenerState
    connected_since: float | None
    last_event_at: float | None
    events: int
    dropped: int
    gaps: int
    connects: int
    waiting: int
    behind_seconds: float
    trouble: Trouble | None  # the current error
    last_trouble: Trouble | None


class AmiListener:
    """Listens to AMI: `start` it, read `notices`, `close` it. If the consumer is too slow, lost events become a Gap.

    `clock` returns UTC seconds, `chance` returns 0..1, and `sleep` waits between attempts to connect.
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
        """Return the current state of the listener."""
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
        """Start to connect in the background. This never raises, even for a wrong account."""
        self._task = asyncio.create_task(self._run(), name="ami-listener")

    async def close(self) -> None:
        """Log off within a second. `notices` ends after the consumer has read the waiting events."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._state = AmiListenerState.CLOSED
        self._inbox.close()

    def notices(self) -> AsyncIterator[Notice]:
        """Yield packets and gaps of all connections in order, for one consumer."""
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
            logger.debug("connecting again: seconds=%.1f", seconds)
            await self._sleep(seconds)

    async def _one_connection(self) -> AmiError:
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
            logger.exception("internal error in the connection to Asterisk's manager interface, connecting again")
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
        after = f" outage_seconds={now - trouble.at:.1f}" if trouble is not None else ""
        logger.info("listening to Asterisk's events: address=%s%s", self._account.where, after)

    async def _watch(self, connection: Connection) -> None:
        while True:
            await asyncio.wait({connection.lost}, timeout=self._pace.ping_seconds)
            if connection.lost.done():
                raise connection.lost.result()
            await self._ping(connection)

    async def _ping(self, connection: Connection) -> None:
        pace = self._pace
        pong = connection.ask("Ping")
        silent_slices, received_bytes = 0, connection.received_bytes
        for _ in range(pace.slices * pace.patience):
            await connection.either(pong, pace.answer_seconds / pace.slices)
            if pong.done():
                return
            if connection.lost.done():
                raise connection.lost.result()
            silent_slices = silent_slices + 1 if connection.received_bytes == received_bytes else 0
            received_bytes = connection.received_bytes
            if silent_slices == pace.slices:
                break
        raise AmiError(TroubleKind.DEAF)

    def _note(self, kind: TroubleKind, detail: str) -> None:
        """Store an error. Log a warning when an outage starts, and for each new error that needs an administrator."""
        before = self._trouble
        since = self._clock() if before is None else before.at
        self._trouble = self._last_trouble = Trouble(since, kind, self._account.where, detail)
        if before is None or (before.kind is not kind and kind in _NEEDS_SOMEBODY):
            logger.warning("%s", self._trouble)
        elif before.kind is not kind:
            logger.info("%s", self._trouble)
