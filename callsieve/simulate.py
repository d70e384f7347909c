"""Compute in other processes what the daemon decides about a call, for `lookup`, `policy explain` and the console.

Facts are read from the store as in the daemon. The daemon counts the callers of the last hour in memory, but this
module reads them from the journal. It ignores emergency calls that are recorded only in Asterisk's own database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agi.parsing import did_of, withheld_number
from agi.site import Site, Trunk
from callsieve.plan_files import plan_of
from callsieve.settings import Loaded
from callsieve.wiring import dids_of, own_numbers_of, people_of, screening_hours_of
from policies.decision import Decision, IncomingCall
from policies.engine import decide
from policies.explanation import ExplanationLine, explain
from policies.files import nearest
from policies.policy import Case, Policy, PolicySet
from policies.situation import NOTHING_LATELY, Lately, ScreeningHours, query_of, situation_of
from reputation.evidence import NO_EVIDENCE
from reputation.explaining import would_raise
from reputation.facts import Facts, FactsQuery
from reputation.first_calls import FirstCalls
from reputation.model import Attestation, Did, FirstCall, Person, Verification
from reputation.numbers import Number, caller_of, stored_number
from reputation.plan.rows import NO_PLAN, NumberPlan
from reputation.store.facts import evidence_of, facts_of
from reputation.store.journal import CallTime, call_times
from reputation.store.people import person_of
from reputation.velocity import WINDOW_SECONDS, Velocity
from reputation.weights import Weights


class QuestionError(ValueError):
    """Raised if the described call names an unknown trunk or extension. The text suggests a remedy."""


@dataclass(frozen=True, slots=True)
class Question:
    """A call described by a user. `trunk`: the name of a [[trunk]]; None: the only trunk in the settings.

    If the settings name no trunk or several, None stands for a trunk without a name.
    """

    caller: str
    did: str | None = None
    trunk: str | None = None
    callee: str | None = None
    attestation: Attestation = Attestation.NONE
    verification: Verification = Verification.NONE
    withheld: bool = False
    callback: bool = False
    diverted_from: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """The decision about a call, with every step that led to it."""

    call: IncomingCall
    facts: Facts
    policy: Policy
    decision: Decision
    looks: tuple[ExplanationLine, ...]


def call_of(question: Question, site: Site) -> IncomingCall:
    """Return the described call as the daemon would see it. Raise QuestionError for an unknown trunk."""
    trunk = _trunk_of(question.trunk, site)
    caller = caller_of(question.caller, trunk.region, "prohib" if question.withheld else "")
    return IncomingCall(
        linkedid="",
        caller=caller,
        did=did_of(question.did or "", trunk.region),
        trunk=trunk.name or None,
        trusted=trunk.trusted,
        carrier_counts=trunk.carrier_counts,
        attestation=question.attestation,
        verification=question.verification,
        priority_callback=question.callback,
        diverted_from=did_of(question.diverted_from or "", trunk.region),
        name=question.name,
        withheld=withheld_number(caller, question.caller, trunk.region, site),
    )


def situation_about(
    db: sqlite3.Connection,
    call: IncomingCall,
    now: float,
    ours: SettingsFacts,
    callee: str | None = None,
    *,
    at_its_hour: bool = True,
) -> Case:
    """Return the call with all facts at the time `now`. Raise QuestionError if the extension `callee` is unknown.

    `at_its_hour`: False for a call at no particular time, so that quiet hours do not count.
    """
    number, calls = call.caller, list(call_times(db, now - WINDOW_SECONDS))
    before = None if number.key is None else _before(calls, number, call.did, now)
    query = query_of(call, now, ours.hours.quiet if at_its_hour else None, plan=ours.plan, first_call=before)
    facts = ours.added_to(_with_rises(db, facts_of(db, query, ours.weights), query, ours.weights), call)
    if callee is not None:
        facts = facts._replace(callee=_person(db, callee, ours))
    if not at_its_hour:
        facts = facts._replace(quiet=())
    return situation_of(call, facts, now, ours.hours, _lately(calls, number, now))


@dataclass(frozen=True, slots=True)
class SettingsFacts:
    """The people, numbers and weights in the settings, and the numbering plans.

    The daemon writes people and numbers into the store. Before the daemon's first run, this value replaces the store.
    """

    people: Mapping[str, Person]
    dids: Mapping[str, Did]
    own_numbers: frozenset[str]
    weights: Weights
    hours: ScreeningHours = field(default_factory=ScreeningHours)
    sample_salt: bytes = b""
    plan: NumberPlan = NO_PLAN

    @classmethod
    def of(cls, loaded: Loaded) -> SettingsFacts:
        """Return the people and numbers in the settings, by extension and number."""
        settings = loaded.settings
        return cls(
            {person.extension: person for person in people_of(settings)},
            {did.number: did for did in dids_of(settings)},
            frozenset(own_numbers_of(settings)),
            settings.reputation,
            screening_hours_of(settings),
            plan=plan_of(loaded),
        )

    def added_to(self, facts: Facts, call: IncomingCall) -> Facts:
        """Return the facts completed from the settings, as if the daemon had written the settings into the store."""
        did = self.dids.get(call.did or "", facts.did)
        callee = self.people.get(did.callee or "", facts.callee) if did is not None else facts.callee
        own = facts.own_number or call.caller.key in self.own_numbers or call.caller.key in self.dids
        return facts._replace(did=did, callee=callee, own_number=own)

    def facts_of_range(self, call: IncomingCall, now: float) -> Facts:
        """Return the facts if there is no store: only the number's row in the numbering plan."""
        row = None if call.caller.key is None else self.plan.row_of(call.caller.key, now)
        return Facts() if row is None else Facts(plan=row)


def opinion_of(situation: Case, policies: PolicySet | Policy) -> Opinion:
    """Return the decision about the call. `policies`: one policy, or a set that has one for the call's scope."""
    call, facts, policy, _ = under = situation.under(policies)
    return Opinion(call, facts, policy, decide(*under), explain(*under))


def _with_rises(db: sqlite3.Connection, facts: Facts, query: FactsQuery, weights: Weights) -> Facts:
    """Add to the facts the events that would raise the number's level. Finding the events is too slow for a call."""
    evidence, circumstances = evidence_of(db, query, weights)
    if evidence == NO_EVIDENCE:
        return facts
    rises = would_raise(evidence, circumstances, weights, query.now)
    return facts._replace(reputation=facts.reputation._replace(would_raise=rises))


def _trunk_of(name: str | None, site: Site) -> Trunk:
    if name is None:
        return site.trunks[0] if len(site.trunks) == 1 else Trunk("", "", site.region)
    for trunk in site.trunks:
        if trunk.name == name:
            return trunk
    names = [trunk.name for trunk in site.trunks]
    raise QuestionError(
        f"there is no trunk {name!r}{nearest(name, names) if names else ': the settings have no [[trunk]]'}"
    )


def _person(db: sqlite3.Connection, extension: str, ours: SettingsFacts) -> Person:
    person = ours.people.get(extension) or person_of(db, extension)
    if person is None:
        raise QuestionError(f"there is no person {extension!r}: `callsieve import people` or [[person]] adds one")
    return person


def _lately(calls: Iterable[CallTime], number: Number, now: float) -> Lately:
    """Count the calls of the number and of its block of numbers in the last hour, like reputation.velocity."""
    if number.key is None:
        return NOTHING_LATELY
    velocity = Velocity()
    for call in calls:
        if call.at <= now:
            velocity.add(stored_number(call.caller), call.at, call.did)
    return Lately(velocity.calls(number, now), velocity.block_calls(number, now), dids=velocity.dids(number, now))


def _before(calls: Iterable[CallTime], number: Number, did: str | None, now: float) -> FirstCall:
    """Count other strangers' calls shortly before `now`, by the same rules as the daemon (reputation.first_calls)."""
    first_calls = FirstCalls()
    for call in calls:
        if call.first and call.at <= now:
            first_calls.add(stored_number(call.caller), call.did, call.at)
    return first_calls.before(number, did, now)
