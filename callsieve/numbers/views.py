"""The content of a number's page, with the recommended next step. A health check finds marks that wait for a review."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from callsieve.calls.history import CallLine, call_lines, people_names
from callsieve.calls.live import Bar, bars_of
from callsieve.doctor.finding import Finding, HealthCheck, check_of_store, ok, warn
from callsieve.lists.operations import person_text
from callsieve.numbers.profile import Profile, profile_of
from callsieve.settings import Loaded
from policies.decision import TAG
from reputation.formulas import monday_of
from reputation.model import AuthClass, EntryKind, Level, ListEntry, ListName, Mark
from reputation.numbers import block_of
from reputation.scoring import VERIFIED_LEVEL
from reputation.standing import Standing
from reputation.store.audit import AuditRow, audit_rows
from reputation.store.calls import CallFilter, find_calls
from reputation.store.do_not_call import DoNotCallRequest, do_not_call_of
from reputation.store.evidence_rows import Neighbour, answered_of, bad_numbers_near, callers_near, challenges_of
from reputation.store.facts import standing
from reputation.store.names import NumberName, names_of_numbers
from reputation.store.standing import numbers_to_review
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording, listed

SHOWN_CALLS = 20
SHOWN_CHANGES = 20
NEAR_DAYS = 30
FRIENDLY = frozenset({"allow", "contact", "talked"})  # ties of our people


class Witness(NamedTuple):
    """A person's or source's evidence about a number: its time, its kind, and the authentication class of the call."""

    at: float
    person: str
    what: str
    detail: str | Wording
    family: str
    auth_class: AuthClass


@dataclass(frozen=True, slots=True)
class ClassShown:
    """The evidence from a number's calls of one authentication class: how well their caller ID is authenticated."""

    auth_class: AuthClass
    standing: Standing


class NextStep(StrEnum):
    """Actions that the page of a number can recommend."""

    REVIEW = "review"
    ALLOW = "allow"
    BLOCK = "block"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class NumberShown:
    """The content of a number's page. `own_entries`: list entries for exactly this number."""

    known: Profile
    bars: tuple[Bar, ...]
    witnesses: tuple[Witness, ...]
    classes: tuple[ClassShown, ...]
    calls: tuple[CallLine, ...]
    own_entries: tuple[ListEntry, ...]
    my_mark: Mark | None
    do_not_call_request: DoNotCallRequest | None
    bad_near: tuple[str, ...]
    callers_near: tuple[Neighbour, ...]
    changes: tuple[AuditRow, ...]
    name: NumberName | None
    people: Mapping[str, str]

    @property
    def number(self) -> str:
        """The number, E.164."""
        return self.known.number

    @property
    def block(self) -> str | None:
        """The number's block of 1000 numbers, as lists write it; None for a service number, which is in no block."""
        block = block_of(self.number)
        return None if block is None else f"{block}*"

    @property
    def is_known_well(self) -> bool:
        """Whether somebody here knows the caller, or the identity of the number's owner is verified."""
        known = self.known
        is_friend = any(fact.what in FRIENDLY for fact in known.personal)
        return is_friend or (known.identity is not None and known.identity.level >= VERIFIED_LEVEL)

    @property
    def is_stopped(self) -> bool:
        """Whether the next call would be more than tagged: warned about, challenged, routed or rejected."""
        opinion = self.known.opinion
        return opinion is not None and opinion.decision.would_be > TAG

    @property
    def next_step(self) -> NextStep:
        """The recommended action, such as to allow a wanted caller or to block an unwanted caller."""
        if self.known.cases.to_review:
            return NextStep.REVIEW
        if self.is_on("allow") or self.is_on("block") or self.known.facts.own_number:
            return NextStep.NOTHING
        if self.is_stopped and (self.is_known_well or not self.known.facts.reputation.level):
            return NextStep.ALLOW
        if self.known.facts.reputation.level >= Level.WARN and not self.is_known_well:
            return NextStep.BLOCK
        return NextStep.ALLOW if self.is_stopped else NextStep.NOTHING

    def who(self, person: str) -> str:
        """Return an extension with the person's name, such as `201 (Alice)`. Return other texts unchanged."""
        return person_text(person, self.people)

    @property
    def has_history(self) -> bool:
        """Whether the chart of the history has anything to show."""
        return any(point.log_odds for point in self.known.history)

    def is_on(self, list_name: str) -> bool:
        """Return whether exactly this number is on the list."""
        return any(entry.list_name is ListName(list_name) for entry in self.own_entries)


def number_shown(db: sqlite3.Connection, loaded: Loaded, number: str, now: float, extension: str | None) -> NumberShown:
    """Return the content of a number's page.

    `extension`: the visitor's extension. If this person has marked the number, the page offers to remove the mark.
    """
    known = profile_of(db, loaded, number, now)
    standings = ((auth_class, standing(db, number, auth_class)) for auth_class in AuthClass)
    return NumberShown(
        known=known,
        bars=bars_of(known.facts.reputation.families),
        witnesses=tuple(sorted(_witnesses(db, known), key=lambda witness: -witness.at)),
        classes=tuple(ClassShown(auth_class, row) for auth_class, row in standings if row is not None),
        calls=tuple(call_lines(db, loaded.settings, find_calls(db, CallFilter(number=number), None, SHOWN_CALLS), now)),
        own_entries=tuple(listed.entry for listed in known.lists if listed.entry.kind is EntryKind.EXACT),
        my_mark=next((mark for mark in known.marks if mark.reporter == extension), None),
        do_not_call_request=do_not_call_of(db, number),
        bad_near=tuple(bad_numbers_near(db, number)),
        callers_near=tuple(callers_near(db, number, now - NEAR_DAYS * DAY_SECONDS)),
        changes=tuple(audit_rows(db, number, SHOWN_CHANGES)),
        name=names_of_numbers(db, [number], now).get(number),
        people=people_names(db, loaded.settings),
    )


def _witnesses(db: sqlite3.Connection, known: Profile) -> Iterator[Witness]:
    for mark in known.marks:
        case = known.cases.case_against(mark)
        wrong = case and Wording("wrong: {case}", {"case": case})
        details = (mark.category and Wording(mark.category), mark.reason, Wording(mark.channel.value), wrong)
        detail = listed([part for part in details if part], "{some}, {more}")
        yield Witness(mark.at, mark.reporter, f"marked {mark.verdict.value}", detail, "marks", mark.auth_class)
    for signal in known.signals:
        yield Witness(signal.at, signal.callee, signal.category.value, "", "behaviour", signal.auth_class)
    for answer in answered_of(db, known.number):
        yield Witness(answer.at, answer.callee, "answered", "", "marks", answer.auth_class)
    for challenge in challenges_of(db, known.number):
        if challenge.linkedid:  # otherwise it is a proof of control, which the page shows as the identity
            what = f"challenge-{challenge.result.value}"
            yield Witness(challenge.at, challenge.did, what, "", "caller", challenge.auth_class)
    for row in known.facts.imported:
        kind = row.category and Wording(row.category)
        detail = listed([part for part in (kind, row.name, row.note) if part], "{some}, {more}")
        yield Witness(row.imported_at, row.source, f"listed {row.verdict}", detail, "feeds", AuthClass.UNKNOWN)
    for word in known.facts.peers:
        at, people = monday_of(word.last_week), Wording("{n} or more people of that company", {"n": word.witnesses})
        parts: list[str | Wording] = [Wording(word.category), people] if word.category else [people]
        detail = "" if word.is_cleared else listed(parts, "{some}, {more}")
        what = "cleared" if word.is_cleared else "listed spam"
        yield Witness(at, word.peer, what, detail, "peers", AuthClass.UNKNOWN)


@check_of_store
def has_no_marks_to_review(db: sqlite3.Connection, now: float) -> Finding:
    """Check that no bursts of marks wait for a review, because such marks do not count yet."""
    bursts = numbers_to_review(db)
    if bursts:
        return warn(
            Wording("bursts of marks wait for a review: {count}", {"count": len(bursts)}), "callsieve review list"
        )
    return ok(Wording("no marks wait for a review"))


CHECKS = (HealthCheck(place=430, name="reviews", find=has_no_marks_to_review, is_quick=True),)
