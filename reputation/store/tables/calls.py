"""Calls: what was decided about them, how they ended, and challenges."""

from __future__ import annotations

from typing import Final

from reputation.model import Challenged, DecisionRecord
from reputation.outcome import OutcomeRecord
from reputation.store.tables.table import DECISION_DAYS, OUTCOME_DAYS, Kept, Kind, SharedWith, Table

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
    row=DecisionRecord,
    shared=Kind(scope=SharedWith.PRIVATE, counts="linkedid <> ''"),
)
OUTCOME = Table(
    name="outcome",
    label=("call", "calls"),
    numbers=("caller", "dialled"),
    order="at",
    kept=Kept(OUTCOME_DAYS),
    row=OutcomeRecord,
    shared=Kind(scope=SharedWith.PRIVATE, counts="direction = 'inbound'"),
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
    row=Challenged,
    shared=SharedWith.PRIVATE,
    is_folded=True,
)
EMERGENCY_CALL = Table(
    name="emergency_call",
    label=("emergency call", "emergency calls"),
    kept=Kept(DECISION_DAYS),
    shared=Kind(scope=SharedWith.STANDBY, key=("at",), at="at"),
)
EMERGENCY_CLOSE = Table(name="emergency_close", shared=Kind(scope=SharedWith.STANDBY, key=("only_row",), at="at"))
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
