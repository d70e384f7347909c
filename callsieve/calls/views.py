"""The calls that somebody looks for, and one call with all that is known about it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from callsieve.calls.live import Bar, bars_of
from callsieve.calls.records import FIELDS, evidence_of, typed_fields
from reputation.ids import parse_id
from reputation.model import DecisionRecord, EntryKind, ListEntry, ListName, Mark, Person
from reputation.site_names import site_of
from reputation.store.calls import (
    CallCursor,
    CallFilter,
    CallRow,
    Ending,
    ending_of,
    find_calls,
    rules_seen,
    sites_seen,
)
from reputation.store.evidence_rows import live_marks_of
from reputation.store.journal import decision_of, decisions
from reputation.store.lists import entry_there
from reputation.store.people import all_people
from reputation.wording import Wording

PAGE_CALLS = 50
STOPPING = frozenset({"challenge", "route", "reject"})
_PLACE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)-([0-9A-Z]{1,16})", re.ASCII)


@dataclass(frozen=True, slots=True)
class CallsShown:
    """One page of calls. `typed` is what stands in the filter; `older` the query of the next page, None at the end.

    `sites`: other sites that there are calls of, at a central site alone.
    """

    calls: tuple[CallRow, ...]
    typed: Mapping[str, str]
    older: str | None
    is_first: bool
    rules: tuple[str, ...]
    people: tuple[Person, ...]
    sites: tuple[str, ...]
    problem: str | Wording = ""

    @property
    def is_filtered(self) -> bool:
        """Whether anything in particular is looked for."""
        return any(self.typed.values())


@dataclass(frozen=True, slots=True)
class CallShown:
    """One call. `others`: more decisions about it, for single phones; `is_allowed_now`: its number is on the allowlist.

    `my_mark` is what the visitor's person says about the number; `changes` what would have made the level lower;
    `account` who it came from, and how many witnesses there were.
    """

    record: DecisionRecord
    bars: tuple[Bar, ...]
    changes: tuple[tuple[str, str], ...]
    account: tuple[Wording, ...]
    ending: Ending
    others: tuple[DecisionRecord, ...]
    is_allowed_now: bool
    my_mark: Mark | None
    damaged: bool

    @property
    def site(self) -> str:
        """The other site that it came to; empty: it is ours."""
        return site_of(self.record.linkedid)

    @property
    def was_stopped(self) -> bool:
        """Whether the call was turned away, sent elsewhere or asked for a digit: a tag and a warning stop nothing."""
        return self.record.action in STOPPING

    @property
    def may_be_wrong(self) -> bool:
        """Whether anything but allow was ordered, be it in observe mode."""
        return self.record.would_be != "allow"


def calls_shown(
    db: sqlite3.Connection, wanted: CallFilter, typed: Mapping[str, str], after: CallCursor | None
) -> CallsShown:
    """The page of calls after that place."""
    found = find_calls(db, wanted, after, PAGE_CALLS + 1)
    calls = found[:PAGE_CALLS]
    older = query_of(typed, calls[-1].place) if len(found) > PAGE_CALLS else None
    return CallsShown(tuple(calls), typed_fields(typed), older, after is None, *_choices(db))


def nothing_shown(db: sqlite3.Connection, typed: Mapping[str, str], problem: Wording) -> CallsShown:
    """The page when the filter cannot be used."""
    return CallsShown((), typed_fields(typed), None, True, *_choices(db), problem)


def _choices(db: sqlite3.Connection) -> tuple[tuple[str, ...], tuple[Person, ...], tuple[str, ...]]:
    return tuple(rules_seen(db)), tuple(all_people(db)), tuple(sites_seen(db))


def query_of(typed: Mapping[str, str], place: CallCursor | None = None) -> str:
    """The query of a page of calls, for a link."""
    fields = [(name, typed[name]) for name in FIELDS if typed.get(name)]
    return urlencode([*fields, *([("after", f"{place.at!r}-{place.id}")] if place else [])])


def place_of(text: str | None) -> CallCursor | None:
    """The place in a link; None for the first page, and for what is none."""
    found = _PLACE.fullmatch(text or "")
    return CallCursor(float(found[1]), found[2]) if found else None


def call_shown(db: sqlite3.Connection, raw_id: str, extension: str | None, now: float) -> CallShown | None:
    """The call of a decision; None when there is no such decision. `extension`: the visitor's person."""
    decision_id = parse_id(raw_id)
    record = decision_of(db, decision_id) if decision_id else None
    if record is None:
        return None
    others = decisions(db, linkedid=record.linkedid) if record.linkedid else []
    evidence = evidence_of(record)
    number = record.caller
    allowed = entry_there(db, ListEntry(ListName.ALLOW, EntryKind.EXACT, number)) if number else None
    my_marks = live_marks_of(db, number, extension) if number and extension else []
    return CallShown(
        record=record,
        bars=bars_of(evidence.families) if evidence else (),
        changes=evidence.changes if evidence else (),
        account=evidence.account if evidence else (),
        ending=ending_of(db, record.linkedid),
        others=tuple(one for one in others if one.id != record.id),
        is_allowed_now=allowed is not None and (allowed.expires_at is None or allowed.expires_at > now),
        my_mark=next(iter(my_marks), None),
        damaged=evidence is None,
    )
