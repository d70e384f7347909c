"""Recordings replayed: what a listener makes of them, whole or in part."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ami_listener.framing import Packet, PacketReader
from ami_listener.outcome import Outcome, Presentation
from ami_listener.parsing import parse_event
from ami_listener.tracker import CallTracker
from lab.recorder import Chunk, load_recording
from reputation.model import Direction, Disposition, EndedBy

FOLDER = Path(__file__).parent.parent / "recordings"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ami"))
_WORDS = {
    "direction": Direction, "disposition": Disposition, "ended_by": EndedBy, "presentation": Presentation,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """One packet, or (None) the loss of the connection."""

    at: float
    packet: Packet | None


def trunk_of(channel: str) -> str | None:
    """The trunks of the lab."""
    for name in ("carrier2", "carrier"):
        if channel.startswith(f"PJSIP/{name}-"):
            return name
    return None


@cache
def items_of(name: str) -> tuple[Item, ...]:
    """Everything that was said in a recording, in order."""
    return tuple(items_in(load_recording(FOLDER / f"{name}.ami")))


def items_in(chunks: Iterable[Chunk]) -> Iterator[Item]:
    """The packets in a recording, and where the connection was lost."""
    reader = PacketReader()
    for chunk in chunks:
        if chunk.kind == "lost":
            yield Item(chunk.at, None)
            reader = PacketReader()
        for packet in reader.receive_data(chunk.data):
            yield Item(chunk.at, packet)


def replay(tracker: CallTracker, items: Iterable[Item]) -> list[Outcome]:
    """What a tracker makes of it."""
    outcomes: list[Outcome] = []
    for item in items:
        if item.packet is None:
            outcomes += tracker.gap(item.at)
        elif (event := parse_event(item.packet)) is not None:
            outcomes += tracker.receive(event, item.at)
    return outcomes


def outcomes_of(items: Sequence[Item], *, gap: bool = False) -> list[Outcome]:
    """Replay to the end, and let half a minute pass; with `gap` the connection is lost first, and no call is left."""
    tracker = CallTracker(trunk_of)
    outcomes = replay(tracker, items)
    at = items[-1].at if items else 0.0
    if gap:
        outcomes += tracker.gap(at)
    outcomes += tracker.tick(at + 31)
    assert tracker.calls_in_progress == 0 or not gap
    return outcomes


@cache
def expected(name: str) -> tuple[Outcome, ...]:
    """What a human says the outcomes are; times are relative to the recording's start and rounded to 10 ms."""
    with (FOLDER / f"{name}.toml").open("rb") as file:
        tables = tomllib.load(file)["outcome"]
    return tuple(_outcome(table) for table in tables)


def _outcome(table: dict[str, Any]) -> Outcome:
    words = {key: word(table[key]) for key, word in _WORDS.items() if key in table}
    lists = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
    return Outcome(**{"complete": True, **table, **words, **lists})


def rounded(name: str, outcome: Outcome) -> Outcome:
    """An outcome as the expectations write it."""
    start = load_start(name)
    return replace(
        outcome,
        at=round(outcome.at - start, 2),
        ended_at=round(outcome.ended_at - start, 2),
        ring_seconds=round(outcome.ring_seconds, 2),
        talk_seconds=round(outcome.talk_seconds, 2),
    )


@cache
def load_start(name: str) -> float:
    """When a recording began."""
    return load_recording(FOLDER / f"{name}.ami")[0].at
