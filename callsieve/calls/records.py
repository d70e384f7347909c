"""Decisions and outcomes as JSON for scripts and as words for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from callsieve.simulate import Opinion
from policies.reasons import why_of
from reputation.explaining import words_of_happening
from reputation.model import DecisionRecord, Family, OutcomeRecord, Reputation
from reputation.scoring import families_of
from reputation.store.audit import value_of


def caller_words(record: DecisionRecord) -> str:
    """The caller's number; else what it is instead, with what the network showed, quoted: `invalid "x"`."""
    if record.caller:
        return record.caller
    shown = f" {json.dumps(record.caller_text, ensure_ascii=False)}" if record.caller_text else ""
    return record.caller_kind.value + shown


@dataclass(frozen=True, slots=True)
class ShownEvidence:
    """What was known at a decision. `changes`: what would have made the level lower, and which it would have been then.

    `appeal`: the reference of the one that was in force, empty for none.
    """

    families: tuple[Family, ...]
    changes: tuple[tuple[str, str], ...]
    appeal: str


def evidence_of(record: DecisionRecord) -> ShownEvidence | None:
    """The evidence that the journal keeps with a decision; None where it is damaged."""
    try:
        vector = value_of(record.vector)
        told = vector_as_json(record.vector).get("would_change", ())
        changes = tuple((str(one["what"]), str(one["level"])) for one in told)
        return ShownEvidence(families_of(record.vector), changes, str(vector.get("appeal", "")))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def decision_as_json(record: DecisionRecord) -> dict[str, Any]:
    """A decision of the journal, its evidence vector as a value."""
    fields = {name: getattr(record, name) for name in record.__slots__}
    why = why_of(record.reason)
    shown = {"reason": str(why), "reason_code": why.code, "vector": vector_as_json(record.vector)}
    return {**fields, **shown, "points": points_of(record)}


def vector_as_json(text: str) -> Any:
    """A vector of the journal, with what would change it in words."""
    vector = value_of(text)
    try:
        changes = [one | {"what": words_of_happening(one["what"])} for one in vector["would_change"]]
    except (TypeError, KeyError):  # it is damaged, and shown as it is
        return vector
    return {**vector, "would_change": changes}


def opinion_as_json(opinion: Opinion) -> dict[str, Any]:
    """What would be decided, and the steps on the way."""
    decision = opinion.decision
    return {
        "policy": opinion.policy.name,
        "action": decision.action.word,
        "would_be": decision.would_be.word,
        "observed": decision.observed,
        "rule": decision.rule,
        "reason": str(decision.reason),
        "reason_code": decision.reason.code,
        "step": decision.step,
        "level": decision.level.word,
        "capped_by": None if decision.capped_by is None else str(decision.capped_by),
        "trunk": opinion.call.trunk,
        "auth_class": opinion.call.auth_class,
        "steps": list(opinion.looks),
    }


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
    parts += [f"ended by {one.ended_by.value}"] if one.ended_by else []
    parts += [] if one.complete else ["not seen whole"]
    return ", ".join(parts)
