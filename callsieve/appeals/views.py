"""What the pages of appeals show: the queue by deadline, and of one case both sides and what a decision would do.

The health check of appeals: each is decided in time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from callsieve.appeals.capability import CLEARED, STEPS
from callsieve.appeals.operations import AppealText, appeal_about
from callsieve.changes.describe import NumberText, number_field, value_of_side
from callsieve.changes.operation import Context
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import latest_changes
from callsieve.doctor.finding import NONE, Finding, HealthCheck, ScheduledCheck, and_more, check_of_store, ok, warn
from callsieve.numbers.calls_now import CallsNow, Stop, calls_now, reputation_if_upheld, stops_of
from callsieve.numbers.views import NumberShown, number_shown
from callsieve.settings import Loaded, Settings
from callsieve.simulate import Ours, Question, call_of
from callsieve.wiring import site_of
from policies.policy import PolicyError
from policies.situation import query_of
from reputation.appeals import LIVE, Appeal, AppealState, due_at, is_overdue
from reputation.encoding import FLAT, Instant, plain
from reputation.events import AppealDue, EventKind
from reputation.model import AuthClass, DecisionRecord, Mark, Reputation, Verdict
from reputation.owner_sentence import owner_sentence
from reputation.store.appeals import all_appeals, appeal_of, appeals_to_decide
from reputation.store.evidence_rows import marks_of, rows_of
from reputation.store.identities import epochs_of
from reputation.store.journal import decision_of
from reputation.store.outbox import emit_change, forget_state, states_of
from reputation.store.public_appeals import Attachment, attachments_of, called_in_at, code_of, public_appeals
from reputation.store.site import people_here
from reputation.weights import DAY_SECONDS
from reputation.wording import Places, Wording

MOST_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Queued:
    """An appeal in the queue. `due_at`: when the day ends on which it is to be decided; None: it is not in force.

    `is_public`: a stranger filed it on the public page.

    Attributes:
        is_overdue: Whether it should have been decided by now.
    """

    appeal: Annotated[Appeal, FLAT]
    due_at: Instant | None
    is_overdue: bool
    is_public: bool


@dataclass(frozen=True, slots=True)
class AppealCase:
    """All of one appeal. `marks`: what people said of the number.

    Attributes:
        attachments: Files that were attached as evidence.
    """

    queued: Annotated[Queued, FLAT]
    attachments: tuple[Attachment, ...]
    marks: tuple[Mark, ...]


class AppealsRequest(PageQuery, frozen=True, kw_only=True):
    """Which appeals. `all`: also those that are closed; `number`: only those of this number."""

    all: bool = False
    number: NumberText | None = None


@dataclass(frozen=True, slots=True)
class QueueShown:
    """The page: what waits for somebody, and what is closed, the latest first."""

    waiting: tuple[Queued, ...]
    closed: tuple[Queued, ...]


@dataclass(frozen=True, slots=True)
class CaseShown:
    """One appeal. `number` is all that its number's page has; `marks` are those that are judged, by `reporters`.

    `if_upheld`: the reputation once the spam marks do not count. `has_code`: one was made for a call-back;
    `called_at`: when the code of the public page was keyed in a call that showed the number. `to_owner`:
    what marks can do to a number.
    `stops`: what would stop calls if it is upheld, or does since; `now`: what calls meet, None: nobody can tell.
    `undo_id`: the change that made it what it is, where that can be undone; `clear_undo_id`: what was removed since.
    """

    appeal: Appeal
    due_at: float | None
    is_overdue: bool
    attachments: tuple[Attachment, ...]
    decision: DecisionRecord | None
    number: NumberShown
    marks: tuple[Mark, ...]
    reporters: tuple[str, ...]
    if_upheld: Reputation
    has_code: bool
    is_public: bool
    called_at: float | None
    to_owner: Wording | str
    now: CallsNow | None
    stops: tuple[Stop, ...]
    undo_id: int | None
    clear_undo_id: int | None

    @property
    def is_live(self) -> bool:
        """Whether it is open or in force."""
        return self.appeal.state in LIVE

    @property
    def can_be_decided(self) -> bool:
        """Only what is in force."""
        return self.appeal.state is AppealState.IN_FORCE


def queue_shown(db: sqlite3.Connection, now: float) -> QueueShown:
    """The page."""
    waiting = appeals_to_decide(db)
    live = {one.reference for one in waiting}
    closed = [one for one in all_appeals(db) if one.reference not in live]
    closed.sort(key=lambda one: -(one.closed_at or one.opened_at))
    public = public_appeals(db)
    # What strangers filed and nobody has proven comes last: a flood of them must bury nobody.
    waiting.sort(key=lambda one: one.state is AppealState.OPEN and one.reference in public)
    return QueueShown(queued(waiting, public, now), queued(closed[:MOST_SHOWN], public, now))


def case_shown(db: sqlite3.Connection, loaded: Loaded, reference: str, now: float) -> CaseShown | None:
    """One appeal; None: there is no such."""
    appeal = appeal_of(db, reference)
    if appeal is None:
        return None
    epochs, ours = epochs_of(db, appeal.number), Ours.of(loaded)
    ordinary = call_of(Question(appeal.number), site_of(loaded.settings))
    calls, stops = _calls_and_stops(db, loaded, appeal, now)
    marks = judged_marks(rows_of(db, appeal.number).marks, epochs[0].at if epochs else None)
    return CaseShown(
        appeal=appeal,
        due_at=due_at(appeal),
        is_overdue=is_overdue(appeal, now),
        attachments=tuple(attachments_of(db, reference)),
        decision=decision_of(db, appeal.decision_id) if appeal.decision_id else None,
        number=number_shown(db, loaded, appeal.number, now, None),
        marks=tuple(marks),
        reporters=tuple(sorted({mark.reporter for mark in marks})),
        if_upheld=reputation_if_upheld(db, query_of(ordinary, now, None, plan=ours.plan), ours.weights),
        has_code=code_of(db, reference) is not None,
        is_public=reference in public_appeals(db),
        called_at=called_in_at(db, reference),
        to_owner=owner_sentence(loaded.settings.reputation, people_here(db)),
        now=calls,
        stops=stops,
        undo_id=_undo_id(db, appeal),
        clear_undo_id=_clear_undo_id(db, appeal),
    )


def find_appeals(db: sqlite3.Connection, context: Context, request: AppealsRequest) -> ResultPage[Queued]:
    """Return the appeals that wait for somebody, or all."""
    number = None if request.number is None else number_field(context, request.number, "number")
    found = all_appeals(db) if request.all else appeals_to_decide(db)
    public = public_appeals(db)
    return page_from(
        (one for one in found if number in (None, one.number)),
        request,
        lambda one: (-one.opened_at, one.reference),
        lambda one: _queued(one, public, context.at),
    )


def find_case(db: sqlite3.Connection, context: Context, about: AppealText) -> AppealCase:
    """Return all of one appeal: what was shown for it, and the marks that it is about."""
    appeal = appeal_about(db, context, about)
    marks = tuple(mark for mark in marks_of(db, appeal.number) if mark.verdict is Verdict.SPAM)
    queued = _queued(appeal, public_appeals(db), context.at)
    return AppealCase(queued, tuple(attachments_of(db, appeal.reference)), marks)


def judged_marks(marks: Iterable[Mark], epoch_at: float | None) -> list[Mark]:
    """The spam marks that the case is about, as reputation/store/appeals.py judges them."""
    return [
        mark
        for mark in marks
        if mark.verdict is Verdict.SPAM
        and mark.auth_class is not AuthClass.UNAUTHENTICATED
        and (epoch_at is None or mark.at >= epoch_at)
    ]


def _calls_and_stops(
    db: sqlite3.Connection, loaded: Loaded, appeal: Appeal, now: float
) -> tuple[CallsNow | None, tuple[Stop, ...]]:
    if appeal.state not in (AppealState.IN_FORCE, AppealState.UPHELD):
        return None, ()
    try:
        return calls_now(db, loaded, appeal.number, now), stops_of(db, loaded, appeal.number, now)
    except PolicyError:  # whoever runs it hears of that elsewhere
        return None, ()


def _clear_undo_id(db: sqlite3.Connection, appeal: Appeal) -> int | None:
    latest = latest_changes(db, CLEARED, appeal.number)
    return next((one.id for one in latest if one.can_undo and one.row.name == appeal.reference), None)


def queued(appeals: Iterable[Appeal], public: frozenset[str], now: float) -> tuple[Queued, ...]:
    return tuple(_queued(one, public, now) for one in appeals)


def _queued(appeal: Appeal, public: frozenset[str], now: float) -> Queued:
    return Queued(appeal, due_at(appeal), is_overdue(appeal, now), appeal.reference in public)


def _undo_id(db: sqlite3.Connection, appeal: Appeal) -> int | None:
    latest = latest_changes(db, STEPS, appeal.number)
    as_it_is = plain(appeal)
    return next((one.id for one in latest if one.can_undo and value_of_side(one.row.after) == as_it_is), None)


APPEAL = "appeal/"


@check_of_store
def has_no_appeal_overdue(db: sqlite3.Connection, now: float) -> Finding:
    """Warn about appeals that wait longer than three working days."""
    appeals = appeals_to_decide(db)
    overdue = [appeal for appeal in appeals if is_overdue(appeal, now)]
    if overdue:
        first = Wording("{reference} should be decided by now", {"reference": overdue[0].reference})
        return warn(and_more(first, len(overdue) - 1), "callsieve appeal list")
    due = [appeal for appeal in appeals if is_overdue(appeal, now + DAY_SECONDS)]
    if due:
        first = Wording("{reference} is to be decided within a day", {"reference": due[0].reference})
        return warn(and_more(first, len(due) - 1), "callsieve appeal list")
    in_force = sum(appeal.state is AppealState.IN_FORCE for appeal in appeals)
    counts: Places = {"open": in_force, "filed": len(appeals) - in_force}
    return ok(Wording("{open} to be decided, {filed} only filed", counts) if appeals else NONE)


def _tell_due(db: sqlite3.Connection, _settings: Settings, now: float) -> None:
    """Tell of each twice: a day before its decision is due, and when it was not made in time."""
    due = {}
    for appeal in appeals_to_decide(db):
        at = due_at(appeal)
        if at is not None and now >= at - DAY_SECONDS:
            data = AppealDue(reference=appeal.reference, number=appeal.number, due_at=at, overdue=now >= at)
            due[f"{APPEAL}{appeal.reference}"] = data
    for key, data in due.items():
        state = f"{data.due_at}{' overdue' * data.overdue}"
        emit_change(db, key, state, EventKind.APPEAL_DUE, data.number, now, data)
    for key in states_of(db, APPEAL):
        if key not in due:
            forget_state(db, key)


CHECKS = (HealthCheck(place=420, name="appeals", find=has_no_appeal_overdue, is_quick=True),)
SCHEDULED = (ScheduledCheck((EventKind.APPEAL_DUE,), _tell_due),)
