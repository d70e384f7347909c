"""Several simulated sites: what a lying one adds, and that a number's calls at all of them share one clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.accuracy.closed_loop import Counted, Tally
from benchmarks.accuracy.parameters import DAY_SECONDS, STANDARD, START
from benchmarks.accuracy.reading import Cell
from benchmarks.accuracy.sites import (
    ALONE,
    SHARED,
    Gang,
    LyingSite,
    Measured,
    Warned,
    _attack,
    _offices,
    collusion_sheet,
    warned_sheet,
)
from reputation.fold import with_other_sites
from reputation.weights import DEFAULT

SMALL = replace(STANDARD, users=20, groups=4)


@pytest.mark.parametrize("people", [2, 5, 50, 500])
def test_invented_people_add_nothing_to_a_lying_site(people: int) -> None:
    liar = LyingSite(people, START, DEFAULT)
    assert liar.standing_at(START - 1) is None
    said, later = liar.standing_at(START + 10), liar.standing_at(START + DAY_SECONDS + 10)
    assert said is not None
    assert later is not None
    share = with_other_sites(None, [(said, 1.0)], DEFAULT)
    assert share is not None
    assert (share.reporters, len(share.witnessed), round(share.marks, 2)) == (1, 1, 0.7)
    assert later.at == said.at + DAY_SECONDS


def test_a_gang_at_other_sites_raises_warnings_here() -> None:
    """Each of four other sites is one witness. Without an attack nothing changes."""
    offices = _offices(SMALL, 1)
    quiet, loud = (
        _attack(offices, "new person", 0, gang, DEFAULT) for gang in (Gang("nobody"), Gang("at others", 0, 5))
    )
    assert quiet[Counted.CALLS] > 20
    assert quiet[Counted.WARNED] < loud[Counted.WARNED]
    assert loud[Counted.REJECTED] == 0


def test_the_tables_of_sites_have_their_figures() -> None:
    cell = Cell("the standard office", "new person", "nobody")
    found = Measured(
        {cell: Tally({Counted.CALLS: 10, Counted.WARNED: 1, Counted.PLAIN: 9})},
        {},
        {("the standard office", ALONE): [Warned(4, 2, 60.0), Warned(3, 3, None)]},
    )
    (row,) = collusion_sheet([found]).rows
    assert row[:2] == ["site of 200 people; attackers: nobody", "10.0 (10.0-10.0) / 0"]
    rows = {row[0]: row for row in warned_sheet([found]).rows}
    assert rows[f"site of 200 people: {ALONE}"][1:] == ["2", "0", "50.0 (50.0-50.0)", "2.0", "1.0", "71.4"]
    assert rows[f"site of 200 people: {SHARED}"][1] == "0"
