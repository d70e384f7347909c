"""Asks the running daemon about a call over its Unix socket, in Asterisk's place. Never raises and never waits long.

Who called lately, the journal, the limits and the deadline are the daemon's: a decision made here would know none of
them. What cannot be had within the bound is fail-open.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from agi.protocol import Request, block_of
from agi.quoting import COMMAND_LIMIT
from callsieve.decide.call_facts import (
    CallAnswer,
    CallFacts,
    NoDecision,
    OutboundAnswer,
    OutgoingFacts,
    answer_of,
    fail_open,
    outbound_answer_of,
    outbound_fail_open,
    outbound_request_of,
    request_of,
)
from callsieve.settings import Loaded
from reputation.site_names import new_id

T = TypeVar("T")

logger = logging.getLogger("callsieve.decide")

# The most that a switch waits for us, and what is kept of the daemon's deadline for the way there and back.
LONGEST_SECONDS = 0.55
MARGIN_SECONDS = 0.1
LOG_INTERVAL_SECONDS = 10.0
QUEUE_FULL_SECONDS = 0.005


class DaemonClient:
    """The daemon at a socket.

    `seconds`: how long each question waits; `in_flight`: as many wait at a time, which is the daemon's own limit.
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
        """The daemon of these settings."""
        agi = loaded.settings.agi
        seconds = min(agi.deadline_ms / 1000 + MARGIN_SECONDS, LONGEST_SECONDS)
        return cls(loaded.socket_path, seconds, agi.in_flight, agi.key)

    async def decide(self, facts: CallFacts, *, record: bool = True) -> CallAnswer:
        """Return what to do with the call. `record`: whether the daemon is to record the decision."""
        return await self._answered(lambda: request_of(facts, new_id(), self._key, record=record), answer_of, fail_open)

    async def decide_outbound(self, facts: OutgoingFacts) -> OutboundAnswer:
        """Return whether one of our calls may go out now."""
        return await self._answered(
            lambda: outbound_request_of(facts, new_id(), self._key), outbound_answer_of, outbound_fail_open
        )

    async def _answered(
        self, request: Callable[[], Request], answer: Callable[[bytes], T], failed: Callable[[str], T]
    ) -> T:
        if self._waiting >= self._limit:
            return failed(self._told(NoDecision.OVER_LIMIT))
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                return answer(await self._ask(request()))
        except TimeoutError:
            return failed(self._told(NoDecision.TIMED_OUT))
        except OSError:
            return failed(self._told(NoDecision.NOT_THERE))
        except Exception:  # the outermost point: the call goes on
            logger.exception("a question to the daemon failed: the call goes on")
            return failed(NoDecision.FAILED)
        finally:
            self._waiting -= 1

    async def _ask(self, request: Request) -> bytes:
        """All that the daemon says to this, which is one answer and the end of the connection."""
        connection = await _connected(self._path)
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=COMMAND_LIMIT)
        try:
            writer.write(block_of(request))
            raw = b""
            while len(raw) <= COMMAND_LIMIT and (chunk := await reader.read(COMMAND_LIMIT)):
                raw += chunk
            return raw if len(raw) <= COMMAND_LIMIT else b""
        finally:
            writer.transport.abort()  # nothing is left to be said, and `close` would wait for a daemon that is frozen

    def _told(self, reason: NoDecision) -> NoDecision:
        """Say in the log once in a while why a call goes on."""
        now = asyncio.get_running_loop().time()
        if now >= self._logged_at.get(reason, float("-inf")) + LOG_INTERVAL_SECONDS:
            self._logged_at[reason] = now
            logger.warning("%s: a call goes on unscreened", reason.value)
        return reason


async def _connected(path: Path) -> socket.socket:
    """A socket that is connected. OSError.

    The daemon's queue holds 64. Where it is full, connecting to a Unix socket does not wait but fails, which asyncio
    does not know of: when many calls come together it is tried again.
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
