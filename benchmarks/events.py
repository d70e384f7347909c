"""Measures CallSieve's listener for AMI events: events per second, and memory after a million calls.

No Asterisk runs. The events come from recordings of a real Asterisk in tests/recordings, in pieces as from a socket.
The benchmark also plays recorded calls to the daemon over a socket, faster than an Asterisk on the same server can make
calls. Rates count all events that Asterisk sends to a manager user with CallSieve's rights, including those that the
listener ignores.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

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
from ami_listener.framing import PacketReader
from ami_listener.outcome import record_of
from ami_listener.parsing import EVENTS, at_of, parse_event
from ami_listener.tracker import CallTracker
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.listening import ALL, NUMBERS, SETTLE_SECONDS, Watch, percentile
from benchmarks.parts import RECORD
from benchmarks.processes import ROOT, SETTINGS, process_cpu_seconds
from benchmarks.workbench import Workbench
from lab.daemon import Daemon
from lab.recorder import FOLDER, load_recording
from reputation.model import SignalCategory
from reputation.outcome import OutcomeRecord
from reputation.signals import lessons_of
from reputation.store.database import open_store
from reputation.store.journal import record_decisions
from reputation.store.transaction import transaction

RATE = Budget(20_000, "/s", at_least=True)
FLAT = Budget(1.1, "x")
ROUNDS = 7
REPEATED = 40
READ_BYTES = 65_536
NOT_WHOLE = frozenset({"restarted", "started-in-the-middle"})
CHILD_SECONDS = 300.0

SCENES = ("answered", "callee-hangs-up", "one-ring")
REPLAYED_RATE = 300.0
STALLED_EVENTS, STALL_SECONDS = 5000, 2.0
WRITE_SECONDS = 1.0
TURN_SECONDS = 0.003
BURST = 500
AMI = '[ami]\nhost = "127.0.0.1"\nport = {port}\nusername = "callsieve"\nsecret = "of-the-benchmark"'
ANSWERS = {
    "Login": b"Response: Success\r\nActionID: @ID@\r\nMessage: Authentication accepted\r\n\r\n",
    "Ping": b"Response: Success\r\nActionID: @ID@\r\nPing: Pong\r\n\r\n",
}


def measure(bench: Workbench) -> list[Figure]:
    """Measure event rates (for all recordings, and for plain answered calls), CPU time per event, and memory."""
    bench.say("events: parsing and tracking AMI events")
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
        Figure("CPU time of one AMI event", [1e6 / rate for rate in rates[0]], "µs", note="every recorded scene"),
        Figure("CPU time for the events of one answered call", [1e6 * a_call / rate for rate in rates[1]], "µs"),
        _memory(bench),
    ]


def stream_of(name: str) -> bytes:
    """Return all bytes that Asterisk sent in the recording with this name."""
    return b"".join(chunk.data for chunk in load_recording(FOLDER / f"{name}.ami"))


def cpu_seconds_of(stream: bytes) -> float:
    """Return the CPU seconds that it takes to read, parse and track the stream REPEATED times."""
    reader, tracker, outcomes = PacketReader(wanted=EVENTS), CallTracker(trunk_of), 0
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
        raise RuntimeError(
            f"tracked calls: {outcomes} outcomes, which is too few, or {tracker.calls_in_progress} calls without an end"
        )
    return seconds


def trunk_of(channel: str) -> str | None:
    """Return the lab's trunk if the channel belongs to it, else None."""
    return "carrier" if channel.startswith("PJSIP/carrier") else None


def _memory(bench: Workbench) -> Figure:
    few, many = 200_000, 400_000 if bench.quick else 1_000_000
    bench.say(f"events: memory of the call tracker after {many:,} calls")
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
    note = "of ten calls one never ends, and one is held for 30 s"
    return Figure(
        f"memory of the call tracker after {many:,} calls", [late], "MiB", [early], f"after {few:,} calls", FLAT, note
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """A recorded call as packets. A packet is the seconds since the start, and bytes.

    `signal`: the kind of signal that CallSieve must learn from the call.
    """

    packets: Sequence[tuple[float, bytes]]
    last_hangup: int
    outcome: OutcomeRecord
    signal: SignalCategory | None

    def packet(self, index: int, call: int) -> bytes:
        """Return the packet at `index`, with placeholders replaced by the ids and the caller of a call."""
        return with_call(self.packets[index][1], call)


@dataclass(slots=True)
class Played:
    """The result of `play`.

    `ended_at`: time of the last hangup of each call, by linkedid. `unsent`: how many packets could not be sent, because
    the listener was not connected.
    """

    ended_at: dict[str, float] = field(default_factory=dict)
    packets: int = 0
    unsent: int = 0
    seconds: float = 0.0


class Manager:
    """A server that imitates the part of Asterisk's manager interface that the listener uses. For a `with` block.

    Like Asterisk with `writetimeout = 1000`, it disconnects a client that reads nothing for a second.
    """

    def __init__(self) -> None:
        self.disconnects = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.2)
        self.port = int(self._listening.getsockname()[1])
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="manager")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._listening.close()

    def send(self, data: bytes) -> bool:
        """Send data to the listener. Return False if the listener is not connected."""
        with self._lock:
            if self._connection is None:
                return False
            try:
                self._connection.sendall(data)
            except OSError:
                self._connection = None
                self.disconnects += 1
                return False
            return True

    def _serve(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listening.accept()
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(WRITE_SECONDS)
        connection.sendall(b"Asterisk Call Manager/11.0.0\r\n")
        self._connection, waiting, reader = connection, b"", PacketReader()
        while self._connection is connection and not self._stop.is_set():
            try:
                waiting = connection.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not waiting:
                break
            for packet in reader.receive_data(waiting):
                fields = packet.fields()
                self.send(ANSWERS.get(fields["Action"], ANSWERS["Ping"]).replace(b"@ID@", fields["ActionID"].encode()))
        self._connection = None


def measure_replayed(bench: Workbench) -> list[Figure]:
    """Measure a daemon that listens to more calls than an Asterisk on the same server can make."""
    seconds = 10.0 if bench.quick else 30.0
    scenes = [scene_of(name) for name in SCENES]
    stalled = STALLED_EVENTS * len(scenes) / sum(len(scene.packets) for scene in scenes)
    return [
        *_replay(bench, scenes, REPLAYED_RATE, seconds, 0.0),
        *_replay(bench, scenes, stalled, seconds, STALL_SECONDS),
    ]


def scene_of(name: str) -> Scene:
    """Return a recorded call in which placeholders replace its ids and its number."""
    chunks = load_recording(FOLDER / f"{name}.ami")
    reader, tracker, recorded = PacketReader(), CallTracker(trunk_of), []
    packets: list[tuple[float, bytes]] = []
    for chunk in chunks:
        for packet in reader.receive_data(chunk.data):
            if packet.name and not packet.name.startswith("CoreShowChannel"):
                packets.append((chunk.at, packet.text.encode() + b"\r\n\r\n"))
            if (event := parse_event(packet)) is not None:
                recorded += tracker.receive(event, chunk.at)
    (outcome,) = recorded
    record = record_of(outcome, lambda _: "US")
    assert record is not None
    signal = lessons_of(record).signal
    return Scene(
        [(at - packets[0][0], _with_places(data, record)) for at, data in packets],
        max(index for index, (_, data) in enumerate(packets) if data.startswith(b"Event: Hangup\r")),
        record,
        signal.category if signal else None,
    )


def _with_places(data: bytes, record: OutcomeRecord) -> bytes:
    """Replace the unique ids, bridges, channels and caller of the call by placeholders."""
    data = data.replace(record.linkedid.rpartition(".")[0].encode(), b"@CALL@")
    data = re.sub(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", b"bridge-@CALL@", data)
    data = re.sub(rb"(PJSIP/\w+)-000000", rb"\1-@CALL@", data)
    return data.replace((record.caller or "").encode(), b"@NUMBER@")


def with_call(data: bytes, call: int) -> bytes:
    """Return packets of a scene in which the ids and the caller of a call replace the placeholders."""
    return data.replace(b"@CALL@", b"%08x" % call).replace(b"@NUMBER@", caller_of(call).encode())


def caller_of(call: int) -> str:
    return f"+1201{2_000_000 + call:07}"


def linkedid_of(call: int) -> str:
    return f"{call:08x}.0"


def _replay(bench: Workbench, scenes: Sequence[Scene], rate: float, seconds: float, stall: float) -> list[Figure]:
    note = f"{rate:.0f} calls/s for {seconds:.0f} s" + (f", daemon stopped for {stall:.0f} s" if stall else "")
    bench.say(f"replayed: {note}")
    state, count = bench.copy(NUMBERS), round(rate * seconds)
    decide_calls(state / "callsieve.db", count)
    with Manager() as manager, Daemon(state, f"{SETTINGS}\n{AMI.format(port=manager.port)}") as daemon:
        daemon.wait_for_log("listening to Asterisk")
        before, began = process_cpu_seconds(daemon.pid), time.time()
        with Watch(daemon.store, began) as watch, ThreadPoolExecutor(1) as pool:
            stalled = pool.submit(_stall, daemon, seconds / 2, stall)
            played = play(manager, scenes, rate, count)
            stalled.result()
            watch.wait_for(count, SETTLE_SECONDS)
            rows = {row.linkedid: row for row in watch.rows()}
        time.sleep(1.0)  # until the last batch is written
        cpu = 1e3 * (process_cpu_seconds(daemon.pid) - before) / count
        with closing(sqlite3.connect(daemon.store)) as db:
            signals: list[tuple[str, str]] = db.execute(
                "SELECT linkedid, category FROM signal WHERE at >= ?", (began,)
            ).fetchall()
    right = sum(_is_right(rows[linkedid], scenes) for linkedid in rows)
    true = sum(_has_right_signal(rows.get(linkedid), category, scenes) for linkedid, category in signals)
    lags = [watch.seen[linkedid] - at for linkedid, at in played.ended_at.items() if linkedid in rows]
    reached = (
        f"{played.packets / played.seconds:,.0f} events/s, daemon disconnected {manager.disconnects} times, {note}"
    )
    return [
        Figure("replayed calls recorded", [len(rows)], "", [count], "calls", ALL, reached),
        Figure("replayed calls with a complete and correct outcome", [right], "", [len(rows)], "outcomes", ALL, note),
        Figure("signals that agree with the recording", [true], "", [max(1, len(signals))], "signals", ALL, note),
        *(
            Figure(
                f"delay until the outcome of a replayed call can be read, p{p}",
                [1e3 * percentile(lags, p)],
                "ms",
                note=note,
            )
            for p in (50, 99)
        ),
        Figure("CPU time of the daemon for a replayed call", [cpu], "ms", note=note),
    ]


def decide_calls(store: Path, count: int) -> None:
    """Store a decision about each call. Without decisions, outcomes would wait for a minute."""
    allowed = RECORD._replace(action="allow", would_be="allow", at=time.time())
    with open_store(store) as db, transaction(db):
        record_decisions(
            db,
            [allowed._replace(id=f"{n:08x}", linkedid=linkedid_of(n), caller=caller_of(n)) for n in range(count)],
        )


def _stall(daemon: Daemon, after: float, seconds: float) -> None:
    if seconds:
        time.sleep(after)
        daemon.freeze()
        time.sleep(seconds)
        daemon.thaw()


def play(manager: Manager, scenes: Sequence[Scene], rate: float, count: int) -> Played:
    """Play `count` calls, `rate` per second, from the scenes in turn. A call lasts as long as in its recording."""
    played, began = Played(), time.monotonic()
    due = [(call / rate, call, 0) for call in range(count)]  # a sorted list is a heap
    while due:
        now = time.monotonic() - began
        data, ended, packets = [], [], 0
        while due and due[0][0] <= now and packets < BURST:
            _, call, index = due[0]
            scene = scenes[call % len(scenes)]
            data.append(scene.packet(index, call))
            packets += 1
            if index == scene.last_hangup:
                ended.append(linkedid_of(call))
            if index + 1 < len(scene.packets):
                heapq.heapreplace(due, (call / rate + scene.packets[index + 1][0], call, index + 1))
            else:
                heapq.heappop(due)
        played.ended_at.update(dict.fromkeys(ended, time.time()))
        played.packets += packets
        if data and not manager.send(b"".join(data)):
            played.unsent += packets
        if packets < BURST:
            time.sleep(TURN_SECONDS)
    played.seconds = time.monotonic() - began
    return played


def _is_right(row: OutcomeRecord, scenes: Sequence[Scene]) -> bool:
    expected = _scene_of_call(row.linkedid, scenes).outcome
    return row.complete and (row.disposition, row.ended_by) == (expected.disposition, expected.ended_by)


def _has_right_signal(row: OutcomeRecord | None, category: str, scenes: Sequence[Scene]) -> bool:
    """Return whether the daemon learnt the signal from a played call that its recording must give."""
    return row is not None and row.complete and category == _scene_of_call(row.linkedid, scenes).signal


def _scene_of_call(linkedid: str, scenes: Sequence[Scene]) -> Scene:
    return scenes[int(linkedid.partition(".")[0], 16) % len(scenes)]


def calls(first: int, end: int) -> Iterator[tuple[Event, float]]:
    """Yield the events of calls `first` to `end`, at 100 calls per second. One call in ten never ends."""
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
    """Track calls, and print the resident memory in bytes each time a count of calls in `ends` is reached."""
    tracker, first = CallTracker(trunk_of), 0
    for end in ends:
        for event, at in calls(first, end):
            tracker.receive(event, at)
        first = end
        print(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"), flush=True)


if __name__ == "__main__":
    _follow(*map(int, sys.argv[1:]))
