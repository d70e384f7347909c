"""The search for calls, and the page of a call with everything that the store knows about the call."""

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from callsieve.calls.history import VIEW_ACTIONS, CallLine, CallView, call_lines
from callsieve.calls.live import Bar, bars_of, open_mistakes
from callsieve.calls.records import (
    FIELDS,
    LONGEST,
    CallDecision,
    Disputes,
    LevelChangeShown,
    decided_since,
    decision_shown,
    disputes_of,
    evidence_of,
    level_of,
    typed_fields,
    wanted_of,
)
from callsieve.calls.spoken_names import FOLDER, MAX_FILES, files_in, of_decisions
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, ResultPage, page_of
from callsieve.changes.paging import place_of as place_of_cursor
from callsieve.decide.call_facts import linkedid_of
from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, ok, warn
from callsieve.replay.false_positives import FalsePositive
from callsieve.settings import Loaded
from policies.decision import ACTION_BY_WORD
from policies.reasons import why_of
from reputation.explaining import words_of_families
from reputation.model import DecisionRecord, EntryKind, ListEntry, ListName, Mark, Person
from reputation.site_names import parse_id, site_of
from reputation.store.calls import (
    ENDINGS,
    CallCursor,
    CallFilter,
    Ending,
    calls_of_ids,
    count_calls,
    ending_of,
    find_calls,
    rules_seen,
    sites_seen,
)
from reputation.store.evidence_rows import live_marks_of
from reputation.store.journal import decision_of, decisions
from reputation.store.lists import find_entry
from reputation.store.people import all_people
from reputation.weights import DAY_SECONDS
from reputation.wording import Places, Wording

PAGE_CALLS = 50
VIEW_SECONDS = 7 * DAY_SECONDS
STOPPING = frozenset({"challenge", "route", "reject"})
_PLACE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)-([0-9A-Z]{1,16})", re.ASCII)


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """The possible values of the filter's fields. `sites`: on a central console, the other sites that have calls."""

    rules: tuple[str, ...]
    people: tuple[Person, ...]
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallsShown:
    """Content of a page of calls. `typed`: the texts in the fields of the filter.

    `older`: the URL query of the next page; None on the last page. `counts`: how many calls came in the last 7 days, by
    view. `since`, `until`: the time limits of the filter; None: no limit.
    """

    lines: tuple[CallLine, ...]
    typed: Mapping[str, str]
    older: str | None
    is_first: bool
    choices: FilterChoices
    counts: Mapping[CallView, int]
    since: float | None = None
    until: float | None = None
    problem: str | Wording = ""

    @property
    def is_filtered(self) -> bool:
        """Whether a filter is set."""
        return any(self.typed.values())

    @property
    def has_fields(self) -> bool:
        """Whether the user set a field of the filter. The view, and the time limit that comes with it, do not count."""
        view_fields = ("view", "since") if self.typed["view"] else ()
        return any(text for name, text in self.typed.items() if name not in view_fields)


@dataclass(frozen=True, slots=True)
class CallShown:
    """Content of the page of a call. `changes`: events that would have lowered the level.

    `account`: sentences that say what led to the level, and how many witnesses there were. `others`: further decisions
    about the call, each for a single phone. `my_mark`: the visitor's own mark of the caller, or None. `recordings`: the
    files in which the caller says their name.
    """

    line: CallLine
    record: DecisionRecord
    bars: tuple[Bar, ...]
    changes: tuple[LevelChangeShown, ...]
    account: tuple[Wording, ...]
    ending: Ending
    others: tuple[DecisionRecord, ...]
    is_allowed_now: bool
    my_mark: Mark | None
    recordings: tuple[str, ...]
    damaged: bool

    @property
    def site(self) -> str:
        """The name of the site at which the call arrived; empty for this site."""
        return site_of(self.record.linkedid)

    @property
    def was_stopped(self) -> bool:
        """Whether the call was rejected, routed or challenged. Tags and warnings do not stop a call."""
        return self.record.action in STOPPING

    @property
    def may_be_wrong(self) -> bool:
        """Whether the decision can be a mistake: its action, or in observe mode the would-be action, is not `allow`."""
        return self.record.would_be != "allow"


@dataclass(frozen=True, slots=True)
class CallsContext:
    """The settings, time and probable mistakes from which pages of calls are made.

    `mistakes`: callers that were probably stopped by mistake. People may have settled some of them since.
    """

    loaded: Loaded
    now: float
    mistakes: tuple[FalsePositive, ...] = ()


def calls_shown(
    db: sqlite3.Connection,
    calls_context: CallsContext,
    wanted: CallFilter,
    typed: Mapping[str, str],
    after: CallCursor | None,
) -> CallsShown:
    """Return a page of the calls that match `wanted`, beginning after the cursor `after` (None: the first page)."""
    fields = typed_fields(typed)
    mistaken = _mistaken(db, calls_context)
    if fields["view"] == CallView.WRONG:
        wanted = wanted._replace(numbers=json.dumps(mistaken))
    rows = find_calls(db, wanted, after, PAGE_CALLS + 1)
    calls = rows[:PAGE_CALLS]
    older = query_of(typed, calls[-1].place) if len(rows) > PAGE_CALLS else None
    lines = call_lines(db, calls_context.loaded.settings, calls, calls_context.now)
    counts = _counts(db, mistaken, calls_context.now)
    return CallsShown(tuple(lines), fields, older, after is None, _choices(db), counts, wanted.since, wanted.until)


def empty_page(
    db: sqlite3.Connection, calls_context: CallsContext, typed: Mapping[str, str], problem: Wording
) -> CallsShown:
    """Return a page without calls. `problem`: why the filter is invalid."""
    counts = _counts(db, _mistaken(db, calls_context), calls_context.now)
    return CallsShown((), typed_fields(typed), None, True, _choices(db), counts, problem=problem)


def _choices(db: sqlite3.Connection) -> FilterChoices:
    return FilterChoices(tuple(rules_seen(db)), tuple(all_people(db)), tuple(sites_seen(db)))


def _mistaken(db: sqlite3.Connection, calls_context: CallsContext) -> list[str]:
    return [mistake.number for mistake in open_mistakes(db, calls_context.mistakes, calls_context.now)]


def _counts(db: sqlite3.Connection, mistaken: list[str], now: float) -> dict[CallView, int]:
    since, numbers = now - VIEW_SECONDS, {CallView.WRONG: mistaken}
    return {view: count_calls(db, actions, since, numbers.get(view)) for view, actions in VIEW_ACTIONS.items()}


def query_of(typed: Mapping[str, str], place: CallCursor | None = None) -> str:
    """Return the URL query of the page of calls that begins after `place`; None: the first page."""
    fields = [(name, typed[name]) for name in FIELDS if typed.get(name)]
    return urlencode([*fields, *([("after", f"{place.at!r}-{place.id}")] if place else [])])


def place_of(text: str | None) -> CallCursor | None:
    """Parse the cursor in a link. Return None, which means the first page, if the text is empty or invalid."""
    match = _PLACE.fullmatch(text or "")
    return CallCursor(float(match[1]), match[2]) if match else None


def call_shown(
    db: sqlite3.Connection, calls_context: CallsContext, raw_id: str, extension: str | None
) -> CallShown | None:
    """Return the content of a call's page; None if no decision has this id. `extension`: the visitor's extension."""
    decision_id = parse_id(raw_id)
    record = decision_of(db, decision_id) if decision_id else None
    if record is None:
        return None
    others = decisions(db, linkedid=record.linkedid) if record.linkedid else []
    evidence = evidence_of(record)
    number = record.caller
    allowed = find_entry(db, ListEntry(ListName.ALLOW, EntryKind.EXACT, number)) if number else None
    my_marks = live_marks_of(db, number, extension) if number and extension else []
    [line] = call_lines(db, calls_context.loaded.settings, calls_of_ids(db, [record.id]), calls_context.now)
    return CallShown(
        line=line,
        record=record,
        bars=bars_of(evidence.known) if evidence else (),
        changes=evidence.would_change if evidence else (),
        account=evidence.account(level_of(record.level)) if evidence else (),
        ending=ending_of(db, record.linkedid),
        others=tuple(other for other in others if other.id != record.id),
        is_allowed_now=allowed is not None and (allowed.expires_at is None or allowed.expires_at > calls_context.now),
        my_mark=next(iter(my_marks), None),
        recordings=tuple(path.name for path in of_decisions(calls_context.loaded.state, [record.id])),
        damaged=evidence is None,
    )


Wanted = Annotated[str, Meta(max_length=LONGEST)]
Time = Annotated[str, Meta(max_length=LONGEST, description="`1h`, `7d`, `18:00`, `2026-12-31` or `2026-12-31T18:00`.")]


class DecisionsRequest(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filters for decisions. An empty field matches any decision.

    Attributes:
        number: The number of the caller.
        callee: The extension of the callee.
        did: The DID that was dialled.
        action: The action, or the would-be action in observe mode.
        rule: The rule that decided.
        ending: How the call ended.
        site: The site at which the call arrived.
        call_id: The Call-ID that another switch sent, or Asterisk's linkedid.
    """

    number: Wanted = ""
    callee: Wanted = ""
    did: Wanted = ""
    action: Literal["", *ACTION_BY_WORD] = ""  # type: ignore[valid-type]
    rule: Wanted = ""
    ending: Literal["", *ENDINGS] = ""  # type: ignore[valid-type]
    since: Time = ""
    until: Time = ""
    site: Wanted = ""
    call_id: Annotated[str, Meta(max_length=4096)] = ""


class DecisionKey(msgspec.Struct, frozen=True):
    """A request for a decision. `id`: the short id of the decision."""

    id: Annotated[str, Meta(min_length=1, max_length=200, examples=["7KQ2M4XA"])]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of a decision, in words.

    Attributes:
        id: The id of the decision.
        reason: The reason for the decision.
        because: The evidence in a sentence; empty without evidence.
        witnesses: Sentences that say what led to the level, and how many witnesses there were.
        would_change: Events that would have lowered the level.
        appeal: The reference of the appeal that was in force then, or null.
        since_then: Later decisions that people here made about the caller.
        damaged: Whether the stored evidence cannot be read.
    """

    id: str
    reason: str | Wording
    because: str | Wording
    witnesses: tuple[Wording, ...]
    would_change: tuple[LevelChangeShown, ...]
    appeal: str | None
    since_then: tuple[str, ...]
    damaged: bool


def find_decisions(db: sqlite3.Connection, context: Context, request: DecisionsRequest) -> ResultPage[CallDecision]:
    """Return decisions about calls, the latest first."""
    after = place_of_cursor(request.cursor, tuple[float, str])
    wanted = wanted_of(context, msgspec.structs.asdict(request))
    if request.call_id:
        wanted = wanted._replace(linkedids=json.dumps([request.call_id, linkedid_of(request.call_id)]))
    rows = find_calls(db, wanted, CallCursor(*after) if after else None, request.limit + 1)
    shown, following = page_of(rows, request.limit, lambda row: row.place)
    records = (decision_of(db, row.id) for row in shown)
    return ResultPage([decision_shown(db, record) for record in records if record is not None], following)


def show_decision(db: sqlite3.Connection, _context: Context, request: DecisionKey) -> CallDecision:
    """Return the decision with this id."""
    return decision_shown(db, _decision(db, request))


def explain_decision(db: sqlite3.Connection, _context: Context, request: DecisionKey) -> Explanation:
    """Return why this decision was made about a call."""
    record = _decision(db, request)
    evidence = evidence_of(record)
    disputes = disputes_of(db, record.caller) if record.caller else Disputes()
    return Explanation(
        id=record.id,
        reason=why_of(record.reason).words,
        because=words_of_families(evidence.known) if evidence else "",
        witnesses=evidence.account(level_of(record.level)) if evidence else (),
        would_change=evidence.would_change if evidence else (),
        appeal=evidence.appeal if evidence else None,
        since_then=tuple(decided_since(disputes, record.at)),
        damaged=evidence is None,
    )


def _decision(db: sqlite3.Connection, request: DecisionKey) -> DecisionRecord:
    wanted = parse_id(request.id)
    record = decision_of(db, wanted) if wanted else None
    if record is None:
        raise Refused("no-such-decision", Wording("no decision has this id"), "id")
    return record


NAME = "name"


def can_record(context: CheckContext) -> Finding:
    """Check that Asterisk can record the names of callers, if a policy asks for names."""
    is_asked = any(rule.ask == NAME for policy in context.policies for rule in policy.rules)
    if not is_asked and context.loaded.settings.actions.ask != NAME:
        return ok(Wording("no caller is asked for a name"))
    folder = context.loaded.state / FOLDER
    where: Places = {"folder": str(folder)}
    if not folder.is_dir():
        return warn(
            Wording("{folder} does not exist: callers are asked for a digit instead of their name", where),
            Wording("restart callsieve serve, which creates it"),
        )
    group = context.place.etc.stat().st_gid  # if it is root's, the group of Asterisk is unknown
    if group and folder.stat().st_gid != group:
        return warn(
            Wording(
                "{folder} does not belong to Asterisk's group: callers are asked for a digit instead of their name",
                where,
            ),
            Wording("chgrp {group} {folder}, and run the daemon in that group", {**where, "group": group}),
        )
    count = sum(1 for _ in files_in(folder))
    if count >= MAX_FILES:
        return warn(
            Wording("{folder} is full: callers are asked for a digit instead of their name", where),
            Wording("wait until old files are erased after seven days, or remove some files"),
        )
    return ok(Wording("{count} of at most {most} files in {folder}", {**where, "count": count, "most": MAX_FILES}))


CHECKS = (HealthCheck(place=170, name="recordings", find=can_record),)
