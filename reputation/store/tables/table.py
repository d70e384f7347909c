"""The definition of a table, from which export, erasure, retention and sharing through the hub are derived.

An erasure deletes the rows about a number, which `numbers` or the condition `about` find. In the other text columns of
all tables the number is masked. Columns in `OURS` and `own_numbers` are not masked: they do not name callers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, NamedTuple

from reputation.columns import LOCAL, NAMED, ORIGIN, Key, Own, defaults_of, fields_of

DAY: Final = 86_400.0
FOR_EVER: Final = 36_500.0
# How long rows are kept, in days (docs/reference/privacy.md).
TRANSCRIPT_DAYS: Final = 7
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
    """Which other sites and PBXs receive the rows of a table through the hub."""

    SHARED = "shared"  # every site of the organisation
    STATEMENT = "statement"  # an administrator's entry: in force at the sites that follow this one ([hub] follow)
    PRIVATE = "private"  # a standby of the same site, and a central console
    STANDBY = "standby"  # a standby of the same site alone


class Kept(NamedTuple):
    """How long rows of a table are kept.

    `past`: SQL for expired rows; its parameter is the instant `days` ago. `table`: the table from which these rows are
    deleted; empty for the table itself. `at_most`: the longest retention in days of rows with their own expiry date.
    """

    days: float
    past: str = "at < ?"
    table: str = ""
    at_most: float = FOR_EVER


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """How rows of a table are sent through the hub.

    `Table.kind` completes a declaration from the annotations of the record type. `name`, `days`, `number` and
    `is_folded` are copied from the table.

    Attributes:
        number: The column with the number or name that the row is about, or empty.
        key: The other columns of the primary key. A date in a key is sent in microseconds.
        at: The column with the row's date, a REAL. Rows without this column are dated when they are sent.
        named: Columns to which other sites add this site's name. The first column, never empty, shows the row's site.
        shared: Other columns that all receivers of the row get.
        own: Columns that only a standby or central console gets, and the values elsewhere; `{site}` is the site's name.
        allowed: The allowed values of columns that have a fixed set of values.
        defaults: Values of columns that are missing in rows from an older CallSieve.
        counts: SQL condition for rows that are sent. At a standby, a sent row never replaces a row that fails it.
        long_text: A column of several lines. Rows with it have at most MOST_POLICY characters, others MOST_PAYLOAD.
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
        """How many characters the columns of a row that is sent may have together."""
        return MOST_POLICY if self.long_text else MOST_PAYLOAD

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of a row that is sent, without duplicates."""
        all_of_them = (self.number, *self.key, *self.shared, *self.own, self.at)
        return tuple(dict.fromkeys(column for column in all_of_them if column))

    @property
    def is_dated(self) -> bool:
        """Whether the row gets the date that the hub has for it. A date that is part of the key is not changed."""
        return bool(self.at) and self.at not in self.key

    @property
    def is_evidence(self) -> bool:
        """Whether the rows are evidence about numbers, for all sites. Each site may erase such rows at all sites."""
        return self.scope is SharedWith.SHARED and bool(self.number)

    @property
    def is_private(self) -> bool:
        """Whether no other site except a central console receives the rows."""
        return self.scope in (SharedWith.PRIVATE, SharedWith.STANDBY)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A table of the store.

    Attributes:
        label: The singular and plural word for its rows.
        numbers: Columns with the phone number that a row is about. Export and erasure use these columns.
        own_numbers: Columns with an own number. Export includes these rows, and an erasure keeps them.
        verbatim: Text columns that an erasure does not mask. A comment at the table gives the reason.
        about: SQL condition for the rows about `:number`, if the columns do not suffice.
        shown: The query of an export, if it does not return all columns.
        erase: The SQL statement of an erasure, if it is not a plain DELETE.
        kept: How long rows are kept; None: until somebody removes them.
        row: The record type. Its fields are the columns. Annotations say how columns are sent (reputation/columns.py).
        shared: How rows are sent to other sites, or to which sites; None: they stay here.
        is_folded: Whether the standing of a number is computed from these rows.
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
        """How the hub handles rows of the table, completed from the record type; None if the table is not shared."""
        if self.shared is None:
            return None
        declared = Kind(scope=self.shared) if isinstance(self.shared, SharedWith) else self.shared
        number = (*self.numbers, *self.own_numbers, "")[0] if declared.number is None else declared.number
        fields = [field for field in fields_of(self.row) if LOCAL not in field.marks] if self.row else []
        at = declared.at or next((field.column for field in fields if field.column == "at"), "")
        keys = sorted((field.mark(Key).place, field.column) for field in fields if field.mark(Key))
        own = {field.column: field.mark(Own).elsewhere for field in fields if field.mark(Own)}
        known = {number, at, *own, *(column for _, column in keys)}
        return replace(
            declared,
            name=self.name,
            days=self.days,
            number=number,
            at=at,
            key=(*(column for _, column in keys), *declared.key),
            named=declared.named
            or tuple(field.column for mark in (ORIGIN, NAMED) for field in fields if mark in field.marks),
            shared=(*(field.column for field in fields if field.column not in known), *declared.shared),
            own=own,
            allowed=declared.allowed
            or {
                field.column: field.words
                for field in fields
                if field.words and declared.scope is not SharedWith.STANDBY
            },
            defaults=defaults_of(self.row) if self.row else {},
            numeric={field.column: field.is_number for field in fields},
            is_folded=self.is_folded,
        )

    @property
    def is_erased(self) -> bool:
        """Whether an erasure of a number deletes rows of this table."""
        return bool(self.numbers or self.about)

    @property
    def where(self) -> str:
        """SQL condition for the rows about `:number`; empty if no row is about a number."""
        columns = (*self.numbers, *self.own_numbers)
        return self.about or " OR ".join(f"{self.name}.{column} = :number" for column in columns)

    @property
    def export_sql(self) -> str:
        """The query for all rows about `:number`."""
        shown = self.shown or f"SELECT {self.name}.* FROM {self.name}"
        return f"{shown} WHERE {self.where}" + (f" ORDER BY {self.order}" if self.order else "")

    @property
    def erase_sql(self) -> str:
        """The SQL statement of an erasure, for all rows about `:number`."""
        return self.erase or f"DELETE FROM {self.name} WHERE {self.where}"

    @property
    def expire_sql(self) -> str:
        """The SQL that deletes expired rows. If standings depend on them, it returns the deleted phone numbers."""
        assert self.kept is not None
        table = self.kept.table or self.name
        return f"DELETE FROM {table} WHERE {self.kept.past}" + (" RETURNING number" if self.is_folded else "")

    @property
    def days(self) -> float:
        """For how many days a row is kept, at most."""
        if self.kept is None or self.kept.table:
            return FOR_EVER
        return self.kept.days or self.kept.at_most
