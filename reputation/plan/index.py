"""The look-up: which row of the plans a number lies in.

    NumberPlan(files).row_of("+33162123456", now) -> PlanRow or None

The longest prefix wins; of equal ones an administrator's. A number is tried with each length that a prefix of its
country has: at most a dozen look-ups in a dict, about 0.5 us.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reputation.plan.rows import PlanFile, PlanRow

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
