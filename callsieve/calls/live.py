"""The live view of calls, the counts on the overview page, and the bars that show evidence."""

import asyncio
import logging
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from heapq import merge
from typing import NamedTuple, Self

from callsieve.calls.history import VIEW_ACTIONS, CallView
from callsieve.replay.false_positives import STOPPED, WARNED, DecidedCall, FalsePositive, Stops, Talks, call_back_number
from callsieve.replay.summary import known_in_store
from callsieve.web.i18n import N_
from callsieve.web.rendering import Cache
from callsieve.web.store_client import StoreClient
from policies.decision import ACTION_BY_WORD, OWN_RULES
from reputation.control_sample import SampledCalls
from reputation.explaining import parts_of
from reputation.model import DecisionRecord, EntryKind, Family, ListEntry, ListName
from reputation.outcome import OutcomeRecord
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
    CallFilter,
    CallRow,
    calls_of_ids,
    find_calls,
    rules_seen,
)
from reputation.store.confirmations import confirmation_of
from reputation.store.errors import StoreError
from reputation.store.evidence_rows import one_ring_before, rows_of
from reputation.store.journal import decisions
from reputation.store.lists import find_entry
from reputation.store.outcomes import outcomes
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording, listed

HALF = 50.0  # percent of the width: bars begin in the middle
LEAST_SCALE = 2.0  # minimum log-odds that half of the width represents


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar that shows one family of evidence: its text, and its start and length in percent of the full width."""

    family: str
    log_odds: float
    text: str | Wording
    start: float
    width: float


def bars_of(families: Sequence[Family]) -> tuple[Bar, ...]:
    """Return a bar for each family, all to one scale. The longest bar fills the width, unless all evidence is weak."""
    scale = max([LEAST_SCALE, *(abs(family.log_odds) for family in families)])
    return tuple(_bar(family, scale) for family in families)


def _bar(family: Family, scale: float) -> Bar:
    width = round(HALF * abs(family.log_odds) / scale, 1)
    start = HALF if family.log_odds >= 0 else HALF - width
    try:
        text = listed(list(parts_of(family)), "{some}; {more}")
    except (KeyError, ValueError):  # a vector of another version
        counts = [Wording("{n} x {category}", {"n": count, "category": what}) for what, count in family.counts]
        text = listed(counts, "{some}; {more}")
    return Bar(family.name, family.log_odds, text, start, width)


logger = logging.getLogger("callsieve.web")

POLL_SECONDS = 1.0
OVERLAP_SECONDS = 30.0  # the journal is written within 0.2 s, or later if the store was locked
MOST_NEW = 200
MOST_OPEN = 500
MOST_WAITING = 200
MOST_WATCHERS = 100
MOST_OF_USER = 6  # the maximum that a browser opens


class LiveCalls:
    """Sends new calls to each open live page. Polls the journal for new calls while at least one live page is open."""

    def __init__(self, store: StoreClient, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._watchers: dict[asyncio.Queue[CallRow], str] = {}
        # By id of the call: whether its outcome was known, and the caller's words.
        self._sent: OrderedDict[str, tuple[bool, bool]] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def is_full(self, user: str) -> bool:
        """Return whether too many live pages are open, in total or for this user."""
        return len(self._watchers) >= MOST_WATCHERS or Counter(self._watchers.values())[user] >= MOST_OF_USER

    @asynccontextmanager
    async def watching(self, user: str) -> AsyncIterator[asyncio.Queue[CallRow]]:
        """Yield a queue that receives each call from now on. A full queue drops its oldest call."""
        queue: asyncio.Queue[CallRow] = asyncio.Queue(MOST_WAITING)
        self._watchers[queue] = user
        if self._task is None or self._task.done():
            self._sent.clear()
            await self.poll(send=False)
            self._task = asyncio.create_task(self._run(), name="live")
        try:
            yield queue
        finally:
            self._watchers.pop(queue)

    async def close(self) -> None:
        """Stop polling the journal."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._watchers:
            await asyncio.sleep(POLL_SECONDS)
            await self.poll(send=True)

    async def poll(self, *, send: bool) -> None:
        """Read new calls and outcomes from the journal. `send`: whether to put them into the queues of live pages."""
        still_open = [call_id for call_id, (ended, _) in self._sent.items() if not ended]
        try:
            calls = await self._store.read(_read_new, self._clock() - OVERLAP_SECONDS, still_open[-MOST_OPEN:])
        except StoreError as error:
            logger.warning("live view: the store cannot be read: %s", error)
            return
        for call in reversed(calls):
            known = call.disposition is not None, call.words is not None
            if self._sent.get(call.id) == known:
                continue
            self._sent[call.id] = known
            if send:
                self.send(call)
        while len(self._sent) > MOST_OPEN + MOST_NEW:
            self._sent.popitem(last=False)

    def send(self, call: CallRow) -> None:
        """Put a call into the queue of every live page."""
        for queue in self._watchers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(call)


def _read_new(db: sqlite3.Connection, since: float, still_open: list[str]) -> list[CallRow]:
    latest = find_calls(db, CallFilter(since=since), None, MOST_NEW)
    older = calls_of_ids(db, still_open) if still_open else []
    return list({call.id: call for call in (*latest, *older)}.values())


ACTIVITY_SECONDS = 20.0
ACTIONS = tuple(ACTION_BY_WORD)
MISTAKE_DAYS = 7
MOST_SUSPECTS = 50
MOST_CALLS = 200
LISTED = 8
NO_SAMPLE = SampledCalls(0, 0, 0, 0)


class ActivityCache:
    """A cache of the counts on the overview page, by time span. All users share it, because counting takes a while."""

    def __init__(self) -> None:
        self.kept: Cache[ActivityShown] = Cache(ACTIVITY_SECONDS)


class ActivitySpan(NamedTuple):
    """A time span of the overview page, divided into steps. `step`: the length of a step, in seconds."""

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
    """A step of a time span. `at`: when it begins. `labelled`: how many of its calls rang with a tag or a warning."""

    at: float
    calls: int
    stopped: int
    labelled: int

    @classmethod
    def of(cls, at: float, counts: Counter[str]) -> Self:
        """Return the step that begins at `at`, from the count of calls per action."""
        stopped, labelled = (
            sum(counts[action] for action in VIEW_ACTIONS[view]) for view in (CallView.STOPPED, CallView.LABELLED)
        )
        return cls(at, counts.total(), stopped, labelled)


@dataclass(frozen=True, slots=True)
class ActivityShown:
    """Counts on the overview page for a time span.

    Attributes:
        at: When the counts were made.
        mistakes: Probable mistakes of the last MISTAKE_DAYS, at all sites.
        rising: Numbers that called more in the last day, at all sites, than on an average day of the week before.
        blocks: Blocks of 1000 numbers from which several numbers called in the last day, at all sites.
        site: The site whose calls are counted; empty for all sites.
        stopped_before: How many calls were stopped in the same span a week earlier (for a month: a month earlier).
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
    stopped_before: int = 0

    @property
    def stopped(self) -> int:
        """How many calls were stopped."""
        return sum(step.stopped for step in self.steps)

    @property
    def most(self) -> int:
        """How many calls the busiest step had; 1 if no step had a call."""
        return max(1, *(step.calls for step in self.steps))

    @property
    def sampled(self) -> Wording | None:
        """The result of the control sample (calls not warned about on purpose), in words; None without such calls."""
        return self.sample.words(self.totals["warn"]) if self.sample.calls else None

    @property
    def calls(self) -> int:
        """How many calls have a decision."""
        return self.totals.total()

    @property
    def since(self) -> float:
        """Beginning of the time span."""
        return self.steps[0].at


def activity_shown(db: sqlite3.Connection, span: ActivitySpan, now: float, site: str = "") -> ActivityShown:
    """Return the overview page's counts for a time span that ends now, in steps that begin at round times."""
    last = now // span.step  # so past steps never change
    first = last - round(span.seconds / span.step) + 1
    since = first * span.step
    counted: dict[int, Counter[str]] = {}
    for count in counts_over(db, since, now + 60, span.step, site):
        counted.setdefault(count.step, Counter())[count.action] += count.calls
    offset = max(span.seconds, 7 * DAY_SECONDS)
    before = counts_over(db, since - offset, since - offset + span.seconds, span.seconds, site)
    counts = [counted.get(n, Counter()) for n in range(int(last - first) + 1)]
    return ActivityShown(
        at=now,
        span=span,
        steps=tuple(ActivityStep.of(since + n * span.step, count) for n, count in enumerate(counts)),
        totals=sum(counts, Counter()),
        sample=sampled_calls(db, since, now + 60, [rule for rule in rules_seen(db) if rule not in OWN_RULES])
        if not site
        else NO_SAMPLE,
        mistakes=tuple(probable_mistakes(db, now - MISTAKE_DAYS * DAY_SECONDS)),
        rising=tuple(rising_numbers(db, now - DAY_SECONDS, now + 60, LISTED)),
        blocks=tuple(busy_blocks(db, now - DAY_SECONDS, now + 60, LISTED)),
        site=site,
        stopped_before=sum(group.calls for group in before if group.action in VIEW_ACTIONS[CallView.STOPPED]),
    )


def open_mistakes(db: sqlite3.Connection, mistakes: Iterable[FalsePositive], now: float) -> tuple[FalsePositive, ...]:
    """Return the mistakes whose caller is not on the allowlist and whose decisions nobody has confirmed."""
    return tuple(mistake for mistake in mistakes if not _is_settled(db, mistake, now))


def _is_settled(db: sqlite3.Connection, mistake: FalsePositive, now: float) -> bool:
    confirmed = confirmation_of(db, mistake.number)
    if confirmed is not None and mistake.last_at <= confirmed.at:
        return True
    entry = find_entry(db, ListEntry(ListName.ALLOW, EntryKind.EXACT, mistake.number))
    return entry is not None and (entry.expires_at is None or entry.expires_at > now)


def probable_mistakes(db: sqlite3.Connection, since: float) -> list[FalsePositive]:
    """Return the callers that were stopped or warned about since `since` although a person here wanted their calls."""
    stops, talks = Stops(STOPPED | WARNED), Talks()
    for number in stopped_but_known(db, since, MOST_SUSPECTS):
        decided = reversed(decisions(db, caller=number, since=since, limit=MOST_CALLS))
        ended = reversed(outcomes(db, number=number, since=since, limit=MOST_CALLS))
        both: tuple[Iterable[DecisionRecord | OutcomeRecord], ...] = (decided, ended)
        for event in merge(*both, key=lambda event: event.at):
            _add(event, stops, talks, db)
    return stops.mistakes(talks.of, partial(known_in_store, db), partial(rows_of, db))


def _add(event: DecisionRecord | OutcomeRecord, stops: Stops, talks: Talks, db: sqlite3.Connection) -> None:
    if isinstance(event, DecisionRecord):
        stops.add_call(DecidedCall(event.caller, event.at, event.would_be, event.rule, event.did, event.level))
        return
    talks.add(event)
    number = call_back_number(event, partial(one_ring_before, db))
    if number is not None:
        stops.call_back(number)
