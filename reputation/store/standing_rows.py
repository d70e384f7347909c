"""A standing as a row: its columns, and back."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import astuple
from functools import lru_cache
from typing import Any

import msgspec

from reputation.model import NEVER_CHALLENGED, AuthClass, ChallengeHistory, SignalCategory
from reputation.standing import Standing

# As `standing_from` takes them.
COLUMNS = """grps, at, marks, answers, behaviour, one_ring, reporters, answered, silent, signals, burst_at, witnessed,
    challenges"""
OF = f"SELECT {COLUMNS} FROM standing WHERE number = ? AND auth_class = ?"


def standing(db: sqlite3.Connection, number: str, auth_class: AuthClass) -> Standing | None:
    """The number's standing in a class, as it was folded last."""
    row = db.execute(OF, (number, auth_class.value)).fetchone()
    return standing_from(row) if row else None


def standing_from(row: tuple[Any, ...]) -> Standing:
    """A standing from its COLUMNS."""
    (groups, at, marks, answers, behaviour, one_ring, reporters, answered, silent, signals, burst_at) = row[:11]
    witnessed, challenges = row[11:]
    return Standing(
        at=at,
        marks=marks,
        answers=answers,
        behaviour=behaviour,
        one_ring=one_ring,
        reporters=reporters,
        groups=groups,
        answered=answered,
        silent=silent,
        signals=_signals(signals),
        burst_at=burst_at,
        witnessed=() if witnessed == "[]" else _times(witnessed),
        challenges=_challenges(challenges) if challenges else NEVER_CHALLENGED,
    )


def standing_columns(standing: Standing) -> tuple[object, ...]:
    """Its COLUMNS."""
    signals = json.dumps({category.value: count for category, count in standing.signals})
    sums = (standing.marks, standing.answers, standing.behaviour, standing.one_ring)
    counts = (standing.reporters, standing.answered, standing.silent)
    challenges = "" if standing.challenges == NEVER_CHALLENGED else json.dumps(astuple(standing.challenges))
    witnessed = json.dumps(standing.witnessed)
    return (standing.groups, standing.at, *sums, *counts, signals, standing.burst_at, witnessed, challenges)


@lru_cache(maxsize=4096)
def _signals(text: str) -> tuple[tuple[SignalCategory, int], ...]:
    return tuple((SignalCategory(name), count) for name, count in json.loads(text).items())


_times = msgspec.json.Decoder(tuple[float, ...]).decode


def _challenges(text: str) -> ChallengeHistory:
    passes, *others = msgspec.json.decode(text)
    return ChallengeHistory(tuple(passes), *others)
