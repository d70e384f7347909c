"""Simulated first calls: each is the first of its number, and storms differ from honest strangers."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.accuracy.first_calls import HONEST, STORMS, STYLE_WORDS, Calls, Style, World, first_calls_sheet, measure
from benchmarks.accuracy.first_calls import OFFICES as WORLDS

SMALL = World(users=40, days=10, read_from_day=1.0, one_off=20.0, scattered=10.0, storms=1, storm_calls=60)


def test_the_same_seed_makes_the_same_calls() -> None:
    assert Calls(SMALL, 7).all() == Calls(SMALL, 7).all()


def test_storms_are_tagged_and_honest_first_calls_rarely() -> None:
    tally = measure(SMALL, 7)
    assert tally[Style.WALK, "tagged"] > 0.9 * tally[Style.WALK, "calls"] > 0
    assert tally[Style.WALK, "before"] == 0
    assert tally[Style.SPREAD, "tagged"] < 0.1 * tally[Style.SPREAD, "calls"]
    assert sum(tally[style, "more"] for style in HONEST) == 0
    assert tally[Style.ONE_OFF, "tagged"] < 0.05 * tally[Style.ONE_OFF, "calls"]


def test_the_table_has_every_style_and_office() -> None:
    tally = measure(replace(SMALL, storms=0), 7)
    sheet = first_calls_sheet(range(7, 8), {name: [tally] for name in WORLDS})
    assert len(sheet.rows) == len(Style) + 2 * len(WORLDS)
    assert {row[0] for row in sheet.rows} >= {*(STYLE_WORDS[style] for style in STORMS)}
