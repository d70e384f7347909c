"""`python -m benchmarks.complaints [--data DIR] [--write]`: measure how well feeds and blocks predict later complaints.

The benchmark reads two public files (benchmarks/accuracy/RESULTS.md): complaints about US callers in order of
publication, and the main numbers of US hospitals. Earlier complaints are used as the feed. The numbers of later
complaints, and the hospitals, are the callers. The model's own families of evidence decide: feeds, and blocks of 1000
numbers.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks.accuracy.tables import BLOCKS, PAGE, Sheet, markdown, terminal_table
from benchmarks.tables import write_page
from reputation.families.block import LISTED, block_of
from reputation.families.feeds import feeds_of
from reputation.model import Imported
from reputation.weights import DEFAULT

ROOT = Path(__file__).parents[1]
COMPLAINTS, HOSPITALS = "us_complaints_2025_train.csv.gz", "us_hospital_main_numbers_train.csv"
SOURCE = "complaints"


class Complaint(NamedTuple):
    """A complaint and its day of publication.

    For many early complaints only the latest possible day is known (`le-...`).
    """

    number: str
    published: str


class Feed:
    """A feed of all numbers that have at least `at_least` complaints.

    It is also evidence against the blocks of these numbers.
    """

    def __init__(self, earlier: Iterable[Complaint], now: float, at_least: int = 1) -> None:
        counts = Counter(complaint.number for complaint in earlier)
        row = Imported(SOURCE, "spam", imported_at=now)
        self._rows = {number: (row,) for number, count in counts.items() if count >= at_least}
        self._blocks: defaultdict[str, list[str]] = defaultdict(list)
        for number in self._rows:
            self._blocks[number[:-3]].append(number)

    def lists(self, number: str) -> bool:
        """Return whether the feed is evidence against the number."""
        family = feeds_of(self._rows.get(number, ()), DEFAULT.feeds)
        return family is not None and family.log_odds > 0

    def bad_neighbours(self, number: str) -> int:
        """Return how many other numbers in the number's block the feed lists.

        The model uses neighbours only for numbers that the feed does not list.
        """
        return sum(block != number for block in self._blocks[number[:-3]])

    def block_log_odds(self, number: str) -> float:
        """Return the log-odds that the block of the number contributes."""
        family = block_of(LISTED, self.bad_neighbours(number), DEFAULT.block)
        return family.log_odds if family else 0.0


Evidence = Mapping[str, Callable[[str], bool]]
# Figures from the design of the model: % of the last day's complaints, and hospitals out of 2,390.
EXPECTED = {
    "number with 1 complaint or more": ("5.7", "6"),
    "block with some": ("31.1", "1"),
    "block with many": ("23.5", "0"),
}


def evidence_of(earlier: Sequence[Complaint], now: float) -> Evidence:
    """Return, by kind of evidence, a function that says whether this evidence speaks against a number."""
    feed, thrice = Feed(earlier, now), Feed(earlier, now, at_least=3)
    some, many = DEFAULT.block.some_weight, DEFAULT.block.many_weight
    return {
        "number with 1 complaint or more": feed.lists,
        "number with 3 complaints or more": thrice.lists,
        "block with some": lambda number: feed.block_log_odds(number) >= some,
        "block with many": lambda number: feed.block_log_odds(number) >= many,
        "number with 1 complaint or more, or block with some": lambda number: (
            feed.lists(number) or feed.block_log_odds(number) >= some
        ),
    }


def name_of(kind: str) -> str:
    """Return the name of a kind of evidence, with its limits in place of `some` and `many`."""
    block = DEFAULT.block
    return kind.replace("some", f"{block.some} listed numbers or more").replace(
        "many", f"{block.many} listed numbers or more"
    )


def measure(complaints: Sequence[Complaint], hospitals: Sequence[str], later: Sequence[str]) -> list[list[str]]:
    """Return the rows of the table. `later`: the days whose complaints are predicted from all other complaints."""
    earlier = [complaint for complaint in complaints if complaint.published not in later]
    tested = [complaint.number for complaint in complaints if complaint.published in later]
    known = {complaint.number for complaint in earlier}
    unseen = [number for number in tested if number not in known]
    rows = []
    for kind, speaks in evidence_of(earlier, instant_of(later[0])).items():
        expected = EXPECTED.get(kind, ("", "")) if len(later) == 1 else ("", "")
        hits = sum(map(speaks, hospitals))
        rows.append([name_of(kind), share(tested, speaks), expected[0], share(unseen, speaks), str(hits), expected[1]])
    return rows


def share(numbers: Sequence[str], speaks: Callable[[str], bool]) -> str:
    """Return the share of numbers for which `speaks` returns True, in percent; `-` without numbers."""
    return f"{100 * sum(map(speaks, numbers)) / len(numbers):.1f}" if numbers else "-"


def sheets_of(complaints: Sequence[Complaint], hospitals: Sequence[str]) -> list[Sheet]:
    """Return a table for the last day of publication, and a table for all days that are known."""
    days = sorted({complaint.published for complaint in complaints if not complaint.published.startswith("le-")})
    sheets = []
    for name, later in (("complaints of the last day", days[-1:]), ("complaints of the last fifth", days)):
        tested = sum(complaint.published in later for complaint in complaints)
        when = later[0] if len(later) == 1 else f"{later[0]} to {later[-1]}"
        caption = (
            f"The feed has {len(complaints) - tested:,} complaints. Tested on {tested:,} later complaints of {when} (% "
            f"of them found) and on {len(hospitals):,} hospitals (number of them wrongly found)."
        )
        headings = (
            "evidence",
            "later complaints found, in %",
            "expected by the design, in %",
            "found if the number had no complaint before, in %",
            "hospitals found",
            "hospitals expected by the design",
        )
        sheets.append(Sheet(name, caption, headings, measure(complaints, hospitals, later)))
    return sheets


def load_complaints(path: Path) -> list[Complaint]:
    """Read rows `seq,published,number` in order of publication. Numbers have ten digits."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [Complaint(f"+1{row['number']}", row["published"]) for row in csv.DictReader(file)]


def load_hospitals(path: Path) -> list[str]:
    """Read rows `number,city,state` with E.164 numbers."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row["number"] for row in csv.DictReader(file)]


def instant_of(day: str) -> float:
    """Return when a day such as `2025-11-25` begins, in UTC seconds."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.complaints", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=ROOT.parent / "shared" / "data",
        metavar="DIR",
        help="directory of the two public files",
    )
    parser.add_argument("--write", action="store_true", help="write the tables into benchmarks/accuracy/RESULTS.md")
    arguments = parser.parse_args()
    try:
        complaints = load_complaints(arguments.data / COMPLAINTS)
        hospitals = load_hospitals(arguments.data / HOSPITALS)
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        print(f"{arguments.data}: {COMPLAINTS} and {HOSPITALS} cannot be read: {error!r}", file=sys.stderr)
        sys.exit(2)
    sheets = sheets_of(complaints, hospitals)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    for sheet in sheets:
        console.print(terminal_table(sheet))
    if arguments.write:
        write_page(PAGE, {sheet.name: markdown(sheet) for sheet in sheets}, BLOCKS)


if __name__ == "__main__":
    main()
