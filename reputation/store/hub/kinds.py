"""THE table of what sites share through the hub: each kind of row, and what becomes of it at another site.

Capture, push, apply, checksum and erasure are made from this table. A kind that is not in it stays where it is.

A row of another site stands in the same SQLite table as ours. What names a person, a call or a case there is written
`site:name` by reputation/site_names.py, so keys of two sites never meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from reputation.model import (
    AuthClass,
    CallerKind,
    ChallengeResult,
    Direction,
    Disposition,
    EndedBy,
    EntryKind,
    ListName,
    MarkChannel,
    SignalCategory,
    Verdict,
)
from reputation.store.evidence_rows import SIGNAL_COUNTS

MOST_TEXT: Final = 200  # characters of one column
MOST_PAYLOAD: Final = 4000
MOST_POLICY: Final = 100_000  # characters of JSON
NO_NUMBER: Final = "-"  # what a row about no number lies under


class Scope(Enum):
    """Who is told."""

    SHARED = "shared"  # every site of the organisation
    STATEMENT = "statement"  # what an administrator said: in force at the sites that follow this one ([hub] follow)
    PRIVATE = "private"  # a standby of the same site, and a central site
    STANDBY = "standby"  # a standby of the same site alone


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """A kind of row: a table with its columns.

    `number`: the column that says what the row is about, empty if there is none. `key`: the other columns of its key.
    `at`: its date, a REAL; empty: none, and it is dated when it is sent. A date in a key travels in microseconds.
    `named`: columns that have the site's name before them elsewhere; the first is in every row and tells whose it is.
    `shared`: other columns. `own`: columns that stay with the site and its standby, and what stands there elsewhere;
    `{site}` is the site. `allowed`: columns with a closed vocabulary. `counts`: SQL that holds for rows worth telling.
    `days`: how long it is kept. Rows of a standby's kinds that do not count are not replaced there, either.
    `long_text`: a column of several lines; a row with one has at most MOST_POLICY characters, others MOST_PAYLOAD.
    """

    name: str
    scope: Scope
    at: str
    days: float
    number: str = "number"
    key: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    own: Mapping[str, str | None]
    allowed: Mapping[str, frozenset[Any]]
    counts: str = "1"
    is_folded: bool = True
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
    def is_private(self) -> bool:
        """Whether it goes to no other site than a central one."""
        return self.scope in (Scope.PRIVATE, Scope.STANDBY)


AUTH_CLASSES: Final = {"auth_class": frozenset(AuthClass)}
SIGNALS: Final = AUTH_CLASSES | {"category": frozenset(SignalCategory)}
MARKS: Final = AUTH_CLASSES | {"verdict": frozenset(Verdict), "channel": frozenset(MarkChannel)}
CHALLENGES: Final = AUTH_CLASSES | {"result": frozenset(ChallengeResult)}
ENTRIES: Final = {"list": frozenset(ListName), "kind": frozenset(EntryKind)}
NOTHING: Final[Mapping[str, frozenset[Any]]] = {}
NONE_OWN: Final[Mapping[str, str | None]] = {}
OUTCOMES: Final = AUTH_CLASSES | {
    "direction": frozenset(Direction),
    "disposition": frozenset(Disposition),
    "caller_kind": frozenset(CallerKind),
    "ended_by": frozenset({None, *EndedBy}),
    "challenge": frozenset({None, *ChallengeResult}),
}
_DECISION: Final = """linkedid caller_kind auth_class did trunk callee action would_be rule reason level log_odds vector
    policy elapsed_ms caller_text first_call"""
_OUTCOME: Final = """direction disposition caller_kind did trunk answered_by forked ring_seconds talk_seconds cause
    sip_code ended_by voicemail_left transferred parked conference challenge complete source auth_class decision_id
    action answered_by_pbx blocked machine waited_seconds"""

_KINDS = (
    Kind(
        name="mark",
        scope=Scope.SHARED,
        at="at",
        days=365.0,
        key=("auth_class", "epoch", "reporter"),
        named=("reporter", "linkedid"),
        shared=("verdict", "channel", "category", "linkedid"),
        own={"grp": "{site}", "reason": ""},
        allowed=MARKS,
    ),
    # A call-back that a one-ring call asked for, and what was done to provoke a caller, are known only where that was.
    Kind(
        name="signal",
        scope=Scope.SHARED,
        at="at",
        days=365.0,
        key=("auth_class", "epoch", "callee", "category"),
        named=("callee", "linkedid"),
        shared=("linkedid",),
        own=NONE_OWN,
        allowed=SIGNALS,
        counts=SIGNAL_COUNTS,
    ),
    Kind(
        name="answered",
        scope=Scope.SHARED,
        at="at",
        days=365.0,
        key=("auth_class", "epoch", "callee"),
        named=("callee",),
        own=NONE_OWN,
        allowed=AUTH_CLASSES,
    ),
    # A stone for all reporters covers those of its site: `berlin:`. From a site that is followed, those of all.
    Kind(
        name="tombstone",
        scope=Scope.SHARED,
        at="until",
        days=730.0,
        key=("reporter", "case_id"),
        named=("case_id", "reporter"),
        own=NONE_OWN,
        allowed=NOTHING,
    ),
    Kind(
        name="identity",
        scope=Scope.STATEMENT,
        at="added_at",
        days=400.0,
        shared=("name", "level", "expires_at"),
        own={"note": ""},
        allowed=NOTHING,
    ),
    Kind(
        name="list_entry",
        scope=Scope.STATEMENT,
        at="added_at",
        days=36500.0,
        number="first",
        key=("list", "kind", "last"),
        shared=("action", "note", "expires_at"),
        own=NONE_OWN,
        allowed=ENTRIES,
        is_folded=False,
    ),
    Kind(
        name="epoch",
        scope=Scope.STATEMENT,
        at="at",
        days=730.0,
        key=("epoch",),
        shared=("reason",),
        own={"who": "{site}"},
        allowed=NOTHING,
    ),
    # Every site is told, and it is in force nowhere by itself: callsieve/policy/central.py.
    Kind(
        name="published_policy",
        scope=Scope.SHARED,
        at="published_at",
        days=36500.0,
        number="",
        key=("name",),
        named=("name",),
        shared=("text", "note"),
        own=NONE_OWN,
        allowed=NOTHING,
        is_folded=False,
        long_text="text",
    ),
    # A lying site could open and close convictions by challenges, without a bound.
    Kind(
        name="challenge",
        scope=Scope.PRIVATE,
        at="at",
        days=90.0,
        key=("auth_class", "epoch", "linkedid"),
        named=("linkedid", "did"),
        shared=("did", "result"),
        own=NONE_OWN,
        allowed=CHALLENGES,
    ),
    Kind(
        name="talk",
        scope=Scope.PRIVATE,
        at="at",
        days=365.0,
        key=("person",),
        named=("person",),
        own=NONE_OWN,
        allowed=NOTHING,
        is_folded=False,
    ),
    Kind(
        name="inbound_talk",
        scope=Scope.PRIVATE,
        at="at",
        days=365.0,
        key=("auth_class", "epoch", "callee"),
        named=("callee", "linkedid"),
        shared=("first_at", "linkedid"),
        own=NONE_OWN,
        allowed=AUTH_CLASSES,
        is_folded=False,
    ),
    # Calls, as far as a console shows them. One without a linkedid would not tell whose it is.
    Kind(
        name="decision",
        scope=Scope.PRIVATE,
        at="at",
        days=90.0,
        number="caller",
        key=("id",),
        named=("linkedid", "callee"),
        shared=tuple(_DECISION.split()),
        own=NONE_OWN,
        allowed=AUTH_CLASSES | {"caller_kind": frozenset(CallerKind)},
        counts="linkedid <> ''",
        is_folded=False,
    ),
    Kind(
        name="outcome",
        scope=Scope.PRIVATE,
        at="at",
        days=30.0,
        number="caller",
        key=("linkedid",),
        named=("linkedid", "answered_by"),
        shared=tuple(_OUTCOME.split()),
        own={"rung": "[]"},
        allowed=OUTCOMES,
        counts="direction = 'inbound'",
        is_folded=False,
    ),
)


def _of_standby(
    name: str,
    *,
    number: str = "number",
    key: str = "",
    shared: str = "",
    at: str = "",
    days: float = 36_500.0,
    counts: str = "1",
    is_folded: bool = False,
) -> Kind:
    """A kind that a decision of a standby reads, and that no other site hears of."""
    return Kind(
        name=name,
        scope=Scope.STANDBY,
        at=at,
        days=days,
        number=number,
        key=tuple(key.split()),
        shared=tuple(shared.split()),
        own=NONE_OWN,
        allowed=NOTHING,
        counts=counts,
        is_folded=is_folded,
    )


# What the settings say is in the settings file of both.
NOT_OF_SETTINGS: Final = "source <> 'settings'"
_APPEAL = "name contact statement decision_id state proven in_force_at closed_at reason category_only"
_REGISTER = """name purpose owner trunks documents registered next_check_at checked_at state since"""
_DAY = """attempts answered short unanswered failed abandoned outside people repeated most called_back talk_seconds
    blocked machine"""
_OUTBOUND = "linkedid day own_number person action would_be rule reason until elapsed_ms"
_STANDBY = (
    _of_standby(
        "person", number="", key="extension", shared="endpoint grp language name source", counts=NOT_OF_SETTINGS
    ),
    _of_standby("did", shared="grp callee screen source", counts=NOT_OF_SETTINGS),
    _of_standby("own_number", shared="source", counts=NOT_OF_SETTINGS),
    _of_standby("personal_entry", key="person", shared="verdict source", at="at"),
    _of_standby("contact", key="person source", shared="name"),
    _of_standby("expected_call", number="", key="person", shared="until"),
    _of_standby("wish", number="", key="wish person", at="at"),
    _of_standby("emergency_call", number="", key="at", at="at", days=90.0),
    _of_standby("emergency_close", number="", key="only_row", at="at", days=365.0),
    _of_standby("one_ring", key="at auth_class", at="at", days=365.0, is_folded=True),
    _of_standby("review", shared="who", at="at", is_folded=True),
    _of_standby("settled", number="", key="reporter case_id", shared="agrees", at="at"),
    _of_standby("appeal", key="reference", shared=_APPEAL, at="opened_at", is_folded=True),
    _of_standby("same_person", number="", key="person", shared="human"),
    _of_standby("ignored_site", number="", key="site", shared="who reason", at="at"),
    _of_standby("do_not_call", shared="own_number person note of_called", at="at"),
    _of_standby("consent", shared="until proof person note", at="at"),
    _of_standby("own_register", shared=_REGISTER, at="added_at"),
    _of_standby("own_grade", shared="grade reasons before changed_at", at="at"),
    _of_standby("own_called", key="callee day", shared="calls", days=400.0),
    _of_standby("own_day", key="day", shared=_DAY, days=400.0),
    _of_standby("outbound_decision", number="callee", key="id", shared=_OUTBOUND, at="at", days=90.0),
)
KINDS: Final = {kind.name: kind for kind in (*_KINDS, *_STANDBY)}
