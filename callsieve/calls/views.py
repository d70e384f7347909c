"""The calls that somebody looks for, and one call with all that is known about it."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from heapq import merge
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from callsieve.calls.live import Bar, bars_of
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
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, ResultPage, page_of
from callsieve.changes.paging import place_of as place_of_cursor
from callsieve.decide.call_facts import linkedid_of
from callsieve.replay.false_positives import STOPPED, WARNED, FalsePositive, Stops, Talks, call_back_number
from callsieve.replay.summary import known_in_store
from callsieve.web.i18n import N_
from callsieve.web.rendering import Cache
from policies.decision import ACTION_BY_WORD, OWN_RULES
from policies.reasons import why_of
from reputation.control_sample import SampledCalls
from reputation.explaining import sentence_of_families
from reputation.model import DecisionRecord, EntryKind, ListEntry, ListName, Mark, Person
from reputation.outcome import OutcomeRecord
from reputation.site_names import parse_id, site_of
from reputation.store.activity import (
    CallerBlock,
    Rising,
    busy_blocks,
    counts_over,
    rising_numbers,
    sampled_calls,
    stopped_but_known,
)
from reputation.store.calls import (
    ENDINGS,
    CallCursor,
    CallFilter,
    CallRow,
    Ending,
    ending_of,
    find_calls,
    rules_seen,
    sites_seen,
)
from reputation.store.evidence_rows import live_marks_of, one_ring_before, rows_of
from reputation.store.journal import decision_of, decisions
from reputation.store.lists import entry_there
from reputation.store.outcomes import outcomes
from reputation.store.people import all_people
from reputation.weights import DAY_SECONDS
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
    changes: tuple[LevelChangeShown, ...]
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
        bars=bars_of(evidence.known) if evidence else (),
        changes=evidence.would_change if evidence else (),
        account=evidence.account(level_of(record.level)) if evidence else (),
        ending=ending_of(db, record.linkedid),
        others=tuple(one for one in others if one.id != record.id),
        is_allowed_now=allowed is not None and (allowed.expires_at is None or allowed.expires_at > now),
        my_mark=next(iter(my_marks), None),
        damaged=evidence is None,
    )


Wanted = Annotated[str, Meta(max_length=LONGEST)]
Time = Annotated[str, Meta(max_length=LONGEST, description="`1h`, `7d`, `18:00`, `2026-12-31` or `2026-12-31T18:00`.")]


class DecisionsRequest(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which decisions; an empty field: any.

    Attributes:
        number: The number of the caller.
        callee: Who the call was for, or who answered: an extension.
        did: Our number that was dialled.
        action: What was done, or would have been without observe mode.
        rule: The rule that decided.
        ending: How the call ended.
        site: The site that the call came to.
        call_id: The Call-ID that another switch gave, or Asterisk's linkedid.
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
    """Which decision.

    Attributes:
        id: The short id of the decision.
    """

    id: Annotated[str, Meta(min_length=1, max_length=200, examples=["7KQ2M4XA"])]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a call was decided as it was, in words.

    Attributes:
        id: The decision.
        reason: Why.
        because: The evidence, in a sentence; empty where there was none.
        witnesses: Who the level came from, and how many witnesses there were.
        would_change: What would have made the level lower, and which it would have been then.
        appeal: The reference of the appeal that was in force, null for none.
        since_then: What people here have decided about the caller later.
        damaged: The evidence that was kept cannot be read.
    """

    id: str
    reason: str
    because: str
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
    shown, following = page_of(rows, request.limit, lambda one: one.place)
    found = (decision_of(db, one.id) for one in shown)
    return ResultPage([decision_shown(db, one) for one in found if one is not None], following)


def show_decision(db: sqlite3.Connection, _context: Context, request: DecisionKey) -> CallDecision:
    """Return one decision."""
    return decision_shown(db, _decision(db, request))


def explain_decision(db: sqlite3.Connection, _context: Context, request: DecisionKey) -> Explanation:
    """Return why a call was decided as it was."""
    record = _decision(db, request)
    evidence = evidence_of(record)
    disputes = disputes_of(db, record.caller) if record.caller else Disputes()
    return Explanation(
        id=record.id,
        reason=str(why_of(record.reason)),
        because=str(sentence_of_families(evidence.known)) if evidence else "",
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
        raise Refused("no-such-decision", Wording("there is no decision of this id"), "id")
    return record


ACTIVITY_SECONDS = 20.0
ACTIONS = tuple(ACTION_BY_WORD)
DRAWN = ("tag", "warn", "challenge", "route", "reject")
MISTAKE_DAYS = 7
MOST_SUSPECTS = 50
MOST_CALLS = 200
LISTED = 8
NO_SAMPLE = SampledCalls(0, 0, 0, 0)


class ActivityCache:
    """The figures of each span: counting them takes a while, and everybody who looks sees the same."""

    def __init__(self) -> None:
        self.kept: Cache[ActivityShown] = Cache(ACTIVITY_SECONDS)


class ActivitySpan(NamedTuple):
    """How far back, and in which steps; seconds."""

    word: str
    label: str
    seconds: float
    step: float


SPANS = {
    span.word: span
    for span in (
        ActivitySpan("day", N_("24 hours"), DAY_SECONDS, 3600.0),
        ActivitySpan("week", N_("7 days"), 7 * DAY_SECONDS, 6 * 3600.0),
        ActivitySpan("month", N_("30 days"), 30 * DAY_SECONDS, DAY_SECONDS),
    )
}


class ActivityStep(NamedTuple):
    """One step of time: how often each action was ordered."""

    at: float
    counts: Counter[str]


@dataclass(frozen=True, slots=True)
class ActivityShown:
    """The figures of a span, found out at `at`. Whatever the span, `mistakes` are those of the last MISTAKE_DAYS, and
    `rising` and `blocks` of the last day. `site`: whose calls are counted, empty for all; those three are of all.
    """

    at: float
    span: ActivitySpan
    steps: tuple[ActivityStep, ...]
    totals: Counter[str]
    sample: SampledCalls
    mistakes: tuple[FalsePositive, ...]
    rising: tuple[Rising, ...]
    blocks: tuple[CallerBlock, ...]
    site: str = ""

    @property
    def sampled(self) -> Wording | None:
        """What the control sample costs; None where it took no call."""
        return self.sample.words(self.totals["warn"]) if self.sample.calls else None

    @property
    def calls(self) -> int:
        """How many were decided about."""
        return self.totals.total()

    @property
    def since(self) -> float:
        """When the span begins."""
        return self.steps[0].at

    @property
    def mistaken_calls(self) -> int:
        """How many calls the mistakes are."""
        return sum(mistake.calls for mistake in self.mistakes)


def activity_shown(db: sqlite3.Connection, span: ActivitySpan, now: float, site: str = "") -> ActivityShown:
    """The figures up to now. Steps begin at whole ones, so that they stay what they are as time goes on."""
    last = now // span.step
    first = last - round(span.seconds / span.step) + 1
    since = first * span.step
    counted: dict[int, Counter[str]] = {}
    for count in counts_over(db, since, now + 60, span.step, site):
        counted.setdefault(count.step, Counter())[count.action] += count.calls
    steps = tuple(ActivityStep(since + n * span.step, counted.get(n, Counter())) for n in range(int(last - first) + 1))
    return ActivityShown(
        at=now,
        span=span,
        steps=steps,
        totals=sum((step.counts for step in steps), Counter()),
        sample=_sample(db, since, now) if not site else NO_SAMPLE,
        mistakes=tuple(probable_mistakes(db, now - MISTAKE_DAYS * DAY_SECONDS)),
        rising=tuple(rising_numbers(db, now - DAY_SECONDS, now + 60, LISTED)),
        blocks=tuple(busy_blocks(db, now - DAY_SECONDS, now + 60, LISTED)),
        site=site,
    )


def _sample(db: sqlite3.Connection, since: float, now: float) -> SampledCalls:
    return sampled_calls(db, since, now + 60, [rule for rule in rules_seen(db) if rule not in OWN_RULES])


def probable_mistakes(db: sqlite3.Connection, since: float) -> list[FalsePositive]:
    """Numbers that were stopped or warned of since then, and somebody of ours wanted to hear from, most calls first."""
    stops, talks = Stops(STOPPED | WARNED), Talks()
    for number in stopped_but_known(db, since, MOST_SUSPECTS):
        decided = reversed(decisions(db, caller=number, since=since, limit=MOST_CALLS))
        ended = reversed(outcomes(db, number=number, since=since, limit=MOST_CALLS))
        both: tuple[Iterable[DecisionRecord | OutcomeRecord], ...] = (decided, ended)
        for one in merge(*both, key=lambda one: one.at):
            _add(one, stops, talks, db)
    return stops.mistakes(talks.of, partial(known_in_store, db), partial(rows_of, db))


def _add(one: DecisionRecord | OutcomeRecord, stops: Stops, talks: Talks, db: sqlite3.Connection) -> None:
    if isinstance(one, DecisionRecord):
        stops.add_call(one.caller, one.at, one.would_be, one.rule, one.did)
        return
    talks.add(one)
    number = call_back_number(one, partial(one_ring_before, db))
    if number is not None:
        stops.call_back(number)
