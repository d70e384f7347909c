"""The rows of a numbering plan. A row has a range of numbers, its purpose, its days in force, and its source."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from reputation.encoding import HIDDEN, encoded


class Purpose(StrEnum):
    """The purpose of the numbers of a range."""

    TELEMARKETING = "telemarketing"  # calls that offer something, by rule or by order
    CALL_CENTRE = "call-centre"  # call centres and automatic dialling in general
    BANK = "bank"  # banks, insurers, stockbrokers
    GOVERNMENT = "government"
    SERVICE = "service"  # a company's or a network's service line
    PREMIUM = "premium"
    PERSONAL = "personal"  # follows a person; costs more to call back than it looks
    VOIP = "voip"
    MACHINE = "machine"  # machines among themselves
    UNALLOCATED = "unallocated"  # nobody has such a number
    DO_NOT_ORIGINATE = "do-not-originate"  # is called and never calls


# Nobody can have such a number, whatever its length says.
NOBODYS = frozenset({Purpose.UNALLOCATED})
# Purposes that count against a caller. Other ranges are shown if nothing else is known. A bank's number may be forged.
NEVER_CALL = frozenset({Purpose.UNALLOCATED, Purpose.DO_NOT_ORIGINATE})
AGAINST_CALLERS = NEVER_CALL | {Purpose.TELEMARKETING}


@dataclass(frozen=True, slots=True)
class PlanSource:
    """A page on which rows of the plan are based.

    Attributes:
        name: The short name, to which rows refer.
        title: The title of the page.
        url: The address of the page.
        read: The day on which we read the page.
    """

    name: str
    title: str
    url: str
    read: date


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A range of numbers with its purpose. The row is in force from the first to the last day, both included, in UTC.

    Attributes:
        country: The country, as two letters.
        prefix: The beginning of the numbers of the range.
        purpose: The purpose of the range.
        digits: How many digits its numbers have after the calling code; empty for any.
        source: The name of the source, null for none.
        valid_from: The first day, null for always.
        valid_until: The last day, null for no end.
        is_evidence: Whether the row has a source and is used as evidence.
        law: The law that forbids blocking calls from the range, or null.
        note: A remark.
        is_own: Whether an administrator added the row.
    """

    country: str
    prefix: str
    purpose: Purpose
    digits: frozenset[int] = frozenset()
    source: PlanSource | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    is_evidence: bool = False
    law: PlanSource | None = None
    note: str = ""
    is_own: bool = False

    @property
    def begins_at(self) -> float:
        """When the row comes into force, in UTC seconds."""
        return -float("inf") if self.valid_from is None else _midnight(self.valid_from)

    @property
    def ends_at(self) -> float:
        """When the row stops being in force, in UTC seconds."""
        return float("inf") if self.valid_until is None else _midnight(self.valid_until + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class PlanFile:
    """The numbering plan of a country, or an administrator's additional rows.

    Attributes:
        country: The country, as two letters.
        calling_code: The calling code of the country.
        read: The day of the last review of the plan.
        adds: Whether these are an administrator's additional rows.
        unverified: Open questions that no source has answered.
    """

    country: str
    calling_code: int
    read: date
    sources: Annotated[tuple[PlanSource, ...], HIDDEN]
    rows: Annotated[tuple[PlanRow, ...], HIDDEN]
    adds: bool = False
    unverified: tuple[str, ...] = ()

    @property
    @encoded
    def ranges(self) -> int:
        """How many ranges the plan has."""
        return len(self.rows)

    @property
    @encoded
    def evidence(self) -> int:
        """How many ranges of the plan are used as evidence, because they have a source."""
        return sum(row.is_evidence for row in self.rows)


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


# The look-up of the row of a number.
#
#     NumberPlan(files).row_of("+33162123456", now) -> PlanRow or None
#
# The longest prefix wins; of equal ones an administrator's. A number is tried with each length that a prefix of its
# country has: at most a dozen look-ups in a dict, about 0.5 us.

_FIRST = 3  # `+44`: no prefix is shorter; the lengths are kept for each such beginning

# Begins at, ends at, how long numbers are (empty: any), and the row.
_Entry = tuple[float, float, frozenset[int], PlanRow]


class NumberPlan:
    """The numbering plan rows of all countries. It is immutable: to load another file, make a new NumberPlan."""

    def __init__(self, files: Iterable[PlanFile] = ()) -> None:
        self.files: tuple[PlanFile, ...] = tuple(files)
        entries: dict[str, list[_Entry]] = {}
        for file in self.files:
            behind_plus = 1 + len(str(file.calling_code))
            for row in file.rows:
                lengths = frozenset(behind_plus + digits for digits in row.digits)
                entries.setdefault(row.prefix, []).append((row.begins_at, row.ends_at, lengths, row))
        self._entries: Mapping[str, tuple[_Entry, ...]] = {
            # Own rows first; then those that name a length before those that take any.
            prefix: tuple(sorted(rows, key=lambda row: (not row[3].is_own, not row[2])))
            for prefix, rows in entries.items()
        }
        self._lengths: Mapping[str, tuple[int, ...]] = {
            first: tuple(sorted({len(prefix) for prefix in entries if prefix.startswith(first)}, reverse=True))
            for first in {prefix[:_FIRST] for prefix in entries}
        }

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def row_of(self, number: str, at: float) -> PlanRow | None:
        """Return the row that covers the number at the instant `at` (UTC seconds), or None."""
        entries = self._entries
        for length in self._lengths.get(number[:_FIRST], ()):
            for begins_at, ends_at, lengths, row in entries.get(number[:length], ()):
                if begins_at <= at < ends_at and (not lengths or len(number) in lengths):
                    return row
        return None


NO_PLAN = NumberPlan()
