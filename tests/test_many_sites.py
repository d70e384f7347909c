"""What docs/how-to/many-pbxs.md says of many sites follows from what docs/performance.md says was measured."""

from __future__ import annotations

from benchmarks.hub import Costs, calculated, costs_in
from tests.office import ROOT


def test_the_page_has_what_is_calculated() -> None:
    costs = costs_in((ROOT / "docs/performance.md").read_text())
    assert calculated(costs) in (ROOT / "docs/how-to/many-pbxs.md").read_text()  # python -m benchmarks.hub


def test_the_arithmetic() -> None:
    costs = Costs(push_us=60, push_server_us=10, pull_us=150, pull_server_us=5, hub_bytes=400, store_bytes=400)
    # 10 rows a second of each of 10 sites: 100 are pushed, and nine times as many pulled.
    line = calculated(costs, rows_a_day=864_000).splitlines()[2]
    assert line == "| 10 | 8,640,000 | 0.0055 | 0.014 | 1,261 GB | 1,261 GB |"
