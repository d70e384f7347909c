"""The listener without its socket: events parsed and tracked a second, and what a million calls leave in memory.

The events are those of the recordings of a real Asterisk in tests/recordings, read in pieces as they come from a
socket. Every event counts that Asterisk sends to a manager user with our rights, also those of no use to us.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ami_listener.events import (
    BridgeCreated,
    BridgeDestroyed,
    BridgeEnter,
    BridgeLeave,
    ChannelRef,
    DialBegin,
    DialEnd,
    DialState,
    Event,
    Hangup,
    HangupRequest,
    NewChannel,
    NewState,
)
from ami_listener.fields import PacketReader
from ami_listener.parsing import at_of, parse_event
from ami_listener.tracker import CallTracker
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.processes import ROOT
from benchmarks.workbench import Workbench
from lab.recorder import FOLDER, load_recording

RATE = Budget(20_000, "/s", at_least=True)
FLAT = Budget(1.1, "x")
ROUNDS = 7
REPEATED = 40
READ_BYTES = 65_536
NOT_WHOLE = frozenset({"restarted", "started-in-the-middle"})
CHILD_SECONDS = 300.0


def measure(bench: Workbench) -> list[Figure]:
    """Rates with all recordings and with plain answered calls, CPU of one event; memory."""
    bench.say("events: parsed and tracked")
    every = b"".join(stream_of(path.stem) for path in sorted(FOLDER.glob("*.ami")) if path.stem not in NOT_WHOLE)
    answered = stream_of("answered")
    streams = (every, answered * (len(every) // len(answered)))
    events = [len(PacketReader().receive_data(stream)) for stream in streams]
    samples = alternate(
        bench.rounds(ROUNDS), *[lambda turn, stream=stream: cpu_seconds_of(stream) / REPEATED for stream in streams]
    )
    rates = [[count / seconds for seconds in values] for count, values in zip(events, samples, strict=True)]
    a_call = events[1] * len(answered) // len(streams[1])
    return [
        Figure("AMI events parsed and tracked", rates[0], "/s", budget=RATE, note="one core, every recorded scene"),
        Figure("AMI events parsed and tracked", rates[1], "/s", budget=RATE, note="one core, answered calls"),
        Figure("CPU of one AMI event", [1e6 / rate for rate in rates[0]], "µs", note="every recorded scene"),
        Figure("CPU of the events of one answered call", [1e6 * a_call / rate for rate in rates[1]], "µs"),
        _memory(bench),
    ]


def stream_of(name: str) -> bytes:
    """Everything that Asterisk said in a recording."""
    return b"".join(chunk.data for chunk in load_recording(FOLDER / f"{name}.ami"))


def cpu_seconds_of(stream: bytes) -> float:
    """CPU time of REPEATED times the stream, through reader, parser and tracker."""
    reader, tracker, outcomes = PacketReader(), CallTracker(trunk_of), 0
    pieces = [stream[start : start + READ_BYTES] for start in range(0, len(stream), READ_BYTES)]
    began, at = time.process_time(), 1e9
    for _ in range(REPEATED):
        for piece in pieces:
            at += 0.01
            for packet in reader.receive_data(piece):
                if (event := parse_event(packet)) is not None:
                    outcomes += len(tracker.receive(event, at_of(packet, at)))
    seconds = time.process_time() - began
    if outcomes < REPEATED or tracker.calls_in_progress:
        raise RuntimeError(f"{outcomes} outcomes, {tracker.calls_in_progress} calls without an end")
    return seconds


def trunk_of(channel: str) -> str | None:
    """The lab's trunk."""
    return "carrier" if channel.startswith("PJSIP/carrier") else None


def _memory(bench: Workbench) -> Figure:
    few, many = 200_000, 400_000 if bench.quick else 1_000_000
    bench.say(f"events: memory after {many:,} calls")
    child = subprocess.run(
        (sys.executable, "-m", __name__, str(few), str(many)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=CHILD_SECONDS,
        cwd=ROOT,
    )
    early, late = (int(size) / 2**20 for size in child.stdout.split())
    note = "one in ten never ends, one in ten is held for 30 s"
    return Figure(f"tracker, memory after {many:,} calls", [late], "MiB", [early], f"after {few:,}", FLAT, note)


def calls(first: int, end: int) -> Iterator[tuple[Event, float]]:
    """Events of calls number `first` to `end`, 100 a second; of one in ten the end is never told."""
    for number in range(first, end):
        at = 1e9 + number / 100
        for event in _events_of(number):
            yield event, at


def _events_of(number: int) -> Iterator[Event]:
    caller = ChannelRef(f"{number}.0", f"{number}.0", f"PJSIP/carrier-{number:08x}")
    phone = ChannelRef(f"{number}.1", f"{number}.0", f"PJSIP/201-{number:08x}")
    bridge = f"bridge-{number}"
    yield NewChannel(caller, f"+1201{number:07}", "Somebody", "+442071838751")
    yield NewChannel(phone, "", "", "s")
    yield DialBegin(caller, phone, "201", "")
    yield DialState(phone, "RINGING")
    if number % 10 == 0:
        return
    if number % 10 == 1:
        yield HangupRequest(phone, 17, 486)
        yield DialEnd(phone, "BUSY")
        yield Hangup(phone, 17, 486)
        yield Hangup(caller, 17, 486)
        return
    yield DialEnd(phone, "ANSWER")
    yield NewState(caller, 6)
    yield BridgeCreated(bridge)
    yield BridgeEnter(caller, bridge, holding=False)
    yield BridgeEnter(phone, bridge, holding=False)
    yield HangupRequest(caller, 16, None)
    yield BridgeLeave(caller, bridge)
    yield BridgeLeave(phone, bridge)
    yield BridgeDestroyed(bridge)
    yield Hangup(phone, 16, None)
    yield Hangup(caller, 16, None)


def _follow(*ends: int) -> None:
    """Follow calls up to each number, and print the resident bytes then."""
    tracker, first = CallTracker(trunk_of), 0
    for end in ends:
        for event, at in calls(first, end):
            tracker.receive(event, at)
        first = end
        print(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"), flush=True)


if __name__ == "__main__":
    _follow(*map(int, sys.argv[1:]))
