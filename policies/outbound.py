"""The check of outgoing calls, without I/O: steps are tried in order, emergency calls first, until a step decides."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum

from policies.reasons import OutboundReason, Why
from reputation.law.loader import LawFile, LimitRow, RefusalRow, RegisterRow, binding
from reputation.numbers import Number
from reputation.own.grades import Grade
from reputation.own.hours import (
    AS_INSTALLED,
    DAY_SECONDS,
    CalledPlace,
    CallingHours,
    is_good_time,
    is_holiday,
    local_date_number,
    next_good_time,
    next_morning,
)
from reputation.own.outbound_types import OutboundFacts, OutboundQuery, RegisterCopy
from reputation.own.register import NumberState


class Passage(IntEnum):
    """The actions for an outgoing call, weakest first."""

    ALLOW = 0
    HOLD = 1  # not now, but at a later time
    REFUSE = 2

    @property
    def word(self) -> str:
        """Return the name used in the dialplan, in the journal and on screens."""
        return self.name.lower()


PASSAGE_BY_WORD = {passage.word: passage for passage in Passage}


def _utc_day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _utc_minute(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRules:
    """The policy for outgoing calls, from the settings. A limit of 0 means no limit.

    `laws`: the law files of all known countries. `needs_consent`: whether to refuse calls without a legally required
    consent. `day`: formats a time as a date. `when`: formats a time as a date with the time of day.
    """

    observe: bool = True
    do_not_call: bool = True
    resting: bool = True
    at_risk: Passage = Passage.REFUSE
    hours: CallingHours = AS_INSTALLED
    laws: tuple[LawFile, ...] = ()
    registers: bool = True
    needs_consent: bool = False
    calls_per_person_day: int = 3
    calls_per_number_hour: int = 0
    calls_per_number_day: int = 0
    calls_per_young_number_day: int = 100
    day: Callable[[float], str] = _utc_day
    when: Callable[[float], str] = _utc_minute


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingCall:
    """An outgoing call that is not placed yet. `callee`: None for an emergency call or a text that is no number."""

    linkedid: str
    callee: Number | None
    is_emergency: bool = False
    own_number: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundDecision:
    """A decision about an outgoing call. `until`: the earliest allowed time if the call is held, or would be held."""

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
    def law(self) -> LawFile | None:
        return _law_of(self.call.callee, self.rules)

    @property
    def key(self) -> str:
        return _key_of(self.call.callee)

    @property
    def country(self) -> str | None:
        return None if self.call.callee is None else self.call.callee.country

    @property
    def agrees(self) -> bool:
        facts = self.facts
        return facts.consent_at is not None and (facts.unwanted_at is None or facts.unwanted_at < facts.consent_at)

    @property
    def tomorrow(self) -> float | None:
        return next_morning(self.place, self.now)


@dataclass(frozen=True, slots=True)
class _Ruling:
    action: Passage
    rule: str
    reason: Why
    until: float | None = None


@dataclass(frozen=True, slots=True)
class GuardStep:
    """A step of `guard`: its title, its function, and the explanation if the step does not decide."""

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
    requested_at = case.facts.unwanted_at
    if not case.rules.do_not_call or requested_at is None or case.agrees:
        return None
    asked: dict[str, str | int] = {"day": case.rules.day(requested_at)}
    reason = OutboundReason.DO_NOT_CALL
    refusal = _refusal_of(case)
    if refusal is not None:
        law, row = refusal
        reason, asked = OutboundReason.DO_NOT_CALL_BY, {**asked, "days": row.days, "law": law.cite(row)}
    return _Ruling(Passage.REFUSE, "do-not-call", Why(reason, asked))


def _refusal_of(case: _Case) -> tuple[LawFile, RefusalRow] | None:
    """Return the law and its row that still protect the called person's do-not-call request, or None."""
    law, requested_at = case.law, case.facts.unwanted_at
    row = binding(law.refusal, case.key, case.now) if law else None
    if law is None or row is None or requested_at is None or case.now >= requested_at + row.days * DAY_SECONDS:
        return None
    return law, row


def _register(case: _Case) -> _Ruling | None:
    if not case.rules.registers or not case.facts.listed or case.agrees:
        return None
    copy = case.facts.listed[0]
    about, is_old = _about_copy(case, copy)
    reason = OutboundReason.ON_OLD_REGISTER if is_old else OutboundReason.ON_REGISTER
    return _Ruling(Passage.REFUSE, "register", Why(reason, about))


def _about_copy(case: _Case, copy: RegisterCopy) -> tuple[dict[str, str | int], bool]:
    """Return the values for the text of a reason about a register copy, and whether the copy is too old by law."""
    about: dict[str, str | int] = {"register": copy.name, "day": case.rules.day(copy.file_at)}
    row = next((row for row in case.law.register if row.name == copy.name), None) if case.law else None
    if case.law is None or row is None:
        return {**about, "law": "the settings"}, False
    return {**about, "days": row.max_days, "law": case.law.cite(row)}, is_too_old(copy, row, case.now)


def is_too_old(copy: RegisterCopy, row: RegisterRow, now: float) -> bool:
    """Return whether the law (`row`) requires a newer copy of the do-not-call register."""
    return now - copy.file_at > row.max_days * DAY_SECONDS


def _copies(case: _Case) -> str:
    old = [copy for copy in case.facts.copies if copy.country == case.country]
    old = [copy for copy in old if _about_copy(case, copy)[1]]
    return "; ".join(["passes", *(str(Why(OutboundReason.OLD_REGISTER, _about_copy(case, copy)[0])) for copy in old)])


def _consent(case: _Case) -> _Ruling | None:
    law = case.law
    if not case.rules.needs_consent or law is None or case.agrees or not _is_of_a_person(case.call.callee):
        return None
    row = binding(law.consent, case.key, case.now)
    return (
        None
        if row is None
        else _Ruling(Passage.REFUSE, "consent", Why(OutboundReason.NO_CONSENT, {"law": law.cite(row)}))
    )


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
        return "passes: the number that the call shows is not graded yet (grading needs 20 calls and runs once an hour)"
    when = case.rules.when(facts.graded_at)
    return f"passes: the number that the call shows is {facts.grade.words}, graded at {when}"


def _is_of_a_person(callee: Number | None) -> bool:
    return callee is None or callee.service is None


def _hours(case: _Case) -> _Ruling | None:
    if is_good_time(case.place, case.now) or not _is_of_a_person(case.call.callee):
        return None
    until = next_good_time(case.place, case.now)
    source = case.place.hours.source
    reason = OutboundReason.HOLIDAY if is_holiday(case.place, case.now) else OutboundReason.BAD_HOURS_BY
    why = Why(reason, {"law": source}) if source else Why(OutboundReason.BAD_HOURS)
    return _Ruling(Passage.HOLD, "hours", why, until)


def _law_limit(case: _Case) -> _Ruling | None:
    row, calls = limit_of(case.call.callee, case.rules, case.now), case.facts.calls_by_law
    if row is None or case.law is None or calls < row.calls or not _is_of_a_person(case.call.callee):
        return None
    about: dict[str, str | int] = {"calls": calls, "days": row.days, "law": case.law.cite(row)}
    frees_at = case.facts.law_frees_at
    until = case.tomorrow if frees_at is None else next_good_time(case.place, max(frees_at, case.now))
    return _Ruling(Passage.HOLD, "law-limit", Why(OutboundReason.LAW_LIMIT, about), until)


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
    GuardStep("dialled text that is not a telephone number", _no_number),
    GuardStep("the do-not-call list", _do_not_call),
    GuardStep("national do-not-call registers", _register, _copies),
    GuardStep("consent, where a law requires it", _consent),
    GuardStep("resting own numbers", _resting),
    GuardStep("own numbers at risk of being marked as spam", _at_risk, _grade),
    GuardStep("calling hours where the called person is", _hours),
    GuardStep("the law's limit on calls to a person", _law_limit),
    GuardStep("the daily limit on calls to a person", _person_day),
    GuardStep("the hourly limit on calls that show the same number", _number_hour),
    GuardStep("the daily limit on calls that show the same number", _number_day),
)
DEFAULT_RULE = "default"
FAIL_OPEN_RULE = "fail-open"


def guard(call: OutgoingCall, facts: OutboundFacts, rules: OutboundRules, now: float) -> OutboundDecision:
    """Decide whether an outgoing call may be placed. `now` is in UTC seconds."""
    case = _case(call, facts, rules, now)
    ruling = _first_ruling(case) or _allowed(case)
    decision = OutboundDecision(
        action=ruling.action,
        rule=ruling.rule,
        reason=ruling.reason,
        would_be=ruling.action,
        until=ruling.until,
    )
    return replace(decision, action=Passage.ALLOW, observed=True) if rules.observe else decision


def _first_ruling(case: _Case) -> _Ruling | None:
    for step in STEPS:
        ruling = step.rule_on(case)
        if ruling is not None:
            return ruling
    return None


def _allowed(case: _Case) -> _Ruling:
    """Return the ruling that allows the call. Its reason names advice against the time or an old register copy."""
    why, place = Why(OutboundReason.NOTHING_AGAINST), case.place
    if place.advised is not None and _is_of_a_person(case.call.callee):
        at_better_hours = replace(place, hours=place.advised)
        if not is_good_time(at_better_hours, case.now):
            why = Why(OutboundReason.ADVISED_AGAINST, {"law": place.advised.source})
    if case.rules.registers:
        for copy in case.facts.copies:
            about, is_old = _about_copy(case, copy)
            if is_old and copy.country == case.country:
                why = Why(OutboundReason.OLD_REGISTER, about)
    return _Ruling(Passage.ALLOW, DEFAULT_RULE, why)


def explain_guard(
    call: OutgoingCall, facts: OutboundFacts, rules: OutboundRules, now: float
) -> tuple[tuple[str, str], ...]:
    """Return the title and the result of every step of `guard`, up to the step that decides about this call."""
    case = _case(call, facts, rules, now)
    lines: list[tuple[str, str]] = []
    for step in STEPS:
        ruling = step.rule_on(case)
        lines.append((step.title, step.passing(case) if ruling is None else f"{ruling.action.word}: {ruling.reason}"))
        if ruling is not None:
            return tuple(lines)
    allowed = _allowed(case)
    return (*lines, (DEFAULT_RULE, f"{allowed.action.word}: {allowed.reason}"))


def day_of(call: OutgoingCall, rules: OutboundRules, now: float) -> int | None:
    """Return today's date where the called person is, in days since 1970; None for a call without a `callee`."""
    return None if call.callee is None else local_date_number(rules.hours.place_of(call.callee, now), now)


def outbound_query(call: OutgoingCall, rules: OutboundRules, now: float) -> OutboundQuery | None:
    """Return the store query for the call, or None for a call without a `callee`."""
    day = day_of(call, rules, now)
    if call.callee is None or day is None:
        return None
    row = limit_of(call.callee, rules, now)
    return OutboundQuery(
        _key_of(call.callee),
        call.own_number,
        day,
        now,
        call.linkedid,
        rules.calls_per_number_hour,
        law_calls=row.calls if row else 0,
        law_days=row.days if row else 0,
    )


def limit_of(callee: Number | None, rules: OutboundRules, now: float) -> LimitRow | None:
    """Return the law's limit on calls to the called person, or None if there is no limit."""
    law = _law_of(callee, rules)
    return binding(law.limit, _key_of(callee), now) if law else None


def _law_of(callee: Number | None, rules: OutboundRules) -> LawFile | None:
    country = callee.country if callee and rules.laws else None
    return next((law for law in rules.laws if law.country == country), None)


def _case(call: OutgoingCall, facts: OutboundFacts, rules: OutboundRules, now: float) -> _Case:
    place = rules.hours.place_of(call.callee, now) if call.callee else CalledPlace((), rules.hours.usual)
    return _Case(call, facts, rules, place, now)


def _key_of(callee: Number | None) -> str:
    return (callee and callee.key) or ""


def _counted(reason: OutboundReason, calls: int) -> Why:
    return Why(reason, {"calls": str(calls)})
