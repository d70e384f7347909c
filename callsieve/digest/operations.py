"""The digest: a summary of the calls of a day, and of tasks. Command, page and mail show the same digest.

    day(db, context, DayRequest(date(2026, 11, 26))) -> Digest

Days are in the server's time zone. The tasks (appeals, feeds, the doctor's findings) are always the current tasks.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Annotated, NamedTuple

from callsieve.changes.operation import Context, Refused
from callsieve.doctor.finding import ScheduledCheck
from callsieve.doctor.stored_findings import Findings, read_findings
from callsieve.health import Check, troubles
from callsieve.imports.feed_health import list_feeds
from callsieve.replay.false_positives import FalsePositive, ProbableMistakes, count_of
from callsieve.replay.summary import PeriodSummary, summary_of
from callsieve.settings import Settings
from callsieve.source_health import SourceHealth
from reputation.appeals import Appeal, AppealState, due_at, is_overdue
from reputation.encoding import FLAT, HIDDEN, Instant, encoded
from reputation.events import DigestReady, EventKind
from reputation.model import ChallengeResult
from reputation.own.grades import Due, due_of
from reputation.store.appeals import appeals_to_decide
from reputation.store.evidence import challenge_results
from reputation.store.outbox import emit_change, state_of
from reputation.store.own_health import GradeChange, Suspected, begun_suspicions, changed_grades
from reputation.store.own_labels import LabelChange, changed_labels, label_checks_to_make
from reputation.store.own_register import register_of
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

# The digest has sections of its own for what these checks find.
SAID_ELSEWHERE = frozenset({"appeals", "feeds"})
FIRST_YEAR = 1970


@dataclass(frozen=True, slots=True)
class DayRequest:
    """A request for the digest of a day. `day`: which day; None: yesterday."""

    day: date | None = None


class UnwellFeed(NamedTuple):
    """A feed that has a problem. `name`: the name of the feed."""

    name: str
    health: Annotated[SourceHealth, FLAT]


class AppealToDecide(NamedTuple):
    """An appeal in force that waits for a decision, with its deadline."""

    reference: str
    number: str
    due_at: Instant | None
    overdue: bool


@dataclass(frozen=True, slots=True)
class Digest:
    """The digest of a day.

    Attributes:
        at: When the tasks were read from the store, in epoch seconds.
        mistakes: Numbers that were probably stopped or warned about by mistake.
        challenged: How many challenges had each result.
        in_force: The appeals in force, by deadline.
        filed: How many appeals are only filed.
        grades: Own numbers whose grade changed on the day.
        labels: Label checks whose result changed on the day.
        suspicions: Signs that analytics platforms label own numbers, found since the day began.
        due: Tasks for own numbers within the next 24 hours.
        feeds: Feeds with problems.
        findings: The findings of root's `callsieve doctor`, or why they are unknown.
    """

    day: date
    at: Annotated[float, HIDDEN]
    figures: Annotated[PeriodSummary, FLAT]
    mistakes: Annotated[tuple[FalsePositive, ...], HIDDEN]
    challenged: Mapping[ChallengeResult, int]
    in_force: Annotated[tuple[Appeal, ...], HIDDEN]
    filed: int
    grades: tuple[GradeChange, ...]
    labels: tuple[LabelChange, ...]
    suspicions: tuple[Suspected, ...]
    due: tuple[Due, ...]
    feeds: tuple[UnwellFeed, ...]
    findings: tuple[Check, ...] | Wording

    @property
    @encoded
    def probable_mistakes(self) -> ProbableMistakes:
        """Return the calls that were probably stopped or warned about by mistake."""
        return ProbableMistakes.of(self.mistakes)

    @property
    @encoded
    def appeals(self) -> tuple[AppealToDecide, ...]:
        """Return the appeals in force, by deadline."""
        return tuple(
            AppealToDecide(appeal.reference, appeal.number, due_at(appeal), is_overdue(appeal, self.at))
            for appeal in self.in_force
        )

    @property
    def calls(self) -> int:
        """How many calls were screened."""
        return self.figures.calls

    @property
    def mistaken_calls(self) -> int:
        """How many calls were probably stopped or warned about by mistake."""
        return count_of(self.mistakes)

    @property
    @encoded
    def is_over(self) -> bool:
        """Whether the day had ended when the tasks were read."""
        return self.at >= end_of(self.day)


def day(db: sqlite3.Connection, context: Context, request: DayRequest) -> Digest:
    """Return the digest of a day. Raise Refused if the day is in the future or too long ago."""
    now = context.at
    wanted = request.day or day_before(now)
    if wanted.year < FIRST_YEAR:
        raise Refused("too-old", Wording("{day} is before the first call", {"day": wanted.isoformat()}), "day")
    if wanted > day_of(now):
        raise Refused("to-come", Wording("{day} is in the future", {"day": wanted.isoformat()}), "day")
    since, until = start_of(wanted), min(end_of(wanted), now)
    figures = summary_of(db, since, until)
    appeals = appeals_to_decide(db)
    feeds = list_feeds(db, context.loaded.settings, now)
    in_force = tuple(appeal for appeal in appeals if appeal.state is AppealState.IN_FORCE)
    return Digest(
        day=wanted,
        at=now,
        figures=figures,
        mistakes=tuple(_of_each_number((*figures.mistakes, *figures.warned_mistakes))),
        challenged=challenge_results(db, since, until),
        in_force=in_force,
        filed=len(appeals) - len(in_force),
        grades=tuple(changed_grades(db, since, until)),
        labels=tuple(changed_labels(db, since, until)),
        suspicions=tuple(begun_suspicions(db, since, until)),
        due=tuple(due_of_own_numbers(db, now + DAY_SECONDS)),
        feeds=tuple(UnwellFeed(name, health) for name, _, _, health in feeds if not health.is_ok),
        findings=_findings(context),
    )


def day_of(at: float) -> date:
    """Return the day, in the server's time zone, to which an instant belongs."""
    return datetime.fromtimestamp(at).astimezone().date()


def day_before(at: float) -> date:
    """Return the day before the day to which an instant belongs."""
    return day_of(at) - timedelta(days=1)


def start_of(day_wanted: date) -> float:
    """Return when the day begins, in epoch seconds. A day has 23 or 25 hours when the clock changes."""
    return datetime.combine(day_wanted, time()).astimezone().timestamp()


def end_of(day_wanted: date) -> float:
    """Return when the following day begins, in epoch seconds."""
    return start_of(day_wanted + timedelta(days=1))


def _of_each_number(mistakes: Iterable[FalsePositive]) -> list[FalsePositive]:
    by_number: dict[str, FalsePositive] = {}
    for mistake in mistakes:
        before = by_number.setdefault(mistake.number, mistake)
        if before is not mistake:
            by_number[mistake.number] = replace(
                before,
                actions=dict(Counter(before.actions) + Counter(mistake.actions)),
                rules=dict(Counter(before.rules) + Counter(mistake.rules)),
                last_at=max(before.last_at, mistake.last_at),
                why=tuple({str(why): why for why in (*before.why, *mistake.why)}.values()),
            )
    return list(by_number.values())


def due_of_own_numbers(db: sqlite3.Connection, until: float) -> list[Due]:
    """Return the tasks for own numbers that are due by `until`, the earliest first. Label checks are included."""
    return sorted(
        [*due_of(register_of(db), (), until), *label_checks_to_make(db, until)], key=lambda task: (task.at, task.number)
    )


def _findings(context: Context) -> tuple[Check, ...] | Wording:
    stored = read_findings(context.loaded.findings_path)
    if not isinstance(stored, Findings):
        return stored
    return troubles(check for check in stored.checks if check.name not in SAID_ELSEWHERE)


DIGEST = "digest"


def _emit_ready(db: sqlite3.Connection, settings: Settings, now: float) -> None:
    """Emit the event that yesterday's digest is ready: once a day, after the time of day in the settings."""
    yesterday = day_before(now).isoformat()
    clock = f"{datetime.fromtimestamp(now).astimezone():%H:%M}"
    if clock >= settings.digest.at and yesterday > (state_of(db, DIGEST) or ""):  # the clock may be set back
        emit_change(db, DIGEST, yesterday, EventKind.DIGEST_READY, DIGEST, now, DigestReady(day=yesterday))


SCHEDULED = (ScheduledCheck((EventKind.DIGEST_READY,), _emit_ready),)
