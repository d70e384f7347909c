"""Feeds: the files they come as, and from their rows to what the store takes. How a feed is, is in feed_health.py.

| format         | known by                                   | read as                                   |
|----------------|--------------------------------------------|-------------------------------------------|
| FTC complaints | a column Company_Phone_Number              | US numbers; complaints are added up       |
| CSV            | a column number                            | number[,category][,name][,note][,verdict] |
| list           | a first line that is a number or a comment | a number a line, `#` before comments      |

`verdict` is what our own export says of each row, so that a list which speaks for numbers is never taken for one
against them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum
from functools import lru_cache

from callsieve.imports.rows import NUMBER_COLUMNS, number_row
from callsieve.text.csv_table import CsvTable
from reputation.store.imports import ImportedRow

CSV_COLUMNS = (*NUMBER_COLUMNS, "verdict")
FTC_COLUMNS = ("company_phone_number", "created_date", "subject", "recorded_message_or_robocall")
BARE_NUMBER = re.compile(r"\s*\(?\+?[0-9][0-9 ().+/-]*(#.*)?")

# What a complaint was about (the FTC's "Do Not Call Reported Calls", as they are published daily) -> the words that
# labels and policies know. Known by what stands before the first comma, ampersand or bracket. What says nothing of the
# caller ("Other", "Dropped call or no message") is in no category.
CATEGORY_BY_SUBJECT = {
    "calls pretending to be government": "scam",
    "computer": "scam",  # & technical support
    "lotteries": "scam",  # prizes & sweepstakes
    "work from home": "scam",  # & other ways to make money
    "charities": "telemarketing",
    "debt collection": "telemarketing",
    "energy": "telemarketing",  # solar & utilities
    "home improvement": "telemarketing",  # & cleaning
    "home security": "telemarketing",  # & alarms
    "medical": "telemarketing",  # & prescriptions
    "reducing your debt": "telemarketing",  # (credit cards, mortgage, student loans)
    "vacation": "telemarketing",  # & timeshares
    "warranties": "telemarketing",  # & protection plans
}
# The North American plan: an area code, an exchange, a line. 555 and N11 are nobody's.
_US_NUMBER = re.compile(r"(?:\+?1)?((?!.11|555)[2-9][0-9]{2}(?!.11|555)[2-9][0-9]{6})", re.ASCII)
_SEPARATORS = str.maketrans("", "", " .()-")
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])", re.ASCII)


class Format(StrEnum):
    """What the file of a feed is."""

    FTC = "FTC complaints"
    CSV = "CSV"
    LIST = "a list"


def format_of(table: CsvTable) -> Format:
    """What the table is, whose columns are known by now."""
    if table.is_bare:
        return Format.LIST
    return Format.FTC if table.columns[0] == FTC_COLUMNS[0] else Format.CSV


def feed_rows(table: CsvTable, region: str, verdict: str) -> Iterator[ImportedRow]:
    """The rows of a feed of any format. What cannot be used is refused with a reason."""
    return complaints_in(table) if format_of(table) is Format.FTC else _numbers_in(table, region, verdict)


def _numbers_in(table: CsvTable, region: str, verdict: str) -> Iterator[ImportedRow]:
    for number, category, name, note, said in table:
        if said and said.lower() != verdict:
            table.refuse(f"has the verdict {said[:20]!r}, and the import has --verdict {verdict}")
        elif row := number_row(table, region, number, category, name, note):
            yield row


def complaints_in(table: CsvTable) -> Iterator[ImportedRow]:
    """A row for each complaint, for `merged_complaints`: number, category, "Y" for a recording or robot, its day."""
    for raw, created, subject, robocall in table:
        number = us_number(raw)
        if number is None:
            table.refuse(f"{raw[:40]!r} is no US telephone number" if raw else "has no number")
        else:
            yield number, category_of(subject), "Y" if robocall[:1] in ("Y", "y") else None, _day_of(created)


def us_number(raw: str) -> str | None:
    """E.164 of a US number; None for what can be nobody's: too short, 555-xxxx, the same digit all over."""
    found = _US_NUMBER.fullmatch(raw.translate(_SEPARATORS))
    return None if found is None or len(set(found[1])) == 1 else f"+1{found[1]}"


@lru_cache(maxsize=1024)
def category_of(subject: str) -> str | None:
    """The word for what a complaint was about; None when that says nothing of the caller."""
    return CATEGORY_BY_SUBJECT.get(" ".join(re.split("[,&(]", subject, maxsplit=1)[0].lower().split()))


def merged_complaints(complaints: Iterable[ImportedRow]) -> ImportedRow:
    """All complaints about a number as one row: what most were about, how many there are and how recent."""
    count = robocalls = 0
    latest, number = "", ""
    categories: Counter[str] = Counter()
    for complaint in complaints:
        number, category, robocall, day = complaint
        count += 1
        robocalls += robocall is not None
        latest = max(latest, day or "")
        if category:
            categories[category] += 1
    return number, _category(categories, robocalls, count), None, _note(count, robocalls, latest)


def _category(categories: Counter[str], robocalls: int, count: int) -> str | None:
    if categories:
        return categories.most_common(1)[0][0]
    return "robocall" if 2 * robocalls >= count else None


def _note(count: int, robocalls: int, latest: str) -> str:
    if count == 1:
        return f"1 complaint{' about a robocall' if robocalls else ''}{f', {latest}' if latest else ''}"
    about = f", {robocalls:,} about robocalls" if robocalls else ""
    return f"{count:,} complaints{about}{f', the latest {latest}' if latest else ''}"


@lru_cache(maxsize=1024)
def _day_of(created: str) -> str | None:
    """`2025-09-29` of `2025-09-29 23:59:56`, when that is a day of the calendar."""
    found = _DAY.match(created)
    try:
        return date.fromisoformat(found[1]).isoformat() if found else None
    except ValueError:
        return None
