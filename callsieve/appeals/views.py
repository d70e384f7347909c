"""Appeals as the pages and the API show them, and the health check for overdue appeals."""

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
from callsieve.simulate import Question, SettingsFacts, call_of
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
    """An appeal in the queue. `is_overdue`: whether the deadline has passed.

    `due_at`: the end of the day by which to decide the appeal; null if the appeal is not in force. `is_public`: whether
    the appeal was filed on the public page.
    """

    appeal: Annotated[Appeal, FLAT]
    due_at: Instant | None
    is_overdue: bool
    is_public: bool


@dataclass(frozen=True, slots=True)
class AppealCase:
    """An appeal with its evidence. `attachments`: the attached files. `marks`: the spam marks of the number."""

    queued: Annotated[Queued, FLAT]
    attachments: tuple[Attachment, ...]
    marks: tuple[Mark, ...]


class AppealsRequest(PageQuery, frozen=True, kw_only=True):
    """Filters for appeals. `all`: include closed appeals. `number`: only appeals of this number; null: any number."""

    all: bool = False
    number: NumberText | None = None


@dataclass(frozen=True, slots=True)
class QueueShown:
    """Content of the queue page: the appeals to decide, and the closed appeals, the latest first."""

    waiting: tuple[Queued, ...]
    closed: tuple[Queued, ...]


@dataclass(frozen=True, slots=True)
class CaseShown:
    """Content of the page of one appeal.

    Attributes:
        marks: The marks to judge.
        reporters: The people who made these marks.
        if_upheld: The reputation that the number would have without the spam marks.
        has_code: Whether a call-back code exists.
        called_at: When the public page's code was entered in a call from the number; None if never.
        now: The decision that a call from the number would get now.
        stops: The reasons that would stop calls even after an upheld appeal.
        undo_id: The change that led to the appeal's state.
        clear_undo_id: The change that removed stops.
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
        """Whether the appeal waits for a decision: it is in force or only filed."""
        return self.appeal.state in LIVE

    @property
    def can_be_decided(self) -> bool:
        """Whether the appeal is in force and so can be decided."""
        return self.appeal.state is AppealState.IN_FORCE


def queue_shown(db: sqlite3.Connection, now: float) -> QueueShown:
    """Return the content of the queue page."""
    waiting = appeals_to_decide(db)
    live = {appeal.reference for appeal in waiting}
    closed = [appeal for appeal in all_appeals(db) if appeal.reference not in live]
    closed.sort(key=lambda appeal: -(appeal.closed_at or appeal.opened_at))
    public = public_appeals(db)
    # Unproven appeals from the public page come last, so that a flood of them cannot bury the others.
    waiting.sort(key=lambda appeal: appeal.state is AppealState.OPEN and appeal.reference in public)
    return QueueShown(queued(waiting, public, now), queued(closed[:MOST_SHOWN], public, now))


def case_shown(db: sqlite3.Connection, loaded: Loaded, reference: str, now: float) -> CaseShown | None:
    """Return the content of an appeal's page; None if the appeal does not exist."""
    appeal = appeal_of(db, reference)
    if appeal is None:
        return None
    epochs, ours = epochs_of(db, appeal.number), SettingsFacts.of(loaded)
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
    """Return the appeals to decide, or with `all` every appeal."""
    number = None if request.number is None else number_field(context, request.number, "number")
    appeals = all_appeals(db) if request.all else appeals_to_decide(db)
    public = public_appeals(db)
    return page_from(
        (appeal for appeal in appeals if number in (None, appeal.number)),
        request,
        lambda appeal: (-appeal.opened_at, appeal.reference),
        lambda appeal: _queued(appeal, public, context.at),
    )


def find_case(db: sqlite3.Connection, context: Context, about: AppealText) -> AppealCase:
    """Return one appeal with its evidence and the marks that the appeal is about."""
    appeal = appeal_about(db, context, about)
    marks = tuple(mark for mark in marks_of(db, appeal.number) if mark.verdict is Verdict.SPAM)
    queued = _queued(appeal, public_appeals(db), context.at)
    return AppealCase(queued, tuple(attachments_of(db, appeal.reference)), marks)


def judged_marks(marks: Iterable[Mark], epoch_at: float | None) -> list[Mark]:
    """Return the spam marks that a ruling is about. Marks before the present owner got the number are left out."""
    return [  # the same rule as in reputation/store/appeals.py
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
    except PolicyError:  # reported elsewhere
        return None, ()


def _clear_undo_id(db: sqlite3.Connection, appeal: Appeal) -> int | None:
    latest = latest_changes(db, CLEARED, appeal.number)
    return next((last.id for last in latest if last.can_undo and last.row.name == appeal.reference), None)


def queued(appeals: Iterable[Appeal], public: frozenset[str], now: float) -> tuple[Queued, ...]:
    """Return the appeals as entries of the queue. `public`: references of the appeals filed on the public page."""
    return tuple(_queued(appeal, public, now) for appeal in appeals)


def _queued(appeal: Appeal, public: frozenset[str], now: float) -> Queued:
    return Queued(appeal, due_at(appeal), is_overdue(appeal, now), appeal.reference in public)


def _undo_id(db: sqlite3.Connection, appeal: Appeal) -> int | None:
    latest = latest_changes(db, STEPS, appeal.number)
    as_it_is = plain(appeal)
    return next((last.id for last in latest if last.can_undo and value_of_side(last.row.after) == as_it_is), None)


APPEAL = "appeal/"


@check_of_store
def has_no_appeal_overdue(db: sqlite3.Connection, now: float) -> Finding:
    """Warn about appeals that were not decided within three working days."""
    appeals = appeals_to_decide(db)
    overdue = [appeal for appeal in appeals if is_overdue(appeal, now)]
    if overdue:
        first = Wording("appeal {reference} is overdue", {"reference": overdue[0].reference})
        return warn(and_more(first, len(overdue) - 1), "callsieve appeal list")
    due = [appeal for appeal in appeals if is_overdue(appeal, now + DAY_SECONDS)]
    if due:
        first = Wording("appeal {reference} must be decided within a day", {"reference": due[0].reference})
        return warn(and_more(first, len(due) - 1), "callsieve appeal list")
    in_force = sum(appeal.state is AppealState.IN_FORCE for appeal in appeals)
    counts: Places = {"open": in_force, "filed": len(appeals) - in_force}
    return ok(
        Wording("appeals to decide: {open}; appeals that wait for proof or acceptance: {filed}", counts)
        if appeals
        else NONE
    )


def _emit_due(db: sqlite3.Connection, _settings: Settings, now: float) -> None:
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
SCHEDULED = (ScheduledCheck((EventKind.APPEAL_DUE,), _emit_due),)
