"""The look-up process: answers the daemon on a Unix socket that only our own user can open.

One line is read and one is written; then the connection ends. Whoever sends anything else gets nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from agi.sockets import make_unix_socket, unborn_path_of, unlink_own
from callsieve.lookups.client import LINE_BYTES, LookupReply, line_of, question_in

logger = logging.getLogger("callsieve.lookups.server")

SOCKET_MODE: Final = 0o600
BACKLOG: Final = 64
MOST_CONNECTIONS: Final = 256
READING_SECONDS: Final = 1.0

LookUp = Callable[[str, float], Awaitable[bool]]


@asynccontextmanager
async def serving(path: Path, look_up: LookUp) -> AsyncIterator[None]:
    """Serves until the block ends. OSError where another process does already."""
    door = _Door(look_up)
    sock = make_unix_socket(str(path), SOCKET_MODE)
    server = await asyncio.start_unix_server(door.answer, sock=sock, limit=LINE_BYTES, backlog=BACKLOG)
    os.rename(unborn_path_of(str(path)), path)
    inode = os.stat(path).st_ino
    try:
        yield
    finally:
        server.close()
        unlink_own(str(path), inode)
        await door.close()


class _Door:
    """Each connection is a task; so many at once."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._tasks: set[asyncio.Task[object]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if len(self._tasks) <= MOST_CONNECTIONS:
                await self._exchange(reader, writer)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
            logger.debug("no question: %s", type(error).__name__)
        except asyncio.CancelledError:  # we are stopping: asyncio would log a task of its streams that was cancelled
            writer.transport.abort()
        except Exception:
            logger.exception("a question could not be answered")
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(READING_SECONDS):
            question = question_in(await reader.readuntil(b"\n"))
        more = await self._look_up(question.number, question.wait_ms / 1000)
        writer.write(line_of(LookupReply(more)))
        with contextlib.suppress(OSError):
            await writer.drain()

    async def close(self) -> None:
        """Ends what is still being answered."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
