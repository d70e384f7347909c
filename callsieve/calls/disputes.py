"""What people here have decided about a number: appeals, marks that were found wrong, reviews, another owner."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from callsieve.text.times import day
from reputation.appeals import Appeal, AppealState, due_at
from reputation.model import Mark, Verdict
from reputation.store.appeals import appeals_of
from reputation.store.ownership import Epoch, epochs_of
from reputation.store.reviews import Burst, Review, numbers_to_review, review_of
from reputation.store.tombstones import Tombstone, tombstones_of
from reputation.wording import Places, Wording


@dataclass(frozen=True, slots=True)
class Disputes:
    """All of it, of one number, the latest first. `bursts` wait for a review; `reviewed` is the last one."""

    appeals: tuple[Appeal, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    bursts: tuple[Burst, ...] = ()
    reviewed: Review | None = None

    def case_against(self, mark: Mark) -> str | None:
        """The case that has found the mark wrong, None while it counts."""
        stones = self.tombstones if mark.verdict is Verdict.SPAM else ()
        return next((stone.case_id for stone in stones if stone.covers(mark.reporter, mark.at)), None)


def disputes_of(db: sqlite3.Connection, number: str) -> Disputes:
    """What was decided about the number."""
    return Disputes(
        tuple(appeals_of(db, number)),
        tuple(tombstones_of(db, number)),
        tuple(epochs_of(db, number)),
        tuple(numbers_to_review(db, number)),
        review_of(db, number),
    )


def disputes_as_json(cases: Disputes) -> dict[str, Any]:
    """All of it for scripts."""
    return {
        "appeals": list(cases.appeals),
        "tombstones": [stone._asdict() for stone in cases.tombstones],
        "epochs": [epoch._asdict() for epoch in cases.epochs],
        "to_review": [burst._asdict() for burst in cases.bursts],
        "reviewed": cases.reviewed and cases.reviewed._asdict(),
    }


def appeal_in_words(appeal: Appeal) -> Wording:
    """`AP9E4100 of Carol Ltd: in force, to be decided until 2026-11-30`."""
    due, closed = due_at(appeal), appeal.closed_at
    about: Places = {"reference": appeal.reference, "name": appeal.name, "state": Wording(appeal.state.value)}
    if due:
        until = {**about, "day": day(due - 1)}
        return Wording("{reference} of {name}: {state}, to be decided until {day}", until)
    if closed:
        return Wording("{reference} of {name}: {state} {day}", {**about, "day": day(closed)})
    return Wording("{reference} of {name}: {state}", about)


def decided_since(cases: Disputes, at: float) -> Iterator[str]:
    """What has happened to the number after that instant, so that a decision of then would be another one now."""
    for appeal in cases.appeals:
        latest = appeal.closed_at or appeal.in_force_at
        if appeal.state is not AppealState.OPEN and latest is not None and latest > at:
            yield f"appeal {appeal_in_words(appeal)}"
    corrections = {stone.case_id: stone for stone in cases.tombstones if stone.reporter and stone.until > at}
    for stone in corrections.values():
        yield f"marks were found wrong {day(stone.until)} ({stone.case_id})"
    for epoch in cases.epochs:
        if epoch.at > at:
            yield f"another owner since {day(epoch.at)}: {epoch.reason}"
    if cases.reviewed is not None and cases.reviewed.at > at:
        yield f"its marks were reviewed {day(cases.reviewed.at)} by {cases.reviewed.who}"
