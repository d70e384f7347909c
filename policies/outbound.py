"""The outbound guard: whether a call of ours may go out now. Pure; the same style as policies/engine.py.

    guard(call, facts, rules, now) -> OutboundDecision      allow, hold (until when), or refuse, with rule and reason

A step looks at the call and either decides or passes; the first that decides wins. Emergency calls come before all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum

from policies.reasons import OutboundReason, Why
from reputation.numbers import service_number_of
from reputation.own.grades import Grade
from reputation.own.hours import (
    AS_INSTALLED,
    CalledPlace,
    CallingHours,
    is_good_time,
    local_date_number,
    next_good_time,
    next_morning,
)
from reputation.own.outbound_types import OutboundFacts
from reputation.own.register import NumberState


class Passage(IntEnum):
    """What becomes of an outbound call, weakest first."""

    ALLOW = 0
    HOLD = 1  # not now: there is a better time
    REFUSE = 2

    @property
    def word(self) -> str:
        """The word used in the dialplan, the journal and on screens."""
        return self.name.lower()


PASSAGE_BY_WORD = {passage.word: passage for passage in Passage}


def _utc_day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _utc_minute(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRules:
    """The policy for outbound calls, from the settings. A limit of 0 is none; `day` and `when` say one in a reason."""

    observe: bool = True
    do_not_call: bool = True
    resting: bool = True
    at_risk: Passage = Passage.REFUSE
    hours: CallingHours = AS_INSTALLED
    calls_per_person_day: int = 3
    calls_per_number_hour: int = 0
    calls_per_number_day: int = 0
    calls_per_young_number_day: int = 100
    day: Callable[[float], str] = _utc_day
    when: Callable[[float], str] = _utc_minute


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingCall:
    """An outbound call before it goes out. `callee` is None for what is no telephone number."""

    linkedid: str
    callee: str | None
    is_emergency: bool = False
    own_number: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundDecision:
    """A decision that explains itself. `until` is the earliest good time of a call that is (or would be) held."""

    action: Passage
    rule: str
    reason: Why
    would_be: Passage = Passage.ALLOW
    until: float | None = None
    observed: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    call: OutgoingCall
    facts: OutboundFacts
    rules: OutboundRules
    place: CalledPlace
    now: float

    @property
    def tomorrow(self) -> float | None:
        """The first good time of the called person's next day."""
        return next_morning(self.place, self.now)


@dataclass(frozen=True, slots=True)
class _Ruling:
    action: Passage
    rule: str
    reason: Why
    until: float | None = None


@dataclass(frozen=True, slots=True)
class GuardStep:
    """One step: its title, what it does, and what an explanation says where it decides nothing."""

    title: str
    rule_on: Callable[[_Case], _Ruling | None]
    passing: Callable[[_Case], str] = lambda _: "passes"


def _emergency(case: _Case) -> _Ruling | None:
    if case.call.is_emergency:
        return _Ruling(Passage.ALLOW, "emergency", Why(OutboundReason.EMERGENCY))
    return None


def _no_number(case: _Case) -> _Ruling | None:
    if case.call.callee is None:
        return _Ruling(Passage.ALLOW, "no-number", Why(OutboundReason.NOT_A_NUMBER))
    return None


def _do_not_call(case: _Case) -> _Ruling | None:
    if case.rules.do_not_call and case.facts.unwanted_at is not None:
        asked = {"day": case.rules.day(case.facts.unwanted_at)}
        return _Ruling(Passage.REFUSE, "do-not-call", Why(OutboundReason.DO_NOT_CALL, asked))
    return None


def _resting(case: _Case) -> _Ruling | None:
    facts = case.facts
    if not case.rules.resting or facts.state in (None, NumberState.ACTIVE):
        return None
    if facts.state is NumberState.RETIRED:
        return _Ruling(Passage.REFUSE, "retired", Why(OutboundReason.RETIRED))
    until = {"day": case.rules.day(facts.rests_until or case.now)}
    return _Ruling(Passage.REFUSE, "resting", Why(OutboundReason.RESTING, until))


def _at_risk(case: _Case) -> _Ruling | None:
    facts, action = case.facts, case.rules.at_risk
    if facts.grade is not Grade.AT_RISK or action is Passage.ALLOW:
        return None
    why = Why(OutboundReason.AT_RISK)
    if facts.grade_reasons:
        worst = facts.grade_reasons[0]
        why = Why(OutboundReason.AT_RISK_FOR, {"why": worst.code, **worst.figures})
    return _Ruling(action, "at-risk", why, case.tomorrow if action is Passage.HOLD else None)


def _grade(case: _Case) -> str:
    facts = case.facts
    if case.call.own_number is None:
        return "passes"
    if facts.grade is None or facts.graded_at is None:
        return "passes: not graded (once an hour, from 20 calls on)"
    return f"passes: {facts.grade.value}, graded at {case.rules.when(facts.graded_at)}"


def _is_of_a_person(callee: str | None) -> bool:
    """Not the line of a bank or an authority, which may be called at any time and often."""
    return callee is None or service_number_of(callee) is None


def _hours(case: _Case) -> _Ruling | None:
    if is_good_time(case.place, case.now) or not _is_of_a_person(case.call.callee):
        return None
    until = next_good_time(case.place, case.now)
    return _Ruling(Passage.HOLD, "hours", Why(OutboundReason.BAD_HOURS), until)


def _person_day(case: _Case) -> _Ruling | None:
    limit, calls = case.rules.calls_per_person_day, case.facts.calls_of_person
    if not limit or calls < limit or not _is_of_a_person(case.call.callee):
        return None
    reason = OF_PERSON.get(calls, OutboundReason.PERSON_DAY)
    return _Ruling(Passage.HOLD, "person-day", _counted(reason, calls), case.tomorrow)


def _number_hour(case: _Case) -> _Ruling | None:
    limit, facts = case.rules.calls_per_number_hour, case.facts
    if not limit or facts.calls_of_hour < limit:
        return None
    until = next_good_time(case.place, max(facts.hour_frees_at or case.now, case.now))
    return _Ruling(Passage.HOLD, "number-hour", _counted(OutboundReason.NUMBER_HOUR, facts.calls_of_hour), until)


def _number_day(case: _Case) -> _Ruling | None:
    rules, calls = case.rules, case.facts.calls_of_day
    if rules.calls_per_number_day and calls >= rules.calls_per_number_day:
        return _Ruling(Passage.HOLD, "number-day", _counted(OutboundReason.NUMBER_DAY, calls), case.tomorrow)
    young = rules.calls_per_young_number_day
    if young and case.facts.is_young and calls >= young:
        reason = _counted(OutboundReason.YOUNG_NUMBER_DAY, calls)
        return _Ruling(Passage.HOLD, "young-number-day", reason, case.tomorrow)
    return None


OF_PERSON = {1: OutboundReason.PERSON_ONCE, 2: OutboundReason.PERSON_TWICE}
STEPS = (
    GuardStep("emergency calls", _emergency),
    GuardStep("what is no telephone number", _no_number),
    GuardStep("the do-not-call list", _do_not_call),
    GuardStep("a number that rests", _resting),
    GuardStep("a number at risk", _at_risk, _grade),
    GuardStep("permitted hours at the called person", _hours),
    GuardStep("calls to a person on a day", _person_day),
    GuardStep("calls with a number within an hour", _number_hour),
    GuardStep("calls with a number on a day", _number_day),
)
DEFAULT_RULE = "default"
FAIL_OPEN_RULE = "fail-open"


def guard(call: OutgoingCall, facts: OutboundFacts, rules: OutboundRules, now: float) -> OutboundDecision:
    """What to do with an outbound call, and why. `now` in UTC seconds."""
    case = _case(call, facts, rules, now)
    ruling = next((ruling for step in STEPS if (ruling := step.rule_on(case)) is not None), _ALLOWED)
    decision = OutboundDecision(
        action=ruling.action,
        rule=ruling.rule,
        reason=ruling.reason,
        would_be=ruling.action,
        until=ruling.until,
    )
    return replace(decision, action=Passage.ALLOW, observed=True) if rules.observe else decision


_ALLOWED = _Ruling(Passage.ALLOW, DEFAULT_RULE, Why(OutboundReason.NOTHING_AGAINST))


def explain_guard(
    call: OutgoingCall, facts: OutboundFacts, rules: OutboundRules, now: float
) -> tuple[tuple[str, str], ...]:
    """Every step that is looked at, up to the one that decides: its title, and what it said."""
    case = _case(call, facts, rules, now)
    looks: list[tuple[str, str]] = []
    for step in STEPS:
        ruling = step.rule_on(case)
        looks.append((step.title, step.passing(case) if ruling is None else f"{ruling.action.word}: {ruling.reason}"))
        if ruling is not None:
            return tuple(looks)
    return (*looks, (DEFAULT_RULE, f"{_ALLOWED.action.word}: {_ALLOWED.reason}"))


def day_of(call: OutgoingCall, rules: OutboundRules, now: float) -> int | None:
    """The called person's day, as days since 1970."""
    return None if call.callee is None else local_date_number(rules.hours.place_of(call.callee), now)


def _case(call: OutgoingCall, facts: OutboundFacts, rules: OutboundRules, now: float) -> _Case:
    hours = rules.hours
    return _Case(call, facts, rules, hours.place_of(call.callee) if call.callee else CalledPlace((), hours.usual), now)


def _counted(reason: OutboundReason, calls: int) -> Why:
    return Why(reason, {"calls": str(calls)})
