"""What happened on one day, and what somebody should look at: one value that the command, the page and the mail show.

    day(db, context, DayRequest(date(2026, 11, 26))) -> Digest

Days are those of the machine's zone. What is to be done (appeals, feeds, the doctor's findings) is as it is now.

When a day is over: the digest of yesterday is ready once a day.
"""

from __future__ import annotations

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
from callsieve.imports.feed_health import feeds_found
from callsieve.replay.false_positives import FalsePositive, ProbableMistakes, count_of
from callsieve.replay.summary import PeriodSummary, summary_of
from callsieve.settings import Settings
from callsieve.source_health import SourceHealth
from reputation.appeals import Appeal, AppealState, due_at, is_overdue
from reputation.encoding import FLAT, HIDDEN, Instant, told
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

# The digest says itself what these checks say.
SAID_ELSEWHERE = frozenset({"appeals", "feeds"})
FIRST_YEAR = 1970


@dataclass(frozen=True, slots=True)
class DayRequest:
    """Which day; None: yesterday."""

    day: date | None = None


class UnwellFeed(NamedTuple):
    """A feed that is not well."""

    name: str
    health: Annotated[SourceHealth, FLAT]


class AppealToDecide(NamedTuple):
    """An appeal in force, and until when it is to be decided."""

    reference: str
    number: str
    due_at: Instant | None
    overdue: bool


@dataclass(frozen=True, slots=True)
class Digest:
    """One day, and what is to be done at `at`, in epoch seconds.

    `mistakes`: numbers that were probably stopped or warned of by mistake. `challenged`: what challenged callers did.
    `in_force`: the appeals in force, by deadline; `filed`: how many more are not in force yet. `grades`: own numbers
    whose grade changed on the day. `labels`: what platforms began or ceased to show of them. `suspicions`: where they
    may be marked since that day, by how their calls fare. `due`: what is to be looked at again of them, until a day
    from now. `feeds`: those that are not well. `findings`: what the doctor found as root, or why nothing is known.
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
    @told
    def probable_mistakes(self) -> ProbableMistakes:
        """Return calls that were probably stopped or warned of by mistake."""
        return ProbableMistakes.of(self.mistakes)

    @property
    @told
    def appeals(self) -> tuple[AppealToDecide, ...]:
        """Return the appeals in force, by deadline."""
        return tuple(
            AppealToDecide(one.reference, one.number, due_at(one), is_overdue(one, self.at)) for one in self.in_force
        )

    @property
    def calls(self) -> int:
        """How many were decided about."""
        return self.figures.calls

    @property
    def mistaken_calls(self) -> int:
        """How many calls the mistakes are."""
        return count_of(self.mistakes)

    @property
    @told
    def is_over(self) -> bool:
        """Whether the day had ended."""
        return self.at >= end_of(self.day)


def day(db: sqlite3.Connection, context: Context, request: DayRequest) -> Digest:
    """Operation: the digest of a day. Refused: the day is to come, or no calendar of ours has it."""
    now = context.at
    wanted = request.day or day_before(now)
    if wanted.year < FIRST_YEAR:
        raise Refused("too-old", Wording("{day} is before the first call", {"day": wanted.isoformat()}), "day")
    if wanted > day_of(now):
        raise Refused("to-come", Wording("{day} is in the future", {"day": wanted.isoformat()}), "day")
    since, until = start_of(wanted), min(end_of(wanted), now)
    figures = summary_of(db, since, until)
    appeals = appeals_to_decide(db)
    found = feeds_found(db, context.loaded.settings, now)
    in_force = tuple(one for one in appeals if one.state is AppealState.IN_FORCE)
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
        due=tuple(_due(db, now + DAY_SECONDS)),
        feeds=tuple(UnwellFeed(name, health) for name, _, _, health in found if not health.is_ok),
        findings=_findings(context),
    )


def day_of(at: float) -> date:
    """The day that an instant lies in."""
    return datetime.fromtimestamp(at).astimezone().date()


def day_before(at: float) -> date:
    """Yesterday."""
    return day_of(at) - timedelta(days=1)


def start_of(one: date) -> float:
    """When the day begins, in epoch seconds. It has 23 or 25 hours where the clock is set."""
    return datetime.combine(one, time()).astimezone().timestamp()


def end_of(one: date) -> float:
    """When the next one begins."""
    return start_of(one + timedelta(days=1))


def _of_each_number(found: Iterable[FalsePositive]) -> list[FalsePositive]:
    """One for each number, also where it was stopped and warned of; in the order of the first."""
    by_number: dict[str, FalsePositive] = {}
    for one in found:
        before = by_number.setdefault(one.number, one)
        if before is not one:
            by_number[one.number] = replace(
                before,
                actions=dict(Counter(before.actions) + Counter(one.actions)),
                rules=dict(Counter(before.rules) + Counter(one.rules)),
                last_at=max(before.last_at, one.last_at),
                why=tuple({str(why): why for why in (*before.why, *one.why)}.values()),
            )
    return list(by_number.values())


def _due(db: sqlite3.Connection, until: float) -> list[Due]:
    """Re-checks, numbers that have rested, and platforms that are to be looked at again, the earliest first."""
    return sorted(
        [*due_of(register_of(db), (), until), *label_checks_to_make(db, until)], key=lambda one: (one.at, one.number)
    )


def _findings(context: Context) -> tuple[Check, ...] | Wording:
    stored = read_findings(context.loaded.findings_path)
    if not isinstance(stored, Findings):
        return stored
    return troubles(one for one in stored.checks if one.name not in SAID_ELSEWHERE)


DIGEST = "digest"


def _tell_ready(db: sqlite3.Connection, settings: Settings, now: float) -> None:
    """From the time of the settings on; not for a day that a clock which was set back comes to again."""
    yesterday = day_before(now).isoformat()
    clock = f"{datetime.fromtimestamp(now).astimezone():%H:%M}"
    if clock >= settings.digest.at and yesterday > (state_of(db, DIGEST) or ""):
        emit_change(db, DIGEST, yesterday, EventKind.DIGEST_READY, DIGEST, now, DigestReady(day=yesterday))


SCHEDULED = (ScheduledCheck((EventKind.DIGEST_READY,), _tell_ready),)
