"""A FastAGI client that imitates Asterisk for many parallel calls, and leaves most CPU time to the server.

Each call does what strace shows for res_agi.c. It connects, writes the header block line by line (the kernel joins the
lines), replies to each command separately, and sends HANGUP when the server closes the connection.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

REPLY = b"200 result=1\n"
WAIT_SECONDS = 2.0


@dataclass(slots=True)
class Answers:
    """How fast a server answered: seconds from the first packet of each call to its answer.

    `failed`: how many calls did not get the expected answer.
    """

    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    def percentile(self, percent: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@dataclass(slots=True)
class _Call:
    socket: socket.socket
    began: float
    answer: bytes = b""


def place_calls(address: tuple[str, int], blocks: Sequence[bytes], expected: bytes, in_flight: int = 1) -> Answers:
    """Make a call for each AGI header block, `in_flight` at a time.

    A call whose answer lacks `expected` counts as failed.
    """
    answers = Answers()
    waiting = iter(blocks)
    calls: dict[int, _Call] = {}
    with select.epoll() as poll:
        _start(in_flight, address, waiting, calls, poll)
        while calls:
            ready = poll.poll(WAIT_SECONDS)
            if not ready:
                break
            ended = sum([_go_on(calls, number, expected, answers) for number, _ in ready])
            _start(ended, address, waiting, calls, poll)
    answers.failed += len(calls)
    for call in calls.values():
        call.socket.close()
    return answers


def _start(
    count: int, address: tuple[str, int], waiting: Iterator[bytes], calls: dict[int, _Call], poll: select.epoll
) -> None:
    for _, block in zip(range(count), waiting, strict=False):
        began = time.perf_counter()
        connection = socket.create_connection(address, WAIT_SECONDS)
        for line in block.splitlines(keepends=True):
            connection.send(line)
        connection.setblocking(False)
        calls[connection.fileno()] = _Call(connection, began)
        poll.register(connection.fileno(), select.EPOLLIN)


def _go_on(calls: dict[int, _Call], number: int, expected: bytes, answers: Answers) -> bool:
    """Handle the data that the server sent for call `number`. Return True if the call has ended."""
    call = calls[number]
    try:
        data = call.socket.recv(8192)
    except ConnectionResetError:
        data = b""
    if data:
        _take(call, data, expected, answers)
        return False
    if expected not in call.answer:
        answers.seconds.append(time.perf_counter() - call.began)
        answers.failed += 1
    _hang_up(calls.pop(number))
    return True


def _take(call: _Call, data: bytes, expected: bytes, answers: Answers) -> None:
    if expected in data:
        answers.seconds.append(time.perf_counter() - call.began)
    call.answer += data
    for _ in range(data.count(b"\n")):
        call.socket.send(REPLY)


def _hang_up(call: _Call) -> None:
    with contextlib.suppress(OSError):  # panoramisk has closed both halves by now
        call.socket.send(b"HANGUP\n")
    call.socket.close()
