"""The report of a replay, as one value that the terminal, the page and `--json` show."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec

from callsieve.replay.engine import Judged, Replay
from callsieve.replay.false_positives import (
    WARNED,
    DecidedCall,
    FalsePositive,
    KnownCallers,
    ProbableMistakes,
    Stops,
    Talks,
    call_back_number,
)
from callsieve.replay.history_file import Event, HistoryReader
from callsieve.replay.label_effect import LabelEffect
from callsieve.text.csv_table import RowProblem
from policies.decision import Action, Decision
from policies.reasons import Why, capped
from reputation.encoding import HIDDEN, Instant, encoded
from reputation.model import Mark
from reputation.wording import N_

SHOWN_CHANGES = 20
MOST_DAYS = 60  # a longer history is shown by weeks
ACTIONS = tuple(action.word for action in Action)
NOTHING = Action.ALLOW.word

KNOWS_THE_CALLEE = N_(
    "The history says who answered. A live decision often does not know that yet (ring group, menu), and then each "
    "phone applies its own lists."
)
# The figures that depend on later calls of a number, or on what people did.
NOTHING_CHANGED = "nothing-changed"
ASSUMING_FIGURES = (
    *("actions", "against_actions", "periods", "changes", "stopped", "warned"),
    *("probable_mistakes", "probable_mistakes_warned"),
)
NOT_CONSIDERED = "Appeals, reviews, people's quiet hours, emergencies and expected calls are not considered."


@dataclass(frozen=True, slots=True)
class Period:
    """A day, or a week from Monday, and how many calls got each action."""

    first: date
    actions: Counter[str]


class ChangedDecision(msgspec.Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """A call that two policies treat differently. `before`: the action of the policy to compare with."""

    call: str
    at: Instant
    number: str | None
    before: str
    after: str
    rule: str
    why: Annotated[Why, HIDDEN]

    @property
    @encoded
    def reason(self) -> str:
        """The reason for the tried policy's decision, as text."""
        return str(self.why)


class ChangeCount(msgspec.Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """How many calls change from one action to another between the two policies."""

    before: str
    after: str
    calls: int


class Changes(NamedTuple):
    """The calls that the two policies treat differently: their total, counts by action, and the first few calls."""

    total: int
    by: list[ChangeCount]
    first: list[ChangedDecision]


class ReadLines(NamedTuple):
    """How many lines of a history were read and how many were skipped, and the first errors."""

    read: int
    skipped: int
    problems: list[RowProblem]


class Assumption(NamedTuple):
    """An assumption behind some counts, and how many calls of each action depend on the assumption."""

    code: str
    figures: tuple[str, ...]
    calls: Counter[str]


@dataclass(slots=True)
class ReplayReport:
    """Everything that the report of a replay shows, also as JSON. `against_*`: values of the policy to compare with.

    `assumed`: for each of `actions`, how many calls follow a call of the same number that the policy would have treated
    differently. The report assumes that these calls would have come anyway.
    """

    history: str
    policy: str
    against: str | None
    reading: Annotated[HistoryReader, HIDDEN]
    first_at: Instant | None
    last_at: Instant | None
    seconds: float
    calls: int
    calls_without_number: int
    outbound: int
    marks: int
    marks_refused: dict[str, int]
    actions: Counter[str]
    assumed: Annotated[Counter[str], HIDDEN]
    control_sample: LabelEffect
    against_actions: Counter[str] | None
    periods: list[Period]
    weekly: Annotated[bool, HIDDEN]
    changes: Changes
    stopped: int
    warned: int
    mistakes: Annotated[list[FalsePositive], HIDDEN]
    warned_mistakes: Annotated[list[FalsePositive], HIDDEN]
    notes: list[str]

    @property
    @encoded
    def lines(self) -> ReadLines:
        """How many lines of the history were read and skipped."""
        return ReadLines(self.reading.read, self.reading.skipped, self.reading.problems)

    @property
    @encoded
    def assumes(self) -> Assumption:
        """The assumption behind the counts of the report."""
        return Assumption(NOTHING_CHANGED, ASSUMING_FIGURES, self.assumed)

    @property
    @encoded
    def by(self) -> str:
        """The length of a period: `day` or `week`."""
        return "week" if self.weekly else "day"

    @property
    @encoded
    def probable_mistakes(self) -> ProbableMistakes:
        """Calls that were probably stopped by mistake."""
        return ProbableMistakes.of(self.mistakes)

    @property
    @encoded
    def probable_mistakes_warned(self) -> ProbableMistakes:
        """Calls that were probably warned about by mistake."""
        return ProbableMistakes.of(self.warned_mistakes)


@dataclass(slots=True)
class ActionCounts:
    """The counts of a running replay, for its report. `most_changes`: how many changed decisions to keep at most."""

    calls: int = 0
    without_number: int = 0
    outbound: int = 0
    marks: int = 0
    first_at: float | None = None
    last_at: float = 0.0
    actions: Counter[str] = field(default_factory=Counter)
    assumed: Counter[str] = field(default_factory=Counter)
    treated_differently: set[str] = field(default_factory=set)
    label_effect: LabelEffect = field(default_factory=LabelEffect)
    against: Counter[str] = field(default_factory=Counter)
    days: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_changes: list[ChangedDecision] = field(default_factory=list)
    stops: Stops = field(default_factory=Stops)
    warnings: Stops = field(default_factory=lambda: Stops(WARNED))
    talks: Talks = field(default_factory=Talks)
    most_changes: int = SHOWN_CHANGES

    def add(self, event: Event, judged: Judged | None, replay: Replay) -> None:
        """Count an event and the decisions about it."""
        at = event.at if isinstance(event, Mark) else event.outcome.at
        self.first_at = at if self.first_at is None else self.first_at
        self.last_at = at
        if isinstance(event, Mark):
            self.marks += 1
            self.label_effect.add_mark(event)
        elif judged is not None:
            self._add_call(judged)
            self.label_effect.add_call(judged.outcome, sampled=replay.is_sampled(event, judged))
        else:
            self.outbound += 1
            number = call_back_number(event.outcome, replay.ledger.one_ring_at)
            if number is not None:
                self.stops.call_back(number)
                self.warnings.call_back(number)

    def report(
        self,
        history: str,
        policies: Sequence[str],
        replay: Replay,
        reading: HistoryReader,
        known_of: Callable[[str], KnownCallers],
        notes: Sequence[str],
        seconds: float,
    ) -> ReplayReport:
        """Return the report of a replay. `history`: the history's name. `policies`: the names of the policies."""
        periods, weekly = periods_of(self.days)
        return ReplayReport(
            history=history,
            policy=policies[0],
            against=policies[1] if len(policies) > 1 else None,
            reading=reading,
            first_at=self.first_at,
            last_at=self.last_at if self.first_at is not None else None,
            seconds=round(seconds, 3),
            calls=self.calls,
            calls_without_number=self.without_number,
            outbound=self.outbound,
            marks=replay.marks.taken,
            marks_refused=dict(replay.marks.refused),
            actions=counts_of(self.actions),
            assumed=counts_of(self.assumed),
            control_sample=self.label_effect,
            against_actions=counts_of(self.against) if len(policies) > 1 else None,
            periods=periods,
            weekly=weekly,
            changes=Changes(
                self.changes.total(),
                [ChangeCount(before, after, calls) for (before, after), calls in self.changes.most_common()],
                self.first_changes,
            ),
            stopped=self.stops.calls,
            warned=self.warnings.calls,
            mistakes=self.stops.mistakes(self.talks.of, known_of, replay.ledger.rows),
            warned_mistakes=self.warnings.mistakes(self.talks.of, known_of),
            notes=[*notes, KNOWS_THE_CALLEE, NOT_CONSIDERED],
        )

    def _add_call(self, judged: Judged) -> None:
        outcome, decision = judged.outcome, judged.decisions[0]
        action = decision.would_be.word
        self.calls += 1
        self.without_number += outcome.caller is None
        self.actions[action] += 1
        self.days[day_of(outcome.at)][action] += 1
        if outcome.caller in self.treated_differently:
            self.assumed[action] += 1
        elif outcome.caller is not None and action != (outcome.action or NOTHING):
            self.treated_differently.add(outcome.caller)
        self.talks.add(outcome)
        if action != NOTHING:
            level = decision.level.word
            call = DecidedCall(outcome.caller, outcome.at, action, decision.rule, outcome.did, level)
            self.stops.add_call(call)
            self.warnings.add_call(call)
        if len(judged.decisions) > 1:
            before = judged.compared[1].word
            self.against[before] += 1
            if before != action:
                self._add_change(judged, before, decision)

    def _add_change(self, judged: Judged, before: str, decision: Decision) -> None:
        outcome, after = judged.outcome, decision.would_be.word
        self.changes[before, after] += 1
        if len(self.first_changes) < self.most_changes:
            details = (before, after, decision.rule, reason_of(decision))
            self.first_changes.append(ChangedDecision(outcome.linkedid, outcome.at, outcome.caller, *details))


def reason_of(decision: Decision) -> Why:
    """Return a decision's reason as in the journal: with the reason of the limit that weakened the action, if any."""
    return capped(decision.reason, decision.capped_by)


def line_of(judged: Judged) -> dict[str, Any]:
    """Return a line of `callsieve replay --out`, with the action that the policy takes without observe mode."""
    decision = judged.decisions[0]
    return {
        "call": judged.outcome.linkedid,
        "action": decision.would_be.word,
        "level": decision.level.word,
        "log_odds": round(decision.reputation.log_odds, 6),
        "points": decision.reputation.points,
        "rule": decision.rule,
        "reason": str(reason_of(decision)),
    }


def periods_of(days: dict[int, Counter[str]]) -> tuple[list[Period], bool]:
    """Return a period for each day or, for more than 60 days, each week; and whether the periods are weeks."""
    if not days:
        return [], False
    first, last = min(days), max(days)
    if last - first < MOST_DAYS:
        return [
            Period(date.fromordinal(day), counts_of(days.get(day, Counter()))) for day in range(first, last + 1)
        ], False
    monday = date.fromordinal(first) - timedelta(days=date.fromordinal(first).weekday())
    weeks = [Counter[str]() for _ in range((last - monday.toordinal()) // 7 + 1)]
    for day, actions in days.items():
        weeks[(day - monday.toordinal()) // 7].update(actions)
    return [Period(monday + timedelta(weeks=number), counts_of(actions)) for number, actions in enumerate(weeks)], True


def counts_of(actions: Counter[str]) -> Counter[str]:
    """Return the count of every action, including zeros."""
    return Counter({action: actions[action] for action in ACTIONS})


def day_of(at: float) -> int:
    """Return the day of a time in the server's time zone, as `date.toordinal` counts."""
    return _day_of_quarter(int(at // 900))


@lru_cache(maxsize=4096)
def _day_of_quarter(quarter: int) -> int:
    # The offsets of all time zones are multiples of 15 minutes.
    return datetime.fromtimestamp(quarter * 900).astimezone().toordinal()
