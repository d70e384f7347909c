"""The figures of MANY-SITES.md follow from the measurements in PERFORMANCE.md."""

from __future__ import annotations

import pytest

from benchmarks.hub import Costs, cost_tables, costs_in, wakeups_per_second
from tests.office import ROOT


def test_many_sites_page_holds_the_calculated_tables() -> None:
    costs = costs_in((ROOT / "benchmarks/PERFORMANCE.md").read_text())
    assert cost_tables(costs) in (ROOT / "benchmarks/MANY-SITES.md").read_text()  # python -m benchmarks.hub


def test_cost_table_adds_up() -> None:
    costs = Costs(
        push_us=60, push_server_us=10, pull_us=150, pull_server_us=5, hub_bytes=400, store_bytes=400,
        idle_server=0.001, wake_ms=0.3,
    )  # fmt: skip
    # 10 rows a second of each of 10 sites: 100 are pushed, and nine times as many pulled (0.0055 cores). Ten sites are
    # woken every 0.75 s (0.004) and are there (0.01).
    line = cost_tables(costs, rows_a_day=864_000).splitlines()[2]
    assert line == "| 10 | 8,640,000 | 0.019 | 0.014 | 1,261 GB | 1,261 GB |"


@pytest.mark.parametrize(("rate", "wakes"), [(0.001, 0.001), (1, 0.818), (4, 1.309), (20, 1.333)])
def test_row_wakes_a_site_unless_just_woken(rate: float, wakes: float) -> None:
    assert wakeups_per_second(rate) == pytest.approx(wakes, rel=0.01)
