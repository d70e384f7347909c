"""Figures, tables and the chart are made correctly of the counts."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from benchmarks.accuracy.attacks import ATTACK_WORDS
from benchmarks.accuracy.chart import svg
from benchmarks.accuracy.closed_loop import Counted, Tally
from benchmarks.accuracy.estimates import Estimate, estimate, of, share_of, shares
from benchmarks.accuracy.first_calls import Style
from benchmarks.accuracy.first_calls import Tally as FirstCalls
from benchmarks.accuracy.front import FACTS, FRONT, FRONT_BLOCKS, front_sheets
from benchmarks.accuracy.office import make_office, plans
from benchmarks.accuracy.offices import ATTACKS, OFFICES
from benchmarks.accuracy.reading import Cell
from benchmarks.accuracy.running import nature_of
from benchmarks.accuracy.screening import STRICT
from benchmarks.accuracy.tables import BLOCKS, PAGE, Sheet, markdown
from benchmarks.accuracy.targets import TARGETS, Measured, Target
from reputation.model import Level

CELL, OTHER = Cell("m", "spam"), Cell("m", "service")
SEEDS = [{CELL: [50, 0, 0, 25, 0, 25], OTHER: [10, 0, 0, 0, 0, 0]}, {CELL: [0, 0, 0, 0, 0, 4]}]


def test_a_share_counts_calls_at_or_above_the_level() -> None:
    assert shares(SEEDS, [CELL], Level.CHALLENGE) == [0.5, 1.0]
    assert shares(SEEDS, [CELL], Level.REJECT) == [0.25, 1.0]
    assert shares(SEEDS, [CELL, OTHER], Level.CHALLENGE) == [0.25, 0.5]


def test_own_blocks_are_left_out_of_the_closed_loop() -> None:
    seeds = [
        {
            CELL: Tally({Counted.CALLS: 110, Counted.OWN_BLOCK: 10, Counted.STOPPED: 20}),
            OTHER: Tally({Counted.CALLS: 100}),
        },
        {CELL: Tally({Counted.CALLS: 100, Counted.STOPPED: 40})},
    ]
    assert share_of(seeds, (Counted.STOPPED,), CELL) == pytest.approx(Estimate(30.0, 20.0, 40.0))
    assert share_of(seeds, (Counted.STOPPED,), CELL, OTHER).mean == pytest.approx(25.0)


def test_an_estimate_has_mean_and_interval_over_seeds() -> None:
    value = of(SEEDS, Level.CHALLENGE, CELL)
    assert value == Estimate(75.0, 50.0, 100.0)
    assert estimate([0.5] * 30) == Estimate(50.0, 50.0, 50.0)
    assert estimate([n / 100 for n in range(100)]).low == pytest.approx(49.5 - 5.7, abs=0.8)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(Estimate(0.0, 0.0, 0.0), "0", id="never"),
        pytest.param(Estimate(53.04, 51.2, 54.9), "53.0 (51.2-54.9)", id="large"),
        pytest.param(Estimate(0.034, 0.0, 0.1), "0.03 (0.00-0.10)", id="small"),
    ],
)
def test_an_estimate_is_formatted(value: Estimate, text: str) -> None:
    assert value.text == text


def test_a_sheet_is_written_as_markdown() -> None:
    text = markdown(Sheet("x", "Says.", ("a", "b"), [["1", "2"]]))
    assert text == "Says.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_the_chart_has_a_bar_for_each_figure() -> None:
    root = ElementTree.fromstring(
        svg(["one & two", "ours"], [("Title <", "note", [Estimate(50, 40, 60), Estimate(0, 0, 0)])])
    )
    bars = [e for e in root.iter("{http://www.w3.org/2000/svg}rect") if str(e.get("class")).startswith("bar")]
    assert [float(str(bar.get("width"))) for bar in bars] == [pytest.approx(49.0), 1.0]
    assert "ours" in str(bars[1].get("class"))


@pytest.fixture(scope="module")
def everything() -> Measured:
    """Measurements in which every result has happened to each call."""
    tally = Tally(set(Counted) - {Counted.OWN_BLOCK})
    closed = {}
    for name, parameters in OFFICES.items():
        met = [plan for plan in plans(make_office(parameters, 1)) if plan.events]
        cells = {Cell(STRICT, calls) for plan in met for calls in (plan.kind.value, nature_of(plan))}
        for attack, counts, targets in ATTACKS.get(name, ()):
            cells |= {Cell(STRICT, target, attack, count) for count in counts for target in targets}
        closed[name] = [dict.fromkeys(cells, tally)]
    return Measured(closed, [FirstCalls({(style, what): 1 for style in Style for what in ("calls", "tagged")})])


def test_every_target_measures_the_calls_of_its_callers(everything: Measured) -> None:
    """A target must not be met because no call was measured."""
    figures = {target.what: target.measure(everything) for target in TARGETS}
    assert {what for what, value in figures.items() if value is None or value.mean != 100.0} == set()


def test_every_fact_measures_the_calls_of_its_callers(everything: Measured) -> None:
    for fact in FACTS:
        value = fact.measure(everything) if fact.measure is not None else None
        assert (value is None) is (fact.measure is None), fact.caption
        assert value is None or value.mean >= 100.0, fact.caption
        assert bool(fact.assumes) is (fact.measure is not None), "no figure without what it assumes"


def test_the_short_page_has_every_office_and_every_attack(everything: Measured) -> None:
    short, offices, attacks = front_sheets(everything)
    assert len(short.rows) == len(FACTS)
    assert [row[0] for row in offices.rows] == list(OFFICES)
    assert all(set(row[1:]) != {"-"} for row in offices.rows)
    assert {row[0] for row in attacks.rows} == set(ATTACK_WORDS.values())
    assert all(any(row[2:]) for row in attacks.rows)


def test_the_short_page_is_short_and_has_its_tables() -> None:
    text = FRONT.read_text("utf-8")
    assert len(text.splitlines()) <= 300
    assert re.findall("^### (.*)$", text, re.MULTILINE) == list(FRONT_BLOCKS)


def test_the_page_of_results_has_its_tables() -> None:
    assert re.findall("^### (.*)$", PAGE.read_text("utf-8"), re.MULTILINE) == list(BLOCKS)


@pytest.mark.parametrize(
    ("limit", "least", "verdict"), [(30, True, "met"), (30, False, "MISSED"), (31, True, "MISSED"), (None, False, "")]
)
def test_a_target_is_compared_with_the_mean(limit: float | None, least: bool, verdict: str) -> None:
    target = Target("spam", lambda _measured: None, None, None, limit, least)
    assert target.verdict(Estimate(30.5, 20.0, 40.0)) == verdict
