"""The work that `benchmarks.instructions` counts: decisions, calls over AMI, or replayed events, in one process.

    python -m benchmarks.counted decisions|calls|events COUNT STATE

To reduce the influence of scheduler and disk, no background work of the daemon runs, and calls run one at a time.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from ami_listener.framing import PacketReader
from ami_listener.outcome import record_of
from ami_listener.parsing import EVENTS, at_of, parse_event
from ami_listener.tracker import CallTracker
from benchmarks.events import SCENES, scene_of, trunk_of, with_call
from callsieve.daemon.daemon import Daemon, loop_factory
from callsieve.logs import configure_logs
from callsieve.replay.engine import Replay, judgements
from callsieve.replay.history_file import HistoryReader, events_of
from callsieve.replay.report import line_of
from callsieve.settings import load_settings
from callsieve.wiring import regions_of, site_of
from policies.loader import load_policy
from reputation.numbers import read_plans
from reputation.outcome import OutcomeRecord
from reputation.store.database import open_store
from reputation.store.outcomes import record_outcomes
from reputation.store.transaction import transaction

LONG_SECONDS = 20.0  # Valgrind is fifty times slower
HISTORY = "history.jsonl"
CALLS_AT_ONCE = 30  # calls of a busy office within 0.2 s, after which outcomes are written


def decisions(count: int, state: Path) -> None:
    """Decide about `count` calls until standard input ends.

    The parent process reads the port from stdout and makes the calls.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_answer(count, state))


async def _answer(count: int, state: Path) -> None:
    daemon = Daemon(partial(load_settings, state / "callsieve.toml"))
    daemon.server.header_seconds = daemon.server.deadline_seconds = daemon.screening.deadline_seconds = LONG_SECONDS
    await daemon.store.start()
    read_plans(regions_of(daemon.screening.site))
    port = await daemon.server.listen("127.0.0.1", 0)
    print(port, flush=True)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    await daemon.server.close(1.0)
    await daemon.look_ups.close()
    await daemon.store.close()
    if daemon.server.stats.answered < count:
        raise RuntimeError(f"only {daemon.server.stats.answered} of {count} calls got a decision")


def calls(count: int, state: Path) -> None:
    """Process the events of recorded calls as if they came from a socket. The store has a decision about each call."""
    scenes = [scene_of(name) for name in SCENES]
    scripts = [b"".join(data for _, data in scene.packets) for scene in scenes]
    reader, tracker = PacketReader(wanted=EVENTS), CallTracker(trunk_of)
    records: list[OutcomeRecord] = []
    now, recorded = time.time(), 0
    with open_store(state / "callsieve.db") as db:
        for call in range(count):
            for packet in reader.receive_data(with_call(scripts[call % len(scripts)], call)):
                if (event := parse_event(packet)) is not None:
                    told = [
                        record_of(outcome, lambda _: "US") for outcome in tracker.receive(event, at_of(packet, now))
                    ]
                    records += [record for record in told if record is not None]
            if len(records) >= CALLS_AT_ONCE or call == count - 1:
                with transaction(db):
                    recorded += len(record_outcomes(db, records, now))
                records.clear()
    if recorded != count:
        raise RuntimeError(f"{recorded} outcomes were recorded for {count} calls")


def events(count: int, state: Path) -> None:
    """Replay a history with two policies, like `callsieve replay`, and write every decision."""
    with (state / HISTORY).open("rb") as file:
        lines = b"".join(islice(file, count))
    replay = Replay([load_policy("cautious"), load_policy("strict")])
    reading, encode = HistoryReader(), msgspec.json.Encoder().encode
    site = site_of(load_settings(None, {}).settings)
    written = 0
    for _, judged in judgements(events_of(io.BytesIO(lines), reading, site), replay, reading):
        if judged is not None:
            written += len(encode(line_of(judged)))
    if reading.skipped or not written:
        raise RuntimeError(
            f"{reading.skipped} of {count} events of the history could not be replayed: {reading.problems}"
        )


WORK: dict[str, Callable[[int, Path], None]] = {"decisions": decisions, "calls": calls, "events": events}


if __name__ == "__main__":
    configure_logs()
    WORK[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))
