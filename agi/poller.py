"""Many sockets behind one descriptor of the event loop.

To the loop an epoll is one file that can be read when any of its sockets can. A connection then costs one system call
to be watched, and nothing when it is closed: a transport of the loop costs as much as half a decision.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Poller:
    """Calls back for each watched descriptor that can be read, in the running event loop."""

    _epoll: select.epoll = field(default_factory=select.epoll)
    _callbacks: dict[int, Callable[[], object]] = field(default_factory=dict)

    def start(self) -> None:
        """Watch from now on."""
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._call_back)

    def close(self) -> None:
        """Watch nothing more. Changes nothing the second time."""
        if not self._epoll.closed:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()

    def watch(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Call back whenever there is something to read, the end or an error included, until it is forgotten."""
        self._callbacks[descriptor] = callback
        self._epoll.register(descriptor, select.EPOLLIN)

    def forget(self, descriptor: int) -> None:
        """Call back no more; before the descriptor is closed. Changes nothing for one that is not watched."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _call_back(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            callback = self._callbacks.get(descriptor)  # one before it may have closed this one
            if callback is not None:
                callback()
