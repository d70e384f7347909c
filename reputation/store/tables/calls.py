"""Calls: what was decided about them, how they ended, and challenges."""

from __future__ import annotations

from typing import Final

from reputation.model import AuthClass, CallerKind, ChallengeResult, Direction, Disposition, EndedBy
from reputation.store.tables.table import DECISION_DAYS, OUTCOME_DAYS, Kept, Kind, Scope, Table

AUTH_CLASSES: Final = {"auth_class": frozenset(AuthClass)}
_CALLER_KINDS: Final = AUTH_CLASSES | {"caller_kind": frozenset(CallerKind)}
_OUTCOMES: Final = _CALLER_KINDS | {
    "direction": frozenset(Direction),
    "disposition": frozenset(Disposition),
    "ended_by": frozenset({None, *EndedBy}),
    "challenge": frozenset({None, *ChallengeResult}),
}
_DECISION: Final = """linkedid caller_kind auth_class did trunk callee action would_be rule reason level log_odds vector
    policy elapsed_ms caller_text first_call"""
_OUTCOME: Final = """direction disposition caller_kind did trunk answered_by forked ring_seconds talk_seconds cause
    sip_code ended_by voicemail_left transferred parked conference challenge complete source auth_class decision_id
    action answered_by_pbx blocked machine waited_seconds"""
# What the network showed where that is no number may still have its digits in it.
OF_DECISION: Final = "(caller = :number OR caller_text <> '' AND has_digits(caller_text))"

# Calls of other sites, as far as a console shows them. One without a linkedid would not tell whose it is.
DECISION = Table(
    name="decision",
    label=("decision", "decisions"),
    numbers=("caller",),
    about=OF_DECISION,
    order="at",
    kept=Kept(DECISION_DAYS),
    shared=Kind(
        scope=Scope.PRIVATE,
        at="at",
        number="caller",
        key=("id",),
        named=("linkedid", "callee"),
        shared=tuple(_DECISION.split()),
        allowed=_CALLER_KINDS,
        counts="linkedid <> ''",
    ),
)
OUTCOME = Table(
    name="outcome",
    label=("call", "calls"),
    numbers=("caller", "dialled"),
    order="at",
    kept=Kept(OUTCOME_DAYS),
    shared=Kind(
        scope=Scope.PRIVATE,
        at="at",
        number="caller",
        key=("linkedid",),
        named=("linkedid", "answered_by"),
        shared=tuple(_OUTCOME.split()),
        own={"rung": "[]"},
        allowed=_OUTCOMES,
        counts="direction = 'inbound'",
    ),
)
REACHED = Table(
    name="reached",
    label=("call that reached somebody", "calls that reached somebody"),
    numbers=("number",),
    order="at",
    kept=Kept(OUTCOME_DAYS),
)
# It names the call, and the CDRs of the PBX would give the caller back.
CHALLENGE_RESULT = Table(
    name="challenge_result",
    label=("result of a challenge", "results of challenges"),
    about=f"""linkedid <> '' AND linkedid IN (
        SELECT linkedid FROM challenge WHERE number = :number
         UNION ALL SELECT linkedid FROM outcome WHERE caller = :number
         UNION ALL SELECT linkedid FROM decision WHERE {OF_DECISION})""",
    order="at",
    kept=Kept(OUTCOME_DAYS),
)
# Passes are counted so far back (reputation/families/caller.py). No other site is told: a lying one could open and
# close convictions by challenges, without a bound.
CHALLENGE = Table(
    name="challenge",
    label=("challenge", "challenges"),
    numbers=("number",),
    order="at",
    kept=Kept(DECISION_DAYS),
    shared=Kind(
        scope=Scope.PRIVATE,
        at="at",
        key=("auth_class", "epoch", "linkedid"),
        named=("linkedid", "did"),
        shared=("did", "result"),
        allowed=AUTH_CLASSES | {"result": frozenset(ChallengeResult)},
        is_folded=True,
    ),
    is_folded=True,
)
EMERGENCY_CALL = Table(
    name="emergency_call",
    label=("emergency call", "emergency calls"),
    kept=Kept(DECISION_DAYS),
    shared=Kind(scope=Scope.STANDBY, number="", key=("at",), at="at"),
)
EMERGENCY_CLOSE = Table(name="emergency_close", shared=Kind(scope=Scope.STANDBY, number="", key=("only_row",), at="at"))
CALL_IMPORT = Table(name="call_import")
CALLS = (
    CHALLENGE_RESULT,
    CHALLENGE,
    DECISION,
    OUTCOME,
    REACHED,
    EMERGENCY_CALL,
    EMERGENCY_CLOSE,
    CALL_IMPORT,
)
