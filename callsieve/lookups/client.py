"""The daemon's client of the look-up process. After five failures in a row, no query is sent for two seconds."""

import asyncio
import logging
import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import msgspec

from callsieve.telemetry import LookUpCounts
from reputation.backoff import Breaker

SOCKET_NAME: Final = "lookups.sock"
LINE_BYTES: Final = 512

E164 = Annotated[str, msgspec.Meta(pattern=r"^\+[1-9][0-9]{1,14}\Z")]
WaitMs = Annotated[int, msgspec.Meta(ge=0, le=1000)]


class LookupQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question about a number. `wait_ms`: how long the call waits for the answer."""

    number: E164
    wait_ms: WaitMs


class LookupReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reply. `more`: whether the store has new information about the number and must be read again."""

    more: bool


_ENCODER = msgspec.json.Encoder()
_QUESTIONS = msgspec.json.Decoder(LookupQuestion)
_REPLIES = msgspec.json.Decoder(LookupReply)


def line_of(message: LookupQuestion | LookupReply) -> bytes:
    """Encode a message as a line of JSON."""
    return _ENCODER.encode(message) + b"\n"


def question_in(line: bytes) -> LookupQuestion:
    """Parse the question in a line. Raise ValueError if it is invalid."""
    return _QUESTIONS.decode(line)


def reply_in(line: bytes) -> LookupReply:
    """Parse the reply in a line. Raise ValueError if it is invalid."""
    return _REPLIES.decode(line)


logger = logging.getLogger("callsieve.lookups.client")

MOST_AT_ONCE = 64
# Time limit of a look-up for which no call waits.
AGAIN_SECONDS = 1.0


@dataclass(slots=True)
class LookUpClient:
    """A client of the look-up process at socket `path`. `budget_seconds`: the longest wait of a call; 0: no query."""

    path: Path
    budget_seconds: float = 0.0
    monotonic: Callable[[], float] = time.monotonic
    counts: LookUpCounts = field(default_factory=LookUpCounts)
    breaker: Breaker = field(default_factory=Breaker)
    _waiting: int = 0
    _again: set[asyncio.Task[bool]] = field(default_factory=set)

    async def ask(self, number: str, give_up_at: float) -> bool:
        """Ask the sources until `give_up_at` (monotonic). Return whether the store has new facts. Never raises."""
        now = self.monotonic()
        return await self._ask(number, min(self.budget_seconds, give_up_at - now), now)

    def ask_again(self, number: str) -> None:
        """Refresh an old answer about a number in the background, so that no call waits for it."""
        if self.budget_seconds > 0:
            task = asyncio.create_task(self._ask(number, AGAIN_SECONDS, self.monotonic()), name="look-up behind a call")
            self._again.add(task)
            task.add_done_callback(self._again.discard)

    async def close(self) -> None:
        """Cancel the background look-ups."""
        for task in self._again:
            task.cancel()
        await asyncio.gather(*self._again, return_exceptions=True)

    async def _ask(self, number: str, seconds: float, now: float) -> bool:
        if seconds <= 0:
            return False
        if self._waiting >= MOST_AT_ONCE or not self.breaker.allows(now):
            self.counts.skipped += 1
            return False
        self._waiting += 1
        self.counts.asked += 1
        try:
            async with asyncio.timeout(seconds):
                more = await self._exchange(LookupQuestion(number, int(1000 * min(seconds, 1.0))))
        except TimeoutError:
            self.counts.late += 1
            self._failed("no answer in time")
            return False
        except (OSError, EOFError, ValueError) as error:  # gone, missing, or an invalid reply
            self.counts.failed += 1
            self._failed(type(error).__name__)
            return False
        finally:
            self._waiting -= 1
        self.breaker.succeeded()
        if more:
            self.counts.more += 1
        else:
            self.counts.nothing += 1
        return more

    async def _exchange(self, question: LookupQuestion) -> bool:
        reader, writer = await asyncio.open_unix_connection(str(self.path), limit=LINE_BYTES)
        try:
            if _user_of(writer) not in (0, os.geteuid()):
                raise PermissionError("the socket belongs to another user's process")
            writer.write(line_of(question))
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                raise ValueError("the answer is not a complete line") from None
            return reply_in(line).more
        finally:
            writer.transport.abort()

    def _failed(self, why: str) -> None:
        was_open = self.breaker.is_open
        self.breaker.failed(self.monotonic())
        if self.breaker.is_open and not was_open:
            logger.warning("look-up process does not answer (%s): calls are decided without it", why)


def _user_of(writer: asyncio.StreamWriter) -> int:
    credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, user, _ = struct.unpack("3i", credentials)
    return int(user)
