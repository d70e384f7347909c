"""Decisions and outcomes as JSON for scripts and as words for people."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from callsieve.changes.describe import number_field, since_field
from callsieve.changes.operation import Context, Refused
from callsieve.simulate import Opinion
from callsieve.text.times import TimeError, day, moment_of
from policies.decision import ACTION_BY_WORD
from policies.files import nearest
from policies.reasons import why_of
from reputation.appeals import Appeal, AppealState, due_at
from reputation.explaining import words_of_happening
from reputation.model import CallerKind, DecisionRecord, Family, Level, Mark, Reputation, Verdict
from reputation.numbers import did_number_of
from reputation.outcome import OutcomeRecord
from reputation.scoring import families_of, vector_of, witnesses_in
from reputation.site_names import SITE
from reputation.speakers import account_of, speakers_of
from reputation.store.appeals import appeals_of
from reputation.store.audit import value_of
from reputation.store.calls import ENDINGS, CallFilter
from reputation.store.identities import Epoch, epochs_of
from reputation.store.marks import Burst, Review, Tombstone, numbers_to_review, review_of, tombstones_of
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
class ShownEvidence:
    """What was known at a decision. `changes`: what would have made the level lower, and which it would have been then.

    `account`: who the level came from, and how many witnesses there were. `appeal`: the reference of the one that was
    in force, empty for none.
    """

    families: tuple[Family, ...]
    changes: tuple[tuple[str, str], ...]
    account: tuple[Wording, ...]
    appeal: str


def evidence_of(record: DecisionRecord) -> ShownEvidence | None:
    """The evidence that the journal keeps with a decision; None where it is damaged."""
    try:
        vector = value_of(record.vector)
        told = vector_as_json(record.vector).get("would_change", ())
        changes = tuple((str(one["what"]), str(one["level"])) for one in told)
        families = families_of(record.vector)
        said = account_of(level_of(record.level), families, witnesses_in(record.vector))
        return ShownEvidence(families, changes, said, str(vector.get("appeal", "")))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def decision_as_json(record: DecisionRecord) -> dict[str, Any]:
    """A decision of the journal, its evidence vector as a value."""
    why = why_of(record.reason)
    shown = {"reason": str(why), "reason_code": why.code, "vector": vector_as_json(record.vector)}
    evidence = evidence_of(record)
    families = evidence.families if evidence is not None and level_of(record.level) else ()
    return {**record._asdict(), **shown, "level_from": speakers_as_json(families), "points": points_of(record)}


def speakers_as_json(families: Iterable[Family]) -> list[dict[str, Any]]:
    """Who a level comes from, the heaviest first."""
    return [{"who": speaker.code, "log_odds": round(log_odds, 6)} for speaker, log_odds in speakers_of(families)]


def level_of(word: str) -> Level:
    """The level of that name; NONE for what is none of ours."""
    return next((level for level in Level if level.word == word), Level.NONE)


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
        "reputation": reputation_as_json(decision.reputation),
        "trunk": opinion.call.trunk,
        "auth_class": opinion.call.auth_class,
        "steps": list(opinion.looks),
    }


def reputation_as_json(reputation: Reputation) -> dict[str, Any]:
    """Log-odds, points and level, the families behind them, and who the level comes from."""
    return {
        "log_odds": reputation.log_odds,
        "points": reputation.points,
        "level": reputation.level.word,
        "witnesses": None,
        "level_from": speakers_as_json(reputation.families if reputation.level else ()),
        **vector_as_json(vector_of(reputation)),
        "would_raise": [{"what": str(change.words), "level": change.level.word} for change in reputation.would_raise],
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
    parts += ["refused by a network"] if one.blocked else []
    parts += ["answered by a machine"] if one.machine else []
    parts += [f"ended by {one.ended_by.value}"] if one.ended_by else []
    parts += [] if one.complete else ["not seen whole"]
    return ", ".join(parts)


FIELDS = ("number", "callee", "did", "action", "rule", "ending", "since", "until", "site")
LONGEST = 80


def typed_fields(typed: Mapping[str, str | None]) -> dict[str, str]:
    """Each field as it was typed; empty: it was not."""
    return {name: (typed.get(name) or "").strip()[:LONGEST] for name in FIELDS}


def wanted_of(context: Context, typed: Mapping[str, str | None]) -> CallFilter:
    """What is looked for. Refused names the field."""
    text = typed_fields(typed)
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
