"""Operations for other switches: record how calls ended, and query the daemon about calls."""

import asyncio
import logging
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self, TypeVar

import msgspec

from agi.protocol import Request, block_of
from agi.quoting import COMMAND_LIMIT
from ami_listener.outcome import Outcome, Presentation, is_emergency_call, record_of
from callsieve.changes.operation import Context, Refused
from callsieve.decide.call_facts import (
    CallAnswer,
    CallFacts,
    NoDecision,
    OutboundAnswer,
    OutgoingFacts,
    answer_of,
    fail_open,
    id_of,
    outbound_answer_of,
    outbound_fail_open,
    outbound_request_of,
    request_of,
    trunk_text_of,
)
from callsieve.settings import Loaded
from callsieve.wiring import calling_hours_of, site_of
from reputation.encoding import Instant
from reputation.model import Direction, Disposition, EndedBy, SignalCategory
from reputation.site_names import new_id
from reputation.store.outcomes import record_outcome
from reputation.store.site import record_emergency

LATEST_SECONDS = 60.0  # the switch's clock may be ahead
OLDEST_SECONDS = 86_400.0
BAD_TIME = "must be within the last 24 hours: report a call within a day after its end"

Text = Annotated[str, msgspec.Meta(max_length=256)]
Phone = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.@/+-]{1,81}$(?!\n)", description="201, or PJSIP/201.")]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class CallEnding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The outcome of a call.

    Attributes:
        call_id: The id of the call, as in the request for its decision.
        disposition: How the call ended.
        direction: Inbound or outbound.
        caller: For an inbound call the number as received; for an outbound call the caller's phone.
        withheld: Whether the caller withheld the number.
        did: The number that an inbound caller dialled.
        dialled: The number that an outbound call was made to.
        own_number: The number that an outbound call showed.
        trunk: The trunk, as in the request for the decision.
        answered_by: The phone that answered; null if no person answered.
        rang: The phones that rang.
        ring_seconds: How long the call rang.
        talk_seconds: How long the two sides talked.
        ended_by: The side that hung up.
        ended_at: When the call ended; now if not given.
        sip_code: The SIP status code.
        voicemail_left: Whether the caller left a message.
        answered_by_pbx: Whether only a menu, a queue or voicemail answered.
        transferred: Whether the call was transferred.
        blocked: Whether a network, not a person, blocked an outbound call (`603 Network Blocked`, 608).
        machine: Whether a machine answered an outbound call.
    """

    call_id: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    disposition: Disposition
    direction: Literal["inbound", "outbound"] = "inbound"
    caller: Text = ""
    withheld: bool = False
    did: Text = ""
    dialled: Text = ""
    own_number: Text = ""
    trunk: Text = ""
    answered_by: Phone | None = None
    rang: Annotated[tuple[Phone, ...], msgspec.Meta(max_length=100)] = ()
    ring_seconds: Seconds = 0.0
    talk_seconds: Seconds = 0.0
    ended_by: Literal["caller", "callee"] | None = None
    ended_at: Instant | None = None
    sip_code: Annotated[int, msgspec.Meta(ge=100, le=699)] | None = None
    voicemail_left: bool = False
    answered_by_pbx: bool = False
    transferred: bool = False
    blocked: bool = False
    machine: bool = False


class EndingRecorded(NamedTuple):
    """The result of recording a call's outcome.

    Attributes:
        recorded: Whether the outcome is new. Each call is recorded once.
        signal: The signal derived from the outcome; null if there is no signal yet.
    """

    recorded: bool
    signal: SignalCategory | None


def record_ending(db: sqlite3.Connection, context: Context, ending: CallEnding) -> EndingRecorded:
    """Record how a call through another switch ended, and its signals. An emergency call opens the emergency window."""
    site = site_of(context.settings)
    outcome = _outcome_of(ending, site.trunk_of(trunk_text_of(ending.trunk)).name or None, context.at)
    record = record_of(outcome, site.region_of)
    assert record is not None  # its direction is known
    if is_emergency_call(outcome, site.region):
        record_emergency(db, outcome.ended_at, who=context.actor)
    done = record_outcome(db, record, context.at, calling_hours_of(context.settings))
    return EndingRecorded(done.new, None if done.signal is None else done.signal.category)


def _outcome_of(ending: CallEnding, trunk: str | None, now: float) -> Outcome:
    ended_at = now if ending.ended_at is None else ending.ended_at
    if not now - OLDEST_SECONDS <= ended_at <= now + LATEST_SECONDS:
        raise Refused("bad-time", BAD_TIME, "ended_at")
    is_inbound = ending.direction == "inbound"
    return Outcome(
        linkedid=id_of(ending.call_id),
        at=ended_at - ending.ring_seconds - ending.talk_seconds,
        ended_at=ended_at,
        direction=Direction(ending.direction),
        disposition=ending.disposition,
        # Only calls that rang a phone are evidence. And another switch's voicemail asks for no digit: without this, the
        # store would take a caller who hangs up there for one who gave up a challenge.
        complete=bool(ending.rang or ending.answered_by or ending.voicemail_left) or not is_inbound,
        caller=ending.caller,
        placed_by=None if is_inbound else ending.caller,
        presentation=Presentation.WITHHELD if ending.withheld else Presentation.UNKNOWN,
        trunk=trunk,
        did=ending.did,
        own_number=ending.own_number,
        dialled=ending.dialled,
        answered_by=ending.answered_by,
        rang=ending.rang,
        forked_to=len(ending.rang),
        ring_seconds=ending.ring_seconds,
        talk_seconds=ending.talk_seconds,
        sip_code=ending.sip_code,
        ended_by=None if ending.ended_by is None else EndedBy(ending.ended_by),
        answered_by_pbx=ending.answered_by_pbx,
        voicemail_left=ending.voicemail_left,
        transferred=ending.transferred,
        blocked=ending.blocked,
        machine=ending.machine,
    )


T = TypeVar("T")

logger = logging.getLogger("callsieve.decide")

# Maximum timeout of a switch, and the time that the API adds to the daemon's deadline for transmission.
LONGEST_SECONDS = 0.55
MARGIN_SECONDS = 0.1
LOG_INTERVAL_SECONDS = 10.0
QUEUE_FULL_SECONDS = 0.005


class DaemonClient:
    """A client that queries the daemon through its Unix socket.

    `seconds`: timeout of a request. `in_flight`: how many requests may run at once.
    """

    def __init__(self, path: Path, seconds: float, in_flight: int, key: str = "") -> None:
        self._path = path
        self._seconds = seconds
        self._limit = in_flight
        self._waiting = 0
        self._key = key
        self._logged_at: dict[str, float] = {}

    @classmethod
    def of(cls, loaded: Loaded) -> Self:
        """Return a client for the daemon with these settings."""
        agi = loaded.settings.agi
        seconds = min(agi.deadline_ms / 1000 + MARGIN_SECONDS, LONGEST_SECONDS)
        return cls(loaded.socket_path, seconds, agi.in_flight, agi.key)

    async def decide(self, facts: CallFacts, *, record: bool = True) -> CallAnswer:
        """Return the decision about an incoming call. `record`: whether the daemon records the decision."""
        return await self._query(lambda: request_of(facts, new_id(), self._key, record=record), answer_of, fail_open)

    async def decide_outbound(self, facts: OutgoingFacts) -> OutboundAnswer:
        """Return whether an outgoing call may be made now."""
        return await self._query(
            lambda: outbound_request_of(facts, new_id(), self._key), outbound_answer_of, outbound_fail_open
        )

    async def _query(
        self, request: Callable[[], Request], answer: Callable[[bytes], T], failed: Callable[[str], T]
    ) -> T:
        if self._waiting >= self._limit:
            return failed(self._log_once(NoDecision.OVER_LIMIT))
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                return answer(await self._exchange(request()))
        except TimeoutError:
            return failed(self._log_once(NoDecision.TIMED_OUT))
        except OSError:
            return failed(self._log_once(NoDecision.NOT_RUNNING))
        except Exception:  # the outermost point: the call goes on
            logger.exception("request to the daemon failed: the call goes on unscreened")
            return failed(NoDecision.FAILED)
        finally:
            self._waiting -= 1

    async def _exchange(self, request: Request) -> bytes:
        connection = await _connect(self._path)
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=COMMAND_LIMIT)
        try:
            writer.write(block_of(request))
            raw = b""
            while len(raw) <= COMMAND_LIMIT and (chunk := await reader.read(COMMAND_LIMIT)):
                raw += chunk
            return raw if len(raw) <= COMMAND_LIMIT else b""
        finally:
            writer.transport.abort()  # `close` would wait for a daemon that is frozen

    def _log_once(self, reason: NoDecision) -> NoDecision:
        now = asyncio.get_running_loop().time()
        if now >= self._logged_at.get(reason, float("-inf")) + LOG_INTERVAL_SECONDS:
            self._logged_at[reason] = now
            logger.warning("a call goes on unscreened: %s", reason.value)
        return reason


async def _connect(path: Path) -> socket.socket:
    """Return a socket that is connected to the daemon.

    The daemon's queue holds 64 connections. If it is full, connecting to a Unix socket fails at once, which asyncio
    does not handle. So this function retries until the caller's timeout.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        while True:
            try:
                connection.connect(str(path))
            except BlockingIOError:
                await asyncio.sleep(QUEUE_FULL_SECONDS)
            else:
                return connection
    except BaseException:
        connection.close()
        raise
