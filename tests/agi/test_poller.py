"""Sockets behind one descriptor of the event loop."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from agi.sockets import Poller
from tests.waiting import until


@contextmanager
def pairs(count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """So many pairs of connected sockets, and all are closed again."""
    made = [socket.socketpair() for _ in range(count)]
    yield made
    for pair in made:
        for end in pair:
            end.close()


async def test_a_watched_socket_is_called_back_until_it_is_removed() -> None:
    read: list[bytes] = []
    with closing(Poller()) as poller, pairs(2) as ((ours, theirs), (silent, _)):
        poller.start()
        poller.watch(ours.fileno(), lambda: read.append(ours.recv(100)))
        poller.watch(silent.fileno(), lambda: read.append(b"never"))
        theirs.send(b"one")
        await until(lambda: read == [b"one"])
        theirs.send(b"two")
        await until(lambda: read == [b"one", b"two"])
        poller.forget(ours.fileno())
        poller.forget(ours.fileno())
        theirs.send(b"three")
        poller.watch(theirs.fileno(), lambda: read.append(b"theirs"))
        ours.send(b"back")
        await until(lambda: b"theirs" in read)
    assert b"three" not in read


async def test_a_socket_removed_by_another_callback_is_not_called_back() -> None:
    called: list[int] = []
    with closing(Poller()) as poller, pairs(2) as both:
        ours = [mine for mine, _ in both]

        def forget_all(number: int) -> None:
            called.append(number)
            for our in ours:
                poller.forget(our.fileno())

        for number, (mine, theirs) in enumerate(both):
            poller.watch(mine.fileno(), partial(forget_all, number))
            theirs.send(b"x")
        poller.start()
        await until(lambda: called)
    assert len(called) == 1
