"""Asks every `[[lookup]]` of the settings about our own numbers: the same requests and conditions as about callers.

A source that fails, or whose limit of the day is reached, says nothing this time: that is no label, and no end of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from callsieve.lookups.process import asked_sources, fetch_with
from callsieve.lookups.service import AskedSource, Fetch, Unreachable
from callsieve.lookups.sources import BadAnswer, covers, limits_of
from callsieve.outside.http_client import OutsideClient
from callsieve.settings import Loaded
from reputation.store.database import open_store
from reputation.store.lookups import SPAM, reserve
from reputation.store.own_labels import Look, LookKind


class Asked(NamedTuple):
    """What was said, and which sources did not answer, with why."""

    looks: tuple[Look, ...]
    failures: tuple[tuple[str, str], ...]


def ask(loaded: Loaded, numbers: Sequence[str], now: float) -> Asked:
    """All sources about all of these numbers, one after the other."""
    return asyncio.run(_ask(loaded, numbers, now))


async def _ask(loaded: Loaded, numbers: Sequence[str], now: float) -> Asked:
    looks: list[Look] = []
    failures: list[tuple[str, str]] = []
    async with OutsideClient() as client:
        fetch = fetch_with(client)
        for source in asked_sources(loaded):
            for number in numbers:
                if not covers(source.source.table, number):
                    continue
                try:
                    looks.append(await _look(loaded, source, fetch, number, now))
                except (Unreachable, BadAnswer) as error:
                    failures.append((source.name, str(error)))
                    break
    return Asked(tuple(looks), tuple(failures))


async def _look(loaded: Loaded, source: AskedSource, fetch: Fetch, number: str, now: float) -> Look:
    table = source.source.table
    with open_store(loaded.store_path) as db:
        if not reserve(db, table.name, now, limits_of(table)):
            raise BadAnswer("the limit of the day is reached")
    answer = await fetch(source.source.request_about(number, source.token), table.private)
    said = source.source.said_of(number, answer.status, answer.body)
    label = (said.category or "spam") if said.verdict == SPAM else ""
    return Look(number, table.name, now, label, kind=LookKind.ASKED)
