"""The doctor's check of where stopped calls go: to `[actions] route`, or to a voicemail box of the callee."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from callsieve.doctor.finding import CheckContext, CheckStatus, Finding, and_more, ok, unknown, warn
from callsieve.doctor.service import told_by_store
from callsieve.pbx.cli_output import dialplan_in, mailboxes_in
from callsieve.policy.stopped_calls import STOPPING_WORDS, WAY_OUT, WAY_OUT_ON_FREEPBX, stops_calls
from callsieve.wiring import dids_of, policies_of
from policies.policy import PolicyError
from reputation.model import Did
from reputation.store.lists import has_entry_with
from reputation.store.people import all_dids
from reputation.wording import Wording


def takes_stopped_calls(ground: CheckContext) -> Finding:
    """Calls that are routed, or fail a challenge, have somewhere to go."""
    try:
        policies = policies_of(ground.loaded)
    except PolicyError:
        return unknown(Wording("the policy cannot be used: see policy"))
    acting = [one for one in (policies.default, *(scope.policy for scope in policies.scopes)) if not one.observe]
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

    return told_by_store(ground, judge)


def _has_stopping_entry(ground: CheckContext) -> bool:
    """Whether a list entry challenges or routes calls. False if the store cannot be read: its own check says so."""

    def judge(db: sqlite3.Connection, now: float) -> Finding:
        return warn("") if has_entry_with(db, STOPPING_WORDS, now) else ok("")

    return told_by_store(ground, judge).status is CheckStatus.WARN


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
