"""A thread of its own that runs functions one after the other, for an event loop that waits for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class ConnectionThread:
    """Made in the running loop, which it serves. Until it is stopped the process cannot end.

    The loop is woken once for all answers that are ready by the time it takes them.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]] | None]
        self._waiting = SimpleQueue()
        self._answered: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_told = False
        Thread(target=self._work, name=name).start()

    def run(self, fn: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """What `fn(*args)` returns or raises, once it is its turn. It runs even if nobody waits for it any more."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put((future, fn, args))
        return future

    def stop(self) -> None:
        """Ends the thread after what waits for it by now."""
        self._waiting.put(None)

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            future, fn, args = job
            try:
                self._answered.append((future, fn(*args), None))
            except BaseException as error:  # noqa: BLE001 (it is raised where somebody waits)
                self._answered.append((future, None, error))
            if not self._is_told:  # else the loop comes anyway, and it comes after what was just added
                self._is_told = True
                with contextlib.suppress(RuntimeError):  # the loop has ended, and everybody who waited with it
                    self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        self._is_told = False
        while self._answered:
            future, result, error = self._answered.popleft()
            if future.done():  # nobody waits for it any more
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
