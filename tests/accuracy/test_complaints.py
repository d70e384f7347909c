"""Feeds and blocks are measured by the model's own families, without the complaints of the test days."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from benchmarks.complaints import (
    COMPLAINTS,
    HOSPITALS,
    Complaint,
    Feed,
    instant_of,
    load_complaints,
    load_hospitals,
    main,
    measure,
    share,
    sheets_of,
)
from reputation.families.block import is_bad
from reputation.model import SignalCategory
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, DEFAULT

NOW = instant_of("2025-11-25")
MARKED_AND_HUNG_UP_ON = Standing(at=NOW, marks=3.0, hung_up=1.0, reporters=3, signals=((SignalCategory.HUNG_UP_ON, 1),))
EARLY, LATE = "le-2025-10-28", "2025-11-25"


def complaints(*numbers: str, published: str = EARLY) -> list[Complaint]:
    return [Complaint(f"+1201742{number}", published) for number in numbers]


def test_a_number_is_listed_from_a_number_of_complaints() -> None:
    earlier = complaints("1000", "1001", "1001", "1001")
    assert Feed(earlier, NOW).lists("+12017421000")
    assert not Feed(earlier, NOW).lists("+12017421002")
    assert not Feed(earlier, NOW, at_least=3).lists("+12017421000")
    assert Feed(earlier, NOW, at_least=3).lists("+12017421001")


@pytest.mark.parametrize(
    ("earlier", "number", "bad", "log_odds"),
    [
        pytest.param(["1001", "1002"], "1000", 2, 0.0, id="two"),
        pytest.param(["1001", "1002", "1003"], "1000", 3, 1.0, id="three"),
        pytest.param(["1000", "1001", "1002"], "1000", 2, 0.0, id="the-number-itself-is-left-out"),
        pytest.param(["1001"] * 5, "1000", 1, 0.0, id="one-number-five-times"),
        pytest.param(["1001", "1002", "1003", "1004", "1005"], "1999", 5, 1.5, id="five"),
        pytest.param(["1001", "1002", "1003"], "2000", 0, 0.0, id="another-block"),
    ],
)
def test_a_block_counts_distinct_other_numbers(earlier: list[str], number: str, bad: int, log_odds: float) -> None:
    feed = Feed(complaints(*earlier), NOW)
    assert feed.bad_neighbours(f"+1201742{number}") == bad
    assert feed.block_log_odds(f"+1201742{number}") == log_odds


@pytest.mark.parametrize(
    ("standing", "later", "bad"),
    [
        pytest.param(None, 0, False, id="nothing"),
        pytest.param(MARKED_AND_HUNG_UP_ON, 0, True, id="marks-and-behaviour"),
        pytest.param(MARKED_AND_HUNG_UP_ON, 61, False, id="long-ago"),
        pytest.param(Standing(at=NOW, marks=1.0, reporters=1), 0, False, id="one-mark"),
        pytest.param(
            Standing(at=NOW, one_ring=9.0, signals=((SignalCategory.ONE_RING, 9),)),
            0,
            False,
            id="a-burst-of-one-ring-calls",
        ),
    ],
)
def test_a_neighbour_is_bad_by_its_standing(standing: Standing | None, later: int, bad: bool) -> None:
    assert is_bad(standing, DEFAULT, NOW + later * DAY_SECONDS) is bad


def test_complaints_of_the_test_days_are_not_in_the_feed() -> None:
    known = complaints("1001", "1002", "1003", "5000")
    tested = complaints("1000", "5000", "9000", "9001", "9002", "9003", published=LATE)
    rows = {row[0]: row[1:] for row in measure([*known, *tested], ["+12017421500", "+12017429500"], [LATE])}
    assert rows["number with 1 complaint or more"] == ["16.7", "5.7", "0.0", "0", "6"]
    assert rows["block with 3 listed numbers or more"] == ["16.7", "31.1", "20.0", "1", "1"]


def test_a_share_of_no_numbers_is_a_dash() -> None:
    assert share([], lambda _number: True) == "-"


def test_data_files_are_read(tmp_path: Path) -> None:
    text = "seq,published,number\n0,le-2025-10-28,2017421000\n1,2025-11-24,2017421001\n2,2025-11-25,2017421002\n"
    (tmp_path / COMPLAINTS).write_bytes(gzip.compress(text.encode()))
    (tmp_path / HOSPITALS).write_text("number,city,state\n+12015550100,SPRINGFIELD,NJ\n", "utf-8")
    found = load_complaints(tmp_path / COMPLAINTS)
    assert found[0] == Complaint("+12017421000", "le-2025-10-28")
    hospitals = load_hospitals(tmp_path / HOSPITALS)
    assert hospitals == ["+12015550100"]
    last_day, last_fifth = sheets_of(found, hospitals)
    assert last_day.caption.startswith("The feed has 2 complaints. Tested on 1 later complaints of 2025-11-25")
    assert last_fifth.caption.startswith(
        "The feed has 1 complaints. Tested on 2 later complaints of 2025-11-24 to 2025-11-25"
    )


def test_missing_data_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["complaints", "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        main()
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path}: {COMPLAINTS}")
    assert said.count("\n") == 1
