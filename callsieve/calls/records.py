"""Decisions and outcomes in the journal, as JSON for scripts and in words for people."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from callsieve.calls.history import VIEW_ACTIONS, CallView
from callsieve.changes.describe import number_field, since_field
from callsieve.changes.operation import Context, Refused
from callsieve.simulate import Opinion
from callsieve.text.times import TimeError, day, moment_of
from policies.decision import ACTION_BY_WORD, Action
from policies.explanation import ExplanationLine
from policies.files import nearest
from policies.reasons import why_of
from reputation.appeals import Appeal, AppealState, due_at
from reputation.encoding import FLAT, HIDDEN, encoded
from reputation.explaining import words_of_happening
from reputation.model import (
    ActionWord,
    AuthClass,
    CallerKind,
    ChallengeResult,
    DecisionRecord,
    Family,
    Level,
    LevelChange,
    Mark,
    Reputation,
    Verdict,
    Witnesses,
)
from reputation.numbers import did_number_of
from reputation.outcome import OutcomeRecord
from reputation.scoring import families_of, witnesses_in
from reputation.site_names import SITE
from reputation.speakers import account_of, speakers_of
from reputation.store.appeals import appeals_of
from reputation.store.audit import value_of
from reputation.store.calls import ENDINGS, CallFilter, ending_of
from reputation.store.identities import Epoch, epochs_of
from reputation.store.marks import Review, Tombstone, review_of, tombstones_of
from reputation.store.standing import Burst, numbers_to_review
from reputation.store.transcripts import transcript_of
from reputation.wording import Places, Wording


def caller_words(record: DecisionRecord) -> str:
    """Return the caller's number. Without one, return the kind of caller and the received text: `unreadable "x"`."""
    if record.caller:
        return record.caller
    # A withheld number is one word, however the network expresses it.
    if record.caller_kind is CallerKind.WITHHELD:
        return kind_word(record.caller_kind)
    shown = f" {json.dumps(record.caller_text, ensure_ascii=False)}" if record.caller_text else ""
    return kind_word(record.caller_kind) + shown


def kind_word(kind: CallerKind) -> str:
    """Return the word shown for a kind of caller without a number."""
    return "unreadable" if kind is CallerKind.INVALID else kind.value


@dataclass(frozen=True, slots=True)
class FamilyEvidence:
    """The evidence of one family about a number. `counts`: how often each kind of evidence occurred.

    `family`: the name of the family. `log_odds`: the weight of the evidence; negative if it speaks for the number.
    """

    family: str
    log_odds: float
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LevelChangeShown:
    """An event that would raise or lower the level of a number. `level`: the level after the event.

    `code`: the event, as a code. `words`: the event, in words.
    """

    code: str
    words: str
    level: Level

    @classmethod
    def of(cls, change: LevelChange) -> LevelChangeShown:
        """Return a level change as a value for JSON."""
        return cls(change.what.code, str(change.words), change.level)


@dataclass(frozen=True, slots=True)
class LevelSource:
    """A witness or source that led to a level. `who`: its code. `log_odds`: the weight of its evidence."""

    who: str
    log_odds: float


@dataclass(frozen=True, slots=True)
class EvidenceVector:
    """The evidence on which a decision was based. `would_change`: events that would lower the level.

    `appeal`: the reference of the appeal in force, or null. `witnesses`: how many witnesses speak against the number;
    null if unknown.
    """

    known: Annotated[tuple[Family, ...], HIDDEN]
    would_change: tuple[LevelChangeShown, ...] = ()
    appeal: str | None = None
    witnesses: Witnesses | None = None

    @property
    @encoded
    def families(self) -> tuple[FamilyEvidence, ...]:
        """The families of evidence. Each says how often each kind of evidence occurred."""
        return tuple(
            FamilyEvidence(family.name, round(family.log_odds, 6), dict(family.counts)) for family in self.known
        )

    def account(self, level: Level) -> tuple[Wording, ...]:
        """Return sentences that say what led to the level, and how many witnesses there were."""
        return account_of(level, self.known, self.witnesses)


def evidence_of(record: DecisionRecord) -> EvidenceVector | None:
    """Return the evidence that the journal stored with a decision; None if the stored evidence is damaged."""
    try:
        vector = value_of(record.vector)
        changes = tuple(
            LevelChangeShown(str(change["what"]), words_of_happening(str(change["what"])), level_of(change["level"]))
            for change in vector.get("would_change", ())
        )
        return EvidenceVector(
            families_of(record.vector), changes, vector.get("appeal") or None, witnesses_in(record.vector)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class CallDecision:
    """A decision about a call, with its evidence and the outcome of the call.

    Attributes:
        vector: The evidence by family; null if the stored evidence is damaged.
        outcome: The outcome of the call; null until the outcome is known.
        challenge: The caller's reaction to a challenge; null if there was no challenge.
        words: The answer of a caller who was asked for a name, as text. Empty if no word was recognised, null if
            nothing was heard.
        voice: Whether a `robot` or a `person` spoke, or `unclear`; null if nothing was heard.
    """

    record: Annotated[DecisionRecord, FLAT]
    vector: EvidenceVector | None
    outcome: OutcomeRecord | None
    challenge: ChallengeResult | None
    words: str | None = None
    voice: str | None = None

    @property
    @encoded
    def action(self) -> ActionWord:
        """The action that was taken."""
        return self.record.action

    @property
    @encoded
    def would_be(self) -> ActionWord:
        """The action that would have been taken if the policy did not only observe."""
        return self.record.would_be

    @property
    @encoded
    def reason(self) -> str | Wording:
        """The reason, in English."""
        return why_of(self.record.reason).words

    @property
    @encoded
    def reason_code(self) -> str:
        """The reason, as a code for programs."""
        return why_of(self.record.reason).code

    @property
    @encoded
    def level(self) -> Level:
        """The strongest action that the evidence about the number alone would justify."""
        return level_of(self.record.level)

    @property
    @encoded
    def level_from(self) -> tuple[LevelSource, ...]:
        """The witnesses and sources that led to the level, the strongest first."""
        return sources_of_level(self.level, () if self.vector is None else self.vector.known)

    @property
    @encoded
    def points(self) -> int:
        """The log-odds in points, as pages show them: ten more points mean ten times the odds."""
        return points_of(self.record)


def decision_shown(db: sqlite3.Connection, record: DecisionRecord) -> CallDecision:
    """Return a decision of the journal together with the outcome of the call."""
    transcript = transcript_of(db, record.id)
    words, voice = (None, None) if transcript is None else (transcript.text, transcript.voice)
    return CallDecision(record, evidence_of(record), *ending_of(db, record.linkedid), words, voice)


def sources_of_level(level: Level, families: Iterable[Family]) -> tuple[LevelSource, ...]:
    """Return the witnesses and sources that led to a level, the strongest first."""
    speakers = speakers_of(families) if level else []
    return tuple(LevelSource(speaker.code, round(log_odds, 6)) for speaker, log_odds in speakers)


def level_of(word: str) -> Level:
    """Return the level with this name; `Level.NONE` for an unknown name."""
    return next((level for level in Level if level.word == word), Level.NONE)


@dataclass(frozen=True, slots=True)
class ReputationShown:
    """The reputation of a number.

    Attributes:
        log_odds: The evidence, as natural log-odds relative to an average caller.
        points: The log-odds in points, as pages show them: ten more points mean ten times the odds.
        level: The strongest action that the evidence alone would justify.
        level_from: The witnesses and sources that led to the level, the strongest first.
        would_raise: Events that would raise the level.
    """

    log_odds: float
    points: int
    level: Level
    level_from: tuple[LevelSource, ...]
    vector: Annotated[EvidenceVector, FLAT]
    would_raise: tuple[LevelChangeShown, ...]


def reputation_shown(reputation: Reputation) -> ReputationShown:
    """Return a reputation as a value for JSON."""
    changes, rises = (
        tuple(map(LevelChangeShown.of, some)) for some in (reputation.would_change, reputation.would_raise)
    )
    vector = EvidenceVector(reputation.families, changes, reputation.appeal, reputation.witnesses)
    sources = sources_of_level(reputation.level, reputation.families)
    return ReputationShown(reputation.log_odds, reputation.points, reputation.level, sources, vector, rises)


@dataclass(frozen=True, slots=True)
class DecisionShown:
    """The decision that would be made about a call, with its steps.

    Attributes:
        policy: The policy that decides.
        action: The action that the policy chooses.
        would_be: The action that would be taken if the policy did not only observe.
        observed: Whether the policy only observes, and otherwise would not allow the call.
        rule: The rule that decides.
        reason: The reason, in English.
        reason_code: The reason, as a code for programs.
        step: The step in the order of precedence whose rule decides.
        level: The strongest action that the evidence alone would justify.
        capped_by: The reason why the action is not stronger; null if nothing speaks for the caller.
        reputation: The reputation of the caller.
        trunk: The trunk on which the call comes in.
        auth_class: How well the caller's number is authenticated.
        steps: The steps and rules that were checked.
    """

    policy: str
    action: Action
    would_be: Action
    observed: bool
    rule: str
    reason: str
    reason_code: str
    step: int
    level: Level
    capped_by: str | None
    reputation: ReputationShown
    trunk: str | None
    auth_class: AuthClass
    steps: tuple[ExplanationLine, ...]


def opinion_shown(opinion: Opinion) -> DecisionShown:
    """Return the decision that would be made about a call, as a value for JSON."""
    decision = opinion.decision
    return DecisionShown(
        policy=opinion.policy.name,
        action=decision.action,
        would_be=decision.would_be,
        observed=decision.observed,
        rule=decision.rule,
        reason=str(decision.reason),
        reason_code=decision.reason.code,
        step=decision.step,
        level=decision.level,
        capped_by=None if decision.capped_by is None else str(decision.capped_by),
        reputation=reputation_shown(decision.reputation),
        trunk=opinion.call.trunk,
        auth_class=opinion.call.auth_class,
        steps=opinion.looks,
    )


def points_of(record: DecisionRecord) -> int:
    """Return the log-odds of a decision in points, as pages show them."""
    return Reputation(record.log_odds).points


def ended_words(outcome: OutcomeRecord) -> str:
    """Return how a call ended, in words."""
    # Only a menu, voicemail or our own rejection answered. "failed" would sound like a fault.
    reached = "reached nobody" if outcome.disposition.value == "failed" else outcome.disposition.value
    words = [outcome.direction.value, reached]
    if outcome.answered_by:
        words.append(f"by {outcome.answered_by}")
    parts = [" ".join(words)]
    if outcome.ring_seconds:
        parts.append(f"rang {outcome.ring_seconds:.0f} s")
    if outcome.talk_seconds:
        parts.append(f"talked {outcome.talk_seconds:.0f} s")
    parts += ["left a message"] if outcome.voicemail_left else []
    parts += ["blocked by a network"] if outcome.blocked else []
    parts += ["answered by a machine"] if outcome.machine else []
    parts += [f"ended by {outcome.ended_by.value}"] if outcome.ended_by else []
    parts += [] if outcome.complete else ["only a part of the call was observed"]
    return ", ".join(parts)


FIELDS = ("number", "callee", "did", "action", "rule", "ending", "since", "until", "site", "view")
LONGEST = 80


def typed_fields(typed: Mapping[str, str | None]) -> dict[str, str]:
    """Return the text that the user entered in each field of the filter; empty for a field that was not sent."""
    return {name: (typed.get(name) or "").strip()[:LONGEST] for name in FIELDS}


def wanted_of(context: Context, typed: Mapping[str, str | None]) -> CallFilter:
    """Return the filter for calls that the user entered. Raise Refused with the name of an invalid field."""
    text = typed_fields(typed)
    view = _word("view", text["view"], list(CallView))
    return CallFilter(
        number=number_field(context, text["number"], "number") if text["number"] else None,
        callee=text["callee"] or None,
        did=(did_number_of(text["did"], context.settings.numbers.region) or text["did"]) if text["did"] else None,
        action=_word("action", text["action"], ACTION_BY_WORD),
        rule=text["rule"] or None,
        since=since_field(context, text["since"]) if text["since"] else None,
        until=_until(text["until"], context.at) if text["until"] else None,
        ending=_word("ending", text["ending"], ENDINGS),
        site=_site(text["site"]),
        actions=json.dumps(VIEW_ACTIONS[CallView(view)]) if view else None,
    )


def _word(field: str, text: str, allowed: Collection[str]) -> str | None:
    if text and text not in allowed:
        raise Refused("unknown-word", f"unknown value {text[:40]!r}{nearest(text, allowed)}", field)
    return text or None


def _site(text: str) -> str | None:
    if text and not SITE.fullmatch(text):
        raise Refused("bad-site", f"{text[:40]!r} is not the name of a site", "site")
    return text or None


def _until(text: str, now: float) -> float:
    try:
        return moment_of(text, now)
    except TimeError as error:
        raise Refused("bad-time", error.words, "until") from None


@dataclass(frozen=True, slots=True)
class Disputes:
    """Decisions that people made about a number, and marks that wait for one. Each list has the latest first.

    Attributes:
        appeals: The appeals of the number's owner.
        tombstones: Corrections after which wrong marks no longer count.
        epochs: When the number got a new owner.
        to_review: Sudden increases of marks that wait for a review.
        reviewed: The latest review of the marks, or null.
    """

    appeals: tuple[Appeal, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    to_review: tuple[Burst, ...] = ()
    reviewed: Review | None = None

    def case_against(self, mark: Mark) -> str | None:
        """Return the id of the case, such as an appeal, that corrected the mark; None if the mark still counts."""
        tombstones = self.tombstones if mark.verdict is Verdict.SPAM else ()
        return next((tombstone.case_id for tombstone in tombstones if tombstone.covers(mark.reporter, mark.at)), None)


def disputes_of(db: sqlite3.Connection, number: str) -> Disputes:
    """Return the decisions that people made about the number."""
    return Disputes(
        tuple(appeals_of(db, number)),
        tuple(tombstones_of(db, number)),
        tuple(epochs_of(db, number)),
        tuple(numbers_to_review(db, number)),
        review_of(db, number),
    )


def appeal_in_words(appeal: Appeal) -> Wording:
    """Return an appeal in words: `AP9E4100 by Carol Ltd: in force, to be decided by 2026-11-30`."""
    due, closed = due_at(appeal), appeal.closed_at
    about: Places = {"reference": appeal.reference, "name": appeal.name, "state": Wording(appeal.state.words)}
    if due:
        until = {**about, "day": day(due - 1)}
        return Wording("{reference} by {name}: {state}, to be decided by {day}", until)
    if closed:
        return Wording("{reference} by {name}: {state} {day}", {**about, "day": day(closed)})
    return Wording("{reference} by {name}: {state}", about)


def decided_since(cases: Disputes, at: float) -> Iterator[str]:
    """Yield in words what people decided about a number since `at`. Today a call might be decided differently."""
    for appeal in cases.appeals:
        latest = appeal.closed_at or appeal.in_force_at
        if appeal.state is not AppealState.OPEN and latest is not None and latest > at:
            yield f"appeal {appeal_in_words(appeal)}"
    corrections = {
        tombstone.case_id: tombstone for tombstone in cases.tombstones if tombstone.reporter and tombstone.until > at
    }
    for tombstone in corrections.values():
        yield f"marks until {day(tombstone.until)} were found wrong ({tombstone.case_id})"
    for epoch in cases.epochs:
        if epoch.at > at:
            yield f"the number has had a new owner since {day(epoch.at)}: {epoch.reason}"
    if cases.reviewed is not None and cases.reviewed.at > at:
        yield f"the number's marks were reviewed on {day(cases.reviewed.at)} by {cases.reviewed.who}"
