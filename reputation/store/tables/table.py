"""What is declared of a table of the store, once: export, erasure, retention and the hub follow from it.

A number that is erased goes in two ways. Rows that are about it are removed: `numbers`, or the condition `about`. In
every other text column of every table it is masked, except in `OURS` and `own_numbers`: names of our people and lines
are about nobody who called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, NamedTuple

from reputation.columns import LOCAL, NAMED, ORIGIN, Key, Own, defaults_of, fields_of

DAY: Final = 86_400.0
FOR_EVER: Final = 36_500.0
# How long rows are kept, in days (docs/operations.md, "Personal data").
OUTCOME_DAYS: Final = 30
DECISION_DAYS: Final = 90
EVIDENCE_DAYS: Final = 365
AUDIT_DAYS: Final = 730  # longer than anything that a change leaves in force, such as an identity (12 months)

MOST_PAYLOAD: Final = 4000  # characters of JSON that a row has in the hub
MOST_POLICY: Final = 100_000

# Columns with names of our people, groups and lines, whatever the table.
_OURS: Final = """answered_by callee did endpoint extension grp human own_number person queue rang_by reporter rung
    trunk trunks user who"""
OURS: Final = frozenset(_OURS.split())
OF_A_DAY: Final = "day < CAST(? / 86400 AS INTEGER)"


class SharedWith(Enum):
    """Who is told of a row through the hub."""

    SHARED = "shared"  # every site of the organisation
    STATEMENT = "statement"  # what an administrator said: in force at the sites that follow this one ([hub] follow)
    PRIVATE = "private"  # a standby of the same site, and a central site
    STANDBY = "standby"  # a standby of the same site alone


class Kept(NamedTuple):
    """How long rows are kept.

    `past`: SQL that finds rows past their time, given the instant `days` ago. `table`: where they are removed from, if
    it is another table. `at_most`: days that no row outlives, where `past` looks at a date of the row's own.
    """

    days: float
    past: str = "at < ?"
    table: str = ""
    at_most: float = FOR_EVER


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """How rows of a table travel through the hub.

    What a record type says of its fields comes first, then what is said here (`Table.kind`). `name`, `days`, `number`
    and `is_folded` are those of the table.

    Attributes:
        number: The column that says what the row is about, empty if there is none.
        key: The other columns of its key. A date in a key travels in microseconds.
        at: Its date, a REAL; empty: none, and it is dated when it is sent.
        named: Columns that have the site's name before them elsewhere. The first is in every row and tells whose it is.
        shared: Other columns.
        own: Columns that stay with the site and its standby, and what stands there elsewhere; `{site}` is the site.
        allowed: Columns with a closed vocabulary.
        defaults: What a column holds where a row does not say, as one of an older CallSieve.
        numeric: Whether a column holds a number, else text; not of columns that the record type does not have.
        counts: SQL that holds for rows worth telling. Others of a standby's kinds are not replaced there, either.
        long_text: A column of several lines. A row with one has at most MOST_POLICY characters, others MOST_PAYLOAD.
    """

    scope: SharedWith
    name: str = ""
    days: float = FOR_EVER
    at: str = ""
    number: str | None = None
    key: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    own: Mapping[str, str] = field(default_factory=dict)
    allowed: Mapping[str, frozenset[Any]] = field(default_factory=dict)
    defaults: Mapping[str, str | int | float | None] = field(default_factory=dict)
    numeric: Mapping[str, bool] = field(default_factory=dict)
    counts: str = "1"
    is_folded: bool = False
    long_text: str = ""

    @property
    def most_characters(self) -> int:
        """Of its key, what it says and what stays with its site."""
        return MOST_POLICY if self.long_text else MOST_PAYLOAD

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them, each once."""
        all_of_them = (self.number, *self.key, *self.shared, *self.own, self.at)
        return tuple(dict.fromkeys(column for column in all_of_them if column))

    @property
    def is_dated(self) -> bool:
        """Whether the hub's date of a row is put into it: one that is the key stays."""
        return bool(self.at) and self.at not in self.key

    @property
    def is_evidence(self) -> bool:
        """Whether all sites share it as evidence about a number, which each site may have erased everywhere."""
        return self.scope is SharedWith.SHARED and bool(self.number)

    @property
    def is_private(self) -> bool:
        """Whether it goes to no other site than a central one."""
        return self.scope in (SharedWith.PRIVATE, SharedWith.STANDBY)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A table of the store.

    Attributes:
        label: What people call one row, and several.
        numbers: Columns with the phone number that a row is about. Export and erasure follow.
        own_numbers: Columns with a number of ours. Such rows are exported, and an erasure leaves them.
        verbatim: Text columns that an erasure leaves as they are; the reason stands beside them.
        about: SQL that finds the rows about `:number`, where columns do not tell.
        shown: What an export selects, where it is not the whole row.
        order: How an export is sorted.
        erase: What an erasure does, where it does not delete the rows.
        kept: How long rows are kept; None: until somebody removes them.
        row: The record type: its fields are the columns, and their marks say how they travel (reputation/columns.py).
        shared: How the hub has the rows, or who is told of them; None: they stay here.
        is_folded: Whether the reputation of a number is a fold over these rows.
    """

    name: str
    label: tuple[str, str] = ("", "")
    numbers: tuple[str, ...] = ()
    own_numbers: tuple[str, ...] = ()
    verbatim: tuple[str, ...] = ()
    about: str = ""
    shown: str = ""
    order: str = ""
    erase: str = ""
    kept: Kept | None = None
    row: type | None = None
    shared: Kind | SharedWith | None = None
    is_folded: bool = False

    @property
    def kind(self) -> Kind | None:
        """How the hub has the rows, with what follows from the record type."""
        if self.shared is None:
            return None
        told = Kind(scope=self.shared) if isinstance(self.shared, SharedWith) else self.shared
        number = (*self.numbers, *self.own_numbers, "")[0] if told.number is None else told.number
        fields = [one for one in fields_of(self.row) if LOCAL not in one.marks] if self.row else []
        at = told.at or next((one.column for one in fields if one.column == "at"), "")
        keys = sorted((one.mark(Key).place, one.column) for one in fields if one.mark(Key))
        own = {one.column: one.mark(Own).elsewhere for one in fields if one.mark(Own)}
        known = {number, at, *own, *(column for _, column in keys)}
        return replace(
            told,
            name=self.name,
            days=self.days,
            number=number,
            at=at,
            key=(*(column for _, column in keys), *told.key),
            named=told.named or tuple(one.column for mark in (ORIGIN, NAMED) for one in fields if mark in one.marks),
            shared=(*(one.column for one in fields if one.column not in known), *told.shared),
            own=own,
            allowed=told.allowed
            or {one.column: one.words for one in fields if one.words and told.scope is not SharedWith.STANDBY},
            defaults=defaults_of(self.row) if self.row else {},
            numeric={one.column: one.is_number for one in fields},
            is_folded=self.is_folded,
        )

    @property
    def is_erased(self) -> bool:
        """Whether an erasure removes rows about the number."""
        return bool(self.numbers or self.about)

    @property
    def where(self) -> str:
        """SQL that finds the rows about `:number`; empty where no row is about a number."""
        columns = (*self.numbers, *self.own_numbers)
        return self.about or " OR ".join(f"{self.name}.{column} = :number" for column in columns)

    @property
    def export_sql(self) -> str:
        """The query of all rows about `:number`."""
        shown = self.shown or f"SELECT {self.name}.* FROM {self.name}"
        return f"{shown} WHERE {self.where}" + (f" ORDER BY {self.order}" if self.order else "")

    @property
    def erase_sql(self) -> str:
        """The statement that removes all rows about `:number`."""
        return self.erase or f"DELETE FROM {self.name} WHERE {self.where}"

    @property
    def expire_sql(self) -> str:
        """The statement that removes rows past their time, with their numbers where reputations follow from them."""
        assert self.kept is not None
        table = self.kept.table or self.name
        return f"DELETE FROM {table} WHERE {self.kept.past}" + (" RETURNING number" if self.is_folded else "")

    @property
    def days(self) -> float:
        """How many days a row may live."""
        if self.kept is None or self.kept.table:
            return FOR_EVER
        return self.kept.days or self.kept.at_most
