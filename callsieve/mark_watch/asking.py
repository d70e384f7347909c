"""Asks every `[[lookup]]` of the settings about our own numbers: the same requests and conditions as about callers.

All sources are asked at once, each with a few requests at a time, within SECONDS in all. What the watch asks a day is
counted apart from what calls ask (`watch_limit`), so that a call never goes without its look-up because of it.
A source that fails, or whose limit of the day is reached, says nothing of the rest: that is no label, and ends none.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from callsieve.lookups.process import asked_sources, fetch_with
from callsieve.lookups.service import AskedSource, Fetch, Unreachable
from callsieve.lookups.sources import BadAnswer, covers, limits_of
from callsieve.outside.http_client import OutsideClient
from callsieve.settings import Loaded
from reputation.store.database import open_store
from reputation.store.lookups import SPAM, reserve
from reputation.store.own_labels import Look, LookKind, latest_looks

SECONDS: Final = 120.0
AT_ONCE: Final = 4  # requests to one source: half of what calls may make at a time


class LabelAnswers(NamedTuple):
    """What was said, and which sources did not answer for all numbers, with why."""

    looks: tuple[Look, ...]
    failures: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Round:
    """One source's turn: the numbers that it is still to be asked about, and why it is asked no further."""

    source: AskedSource
    left: deque[str]
    count: int
    looks: list[Look] = field(default_factory=list)
    failure: str = ""


def ask(loaded: Loaded, numbers: Sequence[str], now: float, seconds: float = SECONDS) -> LabelAnswers:
    """Return what all sources say of these numbers within so many seconds, those not looked at for longest first."""
    return asyncio.run(_ask(loaded, numbers, now, seconds))


async def _ask(loaded: Loaded, numbers: Sequence[str], now: float, seconds: float) -> LabelAnswers:
    seen = _last_seen(loaded)
    rounds = [_round(source, numbers, seen) for source in asked_sources(loaded)]
    async with OutsideClient() as client:
        fetch = fetch_with(client)
        workers = [_work(loaded, one, fetch, now) for one in rounds for _ in range(AT_ONCE)]
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*workers)
        except TimeoutError:
            for one in rounds:
                if len(one.looks) < one.count and not one.failure:
                    one.failure = f"no time was left for {one.count - len(one.looks)} numbers"
    failures = tuple((one.source.name, one.failure) for one in rounds if one.failure)
    return LabelAnswers(tuple(look for one in rounds for look in one.looks), failures)


def _last_seen(loaded: Loaded) -> Mapping[tuple[str, str], float]:
    with open_store(loaded.store_path) as db:
        return {(look.platform, look.number): look.at for look in latest_looks(db)}


def _round(source: AskedSource, numbers: Sequence[str], seen: Mapping[tuple[str, str], float]) -> _Round:
    table = source.source.table
    covered = [number for number in numbers if table.watch_limit and covers(table, number)]
    covered.sort(key=lambda number: seen.get((source.name, number), 0.0))
    return _Round(source, deque(covered), len(covered))


async def _work(loaded: Loaded, turn: _Round, fetch: Fetch, now: float) -> None:
    """Ask about one number after the other until none is left, or the source has failed."""
    while turn.left and not turn.failure:
        number = turn.left.popleft()
        try:
            turn.looks.append(await _look(loaded, turn.source, fetch, number, now))
        except (Unreachable, BadAnswer) as error:
            turn.failure = turn.failure or str(error)


async def _look(loaded: Loaded, source: AskedSource, fetch: Fetch, number: str, now: float) -> Look:
    table = source.source.table
    if not await asyncio.to_thread(_reserve, loaded, source, now):
        raise BadAnswer("the watch's limit of the day is reached (watch_limit)")
    answer = await fetch(source.source.request_about(number, source.token), table.private)
    said = source.source.said_of(number, answer.status, answer.body)
    label = (said.category or "spam") if said.verdict == SPAM else ""
    return Look(number, table.name, now, label, kind=LookKind.ASKED)


def _reserve(loaded: Loaded, source: AskedSource, now: float) -> bool:
    """Return whether the watch may ask once more. A name of its own keeps its count apart from that of calls."""
    table = source.source.table
    limits = limits_of(table)._replace(requests=table.watch_limit)
    with open_store(loaded.store_path) as db:
        return reserve(db, f"{table.name} (own numbers)", now, limits)
