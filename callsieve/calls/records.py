"""Decisions and outcomes as JSON for scripts and as words for people."""

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
from reputation.encoding import FLAT, HIDDEN, told
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
from reputation.wording import Places, Wording


def caller_words(record: DecisionRecord) -> str:
    """The caller's number; else what it is instead, with what the network showed, quoted: `unreadable "x"`.

    A withheld number is one word, whichever way the network says it.
    """
    if record.caller:
        return record.caller
    if record.caller_kind is CallerKind.WITHHELD:
        return kind_word(record.caller_kind)
    shown = f" {json.dumps(record.caller_text, ensure_ascii=False)}" if record.caller_text else ""
    return kind_word(record.caller_kind) + shown


def kind_word(kind: CallerKind) -> str:
    """What the caller of a call without a number is, for people."""
    return "unreadable" if kind is CallerKind.INVALID else kind.value


@dataclass(frozen=True, slots=True)
class FamilyEvidence:
    """What one family of evidence says.

    Attributes:
        family: The name of the family.
        log_odds: How much it weighs; below 0 it speaks for the number.
        counts: What was counted, and how often.
    """

    family: str
    log_odds: float
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LevelChangeShown:
    """Something that would make a level lower or higher.

    Attributes:
        code: What would have to happen, as a code.
        words: The same in words.
        level: The level then.
    """

    code: str
    words: str
    level: Level

    @classmethod
    def of(cls, change: LevelChange) -> LevelChangeShown:
        """Return a change that was found now."""
        return cls(change.what.code, str(change.words), change.level)


@dataclass(frozen=True, slots=True)
class LevelSource:
    """Who a level comes from.

    Attributes:
        who: The code of who speaks against the number.
        log_odds: How much that weighs.
    """

    who: str
    log_odds: float


@dataclass(frozen=True, slots=True)
class EvidenceVector:
    """The evidence of a decision.

    Attributes:
        would_change: What would make the level lower, and which it would be then.
        appeal: The reference of the appeal that was in force, null for none.
        witnesses: How many have something against the number, null where nobody has.
    """

    known: Annotated[tuple[Family, ...], HIDDEN]
    would_change: tuple[LevelChangeShown, ...] = ()
    appeal: str | None = None
    witnesses: Witnesses | None = None

    @property
    @told
    def families(self) -> tuple[FamilyEvidence, ...]:
        """The families of evidence, with what they counted."""
        return tuple(FamilyEvidence(one.name, round(one.log_odds, 6), dict(one.counts)) for one in self.known)

    def account(self, level: Level) -> tuple[Wording, ...]:
        """Return who the level comes from, and how many witnesses there were."""
        return account_of(level, self.known, self.witnesses)


def evidence_of(record: DecisionRecord) -> EvidenceVector | None:
    """Return the evidence that the journal keeps with a decision; None where it is damaged."""
    try:
        vector = value_of(record.vector)
        changes = tuple(
            LevelChangeShown(str(one["what"]), words_of_happening(str(one["what"])), level_of(one["level"]))
            for one in vector.get("would_change", ())
        )
        return EvidenceVector(
            families_of(record.vector), changes, vector.get("appeal") or None, witnesses_in(record.vector)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class CallDecision:
    """A decision about a call, with its evidence and how the call ended.

    Attributes:
        vector: The evidence by family, null where it is damaged.
        outcome: How the call ended, null while that is not known.
        challenge: What the caller did when challenged, null where they were not.
    """

    record: Annotated[DecisionRecord, FLAT]
    vector: EvidenceVector | None
    outcome: OutcomeRecord | None
    challenge: ChallengeResult | None

    @property
    @told
    def action(self) -> ActionWord:
        """What was done with the call."""
        return self.record.action

    @property
    @told
    def would_be(self) -> ActionWord:
        """What would have been done without observe mode."""
        return self.record.would_be

    @property
    @told
    def reason(self) -> str:
        """Why, in English."""
        return str(why_of(self.record.reason))

    @property
    @told
    def reason_code(self) -> str:
        """Why, for programs."""
        return why_of(self.record.reason).code

    @property
    @told
    def level(self) -> Level:
        """What the evidence alone would justify."""
        return level_of(self.record.level)

    @property
    @told
    def level_from(self) -> tuple[LevelSource, ...]:
        """Who the level comes from, the heaviest first."""
        return sources_of_level(self.level, () if self.vector is None else self.vector.known)

    @property
    @told
    def points(self) -> int:
        """The log-odds as people see them: ten points more are ten times the odds."""
        return points_of(self.record)


def decision_shown(db: sqlite3.Connection, record: DecisionRecord) -> CallDecision:
    """Return a decision of the journal with how its call ended."""
    return CallDecision(record, evidence_of(record), *ending_of(db, record.linkedid))


def sources_of_level(level: Level, families: Iterable[Family]) -> tuple[LevelSource, ...]:
    """Return who a level comes from, the heaviest first."""
    found = speakers_of(families) if level else []
    return tuple(LevelSource(speaker.code, round(log_odds, 6)) for speaker, log_odds in found)


def level_of(word: str) -> Level:
    """Return the level of that name; NONE for an unknown one."""
    return next((level for level in Level if level.word == word), Level.NONE)


@dataclass(frozen=True, slots=True)
class ReputationShown:
    """What the evidence against a number adds up to.

    Attributes:
        log_odds: The evidence, as natural log-odds relative to an average caller.
        points: The log-odds as people see them: ten points more are ten times the odds.
        level: What the evidence alone would justify.
        level_from: Who the level comes from, the heaviest first.
        would_raise: What would make the level higher, and which it would be then.
    """

    log_odds: float
    points: int
    level: Level
    level_from: tuple[LevelSource, ...]
    vector: Annotated[EvidenceVector, FLAT]
    would_raise: tuple[LevelChangeShown, ...]


def reputation_shown(found: Reputation) -> ReputationShown:
    """Return a reputation with the families behind it, and who its level comes from."""
    changes, rises = (tuple(map(LevelChangeShown.of, some)) for some in (found.would_change, found.would_raise))
    vector = EvidenceVector(found.families, changes, found.appeal, found.witnesses)
    sources = sources_of_level(found.level, found.families)
    return ReputationShown(found.log_odds, found.points, found.level, sources, vector, rises)


@dataclass(frozen=True, slots=True)
class DecisionShown:
    """What would be decided about a call, and the steps on the way.

    Attributes:
        policy: The policy that decides.
        action: What would be done.
        would_be: The same without observe mode.
        observed: The policy only observes, and something else than to let the call go on would be ordered.
        rule: The rule that decides.
        reason: Why, in English.
        reason_code: Why, for programs.
        step: The step of the order of precedence that decides.
        level: What the evidence alone would justify.
        capped_by: Why it is no more, null where nothing speaks for the caller.
        reputation: What is known against the caller.
        trunk: The trunk that the call comes in on.
        auth_class: Whether somebody vouches for the caller's number.
        steps: The steps and rules that were looked at.
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
    """Return what would be decided, ready to be written."""
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
    """The points that people see."""
    return Reputation(record.log_odds).points


def ended_words(one: OutcomeRecord) -> str:
    """How a call ended, in words."""
    # A menu, a voicemail box or our own refusal: no fault of the caller, and no failure that anybody should look into.
    reached = "reached nobody" if one.disposition.value == "failed" else one.disposition.value
    words = [one.direction.value, reached]
    if one.answered_by:
        words.append(f"by {one.answered_by}")
    parts = [" ".join(words)]
    if one.ring_seconds:
        parts.append(f"rang {one.ring_seconds:.0f} s")
    if one.talk_seconds:
        parts.append(f"talked {one.talk_seconds:.0f} s")
    parts += ["left a message"] if one.voicemail_left else []
    parts += ["refused by a network"] if one.blocked else []
    parts += ["answered by a machine"] if one.machine else []
    parts += [f"ended by {one.ended_by.value}"] if one.ended_by else []
    parts += [] if one.complete else ["not seen whole"]
    return ", ".join(parts)


FIELDS = ("number", "callee", "did", "action", "rule", "ending", "since", "until", "site", "view")
LONGEST = 80


def typed_fields(typed: Mapping[str, str | None]) -> dict[str, str]:
    """Each field as it was typed; empty: it was not."""
    return {name: (typed.get(name) or "").strip()[:LONGEST] for name in FIELDS}


def wanted_of(context: Context, typed: Mapping[str, str | None]) -> CallFilter:
    """What is looked for. Refused names the field."""
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
        raise Refused("unknown-word", f"unknown word {text[:40]!r}{nearest(text, allowed)}", field)
    return text or None


def _site(text: str) -> str | None:
    if text and not SITE.fullmatch(text):
        raise Refused("bad-site", f"{text[:40]!r} is no name of a site", "site")
    return text or None


def _until(text: str, now: float) -> float:
    try:
        return moment_of(text, now)
    except TimeError as error:
        raise Refused("bad-time", str(error), "until") from None


@dataclass(frozen=True, slots=True)
class Disputes:
    """What people decided about one number, the latest first.

    Attributes:
        appeals: The appeals of its owner.
        tombstones: Its marks that were found wrong.
        epochs: The changes of its owner.
        to_review: Many marks at once, which wait for a review.
        reviewed: The latest review of its marks, null for none.
    """

    appeals: tuple[Appeal, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    to_review: tuple[Burst, ...] = ()
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


def appeal_in_words(appeal: Appeal) -> Wording:
    """`AP9E4100 of Carol Ltd: in force, to be decided until 2026-11-30`."""
    due, closed = due_at(appeal), appeal.closed_at
    about: Places = {"reference": appeal.reference, "name": appeal.name, "state": Wording(appeal.state.words)}
    if due:
        until = {**about, "day": day(due - 1)}
        return Wording("{reference} by {name}: {state}, to be decided by {day}", until)
    if closed:
        return Wording("{reference} by {name}: {state} {day}", {**about, "day": day(closed)})
    return Wording("{reference} by {name}: {state}", about)


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
