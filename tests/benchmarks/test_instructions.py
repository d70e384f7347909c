"""The committed baseline of `make bench-quick`, and when a figure has grown too much."""

from __future__ import annotations

import json

import pytest

from benchmarks.instructions import BASELINE, COUNTS, WORDS, has_grown, name_of_build


def test_the_baseline_of_each_build_has_every_figure() -> None:
    for build, figures in json.loads(BASELINE.read_text()).items():
        assert build.startswith("Python 3.")
        assert COUNTS.keys() <= figures.keys() <= WORDS.keys()
        assert all(figure > 0 for figure in figures.values())


@pytest.mark.parametrize(
    ("now", "before", "grown"),
    [
        pytest.param(1000, 1000, False, id="the-same"),
        pytest.param(1099, 1000, False, id="within-a-tenth"),
        pytest.param(1101, 1000, True, id="more"),
        pytest.param(500, 1000, False, id="less"),
        pytest.param(9999, None, False, id="a-build-without-baseline"),
    ],
)
def test_growth_by_more_than_a_tenth_is_reported(now: int, before: int | None, grown: bool) -> None:
    assert has_grown(now, before) is grown


def test_the_build_name_has_version_machine_and_options() -> None:
    version, machine, *how = name_of_build().split(", ")
    assert version.count(".") == 1
    assert machine
    assert len(how) >= 2
