"""What a numbering plan says of a range of numbers: what it is for, since when, and who says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from reputation.encoding import HIDDEN, told


class Purpose(StrEnum):
    """What the numbers of a range are for."""

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
# What speaks against a caller by itself. Other ranges are named where nothing else does; whoever shows a bank's number
# may be anybody.
AGAINST_CALLERS = frozenset({Purpose.TELEMARKETING, Purpose.UNALLOCATED, Purpose.DO_NOT_ORIGINATE})


@dataclass(frozen=True, slots=True)
class PlanSource:
    """A page that was read, on that day, and that says what the rows say which name it.

    Attributes:
        name: The name.
        title: The title.
        url: The address that it is taken from.
        read: The day on which the source was read.
    """

    name: str
    title: str
    url: str
    read: date


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A range of numbers. It holds from the first day to the last, both included, in UTC.

    Attributes:
        country: The country, as two letters.
        prefix: What its numbers begin with.
        purpose: What it is for.
        digits: How many digits its numbers have after the calling code; empty for any.
        source: Who says so, null for nobody.
        valid_from: The first day, null for always.
        valid_until: The last day, null for no end.
        is_evidence: A source says so, and it counts.
        law: What forbids that its calls are blocked, null for nothing.
        note: What else is to be said of it.
        is_own: It is an administrator's row.
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
        """The first instant at which it holds, UTC seconds."""
        return -float("inf") if self.valid_from is None else _midnight(self.valid_from)

    @property
    def ends_at(self) -> float:
        """The first instant at which it holds no more, UTC seconds."""
        return float("inf") if self.valid_until is None else _midnight(self.valid_until + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class PlanFile:
    """The plan of a country, or an administrator's rows beside it.

    Attributes:
        country: The country, as two letters.
        calling_code: Its calling code.
        read: When it was last looked through.
        adds: Whether these are an administrator's rows beside the plan.
        unverified: What no page could be read about.
    """

    country: str
    calling_code: int
    read: date
    sources: Annotated[tuple[PlanSource, ...], HIDDEN]
    rows: Annotated[tuple[PlanRow, ...], HIDDEN]
    adds: bool = False
    unverified: tuple[str, ...] = ()

    @property
    @told
    def ranges(self) -> int:
        """How many ranges it has."""
        return len(self.rows)

    @property
    @told
    def evidence(self) -> int:
        """How many of its ranges have a source that counts."""
        return sum(row.is_evidence for row in self.rows)


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


# The look-up: which row of the plans a number lies in.
#
#     NumberPlan(files).row_of("+33162123456", now) -> PlanRow or None
#
# The longest prefix wins; of equal ones an administrator's. A number is tried with each length that a prefix of its
# country has: at most a dozen look-ups in a dict, about 0.5 us.

_FIRST = 3  # `+44`: no prefix is shorter; the lengths are kept for each such beginning

# Begins at, ends at, how long numbers are (empty: any), and the row.
_Entry = tuple[float, float, frozenset[int], PlanRow]


class NumberPlan:
    """The rows of all countries. Immutable: another file makes another plan."""

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
            prefix: tuple(sorted(found, key=lambda one: (not one[3].is_own, not one[2])))
            for prefix, found in entries.items()
        }
        self._lengths: Mapping[str, tuple[int, ...]] = {
            first: tuple(sorted({len(prefix) for prefix in entries if prefix.startswith(first)}, reverse=True))
            for first in {prefix[:_FIRST] for prefix in entries}
        }

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def row_of(self, number: str, at: float) -> PlanRow | None:
        """The row that the number lies in at that instant (UTC seconds); None where the plans say nothing of it."""
        entries = self._entries
        for length in self._lengths.get(number[:_FIRST], ()):
            for begins_at, ends_at, lengths, row in entries.get(number[:length], ()):
                if begins_at <= at < ends_at and (not lengths or len(number) in lengths):
                    return row
        return None


NO_PLAN = NumberPlan()
