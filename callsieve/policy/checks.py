"""The health checks of the policy: it loads, may act, and stopped calls have somewhere to go."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, and_more, fail, ok, warn
from callsieve.pbx.cli_output import dialplan_in, mailboxes_in
from callsieve.policy.records import STOPPING_WORDS, WAY_OUT, WAY_OUT_ON_FREEPBX, stops_calls
from callsieve.wiring import dids_of, policies_of
from policies.policy import PolicyError
from reputation.model import Did
from reputation.store.calls import first_decision
from reputation.store.lists import has_entry_with
from reputation.store.people import all_dids
from reputation.weights import DAY_SECONDS
from reputation.wording import Places, Wording

# Until both have passed nobody knows what the policy does to this office's callers.
YOUNG_SECONDS = 7 * DAY_SECONDS
FEW_DECISIONS = 500


def policy_loads(ground: CheckContext) -> Finding:
    """The policy, and those of its scopes, can be used."""
    try:
        policies = policies_of(ground.loaded)
    except PolicyError as error:
        return fail(str(error), "callsieve policy check")
    policy = policies.default
    named: str | Wording = policy.name
    if policies.scopes:
        parts: Places = {"policy": policy.name, "count": len(policies.scopes)}
        named = Wording("{policy}, and {count} for parts of the calls", parts)
    return ok(Wording("{policy}: observes, never acts", {"policy": named}) if policy.observe else named)


def may_act(ground: CheckContext) -> Finding:
    """A policy that does more than observe has seen enough calls here."""
    acting = ground.acting_policies
    if not acting:
        return ok(Wording("observes only"))
    return ground.judge_store(lambda db, now: _judged_age(db, now, acting[0].name))


def _judged_age(db: sqlite3.Connection, now: float, policy: str) -> Finding:
    first, count = first_decision(db, FEW_DECISIONS)
    if count < FEW_DECISIONS and (first is None or now - first < YOUNG_SECONDS):
        about: Places = {"policy": policy, "count": count, "days": YOUNG_SECONDS / DAY_SECONDS}
        return warn(
            Wording("{policy} acts already: only {count} decisions, none older than {days:.0f} days", about),
            Wording('set [policy] name = "observe" first; callsieve summary then says what would have happened'),
        )
    return ok(Wording("{policy} acts, after {count} decisions or more", {"policy": policy, "count": count}))


def takes_stopped_calls(ground: CheckContext) -> Finding:
    """Calls that are routed, or fail a challenge, have somewhere to go."""
    acting = ground.acting_policies
    if not any(map(stops_calls, acting)) and not (acting and _has_stopping_entry(ground)):
        return ok(Wording("no policy or list entry in force challenges or routes calls"))
    if route := ground.loaded.settings.actions.route:
        return _judged_route(ground, route)
    settings = dids_of(ground.loaded.settings)
    boxes = mailboxes_in(ground.ask("voicemail show users"))
    if not ground.loaded.store_path.exists():
        return _judged_boxes(ground, settings, boxes)

    def judge(db: sqlite3.Connection, _now: float) -> Finding:
        return _judged_boxes(ground, [*all_dids(db), *settings], boxes)

    return ground.judge_store(judge)


def _has_stopping_entry(ground: CheckContext) -> bool:
    """Whether a list entry challenges or routes calls. False if the store cannot be read: its own check says so."""
    return ground.read_store(lambda db: has_entry_with(db, STOPPING_WORDS, ground.now), default=False)


def _judged_route(ground: CheckContext, route: str) -> Finding:
    context, extension, _ = route.split(",")
    if dialplan_in(ground.ask(f"dialplan show {extension}@{context}")).steps:
        return ok(route)
    return warn(
        Wording(
            "{route} is not in the dialplan: a routed call rings on, a failed challenge is turned away",
            {"route": route},
        ),
        Wording("correct [actions] route, or add it to the dialplan"),
    )


def _judged_boxes(ground: CheckContext, dids: Iterable[Did], boxes: frozenset[str]) -> Finding:
    """`dids`: of two with the same number the later one counts."""
    screened = {did.number: did for did in dids if did.screen}
    without = sorted(number for number, did in screened.items() if did.callee not in boxes)
    if screened and not without:
        return ok(Wording("the callee of each [[did]] has a voicemail box; other numbers have none"))
    which = and_more(Wording(without[0]), len(without) - 1) if without else Wording("no [[did]] is known")
    return warn(
        Wording(
            "no place for stopped calls ({which}): a routed call rings on, a failed challenge is turned away",
            {"which": which},
        ),
        WAY_OUT_ON_FREEPBX if ground.is_freepbx else WAY_OUT,
    )


CHECKS = (
    HealthCheck(place=250, name="policy", find=policy_loads, is_quick=True),
    HealthCheck(place=260, name="stopped calls", find=takes_stopped_calls),
    HealthCheck(place=270, name="first days", find=may_act),
)
